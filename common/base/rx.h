/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes received and not yet consumed, for a session that is pulled: the shell fills, the session
 * looks, skips and takes. What the session asks for is contiguous, and a payload is taken as a
 * slice of the very buffer it was received into, so it is copied only where it straddled two
 * buffers. After a long message another one is expected, and received alone into a buffer that
 * holds it, so that a flow of them does not straddle.
 */
#ifndef STRAKE_BASE_RX_H
#define STRAKE_BASE_RX_H

#include "common/base/buf.h"

#include <stddef.h>

struct rx {
    struct buf_pool *pool; /* of the shell */
    struct buf *buf;       /* owned: one reference, or NULL when nothing is held */
    uint32_t begin;        /* first unconsumed byte in buf */
    uint32_t end;          /* one past the last received byte in buf */
    uint32_t want_bytes;   /* what the session waits for, counted from begin */
    uint32_t usual_bytes;  /* how long messages lately were, as far as they were long */
};

void rx_init(struct rx *rx, struct buf_pool *pool);
void rx_release(struct rx *rx);

/* Session side. */
static inline uint32_t rx_length(const struct rx *rx)
{
    return rx->end - rx->begin;
}
/* The unconsumed bytes; valid until the next call that changes rx. */
static inline const uint8_t *rx_bytes(const struct rx *rx)
{
    return rx->buf ? rx->buf->bytes + rx->begin : NULL;
}
/* True when `length_bytes` (<= BUF_BYTES_MAX) are there; else remembers to wait for them. */
MUST_USE bool rx_need(struct rx *rx, uint32_t length_bytes);
/* Consumes bytes that are there. */
void rx_skip(struct rx *rx, uint32_t length_bytes);
/* Consumes bytes that are there (at least one) as a payload: one reference for the caller. */
struct slice rx_take(struct rx *rx, uint32_t length_bytes);

/* Shell side. */
/*
 * Where to receive next, and how much fits: never zero. Moves what is unconsumed if it must. Called
 * only while the session asks for more: what it leaves unconsumed is bounded by what it wants.
 */
uint8_t *rx_space(struct rx *rx, uint32_t *room_bytes);
/* `length_bytes` were received at rx_space. */
void rx_filled(struct rx *rx, uint32_t length_bytes);
/* Lets go of the buffer if nothing is unconsumed, so that an idle connection holds none. */
void rx_trim(struct rx *rx);

#endif
