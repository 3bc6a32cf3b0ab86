/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strake-check POOL: verifies the map of a pool that nobody serves, and says in words what it
 * finds. What the journal holds is taken over first, as at any start. Exit status: 0 nothing found,
 * 1 something, 2 it could not be checked.
 */
#include "common/base/error.h"
#include "replica/map/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct totals {
    uint64_t slots;
    uint64_t blocks;
};

static void print_finding(void *arg, const char *words)
{
    (void)arg;
    printf("%s\n", words);
}

static void count_slot(void *arg, uint32_t family, uint64_t slot, uint16_t blocks)
{
    struct totals *totals = arg;
    (void)family;
    (void)slot;
    totals->slots++;
    totals->blocks += (uint64_t)__builtin_popcount(blocks);
}

/* All of the file system: which files are the family's does not matter then. */
static int sync_pool(void *arg, uint32_t family)
{
    (void)family;
    return syncfs(*(const int *)arg) < 0 ? -errno : 0;
}

static int read_boot(struct uuid *boot, struct error *error)
{
    char text[UUID_TEXT_BYTES] = "";
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot read the boot id");
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length < 0 || !uuid_parse(text, boot))
        return error_set(error, "cannot read the boot id");
    return 0;
}

static int lock_pool(int pool_fd, struct error *error)
{
    int fd = openat(pool_fd, "lock", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "not a pool: cannot open 'lock'");
    /* Held until the process ends. */
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return error_set_errno(error, errno, "the pool is being served");
    if (faccessat(pool_fd, "map", F_OK, 0) < 0 || faccessat(pool_fd, "journal", F_OK, 0) < 0)
        return error_set_errno(error, errno, "the pool has no map");
    return 0;
}

static int check_pool(const char *directory, struct error *error)
{
    struct totals totals = {0};
    int pool_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct map_settings settings = {.directory = directory, .sync = sync_pool, .arg = &pool_fd};
    if (pool_fd < 0)
        return error_set_errno(error, errno, "%s", directory);
    if (lock_pool(pool_fd, error) || read_boot(&settings.boot, error))
        return error_prefix(error, "%s", directory);
    struct map *map = map_open(&settings, error);
    if (!map)
        return error_prefix(error, "%s", directory);
    int findings = map_check(map, print_finding, count_slot, &totals);
    if (findings < 0)
        (void)error_set(error, "%s: %s", directory,
                        map_failed(map) ? map_failed(map) : strerror(-findings));
    else
        printf("%s: %d found; %llu blocks of 4 KiB in %llu slots of 64 KiB\n", directory, findings,
               (unsigned long long)totals.blocks, (unsigned long long)totals.slots);
    map_close(map);
    return findings;
}

int main(int argc, char **argv)
{
    struct error error;
    if (argc != 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: strake-check POOL\n");
        return 2;
    }
    int findings = check_pool(argv[1], &error);
    if (findings < 0) {
        fprintf(stderr, "strake-check: %s\n", error.text);
        return 2;
    }
    return findings > 0;
}
