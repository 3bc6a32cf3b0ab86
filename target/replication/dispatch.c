/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent next, and to whom: operations that may go, between what else the streams carry. */
#include "target/replication/parts.h"

#include <errno.h>

static void op_sent(struct repl *repl, struct repl_op *op, uint8_t peers)
{
    if (op_locks(op))
        range_lock_hold(&op->range);
    op->phase = OP_SENT;
    op->serial = ++repl->serial;
    op->sent_ns = op->answered_ns = repl->now_ns;
    op->sent = peers;
    op->answered = 0;
    if (repl->scan_ns == REPL_NEVER_NS)
        repl->scan_ns = pace_scan_ns(repl);
    list_remove(&op->node);
    list_append(&repl->inflight, &op->node);
}

static bool op_next_resend(struct repl *repl, struct repl_effect *effect)
{
    if (repl->resend_count == 0)
        return false;
    LIST_FOR_EACH (node, &repl->inflight) {
        struct repl_op *op = op_of(node);
        /* What a member seals is complete if it knows to be in sync: by an ACCEPT before it. */
        if (!op->resend || (op->kind == REPL_COMMAND && repl->control_count > 0))
            continue;
        op_frame(repl, op, effect);
        effect->peers = op->resend;
        op->resend = 0;
        repl->resend_count--;
        return true;
    }
    return false;
}

static bool op_next_read(struct repl *repl, struct repl_effect *effect)
{
    struct repl_op *op;
    uint8_t sources;
    do {
        if (repl->phase != PHASE_SERVE || list_empty(&repl->reads))
            return false;
        op = op_of(repl->reads.next);
        sources = op_sources(repl, op);
        if (!sources && !op->failed && !op->undone)
            return false;
        if (!sources)
            op_retry_later(repl, op);
    } while (!sources);
    if (without(sources, repl->tardy))
        sources = without(sources, repl->tardy);
    uint8_t best = first_of(sources);
    for (uint8_t peer = best; peer < repl->peer_count; peer++) {
        if ((sources & bit_of(peer)) && repl->peers[peer].reads < repl->peers[best].reads)
            best = peer;
    }
    repl->peers[best].reads++;
    op_sent(repl, op, bit_of(best));
    op_frame(repl, op, effect);
    effect->peers = op->sent;
    leases_want(repl);
    return true;
}

static bool op_next_write(struct repl *repl, struct repl_effect *effect)
{
    if (list_empty(&repl->writes) || !ops_can_write(repl))
        return false;
    struct repl_op *op = op_of(repl->writes.next);
    if (command_is_hopeless(repl, op)) {
        op_done(repl, op, -ENOSPC);
        return op_next_write(repl, effect);
    }
    if (!command_lets(repl, op))
        return false;
    op->failed = op->full = 0;
    op->refused = op->undone ? op->refused : 0;
    op_sent(repl, op, repl->attached);
    op_frame(repl, op, effect);
    effect->peers = op->sent;
    if (op_locks(op)) {
        checkpoint_dirty(repl);
        doubt_wrote(repl, op->length_bytes);
    }
    return true;
}

/* In the order that the streams must have: what is sent again first, then control, then news. */
bool op_next(struct repl *repl, struct repl_effect *effect)
{
    *effect = (struct repl_effect){0};
    if (op_next_resend(repl, effect) || control_next(repl, effect) || op_next_write(repl, effect) ||
        op_next_read(repl, effect))
        return true;
    struct list *node = list_pop(&repl->merges);
    if (node) {
        effect->kind = REPL_DO_MERGE;
        effect->op = op_of(node);
        effect->op->phase = OP_MERGING;
        return true;
    }
    node = list_pop(&repl->done);
    if (!node)
        return false;
    effect->kind = REPL_DO_COMPLETE;
    effect->op = op_of(node);
    return true;
}
