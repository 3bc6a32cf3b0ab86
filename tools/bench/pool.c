/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of the store's measurements. */
#include "tools/bench/pool.h"

#include "replica/service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct bench bench;

void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "store_bench: %s failed (%d)\n", what, bench.result);
    exit(EXIT_FAILURE);
}

static double clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

double now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

double cpu_us(void)
{
    return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

double rss_mib(void)
{
    unsigned long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return (double)resident * 4096 / (1 << 20);
}

void say(const char *what, double value, const char *unit)
{
    printf("%-56s %10.1f %s\n", what, value, unit);
    fflush(stdout);
}

static void on_job(void *arg, int status)
{
    (void)arg;
    bench.result = status;
    loop_stop(&bench.loop);
}

static void on_open(void *arg, struct store_volume *opened, const struct error *error)
{
    (void)arg;
    if (error)
        fprintf(stderr, "%s\n", error->text);
    bench.volume = opened;
    loop_stop(&bench.loop);
}

struct uuid uuid_of(uint32_t number)
{
    struct uuid uuid = {{0x5b}};
    memcpy(uuid.bytes + 8, &number, sizeof(number));
    return uuid;
}

void volume_clone(uint32_t number, uint64_t size_bytes, uint32_t origin, uint64_t generation)
{
    struct store_create create = {.volume = uuid_of(number),
                                  .size_bytes = size_bytes,
                                  .drl_bytes = DRL_BYTES,
                                  .plane_bytes = service_plane_bytes(size_bytes),
                                  .origin = uuid_of(origin),
                                  .origin_generation = generation};
    store_volume_create(bench.store, &create, on_job, NULL);
    loop_run(&bench.loop);
    must(bench.result == 0, "create");
}

void volume_create(uint32_t number, uint64_t size_bytes)
{
    volume_clone(number, size_bytes, 0, 0);
}

void volume_open(uint32_t number, uint64_t size_bytes)
{
    struct uuid uuid = uuid_of(number);
    const struct store_extent extent = {.size_bytes = size_bytes,
                                        .drl_bytes = DRL_BYTES,
                                        .plane_bytes = service_plane_bytes(size_bytes)};
    store_volume_open(bench.store, &uuid, &extent, on_open, NULL);
    loop_run(&bench.loop);
    must(bench.volume != NULL, "open");
    const struct lineage *lineage = &store_volume_found(bench.volume)->lineage;
    bench.head = lineage->head_generation;
    bench.command = lineage->command;
}

void volume_close(void)
{
    store_volume_close(bench.volume, on_job, NULL);
    loop_run(&bench.loop);
    must(bench.result == 0, "close");
}

static void on_done(struct store_req *req)
{
    bench.answered_us = now_us();
    bench.result = req->status;
    loop_stop(&bench.loop);
}

/* A loop that is stopped in the turn it was run in has not looked for what threads have done. */
void perform(struct store_req *req, const char *what)
{
    req->volume = bench.volume;
    req->done = on_done;
    store_submit(bench.store, req);
    loop_run(&bench.loop);
    must(bench.result == 0, what);
    ev_run(bench.loop.ev, EVRUN_NOWAIT);
}

void give_command(enum command_kind kind, uint64_t generation)
{
    struct message_command message = {
        .number = ++bench.command, .kind = kind, .generation = generation};
    message.identity.bytes[0] = 1;
    memcpy(message.identity.bytes + 8, &bench.command, sizeof(bench.command));
    struct slice body = slice_get(&bench.bufs, COMMAND_BYTES_MAX);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    message_command_encode(&w, &message);
    body.length_bytes = (uint32_t)writer_length(&w);
    struct store_req req = {.op = STORE_COMMAND, .data = body};
    perform(&req, "command");
    bench.head = req.lineage.head_generation;
    slice_release(&body);
}

void sync_all(void)
{
    struct store_req req = {.op = STORE_SYNC};
    perform(&req, "sync");
}

double write_us(uint64_t block, struct slice *data)
{
    struct store_req req = {
        .op = STORE_WRITE, .offset_bytes = block * 4096, .length_bytes = 4096, .data = *data};
    double began = now_us();
    perform(&req, "write");
    return bench.answered_us - began;
}

static void on_slept(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

void sleep_ms(uint64_t ms)
{
    struct loop_timer timer;
    loop_timer_init(&timer, &bench.loop, on_slept);
    loop_timer_start(&timer, ms * 1000000);
    loop_run(&bench.loop);
}

bool bench_begin(const char *directory)
{
    struct error error;
    must(loop_init(&bench.loop) == 0, "loop");
    buf_pool_init(&bench.bufs, 256u << 20);
    const struct store_settings settings = {
        .directory = directory, .requests_max = 512, .may_wait = true, .bufs = &bench.bufs};
    bench.store = store_open(&settings, &bench.loop, &error);
    if (!bench.store)
        fprintf(stderr, "%s\n", error.text);
    return bench.store != NULL;
}

void bench_end(void)
{
    store_close(bench.store);
    loop_release(&bench.loop);
    buf_pool_release(&bench.bufs);
}
