/* SPDX-License-Identifier: Apache-2.0 */
/* A target host: the real replication core, and the clients that work on the volume through it. */
#include "tests/sim/white.h"

#include "target/replication/state.h"

#include <errno.h>
#include <stdlib.h>

static void target_timer(struct sim *sim, struct sim_event *event)
{
    struct sim_target *target = &sim->targets[event->x];
    if (target->timer_serial != event->y || !target->repl)
        return;
    target->timer_ns = SIM_NEVER;
    target_event(sim, (uint8_t)event->x, &(struct repl_event){.kind = REPL_EV_TICK});
}

static void target_set_timer(struct sim *sim, uint8_t idx)
{
    struct sim_target *target = &sim->targets[idx];
    uint64_t deadline_ns = repl_deadline_ns(target->repl);
    if (deadline_ns >= target->timer_ns)
        return;
    target->timer_ns = deadline_ns > sim->now_ns ? deadline_ns : sim->now_ns;
    /* A busy process is late: other events come first. */
    if (sim_chance(sim, 2000))
        target->timer_ns += sim_below(sim, 20 * SIM_MS);
    sim_at(sim, target->timer_ns, target_timer, NULL, idx, ++target->timer_serial);
}

static void target_unlink(struct sim_target *target, struct sim_op *op)
{
    struct sim_op **at = &target->ops;
    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    target->op_count--;
}

static void target_read_done(struct sim *sim, struct sim_op *op)
{
    bool counts = op->op.status == 0;
    if (counts && op->op.generation)
        history_read(sim, op);
    for (uint32_t i = 0; counts && !op->op.generation && i < op->count; i++)
        oracle_read(sim, op->block + i, sim_payload_id(&op->op.data, i), op->start_ns);
}

static void target_done(struct sim *sim, struct sim_target *target, struct sim_op *op)
{
    target_unlink(target, op);
    white_check_done(sim, target, op);
    sim->done_ops++;
    switch (op->op.kind) {
    case REPL_READ:
        target_read_done(sim, op);
        break;
    case REPL_WRITE:
    case REPL_UPDATE:
    case REPL_ZERO:
        oracle_written(sim, op->write_idx, op->op.status);
        break;
    case REPL_FLUSH:
        if (op->op.status == 0)
            oracle_flushed(sim, op->start_ns);
        break;
    case REPL_COMMAND:
        history_end(sim, op, op->op.status == 0);
        break;
    case REPL_DIFF:
    case REPL_BOOK:
    case REPL_DIGEST:
    case REPL_SPACE:
        break;
    }
    slice_release(&op->op.data);
    free(op);
}

uint8_t target_bit(const struct sim_target *target, uint32_t replica)
{
    uint8_t peer = target->peer_of[replica];
    return (uint8_t)(peer == REPL_NO_PEER ? 0 : 1u << peer);
}

static void target_send(struct sim *sim, struct sim_target *target,
                        const struct repl_effect *effect)
{
    white_check_sent(sim, target->repl, effect);
    if (effect->frame.type == FRAME_LEASE)
        faults_asked(sim, (uint8_t)(target - sim->targets));
    uint8_t peers = effect->peers;
    if (effect->frame.type == FRAME_COMMAND)
        peers = faults_commanded(sim, (uint8_t)(target - sim->targets), peers);
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        if ((peers & target_bit(target, i)) && target->conns[i])
            net_to_replica(sim, target->conns[i], &effect->frame);
    }
}

static void target_close(struct sim *sim, struct sim_target *target, uint8_t peers)
{
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        if (!(peers & target_bit(target, i)) || !target->conns[i])
            continue;
        net_to_replica(sim, target->conns[i], &(struct frame){.type = FRAME_CLOSE});
        net_close_by_target(sim, target->conns[i]);
    }
}

/* The size never shrinks, in whatever order targets hear of it. */
static void target_committed(struct sim *sim, const struct config *config)
{
    bool newer = config_compare(config, &sim->committed) > 0;
    if (newer ? config->size_bytes < sim->committed.size_bytes
              : config->size_bytes > sim->committed.size_bytes)
        sim_fail(sim, "a committed size shrinks");
    if (newer)
        sim->committed = *config;
}

static void target_release(struct sim *sim, struct sim_target *target, uint8_t peers)
{
    target_close(sim, target, peers);
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        if (peers & target_bit(target, i))
            target->peer_of[i] = REPL_NO_PEER;
    }
}

static void target_effect(struct sim *sim, uint8_t idx, struct repl_effect *effect,
                          struct list *merging)
{
    struct sim_target *target = &sim->targets[idx];
    switch (effect->kind) {
    case REPL_DO_SEND:
        target_send(sim, target, effect);
        break;
    case REPL_DO_CLOSE:
        target_close(sim, target, effect->peers);
        break;
    case REPL_DO_MERGE:
        list_append(merging, &effect->op->node);
        break;
    case REPL_DO_COMPLETE:
        target_done(sim, target, CONTAINER_OF(effect->op, struct sim_op, op));
        break;
    case REPL_DO_SAY:
        sim_trace(sim, "target %u: %s", idx, effect->text);
        break;
    case REPL_DO_CONFIG:
        target_committed(sim, repl_config(target->repl));
        white_check_commit(sim, target);
        break;
    case REPL_DO_RELEASE:
        target_release(sim, target, effect->peers);
        break;
    case REPL_DO_SPACE_LOW:
        break;
    case REPL_DO_FENCED:
        target->fenced = true;
        target->issue = false;
        break;
    case REPL_DO_CACHE_LOST:
        oracle_cache_lost(sim);
        break;
    case REPL_DO_STOPPED:
        target->stopped = true;
        break;
    }
}

static void target_merge(struct sim *sim, uint8_t idx, struct sim_op *op)
{
    uint64_t ids[SIM_OP_BLOCKS];
    (void)idx;
    for (uint32_t i = 0; i < op->count; i++) {
        oracle_read(sim, op->block + i, sim_payload_id(&op->op.data, i), op->start_ns);
        ids[i] = op->write_idx + 1;
    }
    slice_release(&op->op.data);
    op->op.data = sim_payload(sim, ids, op->count);
}

static void target_drain(struct sim *sim, uint8_t idx, struct list *merging)
{
    struct sim_target *target = &sim->targets[idx];
    struct repl_effect effect;
    struct repl_status status;
    while (repl_next(target->repl, &effect))
        target_effect(sim, idx, &effect, merging);
    repl_check(target->repl);
    const struct proposal *proposal = &target->repl->proposal;
    if (proposal->active && proposal->config.version != target->proposed) {
        target->proposed = proposal->config.version;
        faults_proposed(sim, idx);
    }
    repl_status(target->repl, &status);
    bool serves = status.state == REPL_SERVING || status.state == REPL_FROZEN;
    if (serves && sim->served_epoch < status.epoch)
        sim->served_epoch = status.epoch;
}

void target_event(struct sim *sim, uint8_t idx, const struct repl_event *event)
{
    struct sim_target *target = &sim->targets[idx];
    struct repl_event timed = *event;
    struct list merging;
    struct list *node;
    if (!target->repl)
        return;
    list_init(&merging);
    timed.now_ns = sim->now_ns;
    repl_step(target->repl, &timed);
    target_drain(sim, idx, &merging);
    while ((node = list_pop(&merging)) != NULL) {
        struct repl_op *op = CONTAINER_OF(node, struct repl_op, node);
        target_merge(sim, idx, CONTAINER_OF(op, struct sim_op, op));
        repl_step(target->repl,
                  &(struct repl_event){
                      .kind = REPL_EV_MERGED, .now_ns = sim->now_ns, .op = op, .write = true});
        target_drain(sim, idx, &merging);
    }
    target_set_timer(sim, idx);
}

static struct sim_op *target_op(struct sim *sim, uint8_t idx, enum repl_op_kind kind)
{
    struct sim_target *target = &sim->targets[idx];
    struct sim_op *op = calloc(1, sizeof(*op));
    ASSERT(op);
    op->op.kind = kind;
    op->op.peer = REPL_ANY_PEER;
    op->write_idx = UINT32_MAX;
    op->target = idx;
    op->start_ns = sim->now_ns;
    op->next = target->ops;
    target->ops = op;
    target->op_count++;
    return op;
}

void target_issue(struct sim *sim, uint8_t idx, enum repl_op_kind kind, uint32_t block,
                  uint32_t count)
{
    struct sim_op *op = target_op(sim, idx, kind);
    op->block = block;
    op->count = count;
    if (kind == REPL_READ && sim->commands && sim_chance(sim, 2000))
        op->op.generation = history_pick(sim);
    op->op.fua = kind != REPL_READ && kind != REPL_FLUSH && sim_chance(sim, 1000);
    op->op.offset_bytes = (uint64_t)block * BLOCK_BYTES;
    op->op.length_bytes = (uint64_t)count * BLOCK_BYTES;
    if (kind == REPL_WRITE || kind == REPL_UPDATE || kind == REPL_ZERO)
        op->write_idx = oracle_write(sim, block, count, kind == REPL_ZERO, op->op.fua);
    if (kind == REPL_WRITE) {
        uint64_t ids[SIM_OP_BLOCKS];
        for (uint32_t i = 0; i < count; i++)
            ids[i] = op->write_idx + 1;
        op->op.data = sim_payload(sim, ids, count);
    }
    target_event(sim, idx, &(struct repl_event){.kind = REPL_EV_SUBMIT, .op = &op->op});
}

/* Generations there will be when all commands under way are done, at most: the model of a replica's
 * disk has room for so many. */
static uint32_t target_generations(struct sim *sim, uint8_t idx)
{
    uint32_t count = history_count(sim);
    for (const struct sim_op *op = sim->targets[idx].ops; op; op = op->next)
        count += op->op.kind == REPL_COMMAND &&
                 (op->op.command.kind == COMMAND_SEAL || op->op.command.kind == COMMAND_REVERT);
    return count;
}

/* A command of any kind, most with a row. */
static void target_command(struct sim *sim, uint8_t idx)
{
    uint64_t generation = history_pick(sim);
    enum command_kind kind = COMMAND_SET;
    uint64_t draw = sim_below(sim, 10);
    bool room = target_generations(sim, idx) < SIM_GENERATIONS;
    if (draw < 4 && room)
        kind = COMMAND_SEAL;
    else if (draw < 6 && generation)
        kind = COMMAND_DROP;
    else if (draw < 7 && generation && sim->reverts && room)
        kind = COMMAND_REVERT;
    struct sim_op *op = target_op(sim, idx, REPL_COMMAND);
    struct message_command *command = &op->op.command;
    command->kind = kind;
    command->generation = kind == COMMAND_SET || kind == COMMAND_SEAL ? 0 : generation;
    if (kind == COMMAND_SET || sim_chance(sim, 5000)) {
        command->key[0] = 'r';
        command->key[1] = (char)('0' + sim_below(sim, SIM_ROWS));
    }
    history_begin(sim, op);
    target_event(sim, idx, &(struct repl_event){.kind = REPL_EV_SUBMIT, .op = &op->op});
}

/* Questions that change nothing; what is answered is judged by shape alone. */
static void target_ask(struct sim *sim, uint8_t idx)
{
    struct sim_op *op = target_op(sim, idx, sim_chance(sim, 5000) ? REPL_DIFF : REPL_BOOK);
    op->op.generation = op->op.kind == REPL_DIFF ? history_pick(sim) : 0;
    op->op.length_bytes = repl_config(sim->targets[idx].repl)->size_bytes;
    target_event(sim, idx, &(struct repl_event){.kind = REPL_EV_SUBMIT, .op = &op->op});
}

static void target_think(struct sim *sim, struct sim_event *event)
{
    struct sim_target *target = &sim->targets[event->x];
    if (target->life != event->y || !target->issue)
        return;
    target_work(sim, (uint8_t)event->x);
    sim_after(sim, sim_below(sim, 6000) * SIM_US, target_think, NULL, event->x, event->y);
}

void target_work(struct sim *sim, uint8_t idx)
{
    static const uint32_t spots[SIM_SPOTS] = {0, 1024 - 9, SIM_BLOCKS - SIM_SPOT_BLOCKS};
    static const enum repl_op_kind kinds[] = {REPL_READ,  REPL_READ,  REPL_READ,  REPL_WRITE,
                                              REPL_WRITE, REPL_WRITE, REPL_WRITE, REPL_UPDATE,
                                              REPL_ZERO,  REPL_FLUSH};
    /* While writes wait, there are always some who only read. */
    bool reads = sim->targets[idx].op_count >= SIM_CLIENT_OPS;
    if (sim->targets[idx].op_count >= SIM_CLIENT_OPS + SIM_READER_OPS)
        return;
    if (sim->commands && sim_chance(sim, 300)) {
        target_command(sim, idx);
        return;
    }
    if (sim->commands && sim_chance(sim, 100)) {
        target_ask(sim, idx);
        return;
    }
    uint32_t count = reads ? 1 : 1 + (uint32_t)sim_below(sim, SIM_OP_BLOCKS);
    uint32_t block =
        spots[sim_below(sim, SIM_SPOTS)] + (uint32_t)sim_below(sim, SIM_SPOT_BLOCKS - count + 1);
    if ((block + count) * (uint64_t)BLOCK_BYTES > repl_config(sim->targets[idx].repl)->size_bytes)
        block %= SIM_SPOT_BLOCKS - count + 1;
    enum repl_op_kind kind = kinds[sim_below(sim, ARRAY_COUNT(kinds))];
    target_issue(sim, idx, reads ? REPL_READ : kind, block, count);
}

void target_start(struct sim *sim, uint8_t idx)
{
    struct sim_target *target = &sim->targets[idx];
    ASSERT(!target->repl);
    struct repl_settings settings = sim->settings;
    /* The process before on this host, if its lock's file is still there. */
    if (sim_chance(sim, 5000))
        settings.dead = target->uuid;
    *target = (struct sim_target){.life = ++sim->uuids, .uuid = sim_uuid(sim), .issue = true};
    settings.budget = &target->budget;
    target->timer_ns = SIM_NEVER;
    target->timer_serial = target->life << 32;
    sim_trace(sim, "target %u: starts", idx);
    target->repl = repl_new(&sim->config, &target->uuid, &settings, &sim->bufs, sim_random(sim));
    for (uint8_t i = 0; i < sim->replica_count; i++)
        target->peer_of[i] = REPL_NO_PEER;
    for (uint8_t i = 0; i < sim->replica_count; i++)
        net_connect(sim, idx, i);
    sim_after(sim, 0, target_think, NULL, idx, target->life);
}

void target_kill(struct sim *sim, uint8_t idx)
{
    struct sim_target *target = &sim->targets[idx];
    if (!target->repl)
        return;
    sim_trace(sim, "target %u: killed", idx);
    repl_free(target->repl);
    target->repl = NULL;
    target->issue = false;
    target->life = ++sim->uuids;
    net_target_gone(sim, idx);
    while (target->ops) {
        struct sim_op *op = target->ops;
        target_unlink(target, op);
        if (op->write_idx != UINT32_MAX)
            oracle_written(sim, op->write_idx, -ESHUTDOWN);
        if (op->op.kind == REPL_COMMAND)
            history_end(sim, op, false);
        slice_release(&op->op.data);
        free(op);
    }
}

void target_unlimit(struct sim *sim, uint8_t idx)
{
    sim->targets[idx].repl->settings.resync_bytes_per_s = 0;
}

void target_stop(struct sim *sim, uint8_t idx)
{
    sim->targets[idx].issue = false;
    target_event(sim, idx, &(struct repl_event){.kind = REPL_EV_STOP});
}

int target_serving(const struct sim *sim)
{
    int best = -1;
    uint64_t best_epoch = 0;
    for (int i = 0; i < SIM_TARGETS; i++) {
        struct repl_status status;
        if (!sim->targets[i].repl || sim->targets[i].fenced || sim->targets[i].stopped)
            continue;
        repl_status(sim->targets[i].repl, &status);
        bool serves = status.state == REPL_SERVING || status.state == REPL_FROZEN;
        if (serves && status.epoch > best_epoch) {
            best = i;
            best_epoch = status.epoch;
        }
    }
    return best;
}
