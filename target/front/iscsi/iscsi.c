/* SPDX-License-Identifier: Apache-2.0 */
/* The connection as the front drives it: PDUs to their handlers, block requests out and back. */
#include "target/front/iscsi/iscsi.h"

#include "target/front/iscsi/conn.h"
#include "target/front/iscsi/control.h"
#include "target/front/iscsi/login.h"
#include "target/front/iscsi/receive.h"
#include "target/front/iscsi/session.h"
#include "target/front/iscsi/state.h"
#include "target/front/iscsi/task.h"
#include "target/front/iscsi/text.h"
#include "target/front/iscsi/tmf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int iscsi_node_init(struct iscsi_node *node, struct exports *exports, struct buf_pool *bufs,
                    uint32_t tasks_max)
{
    *node = (struct iscsi_node){.exports = exports, .bufs = bufs};
    list_init(&node->sessions);
    list_init(&node->superseded);
    list_init(&node->ready);
    list_init(&node->thirsty);
    return pool_init(&node->tasks, sizeof(struct iscsi_task), tasks_max);
}

uint32_t iscsi_node_portal_add(struct iscsi_node *node, const char *address)
{
    ASSERT(node->portal_count < ISCSI_PORTALS_MAX && strlen(address) < ISCSI_PORTAL_BYTES);
    memcpy(node->portals[node->portal_count], address, strlen(address) + 1);
    return node->portal_count++;
}

void iscsi_node_release(struct iscsi_node *node)
{
    ASSERT(list_empty(&node->sessions) && list_empty(&node->superseded));
    ASSERT(list_empty(&node->ready) && list_empty(&node->thirsty));
    ASSERT(node->promised_bytes == 0);
    pool_release(&node->tasks);
}

struct iscsi_conn *iscsi_conn_new(struct iscsi_node *node, const struct iscsi_arrival *arrival)
{
    struct iscsi_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return NULL;
    conn->node = node;
    conn->state = CONN_S3_XPT_UP; /* T3 */
    memcpy(conn->random, arrival->random, sizeof(conn->random));
    snprintf(conn->local, sizeof(conn->local), "%s", arrival->local);
    conn->portal = arrival->portal;
    conn->client.initiator = conn->port.initiator;
    conn->client.address = access_address_of(arrival->peer);
    negotiation_init(&conn->keys);
    list_init(&conn->session_node);
    list_init(&conn->superseded_node);
    list_init(&conn->ready_node);
    list_init(&conn->thirsty_node);
    list_init(&conn->tasks);
    list_init(&conn->queue);
    list_init(&conn->r2t_wait);
    list_init(&conn->waiting);
    struct reader r = reader_of(conn->random + ISCSI_RANDOM_STAT_SN, 4);
    conn->stat_sn = read_u32(&r);
    conn->exp_stat_sn = conn->stat_sn;
    r = reader_of(conn->random + ISCSI_RANDOM_TTT, 4);
    conn->next_ttt = read_u32(&r);
    iscsi_text_reset(conn);
    return conn;
}

void iscsi_conn_free(struct iscsi_conn *conn)
{
    ASSERT(conn->submitted_count == 0);
    LIST_FOR_EACH_SAFE (node, &conn->tasks)
        iscsi_task_free(CONTAINER_OF(node, struct iscsi_task, node));
    ASSERT(conn->task_count == 0 && conn->immediate_count == 0 && conn->promised_bytes == 0);
    iscsi_text_reset(conn);
    iscsi_session_end(conn);
    explicit_bzero(conn->random, sizeof(conn->random));
    free(conn);
}

/* Requests that mean nothing in a session without a target. */
static bool needs_target(uint8_t opcode)
{
    return opcode == PDU_COMMAND || opcode == PDU_TMF || opcode == PDU_DATA_OUT;
}

/* What comes in its turn, by CmdSN. */
static void dispatch_ordered(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame,
                             uint8_t opcode)
{
    struct pdu_nop_out any; /* the head of every such request */
    pdu_nop_out_decode(frame->bhs, &any);
    if (iscsi_conn_order(conn, &any.head) != CONN_ORDER_NOW)
        return;
    switch (opcode) {
    case PDU_NOP_OUT:
        iscsi_control_nop_out(conn, tx, frame);
        break;
    case PDU_COMMAND:
        iscsi_receive_command(conn, tx, frame);
        break;
    case PDU_TMF:
        iscsi_tmf_request(conn, tx, frame);
        break;
    case PDU_TEXT:
        iscsi_text_request(conn, tx, frame);
        break;
    case PDU_LOGOUT:
        iscsi_control_logout(conn, tx, frame);
        break;
    default:
        UNREACHABLE();
    }
}

static void dispatch(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame)
{
    struct pdu_lengths lengths;
    pdu_lengths_decode(frame->bhs, &lengths);
    uint8_t opcode = lengths.opcode;
    bool login = conn->state == CONN_S3_XPT_UP || conn->state == CONN_S4_IN_LOGIN;
    if (login && opcode == PDU_LOGIN) {
        iscsi_login_request(conn, tx, frame);
    } else if (login) {
        iscsi_conn_fail(conn, "a request other than login before login");
    } else if (opcode == PDU_LOGIN || (conn->discovery && needs_target(opcode))) {
        iscsi_conn_reject(conn, tx, frame, PDU_REJECT_PROTOCOL);
        iscsi_conn_fail(conn, "a request that has no place in this session");
    } else if (opcode == PDU_DATA_OUT) {
        iscsi_receive_data_out(conn, tx, frame);
    } else if (opcode <= PDU_LOGOUT) {
        dispatch_ordered(conn, tx, frame, opcode);
    } else {
        iscsi_conn_reject(conn, tx, frame,
                          opcode == PDU_SNACK ? PDU_REJECT_SNACK : PDU_REJECT_NOT_SUPPORTED);
    }
}

/* What that aborts may be the next one in the list. */
static struct iscsi_task *task_that_preempts(const struct iscsi_conn *conn)
{
    LIST_FOR_EACH (node, &conn->waiting) {
        struct iscsi_task *task = CONTAINER_OF(node, struct iscsi_task, wait);
        if (task->state == TASK_PREEMPTS)
            return task;
    }
    return NULL;
}

/* Commands that wait for what other sessions' commands do, or for the volume's book. */
static void waiting_resume(struct iscsi_conn *conn, struct tx *tx)
{
    struct iscsi_task *preempts;
    while ((preempts = task_that_preempts(conn)) != NULL)
        iscsi_tmf_preempt(preempts);
    LIST_FOR_EACH_SAFE (node, &conn->waiting) {
        struct iscsi_task *task = CONTAINER_OF(node, struct iscsi_task, wait);
        if (task->state == TASK_PREEMPTED && iscsi_tmf_export_aborts(conn))
            continue;
        if (task->state == TASK_HELD && !scsi_unit_known(task->scsi.unit))
            continue;
        iscsi_task_resume(task, tx);
    }
}

/* What waits for something else than bytes. */
static void pending(struct iscsi_conn *conn, struct tx *tx)
{
    if (!conn->why && conn->export && conn->export->gone)
        iscsi_conn_fail(conn, "the export is gone");
    if (!conn->why && !list_empty(&conn->waiting))
        waiting_resume(conn, tx);
    if (!conn->why && conn->tmf_count > 0)
        iscsi_tmf_answer(conn, tx);
    if (!conn->why && conn->state == CONN_S6_IN_LOGOUT)
        iscsi_control_logout_answer(conn, tx);
    if (!conn->why && !list_empty(&conn->r2t_wait))
        iscsi_receive_solicit(conn, tx);
}

enum session_next iscsi_next(struct iscsi_conn *conn, struct rx *rx, struct tx *tx,
                             struct block_req **out)
{
    for (;;) {
        pending(conn, tx);
        if (conn->why)
            return SESSION_CLOSE;
        bool throttled = conn->export && conn->export->throttled;
        struct list *first = throttled ? NULL : list_pop(&conn->queue);
        if (first) {
            struct iscsi_task *task = CONTAINER_OF(first, struct iscsi_task, wait);
            ASSERT(task->state == TASK_QUEUED);
            task->state = TASK_SUBMITTED;
            conn->submitted_count++;
            scsi_submitting(&task->scsi, conn->node->bufs);
            *out = &task->scsi.block;
            return SESSION_REQUEST;
        }
        if (conn->state == CONN_S6_IN_LOGOUT)
            return SESSION_MORE;
        if (tx->pending_bytes > ISCSI_TX_BYTES_MAX)
            return SESSION_BUSY;
        struct frame frame;
        if (!iscsi_conn_frame_read(conn, rx, tx, &frame))
            return conn->why ? SESSION_CLOSE : SESSION_MORE;
        dispatch(conn, tx, &frame);
        slice_release(&frame.data);
    }
}

struct export *iscsi_export_of(const struct block_req *request)
{
    const struct iscsi_conn *conn = request->owner;
    ASSERT(conn->export);
    return conn->export;
}

/* The task is back from the front. False when nobody waits for it any more: it is freed. */
static bool task_back(struct iscsi_task *task, bool answer)
{
    struct iscsi_conn *conn = task->conn;
    ASSERT(task->state == TASK_SUBMITTED && conn->submitted_count > 0);
    conn->submitted_count--;
    if (answer && !task->aborted)
        return true;
    bool aborted = task->aborted;
    task->state = TASK_QUEUED;
    iscsi_task_free(task);
    if (aborted)
        iscsi_tmf_task_over(conn->node, conn->export);
    return false;
}

void iscsi_reply(struct iscsi_conn *conn, struct block_req *request, struct tx *tx)
{
    struct iscsi_task *task = task_of(request);
    ASSERT(task->conn == conn);
    if (task_back(task, !conn->why))
        iscsi_task_finish(task, tx);
    if (!list_empty(&conn->queue) || conn->state == CONN_S6_IN_LOGOUT)
        iscsi_conn_wake(conn);
}

void iscsi_drop(struct iscsi_conn *conn, struct block_req *request)
{
    struct iscsi_task *task = task_of(request);
    ASSERT(task->conn == conn);
    bool back = task_back(task, false);
    ASSERT(!back);
}

struct iscsi_conn *iscsi_node_superseded(struct iscsi_node *node)
{
    struct list *first = list_pop(&node->superseded);
    return first ? CONTAINER_OF(first, struct iscsi_conn, superseded_node) : NULL;
}

struct iscsi_conn *iscsi_node_ready(struct iscsi_node *node)
{
    struct list *first = list_pop(&node->ready);
    return first ? CONTAINER_OF(first, struct iscsi_conn, ready_node) : NULL;
}

void iscsi_node_drop_export(struct iscsi_node *node, const struct export *export)
{
    LIST_FOR_EACH (at, &node->sessions) {
        struct iscsi_conn *conn = CONTAINER_OF(at, struct iscsi_conn, session_node);
        if (conn->export == export && !conn->superseded)
            iscsi_session_supersede(conn, "the export is taken away");
    }
}

void iscsi_node_wake_export(struct iscsi_node *node, const struct export *export)
{
    LIST_FOR_EACH (at, &node->sessions) {
        struct iscsi_conn *conn = CONTAINER_OF(at, struct iscsi_conn, session_node);
        if (conn->export == export)
            iscsi_conn_wake(conn);
    }
}

const char *iscsi_why(const struct iscsi_conn *conn)
{
    return conn->why ? conn->why : "";
}

const char *iscsi_peer_name(const struct iscsi_conn *conn)
{
    return conn->port.initiator;
}

bool iscsi_is_owed(const struct iscsi_conn *conn)
{
    return conn->promised_bytes > 0;
}

struct export *iscsi_export(const struct iscsi_conn *conn)
{
    return conn->export;
}

void iscsi_set_user(struct iscsi_conn *conn, void *user)
{
    conn->user = user;
}

void *iscsi_user(const struct iscsi_conn *conn)
{
    return conn->user;
}
