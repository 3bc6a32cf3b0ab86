/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S1, S3, S4, S5, S7, S8: a pool that loses its power, or its process, at any call, again and
 * again, also while it recovers. Several of the states that the crash may leave are opened and held
 * against the model; the pool goes on with the last of them.
 *
 *   strake-power [--failing] [--engine uring|threads] [--seed N [--count N]] [--seconds S]
 *
 * With --failing some call fails first, or the disk is full for a while (S2, S7): what fails is
 * told, what was answered is there, a sync that failed stays failed.
 *
 * A seed chooses the operations and the crashes; which thread comes first at the disk it does not
 * choose. With --seconds fresh seeds are tried for as long.
 */
#include "replica/map/journal.h"
#include "tests/power/disk.h"
#include "tests/power/pool.h"

#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    STATES = 3, /* of each crash */
    LIVES = 6,
    ROUNDS_MAX = 120,
    CALLS_MAX = 900,
    RECOVERY_CALLS_MAX = 30,
    FAULT_ROUNDS = 24,
    FAULT_CALLS_MAX = 150,
};

static char work[64]; /* everything lies below it */
static uint64_t seed;
static enum store_engine engine = STORE_ENGINE_URING;
static uint32_t roots;

static struct model model, struck_model;
static struct disk *struck[STATES];
static enum crash crash;
static bool failing;
static uint64_t crashes, states, failures;

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "seed %llu: ", (unsigned long long)seed);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nagain: strake-power %s--engine %s --seed %llu   (the files are in %s)\n",
            failing ? "--failing " : "", engine == STORE_ENGINE_URING ? "uring" : "threads",
            (unsigned long long)seed, work);
    va_end(args);
    abort();
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_all(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void next_root(char *root, size_t size)
{
    snprintf(root, size, "%s/%u", work, roots++);
}

/* The machine has another boot id after it lost its power. */
static void boot(bool again)
{
    static struct uuid id;
    char path[80], text[UUID_TEXT_BYTES + 1];
    snprintf(path, sizeof(path), "%s/boot_id", work);
    if (again) {
        uint64_t number = pick(UINT32_MAX);
        memcpy(id.bytes, &number, sizeof(number));
    }
    uuid_format(&id, text);
    FILE *file = fopen(path, "w");
    ASSERT(file && fputs(text, file) > 0);
    fclose(file);
    setenv("STRAKE_BOOT_ID_FILE", path, 1);
}

/* Called before some call, on whatever thread. */
static void on_strike(struct disk *disk)
{
    char root[80];
    memcpy(&struck_model, &model, sizeof(model));
    for (uint32_t i = 0; i < STATES; i++) {
        next_root(root, sizeof(root));
        struck[i] = disk_crash(disk, root, crash);
    }
}

static bool is_struck(void)
{
    disk_lock();
    bool is = struck[0] != NULL;
    disk_unlock();
    return is;
}

static void strike_within(uint32_t calls)
{
    crash = pick(4) ? CRASH_POWER : CRASH_KILL;
    disk_strike_after(1 + (uint32_t)pick(calls), on_strike);
}

/* One state that the crash may have left. */
static void try_state(struct disk *disk, const struct pool *like, bool killed)
{
    static struct model copy;
    static struct pool pool;
    memcpy(&copy, &struck_model, sizeof(copy));
    pool = (struct pool){.engine = like->engine, .may_wait = like->may_wait, .model = &copy};
    snprintf(pool.root, sizeof(pool.root), "%s", disk_root(disk));
    disk_free(disk);
    boot(!killed);
    pool_open(&pool);
    pool_verify(&pool, killed);
    /* What was put right stays so. */
    if (pick(2))
        pool_round(&pool);
    pool_close(&pool);
    pool_check(&pool);
    remove_all(pool.root);
    states++;
}

/* Goes on with the last state. */
static struct disk *recover(struct pool *pool, struct disk *disk)
{
    bool killed = crash == CRASH_KILL;
    disk_watch(NULL);
    pool_close(pool);
    disk_free(disk);
    remove_all(pool->root);
    crashes++;
    for (uint32_t i = 0; i + 1 < STATES; i++)
        try_state(struck[i], pool, killed);
    disk = struck[STATES - 1];
    memset(struck, 0, sizeof(struck));
    memcpy(&model, &struck_model, sizeof(model));
    snprintf(pool->root, sizeof(pool->root), "%s", disk_root(disk));
    boot(!killed);
    if (!killed)
        model_lose_power(&model);
    disk_watch(disk);
    if (pick(3) == 0)
        strike_within(RECOVERY_CALLS_MAX);
    pool_open(pool);
    pool_verify(pool, killed);
    return disk;
}

/* A journal so small that it is folded often. */
static void make_pool(struct pool *pool)
{
    char path[128];
    struct journal journal;
    struct error error;
    next_root(pool->root, sizeof(pool->root));
    ASSERT(mkdir(pool->root, 0700) == 0);
    boot(true);
    pool_open(pool);
    pool_close(pool);
    snprintf(path, sizeof(path), "%s/journal", pool->root);
    ASSERT(unlink(path) == 0);
    int fd = open(pool->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(journal_open(&journal, fd, JOURNAL_BYTES_MIN, &pool->boot, &error) == 0, "%s", error.text);
    journal_close(&journal);
    close(fd);
}

static struct disk *begin(struct pool *pool, uint64_t number)
{
    seed = number;
    pick_seed(seed);
    disk_seed(seed);
    memset(&model, 0, sizeof(model));
    *pool = (struct pool){.engine = engine, .may_wait = pick(2), .model = &model};
    if (engine == STORE_ENGINE_URING && pick(2))
        pool->engine = STORE_ENGINE_URING_WRITES;
    make_pool(pool);
    struct disk *disk = disk_new(pool->root);
    disk_watch(disk);
    return disk;
}

static void end(struct pool *pool, struct disk *disk)
{
    disk_watch(NULL);
    pool_close(pool);
    pool_check(pool);
    disk_free(disk);
    remove_all(pool->root);
}

static void run_crashes(uint64_t number)
{
    static struct pool pool;
    struct disk *disk = begin(&pool, number);
    pool_open(&pool);
    for (uint32_t life = 0; life < LIVES; life++) {
        if (!is_struck()) {
            strike_within(CALLS_MAX);
            for (uint32_t round = 0; round < ROUNDS_MAX && !is_struck(); round++)
                pool_round(&pool);
            disk_strike_now();
        }
        disk = recover(&pool, disk);
    }
    end(&pool, disk);
    for (uint32_t i = 0; i < STATES && struck[i]; i++) {
        remove_all(disk_root(struck[i]));
        disk_free(struck[i]);
        struck[i] = NULL;
    }
}

/* Some call fails; then the process is killed or the power lost. */
static void run_failing(uint64_t number)
{
    static struct pool pool;
    struct disk *disk = begin(&pool, number);
    enum fault fault = (enum fault)pick(4);
    disk_fault_after(1 + (uint32_t)pick(FAULT_CALLS_MAX), fault);
    pool.failing = true;
    pool_open(&pool);
    for (uint32_t round = 0; pool.store && round < FAULT_ROUNDS; round++)
        pool_round(&pool);
    failures += disk_fault_end();
    if (!pool.store) {
        pool_close(&pool);
        pool_open(&pool);
    }
    MUST(pool.store, "the pool stays closed");
    /* Nothing is left behind by a disk that was full for a while. */
    pool.failing = fault != FAULT_FULL;
    for (uint32_t round = 0; round < FAULT_ROUNDS / 4; round++)
        pool_round(&pool);
    strike_within(1);
    disk_strike_now();
    disk_watch(NULL);
    pool_close(&pool);
    pool.failing = false;
    pool_open(&pool);
    pool_verify(&pool, true);
    end(&pool, disk);
    for (uint32_t i = 0; i < STATES; i++) {
        try_state(struck[i], &pool, crash == CRASH_KILL);
        struck[i] = NULL;
    }
}

static void run(uint64_t number)
{
    if (failing)
        run_failing(number);
    else
        run_crashes(number);
}

static void run_fresh(uint64_t seconds)
{
    time_t end = time(NULL) + (time_t)seconds;
    uint64_t fresh = 0;
    while (time(NULL) < end) {
        ssize_t got = getrandom(&fresh, sizeof(fresh), 0);
        ASSERT(got == (ssize_t)sizeof(fresh));
        run(fresh >> 16);
    }
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"engine", required_argument, NULL, 'e'}, {"seed", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'c'},  {"seconds", required_argument, NULL, 't'},
        {"failing", no_argument, NULL, 'f'},      {0}};
    uint64_t first = 1, count = 0, seconds = 0;
    const char *tmp = getenv("TMPDIR");
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'e')
            engine = strcmp(optarg, "threads") == 0 ? STORE_ENGINE_THREADS : STORE_ENGINE_URING;
        else if (c == 's')
            first = strtoull(optarg, NULL, 10);
        else if (c == 'c')
            count = strtoull(optarg, NULL, 10);
        else if (c == 'f')
            failing = true;
        else if (c == 't')
            seconds = strtoull(optarg, NULL, 10);
        else
            return EXIT_FAILURE;
    }
    snprintf(work, sizeof(work), "%s/strake-power.XXXXXX", tmp ? tmp : "/tmp");
    ASSERT(mkdtemp(work));
    if (count == 0 && seconds == 0)
        count = 1;
    for (uint64_t i = 0; i < count; i++)
        run(first + i);
    run_fresh(seconds);
    remove_all(work);
    printf("%llu failed calls, %llu crashes, %llu states beside the one gone on with\n",
           (unsigned long long)failures, (unsigned long long)crashes, (unsigned long long)states);
    return EXIT_SUCCESS;
}
