/* SPDX-License-Identifier: Apache-2.0 */
/* Members that are tied to a certificate. */
#include "target/peers/pin.h"

#include <openssl/sha.h>

enum { PIN_BYTES = 7, PIN_AT = UUID_BYTES - PIN_BYTES, PIN_VERSION = 8 };

static void pin_hash(const char *who, uint8_t hash[SHA256_DIGEST_LENGTH])
{
    (void)SHA256((const unsigned char *)who, strlen(who), hash);
}

void pin_member(struct uuid *member, const char *who)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (!who[0])
        return;
    pin_hash(who, hash);
    member->bytes[6] = (uint8_t)((member->bytes[6] & 0x0f) | PIN_VERSION << 4);
    memcpy(member->bytes + PIN_AT, hash, PIN_BYTES);
}

bool pin_proved(const struct uuid *member, const char *who)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    if (member->bytes[6] >> 4 != PIN_VERSION)
        return true;
    pin_hash(who, hash);
    return memcmp(member->bytes + PIN_AT, hash, PIN_BYTES) == 0;
}
