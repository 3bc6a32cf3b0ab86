/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the transmission phase ("Request types" and "Error values" of the specification). */
#include "target/front/nbd/request.h"

#include <errno.h>

enum {
    NBD_STATUS_QUERY_BYTES_MIN = 8 + 4,
    NBD_STATUS_QUERY_BYTES_MAX = 8 + 4 * NBD_CONTEXTS_MAX,
};

uint64_t nbd_request_payload_bytes(const struct nbd_session *session,
                                   const struct nbd_header *header)
{
    bool has_payload = session->extended ? header->flags & NBD_CMD_FLAG_PAYLOAD_LEN
                                         : header->type == NBD_CMD_WRITE;
    return has_payload ? header->length_bytes : 0;
}

/* FUA is taken with every command, as the specification demands. -1 of an unknown command. */
static int flags_of(uint16_t type, const struct nbd_session *session)
{
    int payload = session->extended ? NBD_CMD_FLAG_PAYLOAD_LEN : 0;
    switch (type) {
    case NBD_CMD_READ:
        return NBD_CMD_FLAG_FUA | (session->structured ? NBD_CMD_FLAG_DF : 0);
    case NBD_CMD_WRITE:
        return NBD_CMD_FLAG_FUA | payload;
    case NBD_CMD_FLUSH:
    case NBD_CMD_TRIM:
    case NBD_CMD_CACHE:
        return NBD_CMD_FLAG_FUA;
    case NBD_CMD_WRITE_ZEROES:
        return NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_NO_HOLE | NBD_CMD_FLAG_FAST_ZERO;
    case NBD_CMD_BLOCK_STATUS:
        return NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_REQ_ONE | payload;
    default:
        return -1;
    }
}

static bool changes_data(uint16_t type)
{
    return type == NBD_CMD_WRITE || type == NBD_CMD_TRIM || type == NBD_CMD_WRITE_ZEROES;
}

enum export_guard nbd_request_guard(const struct export *export, const struct nbd_header *header)
{
    if (header->type == NBD_CMD_FLUSH ||
        (export->guard == EXPORT_NO_WRITES && !changes_data(header->type)))
        return EXPORT_OPEN;
    return export->guard;
}

static bool beyond_the_end(const struct export *export, const struct nbd_header *header)
{
    return header->offset_bytes > export->size_bytes ||
           header->length_bytes > export->size_bytes - header->offset_bytes;
}

static const char *range_invalid(const struct nbd_session *session, const struct nbd_header *header,
                                 int *status)
{
    const struct export *export = session->export;
    if (beyond_the_end(export, header)) {
        bool writes = header->type == NBD_CMD_WRITE || header->type == NBD_CMD_WRITE_ZEROES;
        *status = writes ? -ENOSPC : -EINVAL;
        return "beyond the end of the export";
    }
    if (header->type == NBD_CMD_READ && header->length_bytes > NBD_PAYLOAD_BYTES_MAX) {
        *status = session->structured ? -EOVERFLOW : -EINVAL; /* others do not know the error */
        return "a READ longer than 33554432 bytes";
    }
    if (header->type == NBD_CMD_BLOCK_STATUS && header->length_bytes == 0) {
        *status = -EINVAL;
        return "BLOCK_STATUS of nothing";
    }
    return NULL;
}

/* What the flags say about the payload, and about each other. */
static const char *flags_invalid(const struct nbd_session *session, const struct nbd_header *header,
                                 int *status)
{
    int flags = flags_of(header->type, session);
    bool payload = header->flags & NBD_CMD_FLAG_PAYLOAD_LEN;
    *status = -EINVAL;
    if (flags < 0)
        return "an unknown command";
    if (header->flags & ~flags)
        return "a flag that this command does not take";
    if (header->type == NBD_CMD_WRITE && session->extended && !payload)
        return "a WRITE without the flag of its payload";
    if (header->type == NBD_CMD_BLOCK_STATUS && payload &&
        (header->length_bytes < NBD_STATUS_QUERY_BYTES_MIN ||
         header->length_bytes > NBD_STATUS_QUERY_BYTES_MAX))
        return "BLOCK_STATUS of no or of too many metadata contexts";
    /* Space is kept allocated by writing zeros where a file system knows no better. */
    if (header->flags & NBD_CMD_FLAG_FAST_ZERO && header->flags & NBD_CMD_FLAG_NO_HOLE) {
        *status = -EOPNOTSUPP;
        return "zeroing without holes may not be fast";
    }
    return NULL;
}

const char *nbd_request_invalid(const struct nbd_session *session, const struct nbd_header *header,
                                int *status)
{
    const struct export *export = session->export;
    if (export->gone) {
        *status = -ESHUTDOWN;
        return "the export was deleted";
    }
    const char *why = flags_invalid(session, header, status);
    if (why)
        return why;
    *status = -EINVAL;
    if (header->type == NBD_CMD_BLOCK_STATUS && !session->contexts.mask)
        return "BLOCK_STATUS without a metadata context";
    if (header->type == NBD_CMD_FLUSH && (header->offset_bytes || header->length_bytes))
        return "FLUSH with an offset or a length";
    if (changes_data(header->type) && export->read_only) {
        *status = -EPERM;
        return "the export is read-only";
    }
    bool length_follows =
        header->type == NBD_CMD_BLOCK_STATUS && header->flags & NBD_CMD_FLAG_PAYLOAD_LEN;
    return length_follows ? NULL : range_invalid(session, header, status);
}

bool nbd_request_needs_volume(const struct nbd_header *header)
{
    switch (header->type) {
    case NBD_CMD_FLUSH:
        return true;
    case NBD_CMD_READ:
    case NBD_CMD_WRITE:
    case NBD_CMD_TRIM:
    case NBD_CMD_WRITE_ZEROES:
    case NBD_CMD_BLOCK_STATUS:
        return header->length_bytes > 0;
    default:
        return false;
    }
}

static enum block_op op_of(uint16_t type)
{
    switch (type) {
    case NBD_CMD_READ:
        return BLOCK_READ;
    case NBD_CMD_WRITE:
        return BLOCK_WRITE;
    case NBD_CMD_FLUSH:
        return BLOCK_FLUSH;
    case NBD_CMD_TRIM:
    case NBD_CMD_WRITE_ZEROES:
        return BLOCK_ZERO;
    case NBD_CMD_BLOCK_STATUS:
        return BLOCK_STATUS;
    default:
        UNREACHABLE();
    }
}

void nbd_request_fill(struct block_req *block, const struct nbd_header *header)
{
    ASSERT(nbd_request_needs_volume(header));
    block->op = op_of(header->type);
    block->offset_bytes = header->offset_bytes;
    block->length_bytes = header->length_bytes;
    if (changes_data(header->type) && header->flags & NBD_CMD_FLAG_FUA)
        block->flags |= BLOCK_FUA;
    if (header->flags & NBD_CMD_FLAG_NO_HOLE)
        block->flags |= BLOCK_NO_HOLE;
}
