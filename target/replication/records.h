/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a volume's state: of one member, one proposal, one walk, each kept by a file. */
#ifndef STRAKE_REPLICATION_RECORDS_H
#define STRAKE_REPLICATION_RECORDS_H

#include "target/replication/replication.h"

enum op_phase {
    OP_LOCKING,  /* waits for earlier overlapping operations */
    OP_READY,    /* waits to be dispatched: in `reads` or `writes` */
    OP_SENT,     /* in `inflight` */
    OP_MERGE,    /* in `merges`: to be lent to its owner */
    OP_MERGING,  /* with its owner */
    OP_LEASING,  /* was read, in `leasing`: to be ended under leases of a majority */
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
    struct uuid member;         /* zero: the place is free */
    char name[UUID_TEXT_BYTES]; /* the first characters of it, for texts */
    enum peer_state state;
    struct message_opened opened; /* as of the present session */
    bool lossy, failed;
    uint64_t since_ns;  /* of the state */
    uint64_t joined_ns; /* part of writes since */
    uint64_t lost_ns;   /* not part of them any more since */
    uint64_t retry_ns;  /* as a target not before */
    uint64_t accept_ns; /* an ACCEPT is unanswered since; 0: none */
    uint32_t failures;  /* as a target, in a row */
    uint64_t lag_ns[2]; /* usual lag behind the others: of writes; where a sync is waited for */
    uint64_t probed_ns; /* asked whether it answers at all, and not heard of since; 0: heard */
    uint64_t hiccup_ns; /* when it was demoted for it last; how often, lately */
    uint32_t hiccups;
    uint64_t lease_ns; /* answers no other target until then */
    uint32_t reads;    /* outstanding */
    bool full;         /* as a target: its planes do not tell what it may lack */
    bool installed;    /* the book, in this session */
    bool space_low;    /* as it said last */
    const char *why;
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
    uint8_t voters; /* of its list */
    uint8_t in_sync;
    uint8_t lossy; /* of them, taken although they lost their memory, for want of better */
    uint8_t accepted;
    struct config config;
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

/* What was written since the members were told last that earlier writes are equal (C16). */
struct doubt {
    uint64_t serial; /* the last one then */
    uint64_t bytes;
    uint32_t writes;
};

/* A command that some members in sync lack, on its way to them in recovery. */
struct relay {
    uint8_t waiting;
    uint64_t serial;
    uint64_t sent_ns;
    uint64_t command;
    struct slice body; /* of that command */
};

/* The book on its way from a member in sync to a target, chunk by chunk. */
enum install_phase { INSTALL_NONE, INSTALL_READ, INSTALL_WRITE };

struct install {
    enum install_phase phase;
    uint8_t source;
    uint8_t dest;
    uint64_t cursor;
    struct message_book book; /* the head of the first chunk */
    uint64_t next_cursor;     /* after the chunk that is being written; 0: it is the last */
    uint64_t serial;
    uint64_t sent_ns;
};

#endif
