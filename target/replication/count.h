/* SPDX-License-Identifier: Apache-2.0 */
/* How far a resync is, over all generations. */
#ifndef STRAKE_REPLICATION_COUNT_H
#define STRAKE_REPLICATION_COUNT_H

#include "target/replication/state.h"

void count_begin(struct repl *repl);
void count_end(struct repl *repl);
void count_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void count_lost(struct repl *repl, uint8_t peers);
/* The target holds this piece. */
void count_copied(struct repl *repl, const struct copy *copy);
/* What is copied or compared of how much, over all generations: never all of it before it is in
 * sync, never less than before. */
void count_progress(const struct repl *repl, uint64_t *done_bytes, uint64_t *total_bytes);

#endif
