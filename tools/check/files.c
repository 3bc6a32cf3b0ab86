/* SPDX-License-Identifier: Apache-2.0 */
/* The folders of a pool against its map: replica/store/store.h says what lies where. */
#include "tools/check/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void each_fn(struct pool *pool, const char *name);

static void each_name(struct pool *pool, int dir_fd, each_fn *each)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        pool->error = -errno;
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] != '.')
            each(pool, entry->d_name);
    }
    closedir(dir);
}

/* Its files, then the folder: nothing refers to them. */
static int remove_family(const struct pool *pool, const char *name)
{
    int fd = openat(pool->data_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int rc = dir ? 0 : -errno;
    for (const struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
        if (entry->d_name[0] != '.' && unlinkat(fd, entry->d_name, 0) < 0)
            rc = -errno;
    }
    if (dir)
        closedir(dir);
    if (rc == 0 && unlinkat(pool->data_fd, name, AT_REMOVEDIR) < 0)
        rc = -errno;
    return rc;
}

static void check_family(struct pool *pool, const char *name)
{
    char *end;
    unsigned long family = strtoul(name, &end, 16);
    if (strlen(name) != 8 || *end || map_family_exists(pool->map, (uint32_t)family))
        return;
    pool_found(pool, "data/%s: left over, no volume has blocks there", name);
    if (!pool->repair)
        return;
    int rc = remove_family(pool, name);
    if (rc)
        pool->error = rc;
    else
        pool_repaired(pool, "data/%s: removed", name);
}

struct search {
    struct uuid wanted;
    bool found;
};

static void see(void *arg, const struct uuid *volume, uint32_t family)
{
    struct search *search = arg;
    (void)family;
    search->found = search->found || uuid_equal(volume, &search->wanted);
}

static void check_folder(struct pool *pool, const char *name)
{
    struct search search = {0};
    if (!uuid_parse(name, &search.wanted))
        return;
    map_volume_each(pool->map, see, &search);
    if (!search.found)
        pool_found(pool, "volume %s: has files, and the map does not know it", name);
}

static void check_known(void *arg, const struct uuid *volume, uint32_t family)
{
    struct pool *pool = arg;
    char name[UUID_TEXT_BYTES];
    (void)family;
    uuid_format(volume, name);
    if (faccessat(pool->volumes_fd, name, F_OK, 0) < 0)
        pool_found(pool,
                   "volume %s: the map knows it, and it has no files: the next start takes it for "
                   "one that was being made or deleted",
                   name);
}

void files_check(struct pool *pool)
{
    each_name(pool, pool->data_fd, check_family);
    each_name(pool, pool->volumes_fd, check_folder);
    map_volume_each(pool->map, check_known, pool);
}

bool files_unclean(struct pool *pool, const struct uuid *volume)
{
    char name[UUID_TEXT_BYTES], path[UUID_TEXT_BYTES + 8];
    uint8_t clean = 0;
    uuid_format(volume, name);
    snprintf(path, sizeof(path), "%s/map", name);
    int fd = openat(pool->volumes_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = pread(fd, &clean, 1, STORE_MAP_CLEAN_AT);
    close(fd);
    return got == 1 && !clean;
}
