/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of a volume: what may be set, where it is kept, who is told. */
#include "tests/unit/target/control/snapshots.h"

static const char v1_path[] = "/v1/volumes/v1";

static void limit_v1(const char *limits)
{
    char body[256];
    snprintf(body, sizeof(body), "{\"limits\": %s}", limits);
    ask(HTTP_PATCH, v1_path, "", body);
    turns(1);
}

static json_int_t limit_told(const char *key)
{
    return json_integer_value(json_object_get(json_object_get(answer, "limits"), key));
}

START_TEST(limits_are_a_row_and_the_volume_is_told)
{
    serving_v1();
    limit_v1("{\"iops\": 500, \"bytes_per_s\": 8388608, \"burst_s\": 3}");
    ck_assert_str_eq(volume_last->command->command.key, "limits");
    command_ends(volume_last, 0);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_int_eq(limit_told("iops"), 500);
    ck_assert_uint_eq(volume_last->limits.ops_per_s, 500);
    ck_assert_uint_eq(volume_last->limits.bytes_per_s, 8388608);
    ck_assert_uint_eq(volume_last->limits.burst_ns, 3000000000u);
}
END_TEST

START_TEST(limit_that_is_not_named_stays)
{
    serving_v1();
    limit_v1("{\"iops\": 500, \"bytes_per_s\": 8388608}");
    command_ends(volume_last, 0);
    limit_v1("{\"iops\": 0}");
    command_ends(volume_last, 0);
    ck_assert_uint_eq(volume_last->limits.ops_per_s, 0);
    ck_assert_uint_eq(volume_last->limits.bytes_per_s, 8388608);
}
END_TEST

START_TEST(burst_goes_with_the_last_limit)
{
    serving_v1();
    limit_v1("{\"iops\": 500, \"burst_s\": 3}");
    command_ends(volume_last, 0);
    limit_v1("{\"iops\": 0}");
    command_ends(volume_last, 0);
    ck_assert_uint_eq(json_object_size(json_object_get(answer, "limits")), 0);
    ck_assert_uint_eq(volume_last->limits.burst_ns, 0);
}
END_TEST

START_TEST(limits_in_the_book_are_told_to_a_volume_that_opens)
{
    serving_v1();
    limit_v1("{\"iops\": 500}");
    command_ends(volume_last, 0);
    volume_last->limits = (struct pace_limits){0};
    book_comes(volume_last);
    ck_assert_uint_eq(volume_last->limits.ops_per_s, 500);
}
END_TEST

static const struct {
    const char *limits;
    const char *why;
} refusals[] = {
    {"5", "object"},
    {"{\"iops\": 9}", "iops: "},
    {"{\"iops\": -1}", "from 10"},
    {"{\"iops\": \"many\"}", "from 10"},
    {"{\"bytes_per_s\": 4194303}", "4 MiB"},
    {"{\"burst_s\": 3601}", "burst_s: "},
    {"{\"speed\": 1}", "there are only"},
};

START_TEST(what_is_no_limit_is_refused)
{
    serving_v1();
    limit_v1(refusals[_i].limits);
    ck_assert_uint_eq(answer_code, 400);
    ck_assert_ptr_nonnull(strstr(answer_text("error"), refusals[_i].why));
    ck_assert_ptr_null(volume_last->command);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        limits_are_a_row_and_the_volume_is_told,
        limit_that_is_not_named_stays,
        burst_goes_with_the_last_limit,
        limits_in_the_book_are_told_to_a_volume_that_opens,
    };
    Suite *suite = suite_create("limit");
    TCase *tcase = tcase_create("limit");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < ARRAY_COUNT(tests); i++)
        tcase_add_test(tcase, tests[i]);
    tcase_add_loop_test(tcase, what_is_no_limit_is_refused, 0, ARRAY_COUNT(refusals));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
