/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of LMDB within a transaction (private to the room). */
#ifndef STRAKE_MAP_STORED_H
#define STRAKE_MAP_STORED_H

#include "replica/map/state.h"

/* A transaction of a job, and what went wrong in it. */
struct stored {
    const struct map *map; /* its environment and tables alone */
    MDB_txn *txn;
    int lmdb_error;
};

MUST_USE int stored_begin(struct stored *stored, const struct map *map);
MUST_USE int stored_commit(struct stored *stored);
void stored_abort(struct stored *stored);
/* -ENOSPC when the disk or the map is full, else -EIO. */
int stored_error(struct stored *stored, int lmdb_error);

/* 1 and the value (until the next change), 0 or -errno. */
MUST_USE int stored_get(struct stored *stored, enum table table, const struct key *key,
                        struct reader *value);
MUST_USE int stored_put(struct stored *stored, enum table table, const struct key *key,
                        const void *value, size_t value_bytes);
/* Harmless when it is not there. */
MUST_USE int stored_delete(struct stored *stored, enum table table, const struct key *key);
/* Rows that begin with a number, but those that then begin with `keep`, up to ROWS_OF_BATCH of
 * them; `ended` when none is left. */
MUST_USE int stored_delete_some(struct stored *stored, enum table table, uint32_t number,
                                uint32_t keep, bool *ended);
/* The first row at or after a key: 1, 0 or -errno. */
MUST_USE int stored_seek(struct stored *stored, enum table table, const struct key *key,
                         struct reader *found_key, struct reader *value);
/* Sets or clears the extent's bit among the changes of a step. */
MUST_USE int stored_change(struct stored *stored, uint32_t branch, uint64_t step, uint64_t extent,
                           bool present);
MUST_USE int stored_extent_put(struct stored *stored, uint32_t branch, uint64_t extent,
                               uint64_t step, const struct extent_row *row);
MUST_USE int stored_extent_delete(struct stored *stored, uint32_t branch, uint64_t extent,
                                  uint64_t step);
MUST_USE int stored_stats_add(struct stored *stored, uint32_t branch, uint64_t step,
                              const struct stats_row *more);
/* What is shown at a step, from LMDB alone. */
MUST_USE int stored_shown(struct stored *stored, uint32_t branch, uint64_t extent, uint64_t step,
                          struct extent_row *row);

#endif
