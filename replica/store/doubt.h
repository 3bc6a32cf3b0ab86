/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks whose checksum may be that of their former content, or the other way round: a process was
 * killed or the power went between the two. They are what the planes name when a volume is opened
 * that was not closed; in them what is on disk is believed, and its checksum put right. Everywhere
 * else a mismatch is rot (private to the room).
 *
 * A set of blocks, in pieces of 128 MiB.
 */
#ifndef STRAKE_STORE_DOUBT_H
#define STRAKE_STORE_DOUBT_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stdint.h>

struct doubt_piece;

struct doubt {
    struct doubt_piece *pieces; /* owned, ascending */
    uint32_t count;
    uint32_t capacity;
    uint64_t blocks;
};

/* Ranges in bytes, of whole blocks. */
void doubt_add(struct doubt *doubt, uint64_t offset_bytes, uint64_t length_bytes);
void doubt_remove(struct doubt *doubt, uint64_t offset_bytes, uint64_t length_bytes);
bool doubt_has(const struct doubt *doubt, uint64_t offset_bytes);
/* The first run of blocks from `from` on, at most `max_bytes` long and within one piece. */
MUST_USE bool doubt_next(const struct doubt *doubt, uint64_t from, uint64_t max_bytes,
                         uint64_t *offset_bytes, uint64_t *length_bytes);
void doubt_release(struct doubt *doubt);

#endif
