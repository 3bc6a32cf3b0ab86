/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of an open volume (a part of the door, store.h). */
#ifndef STRAKE_STORE_REQUEST_H
#define STRAKE_STORE_REQUEST_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/wire/lineage.h"
#include "replica/map/map.h"
#include "replica/store/durable.h"

#include <stdbool.h>
#include <stdint.h>

enum { STORE_RUNS_MAX = 17 }; /* 1 MiB touches as many extents */

struct segment;
struct zeroing;
struct store_volume;

enum store_op {
    STORE_READ,  /* data: length_bytes into its bytes, and their checksums; -EILSEQ if they do not
                    agree with what was written. What was never written reads as zeros */
    STORE_WRITE, /* data, and its checksums */
    STORE_ZERO,  /* the range reads as zeros, and its space is given back */
    STORE_SYNC,  /* what was finished when this is submitted is on stable storage */
    STORE_META,  /* bytes -> copy `index`, durable */
    STORE_DRL,   /* bytes -> page `index`, durable */
    /* Generations and the book: `data` and `reply` are bodies of the protocol's frames. */
    /* COMMAND, INSTALL and SETTLE survive the process at once and power loss by a later SYNC,
     * together with all that was finished before them. */
    STORE_COMMAND,      /* data: a command; all_incomplete: what is sealed by it is not complete
                           here, else it is; lineage */
    STORE_LAST_COMMAND, /* reply: the last command applied, or nothing */
    STORE_BOOK,         /* length_bytes: cursor; reply: a chunk */
    STORE_INSTALL,      /* data: a chunk, length_bytes: its cursor (0 begins anew); more,
                           all_incomplete: nothing that is here counts as complete; lineage */
    STORE_SETTLE,       /* generation, 0: the head: complete from now on; lineage */
    STORE_GROW,         /* length_bytes: the volume's size from now on, plane_bytes: of each plane;
                           where these are is found anew */
    STORE_DIFF,         /* generation, from_generation, range; reply: runs; length_bytes: covered */
    STORE_DIGEST,       /* generation, verify; reply: digester.h */
    STORE_SPACE,        /* reply */
};

/* The next system call of a request; private. */
struct store_step {
    int kind; /* enum step_kind */
    int fd;
    int flags; /* of pwritev2, or the mode of fallocate */
    uint8_t *bytes;
    uint64_t offset_bytes;
    uint64_t length_bytes;
    const uint32_t *sums;  /* checksums to be written after the blocks */
    uint32_t *sums_mapped; /* to here; NULL: to sums_offset_bytes */
    uint64_t sums_offset_bytes;
    int64_t result; /* what the call gave: bytes, or -errno */
};

/*
 * The caller's memory until `done`, which never runs inside store_submit. Once a sync of a volume
 * has failed, every later SYNC and FUA of it fails too until it is opened anew: what is on disk can
 * no longer be known.
 */
struct store_req {
    enum store_op op;
    struct store_volume *volume;
    bool fua; /* WRITE, ZERO: durable before done */
    bool more;
    bool all_incomplete;
    bool verify;
    bool background; /* READ: nobody waits for it */
    bool partial;    /* READ: also of a generation that is not complete here */
    bool in_part;    /* WRITE: set when it failed with -ENOSPC and some of it may be done */
    bool mend;       /* WRITE: of what is sealed and complete, where it lies; the same as it was */
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint64_t generation; /* READ, WRITE, ZERO, SETTLE, DIFF, DIGEST; 0: the head */
    uint64_t from_generation;
    uint64_t plane_bytes;
    struct slice data;      /* lent until done; READ: a buffer of at least length_bytes */
    struct slice reply;     /* a buffer lent until done; filled, its length set */
    struct lineage lineage; /* COMMAND, INSTALL, SETTLE: what the volume has become */
    const uint8_t *bytes;
    uint32_t index;
    /* 0, -ENOSPC, -EILSEQ (READ: checksum), -ENOENT (no such generation, or not complete), -EINVAL
     * (a command or chunk that cannot be), or another -errno; of a sync that failed always -EIO. */
    int status;
    void (*done)(struct store_req *req);
    /* private */
    struct list node;
    struct store_step step;
    struct map_run runs[STORE_RUNS_MAX]; /* where the next bytes lie */
    uint32_t run_count;
    uint32_t run_at;
    struct map_write write;
    struct zeroing *zeroing; /* ZERO: more runs */
    uint64_t mark;           /* of the map, when a sync began */
    int resume_status;
    uint32_t rounds; /* ZERO: made without leaving the loop; COMMAND: of settling, waited for */
    uint8_t side;    /* of a read: chores.h */
    bool reading;
    bool placed;                   /* `write` is there and must be ended */
    bool flushing;                 /* the sync at the end has begun */
    bool journal;                  /* the step is the sync of the map's journal */
    uint64_t progress_bytes;       /* how much of length_bytes is done */
    uint64_t position;             /* where the bytes lie that are under way */
    uint64_t run_bytes;            /* and how many they are */
    struct segment *segment;       /* and in which file */
    uint64_t sync_from;            /* number of the next segment to be synced */
    struct durable_need sync_need; /* of it, or of the journal */
    uint32_t retries;              /* calls that were interrupted */
    bool settling;                 /* READ: what is read is believed, its checksums are put right */
    bool warming;                  /* READ, WRITE: the checksums are read first */
    bool reserving;                /* WRITE: space for them before that */
    bool syncing;
};

#endif
