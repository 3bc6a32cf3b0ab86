/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a target that takes over must compare is kept small: now and then the members are told that
 * they are equal in everything but the last writes. Unlike a checkpoint this needs no sync, for it
 * is about the death of processes; after lost power the planes count.
 */
#include "target/replication/parts.h"

enum {
    DOUBT_BYTES = 8 << 20,
    DOUBT_EACH = 16, /* writes until the next look, when the oldest takes its time */
};

/* The oldest write or copy under way came after the last time. */
static bool doubt_is_passed(const struct repl *repl)
{
    LIST_FOR_EACH (node, &repl->inflight) {
        const struct repl_op *op = op_of(node);
        if (op_locks(op) && !op_reads(op) && op->serial <= repl->doubt.serial)
            return false;
        if (op->serial > repl->doubt.serial)
            break;
    }
    for (int i = 0; i < REPL_COPIES; i++) {
        const struct copy *copy = &repl->copies[i];
        if (copy->phase == COPY_WRITING && copy->serial <= repl->doubt.serial)
            return false;
    }
    return true;
}

static void doubt_tell(struct repl *repl)
{
    control_send(repl, repl->attached, FRAME_EQUAL);
    repl->doubt = (struct doubt){.serial = repl->serial};
}

void doubt_wrote(struct repl *repl, uint64_t length_bytes)
{
    struct doubt *doubt = &repl->doubt;
    uint32_t each = repl->settings.equal_writes;
    doubt->bytes += length_bytes;
    if (++doubt->writes < each && doubt->bytes < DOUBT_BYTES)
        return;
    if (checkpoint_possible(repl) && doubt_is_passed(repl)) {
        doubt_tell(repl);
    } else {
        doubt->writes = each > DOUBT_EACH ? each - DOUBT_EACH : 0;
        doubt->bytes = 0;
    }
}

void doubt_end(struct repl *repl)
{
    if (repl->torn_count > 0)
        return;
    doubt_tell(repl);
    doubt_tell(repl);
}
