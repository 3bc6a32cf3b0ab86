/* SPDX-License-Identifier: Apache-2.0 */
/* Identities and their text form. */
#include "common/base/uuid.h"
#include "tests/lib/suite.h"

static const char text[] = "00112233-4455-6677-8899-aabbccddeeff";

static const struct uuid uuid = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                                  0xbb, 0xcc, 0xdd, 0xee, 0xff}};

START_TEST(formats_in_lower_case)
{
    char out[UUID_TEXT_BYTES];
    uuid_format(&uuid, out);
    ck_assert_str_eq(out, text);
}
END_TEST

START_TEST(parses_what_it_formats)
{
    struct uuid parsed;
    ck_assert(uuid_parse(text, &parsed));
    ck_assert(uuid_equal(&parsed, &uuid));
}
END_TEST

START_TEST(parses_upper_case)
{
    struct uuid parsed;
    ck_assert(uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", &parsed));
    ck_assert(uuid_equal(&parsed, &uuid));
}
END_TEST

static const char *const not_one[] = {
    "",
    "0",
    "00112233",
    "00112233-",
    "00112233-4455-6677-8899-aabbccddeef",
    "00112233-4455-6677-8899-aabbccddeeff0",
    "00112233-4455-6677-8899-aabbccddeeff ",
    "00112233445566778899aabbccddeeff",
    "0011223-34455-6677-8899-aabbccddeeff",
    "g0112233-4455-6677-8899-aabbccddeeff",
};

START_TEST(refuses_what_is_not_one)
{
    struct uuid parsed;
    ck_assert_msg(!uuid_parse(not_one[_i], &parsed), "%s", not_one[_i]);
}
END_TEST

START_TEST(random_bytes_become_version_4)
{
    uint8_t random[UUID_BYTES];
    memset(random, 0xff, sizeof(random));
    struct uuid made = uuid_from_random(random);
    char out[UUID_TEXT_BYTES];
    uuid_format(&made, out);
    ck_assert_str_eq(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}
END_TEST

START_TEST(zero_is_known)
{
    struct uuid zero = {{0}};
    ck_assert(uuid_is_zero(&zero));
    ck_assert(!uuid_is_zero(&uuid));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uuid");
    TCase *tcase = tcase_create("uuid");
    tcase_add_test(tcase, formats_in_lower_case);
    tcase_add_test(tcase, parses_what_it_formats);
    tcase_add_test(tcase, parses_upper_case);
    tcase_add_loop_test(tcase, refuses_what_is_not_one, 0, sizeof(not_one) / sizeof(not_one[0]));
    tcase_add_test(tcase, random_bytes_become_version_4);
    tcase_add_test(tcase, zero_is_known);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
