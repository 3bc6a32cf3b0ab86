/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4-128, as its paper and reference implementation describe it. */
#include "common/base/siphash.h"

#include <string.h>

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t load(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static void store(uint8_t *bytes, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    memcpy(bytes, &value, sizeof(value));
}

static void rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

void siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *bytes, size_t length,
             uint8_t hash[SIPHASH_BYTES])
{
    const uint8_t *at = bytes;
    uint64_t k0 = load(key);
    uint64_t k1 = load(key + 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du ^ 0xee,
                     k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
    uint8_t last[8] = {[7] = (uint8_t)length};
    for (size_t left = length; left >= 8; left -= 8, at += 8)
        absorb(v, load(at));
    if (length % 8)
        memcpy(last, at, length % 8);
    absorb(v, load(last));
    v[2] ^= 0xee;
    rounds(v, 4);
    store(hash, v[0] ^ v[1] ^ v[2] ^ v[3]);
    v[1] ^= 0xdd;
    rounds(v, 4);
    store(hash + 8, v[0] ^ v[1] ^ v[2] ^ v[3]);
}
