/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything against everything, of a map that nobody serves and that has nothing left to fold:
 * slow (a part of the door, map.h).
 */
#ifndef STRAKE_MAP_CHECK_H
#define STRAKE_MAP_CHECK_H

#include "common/base/assert.h"
#include "common/base/uuid.h"

#include <stdint.h>

struct map;

typedef void map_words_fn(void *arg, const char *words);

/* A slot with data: the blocks of 64 KiB that a generation stored. */
struct map_slot {
    uint32_t family;
    uint64_t slot;
    uint16_t blocks;
    struct uuid volume;    /* zero: a deleted one, of which others were cloned */
    uint64_t generation;   /* that stored it */
    uint64_t offset_bytes; /* where it lies in the volume */
};
typedef void map_slot_fn(void *arg, const struct map_slot *slot);

/* The number of findings, or -errno. */
MUST_USE int map_check(struct map *map, map_words_fn *finding, map_slot_fn *used, void *arg);
/*
 * Puts right what follows from the rest: counts of blocks, and hashes that nobody needs or that are
 * damaged (they are computed again). Nothing, if anything else is wrong. The number of repairs.
 */
MUST_USE int map_repair(struct map *map, map_words_fn *repaired, void *arg);

#endif
