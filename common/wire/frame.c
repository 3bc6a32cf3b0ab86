/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the replication protocol: the table of what each type may carry, encode and decode. */
#include "common/wire/frame.h"

#include "common/base/bytes.h"
#include "common/base/crc32c.h"

#define FRAME_MAGIC 0x5354524bu /* "STRK" */
/* What the longest body can tell about, a bit for each 16 KiB. */
#define FRAME_MAP_RANGE_BYTES_MAX ((uint64_t)FRAME_BODY_BYTES_MAX * 8 * (16u << 10))

enum {
    FRAME_TYPE_COUNT = FRAME_EQUAL + 1,
    FRAME_STATUS_COUNT = FRAME_NO_MORE_SPACE + 1,
    FRAME_CRC_BYTES = 4,
    FRAME_HEADER_SUMMED_BYTES = FRAME_HEADER_BYTES - FRAME_CRC_BYTES,
    FRAME_TABLE_BYTES_MAX = PAYLOAD_BYTES_MAX / BLOCK_BYTES * FRAME_CRC_BYTES,
};

STATIC_ASSERT(FRAME_HEADER_BYTES + FRAME_BODY_BYTES_MAX + FRAME_TABLE_BYTES_MAX +
                      PAYLOAD_BYTES_MAX <=
                  BUF_BYTES_MAX,
              "a whole frame must fit in one receive buffer");
STATIC_ASSERT(FRAME_BODY_BYTES_MAX <= (int)BUF_BYTES_MIN, "a body is appended in one piece");

/* What a frame may have of something. */
enum frame_part { FRAME_PART_NONE, FRAME_PART_MUST, FRAME_PART_MAY };

struct frame_side {
    uint16_t flags; /* allowed ones */
    enum frame_part body;
    enum frame_part payload;
};

struct frame_rule {
    const char *name;
    bool has_session;
    bool has_range;
    bool has_generation;
    bool has_no_reply;
    struct frame_side request;
    struct frame_side reply; /* with status 0; FRAME_REPLY is implied */
};

static const struct frame_rule frame_rules[FRAME_TYPE_COUNT] = {
    [FRAME_GREET] = {.name = "GREET",
                     .request = {.body = FRAME_PART_MUST},
                     .reply = {.body = FRAME_PART_MUST}},
    [FRAME_LIST] = {.name = "LIST", .reply = {.flags = FRAME_MORE, .body = FRAME_PART_MAY}},
    [FRAME_CREATE] = {.name = "CREATE", .request = {.body = FRAME_PART_MUST}},
    [FRAME_DELETE] = {.name = "DELETE", .request = {.body = FRAME_PART_MUST}},
    [FRAME_PING] = {.name = "PING", .reply = {.body = FRAME_PART_MUST}},
    [FRAME_OPEN] = {.name = "OPEN",
                    .has_session = true,
                    .request = {.flags = FRAME_TARGET, .body = FRAME_PART_MUST},
                    .reply = {.body = FRAME_PART_MUST}},
    [FRAME_ACCEPT] = {.name = "ACCEPT", .has_session = true, .request = {.body = FRAME_PART_MUST}},
    [FRAME_WRITE] = {.name = "WRITE",
                     .has_session = true,
                     .has_range = true,
                     .request = {.flags = FRAME_FUA, .payload = FRAME_PART_MUST},
                     .reply = {.flags = FRAME_SPACE_LOW}},
    [FRAME_ZERO] = {.name = "ZERO",
                    .has_session = true,
                    .has_range = true,
                    .has_generation = true,
                    .request = {.flags = FRAME_FUA | FRAME_NO_HOLE}},
    [FRAME_READ] = {.name = "READ",
                    .has_session = true,
                    .has_range = true,
                    .has_generation = true,
                    .reply = {.payload = FRAME_PART_MUST}},
    [FRAME_FLUSH] = {.name = "FLUSH", .has_session = true},
    [FRAME_CHECKPOINT] = {.name = "CHECKPOINT", .has_session = true},
    [FRAME_COMMIT] = {.name = "COMMIT",
                      .has_session = true,
                      .has_no_reply = true,
                      .request = {.flags = FRAME_ALL}},
    [FRAME_GETMAP] = {.name = "GETMAP",
                      .has_session = true,
                      .has_range = true,
                      .request = {.flags = FRAME_ALL},
                      .reply = {.body = FRAME_PART_MUST}},
    [FRAME_HASH] = {.name = "HASH",
                    .has_session = true,
                    .has_range = true,
                    .has_generation = true,
                    .request = {.flags = FRAME_SUMS, .body = FRAME_PART_MUST},
                    .reply = {.body = FRAME_PART_MUST}},
    [FRAME_COPY] = {.name = "COPY",
                    .has_session = true,
                    .has_range = true,
                    .has_generation = true,
                    .request = {.flags = FRAME_FUA | FRAME_MEND, .payload = FRAME_PART_MUST}},
    [FRAME_CLOSE] = {.name = "CLOSE", .has_session = true},
    [FRAME_MARK] = {.name = "MARK",
                    .has_session = true,
                    .has_range = true,
                    .request = {.body = FRAME_PART_MUST}},
    [FRAME_COMMAND] = {.name = "COMMAND",
                       .has_session = true,
                       .request = {.body = FRAME_PART_MUST},
                       .reply = {.body = FRAME_PART_MUST}},
    [FRAME_LAST_COMMAND] = {.name = "LAST_COMMAND",
                            .has_session = true,
                            .reply = {.body = FRAME_PART_MAY}},
    [FRAME_BOOK] = {.name = "BOOK", .has_session = true, .reply = {.body = FRAME_PART_MUST}},
    [FRAME_INSTALL] = {.name = "INSTALL",
                       .has_session = true,
                       .request = {.flags = FRAME_MORE | FRAME_ALL, .body = FRAME_PART_MUST},
                       .reply = {.body = FRAME_PART_MAY}},
    [FRAME_SETTLE] = {.name = "SETTLE",
                      .has_session = true,
                      .has_generation = true,
                      .reply = {.body = FRAME_PART_MUST}},
    [FRAME_DIFF] = {.name = "DIFF",
                    .has_session = true,
                    .has_range = true,
                    .has_generation = true,
                    .request = {.body = FRAME_PART_MUST},
                    .reply = {.body = FRAME_PART_MUST}},
    [FRAME_DIGEST] = {.name = "DIGEST",
                      .has_session = true,
                      .has_generation = true,
                      .request = {.flags = FRAME_ALL},
                      .reply = {.body = FRAME_PART_MUST}},
    [FRAME_SPACE] = {.name = "SPACE", .has_session = true, .reply = {.body = FRAME_PART_MUST}},
    [FRAME_LEASE] = {.name = "LEASE", .has_session = true},
    [FRAME_EQUAL] = {.name = "EQUAL", .has_session = true, .has_no_reply = true},
};

static const char *const frame_status_texts[FRAME_STATUS_COUNT] = {
    [FRAME_OK] = "done",
    [FRAME_STALE] = "a newer target took over",
    [FRAME_NO_VOLUME] = "no such volume here",
    [FRAME_FAILED] = "the replica is out of service",
    [FRAME_IO] = "the disk refused",
    [FRAME_CHECKSUM] = "stored data does not match its checksum",
    [FRAME_NO_SPACE] = "no space left",
    [FRAME_INVALID] = "the request breaks a rule",
    [FRAME_EXISTS] = "taken by something else",
    [FRAME_BUSY] = "busy",
    [FRAME_ABSENT] = "no such generation here",
    [FRAME_NO_MORE_SPACE] = "no space left",
};

bool frame_has_reply(uint8_t type)
{
    ASSERT(type < FRAME_TYPE_COUNT && frame_rules[type].name);
    return !frame_rules[type].has_no_reply;
}

const char *frame_type_name(uint8_t type)
{
    return type < FRAME_TYPE_COUNT && frame_rules[type].name ? frame_rules[type].name : "unknown";
}

const char *frame_status_text(uint32_t status)
{
    return status < FRAME_STATUS_COUNT ? frame_status_texts[status] : "unknown status";
}

static bool frame_part_ok(enum frame_part part, uint32_t length_bytes)
{
    return part == FRAME_PART_MAY || (part == FRAME_PART_MUST) == (length_bytes > 0);
}

static const char *frame_request_invalid(const struct frame_rule *rule, const struct frame *frame,
                                         uint32_t payload_bytes)
{
    if (frame->status != FRAME_OK)
        return "a request has a status";
    if (!rule->has_range)
        return NULL;
    if (frame->offset_bytes % BLOCK_BYTES != 0 || frame->length_bytes % BLOCK_BYTES != 0)
        return "a range is not in whole blocks";
    if (frame->length_bytes == 0)
        return "a range is empty";
    if (frame->length_bytes > UINT64_MAX - frame->offset_bytes)
        return "a range has no end";
    if (rule->request.payload == FRAME_PART_MUST && frame->length_bytes != payload_bytes)
        return "a range and its payload differ in length";
    if ((frame->type == FRAME_READ || frame->type == FRAME_HASH) &&
        frame->length_bytes > PAYLOAD_BYTES_MAX)
        return "a read is too long";
    if ((frame->type == FRAME_GETMAP || frame->type == FRAME_MARK) &&
        frame->length_bytes > FRAME_MAP_RANGE_BYTES_MAX)
        return "a map's range is too long";
    return NULL;
}

const char *frame_invalid(const struct frame *frame, uint32_t payload_bytes)
{
    if (frame->type >= FRAME_TYPE_COUNT || !frame_rules[frame->type].name)
        return "unknown frame type";
    const struct frame_rule *rule = &frame_rules[frame->type];
    bool is_reply = frame->flags & FRAME_REPLY;
    if (is_reply && rule->has_no_reply)
        return "a reply to what has none";
    if (frame->status >= FRAME_STATUS_COUNT)
        return "unknown status";
    if (rule->has_session != (frame->session != 0))
        return rule->has_session ? "session 0 is no volume's" : "a frame of the connection alone";
    if (frame->generation && !rule->has_generation)
        return "a generation this frame cannot have";
    struct frame_side side = is_reply ? rule->reply : rule->request;
    if (is_reply)
        side.flags |= FRAME_REPLY;
    if (frame->status != FRAME_OK) {
        side.body = FRAME_PART_MAY;
        side.payload = FRAME_PART_NONE;
    }
    if (frame->flags & ~side.flags)
        return "a flag this frame cannot have";
    if (frame->body_bytes > FRAME_BODY_BYTES_MAX)
        return "the body is too long";
    if (payload_bytes > PAYLOAD_BYTES_MAX || payload_bytes % BLOCK_BYTES != 0)
        return "the payload's length is impossible";
    if (!frame_part_ok(side.body, frame->body_bytes))
        return frame->body_bytes ? "a body where none belongs" : "the body is missing";
    if (!frame_part_ok(side.payload, payload_bytes))
        return payload_bytes ? "a payload where none belongs" : "the payload is missing";
    return is_reply ? NULL : frame_request_invalid(rule, frame, payload_bytes);
}

static uint32_t frame_table_bytes(uint32_t payload_bytes)
{
    return payload_bytes / BLOCK_BYTES * FRAME_CRC_BYTES;
}

struct frame_lengths {
    uint32_t body_bytes;
    uint32_t payload_bytes;
    uint32_t body_crc; /* of the body and the table */
};

static void frame_header_encode(uint8_t header[FRAME_HEADER_BYTES], const struct frame *frame,
                                const struct frame_lengths *lengths)
{
    struct writer w = writer_of(header, FRAME_HEADER_BYTES);
    write_u32(&w, FRAME_MAGIC);
    write_u8(&w, FRAME_VERSION);
    write_u8(&w, frame->type);
    write_u16(&w, frame->flags);
    write_u32(&w, frame->session);
    write_u32(&w, lengths->body_bytes);
    write_u32(&w, lengths->payload_bytes);
    write_u32(&w, frame->status);
    write_u64(&w, frame->request);
    write_u64(&w, frame->offset_bytes);
    write_u64(&w, frame->length_bytes);
    write_u64(&w, frame->generation);
    write_u32(&w, lengths->body_crc);
    ASSERT(writer_length(&w) == FRAME_HEADER_SUMMED_BYTES);
    write_u32(&w, crc32c(0, header, FRAME_HEADER_SUMMED_BYTES));
    ASSERT(!w.bad && writer_left(&w) == 0);
}

/* Returns NULL, or why the header is refused. Trusts nothing but the number of bytes. */
static const char *frame_header_decode(const uint8_t header[FRAME_HEADER_BYTES],
                                       struct frame *frame, struct frame_lengths *lengths)
{
    struct reader r = reader_of(header, FRAME_HEADER_BYTES);
    *frame = (struct frame){0};
    if (read_u32(&r) != FRAME_MAGIC)
        return "this is not the replication protocol";
    uint8_t version = read_u8(&r);
    frame->type = read_u8(&r);
    frame->flags = read_u16(&r);
    frame->session = read_u32(&r);
    frame->body_bytes = lengths->body_bytes = read_u32(&r);
    lengths->payload_bytes = read_u32(&r);
    frame->status = read_u32(&r);
    frame->request = read_u64(&r);
    frame->offset_bytes = read_u64(&r);
    frame->length_bytes = read_u64(&r);
    frame->generation = read_u64(&r);
    lengths->body_crc = read_u32(&r);
    uint32_t crc = read_u32(&r);
    ASSERT(!r.bad && reader_left(&r) == 0);
    if (crc != crc32c(0, header, FRAME_HEADER_SUMMED_BYTES))
        return "the header's checksum does not match";
    if (version != FRAME_VERSION)
        return "unknown protocol version";
    return frame_invalid(frame, lengths->payload_bytes);
}

void frame_encode(struct tx *tx, const struct frame *frame)
{
    uint32_t payload_bytes = frame->payload.length_bytes;
    uint32_t table_bytes = frame_table_bytes(payload_bytes);
    struct frame_lengths lengths = {.body_bytes = frame->body_bytes,
                                    .payload_bytes = payload_bytes};
    ASSERT(!frame_invalid(frame, payload_bytes));
    uint8_t *header = tx_space(tx, FRAME_HEADER_BYTES);
    if (frame->body_bytes) {
        memcpy(tx_space(tx, frame->body_bytes), frame->body, frame->body_bytes);
        lengths.body_crc = crc32c(0, frame->body, frame->body_bytes);
    }
    if (payload_bytes) {
        const uint32_t *crc = slice_crc(&frame->payload);
        uint8_t *table = tx_space(tx, table_bytes);
        struct writer w = writer_of(table, table_bytes);
        for (uint32_t i = 0; i < payload_bytes / BLOCK_BYTES; i++)
            write_u32(&w, crc[i]);
        ASSERT(!w.bad && writer_left(&w) == 0);
        lengths.body_crc = crc32c(lengths.body_crc, table, table_bytes);
    }
    frame_header_encode(header, frame, &lengths);
    tx_slice(tx, &frame->payload);
}

/* Body, table and payload, all there, behind the header that was verified. */
static const char *frame_rest_decode(struct rx *rx, struct frame *frame,
                                     const struct frame_lengths *lengths)
{
    uint32_t table_bytes = frame_table_bytes(lengths->payload_bytes);
    uint8_t *bytes = rx->buf->bytes + rx->begin + FRAME_HEADER_BYTES;
    if (lengths->body_crc != crc32c(0, bytes, lengths->body_bytes + table_bytes))
        return "the body's checksum does not match";
    struct slice payload = {.buf = rx->buf,
                            .bytes = bytes + lengths->body_bytes + table_bytes,
                            .length_bytes = lengths->payload_bytes};
    if (payload.length_bytes) {
        uint32_t *crc = slice_crc(&payload);
        struct reader r = reader_of(bytes + lengths->body_bytes, table_bytes);
        for (uint32_t i = 0; i < payload.length_bytes / BLOCK_BYTES; i++)
            crc[i] = read_u32(&r);
        ASSERT(!r.bad && reader_left(&r) == 0);
        if (!slice_crc_ok(&payload))
            return "the payload's checksum does not match";
    }
    /* The body has no reference of its own: the payload's, even of an empty one, keeps both. */
    frame->payload = slice_ref(&payload);
    frame->body = lengths->body_bytes ? bytes : NULL;
    return NULL;
}

enum frame_decode frame_decode(struct rx *rx, struct frame *frame, const char **why)
{
    struct frame_lengths lengths;
    if (!rx_need(rx, FRAME_HEADER_BYTES))
        return FRAME_DECODE_MORE;
    *why = frame_header_decode(rx_bytes(rx), frame, &lengths);
    if (*why)
        return FRAME_DECODE_BAD;
    uint32_t total_bytes = FRAME_HEADER_BYTES + lengths.body_bytes +
                           frame_table_bytes(lengths.payload_bytes) + lengths.payload_bytes;
    if (!rx_need(rx, total_bytes))
        return FRAME_DECODE_MORE;
    *why = frame_rest_decode(rx, frame, &lengths);
    if (*why)
        return FRAME_DECODE_BAD;
    rx_skip(rx, total_bytes);
    return FRAME_DECODE_OK;
}

void frame_done(struct frame *frame)
{
    slice_release(&frame->payload);
    *frame = (struct frame){0};
}
