/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all basic header segments of iSCSI share (RFC 7143 section 11): 48 bytes each, one struct a
 * PDU type, in host order. The types are in request.h (initiator to target) and response.h.
 */
#ifndef STRAKE_FRONT_ISCSI_PDU_H
#define STRAKE_FRONT_ISCSI_PDU_H

#include "common/base/bytes.h"

enum {
    PDU_BHS_BYTES = 48,
    PDU_DIGEST_BYTES = 4,
    PDU_CDB_BYTES = 16,
};

#define PDU_TAG_NONE UINT32_MAX /* reserved value of both task tags */

enum pdu_opcode {
    PDU_NOP_OUT = 0x00,
    PDU_COMMAND = 0x01,
    PDU_TMF = 0x02,
    PDU_LOGIN = 0x03,
    PDU_TEXT = 0x04,
    PDU_DATA_OUT = 0x05,
    PDU_LOGOUT = 0x06,
    PDU_SNACK = 0x10,
    PDU_NOP_IN = 0x20,
    PDU_RESPONSE = 0x21,
    PDU_TMF_RESPONSE = 0x22,
    PDU_LOGIN_RESPONSE = 0x23,
    PDU_TEXT_RESPONSE = 0x24,
    PDU_DATA_IN = 0x25,
    PDU_LOGOUT_RESPONSE = 0x26,
    PDU_R2T = 0x31,
    PDU_ASYNC = 0x32,
    PDU_REJECT = 0x3f,
};

/* Byte 1 of the header; which of them exist depends on the opcode. */
enum pdu_flag {
    PDU_FINAL = 0x80,
    PDU_TRANSIT = 0x80,      /* login */
    PDU_CONTINUE = 0x40,     /* login and text */
    PDU_READ = 0x40,         /* command */
    PDU_WRITE = 0x20,        /* command */
    PDU_OVERFLOW = 0x04,     /* response, data-in */
    PDU_UNDERFLOW = 0x02,    /* response, data-in */
    PDU_STATUS = 0x01,       /* data-in */
    PDU_FUNCTION_MASK = 0x7f /* task management function, logout reason */
};

enum pdu_reject_reason {
    PDU_REJECT_NONE = 0,
    PDU_REJECT_DATA_DIGEST = 0x02,
    PDU_REJECT_SNACK = 0x03,
    PDU_REJECT_PROTOCOL = 0x04,
    PDU_REJECT_NOT_SUPPORTED = 0x05,
    PDU_REJECT_IMMEDIATE = 0x06,
    PDU_REJECT_IN_PROGRESS = 0x07,
    PDU_REJECT_INVALID_FIELD = 0x09,
};

/* What precedes dispatch: how long the PDU is. */
struct pdu_lengths {
    uint8_t opcode;
    bool immediate;
    uint32_t ahs_bytes;
    uint32_t data_bytes; /* without padding */
};

/* Bytes 0-31 of a request; bytes 2-3 and 20-23 belong to the type. */
struct pdu_request {
    uint8_t opcode;
    bool immediate;
    uint8_t flags;
    uint32_t data_bytes;
    uint64_t lun;
    uint32_t itt;
    uint32_t cmd_sn; /* reserved in Data-Out and SNACK */
    uint32_t exp_stat_sn;
};

/* Bytes 0-35 of a response; bytes 2-3 and 20-23 belong to the type. */
struct pdu_response {
    uint8_t flags; /* without the opcode's fixed bits */
    uint32_t data_bytes;
    uint64_t lun;
    uint32_t itt;
    uint32_t stat_sn;
    uint32_t exp_cmd_sn;
    uint32_t max_cmd_sn;
};

static inline uint32_t pdu_padding(uint32_t data_bytes)
{
    return (4 - data_bytes % 4) % 4;
}

/* Bytes 0-23, the same in every header segment. */
struct pdu_head {
    uint8_t opcode; /* and the immediate bit */
    uint8_t flags;
    uint8_t type[2]; /* bytes 2 and 3, the type's own */
    uint32_t data_bytes;
    uint64_t lun;
    uint32_t itt;
    uint32_t word; /* bytes 20-23, the type's own */
};

struct pdu_head pdu_head_decode(struct reader *r);
void pdu_head_encode(struct writer *w, const struct pdu_head *p);
/* Nothing but zeros is left. */
void pdu_end_encode(struct writer *w);
void pdu_lengths_decode(const uint8_t *bhs, struct pdu_lengths *p);

#endif
