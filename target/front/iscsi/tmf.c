/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Task management: commands that are not at the disk yet are dropped, those that are get no answer
 * any more, and the function is answered when the last of these is over: a write that was aborted
 * cannot reach the disk after the initiator was told so.
 */
#include "target/front/iscsi/tmf.h"

#include "target/front/iscsi/conn.h"
#include "target/front/iscsi/session.h"
#include "target/front/iscsi/task.h"

enum tmf_function {
    TMF_ABORT_TASK = 1,
    TMF_ABORT_TASK_SET = 2,
    TMF_CLEAR_ACA = 3,
    TMF_CLEAR_TASK_SET = 4,
    TMF_LUN_RESET = 5,
    TMF_TARGET_WARM_RESET = 6,
    TMF_TARGET_COLD_RESET = 7,
    TMF_TASK_REASSIGN = 8,
};

enum tmf_answer {
    TMF_COMPLETE = 0,
    TMF_NO_TASK = 1,
    TMF_NO_LUN = 2,
    TMF_NO_REASSIGN = 4,
    TMF_NOT_SUPPORTED = 5,
    TMF_REJECTED = 255,
};

static void tmf_respond(struct iscsi_conn *conn, uint32_t itt, enum tmf_answer answer,
                        struct tx *tx)
{
    struct pdu_tmf_response pdu = {.head = iscsi_conn_status_head(conn, itt),
                                   .response = (uint8_t)answer};
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_tmf_response_encode(bhs, &pdu);
    iscsi_conn_send(conn, tx, bhs);
}

static struct iscsi_conn *session_of(struct list *node)
{
    return CONTAINER_OF(node, struct iscsi_conn, session_node);
}

static struct iscsi_task *task_in(struct list *node)
{
    return CONTAINER_OF(node, struct iscsi_task, node);
}

static void task_abort(struct iscsi_task *task)
{
    if (task->state == TASK_SUBMITTED)
        task->aborted = true;
    else
        iscsi_task_free(task);
}

/* All but `spared`, or NULL. True when there were any. */
static bool tasks_abort(struct iscsi_conn *conn, const struct iscsi_task *spared)
{
    bool any = false;
    LIST_FOR_EACH_SAFE (node, &conn->tasks) {
        if (task_in(node) == spared)
            continue;
        task_abort(task_in(node));
        any = true;
    }
    return any;
}

static bool any_aborted(const struct iscsi_conn *conn)
{
    LIST_FOR_EACH (node, &conn->tasks) {
        if (task_in(node)->aborted)
            return true;
    }
    return false;
}

bool iscsi_tmf_export_aborts(const struct iscsi_conn *conn)
{
    LIST_FOR_EACH (node, &conn->node->sessions) {
        const struct iscsi_conn *other = session_of(node);
        if (other->export == conn->export && any_aborted(other))
            return true;
    }
    return false;
}

void iscsi_tmf_preempt(struct iscsi_task *task)
{
    struct iscsi_conn *conn = task->conn;
    struct scsi_unit *unit = conn->export->unit;
    ASSERT(task->state == TASK_PREEMPTS);
    LIST_FOR_EACH (node, &conn->node->sessions) {
        struct iscsi_conn *other = session_of(node);
        if (other->export != conn->export || !scsi_port_aborts(unit, &other->port) ||
            !tasks_abort(other, task) || other == conn)
            continue;
        scsi_port_attention(unit, &other->port, SCSI_UA_COMMANDS_CLEARED);
        iscsi_conn_wake(other);
    }
    scsi_ports_aborted(unit);
    task->state = TASK_PREEMPTED;
}

/*
 * All sessions' commands on the export. Sessions that lose any are woken, since others of their
 * commands may have waited for those, and told, unless a reset is told to everybody.
 */
static void export_abort(struct iscsi_conn *conn, bool reset)
{
    LIST_FOR_EACH (node, &conn->node->sessions) {
        struct iscsi_conn *other = session_of(node);
        if (other->export != conn->export || !tasks_abort(other, NULL) || other == conn)
            continue;
        if (!reset && !other->superseded)
            scsi_port_attention(conn->export->unit, &other->port, SCSI_UA_COMMANDS_CLEARED);
        iscsi_conn_wake(other);
    }
}

/* After the answer to a cold reset every session of the target is over. */
static void target_leave(struct iscsi_conn *conn)
{
    static const char why[] = "the target was reset";
    LIST_FOR_EACH (node, &conn->node->sessions) {
        struct iscsi_conn *other = session_of(node);
        if (other->export == conn->export && other != conn && !other->superseded)
            iscsi_session_supersede(other, why);
    }
    iscsi_conn_fail(conn, why);
}

/* True when something the function aborted is still at the disk. */
static bool tmf_waits(const struct iscsi_conn *conn, const struct tmf *tmf)
{
    if (tmf->function == TMF_ABORT_TASK) {
        const struct iscsi_task *task = iscsi_task_find(conn, tmf->ref_itt);
        return task && task->aborted;
    }
    if (tmf->function == TMF_ABORT_TASK_SET)
        return any_aborted(conn);
    return iscsi_tmf_export_aborts(conn);
}

void iscsi_tmf_answer(struct iscsi_conn *conn, struct tx *tx)
{
    for (int i = 0; conn->tmf_count > 0 && i < ISCSI_TMFS_MAX; i++) {
        struct tmf *tmf = &conn->tmfs[i];
        if (!tmf->used || tmf_waits(conn, tmf))
            continue;
        tmf->used = false;
        conn->tmf_count--;
        tmf_respond(conn, tmf->itt, TMF_COMPLETE, tx);
        if (tmf->function == TMF_TARGET_COLD_RESET)
            target_leave(conn);
    }
}

void iscsi_tmf_task_over(struct iscsi_node *node, const struct export *export)
{
    LIST_FOR_EACH (at, &node->sessions) {
        struct iscsi_conn *conn = session_of(at);
        bool waits = conn->tmf_count > 0 || !list_empty(&conn->waiting);
        if (conn->export == export && waits)
            iscsi_conn_wake(conn);
    }
}

static struct tmf *tmf_free_slot(struct iscsi_conn *conn)
{
    for (int i = 0; i < ISCSI_TMFS_MAX; i++) {
        if (!conn->tmfs[i].used)
            return &conn->tmfs[i];
    }
    return NULL;
}

/* What is to be answered at once; TMF_COMPLETE: when tmf_waits says so. */
static enum tmf_answer tmf_begin(struct iscsi_conn *conn, const struct pdu_tmf *pdu)
{
    enum tmf_function function = (enum tmf_function)(pdu->head.flags & PDU_FUNCTION_MASK);
    struct scsi_unit *unit = conn->export->unit;
    bool lun_ok = lun_is_zero(pdu->head.lun);
    struct iscsi_task *task;
    switch (function) {
    case TMF_ABORT_TASK:
        task = iscsi_task_find(conn, pdu->ref_itt);
        if (!task || task->lun != pdu->head.lun)
            return TMF_NO_TASK;
        task_abort(task);
        return TMF_COMPLETE;
    case TMF_ABORT_TASK_SET:
        if (!lun_ok)
            return TMF_NO_LUN;
        (void)tasks_abort(conn, NULL);
        return TMF_COMPLETE;
    case TMF_CLEAR_TASK_SET:
        if (!lun_ok)
            return TMF_NO_LUN;
        export_abort(conn, false);
        return TMF_COMPLETE;
    case TMF_LUN_RESET:
        if (!lun_ok)
            return TMF_NO_LUN;
        export_abort(conn, true);
        scsi_unit_reset(unit, SCSI_UA_LUN_RESET);
        return TMF_COMPLETE;
    case TMF_TARGET_WARM_RESET:
    case TMF_TARGET_COLD_RESET:
        export_abort(conn, true);
        scsi_unit_reset(unit, SCSI_UA_BUS_RESET);
        return TMF_COMPLETE;
    case TMF_TASK_REASSIGN:
        return TMF_NO_REASSIGN;
    case TMF_CLEAR_ACA:
        break;
    }
    return TMF_NOT_SUPPORTED;
}

void iscsi_tmf_request(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame)
{
    struct pdu_tmf pdu;
    pdu_tmf_decode(frame->bhs, &pdu);
    struct tmf *slot = tmf_free_slot(conn);
    enum tmf_answer answer = slot ? tmf_begin(conn, &pdu) : TMF_REJECTED;
    if (answer != TMF_COMPLETE) {
        tmf_respond(conn, pdu.head.itt, answer, tx);
        return;
    }
    *slot = (struct tmf){.used = true,
                         .function = pdu.head.flags & PDU_FUNCTION_MASK,
                         .itt = pdu.head.itt,
                         .ref_itt = pdu.ref_itt};
    conn->tmf_count++;
    iscsi_tmf_answer(conn, tx);
}
