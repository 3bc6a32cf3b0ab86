/* SPDX-License-Identifier: Apache-2.0 */
/* 128-bit identities and their text form (RFC 9562, lower case). Who makes one brings the bytes. */
#ifndef STRAKE_BASE_UUID_H
#define STRAKE_BASE_UUID_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { UUID_BYTES = 16, UUID_TEXT_BYTES = 37 /* with the final zero */ };

struct uuid {
    uint8_t bytes[UUID_BYTES];
};

static inline bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, UUID_BYTES) == 0;
}

static inline bool uuid_is_zero(const struct uuid *uuid)
{
    static const struct uuid zero;
    return uuid_equal(uuid, &zero);
}

/* Version 4 from 16 random bytes. */
struct uuid uuid_from_random(const uint8_t random[UUID_BYTES]);
void uuid_format(const struct uuid *uuid, char text[UUID_TEXT_BYTES]);
/* False when the text is not exactly one. */
MUST_USE bool uuid_parse(const char *text, struct uuid *uuid);

#endif
