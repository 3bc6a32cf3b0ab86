/* SPDX-License-Identifier: Apache-2.0 */
/* Extended headers, from their negotiation to the answers, as both sides see the bytes. */
#include "tests/unit/target/front/nbd/client.h"

#define EXT_REQUEST "21e41c71 "
#define EXT_REPLY   "6e8a278c "
#define EXTENDED    OPTION "0000000b 00000000"
#define ACK(option) ANSWER option " 00000001 00000000"
#define SET_ALLOCATION                                                                             \
    OPTION "0000000a 0000001e 00000003 766f6c 00000001 0000000f 626173653a616c6c6f636174696f6e"
#define GO OPTION "00000007 00000009 00000003 766f6c 0000"

static struct client client;

static void setup(void)
{
    client_init(&client);
    client.vol.size_bytes = UINT64_C(1) << 40;
    client_haggle(&client);
}

static void teardown(void)
{
    client_release(&client);
}

/* In transmission, with base:allocation. */
static void setup_open(void)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    setup();
    client_send(&client, EXTENDED SET_ALLOCATION GO);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    ck_assert_uint_eq(client_receive(&client, bytes, sizeof(bytes)), 20 + 39 + 20 + 32 + 20);
    ck_assert_int_eq(client.session.state, NBD_TRANSMISSION);
}

static void expect_option_error(uint32_t option, uint32_t type)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    struct nbd_option_reply reply;
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    struct reader r = reader_of(bytes, client_receive(&client, bytes, sizeof(bytes)));
    ck_assert(nbd_option_reply_decode(&r, &reply));
    ck_assert_uint_eq(reply.option, option);
    ck_assert_uint_eq(reply.type, type);
}

static void expect_close(const char *why)
{
    ck_assert_int_eq(client_next(&client), SESSION_CLOSE);
    ck_assert_str_eq(client.session.why, why);
}

/* The answer is one error chunk of this type with this number. */
static void ask_error_of(uint16_t type, const char *hex, uint32_t error)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    struct nbd_chunk chunk;
    client_send(&client, hex);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    struct reader r = reader_of(bytes, client_receive(&client, bytes, sizeof(bytes)));
    ck_assert(nbd_chunk_decode(&r, true, &chunk));
    ck_assert_uint_eq(chunk.type, type);
    ck_assert_uint_eq(chunk.flags, NBD_REPLY_FLAG_DONE);
    ck_assert_uint_eq(chunk.length_bytes, reader_left(&r));
    ck_assert_uint_eq(read_u32(&r), error);
    ck_assert_int_eq(client.session.state, NBD_TRANSMISSION);
}

static void ask_error(const char *hex, uint32_t error)
{
    ask_error_of(NBD_REPLY_TYPE_ERROR, hex, error);
}

START_TEST(they_are_granted_and_imply_structured_replies)
{
    client_ask(&client, EXTENDED, ACK("0000000b"));
    ck_assert(client.session.extended && client.session.structured);
}
END_TEST

START_TEST(the_option_takes_no_data)
{
    client_send(&client, OPTION "0000000b 00000001 00");
    expect_option_error(11, NBD_REP_ERR_INVALID);
    ck_assert(!client.session.extended);
}
END_TEST

START_TEST(the_option_comes_once)
{
    client_ask(&client, EXTENDED, ACK("0000000b"));
    client_send(&client, EXTENDED);
    expect_option_error(11, NBD_REP_ERR_INVALID);
}
END_TEST

START_TEST(structured_replies_may_come_before)
{
    client_ask(&client, OPTION "00000008 00000000" EXTENDED, ACK("00000008") ACK("0000000b"));
    ck_assert(client.session.extended);
}
END_TEST

START_TEST(structured_replies_may_not_come_after)
{
    client_ask(&client, EXTENDED, ACK("0000000b"));
    client_send(&client, OPTION "00000008 00000000");
    expect_option_error(8, NBD_REP_ERR_EXT_HEADER_REQD);
}
END_TEST

START_TEST(export_name_may_not_come_after)
{
    client_ask(&client, EXTENDED, ACK("0000000b"));
    client_send(&client, OPTION "00000001 00000003 766f6c");
    expect_close("EXPORT_NAME with extended headers");
}
END_TEST

START_TEST(flags_tell_of_status_payloads_with_contexts_only)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client_ask(&client, EXTENDED, ACK("0000000b"));
    client_ask(&client, OPTION "00000006 00000009 00000003 766f6c 0000",
               ANSWER "00000006 00000003 0000000c 0000 0000010000000000 0ded" ACK("00000006"));
    client_send(&client, SET_ALLOCATION);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    (void)client_receive(&client, bytes, sizeof(bytes));
    client_ask(&client, OPTION "00000006 00000009 00000003 766f6c 0000",
               ANSWER "00000006 00000003 0000000c 0000 0000010000000000 1ded" ACK("00000006"));
}
END_TEST

START_TEST(write_has_its_payload)
{
    client_send(&client,
                EXT_REQUEST "0020 0001" COOKIE "0000000000001000 0000000000000004 deadbeef");
    ck_assert_int_eq(client_next(&client), SESSION_REQUEST);
    ck_assert_int_eq(client.request->block.op, BLOCK_WRITE);
    ck_assert_uint_eq(client.request->block.length_bytes, 4);
    ck_assert_mem_eq(client.request->block.data.bytes, "\xde\xad\xbe\xef", 4);
    nbd_reply(&client.session, client.request, &client.tx);
    client_expect(&client, EXT_REPLY "0001 0000" COOKIE "0000000000001000 0000000000000000");
}
END_TEST

START_TEST(write_without_the_flag_has_no_payload)
{
    ask_error(EXT_REQUEST "0000 0001" COOKIE "0000000000001000 0000000000000004", 22);
}
END_TEST

START_TEST(payload_of_another_command_is_thrown_away)
{
    ask_error(EXT_REQUEST "0020 0000" COOKIE "0000000000001000 0000000000000004 deadbeef", 22);
    ask_error(EXT_REQUEST "0020 0004" COOKIE "0000000000001000 0000000000000002 dead", 22);
}
END_TEST

START_TEST(payload_that_is_too_long_is_the_end)
{
    client_send(&client, EXT_REQUEST "0020 0007" COOKIE "0000000000000000 0000000002000001");
    expect_close("a payload longer than 33554432 bytes");
}
END_TEST

START_TEST(compact_header_is_a_breach)
{
    client_send(&client, REQUEST "0000 0000" COOKIE "0000000000000000 00000001 00000000");
    expect_close("a request without its magic number");
}
END_TEST

START_TEST(zeroing_may_be_longer_than_32_bits)
{
    client_send(&client, EXT_REQUEST "0000 0006" COOKIE "0000000000001000 000000e000000000");
    ck_assert_int_eq(client_next(&client), SESSION_REQUEST);
    ck_assert_int_eq(client.request->block.op, BLOCK_ZERO);
    ck_assert_uint_eq(client.request->block.length_bytes, UINT64_C(0xe000000000));
    nbd_reply(&client.session, client.request, &client.tx);
    client_expect(&client, EXT_REPLY "0001 0000" COOKIE "0000000000001000 0000000000000000");
}
END_TEST

START_TEST(cache_may_be_longer_than_32_bits)
{
    client_ask(&client, EXT_REQUEST "0000 0005" COOKIE "0000000000000000 0000010000000000",
               EXT_REPLY "0001 0000" COOKIE "0000000000000000 0000000000000000");
}
END_TEST

START_TEST(read_beyond_the_longest_is_told)
{
    ask_error(EXT_REQUEST "0000 0000" COOKIE "0000000000000000 0000000100000000", 75);
}
END_TEST

#define STATUS_REPLY                                                                               \
    EXT_REPLY "0001 0006" COOKIE "0000000000000000 0000000000000018 "                              \
              "00000001 00000001 000000ff00000000 0000000000000000"

/* The volume is asked, and knows nothing. */
static void expect_status(void)
{
    ck_assert_int_eq(client_next(&client), SESSION_REQUEST);
    ck_assert_uint_eq(client.request->block.length_bytes, 0xff00000000);
    nbd_reply(&client.session, client.request, &client.tx);
    client_expect(&client, STATUS_REPLY);
}

START_TEST(block_status_covers_a_range_of_64_bits)
{
    client_send(&client, EXT_REQUEST "0000 0007" COOKIE "0000000000000000 000000ff00000000");
    expect_status();
}
END_TEST

START_TEST(block_status_may_name_its_contexts)
{
    client_send(&client, EXT_REQUEST "0020 0007" COOKIE "0000000000000000 000000000000000c ");
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    ck_assert_uint_eq(client.rx.want_bytes, 12);
    client_send(&client, "000000ff00000000 00000001");
    expect_status();
}
END_TEST

START_TEST(block_status_of_a_context_that_was_not_selected)
{
    ask_error(EXT_REQUEST "0020 0007" COOKIE "0000000000000000 000000000000000c "
                          "0000000000001000 00000002",
              22);
}
END_TEST

START_TEST(block_status_payload_of_another_form_is_thrown_away)
{
    ask_error(EXT_REQUEST "0020 0007" COOKIE "0000000000000000 0000000000000008 "
                          "0000000000001000",
              22);
    ask_error(EXT_REQUEST "0020 0007" COOKIE "0000000000000000 0000000000000010 "
                          "0000000000001000 00000001 00000001",
              22);
}
END_TEST

START_TEST(block_status_payload_beyond_the_end)
{
    ask_error_of(NBD_REPLY_TYPE_ERROR_OFFSET,
                 EXT_REQUEST "0020 0007" COOKIE "0000000000001000 000000000000000c "
                             "0000010000000000 00000001",
                 22);
}
END_TEST

START_TEST(disconnect_waits_for_what_is_in_flight)
{
    client_send(&client, EXT_REQUEST "0000 0003" COOKIE "0000000000000000 0000000000000000");
    client_send(&client, EXT_REQUEST "0000 0002" COOKIE "0000000000000000 0000000000000000");
    ck_assert_int_eq(client_next(&client), SESSION_REQUEST);
    struct nbd_request *flush = client.request;
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    nbd_reply(&client.session, flush, &client.tx);
    expect_close("the client disconnected");
    client_expect(&client, EXT_REPLY "0001 0000" COOKIE "0000000000000000 0000000000000000");
}
END_TEST

static TCase *tests_options(void)
{
    TCase *tests = tcase_create("options");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, they_are_granted_and_imply_structured_replies);
    tcase_add_test(tests, the_option_takes_no_data);
    tcase_add_test(tests, the_option_comes_once);
    tcase_add_test(tests, structured_replies_may_come_before);
    tcase_add_test(tests, structured_replies_may_not_come_after);
    tcase_add_test(tests, export_name_may_not_come_after);
    tcase_add_test(tests, flags_tell_of_status_payloads_with_contexts_only);
    return tests;
}

static TCase *tests_requests(void)
{
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, setup_open, teardown);
    tcase_add_test(tests, write_has_its_payload);
    tcase_add_test(tests, write_without_the_flag_has_no_payload);
    tcase_add_test(tests, payload_of_another_command_is_thrown_away);
    tcase_add_test(tests, payload_that_is_too_long_is_the_end);
    tcase_add_test(tests, compact_header_is_a_breach);
    tcase_add_test(tests, zeroing_may_be_longer_than_32_bits);
    tcase_add_test(tests, cache_may_be_longer_than_32_bits);
    tcase_add_test(tests, read_beyond_the_longest_is_told);
    tcase_add_test(tests, block_status_covers_a_range_of_64_bits);
    tcase_add_test(tests, block_status_may_name_its_contexts);
    tcase_add_test(tests, block_status_of_a_context_that_was_not_selected);
    tcase_add_test(tests, block_status_payload_of_another_form_is_thrown_away);
    tcase_add_test(tests, block_status_payload_beyond_the_end);
    tcase_add_test(tests, disconnect_waits_for_what_is_in_flight);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("nbd extended");
    suite_add_tcase(suite, tests_options());
    suite_add_tcase(suite, tests_requests());
    return suite_run(suite);
}
