/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits. */
#include "common/base/hex.h"
#include "tests/lib/suite.h"

START_TEST(digits_of_either_case_have_their_value)
{
    ck_assert_int_eq(hex_digit('0'), 0);
    ck_assert_int_eq(hex_digit('9'), 9);
    ck_assert_int_eq(hex_digit('a'), 10);
    ck_assert_int_eq(hex_digit('F'), 15);
}
END_TEST

START_TEST(neighbours_of_digits_are_none)
{
    const char none[] = "/:@G`g";
    for (int i = 0; none[i]; i++)
        ck_assert_int_eq(hex_digit(none[i]), -1);
    ck_assert_int_eq(hex_digit('\0'), -1);
}
END_TEST

START_TEST(byte_is_two_digits)
{
    ck_assert_int_eq(hex_byte("a5"), 0xa5);
    ck_assert_int_eq(hex_byte("5x"), -1);
}
END_TEST

START_TEST(byte_ends_with_the_text)
{
    static const char empty[1] = "";
    ck_assert_int_eq(hex_byte(empty), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hex");
    TCase *tcase = tcase_create("hex");
    tcase_add_test(tcase, digits_of_either_case_have_their_value);
    tcase_add_test(tcase, neighbours_of_digits_are_none);
    tcase_add_test(tcase, byte_is_two_digits);
    tcase_add_test(tcase, byte_ends_with_the_text);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
