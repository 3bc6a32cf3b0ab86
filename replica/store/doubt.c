/* SPDX-License-Identifier: Apache-2.0 */
/* The set of blocks in doubt. */
#include "replica/store/doubt.h"

#include "common/base/buf.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BLOCKS = 32768,
    PIECE_WORDS = PIECE_BLOCKS / 64,
};

struct doubt_piece {
    uint64_t number;
    uint64_t *bits; /* owned */
};

/* The first piece whose number is at least this one; `count` when there is none. */
static uint32_t piece_at(const struct doubt *doubt, uint64_t number)
{
    uint32_t low = 0;
    uint32_t high = doubt->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (doubt->pieces[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t *piece_bits(const struct doubt *doubt, uint64_t number)
{
    uint32_t at = piece_at(doubt, number);
    return at < doubt->count && doubt->pieces[at].number == number ? doubt->pieces[at].bits : NULL;
}

static uint64_t *piece_make(struct doubt *doubt, uint64_t number)
{
    uint64_t *bits = piece_bits(doubt, number);
    if (bits)
        return bits;
    if (doubt->count == doubt->capacity) {
        doubt->capacity = doubt->capacity ? doubt->capacity * 2 : 16;
        doubt->pieces = realloc(doubt->pieces, doubt->capacity * sizeof(*doubt->pieces));
        ASSERT(doubt->pieces);
    }
    uint32_t at = piece_at(doubt, number);
    bits = calloc(PIECE_WORDS, sizeof(*bits));
    ASSERT(bits);
    memmove(doubt->pieces + at + 1, doubt->pieces + at,
            (doubt->count - at) * sizeof(*doubt->pieces));
    doubt->pieces[at] = (struct doubt_piece){.number = number, .bits = bits};
    doubt->count++;
    return bits;
}

static bool bit_get(const uint64_t *bits, uint64_t block)
{
    return bits[block % PIECE_BLOCKS / 64] >> block % 64 & 1;
}

void doubt_add(struct doubt *doubt, uint64_t offset_bytes, uint64_t length_bytes)
{
    ASSERT(offset_bytes % BLOCK_BYTES == 0 && length_bytes % BLOCK_BYTES == 0);
    uint64_t end = (offset_bytes + length_bytes) / BLOCK_BYTES;
    for (uint64_t block = offset_bytes / BLOCK_BYTES; block < end; block++) {
        uint64_t *bits = piece_make(doubt, block / PIECE_BLOCKS);
        doubt->blocks += !bit_get(bits, block);
        bits[block % PIECE_BLOCKS / 64] |= (uint64_t)1 << block % 64;
    }
}

void doubt_remove(struct doubt *doubt, uint64_t offset_bytes, uint64_t length_bytes)
{
    ASSERT(offset_bytes % BLOCK_BYTES == 0 && length_bytes % BLOCK_BYTES == 0);
    uint64_t end = (offset_bytes + length_bytes) / BLOCK_BYTES;
    uint64_t block = offset_bytes / BLOCK_BYTES;
    while (block < end && doubt->blocks > 0) {
        uint64_t *bits = piece_bits(doubt, block / PIECE_BLOCKS);
        if (!bits) {
            uint32_t at = piece_at(doubt, block / PIECE_BLOCKS);
            if (at == doubt->count)
                return;
            block = doubt->pieces[at].number * PIECE_BLOCKS;
            continue;
        }
        doubt->blocks -= bit_get(bits, block);
        bits[block % PIECE_BLOCKS / 64] &= ~((uint64_t)1 << block % 64);
        block++;
    }
}

bool doubt_has(const struct doubt *doubt, uint64_t offset_bytes)
{
    uint64_t block = offset_bytes / BLOCK_BYTES;
    const uint64_t *bits = piece_bits(doubt, block / PIECE_BLOCKS);
    return bits && bit_get(bits, block);
}

/* The first block of the piece that is set, from `block` on; PIECE_BLOCKS when none is. */
static uint64_t piece_first(const uint64_t *bits, uint64_t block)
{
    while (block < PIECE_BLOCKS) {
        uint64_t word = bits[block / 64] >> block % 64;
        if (word)
            return block + (uint64_t)__builtin_ctzll(word);
        block = (block / 64 + 1) * 64;
    }
    return PIECE_BLOCKS;
}

bool doubt_next(const struct doubt *doubt, uint64_t from, uint64_t max_bytes,
                uint64_t *offset_bytes, uint64_t *length_bytes)
{
    uint64_t block = from / BLOCK_BYTES;
    for (uint32_t at = piece_at(doubt, block / PIECE_BLOCKS); at < doubt->count; at++) {
        const struct doubt_piece *piece = &doubt->pieces[at];
        bool inside = piece->number == block / PIECE_BLOCKS;
        uint64_t first = piece_first(piece->bits, inside ? block % PIECE_BLOCKS : 0);
        if (first == PIECE_BLOCKS)
            continue;
        uint64_t end = first;
        while (end < PIECE_BLOCKS && (end - first) * BLOCK_BYTES < max_bytes &&
               bit_get(piece->bits, end))
            end++;
        *offset_bytes = (piece->number * PIECE_BLOCKS + first) * BLOCK_BYTES;
        *length_bytes = (end - first) * BLOCK_BYTES;
        return true;
    }
    return false;
}

void doubt_release(struct doubt *doubt)
{
    for (uint32_t at = 0; at < doubt->count; at++)
        free(doubt->pieces[at].bits);
    free(doubt->pieces);
    *doubt = (struct doubt){0};
}
