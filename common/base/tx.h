/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes to be sent: small pieces written in place, payloads by reference, in one order. The session
 * appends, the shell gathers them into one system call and reports how much went.
 */
#ifndef STRAKE_BASE_TX_H
#define STRAKE_BASE_TX_H

#include "common/base/buf.h"

#include <stdint.h>
#include <sys/uio.h>

struct tx_piece {
    struct buf *buf; /* one reference, or NULL: the bytes outlive the queue */
    uint8_t *bytes;
    uint32_t length_bytes;
};

struct tx {
    struct buf_pool *pool;   /* of the shell */
    struct buf *buf;         /* owned: where small pieces are written, or NULL */
    uint32_t used_bytes;     /* of buf */
    struct tx_piece *pieces; /* owned: ring */
    uint32_t head;           /* ring index of the first piece */
    uint32_t count;
    uint32_t capacity; /* power of two, or 0 */
    uint64_t pending_bytes;
    uint64_t sent_bytes; /* ever */
};

void tx_init(struct tx *tx, struct buf_pool *pool);
void tx_release(struct tx *tx);

/* Session side. */
/* Appends `length_bytes` (<= BUF_BYTES_MIN), to be filled by the caller before it returns. */
uint8_t *tx_space(struct tx *tx, uint32_t length_bytes);
/* Appends a payload; takes a reference of its own. An empty slice adds nothing. */
void tx_slice(struct tx *tx, const struct slice *slice);
/* Appends `length_bytes` zero bytes. */
void tx_zeros(struct tx *tx, uint32_t length_bytes);

/* Shell side. */
static inline bool tx_empty(const struct tx *tx)
{
    return tx->count == 0;
}
/* Fills at most `iov_max` vectors with what comes next; returns how many. */
int tx_vectors(const struct tx *tx, struct iovec *iov, int iov_max);
/* `length_bytes` went out. */
void tx_sent(struct tx *tx, uint64_t length_bytes);

#endif
