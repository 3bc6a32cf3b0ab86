/* SPDX-License-Identifier: Apache-2.0 */
/* CHAP's digests and values. */
#include "target/front/iscsi/chap.h"
#include "tests/lib/suite.h"

#include <string.h>

/* Of identifier 11h, "secret of alice" and a challenge of 0, 1, 2... */
static const struct {
    enum chap_algorithm algorithm;
    const char *response;
} digests[] = {
    {CHAP_MD5, "0x3198940c7113569acbfa7684bc175e49"},
    {CHAP_SHA1, "0xbc061fa44119ff383f14d51ea9cf32379d89643c"},
    {CHAP_SHA256, "0x79fc522841338c8348c9729d141261014721cbb4bbe8c2264da816ce38d64d3e"},
    {CHAP_SHA3_256, "0x1d745c589eb7afc1914f99ee23bee4224f8741d71305fa6bb5767f07b548d547"},
};

START_TEST(response_is_the_digest_of_identifier_secret_and_challenge)
{
    static const char secret[] = "secret of alice";
    uint8_t challenge[CHAP_CHALLENGE_BYTES];
    uint8_t response[CHAP_DIGEST_BYTES_MAX];
    char text[CHAP_TEXT_BYTES];
    for (uint8_t i = 0; i < sizeof(challenge); i++)
        challenge[i] = i;
    uint32_t length = chap_response(digests[_i].algorithm, 0x11, (const uint8_t *)secret,
                                    sizeof(secret) - 1, challenge, sizeof(challenge), response);
    chap_binary_encode(response, length, text);
    ck_assert_str_eq(text, digests[_i].response);
}
END_TEST

START_TEST(unknown_algorithm_gives_no_response)
{
    uint8_t any[CHAP_DIGEST_BYTES_MAX] = {0};
    ck_assert_uint_eq(chap_response(CHAP_NONE, 1, any, 1, any, 1, any), 0);
}
END_TEST

static const struct {
    const char *list;
    enum chap_algorithm want;
} lists[] = {
    {"5", CHAP_MD5},           {"7,5", CHAP_SHA256}, {"5,7", CHAP_MD5}, {"8,7,6,5", CHAP_SHA3_256},
    {"4,9,6", CHAP_SHA1},      {"55", CHAP_NONE},    {"", CHAP_NONE},   {",,", CHAP_NONE},
    {"0x7,05,7", CHAP_SHA256},
};

START_TEST(initiators_first_known_algorithm_is_chosen)
{
    ck_assert_int_eq(chap_choose(lists[_i].list, (uint32_t)strlen(lists[_i].list)), lists[_i].want);
}
END_TEST

static const struct {
    const char *text;
    int length;
    const char *bytes;
} binaries[] = {
    {"0x616263", 3, "abc"},
    {"0X6A6b", 2, "jk"},
    {"0x161", 2, "\x01\x61"},
    {"0x", 0, ""},
    {"0bYWJj", 3, "abc"},
    {"0BYWI=", 2, "ab"},
    {"0bYQ==", 1, "a"},
    {"0b", 0, ""},
    {"0xzz", -1, NULL},
    {"616263", -1, NULL},
    {"", -1, NULL},
    {"0", -1, NULL},
    {"0bYWJ", -1, NULL},
    {"0bYW==Jj", -1, NULL},
    {"0bYQ=", -1, NULL},
    {"0d12", -1, NULL},
    {"0x6162636465", -1, NULL},
    {"0bYWJjZGU=", -1, NULL},
};

START_TEST(binary_value_is_hexadecimal_or_base64)
{
    uint8_t bytes[4];
    int length = chap_binary_decode(binaries[_i].text, (uint32_t)strlen(binaries[_i].text), bytes,
                                    sizeof(bytes));
    ck_assert_int_eq(length, binaries[_i].length);
    if (length > 0)
        ck_assert_mem_eq(bytes, binaries[_i].bytes, (size_t)length);
}
END_TEST

static const struct {
    const char *text;
    int value;
} identifiers[] = {
    {"0", 0},   {"255", 255}, {"0x1F", 31}, {"256", -1},   {"", -1},
    {"0x", -1}, {"1a", -1},   {"-1", -1},   {"0x100", -1},
};

START_TEST(identifier_is_one_byte)
{
    ck_assert_int_eq(
        chap_identifier_decode(identifiers[_i].text, (uint32_t)strlen(identifiers[_i].text)),
        identifiers[_i].value);
}
END_TEST

START_TEST(digests_differ_in_any_byte)
{
    const uint8_t a[4] = {1, 2, 3, 4};
    const uint8_t b[4] = {1, 2, 3, 5};
    ck_assert(chap_equal(a, a, 4));
    ck_assert(!chap_equal(a, b, 4));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("chap");
    tcase_add_loop_test(tcase, response_is_the_digest_of_identifier_secret_and_challenge, 0,
                        ARRAY_COUNT(digests));
    tcase_add_test(tcase, unknown_algorithm_gives_no_response);
    tcase_add_loop_test(tcase, initiators_first_known_algorithm_is_chosen, 0, ARRAY_COUNT(lists));
    tcase_add_loop_test(tcase, binary_value_is_hexadecimal_or_base64, 0, ARRAY_COUNT(binaries));
    tcase_add_loop_test(tcase, identifier_is_one_byte, 0, ARRAY_COUNT(identifiers));
    tcase_add_test(tcase, digests_differ_in_any_byte);
    Suite *suite = suite_create("chap");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
