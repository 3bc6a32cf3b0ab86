/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of sealed generations (common/digest), and the hashes they are made from (a part of the
 * door, map.h). A volume has the hashes of its pieces once: as they are in the generation whose
 * digest was computed last. For another one only the pieces that differ are read, and their hashes
 * replaced, group by group; until that is over the hashes are partly of the one and partly of the
 * other generation, and the state says how far. Numbers of generations are believed together with
 * their identity alone.
 */
#ifndef STRAKE_MAP_DIGEST_H
#define STRAKE_MAP_DIGEST_H

#include "common/base/uuid.h"
#include "common/digest/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct map;
struct map_volume;

struct map_hashes {
    uint64_t from; /* 0: nothing, all pieces are zeros */
    struct uuid from_identity;
    uint64_t to; /* 0: nothing is under way, all hashes are those of `from` */
    struct uuid to_identity;
    uint64_t next_group; /* the groups before it have the hashes of `to` */
};

/* Of a sealed and complete generation: 1 and its digest, 0 when it is not known; or -ENOENT. */
MUST_USE int map_digest(struct map_volume *volume, uint64_t generation, struct uuid *identity,
                        uint8_t sha256[DIGEST_BYTES]);
/* Kept with the generation from now on, like a command. */
MUST_USE int map_digest_set(struct map_volume *volume, uint64_t generation,
                            const struct uuid *identity, const uint8_t sha256[DIGEST_BYTES]);
/* The volume's, for what follows; a number may have been another volume's before it. */
uint32_t map_volume_number(const struct map_volume *volume);

/*
 * Work on an open volume's hashes, durable when it ends: on the thread of the other *_work
 * functions. 0 or -errno. An unknown state is one of nothing, with some rows left over: clear.
 */
MUST_USE int map_hashes_state_work(struct map *map, uint32_t volume, struct map_hashes *state,
                                   bool *known);
/* Some of what is there, the state first. */
MUST_USE int map_hashes_clear_work(struct map *map, uint32_t volume, bool *ended);
MUST_USE int map_hashes_load_work(struct map *map, uint32_t volume, uint64_t number,
                                  struct digest_group *group);
MUST_USE int map_hashes_store_work(struct map *map, uint32_t volume, uint64_t number,
                                   const struct digest_group *group,
                                   const struct map_hashes *state);
/* The digest that all hashes together give; and the state from now on. */
MUST_USE int map_hashes_end_work(struct map *map, uint32_t volume, const struct map_hashes *state,
                                 uint8_t sha256[DIGEST_BYTES]);

#endif
