/* SPDX-License-Identifier: Apache-2.0 */
/* From the journal into LMDB (private to the room). */
#ifndef STRAKE_MAP_FOLD_H
#define STRAKE_MAP_FOLD_H

#include "replica/map/stored.h"

/* At opening: takes over what counts, and starts the journal anew behind it. */
MUST_USE int fold_replay(struct map *map, const struct map_settings *settings, struct error *error);
/* The changes of a record. */
MUST_USE int fold_apply(struct stored *stored, const struct record *record);
/* Marks everything before a position and sequence as taken over. */
MUST_USE int fold_mark(struct stored *stored, uint64_t position, uint64_t sequence);

#endif
