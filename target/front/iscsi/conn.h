/* SPDX-License-Identifier: Apache-2.0 */
/* What every part of the room does with its connection: states, sequence numbers, sending. */
#ifndef STRAKE_FRONT_ISCSI_CONN_H
#define STRAKE_FRONT_ISCSI_CONN_H

#include "target/front/iscsi/state.h"

/* Follows the table of transitions; another event in that state is our own mistake. */
void iscsi_conn_step(struct iscsi_conn *conn, enum conn_event event);
/* The connection shall be closed; the first reason stays. */
void iscsi_conn_fail(struct iscsi_conn *conn, const char *why);
/* iscsi_node_ready will name it. */
void iscsi_conn_wake(struct iscsi_conn *conn);

/* The negotiated value of a key. */
static inline uint32_t iscsi_conn_value(const struct iscsi_conn *conn, enum key_id key)
{
    return conn->keys.value[key];
}

/* How the CmdSN of a request stands (RFC 7143 section 4.2.2.1). */
enum conn_order {
    CONN_ORDER_NOW,    /* its turn, counted */
    CONN_ORDER_IGNORE, /* out of the window */
    CONN_ORDER_GAP,    /* requests before it were lost: the connection failed */
};
MUST_USE enum conn_order iscsi_conn_order(struct iscsi_conn *conn, const struct pdu_request *head);

/* The common part of a response that takes a StatSN, or only shows the next one. */
struct pdu_response iscsi_conn_status_head(struct iscsi_conn *conn, uint32_t itt);
struct pdu_response iscsi_conn_plain_head(struct iscsi_conn *conn, uint32_t itt);
/*
 * Sending: iscsi_conn_bhs gives the room for a header segment; once that is encoded iscsi_conn_send
 * puts what belongs behind it: digests, the data by reference or as a copy, and padding.
 */
uint8_t *iscsi_conn_bhs(const struct iscsi_conn *conn, struct tx *tx);
void iscsi_conn_send(const struct iscsi_conn *conn, struct tx *tx, uint8_t *bhs);
void iscsi_conn_send_slice(const struct iscsi_conn *conn, struct tx *tx, uint8_t *bhs,
                           const struct slice *data);
void iscsi_conn_send_copy(const struct iscsi_conn *conn, struct tx *tx, uint8_t *bhs,
                          const void *data, uint32_t data_bytes);
void iscsi_conn_reject(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame,
                       enum pdu_reject_reason reason);

/* The next complete PDU, digests checked. False: more bytes are needed, or the connection failed.
 */
MUST_USE bool iscsi_conn_frame_read(struct iscsi_conn *conn, struct rx *rx, struct tx *tx,
                                    struct frame *frame);
/* Adds to a text continued over several PDUs. False when it grows too long. */
MUST_USE bool iscsi_conn_text_append(struct iscsi_conn *conn, const struct slice *data);

#endif
