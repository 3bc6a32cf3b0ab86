/* SPDX-License-Identifier: Apache-2.0 */
/* When a loop looks for events before it sleeps, and when it leaves that for a while. */
#include "common/net/busy_poll.h"
#include "tests/lib/suite.h"

#define US ((uint64_t)1000)
#define MS (1000 * US)

static struct busy_poll poll;
static uint64_t now_ns;

static void setup(void)
{
    poll = (struct busy_poll){0};
    now_ns = 1000 * MS;
}

static bool begins(void)
{
    return busy_poll_begin(&poll, now_ns);
}

/* A look that ends after so long. */
static void look(uint64_t for_ns, bool came, bool wanted)
{
    ck_assert(begins());
    now_ns += for_ns;
    busy_poll_end(&poll, now_ns, came, wanted);
}

static void look_well(uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        look(20 * US, true, false);
}

static void expect_rest(uint64_t for_ns)
{
    now_ns += for_ns - 1;
    ck_assert(!begins());
    now_ns += 1;
    ck_assert(begins());
    poll.began_ns = 0;
}

START_TEST(it_looks_for_a_tenth_of_a_millisecond)
{
    ck_assert(begins());
    now_ns += 100 * US - 1;
    ck_assert(busy_poll_goes_on(&poll, now_ns));
    now_ns += 1;
    ck_assert(!busy_poll_goes_on(&poll, now_ns));
}
END_TEST

START_TEST(after_a_look_in_vain_it_rests_64_times_as_long)
{
    look(100 * US, false, false);
    expect_rest(6400 * US);
}
END_TEST

START_TEST(what_came_soon_is_looked_for_again_at_once)
{
    look_well(1);
    ck_assert(begins());
}
END_TEST

START_TEST(what_came_late_is_as_good_as_in_vain)
{
    look(41 * US, true, false);
    expect_rest(64 * 41 * US);
}
END_TEST

START_TEST(two_that_paid_make_up_for_one_in_vain)
{
    look_well(2);
    look(100 * US, false, false);
    look(100 * US, false, false);
    expect_rest(6400 * US);
}
END_TEST

START_TEST(four_that_paid_make_up_for_one_in_somebodys_way)
{
    look_well(4);
    look(20 * US, true, true);
    look(20 * US, true, true);
    expect_rest(64 * 20 * US);
}
END_TEST

START_TEST(credit_does_not_last_for_ever)
{
    look_well(1000);
    for (int i = 0; i < 8; i++)
        look(100 * US, false, false);
    look(100 * US, false, false);
    expect_rest(6400 * US);
}
END_TEST

START_TEST(it_rests_longer_each_time_up_to_a_second)
{
    uint64_t rest_ns = 6400 * US;
    for (int i = 0; i < 12; i++) {
        look(100 * US, false, false);
        expect_rest(rest_ns);
        rest_ns = 2 * rest_ns < 1000 * MS ? 2 * rest_ns : 1000 * MS;
    }
}
END_TEST

START_TEST(once_it_paid_rests_begin_short_again)
{
    look(100 * US, false, false);
    now_ns += 6400 * US;
    look(100 * US, false, false);
    now_ns += 12800 * US;
    look_well(1);
    look(100 * US, false, false);
    expect_rest(6400 * US);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("busy_poll");
    TCase *tests = tcase_create("busy_poll");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, it_looks_for_a_tenth_of_a_millisecond);
    tcase_add_test(tests, after_a_look_in_vain_it_rests_64_times_as_long);
    tcase_add_test(tests, what_came_soon_is_looked_for_again_at_once);
    tcase_add_test(tests, what_came_late_is_as_good_as_in_vain);
    tcase_add_test(tests, two_that_paid_make_up_for_one_in_vain);
    tcase_add_test(tests, four_that_paid_make_up_for_one_in_somebodys_way);
    tcase_add_test(tests, credit_does_not_last_for_ever);
    tcase_add_test(tests, it_rests_longer_each_time_up_to_a_second);
    tcase_add_test(tests, once_it_paid_rests_begin_short_again);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
