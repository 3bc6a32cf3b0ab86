/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NBD protocol's numbers and messages, in the words of doc/proto.md of the NetworkBlockDevice
 * project. All integers are big-endian. A `decode` that returns bool is false for bytes that
 * cannot be this message; its reader holds at least the message's fixed length.
 */
#ifndef STRAKE_FRONT_NBD_WIRE_H
#define STRAKE_FRONT_NBD_WIRE_H

#include "common/base/bytes.h"

enum {
    NBD_GREETING_BYTES = 18,
    NBD_CLIENT_FLAGS_BYTES = 4,
    NBD_OPTION_BYTES = 16,
    NBD_OPTION_REPLY_BYTES = 20,
    NBD_EXPORT_NAME_REPLY_BYTES = 10,
    NBD_EXPORT_NAME_ZEROES_BYTES = 124,
    NBD_HEADER_BYTES = 28,
    NBD_EXTENDED_HEADER_BYTES = 32,
    NBD_SIMPLE_REPLY_BYTES = 16,
    NBD_CHUNK_BYTES = 20,
    NBD_EXTENDED_CHUNK_BYTES = 32,
};

enum { /* handshake and client flags */
       NBD_FLAG_FIXED_NEWSTYLE = 1u << 0,
       NBD_FLAG_NO_ZEROES = 1u << 1,
};

enum { /* transmission flags */
       NBD_FLAG_HAS_FLAGS = 1u << 0,
       NBD_FLAG_READ_ONLY = 1u << 1,
       NBD_FLAG_SEND_FLUSH = 1u << 2,
       NBD_FLAG_SEND_FUA = 1u << 3,
       NBD_FLAG_SEND_TRIM = 1u << 5,
       NBD_FLAG_SEND_WRITE_ZEROES = 1u << 6,
       NBD_FLAG_SEND_DF = 1u << 7,
       NBD_FLAG_CAN_MULTI_CONN = 1u << 8,
       NBD_FLAG_SEND_CACHE = 1u << 10,
       NBD_FLAG_SEND_FAST_ZERO = 1u << 11,
       NBD_FLAG_BLOCK_STATUS_PAYLOAD = 1u << 12,
};

enum { /* options */
       NBD_OPT_EXPORT_NAME = 1,
       NBD_OPT_ABORT = 2,
       NBD_OPT_LIST = 3,
       NBD_OPT_STARTTLS = 5,
       NBD_OPT_INFO = 6,
       NBD_OPT_GO = 7,
       NBD_OPT_STRUCTURED_REPLY = 8,
       NBD_OPT_LIST_META_CONTEXT = 9,
       NBD_OPT_SET_META_CONTEXT = 10,
       NBD_OPT_EXTENDED_HEADERS = 11,
};

/* Option reply types; those with bit 31 set are errors. */
#define NBD_REP_ACK                 UINT32_C(1)
#define NBD_REP_SERVER              UINT32_C(2)
#define NBD_REP_INFO                UINT32_C(3)
#define NBD_REP_META_CONTEXT        UINT32_C(4)
#define NBD_REP_ERR_UNSUP           UINT32_C(0x80000001)
#define NBD_REP_ERR_INVALID         UINT32_C(0x80000003)
#define NBD_REP_ERR_TLS_REQD        UINT32_C(0x80000005)
#define NBD_REP_ERR_UNKNOWN         UINT32_C(0x80000006)
#define NBD_REP_ERR_EXT_HEADER_REQD UINT32_C(0x8000000a)
#define NBD_REP_ERR_TOO_BIG         UINT32_C(0x80000009)

enum { /* information types of INFO and GO */
       NBD_INFO_EXPORT = 0,
       NBD_INFO_NAME = 1,
       NBD_INFO_DESCRIPTION = 2,
       NBD_INFO_BLOCK_SIZE = 3,
       NBD_INFO_COUNT,
};

enum { /* commands */
       NBD_CMD_READ = 0,
       NBD_CMD_WRITE = 1,
       NBD_CMD_DISC = 2,
       NBD_CMD_FLUSH = 3,
       NBD_CMD_TRIM = 4,
       NBD_CMD_CACHE = 5,
       NBD_CMD_WRITE_ZEROES = 6,
       NBD_CMD_BLOCK_STATUS = 7,
};

enum { /* command flags */
       NBD_CMD_FLAG_FUA = 1u << 0,
       NBD_CMD_FLAG_NO_HOLE = 1u << 1,
       NBD_CMD_FLAG_DF = 1u << 2,
       NBD_CMD_FLAG_REQ_ONE = 1u << 3,
       NBD_CMD_FLAG_FAST_ZERO = 1u << 4,
       NBD_CMD_FLAG_PAYLOAD_LEN = 1u << 5, /* extended headers: the length is the payload's */
};

enum { NBD_REPLY_FLAG_DONE = 1u << 0 };

enum { /* structured reply types */
       NBD_REPLY_TYPE_NONE = 0,
       NBD_REPLY_TYPE_OFFSET_DATA = 1,
       NBD_REPLY_TYPE_OFFSET_HOLE = 2,
       NBD_REPLY_TYPE_BLOCK_STATUS = 5,
       NBD_REPLY_TYPE_BLOCK_STATUS_EXT = 6,
       NBD_REPLY_TYPE_ERROR = (1u << 15) + 1,
       NBD_REPLY_TYPE_ERROR_OFFSET = (1u << 15) + 2,
};

/* What the client says first of an option; `length_bytes` of data follow. */
struct nbd_option {
    uint32_t type;
    uint32_t length_bytes;
};

struct nbd_option_reply {
    uint32_t option;
    uint32_t type;
    uint32_t length_bytes;
};

/* The data of INFO and GO. The name lies in the message. */
struct nbd_info_query {
    const char *name;
    uint32_t name_length;
    uint32_t wanted; /* bit n: information type n was asked for; types unknown here are left out */
};

/* The data of LIST_META_CONTEXT and SET_META_CONTEXT. Name and queries lie in the message. */
struct nbd_meta_query {
    const char *name;
    uint32_t name_length;
    uint32_t count;
    struct reader queries; /* for nbd_meta_query_next, `count` times */
};

/*
 * A request of the transmission phase, as it came, with the compact or the extended header, as was
 * negotiated; its payload follows.
 */
struct nbd_header {
    uint16_t flags;
    uint16_t type;
    uint64_t cookie;
    uint64_t offset_bytes;
    uint64_t length_bytes; /* fits 32 bits in a compact header */
};

struct nbd_simple_reply {
    uint32_t error; /* of the wire: nbd_error_of */
    uint64_t cookie;
};

/* The head of a structured reply chunk, or of an extended one. */
struct nbd_chunk {
    uint16_t flags;
    uint16_t type;
    uint64_t cookie;
    uint64_t offset_bytes; /* extended only: the request's */
    uint64_t length_bytes; /* fits 32 bits in a structured one */
};

/* The payload of BLOCK_STATUS: of which contexts the answer is to be, all of which must be here. */
struct nbd_status_query {
    uint64_t length_bytes; /* of the range */
    uint32_t count;
    struct reader ids; /* `count` of 32 bits */
};

void nbd_greeting_encode(struct writer *w);
MUST_USE bool nbd_option_decode(struct reader *r, struct nbd_option *option);
void nbd_option_encode(struct writer *w, const struct nbd_option *option);
MUST_USE bool nbd_option_reply_decode(struct reader *r, struct nbd_option_reply *reply);
void nbd_option_reply_encode(struct writer *w, const struct nbd_option_reply *reply);
/* The whole data of the option, to the last byte. */
MUST_USE bool nbd_info_query_decode(struct reader *r, struct nbd_info_query *query);
MUST_USE bool nbd_meta_query_decode(struct reader *r, struct nbd_meta_query *query);
/* The next query's text, not ended by a zero. */
const char *nbd_meta_query_next(struct nbd_meta_query *query, uint32_t *length);

MUST_USE bool nbd_header_decode(struct reader *r, bool extended, struct nbd_header *header);
void nbd_header_encode(struct writer *w, bool extended, const struct nbd_header *header);
/* The whole payload, to the last byte. */
MUST_USE bool nbd_status_query_decode(struct reader *r, struct nbd_status_query *query);
MUST_USE bool nbd_simple_reply_decode(struct reader *r, struct nbd_simple_reply *reply);
void nbd_simple_reply_encode(struct writer *w, const struct nbd_simple_reply *reply);
MUST_USE bool nbd_chunk_decode(struct reader *r, bool extended, struct nbd_chunk *chunk);
void nbd_chunk_encode(struct writer *w, bool extended, const struct nbd_chunk *chunk);
/* The protocol's number of a status of this house (0 or -E...). */
uint32_t nbd_error_of(int status);

#endif
