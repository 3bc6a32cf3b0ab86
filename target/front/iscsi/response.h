/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header segments the target sends: RFC 7143 sections 11.4, 11.6 to 11.9, 11.11, 11.13, 11.15,
 * 11.17, 11.19. The bit that is always one in byte 1 of some is put in by the encoder.
 */
#ifndef STRAKE_FRONT_ISCSI_RESPONSE_H
#define STRAKE_FRONT_ISCSI_RESPONSE_H

#include "target/front/iscsi/pdu.h"

struct pdu_nop_in {
    struct pdu_response head;
    uint32_t ttt;
};

struct pdu_scsi_response {
    struct pdu_response head;
    uint8_t response;
    uint8_t status;
    uint32_t exp_data_sn;
    uint32_t residual_bytes;
};

struct pdu_tmf_response {
    struct pdu_response head;
    uint8_t response;
};

struct pdu_login_response {
    struct pdu_response head; /* lun unused */
    uint8_t version_max;
    uint8_t version_active;
    uint64_t isid; /* 48 bits */
    uint16_t tsih;
    uint16_t status; /* class << 8 | detail */
};

struct pdu_text_response {
    struct pdu_response head;
    uint32_t ttt;
};

struct pdu_data_in {
    struct pdu_response head;
    uint8_t status;
    uint32_t ttt;
    uint32_t data_sn;
    uint32_t offset_bytes;
    uint32_t residual_bytes;
};

struct pdu_logout_response {
    struct pdu_response head;
    uint8_t response;
    uint16_t time2wait;
    uint16_t time2retain;
};

struct pdu_r2t {
    struct pdu_response head;
    uint32_t ttt;
    uint32_t r2t_sn;
    uint32_t offset_bytes;
    uint32_t desired_bytes;
};

struct pdu_async {
    struct pdu_response head;
    uint8_t event;
    uint16_t parameter[3];
};

struct pdu_reject {
    struct pdu_response head;
    uint8_t reason;
    uint32_t data_sn;
};

void pdu_nop_in_decode(const uint8_t *bhs, struct pdu_nop_in *p);
void pdu_nop_in_encode(uint8_t *bhs, const struct pdu_nop_in *p);
void pdu_scsi_response_decode(const uint8_t *bhs, struct pdu_scsi_response *p);
void pdu_scsi_response_encode(uint8_t *bhs, const struct pdu_scsi_response *p);
void pdu_tmf_response_decode(const uint8_t *bhs, struct pdu_tmf_response *p);
void pdu_tmf_response_encode(uint8_t *bhs, const struct pdu_tmf_response *p);
void pdu_login_response_decode(const uint8_t *bhs, struct pdu_login_response *p);
void pdu_login_response_encode(uint8_t *bhs, const struct pdu_login_response *p);
void pdu_text_response_decode(const uint8_t *bhs, struct pdu_text_response *p);
void pdu_text_response_encode(uint8_t *bhs, const struct pdu_text_response *p);
void pdu_data_in_decode(const uint8_t *bhs, struct pdu_data_in *p);
void pdu_data_in_encode(uint8_t *bhs, const struct pdu_data_in *p);
void pdu_logout_response_decode(const uint8_t *bhs, struct pdu_logout_response *p);
void pdu_logout_response_encode(uint8_t *bhs, const struct pdu_logout_response *p);
void pdu_r2t_decode(const uint8_t *bhs, struct pdu_r2t *p);
void pdu_r2t_encode(uint8_t *bhs, const struct pdu_r2t *p);
void pdu_async_decode(const uint8_t *bhs, struct pdu_async *p);
void pdu_async_encode(uint8_t *bhs, const struct pdu_async *p);
void pdu_reject_decode(const uint8_t *bhs, struct pdu_reject *p);
void pdu_reject_encode(uint8_t *bhs, const struct pdu_reject *p);

#endif
