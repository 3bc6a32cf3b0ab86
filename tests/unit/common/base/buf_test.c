/* SPDX-License-Identifier: Apache-2.0 */
/* Counted buffers: sizes, references, reuse, and the checksums beside the payload. */
#include "common/base/buf.h"
#include "common/base/crc32c.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <string.h>

static struct buf_pool pool;

static void setup(void)
{
    buf_pool_init(&pool, 1u << 20);
}

START_TEST(capacity_is_a_power_of_two_and_slack)
{
    struct buf *small = buf_get(&pool, 0);
    struct buf *next = buf_get(&pool, BUF_BYTES_MIN + BUF_SLACK_BYTES + 1);
    struct buf *largest = buf_get(&pool, BUF_BYTES_MAX);
    ck_assert_uint_eq(small->capacity_bytes, BUF_BYTES_MIN + BUF_SLACK_BYTES);
    ck_assert_uint_eq(next->capacity_bytes, 2 * BUF_BYTES_MIN + BUF_SLACK_BYTES);
    ck_assert_uint_eq(largest->capacity_bytes, BUF_BYTES_MAX + BUF_SLACK_BYTES);
    buf_unref(small);
    buf_unref(next);
    buf_unref(largest);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(buffer_beyond_the_largest_aborts)
{
    (void)buf_get(&pool, BUF_BYTES_MAX + 1);
}
END_TEST

START_TEST(bytes_are_aligned_to_blocks)
{
    struct buf *buf = buf_get(&pool, 1);
    ck_assert_uint_eq((uintptr_t)buf->bytes % BLOCK_BYTES, 0);
    buf_unref(buf);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(last_reference_gives_it_back)
{
    struct buf *buf = buf_get(&pool, 1);
    ck_assert_ptr_eq(buf_ref(buf), buf);
    buf_unref(buf);
    ck_assert_uint_eq(pool.used_bytes, BUF_BYTES_MIN + BUF_SLACK_BYTES);
    buf_unref(buf);
    ck_assert_uint_eq(pool.used_bytes, 0);
    ck_assert_uint_eq(pool.cached_bytes, BUF_BYTES_MIN + BUF_SLACK_BYTES);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(freed_buffer_is_used_again)
{
    struct buf *buf = buf_get(&pool, 1);
    buf_unref(buf);
    ck_assert_ptr_eq(buf_get(&pool, 1), buf);
    ck_assert_uint_eq(pool.cached_bytes, 0);
    buf_unref(buf);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(cache_is_bounded)
{
    struct buf *a = buf_get(&pool, BUF_BYTES_MAX);
    struct buf *b = buf_get(&pool, BUF_BYTES_MAX);
    buf_unref(a);
    buf_unref(b);
    ck_assert_uint_eq(pool.cached_bytes, BUF_BYTES_MAX + BUF_SLACK_BYTES);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(what_was_used_once_gives_way_to_what_is_used_now)
{
    enum { COUNT = 600 };
    struct buf *small[COUNT];
    for (int i = 0; i < COUNT; i++)
        small[i] = buf_get(&pool, 1);
    for (int i = 0; i < COUNT; i++)
        buf_unref(small[i]);
    struct buf *large = buf_get(&pool, 1u << 20);
    buf_unref(large);
    ck_assert_ptr_eq(buf_get(&pool, 1u << 20), large);
    buf_unref(large);
    ck_assert_uint_le(pool.cached_bytes, BUF_BYTES_MAX + BUF_SLACK_BYTES);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(limit_is_soft_and_says_full)
{
    struct buf *a = buf_get(&pool, (1u << 20) - 1);
    ck_assert(buf_pool_full(&pool));
    struct buf *b = buf_get(&pool, 1);
    ck_assert_ptr_nonnull(b);
    buf_unref(a);
    ck_assert(!buf_pool_full(&pool));
    buf_unref(b);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(release_with_a_buffer_out_aborts)
{
    (void)buf_get(&pool, 1);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(unref_of_null_and_empty_slice_are_harmless)
{
    struct slice empty = {0};
    buf_unref(NULL);
    slice_release(&empty);
    struct slice again = slice_ref(&empty);
    ck_assert_ptr_null(again.buf);
}
END_TEST

START_TEST(slice_holds_its_buffer)
{
    struct slice slice = slice_get(&pool, 100);
    struct slice other = slice_ref(&slice);
    slice_release(&slice);
    ck_assert_ptr_null(slice.bytes);
    ck_assert_uint_eq(other.buf->refs, 1);
    ck_assert_uint_eq(other.length_bytes, 100);
    slice_release(&other);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(checksums_agree_until_a_byte_changes)
{
    struct slice slice = slice_get(&pool, 2 * BLOCK_BYTES);
    memset(slice.bytes, 0x5a, slice.length_bytes);
    slice_crc_fill(&slice);
    ck_assert(slice_crc_ok(&slice));
    ck_assert_uint_eq(slice_crc(&slice)[1], crc32c(0, slice.bytes + BLOCK_BYTES, BLOCK_BYTES));
    slice.bytes[2 * BLOCK_BYTES - 1] ^= 1;
    ck_assert(!slice_crc_ok(&slice));
    slice_release(&slice);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(unaligned_payloads_of_one_buffer_do_not_share_slots)
{
    struct slice whole = slice_get(&pool, BUF_BYTES_MIN);
    memset(whole.bytes, 0, whole.length_bytes);
    struct slice a = {whole.buf, whole.bytes + 28, BLOCK_BYTES};
    struct slice b = {whole.buf, whole.bytes + 28 + BLOCK_BYTES + 28, BLOCK_BYTES};
    memset(b.bytes, 1, BLOCK_BYTES);
    slice_crc_fill(&a);
    slice_crc_fill(&b);
    ck_assert(slice_crc_ok(&a));
    ck_assert(slice_crc_ok(&b));
    ck_assert_ptr_ne(slice_crc(&a), slice_crc(&b));
    slice_release(&whole);
    buf_pool_release(&pool);
}
END_TEST

START_TEST(checksums_of_part_of_a_block_abort)
{
    struct slice slice = slice_get(&pool, 100);
    slice_crc_fill(&slice);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = tcase_create("buf");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, capacity_is_a_power_of_two_and_slack);
    tcase_add_test_raise_signal(tcase, buffer_beyond_the_largest_aborts, SIGABRT);
    tcase_add_test(tcase, bytes_are_aligned_to_blocks);
    tcase_add_test(tcase, last_reference_gives_it_back);
    tcase_add_test(tcase, freed_buffer_is_used_again);
    tcase_add_test(tcase, cache_is_bounded);
    tcase_add_test(tcase, what_was_used_once_gives_way_to_what_is_used_now);
    tcase_add_test(tcase, limit_is_soft_and_says_full);
    tcase_add_test_raise_signal(tcase, release_with_a_buffer_out_aborts, SIGABRT);
    tcase_add_test(tcase, unref_of_null_and_empty_slice_are_harmless);
    tcase_add_test(tcase, slice_holds_its_buffer);
    tcase_add_test(tcase, checksums_agree_until_a_byte_changes);
    tcase_add_test(tcase, unaligned_payloads_of_one_buffer_do_not_share_slots);
    tcase_add_test_raise_signal(tcase, checksums_of_part_of_a_block_abort, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
