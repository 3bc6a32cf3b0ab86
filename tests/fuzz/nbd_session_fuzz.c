/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a client sends, in whatever pieces: what the session hands out is within the export, no
 * more is in flight or held than it promises, and everything is given back in the end.
 *
 * The first byte chooses: bit 0 skips the client's flags, bit 1 skips the handshake (structured
 * replies on), bit 2 makes the export read-only, bit 3 deletes it half way, bit 4 answers late, bit
 * 5 fails every second request, bit 6 allows TLS and bit 7 requires it (unless bit 1 skips it: then
 * bit 6 has extended headers negotiated). The second byte is the size of the pieces.
 */
#include "target/front/nbd/nbd.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SKIP_FLAGS = 1u << 0,
    SKIP_HANDSHAKE = 1u << 1,
    READ_ONLY = 1u << 2,
    DELETED = 1u << 3,
    LATE = 1u << 4,
    FAILING = 1u << 5,
    TLS_ALLOWED = 1u << 6, /* with SKIP_HANDSHAKE: EXTENDED */
    EXTENDED = 1u << 6,
    TLS_REQUIRED = 1u << 7,
    EXPORT_BYTES = 64 << 20,
    READ_BYTES_MAX = 64 << 10, /* longer ones fail: memory for them says nothing */
    OBJECTS = 32,              /* fewer than a session may have in flight: the pool runs dry */
};

struct run {
    struct buf_pool bufs;
    struct pool requests;
    struct exports exports;
    struct export vol;
    struct rx rx;
    struct tx tx;
    struct nbd_session session;
    struct list submitted;
    uint8_t choice;
    uint32_t submitted_count;
};

static enum nbd_tls tls_of(uint8_t choice)
{
    if (choice & SKIP_HANDSHAKE)
        return NBD_TLS_OFF;
    if (choice & TLS_REQUIRED)
        return NBD_TLS_REQUIRED;
    return choice & TLS_ALLOWED ? NBD_TLS_ALLOWED : NBD_TLS_OFF;
}

static void run_check(const struct run *run, const struct nbd_request *request)
{
    const struct block_req *block = &request->block;
    ASSERT(request->export == &run->vol);
    ASSERT(run->session.secure || run->session.tls != NBD_TLS_REQUIRED);
    ASSERT(block->offset_bytes <= EXPORT_BYTES);
    ASSERT(block->length_bytes <= EXPORT_BYTES - block->offset_bytes);
    ASSERT(block->op == BLOCK_READ || block->op == BLOCK_FLUSH || block->op == BLOCK_STATUS ||
           !run->vol.read_only);
    ASSERT(block->op == BLOCK_FLUSH || block->length_bytes > 0);
    if (block->op == BLOCK_READ || block->op == BLOCK_WRITE)
        ASSERT(block->length_bytes <= NBD_PAYLOAD_BYTES_MAX);
    ASSERT((block->op == BLOCK_WRITE || block->op == BLOCK_STATUS) == (block->data.buf != NULL));
    if (block->op == BLOCK_WRITE)
        ASSERT(block->data.length_bytes == block->length_bytes);
    ASSERT(run->session.in_flight <= OBJECTS && run->session.in_flight <= NBD_REQUESTS_MAX);
}

/* Pages, of which every third was zeroed and every fourth has data. */
static void run_status(struct block_req *block)
{
    ASSERT(block->runs_count == 0 && block->runs_max > 0 && block->status == 0);
    while (block->runs_count < block->runs_max &&
           block->runs_count * UINT64_C(4096) < block->length_bytes) {
        uint32_t i = block->runs_count++;
        uint8_t state = i % 4 == 3 ? BLOCK_DATA : i % 3 == 2 ? BLOCK_ZEROED : BLOCK_HOLE;
        block->runs[i] = (struct block_run){.length_bytes = 4096, .state = state};
    }
}

static uint64_t snapshot_generation(void *owner, const char *name, size_t length)
{
    (void)owner;
    return length == 1 ? (uint8_t)name[0] : 0;
}

static void snapshot_list(void *owner, void (*each)(void *arg, const char *name), void *arg)
{
    (void)owner;
    each(arg, "a");
    each(arg, "b");
}

static const struct export_snapshots snapshots = {.generation = snapshot_generation,
                                                  .list = snapshot_list};

/* Answers the oldest request; false when there is none. */
static bool run_answer(struct run *run)
{
    struct list *node = list_pop(&run->submitted);
    if (!node)
        return false;
    struct block_req *block = CONTAINER_OF(node, struct block_req, node);
    struct nbd_request *request = CONTAINER_OF(block, struct nbd_request, block);
    bool failing = run->choice & FAILING && run->submitted_count % 2;
    if (failing || (block->op == BLOCK_READ && block->length_bytes > READ_BYTES_MAX))
        block->status = -EIO;
    else if (block->op == BLOCK_READ)
        block->data = slice_get(&run->bufs, (uint32_t)block->length_bytes);
    else if (block->op == BLOCK_STATUS)
        run_status(block);
    nbd_reply(&run->session, request, &run->tx);
    return true;
}

/* Pulls until the session wants more bytes; false when it closed. */
static bool run_pull(struct run *run)
{
    for (;;) {
        struct nbd_request *request = NULL;
        switch (nbd_next(&run->session, &run->rx, &run->tx, &request)) {
        case SESSION_MORE:
            ASSERT(run->rx.want_bytes > rx_length(&run->rx));
            ASSERT(run->rx.want_bytes <= NBD_PAYLOAD_BYTES_MAX);
            return true;
        case SESSION_REQUEST:
            run_check(run, request);
            run->submitted_count++;
            list_append(&run->submitted, &request->block.node);
            if (!(run->choice & LATE))
                ASSERT(run_answer(run));
            break;
        case SESSION_BUSY:
            ASSERT(!tx_empty(&run->tx) || !list_empty(&run->submitted));
            if (!run_answer(run))
                tx_sent(&run->tx, run->tx.pending_bytes);
            break;
        case SESSION_SECURE:
            ASSERT(rx_length(&run->rx) == 0 && !run->session.secure);
            nbd_secured(&run->session);
            break;
        case SESSION_CLOSE:
            ASSERT(run->session.why);
            return false;
        }
        ASSERT(run->tx.pending_bytes <= NBD_TX_BYTES_MAX + 2 * READ_BYTES_MAX * OBJECTS);
    }
}

static bool run_receive(struct run *run, const void *bytes, size_t length, uint32_t piece_bytes)
{
    const uint8_t *next = bytes;
    while (length > 0) {
        uint32_t room;
        uint8_t *space = rx_space(&run->rx, &room);
        uint32_t piece = piece_bytes < room ? piece_bytes : room;
        if (piece > length)
            piece = (uint32_t)length;
        memcpy(space, next, piece);
        rx_filled(&run->rx, piece);
        if (!run_pull(run))
            return false;
        next += piece;
        length -= piece;
    }
    return true;
}

static void run_start(struct run *run, uint8_t choice)
{
    static const uint8_t flags[] = {0, 0, 0, 3};
    static const char headers[] = "IHAVEOPT\0\0\0\x0b\0\0\0";
    static const char options[] = "IHAVEOPT\0\0\0\x08\0\0\0\0"
                                  "IHAVEOPT\0\0\0\x0a\0\0\0\x1b\0\0\0\0\0\0\0\1\0\0\0\x0f"
                                  "base:allocation"
                                  "IHAVEOPT\0\0\0\x07\0\0\0\x06\0\0\0\0\0";
    *run = (struct run){.choice = choice};
    buf_pool_init(&run->bufs, UINT64_MAX);
    ASSERT(pool_init(&run->requests, sizeof(struct nbd_request), OBJECTS) == 0);
    exports_init(&run->exports, EXPORT_IQN_PREFIX_DEFAULT);
    run->vol = (struct export){.name = "vol",
                               .size_bytes = EXPORT_BYTES,
                               .read_only = choice & READ_ONLY,
                               .snapshots = &snapshots};
    list_append(&run->exports.list, &run->vol.node);
    list_init(&run->submitted);
    rx_init(&run->rx, &run->bufs);
    tx_init(&run->tx, &run->bufs);
    nbd_init(&run->session, &run->exports, &run->requests, tls_of(choice), &run->tx);
    if (choice & (SKIP_FLAGS | SKIP_HANDSHAKE))
        ASSERT(run_receive(run, flags, sizeof(flags), sizeof(flags)));
    if (choice & SKIP_HANDSHAKE) {
        if (choice & EXTENDED)
            ASSERT(run_receive(run, headers, sizeof(headers), sizeof(headers)));
        ASSERT(run_receive(run, options, sizeof(options), sizeof(options)));
        ASSERT(run->session.state == NBD_TRANSMISSION && run->session.contexts.mask);
    }
}

static void run_end(struct run *run)
{
    struct list *node;
    while ((node = list_pop(&run->submitted)) != NULL) {
        struct block_req *block = CONTAINER_OF(node, struct block_req, node);
        nbd_drop(&run->session, CONTAINER_OF(block, struct nbd_request, block));
    }
    nbd_release(&run->session);
    ASSERT(run->vol.session_count == 0);
    rx_release(&run->rx);
    tx_release(&run->tx);
    pool_release(&run->requests);
    buf_pool_release(&run->bufs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct run run;
    run_start(&run, data[0]);
    uint32_t piece_bytes = 1 + data[1] * 31u;
    size_t half = (size - 2) / 2;
    bool open = run_receive(&run, data + 2, half, piece_bytes);
    run.vol.gone = data[0] & DELETED;
    if (open)
        (void)run_receive(&run, data + 2 + half, size - 2 - half, piece_bytes);
    run_end(&run);
    return 0;
}
