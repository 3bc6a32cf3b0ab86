/* SPDX-License-Identifier: Apache-2.0 */
/* The one line that says what went wrong. */
#include "common/base/error.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <string.h>

static struct error error;

START_TEST(set_formats_and_returns_minus_one)
{
    ck_assert_int_eq(error_set(&error, "port %d", 7), -1);
    ck_assert_str_eq(error.text, "port 7");
}
END_TEST

START_TEST(errno_text_follows_a_colon)
{
    ck_assert_int_eq(error_set_errno(&error, ENOENT, "open %s", "/x"), -1);
    ck_assert_str_eq(error.text, "open /x: No such file or directory");
}
END_TEST

START_TEST(errno_may_be_negative)
{
    error_set_errno(&error, -EACCES, "open");
    ck_assert_str_eq(error.text, "open: Permission denied");
}
END_TEST

START_TEST(prefix_goes_in_front)
{
    error_set(&error, "cannot open");
    ck_assert_int_eq(error_prefix(&error, "pool %d", 1), -1);
    ck_assert_str_eq(error.text, "pool 1: cannot open");
}
END_TEST

START_TEST(too_long_a_text_is_cut_and_ended)
{
    char text[2 * ERROR_TEXT_BYTES];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(&error, "%s", text);
    ck_assert_uint_eq(strlen(error.text), ERROR_TEXT_BYTES - 1);
    error_set_errno(&error, EIO, "%s", text);
    ck_assert_uint_eq(strlen(error.text), ERROR_TEXT_BYTES - 1);
}
END_TEST

START_TEST(prefix_keeps_as_much_of_the_old_text_as_fits)
{
    char text[ERROR_TEXT_BYTES];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(&error, "%s", text);
    error_prefix(&error, "p");
    ck_assert_uint_eq(strlen(error.text), ERROR_TEXT_BYTES - 1);
    ck_assert_int_eq(strncmp(error.text, "p: aaa", 6), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = tcase_create("error");
    tcase_add_test(tcase, set_formats_and_returns_minus_one);
    tcase_add_test(tcase, errno_text_follows_a_colon);
    tcase_add_test(tcase, errno_may_be_negative);
    tcase_add_test(tcase, prefix_goes_in_front);
    tcase_add_test(tcase, too_long_a_text_is_cut_and_ended);
    tcase_add_test(tcase, prefix_keeps_as_much_of_the_old_text_as_fits);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
