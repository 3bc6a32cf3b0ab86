/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a client's operation: locked, dispatched (dispatch.c), answered, done. */
#include "target/replication/parts.h"

#include <errno.h>
#include <string.h>

bool ops_can_write(const struct repl *repl)
{
    uint8_t needed = required(repl);
    return repl->phase == PHASE_SERVE && count_of(repl->in_sync) >= repl->config.min_in_sync &&
           without(needed, repl->attached) == 0 && (needed & repl->doomed) == 0;
}

bool ops_head_quiet(const struct repl *repl)
{
    LIST_FOR_EACH (node, &repl->inflight) {
        const struct repl_op *op = op_of(node);
        if (op_locks(op) && !op_reads(op))
            return false;
    }
    return repl->torn_count == 0;
}

uint32_t ops_outstanding(const struct repl *repl)
{
    return REPL_OPS_MAX - repl->free_count;
}

/* C4 */
uint8_t op_sources(const struct repl *repl, const struct repl_op *op)
{
    bool of_one = op->kind >= REPL_DIGEST && op->peer != REPL_ANY_PEER;
    if (of_one)
        return without(repl->up & bit_of(op->peer), op->failed);
    uint8_t usable = repl->in_sync & repl->attached & repl->readable;
    if (op_undo_reads(op))
        usable &= op->refused;
    return without(usable, repl->doomed | op->failed);
}

/* To be dispatched, as soon as its range is granted. */
static void op_ready(struct repl *repl, struct repl_op *op)
{
    list_remove(&op->node);
    if (op_locks(op) && !range_lock_granted(&op->range)) {
        op->phase = OP_LOCKING;
        return;
    }
    op->phase = OP_READY;
    if (op->applied || (op->torn && !op_reads(op)))
        list_prepend(&repl->writes, &op->node);
    else
        list_append(op_reads(op) ? &repl->reads : &repl->writes, &op->node);
}

/* Nothing of it is under way any more. */
static void op_unhold(struct repl *repl, struct repl_op *op)
{
    if (op_locks(op) && op->range.held)
        range_lock_unhold(&repl->lock, &op->range);
}

/* What was under way of it came to nothing, or was the first half. */
static void op_again(struct repl *repl, struct repl_op *op)
{
    op_unhold(repl, op);
    op_ready(repl, op);
}

void op_granted(void *arg, struct repl_range *range)
{
    struct repl *repl = arg;
    if (range == &repl->scrub.range) {
        scrub_granted(repl);
        return;
    }
    if (range->internal) {
        copy_granted(repl, CONTAINER_OF(range, struct copy, range));
        return;
    }
    struct repl_op *op = CONTAINER_OF(range, struct repl_op, range);
    if (op->phase == OP_LOCKING)
        op_ready(repl, op);
}

void op_waits(void *arg, struct repl_range *range)
{
    struct repl *repl = arg;
    ASSERT(!range->internal);
    struct repl_op *op = CONTAINER_OF(range, struct repl_op, range);
    if (op->phase == OP_READY)
        op_ready(repl, op);
}

void op_done(struct repl *repl, struct repl_op *op, int status)
{
    ASSERT(op->phase != OP_DONE && repl->slots[op->slot] == op);
    if (op->phase != OP_LOCKING && op->phase != OP_MERGING)
        list_remove(&op->node);
    repl->resend_count -= op->resend != 0;
    op->resend = 0;
    repl->torn_count -= op->torn;
    op->torn = false;
    slice_release(&op->before);
    op->phase = OP_DONE;
    op->status = status;
    if (op_locks(op))
        range_lock_release(&repl->lock, &op->range);
    command_forget(repl, op);
    repl->slots[op->slot] = NULL;
    repl->free_slots[repl->free_count++] = op->slot;
    list_append(&repl->done, &op->node);
    if (repl->stopping && ops_outstanding(repl) == 0)
        repl->unsettled = true;
}

void op_submit(struct repl *repl, struct repl_op *op)
{
    ASSERT(repl->free_count > 0);
    op->slot = repl->free_slots[--repl->free_count];
    repl->slots[op->slot] = op;
    op->sent = op->answered = op->failed = op->full = op->resend = 0;
    op->merged = op->numbered = op->applied = op->torn = op->undone = false;
    op->refused = op->unsure = 0;
    op->before = (struct slice){0};
    op->error = 0;
    op->serial = 0;
    list_init(&op->node);
    if (op->kind == REPL_FLUSH) {
        op_ready(repl, op);
        if (repl->cache_lost_flush)
            op_done(repl, op, -EIO);
        repl->cache_lost_flush = false;
        return;
    }
    if (!op_locks(op)) {
        op_ready(repl, op);
        if (op_asks(op) && op->peer != REPL_ANY_PEER && !op_sources(repl, op))
            op_done(repl, op, -ENOTCONN);
        return;
    }
    ASSERT(op->length_bytes > 0 && op->length_bytes % BLOCK_BYTES == 0 &&
           op->offset_bytes % BLOCK_BYTES == 0);
    ASSERT(op->kind == REPL_ZERO || op->length_bytes <= PAYLOAD_BYTES_MAX);
    op->range = (struct repl_range){
        .begin_bytes = op->offset_bytes,
        .end_bytes = op->offset_bytes + op->length_bytes,
        .exclusive = op->kind != REPL_READ,
    };
    range_lock_claim(&repl->lock, &op->range);
    op_ready(repl, op);
}

void op_merged(struct repl *repl, struct repl_op *op, bool write)
{
    ASSERT(op->kind == REPL_UPDATE && op->phase == OP_MERGING);
    list_init(&op->node);
    if (!write || repl->phase >= PHASE_FENCED) {
        op_done(repl, op, write ? -ESHUTDOWN : op->status);
        return;
    }
    ASSERT(op->data.length_bytes == op->length_bytes);
    op->merged = true;
    op_ready(repl, op);
}

/* Nobody can do it now. */
void op_retry_later(struct repl *repl, struct repl_op *op)
{
    repl->resend_count -= op->resend != 0;
    op->resend = 0;
    op->phase = OP_RETRYING;
    if (op_locks(op) && !op_reads(op)) {
        repl->torn_count += !op->torn;
        op->torn = true;
    }
    op_unhold(repl, op);
    command_forget(repl, op);
    list_remove(&op->node);
    list_append(&repl->retries, &op->node);
    if (repl->retry_ns == REPL_NEVER_NS)
        repl->retry_ns = repl->now_ns + REPL_SECOND_NS;
    /* Until it is repeated, the members may differ where it went. */
    checkpoint_void(repl);
}

/* What was read may be told. */
static void op_was_read(struct repl *repl, struct repl_op *op)
{
    if (op->kind == REPL_READ) {
        op_done(repl, op, 0);
        return;
    }
    list_remove(&op->node);
    op->phase = OP_MERGE;
    op_unhold(repl, op);
    list_append(&repl->merges, &op->node);
}

void ops_leased(struct repl *repl)
{
    while (!list_empty(&repl->leasing))
        op_was_read(repl, op_of(repl->leasing.next));
}

/* ---- answers ---- */

static int errno_of(uint32_t status)
{
    switch (status) {
    case FRAME_NO_SPACE:
    case FRAME_NO_MORE_SPACE:
        return -ENOSPC;
    case FRAME_ABSENT:
        return -ENOENT;
    case FRAME_INVALID:
        return -EINVAL;
    default:
        return -EIO;
    }
}

/* Every member that counts failed it. */
static void op_failed_by_all(struct repl *repl, struct repl_op *op)
{
    bool untouched = op_undo_wanted(repl, op, required(repl));
    uint8_t targets = without(op->sent & repl->attached, required(repl));
    bool is_command = op->kind == REPL_COMMAND;
    bool impossible = is_command && (op->error == -ENOENT || op->error == -EINVAL);
    bool ends = impossible || untouched || (count_of(required(repl)) == 1 && op->error != -ENOSPC);
    /* They may hold what no one that counts does. */
    for (; (ends || is_command) && targets; targets &= (uint8_t)(targets - 1))
        peer_back_off(repl, first_of(targets), "a write failed in part");
    if (ends) {
        op_done(repl, op, untouched ? -ENOSPC : op->error);
        return;
    }
    if (!op->torn)
        say(repl, true, "every replica in sync refused a write (%s): trying again each second",
            op->error == -ENOSPC ? "no space left" : "disk error");
    op_retry_later(repl, op);
}

/* Without those whose disks are full there would be too few. What needs no space goes on with them,
 * what gives some back above all. */
static bool op_waits_for_space(const struct repl *repl, const struct repl_op *op, uint8_t failed)
{
    uint8_t others = without(repl->in_sync & repl->attached, repl->doomed | failed);
    return op->kind != REPL_COMMAND && without(failed, op->full) == 0 &&
           count_of(others) < repl->config.min_in_sync;
}

static void op_lacks_space(struct repl *repl, struct repl_op *op, uint8_t failed)
{
    if (op_undo_wanted(repl, op, failed)) {
        op_undo_begin(repl, op);
        op_again(repl, op);
        return;
    }
    if (!op->torn)
        say(repl, true, "too few replicas have space for a write: trying again each second");
    op_retry_later(repl, op);
}

/* Who was dropped because it does not hold everything was one too many. */
static bool op_has_too_few(const struct repl *repl, const struct repl_op *op)
{
    return op->kind != REPL_COMMAND && count_of(repl->in_sync) < repl->config.min_in_sync;
}

/* C1 */
static void op_review(struct repl *repl, struct repl_op *op)
{
    uint8_t counting = required(repl);
    uint8_t needed = counting | (op->sent & repl->attached);
    if (op->phase != OP_SENT || op_reads(op) || without(needed, op->answered))
        return;
    uint8_t failed = op_undo_failed(op, op->failed & counting);
    if (failed == 0 && op->kind == REPL_COMMAND && !op->applied) {
        command_applied(repl, op);
        op_ready(repl, op);
        return;
    }
    if (failed == 0) {
        if (op_has_too_few(repl, op))
            op_retry_later(repl, op);
        else
            op_done(repl, op, op->undone ? -ENOSPC : 0);
        return;
    }
    if (failed == counting) {
        op_failed_by_all(repl, op);
        return;
    }
    if (op_waits_for_space(repl, op, failed)) {
        op_lacks_space(repl, op, failed);
        return;
    }
    repl->unsettled = repl->unsettled || without(failed, repl->doomed);
    repl->doomed |= failed;
}

/* False when the reply does not make sense. */
static bool op_take_body(struct repl *repl, struct repl_op *op, const struct frame *frame)
{
    if (op->kind == REPL_DIFF &&
        (frame->length_bytes == 0 || frame->length_bytes > op->length_bytes))
        return false;
    op->covered_bytes = frame->length_bytes;
    op->data = slice_get(repl->bufs, frame->body_bytes);
    memcpy(op->data.bytes, frame->body, frame->body_bytes);
    op_done(repl, op, 0);
    return true;
}

/* Nobody else will say otherwise: a generation that no member has, or a question to one alone. */
static bool op_is_refused(const struct repl_op *op)
{
    bool absent = op->error == -ENOENT || op->error == -EINVAL;
    return (absent && (op->generation != 0 || op_asks(op))) ||
           (op->kind >= REPL_DIGEST && op->peer != REPL_ANY_PEER);
}

static void op_answer_read(struct repl *repl, uint8_t peer, struct repl_op *op,
                           const struct frame *frame)
{
    repl->peers[peer].reads--;
    op->sent = 0;
    if (op_asks(op) && frame->status == FRAME_OK && op_take_body(repl, op, frame))
        return;
    if (!op_asks(op) && frame->status == FRAME_OK &&
        frame->payload.length_bytes == op->length_bytes) {
        if (op->failed)
            copy_repair(repl, &(struct repair){op->generation, op->offset_bytes, op->length_bytes,
                                               op->failed});
        op->failed = 0;
        if (op->undone) {
            op_undo_read(op, &frame->payload);
            op_again(repl, op);
            return;
        }
        op->data = slice_ref(&frame->payload);
        if (leases_hold(repl)) {
            op_was_read(repl, op);
            return;
        }
        list_remove(&op->node);
        op->phase = OP_LEASING;
        list_append(&repl->leasing, &op->node);
        leases_want(repl);
        return;
    }
    if (frame->status == FRAME_BUSY)
        repl->readable = without(repl->readable, bit_of(peer));
    else
        op->failed |= bit_of(peer);
    op->error = errno_of(frame->status);
    list_remove(&op->node);
    if (op_sources(repl, op)) {
        op_again(repl, op);
    } else if (without(repl->in_sync, op->failed) == 0 || op_is_refused(op)) {
        op_done(repl, op, op_is_refused(op) ? op->error : -EIO);
    } else {
        op_retry_later(repl, op);
    }
}

void op_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    uint32_t slot = frame->request & ((1u << SLOT_BITS) - 1);
    struct repl_op *op = slot < REPL_OPS_MAX ? repl->slots[slot] : NULL;
    uint8_t bit = bit_of(peer);
    /* C5 */
    if (!op || op->phase != OP_SENT || frame->request != request_of(op->serial, slot) ||
        !(op->sent & bit) || (op->answered & bit))
        return;
    if (op_reads(op)) {
        op_answer_read(repl, peer, op, frame);
        return;
    }
    if (required(repl) & bit)
        pace_learn(repl, peer, op);
    op->answered |= bit;
    if (frame->type == FRAME_COMMAND)
        command_answer(repl, peer, frame);
    if (frame->status != FRAME_OK) {
        op->failed |= bit;
        op->error = errno_of(frame->status);
        op->full |= op->error == -ENOSPC ? bit : 0;
        if (!op->undone && frame->status == FRAME_NO_SPACE)
            op->refused |= without(bit, op->unsure);
        repl->peers[peer].why = peer_refusal(frame->status);
        if (!(required(repl) & bit))
            peer_back_off(repl, peer, peer_refusal(frame->status));
    }
    op_review(repl, op);
}

/* ---- what happens to peers ---- */

void ops_lost(struct repl *repl, uint8_t peers)
{
    LIST_FOR_EACH_SAFE (node, &repl->inflight) {
        struct repl_op *op = op_of(node);
        uint8_t had = op->sent & peers;
        if (!had)
            continue;
        op->sent = without(op->sent, peers);
        repl->resend_count -= op->resend != 0;
        op->resend = without(op->resend, peers);
        repl->resend_count += op->resend != 0;
        if (!op_reads(op)) {
            op->unsure |= without(had, op->answered);
            continue;
        }
        op_again(repl, op);
    }
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (peers & bit_of(peer))
            repl->peers[peer].reads = 0;
    }
}

void questions_lost(struct repl *repl, uint8_t peers)
{
    for (uint32_t slot = 0; slot < REPL_OPS_MAX; slot++) {
        struct repl_op *op = repl->slots[slot];
        bool of_one = op && op->kind >= REPL_DIGEST && op->peer != REPL_ANY_PEER;
        if (of_one && (peers & bit_of(op->peer)))
            op_done(repl, op, -ENOTCONN);
    }
}

void ops_forget(struct repl *repl, uint8_t peer)
{
    for (uint32_t slot = 0; slot < REPL_OPS_MAX; slot++) {
        struct repl_op *op = repl->slots[slot];
        if (!op)
            continue;
        op->answered = without(op->answered, bit_of(peer));
        op->failed = without(op->failed, bit_of(peer));
        op->refused = without(op->refused, bit_of(peer));
        op->unsure = without(op->unsure, bit_of(peer));
    }
}

void op_read_elsewhere(struct repl *repl, struct repl_op *op)
{
    if (!without(op_sources(repl, op), repl->tardy))
        return;
    repl->peers[first_of(op->sent)].reads--;
    op->sent = 0;
    op_again(repl, op);
}

/* What a target is given may be what it had refused. */
static void ops_unrefuse(struct repl *repl, uint8_t peer)
{
    for (uint32_t slot = 0; slot < REPL_OPS_MAX; slot++) {
        if (repl->slots[slot])
            repl->slots[slot]->refused = without(repl->slots[slot]->refused, bit_of(peer));
    }
}

void ops_resend(struct repl *repl, uint8_t peer)
{
    if (!(required(repl) & bit_of(peer)))
        ops_unrefuse(repl, peer);
    LIST_FOR_EACH (node, &repl->inflight) {
        struct repl_op *op = op_of(node);
        uint8_t bit = bit_of(peer);
        if (op_reads(op))
            continue;
        op->sent |= bit;
        /* A command may be lost with the member's memory, though no write was. */
        bool forgotten = op->kind == REPL_COMMAND && !op->applied;
        if (!forgotten && (required(repl) & bit) && (op->answered & ~op->failed & bit))
            continue;
        op->answered = without(op->answered, bit);
        op->failed = without(op->failed, bit);
        op->refused = without(op->refused, op->undone ? 0 : bit);
        repl->resend_count += op->resend == 0;
        op->resend |= bit;
    }
}

void ops_review(struct repl *repl)
{
    LIST_FOR_EACH_SAFE (node, &repl->inflight)
        op_review(repl, op_of(node));
}

/* What somebody may have done of it recovery may give to everybody. */
static void op_unsettle(struct repl *repl, struct repl_op *op)
{
    if (op->torn || (op->phase == OP_SENT && !op_reads(op)))
        op->unsure = UINT8_MAX;
    op->refused = 0;
    op->torn = false; /* what failed in part is made equal */
    if (!op_undo_reads(op))
        return;
    op->undone = false;
    if (op->phase == OP_READY)
        op_ready(repl, op);
}

void ops_restart(struct repl *repl)
{
    struct list *node;
    for (uint32_t slot = 0; slot < REPL_OPS_MAX; slot++) {
        if (repl->slots[slot])
            op_unsettle(repl, repl->slots[slot]);
    }
    while ((node = list_pop(&repl->inflight)) != NULL) {
        struct repl_op *op = op_of(node);
        op->sent = op->answered = op->failed = op->resend = 0;
        command_forget(repl, op);
        op_again(repl, op);
    }
    while ((node = list_pop(&repl->leasing)) != NULL) {
        struct repl_op *op = op_of(node);
        slice_release(&op->data);
        op_again(repl, op);
    }
    /* What was applied and not flushed may be lost. */
    LIST_FOR_EACH (ready, &repl->writes)
        op_of(ready)->applied = false;
    repl->resend_count = repl->torn_count = 0;
    for (uint32_t i = 0; i < repl->peer_count; i++)
        repl->peers[i].reads = 0;
}

void ops_retry(struct repl *repl)
{
    struct list *node;
    if (repl->retry_ns > repl->now_ns)
        return;
    repl->retry_ns = REPL_NEVER_NS;
    while ((node = list_pop(&repl->retries)) != NULL) {
        struct repl_op *op = op_of(node);
        op->failed = 0;
        op_undo_review(repl, op);
        op_ready(repl, op);
    }
}

void ops_abandon(struct repl *repl, bool all, int status)
{
    for (uint32_t slot = 0; slot < REPL_OPS_MAX; slot++) {
        struct repl_op *op = repl->slots[slot];
        if (!op || op->phase == OP_MERGING || op->phase == OP_DONE)
            continue;
        /* What failed in part is not over before it is the same everywhere. */
        bool waits = !op->torn &&
                     (op->phase == OP_LOCKING || op->phase == OP_READY || op->phase == OP_LEASING);
        if (op->phase == OP_LEASING && (all || waits))
            slice_release(&op->data);
        if (all || waits)
            op_done(repl, op, status);
    }
}

void ops_flush_fail(struct repl *repl)
{
    bool told = false;
    for (uint32_t slot = 0; slot < REPL_OPS_MAX; slot++) {
        struct repl_op *op = repl->slots[slot];
        if (!op || op->kind != REPL_FLUSH || op->phase == OP_DONE)
            continue;
        op_done(repl, op, -EIO);
        told = true;
    }
    repl->cache_lost_flush = !told;
}

uint8_t ops_slow(const struct repl *repl)
{
    uint8_t slow = 0;
    LIST_FOR_EACH (node, &repl->inflight) {
        const struct repl_op *op = op_of(node);
        if (op->sent_ns + repl->settings.target_slow_ns > repl->now_ns)
            break;
        uint8_t waiting = without(op->sent, op->answered) & repl->attached;
        for (; waiting; waiting &= (uint8_t)(waiting - 1)) {
            uint8_t peer = first_of(waiting);
            uint64_t since_ns = op->sent_ns;
            uint64_t limit_ns = required(repl) & bit_of(peer) ? repl->settings.slow_ns
                                                              : repl->settings.target_slow_ns;
            if (since_ns < repl->peers[peer].joined_ns)
                since_ns = repl->peers[peer].joined_ns;
            if (since_ns + limit_ns <= repl->now_ns)
                slow |= bit_of(peer);
        }
    }
    return slow;
}
