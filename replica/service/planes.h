/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parts of the volume may differ from other replicas: the fine planes in memory that outlives
 * the process, and the coarse dirty-region log that outlives the kernel.
 */
#ifndef STRAKE_SERVICE_PLANES_H
#define STRAKE_SERVICE_PLANES_H

#include "replica/service/recent.h"

enum {
    DRL_PAGE_HEADER_BYTES = 8,
    DRL_PAGE_BITS = (DRL_PAGE_BYTES - DRL_PAGE_HEADER_BYTES) * 8,
    DRL_PLANE_PAGES = 3,
    DRL_PAGES = 2 * DRL_PLANE_PAGES,
};

/* The log's planes. */
enum drl_plane { DRL_HOT, DRL_AWAY };

struct dirty {
    struct service_planes planes; /* memory of the store */
    struct recent recent;
    uint64_t size_bytes;
    uint32_t shift; /* log2 of the bytes that one bit of the log covers */
    uint32_t region_count;
    uint8_t *image;         /* of the store: the log as it should be */
    uint8_t *durable;       /* owned: bits that are on disk and that no write under way clears */
    uint8_t *rested;        /* behind them; bit per region: clean at the last commit */
    uint32_t pages_changed; /* bit per page: image differs from the disk */
    uint32_t page_writing;  /* page under way; valid while staging_busy */
    bool staging_busy;
    bool staging_stale; /* what is being written is of smaller regions */
    uint8_t staging[DRL_PAGE_BYTES];
};

/*
 * Takes over what the store found. Unless `same_boot`, the planes are rebuilt from the log. A log
 * page that is not whole reads as all ones. -EINVAL when the sizes do not fit.
 */
MUST_USE int dirty_init(struct dirty *dirty, const struct service_found *found,
                        uint64_t size_bytes);
void dirty_release(struct dirty *dirty);
/* The planes may have moved; what is new of them is zeros. Never smaller. */
void dirty_grow(struct dirty *dirty, const struct service_planes *planes, uint64_t size_bytes);
bool dirty_any_hot(const struct dirty *dirty);
/* Nothing happens for a while: what of the tables says nothing takes no memory. */
void dirty_rest(struct dirty *dirty);

/* Sets the log's hot bits of the range. True when all are durable: data may be submitted. */
MUST_USE bool dirty_enter(struct dirty *dirty, uint64_t offset_bytes, uint64_t length_bytes);
/* Sets the fine bits of the range and notes it as recent; after dirty_enter said true. */
void dirty_stamp(struct dirty *dirty, uint64_t offset_bytes, uint64_t length_bytes);

/* A changed page to be written: its image in `staging`; false when there is none. */
MUST_USE bool dirty_page_begin(struct dirty *dirty, uint32_t *page);
void dirty_page_done(struct dirty *dirty);

/* Checkpoint marker: what was current is old from now on. */
void dirty_rotate(struct dirty *dirty);
/* Sets the log's away bits of what is old. True when all are durable. */
MUST_USE bool dirty_away_enter(struct dirty *dirty);
/* Sets away bits from a map of a range (lowest bit first). True when the log has them durably: only
 * then are they set. */
MUST_USE bool dirty_mark(struct dirty *dirty, uint64_t offset_bytes, const uint8_t *map,
                         uint32_t map_bytes);
/* Commit: what is old is equal at all members (`all`), or at those in sync. */
void dirty_commit(struct dirty *dirty, bool all);

/* The first range from `from` on that is dirty but for away. False when there is none. */
MUST_USE bool dirty_next(const struct dirty *dirty, uint64_t from, uint64_t *offset_bytes,
                         uint64_t *length_bytes);
/* All planes; or what may differ between members in sync. */
uint64_t dirty_count_bytes(const struct dirty *dirty, bool with_away);
/* Bits of [offset, offset + length), lowest bit first; returns bytes used, at least 1. */
uint32_t dirty_map(const struct dirty *dirty, uint64_t offset_bytes, uint64_t length_bytes,
                   bool with_away, uint8_t *map);
/* R3, as far as it can be seen: the log's image covers the planes. */
void dirty_check(const struct dirty *dirty);

#endif
