/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the map, format 1. Keys are big-endian, so that they sort by their fields in order;
 * steps, extents, groups and slots take 6 bytes, branches, families and volumes' numbers 4.
 *
 *   meta         "format" -> u32; "folded" -> u64 sequence, u64 position: the journal's next record
 *   families     family -> u32 its root branch, slot: one past the last one ever given out above
 *                SLOT_FIRST
 *   volumes      uuid -> struct volume_row
 *   commands     uuid -> the last command applied, encoded as on the wire
 *   branches     branch -> struct branch_row; a parent's number is lower than its branches'
 *   generations  branch, step -> struct generation_row; steps count from 1 along a branch
 *   stats        branch, step -> struct stats_row
 *   extents      branch, extent, step -> struct extent_row: all that is shown at this step, so that
 *                the newest row at or before a step is the answer; if there is none, the parent's
 *                at parent_step
 *   changes      branch, step, group -> 32 bytes, a bit for each extent of 256 that has a row
 *   free         family, slot -> nothing: may be given out again
 *   punches      family, slot -> u16 blocks to be punched, u8 1 when the slot is free afterwards
 *   book         volume, version, key -> value; versions other than the volume's are left-overs
 *   digests      volume, group -> struct hashes_row; volume, 2^48 - 1 -> struct map_hashes
 *
 * A slot belongs to the one extent row that has blocks of it in own_data, or it as its own_slot.
 * Slots below SLOT_FIRST are the root branch's: each only ever holds the extent of its number.
 */
#ifndef STRAKE_MAP_ROWS_H
#define STRAKE_MAP_ROWS_H

#include "common/base/bytes.h"
#include "common/base/uuid.h"
#include "common/digest/digest.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ROWS_FORMAT = 1,
    EXTENT_BLOCKS = 16,
    EXTENT_ROW_BYTES_MAX = 7 + 6 + EXTENT_BLOCKS * 8,
    GROUP_EXTENTS = 256, /* 16 MiB */
    GROUP_BYTES = GROUP_EXTENTS / 8,
    KEY_BYTES_MAX = 96,
    VALUE_BYTES_MAX = 192, /* of the rows with a struct below, but hashes_row */
    HASHES_ROW_BYTES_MAX = (1 + DIGEST_GROUP_PIECES) * DIGEST_BYTES + DIGEST_GROUP_PIECES / 8,
};

#define SLOT_NONE    (((uint64_t)1 << 48) - 1)
#define SLOT_FIRST   ((uint64_t)1 << 40)
#define NUMBER_48MAX (((uint64_t)1 << 48) - 1)

enum table {
    TABLE_META,
    TABLE_FAMILIES,
    TABLE_VOLUMES,
    TABLE_COMMANDS,
    TABLE_BRANCHES,
    TABLE_GENERATIONS,
    TABLE_STATS,
    TABLE_EXTENTS,
    TABLE_CHANGES,
    TABLE_FREE,
    TABLE_PUNCHES,
    TABLE_BOOK,
    TABLE_DIGESTS,
    TABLE_COUNT,
};

extern const char *const table_names[TABLE_COUNT];

struct key {
    uint8_t bytes[KEY_BYTES_MAX];
    uint32_t length;
};

struct volume_row {
    uint32_t id;
    uint32_t family;
    uint64_t size_bytes;
    uint32_t branch;  /* of the head, which is its last step */
    uint64_t command; /* the last one applied */
    struct uuid command_identity;
    uint32_t book;   /* version of the book */
    uint32_t staged; /* version last given to a book under way; 0: none ever */
    bool head_complete;
};

struct branch_row {
    uint32_t family;
    uint32_t volume;
    uint32_t parent; /* 0: none */
    uint64_t parent_step;
    uint64_t shown; /* of a clone's first branch: blocks that its origin shows */
};

struct generation_row {
    uint64_t generation;
    struct uuid identity; /* given when it was sealed */
    bool sealed;
    bool complete;
    bool dropped;
    bool digested;
    uint8_t digest[DIGEST_BYTES]; /* of its content, where digested */
};

/* Then come a bit for each piece that is not zeros, and their hashes. */
struct hashes_row {
    uint8_t hash[DIGEST_BYTES]; /* of the group */
};

/* Visible and foreign count from the step before on: their sums along the line are the numbers. */
struct stats_row {
    int64_t visible; /* blocks shown */
    int64_t owned;   /* blocks stored: of own_data, at this step */
    int64_t foreign; /* blocks shown that another volume's branch stores, for a clone */
};

struct extent_row {
    uint16_t own_data; /* stored for this step */
    uint16_t own_zero; /* zeroed at this step, while the step before shows data */
    uint16_t foreign;
    uint64_t own_slot;             /* where new blocks of this step go, or SLOT_NONE */
    uint64_t slots[EXTENT_BLOCKS]; /* where each block lies, SLOT_NONE: zeros */
};

/* Blocks that show data. */
uint16_t extent_row_data(const struct extent_row *row);
void extent_row_clear(struct extent_row *row);

struct key key_family(uint32_t family);
struct key key_volume(const struct uuid *uuid);
struct key key_branch(uint32_t branch);
struct key key_step(uint32_t branch, uint64_t step);
struct key key_triple(uint32_t first, uint64_t second, uint64_t third); /* extents, changes */
struct key key_slot(uint32_t family, uint64_t slot);
struct key key_book(uint32_t volume, uint32_t version, const char *name);
struct key key_meta(const char *name);

/* Each writes what its decode reads; decode leaves r->bad set on anything malformed. */
void row_u48_encode(struct writer *w, uint64_t value);
uint64_t row_u48_decode(struct reader *r);
void volume_row_encode(struct writer *w, const struct volume_row *row);
void volume_row_decode(struct reader *r, struct volume_row *row);
void branch_row_encode(struct writer *w, const struct branch_row *row);
void branch_row_decode(struct reader *r, struct branch_row *row);
void generation_row_encode(struct writer *w, const struct generation_row *row);
void generation_row_decode(struct reader *r, struct generation_row *row);
void stats_row_encode(struct writer *w, const struct stats_row *row);
void stats_row_decode(struct reader *r, struct stats_row *row);
void extent_row_encode(struct writer *w, const struct extent_row *row);
void extent_row_decode(struct reader *r, struct extent_row *row);
void hashes_row_encode(struct writer *w, const struct hashes_row *row,
                       const struct digest_group *group);
void hashes_row_decode(struct reader *r, struct hashes_row *row, struct digest_group *group);

#endif
