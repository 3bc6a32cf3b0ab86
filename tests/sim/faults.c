/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, drawn per seed: which kinds of faults, how often, and each one's victim. */
#include "tests/sim/sim.h"

#include "replica/service/state.h"
#include "target/replication/state.h"

#include <inttypes.h>
#include <string.h>

static uint32_t draw(struct sim *sim, uint32_t weight)
{
    return sim_chance(sim, 6000) ? 1 + (uint32_t)sim_below(sim, weight) : 0;
}

void faults_draw(struct sim *sim)
{
    struct sim_faults *faults = &sim->faults;
    *faults = (struct sim_faults){
        .cut = draw(sim, 20),
        .silence = draw(sim, 6),
        .kill_replica = draw(sim, 10),
        .power = draw(sim, 6),
        .power_all = sim_chance(sim, 2500),
        .kill_target = draw(sim, 8),
        .take_over = draw(sim, 5),
        .eio = draw(sim, 4),
        .enospc = draw(sim, 2),
        .sync = sim_chance(sim, 3000),
        .rot = draw(sim, 4),
        .slow = draw(sim, 3),
        .partition = draw(sim, 8),
        .usurp = draw(sim, 1),
        .undecided = sim_chance(sim, 3000) ? 2000 : 0,
    };
    faults->mean_ns = (20 + sim_below(sim, 400)) * SIM_MS;
}

static void mix_apply(struct sim *sim)
{
    static const struct sim_faults mixes[] = {
        [SIM_MIX_SPLIT] = {.cut = 4,
                           .silence = 8,
                           .partition = 12,
                           .take_over = 6,
                           .kill_target = 4,
                           .kill_replica = 2,
                           .slow = 2,
                           .undecided = 1000},
        [SIM_MIX_DISK] = {.cut = 2,
                          .kill_replica = 2,
                          .power = 2,
                          .eio = 4,
                          .enospc = 2,
                          .sync = 6,
                          .rot = 3,
                          .slow = 4},
        [SIM_MIX_CRASH] = {.cut = 6,
                           .kill_replica = 8,
                           .power = 8,
                           .kill_target = 6,
                           .slow = 2,
                           .undecided = 3000},
        [SIM_MIX_MEMBERS] = {.cut = 6,
                             .silence = 4,
                             .kill_replica = 5,
                             .power = 3,
                             .kill_target = 8,
                             .take_over = 5,
                             .slow = 2,
                             .partition = 5,
                             .undecided = 1000},
        [SIM_MIX_LEASE] = {.cut = 2, .kill_replica = 2, .take_over = 1, .usurp = 3, .held = 300},
    };
    if (sim->mix == SIM_MIX_DRAWN)
        return;
    sim->faults = mixes[sim->mix];
    sim->faults.mean_ns = (sim->mix == SIM_MIX_LEASE     ? 200 + sim_below(sim, 600)
                           : sim->mix == SIM_MIX_MEMBERS ? 20 + sim_below(sim, 300)
                                                         : 10 + sim_below(sim, 150)) *
                          SIM_MS;
}

void faults_mix(struct sim *sim)
{
    mix_apply(sim);
    sim->faults.grow = sim_grows(sim) ? 4 : 0;
}

static struct sim_replica *victim(struct sim *sim)
{
    return &sim->replicas[sim_below(sim, sim->replica_count)];
}

static uint64_t a_while(struct sim *sim)
{
    return (1 + sim_below(sim, sim_chance(sim, 7000) ? 60 : 900)) * SIM_MS;
}

static void fault_end_disk(struct sim *sim, struct sim_event *event)
{
    struct sim_replica *replica = event->a;
    (void)sim;
    replica->write_eio = 0;
    replica->full = false;
    replica->slow_factor = 0;
    replica->sync_fail = 0;
}

static void fault_silence(struct sim *sim)
{
    uint64_t target = sim_below(sim, SIM_TARGETS);
    uint64_t replica = sim_below(sim, sim->replica_count);
    uint64_t ways = 1 + sim_below(sim, 3);
    for (int way = 0; way < 2; way++) {
        if (ways >> way & 1)
            sim->silent[target][replica][way] = sim->now_ns + a_while(sim);
    }
    sim_trace(sim, "silence between target %d and replica %d", (int)target, (int)replica);
}

/* One target reaches some of the replicas, the other one the rest. */
static void fault_partition(struct sim *sim)
{
    uint64_t until_ns = sim->now_ns + a_while(sim);
    uint64_t side = sim_below(sim, (uint64_t)1 << sim->replica_count);
    sim_trace(sim, "partition %x", (unsigned)side);
    for (uint32_t replica = 0; replica < sim->replica_count; replica++) {
        uint64_t cut_off = side >> replica & 1;
        for (int way = 0; way < 2; way++)
            sim->silent[cut_off][replica][way] = until_ns;
    }
    if (!sim->targets[0].repl && sim_chance(sim, 5000))
        target_start(sim, 0);
    if (!sim->targets[1].repl && sim_chance(sim, 5000))
        target_start(sim, 1);
}

static void fault_restart(struct sim *sim, struct sim_replica *replica, uint64_t delay_ns)
{
    replica_kill(sim, replica);
    replica_restart_later(sim, replica, delay_ns);
}

static void fault_silence_there(struct sim *sim, struct sim_event *event)
{
    for (uint32_t i = 0; i < sim->replica_count; i++)
        sim->silent[event->x][i][0] = sim->silent[event->x][i][1];
}

/*
 * A target is left with one replica, long enough for another one to serve with the rest. The
 * others' answers may stop before what is sent to them does, and they may start again at that
 * moment.
 */
static void fault_usurp(struct sim *sim)
{
    uint8_t old = (uint8_t)sim_below(sim, SIM_TARGETS);
    uint8_t heir = (uint8_t)(SIM_TARGETS - 1 - old);
    uint64_t until_ns = sim->now_ns + (600 + sim_below(sim, 1500)) * SIM_MS;
    uint64_t kept = sim_below(sim, sim->replica_count);
    bool quick = sim_chance(sim, 3000);
    STATIC_ASSERT(SIM_TARGETS == 2, "there is one other");
    if (!sim->targets[old].repl || sim->replica_count < 3)
        return;
    sim_trace(sim, "target %u is left with replica %u", old, (unsigned)kept);
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        uint8_t cut_off = i == kept ? heir : old;
        sim->silent[cut_off][i][1] = until_ns;
        if (i != kept && quick)
            fault_restart(sim, &sim->replicas[i], (1 + sim_below(sim, 20)) * SIM_MS);
    }
    sim_after(sim, sim_chance(sim, 5000) ? sim_below(sim, 100) * SIM_MS : 0, fault_silence_there,
              NULL, old, 0);
    sim_after(sim, 0, fault_silence_there, NULL, heir, 0);
    target_kill(sim, heir);
    target_start(sim, heir);
}

static void fault_power_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        replica_power(sim, &sim->replicas[i]);
        replica_restart_later(sim, &sim->replicas[i], a_while(sim));
    }
}

static void fault_target_again(struct sim *sim, struct sim_event *event)
{
    uint8_t idx = (uint8_t)event->x;
    if (!sim->targets[idx].repl && !sim->quiet)
        target_start(sim, idx);
}

static void fault_kill_target(struct sim *sim)
{
    uint8_t idx = (uint8_t)sim_below(sim, SIM_TARGETS);
    target_kill(sim, idx);
    sim_after(sim, a_while(sim), fault_target_again, NULL, sim_below(sim, SIM_TARGETS), 0);
}

static void fault_deafen(struct sim *sim, struct sim_event *event)
{
    uint64_t *until_ns = event->a;
    if (!sim->quiet)
        *until_ns = event->x;
}

/* While a configuration is proposed and nobody knows whether it will count. */
static void fault_undecided(struct sim *sim, struct sim_event *event)
{
    uint8_t idx = (uint8_t)event->x;
    const struct sim_target *target = &sim->targets[idx];
    if (sim->quiet || !target->repl || !target->repl->proposal.active)
        return;
    uint64_t draw = sim_below(sim, 10);
    sim->fault_count++;
    if (draw == 0) {
        target_kill(sim, idx);
        sim_after(sim, a_while(sim), fault_target_again, NULL, sim_below(sim, SIM_TARGETS), 0);
    } else if (draw < 4) {
        net_cut(sim, idx, victim(sim)->idx);
    } else {
        fault_restart(sim, victim(sim), a_while(sim));
    }
}

void faults_proposed(struct sim *sim, uint8_t target)
{
    if (sim_chance(sim, sim->faults.undecided))
        sim_after(sim, sim_below(sim, 3000) * SIM_US, fault_undecided, NULL, target, 0);
}

static void fault_abandon(struct sim *sim, struct sim_event *event)
{
    uint8_t idx = (uint8_t)event->x;
    for (uint8_t i = 0; i < sim->replica_count; i++)
        net_cut(sim, idx, i);
    if (sim->quiet || !sim->targets[idx].repl)
        return;
    target_kill(sim, idx);
    sim_after(sim, a_while(sim), fault_target_again, NULL, sim_below(sim, SIM_TARGETS), 0);
    fault_restart(sim, event->a, (800 + sim_below(sim, 1500)) * SIM_MS);
}

/* A single one gets it before the target dies, and is away while another target goes on. */
uint8_t faults_commanded(struct sim *sim, uint8_t target, uint8_t peers)
{
    struct sim_replica *only = victim(sim);
    uint8_t bit = target_bit(&sim->targets[target], only->idx) & peers;
    if (sim->quiet || !bit || !sim_chance(sim, sim->faults.undecided))
        return peers;
    sim_trace(sim, "target %u: only replica %u gets a command", target, only->idx);
    sim->fault_count++;
    sim_after(sim, (1 + sim_below(sim, 4)) * SIM_MS, fault_abandon, only, target, 0);
    return bit;
}

/* All replicas but one hear it, and for a while nothing else; their answers come late. */
void faults_asked(struct sim *sim, uint8_t target)
{
    if (sim->quiet || !sim_chance(sim, sim->faults.held))
        return;
    const struct sim_replica *spared = victim(sim);
    uint64_t answers_ns = sim->now_ns + sim_below(sim, 400) * SIM_MS;
    uint64_t others_ns = answers_ns + sim_below(sim, 400) * SIM_MS;
    sim_trace(sim, "answers to target %u are held, but those of replica %u", target, spared->idx);
    sim->fault_count++;
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        if (i == spared->idx)
            continue;
        sim->silent[target][i][1] = answers_ns;
        sim_at(sim, sim->now_ns + SIM_MS, fault_deafen, &sim->silent[target][i][0], others_ns, 0);
    }
}

static void fault_take_over(struct sim *sim)
{
    uint8_t idx = (uint8_t)sim_below(sim, SIM_TARGETS);
    if (sim->targets[idx].repl && sim->targets[idx].fenced)
        target_kill(sim, idx);
    if (!sim->targets[idx].repl)
        target_start(sim, idx);
}

/* One replica at a time may fail its syncs: more is not promised to be survived. */
static void fault_sync(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        const struct sim_replica *replica = &sim->replicas[i];
        if (!replica->gone &&
            (!replica->service || replica->sync_fail || replica->service->meta.failed))
            return;
    }
    struct sim_replica *replica = victim(sim);
    replica->sync_fail = 3000;
    sim_after(sim, a_while(sim), fault_end_disk, replica, 0, 0);
}

static void fault_rot(struct sim *sim)
{
    struct sim_replica *replica = victim(sim);
    uint64_t block = sim_below(sim, SIM_SPOT_BLOCKS);
    /* Never the same block at two replicas. */
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        if (sim->replica_count < 3 || sim->members || sim->replicas[i].disk.table.head->bad[block])
            return;
    }
    replica->disk.table.head->bad[block] = true;
    sim_trace(sim, "replica %u: block %u goes bad", replica->idx, (unsigned)block);
}

static void fault_disk(struct sim *sim, uint32_t eio, bool full, uint32_t slow)
{
    struct sim_replica *replica = victim(sim);
    replica->write_eio = eio;
    replica->full = full;
    replica->slow_factor = slow;
    sim_trace(sim, "replica %u: disk trouble (%u, %d, %u)", replica->idx, eio, full, slow);
    sim_after(sim, a_while(sim), fault_end_disk, replica, 0, 0);
}

static void fault_grow(struct sim *sim)
{
    int target = target_serving(sim);
    struct repl_status status;
    if (target < 0)
        return;
    struct repl *repl = sim->targets[target].repl;
    repl_status(repl, &status);
    uint64_t size_bytes = repl_config(repl)->size_bytes;
    uint64_t more_bytes = sim_chance(sim, 5000) ? SIM_BYTES : (uint64_t)64 * BLOCK_BYTES;
    if (size_bytes + more_bytes > SIM_BYTES)
        more_bytes = SIM_BYTES - size_bytes;
    if (status.state != REPL_SERVING || more_bytes == 0)
        return;
    sim_trace(sim, "target %d: is to grow by %" PRIu64, target, more_bytes);
    target_event(sim, (uint8_t)target,
                 &(struct repl_event){.kind = REPL_EV_GROW, .size_bytes = size_bytes + more_bytes});
}

static void fault_one(struct sim *sim)
{
    const struct sim_faults *f = &sim->faults;
    const uint32_t weights[] = {f->cut,       f->silence,     f->kill_replica, f->power,
                                f->power_all, f->kill_target, f->take_over,    f->eio,
                                f->enospc,    f->sync,        f->rot,          f->slow,
                                f->partition, f->usurp,       f->grow};
    uint64_t total = 0;
    size_t kind = 0;
    for (size_t i = 0; i < ARRAY_COUNT(weights); i++)
        total += weights[i];
    if (total == 0)
        return;
    uint64_t pick = sim_below(sim, total);
    while (pick >= weights[kind])
        pick -= weights[kind++];
    struct sim_replica *replica = victim(sim);
    sim->fault_count++;
    switch (kind) {
    case 0:
        net_cut(sim, (uint8_t)sim_below(sim, SIM_TARGETS), replica->idx);
        break;
    case 1:
        fault_silence(sim);
        break;
    case 2:
        fault_restart(sim, replica, a_while(sim));
        break;
    case 3:
        replica_power(sim, replica);
        replica_restart_later(sim, replica, a_while(sim));
        break;
    case 4:
        fault_power_all(sim);
        break;
    case 5:
        fault_kill_target(sim);
        break;
    case 6:
        fault_take_over(sim);
        break;
    case 7:
        fault_disk(sim, 500, false, 0);
        break;
    case 8:
        fault_disk(sim, 0, true, 0);
        break;
    case 9:
        fault_sync(sim);
        break;
    case 10:
        fault_rot(sim);
        break;
    case 11:
        fault_disk(sim, 0, false, 200);
        break;
    case 12:
        fault_partition(sim);
        break;
    case 13:
        fault_usurp(sim);
        break;
    default:
        fault_grow(sim);
        break;
    }
}

static void fault_next(struct sim *sim, struct sim_event *event)
{
    if (sim->quiet || sim->now_ns > event->x)
        return;
    int serving = target_serving(sim);
    if (serving >= 0 && sim_chance(sim, 1000))
        target_event(sim, (uint8_t)serving, &(struct repl_event){.kind = REPL_EV_SCRUB});
    fault_one(sim);
    /* Troubles like company. */
    uint64_t wait_ns = sim_chance(sim, 2500) ? 4 * SIM_MS : 2 * sim->faults.mean_ns;
    sim_after(sim, sim_below(sim, wait_ns), fault_next, NULL, event->x, 0);
}

void faults_begin(struct sim *sim, uint64_t until_ns)
{
    sim_after(sim, 50 * SIM_MS, fault_next, NULL, until_ns, 0);
}

/* Everything works from now on; what is down comes back. */
void faults_end(struct sim *sim)
{
    sim->quiet = true;
    sim_trace(sim, "faults are over");
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        struct sim_replica *replica = &sim->replicas[i];
        replica->write_eio = replica->sync_fail = replica->slow_factor = 0;
        replica->full = false;
        memset(replica->disk.table.head->bad, 0, sizeof(replica->disk.table.head->bad));
        for (uint32_t row = 0; row < replica->disk.table.count; row++)
            memset(replica->disk.table.rows[row].image->bad, 0, SIM_BLOCKS);
        for (int target = 0; target < SIM_TARGETS; target++)
            sim->silent[target][i][0] = sim->silent[target][i][1] = 0;
        if (!replica->service)
            replica_restart_later(sim, replica, SIM_MS);
    }
    faults_replace_fenced(sim);
}

/* All members it knew may have left under another target: then nobody tells it so. */
static bool is_superseded(const struct sim *sim, const struct repl *repl)
{
    struct repl_status status;
    repl_status(repl, &status);
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        const struct service *service = sim->replicas[i].service;
        if (service && service_config(service)->epoch > status.epoch)
            return true;
    }
    return false;
}

void faults_replace_fenced(struct sim *sim)
{
    bool any = false;
    for (uint8_t i = 0; i < SIM_TARGETS; i++) {
        const struct sim_target *target = &sim->targets[i];
        if (target->repl && (target->fenced || is_superseded(sim, target->repl)))
            target_kill(sim, i);
        any = any || sim->targets[i].repl;
    }
    if (!any)
        target_start(sim, 0);
}
