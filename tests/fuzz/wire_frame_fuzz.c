/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever arrives, in whatever pieces: a frame that is taken keeps the rules and its checksums,
 * and encodes to the very bytes it came from. Checksums are hard to guess, so unless the first byte
 * is odd, those of the header and of the body are made right first.
 */
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/wire/frame.h"

#include <stdlib.h>

enum { HEADER_SUMMED_BYTES = FRAME_HEADER_BYTES - 4, STREAM_BYTES_MAX = 256u << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes the checksums of one frame right, as far as it is there. */
static void frame_repair(uint8_t *bytes, size_t length)
{
    if (length < FRAME_HEADER_BYTES)
        return;
    struct reader r = reader_of(bytes, length);
    read_skip(&r, 12);
    uint64_t body_bytes = read_u32(&r);
    uint64_t block_count = read_u32(&r) / BLOCK_BYTES;
    uint64_t rest_bytes = body_bytes + 4 * block_count;
    if (rest_bytes + BLOCK_BYTES * block_count <= length - FRAME_HEADER_BYTES) {
        uint8_t *body = bytes + FRAME_HEADER_BYTES;
        uint8_t *payload = body + rest_bytes;
        struct writer table = writer_of(body + body_bytes, 4 * block_count);
        for (uint64_t i = 0; i < block_count; i++)
            write_u32(&table, crc32c(0, payload + i * BLOCK_BYTES, BLOCK_BYTES));
        struct writer w = writer_of(bytes + HEADER_SUMMED_BYTES - 4, 4);
        write_u32(&w, crc32c(0, body, rest_bytes));
    }
    struct writer w = writer_of(bytes + HEADER_SUMMED_BYTES, 4);
    write_u32(&w, crc32c(0, bytes, HEADER_SUMMED_BYTES));
}

/* The frame's own bytes must come out again: `seen` is where they were read. */
static void frame_compare(struct buf_pool *pool, const struct frame *frame, const uint8_t *seen)
{
    struct tx tx;
    struct iovec vectors[8];
    tx_init(&tx, pool);
    frame_encode(&tx, frame);
    int count = tx_vectors(&tx, vectors, 8);
    for (int i = 0; i < count; i++) {
        ASSERT(memcmp(vectors[i].iov_base, seen, vectors[i].iov_len) == 0);
        seen += vectors[i].iov_len;
    }
    tx_release(&tx);
}

/* Takes all frames that are there; false when the stream is broken. */
static bool frames_take(struct buf_pool *pool, struct rx *rx, const uint8_t *stream, size_t arrived)
{
    for (;;) {
        struct frame frame;
        const char *why = NULL;
        const uint8_t *seen = stream + arrived - rx_length(rx);
        switch (frame_decode(rx, &frame, &why)) {
        case FRAME_DECODE_MORE:
            ASSERT(rx->want_bytes > rx_length(rx) && rx->want_bytes <= BUF_BYTES_MAX);
            return true;
        case FRAME_DECODE_BAD:
            ASSERT(why);
            return false;
        case FRAME_DECODE_OK:
            ASSERT(!frame_invalid(&frame, frame.payload.length_bytes));
            ASSERT(slice_crc_ok(&frame.payload));
            frame_compare(pool, &frame, seen);
            frame_done(&frame);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf_pool pool;
    struct rx rx;
    if (size < 2 || size > STREAM_BYTES_MAX)
        return 0;
    bool repair = !(data[0] & 1);
    uint32_t step = 1 + data[1] * 31u;
    size_t length = size - 2;
    uint8_t *stream = malloc(length + 1);
    ASSERT(stream);
    memcpy(stream, data + 2, length);
    if (repair)
        frame_repair(stream, length);
    buf_pool_init(&pool, UINT64_MAX);
    rx_init(&rx, &pool);
    for (size_t at = 0; at < length;) {
        uint32_t room;
        uint8_t *space = rx_space(&rx, &room);
        uint32_t piece = step < room ? step : room;
        if (piece > length - at)
            piece = (uint32_t)(length - at);
        memcpy(space, stream + at, piece);
        rx_filled(&rx, piece);
        at += piece;
        if (!frames_take(&pool, &rx, stream, at))
            break;
    }
    rx_release(&rx);
    buf_pool_release(&pool);
    free(stream);
    return 0;
}
