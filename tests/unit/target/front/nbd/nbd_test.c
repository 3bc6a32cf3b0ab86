/* SPDX-License-Identifier: Apache-2.0 */
/* A session in transmission: what it hands out, what it answers, when it waits and closes. */
#include "tests/unit/target/front/nbd/client.h"

#include <errno.h>
#include <signal.h>

#define READ_4K        REQUEST "0000 0000" COOKIE "0000000000001000 00001000"
#define WRITE_4        REQUEST "0000 0001" COOKIE "0000000000000002 00000004"
#define WRITE_TOO_FAR  REQUEST "0000 0001" COOKIE "00000000000ffffe 00000004"
#define WRITE_ONE_MORE REQUEST "0000 0001" COOKIE "0000000000000000 02000001"
#define FLUSH          REQUEST "0000 0003" COOKIE "0000000000000000 00000000"
#define DISC           REQUEST "0000 0002" COOKIE "0000000000000000 00000000"
#define CACHE          REQUEST "0000 0005" COOKIE "0000000000000000 00100000"
#define STATUS         REQUEST "0000 0007" COOKIE "0000000000001000 00002000"

static struct client client;

static void setup(void)
{
    client_init(&client);
    client_open(&client);
}

static void setup_structured(void)
{
    client_init(&client);
    client_open_structured(&client);
}

static void teardown(void)
{
    client_release(&client);
}

/* Says this and gets exactly one request out. */
static struct nbd_request *ask(const char *hex)
{
    client_send(&client, hex);
    ck_assert_int_eq(client_next(&client), SESSION_REQUEST);
    ck_assert_ptr_eq(client.request->export, &client.vol);
    ck_assert_ptr_eq(client.request->block.owner, &client.session);
    return client.request;
}

static void answer(struct nbd_request *request, int status)
{
    request->block.status = status;
    nbd_reply(&client.session, request, &client.tx);
}

static void expect_close(const char *why)
{
    ck_assert_int_eq(client_next(&client), SESSION_CLOSE);
    ck_assert_str_eq(client.session.why, why);
}

START_TEST(read_is_handed_out_and_answered_with_its_data)
{
    uint8_t bytes[16 + 4096];
    struct nbd_request *request = ask(READ_4K);
    ck_assert_int_eq(request->block.op, BLOCK_READ);
    ck_assert_uint_eq(request->block.offset_bytes, 4096);
    ck_assert_uint_eq(request->block.length_bytes, 4096);
    request->block.data = slice_get(&client.bufs, 4096);
    memset(request->block.data.bytes, 0xab, 4096);
    answer(request, 0);
    ck_assert_uint_eq(client_receive(&client, bytes, sizeof(bytes)), sizeof(bytes));
    ck_assert_uint_eq(bytes[16], 0xab);
    ck_assert_uint_eq(bytes[16 + 4095], 0xab);
}
END_TEST

START_TEST(failed_read_sends_no_data)
{
    answer(ask(READ_4K), -EIO);
    client_expect(&client, SIMPLE "00000005" COOKIE);
}
END_TEST

START_TEST(write_brings_its_payload_as_received)
{
    client_send(&client, WRITE_4 "deadbeef");
    const uint8_t *received = rx_bytes(&client.rx) + NBD_HEADER_BYTES;
    struct nbd_request *request = ask("");
    ck_assert_int_eq(request->block.op, BLOCK_WRITE);
    ck_assert_uint_eq(request->block.offset_bytes, 2);
    ck_assert_uint_eq(request->block.data.length_bytes, 4);
    ck_assert_ptr_eq(request->block.data.bytes, received);
    ck_assert_mem_eq(request->block.data.bytes, "\xde\xad\xbe\xef", 4);
    answer(request, 0);
    client_expect(&client, SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(write_waits_for_its_payload)
{
    client_ask(&client, WRITE_4 "dead", "");
    ck_assert_uint_eq(client.rx.want_bytes, 4);
    client_ask(&client, "be", "");
    answer(ask("ef"), 0);
    client_expect(&client, SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(longest_write_is_one_payload)
{
    static uint8_t zeros[NBD_PAYLOAD_BYTES_MAX];
    client.vol.size_bytes = 2 * (uint64_t)NBD_PAYLOAD_BYTES_MAX;
    client_ask(&client, REQUEST "0000 0001" COOKIE "0000000000000000 02000000", "");
    client_send_bytes(&client, zeros, sizeof(zeros));
    struct nbd_request *request = ask("");
    ck_assert_uint_eq(request->block.data.length_bytes, NBD_PAYLOAD_BYTES_MAX);
    answer(request, 0);
}
END_TEST

START_TEST(write_beyond_the_longest_closes)
{
    client_send(&client, WRITE_ONE_MORE);
    expect_close("a payload longer than 33554432 bytes");
    client_expect(&client, "");
}
END_TEST

START_TEST(refused_write_is_answered_after_its_payload)
{
    client_ask(&client, WRITE_TOO_FAR "dead", "");
    client_ask(&client, "be", "");
    client_ask(&client, "ef", SIMPLE "0000001c" COOKIE);
    answer(ask(FLUSH), 0);
    client_expect(&client, SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(refused_payload_is_never_held)
{
    uint8_t zeros[65536] = {0};
    client.vol.read_only = true;
    client_send(&client, REQUEST "0000 0001" COOKIE "0000000000000000 02000000");
    for (uint32_t sent = 0; sent < 32 << 20; sent += sizeof(zeros)) {
        ck_assert_int_eq(client_next(&client), SESSION_MORE);
        ck_assert(tx_empty(&client.tx));
        client_send_bytes(&client, zeros, sizeof(zeros));
        ck_assert_uint_le(client.bufs.used_bytes, 2 * BUF_BYTES_MIN);
    }
    client_ask(&client, "", SIMPLE "00000001" COOKIE);
}
END_TEST

START_TEST(request_without_magic_closes)
{
    client_send(&client, "25609514 0000 0000" COOKIE "0000000000001000 00001000");
    expect_close("a request without its magic number");
}
END_TEST

START_TEST(requests_are_handed_out_one_by_one_and_answered_in_any_order)
{
    client_send(&client, FLUSH);
    struct nbd_request *first = ask(WRITE_4 "deadbeef");
    ck_assert_int_eq(first->block.op, BLOCK_FLUSH);
    ck_assert_int_eq(client_next(&client), SESSION_REQUEST);
    struct nbd_request *second = client.request;
    second->header.cookie = 2;
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
    answer(second, 0);
    answer(first, 0);
    client_expect(&client, SIMPLE "00000000 0000000000000002" SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(cache_is_answered_on_the_spot)
{
    client_ask(&client, CACHE, SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(empty_read_and_write_are_answered_on_the_spot)
{
    client_ask(&client, REQUEST "0000 0000" COOKIE "0000000000000000 00000000",
               SIMPLE "00000000" COOKIE);
    client_ask(&client, REQUEST "0001 0001" COOKIE "0000000000000000 00000000",
               SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(disc_closes_without_an_answer)
{
    client_send(&client, DISC);
    expect_close("the client disconnected");
    client_expect(&client, "");
}
END_TEST

START_TEST(disc_waits_for_what_is_in_flight)
{
    struct nbd_request *request = ask(FLUSH);
    client_send(&client, DISC);
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    answer(request, 0);
    expect_close("the client disconnected");
    client_expect(&client, SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(nothing_is_read_after_disc)
{
    client_send(&client, DISC FLUSH);
    expect_close("the client disconnected");
    ck_assert_uint_eq(rx_length(&client.rx), NBD_HEADER_BYTES);
}
END_TEST

START_TEST(more_than_the_most_in_flight_wait)
{
    struct nbd_request *requests[NBD_REQUESTS_MAX];
    for (int i = 0; i < NBD_REQUESTS_MAX; i++)
        requests[i] = ask(FLUSH);
    client_send(&client, FLUSH);
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    answer(requests[0], 0);
    requests[0] = ask("");
    for (int i = 0; i < NBD_REQUESTS_MAX; i++)
        answer(requests[i], 0);
}
END_TEST

START_TEST(more_than_the_most_bytes_in_flight_wait)
{
    client.vol.size_bytes = 64 << 20;
    struct nbd_request *first = ask(REQUEST "0000 0000" COOKIE "0000000000000000 02000000");
    struct nbd_request *second = ask(REQUEST "0000 0000" COOKIE "0000000000000000 02000000");
    client_send(&client, REQUEST "0000 0000" COOKIE "0000000000000000 00000001");
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    answer(first, -EIO);
    struct nbd_request *third = ask("");
    answer(second, -EIO);
    answer(third, -EIO);
    ck_assert_uint_eq(client.session.in_flight_bytes, 0);
}
END_TEST

START_TEST(empty_pool_makes_wait)
{
    void *taken[CLIENT_REQUESTS];
    for (int i = 0; i < CLIENT_REQUESTS; i++)
        taken[i] = pool_get(&client.requests);
    client_send(&client, FLUSH);
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    for (int i = 0; i < CLIENT_REQUESTS; i++)
        pool_put(&client.requests, taken[i]);
    answer(ask(""), 0);
}
END_TEST

START_TEST(client_that_does_not_read_is_held_back)
{
    tx_zeros(&client.tx, NBD_TX_BYTES_MAX);
    client_send(&client, CACHE);
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    tx_sent(&client.tx, NBD_TX_BYTES_MAX);
    client_ask(&client, "", SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(dropped_request_is_given_back_without_an_answer)
{
    struct nbd_request *request = ask(WRITE_4 "deadbeef");
    nbd_drop(&client.session, request);
    ck_assert_uint_eq(client.session.in_flight, 0);
    ck_assert_uint_eq(pool_free_count(&client.requests), CLIENT_REQUESTS);
    client_expect(&client, "");
}
END_TEST

START_TEST(deleted_export_closes_an_idle_session)
{
    client.vol.gone = true;
    expect_close("the export was deleted");
}
END_TEST

START_TEST(deleted_export_answers_what_was_asked_then_closes)
{
    client.vol.gone = true;
    client_send(&client, FLUSH WRITE_4 "deadbeef");
    expect_close("the export was deleted");
    client_expect(&client, SIMPLE "0000006c" COOKIE SIMPLE "0000006c" COOKIE);
}
END_TEST

START_TEST(deleted_export_waits_for_what_is_in_flight)
{
    struct nbd_request *request = ask(FLUSH);
    client.vol.gone = true;
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    answer(request, -ESHUTDOWN);
    expect_close("the export was deleted");
    client_expect(&client, SIMPLE "0000006c" COOKIE);
}
END_TEST

START_TEST(export_deleted_while_a_payload_comes_is_not_written)
{
    struct nbd_request *request = ask(FLUSH);
    client_ask(&client, WRITE_4 "dead", "");
    client.vol.gone = true;
    client_send(&client, "beef");
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    client_expect(&client, SIMPLE "0000006c" COOKIE);
    answer(request, 0);
    expect_close("the export was deleted");
    client_expect(&client, SIMPLE "00000000" COOKIE);
}
END_TEST

START_TEST(export_reserved_while_a_payload_comes_is_not_written)
{
    client_ask(&client, WRITE_4 "dead", "");
    client.vol.guard = EXPORT_NO_WRITES;
    client_ask(&client, "beef", SIMPLE "00000001" COOKIE);
}
END_TEST

START_TEST(request_waits_until_reservations_are_known)
{
    client.vol.guard = EXPORT_GUARD_UNKNOWN;
    client_send(&client, READ_4K);
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    client.vol.guard = EXPORT_NO_WRITES;
    ck_assert_int_eq(client_next(&client), SESSION_REQUEST);
    answer(client.request, -EIO);
    client_expect(&client, SIMPLE "00000005" COOKIE);
}
END_TEST

START_TEST(deleted_export_holds_no_request)
{
    client.vol.guard = EXPORT_GUARD_UNKNOWN;
    client_send(&client, READ_4K);
    ck_assert_int_eq(client_next(&client), SESSION_BUSY);
    client.vol.gone = true;
    expect_close("the export was deleted");
    client_expect(&client, SIMPLE "0000006c" COOKIE);
}
END_TEST

START_TEST(deleted_export_does_not_wait_for_a_payload)
{
    client_ask(&client, WRITE_4 "dead", "");
    client.vol.gone = true;
    expect_close("the export was deleted");
}
END_TEST

START_TEST(structured_read_is_a_chunk)
{
    struct nbd_request *request = ask(REQUEST "0004 0000" COOKIE "0000000000001000 00000002");
    request->block.data = slice_get(&client.bufs, 2);
    memcpy(request->block.data.bytes, "ok", 2);
    answer(request, 0);
    client_expect(&client, CHUNK "0001 0001" COOKIE "0000000a 0000000000001000 6f6b");
}
END_TEST

START_TEST(block_status_asks_the_volume)
{
    struct nbd_request *request = ask(STATUS);
    ck_assert_int_eq(request->block.op, BLOCK_STATUS);
    ck_assert_uint_eq(request->block.from_generation, 0);
    ck_assert_uint_eq(request->block.runs_max, NBD_EXTENTS_MAX);
    request->block.runs[0] = (struct block_run){0x1000, BLOCK_HOLE};
    request->block.runs[1] = (struct block_run){0x1000, BLOCK_DATA};
    request->block.runs_count = 2;
    answer(request, 0);
    client_expect(&client, CHUNK "0001 0005" COOKIE "00000014 00000001 00001000 00000003 "
                                 "00001000 00000000");
}
END_TEST

START_TEST(block_status_that_the_volume_does_not_know_is_all_data)
{
    answer(ask(STATUS), -EOPNOTSUPP);
    client_expect(&client, CHUNK "0001 0005" COOKIE "0000000c 00000001 00002000 00000000");
}
END_TEST

START_TEST(one_extent_is_asked_for_as_one_run)
{
    struct nbd_request *request = ask(REQUEST "0008 0007" COOKIE "0000000000000000 00002000");
    ck_assert_uint_eq(request->block.runs_max, 1);
    answer(request, 0);
}
END_TEST

START_TEST(each_context_is_a_question_of_its_own)
{
    client.session.contexts = (struct nbd_contexts){.mask = 5, .from_generation = {0, 0, 9}};
    struct nbd_request *request = ask(STATUS);
    answer(request, 0);
    client_expect(&client, CHUNK "0000 0005" COOKIE "0000000c 00000001 00002000 00000000");
    ck_assert_int_eq(client_next(&client), SESSION_REQUEST);
    ck_assert_ptr_eq(client.request, request);
    ck_assert_uint_eq(request->block.from_generation, 9);
    request->block.runs[0] = (struct block_run){0x2000, BLOCK_HOLE};
    request->block.runs_count = 1;
    answer(request, 0);
    client_expect(&client, CHUNK "0001 0005" COOKIE "0000000c 00000003 00002000 00000000");
    ck_assert_uint_eq(client.session.in_flight, 0);
}
END_TEST

START_TEST(context_that_fails_ends_the_answer)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client.session.contexts = (struct nbd_contexts){.mask = 6, .from_generation = {0, 8, 9}};
    answer(ask(STATUS), -EINVAL);
    ck_assert_uint_gt(client_receive(&client, bytes, sizeof(bytes)), 20);
    ck_assert_uint_eq(bytes[5], NBD_REPLY_FLAG_DONE);
    ck_assert_uint_eq(client.session.in_flight, 0);
    ck_assert_int_eq(client_next(&client), SESSION_MORE);
}
END_TEST

/* The connection ends between two questions. */
START_TEST(question_that_is_not_asked_again_is_given_back)
{
    client.session.contexts = (struct nbd_contexts){.mask = 3, .from_generation = {0, 9}};
    answer(ask(STATUS), 0);
    ck_assert_uint_eq(client.session.in_flight, 1);
}
END_TEST

START_TEST(structured_failure_tells_the_reason)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    answer(ask(READ_4K), -EIO);
    size_t length = client_receive(&client, bytes, sizeof(bytes));
    ck_assert_uint_gt(length, 26 + 18);
    ck_assert_mem_eq(bytes + 26, "Input/output error", 18);
}
END_TEST

START_TEST(answer_nobody_asked_for_aborts)
{
    struct nbd_request request = {.block.owner = &client.session};
    nbd_reply(&client.session, &request, &client.tx);
}
END_TEST

START_TEST(release_with_a_request_in_flight_aborts)
{
    (void)ask(FLUSH);
    nbd_release(&client.session);
}
END_TEST

static void add_simple(TCase *tcase)
{
    tcase_add_test(tcase, read_is_handed_out_and_answered_with_its_data);
    tcase_add_test(tcase, failed_read_sends_no_data);
    tcase_add_test(tcase, write_brings_its_payload_as_received);
    tcase_add_test(tcase, write_waits_for_its_payload);
    tcase_add_test(tcase, longest_write_is_one_payload);
    tcase_add_test(tcase, write_beyond_the_longest_closes);
    tcase_add_test(tcase, refused_write_is_answered_after_its_payload);
    tcase_add_test(tcase, refused_payload_is_never_held);
    tcase_add_test(tcase, request_without_magic_closes);
    tcase_add_test(tcase, requests_are_handed_out_one_by_one_and_answered_in_any_order);
    tcase_add_test(tcase, cache_is_answered_on_the_spot);
    tcase_add_test(tcase, empty_read_and_write_are_answered_on_the_spot);
    tcase_add_test(tcase, disc_closes_without_an_answer);
    tcase_add_test(tcase, disc_waits_for_what_is_in_flight);
    tcase_add_test(tcase, nothing_is_read_after_disc);
    tcase_add_test(tcase, more_than_the_most_in_flight_wait);
    tcase_add_test(tcase, more_than_the_most_bytes_in_flight_wait);
    tcase_add_test(tcase, empty_pool_makes_wait);
    tcase_add_test(tcase, client_that_does_not_read_is_held_back);
    tcase_add_test(tcase, dropped_request_is_given_back_without_an_answer);
}

static void add_reserved(TCase *tcase)
{
    tcase_add_test(tcase, export_reserved_while_a_payload_comes_is_not_written);
    tcase_add_test(tcase, request_waits_until_reservations_are_known);
    tcase_add_test(tcase, deleted_export_holds_no_request);
}

static void add_deleted(TCase *tcase)
{
    tcase_add_test(tcase, deleted_export_closes_an_idle_session);
    tcase_add_test(tcase, deleted_export_answers_what_was_asked_then_closes);
    tcase_add_test(tcase, deleted_export_waits_for_what_is_in_flight);
    tcase_add_test(tcase, export_deleted_while_a_payload_comes_is_not_written);
    tcase_add_test(tcase, deleted_export_does_not_wait_for_a_payload);
}

int main(void)
{
    Suite *suite = suite_create("nbd");
    TCase *simple = tcase_create("simple replies");
    TCase *structured = tcase_create("structured replies");
    tcase_add_checked_fixture(simple, setup, teardown);
    add_simple(simple);
    add_reserved(simple);
    add_deleted(simple);
    tcase_add_test_raise_signal(simple, answer_nobody_asked_for_aborts, SIGABRT);
    tcase_add_test_raise_signal(simple, release_with_a_request_in_flight_aborts, SIGABRT);
    tcase_add_checked_fixture(structured, setup_structured, teardown);
    tcase_add_test(structured, structured_read_is_a_chunk);
    tcase_add_test(structured, block_status_asks_the_volume);
    tcase_add_test(structured, block_status_that_the_volume_does_not_know_is_all_data);
    tcase_add_test(structured, one_extent_is_asked_for_as_one_run);
    tcase_add_test(structured, each_context_is_a_question_of_its_own);
    tcase_add_test(structured, context_that_fails_ends_the_answer);
    tcase_add_test(structured, question_that_is_not_asked_again_is_given_back);
    tcase_add_test(structured, structured_failure_tells_the_reason);
    suite_add_tcase(suite, simple);
    suite_add_tcase(suite, structured);
    return suite_run(suite);
}
