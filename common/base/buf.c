/* SPDX-License-Identifier: Apache-2.0 */
/* Counted buffers, kept for reuse by size class. */
#include "common/base/buf.h"

#include "common/base/crc32c.h"

#include <stdlib.h>

/* What is kept for reuse beyond this goes back to the heap: idle processes stay small. */
#define BUF_CACHED_BYTES_MAX ((uint64_t)BUF_BYTES_MAX + BUF_SLACK_BYTES)

void buf_pool_init(struct buf_pool *pool, uint64_t limit_bytes)
{
    *pool = (struct buf_pool){.limit_bytes = limit_bytes};
}

static void buf_free(struct buf *buf)
{
    free(buf->crc);
    free(buf->bytes);
    free(buf);
}

static uint32_t buf_class_bytes(uint32_t class_idx)
{
    return ((uint32_t)BUF_BYTES_MIN << class_idx) + BUF_SLACK_BYTES;
}

static struct buf *buf_cache_pop(struct buf_pool *pool, uint32_t class_idx)
{
    struct buf *buf = pool->free[class_idx];
    if (!buf)
        return NULL;
    pool->free[class_idx] = buf->next_free;
    pool->free_count[class_idx]--;
    pool->cached_bytes -= buf->capacity_bytes;
    return buf;
}

/* What was used once does not keep out what is used now: the class that keeps most gives way. */
static void buf_cache_trim(struct buf_pool *pool)
{
    while (pool->cached_bytes > BUF_CACHED_BYTES_MAX) {
        uint32_t most = 0;
        for (uint32_t i = 1; i < BUF_CLASS_COUNT; i++) {
            if ((uint64_t)pool->free_count[i] * buf_class_bytes(i) >
                (uint64_t)pool->free_count[most] * buf_class_bytes(most))
                most = i;
        }
        buf_free(buf_cache_pop(pool, most));
    }
}

void buf_pool_release(struct buf_pool *pool)
{
    ASSERT(pool->used_bytes == 0 && pool->promised_bytes == 0);
    for (uint32_t i = 0; i < BUF_CLASS_COUNT; i++) {
        while (pool->free[i])
            buf_free(buf_cache_pop(pool, i));
    }
    *pool = (struct buf_pool){0};
}

static struct buf *buf_new(struct buf_pool *pool, uint32_t class_idx)
{
    struct buf *buf = calloc(1, sizeof(*buf));
    uint32_t capacity = buf_class_bytes(class_idx);
    ASSERT(buf);
    *buf = (struct buf){.pool = pool, .class_idx = class_idx, .capacity_bytes = capacity};
    buf->crc = calloc(capacity / BLOCK_BYTES + 1, sizeof(*buf->crc));
    buf->bytes = aligned_alloc(BLOCK_BYTES, capacity);
    ASSERT(buf->crc && buf->bytes);
    return buf;
}

struct buf *buf_get(struct buf_pool *pool, uint32_t capacity_bytes)
{
    ASSERT(capacity_bytes <= BUF_BYTES_MAX);
    uint32_t class_idx = 0;
    while (buf_class_bytes(class_idx) < capacity_bytes)
        class_idx++;
    struct buf *buf = buf_cache_pop(pool, class_idx);
    if (!buf)
        buf = buf_new(pool, class_idx);
    pool->used_bytes += buf->capacity_bytes;
    buf->refs = 1;
    return buf;
}

void buf_unref(struct buf *buf)
{
    if (!buf)
        return;
    ASSERT(buf->refs > 0);
    if (--buf->refs > 0)
        return;
    struct buf_pool *pool = buf->pool;
    ASSERT(pool->used_bytes >= buf->capacity_bytes);
    pool->used_bytes -= buf->capacity_bytes;
    pool->cached_bytes += buf->capacity_bytes;
    pool->free_count[buf->class_idx]++;
    buf->next_free = pool->free[buf->class_idx];
    pool->free[buf->class_idx] = buf;
    buf_cache_trim(pool);
}

struct slice slice_get(struct buf_pool *pool, uint32_t length_bytes)
{
    struct buf *buf = buf_get(pool, length_bytes);
    return (struct slice){.buf = buf, .bytes = buf->bytes, .length_bytes = length_bytes};
}

struct slice slice_ref(const struct slice *slice)
{
    if (slice->buf)
        buf_ref(slice->buf);
    return *slice;
}

void slice_release(struct slice *slice)
{
    buf_unref(slice->buf);
    *slice = (struct slice){0};
}

void slice_crc_fill(const struct slice *slice)
{
    ASSERT(slice->length_bytes % BLOCK_BYTES == 0);
    uint32_t *crc = slice_crc(slice);
    for (uint32_t i = 0; i < slice->length_bytes / BLOCK_BYTES; i++)
        crc[i] = crc32c(0, slice->bytes + (size_t)i * BLOCK_BYTES, BLOCK_BYTES);
}

bool slice_crc_ok(const struct slice *slice)
{
    ASSERT(slice->length_bytes % BLOCK_BYTES == 0);
    const uint32_t *crc = slice_crc(slice);
    for (uint32_t i = 0; i < slice->length_bytes / BLOCK_BYTES; i++) {
        if (crc[i] != crc32c(0, slice->bytes + (size_t)i * BLOCK_BYTES, BLOCK_BYTES))
            return false;
    }
    return true;
}
