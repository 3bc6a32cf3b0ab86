/* SPDX-License-Identifier: Apache-2.0 */
/* Received bytes stay contiguous and in order, however they arrive. */
#include "common/base/rx.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <string.h>

enum { SMALLEST_BYTES = BUF_BYTES_MIN + BUF_SLACK_BYTES };

static struct buf_pool pool;
static struct rx rx;

static void setup(void)
{
    buf_pool_init(&pool, 1u << 30);
    rx_init(&rx, &pool);
}

static void teardown(void)
{
    rx_release(&rx);
    buf_pool_release(&pool);
}

/* Receives `length` bytes that count up from `first`, in pieces as the room allows. */
static void receive(uint8_t first, uint32_t length)
{
    while (length > 0) {
        uint32_t room;
        uint8_t *space = rx_space(&rx, &room);
        uint32_t step = room < length ? room : length;
        for (uint32_t i = 0; i < step; i++)
            space[i] = first++;
        rx_filled(&rx, step);
        length -= step;
    }
}

START_TEST(holds_no_buffer_before_the_first_byte)
{
    ck_assert_ptr_null(rx_bytes(&rx));
    ck_assert_uint_eq(rx_length(&rx), 0);
    ck_assert_uint_eq(pool.used_bytes, 0);
}
END_TEST

START_TEST(need_remembers_what_it_waits_for)
{
    ck_assert(!rx_need(&rx, 28));
    ck_assert_uint_eq(rx.want_bytes, 28);
    receive(0, 28);
    ck_assert(rx_need(&rx, 28));
    ck_assert_uint_eq(rx_bytes(&rx)[27], 27);
}
END_TEST

START_TEST(skip_consumes)
{
    receive(0, 10);
    rx_skip(&rx, 4);
    ck_assert_uint_eq(rx_length(&rx), 6);
    ck_assert_uint_eq(rx_bytes(&rx)[0], 4);
}
END_TEST

START_TEST(skip_of_more_than_is_there_aborts)
{
    receive(0, 3);
    rx_skip(&rx, 4);
}
END_TEST

START_TEST(taken_payload_outlives_the_queue)
{
    receive(0, 10);
    rx_skip(&rx, 2);
    struct slice slice = rx_take(&rx, 4);
    rx_release(&rx);
    ck_assert_uint_eq(slice.length_bytes, 4);
    ck_assert_uint_eq(slice.bytes[0], 2);
    ck_assert_uint_eq(slice.bytes[3], 5);
    slice_release(&slice);
}
END_TEST

START_TEST(taken_payload_is_not_written_over)
{
    receive(0, 100);
    struct slice slice = rx_take(&rx, 100);
    receive(200, 100);
    ck_assert_uint_eq(slice.bytes[0], 0);
    ck_assert_uint_eq(slice.bytes[99], 99);
    ck_assert_uint_eq(rx_bytes(&rx)[0], 200);
    slice_release(&slice);
}
END_TEST

START_TEST(emptied_buffer_starts_over)
{
    receive(0, SMALLEST_BYTES);
    rx_skip(&rx, SMALLEST_BYTES);
    uint32_t room;
    ck_assert_ptr_eq(rx_space(&rx, &room), rx.buf->bytes);
    ck_assert_uint_eq(room, SMALLEST_BYTES);
    ck_assert_uint_eq(pool.used_bytes, SMALLEST_BYTES);
}
END_TEST

START_TEST(message_that_straddles_is_moved_together)
{
    receive(0, SMALLEST_BYTES);
    rx_skip(&rx, SMALLEST_BYTES - 10);
    ck_assert(!rx_need(&rx, 20));
    uint8_t first = (uint8_t)(SMALLEST_BYTES - 10);
    receive((uint8_t)(first + 10), 10);
    ck_assert(rx_need(&rx, 20));
    for (uint8_t i = 0; i < 20; i++)
        ck_assert_uint_eq(rx_bytes(&rx)[i], (uint8_t)(first + i));
}
END_TEST

START_TEST(large_message_gets_a_buffer_of_its_size)
{
    receive(0, 100);
    ck_assert(!rx_need(&rx, 1u << 20));
    uint32_t room;
    (void)rx_space(&rx, &room);
    ck_assert_uint_eq(rx.buf->capacity_bytes, (1u << 20) + BUF_SLACK_BYTES);
    ck_assert_uint_eq(room, (1u << 20) - 100);
    ck_assert_uint_eq(rx_bytes(&rx)[99], 99);
}
END_TEST

START_TEST(largest_message_fits)
{
    ck_assert(!rx_need(&rx, BUF_BYTES_MAX));
    uint32_t room;
    (void)rx_space(&rx, &room);
    ck_assert_uint_eq(room, BUF_BYTES_MAX);
    rx_filled(&rx, room);
    struct slice slice = rx_take(&rx, BUF_BYTES_MAX);
    (void)rx_space(&rx, &room);
    ck_assert_uint_eq(rx.buf->capacity_bytes, SMALLEST_BYTES);
    slice_release(&slice);
}
END_TEST

START_TEST(trim_lets_an_idle_buffer_go)
{
    receive(0, 10);
    rx_trim(&rx);
    ck_assert_ptr_nonnull(rx.buf);
    rx_skip(&rx, 10);
    rx_trim(&rx);
    ck_assert_ptr_null(rx.buf);
    ck_assert_uint_eq(pool.used_bytes, 0);
    receive(0, 1);
    ck_assert_uint_eq(rx_length(&rx), 1);
}
END_TEST

START_TEST(room_is_worth_a_receive)
{
    uint32_t room;
    (void)rx_space(&rx, &room);
    rx_filled(&rx, room - 100);
    struct slice slice = rx_take(&rx, room - 100);
    (void)rx_space(&rx, &room);
    ck_assert_uint_ge(room, 16u << 10);
    slice_release(&slice);
}
END_TEST

/* A flow of long messages, each asked for whole and taken. */
START_TEST(long_messages_do_not_straddle)
{
    enum { LONG = 130000, ROUNDS = 5 };
    struct slice taken[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        (void)!rx_need(&rx, LONG);
        while (!rx_need(&rx, LONG)) {
            uint32_t room;
            struct buf *before = rx.buf;
            (void)rx_space(&rx, &room);
            /* Never moved once more than the beginning of it is there. */
            ck_assert(rx.buf == before || rx_length(&rx) <= 256);
            rx_filled(&rx, room);
        }
        taken[i] = rx_take(&rx, LONG);
    }
    for (int i = 0; i < ROUNDS; i++)
        slice_release(&taken[i]);
}
END_TEST

START_TEST(short_messages_after_a_long_one_share_small_buffers)
{
    receive(0, 40);
    ck_assert(!rx_need(&rx, 1u << 20));
    receive(0, (1u << 20) - 40);
    rx_skip(&rx, 1u << 20);
    rx_trim(&rx);
    for (int i = 0; i < 6; i++) {
        receive(0, 100);
        rx_skip(&rx, rx_length(&rx));
        rx_trim(&rx);
    }
    receive(0, 100);
    ck_assert_uint_eq(pool.used_bytes, SMALLEST_BYTES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rx");
    TCase *tcase = tcase_create("rx");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, holds_no_buffer_before_the_first_byte);
    tcase_add_test(tcase, need_remembers_what_it_waits_for);
    tcase_add_test(tcase, skip_consumes);
    tcase_add_test_raise_signal(tcase, skip_of_more_than_is_there_aborts, SIGABRT);
    tcase_add_test(tcase, taken_payload_outlives_the_queue);
    tcase_add_test(tcase, taken_payload_is_not_written_over);
    tcase_add_test(tcase, emptied_buffer_starts_over);
    tcase_add_test(tcase, message_that_straddles_is_moved_together);
    tcase_add_test(tcase, large_message_gets_a_buffer_of_its_size);
    tcase_add_test(tcase, largest_message_fits);
    tcase_add_test(tcase, trim_lets_an_idle_buffer_go);
    tcase_add_test(tcase, room_is_worth_a_receive);
    tcase_add_test(tcase, long_messages_do_not_straddle);
    tcase_add_test(tcase, short_messages_after_a_long_one_share_small_buffers);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
