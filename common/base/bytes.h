/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded cursors over bytes, big-endian, with a sticky failure: decode straight down as the table
 * in the specification reads, and look at `bad` once at the end. The only place that knows a byte
 * order.
 */
#ifndef STRAKE_BASE_BYTES_H
#define STRAKE_BASE_BYTES_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reads from bytes that somebody else owns. A read past the end gives zero and sets `bad`. */
struct reader {
    const uint8_t *next;
    const uint8_t *end;
    bool bad;
};

/* Writes into bytes that somebody else owns. A write past the end is dropped and sets `bad`. */
struct writer {
    uint8_t *begin;
    uint8_t *next;
    uint8_t *end;
    bool bad;
};

static inline struct reader reader_of(const void *bytes, size_t length)
{
    const uint8_t *begin = bytes;
    return (struct reader){.next = begin, .end = length ? begin + length : begin};
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->next);
}

/* The next `length` bytes, not copied; NULL (and bad) when there are fewer. */
static inline const uint8_t *read_bytes(struct reader *r, size_t length)
{
    if (r->bad || reader_left(r) < length) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *bytes = r->next;
    if (length)
        r->next += length;
    return bytes;
}

static inline void read_copy(struct reader *r, void *to, size_t length)
{
    const uint8_t *bytes = read_bytes(r, length);
    if (length == 0)
        return;
    if (bytes)
        memcpy(to, bytes, length);
    else
        memset(to, 0, length);
}

static inline void read_skip(struct reader *r, size_t length)
{
    (void)read_bytes(r, length);
}

/* A reader of the next `length` bytes alone, for nested data. */
static inline struct reader read_sub(struct reader *r, size_t length)
{
    const uint8_t *bytes = read_bytes(r, length);
    struct reader sub = reader_of(bytes, bytes ? length : 0);
    sub.bad = !bytes;
    return sub;
}

static inline uint8_t read_u8(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 1);
    return b ? b[0] : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 2);
    /* gcc 12 with UBSan takes the cast inside a conditional expression for an int. */
    if (!b)
        return 0;
    return (uint16_t)((uint16_t)b[0] << 8 | b[1]);
}

static inline uint32_t read_u24(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 3);
    return b ? (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2] : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 4);
    return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

static inline uint64_t read_u64(struct reader *r)
{
    const uint8_t *b = read_bytes(r, 8);
    uint64_t value = 0;
    for (int i = 0; b && i < 8; i++)
        value = value << 8 | b[i];
    return value;
}

/* True of no bytes, too. */
static inline bool bytes_are_zero(const uint8_t *bytes, size_t length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static inline struct writer writer_of(void *bytes, size_t length)
{
    uint8_t *begin = bytes;
    return (struct writer){.begin = begin, .next = begin, .end = length ? begin + length : begin};
}

static inline size_t writer_left(const struct writer *w)
{
    return (size_t)(w->end - w->next);
}

static inline size_t writer_length(const struct writer *w)
{
    return (size_t)(w->next - w->begin);
}

/* The next `length` bytes, to be filled by the caller; NULL (and bad) when there is no room. */
static inline uint8_t *write_space(struct writer *w, size_t length)
{
    if (w->bad || writer_left(w) < length) {
        w->bad = true;
        return NULL;
    }
    uint8_t *space = w->next;
    if (length)
        w->next += length;
    return space;
}

static inline void write_bytes(struct writer *w, const void *bytes, size_t length)
{
    uint8_t *space = write_space(w, length);
    if (space && length)
        memcpy(space, bytes, length);
}

static inline void write_zeros(struct writer *w, size_t length)
{
    uint8_t *space = write_space(w, length);
    if (space && length)
        memset(space, 0, length);
}

static inline void write_u8(struct writer *w, uint8_t value)
{
    write_bytes(w, &value, 1);
}

static inline void write_u16(struct writer *w, uint16_t value)
{
    const uint8_t b[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    write_bytes(w, b, sizeof(b));
}

static inline void write_u24(struct writer *w, uint32_t value)
{
    ASSERT(value < 1u << 24);
    const uint8_t b[3] = {(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    write_bytes(w, b, sizeof(b));
}

static inline void write_u32(struct writer *w, uint32_t value)
{
    const uint8_t b[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                          (uint8_t)value};
    write_bytes(w, b, sizeof(b));
}

static inline void write_u64(struct writer *w, uint64_t value)
{
    uint8_t b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(value >> (56 - 8 * i));
    write_bytes(w, b, sizeof(b));
}

#endif
