/* SPDX-License-Identifier: Apache-2.0 */
/* Option haggling, as both sides see the bytes. */
#include "tests/unit/target/front/nbd/client.h"
#include "tests/unit/target/front/nbd/snapshots.h"

#include <stdio.h>

static struct client client;

static void setup(void)
{
    client_init(&client);
}

static void setup_haggling(void)
{
    client_init(&client);
    client_haggle(&client);
}

static void teardown(void)
{
    client_release(&client);
}

static void expect_close(const char *why)
{
    ck_assert_int_eq(client_next(&client), SESSION_CLOSE);
    ck_assert_str_eq(client.session.why, why);
    ck_assert_int_eq(client_next(&client), SESSION_CLOSE);
}

/* The answer is one reply of this type to this option; its text is left to the reader. */
static void expect_error(uint32_t option, uint32_t type)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    struct nbd_option_reply reply;
    size_t length = client_receive(&client, bytes, sizeof(bytes));
    struct reader r = reader_of(bytes, length);
    ck_assert(nbd_option_reply_decode(&r, &reply));
    ck_assert_uint_eq(reply.option, option);
    ck_assert_uint_eq(reply.type, type);
    ck_assert_uint_gt(reply.length_bytes, 0);
    ck_assert_uint_eq(reader_left(&r), reply.length_bytes);
}

static void ask_error(const char *hex, uint32_t option, uint32_t type)
{
    client_send(&client, hex);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    expect_error(option, type);
    ck_assert_int_eq(client.session.state, NBD_OPTIONS);
}

START_TEST(greets_before_the_client_speaks)
{
    client_expect(&client, GREETING);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    ck_assert_uint_eq(client.rx.want_bytes, 4);
}
END_TEST

START_TEST(client_flags_may_come_byte_by_byte)
{
    client_ask(&client, "00", GREETING);
    client_ask(&client, "0000", "");
    client_ask(&client, "01", "");
    ck_assert_int_eq(client.session.state, NBD_OPTIONS);
    ck_assert(!client.session.no_zeroes);
}
END_TEST

START_TEST(unknown_client_flags_close)
{
    client_send(&client, "00000007");
    expect_close("unknown client flags");
}
END_TEST

START_TEST(option_without_magic_closes)
{
    client_send(&client, "49484156454f5055 00000003 00000000");
    expect_close("an option without its magic number");
}
END_TEST

START_TEST(option_may_come_byte_by_byte)
{
    uint8_t bytes[64];
    size_t length = client_bytes_of(OPTION "00000008 00000000", bytes);
    for (size_t i = 0; i < length - 1; i++) {
        client_send_bytes(&client, bytes + i, 1);
        ck_assert_int_eq(client_next(&client), SESSION_MORE);
        client_expect(&client, "");
    }
    client_send_bytes(&client, bytes + length - 1, 1);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    client_expect(&client, ANSWER "00000008 00000001 00000000");
}
END_TEST

START_TEST(export_name_answers_size_and_flags)
{
    client_ask(&client, OPTION "00000001 00000003 766f6c", "0000000000100000 0d6d");
    ck_assert_int_eq(client.session.state, NBD_TRANSMISSION);
    ck_assert_ptr_eq(client.session.export, &client.vol);
    ck_assert_uint_eq(client.vol.session_count, 1);
}
END_TEST

START_TEST(export_name_ends_with_zeroes_for_old_clients)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client_ask(&client, "00000001", GREETING);
    client_send(&client, OPTION "00000001 00000003 766f6c");
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    ck_assert_uint_eq(client_receive(&client, bytes, sizeof(bytes)), 134);
    for (int i = 10; i < 134; i++)
        ck_assert_uint_eq(bytes[i], 0);
}
END_TEST

START_TEST(export_name_of_a_stranger_closes)
{
    client_send(&client, OPTION "00000001 00000003 766f6d");
    expect_close("EXPORT_NAME of an unknown export");
    client_expect(&client, "");
}
END_TEST

START_TEST(export_name_beyond_any_name_closes)
{
    client_send(&client, OPTION "00000001 00002001");
    expect_close("EXPORT_NAME longer than any name");
}
END_TEST

START_TEST(abort_is_acknowledged_and_closes)
{
    client_send(&client, OPTION "00000002 00000000");
    expect_close("the client ended the handshake");
    client_expect(&client, ANSWER "00000002 00000001 00000000");
}
END_TEST

START_TEST(list_names_what_there_is)
{
    struct export other = {.name = "b", .size_bytes = 4096};
    struct export gone = {.name = "gone", .gone = true};
    list_append(&client.exports.list, &other.node);
    struct export hidden = {.name = "b@s1", .generation = 1, .hidden = true};
    list_append(&client.exports.list, &gone.node);
    list_append(&client.exports.list, &hidden.node);
    client_ask(&client, OPTION "00000003 00000000",
               ANSWER "00000003 00000002 00000007 00000003 766f6c" ANSWER
                      "00000003 00000002 00000005 00000001 62" ANSWER "00000003 00000001 00000000");
}
END_TEST

static int no_file(void *arg, const char *path, uint8_t *bytes, uint32_t size, uint32_t *length,
                   struct error *error)
{
    (void)arg;
    (void)bytes;
    (void)size;
    (void)length;
    return error_set(error, "%s", path);
}

START_TEST(export_that_no_rule_admits_to_is_not_there)
{
    struct error error;
    char text[] = "[volume vol]\naddresses = 10.0.0.0/8\n";
    struct access *access = access_new(text, no_file, NULL, &error);
    client.exports.access = access;
    client_ask(&client, OPTION "00000003 00000000", ANSWER "00000003 00000001 00000000");
    ask_error(OPTION "00000006 00000009 00000003 766f6c 0000", NBD_OPT_INFO, NBD_REP_ERR_UNKNOWN);
    client.session.client.address = access_address_of("10.0.0.1:5");
    client_ask(&client, OPTION "00000003 00000000",
               ANSWER "00000003 00000002 00000007 00000003 766f6c" ANSWER
                      "00000003 00000001 00000000");
    access_free(access);
}
END_TEST

START_TEST(list_with_data_is_invalid)
{
    ask_error(OPTION "00000003 00000001 00", NBD_OPT_LIST, NBD_REP_ERR_INVALID);
}
END_TEST

START_TEST(info_tells_and_stays_in_the_handshake)
{
    client_ask(&client, OPTION "00000006 00000009 00000003 766f6c 0000",
               ANSWER "00000006 00000003 0000000c 0000 0000000000100000 0d6d" ANSWER
                      "00000006 00000001 00000000");
    ck_assert_int_eq(client.session.state, NBD_OPTIONS);
    ck_assert_uint_eq(client.vol.session_count, 0);
}
END_TEST

START_TEST(go_tells_and_opens)
{
    client_ask(&client, OPTION "00000007 00000009 00000003 766f6c 0000",
               ANSWER "00000007 00000003 0000000c 0000 0000000000100000 0d6d" ANSWER
                      "00000007 00000001 00000000");
    ck_assert_int_eq(client.session.state, NBD_TRANSMISSION);
    ck_assert_uint_eq(client.vol.session_count, 1);
}
END_TEST

START_TEST(info_tells_name_block_sizes_and_description_when_asked)
{
    client_ask(&client, OPTION "00000006 0000000f 00000003 766f6c 0003 0003 0002 0001",
               ANSWER
               "00000006 00000003 0000000c 0000 0000000000100000 0d6d" ANSWER
               "00000006 00000003 00000005 0001 766f6c" ANSWER "00000006 00000003 00000034 0002 "
               "5374 72616b6520766f6c756d6520" /* "Strake volume " */
               "30303131323233332d343435352d363637372d383839392d616162626363646465656666" ANSWER
               "00000006 00000003 0000000e 0003 00000001 00001000 02000000" ANSWER
               "00000006 00000001 00000000");
}
END_TEST

START_TEST(read_only_export_says_so_and_offers_no_zeroing)
{
    client.vol.read_only = true;
    client_ask(&client, OPTION "00000001 00000003 766f6c", "0000000000100000 050f");
}
END_TEST

START_TEST(structured_replies_bring_the_df_flag)
{
    client_ask(&client, OPTION "00000008 00000000", ANSWER "00000008 00000001 00000000");
    client_ask(&client, OPTION "00000001 00000003 766f6c", "0000000000100000 0ded");
}
END_TEST

START_TEST(structured_reply_with_data_is_invalid)
{
    ask_error(OPTION "00000008 00000001 00", NBD_OPT_STRUCTURED_REPLY, NBD_REP_ERR_INVALID);
    ck_assert(!client.session.structured);
}
END_TEST

START_TEST(empty_name_is_the_only_export)
{
    client_ask(&client, OPTION "00000001 00000000", "0000000000100000 0d6d");
}
END_TEST

START_TEST(empty_name_among_several_is_unknown)
{
    struct export other = {.name = "b"};
    list_append(&client.exports.list, &other.node);
    ask_error(OPTION "00000007 00000006 00000000 0000", NBD_OPT_GO, NBD_REP_ERR_UNKNOWN);
}
END_TEST

START_TEST(go_to_a_stranger_is_unknown_and_haggling_goes_on)
{
    ask_error(OPTION "00000007 00000007 00000001 78 0000", NBD_OPT_GO, NBD_REP_ERR_UNKNOWN);
    client_ask(&client, OPTION "00000001 00000003 766f6c", "0000000000100000 0d6d");
}
END_TEST

START_TEST(go_to_a_deleted_export_is_unknown)
{
    client.vol.gone = true;
    ask_error(OPTION "00000007 00000009 00000003 766f6c 0000", NBD_OPT_GO, NBD_REP_ERR_UNKNOWN);
}
END_TEST

START_TEST(go_of_the_wrong_length_is_invalid)
{
    ask_error(OPTION "00000007 00000008 00000003 766f6c 00", NBD_OPT_GO, NBD_REP_ERR_INVALID);
}
END_TEST

static const uint32_t unsupported[] = {0, 4, NBD_OPT_STARTTLS, 12, 0xffff};

START_TEST(other_options_are_unsupported)
{
    char hex[64];
    snprintf(hex, sizeof(hex), OPTION "%08x 00000002 abcd", unsupported[_i]);
    ask_error(hex, unsupported[_i], NBD_REP_ERR_UNSUP);
}
END_TEST

START_TEST(too_much_data_is_refused_and_thrown_away)
{
    uint8_t zeros[8193] = {0};
    client_send(&client, OPTION "00000007 00002001");
    client_send_bytes(&client, zeros, 8192);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    expect_error(NBD_OPT_GO, NBD_REP_ERR_TOO_BIG);
    client_ask(&client, "00" OPTION "00000001 00000003 766f6c", "0000000000100000 0d6d");
}
END_TEST

START_TEST(refused_data_is_never_held)
{
    uint8_t zeros[65536] = {0};
    client_send(&client, OPTION "000000ff ffffffff");
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(client_next(&client), SESSION_MORE);
        client_send_bytes(&client, zeros, sizeof(zeros));
        ck_assert_uint_le(client.bufs.used_bytes, 4 * BUF_BYTES_MIN);
    }
}
END_TEST

START_TEST(meta_contexts_want_structured_replies_first)
{
    ask_error(OPTION "00000009 0000000b 00000003 766f6c 00000000", NBD_OPT_LIST_META_CONTEXT,
              NBD_REP_ERR_INVALID);
    ask_error(OPTION "0000000a 0000000b 00000003 766f6c 00000000", NBD_OPT_SET_META_CONTEXT,
              NBD_REP_ERR_INVALID);
}
END_TEST

static void ask_structured(void)
{
    client_ask(&client, OPTION "00000008 00000000", ANSWER "00000008 00000001 00000000");
}

#define SET_ALLOCATION                                                                             \
    OPTION "0000000a 0000001e 00000003 766f6c 00000001 0000000f 626173653a616c6c6f636174696f6e"
#define SET_ALLOCATION_ANSWER                                                                      \
    ANSWER "0000000a 00000004 00000013 00000001 626173653a616c6c6f636174696f6e" ANSWER             \
           "0000000a 00000001 00000000"

START_TEST(list_meta_context_lists_all_to_no_query)
{
    ask_structured();
    client_ask(&client, OPTION "00000009 0000000b 00000003 766f6c 00000000",
               ANSWER "00000009 00000004 00000013 00000000 626173653a616c6c6f636174696f6e" ANSWER
                      "00000009 00000001 00000000");
    ck_assert(client.session.contexts.mask == 0);
}
END_TEST

START_TEST(list_meta_context_lists_the_namespace)
{
    ask_structured();
    client_ask(&client, OPTION "00000009 00000014 00000003 766f6c 00000001 00000005 626173653a",
               ANSWER "00000009 00000004 00000013 00000000 626173653a616c6c6f636174696f6e" ANSWER
                      "00000009 00000001 00000000");
}
END_TEST

START_TEST(set_meta_context_selects_by_exact_name)
{
    ask_structured();
    client_ask(&client, SET_ALLOCATION, SET_ALLOCATION_ANSWER);
    client_ask(&client, OPTION "00000001 00000003 766f6c", "0000000000100000 0ded");
    ck_assert_uint_eq(client.session.contexts.mask, 1);
}
END_TEST

START_TEST(set_meta_context_does_not_know_the_bare_namespace)
{
    ask_structured();
    client_ask(&client, OPTION "0000000a 00000014 00000003 766f6c 00000001 00000005 626173653a",
               ANSWER "0000000a 00000001 00000000");
    ck_assert(client.session.contexts.mask == 0);
}
END_TEST

START_TEST(set_meta_context_of_strangers_selects_nothing)
{
    ask_structured();
    client_ask(&client, SET_ALLOCATION, SET_ALLOCATION_ANSWER);
    client_ask(&client,
               OPTION "0000000a 0000001e 00000003 766f6c 00000001 "
                      "0000000f 626173653a616c6c6f636174696f6d",
               ANSWER "0000000a 00000001 00000000");
    ck_assert(client.session.contexts.mask == 0);
}
END_TEST

/* "strake:" and "strake:changed-since:monday", ... "tuesday". */
#define STRAKE_HEX  "7374 72616b653a"
#define CHANGED_HEX STRAKE_HEX "6368616e6765642d73696e63653a"

START_TEST(list_meta_context_lists_snapshots)
{
    client.vol.snapshots = &snapshots;
    ask_structured();
    client_ask(&client, OPTION "00000009 00000016 00000003 766f6c 00000001 00000007" STRAKE_HEX,
               ANSWER "00000009 00000004 0000001f 00000000" CHANGED_HEX "6d6f6e646179" ANSWER
                      "00000009 00000004 00000020 00000000" CHANGED_HEX "74756573646179" ANSWER
                      "00000009 00000001 00000000");
}
END_TEST

START_TEST(set_meta_context_selects_a_snapshot)
{
    client.vol.snapshots = &snapshots;
    ask_structured();
    client_ask(&client,
               OPTION "0000000a 0000002b 00000003 766f6c 00000001 0000001c" CHANGED_HEX
                      "74756573646179",
               ANSWER "0000000a 00000004 00000020 00000002" CHANGED_HEX "74756573646179" ANSWER
                      "0000000a 00000001 00000000");
    ck_assert_uint_eq(client.session.contexts.mask, 2);
    ck_assert_uint_eq(client.session.contexts.from_generation[1], 5);
}
END_TEST

START_TEST(context_asked_for_twice_is_answered_once)
{
    ask_structured();
    client_ask(&client,
               OPTION "0000000a 00000031 00000003 766f6c 00000002 "
                      "0000000f 626173653a616c6c6f636174696f6e "
                      "0000000f 626173653a616c6c6f636174696f6e",
               SET_ALLOCATION_ANSWER);
}
END_TEST

START_TEST(set_meta_context_that_fails_selects_nothing)
{
    ask_structured();
    client_ask(&client, SET_ALLOCATION, SET_ALLOCATION_ANSWER);
    ask_error(OPTION "0000000a 00000009 00000001 78 00000000", NBD_OPT_SET_META_CONTEXT,
              NBD_REP_ERR_UNKNOWN);
    ck_assert(client.session.contexts.mask == 0);
}
END_TEST

START_TEST(context_of_another_export_is_not_selected)
{
    static struct export other = {.name = "b", .size_bytes = 4096};
    list_append(&client.exports.list, &other.node);
    ask_structured();
    client_ask(&client, SET_ALLOCATION, SET_ALLOCATION_ANSWER);
    client_ask(&client, OPTION "00000001 00000001 62", "0000000000001000 0ded");
    ck_assert(client.session.contexts.mask == 0);
    ck_assert_uint_eq(other.session_count, 1);
}
END_TEST

START_TEST(a_new_size_is_told_to_the_next_session)
{
    client.vol.size_bytes = 2u << 20;
    client_ask(&client, OPTION "00000006 00000009 00000003 766f6c 0000",
               ANSWER "00000006 00000003 0000000c 0000 0000000000200000 0d6d" ANSWER
                      "00000006 00000001 00000000");
}
END_TEST

#define LIST   OPTION "00000003 00000000 "
#define LIST_4 LIST LIST LIST LIST

START_TEST(options_wait_while_answers_are_not_read)
{
    uint32_t asked = 0;
    while (client.tx.pending_bytes < NBD_TX_BYTES_MAX) {
        ck_assert_int_eq(client_next(&client), SESSION_MORE);
        client_send(&client, LIST_4 LIST_4 LIST_4 LIST_4);
        asked += 16;
        ck_assert_uint_lt(asked, 100000);
        if (client_next(&client) == SESSION_BUSY)
            break;
    }
    ck_assert_uint_le(client.tx.pending_bytes, NBD_TX_BYTES_MAX + 100);
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    tx_sent(&client.tx, client.tx.pending_bytes);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
}
END_TEST

static void add_haggling(TCase *tcase)
{
    tcase_add_test(tcase, option_without_magic_closes);
    tcase_add_test(tcase, option_may_come_byte_by_byte);
    tcase_add_test(tcase, export_name_answers_size_and_flags);
    tcase_add_test(tcase, export_name_of_a_stranger_closes);
    tcase_add_test(tcase, export_name_beyond_any_name_closes);
    tcase_add_test(tcase, abort_is_acknowledged_and_closes);
    tcase_add_test(tcase, list_names_what_there_is);
    tcase_add_test(tcase, list_with_data_is_invalid);
    tcase_add_test(tcase, export_that_no_rule_admits_to_is_not_there);
    tcase_add_test(tcase, info_tells_and_stays_in_the_handshake);
    tcase_add_test(tcase, go_tells_and_opens);
    tcase_add_test(tcase, info_tells_name_block_sizes_and_description_when_asked);
    tcase_add_test(tcase, read_only_export_says_so_and_offers_no_zeroing);
    tcase_add_test(tcase, structured_replies_bring_the_df_flag);
    tcase_add_test(tcase, structured_reply_with_data_is_invalid);
    tcase_add_test(tcase, empty_name_is_the_only_export);
    tcase_add_test(tcase, empty_name_among_several_is_unknown);
    tcase_add_test(tcase, go_to_a_stranger_is_unknown_and_haggling_goes_on);
    tcase_add_test(tcase, go_to_a_deleted_export_is_unknown);
    tcase_add_test(tcase, go_of_the_wrong_length_is_invalid);
    tcase_add_loop_test(tcase, other_options_are_unsupported, 0, ARRAY_COUNT(unsupported));
    tcase_add_test(tcase, too_much_data_is_refused_and_thrown_away);
    tcase_add_test(tcase, refused_data_is_never_held);
    tcase_add_test(tcase, a_new_size_is_told_to_the_next_session);
    tcase_add_test(tcase, options_wait_while_answers_are_not_read);
}

static void add_meta(TCase *tcase)
{
    tcase_add_test(tcase, meta_contexts_want_structured_replies_first);
    tcase_add_test(tcase, list_meta_context_lists_all_to_no_query);
    tcase_add_test(tcase, list_meta_context_lists_the_namespace);
    tcase_add_test(tcase, set_meta_context_selects_by_exact_name);
    tcase_add_test(tcase, set_meta_context_does_not_know_the_bare_namespace);
    tcase_add_test(tcase, set_meta_context_of_strangers_selects_nothing);
    tcase_add_test(tcase, list_meta_context_lists_snapshots);
    tcase_add_test(tcase, set_meta_context_selects_a_snapshot);
    tcase_add_test(tcase, context_asked_for_twice_is_answered_once);
    tcase_add_test(tcase, set_meta_context_that_fails_selects_nothing);
    tcase_add_test(tcase, context_of_another_export_is_not_selected);
}

int main(void)
{
    Suite *suite = suite_create("nbd handshake");
    TCase *start = tcase_create("start");
    TCase *haggling = tcase_create("haggling");
    tcase_add_checked_fixture(start, setup, teardown);
    tcase_add_test(start, greets_before_the_client_speaks);
    tcase_add_test(start, client_flags_may_come_byte_by_byte);
    tcase_add_test(start, unknown_client_flags_close);
    tcase_add_test(start, export_name_ends_with_zeroes_for_old_clients);
    tcase_add_checked_fixture(haggling, setup_haggling, teardown);
    add_haggling(haggling);
    add_meta(haggling);
    suite_add_tcase(suite, start);
    suite_add_tcase(suite, haggling);
    return suite_run(suite);
}
