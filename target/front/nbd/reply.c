/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the transmission phase: simple replies and structured reply chunks. */
#include "target/front/nbd/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NBD_CHUNK_OFFSET_BYTES = 8,
    NBD_CHUNK_HOLE_BYTES = 12,
    NBD_CHUNK_ERROR_BYTES = 6,
    NBD_CHUNK_EXTENTS_BYTES = 4, /* the context, before the extents */
    NBD_CHUNK_EXTENTS_EXT_BYTES = 8,
    NBD_EXTENT_BYTES = 8,
    NBD_EXTENT_EXT_BYTES = 16,
    NBD_ERROR_TEXT_BYTES = 256, /* "SHOULD be no longer than" that */
};

static void simple_reply(const struct nbd_header *header, int status, struct tx *tx)
{
    struct nbd_simple_reply reply = {.error = nbd_error_of(status), .cookie = header->cookie};
    struct writer w = writer_of(tx_space(tx, NBD_SIMPLE_REPLY_BYTES), NBD_SIMPLE_REPLY_BYTES);
    nbd_simple_reply_encode(&w, &reply);
    ASSERT(!w.bad && writer_left(&w) == 0);
}

/*
 * The head of a chunk of a reply, whose payload is `here` bytes, which the caller fills in, and
 * `behind` more that it appends.
 */
static struct writer chunk_of(const struct nbd_session *session, const struct nbd_header *header,
                              uint16_t type, uint16_t flags, uint32_t here, uint32_t behind,
                              struct tx *tx)
{
    struct nbd_chunk head = {.flags = flags,
                             .type = type,
                             .cookie = header->cookie,
                             .offset_bytes = header->offset_bytes,
                             .length_bytes = (uint64_t)here + behind};
    uint32_t total = (session->extended ? NBD_EXTENDED_CHUNK_BYTES : NBD_CHUNK_BYTES) + here;
    struct writer w = writer_of(tx_space(tx, total), total);
    nbd_chunk_encode(&w, session->extended, &head);
    return w;
}

/* The one chunk of a reply. */
static struct writer chunk(const struct nbd_session *session, const struct nbd_header *header,
                           uint16_t type, uint32_t here, uint32_t behind, struct tx *tx)
{
    return chunk_of(session, header, type, NBD_REPLY_FLAG_DONE, here, behind, tx);
}

void nbd_reply_done(const struct nbd_session *session, const struct nbd_header *header,
                    struct tx *tx)
{
    bool reads = session->structured && header->type == NBD_CMD_READ;
    if (!session->extended && !reads) {
        simple_reply(header, 0, tx);
        return;
    }
    struct writer w = chunk(session, header, NBD_REPLY_TYPE_NONE, 0, 0, tx);
    ASSERT(!w.bad && writer_left(&w) == 0);
}

static void reply_hole(const struct nbd_session *session, const struct nbd_header *header,
                       struct tx *tx)
{
    struct writer w =
        chunk(session, header, NBD_REPLY_TYPE_OFFSET_HOLE, NBD_CHUNK_HOLE_BYTES, 0, tx);
    write_u64(&w, header->offset_bytes);
    write_u32(&w, (uint32_t)header->length_bytes);
    ASSERT(!w.bad && writer_left(&w) == 0);
}

void nbd_reply_data(const struct nbd_session *session, const struct nbd_header *header,
                    const struct slice *data, struct tx *tx)
{
    ASSERT(header->type == NBD_CMD_READ && data->length_bytes == header->length_bytes);
    /* Looked at up to the first byte that is none; the checksums are of all of it anyway. */
    if (session->structured && bytes_are_zero(data->bytes, data->length_bytes)) {
        reply_hole(session, header, tx);
        return;
    }
    if (session->structured) {
        struct writer w = chunk(session, header, NBD_REPLY_TYPE_OFFSET_DATA, NBD_CHUNK_OFFSET_BYTES,
                                data->length_bytes, tx);
        write_u64(&w, header->offset_bytes);
        ASSERT(!w.bad && writer_left(&w) == 0);
    } else {
        simple_reply(header, 0, tx);
    }
    tx_slice(tx, data);
}

void nbd_reply_status(const struct nbd_session *session, struct nbd_request *request, struct tx *tx)
{
    struct block_run *runs = request->block.runs;
    uint32_t slot = nbd_status_slot(request);
    uint32_t count =
        nbd_extents_of(runs, request->block.runs_count, slot, request->header.length_bytes);
    request->contexts &= ~(1u << slot);
    ASSERT(session->structured && count <= NBD_EXTENTS_MAX);
    bool extended = session->extended;
    uint32_t length = extended ? NBD_CHUNK_EXTENTS_EXT_BYTES + count * NBD_EXTENT_EXT_BYTES
                               : NBD_CHUNK_EXTENTS_BYTES + count * NBD_EXTENT_BYTES;
    struct writer w =
        chunk_of(session, &request->header,
                 extended ? NBD_REPLY_TYPE_BLOCK_STATUS_EXT : NBD_REPLY_TYPE_BLOCK_STATUS,
                 request->contexts ? 0 : NBD_REPLY_FLAG_DONE, length, 0, tx);
    write_u32(&w, slot + 1);
    if (extended)
        write_u32(&w, count);
    for (uint32_t i = 0; i < count; i++) {
        if (extended) {
            write_u64(&w, runs[i].length_bytes);
            write_u64(&w, runs[i].state);
        } else {
            write_u32(&w, (uint32_t)runs[i].length_bytes);
            write_u32(&w, runs[i].state);
        }
    }
    ASSERT(!w.bad && writer_left(&w) == 0);
}

/* The commands whose reply may say where the error is. */
static bool may_say_where(uint16_t type)
{
    return type == NBD_CMD_READ || type == NBD_CMD_WRITE || type == NBD_CMD_TRIM ||
           type == NBD_CMD_BLOCK_STATUS;
}

void nbd_reply_error(const struct nbd_session *session, const struct nbd_header *header, int status,
                     const char *why, struct tx *tx)
{
    ASSERT(status < 0);
    if (!session->structured) {
        simple_reply(header, status, tx);
        return;
    }
    char text[NBD_ERROR_TEXT_BYTES];
    snprintf(text, sizeof(text),
             "%s (command %u, flags 0x%x, offset %" PRIu64 ", length %" PRIu64
             "; the export has %" PRIu64 " bytes)",
             why, header->type, header->flags, header->offset_bytes, header->length_bytes,
             session->export->size_bytes);
    uint16_t length = (uint16_t)strlen(text);
    uint64_t end = session->export->size_bytes;
    bool beyond = may_say_where(header->type) && header->length_bytes > 0 &&
                  (header->offset_bytes > end || header->length_bytes > end - header->offset_bytes);
    uint16_t type = beyond ? NBD_REPLY_TYPE_ERROR_OFFSET : NBD_REPLY_TYPE_ERROR;
    uint32_t total = NBD_CHUNK_ERROR_BYTES + length + (beyond ? NBD_CHUNK_OFFSET_BYTES : 0u);
    struct writer w = chunk(session, header, type, total, 0, tx);
    write_u32(&w, nbd_error_of(status));
    write_u16(&w, length);
    write_bytes(&w, text, length);
    if (beyond) /* where the first byte is that is not there */
        write_u64(&w, header->offset_bytes > end ? header->offset_bytes : end);
    ASSERT(!w.bad && writer_left(&w) == 0);
}
