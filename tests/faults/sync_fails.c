/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded: syncs fail while the file $SYNC_FAILS exists, after doing nothing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sync_or_fail(long call, int fd)
{
    const char *path = getenv("SYNC_FAILS");
    if (path && access(path, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_or_fail(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_or_fail(SYS_fdatasync, fd);
}
