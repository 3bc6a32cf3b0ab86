/* SPDX-License-Identifier: Apache-2.0 */
/* Finding rows: in the table, then in LMDB, then at the branch's parent (private to the room). */
#ifndef STRAKE_MAP_LOOKUP_H
#define STRAKE_MAP_LOOKUP_H

#include "replica/map/state.h"

/* What is shown at a step, and whether the step has a row of its own; else own_* are empty. */
struct shown {
    struct extent_row row;
    uint64_t step; /* of the row it comes from; 0: from the parent, or nothing */
    bool own;      /* the row is of the very step asked for */
};

/*
 * The branch's newest row at or before `step`, its first at or after: 1 and the row, 0, or -EIO.
 * Rows of the table hide those of LMDB.
 */
MUST_USE int lookup_before(struct map *map, uint32_t branch, uint64_t extent, uint64_t step,
                           struct extent_row *row, uint64_t *found);
MUST_USE int lookup_after(struct map *map, uint32_t branch, uint64_t extent, uint64_t step,
                          struct extent_row *row, uint64_t *found);
/* 0 or -EIO. Uses and fills the table. */
MUST_USE int lookup(struct map *map, struct branch *branch, uint64_t extent, uint64_t step,
                    struct shown *shown);
/* Only the row, for use before the table changes: in `shown`, or, not copied, in the table. */
MUST_USE int lookup_row(struct map *map, struct branch *branch, uint64_t extent, uint64_t step,
                        struct shown *shown, const struct extent_row **row);
/* The first extent at or after `from` for which the step or what it comes from has a row: 1, 0. */
MUST_USE int lookup_mapped(struct map *map, struct branch *branch, uint64_t step, uint64_t from,
                           uint64_t *extent);

/* The generation of that number, 0: the head. NULL: none. */
struct generation *lookup_generation(struct map_volume *volume, uint64_t number,
                                     struct branch **branch);
struct generation *branch_generation(const struct branch *branch, uint64_t step);
/* The last retained generation before a step, along the branches of its volume; NULL: none. */
struct generation *lookup_base(struct branch *branch, uint64_t step, struct branch **of);

#endif
