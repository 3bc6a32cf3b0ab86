/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CHANGES record of the journal says: changes of rows, one after another, ended by 0.
 *
 *   1 PUT     u8 table, u8 key bytes, u32 value bytes, key, value
 *   2 DELETE  u8 table, u8 key bytes, key
 *   3 EXTENT  u32 branch, u48 extent, u48 step, u8 row bytes (0: no row), row
 *   4 STATS   u32 branch, u48 step, i16 visible, i16 owned, i16 foreign: to be added
 *   5 FREE    u48 slot of the record's family
 */
#ifndef STRAKE_MAP_CHANGE_H
#define STRAKE_MAP_CHANGE_H

#include "replica/map/rows.h"

enum change_kind {
    CHANGE_END = 0,
    CHANGE_PUT = 1,
    CHANGE_DELETE = 2,
    CHANGE_EXTENT = 3,
    CHANGE_STATS = 4,
    CHANGE_FREE = 5,
};

enum {
    CHANGE_PUT_BYTES = 7, /* without key and value */
    CHANGE_EXTENT_BYTES_MAX = 18 + EXTENT_ROW_BYTES_MAX,
    CHANGE_STATS_BYTES = 17,
    CHANGE_FREE_BYTES = 7,
};

struct change {
    enum change_kind kind;
    enum table table;
    struct reader key;   /* PUT, DELETE */
    struct reader value; /* PUT */
    uint32_t branch;     /* EXTENT, STATS */
    uint64_t extent;
    uint64_t step;
    bool gone; /* EXTENT: no row */
    struct extent_row row;
    struct stats_row stats;
    uint64_t slot; /* FREE */
};

void change_put(struct writer *w, enum table table, const struct key *key, const void *value,
                uint32_t value_bytes);
void change_delete(struct writer *w, enum table table, const struct key *key);
/* row NULL: gone. */
void change_extent(struct writer *w, uint32_t branch, uint64_t extent, uint64_t step,
                   const struct extent_row *row);
void change_stats(struct writer *w, uint32_t branch, uint64_t step, const struct stats_row *stats);
void change_free(struct writer *w, uint64_t slot);
/* False at the end, and with r->bad set on anything malformed. */
MUST_USE bool change_decode(struct reader *r, struct change *change);

#endif
