/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CHAP's arithmetic (RFC 1994 section 4, RFC 7143 section 12.1.3): algorithms, responses, and
 * binary values as text. Who asks whom for what is auth.c's.
 */
#ifndef STRAKE_FRONT_ISCSI_CHAP_H
#define STRAKE_FRONT_ISCSI_CHAP_H

#include "common/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* CHAP_A, as registered with IANA. */
enum chap_algorithm {
    CHAP_NONE = 0,
    CHAP_MD5 = 5,
    CHAP_SHA1 = 6,
    CHAP_SHA256 = 7,
    CHAP_SHA3_256 = 8,
};

enum {
    CHAP_DIGEST_BYTES_MAX = 32,
    CHAP_CHALLENGE_BYTES = 32,       /* of ours */
    CHAP_CHALLENGE_BYTES_MAX = 1024, /* of theirs (RFC 7143 section 12.1.3) */
    CHAP_TEXT_BYTES = 2 + 2 * CHAP_CHALLENGE_BYTES + 1,
};

/* The first of the comma-separated algorithms that we can; CHAP_NONE when there is none. */
enum chap_algorithm chap_choose(const char *list, uint32_t list_bytes);
/* The digest of identifier, secret and challenge: its length; 0: it cannot be computed. */
MUST_USE uint32_t chap_response(enum chap_algorithm algorithm, uint8_t identifier,
                                const uint8_t *secret, uint32_t secret_bytes,
                                const uint8_t *challenge, uint32_t challenge_bytes,
                                uint8_t response[CHAP_DIGEST_BYTES_MAX]);
/* In a time that does not tell where they differ. */
bool chap_equal(const uint8_t *a, const uint8_t *b, uint32_t length);
/* "0x..." or "0b..." (base64): the number of bytes, at most `max`; -1: it is neither, or longer. */
int chap_binary_decode(const char *text, uint32_t text_bytes, uint8_t *bytes, uint32_t max);
/* "0x..." and a zero; at most CHAP_CHALLENGE_BYTES. */
void chap_binary_encode(const uint8_t *bytes, uint32_t length, char text[CHAP_TEXT_BYTES]);
/* CHAP_I: a number from 0 to 255, decimal or hexadecimal. -1: it is none. */
int chap_identifier_decode(const char *text, uint32_t text_bytes);

#endif
