/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, their branches and generations in memory (private to the room). */
#ifndef STRAKE_MAP_VOLUME_H
#define STRAKE_MAP_VOLUME_H

#include "replica/map/lookup.h"

enum {
    VOLUME_PUT_BYTES = CHANGE_PUT_BYTES + UUID_BYTES + 80,
    BRANCH_PUT_BYTES = CHANGE_PUT_BYTES + 4 + 32,
    GENERATION_PUT_BYTES = CHANGE_PUT_BYTES + 10 + 25 + DIGEST_BYTES,
};

/* At opening: all volumes, branches and families. */
MUST_USE int volume_load_all(struct map *map);
void volume_free_all(struct map *map);
/* Brings its generations into memory. */
MUST_USE int volume_load(struct map_volume *volume);
/* Forgets them, if it is closed and nothing of it waits for a fold. */
void volume_unload(struct map_volume *volume);
/* LMDB has everything up to this sequence. */
void volume_folded(struct map *map, uint64_t sequence);
struct map_volume *volume_find(struct map *map, const struct uuid *uuid);
/* A deleted one without branches and rows goes. */
void volume_forget(struct map_volume *volume);

/* A new branch without generations; NULL when the memory ends. */
struct branch *branch_new(struct map *map, uint32_t id, const struct branch_row *row,
                          struct map_volume *volume);
void branch_free(struct map *map, struct branch *branch);
/* Room for one more generation. */
MUST_USE int branch_reserve(struct branch *branch);
struct generation *branch_append(struct branch *branch, const struct generation_row *row);
uint32_t branch_depth(const struct branch *branch);
/* Some branch starts from this step. */
MUST_USE bool branch_is_parent(const struct map *map, const struct branch *branch, uint64_t step);
/* A volume other than the branch's begins with what the step shows, or with what comes of that. */
MUST_USE bool branch_has_clones(const struct map *map, const struct branch *branch, uint64_t step);
/* Blocks a step shows; those of them another volume's branch stores. */
int64_t branch_visible(const struct branch *branch, uint64_t step);
int64_t branch_foreign(const struct branch *branch, uint64_t step);

void volume_put(struct writer *w, const struct map_volume *volume);
void branch_put(struct writer *w, const struct branch *branch);
void generation_put(struct writer *w, const struct branch *branch, const struct generation *g);
/* Retained ones, sealed or not. */
uint32_t volume_generation_count(const struct map_volume *volume);
/* The lowest sealed retained generation of at least this number that is incomplete, or any. */
struct generation *volume_next(struct map_volume *volume, uint64_t number, bool incomplete,
                               struct branch **branch);
/* The volume's record went into the journal. */
void volume_recorded(struct map_volume *volume, const struct writer *payload);

#endif
