/* SPDX-License-Identifier: Apache-2.0 */
/* NOP both ways, the keepalive, Logout, and the request to log out. */
#include "target/front/iscsi/control.h"

#include "target/front/iscsi/conn.h"
#include "target/front/iscsi/task.h"

/* Silence after which we ask, and after which we give up; and how long a login may take. */
#define KEEPALIVE_ASK_NS ((uint64_t)15 * 1000000000)
#define KEEPALIVE_END_NS ((uint64_t)60 * 1000000000)
#define LOGIN_END_NS     ((uint64_t)30 * 1000000000)

enum logout_reason { LOGOUT_SESSION = 0, LOGOUT_CONNECTION = 1, LOGOUT_RECOVERY = 2 };
enum logout_answer { LOGOUT_SUCCESS = 0, LOGOUT_NO_CID = 1, LOGOUT_NO_RECOVERY = 2 };

enum { ASYNC_LOGOUT_REQUESTED = 1 };

static void nop_in_send(struct iscsi_conn *conn, struct tx *tx, const struct pdu_nop_in *pdu,
                        const struct slice *data)
{
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_nop_in_encode(bhs, pdu);
    iscsi_conn_send_slice(conn, tx, bhs, data);
}

void iscsi_control_nop_out(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame)
{
    struct pdu_nop_out request;
    pdu_nop_out_decode(frame->bhs, &request);
    if (request.head.itt == PDU_TAG_NONE)
        return; /* the answer to our ping: that it came is all */
    struct slice echo = frame->data;
    if (echo.length_bytes > iscsi_conn_value(conn, KEY_MAX_RECV_BYTES))
        echo.length_bytes = iscsi_conn_value(conn, KEY_MAX_RECV_BYTES);
    struct pdu_nop_in pdu = {.head = iscsi_conn_status_head(conn, request.head.itt),
                             .ttt = PDU_TAG_NONE};
    pdu.head.data_bytes = echo.length_bytes;
    pdu.head.lun = request.head.lun;
    nop_in_send(conn, tx, &pdu, &echo);
}

static void ping(struct iscsi_conn *conn, struct tx *tx)
{
    const struct slice nothing = {0};
    if (conn->next_ttt == PDU_TAG_NONE)
        conn->next_ttt = 0;
    struct pdu_nop_in pdu = {.head = iscsi_conn_plain_head(conn, PDU_TAG_NONE),
                             .ttt = conn->next_ttt++};
    nop_in_send(conn, tx, &pdu, &nothing);
}

bool iscsi_tick(struct iscsi_conn *conn, uint64_t now_ns, struct tx *tx)
{
    bool login = conn->state == CONN_S3_XPT_UP || conn->state == CONN_S4_IN_LOGIN;
    /* During login the clock is not set back: it bounds the whole of it. */
    bool heard = conn->heard && !login;
    /* With commands at the disk we may be the ones who do not read. */
    if (conn->heard_ns == 0 || heard || conn->submitted_count > 0) {
        conn->heard = false;
        conn->pinged = false;
        conn->heard_ns = now_ns;
        return true;
    }
    ASSERT(now_ns >= conn->heard_ns);
    uint64_t silent_ns = now_ns - conn->heard_ns;
    if (silent_ns >= (login ? LOGIN_END_NS : KEEPALIVE_END_NS)) {
        iscsi_conn_fail(conn, login ? "login takes too long" : "the initiator is silent");
        return false;
    }
    bool asks = conn->state == CONN_S5_LOGGED_IN || conn->state == CONN_S7_LOGOUT_REQUESTED;
    if (asks && !conn->why && !conn->pinged && silent_ns >= KEEPALIVE_ASK_NS) {
        ping(conn, tx);
        conn->pinged = true;
    }
    return true;
}

/* What does not wait for a disk is dropped: logging out ends it (RFC 7143 section 11.14). */
static void tasks_end(struct iscsi_conn *conn)
{
    LIST_FOR_EACH_SAFE (node, &conn->tasks) {
        struct iscsi_task *task = CONTAINER_OF(node, struct iscsi_task, node);
        if (task->state != TASK_SUBMITTED)
            iscsi_task_free(task);
    }
}

void iscsi_control_logout(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame)
{
    struct pdu_logout request;
    pdu_logout_decode(frame->bhs, &request);
    uint8_t reason = request.head.flags & PDU_FUNCTION_MASK;
    iscsi_conn_step(conn, CONN_EV_LOGOUT);
    conn->logout_itt = request.head.itt;
    conn->logout_response = LOGOUT_SUCCESS;
    if (reason == LOGOUT_RECOVERY)
        conn->logout_response = LOGOUT_NO_RECOVERY;
    else if (reason > LOGOUT_RECOVERY ||
             (reason == LOGOUT_CONNECTION && request.cid != conn->login.cid))
        conn->logout_response = LOGOUT_NO_CID;
    if (conn->logout_response == LOGOUT_SUCCESS)
        tasks_end(conn);
    iscsi_control_logout_answer(conn, tx);
}

void iscsi_control_logout_answer(struct iscsi_conn *conn, struct tx *tx)
{
    bool success = conn->logout_response == LOGOUT_SUCCESS;
    if (conn->state != CONN_S6_IN_LOGOUT || (success && conn->submitted_count > 0))
        return;
    struct pdu_logout_response pdu = {.head = iscsi_conn_status_head(conn, conn->logout_itt),
                                      .response = conn->logout_response};
    pdu.time2wait = (uint16_t)iscsi_conn_value(conn, KEY_TIME2WAIT);
    pdu.time2retain = (uint16_t)iscsi_conn_value(conn, KEY_TIME2RETAIN);
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_logout_response_encode(bhs, &pdu);
    iscsi_conn_send(conn, tx, bhs);
    iscsi_conn_step(conn, success ? CONN_EV_LOGOUT_DONE : CONN_EV_LOGOUT_REFUSED);
    if (success)
        iscsi_conn_fail(conn, "logout");
}

void iscsi_logout_request(struct iscsi_conn *conn, uint16_t timeout_s, struct tx *tx)
{
    if (conn->state != CONN_S5_LOGGED_IN && conn->state != CONN_S7_LOGOUT_REQUESTED)
        return;
    iscsi_conn_step(conn, CONN_EV_LOGOUT_ASKED);
    struct pdu_async pdu = {.head = iscsi_conn_status_head(conn, PDU_TAG_NONE),
                            .event = ASYNC_LOGOUT_REQUESTED,
                            .parameter = {0, 0, timeout_s}};
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_async_encode(bhs, &pdu);
    iscsi_conn_send(conn, tx, bhs);
}
