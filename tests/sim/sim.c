/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual time, randomness, and one run from a seed. */
#include "tests/sim/sim.h"

#include "common/base/crc32c.h"
#include "replica/service/state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIM_ZERO_CRC  0x98f94189u
#define SIM_FAULTS_NS (6000 * SIM_MS)
#define SIM_HEAL_NS   (90000 * SIM_MS)

uint64_t sim_random(struct sim *sim)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t sim_below(struct sim *sim, uint64_t n)
{
    return n ? sim_random(sim) % n : 0;
}

bool sim_chance(struct sim *sim, uint32_t per_10000)
{
    return per_10000 && sim_below(sim, 10000) < per_10000;
}

struct uuid sim_uuid(struct sim *sim)
{
    struct uuid uuid = {{0}};
    sim->uuids++;
    memcpy(uuid.bytes, &sim->uuids, sizeof(sim->uuids));
    uuid.bytes[15] = 1;
    return uuid;
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    va_list args;
    if (!sim->trace)
        return;
    printf("[%10.3f ms] ", (double)sim->now_ns / 1e6);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static const char *const mix_names[] = {
    [SIM_MIX_DRAWN] = "",      [SIM_MIX_SPLIT] = "split", [SIM_MIX_DISK] = "disk",
    [SIM_MIX_CRASH] = "crash", [SIM_MIX_LEASE] = "lease", [SIM_MIX_MEMBERS] = "members"};

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fprintf(stderr, "strake-sim: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (at %.3f ms)\nreplay: strake-sim --seed %" PRIu64 "%s%s --trace\n",
            (double)sim->now_ns / 1e6, sim->seed, sim->mix ? " --mix " : "", mix_names[sim->mix]);
    exit(1);
}

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void sim_at(struct sim *sim, uint64_t at_ns, sim_fn *fn, void *a, uint64_t x, uint64_t y)
{
    if (sim->heap_count == sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity ? sim->heap_capacity * 2 : 1024;
        sim->heap = realloc(sim->heap, sim->heap_capacity * sizeof(*sim->heap));
        ASSERT(sim->heap);
    }
    struct sim_event event = {
        .at_ns = at_ns, .order = sim->order++, .fn = fn, .a = a, .x = x, .y = y};
    uint32_t i = sim->heap_count++;
    while (i > 0 && event_before(&event, &sim->heap[(i - 1) / 2])) {
        sim->heap[i] = sim->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    sim->heap[i] = event;
}

void sim_after(struct sim *sim, uint64_t delay_ns, sim_fn *fn, void *a, uint64_t x, uint64_t y)
{
    sim_at(sim, sim->now_ns + delay_ns, fn, a, x, y);
}

static struct sim_event heap_pop(struct sim *sim)
{
    struct sim_event top = sim->heap[0];
    struct sim_event last = sim->heap[--sim->heap_count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= sim->heap_count)
            break;
        if (child + 1 < sim->heap_count && event_before(&sim->heap[child + 1], &sim->heap[child]))
            child++;
        if (!event_before(&sim->heap[child], &last))
            break;
        sim->heap[i] = sim->heap[child];
        i = child;
    }
    sim->heap[i] = last;
    return top;
}

bool sim_turn(struct sim *sim)
{
    if (sim->heap_count == 0)
        return false;
    struct sim_event event = heap_pop(sim);
    ASSERT(event.at_ns >= sim->now_ns);
    sim->now_ns = event.at_ns;
    event.fn(sim, &event);
    if (++sim->events % 64 == 0) {
        oracle_check_planes(sim);
        oracle_check_durable(sim);
        history_check(sim);
    }
    return true;
}

struct slice sim_payload(struct sim *sim, const uint64_t *ids, uint32_t count)
{
    struct slice data = slice_get(&sim->bufs, count * BLOCK_BYTES);
    uint32_t *crc = slice_crc(&data);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *bytes = data.bytes + (size_t)i * BLOCK_BYTES;
        memset(bytes, 0, BLOCK_BYTES);
        memcpy(bytes, &ids[i], sizeof(ids[i]));
        crc[i] = ids[i] ? (uint32_t)ids[i] : SIM_ZERO_CRC;
    }
    return data;
}

uint64_t sim_payload_id(const struct slice *data, uint32_t block)
{
    uint64_t id;
    memcpy(&id, data->bytes + (size_t)block * BLOCK_BYTES, sizeof(id));
    return id;
}

bool sim_grows(const struct sim *sim)
{
    return sim->seed % 3 == 0;
}

static void sim_config(struct sim *sim)
{
    static const struct {
        uint8_t data, witness, min;
    } shapes[] = {{3, 0, 2}, {3, 0, 2}, {3, 0, 1}, {2, 0, 1}, {1, 0, 1}, {4, 0, 2}, {2, 1, 1}};
    size_t shape = sim_below(sim, ARRAY_COUNT(shapes));
    sim->replica_count = (uint32_t)(shapes[shape].data + shapes[shape].witness);
    sim->config = (struct config){
        .volume = sim_uuid(sim),
        .name = "sim",
        .size_bytes = sim_grows(sim) ? (uint64_t)SIM_FIRST_BLOCKS * BLOCK_BYTES : SIM_BYTES,
        .block_bytes = 4096,
        .epoch = 1,
        .version = 1,
        .controller = sim_uuid(sim),
        .min_in_sync = shapes[shape].min,
        .member_count = (uint8_t)sim->replica_count,
    };
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        bool data = i < shapes[shape].data;
        sim->config.members[i] = (struct member){
            .uuid = sim_uuid(sim), .kind = data ? MEMBER_DATA : MEMBER_WITNESS, .in_sync = data};
    }
    /* Who opens waits for missing members, and so for most leases: not always. */
    bool hasty = sim_chance(sim, sim->mix == SIM_MIX_LEASE ? 8000 : 1000);
    sim->settings = (struct repl_settings){
        .slow_ns = 500 * SIM_MS,
        .hiccup_ns = sim_chance(sim, 5000) ? 40 * SIM_MS : 0,
        .target_slow_ns = 200 * SIM_MS,
        .grace_ns = 100 * SIM_MS,
        .recover_ns = (hasty ? 20 : 500) * SIM_MS,
        .lossy_ns = 2000 * SIM_MS,
        .checkpoint_ns = 100 * SIM_MS,
        .equal_writes = 4,
        .lease_ns = (hasty ? 400 : 150) * SIM_MS,
        .scrub_bytes_per_s = 64u << 20,
        .resync_bytes_per_s = sim_chance(sim, 5000) ? 0 : 1u << (23 + sim_below(sim, 7)),
        .fail_when_full = sim_chance(sim, 5000),
    };
}

static void sim_run_until(struct sim *sim, uint64_t end_ns)
{
    while (sim->heap_count > 0 && sim->heap[0].at_ns <= end_ns)
        (void)sim_turn(sim);
    if (sim->now_ns < end_ns)
        sim->now_ns = end_ns;
}

/* Every member in sync that the register knows of had a failed sync: it is right to stop. */
static bool sim_is_beyond_help(struct sim *sim)
{
    const struct meta *newest = NULL;
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        const struct service *service = sim->replicas[i].service;
        if (service && (!newest || config_compare(&service->meta.config, &newest->config) > 0))
            newest = &service->meta;
    }
    for (uint32_t i = 0; newest && i < newest->config.member_count; i++) {
        const struct member *member = &newest->config.members[i];
        const struct sim_replica *replica = members_host(sim, &member->uuid);
        if (member->in_sync && replica->service && !replica->service->meta.failed)
            return false;
    }
    return true;
}

static bool sim_is_whole(const struct sim *sim)
{
    int target = target_serving(sim);
    struct repl_status status;
    if (target < 0)
        return false;
    repl_status(sim->targets[target].repl, &status);
    for (uint32_t i = 0; i < status.member_count; i++) {
        const struct repl_member_status *member = &status.members[i];
        if (member->leaving || (!member->in_sync && member->kind == MEMBER_DATA))
            return false;
    }
    return status.state == REPL_SERVING;
}

static void sim_wait(struct sim *sim, bool (*condition)(const struct sim *), const char *what)
{
    uint64_t end_ns = sim->now_ns + SIM_HEAL_NS;
    while (!condition(sim)) {
        if (sim->now_ns >= end_ns || !sim_turn(sim))
            sim_fail(sim, "never: %s", what);
    }
}

static bool sim_is_scrubbed(const struct sim *sim)
{
    struct repl_status status;
    int target = target_serving(sim);
    if (target < 0)
        return false;
    repl_status(sim->targets[target].repl, &status);
    return !status.scrub.running;
}

/* Any of the members that hold data, if it is not the only one. */
static struct sim_replica *sim_draw_mendable(struct sim *sim)
{
    struct repl_status status;
    struct sim_replica *drawn = NULL;
    uint64_t data = 0;
    repl_status(sim->targets[target_serving(sim)].repl, &status);
    for (uint32_t i = 0; i < status.member_count; i++) {
        const struct repl_member_status *member = &status.members[i];
        if (member->kind == MEMBER_DATA && sim_below(sim, ++data) == 0)
            drawn = members_host(sim, &member->member);
    }
    return data > 1 ? drawn : NULL;
}

/* What went bad at one replica is found, and brought from another. */
static void sim_scrub(struct sim *sim)
{
    sim_wait(sim, sim_is_scrubbed, "an earlier scrub ends");
    struct sim_replica *replica = sim_draw_mendable(sim);
    for (int i = 0; i < 8 && replica; i++) {
        uint32_t block = (uint32_t)sim_below(sim, SIM_BLOCKS);
        uint64_t id = replica->disk.table.head->cached[block];
        disk_rot(&replica->disk, block, id, id != 0);
    }
    target_event(sim, (uint8_t)target_serving(sim), &(struct repl_event){.kind = REPL_EV_SCRUB});
    sim_wait(sim, sim_is_scrubbed, "a scrub ends");
    for (uint32_t block = 0; block < SIM_BLOCKS && replica; block++) {
        if (replica->disk.table.head->bad[block])
            sim_fail(sim, "replica %u: block %u is bad after a scrub", replica->idx, block);
    }
}

static bool sim_is_done(const struct sim *sim)
{
    return sim->targets[target_serving(sim)].op_count == 0;
}

static bool sim_is_stopped(const struct sim *sim)
{
    bool stopped = false;
    for (int i = 0; i < SIM_TARGETS; i++)
        stopped = stopped || sim->targets[i].stopped;
    return stopped;
}

static bool sim_is_at_rest(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        if (sim->replicas[i].gone)
            continue;
        if (!sim->replicas[i].service || !service_idle(sim->replicas[i].service))
            return false;
    }
    return true;
}

/* Faults are over: everything must become whole, be read back right, and end clean. */
static void sim_settle(struct sim *sim)
{
    sim_run_until(sim, sim->now_ns + 3000 * SIM_MS);
    faults_replace_fenced(sim);
    if (sim_is_beyond_help(sim))
        return;
    sim_wait(sim, sim_is_whole, "all members are in sync and serve");
    int target = target_serving(sim);
    target_unlimit(sim, (uint8_t)target);
    sim_scrub(sim);
    sim->targets[target].issue = false;
    sim_wait(sim, sim_is_done, "the last operations end");
    uint64_t blocks = repl_config(sim->targets[target].repl)->size_bytes / BLOCK_BYTES;
    for (uint32_t block = 0; block < blocks; block += SIM_OP_BLOCKS) {
        target_issue(sim, (uint8_t)target, REPL_READ, block, SIM_OP_BLOCKS);
        sim_wait(sim, sim_is_done, "a last read ends");
    }
    sim_run_until(sim, sim->now_ns + 2000 * SIM_MS);
    if (repl_deadline_ns(sim->targets[target].repl) != UINT64_MAX)
        sim_fail(sim, "an idle volume has a timer");
    oracle_check_equal(sim);
    history_check(sim);
    struct config config = *repl_config(sim->targets[target].repl);
    target_stop(sim, (uint8_t)target);
    sim_wait(sim, sim_is_stopped, "the target stops");
    sim_wait(sim, sim_is_at_rest, "the replicas come to rest");
    for (uint32_t i = 0; i < config.member_count; i++) {
        const struct sim_replica *replica = members_host(sim, &config.members[i].uuid);
        if (service_config(replica->service)->size_bytes != sim->committed.size_bytes)
            sim_fail(sim, "replica %u ends with another size", replica->idx);
        if (dirty_any_hot(&replica->service->dirty))
            sim_fail(sim, "replica %u ends unclean", replica->idx);
    }
}

static void sim_release(struct sim *sim)
{
    sim->ending = true;
    for (uint8_t i = 0; i < SIM_TARGETS; i++)
        target_kill(sim, i);
    for (uint32_t i = 0; i < sim->replica_count; i++)
        replica_kill(sim, &sim->replicas[i]);
    while (sim->heap_count > 0)
        (void)sim_turn(sim);
    for (uint32_t i = 0; i < sim->replica_count; i++)
        replica_release(sim, &sim->replicas[i]);
    history_release(sim);
    oracle_release(sim);
    buf_pool_release(&sim->bufs);
    free(sim->heap);
}

static void sim_run(uint64_t seed, enum sim_mix mix, bool trace)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    ASSERT(sim);
    sim->seed = seed;
    sim->random = seed * 0x2545f4914f6cdd1du + 1;
    sim->trace = trace;
    sim->mix = mix;
    buf_pool_init(&sim->bufs, 1u << 30);
    sim_config(sim);
    for (uint8_t i = 0; i < sim->replica_count; i++)
        replica_make(
            sim, i,
            &(struct message_create){.member = sim->config.members[i].uuid, .config = sim->config});
    faults_draw(sim);
    faults_mix(sim);
    sim->commands = sim_chance(sim, 8000);
    sim->reverts = sim->commands && sim_chance(sim, 3000);
    sim->members = mix == SIM_MIX_MEMBERS || (mix == SIM_MIX_DRAWN && seed % 3 == 1);
    target_start(sim, 0);
    members_begin(sim);
    faults_begin(sim, SIM_FAULTS_NS);
    sim_run_until(sim, SIM_FAULTS_NS);
    faults_end(sim);
    sim_settle(sim);
    oracle_check(sim);
    printf("seed %" PRIu64 ": %u members, %" PRIu64 " changes of them, %" PRIu64
           " operations, %" PRIu64 " faults, %" PRIu64 " cache losses, %.1f s\n",
           seed, sim->config.member_count, sim->change_count, sim->done_ops, sim->fault_count,
           sim->cache_losses, (double)sim->now_ns / 1e9);
    fflush(stdout);
    sim_release(sim);
    free(sim);
}

static int usage(void)
{
    fprintf(stderr, "usage: strake-sim [--seed N] [--seeds FROM COUNT] [--fresh COUNT] "
                    "[--seconds N] [--mix split|disk|crash|lease|members] [--trace]\n");
    return 2;
}

static enum sim_mix mix_of(const char *name)
{
    for (enum sim_mix mix = SIM_MIX_SPLIT; mix <= SIM_MIX_MEMBERS; mix++) {
        if (strcmp(name, mix_names[mix]) == 0)
            return mix;
    }
    return SIM_MIX_DRAWN;
}

int main(int argc, char **argv)
{
    uint64_t from = 1;
    uint64_t count = 10;
    uint64_t fresh = 0;
    time_t end = 0;
    bool trace = false;
    enum sim_mix mix = SIM_MIX_DRAWN;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            trace = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            from = strtoull(argv[++i], NULL, 0);
            count = 1;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            from = strtoull(argv[++i], NULL, 0);
            count = strtoull(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--fresh") == 0 && i + 1 < argc) {
            fresh = strtoull(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            end = time(NULL) + (time_t)strtoull(argv[++i], NULL, 0);
        } else if (strcmp(argv[i], "--mix") == 0 && i + 1 < argc) {
            mix = mix_of(argv[++i]);
            if (mix == SIM_MIX_DRAWN)
                return usage();
        } else {
            return usage();
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint64_t seed = from; seed < from + count; seed++)
        sim_run(seed, mix, trace);
    uint64_t first = (uint64_t)time(NULL) * 1000;
    for (uint64_t i = 0; i < fresh && (end == 0 || time(NULL) < end); i++)
        sim_run(first + i, mix, trace);
    return 0;
}
