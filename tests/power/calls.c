/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that read, change or sync files, caught before the C library has them: this program's
 * definitions come first, for LMDB too. What goes through io_uring is looked at when it is handed
 * over. Nothing is really synced: that is the simulated disk's.
 */
#include "tests/power/disk.h"

#include "common/base/assert.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
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

/* True when the call fails. */
static bool fails(int error)
{
    if (error > 0)
        errno = error;
    return error > 0;
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset)
{
    if (fails(disk_begins(fd, CALL_READ, &length)))
        return -1;
    return syscall(SYS_pread64, fd, bytes, length, offset);
}

/*
 * Without waiting for the real disk. It is certain once it is in the file, not before: whatever of
 * the file is written back in between becomes certain as it is then.
 */
static ssize_t write_durably(int fd, const void *bytes, size_t length, off_t offset)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int plain = open(path, O_WRONLY | O_CLOEXEC);
    ASSERT(plain >= 0);
    ssize_t put = syscall(SYS_pwrite64, plain, bytes, length, offset);
    close(plain);
    if (put > 0)
        disk_wrote_durably(fd, bytes, (uint64_t)offset, (uint64_t)put);
    return put;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    bool durable = is_durable(fd);
    int error = disk_begins(fd, durable ? CALL_CHANGE : CALL_WRITE, &length);
    if (fails(error))
        return -1;
    if (error == 0)
        disk_wrote(fd, (uint64_t)offset, length);
    if (!durable)
        return syscall(SYS_pwrite64, fd, bytes, length, offset);
    return write_durably(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (fails(disk_begins(fd, CALL_WRITE, &length)))
        return -1;
    return syscall(SYS_write, fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *vectors, int count)
{
    int error = disk_begins(fd, CALL_WRITE, NULL);
    if (fails(error))
        return -1;
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += vectors[i].iov_len;
    if (error == 0)
        disk_wrote(fd, (uint64_t)lseek(fd, 0, SEEK_CUR), length);
    return syscall(SYS_writev, fd, vectors, count);
}

ssize_t pwritev2(int fd, const struct iovec *vectors, int count, off_t offset, int flags)
{
    ASSERT(count == 1);
    struct iovec vector = *vectors;
    int error = disk_begins(fd, CALL_CHANGE, &vector.iov_len);
    if (fails(error))
        return -1;
    if (error == 0)
        disk_wrote(fd, (uint64_t)offset, vector.iov_len);
    if (error == 0 && flags & RWF_DSYNC)
        return write_durably(fd, vector.iov_base, vector.iov_len, offset);
    return syscall(SYS_pwritev2, fd, &vector, 1, offset, 0, flags & ~RWF_DSYNC);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    bool punches = mode & FALLOC_FL_PUNCH_HOLE;
    if (fails(disk_begins(fd, punches ? CALL_CHANGE : CALL_WRITE, NULL)))
        return -1;
    return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

int ftruncate(int fd, off_t length)
{
    if (fails(disk_begins(fd, CALL_CHANGE, NULL)))
        return -1;
    return (int)syscall(SYS_ftruncate, fd, length);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    if (fails(disk_begins(to_fd, CALL_CHANGE, NULL)))
        return -1;
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
    if (fails(disk_begins(fd, CALL_CHANGE, NULL)))
        return -1;
    return (int)syscall(SYS_unlinkat, fd, name, flags);
}

/* 0 or the error. */
static int sync_fd(int fd)
{
    int error = disk_begins(fd, CALL_SYNC, NULL);
    if (error == 0)
        disk_synced(fd);
    return error < 0 ? 0 : error;
}

int fsync(int fd)
{
    return fails(sync_fd(fd)) ? -1 : 0;
}

int fdatasync(int fd)
{
    return fails(sync_fd(fd)) ? -1 : 0;
}

int syncfs(int fd)
{
    (void)fd;
    return 0;
}

/* io_uring. */

/* Handed over as nothing, and answered with this. */
static struct {
    uint64_t user_data;
    int result;
} answers[64];
static pthread_mutex_t answers_lock = PTHREAD_MUTEX_INITIALIZER;

static void make_nothing(struct io_uring_sqe *sqe, int result)
{
    sqe->opcode = IORING_OP_NOP;
    sqe->rw_flags = 0;
    if (result == 0)
        return;
    pthread_mutex_lock(&answers_lock);
    size_t i = 0;
    while (answers[i].result)
        ASSERT(++i < ARRAY_COUNT(answers));
    answers[i].user_data = sqe->user_data;
    answers[i].result = result;
    pthread_mutex_unlock(&answers_lock);
}

static void look_at(struct io_uring_sqe *sqe)
{
    union {
        uint64_t number;
        const void *bytes;
    } from = {.number = sqe->addr};
    size_t length = sqe->len;
    int error = 0;
    switch (sqe->opcode) {
    case IORING_OP_READ:
        error = disk_begins(sqe->fd, CALL_READ, &length);
        break;
    case IORING_OP_WRITE:
        error = disk_begins(sqe->fd, CALL_CHANGE, &length);
        if (error == 0)
            disk_wrote(sqe->fd, sqe->off, length);
        if (error == 0 && sqe->rw_flags & RWF_DSYNC) {
            make_nothing(sqe, (int)write_durably(sqe->fd, from.bytes, length, (off_t)sqe->off));
            return;
        }
        sqe->rw_flags &= ~RWF_DSYNC;
        break;
    case IORING_OP_FALLOCATE:
        error = disk_begins(sqe->fd, CALL_CHANGE, NULL);
        break;
    case IORING_OP_FSYNC:
        make_nothing(sqe, -sync_fd(sqe->fd));
        return;
    default:
        return;
    }
    sqe->len = (uint32_t)length;
    if (error > 0)
        make_nothing(sqe, -error);
}

int io_uring_submit(struct io_uring *ring)
{
    union {
        void *symbol;
        int (*function)(struct io_uring *);
    } real = {.symbol = dlsym(RTLD_NEXT, "io_uring_submit")};
    for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++)
        look_at(&ring->sq.sqes[i & ring->sq.ring_mask]);
    return real.function(ring);
}

unsigned io_uring_peek_batch_cqe(struct io_uring *ring, struct io_uring_cqe **cqes, unsigned count)
{
    union {
        void *symbol;
        unsigned (*function)(struct io_uring *, struct io_uring_cqe **, unsigned);
    } real = {.symbol = dlsym(RTLD_NEXT, "io_uring_peek_batch_cqe")};
    unsigned got = real.function(ring, cqes, count);
    pthread_mutex_lock(&answers_lock);
    for (unsigned i = 0; i < got; i++) {
        for (size_t j = 0; j < ARRAY_COUNT(answers); j++) {
            if (!answers[j].result || answers[j].user_data != cqes[i]->user_data)
                continue;
            cqes[i]->res = answers[j].result;
            answers[j].result = 0;
        }
    }
    pthread_mutex_unlock(&answers_lock);
    return got;
}
