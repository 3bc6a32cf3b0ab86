/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the replication room ask of each other. Only replication.c calls handlers. */
#ifndef STRAKE_REPLICATION_PARTS_H
#define STRAKE_REPLICATION_PARTS_H

#include "target/replication/count.h"
#include "target/replication/register.h"
#include "target/replication/state.h"

/* control.c */
struct control *control_push(struct repl *repl, enum repl_effect_kind kind, uint8_t peers);
struct control *control_last(struct repl *repl);
void control_send(struct repl *repl, uint8_t peers, uint8_t type);
/* The bodies of what is asked: since which generation, and under which key. */
void control_ask_diff(struct repl *repl, struct control *control, uint64_t from_generation);
void control_ask_hashes(struct repl *repl, struct control *control);
bool control_next(struct repl *repl, struct repl_effect *effect);
/* For the body of the frame that goes out now: lent until the next one does. */
struct writer control_body(struct repl *repl);
void control_body_end(struct repl *repl, const struct writer *w, struct frame *frame);
void control_release(struct repl *repl);
void say(struct repl *repl, bool warn, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* operation.c */
static inline struct repl_op *op_of(struct list *node)
{
    return CONTAINER_OF(node, struct repl_op, node);
}
/* The answer is the reply's body. */
bool op_asks(const struct repl_op *op);
bool op_reads(const struct repl_op *op);
bool op_locks(const struct repl_op *op);
void op_frame(struct repl *repl, const struct repl_op *op, struct repl_effect *effect);

/* ops.c */
void op_done(struct repl *repl, struct repl_op *op, int status);
void op_submit(struct repl *repl, struct repl_op *op);
void op_merged(struct repl *repl, struct repl_op *op, bool write);
void op_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void ops_lost(struct repl *repl, uint8_t peers);
/* What only these could answer is not answered. */
void questions_lost(struct repl *repl, uint8_t peers);
/* The index is to stand for somebody else. */
void ops_forget(struct repl *repl, uint8_t peer);
/* Who may be read from. */
uint8_t op_sources(const struct repl *repl, const struct repl_op *op);
void op_retry_later(struct repl *repl, struct repl_op *op);

/* ---- undo.c: writes that are to fail for want of space ---- */
/* Whether it is to end, now that these failed; and if others did not, be undone. */
MUST_USE bool op_undo_wanted(const struct repl *repl, const struct repl_op *op, uint8_t failed);
/* Whether what was before is not known yet. */
bool op_undo_reads(const struct repl_op *op);
void op_undo_begin(struct repl *repl, struct repl_op *op);
void op_undo_read(struct repl_op *op, const struct slice *payload);
/* It is tried again: by whom, if none who refused it is in sync any more? */
void op_undo_review(const struct repl *repl, struct repl_op *op);
/* Of those who failed, the ones that do not hold what they should. */
uint8_t op_undo_failed(const struct repl_op *op, uint8_t failed);
/* Everything outstanding is to be sent to this peer too. */
void ops_resend(struct repl *repl, uint8_t peer);
/* I, U or A changed: who waits for nobody any more is done. */
void ops_review(struct repl *repl);
/* The sessions begin anew: what was dispatched is to be dispatched again. */
void ops_restart(struct repl *repl);
void ops_retry(struct repl *repl);
/* Sends the read to a peer that is not tardy, if there is one. */
void op_read_elsewhere(struct repl *repl, struct repl_op *op);
/* There are leases: reads that waited for them end. */
void ops_leased(struct repl *repl);
/* Ends what is not dispatched; `all`: everything. */
void ops_abandon(struct repl *repl, bool all, int status);
void ops_flush_fail(struct repl *repl);
bool ops_can_write(const struct repl *repl);
uint32_t ops_outstanding(const struct repl *repl);
/* In-sync peers, then targets, that take too long over an operation. */
uint8_t ops_slow(const struct repl *repl);
void op_granted(void *arg, struct repl_range *range);
void op_waits(void *arg, struct repl_range *range);

/* No write to the head is under way, nor has one to be repeated. */
bool ops_head_quiet(const struct repl *repl);

/* dispatch.c */
bool op_next(struct repl *repl, struct repl_effect *effect);

/* command.c */
/* Draws the key under which contents are compared. */
void command_key(struct repl *repl);
/* The operation may be dispatched now; a command has its number then. */
MUST_USE bool command_lets(struct repl *repl, struct repl_op *op);
/* A command that moves the head waits for the head to be quiet, or is under way. */
bool command_bars(const struct repl *repl);
bool command_is_hopeless(const struct repl *repl, const struct repl_op *op);
bool command_is_moving(const struct repl *repl);
/* It is not under way any more. */
void command_forget(struct repl *repl, const struct repl_op *op);
void command_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
/* All have it: it is to be flushed. */
void command_applied(struct repl *repl, struct repl_op *op);
/* A member with this lineage lacks nothing but what is under way. */
bool command_known(const struct repl *repl, const struct lineage *lineage);
/* Recovery: true when all members in sync have applied the same commands. */
MUST_USE bool relay_settle(struct repl *repl);
/* Members in sync hold all of what is sealed: true while one is still being told so. */
bool relay_strays(struct repl *repl);
void relay_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void relay_lost(struct repl *repl, uint8_t peers);
void relay_end(struct repl *repl);

/* book.c */
/* Brings the book of members to those who have another one, one after the other. */
void install_settle(struct repl *repl);
bool install_is_needed(const struct repl *repl, uint8_t peer);
void install_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void install_lost(struct repl *repl, uint8_t peers);
void install_end(struct repl *repl);
uint8_t install_slow(const struct repl *repl);

/* pace.c */
/* The peer answered a write: what is usual for it. Before it is noted in the operation. */
void pace_learn(struct repl *repl, uint8_t peer, struct repl_op *op);
/* Members in sync that hold the others up, and can be done without; who may only sync is asked. */
uint8_t pace_hiccups(struct repl *repl);
void pace_demote(struct repl *repl, uint8_t peer);
/* Those being brought in sync that hold writes up and answer nothing. */
uint8_t pace_silent(const struct repl *repl);
void pace_reads_elsewhere(struct repl *repl);
/* When to look for slow peers again. */
uint64_t pace_scan_ns(const struct repl *repl);

/* budget.c */
/* A client's operation came or ended. */
void budget_client(struct repl_budget *budget, uint64_t now_ns);
void budget_wrote(struct repl_budget *budget, uint64_t took_ns, uint64_t now_ns);
/* So many bytes are moved by a resync or scrub: when the next may be. */
uint64_t budget_take(struct repl_budget *budget, uint64_t limit, uint64_t bytes, uint64_t now_ns);

/* doubt.c */
/* A write was dispatched. */
void doubt_wrote(struct repl *repl, uint64_t length_bytes);
/* A checkpoint ended with no write since it began: nothing is in doubt. */
void doubt_end(struct repl *repl);

/* status.c */
/* Something was asked of somebody, who may answer too late. */
bool repl_busy(const struct repl *repl);

/* copy.c */
/* No copy but repairs is under way, or none at all. */
bool copy_idle(const struct repl *repl);
bool copies_none(const struct repl *repl);
/* Starts a copy; false when none is free. */
MUST_USE bool copy_start(struct repl *repl, const struct copy_task *task);
void copy_granted(struct repl *repl, struct copy *copy);
void copy_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void copies_lost(struct repl *repl, uint8_t peers);
/* Gives up the sweep's; unless `sessions_over`, those being written end in their own time. */
void copies_cancel(struct repl *repl, bool sessions_over);
/* What is `dest`'s is to be brought from others, as soon as may be; forgotten if there are many. */
void copy_repair(struct repl *repl, const struct repair *repair);
void copies_settle(struct repl *repl);
/* Those that a copy asked so long ago, and that did not answer. */
uint8_t copies_wait_for(const struct repl *repl, uint64_t since_ns);
/* No copy of a part of the head is under way. */
bool copies_head_quiet(const struct repl *repl);

/* sweep.c */
void sweep_begin(struct repl *repl, enum copy_purpose purpose, uint8_t dest);
/* What the stage is about changed, at the target or at who holds it. */
bool sweep_is_stale(const struct repl *repl);
void sweep_pause(struct repl *repl);
void sweep_end(struct repl *repl);
void sweep_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void sweep_lost(struct repl *repl, uint8_t peers);
void sweep_settle(struct repl *repl);
uint64_t sweep_deadline_ns(const struct repl *repl);

/* recover.c */
/* True when all members in sync are equal: serving may start. */
MUST_USE bool recover_settle(struct repl *repl);

/* resync.c */
/* Its planes do not tell what it may lack. */
bool resync_is_full(const struct repl *repl, uint8_t peer);
void resync_settle(struct repl *repl);
/* The target that may be proposed to be in sync; 0: none. */
uint8_t resync_ready(const struct repl *repl);

/* checkpoint.c */
void checkpoint_dirty(struct repl *repl);
void checkpoint_void(struct repl *repl);
void checkpoint_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void checkpoint_settle(struct repl *repl);
uint64_t checkpoint_deadline_ns(const struct repl *repl);
bool checkpoint_possible(const struct repl *repl);
bool checkpoint_clean(const struct repl *repl);

#endif
