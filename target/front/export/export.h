/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client can be shown: the catalogue of exports, as the protocol sessions see it. The
 * management room fills it; sessions look names up. Pure.
 */
#ifndef STRAKE_FRONT_EXPORT_H
#define STRAKE_FRONT_EXPORT_H

#include "common/base/list.h"
#include "common/base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    EXPORT_NAME_BYTES = 144,  /* "VOLUME@sha256:..." at most, and the final zero */
    EXPORT_VOLUME_BYTES = 64, /* of a volume's name, or a snapshot's, with the final zero */
    IQN_BYTES = 224,          /* RFC 7143 section 4.2.7.1: 223 and the final zero */
};

/*
 * The iSCSI name of an export is this, a colon and the export's name. A snapshot is the export
 * "VOLUME@NAME"; an iSCSI name has no '@' (RFC 3722), so there it is "PREFIX:VOLUME:NAME". No name
 * has a colon of its own, so neither can be taken for the other.
 */
#define EXPORT_IQN_PREFIX_DEFAULT "iqn.2026-11.io.strake"

struct access;    /* access.h: who may use them */
struct scsi_unit; /* target/front/scsi: what SCSI remembers of a logical unit */

/*
 * What SCSI has put in the way of everybody who is no initiator of its own: reservations and the
 * software write protection hold for clients of other protocols, too.
 */
enum export_guard {
    EXPORT_OPEN,
    EXPORT_NO_WRITES,
    EXPORT_NO_ACCESS,
    EXPORT_GUARD_UNKNOWN, /* will be told: until then what might be forbidden waits */
};

/* The snapshots of an export, as the management room knows them. */
struct export_snapshots {
    /* The generation of the one with this name, not ended by a zero; 0: there is none. */
    uint64_t (*generation)(void *owner, const char *name, size_t length);
    /* Calls `each` with the name of each. */
    void (*list)(void *owner, void (*each)(void *arg, const char *name), void *arg);
    void *owner;
};

struct export
{
    char name[EXPORT_NAME_BYTES]; /* of a volume, or "VOLUME@SNAPSHOT" */
    struct uuid uuid; /* the volume's or the snapshot's; every device identity is derived from it */
    uint64_t generation;  /* what is read: of a snapshot; 0: the volume */
    uint64_t size_bytes;  /* multiple of 4096 */
    uint32_t block_bytes; /* logical block: 512 or 4096 */
    bool read_only;
    bool hidden;             /* told only to who asks for it by name */
    enum export_guard guard; /* of scsi */
    bool throttled; /* its volume has been used as much as its limits allow: requests wait */
    bool stalled;   /* its volume has not served for so long that clients should look elsewhere */
    bool gone;      /* deleted: answers -ESHUTDOWN, sessions leave */
    uint32_t session_count;                   /* how many sessions use it */
    struct volume *volume;                    /* where requests go; the front's business alone */
    struct scsi_unit *unit;                   /* owned by the front, lent to scsi */
    const struct export_snapshots *snapshots; /* of the management room; NULL: it tells of none */
    struct list node;                         /* in exports */
};

struct exports {
    struct list list;            /* struct export */
    const struct access *access; /* of the front, which may change it; NULL: no rules */
    bool incomplete; /* of the management room: there may be more that it has not heard of */
    /* A name with '@' that is not there: its export may be made now. NULL: no such thing. */
    struct export *(*wanted)(void *owner, const char *name, size_t length);
    void *wanted_owner;
    char iqn_prefix[IQN_BYTES - EXPORT_NAME_BYTES];
};

/* `iqn_prefix` is neither empty nor longer than struct exports holds; it is kept in lower case. */
void exports_init(struct exports *exports, const char *iqn_prefix);
/* NULL when there is none, or it is gone. `length` bytes, no final zero needed. */
struct export *exports_find(struct exports *exports, const char *name, size_t length);
/* The export that a client means who names none: NULL unless there is exactly one. */
struct export *exports_only(struct exports *exports);
/* By iSCSI target name, in any case: RFC 7143 section 4.2.7.2 maps names to lower case. */
struct export *exports_find_iqn(struct exports *exports, const char *iqn, size_t length);
/* Writes the iSCSI name of the export of this name. */
void export_iqn(const struct exports *exports, const char *name, char iqn[IQN_BYTES]);
/* NULL when the name may be given to a volume or a snapshot, else why not. */
const char *export_name_invalid(const char *name);

#endif
