/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to be sent: a ring of pieces, the small ones packed into shared buffers. */
#include "common/base/tx.h"

#include <stdlib.h>
#include <string.h>

enum { TX_PIECES_MIN = 64 };

static const uint8_t tx_zero_bytes[4096];

void tx_init(struct tx *tx, struct buf_pool *pool)
{
    *tx = (struct tx){.pool = pool};
}

void tx_release(struct tx *tx)
{
    for (uint32_t i = 0; i < tx->count; i++)
        buf_unref(tx->pieces[(tx->head + i) & (tx->capacity - 1)].buf);
    buf_unref(tx->buf);
    free(tx->pieces);
    *tx = (struct tx){.pool = tx->pool};
}

/* The ring grows to the most that was ever queued and stays there. */
static void tx_grow(struct tx *tx)
{
    uint32_t capacity = tx->capacity ? tx->capacity * 2 : TX_PIECES_MIN;
    struct tx_piece *pieces = calloc(capacity, sizeof(*pieces));
    ASSERT(pieces);
    for (uint32_t i = 0; i < tx->count; i++)
        pieces[i] = tx->pieces[(tx->head + i) & (tx->capacity - 1)];
    free(tx->pieces);
    tx->pieces = pieces;
    tx->capacity = capacity;
    tx->head = 0;
}

static struct tx_piece *tx_last(struct tx *tx)
{
    return tx->count ? &tx->pieces[(tx->head + tx->count - 1) & (tx->capacity - 1)] : NULL;
}

/* Takes over the reference on `buf`. */
static void tx_append(struct tx *tx, struct buf *buf, uint8_t *bytes, uint32_t length_bytes)
{
    if (tx->count == tx->capacity)
        tx_grow(tx);
    ASSERT(tx->pieces && tx->count < tx->capacity);
    tx->pieces[(tx->head + tx->count) & (tx->capacity - 1)] =
        (struct tx_piece){.buf = buf, .bytes = bytes, .length_bytes = length_bytes};
    tx->count++;
    tx->pending_bytes += length_bytes;
}

uint8_t *tx_space(struct tx *tx, uint32_t length_bytes)
{
    ASSERT(length_bytes > 0 && length_bytes <= BUF_BYTES_MIN);
    if (tx->buf && tx->buf->capacity_bytes - tx->used_bytes < length_bytes) {
        buf_unref(tx->buf);
        tx->buf = NULL;
    }
    if (!tx->buf) {
        tx->buf = buf_get(tx->pool, BUF_BYTES_MIN);
        tx->used_bytes = 0;
    }
    uint8_t *bytes = tx->buf->bytes + tx->used_bytes;
    tx->used_bytes += length_bytes;
    struct tx_piece *last = tx_last(tx);
    if (last && last->buf == tx->buf && last->bytes + last->length_bytes == bytes) {
        last->length_bytes += length_bytes;
        tx->pending_bytes += length_bytes;
    } else {
        tx_append(tx, buf_ref(tx->buf), bytes, length_bytes);
    }
    return bytes;
}

void tx_slice(struct tx *tx, const struct slice *slice)
{
    if (slice->length_bytes == 0)
        return;
    struct slice own = slice_ref(slice);
    tx_append(tx, own.buf, own.bytes, own.length_bytes);
}

void tx_zeros(struct tx *tx, uint32_t length_bytes)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } zeros = {.in = tx_zero_bytes};
    while (length_bytes > 0) {
        uint32_t step =
            length_bytes < sizeof(tx_zero_bytes) ? length_bytes : (uint32_t)sizeof(tx_zero_bytes);
        tx_append(tx, NULL, zeros.out, step);
        length_bytes -= step;
    }
}

int tx_vectors(const struct tx *tx, struct iovec *iov, int iov_max)
{
    int count = 0;
    for (uint32_t i = 0; i < tx->count && count < iov_max; i++, count++) {
        const struct tx_piece *piece = &tx->pieces[(tx->head + i) & (tx->capacity - 1)];
        iov[count] = (struct iovec){.iov_base = piece->bytes, .iov_len = piece->length_bytes};
    }
    return count;
}

void tx_sent(struct tx *tx, uint64_t length_bytes)
{
    ASSERT(length_bytes <= tx->pending_bytes);
    tx->pending_bytes -= length_bytes;
    tx->sent_bytes += length_bytes;
    while (length_bytes > 0) {
        struct tx_piece *piece = &tx->pieces[tx->head];
        if (piece->length_bytes > length_bytes) {
            piece->bytes += length_bytes;
            piece->length_bytes -= (uint32_t)length_bytes;
            break;
        }
        length_bytes -= piece->length_bytes;
        buf_unref(piece->buf);
        tx->head = (tx->head + 1) & (tx->capacity - 1);
        tx->count--;
    }
    /* Everything left: the small-piece buffer is free to start over, or to be let go when idle. */
    if (tx->count == 0) {
        buf_unref(tx->buf);
        tx->buf = NULL;
    }
}
