/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's directory: marker, lock, and the clearing of unfinished work. */
#include "replica/store/directory.h"

#include "replica/store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIRECTORY_FORMAT = 2,
    /* A killed process holds its lock until the kernel has ended its writes. */
    LOCK_WAIT_MS = 2000,
    MARKER_BYTES_MAX = 4096,
};

#define MARKER_FIRST_LINE "strake pool"

static int open_folder(int dir_fd, const char *name, struct error *error)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        (void)error_set_errno(error, errno, "cannot open directory '%s'", name);
    return fd;
}

static int check_nothing(void *arg, int dir_fd, const char *name)
{
    (void)arg;
    (void)dir_fd;
    (void)name;
    return -ENOTEMPTY;
}

/* True of what an earlier attempt to make a pool may have left, and of an ext4's own folder. */
static bool is_trace(int dir_fd, const char *name)
{
    static const char *const files[] = {"lost+found", "lock", "pool.new"};
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        if (strcmp(name, files[i]) == 0)
            return true;
    }
    if (strcmp(name, "volumes") != 0 && strcmp(name, "deleted") != 0 && strcmp(name, "data") != 0)
        return false;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    int rc = folder_each(fd, check_nothing, NULL);
    close(fd);
    return rc == 0;
}

static int check_fresh(void *arg, int dir_fd, const char *name)
{
    if (is_trace(dir_fd, name))
        return 0;
    (void)error_set(arg, "not a Strake pool, and not empty: it holds '%s'", name);
    return -ENOTEMPTY;
}

static bool has_marker(const struct directory *directory)
{
    return faccessat(directory->fd, "pool", F_OK, 0) == 0;
}

static int make_folder(const struct directory *directory, const char *name)
{
    return mkdirat(directory->fd, name, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_marker(struct directory *directory, struct error *error)
{
    uint8_t random[UUID_BYTES];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_set_errno(error, errno, "no random bytes");
    struct uuid uuid = uuid_from_random(random);
    char uuid_text[UUID_TEXT_BYTES], text[256];
    uuid_format(&uuid, uuid_text);
    int length = snprintf(text, sizeof(text), MARKER_FIRST_LINE "\nformat %d\nuuid %s\n",
                          DIRECTORY_FORMAT, uuid_text);
    (void)unlinkat(directory->fd, "pool.new", 0);
    int rc = make_folder(directory, "volumes");
    if (rc == 0)
        rc = make_folder(directory, "deleted");
    if (rc == 0)
        rc = make_folder(directory, "data");
    if (rc == 0)
        rc = file_make(directory->fd, "pool.new", text, (size_t)length);
    if (rc == 0 && renameat(directory->fd, "pool.new", directory->fd, "pool") < 0)
        rc = -errno;
    if (rc == 0)
        rc = folder_sync(directory->fd);
    return rc ? error_set_errno(error, rc, "cannot make the pool") : 0;
}

static int read_line(struct directory *directory, const char *key, const char *value,
                     struct error *error)
{
    if (strcmp(key, "format") == 0) {
        char *end;
        long format = strtol(value, &end, 10);
        if (*value == '\0' || *end != '\0')
            return error_set(error, "damaged marker 'pool': format '%s'", value);
        if (format != DIRECTORY_FORMAT)
            return error_set(error, "pool format %ld is not known to this version (it knows %d)",
                             format, DIRECTORY_FORMAT);
        return 0;
    }
    if (strcmp(key, "uuid") == 0) {
        if (!uuid_parse(value, &directory->uuid) || uuid_is_zero(&directory->uuid))
            return error_set(error, "damaged marker 'pool': uuid '%s'", value);
        return 0;
    }
    if (strcmp(key, "feature") == 0)
        return error_set(error, "the pool uses feature '%s', not known to this version", value);
    return error_set(error, "damaged marker 'pool': line '%s'", key);
}

static int read_marker(struct directory *directory, struct error *error)
{
    char text[MARKER_BYTES_MAX];
    int rc = file_read_text(directory->fd, "pool", text, sizeof(text));
    if (rc)
        return error_set_errno(error, rc, "cannot read the marker 'pool'");
    bool format_seen = false;
    char *rest = text;
    const char *first = strsep(&rest, "\n");
    if (strcmp(first, MARKER_FIRST_LINE) != 0)
        return error_set(error, "not a Strake pool: its file 'pool' is something else");
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (*line == '\0')
            continue;
        char *key = strsep(&line, " ");
        if (read_line(directory, key, line ? line : "", error))
            return -1;
        format_seen = format_seen || strcmp(key, "format") == 0;
    }
    if (!format_seen || uuid_is_zero(&directory->uuid))
        return error_set(error, "damaged marker 'pool': no format or no uuid");
    return 0;
}

static int take_lock(struct directory *directory, struct error *error)
{
    directory->lock_fd = openat(directory->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (directory->lock_fd < 0)
        return error_set_errno(error, errno, "cannot write");
    int rc = file_lock(directory->lock_fd, LOCK_WAIT_MS);
    if (rc == -EWOULDBLOCK) {
        char holder[32] = "";
        (void)!file_read_text(directory->fd, "lock", holder, sizeof(holder));
        holder[strcspn(holder, "\n")] = '\0';
        return error_set(error, "in use: process %s holds its lock", *holder ? holder : "?");
    }
    if (rc)
        return error_set_errno(error, rc, "cannot lock");
    char text[32];
    int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(directory->lock_fd, 0) < 0 ||
        pwrite(directory->lock_fd, text, (size_t)length, 0) != length)
        return error_set_errno(error, errno, "cannot write 'lock'");
    return 0;
}

int directory_volume_remove(const struct directory *directory, const struct uuid *volume)
{
    char name[UUID_TEXT_BYTES], aside[UUID_TEXT_BYTES + 8];
    uuid_format(volume, name);
    snprintf(aside, sizeof(aside), ".%s.gone", name);
    int rc = folder_remove(directory->volumes_fd, aside);
    if (rc == 0 && renameat(directory->volumes_fd, name, directory->volumes_fd, aside) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (rc == 0)
        rc = folder_sync(directory->volumes_fd);
    return rc ? rc : folder_remove(directory->volumes_fd, aside);
}

static int clear_volume(void *arg, int dir_fd, const char *name)
{
    (void)arg;
    return name[0] == '.' ? folder_remove(dir_fd, name) : 0;
}

/* A record beside which the volume still lies: its removal was cut short. */
static int clear_deleted(void *arg, int dir_fd, const char *name)
{
    const struct directory *directory = arg;
    struct uuid volume;
    if (name[0] == '.')
        return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
    return uuid_parse(name, &volume) ? directory_volume_remove(directory, &volume) : 0;
}

/* Before anything is written: what should be mounted here may not be. */
static int check_expected(struct directory *directory, const struct uuid *expected,
                          struct error *error)
{
    char found[UUID_TEXT_BYTES], wanted[UUID_TEXT_BYTES];
    uuid_format(expected, wanted);
    if (!has_marker(directory))
        return error_set(error, "there is no pool, and pool %s is expected (not mounted?)", wanted);
    if (read_marker(directory, error))
        return -1;
    if (uuid_equal(&directory->uuid, expected))
        return 0;
    uuid_format(&directory->uuid, found);
    return error_set(error, "it is pool %s, and pool %s is expected", found, wanted);
}

static int open_parts(struct directory *directory, const struct uuid *expected, struct error *error)
{
    if (expected && check_expected(directory, expected, error))
        return -1;
    /* Looked at before the lock file is made: nothing is written into somebody else's folder. */
    if (!has_marker(directory)) {
        int rc = folder_each(directory->fd, check_fresh, error);
        if (rc == -ENOTEMPTY)
            return -1;
        if (rc)
            return error_set_errno(error, rc, "cannot read the directory");
    }
    if (take_lock(directory, error))
        return -1;
    if (!has_marker(directory) && make_marker(directory, error))
        return -1;
    if (read_marker(directory, error))
        return -1;
    directory->volumes_fd = open_folder(directory->fd, "volumes", error);
    if (directory->volumes_fd < 0)
        return -1;
    directory->deleted_fd = open_folder(directory->fd, "deleted", error);
    if (directory->deleted_fd < 0)
        return -1;
    directory->data_fd = open_folder(directory->fd, "data", error);
    if (directory->data_fd < 0)
        return -1;
    int rc = folder_each(directory->volumes_fd, clear_volume, NULL);
    if (rc == 0)
        rc = folder_each(directory->deleted_fd, clear_deleted, directory);
    return rc ? error_set_errno(error, rc, "cannot clear unfinished work") : 0;
}

int directory_open(struct directory *directory, const char *path, const struct uuid *expected,
                   struct error *error)
{
    *directory = (struct directory){
        .fd = -1, .lock_fd = -1, .volumes_fd = -1, .deleted_fd = -1, .data_fd = -1};
    directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory->fd < 0)
        return error_set_errno(error, errno, "pool %s", path);
    if (open_parts(directory, expected, error)) {
        directory_close(directory);
        return error_prefix(error, "pool %s", path);
    }
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void directory_close(struct directory *directory)
{
    close_fd(&directory->data_fd);
    close_fd(&directory->deleted_fd);
    close_fd(&directory->volumes_fd);
    close_fd(&directory->lock_fd);
    close_fd(&directory->fd);
}
