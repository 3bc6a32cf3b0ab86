/* SPDX-License-Identifier: Apache-2.0 */
/* What the service asks of its shell's disk: a part of its door, service.h. */
#ifndef STRAKE_SERVICE_DISK_H
#define STRAKE_SERVICE_DISK_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/wire/frame.h"
#include "common/wire/message.h"

#include <stdbool.h>
#include <stdint.h>

enum service_io_kind {
    SERVICE_READ,  /* data: where to read to, set by the shell: filled with length_bytes */
    SERVICE_WRITE, /* data */
    SERVICE_ZERO,  /* no_hole */
    SERVICE_SYNC,  /* all finished writes of the volume's data durable */
    SERVICE_META,  /* bytes/META_BYTES to copy `index`, durable when it ends */
    SERVICE_DRL,   /* bytes/DRL_PAGE_BYTES to page `index`, durable when it ends */
    /* Generations and the book: `data` is the frame's body, `reply` the bytes of the reply's. */
    SERVICE_COMMAND,      /* data; lineage. Survives the process at once, power loss by SYNC */
    SERVICE_LAST_COMMAND, /* reply */
    SERVICE_BOOK,         /* length_bytes: cursor; reply */
    SERVICE_INSTALL,      /* data: chunks in order, length_bytes: its cursor, 0 begins anew;
                             all_incomplete. `more` unset: the book and the generations are
                             replaced in one step; lineage */
    SERVICE_SETTLE, /* the generation (0: the head) is complete; lineage. Durable as a COMMAND is */
    SERVICE_GROW,   /* length_bytes: what is kept of the volume becomes that large; planes */
    SERVICE_DIFF,   /* generation, from_generation; reply; length_bytes becomes what it covers */
    SERVICE_DIGEST, /* verify; reply */
    SERVICE_SPACE,  /* reply */
};

/* The memory of a volume's dirty bits, one bit per 16 KiB each, kept by the store in a shared
 * mapping that outlives the process, not the kernel. */
struct service_planes {
    uint8_t *current; /* since the last checkpoint marker */
    uint8_t *old;     /* before it, not yet committed */
    uint8_t *away;    /* may differ at members that are not in sync */
    uint64_t bytes;   /* of each plane */
    uint8_t *failed;  /* one byte of the same mapping, or NULL: not 0 once a sync failed */
    void *recent;     /* SERVICE_RECENT_BYTES of it, aligned for anything: zeros at first */
};

/*
 * One disk operation. Objects come from the pool given to service_init; the shell's own object
 * begins with this one. The shell performs it and brings it back by SERVICE_EV_IO_DONE.
 */
struct service_io {
    enum service_io_kind kind;
    bool fua;
    bool no_hole;
    bool mend;           /* WRITE: of a generation that is sealed and complete, where it lies */
    bool more;           /* INSTALL: another chunk follows */
    bool all_incomplete; /* INSTALL: nothing that is here counts as complete. COMMAND: what is
                            sealed by it is not complete here */
    bool sums;           /* READ: to tell the checksums of what was read */
    bool verify;         /* DIGEST: everything is read again */
    bool space_low;      /* WRITE: set when it is done: little is left for new blocks */
    bool in_part;        /* WRITE: set when it failed with -ENOSPC and some of it may be done */
    bool partial;        /* READ: also of a generation that is not complete here */
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint64_t generation; /* READ, WRITE, ZERO, SETTLE, DIFF, DIGEST: 0 is the head. WRITE and ZERO
                            of another: into one that is sealed and not complete here */
    uint64_t from_generation; /* DIFF */
    struct slice data;  /* WRITE: a reference held by the service; READ: the shell's at first, then
                           the service's */
    struct slice reply; /* a buffer of FRAME_BODY_BYTES_MAX of the shell, then the service's;
                           filled, its length set */
    struct lineage lineage; /* COMMAND, INSTALL, SETTLE: what the volume has become */
    struct service_planes
        planes;           /* GROW: where they are from now on; what is new of them is zeros */
    const uint8_t *bytes; /* META, DRL: valid until it is done */
    uint32_t index;
    /*
     * 0, -EIO, -ENOSPC (what writes), -EILSEQ (READ: checksum), -ENOENT (no such generation, or
     * not complete), -EINVAL (a command or chunk that cannot be), -EBUSY (again later). A sync that
     * failed, also as a part of a `fua` write, must be told as -EIO, whatever it was: it is the end
     * of this replica.
     */
    int status;
    /* private */
    uint64_t link; /* whom to answer */
    uint32_t session;
    uint32_t reply_status;
    uint64_t session_serial;
    uint64_t request;
    uint64_t waits_for; /* the metadata sequence number that must be durable first */
    uint8_t type;       /* enum frame_type of the request it answers; 0: none */
    uint8_t side;       /* before or after the last checkpoint marker */
    struct list node;
};

#endif
