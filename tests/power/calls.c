/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that change or sync files, caught before the C library has them: this program's
 * definitions come first, for LMDB too. What goes through io_uring is looked at when it is handed
 * over. Nothing is really synced: that is the simulated disk's.
 */
#include "tests/power/disk.h"

#include "common/base/assert.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Its writes are durable when they return. */
static bool is_durable(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && flags & O_DSYNC;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    bool ours = disk_begins(fd);
    if (!is_durable(fd))
        return syscall(SYS_pwrite64, fd, bytes, length, offset);
    char path[32];
    if (ours)
        disk_wrote_durably(fd, bytes, (uint64_t)offset, length);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int plain = open(path, O_WRONLY | O_CLOEXEC);
    ASSERT(plain >= 0);
    ssize_t put = syscall(SYS_pwrite64, plain, bytes, length, offset);
    close(plain);
    return put;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    (void)disk_begins(fd);
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *vectors, int count)
{
    (void)disk_begins(fd);
    return syscall(SYS_writev, fd, vectors, count);
}

ssize_t pwritev2(int fd, const struct iovec *vectors, int count, off_t offset, int flags)
{
    ASSERT(count == 1);
    if (disk_begins(fd) && flags & RWF_DSYNC)
        disk_wrote_durably(fd, vectors->iov_base, (uint64_t)offset, vectors->iov_len);
    return syscall(SYS_pwritev2, fd, vectors, count, offset, 0, flags & ~RWF_DSYNC);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    (void)disk_begins(fd);
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

int ftruncate(int fd, off_t length)
{
    (void)disk_begins(fd);
    return (int)syscall(SYS_ftruncate, fd, length);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    (void)disk_begins(to_fd);
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
    (void)disk_begins(fd);
    return (int)syscall(SYS_unlinkat, fd, name, flags);
}

static int sync_fd(int fd)
{
    if (disk_begins(fd))
        disk_synced(fd);
    return 0;
}

int fsync(int fd)
{
    return sync_fd(fd);
}

int fdatasync(int fd)
{
    return sync_fd(fd);
}

int syncfs(int fd)
{
    (void)fd;
    return 0;
}

static void look_at(struct io_uring_sqe *sqe)
{
    union {
        uint64_t number;
        const void *bytes;
    } from = {.number = sqe->addr};
    switch (sqe->opcode) {
    case IORING_OP_WRITE:
        if (disk_begins(sqe->fd) && sqe->rw_flags & RWF_DSYNC)
            disk_wrote_durably(sqe->fd, from.bytes, sqe->off, sqe->len);
        sqe->rw_flags &= ~RWF_DSYNC;
        break;
    case IORING_OP_FALLOCATE:
        (void)disk_begins(sqe->fd);
        break;
    case IORING_OP_FSYNC:
        (void)sync_fd(sqe->fd);
        sqe->opcode = IORING_OP_NOP;
        sqe->fsync_flags = 0;
        break;
    default:
        break;
    }
}

int io_uring_submit(struct io_uring *ring)
{
    static int (*submit)(struct io_uring *);
    if (!submit) {
        union {
            void *symbol;
            int (*function)(struct io_uring *);
        } found = {.symbol = dlsym(RTLD_NEXT, "io_uring_submit")};
        submit = found.function;
    }
    for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
        look_at(&ring->sq.sqes[i & ring->sq.ring_mask]);
    return submit(ring);
}
