/* SPDX-License-Identifier: Apache-2.0 */
/* Received bytes: one buffer at a time, moved to a new one only when a message would not fit. */
#include "common/base/rx.h"

#include <string.h>

enum {
    /* Below this much room a receive would be too small to be worth its system call. */
    RX_ROOM_BYTES_MIN = 16u << 10,
    /* What is longer is no usual message: the next buffer is not made for another such. */
    RX_USUAL_BYTES_MAX = 2 * PAYLOAD_BYTES_MAX,
    /* Received beyond a long message's own length: the headers before and after it. */
    RX_BEYOND_BYTES = 512,
};

void rx_init(struct rx *rx, struct buf_pool *pool)
{
    *rx = (struct rx){.pool = pool};
}

void rx_release(struct rx *rx)
{
    buf_unref(rx->buf);
    *rx = (struct rx){.pool = rx->pool};
}

bool rx_need(struct rx *rx, uint32_t length_bytes)
{
    ASSERT(length_bytes <= BUF_BYTES_MAX);
    rx->want_bytes = length_bytes;
    if (length_bytes > rx->usual_bytes && length_bytes <= RX_USUAL_BYTES_MAX)
        rx->usual_bytes = length_bytes;
    return rx_length(rx) >= length_bytes;
}

void rx_skip(struct rx *rx, uint32_t length_bytes)
{
    ASSERT(length_bytes <= rx_length(rx));
    rx->begin += length_bytes;
    rx->want_bytes = 0;
}

struct slice rx_take(struct rx *rx, uint32_t length_bytes)
{
    ASSERT(length_bytes > 0 && length_bytes <= rx_length(rx));
    struct slice slice = {
        .buf = buf_ref(rx->buf), .bytes = rx->buf->bytes + rx->begin, .length_bytes = length_bytes};
    rx_skip(rx, length_bytes);
    return slice;
}

/* How much must fit behind begin: what is wanted, or the long message that is likely to come. */
static uint32_t rx_wanted(const struct rx *rx)
{
    bool long_ones = rx->usual_bytes > BUF_BYTES_MIN && rx->usual_bytes > rx->want_bytes;
    return long_ones ? rx->usual_bytes + RX_BEYOND_BYTES : rx->want_bytes;
}

/* True when the wanted bytes, and a receive worth its while, fit behind what is there. */
static bool rx_fits(const struct rx *rx, uint32_t wanted_bytes)
{
    uint32_t length = rx_length(rx);
    uint32_t missing = wanted_bytes > length ? wanted_bytes - length : 0;
    uint32_t room = rx->buf->capacity_bytes - rx->end;
    if (missing > room)
        return false;
    return missing > 0 || room >= RX_ROOM_BYTES_MIN;
}

uint8_t *rx_space(struct rx *rx, uint32_t *room_bytes)
{
    uint32_t length = rx_length(rx);
    uint32_t wanted = rx_wanted(rx);
    if (rx->buf && length == 0 && rx->buf->refs == 1) {
        rx->begin = 0;
        rx->end = 0;
    }
    if (!rx->buf || !rx_fits(rx, wanted)) {
        struct buf *fresh = buf_get(rx->pool, wanted > length ? wanted : length + 1);
        ASSERT(rx->buf || length == 0);
        if (length)
            memcpy(fresh->bytes, rx->buf->bytes + rx->begin, length);
        buf_unref(rx->buf);
        rx->buf = fresh;
        rx->begin = 0;
        rx->end = length;
        rx->usual_bytes /= 2;
    }
    *room_bytes = rx->buf->capacity_bytes - rx->end;
    /* More of the next long message would only be moved to a buffer of its own. */
    if (wanted > BUF_BYTES_MIN && wanted > length && *room_bytes > wanted - length)
        *room_bytes = wanted - length;
    ASSERT(*room_bytes > 0);
    return rx->buf->bytes + rx->end;
}

void rx_filled(struct rx *rx, uint32_t length_bytes)
{
    ASSERT(rx->buf && length_bytes <= rx->buf->capacity_bytes - rx->end);
    rx->end += length_bytes;
}

void rx_trim(struct rx *rx)
{
    if (rx->buf && rx_length(rx) == 0) {
        buf_unref(rx->buf);
        rx->buf = NULL;
        rx->begin = 0;
        rx->end = 0;
    }
}
