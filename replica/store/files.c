/* SPDX-License-Identifier: Apache-2.0 */
/* Small durable files and directories. */
#include "replica/store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const uint8_t file_zeros[64u << 10];

static int write_whole(int fd, const uint8_t *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        size_t chunk = length - done;
        if (!bytes && chunk > sizeof(file_zeros))
            chunk = sizeof(file_zeros);
        ssize_t n = write(fd, bytes ? bytes + done : file_zeros, chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

int file_make(int dir_fd, const char *name, const void *bytes, size_t length)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = write_whole(fd, bytes, length);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

/* How much could be read, or -errno. */
static ssize_t read_most(int dir_fd, const char *name, uint8_t *bytes, size_t length)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t done = 0;
    ssize_t n = 1;
    while (done < length && n != 0) {
        n = pread(fd, bytes + done, length - done, (off_t)done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    int rc = n < 0 ? -errno : 0;
    close(fd);
    return rc ? rc : (ssize_t)done;
}

int file_read(int dir_fd, const char *name, void *bytes, size_t length)
{
    ssize_t n = read_most(dir_fd, name, bytes, length);
    if (n < 0)
        return (int)n;
    return (size_t)n == length ? 0 : -ENODATA;
}

int file_read_text(int dir_fd, const char *name, char *text, size_t size)
{
    ASSERT(size > 0);
    ssize_t n = read_most(dir_fd, name, (uint8_t *)text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    return n < 0 ? (int)n : 0;
}

int file_lock(int fd, uint64_t wait_ms)
{
    enum { POLL_MS = 10 };
    for (uint64_t waited_ms = 0;; waited_ms += POLL_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (waited_ms >= wait_ms)
            return -EWOULDBLOCK;
        const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
}

int folder_sync(int dir_fd)
{
    return fsync(dir_fd) < 0 ? -errno : 0;
}

bool folder_takes_writes_at_once(int dir_fd)
{
    static char byte;
    struct iovec one = {.iov_base = &byte, .iov_len = sizeof(byte)};
    int fd = openat(dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    ssize_t n = pwritev2(fd, &one, 1, 0, RWF_NOWAIT);
    bool takes = n >= 0 || errno == EAGAIN;
    close(fd);
    return takes;
}

int folder_each(int dir_fd, folder_each_fn *each, void *arg)
{
    /* A descriptor of its own: its position is not shared with anybody. */
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    int rc = 0;
    while (rc == 0) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry) {
            rc = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = each(arg, dir_fd, entry->d_name);
    }
    closedir(dir);
    return rc;
}

static int remove_file(void *arg, int dir_fd, const char *name)
{
    (void)arg;
    return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int folder_remove(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int rc = folder_each(fd, remove_file, NULL);
    close(fd);
    if (rc == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
        rc = -errno;
    return rc ? rc : folder_sync(dir_fd);
}
