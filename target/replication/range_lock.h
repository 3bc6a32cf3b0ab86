/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIFO locks on ranges of the volume: a claim waits for every earlier one that overlaps it, unless
 * both are shared. So no two overlapping operations, one of which writes, are ever under way.
 *
 * A claim is filed under the zones it touches, on the level whose zones are not shorter than the
 * claim: then it touches at most two, and finding what overlaps it looks only at neighbours,
 * however many claims there are. Claims longer than the largest zone are kept in one list.
 */
#ifndef STRAKE_REPLICATION_RANGE_LOCK_H
#define STRAKE_REPLICATION_RANGE_LOCK_H

#include "target/replication/replication.h"

enum {
    RANGE_LEVELS = 2, /* zones of 64 KiB and of 1 MiB */
    RANGE_BUCKETS = 256,
};

struct range_lock {
    struct list buckets[RANGE_LEVELS][RANGE_BUCKETS]; /* repl_zone.node */
    struct list wide;                                 /* repl_zone.node of zones[0] */
    uint32_t counts[RANGE_LEVELS];
    uint64_t turn;
};

void range_lock_init(struct range_lock *lock);
/* Claims [begin, end). True when it is granted at once, else range_lock_release tells. */
MUST_USE bool range_lock_claim(struct range_lock *lock, struct repl_range *range);
/* Gives up a claim, granted or not; `granted` is told of each that need not wait any more, and
 * must not touch the lock. */
typedef void range_granted_fn(void *arg, struct repl_range *range);
void range_lock_release(struct range_lock *lock, struct repl_range *range,
                        range_granted_fn *granted, void *arg);

#endif
