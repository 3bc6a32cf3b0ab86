/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that look into replicas and targets, and so break at once: what a breach leads to, clients
 * may be told only in seeds of bad luck. */
#ifndef STRAKE_TESTS_SIM_WHITE_H
#define STRAKE_TESTS_SIM_WHITE_H

#include "tests/sim/sim.h"

/* R2: what a replica says is on its disk; R5: it says so to the present session. */
void white_check_reply(struct sim *sim, const struct sim_replica *replica, uint64_t link,
                       const struct frame *frame);
/* R3: what it relies on, too. */
void white_check_log(struct sim *sim, const struct sim_replica *replica);
/* C1: all who are in sync, or may be, hold a write that is answered, and there are enough of them.
 * C4: a read is answered while a majority answers nobody else. */
void white_check_done(struct sim *sim, const struct sim_target *target, const struct sim_op *op);
/* C4: the head is read only where all of it is. */
void white_check_sent(struct sim *sim, const struct repl *repl, const struct repl_effect *effect);
/* C1, C17: a configuration counts that majorities have on their disks. */
void white_check_commit(struct sim *sim, struct sim_target *target);

#endif
