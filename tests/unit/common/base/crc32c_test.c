/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C against the vectors of RFC 3720 appendix B.4, as values in host order. */
#include "common/base/crc32c.h"
#include "tests/lib/suite.h"

#include <string.h>

START_TEST(check_value)
{
    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
}
END_TEST

START_TEST(zeros)
{
    uint8_t bytes[32] = {0};
    ck_assert_uint_eq(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
}
END_TEST

START_TEST(ones)
{
    uint8_t bytes[32];
    memset(bytes, 0xff, sizeof(bytes));
    ck_assert_uint_eq(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
}
END_TEST

START_TEST(counting_up)
{
    uint8_t bytes[32];
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    ck_assert_uint_eq(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
}
END_TEST

START_TEST(counting_down)
{
    uint8_t bytes[32];
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    ck_assert_uint_eq(crc32c(0, bytes, sizeof(bytes)), 0x113fdb5c);
}
END_TEST

START_TEST(parts_add_up_to_the_whole)
{
    uint32_t part = crc32c(0, "1234", 4);
    ck_assert_uint_eq(crc32c(part, "56789", 5), 0xe3069283);
}
END_TEST

START_TEST(nothing_changes_nothing)
{
    ck_assert_uint_eq(crc32c(0, "", 0), 0);
    ck_assert_uint_eq(crc32c(0xe3069283, "", 0), 0xe3069283);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crc32c");
    TCase *tcase = tcase_create("crc32c");
    tcase_add_test(tcase, check_value);
    tcase_add_test(tcase, zeros);
    tcase_add_test(tcase, ones);
    tcase_add_test(tcase, counting_up);
    tcase_add_test(tcase, counting_down);
    tcase_add_test(tcase, parts_add_up_to_the_whole);
    tcase_add_test(tcase, nothing_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
