/* SPDX-License-Identifier: Apache-2.0 */
/* CHAP's digests, by OpenSSL, and its binary values. */
#include "target/front/iscsi/chap.h"

#include "common/base/hex.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static const struct {
    enum chap_algorithm algorithm;
    const char *number;
    const EVP_MD *(*digest)(void);
} algorithms[] = {
    {CHAP_MD5, "5", EVP_md5},
    {CHAP_SHA1, "6", EVP_sha1},
    {CHAP_SHA256, "7", EVP_sha256},
    {CHAP_SHA3_256, "8", EVP_sha3_256},
};

static enum chap_algorithm algorithm_of(const char *number, uint32_t length)
{
    for (size_t i = 0; i < ARRAY_COUNT(algorithms); i++) {
        if (length == 1 && number[0] == algorithms[i].number[0])
            return algorithms[i].algorithm;
    }
    return CHAP_NONE;
}

enum chap_algorithm chap_choose(const char *list, uint32_t list_bytes)
{
    const char *end = list + list_bytes;
    for (const char *at = list; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        uint32_t length = (uint32_t)((comma ? comma : end) - at);
        enum chap_algorithm algorithm = algorithm_of(at, length);
        if (algorithm != CHAP_NONE)
            return algorithm;
        at += length + 1;
    }
    return CHAP_NONE;
}

uint32_t chap_response(enum chap_algorithm algorithm, uint8_t identifier, const uint8_t *secret,
                       uint32_t secret_bytes, const uint8_t *challenge, uint32_t challenge_bytes,
                       uint8_t response[CHAP_DIGEST_BYTES_MAX])
{
    const EVP_MD *digest = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(algorithms); i++) {
        if (algorithms[i].algorithm == algorithm)
            digest = algorithms[i].digest();
    }
    EVP_MD_CTX *context = digest ? EVP_MD_CTX_new() : NULL;
    unsigned int length = 0;
    ASSERT(!digest || EVP_MD_get_size(digest) <= CHAP_DIGEST_BYTES_MAX);
    bool done = context && EVP_DigestInit_ex(context, digest, NULL) == 1 &&
                EVP_DigestUpdate(context, &identifier, 1) == 1 &&
                EVP_DigestUpdate(context, secret, secret_bytes) == 1 &&
                EVP_DigestUpdate(context, challenge, challenge_bytes) == 1 &&
                EVP_DigestFinal_ex(context, response, &length) == 1;
    EVP_MD_CTX_free(context);
    return done ? length : 0;
}

bool chap_equal(const uint8_t *a, const uint8_t *b, uint32_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* An odd number of digits has a zero before the first (RFC 7143 section 6.1). */
static int hex_decode(const char *text, uint32_t digits, uint8_t *bytes, uint32_t max)
{
    uint32_t length = digits / 2 + digits % 2;
    if (length > max)
        return -1;
    memset(bytes, 0, length);
    for (uint32_t i = 0; i < digits; i++) {
        int digit = hex_digit(text[i]);
        uint32_t at = (i + digits % 2) / 2;
        if (digit < 0)
            return -1;
        bytes[at] = (uint8_t)(bytes[at] << 4 | digit);
    }
    return (int)length;
}

/* RFC 4648 section 4, with its padding. */
static int base64_decode(const char *text, uint32_t digits, uint8_t *bytes, uint32_t max)
{
    uint32_t length = 0;
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    if (digits % 4 != 0)
        return -1;
    for (int i = 0; i < 2 && digits > 0 && text[digits - 1] == '='; i++)
        digits--;
    for (uint32_t i = 0; i < digits; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        bit_count += 6;
        if (bit_count < 8)
            continue;
        if (length == max)
            return -1;
        bit_count -= 8;
        bytes[length++] = (uint8_t)(bits >> bit_count);
    }
    return (int)length;
}

int chap_binary_decode(const char *text, uint32_t text_bytes, uint8_t *bytes, uint32_t max)
{
    if (text_bytes < 2 || text[0] != '0')
        return -1;
    if (text[1] == 'x' || text[1] == 'X')
        return hex_decode(text + 2, text_bytes - 2, bytes, max);
    if (text[1] == 'b' || text[1] == 'B')
        return base64_decode(text + 2, text_bytes - 2, bytes, max);
    return -1;
}

void chap_binary_encode(const uint8_t *bytes, uint32_t length, char text[CHAP_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    ASSERT(length <= CHAP_CHALLENGE_BYTES);
    *text++ = '0';
    *text++ = 'x';
    for (uint32_t i = 0; i < length; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    *text = '\0';
}

int chap_identifier_decode(const char *text, uint32_t text_bytes)
{
    bool hex = text_bytes > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    int sum = 0;
    if (text_bytes == 0 || text_bytes > 4)
        return -1;
    for (uint32_t i = hex ? 2 : 0; i < text_bytes; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0 || (!hex && digit > 9))
            return -1;
        sum = sum * (hex ? 16 : 10) + digit;
    }
    return sum <= UINT8_MAX ? sum : -1;
}
