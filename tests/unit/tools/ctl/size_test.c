/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes as people write and read them. */
#include "tests/lib/suite.h"
#include "tools/ctl/ctl.h"

#include <string.h>

static uint64_t parsed(const char *text)
{
    struct error error = {""};
    uint64_t bytes = 0;
    int status = size_parse(text, &bytes, &error);
    ck_assert_msg(status == 0, "%s: %s", text, error.text);
    return bytes;
}

static void refused(const char *text, const char *words)
{
    struct error error = {""};
    uint64_t bytes;
    ck_assert_int_eq(size_parse(text, &bytes, &error), -1);
    ck_assert_msg(strstr(error.text, words), "\"%s\" does not say \"%s\"", error.text, words);
}

START_TEST(units_are_of_1024)
{
    ck_assert_uint_eq(parsed("4096"), 4096);
    ck_assert_uint_eq(parsed("4096B"), 4096);
    ck_assert_uint_eq(parsed("64K"), 64 << 10);
    ck_assert_uint_eq(parsed("512M"), 512 << 20);
    ck_assert_uint_eq(parsed("512MiB"), 512 << 20);
    ck_assert_uint_eq(parsed("10g"), (uint64_t)10 << 30);
    ck_assert_uint_eq(parsed("1T"), (uint64_t)1 << 40);
    ck_assert_uint_eq(parsed("1PiB"), (uint64_t)1 << 50);
}
END_TEST

START_TEST(nonsense_is_refused_with_the_reason)
{
    refused("", "number");
    refused("banana", "banana");
    refused("-5G", "number");
    refused("10X", "\"X\"");
    refused("10GB", "\"GB\"");
    refused("1.5G", "\".5G\"");
    refused("10 G", "unit");
    refused("10Gi", "unit");
}
END_TEST

START_TEST(too_large_is_refused)
{
    refused("9223372036854775808", "too large");
    refused("99999999999999999999999999", "too large");
    refused("8192P", "too large");
    ck_assert_uint_eq(parsed("9223372036854775807"), INT64_MAX);
}
END_TEST

START_TEST(sizes_are_shown_in_the_largest_unit)
{
    char text[CTL_SIZE_TEXT_BYTES];
    size_format(0, text);
    ck_assert_str_eq(text, "0 bytes");
    size_format(1023, text);
    ck_assert_str_eq(text, "1023 bytes");
    size_format(10 << 20, text);
    ck_assert_str_eq(text, "10 MiB");
    size_format((uint64_t)3 << 29, text);
    ck_assert_str_eq(text, "1.5 GiB");
    size_format(UINT64_MAX, text);
    ck_assert_str_eq(text, "16384.0 PiB");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("size");
    tcase_add_test(tcase, units_are_of_1024);
    tcase_add_test(tcase, nonsense_is_refused_with_the_reason);
    tcase_add_test(tcase, too_large_is_refused);
    tcase_add_test(tcase, sizes_are_shown_in_the_largest_unit);
    Suite *suite = suite_create("size");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
