/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to be sent keep their order, are packed where small and referred to where large. */
#include "common/base/tx.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <string.h>

enum { SMALLEST_BYTES = BUF_BYTES_MIN + BUF_SLACK_BYTES };

static struct buf_pool pool;
static struct tx tx;

static void setup(void)
{
    buf_pool_init(&pool, 1u << 30);
    tx_init(&tx, &pool);
}

static void teardown(void)
{
    tx_release(&tx);
    buf_pool_release(&pool);
}

static void append(const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    memcpy(tx_space(&tx, length), text, length);
}

/* What is queued, as one text. */
static const char *queued(void)
{
    static char text[256];
    struct iovec iov[16];
    int count = tx_vectors(&tx, iov, 16);
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        memcpy(text + length, iov[i].iov_base, iov[i].iov_len);
        length += iov[i].iov_len;
    }
    text[length] = '\0';
    return text;
}

START_TEST(fresh_queue_is_empty)
{
    struct iovec iov[1];
    ck_assert(tx_empty(&tx));
    ck_assert_int_eq(tx_vectors(&tx, iov, 1), 0);
    ck_assert_uint_eq(tx.pending_bytes, 0);
}
END_TEST

START_TEST(small_pieces_become_one_vector)
{
    struct iovec iov[4];
    append("abc");
    append("def");
    ck_assert_int_eq(tx_vectors(&tx, iov, 4), 1);
    ck_assert_str_eq(queued(), "abcdef");
    ck_assert_uint_eq(tx.pending_bytes, 6);
}
END_TEST

START_TEST(payload_keeps_its_place_and_a_reference)
{
    struct slice slice = slice_get(&pool, 3);
    memcpy(slice.bytes, "-p-", 3);
    append("head");
    tx_slice(&tx, &slice);
    append("tail");
    ck_assert_uint_eq(slice.buf->refs, 2);
    ck_assert_str_eq(queued(), "head-p-tail");
    tx_sent(&tx, 7);
    ck_assert_uint_eq(slice.buf->refs, 1);
    ck_assert_str_eq(queued(), "tail");
    slice_release(&slice);
}
END_TEST

START_TEST(empty_payload_adds_nothing)
{
    struct slice empty = {0};
    tx_slice(&tx, &empty);
    ck_assert(tx_empty(&tx));
}
END_TEST

START_TEST(payload_without_a_buffer_is_somebody_elses)
{
    uint8_t bytes[] = {'x', 'y'};
    struct slice slice = {.bytes = bytes, .length_bytes = 2};
    tx_slice(&tx, &slice);
    ck_assert_str_eq(queued(), "xy");
}
END_TEST

START_TEST(partly_sent_piece_goes_on_where_it_stopped)
{
    append("abcdef");
    tx_sent(&tx, 2);
    ck_assert_str_eq(queued(), "cdef");
    append("gh");
    ck_assert_str_eq(queued(), "cdefgh");
    tx_sent(&tx, 6);
    ck_assert(tx_empty(&tx));
}
END_TEST

START_TEST(emptied_queue_holds_no_buffer)
{
    append("abc");
    tx_sent(&tx, 3);
    ck_assert_uint_eq(pool.used_bytes, 0);
    append("next");
    ck_assert_str_eq(queued(), "next");
}
END_TEST

START_TEST(sending_more_than_is_queued_aborts)
{
    append("abc");
    tx_sent(&tx, 4);
}
END_TEST

START_TEST(zeros_are_zero_and_cost_no_buffer)
{
    struct iovec iov[4];
    tx_zeros(&tx, 5000);
    ck_assert_uint_eq(tx.pending_bytes, 5000);
    ck_assert_uint_eq(pool.used_bytes, 0);
    ck_assert_int_eq(tx_vectors(&tx, iov, 4), 2);
    ck_assert_uint_eq(iov[0].iov_len + iov[1].iov_len, 5000);
    ck_assert_mem_eq(iov[1].iov_base, "\0\0\0\0", 4);
}
END_TEST

START_TEST(vectors_stop_at_the_limit)
{
    struct iovec iov[2];
    tx_zeros(&tx, 3 * 4096);
    ck_assert_int_eq(tx_vectors(&tx, iov, 2), 2);
}
END_TEST

START_TEST(small_pieces_move_on_to_a_new_buffer)
{
    memset(tx_space(&tx, BUF_BYTES_MIN), 'a', BUF_BYTES_MIN);
    memset(tx_space(&tx, BUF_SLACK_BYTES - 1), 'a', BUF_SLACK_BYTES - 1);
    append("bc");
    ck_assert_uint_eq(tx.count, 2);
    ck_assert_uint_eq(pool.used_bytes, 2 * SMALLEST_BYTES);
    tx_sent(&tx, SMALLEST_BYTES - 1);
    ck_assert_uint_eq(pool.used_bytes, SMALLEST_BYTES);
    ck_assert_str_eq(queued(), "bc");
}
END_TEST

START_TEST(order_survives_growth_of_a_wrapped_ring)
{
    uint8_t bytes[200];
    for (uint8_t i = 0; i < 200; i++)
        bytes[i] = i;
    struct slice slice = {.length_bytes = 1};
    uint32_t next = 0;
    for (; next < 60; next++) {
        slice.bytes = &bytes[next];
        tx_slice(&tx, &slice);
    }
    tx_sent(&tx, 50);
    for (; next < 200; next++) {
        slice.bytes = &bytes[next];
        tx_slice(&tx, &slice);
    }
    struct iovec iov[150];
    ck_assert_int_eq(tx_vectors(&tx, iov, 150), 150);
    for (uint32_t i = 0; i < 150; i++)
        ck_assert_ptr_eq(iov[i].iov_base, &bytes[50 + i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tx");
    TCase *tcase = tcase_create("tx");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, fresh_queue_is_empty);
    tcase_add_test(tcase, small_pieces_become_one_vector);
    tcase_add_test(tcase, payload_keeps_its_place_and_a_reference);
    tcase_add_test(tcase, empty_payload_adds_nothing);
    tcase_add_test(tcase, payload_without_a_buffer_is_somebody_elses);
    tcase_add_test(tcase, partly_sent_piece_goes_on_where_it_stopped);
    tcase_add_test(tcase, emptied_queue_holds_no_buffer);
    tcase_add_test_raise_signal(tcase, sending_more_than_is_queued_aborts, SIGABRT);
    tcase_add_test(tcase, zeros_are_zero_and_cost_no_buffer);
    tcase_add_test(tcase, vectors_stop_at_the_limit);
    tcase_add_test(tcase, small_pieces_move_on_to_a_new_buffer);
    tcase_add_test(tcase, order_survives_growth_of_a_wrapped_ring);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
