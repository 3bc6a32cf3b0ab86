/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done in the background, by a thread of low priority, in small pieces: changes folded from
 * the journal into the map, space of dropped generations and deleted volumes given back, and their
 * files. Begins when somebody kicks it and ends when nothing is left: no wake-up of an idle pool,
 * but without space it tries again after a while (private to the room).
 */
#ifndef STRAKE_STORE_CHORES_H
#define STRAKE_STORE_CHORES_H

#include "common/net/loop.h"
#include "replica/map/map.h"
#include "replica/store/worker.h"

struct store;

struct chores {
    struct store *store; /* of the caller */
    struct worker worker;
    struct work work;
    struct loop_timer again; /* there was no space */
    bool busy;
    bool fold_asked; /* reclaim cannot go on without, or somebody waits for room in the journal */
    uint64_t fold_until; /* the mark when the fold under way began: not chased further; 0: none */
    bool stopping;
    bool progress;    /* since it was kicked */
    int status;       /* of the piece under way */
    uint32_t removed; /* family whose files are being removed */
    /* Reads under way, by the side they began on: a piece ends when those begun before it have. */
    uint32_t reads[2];
    uint8_t side;
    bool piece_done; /* its work is, and it waits for reads */
    void (*end)(struct map *map, int status);
    const struct map_punch *punches;
    uint32_t punch_count;
};

MUST_USE int chores_open(struct chores *chores, struct store *store);
/* Finishes the piece under way. */
void chores_close(struct chores *chores);
/* There may be something to do. `fold`: what is in the journal is to be folded. */
void chores_kick(struct chores *chores, bool fold);
/* A read begins: on which side. And ends. */
uint8_t chores_read_begins(struct chores *chores);
void chores_read_ends(struct chores *chores, uint8_t side);

#endif
