/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges cut into pieces of one extent each, and lists of merged runs (private to the room). */
#ifndef STRAKE_MAP_RUNS_H
#define STRAKE_MAP_RUNS_H

#include "replica/map/state.h"

struct pieces {
    uint64_t next_bytes;
    uint64_t end_bytes;
    uint64_t at_bytes; /* where the piece begins */
    uint64_t extent;
    uint16_t mask; /* its blocks */
};

struct pieces pieces_of(uint64_t offset_bytes, uint64_t length_bytes);
/* False at the end. */
MUST_USE bool pieces_next(struct pieces *pieces);
/* The next piece is of this extent, or there is none; how much was skipped. */
uint64_t pieces_skip_to(struct pieces *pieces, uint64_t extent);

struct runs {
    struct map_run *items;
    uint32_t count;
    uint32_t max;
    bool full;      /* something was left out */
    bool placeless; /* places do not matter: all data merges */
};

struct runs runs_of(struct map_run *items, uint32_t max);
void runs_add(struct runs *runs, enum map_state state, uint64_t place, uint64_t length_bytes);
/* What the masked blocks show. */
void runs_add_row(struct runs *runs, const struct extent_row *row, uint16_t mask);
/* Where the masked blocks are written to. */
void runs_add_target(struct runs *runs, const struct extent_row *row, uint16_t mask);
/* The masked blocks that are stored for this row. */
void runs_add_given_up(struct runs *runs, const struct extent_row *row, uint16_t mask);

static inline uint64_t place_of(uint64_t slot, uint32_t block)
{
    return slot << EXTENT_BYTES_LOG | (uint64_t)block << BLOCK_BYTES_LOG;
}

#endif
