/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of the access file; files with secrets must be closed to others. */
#include "target/front/front_access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Others may neither read a secret nor change who may do what. */
enum { TOO_OPEN = S_IWGRP | S_IRWXO };

/* Remembers the file, so that its change is seen, whether or not it can be read. */
static int stamp_add(struct front_access *access, const char *path, struct error *error)
{
    size_t bytes = (access->stamp_count + 1) * sizeof(access->stamps[0]);
    struct access_stamp *stamps = realloc(access->stamps, bytes);
    if (!stamps)
        return error_set_errno(error, ENOMEM, "%s", path);
    access->stamps = stamps;
    struct access_stamp *stamp = &stamps[access->stamp_count++];
    *stamp = (struct access_stamp){0};
    if ((size_t)snprintf(stamp->path, sizeof(stamp->path), "%s", path) >= sizeof(stamp->path))
        return error_set(error, "%.64s...: the path is too long", path);
    if (stat(path, &stamp->stat))
        stamp->stat = (struct stat){0};
    return 0;
}

static int file_check(int fd, const char *path, struct error *error)
{
    struct stat stat;
    if (fstat(fd, &stat))
        return error_set_errno(error, errno, "%s", path);
    if (!S_ISREG(stat.st_mode))
        return error_set(error, "%s: not a file", path);
    if (stat.st_uid != 0 && stat.st_uid != geteuid())
        return error_set(error, "%s: belongs to another user (%u)", path, stat.st_uid);
    if (stat.st_mode & TOO_OPEN)
        return error_set(error, "%s: too open (mode %04o): chmod 600, or 640 with a group", path,
                         stat.st_mode & 07777);
    return 0;
}

static int file_read(const char *path, uint8_t *bytes, uint32_t size, uint32_t *length,
                     struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(error, errno, "%s", path);
    int status = file_check(fd, path, error);
    ssize_t got = 1;
    for (*length = 0; !status && got > 0 && *length < size; *length += (uint32_t)got) {
        got = read(fd, bytes + *length, size - *length);
        if (got < 0)
            status = error_set_errno(error, errno, "%s", path);
    }
    close(fd);
    return status;
}

/* A relative path starts where the access file is. */
static int secret_file_read(void *arg, const char *name, uint8_t *bytes, uint32_t size,
                            uint32_t *length, struct error *error)
{
    struct front_access *access = arg;
    char path[2 * ACCESS_PATH_BYTES];
    const char *slash = strrchr(access->path, '/');
    int folder = name[0] == '/' || !slash ? 0 : (int)(slash - access->path) + 1;
    if ((size_t)snprintf(path, sizeof(path), "%.*s%s", folder, access->path, name) >= sizeof(path))
        return error_set(error, "%.64s...: the path is too long", name);
    if (stamp_add(access, path, error))
        return -1;
    return file_read(path, bytes, size, length, error);
}

static int rules_read(struct front_access *access, struct error *error)
{
    uint32_t length = 0;
    uint8_t *text = malloc(ACCESS_FILE_BYTES_MAX + 1);
    if (!text)
        return error_set_errno(error, ENOMEM, "access file");
    int status = stamp_add(access, access->path, error);
    if (!status)
        status = file_read(access->path, text, ACCESS_FILE_BYTES_MAX + 1, &length, error);
    if (!status && length > ACCESS_FILE_BYTES_MAX)
        status = error_set(error, "%s: longer than 1 MiB", access->path);
    if (!status && memchr(text, '\0', length))
        status = error_set(error, "%s: not a text file", access->path);
    if (!status) {
        text[length] = '\0';
        access->rules = access_new((char *)text, secret_file_read, access, error);
        status = access->rules ? 0 : error_prefix(error, "%s", access->path);
    }
    explicit_bzero(text, ACCESS_FILE_BYTES_MAX + 1);
    free(text);
    return status;
}

int front_access_read(struct front_access *access, struct error *error)
{
    struct front_access fresh = {.check = access->check, .check_arg = access->check_arg};
    memcpy(fresh.path, access->path, sizeof(fresh.path));
    int status = rules_read(&fresh, error);
    if (!status && fresh.check && fresh.check(fresh.check_arg, fresh.rules, error))
        status = -1;
    if (status) {
        access_free(fresh.rules);
        fresh.rules = access->rules;
        access->rules = NULL;
    }
    front_access_release(access);
    *access = fresh;
    return status;
}

static bool stat_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool front_access_changed(const struct front_access *access)
{
    for (uint32_t i = 0; i < access->stamp_count; i++) {
        const struct access_stamp *stamp = &access->stamps[i];
        struct stat now;
        if (stat(stamp->path, &now))
            now = (struct stat){0};
        if (!stat_same(&now, &stamp->stat))
            return true;
    }
    return false;
}

void front_access_release(struct front_access *access)
{
    access_free(access->rules);
    free(access->stamps);
    *access = (struct front_access){0};
}
