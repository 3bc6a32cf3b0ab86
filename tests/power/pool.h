/* SPDX-License-Identifier: Apache-2.0 */
/* A pool under test, the model of it, and random operations on both. */
#ifndef STRAKE_TESTS_POWER_POOL_H
#define STRAKE_TESTS_POWER_POOL_H

#include "replica/store/store.h"
#include "tests/power/model.h"

#include <stdnoreturn.h>

enum {
    POOL_OPS = 8,
    POOL_PLANE_BYTES = 77, /* for each block: not whole pages */
};

/* What a written block is filled with. */
struct stamp {
    uint64_t serial; /* the pool's own */
    uint64_t block;
};

/* One request under way. */
struct op {
    struct store_req req;
    struct pool *pool;
    bool busy;
    struct volume *volume;
    uint32_t first; /* blocks, of the head */
    uint32_t count;
    uint64_t serial;
    uint64_t asked;
    bool settled; /* nothing was in doubt when it was asked for */
    uint8_t page[STORE_META_BYTES];
};

struct pool {
    char root[96];
    struct uuid boot;
    enum store_engine engine;
    bool may_wait;
    struct loop loop;
    struct buf_pool bufs;
    struct store *store;
    struct model *model;
    struct store_volume *open[MODEL_VOLUMES];
    struct op ops[POOL_OPS];
    uint32_t busy;
    int status;                      /* of the last job */
    bool failing;                    /* calls fail: what does so is told, no more */
    bool dead;                       /* and the pool could not be opened */
    bool sync_failed[MODEL_VOLUMES]; /* since the volume was opened */
};

/* What went wrong, and how to see it again; the files stay. */
noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MUST(fine, ...)                                                                            \
    do {                                                                                           \
        if (!(fine))                                                                               \
            fail(__VA_ARGS__);                                                                     \
    } while (false)

/* Of the operations; the disk has its own. */
uint64_t pick(uint64_t below);
void pick_seed(uint64_t seed);

/* True when all went well; else it must have been possible that it did not. */
bool pool_fine(const struct pool *pool, int status, const char *what);

/* pool.c */
/* What fails is not open then. */
void pool_open(struct pool *pool);
void pool_close(struct pool *pool);
/*
 * Opens the volume and tells which blocks may be in doubt; `settle`: to be put right at once. One
 * that is found to have failed stays closed, from then on.
 */
void pool_volume_open(struct pool *pool, uint32_t idx, bool settle);
void pool_volume_close(struct pool *pool, uint32_t idx);
static inline uint32_t pool_index(const struct pool *pool, const struct volume *volume)
{
    return (uint32_t)(volume - pool->model->volumes);
}
static inline uint64_t pool_plane_bytes(const struct volume *volume)
{
    return (uint64_t)volume->blocks * POOL_PLANE_BYTES;
}
/* Runs until the request is answered. */
int pool_do(struct pool *pool, uint32_t idx, struct store_req *req);
void pool_job_done(void *arg, int status);

/* ops.c */
/* An open volume, and a sealed generation of it that is there; NULL: none was met. */
struct volume *pool_any_volume(struct pool *pool);
struct generation *pool_any_sealed(struct volume *volume);
/* True when what was answered of the volume's family is flushed. */
bool pool_sync(struct pool *pool, struct volume *volume);
/* A few operations at once, or one of those that are made alone. */
void pool_round(struct pool *pool);

void block_fill(uint8_t *bytes, uint32_t block, uint64_t serial);

/* care.c: each is made alone. */
void pool_grow(struct pool *pool);
void pool_digest(struct pool *pool);
void pool_scrub(struct pool *pool);
/* The space of all that was dropped and flushed comes back. */
void pool_reclaim(struct pool *pool);
/* Each place that shows what was damaged shows what it was again. */
void pool_mend(struct pool *pool);

/* rebuild.c */
void pool_rebuild(struct pool *pool);
/* To the end, from wherever it stands. False: something failed. */
bool pool_rebuild_go_on(struct pool *pool, struct volume *volume);

/* verify.c */
/* Which write the block shows; 0: zeros. */
uint64_t block_serial(const uint8_t *bytes, uint32_t block);
/* What is there after a crash is something that may be there; the model becomes it. */
void pool_verify(struct pool *pool, bool killed);
/* Every structure agrees with every other; nobody has the pool open. */
void pool_check(const struct pool *pool);

#endif
