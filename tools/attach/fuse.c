/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As a file, by nbdfuse: needs no root and no module. nbdfuse does not connect again: a target that
 * was killed means errors, and detaching and attaching anew.
 */
#include "tools/attach/command.h"
#include "tools/attach/state.h"
#include "tools/attach/ways.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILE_S = 10, STEP_MS = 50 };

static const char *fuse_missing(void)
{
    if (!command_there("nbdfuse"))
        return "nbdfuse is not installed (package libnbd-bin)";
    if (geteuid() != 0 && !command_there("fusermount3"))
        return "fusermount3 is not installed (package fuse3)";
    return access("/dev/fuse", R_OK | W_OK) ? "there is no /dev/fuse for this user" : NULL;
}

static void step_wait(void)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000 * 1000};
    nanosleep(&step, NULL);
}

static int fuse_why(const char *log, struct error *error)
{
    char line[300] = "";
    FILE *file = fopen(log, "r");
    while (file && fgets(line, sizeof(line), file))
        continue;
    if (file)
        fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return error_set(error, "nbdfuse: %s", line[0] ? line : "does not start");
}

static int fuse_make(const struct attach_wish *wish, struct attachment *a, struct error *error)
{
    char folder[ATTACH_PATH_BYTES];
    char log[ATTACH_PATH_BYTES];
    struct stat found;
    (void)wish;
    state_path(a->name, "mount", folder);
    state_path(a->name, "log", log);
    if (mkdir(folder, 0700) && errno != EEXIST)
        return error_set_errno(error, errno, "%s", folder);
    int length = snprintf(a->device, sizeof(a->device), "%s/%s", folder, a->name);
    if (length < 0 || (size_t)length >= sizeof(a->device))
        return error_set(error, "%s: the path is too long", folder);
    const char *argv[] = {"nbdfuse", a->device, a->source, NULL, NULL};
    if (a->read_only) {
        argv[1] = "-r";
        argv[2] = a->device;
        argv[3] = a->source;
    }
    pid_t pid = command_start(argv, log);
    if (pid < 0)
        return error_set(error, "nbdfuse: cannot be run");
    for (int i = 0; i < FILE_S * 1000 / STEP_MS; i++) {
        if (stat(a->device, &found) == 0)
            return 0;
        if (waitpid(pid, NULL, WNOHANG) == pid)
            break;
        step_wait();
    }
    (void)rmdir(folder);
    return fuse_why(log, error);
}

static bool fuse_there(const struct attachment *a)
{
    struct stat found;
    return stat(a->device, &found) == 0 || errno != ENOENT;
}

static int folder_unmount(const char *folder, struct error *error)
{
    char output[300];
    const char *const argv[] = {"fusermount3", "-u", folder, NULL};
    if (geteuid() == 0)
        return umount2(folder, 0) ? error_set_errno(error, errno, "%s", folder) : 0;
    return command_run(argv, output, sizeof(output)) ? error_set(error, "%s", output) : 0;
}

static int fuse_undo(const struct attachment *a, struct error *error)
{
    char folder[ATTACH_PATH_BYTES];
    state_path(a->name, "mount", folder);
    if (device_let_go(a->device, error) || folder_unmount(folder, error))
        return -1;
    for (int i = 0; i < FILE_S * 1000 / STEP_MS && rmdir(folder) && errno == EBUSY; i++)
        step_wait();
    return 0;
}

const struct way way_fuse = {fuse_missing, fuse_make, fuse_undo, fuse_there};
