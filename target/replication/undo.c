/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A write that is refused for want of space, where such writes are to fail rather than to wait. Who
 * refuses it has done nothing of it (FRAME_NO_SPACE). If all do, that is the end of it; if only
 * some do, what those hold is read and written to the others, over what they have just written, so
 * that it needs no space; a refuser that has none for that either holds it already. C20
 */
#include "target/replication/parts.h"

bool op_undo_wanted(const struct repl *repl, const struct repl_op *op, uint8_t failed)
{
    bool writes = op->kind == REPL_WRITE || op->kind == REPL_UPDATE;
    return repl->settings.fail_when_full && writes && !op->torn && !op->undone &&
           without(failed, op->refused) == 0;
}

bool op_undo_reads(const struct repl_op *op)
{
    return op->undone && !op->before.bytes;
}

void op_undo_begin(struct repl *repl, struct repl_op *op)
{
    ASSERT(!op->undone && !op->torn && op->refused);
    op->undone = op->torn = true;
    op->failed = 0;
    repl->torn_count++;
    checkpoint_void(repl);
}

void op_undo_read(struct repl_op *op, const struct slice *payload)
{
    ASSERT(op_undo_reads(op));
    op->before = slice_ref(payload);
}

void op_undo_review(const struct repl *repl, struct repl_op *op)
{
    /* All that count have it, then. */
    if (op_undo_reads(op) && !(op->refused & repl->in_sync))
        op->undone = false;
}

uint8_t op_undo_failed(const struct repl_op *op, uint8_t failed)
{
    return op->undone ? without(failed, op->full & op->refused) : failed;
}
