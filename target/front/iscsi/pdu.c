/* SPDX-License-Identifier: Apache-2.0 */
/* The part that all header segments have alike, and how long their PDUs are. */
#include "target/front/iscsi/pdu.h"

struct pdu_head pdu_head_decode(struct reader *r)
{
    struct pdu_head p = {.opcode = read_u8(r)};
    p.flags = read_u8(r);
    p.type[0] = read_u8(r);
    p.type[1] = read_u8(r);
    read_skip(r, 1);
    p.data_bytes = read_u24(r);
    p.lun = read_u64(r);
    p.itt = read_u32(r);
    p.word = read_u32(r);
    return p;
}

void pdu_head_encode(struct writer *w, const struct pdu_head *p)
{
    write_u8(w, p->opcode);
    write_u8(w, p->flags);
    write_u8(w, p->type[0]);
    write_u8(w, p->type[1]);
    write_u8(w, 0);
    write_u24(w, p->data_bytes);
    write_u64(w, p->lun);
    write_u32(w, p->itt);
    write_u32(w, p->word);
}

void pdu_end_encode(struct writer *w)
{
    write_zeros(w, writer_left(w));
    ASSERT(!w->bad && writer_length(w) == PDU_BHS_BYTES);
}

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
