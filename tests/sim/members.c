/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members that come and go while everything else goes wrong: an operator who adds, removes and
 * replaces them through any target that takes it, and, as a target's control does, deletes those
 * that no committed configuration of the target's own epoch knows. A new member is a new host. What
 * a target starts with is the oldest configuration there is.
 */
#include "tests/sim/sim.h"

#include "replica/service/state.h"
#include "target/replication/state.h"

struct sim_replica *members_host(struct sim *sim, const struct uuid *member)
{
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        if (uuid_equal(&sim->replicas[i].member, member))
            return &sim->replicas[i];
    }
    return NULL;
}

static bool is_member(const struct repl *repl, const struct sim_replica *replica)
{
    return config_member_idx(&repl->config, &replica->member) >= 0 ||
           (repl->proposal.active &&
            config_member_idx(&repl->proposal.config, &replica->member) >= 0);
}

/* A replica process makes it; it may be for nothing. */
static void members_make(struct sim *sim, const struct config *config, const struct member *member)
{
    struct sim_replica *replica = &sim->replicas[sim->replica_count];
    struct message_create create = {.member = member->uuid, .config = *config};
    create.config.members[create.config.member_count++] = *member;
    replica_make(sim, (uint8_t)sim->replica_count, &create);
    sim->replica_count++;
    sim_trace(sim, "replica %u: made", replica->idx);
    for (uint8_t target = 0; target < SIM_TARGETS; target++) {
        sim->targets[target].peer_of[replica->idx] = REPL_NO_PEER;
        net_connect(sim, target, replica->idx);
    }
}

static void members_delete(struct sim *sim, struct sim_replica *replica)
{
    sim_trace(sim, "replica %u: deleted", replica->idx);
    replica->gone = true;
    replica_kill(sim, replica);
}

static const struct member *members_any(struct sim *sim, const struct config *config)
{
    return &config->members[sim_below(sim, config->member_count)];
}

static void members_change(struct sim *sim, uint8_t idx)
{
    struct repl *repl = sim->targets[idx].repl;
    const struct config *config = repl_config(repl);
    struct repl_change change = {.add = sim_chance(sim, 6000)};
    if (change.add)
        change.member = (struct member){
            .uuid = sim_uuid(sim), .kind = sim_chance(sim, 2000) ? MEMBER_WITNESS : MEMBER_DATA};
    else
        change.member.uuid = members_any(sim, config)->uuid;
    if (change.add && sim_chance(sim, 6000))
        change.leaves = members_any(sim, config)->uuid;
    if (sim_chance(sim, 2000))
        change.min_in_sync = (uint8_t)(1 + sim_below(sim, 2));
    if (repl_change_invalid(repl, &change) ||
        (change.add && sim->replica_count == SIM_REPLICAS_MAX))
        return;
    sim_trace(sim, "target %u: a member is to %s", idx, change.add ? "come" : "go");
    if (change.add)
        members_make(sim, config, &change.member);
    /* Who asks may be killed in between. */
    if (sim_chance(sim, 9500) && !repl_change_invalid(repl, &change))
        target_event(sim, idx, &(struct repl_event){.kind = REPL_EV_CHANGE, .change = &change});
    sim->change_count++;
}

/* Never on the word of a configuration that is older than what the stranger accepted. */
static void members_clean(struct sim *sim, uint8_t idx)
{
    const struct repl *repl = sim->targets[idx].repl;
    if (repl->phase != PHASE_SERVE || repl->proposal.active)
        return;
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        struct sim_replica *replica = &sim->replicas[i];
        if (replica->service && !is_member(repl, replica) &&
            config_compare(&repl->config, &replica->service->meta.config) >= 0)
            members_delete(sim, replica);
    }
}

static void members_operate(struct sim *sim, struct sim_event *event)
{
    uint8_t idx = (uint8_t)sim_below(sim, SIM_TARGETS);
    const struct sim_target *target = &sim->targets[idx];
    if (sim->quiet)
        return;
    sim_after(sim, sim_below(sim, event->x), members_operate, NULL, event->x, 0);
    if (!target->repl || target->fenced || target->stopped)
        return;
    if (sim_chance(sim, 3000))
        members_clean(sim, idx);
    else
        members_change(sim, idx);
}

void members_begin(struct sim *sim)
{
    /* Some seeds have few. */
    if (sim->members)
        sim_after(sim, 100 * SIM_MS, members_operate, NULL,
                  (sim_chance(sim, 7000) ? 60 : 600) * SIM_MS, 0);
}
