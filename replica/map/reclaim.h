/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker does of a reclaim (private to the room). */
#ifndef STRAKE_MAP_RECLAIM_H
#define STRAKE_MAP_RECLAIM_H

#include "replica/map/stored.h"

/* Takes the dropped step's row of an extent out: what nobody shows is to be punched. */
MUST_USE int reclaim_extent(struct map *map, struct stored *stored, uint64_t extent);
/* At opening: the punches that are due. */
MUST_USE int reclaim_load(struct map *map);

#endif
