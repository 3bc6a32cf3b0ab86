/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of equal objects: allocated at start, handed out and taken back without the heap. When it
 * is empty the caller stops reading its input; that is never an error.
 */
#ifndef STRAKE_BASE_POOL_H
#define STRAKE_BASE_POOL_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stdint.h>

struct pool {
    uint8_t *objects; /* owned */
    uint32_t *free;   /* owned: stack of the indices of free objects */
    bool *out;        /* owned: which objects are out; a second return stops the process */
    uint32_t object_bytes;
    uint32_t count;
    uint32_t free_count;
};

/* Room for `count` objects of `object_bytes` each, aligned for any type. 0 or -ENOMEM. */
MUST_USE int pool_init(struct pool *pool, uint32_t object_bytes, uint32_t count);
/* Every object must be back. Harmless after a pool_init that failed. */
void pool_release(struct pool *pool);
/* A zeroed object, or NULL when all are out. */
MUST_USE void *pool_get(struct pool *pool);
/* Takes back what pool_get of this pool gave, once. */
void pool_put(struct pool *pool, void *object);

static inline uint32_t pool_free_count(const struct pool *pool)
{
    return pool->free_count;
}

#endif
