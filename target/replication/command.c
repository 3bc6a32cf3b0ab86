/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: one at a time, numbered, the same at every member. One that moves the head begins when
 * no write to the head is under way anywhere, and none begins until all have it: so what is sealed
 * is the same at all of them. After all have it, it is flushed, and only then told to its owner.
 * What an earlier target left half done is done at recovery, by asking for it who has it.
 */
#include "target/replication/parts.h"

#include <errno.h>
#include <string.h>

static bool command_moves_head(const struct repl_op *op)
{
    return op->command.kind == COMMAND_SEAL || op->command.kind == COMMAND_REVERT;
}

/* The operation that the next dispatch would be about. */
static const struct repl_op *command_next(const struct repl *repl)
{
    if (list_empty(&repl->writes) || !ops_can_write(repl))
        return NULL;
    return CONTAINER_OF(repl->writes.next, struct repl_op, node);
}

bool command_bars(const struct repl *repl)
{
    const struct repl_op *next = command_next(repl);
    if (repl->command_op)
        return command_moves_head(repl->command_op);
    /* Who must go before the command may itself wait for a copy. */
    return next && next->kind == REPL_COMMAND && !next->applied && command_moves_head(next) &&
           repl->torn_count == 0;
}

bool command_is_moving(const struct repl *repl)
{
    return repl->command_op && command_moves_head(repl->command_op);
}

/* It waits for what waits for space; others, that give some back, would wait behind it. */
bool command_is_hopeless(const struct repl *repl, const struct repl_op *op)
{
    if (op->kind != REPL_COMMAND || op->numbered || !command_moves_head(op) ||
        list_empty(&repl->retries))
        return false;
    return op_of(repl->retries.next)->error == -ENOSPC;
}

static uint64_t command_random(struct repl *repl)
{
    repl->random ^= repl->random << 13;
    repl->random ^= repl->random >> 7;
    repl->random ^= repl->random << 17;
    return repl->random;
}

void command_key(struct repl *repl)
{
    struct writer w = writer_of(repl->hash_key, HASH_KEY_BYTES);
    write_u64(&w, command_random(repl));
    write_u64(&w, command_random(repl));
    ASSERT(!w.bad);
}

/* One that was dispatched before the volume was opened anew keeps its number if it took effect. */
static void command_number(struct repl *repl, struct repl_op *op)
{
    const struct lineage *lineage = &repl->lineage;
    struct message_command *command = &op->command;
    if (op->numbered && uuid_equal(&command->identity, &lineage->command_identity))
        return;
    op->numbered = true;
    command->number = lineage->command + 1;
    if (command->kind == COMMAND_SEAL)
        command->generation = lineage->head_generation;
    struct writer w = writer_of(command->identity.bytes, UUID_BYTES);
    write_u64(&w, command_random(repl));
    write_u64(&w, repl->epoch << 32 ^ ++repl->serial);
    ASSERT(!w.bad);
}

bool command_lets(struct repl *repl, struct repl_op *op)
{
    bool is_command = op->kind == REPL_COMMAND && !op->applied;
    if (!is_command)
        return !command_is_moving(repl);
    /* C13 */
    if (repl->command_op ||
        (command_moves_head(op) && (!ops_head_quiet(repl) || !copies_head_quiet(repl) ||
                                    !scrub_head_quiet(repl) || repl->proposal.active)))
        return false;
    command_number(repl, op);
    repl->command_op = op;
    return true;
}

void command_forget(struct repl *repl, const struct repl_op *op)
{
    if (repl->command_op != op)
        return;
    repl->command_op = NULL;
    repl->unsettled = true;
}

/* Where its sender stands now. */
void command_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct lineage lineage;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    if (frame->status != FRAME_OK)
        return;
    lineage_decode(&r, &lineage);
    if (r.bad)
        return;
    repl->peers[peer].opened.lineage = lineage;
    repl->unsettled = true;
    const struct repl_op *op = repl->command_op;
    if (op && lineage.command == op->command.number &&
        uuid_equal(&lineage.command_identity, &op->command.identity))
        repl->next_lineage = lineage;
}

void command_applied(struct repl *repl, struct repl_op *op)
{
    ASSERT(repl->command_op == op && repl->next_lineage.command == op->command.number);
    repl->lineage = repl->next_lineage;
    repl->command_op = NULL;
    repl->unsettled = true;
    op->applied = true;
    list_remove(&op->node);
}

bool command_known(const struct repl *repl, const struct lineage *lineage)
{
    const struct repl_op *op = repl->command_op;
    return lineage_same(lineage, &repl->lineage) ||
           (op && lineage->command == op->command.number &&
            uuid_equal(&lineage->command_identity, &op->command.identity));
}

/* ---- recovery ---- */

static void relay_ask(struct repl *repl, uint8_t peers, uint8_t type)
{
    struct relay *relay = &repl->relay;
    struct control *control = control_push(repl, REPL_DO_SEND, peers);
    relay->serial = ++repl->serial;
    relay->sent_ns = repl->now_ns;
    relay->waiting = peers;
    control->type = type;
    control->request = request_of(relay->serial, SLOT_RELAY);
    if (type == FRAME_COMMAND)
        control->body = slice_ref(&relay->body);
}

void relay_end(struct repl *repl)
{
    slice_release(&repl->relay.body);
    repl->relay = (struct relay){0};
}

static uint64_t relay_newest(const struct repl *repl, uint8_t *newest)
{
    uint64_t command = 0;
    *newest = 0;
    for (uint8_t set = repl->in_sync; set; set &= (uint8_t)(set - 1)) {
        uint8_t peer = first_of(set);
        uint64_t number = repl->peers[peer].opened.lineage.command;
        if (number > command)
            *newest = 0;
        if (number >= command)
            *newest |= bit_of(peer), command = number;
    }
    return command;
}

/* Members whose book cannot be brought to the newest by one command. */
static uint8_t relay_strangers(const struct repl *repl, uint8_t newest)
{
    const struct lineage *lineage = &repl->peers[first_of(newest)].opened.lineage;
    uint8_t strangers = 0;
    for (uint8_t set = repl->in_sync; set; set &= (uint8_t)(set - 1)) {
        uint8_t peer = first_of(set);
        const struct lineage *other = &repl->peers[peer].opened.lineage;
        if (!lineage_same(other, lineage) && other->command + 1 != lineage->command)
            strangers |= bit_of(peer);
    }
    return strangers;
}

/* A member in sync may have sealed something while it was to be dropped, as incomplete (C14). */
bool relay_strays(struct repl *repl)
{
    uint8_t set = without(repl->in_sync & repl->attached, repl->doomed);
    for (; set && !repl->relay.waiting; set &= (uint8_t)(set - 1)) {
        const struct lineage *lineage = &repl->peers[first_of(set)].opened.lineage;
        if (lineage->incomplete_generation == 0)
            continue;
        relay_ask(repl, bit_of(first_of(set)), FRAME_SETTLE);
        control_last(repl)->generation = lineage->incomplete_generation;
    }
    return repl->relay.waiting != 0;
}

bool relay_settle(struct repl *repl)
{
    uint8_t newest;
    uint64_t command = relay_newest(repl, &newest);
    uint8_t behind = without(repl->in_sync, newest);
    uint8_t strangers = relay_strangers(repl, newest);
    if (repl->relay.waiting)
        return false;
    if (strangers) {
        for (uint8_t set = strangers; set; set &= (uint8_t)(set - 1))
            repl->peers[first_of(set)].why = "its book is another one";
        repl->doomed |= strangers;
        repl->unsettled = true;
        return false;
    }
    if (!behind && relay_strays(repl))
        return false;
    if (!behind) {
        relay_end(repl);
        repl->lineage = repl->peers[first_of(newest)].opened.lineage;
        return true;
    }
    if (repl->relay.body.length_bytes > 0 && repl->relay.command == command)
        relay_ask(repl, behind, FRAME_COMMAND);
    else
        relay_ask(repl, bit_of(first_of(newest)), FRAME_LAST_COMMAND);
    return false;
}

static void relay_take(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct relay *relay = &repl->relay;
    struct message_command command;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_command_decode(&r, &command);
    const struct lineage *lineage = &repl->peers[peer].opened.lineage;
    if (r.bad || command.number != lineage->command ||
        !uuid_equal(&command.identity, &lineage->command_identity)) {
        peer_lose(repl, peer, true, "it does not know its last command");
        return;
    }
    slice_release(&relay->body);
    relay->body = slice_get(repl->bufs, frame->body_bytes);
    memcpy(relay->body.bytes, frame->body, frame->body_bytes);
    relay->command = command.number;
}

void relay_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct relay *relay = &repl->relay;
    if (!(relay->waiting & bit_of(peer)) || frame->request != request_of(relay->serial, SLOT_RELAY))
        return;
    relay->waiting = without(relay->waiting, bit_of(peer));
    repl->unsettled = true;
    if (frame->status != FRAME_OK)
        peer_lose(repl, peer, true, "it refused a command");
    else if (frame->type == FRAME_LAST_COMMAND)
        relay_take(repl, peer, frame);
    else
        command_answer(repl, peer, frame);
}

void relay_lost(struct repl *repl, uint8_t peers)
{
    repl->relay.waiting = without(repl->relay.waiting, peers);
}
