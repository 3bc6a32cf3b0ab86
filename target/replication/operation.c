/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of thing an operation is, and the frame it is sent as. */
#include "target/replication/parts.h"

/* The answer is the reply's body. */
bool op_asks(const struct repl_op *op)
{
    return op->kind >= REPL_DIFF;
}

bool op_reads(const struct repl_op *op)
{
    return op->kind == REPL_READ || (op->kind == REPL_UPDATE && !op->merged) || op_asks(op) ||
           op_undo_reads(op);
}

/* What is sealed does not change, and a flush or command has no range. */
bool op_locks(const struct repl_op *op)
{
    return op->kind < REPL_FLUSH && op->generation == 0;
}

static uint8_t op_type(const struct repl_op *op)
{
    static const uint8_t types[] = {
        [REPL_READ] = FRAME_READ,   [REPL_WRITE] = FRAME_WRITE, [REPL_UPDATE] = FRAME_WRITE,
        [REPL_ZERO] = FRAME_ZERO,   [REPL_FLUSH] = FRAME_FLUSH, [REPL_COMMAND] = FRAME_COMMAND,
        [REPL_DIFF] = FRAME_DIFF,   [REPL_BOOK] = FRAME_BOOK,   [REPL_DIGEST] = FRAME_DIGEST,
        [REPL_SPACE] = FRAME_SPACE,
    };
    if (op_reads(op) && !op_asks(op))
        return FRAME_READ;
    return op->kind == REPL_COMMAND && op->applied ? (uint8_t)FRAME_FLUSH : types[op->kind];
}

static void op_body(struct repl *repl, const struct repl_op *op, struct frame *frame)
{
    struct writer w = control_body(repl);
    if (frame->type == FRAME_COMMAND)
        message_command_encode(&w, &op->command);
    else if (frame->type == FRAME_DIFF)
        message_diff_ask_encode(&w, &(struct message_diff_ask){op->from_generation});
    control_body_end(repl, &w, frame);
}

void op_frame(struct repl *repl, const struct repl_op *op, struct repl_effect *effect)
{
    struct frame *frame = &effect->frame;
    effect->kind = REPL_DO_SEND;
    frame->type = op_type(op);
    frame->request = request_of(op->serial, op->slot);
    if (op->kind < REPL_FLUSH || op->kind == REPL_DIFF) {
        frame->offset_bytes = op->offset_bytes;
        frame->length_bytes = op->length_bytes;
    }
    if (op->kind == REPL_READ || op_asks(op))
        frame->generation = op->generation;
    if (frame->type == FRAME_BOOK)
        frame->length_bytes = op->cursor;
    if (frame->type == FRAME_WRITE)
        frame->payload = op->undone ? op->before : op->data;
    if (frame->type == FRAME_COMMAND || frame->type == FRAME_DIFF)
        op_body(repl, op, frame);
    if ((frame->type == FRAME_WRITE || frame->type == FRAME_ZERO) && op->fua)
        frame->flags |= FRAME_FUA;
    if (op->kind == REPL_ZERO && op->no_hole)
        frame->flags |= FRAME_NO_HOLE;
    if (op->kind == REPL_DIGEST && op->verify)
        frame->flags |= FRAME_ALL;
}
