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
 *   POOL/data/UUID/         the blocks of a volume and of its clones, and their checksums: family.h
 *   POOL/deleted/UUID       the record of a deleted volume: its last metadata record, its epitaph
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
#include "common/wire/message.h"
#include "replica/store/request.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    STORE_META_BYTES = 4096,
    STORE_DRL_PAGE_BYTES = 4096,
    STORE_RECENT_BYTES = 32u << 10,
    STORE_PLANE_COUNT = 3,
};

/* Where things lie, for who reads a pool's files that nobody serves. */
enum {
    STORE_SEGMENT_SHIFT = 40, /* a file of blocks holds 1 TiB of them, then their checksums, */
    STORE_SUM_BYTES = 4,      /* CRC32C, little-endian */
    STORE_MAP_CLEAN_AT = 46,  /* byte of `map`: 1: the volume was closed in order */
};
static inline uint64_t store_sums_offset(uint64_t position)
{
    uint64_t segment_bytes = (uint64_t)1 << STORE_SEGMENT_SHIFT;
    return segment_bytes + (position & (segment_bytes - 1)) / BLOCK_BYTES * STORE_SUM_BYTES;
}

enum store_engine {
    STORE_ENGINE_AUTO,
    STORE_ENGINE_URING,
    STORE_ENGINE_URING_WRITES, /* writes too, whatever the file system promises */
    STORE_ENGINE_THREADS
};

struct store_settings {
    const char *directory; /* must exist; made into a pool if it is empty */
    /* Refused unless it is this pool: what is mounted there may be missing. NULL: any, or a new one
     */
    const struct uuid *expected;
    enum store_engine engine;
    uint32_t requests_max; /* in flight, all volumes together */
    /*
     * The process has nothing to do that does not depend on this disk. Then the loop makes
     * writes into the page cache itself, which spares two changes of threads; that it has to wait
     * there for the disk is unlikely, and not impossible.
     */
    bool may_wait;
    struct buf_pool *bufs; /* for what is read in the background */
    /* A volume that nobody uses for so long costs no descriptor and little memory; 0: as usual.
     * NULL, or told of that with what store_volume_open was given. */
    uint64_t rest_ns;
    void (*rested)(void *arg);
};

struct store_volume; /* an open volume */

/* What is found when a volume is opened; valid while it is open. */
struct store_found {
    uint8_t *meta[2]; /* STORE_META_BYTES each; zeros where a copy is missing */
    uint8_t *drl;     /* image, drl_bytes */
    uint64_t drl_bytes;
    uint8_t *planes[STORE_PLANE_COUNT]; /* shared mapping, plane_bytes each; new ones after GROW */
    uint64_t plane_bytes;
    void *recent; /* in the mapping: STORE_RECENT_BYTES */
    struct lineage lineage;
    /* The mapping was stamped under this boot id and its header is whole; else it is all zeros. */
    bool same_boot;
    /* It was closed in order under this boot id: checksums agree with data everywhere. */
    bool clean;
    uint8_t *failed; /* in the mapping: set to 1 when a sync fails; who repaired it clears it */
    /* Blocks whose checksums are still being put right: while there are any, the planes must not
     * be cleared. */
    const uint64_t *doubtful;
};

struct store_space {
    uint64_t total_bytes;
    uint64_t free_bytes;
    uint64_t usable_bytes; /* of them; the rest is kept for what must go on when the disk is full */
};

/* NULL with the reason: not a directory, not a pool, locked by another process, engine refused...
 */
struct store *store_open(const struct store_settings *settings, struct loop *loop,
                         struct error *error);
/* Every volume closed, every request and job answered. */
void store_close(struct store *store);
const struct uuid *store_pool_uuid(const struct store *store);
const struct uuid *store_boot_id(const struct store *store);
/* "io_uring", "io_uring, writes too", or "threads (why)". */
const char *store_engine_name(const struct store *store);
struct store_space store_space(struct store *store);
/* When new blocks were stored last, little was left for more. */
bool store_space_low(const struct store *store);

/* Calls `each` for every volume and every deleted record of the pool (start-up; blocking). */
enum store_kept {
    STORE_KEPT,    /* closed in order, or before this boot */
    STORE_UNCLEAN, /* a process of this boot did not close it: to be opened soon */
    STORE_DELETED, /* the record alone */
};
typedef void store_each_fn(void *arg, const struct uuid *volume, enum store_kept kept,
                           const uint8_t *const meta[2]); /* lent */
MUST_USE int store_list(struct store *store, store_each_fn *each, void *arg, struct error *error);

/*
 * Make and delete: each answers by `done(arg, status)` in a later turn. The files are made, synced
 * and only then is the directory renamed into place.
 */
typedef void store_job_fn(void *arg, int status);
struct store_create {
    struct uuid volume;
    uint64_t size_bytes;
    uint64_t drl_bytes;
    uint64_t plane_bytes;
    bool blank; /* its content is brought by others */
    /* Not 0: begins with the content of this generation of a volume of the pool: -ENOENT unless it
     * is there and complete. */
    uint64_t origin_generation;
    struct uuid origin;
    uint8_t meta[STORE_META_BYTES];
};
void store_volume_create(struct store *store, const struct store_create *create, store_job_fn *done,
                         void *arg);
/*
 * The record goes to POOL/deleted first (NULL: none is kept), then the data goes. The volume must
 * be closed.
 */
void store_volume_delete(struct store *store, const struct uuid *volume, const uint8_t *meta,
                         const struct epitaph *epitaph, store_job_fn *done, void *arg);
/* What is kept beside a deleted volume's record (blocking): `epitaph` lends what is returned, NULL
 * or the caller's. */
uint8_t *store_epitaph_read(struct store *store, const struct uuid *volume,
                            struct epitaph *epitaph);
/* What an open volume consists of. */
struct store_extent {
    uint64_t size_bytes;
    uint64_t drl_bytes;
    uint64_t plane_bytes;
};

/* Opens, locks and maps its files: told in a later turn. NULL with the reason. */
typedef void store_open_fn(void *arg, struct store_volume *volume, const struct error *error);
void store_volume_open(struct store *store, const struct uuid *volume,
                       const struct store_extent *extent, store_open_fn *done, void *arg);
const struct store_found *store_volume_found(const struct store_volume *volume);
/*
 * Unless it was found clean: the blocks that may not agree with their checksums, range by range,
 * before the first request. Then settle: in the background what is on disk there is believed.
 */
void store_volume_doubt(struct store_volume *volume, uint64_t offset_bytes, uint64_t length_bytes);
void store_volume_settle(struct store_volume *volume);
/*
 * The planes say the truth from here on: the next open under this boot id finds `same_boot`. To be
 * called once they were rebuilt after an open that did not.
 */
void store_volume_stamp(struct store_volume *volume);
/* Nothing of it in flight. Syncs it first; -EIO when that failed, and then it is marked. */
void store_volume_close(struct store_volume *volume, store_job_fn *done, void *arg);

void store_submit(struct store *store, struct store_req *req);

#endif
