/* SPDX-License-Identifier: Apache-2.0 */
/* Header segments the initiator sends: RFC 7143 sections 11.3, 11.5, 11.7, 11.10, 11.12, 11.14. */
#ifndef STRAKE_FRONT_ISCSI_REQUEST_H
#define STRAKE_FRONT_ISCSI_REQUEST_H

#include "target/front/iscsi/pdu.h"

struct pdu_nop_out {
    struct pdu_request head;
    uint32_t ttt;
};

struct pdu_command {
    struct pdu_request head;
    uint32_t expected_bytes; /* Expected Data Transfer Length */
    uint8_t cdb[PDU_CDB_BYTES];
};

struct pdu_tmf {
    struct pdu_request head; /* flags & PDU_FUNCTION_MASK: the function */
    uint32_t ref_itt;
    uint32_t ref_cmd_sn;
    uint32_t exp_data_sn;
};

struct pdu_login {
    struct pdu_request head; /* lun unused */
    uint8_t version_max;
    uint8_t version_min;
    uint64_t isid; /* 48 bits */
    uint16_t tsih;
    uint16_t cid;
};

struct pdu_text {
    struct pdu_request head;
    uint32_t ttt;
};

struct pdu_data_out {
    struct pdu_request head;
    uint32_t ttt;
    uint32_t data_sn;
    uint32_t offset_bytes;
};

struct pdu_logout {
    struct pdu_request head; /* flags & PDU_FUNCTION_MASK: the reason */
    uint16_t cid;
};

void pdu_nop_out_decode(const uint8_t *bhs, struct pdu_nop_out *p);
void pdu_nop_out_encode(uint8_t *bhs, const struct pdu_nop_out *p);
void pdu_command_decode(const uint8_t *bhs, struct pdu_command *p);
void pdu_command_encode(uint8_t *bhs, const struct pdu_command *p);
void pdu_tmf_decode(const uint8_t *bhs, struct pdu_tmf *p);
void pdu_tmf_encode(uint8_t *bhs, const struct pdu_tmf *p);
void pdu_login_decode(const uint8_t *bhs, struct pdu_login *p);
void pdu_login_encode(uint8_t *bhs, const struct pdu_login *p);
void pdu_text_decode(const uint8_t *bhs, struct pdu_text *p);
void pdu_text_encode(uint8_t *bhs, const struct pdu_text *p);
void pdu_data_out_decode(const uint8_t *bhs, struct pdu_data_out *p);
void pdu_data_out_encode(uint8_t *bhs, const struct pdu_data_out *p);
void pdu_logout_decode(const uint8_t *bhs, struct pdu_logout *p);
void pdu_logout_encode(uint8_t *bhs, const struct pdu_logout *p);

#endif
