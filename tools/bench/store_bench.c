/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pool costs as it grows: store_bench DIRECTORY (an empty one, on the disk in question).
 * Prints a table: one line a measurement.
 */
#include "common/base/crc32c.h"
#include "common/wire/generation.h"
#include "replica/service/service.h"
#include "replica/store/store.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    SNAPSHOTS = 10000,
    VOLUMES = 1000,
    IOS = 20000,
    DEPTH = 32,
    FLUSHES = 200,
    PERIODS = 10, /* snapshots of the space's measurement */
    CRCS = 100000,
};
#define GIB ((uint64_t)1 << 30)

static struct loop loop;
static struct buf_pool bufs;
static struct store *store;
static struct store_volume *volume;
static uint64_t command;
static uint64_t head;
static int result;
static double answered_us;

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "store_bench: %s failed (%d)\n", what, result);
    exit(EXIT_FAILURE);
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double rss_mib(void)
{
    unsigned long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * 4096 / (1 << 20);
}

static void say(const char *what, double value, const char *unit)
{
    printf("%-56s %10.1f %s\n", what, value, unit);
    fflush(stdout);
}

static void on_job(void *arg, int status)
{
    (void)arg;
    result = status;
    loop_stop(&loop);
}

static void on_open(void *arg, struct store_volume *opened, const struct error *error)
{
    (void)arg;
    if (error)
        fprintf(stderr, "%s\n", error->text);
    volume = opened;
    loop_stop(&loop);
}

static struct uuid uuid_of(uint32_t number)
{
    struct uuid uuid = {{0x5b}};
    memcpy(uuid.bytes + 8, &number, sizeof(number));
    return uuid;
}

static void volume_create(uint32_t number, uint64_t size_bytes)
{
    struct store_create create = {.volume = uuid_of(number),
                                  .size_bytes = size_bytes,
                                  .drl_bytes = DRL_BYTES,
                                  .plane_bytes = service_plane_bytes(size_bytes)};
    store_volume_create(store, &create, on_job, NULL);
    loop_run(&loop);
    must(result == 0, "create");
}

static void volume_open(uint32_t number, uint64_t size_bytes)
{
    struct uuid uuid = uuid_of(number);
    const struct store_extent extent = {.size_bytes = size_bytes,
                                        .drl_bytes = DRL_BYTES,
                                        .plane_bytes = service_plane_bytes(size_bytes)};
    store_volume_open(store, &uuid, &extent, on_open, NULL);
    loop_run(&loop);
    must(volume != NULL, "open");
    head = store_volume_found(volume)->lineage.head_generation;
    command = store_volume_found(volume)->lineage.command;
}

static void volume_close(void)
{
    store_volume_close(volume, on_job, NULL);
    loop_run(&loop);
    must(result == 0, "close");
}

static void on_done(struct store_req *req)
{
    answered_us = now_us();
    result = req->status;
    loop_stop(&loop);
}

/* A loop that is stopped in the turn it was run in has not looked for what threads have done. */
static void perform(struct store_req *req, const char *what)
{
    req->volume = volume;
    req->done = on_done;
    store_submit(store, req);
    loop_run(&loop);
    must(result == 0, what);
    ev_run(loop.ev, EVRUN_NOWAIT);
}

static void give_command(enum command_kind kind, uint64_t generation)
{
    struct message_command message = {.number = ++command, .kind = kind, .generation = generation};
    message.identity.bytes[0] = 1;
    memcpy(message.identity.bytes + 8, &command, sizeof(command));
    struct slice body = slice_get(&bufs, COMMAND_BYTES_MAX);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    message_command_encode(&w, &message);
    body.length_bytes = (uint32_t)writer_length(&w);
    struct store_req req = {.op = STORE_COMMAND, .data = body};
    perform(&req, "command");
    head = req.lineage.head_generation;
    slice_release(&body);
}

static void sync_all(void)
{
    struct store_req req = {.op = STORE_SYNC};
    perform(&req, "sync");
}

static double write_us(uint64_t block, struct slice *data)
{
    struct store_req req = {
        .op = STORE_WRITE, .offset_bytes = block * 4096, .length_bytes = 4096, .data = *data};
    double began = now_us();
    perform(&req, "write");
    return answered_us - began;
}

/* A load of DEPTH requests at a time. */
static struct store_req load[DEPTH];
static uint64_t load_left, load_flying, load_blocks;
static enum store_op load_op;
static uint64_t random_state = 1;

static void load_next(struct store_req *req)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    req->op = load_op;
    req->volume = volume;
    req->offset_bytes = (random_state >> 33) % load_blocks * 4096;
    req->length_bytes = 4096;
    load_left--;
    load_flying++;
    store_submit(store, req);
}

static void on_load(struct store_req *req)
{
    must(req->status == 0, "load");
    load_flying--;
    if (load_left > 0)
        load_next(req);
    else if (load_flying == 0)
        loop_stop(&loop);
}

static void run_load(const char *what, enum store_op op, uint32_t depth, uint64_t blocks)
{
    load_op = op;
    load_left = IOS;
    load_blocks = blocks;
    double began = now_us();
    for (uint32_t i = 0; i < depth; i++) {
        load[i].done = on_load;
        load_next(&load[i]);
    }
    loop_run(&loop);
    say(what, (now_us() - began) / IOS, "us an I/O");
}

static void measure_load(void)
{
    uint64_t blocks = GIB / 4 / 4096;
    for (uint32_t i = 0; i < DEPTH; i++) {
        load[i].data = slice_get(&bufs, 4096);
        memset(load[i].data.bytes, (int)i + 1, 4096);
        slice_crc_fill(&load[i].data);
    }
    volume_open(1, GIB);
    run_load("4 KiB random write, new blocks, depth 32", STORE_WRITE, DEPTH, blocks);
    run_load("4 KiB random write, in place mostly, depth 32", STORE_WRITE, DEPTH, blocks / 16);
    run_load("4 KiB random write, depth 1", STORE_WRITE, 1, blocks / 16);
    sync_all();
    run_load("4 KiB random read, depth 32", STORE_READ, DEPTH, blocks);
    run_load("4 KiB random read, depth 1", STORE_READ, 1, blocks);
}

/* What was handed to write calls; a store into a mapping is none. */
static double written_mib(void)
{
    char line[80];
    unsigned long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof(line), file))
        (void)sscanf(line, "wchar: %llu", &bytes);
    if (file)
        fclose(file);
    return (double)bytes / (1 << 20);
}

static uint64_t reclaimable_bytes(void)
{
    uint8_t bytes[64];
    struct store_req req = {.op = STORE_SPACE,
                            .reply = {.bytes = bytes, .length_bytes = sizeof(bytes)}};
    struct message_space space;
    perform(&req, "space");
    struct reader r = reader_of(bytes, req.reply.length_bytes);
    message_space_decode(&r, &space);
    return space.reclaimable_bytes;
}

/* One of so many; then its space comes back while 4 KiB are written elsewhere, one by one. */
static void measure_deletion(uint64_t generation, uint32_t count, struct slice *data)
{
    char what[80];
    double longest = 0, written = written_mib();
    uint32_t writes = 0;
    double began = now_us();
    give_command(COMMAND_DROP, generation);
    snprintf(what, sizeof(what), "deletion of one of %u snapshots (answer)", count);
    say(what, answered_us - began, "us");
    began = now_us();
    sync_all();
    say("flush after it", answered_us - began, "us");
    began = now_us();
    while (reclaimable_bytes() > 0) {
        double us = write_us(GIB / 4096 - 1 - writes++ % 1000, data);
        longest = us > longest ? us : longest;
    }
    say("until its space is back", now_us() - began, "us");
    say("longest 4 KiB write meanwhile", longest, "us");
    say("written meanwhile, but for those", written_mib() - written - writes / 256.0, "MiB");
}

/* A snapshot of 64 MiB that the head has written anew: all of it is given back. */
static void measure_large_deletion(struct slice *data)
{
    uint64_t former = head;
    for (int period = 0; period < 2; period++) {
        for (uint64_t block = 0; block < 16384; block++)
            (void)write_us(block, data);
        if (period == 0)
            give_command(COMMAND_SEAL, head);
    }
    sync_all();
    puts("a snapshot that holds 64 MiB alone:");
    measure_deletion(former, 1, data);
}

static void measure_snapshots(void)
{
    static const uint32_t at[] = {1, 100, SNAPSHOTS};
    char what[80];
    struct slice data = slice_get(&bufs, 4096);
    memset(data.bytes, 7, 4096);
    slice_crc_fill(&data);
    uint64_t first = head;
    for (uint32_t count = 0, i = 0; i < 3; i++) {
        double seal = 0, write = 0;
        while (count < at[i]) {
            double began = now_us();
            give_command(COMMAND_SEAL, head);
            seal = answered_us - began;
            write = write_us(count++ % 1000, &data);
        }
        snprintf(what, sizeof(what), "snapshot number %u", at[i]);
        say(what, seal, "us");
        snprintf(what, sizeof(what), "first write after snapshot number %u", at[i]);
        say(what, write, "us");
    }
    run_load("4 KiB random write under 10,000 snapshots, depth 32", STORE_WRITE, DEPTH, 65536);
    run_load("4 KiB random read under 10,000 snapshots, depth 32", STORE_READ, DEPTH, 65536);
    measure_deletion(first + SNAPSHOTS / 2, SNAPSHOTS, &data);
    slice_release(&data);
    volume_close();
    double began = now_us();
    volume_open(1, GIB);
    say("open with 10,000 snapshots", now_us() - began, "us");
    volume_close();
}

static void on_pause(struct loop_timer *timer)
{
    (void)timer;
    loop_stop(&loop);
}

/* Asks until it is known. */
static double digest_us(uint64_t generation, bool verify)
{
    struct message_digest message = {.state = DIGEST_COMPUTING};
    struct loop_timer timer;
    double began = now_us();
    loop_timer_init(&timer, &loop, on_pause);
    while (message.state == DIGEST_COMPUTING) {
        struct store_req req = {.op = STORE_DIGEST,
                                .generation = generation,
                                .verify = verify,
                                .reply = slice_get(&bufs, 4096)};
        perform(&req, "digest");
        struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
        message_digest_decode(&r, &message);
        slice_release(&req.reply);
        verify = false;
        loop_timer_start(&timer, 5000000);
        loop_run(&loop);
    }
    must(message.state == DIGEST_KNOWN, "digest");
    return now_us() - began;
}

static void measure_digests(void)
{
    struct slice data = slice_get(&bufs, PAYLOAD_BYTES_MAX);
    for (uint32_t i = 0; i < data.length_bytes; i++)
        data.bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    slice_crc_fill(&data);
    volume_create(4, GIB);
    volume_open(4, GIB);
    for (uint64_t at = 0; at < GIB / 2; at += PAYLOAD_BYTES_MAX) {
        struct store_req req = {
            .op = STORE_WRITE, .offset_bytes = at, .length_bytes = PAYLOAD_BYTES_MAX, .data = data};
        perform(&req, "write");
    }
    give_command(COMMAND_SEAL, head);
    sync_all();
    say("digest of a snapshot of 512 MiB", 512e6 / digest_us(head - 1, false), "MiB/s");
    for (uint64_t i = 0; i < 16; i++)
        (void)write_us(i * 8192 + 5, &data);
    give_command(COMMAND_SEAL, head);
    say("digest of the next, 16 blocks of it changed", digest_us(head - 1, false) / 1e3, "ms");
    say("verification of it", 512e6 / digest_us(head - 1, true), "MiB/s");
    slice_release(&data);
    volume_close();
}

/* With few snapshots, on a volume of its own. */
static void measure_few(void)
{
    struct slice data = slice_get(&bufs, 4096);
    memset(data.bytes, 7, 4096);
    slice_crc_fill(&data);
    volume_create(2, GIB);
    volume_open(2, GIB);
    measure_large_deletion(&data);
    uint64_t first = head;
    for (uint32_t count = 0; count < 100; count++) {
        give_command(COMMAND_SEAL, head);
        (void)write_us(count, &data);
    }
    measure_deletion(first + 50, 100, &data);
    volume_close();
    slice_release(&data);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

/* A 4 KiB write and its flush, here and to a plain file beside the pool's. */
static void measure_flush(const char *directory)
{
    static uint8_t bytes[4096];
    double ours[FLUSHES], plain[FLUSHES];
    char path[4096];
    snprintf(path, sizeof(path), "%s/plain", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0, "plain file");
    for (uint32_t i = 0; i < FLUSHES; i++)
        must(pwrite(fd, bytes, sizeof(bytes), (off_t)i * 4096) == 4096, "plain write");
    must(fdatasync(fd) == 0, "plain sync");
    for (uint32_t i = 0; i < FLUSHES; i++) {
        (void)write_us(i, &load[0].data);
        double began = now_us();
        sync_all();
        ours[i] = answered_us - began;
        must(pwrite(fd, bytes, sizeof(bytes), (off_t)i * 4096) == 4096, "plain write");
        began = now_us();
        must(fdatasync(fd) == 0, "plain sync");
        plain[i] = now_us() - began;
    }
    close(fd);
    unlink(path);
    say("flush after a 4 KiB write in place, median", median(ours, FLUSHES), "us");
    say("fdatasync of a plain file after the same, median", median(plain, FLUSHES), "us");
}

/* They cannot be switched off: what they cost of a 4 KiB write or read. */
static void measure_checksums(void)
{
    uint32_t sum = 0;
    double began = now_us();
    for (uint32_t i = 0; i < CRCS; i++)
        sum = crc32c(sum, load[0].data.bytes, 4096);
    say(sum ? "CRC32C of 4 KiB (once a write, once a read)" : "", (now_us() - began) / CRCS, "us");
    say("space for them", 1000.0 * 4 / 4096, "per mille of the data");
}

static uint64_t used_bytes;

static int add_used(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)path;
    (void)type;
    (void)ftw;
    used_bytes += (uint64_t)stat->st_blocks * 512;
    return 0;
}

static uint64_t pool_used_bytes(const char *directory)
{
    used_bytes = 0;
    (void)nftw(directory, add_used, 16, FTW_PHYS);
    return used_bytes;
}

/* 1 GiB of random 4 KiB writes, a snapshot after each tenth; ideal is each block once a tenth. */
static void measure_space(const char *directory)
{
    static uint8_t seen[GIB / 4096 / 8];
    uint64_t blocks = GIB / 4096, ideal_bytes = 0;
    volume_create(3, GIB);
    volume_open(3, GIB);
    uint64_t before = pool_used_bytes(directory);
    for (int period = 0; period < PERIODS; period++) {
        memset(seen, 0, sizeof(seen));
        for (uint64_t i = 0; i < blocks / PERIODS; i++) {
            random_state = random_state * 6364136223846793005u + 1442695040888963407u;
            uint64_t block = (random_state >> 33) % blocks;
            ideal_bytes += seen[block / 8] >> block % 8 & 1 ? 0 : 4096;
            seen[block / 8] |= (uint8_t)(1u << block % 8);
            (void)write_us(block, &load[0].data);
        }
        give_command(COMMAND_SEAL, head);
    }
    sync_all();
    volume_close();
    say("1 GiB of random 4 KiB writes under 10 snapshots, used",
        (double)(pool_used_bytes(directory) - before) / (1 << 20), "MiB");
    say("ideal: each block once a snapshot", (double)ideal_bytes / (1 << 20), "MiB");
}

static void measure_sizes(void)
{
    static const uint64_t sizes[] = {GIB, GIB << 10, GIB << 14};
    char what[80];
    for (uint32_t i = 0; i < 3; i++) {
        volume_create(10 + i, sizes[i]);
        double before = rss_mib();
        double began = now_us();
        volume_open(10 + i, sizes[i]);
        snprintf(what, sizeof(what), "open of %llu GiB", (unsigned long long)(sizes[i] >> 30));
        say(what, now_us() - began, "us");
        snprintf(what, sizeof(what), "memory for it");
        say(what, rss_mib() - before, "MiB");
        volume_close();
    }
}

static void measure_idle(void)
{
    double before = rss_mib();
    double began = now_us();
    for (uint32_t i = 0; i < VOLUMES; i++)
        volume_create(1000 + i, GIB);
    say("creation of a volume", (now_us() - began) / VOLUMES, "us");
    say("memory for 1,000 idle volumes in the store", rss_mib() - before, "MiB");
}

int main(int argc, char *argv[])
{
    struct error error;
    if (argc != 2) {
        fputs("usage: store_bench DIRECTORY\n", stderr);
        return EXIT_FAILURE;
    }
    must(loop_init(&loop) == 0, "loop");
    buf_pool_init(&bufs, 256u << 20);
    const struct store_settings settings = {
        .directory = argv[1], .requests_max = 512, .may_wait = true, .bufs = &bufs};
    store = store_open(&settings, &loop, &error);
    if (!store) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_FAILURE;
    }
    printf("disk by %s\n", store_engine_name(store));
    volume_create(1, GIB);
    measure_load();
    measure_flush(argv[1]);
    measure_checksums();
    measure_snapshots();
    measure_few();
    measure_space(argv[1]);
    measure_digests();
    measure_sizes();
    measure_idle();
    for (uint32_t i = 0; i < DEPTH; i++)
        slice_release(&load[i].data);
    store_close(store);
    loop_release(&loop);
    buf_pool_release(&bufs);
    return EXIT_SUCCESS;
}
