/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replication protocol's frame, between a target and a replica process.
 *
 * One connection carries the sessions of many volumes, each a FIFO of frames both ways. A frame is
 * a header, a body (small, decoded by message.h) and a payload (data blocks):
 *
 *   offset bytes
 *        0     4  magic "STRK"
 *        4     1  protocol version (3)
 *        5     1  type (enum frame_type)
 *        6     2  flags (enum frame_flag)
 *        8     4  session: which volume on this connection; 0 is the connection itself
 *       12     4  body length
 *       16     4  payload length, a multiple of 4096, at most 1 MiB
 *       20     4  status of a reply: 0 or a positive errno-like code (enum frame_status)
 *       24     8  request: matches a reply to what it answers
 *       32     8  offset in the volume, bytes
 *       40     8  length in the volume, bytes, or an argument
 *       48     8  generation of the volume; 0 is the head
 *       56     4  CRC32C of the body and the checksum table
 *       60     4  CRC32C of bytes 0 to 59
 *       64        body, then 4 bytes of CRC32C for each 4 KiB of payload, then the payload
 *
 * The payload's checksums are the ones that were computed where the data entered the target; they
 * are stored with the data and travel with it ever after. Any checksum that does not match costs
 * the connection: nothing of such a frame is applied. Pure.
 */
#ifndef STRAKE_WIRE_FRAME_H
#define STRAKE_WIRE_FRAME_H

#include "common/base/buf.h"
#include "common/base/rx.h"
#include "common/base/tx.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FRAME_VERSION = 3,
    FRAME_HEADER_BYTES = 64,
    FRAME_BODY_BYTES_MAX = 64u << 10,
};

/*
 * Requests flow from target to replica; a reply has its request's type, request number and session,
 * and FRAME_REPLY. The bodies are structs of message.h. What may be together (frame_invalid):
 * only what is named here has a body or a payload, and must have it; "range" is an offset and a
 * length in the volume, multiples of 4096, length above 0. A generation is what READ, COPY, ZERO,
 * HASH, DIFF, SETTLE and DIGEST may name; 0 elsewhere. A reply with a status has no payload, and a
 * body or not.
 */
enum frame_type {
    /* Session 0: the connection and the catalogue. */
    FRAME_GREET = 2,  /* body, also of the reply: message_greet; the first frame each way */
    FRAME_LIST = 4,   /* reply body: message_volume entries (none is fine), several frames, MORE */
    FRAME_CREATE = 6, /* body: message_create; idempotent by volume and member identity */
    FRAME_DELETE = 8, /* body: message_delete: the data goes, a volume's record stays */
    FRAME_PING = 10,  /* reply body: message_health */
    /* A volume's session: not 0. */
    FRAME_OPEN = 32,   /* body: message_open; reply body: message_opened: PREPARE. Flag TARGET */
    FRAME_ACCEPT = 34, /* body: config */
    FRAME_WRITE = 36,  /* range of the payload's length, payload. Flag FUA */
    FRAME_ZERO = 38,   /* range of any length. Flags FUA, NO_HOLE */
    FRAME_READ = 40,   /* range of at most 1 MiB; reply: payload */
    FRAME_FLUSH = 42,
    FRAME_CHECKPOINT = 44, /* length: checkpoint number */
    FRAME_COMMIT = 46,     /* length: checkpoint number; no reply. Flag ALL */
    FRAME_GETMAP = 48,     /* range of at most 8 GiB; flag ALL. Reply body: a bit per 16 KiB of what
                              may differ, lowest bit first; what is past its end is zero */
    FRAME_HASH = 50,  /* range of at most 1 MiB, body: message_hash_ask; reply body: HASH_BYTES for
                         each 16 KiB. Also of what is not complete here. Flag SUMS */
    FRAME_COPY = 52,  /* a resynchronisation write: like WRITE, but counts as copied */
    FRAME_CLOSE = 54, /* the session ends cleanly. A reply unasked, with STALE: it was taken over */
    /* Generations and the book (generation.h). */
    FRAME_COMMAND = 56,      /* body: message_command; reply body: lineage */
    FRAME_LAST_COMMAND = 58, /* reply body: the last command applied here; none: there was none */
    FRAME_BOOK = 60,         /* length: cursor, 0 first; reply body: a chunk of the book */
    FRAME_INSTALL = 62, /* body: a chunk, length: its cursor; MORE on all but the last, whose reply
                           has a lineage. ALL: nothing that is here counts as complete */
    FRAME_SETTLE = 64,  /* the generation is complete here, of 0 the head; reply body:
                                lineage */
    FRAME_DIFF = 66, /* range of any length, body: message_diff_ask; reply body: runs, length: what
                        they cover. Also of what is not complete here */
    FRAME_DIGEST = 68, /* reply body: message_digest. ALL: reads everything again */
    FRAME_SPACE = 70,  /* reply body: message_space */
    FRAME_LEASE = 72,  /* length: nanoseconds, of the reply those granted: so long from now on no
                          other target's OPEN is answered here */
    FRAME_MARK = 74,   /* range as of GETMAP, body: bits as of its reply: members that are away may
                          differ there from this one, too */
    FRAME_EQUAL = 76,  /* the members in sync are equal in what was written before the last of these
                          in this session; no reply */
};

enum frame_flag {
    FRAME_REPLY = 1u << 0,
    FRAME_FUA = 1u << 1,       /* WRITE, ZERO, COPY: durable before the reply */
    FRAME_MORE = 1u << 2,      /* LIST replies, INSTALL: another frame follows */
    FRAME_ALL = 1u << 3,       /* COMMIT: every data member is in sync; GETMAP: all planes; INSTALL,
                                  DIGEST: see there */
    FRAME_TARGET = 1u << 4,    /* OPEN: as a resynchronisation target, not as a member in sync */
    FRAME_NO_HOLE = 1u << 5,   /* ZERO: keep the space allocated */
    FRAME_MEND = 1u << 6,      /* COPY: into what is sealed and complete, where it lies */
    FRAME_SPACE_LOW = 1u << 7, /* WRITE replies: little is left for new blocks there */
    FRAME_SUMS = 1u << 8,      /* HASH: the CRC32C of each block instead, as read; see hash_sums */
};

enum frame_status {
    FRAME_OK = 0,
    FRAME_STALE = 1,     /* not the session that counts; body: struct message_opened tells who
                            was promised */
    FRAME_NO_VOLUME = 2, /* no such volume, or another member identity, here */
    FRAME_FAILED = 3,    /* this replica of the volume is out of service: a sync failed */
    FRAME_IO = 4,        /* the disk refused this request */
    FRAME_CHECKSUM = 5,  /* what is stored does not match its checksum */
    FRAME_NO_SPACE = 6,  /* nothing of the request was done */
    FRAME_INVALID = 7,   /* the request breaks a rule */
    FRAME_EXISTS = 8,    /* CREATE: the identity is taken by something else */
    FRAME_BUSY = 9,
    FRAME_ABSENT = 10,        /* no such generation, or it is not complete here */
    FRAME_NO_MORE_SPACE = 11, /* WRITE: of the request a part may have been done */
};

struct frame {
    uint8_t type; /* enum frame_type; a reply carries its request's type and FRAME_REPLY */
    uint16_t flags;
    uint32_t session;
    uint32_t status;
    uint64_t request;
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint64_t generation;
    const uint8_t *body; /* lent by whoever hands the frame over, for the duration of the call */
    uint32_t body_bytes;
    struct slice payload; /* lent likewise; its checksum slots are filled; see frame_done */
};

/* Appends the frame, which must keep the rules; takes its own reference on the payload. */
void frame_encode(struct tx *tx, const struct frame *frame);

enum frame_decode {
    FRAME_DECODE_MORE, /* rx.want_bytes says how many */
    FRAME_DECODE_OK,   /* *frame is filled, to be given to frame_done */
    FRAME_DECODE_BAD,  /* *why says the reason: close the connection */
};
/* Takes one whole frame from the head of rx and verifies all of it. */
enum frame_decode frame_decode(struct rx *rx, struct frame *frame, const char **why);
/* A decoded frame was handled: lets go of the received bytes, its body's and its payload's. */
void frame_done(struct frame *frame);
/* NULL when the header's fields may be together, else which rule they break. */
const char *frame_invalid(const struct frame *frame, uint32_t payload_bytes);
/* Whether a request of this type has a reply. */
bool frame_has_reply(uint8_t type);
const char *frame_type_name(uint8_t type);
const char *frame_status_text(uint32_t status);

#endif
