/* SPDX-License-Identifier: Apache-2.0 */
/* 128-bit identities and their text form. */
#include "common/base/uuid.h"

#include "common/base/hex.h"

struct uuid uuid_from_random(const uint8_t random[UUID_BYTES])
{
    struct uuid uuid;
    memcpy(uuid.bytes, random, UUID_BYTES);
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    return uuid;
}

static bool uuid_dash_after(int byte_idx)
{
    return byte_idx == 3 || byte_idx == 5 || byte_idx == 7 || byte_idx == 9;
}

void uuid_format(const struct uuid *uuid, char text[UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *next = text;
    for (int i = 0; i < UUID_BYTES; i++) {
        *next++ = digits[uuid->bytes[i] >> 4];
        *next++ = digits[uuid->bytes[i] & 15];
        if (uuid_dash_after(i))
            *next++ = '-';
    }
    *next = '\0';
    ASSERT(next == text + UUID_TEXT_BYTES - 1);
}

bool uuid_parse(const char *text, struct uuid *uuid)
{
    for (int i = 0; i < UUID_BYTES; i++) {
        int byte = hex_byte(text);
        if (byte < 0)
            return false;
        uuid->bytes[i] = (uint8_t)byte;
        text += 2;
        if (uuid_dash_after(i) && *text++ != '-')
            return false;
    }
    return *text == '\0';
}
