/* SPDX-License-Identifier: Apache-2.0 */
/* A small disk in memory, which does what the volume would do. */
#ifndef STRAKE_TESTS_SCSI_DISK_H
#define STRAKE_TESTS_SCSI_DISK_H

#include "common/base/block.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <string.h>

enum { DISK_BYTES = 2u << 20 };

static struct buf_pool pool;
static uint8_t disk[DISK_BYTES];
static uint8_t row[32 << 10]; /* of the book */
static uint32_t row_bytes;
static struct block_run runs[256]; /* what STATUS tells */
static uint32_t run_count;         /* 0: it is not known */

static inline void compare_write(struct block_req *block)
{
    uint8_t *at = disk + block->offset_bytes;
    ck_assert_uint_eq(block->data.length_bytes, 2 * block->length_bytes);
    for (uint64_t i = 0; i < block->length_bytes; i++) {
        if (at[i] == block->data.bytes[i])
            continue;
        block->mismatch_bytes = i;
        block->status = -EILSEQ;
        return;
    }
    memcpy(at, block->data.bytes + block->length_bytes, block->length_bytes);
}

static inline void disk_execute(struct block_req *block)
{
    ck_assert_uint_le(block->offset_bytes + block->length_bytes, DISK_BYTES);
    uint8_t *at = disk + block->offset_bytes;
    block->status = 0;
    switch (block->op) {
    case BLOCK_READ:
        block->data = slice_get(&pool, (uint32_t)block->length_bytes);
        memcpy(block->data.bytes, at, block->length_bytes);
        break;
    case BLOCK_WRITE:
        ck_assert_uint_eq(block->data.length_bytes, block->length_bytes);
        memcpy(at, block->data.bytes, block->length_bytes);
        break;
    case BLOCK_OR_WRITE:
        for (uint64_t i = 0; i < block->length_bytes; i++)
            at[i] |= block->data.bytes[i];
        break;
    case BLOCK_COMPARE_WRITE:
        compare_write(block);
        break;
    case BLOCK_ZERO:
        memset(at, 0, block->length_bytes);
        break;
    case BLOCK_FLUSH:
        break;
    case BLOCK_SET_ROW:
        ck_assert_uint_le(block->data.length_bytes, sizeof(row));
        ck_assert_str_eq(block->key, "reservations");
        row_bytes = block->data.length_bytes;
        if (row_bytes)
            memcpy(row, block->data.bytes, row_bytes);
        break;
    case BLOCK_STATUS:
        block->status = run_count ? 0 : -EOPNOTSUPP;
        block->runs_count = run_count < block->runs_max ? run_count : block->runs_max;
        memcpy(block->runs, runs, block->runs_count * sizeof(runs[0]));
        break;
    }
}

static inline bool disk_is(uint64_t offset, uint8_t fill, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++)
        if (disk[offset + i] != fill)
            return false;
    return true;
}

#endif
