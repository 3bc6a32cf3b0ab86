/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes into a session's rx, and out of its tx, as the socket between would carry them. */
#ifndef STRAKE_TESTS_FEED_H
#define STRAKE_TESTS_FEED_H

#include "common/base/rx.h"
#include "common/base/tx.h"

#include <string.h>

static inline void rx_feed(struct rx *rx, const void *bytes, size_t length)
{
    const uint8_t *next = bytes;
    while (length > 0) {
        uint32_t room;
        uint8_t *space = rx_space(rx, &room);
        uint32_t step = room < length ? room : (uint32_t)length;
        memcpy(space, next, step);
        rx_filled(rx, step);
        next += step;
        length -= step;
    }
}

/* At most `size` bytes; returns how many there were. */
static inline size_t tx_drain(struct tx *tx, uint8_t *bytes, size_t size)
{
    size_t length = 0;
    struct iovec iov;
    while (length < size && tx_vectors(tx, &iov, 1) == 1) {
        size_t step = iov.iov_len < size - length ? iov.iov_len : size - length;
        memcpy(bytes + length, iov.iov_base, step);
        length += step;
        tx_sent(tx, step);
    }
    return length;
}

#endif
