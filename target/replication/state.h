/* SPDX-License-Identifier: Apache-2.0 */
/* The private structs of the replication room, and what its files ask of each other. */
#ifndef STRAKE_REPLICATION_STATE_H
#define STRAKE_REPLICATION_STATE_H

#include "target/replication/range_lock.h"
#include "target/replication/replication.h"

enum {
    REPL_COPIES = 4, /* under way at once */
    REPL_CONTROLS_MAX = 96,
    REPL_TEXTS_MAX = 16,
    REPL_TEXT_BYTES = 160,
    REPL_COPY_BYTES = PAYLOAD_BYTES_MAX,
    REPL_MAP_BYTES = FRAME_BODY_BYTES_MAX,
    REPL_REPAIRS_MAX = 8,
    /* A request number is a serial above a slot; replies find their way by the slot. */
    SLOT_BITS = 16,
    SLOT_COPY = REPL_OPS_MAX,
    SLOT_SWEEP = SLOT_COPY + REPL_COPIES,
};
#define REPL_GRAIN_BYTES  ((uint64_t)16 << 10) /* what one bit of a map covers */
#define REPL_WINDOW_BYTES (REPL_MAP_BYTES * 8 * REPL_GRAIN_BYTES)
#define REPL_NEVER_NS     UINT64_MAX
#define REPL_SECOND_NS    ((uint64_t)1000 * 1000 * 1000)

STATIC_ASSERT(SLOT_SWEEP < 1 << SLOT_BITS, "slots fit into a request number");
STATIC_ASSERT(MEMBERS_MAX <= 8, "sets of peers are bytes");

enum op_phase {
    OP_LOCKING,  /* waits for earlier overlapping operations */
    OP_READY,    /* waits to be dispatched: in `reads` or `writes` */
    OP_SENT,     /* in `inflight` */
    OP_MERGE,    /* in `merges`: to be lent to its owner */
    OP_MERGING,  /* with its owner */
    OP_RETRYING, /* in `retries`: everybody failed it */
    OP_DONE,     /* in `done` */
};

enum peer_state {
    PEER_ABSENT,  /* no channel */
    PEER_OPENING, /* OPEN was sent */
    PEER_OPEN,    /* promised our epoch */
    PEER_REFUSED, /* there is a channel, but no session to be had on it */
};

struct peer_record {
    struct uuid member;
    char name[UUID_TEXT_BYTES]; /* the first characters of it, for texts */
    enum peer_state state;
    struct message_opened opened; /* as of the present session */
    bool lossy;
    bool failed;
    uint64_t since_ns;  /* of the state */
    uint64_t joined_ns; /* part of writes since */
    uint64_t lost_ns;   /* not part of them any more since */
    uint64_t retry_ns;  /* as a target not before */
    uint64_t accept_ns; /* an ACCEPT is unanswered since; 0: none */
    uint32_t failures;  /* as a target, in a row */
    uint32_t reads;     /* outstanding */
    const char *why;
};

/* What goes out besides operations. */
struct control {
    enum repl_effect_kind kind;
    uint8_t peers;
    bool warn;
    uint8_t type; /* SEND */
    uint16_t flags;
    uint64_t request;
    uint64_t offset_bytes;
    uint64_t length_bytes;
    struct slice payload; /* one reference */
    const char *text;
};

enum phase {
    PHASE_GATHER,  /* promises are gathered; or the first proposal of our epoch is active */
    PHASE_RECOVER, /* members in sync are made equal */
    PHASE_SERVE,
    PHASE_FENCED,
    PHASE_STOPPED,
};

struct proposal {
    bool active;
    uint8_t in_sync;
    uint8_t lossy; /* of them, taken although they lost their memory, for want of better */
    uint8_t accepted;
    struct config config;
};

enum copy_phase { COPY_IDLE, COPY_LOCKING, COPY_READING, COPY_WRITING };
enum copy_purpose { COPY_RECOVER, COPY_RESYNC, COPY_REPAIR };

struct copy {
    struct repl_range range;
    enum copy_phase phase;
    enum copy_purpose purpose;
    bool locked;
    uint8_t source;
    uint8_t failed_sources;
    uint8_t dest;
    uint8_t answered;
    uint64_t serial;
    uint64_t sent_ns;
    struct slice data;
};

/* A walk over what may differ, window by window. */
enum sweep_phase { SWEEP_NONE, SWEEP_MAP, SWEEP_COPY, SWEEP_FLUSH, SWEEP_READY };

struct sweep {
    enum sweep_phase phase;
    enum copy_purpose purpose;
    uint8_t dest;    /* RESYNC: the target */
    bool full;       /* all of it, whatever the maps say */
    bool failed;     /* something could not be read anywhere */
    uint8_t members; /* RECOVER: I, when it began */
    uint8_t waiting; /* for a map, or the flush */
    uint64_t serial;
    uint64_t sent_ns;
    uint64_t pos_bytes; /* of the window */
    uint64_t grain;     /* in the window: next to look at */
    uint64_t grain_count;
    struct slice map; /* of the window */
    uint64_t next_ns; /* not before: rate limit, or another try */
    uint64_t done_bytes;
};

struct repair {
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint8_t dest;
};

struct checkpoint {
    bool active;
    uint8_t sent;
    uint8_t answered;
    uint32_t rounds; /* still to be done until the log of every member is clean */
    bool dirty;      /* something was written since the last marker */
    uint64_t count;
    uint64_t number;
    uint64_t sent_ns;
    uint64_t due_ns;
};

struct repl {
    struct repl_settings settings;
    struct uuid controller;
    struct buf_pool *bufs; /* of the owner */
    uint64_t now_ns;
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
    uint8_t voters;
    uint8_t data;      /* members that hold data */
    uint8_t up;        /* sessions */
    uint8_t attached;  /* A */
    uint8_t in_sync;   /* I */
    uint8_t undecided; /* U */
    uint8_t doomed;    /* of I and U: not complete any more, to be dropped */
    uint8_t readable;  /* accepted a configuration that has them in sync */
    uint8_t lost;      /* since the last settle */

    struct range_lock lock;
    struct repl_op *slots[REPL_OPS_MAX]; /* of their owners */
    uint16_t free_slots[REPL_OPS_MAX];
    uint32_t free_count;
    struct list reads;    /* READY */
    struct list writes;   /* READY: what changes something, and flushes */
    struct list inflight; /* SENT, in the order of dispatch */
    struct list merges;
    struct list retries;
    struct list done;
    uint32_t resend_count; /* operations with `resend` */
    uint64_t retry_ns;
    uint64_t scan_ns; /* when to look for slow peers again */

    struct copy copies[REPL_COPIES];
    struct sweep sweep;
    struct repair repairs[REPL_REPAIRS_MAX];
    uint32_t repair_count;
    struct checkpoint checkpoint;

    struct control controls[REPL_CONTROLS_MAX]; /* ring */
    uint32_t control_head;
    uint32_t control_count;
    struct slice lent; /* of the last control that was sent */
    char texts[REPL_TEXTS_MAX][REPL_TEXT_BYTES];
    uint32_t text_next;
    uint8_t body[CONFIG_BYTES_MAX + 64];
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

static inline bool majority(const struct repl *repl, uint8_t set)
{
    return 2 * count_of(set & repl->voters) > count_of(repl->voters);
}

static inline uint64_t request_of(uint64_t serial, uint32_t slot)
{
    return serial << SLOT_BITS | slot;
}

/* control.c */
struct control *control_push(struct repl *repl, enum repl_effect_kind kind, uint8_t peers);
void control_send(struct repl *repl, uint8_t peers, uint8_t type);
bool control_next(struct repl *repl, struct repl_effect *effect);
void control_release(struct repl *repl);
void say(struct repl *repl, bool warn, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ops.c */
void op_submit(struct repl *repl, struct repl_op *op);
void op_merged(struct repl *repl, struct repl_op *op, bool write);
void op_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
bool op_next(struct repl *repl, struct repl_effect *effect);
void ops_lost(struct repl *repl, uint8_t peers);
/* Everything outstanding is to be sent to this peer too. */
void ops_resend(struct repl *repl, uint8_t peer);
/* I, U or A changed: who waits for nobody any more is done. */
void ops_review(struct repl *repl);
/* The sessions begin anew: what was dispatched is to be dispatched again. */
void ops_restart(struct repl *repl);
void ops_retry(struct repl *repl);
/* Ends what is not dispatched; `all`: everything. */
void ops_abandon(struct repl *repl, bool all, int status);
void ops_flush_fail(struct repl *repl);
bool ops_can_write(const struct repl *repl);
uint32_t ops_outstanding(const struct repl *repl);
/* In-sync peers, then targets, that take too long over an operation. */
uint8_t ops_slow(const struct repl *repl);
void op_granted(void *arg, struct repl_range *range);
void op_waits(void *arg, struct repl_range *range);

/* peers.c */
uint8_t peer_find(struct repl *repl, const struct uuid *member);
void peer_up(struct repl *repl, uint8_t peer);
void peer_opened(struct repl *repl, uint8_t peer, const struct frame *frame);
/* The session is over; `close`: by our decision. */
void peer_lose(struct repl *repl, uint8_t peer, bool close, const char *why);
/* A target failed: it may try again later. */
void peer_back_off(struct repl *repl, uint8_t peer, const char *why);
void peers_open(struct repl *repl);
void peers_join(struct repl *repl);
/* Why a member in sync by the register does not hold what it should; NULL: it does. */
const char *peer_unfit(const struct repl *repl, uint8_t peer);
/* What a reply that fences says: 0 nothing, else the promised epoch that is above us. */
uint64_t peer_promise(const struct repl *repl, const struct frame *frame);

/* register.c */
void register_adopt(struct repl *repl, const struct config *config);
void register_propose(struct repl *repl, uint8_t in_sync);
/* True when a proposal was committed by this. */
MUST_USE bool register_accepted(struct repl *repl, uint8_t peer, const struct frame *frame);
/* Drops and adds members as far as the rules allow. */
void register_settle(struct repl *repl);
/* Nobody who is there holds everything, or writes that wait for who is away keep a target from
 * being brought in sync: only opening the volume anew can help. */
bool register_stuck(const struct repl *repl);
uint64_t register_deadline_ns(const struct repl *repl);

/* open.c */
void open_begin(struct repl *repl);
void open_settle(struct repl *repl);
/* A higher promise is in the way; the epoch is raised after a moment. */
void open_outbid(struct repl *repl, uint64_t promised_epoch);
uint64_t open_deadline_ns(const struct repl *repl);

/* status.c */
/* Something was asked of somebody: who answers too late must be found. */
bool repl_busy(const struct repl *repl);

/* copy.c */
bool copy_idle(const struct repl *repl);
/* Starts a copy; false when none is free. */
MUST_USE bool copy_start(struct repl *repl, enum copy_purpose purpose, uint64_t offset_bytes,
                         uint64_t length_bytes, uint8_t dest);
void copy_granted(struct repl *repl, struct copy *copy);
void copy_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void copies_lost(struct repl *repl, uint8_t peers);
/* Gives up the sweep's copies; those being written end in their own time, unless `sessions_over`.
 */
void copies_cancel(struct repl *repl, bool sessions_over);
void copy_repair(struct repl *repl, uint64_t offset_bytes, uint64_t length_bytes, uint8_t dest);
void copies_settle(struct repl *repl);
uint8_t copies_slow(const struct repl *repl);

/* sweep.c */
void sweep_begin(struct repl *repl, enum copy_purpose purpose, uint8_t dest, bool full);
void sweep_end(struct repl *repl);
void sweep_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void sweep_lost(struct repl *repl, uint8_t peers);
void sweep_settle(struct repl *repl);
uint64_t sweep_deadline_ns(const struct repl *repl);

/* recover.c */
/* True when all members in sync are equal: serving may start. */
MUST_USE bool recover_settle(struct repl *repl);

/* resync.c */
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
