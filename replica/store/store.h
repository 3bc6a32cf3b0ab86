/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the store room: a pool (one directory on one file system) of volumes' data, through
 * io_uring or, where that is refused, through a few threads of pread and pwrite with the same
 * semantics; plain writes by a thread of their own. Never blocks the loop once it is open, unless
 * the owner allows it. Knows files and bytes; what they mean is the service's business.
 *
 *   POOL/pool               marker: format version and the pool's identity
 *   POOL/lock               held by the process that serves the pool; names it
 *   POOL/volumes/UUID/      one volume
 *     meta.0 meta.1         the two copies of the service's metadata record
 *     drl                   the dirty-region log
 *     map                   the planes; shared mapping, true as long as the boot id beside it is
 *     data                  the blocks: sparse
 *   POOL/deleted/UUID       the record of a deleted volume: its last metadata record
 *
 * Every file that is written is locked (flock) through the descriptor that is used for its I/O, so
 * that a successor of a killed process waits for the writes still under way in the kernel.
 */
#ifndef STRAKE_STORE_STORE_H
#define STRAKE_STORE_STORE_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/list.h"
#include "common/base/uuid.h"
#include "common/net/loop.h"
#include "common/wire/lineage.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    STORE_META_BYTES = 4096,
    STORE_DRL_PAGE_BYTES = 4096,
};

enum store_engine { STORE_ENGINE_AUTO, STORE_ENGINE_URING, STORE_ENGINE_THREADS };

struct store_settings {
    const char *directory; /* must exist; made into a pool if it is empty */
    enum store_engine engine;
    uint32_t requests_max; /* in flight, all volumes together */
    /*
     * The process has nothing to do that does not depend on this disk. Then the loop makes small
     * writes into the page cache itself, which spares two changes of threads; that it has to wait
     * there for the disk is unlikely, and not impossible.
     */
    bool may_wait;
};

enum store_op {
    STORE_READ,  /* data: length_bytes into its bytes; what was never written reads as zeros */
    STORE_WRITE, /* data */
    STORE_ZERO,  /* the range reads as zeros; holes unless no_hole */
    STORE_SYNC,  /* what was finished when this is submitted is on stable storage */
    STORE_META,  /* bytes -> copy `index`, durable */
    STORE_DRL,   /* bytes -> page `index`, durable */
    /* Generations and the book: `data` and `reply` are bodies of the protocol's frames. */
    /* COMMAND, INSTALL and SETTLE survive the process at once and power loss by a later SYNC,
     * together with all that was finished before them. */
    STORE_COMMAND,      /* data: a command; lineage */
    STORE_LAST_COMMAND, /* reply: the last command applied, or nothing */
    STORE_BOOK,         /* length_bytes: cursor; reply: a chunk */
    STORE_INSTALL,      /* data: a chunk; more, all_incomplete; lineage */
    STORE_SETTLE,       /* generation: complete from now on; lineage */
    STORE_DIFF,         /* generation, from_generation, range; reply: runs; length_bytes: covered */
    STORE_DIGEST,       /* generation, verify; reply */
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
    bool no_hole;
    bool more;
    bool all_incomplete;
    bool verify;
    bool partial; /* READ: also of a generation that is not complete here */
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint64_t generation; /* READ, WRITE, ZERO, SETTLE, DIFF, DIGEST; 0: the head */
    uint64_t from_generation;
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
    uint64_t progress_bytes;  /* how much of length_bytes is done */
    uint64_t zero_step_bytes; /* ZERO: how much to ask for in one call */
    uint64_t began_ns;        /* ZERO: when that call began */
    uint32_t retries;         /* calls that were interrupted */
    bool syncing;             /* ZERO with fua: the zeros are there, not yet durable */
};

struct store_volume; /* an open volume */

/* What is found when a volume is opened; valid while it is open. */
struct store_found {
    struct uuid volume;
    uint64_t data_bytes;
    uint8_t *meta[2]; /* STORE_META_BYTES each; zeros where a copy is missing */
    uint8_t *drl;     /* image, drl_bytes */
    uint64_t drl_bytes;
    uint8_t *planes; /* shared mapping: plane_count planes of plane_bytes each, one after another */
    uint64_t plane_bytes;
    struct lineage lineage;
    /* The mapping was stamped under this boot id and its header is whole; else it is all zeros. */
    bool same_boot;
    uint8_t *failed; /* in the mapping: set to 1 when a sync fails; who repaired it clears it */
};

enum { STORE_PLANE_COUNT = 3 };

struct store_space {
    uint64_t total_bytes;
    uint64_t free_bytes;
};

/* NULL with the reason: not a directory, not a pool, locked by another process, engine refused...
 */
struct store *store_open(const struct store_settings *settings, struct loop *loop,
                         struct error *error);
/* Every volume closed, every request and job answered. */
void store_close(struct store *store);
const struct uuid *store_pool_uuid(const struct store *store);
const struct uuid *store_boot_id(const struct store *store);
const char *store_engine_name(const struct store *store); /* "io_uring", or "threads (why)" */
struct store_space store_space(struct store *store);

/* Calls `each` for every volume and every deleted record of the pool (start-up; blocking). */
typedef void store_each_fn(void *arg, const struct uuid *volume, bool deleted,
                           const uint8_t *const meta[2]); /* lent */
MUST_USE int store_list(struct store *store, store_each_fn *each, void *arg, struct error *error);

/*
 * Make, open and delete: each answers by `done(arg, status)` in a later turn. `size_bytes` is the
 * volume's; the files are made, synced and only then is the directory renamed into place.
 */
typedef void store_job_fn(void *arg, int status);
void store_volume_create(struct store *store, const struct uuid *volume, uint64_t size_bytes,
                         uint64_t drl_bytes, uint64_t plane_bytes,
                         const uint8_t meta[STORE_META_BYTES], store_job_fn *done, void *arg);
/* The record goes to POOL/deleted first, then the data goes. The volume must be closed. */
void store_volume_delete(struct store *store, const struct uuid *volume,
                         const uint8_t meta[STORE_META_BYTES], store_job_fn *done, void *arg);
/* Blocking (start-up, and right after a create): opens, locks, maps. NULL with the reason. */
struct store_volume *store_volume_open(struct store *store, const struct uuid *volume,
                                       uint64_t drl_bytes, uint64_t plane_bytes,
                                       struct store_found *found, struct error *error);
/*
 * The planes say the truth from here on: the next open under this boot id finds `same_boot`. To be
 * called once they were rebuilt after an open that did not.
 */
void store_volume_stamp(struct store_volume *volume);
/* Nothing of it in flight. */
void store_volume_close(struct store_volume *volume);

void store_submit(struct store *store, struct store_req *req);

#endif
