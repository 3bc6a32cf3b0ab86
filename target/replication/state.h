/* SPDX-License-Identifier: Apache-2.0 */
/* The private struct of the replication room and what all its files say of it. */
#ifndef STRAKE_REPLICATION_STATE_H
#define STRAKE_REPLICATION_STATE_H

#include "target/replication/control.h"
#include "target/replication/copy.h"
#include "target/replication/range_lock.h"
#include "target/replication/records.h"
#include "target/replication/replication.h"
#include "target/replication/scrub.h"

enum {
    REPL_CONTROLS_MAX = 96,
    REPL_TEXTS_MAX = 16,
    REPL_TEXT_BYTES = 160,
    /* A request number is a serial above a slot; replies find their way by the slot. */
    SLOT_BITS = 16,
    SLOT_COPY = REPL_OPS_MAX,
    SLOT_SWEEP = SLOT_COPY + REPL_COPIES,
    SLOT_RELAY,
    SLOT_INSTALL,
    SLOT_SCRUB,
    SLOT_COUNT,
};
#define REPL_NEVER_NS  UINT64_MAX
#define REPL_SECOND_NS ((uint64_t)1000 * 1000 * 1000)

STATIC_ASSERT(SLOT_COUNT < 1 << SLOT_BITS, "slots fit into a request number");
STATIC_ASSERT((int)COMMAND_BYTES_MAX >= (int)MESSAGE_BYTES_MAX, "one buffer for all bodies");
STATIC_ASSERT(MEMBERS_MAX <= 8, "sets of peers are bytes");

struct repl {
    struct repl_settings settings;
    struct uuid controller;
    struct buf_pool *bufs; /* of the owner */
    uint64_t now_ns;
    uint64_t wanted_ns; /* the deadline that was told last */
    uint64_t random;
    uint64_t serial;
    enum phase phase;
    bool stopping;
    bool unsettled; /* something other than an operation's progress happened */
    const char *why;

    struct config config; /* committed, or the best known */
    uint64_t epoch;
    uint64_t version;
    uint64_t base_checkpoint;
    uint64_t grow_bytes; /* the size that is wanted instead of the committed one, or 0 */
    struct proposal proposal;
    uint64_t seen_epoch;   /* GATHER: the highest promise that was in our way */
    uint64_t raise_ns;     /* GATHER: when to try a higher epoch */
    uint64_t majority_ns;  /* GATHER: since when a majority is there */
    uint64_t frozen_ns;    /* since when writes wait */
    uint64_t stop_ns;      /* stopping is over by then */
    uint64_t recover_ns;   /* RECOVER: not before */
    bool recover_again;    /* RECOVER: copies were made, so somebody has more in doubt */
    bool claimed;          /* proposed something once: C9 */
    bool cache_lost_flush; /* the next flush tells that acknowledged writes may be gone */

    uint32_t peer_count;
    struct peer_record peers[MEMBERS_MAX];
    uint8_t voters;    /* all members */
    uint8_t data;      /* members that hold data */
    uint8_t leaving;   /* members that are to go */
    uint8_t up;        /* sessions */
    uint8_t attached;  /* A */
    uint8_t in_sync;   /* I */
    uint8_t undecided; /* U */
    uint8_t doomed;    /* of I and U: not complete any more, to be dropped */
    uint8_t readable;  /* accepted a configuration that has them in sync */
    uint8_t lost;      /* since the last settle */
    uint8_t tardy;     /* owe a read for long, and have said nothing since */

    struct range_lock lock;
    struct repl_op *slots[REPL_OPS_MAX]; /* of their owners */
    uint16_t free_slots[REPL_OPS_MAX];
    uint32_t free_count;
    struct list reads;    /* READY */
    struct list writes;   /* READY: what changes something, and flushes */
    struct list inflight; /* SENT, in the order of dispatch */
    struct list merges, leasing;
    struct list retries;
    struct list done;
    uint32_t resend_count; /* operations with `resend` */
    uint32_t torn_count;   /* with `torn` */
    uint64_t retry_ns;
    uint64_t leased_ns; /* when leases were asked for last */
    uint64_t scan_ns;   /* when to look for slow peers again */

    struct lineage lineage;      /* SERVE: after the last command that is done by C1 */
    struct lineage next_lineage; /* after the one under way, once somebody has answered it */
    struct repl_op *command_op;  /* the one under way, not yet applied by all; or NULL */
    struct relay relay;
    struct install install;
    uint8_t hash_key[HASH_KEY_BYTES];

    struct copy copies[REPL_COPIES];
    struct sweep sweep;
    struct count count;
    struct repair repairs[REPL_REPAIRS_MAX];
    uint32_t repair_count;
    struct checkpoint checkpoint;
    struct doubt doubt;
    struct scrub scrub;

    struct control controls[REPL_CONTROLS_MAX]; /* ring */
    uint32_t control_head;
    uint32_t control_count;
    struct slice lent;      /* of the last control that was sent */
    struct slice lent_body; /* and of what was sent last */
    char texts[REPL_TEXTS_MAX][REPL_TEXT_BYTES];
    uint32_t text_next;
};

static inline uint8_t bit_of(uint8_t peer)
{
    ASSERT(peer < MEMBERS_MAX);
    return (uint8_t)(1u << peer);
}

static inline uint8_t without(uint8_t set, uint8_t what)
{
    return (uint8_t)(set & ~what);
}

static inline int count_of(uint8_t set)
{
    return __builtin_popcount(set);
}

static inline uint8_t first_of(uint8_t set)
{
    ASSERT(set);
    return (uint8_t)__builtin_ctz(set);
}

/* Who must answer before anything is done. */
static inline uint8_t required(const struct repl *repl)
{
    return repl->in_sync | repl->undecided;
}

/* Members that hold everything, and can be read. */
static inline uint8_t readable_in_sync(const struct repl *repl)
{
    return without(repl->in_sync & repl->attached & repl->readable, repl->doomed);
}

static inline uint8_t voters_next(const struct repl *repl)
{
    return repl->proposal.active ? repl->proposal.voters : repl->voters;
}

/* Who is in sync when what is proposed is committed. */
static inline uint8_t in_sync_next(const struct repl *repl)
{
    return repl->proposal.active ? repl->proposal.in_sync : repl->in_sync;
}

/* Whoever may have a say: by the committed list, or the proposed one. */
static inline uint8_t electors(const struct repl *repl)
{
    return repl->voters | voters_next(repl);
}

static inline bool majority_of(uint8_t voters, uint8_t set)
{
    return 2 * count_of(set & voters) > count_of(voters);
}

/* C17 */
static inline bool majority(const struct repl *repl, uint8_t set)
{
    return majority_of(repl->voters, set) && majority_of(voters_next(repl), set);
}

/* Who could be brought in sync, and is not being: there, but not part of writes. */
static inline uint8_t outsiders(const struct repl *repl)
{
    return without(repl->up & repl->data, repl->attached | required(repl) | repl->leaving);
}

static inline uint64_t request_of(uint64_t serial, uint32_t slot)
{
    return serial << SLOT_BITS | slot;
}

#endif
