/* SPDX-License-Identifier: Apache-2.0 */
/* STARTTLS: what may be said before it, and what is forgotten after it. */
#include "tests/unit/target/front/nbd/client.h"

static struct client client;

static void teardown(void)
{
    client_release(&client);
}

static void setup_off(void)
{
    client_init(&client);
    client_haggle(&client);
}

static void expect_close(const char *why)
{
    ck_assert_int_eq(client_next(&client), SESSION_CLOSE);
    ck_assert_str_eq(client.session.why, why);
}

/* The answer is one error of this type to this option. */
static void ask_error(const char *hex, uint32_t option, uint32_t type)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    struct nbd_option_reply reply;
    client_send(&client, hex);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    struct reader r = reader_of(bytes, client_receive(&client, bytes, sizeof(bytes)));
    ck_assert(nbd_option_reply_decode(&r, &reply));
    ck_assert_uint_eq(reply.option, option);
    ck_assert_uint_eq(reply.type, type);
    ck_assert_uint_eq(reader_left(&r), reply.length_bytes);
    ck_assert_int_eq(client.session.state, NBD_OPTIONS);
}

static void setup_allowed(void)
{
    client_init(&client);
    client_init_tls(&client, NBD_TLS_ALLOWED);
    client_haggle(&client);
}

static void setup_required(void)
{
    client_init(&client);
    client_init_tls(&client, NBD_TLS_REQUIRED);
    client_haggle(&client);
}

#define STARTTLS     OPTION "00000005 00000000"
#define STARTTLS_ACK ANSWER "00000005 00000001 00000000"

static void start_tls(void)
{
    client_send(&client, STARTTLS);
    ck_assert_int_eq(client_next(&client), SESSION_SECURE);
    client_expect(&client, STARTTLS_ACK);
    nbd_secured(&client.session);
}

START_TEST(starttls_is_unknown_when_off)
{
    ask_error(STARTTLS, 5, NBD_REP_ERR_UNSUP);
}
END_TEST

START_TEST(starttls_takes_no_data)
{
    ask_error(OPTION "00000005 00000001 00", 5, NBD_REP_ERR_INVALID);
}
END_TEST

START_TEST(starttls_only_once)
{
    start_tls();
    ask_error(STARTTLS, 5, NBD_REP_ERR_INVALID);
}
END_TEST

START_TEST(nothing_is_looked_at_until_tls_stands)
{
    client_send(&client, STARTTLS);
    ck_assert_int_eq(client_next(&client), SESSION_SECURE);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    nbd_secured(&client.session);
    ck_assert(client.session.secure);
}
END_TEST

START_TEST(bytes_behind_starttls_are_a_breach)
{
    client_send(&client, STARTTLS "49");
    expect_close("bytes behind STARTTLS, before its answer");
}
END_TEST

START_TEST(what_was_said_before_tls_is_forgotten)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client_ask(&client, OPTION "00000008 00000000", ANSWER "00000008 00000001 00000000");
    client_send(&client, OPTION "0000000a 0000001e 00000003 766f6c 00000001 "
                                "0000000f 626173653a616c6c6f636174696f6e");
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    (void)client_receive(&client, bytes, sizeof(bytes));
    ck_assert(client.session.structured);
    start_tls();
    ck_assert(!client.session.structured);
    /* No contexts without structured replies: they must be asked for again. */
    ask_error(OPTION "0000000a 0000000b 00000003 766f6c 00000000", 10, NBD_REP_ERR_INVALID);
}
END_TEST

START_TEST(options_go_on_within_tls)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    start_tls();
    client_send(&client, OPTION "00000007 00000009 00000003 766f6c 0000");
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    ck_assert_uint_eq(client_receive(&client, bytes, sizeof(bytes)), 20 + 12 + 20);
    ck_assert_int_eq(client.session.state, NBD_TRANSMISSION);
}
END_TEST

START_TEST(allowed_tls_may_be_left_alone)
{
    client_ask(&client, OPTION "00000008 00000000", ANSWER "00000008 00000001 00000000");
}
END_TEST

struct early {
    const char *hex;
    uint32_t option;
};

static const struct early early[] = {
    {OPTION "00000003 00000000", 3},
    {OPTION "00000006 00000009 00000003 766f6c 0000", 6},
    {OPTION "00000007 00000009 00000003 766f6c 0000", 7},
    {OPTION "00000008 00000000", 8},
    {OPTION "00000009 0000000b 00000003 766f6c 00000000", 9},
    {OPTION "0000000a 0000000b 00000003 766f6c 00000000", 10},
    {OPTION "0000000b 00000000", 11},
    {OPTION "00007777 00000000", 0x7777},
};

START_TEST(required_tls_comes_before_every_option)
{
    ask_error(early[_i].hex, early[_i].option, NBD_REP_ERR_TLS_REQD);
    start_tls();
}
END_TEST

START_TEST(required_tls_comes_before_export_name)
{
    client_send(&client, OPTION "00000001 00000003 766f6c");
    expect_close("EXPORT_NAME without TLS");
    client_expect(&client, "");
}
END_TEST

START_TEST(required_tls_lets_abort)
{
    client_send(&client, OPTION "00000002 00000000");
    expect_close("the client ended the handshake");
    client_expect(&client, ANSWER "00000002 00000001 00000000");
}
END_TEST

static TCase *tests_off(void)
{
    TCase *tests = tcase_create("off");
    tcase_add_checked_fixture(tests, setup_off, teardown);
    tcase_add_test(tests, starttls_is_unknown_when_off);
    return tests;
}

static TCase *tests_allowed(void)
{
    TCase *tests = tcase_create("allowed");
    tcase_add_checked_fixture(tests, setup_allowed, teardown);
    tcase_add_test(tests, starttls_takes_no_data);
    tcase_add_test(tests, starttls_only_once);
    tcase_add_test(tests, nothing_is_looked_at_until_tls_stands);
    tcase_add_test(tests, bytes_behind_starttls_are_a_breach);
    tcase_add_test(tests, what_was_said_before_tls_is_forgotten);
    tcase_add_test(tests, options_go_on_within_tls);
    tcase_add_test(tests, allowed_tls_may_be_left_alone);
    return tests;
}

static TCase *tests_required(void)
{
    TCase *tests = tcase_create("required");
    tcase_add_checked_fixture(tests, setup_required, teardown);
    tcase_add_loop_test(tests, required_tls_comes_before_every_option, 0, (int)ARRAY_COUNT(early));
    tcase_add_test(tests, required_tls_comes_before_export_name);
    tcase_add_test(tests, required_tls_lets_abort);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("nbd/starttls");
    suite_add_tcase(suite, tests_off());
    suite_add_tcase(suite, tests_allowed());
    suite_add_tcase(suite, tests_required());
    return suite_run(suite);
}
