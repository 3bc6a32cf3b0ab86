/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding and encoding of what the initiator sends; each pair reads as the RFC's table does. */
#include "target/front/iscsi/request.h"

/* Bytes 0-31; `type` takes bytes 2 and 3, the result is bytes 20-23. */
static uint32_t request_read(struct reader *r, struct pdu_request *head, uint8_t type[2])
{
    struct pdu_head p = pdu_head_decode(r);
    memcpy(type, p.type, sizeof(p.type));
    *head = (struct pdu_request){.opcode = p.opcode & 0x3f,
                                 .immediate = p.opcode & 0x40,
                                 .flags = p.flags,
                                 .data_bytes = p.data_bytes,
                                 .lun = p.lun,
                                 .itt = p.itt};
    head->cmd_sn = read_u32(r);
    head->exp_stat_sn = read_u32(r);
    return p.word;
}

static void request_write(struct writer *w, const struct pdu_request *head, const uint8_t type[2],
                          uint32_t word)
{
    ASSERT(head->opcode < 0x40);
    const struct pdu_head p = {.opcode = (uint8_t)(head->opcode | (head->immediate ? 0x40 : 0)),
                               .flags = head->flags,
                               .type = {type[0], type[1]},
                               .data_bytes = head->data_bytes,
                               .lun = head->lun,
                               .itt = head->itt,
                               .word = word};
    pdu_head_encode(w, &p);
    write_u32(w, head->cmd_sn);
    write_u32(w, head->exp_stat_sn);
}

static const uint8_t no_type[2];

void pdu_nop_out_decode(const uint8_t *bhs, struct pdu_nop_out *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->ttt = request_read(&r, &p->head, type);
    ASSERT(!r.bad);
}

void pdu_nop_out_encode(uint8_t *bhs, const struct pdu_nop_out *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    request_write(&w, &p->head, no_type, p->ttt);
    pdu_end_encode(&w);
}

void pdu_command_decode(const uint8_t *bhs, struct pdu_command *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->expected_bytes = request_read(&r, &p->head, type);
    read_copy(&r, p->cdb, PDU_CDB_BYTES);
    ASSERT(!r.bad);
}

void pdu_command_encode(uint8_t *bhs, const struct pdu_command *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    request_write(&w, &p->head, no_type, p->expected_bytes);
    write_bytes(&w, p->cdb, PDU_CDB_BYTES);
    pdu_end_encode(&w);
}

void pdu_tmf_decode(const uint8_t *bhs, struct pdu_tmf *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->ref_itt = request_read(&r, &p->head, type);
    p->ref_cmd_sn = read_u32(&r);
    p->exp_data_sn = read_u32(&r);
    ASSERT(!r.bad);
}

void pdu_tmf_encode(uint8_t *bhs, const struct pdu_tmf *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    request_write(&w, &p->head, no_type, p->ref_itt);
    write_u32(&w, p->ref_cmd_sn);
    write_u32(&w, p->exp_data_sn);
    pdu_end_encode(&w);
}

void pdu_login_decode(const uint8_t *bhs, struct pdu_login *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->cid = (uint16_t)(request_read(&r, &p->head, type) >> 16);
    p->version_max = type[0];
    p->version_min = type[1];
    p->isid = p->head.lun >> 16;
    p->tsih = (uint16_t)p->head.lun;
    p->head.lun = 0;
    ASSERT(!r.bad);
}

void pdu_login_encode(uint8_t *bhs, const struct pdu_login *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    const uint8_t type[2] = {p->version_max, p->version_min};
    struct pdu_request head = p->head;
    ASSERT(p->isid < (uint64_t)1 << 48);
    head.lun = p->isid << 16 | p->tsih;
    request_write(&w, &head, type, (uint32_t)p->cid << 16);
    pdu_end_encode(&w);
}

void pdu_text_decode(const uint8_t *bhs, struct pdu_text *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->ttt = request_read(&r, &p->head, type);
    ASSERT(!r.bad);
}

void pdu_text_encode(uint8_t *bhs, const struct pdu_text *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    request_write(&w, &p->head, no_type, p->ttt);
    pdu_end_encode(&w);
}

void pdu_data_out_decode(const uint8_t *bhs, struct pdu_data_out *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->ttt = request_read(&r, &p->head, type);
    read_skip(&r, 4);
    p->data_sn = read_u32(&r);
    p->offset_bytes = read_u32(&r);
    ASSERT(!r.bad);
}

void pdu_data_out_encode(uint8_t *bhs, const struct pdu_data_out *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    request_write(&w, &p->head, no_type, p->ttt);
    write_u32(&w, 0);
    write_u32(&w, p->data_sn);
    write_u32(&w, p->offset_bytes);
    pdu_end_encode(&w);
}

void pdu_logout_decode(const uint8_t *bhs, struct pdu_logout *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->cid = (uint16_t)(request_read(&r, &p->head, type) >> 16);
    ASSERT(!r.bad);
}

void pdu_logout_encode(uint8_t *bhs, const struct pdu_logout *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    request_write(&w, &p->head, no_type, (uint32_t)p->cid << 16);
    pdu_end_encode(&w);
}
