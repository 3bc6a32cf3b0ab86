/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pool costs as it grows: store_bench DIRECTORY [load | digests] (an empty one, on the
 * disk in question). Prints a table, one line a measurement; of random 4 KiB or of digests alone.
 */
#include "common/base/crc32c.h"
#include "tools/bench/pool.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SNAPSHOTS = 10000,
    VOLUMES = 1000,
    IOS = 20000,
    DEPTH = 32,
    FLUSHES = 200,
    PERIODS = 10, /* snapshots of the space's measurement */
    SEALS = 21,   /* whose median is told */
    LOAD_BLOCKS = 1 << 16,
    CRCS = 100000,
};
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

/* A load of DEPTH requests at a time. */
static struct store_req load[DEPTH];
static uint64_t load_left, load_flying, load_blocks;
static enum store_op load_op;
static uint64_t load_generation;
static uint64_t random_state = 1;

static void load_next(struct store_req *req)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    req->op = load_op;
    req->generation = load_generation;
    req->volume = bench.volume;
    req->offset_bytes = (random_state >> 33) % load_blocks * 4096;
    req->length_bytes = 4096;
    if (load_op == STORE_WRITE)
        slice_crc_fill(&req->data); /* as the target does */
    load_left--;
    load_flying++;
    store_submit(bench.store, req);
}

static void on_load(struct store_req *req)
{
    must(req->status == 0, "load");
    load_flying--;
    if (load_left > 0)
        load_next(req);
    else if (load_flying == 0)
        loop_stop(&bench.loop);
}

static void run_load(const char *what, enum store_op op, uint32_t depth, uint64_t blocks)
{
    char unit[40];
    load_op = op;
    load_left = IOS;
    load_blocks = blocks;
    double began = now_us(), cpu = cpu_us();
    for (uint32_t i = 0; i < depth; i++) {
        load[i].done = on_load;
        load_next(&load[i]);
    }
    loop_run(&bench.loop);
    snprintf(unit, sizeof(unit), "us an I/O, %.1f of CPU", (cpu_us() - cpu) / IOS);
    say(what, (now_us() - began) / IOS, unit);
}

/* Every block of the load is there. */
static void fill_load(void)
{
    struct slice data = slice_get(&bench.bufs, PAYLOAD_BYTES_MAX);
    memset(data.bytes, 3, data.length_bytes);
    slice_crc_fill(&data);
    for (uint64_t at = 0; at < LOAD_BLOCKS * 4096ull; at += PAYLOAD_BYTES_MAX) {
        struct store_req req = {
            .op = STORE_WRITE, .offset_bytes = at, .length_bytes = PAYLOAD_BYTES_MAX, .data = data};
        perform(&req, "write");
    }
    sync_all();
    slice_release(&data);
}

static void measure_load(void)
{
    volume_create(1, GIB);
    volume_open(1, GIB);
    run_load("4 KiB random write, new blocks, depth 32", STORE_WRITE, DEPTH, LOAD_BLOCKS);
    fill_load();
    run_load("4 KiB random write, depth 32", STORE_WRITE, DEPTH, LOAD_BLOCKS);
    run_load("4 KiB random write, depth 1", STORE_WRITE, 1, LOAD_BLOCKS);
    sync_all();
    run_load("4 KiB random read, depth 32", STORE_READ, DEPTH, LOAD_BLOCKS);
    run_load("4 KiB random read, depth 1", STORE_READ, 1, LOAD_BLOCKS);
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
    say(what, bench.answered_us - began, "us");
    began = now_us();
    sync_all();
    say("flush after it", bench.answered_us - began, "us");
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
    uint64_t former = bench.head;
    for (int period = 0; period < 2; period++) {
        for (uint64_t block = 0; block < 16384; block++)
            (void)write_us(block, data);
        if (period == 0)
            give_command(COMMAND_SEAL, bench.head);
    }
    sync_all();
    puts("a snapshot that holds 64 MiB alone:");
    measure_deletion(former, 1, data);
}

/* So many snapshots more, with a write after each. */
static void take_snapshots(uint32_t from, uint32_t to, struct slice *data)
{
    char what[80];
    double seals[SEALS], writes[SEALS];
    uint32_t told = to - from < SEALS ? to - from : SEALS;
    for (uint32_t count = from; count < to; count++) {
        uint32_t i = to - count <= told ? to - count - 1 : 0;
        double began = now_us();
        give_command(COMMAND_SEAL, bench.head);
        seals[i] = bench.answered_us - began;
        writes[i] = write_us(count % 1000, data);
    }
    snprintf(what, sizeof(what), "snapshot, the last %u of %u, median", told, to);
    say(what, median(seals, told), "us");
    say("first write after it, median", median(writes, told), "us");
    double began = now_us();
    sync_all();
    say("flush after the last one", bench.answered_us - began, "us");
}

static void measure_snapshots(void)
{
    struct slice data = slice_get(&bench.bufs, 4096);
    memset(data.bytes, 7, 4096);
    slice_crc_fill(&data);
    uint64_t first = bench.head;
    take_snapshots(0, 1, &data);
    take_snapshots(1, 100, &data);
    take_snapshots(100, SNAPSHOTS, &data);
    fill_load();
    run_load("4 KiB random write under 10,000 snapshots, depth 32", STORE_WRITE, DEPTH,
             LOAD_BLOCKS);
    sync_all();
    run_load("4 KiB random read under 10,000 snapshots, depth 32", STORE_READ, DEPTH, LOAD_BLOCKS);
    run_load("4 KiB random read under 10,000 snapshots, depth 1", STORE_READ, 1, LOAD_BLOCKS);
    give_command(COMMAND_SEAL, bench.head);
    load_generation = bench.head - 1;
    run_load("4 KiB random read of the last of them, depth 1", STORE_READ, 1, LOAD_BLOCKS);
    load_generation = 0;
    measure_deletion(first + SNAPSHOTS / 2, SNAPSHOTS, &data);
    slice_release(&data);
    volume_close();
    double began = now_us();
    volume_open(1, GIB);
    say("open with 10,000 snapshots", now_us() - began, "us");
    volume_close();
}

static struct message_digest digest_ask(uint64_t generation, bool verify)
{
    struct message_digest message;
    struct store_req req = {.op = STORE_DIGEST,
                            .generation = generation,
                            .verify = verify,
                            .reply = slice_get(&bench.bufs, 4096)};
    perform(&req, "digest");
    struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
    message_digest_decode(&r, &message);
    slice_release(&req.reply);
    return message;
}

/* Asks until it is known. */
static double digest_us(uint64_t generation, bool verify)
{
    double began = now_us();
    struct message_digest message = digest_ask(generation, verify);
    while (message.state == DIGEST_COMPUTING) {
        sleep_ms(2);
        message = digest_ask(generation, false);
    }
    must(message.state == DIGEST_KNOWN, "digest");
    return now_us() - began;
}

/* Of what nothing else is done beside, and beside reads. */
static void measure_verification(uint64_t generation)
{
    say("verification of it", 512e6 / digest_us(generation, true), "MiB/s");
    run_load("4 KiB random read, depth 1, nothing beside it", STORE_READ, 1, GIB / 2 / 4096);
    (void)digest_ask(generation, true);
    double began = now_us();
    run_load("4 KiB random read, depth 1, beside a verification", STORE_READ, 1, GIB / 2 / 4096);
    double done_mib = (double)digest_ask(generation, false).done_bytes / (1 << 20);
    say("verification beside these reads", done_mib / (now_us() - began) * 1e6, "MiB/s");
    (void)digest_us(generation, false);
}

static void measure_digests(void)
{
    struct slice data = slice_get(&bench.bufs, PAYLOAD_BYTES_MAX);
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
    give_command(COMMAND_SEAL, bench.head);
    sync_all();
    say("digest of a snapshot of 512 MiB", 512e6 / digest_us(bench.head - 1, false), "MiB/s");
    for (uint64_t i = 0; i < 16; i++)
        (void)write_us(i * 8192 + 5, &data);
    give_command(COMMAND_SEAL, bench.head);
    say("digest of the next, 16 blocks of it changed", digest_us(bench.head - 1, false) / 1e3,
        "ms");
    measure_verification(bench.head - 1);
    volume_close();
    slice_release(&data);
}

/* With few snapshots, on a volume of its own. */
static void measure_few(void)
{
    struct slice data = slice_get(&bench.bufs, 4096);
    memset(data.bytes, 7, 4096);
    slice_crc_fill(&data);
    volume_create(2, GIB);
    volume_open(2, GIB);
    measure_large_deletion(&data);
    uint64_t first = bench.head;
    for (uint32_t count = 0; count < 100; count++) {
        give_command(COMMAND_SEAL, bench.head);
        (void)write_us(count, &data);
    }
    measure_deletion(first + 50, 100, &data);
    volume_close();
    slice_release(&data);
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
        ours[i] = bench.answered_us - began;
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
        give_command(COMMAND_SEAL, bench.head);
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

static void measure_all(const char *directory)
{
    measure_load();
    measure_flush(directory);
    measure_checksums();
    measure_snapshots();
    measure_few();
    measure_space(directory);
    measure_digests();
    measure_sizes();
    measure_idle();
}

int main(int argc, char *argv[])
{
    const char *part = argc == 3 ? argv[2] : "";
    bool load_alone = strcmp(part, "load") == 0, digests_alone = strcmp(part, "digests") == 0;
    if (argc != 2 && !load_alone && !digests_alone) {
        fputs("usage: store_bench DIRECTORY [load | digests]\n", stderr);
        return EXIT_FAILURE;
    }
    if (!bench_begin(argv[1]))
        return EXIT_FAILURE;
    for (uint32_t i = 0; i < DEPTH; i++) {
        load[i].data = slice_get(&bench.bufs, 4096);
        memset(load[i].data.bytes, (int)i + 1, 4096);
        slice_crc_fill(&load[i].data);
    }
    if (load_alone) {
        measure_load();
        volume_close();
    } else if (digests_alone) {
        measure_digests();
    } else {
        measure_all(argv[1]);
    }
    for (uint32_t i = 0; i < DEPTH; i++)
        slice_release(&load[i].data);
    bench_end();
    return EXIT_SUCCESS;
}
