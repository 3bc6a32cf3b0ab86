/* SPDX-License-Identifier: Apache-2.0 */
/* What an initiator sends once it is logged in, and the answers it takes. */
#ifndef STRAKE_TESTS_ISCSI_INITIATOR_H
#define STRAKE_TESTS_ISCSI_INITIATOR_H

#include "common/base/bytes.h"
#include "tests/unit/target/front/iscsi/login.h"

static inline uint32_t peer_command(struct peer *p, uint8_t flags, uint32_t expected_bytes,
                                    const uint8_t *cdb, const void *data, uint32_t data_bytes)
{
    struct pdu_command command = {.head = {.opcode = PDU_COMMAND,
                                           .flags = flags,
                                           .data_bytes = data_bytes,
                                           .itt = p->itt,
                                           .cmd_sn = p->cmd_sn++},
                                  .expected_bytes = expected_bytes};
    uint8_t bhs[PDU_BHS_BYTES];
    memcpy(command.cdb, cdb, PDU_CDB_BYTES);
    pdu_command_encode(bhs, &command);
    peer_send(p, bhs, data, data_bytes);
    return p->itt++;
}

static inline struct pdu_scsi_response peer_take_response(struct peer *p)
{
    struct pdu_scsi_response response;
    ck_assert_uint_eq(peer_take(p), PDU_RESPONSE);
    pdu_scsi_response_decode(p->bhs, &response);
    return response;
}

/* The normal session most tests want, past the unit attention of its start. */
static inline void peer_login(struct peer *p)
{
    static const uint8_t test_unit_ready[PDU_CDB_BYTES];
    peer_open(p);
    peer_login_with(p, KEYS("InitialR2T=No\0ImmediateData=Yes\0FirstBurstLength=65536\0"
                            "MaxBurstLength=65536\0MaxRecvDataSegmentLength=32768\0"
                            "MaxOutstandingR2T=2\0"));
    (void)peer_command(p, PDU_FINAL, 0, test_unit_ready, NULL, 0);
    ck_assert_uint_eq(peer_take_response(p).status, SCSI_CHECK_CONDITION);
}

/* The session of another initiator port than peer one, past its first unit attention. */
static inline void peer_login_other(struct peer *p, uint64_t isid)
{
    static const uint8_t test_unit_ready[PDU_CDB_BYTES];
    peer_open(p);
    p->isid = isid;
    peer_login_with(p, "", 0);
    (void)peer_command(p, PDU_FINAL, 0, test_unit_ready, NULL, 0);
    (void)peer_take_response(p);
}

static inline void peer_login_two(void)
{
    peer_login_other(&two, 0x00023d000002);
}

/* The unit attention the next command of `p` meets: ASC << 8 | ASCQ, 0 for none. */
static inline uint32_t peer_attention(struct peer *p)
{
    static const uint8_t test_unit_ready[PDU_CDB_BYTES];
    (void)peer_command(p, PDU_FINAL, 0, test_unit_ready, NULL, 0);
    if (peer_take_response(p).status == SCSI_GOOD)
        return 0;
    return (uint32_t)p->data[2 + 12] << 8 | p->data[2 + 13];
}

/* Of `blocks` blocks of 512 bytes. */
static inline void cdb_rw10(uint8_t *cdb, uint8_t opcode, uint32_t lba, uint16_t blocks)
{
    struct writer w = writer_of(cdb, PDU_CDB_BYTES);
    write_u8(&w, opcode);
    write_u8(&w, 0);
    write_u32(&w, lba);
    write_u8(&w, 0);
    write_u16(&w, blocks);
    write_zeros(&w, writer_left(&w));
}

static inline uint32_t peer_read(struct peer *p, uint32_t lba, uint16_t blocks,
                                 uint32_t expected_bytes)
{
    uint8_t cdb[PDU_CDB_BYTES];
    cdb_rw10(cdb, 0x28, lba, blocks);
    return peer_command(p, PDU_FINAL | PDU_READ, expected_bytes, cdb, NULL, 0);
}

/* A write whose first `immediate_bytes` come with it; `more`: unsolicited data follows. */
static inline uint32_t peer_write(struct peer *p, uint32_t lba, uint16_t blocks,
                                  uint32_t expected_bytes, const uint8_t *data,
                                  uint32_t immediate_bytes, bool more)
{
    uint8_t cdb[PDU_CDB_BYTES];
    cdb_rw10(cdb, 0x2a, lba, blocks);
    uint8_t flags = (uint8_t)(PDU_WRITE | (more ? 0 : PDU_FINAL));
    return peer_command(p, flags, expected_bytes, cdb, data, immediate_bytes);
}

static inline void peer_data_out(struct peer *p, uint32_t itt, uint32_t ttt, uint32_t data_sn,
                                 uint32_t offset, const uint8_t *data, uint32_t bytes, bool final)
{
    struct pdu_data_out pdu = {.head = {.opcode = PDU_DATA_OUT,
                                        .flags = final ? PDU_FINAL : 0,
                                        .data_bytes = bytes,
                                        .itt = itt},
                               .ttt = ttt,
                               .data_sn = data_sn,
                               .offset_bytes = offset};
    uint8_t bhs[PDU_BHS_BYTES];
    pdu_data_out_encode(bhs, &pdu);
    peer_send(p, bhs, data + offset, bytes);
}

static inline struct pdu_r2t peer_take_r2t(struct peer *p)
{
    struct pdu_r2t r2t;
    ck_assert_uint_eq(peer_take(p), PDU_R2T);
    pdu_r2t_decode(p->bhs, &r2t);
    return r2t;
}

static inline void peer_tmf(struct peer *p, uint8_t function, uint64_t lun, uint32_t ref_itt)
{
    struct pdu_tmf pdu = {.head = {.opcode = PDU_TMF,
                                   .immediate = true,
                                   .flags = PDU_FINAL | function,
                                   .lun = lun,
                                   .itt = 0x5000,
                                   .cmd_sn = p->cmd_sn},
                          .ref_itt = ref_itt};
    uint8_t bhs[PDU_BHS_BYTES];
    pdu_tmf_encode(bhs, &pdu);
    peer_send(p, bhs, NULL, 0);
}

static inline uint8_t peer_take_tmf(struct peer *p)
{
    struct pdu_tmf_response response;
    ck_assert_uint_eq(peer_take(p), PDU_TMF_RESPONSE);
    pdu_tmf_response_decode(p->bhs, &response);
    ck_assert_uint_eq(response.head.itt, 0x5000);
    return response.response;
}

static inline uint8_t peer_take_reject(struct peer *p)
{
    struct pdu_reject reject;
    ck_assert_uint_eq(peer_take(p), PDU_REJECT);
    pdu_reject_decode(p->bhs, &reject);
    ck_assert_uint_eq(p->data_bytes, PDU_BHS_BYTES);
    return reject.reason;
}

/* A pattern in which no two places look alike. */
static inline void fill(uint8_t *bytes, uint32_t length, uint32_t seed)
{
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)((i * 2654435761u + seed * 40503u) >> 13);
}

#endif
