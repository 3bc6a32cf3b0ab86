/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: while there are writes, every member marks a point in its stream, makes what came
 * before durable, and then forgets that it was in doubt. Two after the last write, and every log is
 * clean: an idle volume needs no timer and no recovery.
 */
#include "target/replication/parts.h"

enum { CHECKPOINT_ROUNDS = 2 };

void checkpoint_dirty(struct repl *repl)
{
    struct checkpoint *checkpoint = &repl->checkpoint;
    checkpoint->dirty = true;
    checkpoint->rounds = CHECKPOINT_ROUNDS;
    if (checkpoint->due_ns == REPL_NEVER_NS)
        checkpoint->due_ns = repl->now_ns + repl->settings.checkpoint_ns;
}

void checkpoint_void(struct repl *repl)
{
    struct checkpoint *checkpoint = &repl->checkpoint;
    if (!checkpoint->active)
        return;
    checkpoint->active = false;
    checkpoint->due_ns = repl->now_ns + repl->settings.checkpoint_ns;
}

bool checkpoint_clean(const struct repl *repl)
{
    return repl->checkpoint.rounds == 0 && !repl->checkpoint.active;
}

bool checkpoint_possible(const struct repl *repl)
{
    return repl->phase == PHASE_SERVE && !repl->proposal.active && repl->undecided == 0 &&
           repl->doomed == 0 && without(repl->in_sync, repl->attached) == 0 &&
           repl->resend_count == 0 && repl->torn_count == 0 && list_empty(&repl->retries);
}

static void checkpoint_start(struct repl *repl)
{
    struct checkpoint *checkpoint = &repl->checkpoint;
    checkpoint->active = true;
    checkpoint->dirty = false;
    checkpoint->sent = repl->attached;
    checkpoint->answered = 0;
    checkpoint->sent_ns = repl->now_ns;
    checkpoint->number = repl->epoch << 32 | ++checkpoint->count;
    checkpoint->due_ns = REPL_NEVER_NS;
    struct control *control = control_push(repl, REPL_DO_SEND, checkpoint->sent);
    control->type = FRAME_CHECKPOINT;
    control->request = control->length_bytes = checkpoint->number;
}

static void checkpoint_commit(struct repl *repl)
{
    struct checkpoint *checkpoint = &repl->checkpoint;
    /* C7 */
    bool all = repl->in_sync == repl->data && without(repl->data, checkpoint->answered) == 0;
    struct control *control =
        control_push(repl, REPL_DO_SEND, checkpoint->answered & repl->attached);
    control->type = FRAME_COMMIT;
    control->flags = all ? FRAME_ALL : 0;
    control->length_bytes = checkpoint->number;
    if (all)
        repl->base_checkpoint = checkpoint->number;
    checkpoint->active = false;
    if (!checkpoint->dirty) {
        checkpoint->rounds--;
        doubt_end(repl);
    }
    checkpoint->due_ns =
        checkpoint->rounds > 0 ? repl->now_ns + repl->settings.checkpoint_ns : REPL_NEVER_NS;
    repl->unsettled = true;
}

void checkpoint_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct checkpoint *checkpoint = &repl->checkpoint;
    if (!checkpoint->active || frame->request != checkpoint->number ||
        !(checkpoint->sent & bit_of(peer)))
        return;
    if (frame->status != FRAME_OK) {
        checkpoint_void(repl);
        return;
    }
    checkpoint->answered |= bit_of(peer);
    if (without(repl->in_sync | checkpoint->sent, checkpoint->answered) == 0)
        checkpoint_commit(repl);
}

void checkpoint_settle(struct repl *repl)
{
    struct checkpoint *checkpoint = &repl->checkpoint;
    bool due = checkpoint->due_ns <= repl->now_ns || repl->stopping;
    if (!checkpoint->active && due && checkpoint->rounds > 0 && checkpoint_possible(repl))
        checkpoint_start(repl);
}

uint64_t checkpoint_deadline_ns(const struct repl *repl)
{
    const struct checkpoint *checkpoint = &repl->checkpoint;
    bool waits = !checkpoint->active && checkpoint->rounds > 0 && checkpoint_possible(repl);
    return waits ? checkpoint->due_ns : REPL_NEVER_NS;
}
