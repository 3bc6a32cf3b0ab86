/* SPDX-License-Identifier: Apache-2.0 */
/* Giving out slots of a family (private to the room). */
#ifndef STRAKE_MAP_SLOT_H
#define STRAKE_MAP_SLOT_H

#include "replica/map/state.h"

/*
 * A slot for new blocks of an extent; `first` says that the branch has no row of this extent at
 * all. It is taken once a record names it; until then the caller counts it in family->placed.
 */
MUST_USE int slot_take(struct map *map, struct family *family, const struct branch *branch,
                       uint64_t extent, bool first, uint64_t *slot);
/* When nothing is placed or recorded any more that LMDB does not have, free rows are true again. */
void slot_folded(struct map *map);

#endif
