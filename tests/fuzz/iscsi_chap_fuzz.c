/* SPDX-License-Identifier: Apache-2.0 */
/* CHAP's values: whatever the text, no more is written than there is room for. */
#include "target/front/iscsi/chap.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    uint32_t room = data[0];
    uint32_t length = (uint32_t)(size - 1);
    char *text = malloc(length + 1); /* so that a read past its end is seen */
    uint8_t *bytes = malloc(room + 1);
    ASSERT(text && bytes);
    memcpy(text, data + 1, length);
    int decoded = chap_binary_decode(text, length, bytes, room);
    ASSERT(decoded >= -1 && decoded <= (int)room);
    int identifier = chap_identifier_decode(text, length);
    ASSERT(identifier >= -1 && identifier <= UINT8_MAX);
    enum chap_algorithm algorithm = chap_choose(text, length);
    ASSERT(algorithm == CHAP_NONE || (algorithm >= CHAP_MD5 && algorithm <= CHAP_SHA3_256));
    if (decoded > 0 && decoded <= CHAP_CHALLENGE_BYTES) {
        char again[CHAP_TEXT_BYTES];
        uint8_t same[CHAP_CHALLENGE_BYTES];
        chap_binary_encode(bytes, (uint32_t)decoded, again);
        int got = chap_binary_decode(again, (uint32_t)strlen(again), same, sizeof(same));
        ASSERT(got == decoded && memcmp(bytes, same, (size_t)decoded) == 0);
    }
    free(bytes);
    free(text);
    return 0;
}
