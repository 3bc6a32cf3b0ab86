/* SPDX-License-Identifier: Apache-2.0 */
/* The cursors: byte order, bounds, and the failure that sticks. */
#include "common/base/bytes.h"
#include "tests/lib/suite.h"

#include <signal.h>

static const uint8_t nine[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

START_TEST(reads_big_endian)
{
    struct reader r = reader_of(nine, sizeof(nine));
    ck_assert_uint_eq(read_u8(&r), 0x01);
    ck_assert_uint_eq(read_u16(&r), 0x0203);
    ck_assert_uint_eq(read_u24(&r), 0x040506);
    ck_assert_uint_eq(reader_left(&r), 3);
    r = reader_of(nine, sizeof(nine));
    ck_assert_uint_eq(read_u32(&r), 0x01020304);
    r = reader_of(nine, sizeof(nine));
    ck_assert_uint_eq(read_u64(&r), 0x0102030405060708);
    ck_assert(!r.bad);
}
END_TEST

START_TEST(read_past_the_end_gives_zero_and_sets_bad)
{
    struct reader r = reader_of(nine, 7);
    ck_assert_uint_eq(read_u64(&r), 0);
    ck_assert(r.bad);
}
END_TEST

START_TEST(bad_sticks_even_where_bytes_are_left)
{
    struct reader r = reader_of(nine, 3);
    (void)read_u32(&r);
    ck_assert_uint_eq(read_u8(&r), 0);
    ck_assert(r.bad);
}
END_TEST

START_TEST(read_copy_that_fails_fills_with_zeros)
{
    uint8_t to[4] = {9, 9, 9, 9};
    struct reader r = reader_of(nine, 3);
    read_copy(&r, to, sizeof(to));
    ck_assert(r.bad);
    ck_assert_mem_eq(to, "\0\0\0\0", 4);
}
END_TEST

START_TEST(sub_reader_ends_where_it_was_told)
{
    struct reader r = reader_of(nine, sizeof(nine));
    struct reader sub = read_sub(&r, 2);
    ck_assert_uint_eq(read_u16(&sub), 0x0102);
    (void)read_u8(&sub);
    ck_assert(sub.bad);
    ck_assert(!r.bad);
    ck_assert_uint_eq(read_u8(&r), 3);
}
END_TEST

START_TEST(sub_reader_of_too_much_is_bad_on_both_sides)
{
    struct reader r = reader_of(nine, sizeof(nine));
    struct reader sub = read_sub(&r, 10);
    ck_assert(sub.bad);
    ck_assert(r.bad);
}
END_TEST

START_TEST(empty_reader_is_good_until_it_is_read)
{
    struct reader r = reader_of(NULL, 0);
    read_skip(&r, 0);
    ck_assert(!r.bad);
    read_skip(&r, 1);
    ck_assert(r.bad);
}
END_TEST

START_TEST(writes_big_endian)
{
    uint8_t out[18];
    struct writer w = writer_of(out, sizeof(out));
    write_u8(&w, 0x01);
    write_u16(&w, 0x0203);
    write_u24(&w, 0x040506);
    write_u32(&w, 0x0708090a);
    write_u64(&w, 0x0b0c0d0e0f101112);
    ck_assert(!w.bad);
    ck_assert_uint_eq(writer_left(&w), 0);
    ck_assert_uint_eq(writer_length(&w), sizeof(out));
    for (uint8_t i = 0; i < sizeof(out); i++)
        ck_assert_uint_eq(out[i], i + 1);
}
END_TEST

START_TEST(write_past_the_end_is_dropped_whole_and_sets_bad)
{
    uint8_t out[7] = {0};
    struct writer w = writer_of(out, sizeof(out));
    write_u64(&w, UINT64_MAX);
    ck_assert(w.bad);
    ck_assert_uint_eq(writer_length(&w), 0);
    ck_assert_mem_eq(out, "\0\0\0\0\0\0\0", 7);
    write_u8(&w, 1);
    ck_assert_uint_eq(writer_length(&w), 0);
}
END_TEST

START_TEST(write_zeros_clears_what_was_there)
{
    uint8_t out[3] = {7, 7, 7};
    struct writer w = writer_of(out, sizeof(out));
    write_zeros(&w, 2);
    ck_assert_mem_eq(out, "\0\0\7", 3);
}
END_TEST

START_TEST(u24_out_of_range_is_a_programmers_error)
{
    uint8_t out[3];
    struct writer w = writer_of(out, sizeof(out));
    write_u24(&w, 1u << 24);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *tcase = tcase_create("bytes");
    tcase_add_test(tcase, reads_big_endian);
    tcase_add_test(tcase, read_past_the_end_gives_zero_and_sets_bad);
    tcase_add_test(tcase, bad_sticks_even_where_bytes_are_left);
    tcase_add_test(tcase, read_copy_that_fails_fills_with_zeros);
    tcase_add_test(tcase, sub_reader_ends_where_it_was_told);
    tcase_add_test(tcase, sub_reader_of_too_much_is_bad_on_both_sides);
    tcase_add_test(tcase, empty_reader_is_good_until_it_is_read);
    tcase_add_test(tcase, writes_big_endian);
    tcase_add_test(tcase, write_past_the_end_is_dropped_whole_and_sets_bad);
    tcase_add_test(tcase, write_zeros_clears_what_was_there);
    tcase_add_test_raise_signal(tcase, u24_out_of_range_is_a_programmers_error, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
