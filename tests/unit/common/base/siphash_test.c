/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4-128 against the reference implementation's vectors. */
#include "common/base/siphash.h"
#include "tests/lib/suite.h"

static const struct {
    size_t length;
    uint8_t hash[SIPHASH_BYTES];
} vectors[] = {
    {0,
     {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02,
      0x93}},
    {1,
     {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc,
      0x45}},
};

START_TEST(hash_is_the_references)
{
    uint8_t key[SIPHASH_KEY_BYTES], bytes[64], hash[SIPHASH_BYTES];
    for (uint8_t i = 0; i < sizeof(key); i++)
        key[i] = i;
    for (uint8_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = i;
    siphash(key, bytes, vectors[_i].length, hash);
    ck_assert_mem_eq(hash, vectors[_i].hash, sizeof(hash));
}
END_TEST

START_TEST(every_byte_counts_and_so_does_the_key)
{
    uint8_t key[SIPHASH_KEY_BYTES] = {1}, bytes[23] = {0};
    uint8_t first[SIPHASH_BYTES], other[SIPHASH_BYTES];
    siphash(key, bytes, sizeof(bytes), first);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] ^= 1;
        siphash(key, bytes, sizeof(bytes), other);
        ck_assert_mem_ne(first, other, sizeof(first));
        bytes[i] ^= 1;
    }
    key[15] = 1;
    siphash(key, bytes, sizeof(bytes), other);
    ck_assert_mem_ne(first, other, sizeof(first));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/siphash");
    TCase *tests = tcase_create("siphash");
    tcase_add_loop_test(tests, hash_is_the_references, 0, 2);
    tcase_add_test(tests, every_byte_counts_and_so_does_the_key);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
