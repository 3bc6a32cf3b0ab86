/* SPDX-License-Identifier: Apache-2.0 */
/* A pool under test, the model of it, and random operations on both. */
#ifndef STRAKE_TESTS_POWER_POOL_H
#define STRAKE_TESTS_POWER_POOL_H

#include "replica/store/store.h"
#include "tests/power/model.h"

#include <stdnoreturn.h>

enum {
    POOL_SIZE_BYTES = MODEL_BLOCKS * BLOCK_BYTES,
    POOL_OPS = 8,
};

/* What a written block is filled with. */
struct stamp {
    uint64_t serial;
    struct uuid uuid; /* of the volume that was written to */
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
/* Runs until the request is answered. */
int pool_do(struct pool *pool, uint32_t idx, struct store_req *req);
void pool_job_done(void *arg, int status);

/* ops.c */
/* A few operations at once, or one of those that are made alone. */
void pool_round(struct pool *pool);

void block_fill(uint8_t *bytes, const struct volume *volume, uint32_t block, uint64_t serial);

/* verify.c */
/* Which write the block shows; 0: zeros. */
uint64_t block_serial(const uint8_t *bytes, uint32_t block);
/* What is there after a crash is something that may be there; the model becomes it. */
void pool_verify(struct pool *pool, bool killed);
/* Every structure agrees with every other; nobody has the pool open. */
void pool_check(const struct pool *pool);

#endif
