/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small model of how the members change (C17), written independently of the code: three voters
 * and a fourth that may join, two or three targets with an epoch each, all alive at the same time.
 *
 *   spin -a membership.pml && cc -O3 -DSAFETY -o pan pan.c && ./pan
 *
 * Assumed: what a voter promises and accepts is durable before it answers (it never forgets); each
 * step is atomic; any message may be late without end, which covers lost ones, connections that
 * break, and targets and voters that die for good. Each target opens once, in an epoch of its own.
 * Voters 0 to 2 are alike, so only 0 and 1 ever leave. Only the register is modelled: the list of
 * members and the order of configurations. Who is in sync, data and recovery are in
 * replication.pml, where the members stay; leases are in lease.pml.
 *
 * Asserted: a target of whom anything was ever decided had, when it opened, seen all that was ever
 * decided of an older one, before or after: so nothing decided is forgotten, and an older target's
 * word counts only where the newer one follows from it. M_SWAP, one who comes and one who goes
 * in the same change, is a mistake that must be found.
 */
#ifndef TARGETS
#define TARGETS 3
#endif
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef AGAIN
#define AGAIN 1 /* proposals that supersede one that is not decided: evictions */
#endif

#define BIT(m) (1 << (m))
#define HAS(set, m) ((set) & BIT(m))
#define COUNT(s) (((s) & 1) + ((s) >> 1 & 1) + ((s) >> 2 & 1) + ((s) >> 3 & 1))
#define MAJORITY(voters, s) (2 * COUNT((s) & (voters)) > COUNT(voters))
#define EPOCH (c + 1)
#define FIRST_LIST 7

/* Voters: what they promised, and the configuration they accepted. */
byte promise[4];
byte cfg_epoch[4], cfg_version[4];
byte cfg_list[4] = FIRST_LIST;

/* Targets. */
mtype = { GATHER, FIRST, SERVE };
mtype phase[TARGETS] = GATHER;
byte up[TARGETS];
byte best_epoch[TARGETS], best_version[TARGETS], version[TARGETS];
byte list[TARGETS] = FIRST_LIST; /* newest seen; then committed */
byte prop[TARGETS];
byte have[TARGETS]; /* who accepted the proposal */

byte decided[TARGETS]; /* the newest version that was, in its epoch; 0: none */
byte changes = CHANGES, again = AGAIN;

#define DECIDED(by) (MAJORITY(list[c], by) && MAJORITY(prop[c], by))
#define OPENS MAJORITY(list[c], up[c])

#define PROPOSE(next) \
    prop[c] = next; have[c] = 0; version[c]++

/* A session, and with it the promise; while it opens, also what was accepted so far. */
#define OPEN(m) \
    :: d_step { !HAS(up[c], m) && promise[m] < EPOCH -> \
        promise[m] = EPOCH; up[c] = up[c] | BIT(m); \
        if \
        :: phase[c] == GATHER && (cfg_epoch[m] > best_epoch[c] || \
           (cfg_epoch[m] == best_epoch[c] && cfg_version[m] > version[c])) -> \
            best_epoch[c] = cfg_epoch[m]; best_version[c] = cfg_version[m]; \
            version[c] = cfg_version[m]; list[c] = cfg_list[m] \
        :: else \
        fi }

/* With this voter it is decided; its target may learn of it late, or never. */
#define KNOWS(newer, older) \
    (decided[older] == 0 || decided[newer] == 0 || best_epoch[newer] > older + 1 || \
     (best_epoch[newer] == older + 1 && best_version[newer] >= decided[older]))
#if TARGETS > 2
#define ALL_KNOW (KNOWS(1, 0) && KNOWS(2, 0) && KNOWS(2, 1))
#else
#define ALL_KNOW KNOWS(1, 0)
#endif
#define CHOSEN(m) \
    if \
    :: !DECIDED(have[c]) && DECIDED(have[c] | BIT(m)) -> \
        have[c] = have[c] | BIT(m); decided[c] = version[c]; \
        assert(ALL_KNOW) \
    :: else -> have[c] = have[c] | BIT(m) \
    fi

/* The voter has it; the answer may never come. */
#define ACCEPT(m) \
    :: d_step { prop[c] && HAS(up[c], m) && HAS(list[c] | prop[c], m) && promise[m] == EPOCH && \
        !HAS(have[c], m) -> \
        cfg_epoch[m] = EPOCH; cfg_version[m] = version[c]; cfg_list[m] = prop[c]; \
        CHOSEN(m) }
#define MAY_CHANGE (changes && phase[c] == SERVE && !prop[c])
#define BASE (prop[c] -> prop[c] : list[c])

#define JOIN(m) \
    :: d_step { MAY_CHANGE && !HAS(BASE, m) -> changes--; PROPOSE(BASE | BIT(m)) }
#define LEAVE(m) \
    :: d_step { MAY_CHANGE && HAS(BASE, m) && BASE != BIT(m) -> \
        changes--; PROPOSE(BASE & ~BIT(m)) }
#ifdef M_SWAP
#define SWAP(m) \
    :: d_step { MAY_CHANGE && HAS(BASE, m) && !HAS(BASE, 3) -> \
        changes--; PROPOSE((BASE & ~BIT(m)) | BIT(3)) }
#else
#define SWAP(m)
#endif

proctype target(byte c)
{
    do
    OPEN(0) OPEN(1) OPEN(2) OPEN(3)
    :: d_step { phase[c] == GATHER && OPENS -> PROPOSE(list[c]); phase[c] = FIRST }
    ACCEPT(0) ACCEPT(1) ACCEPT(2) ACCEPT(3)
    :: d_step { prop[c] && DECIDED(have[c]) ->
        list[c] = prop[c]; prop[c] = 0; have[c] = 0; phase[c] = SERVE }
    JOIN(3)
    LEAVE(0)
#if CHANGES > 1
    LEAVE(1)
#endif
    SWAP(0)
    :: d_step { again && phase[c] == SERVE && prop[c] -> again--; PROPOSE(prop[c]) }
    od
}

init {
    atomic {
        run target(0); run target(1)
#if TARGETS > 2
        ; run target(2)
#endif
    }
}
