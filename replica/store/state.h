/* SPDX-License-Identifier: Apache-2.0 */
/* What an open pool consists of (private to the room). */
#ifndef STRAKE_STORE_STATE_H
#define STRAKE_STORE_STATE_H

#include "replica/map/map.h"
#include "replica/store/chores.h"
#include "replica/store/digester.h"
#include "replica/store/directory.h"
#include "replica/store/durable.h"
#include "replica/store/engine.h"
#include "replica/store/rest.h"
#include "replica/store/store.h"
#include "replica/store/worker.h"

enum {
    STORE_ENGINE_NAME_BYTES = 160,
    STORE_ZEROINGS = 8, /* at a time */
};

/* Where a zero under way has blocks to give back. */
struct family;

struct zeroing {
    bool busy;
    struct map_run runs[MAP_PLACES_MAX];
};

struct store {
    struct loop *loop;     /* of the caller */
    struct buf_pool *bufs; /* of the caller */
    struct directory directory;
    struct uuid boot;
    struct engine *engine; /* owned: io_uring or threads */
    struct engine *writer; /* owned: plain writes */
    bool ring_puts;        /* but those that io_uring takes as well */
    uint32_t slow_steps;   /* of `engine`, under way: all but reads */
    char engine_name[STORE_ENGINE_NAME_BYTES];
    struct worker worker; /* opens, makes and removes files */
    struct map *map;      /* owned */
    struct chores chores;
    struct digester digester;
    struct rest rest;
    void (*rested)(void *arg); /* of the caller */
    struct durable journal;    /* of the map */
    bool journal_failed;       /* a sync of it: no flush of any family counts any more */
    struct list map_waits;     /* struct store_req: the map had no room for them */
    struct loop_task kick;     /* looks after them */
    struct list later;         /* struct store_req: go on in a later turn */
    struct loop_task go_on;
    struct zeroing zeroings[STORE_ZEROINGS];
    struct list zeroing_waits; /* struct store_req */
    bool space_low;            /* said so */
    struct list volumes;       /* struct store_volume, open */
    struct list families;      /* struct family, of open volumes */
    struct list answered;      /* requests that needed no step */
    struct loop_task answer;
    uint32_t in_flight;
    uint64_t asked; /* of what somebody waits for, so far */
    struct store_space space;
    uint64_t space_until_ns; /* when `space` is too old */
};

/* What the request waited for in some list is there, or failed with `status`. */
void store_resume(struct store *store, struct store_req *req, int status);
/* All of the list's requests try again in a later turn, or fail with `status`. */
void store_resume_later(struct store *store, struct list *waiting, int status);
/* A sync of the file has ended. Who waits for it goes on. */
void store_synced(struct store *store, struct durable *durable);
/* What is on disk of this family can no longer be known; NULL: of any. */
void store_sync_failed(struct store *store, struct family *family);
/* Whether so much more may be stored: the last of the space is for what must go on. */
bool store_admit(struct store *store, uint64_t length_bytes);
/* False when the request must wait for a turn. */
bool store_zeroing_get(struct store *store, struct store_req *req);
void store_zeroing_put(struct store *store, struct store_req *req);

#endif
