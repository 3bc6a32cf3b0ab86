/* SPDX-License-Identifier: Apache-2.0 */
/* Received bytes: one buffer at a time, moved to a new one only when a message would not fit. */
#include "common/base/rx.h"

#include <string.h>

/* Below this much room a receive would be too small to be worth its system call. */
enum { RX_ROOM_BYTES_MIN = 16u << 10 };

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

/* True when the wanted bytes, and a receive worth its while, fit behind what is there. */
static bool rx_fits(const struct rx *rx)
{
    uint32_t length = rx_length(rx);
    uint32_t missing = rx->want_bytes > length ? rx->want_bytes - length : 0;
    uint32_t room = rx->buf->capacity_bytes - rx->end;
    if (missing > room)
        return false;
    return missing > 0 || room >= RX_ROOM_BYTES_MIN;
}

uint8_t *rx_space(struct rx *rx, uint32_t *room_bytes)
{
    uint32_t length = rx_length(rx);
    if (rx->buf && length == 0 && rx->buf->refs == 1) {
        rx->begin = 0;
        rx->end = 0;
    }
    if (!rx->buf || !rx_fits(rx)) {
        uint32_t capacity = rx->want_bytes > length ? rx->want_bytes : length + 1;
        struct buf *fresh = buf_get(rx->pool, capacity);
        ASSERT(rx->buf || length == 0);
        if (length)
            memcpy(fresh->bytes, rx->buf->bytes + rx->begin, length);
        buf_unref(rx->buf);
        rx->buf = fresh;
        rx->begin = 0;
        rx->end = length;
    }
    *room_bytes = rx->buf->capacity_bytes - rx->end;
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
