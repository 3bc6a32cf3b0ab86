/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the replication room: the mind of one volume. It decides who must hold a write before
 * it is answered, who counts as in sync, and what a returning replica has missed. A pure state
 * machine: events in by repl_step(), effects out by repl_next(), time passed in, no I/O. One per
 * volume and target process; the other side is replica/service/service.h. It keeps nothing on disk:
 * what it must know is asked of the replicas when it opens the volume.
 *
 * Words: I, the members in sync by the last committed configuration. U, by any proposed since. A,
 * the attached: live session, part of every write. A target is in A only: being brought in sync.
 *
 * Invariants:
 *   C1  A write, zero, flush or checkpoint is done when all of I and U have answered it, and every
 *       member of A that it was sent to. Nobody is dropped from I before a majority of the voters
 *       has accepted that durably.
 *   C2  At most one proposal is active; what a superseded one added to U stays there until one
 *       commits.
 *   C3  A member is proposed to be in sync only when everything it may lack was copied to it and
 *       compared there, then flushed, and every outstanding operation was sent to it in its present
 *       session.
 *   C4  Reads go only to members of I that are attached and accepted a configuration that has them
 *       in sync, under a shared range lock, and end only under leases of a majority (lease.c).
 *   C5  A reply counts only for the very request and session it answers.
 *   C6  In recovery the range to equalise only grows until all of it is equal: whoever is copied to
 *       marks the copy as in doubt, and any change of I begins recovery anew.
 *   C7  A checkpoint is committed for all only when every data member is in sync and answered it.
 *   C8  The range lock of a dispatched operation is held until C1.
 *   C9  Who saw a higher promise after its first proposal never serves again.
 *   C10 Serving starts only after a configuration of the own epoch committed and recovery ended.
 *   C11 No two operations under way anywhere overlap, unless both are reads.
 *   C12 One command at a time; it is told as done when all of I have it durably. Who is attached
 *      has applied the same ones, but for the one under way.
 *   C13 While a command moves the head no write or copy to the head is under way, nor a proposal.
 *   C14 A target is proposed to be in sync only when no generation is incomplete there. One in sync
 *      that sealed as one out of sync is told that what it holds is complete.
 *   C15 Nor before its planes cover those of a member in sync, who knows what others that are away
 *      may lack.
 *   C16 With each EQUAL all that was written before the last one was answered by all of I, and
 *      nothing that failed in part waits to be repeated.
 *   C17 A change of the members is one more or one less. None is proposed before a configuration of
 *      the own epoch is committed, nor before the change before it is, nor while one in sync is to
 *      be dropped. A configuration is committed when a majority by the committed list and one
 *      by its own have accepted it. Later ones of the epoch keep its list, unless only whom it
 *      removes holds everything.
 *   C18 A member in sync is removed only when all data members that stay are in sync, and there are
 *      enough of them. No member has an identity that an earlier one had.
 *   C19 A larger size is committed when every attached member has room for it, by the way it
 *      accepted it; who has not is not attached. The committed size never shrinks.
 *   C20 A write fails for want of space when all of I hold the same in its range: when all refused
 *      it, or what those who refused it hold was written to the others.
 *
 * States, and what may be trusted in each: OPENING: nothing yet. RECOVERING: I is committed in our
 * epoch, its members may differ where they are in doubt. SERVING, FROZEN: all of I hold every
 * acknowledged write; FROZEN: some must come back, or be brought in sync, before writes go on.
 */
#ifndef STRAKE_REPLICATION_REPLICATION_H
#define STRAKE_REPLICATION_REPLICATION_H

#include "common/wire/frame.h"
#include "target/replication/operation.h"
#include "target/replication/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    REPL_OPS_MAX = 1024, /* outstanding client operations a volume; more wait with the volume */
    REPL_NO_PEER = 255,
};

enum repl_event_kind {
    REPL_EV_UP,     /* a channel to this member's replica stands: open a session */
    REPL_EV_DOWN,   /* it broke, or was closed by REPL_DO_CLOSE */
    REPL_EV_FRAME,  /* a reply from this peer, lent for the call */
    REPL_EV_SUBMIT, /* op */
    REPL_EV_MERGED, /* op: of an UPDATE; `write` false ends it without writing, with op->status */
    REPL_EV_TICK,   /* repl_deadline_ns() has come */
    REPL_EV_CHANGE, /* change: proposes it, only when repl_change_invalid() says nothing */
    REPL_EV_GROW,   /* size_bytes: larger than the volume; only while it serves */
    REPL_EV_SCRUB,  /* compare everything, in the background; nothing while that is under way */
    REPL_EV_STOP,   /* finish what is outstanding, checkpoint, close: REPL_DO_STOPPED follows */
};

/* Of the members. A member has an identity that no other one ever had. */
struct repl_change {
    bool add;             /* else member.uuid is marked as leaving */
    struct member member; /* add: uuid and kind */
    struct uuid leaves;   /* add: who is marked as leaving by the same change; zero: nobody */
    uint8_t min_in_sync;  /* 0: stays */
};

struct repl_event {
    enum repl_event_kind kind;
    uint64_t now_ns; /* monotonic */
    uint8_t peer;    /* UP, DOWN, FRAME: index of the peer, see repl_peer_add */
    const struct frame *frame;
    struct repl_op *op;
    const struct repl_change *change; /* lent for the call */
    uint64_t size_bytes;
    bool write;
};

enum repl_effect_kind {
    REPL_DO_SEND,  /* frame to every peer in `peers`; body and payload lent until the next call */
    REPL_DO_CLOSE, /* end the sessions with `peers`; UP when a new one can be had. No DOWN needed */
    REPL_DO_RELEASE, /* `peers`: these indices stand for nobody any more, after REPL_DO_CLOSE */
    REPL_DO_MERGE, /* op: an UPDATE's range was read; answer with REPL_EV_MERGED in a later call */
    REPL_DO_COMPLETE,   /* op: done, it is the owner's again */
    REPL_DO_SAY,        /* `text`: one line for the log and the volume's event list */
    REPL_DO_CONFIG,     /* a configuration was committed: repl_config() is new */
    REPL_DO_FENCED,     /* another target took over: nothing is ever served here again */
    REPL_DO_CACHE_LOST, /* acknowledged writes that were not flushed may be gone: tell the clients
                         */
    REPL_DO_SPACE_LOW,  /* a replica's disk is nearly full: tell the clients */
    REPL_DO_STOPPED,
};

struct repl_effect {
    enum repl_effect_kind kind;
    uint8_t peers; /* bit per peer index */
    bool warn;     /* SAY */
    struct frame frame;
    struct repl_op *op;
    const char *text;
};

enum repl_state {
    REPL_OPENING,    /* gathering promises of a majority */
    REPL_RECOVERING, /* making the in-sync members equal where they may differ */
    REPL_SERVING,
    REPL_FROZEN, /* serving, but too few members in sync are there: operations wait */
    REPL_STOPPING,
    REPL_FENCED,
};

struct repl;

/* `config` is the newest one known from the catalogue, a hint for whom to talk to; `controller`
 * this target process. */
struct repl *repl_new(const struct config *config, const struct uuid *controller,
                      const struct repl_settings *settings, struct buf_pool *bufs,
                      uint64_t random_seed);
/* What is still outstanding is forgotten, not completed; it is its owner's until then. */
void repl_free(struct repl *repl);

/*
 * The index under which the shell speaks of this member, until REPL_DO_RELEASE. REPL_NO_PEER: the
 * volume has nothing to say to it; it may have once REPL_DO_CONFIG or REPL_DO_RELEASE came, or it
 * was added.
 */
uint8_t repl_peer_add(struct repl *repl, const struct uuid *member);

void repl_step(struct repl *repl, const struct repl_event *event);
/* The next effect of the steps so far; false when there is none. Drain after each step. */
MUST_USE bool repl_next(struct repl *repl, struct repl_effect *effect);
/* When REPL_EV_TICK is wanted; UINT64_MAX: not at all (an idle volume). Ask after each drain. */
uint64_t repl_deadline_ns(struct repl *repl);

/*
 * NULL when the change may be asked for now, else why not. An added member was made before, at its
 * replica; it enters out of sync and is brought in sync as one that returns is. One that leaves is
 * removed as soon as the others hold everything without it. REPL_DO_CONFIG tells of each step.
 */
const char *repl_change_invalid(const struct repl *repl, const struct repl_change *change);

struct repl_member_status { /* for people */
    struct uuid member;
    enum member_kind kind;
    bool attached;
    bool in_sync;
    bool waited_for; /* operations wait for it */
    bool resyncing;
    bool leaving;
    uint64_t resync_done_bytes;
    uint64_t resync_total_bytes;
    const char *why; /* not in sync: the reason, a literal or "" */
};
struct repl_status {
    enum repl_state state;
    const char *why;   /* what is waited for, or "" */
    uint64_t since_ns; /* writes wait since then; UINT64_MAX: they do not */
    uint64_t epoch;
    uint32_t outstanding_ops;
    struct repl_scrub_status scrub;
    uint8_t member_count;
    struct repl_member_status members[MEMBERS_MAX];
};
void repl_status(const struct repl *repl, struct repl_status *status);
const struct config *repl_config(const struct repl *repl);
/* REPL_EV_GROW is being seen to. Later REPL_DO_CONFIG tells the size, or the old one: a member has
 * no room. */
bool repl_growing(const struct repl *repl);
const char *repl_state_name(enum repl_state state);

/* Every invariant above; aborts on a breach. For development builds, after each step. */
void repl_check(const struct repl *repl);

#endif
