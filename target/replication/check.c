/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants at the top of replication.h, as far as one side can see them. */
#include "target/replication/parts.h"

static void check_sets(const struct repl *repl)
{
    ASSERT(without(required(repl), repl->data) == 0);
    ASSERT(without(repl->attached, repl->up) == 0);
    ASSERT(without(repl->readable, repl->up) == 0);
    ASSERT(without(repl->doomed, required(repl)) == 0);
    /* C17 */
    ASSERT(count_of(repl->voters ^ voters_next(repl)) <= 1);
    ASSERT(repl->phase != PHASE_GATHER || repl->voters == voters_next(repl));
    ASSERT(repl->voters == peers_voting(repl, &repl->config));
    ASSERT(without(repl->data | repl->leaving, repl->voters) == 0);
    /* C2 */
    ASSERT(!repl->proposal.active || without(repl->proposal.in_sync, repl->undecided) == 0);
    ASSERT(repl->proposal.active || repl->undecided == 0);
    /* C10 */
    if (repl->phase == PHASE_RECOVER || repl->phase == PHASE_SERVE)
        ASSERT(repl->in_sync && repl->config.epoch == repl->epoch &&
               uuid_equal(&repl->config.controller, &repl->controller));
    else
        ASSERT(repl->phase >= PHASE_FENCED || (repl->attached == 0 && repl->in_sync == 0));
}

static void check_op(const struct repl *repl, const struct repl_op *op, uint32_t slot,
                     uint32_t *resends)
{
    ASSERT(op->slot == slot && op->phase != OP_DONE);
    *resends += op->resend != 0;
    if (op->phase != OP_SENT) {
        ASSERT(op->resend == 0);
        return;
    }
    /* C8, C11 */
    bool locks = op_locks(op);
    ASSERT(!locks || (op->range.held && op->range.blockers == 0));
    ASSERT(repl->phase == PHASE_SERVE);
    bool reads = op_reads(op);
    /* C12 */
    ASSERT(op->kind != REPL_COMMAND || (repl->command_op == op) == !op->applied);
    /* C13 */
    ASSERT(reads || !locks || !command_is_moving(repl));
    /* C3 */
    ASSERT(reads || without(repl->attached, op->sent) == 0);
    ASSERT(!reads || without(op->sent, repl->up) == 0);
}

static void check_copy(const struct repl *repl, const struct copy *copy)
{
    if (copy->phase == COPY_IDLE)
        return;
    ASSERT(copy->locked == (copy->purpose != COPY_RECOVER && copy->generation == 0));
    ASSERT(copy->phase == COPY_LOCKING || !copy->locked || copy->range.blockers == 0);
    ASSERT(repl->phase == PHASE_SERVE || copy->purpose == COPY_RECOVER);
    /* C13 */
    ASSERT(copy->phase == COPY_LOCKING || copy->generation || !command_is_moving(repl));
}

void repl_check(const struct repl *repl)
{
    uint32_t resends = 0;
    uint32_t used = 0;
    check_sets(repl);
    for (uint32_t slot = 0; slot < REPL_OPS_MAX; slot++) {
        if (!repl->slots[slot])
            continue;
        used++;
        check_op(repl, repl->slots[slot], slot, &resends);
    }
    ASSERT(used == ops_outstanding(repl));
    ASSERT(resends == repl->resend_count);
    for (int i = 0; i < REPL_COPIES; i++)
        check_copy(repl, &repl->copies[i]);
    /* C3 */
    ASSERT(repl->sweep.phase == SWEEP_NONE || repl->sweep.purpose == COPY_RECOVER ||
           without(repl->sweep.dest, repl->attached) == 0);
    /* C12 */
    ASSERT(!repl->command_op || (repl->phase == PHASE_SERVE && repl->command_op->phase == OP_SENT));
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (repl->phase == PHASE_SERVE && (repl->attached & bit_of(peer)))
            ASSERT(command_known(repl, &repl->peers[peer].opened.lineage));
    }
    /* C7 */
    ASSERT(!repl->checkpoint.active || (repl->phase == PHASE_SERVE && !repl->proposal.active &&
                                        without(repl->in_sync, repl->checkpoint.sent) == 0));
}
