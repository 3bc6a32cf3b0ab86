/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text keys: whatever the text, in whatever stage, the values stay in their ranges and the answers
 * in their room. The first byte chooses the stage and the kind of session, the second the room.
 */
#include "target/front/iscsi/negotiate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void values_check(const struct negotiation *n)
{
    ASSERT(n->value[KEY_MAX_RECV_BYTES] >= 512 && n->value[KEY_MAX_RECV_BYTES] < 1u << 24);
    ASSERT(n->value[KEY_MAX_BURST_BYTES] >= 512);
    ASSERT(n->value[KEY_MAX_BURST_BYTES] <= ISCSI_BURST_BYTES_MAX);
    ASSERT(n->value[KEY_FIRST_BURST_BYTES] >= 512);
    ASSERT(n->value[KEY_FIRST_BURST_BYTES] <= ISCSI_FIRST_BURST_BYTES_MAX);
    ASSERT(n->value[KEY_MAX_R2T] >= 1 && n->value[KEY_MAX_R2T] <= ISCSI_R2T_MAX);
    ASSERT(n->value[KEY_MAX_CONNECTIONS] == 1 && n->value[KEY_ERROR_RECOVERY_LEVEL] == 0);
    ASSERT(n->value[KEY_PDU_IN_ORDER] == 1 && n->value[KEY_SEQUENCE_IN_ORDER] == 1);
    ASSERT(n->value[KEY_HEADER_DIGEST] <= 1 && n->value[KEY_DATA_DIGEST] <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum key_stage stages[] = {KEY_IN_SECURITY, KEY_IN_OPERATIONAL,
                                            KEY_IN_FULL_FEATURE};
    if (size < 2)
        return 0;
    struct negotiation n;
    size_t room = data[1] * 33u + 1;
    uint32_t length = (uint32_t)(size - 2);
    uint8_t *space = malloc(room);
    uint8_t *text = malloc(length + 1); /* so that a read past its end is seen */
    ASSERT(space && text);
    memcpy(text, data + 2, length);
    negotiation_init(&n);
    n.discovery = data[0] & 0x80;
    for (int i = 0; i < 2; i++) {
        struct writer answer = writer_of(space, room);
        const char *why = negotiation_take(&n, stages[data[0] % 3], text, length, &answer);
        ASSERT(writer_length(&answer) <= room);
        values_check(&n);
        for (int key = 0; key < KEY_COUNT && !why; key++)
            if (n.text[key])
                ASSERT((const uint8_t *)n.text[key] + n.text_bytes[key] <= text + length);
    }
    free(text);
    free(space);
    return 0;
}
