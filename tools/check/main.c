/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strake-check [--data] [--repair] POOL: verifies the map of a pool that nobody serves, and that
 * its files are those the map knows; with --data also every block against its checksum and every
 * content against its digest. Says in words what it finds. What the journal holds is taken over
 * first, as at any start. --repair puts right what follows from the rest: counts, hashes that are
 * computed again when they are asked for, files nobody refers to; it says what it did, and changes
 * nothing in a map with any other damage. Exit status: 0 nothing found, or all of it repaired; 1
 * something; 2 it could not be checked.
 */
#include "common/base/error.h"
#include "tools/check/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

void pool_found(struct pool *pool, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    pool->findings++;
}

void pool_repaired(struct pool *pool, const char *format, ...)
{
    va_list args;
    printf("repaired: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    pool->repairs++;
}

static void on_finding(void *arg, const char *words)
{
    pool_found(arg, "%s", words);
}

static void on_repaired(void *arg, const char *words)
{
    pool_repaired(arg, "%s", words);
}

static void on_slot(void *arg, const struct map_slot *slot)
{
    struct pool *pool = arg;
    pool->slots++;
    pool->blocks += (uint64_t)__builtin_popcount(slot->blocks);
    if (pool->data)
        data_check_slot(pool, slot);
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

static int open_folder(const struct pool *pool, const char *name, int *fd, struct error *error)
{
    *fd = openat(pool->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? error_set_errno(error, errno, "%s", name) : 0;
}

/* What is wrong with the map alone is put right first; what is told then is what is left. */
static int check_all(struct pool *pool)
{
    int rc = pool->repair ? map_repair(pool->map, on_repaired, pool) : 0;
    if (rc >= 0)
        rc = map_check(pool->map, on_finding, on_slot, pool);
    if (rc < 0)
        return rc;
    uint32_t before = pool->findings, repaired = pool->repairs;
    files_check(pool);
    pool->findings -= pool->repairs - repaired;
    ASSERT(pool->findings >= before);
    if (pool->data)
        digests_check(pool);
    return pool->error;
}

static int check_pool(struct pool *pool, const char *directory, struct error *error)
{
    pool->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct map_settings settings = {.directory = directory, .sync = sync_pool, .arg = &pool->fd};
    if (pool->fd < 0)
        return error_set_errno(error, errno, "%s", directory);
    if (lock_pool(pool->fd, error) || open_folder(pool, "data", &pool->data_fd, error) ||
        open_folder(pool, "volumes", &pool->volumes_fd, error) || read_boot(&settings.boot, error))
        return error_prefix(error, "%s", directory);
    pool->map = map_open(&settings, error);
    if (!pool->map)
        return error_prefix(error, "%s", directory);
    int rc = check_all(pool);
    if (rc)
        (void)error_set(error, "%s: %s", directory,
                        map_failed(pool->map) ? map_failed(pool->map) : strerror(-rc));
    map_close(pool->map);
    return rc ? -1 : 0;
}

/* LMDB trusts its pages: one that is damaged may lead it astray. */
static void on_astray(int number)
{
    static const char words[] = "strake-check: the map's file, map/data.mdb, is damaged: it cannot "
                                "be read\n";
    (void)number;
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1);
    _exit(2);
}

static int usage(void)
{
    fprintf(stderr, "usage: strake-check [--data] [--repair] POOL\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct error error;
    struct pool pool = {.segment_fd = -1};
    const char *directory = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--data") == 0)
            pool.data = true;
        else if (strcmp(argv[i], "--repair") == 0)
            pool.repair = true;
        else if (argv[i][0] == '-' || directory)
            return usage();
        else
            directory = argv[i];
    }
    if (!directory)
        return usage();
    const struct sigaction astray = {.sa_handler = on_astray};
    (void)sigaction(SIGSEGV, &astray, NULL);
    (void)sigaction(SIGBUS, &astray, NULL);
    if (check_pool(&pool, directory, &error)) {
        fprintf(stderr, "strake-check: %s\n", error.text);
        return 2;
    }
    printf("%s: %u found, %u repaired, %u in doubt; %llu blocks of 4 KiB in %llu slots of 64 KiB\n",
           directory, pool.findings, pool.repairs, pool.doubts, (unsigned long long)pool.blocks,
           (unsigned long long)pool.slots);
    return pool.findings > 0;
}
