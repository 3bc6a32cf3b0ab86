/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a header segment that says how long its PDU is. */
#include "target/front/iscsi/pdu.h"

#include "common/base/bytes.h"

void pdu_lengths_decode(const uint8_t *bhs, struct pdu_lengths *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t opcode = read_u8(&r);
    p->opcode = opcode & 0x3f;
    p->immediate = opcode & 0x40;
    read_skip(&r, 3);
    p->ahs_bytes = (uint32_t)read_u8(&r) * 4;
    p->data_bytes = read_u24(&r);
    ASSERT(!r.bad);
}
