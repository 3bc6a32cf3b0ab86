/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted buffers for what travels: received bytes, payloads, read results. One payload goes to
 * several sockets and a disk, hence the counting; nothing else in the house is counted.
 *
 * A payload is a `slice`: a run of bytes inside one buffer. The CRC32C of each 4 KiB block of a
 * payload is kept beside the buffer (slice_crc): payload blocks of one buffer never overlap and are
 * at least 4 KiB long, so the block that begins at byte b owns the slot b / 4096, whatever its
 * alignment.
 *
 * Freed buffers are kept by size for the next use, so a steady flow does not touch the heap. The
 * limit is soft: buf_get always succeeds; who admits new work asks buf_pool_full first, and says
 * what that will take later.
 */
#ifndef STRAKE_BASE_BUF_H
#define STRAKE_BASE_BUF_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BLOCK_BYTES = 4096,           /* unit of checksums, of atomicity and of the replicas' store */
    PAYLOAD_BYTES_MAX = 1u << 20, /* the longest payload of one replicated operation */
    BUF_BYTES_MIN = 64u << 10,    /* smallest capacity */
    BUF_CLASS_COUNT = 10,         /* 64 KiB, 128 KiB, ... 32 MiB */
    BUF_SLACK_BYTES = 4096,       /* more in each: a payload is received with its headers */
    BUF_BYTES_MAX = BUF_BYTES_MIN << (BUF_CLASS_COUNT - 1),
};

struct buf_pool;

struct buf {
    struct buf_pool *pool; /* of the pool's owner */
    struct buf *next_free;
    uint32_t refs;
    uint32_t class_idx;
    uint32_t capacity_bytes;
    uint32_t *crc; /* capacity_bytes / BLOCK_BYTES + 1 slots */
    uint8_t *bytes;
};

struct buf_pool {
    struct buf *free[BUF_CLASS_COUNT];
    uint32_t free_count[BUF_CLASS_COUNT];
    uint64_t used_bytes;     /* capacity of the buffers that are out */
    uint64_t promised_bytes; /* what was admitted may still take, at most */
    uint64_t cached_bytes;   /* capacity of the buffers kept for reuse */
    uint64_t limit_bytes;
};

/* A run of bytes; `buf` is NULL when `bytes` belong to somebody who outlives the slice. */
struct slice {
    struct buf *buf;
    uint8_t *bytes;
    uint32_t length_bytes;
};

void buf_pool_init(struct buf_pool *pool, uint64_t limit_bytes);
/* Every buffer must be back. */
void buf_pool_release(struct buf_pool *pool);
/* True when new work should wait. */
static inline bool buf_pool_full(const struct buf_pool *pool)
{
    return pool->used_bytes + pool->promised_bytes >= pool->limit_bytes;
}
/* True when even what should be let through, so that somebody goes on, must not be. */
static inline bool buf_pool_spent(const struct buf_pool *pool)
{
    return pool->used_bytes + pool->promised_bytes >= pool->limit_bytes + pool->limit_bytes / 2;
}
static inline void buf_promise(struct buf_pool *pool, uint64_t bytes)
{
    pool->promised_bytes += bytes;
}
static inline void buf_promise_end(struct buf_pool *pool, uint64_t bytes)
{
    ASSERT(pool->promised_bytes >= bytes);
    pool->promised_bytes -= bytes;
}

/* A buffer of at least `capacity_bytes` (<= BUF_BYTES_MAX), one reference, contents undefined. */
struct buf *buf_get(struct buf_pool *pool, uint32_t capacity_bytes);
static inline struct buf *buf_ref(struct buf *buf)
{
    ASSERT(buf->refs > 0 && buf->refs < UINT32_MAX);
    buf->refs++;
    return buf;
}
/* Gives one reference back. NULL is allowed. */
void buf_unref(struct buf *buf);

/* A slice of its own buffer's first `length_bytes`, one reference. */
struct slice slice_get(struct buf_pool *pool, uint32_t length_bytes);
/* The same bytes with one more reference. */
struct slice slice_ref(const struct slice *slice);
/* Gives the reference back and empties the slice. Harmless on an empty one. */
void slice_release(struct slice *slice);
/* The checksum slots of the slice's blocks: slot i belongs to its bytes [4096 i, 4096 (i + 1)). */
static inline uint32_t *slice_crc(const struct slice *slice)
{
    ASSERT(slice->buf && slice->bytes >= slice->buf->bytes);
    return slice->buf->crc + (slice->bytes - slice->buf->bytes) / BLOCK_BYTES;
}
/* Computes all slots; the length must be a multiple of 4 KiB. */
void slice_crc_fill(const struct slice *slice);
/* True when every block agrees with its slot. */
MUST_USE bool slice_crc_ok(const struct slice *slice);

#endif
