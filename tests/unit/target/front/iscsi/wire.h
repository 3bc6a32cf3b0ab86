/* SPDX-License-Identifier: Apache-2.0 */
/* PDUs into a peer and out of it, with padding and digests. */
#ifndef STRAKE_TESTS_ISCSI_WIRE_H
#define STRAKE_TESTS_ISCSI_WIRE_H

#include "common/base/crc32c.h"
#include "tests/lib/feed.h"
#include "tests/unit/target/front/iscsi/peer.h"

static inline void peer_feed(struct peer *p, const void *bytes, uint32_t length)
{
    rx_feed(&p->rx, bytes, length);
}

static inline void digest_put(uint8_t to[4], uint32_t crc)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(crc >> (8 * i));
}

/* A PDU whose header is encoded, with padding and digests; not pulled yet. */
static inline void peer_push(struct peer *p, const uint8_t *bhs, const void *data,
                             uint32_t data_bytes)
{
    static const uint8_t zeros[4];
    uint8_t digest[4];
    uint32_t padding = pdu_padding(data_bytes);
    peer_feed(p, bhs, PDU_BHS_BYTES);
    digest_put(digest, crc32c(0, bhs, PDU_BHS_BYTES));
    if (p->header_digest)
        peer_feed(p, digest, 4);
    if (data_bytes == 0)
        return;
    peer_feed(p, data, data_bytes);
    peer_feed(p, zeros, padding);
    digest_put(digest, crc32c(crc32c(0, data, data_bytes), zeros, padding));
    if (p->data_digest)
        peer_feed(p, digest, 4);
}

static inline void peer_send(struct peer *p, const uint8_t *bhs, const void *data,
                             uint32_t data_bytes)
{
    peer_push(p, bhs, data, data_bytes);
    peer_pull(p);
}

static inline void tx_take(struct tx *tx, uint8_t *to, uint32_t length)
{
    ck_assert_uint_eq(tx_drain(tx, to, length), length);
}

static inline void digest_take(struct tx *tx, uint32_t crc)
{
    uint8_t want[4];
    uint8_t got[4];
    digest_put(want, crc);
    tx_take(tx, got, 4);
    ck_assert_mem_eq(got, want, 4);
}

/* The next answer, which must be there; returns its opcode. */
static inline uint8_t peer_take(struct peer *p)
{
    struct pdu_lengths lengths;
    uint8_t zeros[4];
    tx_take(&p->tx, p->bhs, PDU_BHS_BYTES);
    if (p->header_digest)
        digest_take(&p->tx, crc32c(0, p->bhs, PDU_BHS_BYTES));
    pdu_lengths_decode(p->bhs, &lengths);
    p->data_bytes = lengths.data_bytes;
    ck_assert_uint_eq(lengths.ahs_bytes, 0);
    ck_assert_uint_le(p->data_bytes, sizeof(p->data));
    tx_take(&p->tx, p->data, p->data_bytes);
    tx_take(&p->tx, zeros, pdu_padding(p->data_bytes));
    if (p->data_digest && p->data_bytes)
        digest_take(&p->tx,
                    crc32c(crc32c(0, p->data, p->data_bytes), zeros, pdu_padding(p->data_bytes)));
    return lengths.opcode;
}

static inline void peer_silent(const struct peer *p)
{
    ck_assert(tx_empty(&p->tx));
}

#endif
