/* SPDX-License-Identifier: Apache-2.0 */
/* The NBD protocol's messages, read and written. */
#include "target/front/nbd/wire.h"

#include <errno.h>

#define NBD_MAGIC                  UINT64_C(0x4e42444d41474943) /* "NBDMAGIC" */
#define NBD_OPTION_MAGIC           UINT64_C(0x49484156454f5054) /* "IHAVEOPT" */
#define NBD_OPTION_REPLY_MAGIC     UINT64_C(0x0003e889045565a9)
#define NBD_REQUEST_MAGIC          UINT32_C(0x25609513)
#define NBD_EXTENDED_REQUEST_MAGIC UINT32_C(0x21e41c71)
#define NBD_EXTENDED_REPLY_MAGIC   UINT32_C(0x6e8a278c)
#define NBD_SIMPLE_REPLY_MAGIC     UINT32_C(0x67446698)
#define NBD_STRUCTURED_REPLY_MAGIC UINT32_C(0x668e33ef)

void nbd_greeting_encode(struct writer *w)
{
    write_u64(w, NBD_MAGIC);
    write_u64(w, NBD_OPTION_MAGIC);
    write_u16(w, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
}

bool nbd_option_decode(struct reader *r, struct nbd_option *option)
{
    uint64_t magic = read_u64(r);
    option->type = read_u32(r);
    option->length_bytes = read_u32(r);
    return !r->bad && magic == NBD_OPTION_MAGIC;
}

void nbd_option_encode(struct writer *w, const struct nbd_option *option)
{
    write_u64(w, NBD_OPTION_MAGIC);
    write_u32(w, option->type);
    write_u32(w, option->length_bytes);
}

bool nbd_option_reply_decode(struct reader *r, struct nbd_option_reply *reply)
{
    uint64_t magic = read_u64(r);
    reply->option = read_u32(r);
    reply->type = read_u32(r);
    reply->length_bytes = read_u32(r);
    return !r->bad && magic == NBD_OPTION_REPLY_MAGIC;
}

void nbd_option_reply_encode(struct writer *w, const struct nbd_option_reply *reply)
{
    write_u64(w, NBD_OPTION_REPLY_MAGIC);
    write_u32(w, reply->option);
    write_u32(w, reply->type);
    write_u32(w, reply->length_bytes);
}

bool nbd_info_query_decode(struct reader *r, struct nbd_info_query *query)
{
    *query = (struct nbd_info_query){0};
    query->name_length = read_u32(r);
    query->name = (const char *)read_bytes(r, query->name_length);
    uint16_t count = read_u16(r);
    for (uint16_t i = 0; i < count && !r->bad; i++) {
        uint16_t type = read_u16(r);
        if (type < NBD_INFO_COUNT)
            query->wanted |= 1u << type;
    }
    return !r->bad && reader_left(r) == 0;
}

const char *nbd_meta_query_next(struct nbd_meta_query *query, uint32_t *length)
{
    *length = read_u32(&query->queries);
    return (const char *)read_bytes(&query->queries, *length);
}

bool nbd_meta_query_decode(struct reader *r, struct nbd_meta_query *query)
{
    *query = (struct nbd_meta_query){0};
    query->name_length = read_u32(r);
    query->name = (const char *)read_bytes(r, query->name_length);
    query->count = read_u32(r);
    query->queries = *r;
    /* The count is the client's word: only as many rounds as there are bytes. */
    struct nbd_meta_query walk = *query;
    for (uint32_t i = 0; i < query->count && !walk.queries.bad; i++) {
        uint32_t length;
        (void)nbd_meta_query_next(&walk, &length);
    }
    *r = walk.queries;
    return !r->bad && reader_left(r) == 0;
}

bool nbd_header_decode(struct reader *r, bool extended, struct nbd_header *header)
{
    uint32_t magic = read_u32(r);
    header->flags = read_u16(r);
    header->type = read_u16(r);
    header->cookie = read_u64(r);
    header->offset_bytes = read_u64(r);
    header->length_bytes = extended ? read_u64(r) : read_u32(r);
    return !r->bad && magic == (extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC);
}

void nbd_header_encode(struct writer *w, bool extended, const struct nbd_header *header)
{
    write_u32(w, extended ? NBD_EXTENDED_REQUEST_MAGIC : NBD_REQUEST_MAGIC);
    write_u16(w, header->flags);
    write_u16(w, header->type);
    write_u64(w, header->cookie);
    write_u64(w, header->offset_bytes);
    if (extended) {
        write_u64(w, header->length_bytes);
    } else {
        ASSERT(header->length_bytes <= UINT32_MAX);
        write_u32(w, (uint32_t)header->length_bytes);
    }
}

bool nbd_status_query_decode(struct reader *r, struct nbd_status_query *query)
{
    query->length_bytes = read_u64(r);
    query->count = (uint32_t)(reader_left(r) / 4);
    query->ids = read_sub(r, query->count * (size_t)4);
    return !r->bad && reader_left(r) == 0;
}

bool nbd_simple_reply_decode(struct reader *r, struct nbd_simple_reply *reply)
{
    uint32_t magic = read_u32(r);
    reply->error = read_u32(r);
    reply->cookie = read_u64(r);
    return !r->bad && magic == NBD_SIMPLE_REPLY_MAGIC;
}

void nbd_simple_reply_encode(struct writer *w, const struct nbd_simple_reply *reply)
{
    write_u32(w, NBD_SIMPLE_REPLY_MAGIC);
    write_u32(w, reply->error);
    write_u64(w, reply->cookie);
}

bool nbd_chunk_decode(struct reader *r, bool extended, struct nbd_chunk *chunk)
{
    uint32_t magic = read_u32(r);
    chunk->flags = read_u16(r);
    chunk->type = read_u16(r);
    chunk->cookie = read_u64(r);
    chunk->offset_bytes = extended ? read_u64(r) : 0;
    chunk->length_bytes = extended ? read_u64(r) : read_u32(r);
    return !r->bad && magic == (extended ? NBD_EXTENDED_REPLY_MAGIC : NBD_STRUCTURED_REPLY_MAGIC);
}

void nbd_chunk_encode(struct writer *w, bool extended, const struct nbd_chunk *chunk)
{
    write_u32(w, extended ? NBD_EXTENDED_REPLY_MAGIC : NBD_STRUCTURED_REPLY_MAGIC);
    write_u16(w, chunk->flags);
    write_u16(w, chunk->type);
    write_u64(w, chunk->cookie);
    if (extended) {
        write_u64(w, chunk->offset_bytes);
        write_u64(w, chunk->length_bytes);
    } else {
        ASSERT(chunk->length_bytes <= UINT32_MAX);
        write_u32(w, (uint32_t)chunk->length_bytes);
    }
}

/* "Error values" of the specification; it knows no others. */
uint32_t nbd_error_of(int status)
{
    switch (-status) {
    case 0:
        return 0;
    case EPERM:
    case EROFS:
        return 1;
    case ENOMEM:
        return 12;
    case EINVAL:
        return 22;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return 28;
    case EOVERFLOW:
        return 75;
    case EOPNOTSUPP:
        return 95;
    case ESHUTDOWN:
        return 108;
    default:
        return 5; /* EIO */
    }
}
