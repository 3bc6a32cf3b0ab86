/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the transmission phase, to the byte. */
#include "target/front/nbd/context.h"
#include "target/front/nbd/reply.h"
#include "tests/unit/target/front/nbd/client.h"

#include <errno.h>

static struct client client;
static struct nbd_header header;

static void setup(void)
{
    client_init(&client);
    client_expect(&client, GREETING);
    client.session.export = &client.vol;
    client.vol.session_count++;
    header = (struct nbd_header){
        .cookie = 0xc0ffee0000000001, .offset_bytes = 0x10000, .length_bytes = 4};
}

static void teardown(void)
{
    client_release(&client);
}

START_TEST(success_is_a_simple_reply)
{
    header.type = NBD_CMD_WRITE;
    nbd_reply_done(&client.session, &header, &client.tx);
    client.session.structured = true;
    nbd_reply_done(&client.session, &header, &client.tx);
    client_expect(&client, SIMPLE "00000000" COOKIE SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(empty_structured_read_is_a_none_chunk)
{
    client.session.structured = true;
    nbd_reply_done(&client.session, &header, &client.tx);
    client_expect(&client, CHUNK "0001 0000" COOKIE "00000000");
}
END_TEST

START_TEST(data_follows_a_simple_reply)
{
    uint8_t bytes[] = {0xde, 0xad, 0xbe, 0xef};
    struct slice data = {.bytes = bytes, .length_bytes = sizeof(bytes)};
    nbd_reply_data(&client.session, &header, &data, &client.tx);
    client_expect(&client, SIMPLE "00000000" COOKIE "deadbeef");
}
END_TEST

START_TEST(structured_data_is_one_final_chunk_with_its_offset)
{
    uint8_t bytes[] = {0xde, 0xad, 0xbe, 0xef};
    struct slice data = {.bytes = bytes, .length_bytes = sizeof(bytes)};
    client.session.structured = true;
    nbd_reply_data(&client.session, &header, &data, &client.tx);
    client_expect(&client, CHUNK "0001 0001" COOKIE "0000000c 0000000000010000 deadbeef");
}
END_TEST

START_TEST(zeros_are_a_hole)
{
    struct slice data = slice_get(&client.bufs, 4);
    memset(data.bytes, 0, 4);
    client.session.structured = true;
    nbd_reply_data(&client.session, &header, &data, &client.tx);
    slice_release(&data);
    client_expect(&client, CHUNK "0001 0002" COOKIE "0000000c 0000000000010000 00000004");
}
END_TEST

START_TEST(zeros_but_for_the_last_byte_are_data)
{
    struct slice data = slice_get(&client.bufs, 4);
    memcpy(data.bytes, "\0\0\0\1", 4);
    client.session.structured = true;
    nbd_reply_data(&client.session, &header, &data, &client.tx);
    slice_release(&data);
    client_expect(&client, CHUNK "0001 0001" COOKIE "0000000c 0000000000010000 00000001");
}
END_TEST

START_TEST(zeros_in_a_simple_reply_are_data)
{
    struct slice data = slice_get(&client.bufs, 4);
    memset(data.bytes, 0, 4);
    nbd_reply_data(&client.session, &header, &data, &client.tx);
    slice_release(&data);
    client_expect(&client, SIMPLE "00000000" COOKIE "00000000");
}
END_TEST

START_TEST(error_beyond_the_end_says_where)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client.session.structured = true;
    header.offset_bytes = client.vol.size_bytes - 2;
    nbd_reply_error(&client.session, &header, -EINVAL, "too far", &client.tx);
    size_t length = client_receive(&client, bytes, sizeof(bytes));
    static const uint8_t end[] = {0, 0, 0, 0, 0, 0x10, 0, 0};
    ck_assert_uint_eq(bytes[7], NBD_REPLY_TYPE_ERROR_OFFSET & 0xff);
    ck_assert_mem_eq(bytes + length - 8, end, 8);
}
END_TEST

START_TEST(error_of_zeroing_beyond_the_end_does_not_say_where)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client.session.structured = true;
    header.type = NBD_CMD_WRITE_ZEROES;
    header.offset_bytes = client.vol.size_bytes - 2;
    nbd_reply_error(&client.session, &header, -ENOSPC, "too far", &client.tx);
    (void)client_receive(&client, bytes, sizeof(bytes));
    ck_assert_uint_eq(bytes[7], NBD_REPLY_TYPE_ERROR & 0xff);
}
END_TEST

START_TEST(data_goes_by_reference)
{
    struct slice data = slice_get(&client.bufs, 4);
    nbd_reply_data(&client.session, &header, &data, &client.tx);
    ck_assert_uint_eq(data.buf->refs, 2);
    tx_sent(&client.tx, client.tx.pending_bytes);
    ck_assert_uint_eq(data.buf->refs, 1);
    slice_release(&data);
}
END_TEST

static void extend(void)
{
    client.session.structured = true;
    client.session.extended = true;
}

/* The volume answered with these runs, of which the first `count` count. */
static struct block_run runs[NBD_EXTENTS_MAX];

static void reply_status(uint32_t contexts, uint32_t count)
{
    header.type = NBD_CMD_BLOCK_STATUS;
    struct nbd_request request = {.header = header, .contexts = contexts};
    request.block.runs = runs;
    request.block.runs_count = count;
    nbd_reply_status(&client.session, &request, &client.tx);
    ck_assert_uint_eq(request.contexts, contexts & (contexts - 1));
}

START_TEST(extents_of_several_runs)
{
    client.session.structured = true;
    header.length_bytes = 0x3000;
    runs[0] = (struct block_run){0x1000, BLOCK_DATA};
    runs[1] = (struct block_run){0x2000, BLOCK_HOLE};
    reply_status(1, 2);
    client_expect(&client, CHUNK "0001 0005" COOKIE "00000014 00000001 00001000 00000000 "
                                 "00002000 00000003");
}
END_TEST

START_TEST(answer_is_done_with_the_last_context)
{
    client.session.structured = true;
    header.length_bytes = 0x1000;
    runs[0] = (struct block_run){0x1000, BLOCK_ZEROED};
    reply_status(5, 1);
    client_expect(&client, CHUNK "0000 0005" COOKIE "0000000c 00000001 00001000 00000003");
    runs[0] = (struct block_run){0x1000, BLOCK_ZEROED};
    reply_status(4, 1);
    client_expect(&client, CHUNK "0001 0005" COOKIE "0000000c 00000003 00001000 00000003");
}
END_TEST

START_TEST(most_extents_fit)
{
    static uint8_t bytes[CLIENT_TEXT_BYTES * 16];
    extend();
    header.length_bytes = NBD_EXTENTS_MAX * UINT64_C(4096);
    for (uint32_t i = 0; i < NBD_EXTENTS_MAX; i++)
        runs[i] = (struct block_run){4096, i % 2 ? BLOCK_DATA : BLOCK_HOLE};
    reply_status(1, NBD_EXTENTS_MAX);
    ck_assert_uint_eq(client_receive(&client, bytes, sizeof(bytes)), 32 + 8 + 16 * NBD_EXTENTS_MAX);
}
END_TEST

START_TEST(extent_covers_the_whole_range)
{
    client.session.structured = true;
    reply_status(1, 0);
    client_expect(&client, CHUNK "0001 0005" COOKIE "0000000c 00000001 00000004 00000000");
}
END_TEST

#define EXTENDED "6e8a278c "

START_TEST(extended_success_is_a_none_chunk)
{
    extend();
    header.type = NBD_CMD_TRIM;
    nbd_reply_done(&client.session, &header, &client.tx);
    client_expect(&client, EXTENDED "0001 0000" COOKIE "0000000000010000 0000000000000000");
}
END_TEST

START_TEST(extended_data_has_the_offset_twice)
{
    uint8_t bytes[] = {0xde, 0xad, 0xbe, 0xef};
    struct slice data = {.bytes = bytes, .length_bytes = sizeof(bytes)};
    extend();
    nbd_reply_data(&client.session, &header, &data, &client.tx);
    client_expect(&client, EXTENDED "0001 0001" COOKIE "0000000000010000 000000000000000c "
                                    "0000000000010000 deadbeef");
}
END_TEST

START_TEST(extended_extent_has_64_bits)
{
    extend();
    client.vol.size_bytes = UINT64_C(1) << 40;
    header.length_bytes = 0x1200000000;
    reply_status(1, 0);
    client_expect(&client, EXTENDED "0001 0006" COOKIE "0000000000010000 0000000000000018 "
                                    "00000001 00000001 0000001200000000 0000000000000000");
}
END_TEST

START_TEST(extended_error_is_a_chunk)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    struct nbd_chunk chunk;
    extend();
    header.type = NBD_CMD_WRITE;
    nbd_reply_error(&client.session, &header, -ENOSPC, "full", &client.tx);
    struct reader r = reader_of(bytes, client_receive(&client, bytes, sizeof(bytes)));
    ck_assert(nbd_chunk_decode(&r, true, &chunk));
    ck_assert_uint_eq(chunk.type, NBD_REPLY_TYPE_ERROR);
    ck_assert_uint_eq(chunk.offset_bytes, header.offset_bytes);
    ck_assert_uint_eq(chunk.length_bytes, reader_left(&r));
    ck_assert_uint_eq(read_u32(&r), 28);
}
END_TEST

START_TEST(error_is_a_number_in_a_simple_reply)
{
    nbd_reply_error(&client.session, &header, -ENOSPC, "full", &client.tx);
    client_expect(&client, SIMPLE "0000001c" COOKIE);
}
END_TEST

START_TEST(structured_error_names_the_rule_and_the_numbers)
{
    static const char text[] = "too far (command 1, flags 0x1, offset 65536, length 4; "
                               "the export has 1048576 bytes)";
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client.session.structured = true;
    header.type = NBD_CMD_WRITE;
    header.flags = NBD_CMD_FLAG_FUA;
    nbd_reply_error(&client.session, &header, -ENOSPC, "too far", &client.tx);
    size_t length = client_receive(&client, bytes, sizeof(bytes));
    struct reader r = reader_of(bytes, length);
    struct nbd_chunk chunk;
    ck_assert(nbd_chunk_decode(&r, false, &chunk));
    ck_assert_uint_eq(chunk.flags, NBD_REPLY_FLAG_DONE);
    ck_assert_uint_eq(chunk.type, NBD_REPLY_TYPE_ERROR);
    ck_assert_uint_eq(chunk.cookie, header.cookie);
    ck_assert_uint_eq(chunk.length_bytes, reader_left(&r));
    ck_assert_uint_eq(read_u32(&r), 28);
    ck_assert_uint_eq(read_u16(&r), strlen(text));
    ck_assert_uint_eq(reader_left(&r), strlen(text));
    ck_assert_mem_eq(r.next, text, strlen(text));
}
END_TEST

START_TEST(text_of_an_error_is_bounded)
{
    char why[1000];
    memset(why, 'a', sizeof(why) - 1);
    why[sizeof(why) - 1] = '\0';
    client.session.structured = true;
    nbd_reply_error(&client.session, &header, -EIO, why, &client.tx);
    ck_assert_uint_eq(client.tx.pending_bytes, NBD_CHUNK_BYTES + 6 + 255);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nbd reply");
    TCase *tcase = tcase_create("reply");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, success_is_a_simple_reply);
    tcase_add_test(tcase, empty_structured_read_is_a_none_chunk);
    tcase_add_test(tcase, data_follows_a_simple_reply);
    tcase_add_test(tcase, structured_data_is_one_final_chunk_with_its_offset);
    tcase_add_test(tcase, zeros_are_a_hole);
    tcase_add_test(tcase, zeros_but_for_the_last_byte_are_data);
    tcase_add_test(tcase, zeros_in_a_simple_reply_are_data);
    tcase_add_test(tcase, error_beyond_the_end_says_where);
    tcase_add_test(tcase, error_of_zeroing_beyond_the_end_does_not_say_where);
    tcase_add_test(tcase, data_goes_by_reference);
    tcase_add_test(tcase, extents_of_several_runs);
    tcase_add_test(tcase, answer_is_done_with_the_last_context);
    tcase_add_test(tcase, most_extents_fit);
    tcase_add_test(tcase, extent_covers_the_whole_range);
    tcase_add_test(tcase, extended_success_is_a_none_chunk);
    tcase_add_test(tcase, extended_data_has_the_offset_twice);
    tcase_add_test(tcase, extended_extent_has_64_bits);
    tcase_add_test(tcase, extended_error_is_a_chunk);
    tcase_add_test(tcase, error_is_a_number_in_a_simple_reply);
    tcase_add_test(tcase, structured_error_names_the_rule_and_the_numbers);
    tcase_add_test(tcase, text_of_an_error_is_bounded);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
