/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: golden bytes, round trips, and nothing broken that gets through. */
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/wire/frame.h"
#include "tests/lib/suite.h"

#include <string.h>

enum { WIRE_BYTES_MAX = 2u << 20 };

static struct buf_pool pool;
static struct tx tx;
static struct rx rx;
static uint8_t *wire; /* what frame_encode made */
static uint32_t wire_bytes;

static void setup(void)
{
    buf_pool_init(&pool, UINT64_MAX);
    tx_init(&tx, &pool);
    rx_init(&rx, &pool);
    wire = malloc(WIRE_BYTES_MAX);
    ck_assert_ptr_nonnull(wire);
}

static void teardown(void)
{
    tx_release(&tx);
    rx_release(&rx);
    buf_pool_release(&pool);
    free(wire);
}

static void encode(const struct frame *frame)
{
    struct iovec vectors[64];
    frame_encode(&tx, frame);
    wire_bytes = 0;
    while (!tx_empty(&tx)) {
        int count = tx_vectors(&tx, vectors, 64);
        uint32_t before = wire_bytes;
        for (int i = 0; i < count; i++) {
            ck_assert_uint_le(wire_bytes + vectors[i].iov_len, WIRE_BYTES_MAX);
            memcpy(wire + wire_bytes, vectors[i].iov_base, vectors[i].iov_len);
            wire_bytes += (uint32_t)vectors[i].iov_len;
        }
        tx_sent(&tx, wire_bytes - before);
    }
}

static void receive(const uint8_t *bytes, uint32_t length)
{
    while (length > 0) {
        uint32_t room;
        uint8_t *space = rx_space(&rx, &room);
        uint32_t step = room < length ? room : length;
        memcpy(space, bytes, step);
        rx_filled(&rx, step);
        bytes += step;
        length -= step;
    }
}

static struct slice payload_of(uint32_t length)
{
    struct slice slice = slice_get(&pool, length);
    for (uint32_t i = 0; i < length; i++)
        slice.bytes[i] = (uint8_t)(i * 7 + i / 4096);
    slice_crc_fill(&slice);
    return slice;
}

/* A frame with a body of 5 bytes: in this protocol no frame has a body and a payload. */
static const struct frame accept_frame = {.type = FRAME_ACCEPT,
                                          .session = 7,
                                          .request = 0x0102030405060708,
                                          .offset_bytes = 0x1112131415161718,
                                          .length_bytes = 0x2122232425262728,
                                          .body = (const uint8_t *)"hello",
                                          .body_bytes = 5};

static struct frame write_frame(const struct slice *payload)
{
    return (struct frame){.type = FRAME_WRITE,
                          .flags = FRAME_FUA,
                          .session = 3,
                          .request = 9,
                          .offset_bytes = 8192,
                          .length_bytes = payload->length_bytes,
                          .payload = *payload};
}

START_TEST(header_is_as_the_table_says)
{
    static const uint8_t golden[] = {
        'S',  'T',  'R',  'K',                          /* magic */
        3,    34,   0,    0,                            /* version, ACCEPT, no flag */
        0,    0,    0,    7,                            /* session */
        0,    0,    0,    5,                            /* body length */
        0,    0,    0,    0,                            /* payload length */
        0,    0,    0,    0,                            /* status */
        1,    2,    3,    4,    5,    6,    7,    8,    /* request */
        0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, /* offset */
        0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, /* length */
        0,    0,    0,    0,    0,    0,    0,    0,    /* generation */
        0x9a, 0x71, 0xbb, 0x4c,                         /* CRC32C of "hello" */
    };
    encode(&accept_frame);
    ck_assert_uint_eq(wire_bytes, FRAME_HEADER_BYTES + 5);
    ck_assert_mem_eq(wire, golden, sizeof(golden));
    ck_assert_mem_eq(wire + FRAME_HEADER_BYTES, "hello", 5);
}
END_TEST

START_TEST(header_ends_with_its_own_checksum)
{
    encode(&accept_frame);
    uint32_t crc = crc32c(0, wire, 60);
    const uint8_t expected[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                                (uint8_t)crc};
    ck_assert_mem_eq(wire + 60, expected, 4);
}
END_TEST

START_TEST(checksum_table_stands_before_the_payload)
{
    struct slice payload = payload_of(2 * BLOCK_BYTES);
    struct frame frame = write_frame(&payload);
    encode(&frame);
    ck_assert_uint_eq(wire_bytes, FRAME_HEADER_BYTES + 2 * 4 + 2 * BLOCK_BYTES);
    for (int i = 0; i < 2; i++) {
        struct reader r = reader_of(wire + FRAME_HEADER_BYTES + 4 * i, 4);
        ck_assert_uint_eq(read_u32(&r), crc32c(0, payload.bytes + i * BLOCK_BYTES, BLOCK_BYTES));
    }
    ck_assert_mem_eq(wire + FRAME_HEADER_BYTES + 8, payload.bytes, payload.length_bytes);
    slice_release(&payload);
}
END_TEST

START_TEST(frame_with_a_body_comes_back)
{
    struct frame got;
    const char *why;
    encode(&accept_frame);
    receive(wire, wire_bytes);
    ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_OK);
    ck_assert_uint_eq(got.type, FRAME_ACCEPT);
    ck_assert_uint_eq(got.flags, 0);
    ck_assert_uint_eq(got.session, 7);
    ck_assert_uint_eq(got.status, 0);
    ck_assert_uint_eq(got.request, accept_frame.request);
    ck_assert_uint_eq(got.offset_bytes, accept_frame.offset_bytes);
    ck_assert_uint_eq(got.length_bytes, accept_frame.length_bytes);
    ck_assert_uint_eq(got.body_bytes, 5);
    ck_assert_mem_eq(got.body, "hello", 5);
    ck_assert_uint_eq(got.payload.length_bytes, 0);
    ck_assert_uint_eq(rx_length(&rx), 0);
    frame_done(&got);
}
END_TEST

START_TEST(generation_comes_back)
{
    struct frame frame = {
        .type = FRAME_READ, .session = 1, .length_bytes = 4096, .generation = 0x3132333435363738};
    struct frame got;
    const char *why;
    encode(&frame);
    receive(wire, wire_bytes);
    ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_OK);
    ck_assert_uint_eq(got.generation, frame.generation);
    frame_done(&got);
}
END_TEST

START_TEST(payload_comes_back_with_its_checksums)
{
    static const uint32_t lengths[] = {BLOCK_BYTES, 9 * BLOCK_BYTES, PAYLOAD_BYTES_MAX};
    struct slice payload = payload_of(lengths[_i]);
    struct frame frame = write_frame(&payload);
    struct frame got;
    const char *why;
    encode(&frame);
    receive(wire, wire_bytes);
    ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_OK);
    ck_assert_uint_eq(got.payload.length_bytes, payload.length_bytes);
    ck_assert_mem_eq(got.payload.bytes, payload.bytes, payload.length_bytes);
    ck_assert(slice_crc_ok(&got.payload));
    frame_done(&got);
    slice_release(&payload);
}
END_TEST

START_TEST(longest_body_comes_back)
{
    static const uint8_t body[FRAME_BODY_BYTES_MAX] = {[FRAME_BODY_BYTES_MAX - 1] = 1};
    struct frame frame = accept_frame;
    struct frame got;
    const char *why;
    frame.body = body;
    frame.body_bytes = sizeof(body);
    encode(&frame);
    receive(wire, wire_bytes);
    ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_OK);
    ck_assert_mem_eq(got.body, body, sizeof(body));
    frame_done(&got);
}
END_TEST

START_TEST(frames_behind_each_other_keep_their_own_checksums)
{
    struct slice payload = payload_of(BLOCK_BYTES);
    struct frame got[8];
    const char *why;
    struct frame frame = write_frame(&payload);
    for (uint64_t i = 0; i < 8; i++) {
        memset(payload.bytes, (int)i, BLOCK_BYTES);
        slice_crc_fill(&payload);
        frame.request = i;
        encode(&frame);
        receive(wire, wire_bytes);
    }
    for (uint64_t i = 0; i < 8; i++) {
        ck_assert_int_eq(frame_decode(&rx, &got[i], &why), FRAME_DECODE_OK);
        ck_assert_uint_eq(got[i].request, i);
    }
    for (uint8_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(got[i].payload.bytes[0], i);
        ck_assert(slice_crc_ok(&got[i].payload));
        frame_done(&got[i]);
    }
    slice_release(&payload);
}
END_TEST

START_TEST(body_outlives_the_connection)
{
    struct frame got;
    const char *why;
    encode(&accept_frame);
    receive(wire, wire_bytes);
    ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_OK);
    rx_release(&rx);
    ck_assert_uint_gt(pool.used_bytes, 0);
    ck_assert_mem_eq(got.body, "hello", 5);
    frame_done(&got);
    ck_assert_uint_eq(pool.used_bytes, 0);
}
END_TEST

START_TEST(every_truncation_waits_for_more)
{
    struct slice payload = payload_of(BLOCK_BYTES);
    struct frame frames[] = {accept_frame, write_frame(&payload)};
    struct frame got;
    const char *why;
    encode(&frames[_i]);
    for (uint32_t i = 0; i < wire_bytes; i++) {
        ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_MORE);
        ck_assert_uint_gt(rx.want_bytes, i);
        ck_assert_uint_le(rx.want_bytes, wire_bytes);
        receive(wire + i, 1);
    }
    ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_OK);
    frame_done(&got);
    slice_release(&payload);
}
END_TEST

/* A flipped length is found by the header's checksum before anybody waits for what it says. */
START_TEST(every_flipped_bit_is_found)
{
    struct slice payload = payload_of(BLOCK_BYTES);
    struct frame frames[] = {accept_frame, write_frame(&payload)};
    struct frame got;
    encode(&frames[_i]);
    for (uint32_t bit = 0; bit < wire_bytes * 8; bit++) {
        const char *why = NULL;
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        receive(wire, wire_bytes);
        ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_BAD);
        ck_assert_ptr_nonnull(why);
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rx_release(&rx);
    }
    slice_release(&payload);
}
END_TEST

/* Rewrites a byte of the header and makes its checksum right again. */
static const char *forged_why(uint32_t at, uint8_t value)
{
    struct frame got;
    const char *why = NULL;
    encode(&accept_frame);
    wire[at] = value;
    struct writer w = writer_of(wire + 60, 4);
    write_u32(&w, crc32c(0, wire, 60));
    receive(wire, wire_bytes);
    ck_assert_int_eq(frame_decode(&rx, &got, &why), FRAME_DECODE_BAD);
    return why;
}

START_TEST(another_protocol_is_refused)
{
    ck_assert_str_eq(forged_why(0, 'G'), "this is not the replication protocol");
}
END_TEST

START_TEST(another_version_is_refused)
{
    ck_assert_str_eq(forged_why(4, 1), "unknown protocol version");
}
END_TEST

START_TEST(impossible_lengths_are_refused_before_they_are_waited_for)
{
    ck_assert_str_eq(forged_why(12, 0x7f), "the body is too long");
    rx_release(&rx);
    ck_assert_str_eq(forged_why(16, 0x7f), "the payload's length is impossible");
}
END_TEST

START_TEST(unknown_types_and_statuses_are_refused)
{
    ck_assert_str_eq(forged_why(5, 255), "unknown frame type");
    rx_release(&rx);
    ck_assert_str_eq(forged_why(5, 3), "unknown frame type");
    rx_release(&rx);
    ck_assert_str_eq(forged_why(20, 1), "unknown status");
}
END_TEST

/* One row a rule. */
static const struct {
    struct frame frame;
    uint32_t payload_bytes;
    const char *why;
} rules[] = {
    {{.type = FRAME_LIST}, 0, NULL},
    {{.type = FRAME_LIST, .session = 1}, 0, "a frame of the connection alone"},
    {{.type = FRAME_LIST, .flags = FRAME_REPLY | FRAME_MORE}, 0, NULL},
    {{.type = FRAME_LIST, .flags = FRAME_MORE}, 0, "a flag this frame cannot have"},
    {{.type = FRAME_LIST, .body_bytes = 1}, 0, "a body where none belongs"},
    {{.type = FRAME_GREET}, 0, "the body is missing"},
    {{.type = FRAME_GREET, .flags = FRAME_REPLY, .body_bytes = 1}, 0, NULL},
    {{.type = FRAME_FLUSH, .session = 1}, 0, NULL},
    {{.type = FRAME_FLUSH}, 0, "session 0 is no volume's"},
    {{.type = FRAME_FLUSH, .session = 1}, 4096, "a payload where none belongs"},
    {{.type = FRAME_FLUSH, .session = 1, .status = FRAME_IO}, 0, "a request has a status"},
    {{.type = FRAME_FLUSH, .session = 1, .flags = FRAME_REPLY, .status = FRAME_IO}, 0, NULL},
    {{.type = FRAME_FLUSH, .session = 1, .flags = FRAME_REPLY, .status = FRAME_NO_MORE_SPACE + 1},
     0,
     "unknown status"},
    {{.type = FRAME_OPEN, .session = 1, .flags = FRAME_TARGET, .body_bytes = 9}, 0, NULL},
    {{.type = FRAME_OPEN, .session = 1, .flags = FRAME_REPLY}, 0, "the body is missing"},
    {{.type = FRAME_OPEN, .session = 1, .flags = FRAME_REPLY, .status = FRAME_STALE}, 0, NULL},
    {{.type = FRAME_OPEN,
      .session = 1,
      .flags = FRAME_REPLY,
      .status = FRAME_STALE,
      .body_bytes = 9},
     0,
     NULL},
    {{.type = FRAME_COMMIT, .session = 1, .flags = FRAME_ALL}, 0, NULL},
    {{.type = FRAME_COMMIT, .session = 1, .flags = FRAME_REPLY}, 0, "a reply to what has none"},
    {{.type = FRAME_WRITE, .session = 1, .length_bytes = 4096}, 4096, NULL},
    {{.type = FRAME_WRITE, .session = 1, .length_bytes = 8192},
     4096,
     "a range and its payload differ in length"},
    {{.type = FRAME_WRITE, .session = 1, .length_bytes = 4096}, 0, "the payload is missing"},
    {{.type = FRAME_WRITE, .session = 1, .offset_bytes = 512, .length_bytes = 4096},
     4096,
     "a range is not in whole blocks"},
    {{.type = FRAME_WRITE, .session = 1, .length_bytes = 100},
     100,
     "the payload's length is impossible"},
    {{.type = FRAME_WRITE, .session = 1, .flags = FRAME_REPLY}, 0, NULL},
    {{.type = FRAME_WRITE, .session = 1, .flags = FRAME_REPLY | FRAME_SPACE_LOW}, 0, NULL},
    {{.type = FRAME_WRITE, .session = 1, .length_bytes = 4096, .flags = FRAME_SPACE_LOW},
     4096,
     "a flag this frame cannot have"},
    {{.type = FRAME_COPY, .session = 1, .length_bytes = 4096}, 4096, NULL},
    {{.type = FRAME_ZERO, .session = 1, .length_bytes = 1ull << 40, .flags = FRAME_NO_HOLE},
     0,
     NULL},
    {{.type = FRAME_ZERO, .session = 1}, 0, "a range is empty"},
    {{.type = FRAME_ZERO, .session = 1, .offset_bytes = 4096, .length_bytes = -4096ull},
     0,
     "a range has no end"},
    {{.type = FRAME_READ, .session = 1, .length_bytes = 1u << 20}, 0, NULL},
    {{.type = FRAME_READ, .session = 1, .length_bytes = (1u << 20) + 4096},
     0,
     "a read is too long"},
    {{.type = FRAME_READ, .session = 1, .flags = FRAME_REPLY}, 4096, NULL},
    {{.type = FRAME_READ, .session = 1, .flags = FRAME_REPLY}, 0, "the payload is missing"},
    {{.type = FRAME_READ, .session = 1, .flags = FRAME_REPLY, .status = FRAME_IO}, 0, NULL},
    {{.type = FRAME_READ, .session = 1, .flags = FRAME_REPLY, .status = FRAME_IO},
     4096,
     "a payload where none belongs"},
    {{.type = FRAME_GETMAP, .session = 1, .length_bytes = 8ull << 30}, 0, NULL},
    {{.type = FRAME_GETMAP, .session = 1, .length_bytes = (8ull << 30) + 4096},
     0,
     "a map's range is too long"},
    {{.type = FRAME_HASH, .session = 1, .length_bytes = 4096, .body_bytes = 16}, 0, NULL},
    {{.type = FRAME_HASH, .session = 1, .length_bytes = 4096}, 0, "the body is missing"},
    {{.type = FRAME_HASH, .session = 1, .length_bytes = 2u << 20, .body_bytes = 16},
     0,
     "a read is too long"},
    {{.type = FRAME_READ, .session = 1, .length_bytes = 4096, .generation = 7}, 0, NULL},
    {{.type = FRAME_COPY, .session = 1, .length_bytes = 4096, .generation = 7}, 4096, NULL},
    {{.type = FRAME_ZERO, .session = 1, .length_bytes = 4096, .generation = 7}, 0, NULL},
    {{.type = FRAME_READ, .session = 1, .flags = FRAME_REPLY, .generation = 7}, 4096, NULL},
    {{.type = FRAME_WRITE, .session = 1, .length_bytes = 4096, .generation = 7},
     4096,
     "a generation this frame cannot have"},
    {{.type = FRAME_FLUSH, .session = 1, .generation = 7},
     0,
     "a generation this frame cannot have"},
    {{.type = FRAME_COMMAND, .session = 1, .body_bytes = 9}, 0, NULL},
    {{.type = FRAME_COMMAND, .session = 1}, 0, "the body is missing"},
    {{.type = FRAME_COMMAND, .session = 1, .flags = FRAME_REPLY, .body_bytes = 9}, 0, NULL},
    {{.type = FRAME_LAST_COMMAND, .session = 1}, 0, NULL},
    {{.type = FRAME_LAST_COMMAND, .session = 1, .flags = FRAME_REPLY}, 0, NULL},
    {{.type = FRAME_BOOK, .session = 1, .length_bytes = 12345}, 0, NULL},
    {{.type = FRAME_BOOK, .session = 1, .flags = FRAME_REPLY, .body_bytes = 9}, 0, NULL},
    {{.type = FRAME_INSTALL, .session = 1, .flags = FRAME_MORE | FRAME_ALL, .body_bytes = 9},
     0,
     NULL},
    {{.type = FRAME_INSTALL, .session = 1, .flags = FRAME_REPLY}, 0, NULL},
    {{.type = FRAME_INSTALL, .session = 1, .flags = FRAME_REPLY | FRAME_ALL},
     0,
     "a flag this frame cannot have"},
    {{.type = FRAME_SETTLE, .session = 1, .generation = 3}, 0, NULL},
    {{.type = FRAME_DIFF,
      .session = 1,
      .length_bytes = 1ull << 44,
      .generation = 3,
      .body_bytes = 8},
     0,
     NULL},
    {{.type = FRAME_DIFF, .session = 1, .generation = 3, .body_bytes = 8}, 0, "a range is empty"},
    {{.type = FRAME_DIGEST, .session = 1, .flags = FRAME_ALL, .generation = 3}, 0, NULL},
    {{.type = FRAME_SPACE, .session = 1}, 0, NULL},
    {{.type = FRAME_MARK, .session = 1, .length_bytes = 8ull << 30, .body_bytes = 1}, 0, NULL},
    {{.type = FRAME_MARK, .session = 1, .length_bytes = 16ull << 30, .body_bytes = 1},
     0,
     "a map's range is too long"},
    {{.type = FRAME_SPACE, .session = 1, .generation = 3},
     0,
     "a generation this frame cannot have"},
};

START_TEST(rule_holds)
{
    const char *why = frame_invalid(&rules[_i].frame, rules[_i].payload_bytes);
    if (rules[_i].why)
        ck_assert_str_eq(why ? why : "fine", rules[_i].why);
    else
        ck_assert_msg(!why, "row %d: %s", _i, why);
}
END_TEST

START_TEST(names_exist_for_all_and_for_strangers)
{
    ck_assert_str_eq(frame_type_name(FRAME_WRITE), "WRITE");
    ck_assert_str_eq(frame_type_name(FRAME_CLOSE), "CLOSE");
    ck_assert_str_eq(frame_type_name(3), "unknown");
    ck_assert_str_eq(frame_type_name(255), "unknown");
    ck_assert_str_eq(frame_status_text(FRAME_STALE), "a newer target took over");
    ck_assert_str_eq(frame_status_text(FRAME_BUSY), "busy");
    ck_assert_str_eq(frame_status_text(FRAME_NO_MORE_SPACE + 1), "unknown status");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire/frame");
    TCase *tests = tcase_create("frame");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, header_is_as_the_table_says);
    tcase_add_test(tests, header_ends_with_its_own_checksum);
    tcase_add_test(tests, checksum_table_stands_before_the_payload);
    tcase_add_test(tests, frame_with_a_body_comes_back);
    tcase_add_test(tests, generation_comes_back);
    tcase_add_loop_test(tests, payload_comes_back_with_its_checksums, 0, 3);
    tcase_add_test(tests, longest_body_comes_back);
    tcase_add_test(tests, frames_behind_each_other_keep_their_own_checksums);
    tcase_add_test(tests, body_outlives_the_connection);
    tcase_add_loop_test(tests, every_truncation_waits_for_more, 0, 2);
    tcase_add_loop_test(tests, every_flipped_bit_is_found, 0, 2);
    tcase_add_test(tests, another_protocol_is_refused);
    tcase_add_test(tests, another_version_is_refused);
    tcase_add_test(tests, impossible_lengths_are_refused_before_they_are_waited_for);
    tcase_add_test(tests, unknown_types_and_statuses_are_refused);
    tcase_add_loop_test(tests, rule_holds, 0, (int)ARRAY_COUNT(rules));
    tcase_add_test(tests, names_exist_for_all_and_for_strangers);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
