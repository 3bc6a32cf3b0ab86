/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the service room: one volume's replica. It keeps promises (fencing by epoch and
 * session), the accepted configuration, the record of which regions may differ from other replicas,
 * and the order in which what is acknowledged becomes durable. A pure state machine: frames and
 * finished I/O in by service_step(), replies and I/O out by service_next().
 *
 * Invariants:
 *   R1 The promise and the accepted configuration never go down; nothing is served to a lower
 *      epoch, nor to the same epoch of another controller.
 *   R2 A reply to OPEN, ACCEPT, WRITE with FUA, FLUSH and CHECKPOINT follows the durability of the
 *      state it reports.
 *   R3 A region's bit in the dirty-region log is durable before data of that region is submitted;
 *      the log covers every set bit of the planes.
 *   R4 A fine bit is set before its data is submitted and cleared only by COMMIT.
 *   R5 One session. OPEN is answered only after all I/O of earlier sessions has ended.
 *   R6 `lossy` is durable before the new boot identity is, and is cleared only by accepting, in a
 *      live session, a configuration that has this member in sync.
 *   R7 After a failed sync nothing is ever answered OK by this process.
 *   R8 What is not in whole 4 KiB blocks inside the volume is refused.
 *   R9 Reads of the head are served only while the accepted configuration has this member in
 *      sync; those of a sealed generation only while it is complete here.
 *   R10 Commands are applied in the order of their numbers, each once. One that is known is
 *      answered again; one of a known number and another identity is refused.
 *   R11 One change of the generations or the book is under way at a time, and while it moves the
 *      head no write to the head is.
 *   R12 The book is installed only at a member out of sync; a generation is settled when nothing
 *      is being written to it, the lowest incomplete one first.
 *   R13 While a lease runs, and after a start as if one had just been granted, OPEN is answered to
 *      nobody but the target it was granted to, or who knows that target to be dead. Until then
 *      the other's promise is not made either, so that the lease is always that of who was
 *      promised.
 *   R14 What a member out of sync seals is incomplete there, as its head was.
 *   R15 A write to the head is among the recent ones before its data is submitted, until the
 *      target said EQUAL, twice after it; or they are too many, and the planes stand in.
 *   R16 A configuration with a larger size is accepted when what is kept is that large, and not
 *       before. What is kept never shrinks: a smaller size is that of a growth nobody committed.
 *   R17 A witness keeps promises and configurations. It refuses everything about data.
 */
#ifndef STRAKE_SERVICE_SERVICE_H
#define STRAKE_SERVICE_SERVICE_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/pool.h"
#include "common/wire/frame.h"
#include "common/wire/message.h"
#include "replica/service/disk.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    META_BYTES = 4096, /* one metadata record; two copies, written one after the other */
    META_COPIES = 2,
    SERVICE_WITNESS_BYTES = 4u << 20, /* as which a witness is kept */
    DRL_PAGE_BYTES = 4096,            /* one page of the dirty-region log */
    DRL_BYTES = 6 * DRL_PAGE_BYTES,   /* all of it, whatever the volume's size */
    PLANE_GRAIN_BYTES = 16u << 10,    /* what one bit of a plane covers */
    SERVICE_RECENT_BYTES = 32u << 10,
};

/* The longest lease, but in tests. */
#define SERVICE_LEASE_NS ((uint64_t)1000 * 1000 * 1000)

/* What the store found when it opened the volume. */
struct service_found {
    const uint8_t *meta[META_COPIES]; /* META_BYTES each, lent for the call */
    uint8_t *drl;            /* whole log image, DRL_BYTES; the service works on it in place */
    uint64_t lease_ns;       /* the longest lease that is granted */
    uint64_t lease_until_ns; /* an earlier service, or process, may have granted one until then */
    struct service_planes planes;
    struct lineage lineage;
    /* NULL, or how much of what the planes name the store still has to put right: until that is 0
     * no checkpoint begins, for its commit would clear them. */
    const uint64_t *doubtful;
    /* The planes are of this boot and process lineage: true to the last store. Else all zeros. */
    bool same_boot;
};

enum service_event_kind {
    SERVICE_EV_FRAME,      /* a frame of this volume, on the session numbered `session` of a link */
    SERVICE_EV_DISCONNECT, /* the link that carried the present session is gone */
    SERVICE_EV_IO_DONE,    /* io */
    SERVICE_EV_TICK,       /* service_deadline_ns() has come */
};

struct service_event {
    enum service_event_kind kind;
    uint64_t now_ns;           /* monotonic */
    uint64_t link;             /* which link: given by the shell, never reused */
    const struct frame *frame; /* lent for the call */
    struct service_io *io;
};

enum service_effect_kind {
    SERVICE_DO_REPLY,  /* frame on `link`; body and payload lent until the next call */
    SERVICE_DO_IO,     /* io */
    SERVICE_DO_SAY,    /* text */
    SERVICE_DO_FAILED, /* out of service for good (S2): the reason is in text */
};

struct service_effect {
    enum service_effect_kind kind;
    uint64_t link;
    struct frame frame;
    struct service_io *io;
    bool warn;
    const char *text;
};

struct service;

/* The bytes of data that a member may come to keep: all of the volume, or, of a witness, as good as
 * none. */
uint64_t service_kept_bytes(uint64_t size_bytes, bool witness);
/* Bytes of one plane for a volume of this size. */
uint64_t service_plane_bytes(uint64_t size_bytes);
/* The metadata record of a replica that was just made: what `strake-replica` writes for CREATE. */
void service_meta_format(uint8_t record[META_BYTES], const struct message_create *create,
                         const struct uuid *boot);
/* What a record pair says, for LIST, without a service. False with the reason when neither is
 * whole. */
MUST_USE bool service_meta_read(const uint8_t *const meta[META_COPIES],
                                struct message_volume *volume, bool *witness, const char **why);

/* NULL when the volume must not be served; *why says the reason. `boot` is this kernel's boot id.
 */
struct service *service_new(const struct service_found *found, const struct uuid *boot,
                            struct pool *ios, struct buf_pool *bufs, const char **why);
/* No I/O may be outstanding. */
void service_free(struct service *service);
void service_step(struct service *service, const struct service_event *event);
MUST_USE bool service_next(struct service *service, struct service_effect *effect);
/* How many service_io one event may need at once: read no frame while the pool holds fewer. */
enum { SERVICE_IOS_PER_FRAME = 8 };
/* The first range from `from` on that was written since the last checkpoint, or may have been. */
MUST_USE bool service_dirty_next(const struct service *service, uint64_t from,
                                 uint64_t *offset_bytes, uint64_t *length_bytes);
/* When SERVICE_EV_TICK is wanted; UINT64_MAX: not at all. */
uint64_t service_deadline_ns(const struct service *service);
/* What the next service must be told. */
uint64_t service_lease_until_ns(const struct service *service);
/* Nobody used it for a while: its tables take as little memory as they say. */
void service_rest(struct service *service);
/* True when no I/O is outstanding and no reply is owed. */
bool service_idle(const struct service *service);
const struct config *service_config(const struct service *service);
void service_check(const struct service *service);

#endif
