/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pool costs as it grows: store_bench DIRECTORY (an empty one, on the disk in question).
 * Prints a table: one line a measurement.
 */
#include "common/wire/generation.h"
#include "replica/service/service.h"
#include "replica/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SNAPSHOTS = 10000,
    VOLUMES = 1000,
    IOS = 20000,
    DEPTH = 32,
};
#define GIB ((uint64_t)1 << 30)

static struct loop loop;
static struct buf_pool bufs;
static struct store *store;
static struct store_volume *volume;
static uint64_t command;
static uint64_t head;
static int result;

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
    result = req->status;
    loop_stop(&loop);
}

static void perform(struct store_req *req, const char *what)
{
    req->volume = volume;
    req->done = on_done;
    store_submit(store, req);
    loop_run(&loop);
    must(result == 0, what);
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
    return now_us() - began;
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
            seal = now_us() - began;
            write = write_us(count++ % 1000, &data);
        }
        snprintf(what, sizeof(what), "snapshot number %u", at[i]);
        say(what, seal, "us");
        snprintf(what, sizeof(what), "first write after snapshot number %u", at[i]);
        say(what, write, "us");
    }
    run_load("4 KiB random write under 10,000 snapshots, depth 32", STORE_WRITE, DEPTH, 65536);
    run_load("4 KiB random read under 10,000 snapshots, depth 32", STORE_READ, DEPTH, 65536);
    double began = now_us();
    give_command(COMMAND_DROP, first + SNAPSHOTS / 2);
    say("deletion of one of 10,000 snapshots (answer)", now_us() - began, "us");
    began = now_us();
    sync_all();
    say("flush after it", now_us() - began, "us");
    slice_release(&data);
    volume_close();
    began = now_us();
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
        loop_timer_start(&timer, 500000);
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
    volume_create(2, GIB);
    volume_open(2, GIB);
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
    measure_snapshots();
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
