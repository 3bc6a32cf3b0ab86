/* SPDX-License-Identifier: Apache-2.0 */
/* What the map costs: map_bench DIRECTORY (an empty one) prints a line for each figure. */
#include "replica/map/map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { BLOCK = 4096, EXTENTS = 1 << 20, HOT_EXTENTS = 4096, SNAPSHOTS = 10000, CHANGED = 16 };

static struct map *map;
static struct map_volume *volume;
static uint32_t family;
static uint64_t command_number;
static uint64_t random_state = 88172645463325252u;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void must(int rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "map_bench: %s: %d\n", what, rc);
    exit(1);
}

static void say(const char *what, uint64_t began_ns, uint64_t count)
{
    uint64_t ns = now_ns() - began_ns;
    printf("%-52s %10.2f us each, %8.1f ms in all\n", what, (double)ns / 1000.0 / (double)count,
           (double)ns / 1e6);
}

static void say_memory(const char *what)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%-52s %10ld MiB at most\n", what, usage.ru_maxrss / 1024);
}

static void fold(void)
{
    must(map_flushed(map, family, map_flush_mark(map)), "flushed");
    while (map_fold_begin(map) == 1)
        map_fold_end(map, map_fold_work(map));
}

static void write_block(uint64_t block)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    int rc;
    while ((rc = map_place(volume, 0, block * BLOCK, BLOCK, runs, &write)) == -EAGAIN)
        fold();
    must(rc, "place");
    while (write.fresh && (rc = map_wrote(volume, &write)) == -EAGAIN)
        fold();
    must(rc, "wrote");
}

static void run_command(enum command_kind kind, uint64_t generation)
{
    uint8_t body[COMMAND_BYTES_MAX];
    command_number++;
    struct message_command command = {
        .number = command_number,
        .kind = kind,
        .generation = generation,
        .identity = {{1, (uint8_t)(command_number >> 8), (uint8_t)command_number}},
    };
    struct writer w = writer_of(body, sizeof(body));
    int rc;
    message_command_encode(&w, &command);
    while ((rc = map_command(volume, body, (uint32_t)writer_length(&w))) == -EAGAIN)
        fold();
    must(rc, "command");
}

static void measure_writes(void)
{
    uint64_t began = now_ns();
    for (uint64_t i = 0; i < HOT_EXTENTS; i++)
        write_block(i * 16);
    say("place and wrote, first of an extent", began, HOT_EXTENTS);
    began = now_ns();
    for (uint64_t i = 0; i < HOT_EXTENTS; i++)
        write_block(i * 16 + 1);
    say("place and wrote, another block", began, HOT_EXTENTS);
    began = now_ns();
    for (uint64_t i = 0; i < 100000; i++)
        write_block(next_random() % HOT_EXTENTS * 16);
    say("place, in place", began, 100000);
    began = now_ns();
    for (uint64_t i = HOT_EXTENTS; i < EXTENTS; i++)
        write_block(i * 16);
    say("place and wrote with the folds, 1 Mi extents", began, EXTENTS - HOT_EXTENTS);
    began = now_ns();
    fold();
    say("the last fold", began, 1);
}

static void measure_look_up(const char *what, uint64_t generation, uint64_t extents)
{
    struct map_run run;
    uint64_t began = now_ns();
    for (uint64_t i = 0; i < 200000; i++)
        must(map_find(volume, generation, next_random() % extents * 65536, BLOCK, &run, 1), what);
    say(what, began, 200000);
}

static void reclaim(void)
{
    const struct map_punch *punches;
    do {
        if (map_punches(map, &punches) > 0)
            map_punched(map);
    } while (map_reclaim_begin(map) == 1 && (map_reclaim_end(map, map_reclaim_work(map)), true));
}

static void measure_drop(uint64_t generation)
{
    char what[64];
    fold();
    uint64_t began = now_ns();
    run_command(COMMAND_DROP, generation);
    snprintf(what, sizeof(what), "drop of %llu", (unsigned long long)generation);
    say(what, began, 1);
    fold();
    began = now_ns();
    reclaim();
    say("  its reclaim", began, 1);
}

static void measure_snapshots(void)
{
    uint64_t began = now_ns(), slowest = 0;
    for (uint64_t i = 1; i <= SNAPSHOTS; i++) {
        for (int j = 0; j < CHANGED; j++)
            write_block(next_random() % EXTENTS * 16);
        uint64_t before = now_ns();
        run_command(COMMAND_SEAL, i);
        uint64_t took = now_ns() - before;
        slowest = took > slowest ? took : slowest;
        if (i == 2 || i == 100 || i == SNAPSHOTS)
            printf("seal number %-40llu %10.2f us\n", (unsigned long long)i, (double)took / 1000.0);
        if (i == 3 || i == 100 || i == SNAPSHOTS)
            measure_drop(i / 2 + 1);
    }
    say("seal with 16 writes and the folds", began, SNAPSHOTS);
    printf("%-52s %10.2f us\n", "slowest seal (a fold may be in it)", (double)slowest / 1000.0);
    fold();
    measure_look_up("look-up, head, 1 Mi extents, 10,000 snapshots", 0, EXTENTS);
    measure_look_up("look-up, snapshot 5000", 5000, EXTENTS);
}

int main(int argc, char **argv)
{
    static const struct uuid uuid = {{7}};
    struct error error;
    const struct map_settings settings = {.directory = argc > 1 ? argv[1] : ".", .boot = {{1}}};
    map = map_open(&settings, &error);
    if (!map) {
        fprintf(stderr, "map_bench: %s\n", error.text);
        return 1;
    }
    must(map_volume_create(map, &uuid, (uint64_t)16 << 40, NULL, 0, false, &family), "create");
    must(map_volume_open(map, &uuid, &volume), "open");
    measure_writes();
    measure_look_up("look-up, hot", 0, HOT_EXTENTS);
    measure_look_up("look-up, 1 Mi extents, 128 Ki remembered", 0, EXTENTS);
    say_memory("memory with 1 Mi extents");
    measure_snapshots();
    say_memory("memory with 10,000 snapshots");
    printf("the first of all, with 1 Mi extents:\n");
    measure_drop(1);
    map_volume_close(volume);
    map_close(map);
    uint64_t began = now_ns();
    map = map_open(&settings, &error);
    must(map ? 0 : -1, "open again");
    must(map_volume_open(map, &uuid, &volume), "open");
    say("open", began, 1);
    map_volume_close(volume);
    map_close(map);
    return 0;
}
