/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of equal objects behind a stack of free indices. */
#include "common/base/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_ALIGN_BYTES = 16 };

int pool_init(struct pool *pool, uint32_t object_bytes, uint32_t count)
{
    ASSERT(object_bytes > 0 && count > 0);
    uint32_t rounded = (object_bytes + POOL_ALIGN_BYTES - 1) / POOL_ALIGN_BYTES * POOL_ALIGN_BYTES;
    *pool = (struct pool){.object_bytes = rounded, .count = count, .free_count = count};
    pool->objects = calloc(count, rounded);
    pool->free = calloc(count, sizeof(*pool->free));
    pool->out = calloc(count, sizeof(*pool->out));
    if (!pool->objects || !pool->free || !pool->out) {
        pool_release(pool);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++)
        pool->free[i] = count - 1 - i;
    return 0;
}

void pool_release(struct pool *pool)
{
    ASSERT(pool->free_count == pool->count);
    free(pool->objects);
    free(pool->free);
    free(pool->out);
    *pool = (struct pool){0};
}

void *pool_get(struct pool *pool)
{
    if (pool->free_count == 0)
        return NULL;
    uint32_t index = pool->free[--pool->free_count];
    pool->out[index] = true;
    void *object = pool->objects + (size_t)index * pool->object_bytes;
    memset(object, 0, pool->object_bytes);
    return object;
}

void pool_put(struct pool *pool, void *object)
{
    size_t distance = (size_t)((uint8_t *)object - pool->objects);
    ASSERT((uint8_t *)object >= pool->objects && distance % pool->object_bytes == 0);
    size_t index = distance / pool->object_bytes;
    ASSERT(index < pool->count && pool->out[index]);
    pool->out[index] = false;
    pool->free[pool->free_count++] = (uint32_t)index;
}
