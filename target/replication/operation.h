/* SPDX-License-Identifier: Apache-2.0 */
/* What the owner of a volume asks of the replication core: a part of its door, replication.h. */
#ifndef STRAKE_REPLICATION_OPERATION_H
#define STRAKE_REPLICATION_OPERATION_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/wire/message.h"
#include "target/replication/range.h"

enum { REPL_ANY_PEER = 0xff };

enum repl_op_kind {
    REPL_READ,
    REPL_WRITE,
    REPL_UPDATE, /* reads the range, lends it to REPL_DO_MERGE, then writes what the owner made of
                    it */
    REPL_ZERO,
    REPL_FLUSH,
    REPL_COMMAND, /* `command`: done when all members in sync have it durably */
    REPL_DIFF,    /* what changed in the range: data = runs (generation.h) of covered_bytes */
    REPL_BOOK,    /* data = the chunk of the book at `cursor` */
    REPL_DIGEST,  /* data = a message_digest, of `generation` at `peer` */
    REPL_SPACE,   /* data = a message_space, of `peer` */
};

/* A client's operation, embedded by its owner. The core holds it, `node` included, from SUBMIT
 * until COMPLETE (but `node` is the owner's between MERGE and MERGED). */
struct repl_op {
    enum repl_op_kind kind;
    bool fua;
    bool no_hole;             /* ZERO */
    bool verify;              /* DIGEST: everything is read again */
    uint8_t peer;             /* DIGEST, SPACE: whom to ask; REPL_ANY_PEER: one in sync */
    uint64_t offset_bytes;    /* multiple of 4096 */
    uint64_t length_bytes;    /* multiple of 4096; READ, WRITE, UPDATE: at most PAYLOAD_BYTES_MAX */
    uint64_t generation;      /* READ, DIFF, DIGEST: which; 0: the head. Sealed: no lock is taken */
    uint64_t from_generation; /* DIFF: 0: from nothing */
    uint64_t covered_bytes;   /* DIFF: of the range, from its beginning; the rest is asked again */
    uint64_t cursor;          /* BOOK: 0 first, then the chunk's next_cursor */
    /* COMMAND: number and identity are the core's, of SEAL the generation too. The value is lent
     * until COMPLETE. */
    struct message_command command;
    /*
     * WRITE: the payload, checksums filled, owner's reference. READ, DIFF, BOOK, DIGEST, SPACE: the
     * result, one reference for the owner at COMPLETE. UPDATE: what was read, at MERGE; the owner
     * replaces it by what is to be written (checksums filled) before MERGED.
     */
    struct slice data;
    /*
     * At COMPLETE: 0; -EIO: every replica that could serve it failed; -ENOSPC; -ENOENT: no such
     * generation; -EINVAL: a command that cannot be; -ENOTCONN: that peer is away; -ESHUTDOWN: the
     * volume stops or was fenced, and a write may or may not have taken effect.
     */
    int status;
    struct list node;
    /* private */
    struct repl_range range;
    uint64_t serial;
    uint64_t sent_ns;
    uint64_t answered_ns; /* by who counts and did last; before, when it was sent */
    uint16_t slot;
    uint8_t phase;
    bool merged;         /* UPDATE: what is to be written is there */
    bool numbered;       /* COMMAND: has its number */
    bool applied;        /* COMMAND: all have it, the flush is under way */
    bool torn;           /* failed everywhere, perhaps in part: goes before any command */
    bool undone;         /* for want of space: what was before is written instead (undo.c) */
    uint8_t refused;     /* peers that had no space for it, and hold what was before */
    uint8_t unsure;      /* peers that may have done it before, in a session that ended */
    uint8_t sent;        /* peers it was sent to in their present session */
    uint8_t answered;    /* peers that answered it since it was dispatched */
    uint8_t failed;      /* of these, with an error */
    uint8_t full;        /* of these, for want of space */
    uint8_t resend;      /* peers it is to be sent to again */
    int error;           /* what the last failing peer said */
    struct slice before; /* undone: what the range had, once it was read */
};

/* Of the last scrub since the volume was opened, or the one under way. */
struct repl_scrub_status {
    bool running;
    uint32_t ended; /* how many did */
    uint64_t done_bytes;
    uint64_t found;      /* damaged pieces */
    uint64_t unrepaired; /* of these */
};

#endif
