/* SPDX-License-Identifier: Apache-2.0 */
/* A volume is made larger. */
#include "tests/unit/target/control/snapshots.h"

static const char v1_path[] = "/v1/volumes/v1";

static void grow_v1(const char *body)
{
    serving_v1();
    volume_state = REPL_SERVING;
    grow_asked = 0;
    ask(HTTP_PATCH, v1_path, "", body);
    turns(2);
}

/* The volume has this size, and grows no more. */
static void grown(uint64_t size_bytes)
{
    struct config config = *volume_config(volume_last);
    config.size_bytes = size_bytes;
    grow_waits = false;
    config_comes(volume_last, &config);
    turns(2);
}

START_TEST(grow_is_answered_when_the_volume_has_the_size)
{
    grow_v1("{\"size_bytes\": 8388608}");
    ck_assert_uint_eq(grow_asked, 8 << 20);
    ck_assert_uint_eq(answer_code, 0);
    grown(8 << 20);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "size_bytes")), 8 << 20);
}
END_TEST

START_TEST(no_room_is_told)
{
    grow_v1("{\"size_bytes\": 8388608}");
    grown(1 << 20);
    ck_assert_uint_eq(answer_code, 507);
}
END_TEST

START_TEST(a_smaller_size_is_refused)
{
    grow_v1("{\"size_bytes\": 4096}");
    ck_assert_uint_eq(answer_code, 409);
    ck_assert_uint_eq(grow_asked, 0);
    ck_assert_ptr_nonnull(strstr(answer_text("error"), "do not shrink"));
}
END_TEST

START_TEST(an_odd_size_is_refused)
{
    grow_v1("{\"size_bytes\": 8388609}");
    ck_assert_uint_eq(answer_code, 400);
    ck_assert_uint_eq(grow_asked, 0);
}
END_TEST

START_TEST(the_size_that_it_has_is_fine)
{
    grow_v1("{\"size_bytes\": 1048576}");
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_uint_eq(grow_asked, 0);
}
END_TEST

START_TEST(who_does_not_serve_does_not_grow)
{
    serving_v1();
    volume_state = REPL_RECOVERING;
    ask(HTTP_PATCH, v1_path, "", "{\"size_bytes\": 8388608}");
    turns(2);
    ck_assert_uint_eq(answer_code, 503);
    ck_assert_ptr_nonnull(strstr(answer_text("error"), "so it is"));
}
END_TEST

START_TEST(a_size_comes_alone)
{
    grow_v1("{\"size_bytes\": 8388608, \"owner\": \"ann\"}");
    ck_assert_uint_eq(answer_code, 400);
    ck_assert_uint_eq(grow_asked, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        grow_is_answered_when_the_volume_has_the_size,
        no_room_is_told,
        a_smaller_size_is_refused,
        an_odd_size_is_refused,
        the_size_that_it_has_is_fine,
        who_does_not_serve_does_not_grow,
        a_size_comes_alone,
    };
    return tests_run("grow", tests, ARRAY_COUNT(tests));
}
