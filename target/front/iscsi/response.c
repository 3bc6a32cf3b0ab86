/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding and encoding of what the target sends; each pair reads as the RFC's table does. */
#include "target/front/iscsi/response.h"

enum { PDU_FIXED = 0x80 /* byte 1 of the types that have no final bit of their own */ };

/* Bytes 0-35; `type` takes bytes 2 and 3, the result is bytes 20-23. */
static uint32_t response_read(struct reader *r, struct pdu_response *head, uint8_t type[2])
{
    struct pdu_head p = pdu_head_decode(r);
    memcpy(type, p.type, sizeof(p.type));
    *head = (struct pdu_response){
        .flags = p.flags, .data_bytes = p.data_bytes, .lun = p.lun, .itt = p.itt};
    head->stat_sn = read_u32(r);
    head->exp_cmd_sn = read_u32(r);
    head->max_cmd_sn = read_u32(r);
    return p.word;
}

static void response_write(struct writer *w, enum pdu_opcode opcode, uint8_t fixed,
                           const struct pdu_response *head, const uint8_t type[2], uint32_t word)
{
    const struct pdu_head p = {.opcode = (uint8_t)opcode,
                               .flags = head->flags | fixed,
                               .type = {type[0], type[1]},
                               .data_bytes = head->data_bytes,
                               .lun = head->lun,
                               .itt = head->itt,
                               .word = word};
    pdu_head_encode(w, &p);
    write_u32(w, head->stat_sn);
    write_u32(w, head->exp_cmd_sn);
    write_u32(w, head->max_cmd_sn);
}

static const uint8_t no_type[2];

void pdu_nop_in_decode(const uint8_t *bhs, struct pdu_nop_in *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->ttt = response_read(&r, &p->head, type);
    p->head.flags &= (uint8_t)~PDU_FIXED;
    ASSERT(!r.bad);
}

void pdu_nop_in_encode(uint8_t *bhs, const struct pdu_nop_in *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    response_write(&w, PDU_NOP_IN, PDU_FIXED, &p->head, no_type, p->ttt);
    pdu_end_encode(&w);
}

void pdu_scsi_response_decode(const uint8_t *bhs, struct pdu_scsi_response *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    (void)response_read(&r, &p->head, type);
    p->head.flags &= (uint8_t)~PDU_FIXED;
    p->response = type[0];
    p->status = type[1];
    p->exp_data_sn = read_u32(&r);
    read_skip(&r, 4);
    p->residual_bytes = read_u32(&r);
    ASSERT(!r.bad);
}

void pdu_scsi_response_encode(uint8_t *bhs, const struct pdu_scsi_response *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    const uint8_t type[2] = {p->response, p->status};
    response_write(&w, PDU_RESPONSE, PDU_FIXED, &p->head, type, 0);
    write_u32(&w, p->exp_data_sn);
    write_zeros(&w, 4);
    write_u32(&w, p->residual_bytes);
    pdu_end_encode(&w);
}

void pdu_tmf_response_decode(const uint8_t *bhs, struct pdu_tmf_response *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    (void)response_read(&r, &p->head, type);
    p->head.flags &= (uint8_t)~PDU_FIXED;
    p->response = type[0];
    ASSERT(!r.bad);
}

void pdu_tmf_response_encode(uint8_t *bhs, const struct pdu_tmf_response *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    const uint8_t type[2] = {p->response, 0};
    response_write(&w, PDU_TMF_RESPONSE, PDU_FIXED, &p->head, type, 0);
    pdu_end_encode(&w);
}

void pdu_login_response_decode(const uint8_t *bhs, struct pdu_login_response *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    (void)response_read(&r, &p->head, type);
    p->version_max = type[0];
    p->version_active = type[1];
    p->isid = p->head.lun >> 16;
    p->tsih = (uint16_t)p->head.lun;
    p->head.lun = 0;
    p->status = read_u16(&r);
    ASSERT(!r.bad);
}

void pdu_login_response_encode(uint8_t *bhs, const struct pdu_login_response *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    const uint8_t type[2] = {p->version_max, p->version_active};
    struct pdu_response head = p->head;
    ASSERT(p->isid < (uint64_t)1 << 48);
    head.lun = p->isid << 16 | p->tsih;
    response_write(&w, PDU_LOGIN_RESPONSE, 0, &head, type, 0);
    write_u16(&w, p->status);
    pdu_end_encode(&w);
}

void pdu_text_response_decode(const uint8_t *bhs, struct pdu_text_response *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->ttt = response_read(&r, &p->head, type);
    ASSERT(!r.bad);
}

void pdu_text_response_encode(uint8_t *bhs, const struct pdu_text_response *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    response_write(&w, PDU_TEXT_RESPONSE, 0, &p->head, no_type, p->ttt);
    pdu_end_encode(&w);
}

void pdu_data_in_decode(const uint8_t *bhs, struct pdu_data_in *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->ttt = response_read(&r, &p->head, type);
    p->status = type[1];
    p->data_sn = read_u32(&r);
    p->offset_bytes = read_u32(&r);
    p->residual_bytes = read_u32(&r);
    ASSERT(!r.bad);
}

void pdu_data_in_encode(uint8_t *bhs, const struct pdu_data_in *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    const uint8_t type[2] = {0, p->status};
    response_write(&w, PDU_DATA_IN, 0, &p->head, type, p->ttt);
    write_u32(&w, p->data_sn);
    write_u32(&w, p->offset_bytes);
    write_u32(&w, p->residual_bytes);
    pdu_end_encode(&w);
}

void pdu_logout_response_decode(const uint8_t *bhs, struct pdu_logout_response *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    (void)response_read(&r, &p->head, type);
    p->head.flags &= (uint8_t)~PDU_FIXED;
    p->response = type[0];
    read_skip(&r, 4);
    p->time2wait = read_u16(&r);
    p->time2retain = read_u16(&r);
    ASSERT(!r.bad);
}

void pdu_logout_response_encode(uint8_t *bhs, const struct pdu_logout_response *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    const uint8_t type[2] = {p->response, 0};
    response_write(&w, PDU_LOGOUT_RESPONSE, PDU_FIXED, &p->head, type, 0);
    write_zeros(&w, 4);
    write_u16(&w, p->time2wait);
    write_u16(&w, p->time2retain);
    pdu_end_encode(&w);
}

void pdu_r2t_decode(const uint8_t *bhs, struct pdu_r2t *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    p->ttt = response_read(&r, &p->head, type);
    p->head.flags &= (uint8_t)~PDU_FIXED;
    p->r2t_sn = read_u32(&r);
    p->offset_bytes = read_u32(&r);
    p->desired_bytes = read_u32(&r);
    ASSERT(!r.bad);
}

void pdu_r2t_encode(uint8_t *bhs, const struct pdu_r2t *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    response_write(&w, PDU_R2T, PDU_FIXED, &p->head, no_type, p->ttt);
    write_u32(&w, p->r2t_sn);
    write_u32(&w, p->offset_bytes);
    write_u32(&w, p->desired_bytes);
    pdu_end_encode(&w);
}

void pdu_async_decode(const uint8_t *bhs, struct pdu_async *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    (void)response_read(&r, &p->head, type);
    p->head.flags &= (uint8_t)~PDU_FIXED;
    p->event = read_u8(&r);
    read_skip(&r, 1);
    p->parameter[0] = read_u16(&r);
    p->parameter[1] = read_u16(&r);
    p->parameter[2] = read_u16(&r);
    ASSERT(!r.bad);
}

void pdu_async_encode(uint8_t *bhs, const struct pdu_async *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    response_write(&w, PDU_ASYNC, PDU_FIXED, &p->head, no_type, 0);
    write_u8(&w, p->event);
    write_zeros(&w, 1);
    write_u16(&w, p->parameter[0]);
    write_u16(&w, p->parameter[1]);
    write_u16(&w, p->parameter[2]);
    pdu_end_encode(&w);
}

void pdu_reject_decode(const uint8_t *bhs, struct pdu_reject *p)
{
    struct reader r = reader_of(bhs, PDU_BHS_BYTES);
    uint8_t type[2];
    (void)response_read(&r, &p->head, type);
    p->head.flags &= (uint8_t)~PDU_FIXED;
    p->reason = type[0];
    p->data_sn = read_u32(&r);
    ASSERT(!r.bad);
}

void pdu_reject_encode(uint8_t *bhs, const struct pdu_reject *p)
{
    struct writer w = writer_of(bhs, PDU_BHS_BYTES);
    const uint8_t type[2] = {p->reason, 0};
    response_write(&w, PDU_REJECT, PDU_FIXED, &p->head, type, 0);
    write_u32(&w, p->data_sn);
    pdu_end_encode(&w);
}
