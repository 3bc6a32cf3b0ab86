/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that do a part of the work. */
#include "tools/attach/command.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Users' $PATH often lacks the folders of administrators' programs. */
static bool command_find(const char *name, char *path, size_t size)
{
    const char *given = getenv("PATH");
    char all[4096];
    char *rest = all;
    snprintf(all, sizeof(all), "%s:/usr/sbin:/sbin:/usr/bin:/bin", given ? given : "");
    for (char *folder; (folder = strsep(&rest, ":")) != NULL;) {
        int length = snprintf(path, size, "%s/%s", folder, name);
        if (folder[0] && length > 0 && (size_t)length < size && access(path, X_OK) == 0)
            return true;
    }
    return false;
}

bool command_there(const char *name)
{
    char path[4096];
    return command_find(name, path, sizeof(path));
}

static pid_t spawn(const char *const argv[], int output, bool session)
{
    char path[4096];
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (!command_find(argv[0], path, sizeof(path)))
        return -1;
    union {
        const char *const *given;
        char *const *wanted;
    } args = {.given = argv};
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    if (session)
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    if (posix_spawn(&pid, path, &actions, &attributes, args.wanted, environ))
        pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return pid;
}

/* The last `size` - 1 bytes that come from the pipe. */
static void output_take(int fd, char *output, size_t size)
{
    char piece[512];
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, piece, sizeof(piece))) > 0 || (got < 0 && errno == EINTR)) {
        size_t fresh = got > 0 ? (size_t)got : 0;
        size_t skip = fresh > size - 1 ? fresh - (size - 1) : 0;
        fresh -= skip;
        if (length + fresh > size - 1) {
            size_t drop = length + fresh - (size - 1);
            memmove(output, output + drop, length - drop);
            length -= drop;
        }
        memcpy(output + length, piece + skip, fresh);
        length += fresh;
    }
    while (length > 0 && output[length - 1] == '\n')
        length--;
    output[length] = '\0';
}

int command_run(const char *const argv[], char *output, size_t size)
{
    int pipes[2];
    int status = 0;
    output[0] = '\0';
    if (pipe2(pipes, O_CLOEXEC))
        return 127;
    pid_t pid = spawn(argv, pipes[1], false);
    close(pipes[1]);
    if (pid < 0) {
        close(pipes[0]);
        snprintf(output, size, "%s: cannot be run", argv[0]);
        return 127;
    }
    output_take(pipes[0], output, size);
    close(pipes[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

pid_t command_start(const char *const argv[], const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    pid_t pid = spawn(argv, fd, true);
    close(fd);
    return pid;
}
