/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An independent model of epochs, opening, recovery and in-sync membership, for spin.
 *
 * Assumptions. One volume of one block, three members that hold data and vote, two targets with
 * epochs 1 and 2 that may begin at any time. Each target writes its own epoch's number, once. What
 * a member does with one message is one step, its metadata included. A message that was sent is
 * delivered at any later time, or never; a new session discards what the old one did not deliver.
 * That a target is killed needs no step of its own: a target that never acts again is a run of the
 * model too, and what it sent may still arrive. Sessions break at any moment (LOSSES in all; a
 * single one at member 0, as all are alike), with or without an answer being lost. A member may lose its memory (at most one member, the first or the second): its block is then
 * as it was or as it was last synced, what its log says is in doubt stays in doubt, and it is
 * `lossy`. The loss of memory of all members in sync is not followed further (the volume holds).
 * min_in_sync is 1, the most permissive. No layers; no clocks, hence no read leases (those are in
 * lease.pml): reads of a target that was superseded while it reaches only
 * a minority are not judged. Voters do not change (membership.pml).
 *
 * Asserted: what was acknowledged, or read, is never gone (FLOOR); an older target acknowledges
 * nothing that a serving newer one does not hold; whoever is in sync has on its disk what was
 * flushed. Each M_... below is a mistake that must be found.
 */
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef POWERS
#define POWERS 0
#endif
#ifndef CKPTS
#define CKPTS 0
#endif
#ifndef PROPS
#define PROPS 2 /* evictions and additions in all */
#endif

#define BIT(m) (1 << (m))
#define HAS(set, m) ((set) & BIT(m))
#define IN(a, b) (((a) & ~(b)) == 0)
#define MAJORITY(s) ((s) == 3 || (s) == 5 || (s) == 6 || (s) == 7)
#define EPOCH (c + 1)
#define ALL 7
#define SUPERSEDED (c == 0 && phase[1] != GATHER)

/* Members: what they promised and accepted, and their block. */
byte promise[3], cfg_epoch[3], cfg_version[3], cfg_sync[3] = ALL;
byte val[3], disk[3];
byte dirty, away, lossy; /* sets of members; dirty: in doubt since the last checkpoint */

/* Targets. */
mtype = { GATHER, FIRST, RECOVER, SERVE };
mtype phase[2] = GATHER;
byte up[2], att[2], sync[2], undecided[2], prop[2], accepted[2], version[2];
byte best_epoch[2], best_sync[2] = ALL;
byte write[2]; /* 0 not yet, 1 sent, 2 acknowledged */
byte sent[2], pend[2], answered[2], ready[2], equal[2], src[2];

byte floor, flushed;
byte losses = LOSSES, powers = POWERS, ckpts = CKPTS, props = PROPS;

#define REQUIRED (sync[c] | undecided[c])
#define DROP(c, m) \
    up[c] = up[c] & ~BIT(m); att[c] = att[c] & ~BIT(m); answered[c] = answered[c] & ~BIT(m); \
    ready[c] = ready[c] & ~BIT(m); equal[c] = 0

#ifdef M_LOSSY_SOURCE
#define SOURCES (best_sync[c] & up[c])
#else
#define SOURCES (best_sync[c] & up[c] & ~lossy)
#endif

#if defined(M_ACK_BEFORE_EVICT)
#define NEEDED ((REQUIRED | sent[c]) & att[c])
#define ENOUGH IN(NEEDED, answered[c])
#elif defined(M_ACK_MAJORITY)
#define ENOUGH MAJORITY(answered[c])
#elif defined(M_NO_UNION)
#define ENOUGH IN(sync[c], answered[c])
#else
#define ENOUGH IN(REQUIRED | (sent[c] & att[c]), answered[c])
#endif

#ifdef M_ONE_ACCEPTS
#define DECIDED(set) (set)
#else
#define DECIDED(set) MAJORITY(set)
#endif
#ifdef M_LOSSY_STAYS
#define WHOLE(m) true
#define FIT ALL
#else
#define FIT (ALL & ~lossy)
#define WHOLE(m) !HAS(lossy, m)
#endif

inline propose(c, set)
{
    prop[c] = set; undecided[c] = undecided[c] | set; accepted[c] = 0; version[c]++;
}

inline accept_at(c, m)
{
    cfg_epoch[m] = c + 1; cfg_version[m] = version[c]; cfg_sync[m] = prop[c];
    if
    :: HAS(prop[c], m) -> lossy = lossy & ~BIT(m)
    :: else
    fi
}

inline commit(c)
{
    if
    :: DECIDED(accepted[c]) ->
        sync[c] = prop[c]; undecided[c] = 0; prop[c] = 0; accepted[c] = 0;
        ready[c] = ready[c] & ~sync[c]; equal[c] = 0;
        assert(!HAS(sync[c], 0) || disk[0] >= flushed || SUPERSEDED);
        assert(!HAS(sync[c], 1) || disk[1] >= flushed || SUPERSEDED);
        assert(!HAS(sync[c], 2) || disk[2] >= flushed || SUPERSEDED);
        if
        :: phase[c] == FIRST -> phase[c] = RECOVER; att[c] = up[c] & sync[c] & FIT;
            best_epoch[c] = 0; best_sync[c] = 0
        :: else
        fi
    :: else
    fi
}

/* A session, and with it the promise; for a new target also what was accepted so far. */
#define OPEN(m) \
    :: d_step { !HAS(up[c], m) && promise[m] <= EPOCH -> \
        promise[m] = EPOCH; up[c] = up[c] | BIT(m); \
        pend[0] = pend[0] & ~BIT(m); pend[1] = pend[1] & ~BIT(m); \
        if \
        :: phase[c] == GATHER && (cfg_epoch[m] > best_epoch[c] || \
           (cfg_epoch[m] == best_epoch[c] && cfg_version[m] > version[c])) -> \
            best_epoch[c] = cfg_epoch[m]; version[c] = cfg_version[m]; \
            best_sync[c] = cfg_sync[m] \
        :: else \
        fi }
/* Who lost its memory accepts nothing that says it did not, unless it was just copied to. */
#if defined(M_LOSSY_ACCEPTS) || defined(M_LOSSY_SOURCE)
#define MAY_ACCEPT(m) true
#else
#define MAY_ACCEPT(m) (!(HAS(prop[c], m) && HAS(lossy, m)) || HAS(ready[c], m))
#endif
#define ACCEPT(m) \
    :: d_step { prop[c] && HAS(up[c], m) && MAY_ACCEPT(m) && !HAS(accepted[c], m) && promise[m] == EPOCH -> \
        accept_at(c, m); accepted[c] = accepted[c] | BIT(m); commit(c) }
#define UNHEARD(m) \
    :: d_step { losses && prop[c] && HAS(up[c], m) && MAY_ACCEPT(m) && promise[m] == EPOCH -> \
        losses--; accept_at(c, m); DROP(c, m) }
#define LOSE(m) \
    :: d_step { losses && HAS(up[c], m) && promise[m] == EPOCH -> losses--; DROP(c, m) }
#define RESEND(m) \
    if \
    :: write[c] == 1 -> sent[c] = sent[c] | BIT(m); pend[c] = pend[c] | BIT(m) \
    :: else \
    fi
#define ATTACH(m) \
    :: d_step { (phase[c] == RECOVER || phase[c] == SERVE) && HAS(up[c] & ~att[c], m) && \
        HAS(REQUIRED, m) && WHOLE(m) && !(prop[c] && !HAS(prop[c], m)) -> \
        att[c] = att[c] | BIT(m); equal[c] = 0; RESEND(m) } \
    :: d_step { phase[c] == SERVE && HAS(up[c] & ~att[c], m) && !HAS(REQUIRED, m) -> \
        att[c] = att[c] | BIT(m); RESEND(m) }

/* Recovery. */
#define SOURCE(m) \
    :: d_step { phase[c] == RECOVER && IN(REQUIRED, att[c]) && !prop[c] && equal[c] == 0 && \
        (sync[c] & dirty) && HAS(sync[c], m) -> equal[c] = BIT(m); src[c] = m }
#define EQUAL(m) \
    :: d_step { phase[c] == RECOVER && !prop[c] && equal[c] && HAS(sync[c] & ~equal[c], m) && \
        promise[m] == EPOCH && promise[src[c]] == EPOCH -> \
        val[m] = val[src[c]]; dirty = dirty | BIT(m); equal[c] = equal[c] | BIT(m) }

/* A target is copied to, from a member in sync, if either's planes say so; then flushed. */
#ifdef M_NO_OWN_PLANES
#define DIFFER(s, m) HAS(dirty | away, s)
#else
#define DIFFER(s, m) ((dirty | away) & (BIT(s) | BIT(m)))
#endif
#ifdef M_ADD_NO_FLUSH
#define SYNCED(m) skip
#else
#define SYNCED(m) disk[m] = val[m]
#endif
#define COPY(s, m) \
    :: d_step { phase[c] == SERVE && write[c] != 1 && HAS(att[c] & ~(REQUIRED | ready[c]), m) && \
        HAS(sync[c] & att[c], s) && promise[m] == EPOCH && promise[s] == EPOCH -> \
        if \
        :: DIFFER(s, m) -> val[m] = val[s]; dirty = dirty | BIT(m) \
        :: else \
        fi; \
        SYNCED(m); ready[c] = ready[c] | BIT(m) }
#define EVICT(when, base) \
    :: d_step { props && (phase[c] == RECOVER || phase[c] == SERVE) && when && \
        (base & ~att[c]) && (base & att[c]) -> \
        props--; propose(c, base & att[c]) }
#define ADD(m) \
    :: d_step { props && phase[c] == SERVE && !prop[c] && HAS(ready[c] & att[c], m) -> \
        props--; propose(c, sync[c] | BIT(m)) }

/* What clients see. */
#define READ(m) \
    :: d_step { phase[c] == SERVE && write[c] != 1 && HAS(sync[c] & att[c], m) && \
        HAS(cfg_sync[m], m) && promise[m] == EPOCH && !(c == 0 && phase[1] == SERVE) && \
        val[m] != floor -> \
        assert(val[m] > floor); floor = val[m] }

/* The end of a checkpoint: some members do not hear of it any more. */
#ifdef M_COMMIT_ALL
#define CLEAN 1
#else
#define CLEAN (sync[c] == ALL && att[c] == ALL)
#endif
#define FORGET(m) \
    if \
    :: HAS(att[c], m) && CLEAN -> dirty = dirty & ~BIT(m); away = away & ~BIT(m) \
    :: HAS(att[c] & dirty, m) && !(CLEAN) -> dirty = dirty & ~BIT(m); away = away | BIT(m) \
    :: true \
    fi
#define FLUSH(m) \
    if \
    :: HAS(att[c], m) -> disk[m] = val[m] \
    :: else \
    fi
#define ATTACHED_OURS(m) (!HAS(att[c], m) || promise[m] == EPOCH)

proctype target(byte c)
{
    do
    OPEN(0) OPEN(1) OPEN(2)
    :: d_step { phase[c] == GATHER && MAJORITY(up[c]) && SOURCES ->
        propose(c, SOURCES); phase[c] = FIRST }
    ACCEPT(0) ACCEPT(1) ACCEPT(2)
    UNHEARD(0) LOSE(0)
#if LOSSES > 1
    UNHEARD(1) UNHEARD(2) LOSE(1) LOSE(2)
#endif
    ATTACH(0) ATTACH(1) ATTACH(2)
    SOURCE(0) SOURCE(1) SOURCE(2)
    EQUAL(0) EQUAL(1) EQUAL(2)
#ifdef M_NO_EQUALISE
    :: d_step { phase[c] == RECOVER && IN(REQUIRED, att[c]) && !prop[c] -> phase[c] = SERVE }
#else
    :: d_step { phase[c] == RECOVER && IN(REQUIRED, att[c]) && !prop[c] &&
        ((sync[c] & dirty) == 0 || equal[c] == sync[c] ||
         sync[c] == 1 || sync[c] == 2 || sync[c] == 4) -> phase[c] = SERVE; equal[c] = 0; src[c] = 0 }
#endif
    EVICT(!prop[c], sync[c]) EVICT(prop[c], prop[c])
    COPY(0, 1) COPY(0, 2) COPY(1, 0) COPY(1, 2) COPY(2, 0) COPY(2, 1)
    ADD(0) ADD(1) ADD(2)
    :: d_step { phase[c] == SERVE && write[c] == 0 && IN(REQUIRED, att[c]) ->
        write[c] = 1; sent[c] = att[c]; pend[c] = att[c]; answered[c] = 0 }
    :: d_step { write[c] == 1 && phase[c] == SERVE && ENOUGH ->
        write[c] = 2; answered[c] = 0; sent[c] = 0;
        if
        :: c == 0 && phase[1] == SERVE ->
            assert((!HAS(sync[1], 0) || val[0] >= 1) && (!HAS(sync[1], 1) || val[1] >= 1) &&
                   (!HAS(sync[1], 2) || val[2] >= 1))
        :: else
        fi;
        if
        :: floor < EPOCH -> floor = EPOCH
        :: else
        fi }
    READ(0) READ(1) READ(2)
    :: atomic { ckpts && phase[c] == SERVE && write[c] != 1 && !prop[c] && undecided[c] == 0 &&
        IN(sync[c], att[c]) && ATTACHED_OURS(0) && ATTACHED_OURS(1) && ATTACHED_OURS(2) ->
        ckpts--;
        FLUSH(0); FLUSH(1); FLUSH(2);
        if
        :: HAS(sync[c], 0) && val[0] > flushed -> flushed = val[0]
        :: HAS(sync[c], 1) && val[1] > flushed -> flushed = val[1]
        :: HAS(sync[c], 2) && val[2] > flushed -> flushed = val[2]
        :: else
        fi;
        FORGET(0); FORGET(1); FORGET(2) }
    od
}

/* Delivery, and the loss of a member's memory. */
#ifdef M_NO_FENCE
#define SERVED(c, m) true
#else
#define SERVED(c, m) promise[m] == c + 1
#endif
#define DELIVER(c, m) \
    :: d_step { HAS(pend[c], m) && SERVED(c, m) -> \
        val[m] = c + 1; dirty = dirty | BIT(m); pend[c] = pend[c] & ~BIT(m); \
        if \
        :: HAS(att[c], m) -> answered[c] = answered[c] | BIT(m) \
        :: else \
        fi }
#define POWER(m) \
    :: atomic { powers && HAS(dirty, m) -> \
        powers--; lossy = lossy | BIT(m); \
        pend[0] = pend[0] & ~BIT(m); pend[1] = pend[1] & ~BIT(m); \
        DROP(0, m); DROP(1, m); \
        if \
        :: val[m] = disk[m] \
        :: val[m] != disk[m] \
        fi }

proctype world()
{
    do
    DELIVER(0, 0) DELIVER(0, 1) DELIVER(0, 2)
    DELIVER(1, 0) DELIVER(1, 1) DELIVER(1, 2)
    POWER(0)
#if LOSSES > 0
    POWER(1)
#endif
    od
}

init { atomic { run target(0); run target(1); run world() } }
