/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients may be told. Every write has an identity of its own that each of its blocks carries,
 * so per block this is a register with unique values, which is linearizable exactly when, with the
 * zone of a value reaching from the earliest end to the latest start of all operations on it
 * (Gibbons and Korach, 1997), no two forward zones overlap and no forward zone holds a backward
 * one. Zeros are not unique and are judged by a weaker rule. A loss of memory of all members in
 * sync begins a new era, at whose start a block may hold anything not older than what was flushed.
 */
#include "tests/sim/sim.h"

#include "replica/service/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint32_t oracle_write(struct sim *sim, uint32_t block, uint32_t count, bool zero, bool fua)
{
    struct sim_oracle *oracle = &sim->oracle;
    ASSERT(count <= SIM_OP_BLOCKS);
    if (oracle->write_count == oracle->write_capacity) {
        oracle->write_capacity = oracle->write_capacity ? oracle->write_capacity * 2 : 1024;
        oracle->writes = realloc(oracle->writes, oracle->write_capacity * sizeof(*oracle->writes));
        ASSERT(oracle->writes);
    }
    struct sim_write *write = &oracle->writes[oracle->write_count];
    *write = (struct sim_write){.block = block,
                                .count = count,
                                .start_ns = sim->now_ns,
                                .finish_ns = SIM_NEVER,
                                .undone_ns = SIM_NEVER,
                                .fua = fua,
                                .zero = zero};
    for (uint32_t i = 0; i < count; i++)
        write->zones[i] =
            (struct sim_zone){.min_finish_ns = SIM_NEVER, .max_start_ns = sim->now_ns};
    return oracle->write_count++;
}

static void must_be_durable(struct sim_oracle *oracle, const struct sim_write *write)
{
    for (uint32_t i = 0; i < write->count; i++) {
        uint64_t *flushed_ns = &oracle->flushed_ns[write->block + i];
        if (!write->zones[i].old && *flushed_ns < write->start_ns)
            *flushed_ns = write->start_ns;
    }
}

void oracle_written(struct sim *sim, uint32_t write_idx, int status)
{
    struct sim_write *write = &sim->oracle.writes[write_idx];
    write->void_ = status != 0;
    write->undone_ns = status == -ENOSPC ? sim->now_ns : SIM_NEVER;
    if (status)
        return;
    write->finish_ns = sim->now_ns;
    if (write->fua)
        must_be_durable(&sim->oracle, write);
    for (uint32_t i = 0; i < write->count; i++) {
        if (write->zones[i].min_finish_ns > sim->now_ns)
            write->zones[i].min_finish_ns = sim->now_ns;
    }
}

void oracle_flushed(struct sim *sim, uint64_t start_ns)
{
    struct sim_oracle *oracle = &sim->oracle;
    if (oracle->flush_count == oracle->flush_capacity) {
        oracle->flush_capacity = oracle->flush_capacity ? oracle->flush_capacity * 2 : 256;
        oracle->flushes =
            realloc(oracle->flushes, oracle->flush_capacity * sizeof(*oracle->flushes));
        ASSERT(oracle->flushes);
    }
    oracle->flushes[oracle->flush_count++] =
        (struct sim_flush){.start_ns = start_ns, .finish_ns = sim->now_ns};
    for (uint32_t i = 0; i < oracle->write_count; i++) {
        if (oracle->writes[i].finish_ns <= start_ns)
            must_be_durable(oracle, &oracle->writes[i]);
    }
}

static bool covers(const struct sim_write *write, uint32_t block)
{
    return block >= write->block && block < write->block + write->count;
}

/* The block may hold zeros: nothing that ended before the read began came surely after the last
 * zeros. */
static void oracle_read_zero(struct sim *sim, uint32_t block, uint64_t start_ns)
{
    const struct sim_oracle *oracle = &sim->oracle;
    uint64_t newest_start = 0;
    bool zero_after = true;
    uint32_t newest = 0;
    if (oracle->era_ns)
        return;
    for (uint32_t i = 0; i < oracle->write_count; i++) {
        const struct sim_write *write = &oracle->writes[i];
        bool sure = covers(write, block) && write->finish_ns < start_ns && !write->zero;
        if (sure && write->start_ns >= newest_start) {
            newest_start = write->start_ns;
            newest = i + 1;
            zero_after = false;
        }
    }
    for (uint32_t i = 0; i < oracle->write_count && !zero_after; i++) {
        const struct sim_write *write = &oracle->writes[i];
        zero_after = covers(write, block) && write->zero && write->finish_ns >= newest_start;
    }
    if (!zero_after)
        sim_fail(sim, "block %u reads as zeros: write %u was lost", block, newest);
}

void oracle_read(struct sim *sim, uint32_t block, uint64_t id, uint64_t start_ns)
{
    struct sim_oracle *oracle = &sim->oracle;
    if (id == 0) {
        oracle_read_zero(sim, block, start_ns);
        return;
    }
    if (id > oracle->write_count || !covers(&oracle->writes[id - 1], block))
        sim_fail(sim, "block %u holds %" PRIu64 ", which was never written there", block, id);
    struct sim_write *write = &oracle->writes[id - 1];
    struct sim_zone *zone = &write->zones[block - write->block];
    if (zone->refused)
        sim_fail(sim, "block %u holds write %" PRIu64 ": a later one was flushed and is lost",
                 block, id);
    if (write->undone_ns < start_ns && !zone->lax)
        sim_fail(sim, "block %u holds write %" PRIu64 ": it was undone", block, id);
    zone->read = true;
    if (zone->min_finish_ns > sim->now_ns)
        zone->min_finish_ns = sim->now_ns;
    if (zone->max_start_ns < start_ns)
        zone->max_start_ns = start_ns;
}

struct interval {
    uint64_t begin;
    uint64_t end;
    uint32_t id;
};

static int interval_order(const void *a, const void *b)
{
    const struct interval *x = a;
    const struct interval *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static void check_zones(struct sim *sim, uint32_t block, struct interval *forward,
                        uint32_t forward_count, const struct interval *backward,
                        uint32_t backward_count)
{
    qsort(forward, forward_count, sizeof(*forward), interval_order);
    for (uint32_t i = 0; i + 1 < forward_count; i++) {
        if (forward[i + 1].begin < forward[i].end)
            sim_fail(sim, "block %u: writes %u and %u are read in turns", block, forward[i].id,
                     forward[i + 1].id);
    }
    for (uint32_t i = 0; i < backward_count; i++) {
        for (uint32_t j = 0; j < forward_count; j++) {
            if (forward[j].begin < backward[i].begin && backward[i].end < forward[j].end)
                sim_fail(sim, "block %u: write %u was acknowledged, then %u was read again", block,
                         backward[i].id, forward[j].id);
        }
    }
}

static void check_block(struct sim *sim, uint32_t block, struct interval *forward,
                        struct interval *backward)
{
    const struct sim_oracle *oracle = &sim->oracle;
    uint32_t forward_count = 0;
    uint32_t backward_count = 0;
    for (uint32_t i = 0; i < oracle->write_count; i++) {
        const struct sim_write *write = &oracle->writes[i];
        if (!covers(write, block))
            continue;
        const struct sim_zone *zone = &write->zones[block - write->block];
        bool never = !zone->read && (zone->old || write->finish_ns == SIM_NEVER);
        if (never || zone->lax || write->undone_ns != SIM_NEVER)
            continue;
        if (zone->min_finish_ns < zone->max_start_ns)
            forward[forward_count++] = (struct interval){
                .begin = zone->min_finish_ns, .end = zone->max_start_ns, .id = i + 1};
        else
            backward[backward_count++] = (struct interval){
                .begin = zone->max_start_ns, .end = zone->min_finish_ns, .id = i + 1};
    }
    check_zones(sim, block, forward, forward_count, backward, backward_count);
}

void oracle_check(struct sim *sim)
{
    uint32_t count = sim->oracle.write_count;
    struct interval *forward = calloc(count + 1, sizeof(*forward));
    struct interval *backward = calloc(count + 1, sizeof(*backward));
    ASSERT(forward && backward);
    for (uint32_t block = 0; block < SIM_BLOCKS; block++)
        check_block(sim, block, forward, backward);
    free(forward);
    free(backward);
}

static bool is_durable(const struct sim_oracle *oracle, const struct sim_write *write)
{
    if (write->finish_ns == SIM_NEVER)
        return false;
    if (write->fua)
        return true;
    for (uint32_t i = 0; i < oracle->flush_count; i++) {
        if (oracle->flushes[i].start_ns >= write->finish_ns)
            return true;
    }
    return false;
}

void oracle_cache_lost(struct sim *sim)
{
    struct sim_oracle *oracle = &sim->oracle;
    static uint64_t durable_ns[SIM_BLOCKS]; /* latest start of a write that must be there */
    sim->cache_losses++;
    sim_trace(sim, "memory of all members in sync is lost");
    oracle_check(sim);
    for (uint32_t block = 0; block < SIM_BLOCKS; block++)
        durable_ns[block] = 0;
    for (uint32_t i = 0; i < oracle->write_count; i++) {
        const struct sim_write *write = &oracle->writes[i];
        bool durable = is_durable(oracle, write);
        for (uint32_t j = 0; durable && j < write->count; j++) {
            /* What an earlier loss may have taken was not there to be flushed. */
            if (!write->zones[j].old && durable_ns[write->block + j] < write->start_ns)
                durable_ns[write->block + j] = write->start_ns;
        }
    }
    for (uint32_t i = 0; i < oracle->write_count; i++) {
        struct sim_write *write = &oracle->writes[i];
        bool pending = write->finish_ns == SIM_NEVER && !write->void_;
        write->undone_ns = SIM_NEVER; /* what was put back was not flushed, perhaps */
        for (uint32_t j = 0; j < write->count; j++) {
            struct sim_zone *zone = &write->zones[j];
            bool refused = zone->refused || write->finish_ns < durable_ns[write->block + j];
            *zone = (struct sim_zone){
                .lax = zone->lax,
                .min_finish_ns = pending ? SIM_NEVER : sim->now_ns,
                .max_start_ns = pending ? write->start_ns : sim->now_ns,
                .old = !pending || zone->lax,
                .refused = refused && !zone->lax,
            };
        }
    }
    oracle->era_ns = sim->now_ns;
    memset(oracle->flushed_ns, 0, sizeof(oracle->flushed_ns));
}

void oracle_revert(struct sim *sim)
{
    struct sim_oracle *oracle = &sim->oracle;
    for (uint32_t i = 0; i < oracle->write_count; i++) {
        struct sim_write *write = &oracle->writes[i];
        for (uint32_t j = 0; j < write->count; j++) {
            write->zones[j].lax = write->zones[j].old = true;
            write->zones[j].refused = false;
        }
    }
    oracle->era_ns = sim->now_ns;
    memset(oracle->flushed_ns, 0, sizeof(oracle->flushed_ns));
}

void oracle_release(struct sim *sim)
{
    free(sim->oracle.writes);
    free(sim->oracle.flushes);
}

static bool plane_bit(const struct sim_replica *replica, uint32_t block, bool away)
{
    const struct service_planes *planes = &replica->service->dirty.planes;
    uint32_t grain = block * BLOCK_BYTES / PLANE_GRAIN_BYTES;
    uint8_t bits = planes->current[grain / 8] | planes->old[grain / 8];
    if (away)
        bits |= planes->away[grain / 8];
    return bits >> (grain % 8) & 1;
}

/* What a target that takes over would be told. */
static bool doubt_bit(const struct sim_replica *replica, uint32_t block)
{
    uint8_t map[SIM_BYTES / PLANE_GRAIN_BYTES / 8 + 1];
    uint32_t grain = block * BLOCK_BYTES / PLANE_GRAIN_BYTES;
    dirty_map(&replica->service->dirty, 0, SIM_BYTES, false, map);
    return map[grain / 8] >> (grain % 8) & 1;
}

static void check_pair(struct sim *sim, const struct sim_replica *a, const struct sim_replica *b,
                       bool away)
{
    const struct sim_image *x = a->disk.table.head;
    const struct sim_image *y = b->disk.table.head;
    struct lineage other = disk_lineage(&b->disk.table);
    /* While generations differ, they tell more than the planes do. */
    if (!lineage_same(&a->disk.table.lineage, &other) || other.incomplete_generation ||
        other.kept_generation != other.head_generation)
        return;
    for (uint32_t block = 0; block < SIM_BLOCKS; block++) {
        if (x->cached[block] == y->cached[block] || x->bad[block] || y->bad[block] ||
            ((plane_bit(a, block, away) || plane_bit(b, block, away)) &&
             (away || doubt_bit(a, block) || doubt_bit(b, block))))
            continue;
        sim_fail(sim,
                 "replicas %u and %u differ in block %u (%" PRIu64 ", %" PRIu64
                 "), and neither knows%s",
                 a->idx, b->idx, block, x->cached[block], y->cached[block],
                 away ? " (one is not in sync)" : "");
    }
}

bool oracle_is_usable(const struct sim_replica *replica)
{
    const struct service *service = replica ? replica->service : NULL;
    return service && !service->failed && !service->meta.failed;
}

/* Usable for comparison: alive, and holding what the service believes it holds. */
static const struct service *whole(const struct sim_replica *replica)
{
    return oracle_is_usable(replica) ? replica->service : NULL;
}

void oracle_check_planes(struct sim *sim)
{
    const struct sim_target *target;
    struct repl_status status;
    int serving = target_serving(sim);
    if (serving < 0)
        return;
    target = &sim->targets[serving];
    repl_status(target->repl, &status);
    if (status.epoch < sim->served_epoch)
        return;
    for (uint32_t i = 0; i < status.member_count; i++) {
        const struct sim_replica *replica = members_host(sim, &status.members[i].member);
        const struct service *service = whole(replica);
        if (!status.members[i].in_sync || !service || service->meta.lossy)
            continue;
        for (uint32_t j = 0; j < status.member_count; j++) {
            const struct sim_replica *second = members_host(sim, &status.members[j].member);
            const struct service *other = whole(second);
            bool both = status.members[j].in_sync;
            bool data = status.members[j].kind == MEMBER_DATA;
            if (i == j || !other || !data || (both && (j < i || other->meta.lossy)))
                continue;
            check_pair(sim, replica, second, !both);
        }
    }
}

static void check_durable(struct sim *sim, const struct sim_replica *replica)
{
    const struct sim_oracle *oracle = &sim->oracle;
    for (uint32_t block = 0; block < SIM_BLOCKS; block++) {
        uint64_t id = replica->disk.durable.head->durable[block];
        if (id != 0 && oracle->writes[id - 1].finish_ns < oracle->flushed_ns[block])
            sim_fail(sim,
                     "replica %u is in sync, but block %u on its disk is %" PRIu64
                     ", older than what was flushed",
                     replica->idx, block, id);
    }
}

void oracle_check_durable(struct sim *sim)
{
    struct repl_status status;
    int serving = target_serving(sim);
    /* A revert that has not ended may be on disk, and makes older content durable. */
    if (serving < 0 || sim->oracle.reverts_open)
        return;
    repl_status(sim->targets[serving].repl, &status);
    if (status.epoch < sim->served_epoch)
        return;
    for (uint32_t i = 0; i < status.member_count; i++) {
        const struct sim_replica *replica = members_host(sim, &status.members[i].member);
        const struct service *service = whole(replica);
        if (status.members[i].in_sync && status.members[i].attached && service &&
            !service->meta.lossy)
            check_durable(sim, replica);
    }
}

static void check_tables_equal(struct sim *sim, const struct sim_replica *first,
                               const struct sim_replica *second)
{
    const struct sim_table *a = &first->disk.table;
    const struct sim_table *b = &second->disk.table;
    bool same = lineage_same(&a->lineage, &b->lineage) && a->count == b->count &&
                a->lineage.head_generation == b->lineage.head_generation &&
                a->lineage.head_base == b->lineage.head_base &&
                memcmp(a->book, b->book, sizeof(a->book)) == 0;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const struct sim_row *x = &a->rows[i];
        const struct sim_row *y = &b->rows[i];
        same = x->generation == y->generation && x->base == y->base && x->complete && y->complete &&
               uuid_equal(&x->identity, &y->identity) &&
               memcmp(x->image->cached, y->image->cached, sizeof(x->image->cached)) == 0;
    }
    if (!same)
        sim_fail(sim, "at rest, replicas %u and %u differ in their generations or books",
                 first->idx, second->idx);
}

void oracle_check_equal(struct sim *sim)
{
    const struct config *config = repl_config(sim->targets[target_serving(sim)].repl);
    const struct sim_replica *first = NULL;
    for (uint32_t i = 0; i < config->member_count; i++) {
        const struct sim_replica *replica = members_host(sim, &config->members[i].uuid);
        if (config->members[i].kind != MEMBER_DATA)
            continue;
        if (!first)
            first = replica;
        check_tables_equal(sim, first, replica);
        for (uint32_t block = 0; block < SIM_BLOCKS; block++) {
            uint64_t a = first->disk.table.head->cached[block];
            uint64_t b = replica->disk.table.head->cached[block];
            if (a != b)
                sim_fail(sim,
                         "at rest, replicas %u and %u differ in block %u (%" PRIu64 ", %" PRIu64
                         ")",
                         first->idx, replica->idx, block, a, b);
        }
    }
}
