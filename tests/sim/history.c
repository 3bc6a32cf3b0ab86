/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clients may be told of generations and the book. What was sealed is, at its answer, a
 * possible state of the volume between its question and that answer, the same at all members in
 * sync, and never changes: not at any member that calls it complete, and not after a loss of
 * power. A row holds the value of the newest command on it.
 */
#include "tests/sim/sim.h"

#include "replica/service/state.h"
#include "target/replication/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct sim_seal *seal_find(struct sim *sim, uint64_t generation, const struct uuid *identity)
{
    for (uint32_t i = 0; i < sim->oracle.seal_count; i++) {
        struct sim_seal *seal = sim->oracle.seals[i];
        if (seal->generation == generation && uuid_equal(&seal->identity, identity))
            return seal;
    }
    return NULL;
}

static struct sim_seal *seal_add(struct sim *sim, const struct sim_row *row)
{
    struct sim_oracle *oracle = &sim->oracle;
    struct sim_seal *seal = calloc(1, sizeof(*seal));
    oracle->seals = realloc(oracle->seals, (oracle->seal_count + 1) * sizeof(seal));
    ASSERT(seal && oracle->seals);
    seal->generation = row->generation;
    seal->identity = row->identity;
    memcpy(seal->content, row->image->cached, sizeof(seal->content));
    oracle->seals[oracle->seal_count++] = seal;
    return seal;
}

/* A member in sync of the target that serves in the highest epoch, from `from` on; or NULL. */
static const struct repl_member_status *status_of(const struct repl_status *status,
                                                  const struct sim_replica *replica)
{
    for (uint32_t i = 0; i < status->member_count; i++) {
        if (uuid_equal(&status->members[i].member, &replica->member))
            return &status->members[i];
    }
    return NULL;
}

static const struct sim_replica *member_in_sync(const struct sim *sim, uint32_t from)
{
    struct repl_status status;
    int serving = target_serving(sim);
    if (serving < 0)
        return NULL;
    repl_status(sim->targets[serving].repl, &status);
    if (status.epoch < sim->served_epoch)
        return NULL;
    for (uint32_t i = from; i < sim->replica_count; i++) {
        const struct sim_replica *replica = &sim->replicas[i];
        const struct repl_member_status *member = status_of(&status, replica);
        if (member && member->in_sync && member->attached && oracle_is_usable(replica) &&
            session_in_sync(replica->service) && !replica->service->meta.lossy)
            return replica;
    }
    return NULL;
}

uint64_t history_pick(struct sim *sim)
{
    const struct sim_replica *replica = member_in_sync(sim, 0);
    if (!replica || replica->disk.table.count == 0)
        return 0;
    const struct sim_table *table = &replica->disk.table;
    return table->rows[sim_below(sim, table->count)].generation;
}

uint32_t history_count(const struct sim *sim)
{
    const struct sim_replica *replica = member_in_sync(sim, 0);
    return replica ? replica->disk.table.count : SIM_GENERATIONS_MAX;
}

void history_begin(struct sim *sim, struct sim_op *op)
{
    struct sim_oracle *oracle = &sim->oracle;
    struct message_command *command = &op->op.command;
    if (command->kind == COMMAND_DROP) {
        ASSERT(command->generation < SIM_NUMBERS_MAX);
        oracle->dropping[command->generation] = true;
    }
    if (command->kind == COMMAND_REVERT) {
        oracle_check(sim);
        oracle_revert(sim);
        oracle->reverts_open++;
    }
    if (!command->key[0])
        return;
    oracle->values = realloc(oracle->values, (oracle->value_count + 1) * sizeof(*oracle->values));
    ASSERT(oracle->values);
    oracle->values[oracle->value_count] = (struct sim_value){
        .row = (uint32_t)(command->key[1] - '0'), .start_ns = sim->now_ns, .finish_ns = SIM_NEVER};
    op->value = ++oracle->value_count;
    command->value = (const uint8_t *)&op->value;
    command->value_bytes = sizeof(op->value);
}

/* The answer is there: so is what it says. */
static void history_sealed(struct sim *sim, const struct sim_op *op)
{
    const struct message_command *command = &op->op.command;
    const struct repl *repl = sim->targets[op->target].repl;
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        const struct sim_replica *replica = &sim->replicas[i];
        uint8_t bit = target_bit(&sim->targets[op->target], i);
        if (!(repl->in_sync & bit) || !(repl->attached & bit) || !oracle_is_usable(replica) ||
            !session_in_sync(replica->service))
            continue;
        const struct sim_row *row = disk_row(&replica->disk.table, command->generation);
        const struct sim_row *kept = disk_row(&replica->disk.durable, command->generation);
        struct sim_seal *seal = seal_find(sim, command->generation, &command->identity);
        if (!row && sim->oracle.dropping[command->generation])
            continue;
        if (!row || !row->complete || !uuid_equal(&row->identity, &command->identity))
            sim_fail(sim, "replica %u is in sync and does not have generation %" PRIu64, i,
                     command->generation);
        if (!kept)
            sim_fail(sim, "replica %u has generation %" PRIu64 " in memory alone", i,
                     command->generation);
        bool fresh = !seal || !seal->acked;
        if (!seal)
            seal = seal_add(sim, row);
        seal->acked = true;
        /* What was sealed before a loss of memory is older than what is known since. */
        fresh = fresh && sim->oracle.era_ns <= op->start_ns;
        for (uint32_t block = 0; fresh && block < SIM_BLOCKS; block++) {
            if (row->image->cached[block])
                oracle_read(sim, block, row->image->cached[block], op->start_ns);
        }
    }
}

void history_end(struct sim *sim, struct sim_op *op, bool ok)
{
    const struct message_command *command = &op->op.command;
    sim_trace(sim, "command %u %s: number %" PRIu64 ", generation %" PRIu64,
              (unsigned)command->kind, ok ? "done" : "not done", command->number,
              command->generation);
    if (command->kind == COMMAND_REVERT) {
        oracle_revert(sim);
        /* Until somebody else serves it may still be done. */
        if (ok && sim->oracle.reverts_open > 0)
            sim->oracle.reverts_open--;
    }
    if (!ok)
        return;
    if (op->value)
        sim->oracle.values[op->value - 1].finish_ns = sim->now_ns;
    if (command->kind == COMMAND_SEAL)
        history_sealed(sim, op);
}

void history_read(struct sim *sim, const struct sim_op *op)
{
    /* One of this number may have been sealed before, and lost before anybody was answered. */
    const struct sim_replica *replica = member_in_sync(sim, 0);
    const struct sim_row *row = replica ? disk_row(&replica->disk.table, op->op.generation) : NULL;
    const struct sim_seal *seal = row ? seal_find(sim, row->generation, &row->identity) : NULL;
    for (uint32_t i = 0; seal && i < op->count; i++) {
        uint64_t id = sim_payload_id(&op->op.data, i);
        if (id != seal->content[op->block + i])
            sim_fail(sim, "generation %" PRIu64 ": block %u reads as %" PRIu64 ", it was %" PRIu64,
                     op->op.generation, op->block + i, id, seal->content[op->block + i]);
    }
}

static void check_rows(struct sim *sim, const struct sim_replica *replica)
{
    const struct sim_oracle *oracle = &sim->oracle;
    for (uint32_t row = 0; row < SIM_ROWS; row++) {
        uint64_t value = replica->disk.table.book[row];
        uint64_t finish_ns = value ? oracle->values[value - 1].finish_ns : 0;
        for (uint32_t i = 0; i < oracle->value_count; i++) {
            const struct sim_value *other = &oracle->values[i];
            if (other->row == row && other->finish_ns != SIM_NEVER && other->start_ns > finish_ns)
                sim_fail(sim, "replica %u: row %u holds value %" PRIu64 ", %u was set after it",
                         replica->idx, row, value, i + 1);
        }
    }
}

/* `counts`: a member in sync, who must have all that was answered. */
static void check_member(struct sim *sim, const struct sim_replica *replica, bool counts)
{
    const struct sim_table *table = &replica->disk.table;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct sim_row *row = &table->rows[i];
        struct sim_seal *seal = seal_find(sim, row->generation, &row->identity);
        if (!row->complete && counts && !sim->targets[target_serving(sim)].repl->relay.waiting)
            sim_fail(sim, "replica %u is in sync, generation %" PRIu64 " is not complete there",
                     replica->idx, row->generation);
        if (!seal && counts)
            seal = seal_add(sim, row);
        for (uint32_t block = 0; seal && row->complete && block < SIM_BLOCKS; block++) {
            if (seal->content[block] != row->image->cached[block] && !row->image->bad[block])
                sim_fail(sim,
                         "replica %u: block %u of generation %" PRIu64 " is %" PRIu64
                         ", not %" PRIu64,
                         replica->idx, block, row->generation, row->image->cached[block],
                         seal->content[block]);
        }
    }
}

static void check_kept(struct sim *sim, const struct sim_replica *replica)
{
    for (uint32_t i = 0; i < sim->oracle.seal_count; i++) {
        const struct sim_seal *seal = sim->oracle.seals[i];
        const struct sim_row *row = disk_row(&replica->disk.table, seal->generation);
        if (seal->acked && !sim->oracle.dropping[seal->generation] &&
            (!row || !uuid_equal(&row->identity, &seal->identity)))
            sim_fail(sim, "replica %u is in sync and has lost generation %" PRIu64, replica->idx,
                     seal->generation);
    }
}

/* That targets were asked for, some before they serve. */
static uint32_t history_reverts(const struct sim *sim)
{
    uint32_t count = 0;
    for (int i = 0; i < SIM_TARGETS; i++) {
        for (const struct sim_op *op = sim->targets[i].ops; op; op = op->next)
            count += op->op.kind == REPL_COMMAND && op->op.command.kind == COMMAND_REVERT;
    }
    return count;
}

void history_check(struct sim *sim)
{
    const struct sim_replica *replica = NULL;
    if (sim->oracle.reverts_open && sim->served_epoch != sim->oracle.revert_epoch) {
        oracle_revert(sim);
        sim->oracle.reverts_open = history_reverts(sim);
    }
    sim->oracle.revert_epoch = sim->served_epoch;
    while ((replica = member_in_sync(sim, replica ? replica->idx + 1u : 0)) != NULL) {
        check_member(sim, replica, true);
        check_kept(sim, replica);
        check_rows(sim, replica);
    }
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        if (oracle_is_usable(&sim->replicas[i]))
            check_member(sim, &sim->replicas[i], false);
    }
}

void history_release(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->oracle.seal_count; i++)
        free(sim->oracle.seals[i]);
    free(sim->oracle.seals);
    free(sim->oracle.values);
}
