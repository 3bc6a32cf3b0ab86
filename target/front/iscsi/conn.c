/* SPDX-License-Identifier: Apache-2.0 */
/* Connection states, sequence numbers, and the framing of PDUs both ways. */
#include "target/front/iscsi/conn.h"

#include "common/base/crc32c.h"

#include <string.h>

/* RFC 7143 section 8.1.3. What leaves S5 otherwise than by logout is T8 or T15, the same at ERL 0.
 */
static const struct {
    enum conn_state from;
    enum conn_event event;
    enum conn_state to;
} transitions[] = {
    {CONN_S3_XPT_UP, CONN_EV_LOGIN, CONN_S4_IN_LOGIN},                          /* T4 */
    {CONN_S4_IN_LOGIN, CONN_EV_LOGIN_DONE, CONN_S5_LOGGED_IN},                  /* T5 */
    {CONN_S3_XPT_UP, CONN_EV_LOGIN_FAILED, CONN_S1_FREE},                       /* T6 */
    {CONN_S4_IN_LOGIN, CONN_EV_LOGIN_FAILED, CONN_S1_FREE},                     /* T7 */
    {CONN_S5_LOGGED_IN, CONN_EV_LOST, CONN_S1_FREE},                            /* T8, T15 */
    {CONN_S5_LOGGED_IN, CONN_EV_LOGOUT, CONN_S6_IN_LOGOUT},                     /* T9 */
    {CONN_S7_LOGOUT_REQUESTED, CONN_EV_LOGOUT, CONN_S6_IN_LOGOUT},              /* T10 */
    {CONN_S5_LOGGED_IN, CONN_EV_LOGOUT_ASKED, CONN_S7_LOGOUT_REQUESTED},        /* T11 */
    {CONN_S7_LOGOUT_REQUESTED, CONN_EV_LOGOUT_ASKED, CONN_S7_LOGOUT_REQUESTED}, /* T12 */
    {CONN_S6_IN_LOGOUT, CONN_EV_LOGOUT_DONE, CONN_S1_FREE},                     /* T13 */
    {CONN_S6_IN_LOGOUT, CONN_EV_LOGOUT_REFUSED, CONN_S5_LOGGED_IN},             /* T17 */
    {CONN_S6_IN_LOGOUT, CONN_EV_LOST, CONN_S1_FREE},                            /* T16 */
    {CONN_S7_LOGOUT_REQUESTED, CONN_EV_LOST, CONN_S1_FREE},                     /* T18 */
};

void iscsi_conn_step(struct iscsi_conn *conn, enum conn_event event)
{
    for (size_t i = 0; i < ARRAY_COUNT(transitions); i++) {
        if (transitions[i].from == conn->state && transitions[i].event == event) {
            conn->state = transitions[i].to;
            return;
        }
    }
    UNREACHABLE();
}

void iscsi_conn_fail(struct iscsi_conn *conn, const char *why)
{
    ASSERT(why);
    if (conn->why)
        return;
    conn->why = why;
    if (conn->state == CONN_S1_FREE)
        return;
    bool login = conn->state == CONN_S3_XPT_UP || conn->state == CONN_S4_IN_LOGIN;
    iscsi_conn_step(conn, login ? CONN_EV_LOGIN_FAILED : CONN_EV_LOST);
}

void iscsi_conn_wake(struct iscsi_conn *conn)
{
    if (list_empty(&conn->ready_node))
        list_append(&conn->node->ready, &conn->ready_node);
}

enum conn_order iscsi_conn_order(struct iscsi_conn *conn, const struct pdu_request *head)
{
    if (seq_before(conn->exp_stat_sn, head->exp_stat_sn) &&
        !seq_before(conn->stat_sn, head->exp_stat_sn))
        conn->exp_stat_sn = head->exp_stat_sn;
    if (head->immediate)
        return CONN_ORDER_NOW;
    if (seq_before(head->cmd_sn, conn->exp_cmd_sn) || seq_before(conn->max_cmd_sn, head->cmd_sn))
        return CONN_ORDER_IGNORE;
    if (head->cmd_sn != conn->exp_cmd_sn) {
        iscsi_conn_fail(conn, "a gap in CmdSN");
        return CONN_ORDER_GAP;
    }
    conn->exp_cmd_sn++;
    return CONN_ORDER_NOW;
}

/*
 * How many commands more the initiator may send: the window closes when tasks or memory get short.
 * One is always let through when none is running, since its answer is what opens the window again.
 */
static void window_update(struct iscsi_conn *conn)
{
    uint32_t used = conn->task_count;
    uint32_t room = used < ISCSI_WINDOW ? ISCSI_WINDOW - used : 0;
    uint32_t fair = pool_free_count(&conn->node->tasks) / 2;
    if (buf_pool_full(conn->node->bufs))
        fair = 0;
    if (room > fair)
        room = fair;
    if (room == 0 && used == 0)
        room = 1;
    uint32_t max = conn->exp_cmd_sn + room - 1;
    if (seq_before(conn->max_cmd_sn, max))
        conn->max_cmd_sn = max;
}

struct pdu_response iscsi_conn_plain_head(struct iscsi_conn *conn, uint32_t itt)
{
    window_update(conn);
    return (struct pdu_response){.itt = itt,
                                 .stat_sn = conn->stat_sn,
                                 .exp_cmd_sn = conn->exp_cmd_sn,
                                 .max_cmd_sn = conn->max_cmd_sn};
}

struct pdu_response iscsi_conn_status_head(struct iscsi_conn *conn, uint32_t itt)
{
    struct pdu_response head = iscsi_conn_plain_head(conn, itt);
    conn->stat_sn++;
    return head;
}

/* Digests are the one thing on the wire that is little-endian (RFC 7143 section 13.1). */
static void digest_put(uint8_t *to, uint32_t crc)
{
    for (int i = 0; i < PDU_DIGEST_BYTES; i++)
        to[i] = (uint8_t)(crc >> (8 * i));
}

static bool digest_ok(const uint8_t *from, uint32_t crc)
{
    uint8_t want[PDU_DIGEST_BYTES];
    digest_put(want, crc);
    return memcmp(from, want, sizeof(want)) == 0;
}

uint8_t *iscsi_conn_bhs(const struct iscsi_conn *conn, struct tx *tx)
{
    return tx_space(tx, PDU_BHS_BYTES + (conn->header_digest ? PDU_DIGEST_BYTES : 0u));
}

void iscsi_conn_send(const struct iscsi_conn *conn, struct tx *tx, uint8_t *bhs)
{
    (void)tx;
    if (conn->header_digest)
        digest_put(bhs + PDU_BHS_BYTES, crc32c(0, bhs, PDU_BHS_BYTES));
}

/* Padding and digest behind data whose checksum is `crc`. */
static void data_end(const struct iscsi_conn *conn, uint8_t *to, uint32_t padding, uint32_t crc)
{
    memset(to, 0, padding);
    if (conn->data_digest)
        digest_put(to + padding, crc32c(crc, to, padding));
}

void iscsi_conn_send_slice(const struct iscsi_conn *conn, struct tx *tx, uint8_t *bhs,
                           const struct slice *data)
{
    iscsi_conn_send(conn, tx, bhs);
    if (data->length_bytes == 0)
        return;
    uint32_t padding = pdu_padding(data->length_bytes);
    uint32_t tail = padding + (conn->data_digest ? PDU_DIGEST_BYTES : 0u);
    uint32_t crc = conn->data_digest ? crc32c(0, data->bytes, data->length_bytes) : 0;
    tx_slice(tx, data);
    if (tail)
        data_end(conn, tx_space(tx, tail), padding, crc);
}

void iscsi_conn_send_copy(const struct iscsi_conn *conn, struct tx *tx, uint8_t *bhs,
                          const void *data, uint32_t data_bytes)
{
    iscsi_conn_send(conn, tx, bhs);
    if (data_bytes == 0)
        return;
    uint32_t padding = pdu_padding(data_bytes);
    uint32_t digest = conn->data_digest ? PDU_DIGEST_BYTES : 0u;
    uint8_t *to = tx_space(tx, data_bytes + padding + digest);
    memcpy(to, data, data_bytes);
    uint32_t crc = conn->data_digest ? crc32c(0, data, data_bytes) : 0;
    data_end(conn, to + data_bytes, padding, crc);
}

void iscsi_conn_reject(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame,
                       enum pdu_reject_reason reason)
{
    struct pdu_reject reject = {.head = iscsi_conn_status_head(conn, PDU_TAG_NONE),
                                .reason = (uint8_t)reason};
    reject.head.data_bytes = PDU_BHS_BYTES;
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_reject_encode(bhs, &reject);
    iscsi_conn_send_copy(conn, tx, bhs, frame->bhs, PDU_BHS_BYTES);
}

/* How much data a PDU may bring at this point. */
static uint32_t data_bytes_max(const struct iscsi_conn *conn)
{
    bool login = conn->state == CONN_S3_XPT_UP || conn->state == CONN_S4_IN_LOGIN;
    return login ? (uint32_t)ISCSI_LOGIN_DATA_BYTES_MAX : (uint32_t)ISCSI_RECV_BYTES_MAX;
}

bool iscsi_conn_frame_read(struct iscsi_conn *conn, struct rx *rx, struct tx *tx,
                           struct frame *frame)
{
    struct pdu_lengths lengths;
    uint32_t digest = conn->header_digest ? PDU_DIGEST_BYTES : 0;
    if (!rx_need(rx, PDU_BHS_BYTES + digest))
        return false;
    pdu_lengths_decode(rx_bytes(rx), &lengths);
    uint32_t header = PDU_BHS_BYTES + lengths.ahs_bytes;
    if (!rx_need(rx, header + digest))
        return false;
    const uint8_t *bytes = rx_bytes(rx);
    if (digest && !digest_ok(bytes + header, crc32c(0, bytes, header))) {
        iscsi_conn_fail(conn, "header digest error");
        return false;
    }
    if (lengths.data_bytes > data_bytes_max(conn)) {
        iscsi_conn_fail(conn, "a data segment is longer than MaxRecvDataSegmentLength");
        return false;
    }
    header += digest;
    digest = conn->data_digest && lengths.data_bytes ? PDU_DIGEST_BYTES : 0;
    uint32_t padded = lengths.data_bytes + pdu_padding(lengths.data_bytes);
    if (!rx_need(rx, header + padded + digest))
        return false;
    bytes = rx_bytes(rx);
    *frame = (struct frame){.bhs = bytes};
    if (digest && !digest_ok(bytes + header + padded, crc32c(0, bytes + header, padded))) {
        iscsi_conn_reject(conn, tx, frame, PDU_REJECT_DATA_DIGEST);
        iscsi_conn_fail(conn, "data digest error");
        return false;
    }
    rx_skip(rx, header);
    if (lengths.data_bytes)
        frame->data = rx_take(rx, lengths.data_bytes);
    rx_skip(rx, padded - lengths.data_bytes + digest);
    conn->heard = true;
    return true;
}

bool iscsi_conn_text_append(struct iscsi_conn *conn, const struct slice *data)
{
    struct slice *text = &conn->text_in;
    if (!text->buf) {
        *text = slice_get(conn->node->bufs, ISCSI_TEXT_BYTES_MAX);
        text->length_bytes = 0;
    }
    if (data->length_bytes > ISCSI_TEXT_BYTES_MAX - text->length_bytes)
        return false;
    if (data->length_bytes)
        memcpy(text->bytes + text->length_bytes, data->bytes, data->length_bytes);
    text->length_bytes += data->length_bytes;
    return true;
}
