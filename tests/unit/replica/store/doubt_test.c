/* SPDX-License-Identifier: Apache-2.0 */
/* The set of blocks whose checksums may be wrong. */
#include "replica/store/doubt.h"
#include "tests/lib/suite.h"

#define FAR_AWAY ((uint64_t)15 << 40)

static struct doubt doubt;

static void teardown(void)
{
    doubt_release(&doubt);
}

START_TEST(what_was_added_is_in_it_and_nothing_beside)
{
    doubt_add(&doubt, 8192, 8192);
    ck_assert_uint_eq(doubt.blocks, 2);
    ck_assert(!doubt_has(&doubt, 4096) && doubt_has(&doubt, 8192));
    ck_assert(doubt_has(&doubt, 12288) && !doubt_has(&doubt, 16384));
}
END_TEST

START_TEST(same_block_twice_counts_once)
{
    doubt_add(&doubt, 0, 8192);
    doubt_add(&doubt, 4096, 8192);
    ck_assert_uint_eq(doubt.blocks, 3);
}
END_TEST

START_TEST(far_apart_blocks_cost_little_and_come_in_order)
{
    uint64_t offset, length;
    doubt_add(&doubt, FAR_AWAY, 4096);
    doubt_add(&doubt, 4096, 4096);
    ck_assert_uint_eq(doubt.count, 2);
    ck_assert(doubt_next(&doubt, 0, 65536, &offset, &length));
    ck_assert_uint_eq(offset, 4096);
    ck_assert(doubt_next(&doubt, 8192, 65536, &offset, &length));
    ck_assert_uint_eq(offset, FAR_AWAY);
    ck_assert_uint_eq(length, 4096);
    ck_assert(!doubt_next(&doubt, FAR_AWAY + 4096, 65536, &offset, &length));
}
END_TEST

START_TEST(run_is_as_long_as_asked_for_at_most)
{
    uint64_t offset, length;
    doubt_add(&doubt, 0, 1u << 20);
    ck_assert(doubt_next(&doubt, 0, 65536, &offset, &length));
    ck_assert_uint_eq(length, 65536);
}
END_TEST

START_TEST(removal_of_a_long_range_skips_what_was_never_in_it)
{
    doubt_add(&doubt, 4096, 4096);
    doubt_add(&doubt, FAR_AWAY, 8192);
    doubt_remove(&doubt, 0, FAR_AWAY + 4096);
    ck_assert_uint_eq(doubt.blocks, 1);
    ck_assert(doubt_has(&doubt, FAR_AWAY + 4096));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doubt");
    TCase *tcase = tcase_create("doubt");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, what_was_added_is_in_it_and_nothing_beside);
    tcase_add_test(tcase, same_block_twice_counts_once);
    tcase_add_test(tcase, far_apart_blocks_cost_little_and_come_in_order);
    tcase_add_test(tcase, run_is_as_long_as_asked_for_at_most);
    tcase_add_test(tcase, removal_of_a_long_range_skips_what_was_never_in_it);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
