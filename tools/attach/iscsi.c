/* SPDX-License-Identifier: Apache-2.0 */
/* By the kernel's iSCSI initiator, which iscsiadm and iscsid of open-iscsi drive. */
#include "tools/attach/command.h"
#include "tools/attach/ways.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DISK_S = 20,                  /* from login to disk */
    ISCSI_ERR_SESS_EXISTS = 15,   /* iscsiadm(8), exit status: logged in already */
    ISCSI_ERR_NO_OBJS_FOUND = 21, /* logged out already, or nothing known of it */
};

struct source {
    char portal[ATTACH_PATH_BYTES];
    char iqn[ATTACH_PATH_BYTES];
};

/* "iscsi://PORTAL/IQN", and perhaps "/LUN". */
static bool source_parse(const char *uri, struct source *s)
{
    const char *portal = uri + strlen("iscsi://");
    const char *slash = strchr(portal, '/');
    if (!slash || slash == portal || (size_t)(slash - portal) >= sizeof(s->portal))
        return false;
    memcpy(s->portal, portal, (size_t)(slash - portal));
    s->portal[slash - portal] = '\0';
    size_t length = strcspn(slash + 1, "/?");
    if (length == 0 || length >= sizeof(s->iqn))
        return false;
    memcpy(s->iqn, slash + 1, length);
    s->iqn[length] = '\0';
    return true;
}

static const char *iscsi_missing(void)
{
    char output[256];
    if (geteuid() != 0)
        return "needs root";
    if (!command_there("iscsiadm"))
        return "iscsiadm is not installed (package open-iscsi)";
    const char *const load[] = {"modprobe", "-q", "iscsi_tcp", NULL};
    if (access("/sys/class/iscsi_transport/tcp", F_OK))
        (void)command_run(load, output, sizeof(output));
    return access("/sys/class/iscsi_transport/tcp", F_OK) ? "the kernel has no iscsi_tcp" : NULL;
}

static bool line_read(const char *path, char *line, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, line, size - 1);
    if (fd >= 0)
        close(fd);
    line[length > 0 ? length : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return length > 0;
}

/* The first disk of a session, with a size already: "sda". */
static bool session_disk(const char *session, char *disk, size_t size)
{
    char pattern[ATTACH_PATH_BYTES * 2];
    char bytes[32];
    glob_t disks;
    bool found = false;
    snprintf(pattern, sizeof(pattern), "%s/device/target*/*/block/*/size", session);
    if (glob(pattern, 0, NULL, &disks))
        return false;
    for (size_t i = 0; i < disks.gl_pathc && !found; i++) {
        found = line_read(disks.gl_pathv[i], bytes, sizeof(bytes)) && strcmp(bytes, "0") != 0;
        if (!found)
            continue;
        char *end = strrchr(disks.gl_pathv[i], '/');
        *end = '\0';
        snprintf(disk, size, "/dev/%s", strrchr(disks.gl_pathv[i], '/') + 1);
        found = access(disk, F_OK) == 0;
    }
    globfree(&disks);
    return found;
}

static bool iscsi_disk(const char *iqn, char *disk, size_t size)
{
    static const char suffix[] = "/targetname";
    char name[ATTACH_PATH_BYTES];
    glob_t sessions;
    bool found = false;
    if (glob("/sys/class/iscsi_session/session*/targetname", 0, NULL, &sessions))
        return false;
    for (size_t i = 0; i < sessions.gl_pathc && !found; i++) {
        char *path = sessions.gl_pathv[i];
        if (!line_read(path, name, sizeof(name)) || strcmp(name, iqn) != 0)
            continue;
        path[strlen(path) - strlen(suffix)] = '\0';
        found = session_disk(path, disk, size);
    }
    globfree(&sessions);
    return found;
}

/* The name that udev gives, which stays the same, if there is udev. */
static void disk_name(const struct source *s, const char *disk, char device[ATTACH_PATH_BYTES])
{
    char path[ATTACH_PATH_BYTES * 3];
    int length =
        snprintf(path, sizeof(path), "/dev/disk/by-path/ip-%s-iscsi-%s-lun-0", s->portal, s->iqn);
    bool known = length < ATTACH_PATH_BYTES && access(path, F_OK) == 0;
    snprintf(device, ATTACH_PATH_BYTES, "%.*s", ATTACH_PATH_BYTES - 1, known ? path : disk);
}

/* `iscsiadm -m MODE ... -p PORTAL`; for a node, with the name and what is to be done. */
static int iscsiadm(const struct source *s, const char *const words[], struct error *error)
{
    char output[300];
    const char *argv[COMMAND_ARGS_MAX] = {"iscsiadm", "-p", s->portal};
    size_t count = 3;
    bool node = strcmp(words[1], "node") == 0;
    if (node) {
        argv[count++] = "-T";
        argv[count++] = s->iqn;
    }
    for (size_t i = 0; words[i]; i++) {
        ASSERT(count < COMMAND_ARGS_MAX - 1);
        argv[count++] = words[i];
    }
    int status = command_run(argv, output, sizeof(output));
    if (status == 0 || status == ISCSI_ERR_SESS_EXISTS || status == ISCSI_ERR_NO_OBJS_FOUND)
        return 0;
    return error_set(error, "iscsiadm %s at %s: status %d: %s", words[2], s->portal, status,
                     output);
}

static int discover(const struct source *s, struct error *error)
{
    const char *const words[] = {"-m", "discovery", "-t", "sendtargets", NULL};
    return iscsiadm(s, words, error);
}

static int login(const struct source *s, uint32_t timeout_s, struct error *error)
{
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%u", timeout_s);
    const char *const wait[] = {"-m",     "node",  "-o",
                                "update", "-n",    "node.session.timeo.replacement_timeout",
                                "-v",     seconds, NULL};
    const char *const words[] = {"-m", "node", "--login", NULL};
    return iscsiadm(s, wait, error) || iscsiadm(s, words, error) ? -1 : 0;
}

static int logout(const struct source *s, struct error *error)
{
    const char *const words[] = {"-m", "node", "--logout", NULL};
    return iscsiadm(s, words, error);
}

static void forget(const struct source *s)
{
    struct error ignored;
    const char *const words[] = {"-m", "node", "-o", "delete", NULL};
    (void)iscsiadm(s, words, &ignored);
}

static bool disk_wait(const struct source *s, char *disk, size_t size)
{
    const struct timespec step = {.tv_nsec = 100 * 1000 * 1000};
    for (int i = 0; i < DISK_S * 10; i++) {
        if (iscsi_disk(s->iqn, disk, size))
            return true;
        nanosleep(&step, NULL);
    }
    return false;
}

static int read_only_set(const char *disk, struct error *error)
{
    int on = 1;
    int fd = open(disk, O_RDONLY | O_CLOEXEC);
    int status = 0;
    if (fd < 0 || ioctl(fd, BLKROSET, &on))
        status = error_set_errno(error, errno, "%s: not made read-only", disk);
    if (fd >= 0)
        close(fd);
    return status;
}

static int iscsi_make(const struct attach_wish *wish, struct attachment *a, struct error *error)
{
    struct source s;
    struct error ignored;
    char disk[64];
    if (!source_parse(a->source, &s))
        return error_set(error, "%s: not iscsi://PORTAL/IQN", a->source);
    if (discover(&s, error) || login(&s, wish->timeout_s, error))
        return -1;
    int status = 0;
    if (!disk_wait(&s, disk, sizeof(disk)))
        status = error_set(error, "logged in to %s, but no disk came within %d s", s.iqn, DISK_S);
    else if (wish->read_only)
        status = read_only_set(disk, error);
    if (status)
        (void)logout(&s, &ignored);
    else
        disk_name(&s, disk, a->device);
    return status;
}

static bool iscsi_there(const struct attachment *a)
{
    struct source s;
    char disk[64];
    return source_parse(a->source, &s) && iscsi_disk(s.iqn, disk, sizeof(disk));
}

static int iscsi_undo(const struct attachment *a, struct error *error)
{
    struct source s;
    if (!source_parse(a->source, &s))
        return error_set(error, "%s: not iscsi://PORTAL/IQN", a->source);
    if (device_let_go(a->device, error) || logout(&s, error))
        return -1;
    forget(&s);
    return 0;
}

const struct way way_iscsi = {iscsi_missing, iscsi_make, iscsi_undo, iscsi_there};
