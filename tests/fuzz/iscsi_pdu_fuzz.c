/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header segments: whatever 48 bytes decode to encodes to a segment that decodes to the same. The
 * first byte chooses the type.
 */
#include "common/base/assert.h"
#include "target/front/iscsi/request.h"
#include "target/front/iscsi/response.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a second pass through the codec yields, given what the first did. */
#define ROUND_TRIP(type)                                                                           \
    static void type##_round_trip(const uint8_t *bhs)                                              \
    {                                                                                              \
        struct pdu_##type pdu;                                                                     \
        uint8_t first[PDU_BHS_BYTES];                                                              \
        uint8_t second[PDU_BHS_BYTES];                                                             \
        pdu_##type##_decode(bhs, &pdu);                                                            \
        pdu_##type##_encode(first, &pdu);                                                          \
        pdu_##type##_decode(first, &pdu);                                                          \
        pdu_##type##_encode(second, &pdu);                                                         \
        ASSERT(memcmp(first, second, PDU_BHS_BYTES) == 0);                                         \
    }

ROUND_TRIP(nop_out)
ROUND_TRIP(command)
ROUND_TRIP(tmf)
ROUND_TRIP(login)
ROUND_TRIP(text)
ROUND_TRIP(data_out)
ROUND_TRIP(logout)
ROUND_TRIP(nop_in)
ROUND_TRIP(scsi_response)
ROUND_TRIP(tmf_response)
ROUND_TRIP(login_response)
ROUND_TRIP(text_response)
ROUND_TRIP(data_in)
ROUND_TRIP(logout_response)
ROUND_TRIP(r2t)
ROUND_TRIP(async)
ROUND_TRIP(reject)

static void (*const round_trips[])(const uint8_t *bhs) = {
    nop_out_round_trip,
    command_round_trip,
    tmf_round_trip,
    login_round_trip,
    text_round_trip,
    data_out_round_trip,
    logout_round_trip,
    nop_in_round_trip,
    scsi_response_round_trip,
    tmf_response_round_trip,
    login_response_round_trip,
    text_response_round_trip,
    data_in_round_trip,
    logout_response_round_trip,
    r2t_round_trip,
    async_round_trip,
    reject_round_trip,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pdu_lengths lengths;
    if (size != 1 + PDU_BHS_BYTES)
        return 0;
    pdu_lengths_decode(data + 1, &lengths);
    ASSERT(lengths.opcode < 0x40 && lengths.ahs_bytes <= 1020 && lengths.data_bytes < 1u << 24);
    round_trips[data[0] % ARRAY_COUNT(round_trips)](data + 1);
    return 0;
}
