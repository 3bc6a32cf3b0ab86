/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text keys (RFC 7143 sections 6 and 13): what each may be, what we want, how the two sides' values
 * become one. The table is in negotiate.c; the results are read as value[KEY_...].
 */
#ifndef STRAKE_FRONT_ISCSI_NEGOTIATE_H
#define STRAKE_FRONT_ISCSI_NEGOTIATE_H

#include "common/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    KEY_NAME_BYTES_MAX = 63,             /* RFC 7143 section 6.1 */
    KEY_VALUE_BYTES_MAX = 255,           /* unless stated otherwise */
    KEY_BINARY_BYTES_MAX = 2 + 2 * 1024, /* CHAP_C and CHAP_R (RFC 7143 section 12.1.3) */
};

/* Limits that we declare or hold to. */
enum {
    ISCSI_RECV_BYTES_MAX = 1u << 20, /* our MaxRecvDataSegmentLength */
    ISCSI_BURST_BYTES_MAX = 4u << 20,
    ISCSI_FIRST_BURST_BYTES_MAX = 1u << 20,
    ISCSI_R2T_MAX = 8,
    ISCSI_LOGIN_DATA_BYTES_MAX = 8192, /* MaxRecvDataSegmentLength before it is declared */
};

/* In the order of the table. */
enum key_id {
    KEY_INITIATOR_NAME,
    KEY_INITIATOR_ALIAS,
    KEY_TARGET_NAME,
    KEY_SESSION_TYPE,
    KEY_SEND_TARGETS,
    KEY_AUTH_METHOD,
    KEY_CHAP_A,
    KEY_CHAP_I,
    KEY_CHAP_C,
    KEY_CHAP_N,
    KEY_CHAP_R,
    KEY_HEADER_DIGEST,
    KEY_DATA_DIGEST,
    KEY_MAX_CONNECTIONS,
    KEY_INITIAL_R2T,
    KEY_IMMEDIATE_DATA,
    KEY_MAX_RECV_BYTES, /* the initiator's MaxRecvDataSegmentLength */
    KEY_MAX_BURST_BYTES,
    KEY_FIRST_BURST_BYTES,
    KEY_TIME2WAIT,
    KEY_TIME2RETAIN,
    KEY_MAX_R2T,
    KEY_PDU_IN_ORDER,
    KEY_SEQUENCE_IN_ORDER,
    KEY_ERROR_RECOVERY_LEVEL,
    KEY_PROTOCOL_LEVEL,
    KEY_TASK_REPORTING,
    KEY_IF_MARKER,
    KEY_OF_MARKER,
    KEY_IF_MARK_INT,
    KEY_OF_MARK_INT,
    KEY_TARGET_ALIAS,
    KEY_TARGET_ADDRESS,
    KEY_TARGET_PORTAL_GROUP_TAG,
    KEY_COUNT
};

/* When a key may come: stages of login, and full feature phase. */
enum key_stage {
    KEY_IN_SECURITY = 1u << 0,
    KEY_IN_OPERATIONAL = 1u << 1,
    KEY_IN_FULL_FEATURE = 1u << 2,
};

/* One connection's negotiation. */
struct negotiation {
    bool discovery; /* many keys are irrelevant then */
    uint64_t seen;  /* bit per key_id: negotiated already */
    uint32_t value[KEY_COUNT];
    const char *text[KEY_COUNT]; /* declared in the last text taken: lent from it, or NULL */
    uint32_t text_bytes[KEY_COUNT];
};

/* Every key at its default. */
void negotiation_init(struct negotiation *n);
/*
 * Takes a complete text of key=value pairs and writes the answers; `answer` turns bad when they do
 * not fit. NULL, or what is wrong with the text as a whole.
 */
MUST_USE const char *negotiation_take(struct negotiation *n, enum key_stage stage,
                                      const uint8_t *text, uint32_t text_bytes,
                                      struct writer *answer);
/* What is the session's, and was not negotiated anew, is what it was with its last connection. */
void negotiation_keep(struct negotiation *n, const struct negotiation *last);
/* Writes "KEY=VALUE" and a zero. */
void negotiation_put(struct writer *answer, const char *key, const char *value);
void negotiation_put_number(struct writer *answer, const char *key, uint32_t value);
/* True when the text declared for `key` is exactly this. */
bool negotiation_text_is(const struct negotiation *n, enum key_id key, const char *text);

#endif
