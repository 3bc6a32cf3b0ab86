/* SPDX-License-Identifier: Apache-2.0 */
/* Limits: when a request may begin. */
#include "target/volume/pace.h"
#include "tests/lib/suite.h"

#define MS ((uint64_t)1000 * 1000)
#define S  (1000 * MS)

static struct pace pace;
static const uint64_t begin_ns = 1000 * S;

static void set(uint64_t ops_per_s, uint64_t bytes_per_s, uint64_t burst_s)
{
    const struct pace_limits limits = {
        .ops_per_s = ops_per_s, .bytes_per_s = bytes_per_s, .burst_ns = burst_s * S};
    pace_set(&pace, &limits, begin_ns);
}

/* How many requests of `bytes` begin between two times, by a client that always has one. */
static uint32_t begun(uint64_t bytes, uint64_t from_ns, uint64_t to_ns)
{
    uint32_t count = 0;
    for (uint64_t now_ns = from_ns; now_ns < to_ns;) {
        uint64_t wait_ns = pace_wait_ns(&pace, now_ns);
        now_ns += wait_ns;
        if (wait_ns > 0)
            continue;
        pace_charge(&pace, bytes, now_ns);
        count++;
    }
    return count;
}

static void ck_about(uint32_t count, uint32_t wanted)
{
    ck_assert_uint_ge(count, wanted - wanted / 100 - 1);
    ck_assert_uint_le(count, wanted + wanted / 100 + 1);
}

START_TEST(operations_are_as_many_as_the_limit_says)
{
    set(1000, 0, 0);
    ck_about(begun(4096, begin_ns, begin_ns + 10 * S), 10000);
}
END_TEST

START_TEST(bytes_are_as_many_as_the_limit_says)
{
    set(0, 10 << 20, 0);
    ck_about(begun(65536, begin_ns, begin_ns + 10 * S), 1600);
}
END_TEST

START_TEST(both_limits_hold)
{
    set(100, 10 << 20, 0);
    ck_about(begun(4096, begin_ns, begin_ns + 10 * S), 1000);
    set(100, 10 << 20, 0);
    ck_about(begun(1 << 20, begin_ns, begin_ns + 10 * S), 100);
}
END_TEST

START_TEST(few_are_not_rounded_away)
{
    set(10, 0, 0);
    ck_about(begun(4096, begin_ns, begin_ns + 100 * S), 1000);
}
END_TEST

START_TEST(many_are_not_rounded_away)
{
    set(100000, 0, 0);
    ck_about(begun(4096, begin_ns, begin_ns + 2 * S), 200000);
}
END_TEST

START_TEST(what_was_not_used_is_saved_for_the_burst)
{
    set(100, 0, 5);
    ck_about(begun(4096, begin_ns + 60 * S, begin_ns + 60 * S + MS), 500);
    ck_about(begun(4096, begin_ns + 61 * S, begin_ns + 71 * S), 1100);
}
END_TEST

START_TEST(nothing_is_saved_without_a_burst)
{
    set(1000, 0, 0);
    ck_assert_uint_le(begun(4096, begin_ns + 60 * S, begin_ns + 60 * S + MS), 4);
}
END_TEST

START_TEST(request_longer_than_a_second_of_the_limit_begins_and_is_paid_for)
{
    set(0, 4 << 20, 0);
    ck_assert_uint_eq(pace_wait_ns(&pace, begin_ns), 0);
    pace_charge(&pace, 32 << 20, begin_ns);
    ck_assert_uint_ge(pace_wait_ns(&pace, begin_ns), 7 * S);
    ck_assert_uint_gt(pace_wait_ns(&pace, begin_ns + 7 * S), 0);
    ck_assert_uint_eq(pace_wait_ns(&pace, begin_ns + 8 * S), 0);
}
END_TEST

START_TEST(without_limits_nothing_waits)
{
    set(0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        pace_charge(&pace, 1 << 20, begin_ns);
        ck_assert_uint_eq(pace_wait_ns(&pace, begin_ns), 0);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        operations_are_as_many_as_the_limit_says,
        bytes_are_as_many_as_the_limit_says,
        both_limits_hold,
        few_are_not_rounded_away,
        many_are_not_rounded_away,
        what_was_not_used_is_saved_for_the_burst,
        nothing_is_saved_without_a_burst,
        request_longer_than_a_second_of_the_limit_begins_and_is_paid_for,
        without_limits_nothing_waits,
    };
    Suite *suite = suite_create("pace");
    TCase *tcase = tcase_create("pace");
    for (size_t i = 0; i < ARRAY_COUNT(tests); i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
