/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIFO locks on ranges of the volume: a claim waits for every earlier one that overlaps it, unless
 * both are shared. So no two overlapping operations, one of which writes, are ever under way.
 *
 * An operation may have to wait, lock and all, until a member was brought in sync; the copies that
 * do that must not wait for it in turn. So a copy (an internal claim) waits only for what is held,
 * that is, under way, and what is not held waits for the copy. Copies change nothing that can be
 * read, so the order among operations stays what it was.
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

/* What is to be told to claims other than the one a call is about; must not touch the lock. */
struct range_news {
    void (*granted)(void *arg, struct repl_range *range); /* needs to wait no more */
    void (*waits)(void *arg, struct repl_range *range);   /* was granted, and must wait again */
    void *arg;
};

struct range_lock {
    struct list buckets[RANGE_LEVELS][RANGE_BUCKETS]; /* repl_zone.node */
    struct list wide;                                 /* repl_zone.node of zones[0] */
    uint32_t counts[RANGE_LEVELS];
    uint64_t turn;
    struct range_news news;
};

void range_lock_init(struct range_lock *lock, const struct range_news *news);
/* Claims [begin, end). */
void range_lock_claim(struct range_lock *lock, struct repl_range *range);
static inline bool range_lock_granted(const struct repl_range *range)
{
    return range->blockers == 0;
}
/* A granted claim is under way. */
static inline void range_lock_hold(struct repl_range *range)
{
    ASSERT(range->blockers == 0);
    range->held = true;
}
/* Nothing of an operation is under way any more, but it goes on later, if it is still
 * granted. */
void range_lock_unhold(struct range_lock *lock, struct repl_range *range);
/* Gives up a claim, granted or not. */
void range_lock_release(struct range_lock *lock, struct repl_range *range);

#endif
