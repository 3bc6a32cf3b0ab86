/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving commands and data-out. Data of a command that comes in one PDU stays where it was
 * received; of several it is put together in one buffer. Nothing is kept beyond what the CDB wants.
 */
#include "target/front/iscsi/receive.h"

#include "target/front/iscsi/conn.h"
#include "target/front/iscsi/task.h"

#include <string.h>

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Of an R2T at most so much is asked for. */
static uint32_t burst_bytes(const struct iscsi_conn *conn)
{
    return iscsi_conn_value(conn, KEY_MAX_BURST_BYTES);
}

static uint32_t first_burst_bytes(const struct iscsi_conn *conn)
{
    return min_u32(iscsi_conn_value(conn, KEY_FIRST_BURST_BYTES), burst_bytes(conn));
}

/* Of the data-out no more is kept than the command can use and the initiator announced. */
static void want_bytes_set(struct iscsi_task *task)
{
    if (!task->scsi.unit)
        return;
    struct scsi_transfer transfer = scsi_transfer_of(task->scsi.unit, task->scsi.cdb);
    if (!transfer.known)
        return;
    ASSERT(transfer.data_out_bytes <= SCSI_TRANSFER_BYTES_MAX);
    task->moves_out = transfer.data_out_bytes > 0;
    if (task->flags & PDU_WRITE)
        task->want_bytes = min_u32(task->expected_bytes, (uint32_t)transfer.data_out_bytes);
    if (task->flags & PDU_WRITE && task->expected_bytes > task->want_bytes)
        task->scsi.offered_bytes = task->expected_bytes;
}

/* How much may come before it is asked for. */
static uint32_t unasked_bytes(const struct iscsi_task *task)
{
    return min_u32(first_burst_bytes(task->conn), task->want_bytes);
}

/* Where more data goes: no larger than what has been let to come. */
static void data_room(struct iscsi_task *task)
{
    struct slice *kept = &task->scsi.data_out;
    uint32_t bytes = task->soliciting ? task->want_bytes : unasked_bytes(task);
    if (task->gathered && kept->buf->capacity_bytes >= bytes)
        return;
    struct slice room = slice_get(task->conn->node->bufs, bytes);
    if (kept->buf)
        memcpy(room.bytes, kept->bytes, kept->length_bytes);
    room.length_bytes = kept->length_bytes;
    slice_release(kept);
    *kept = room;
    task->gathered = true;
}

/* Keeps what is wanted of `data`, which follows what came before. */
static void data_keep(struct iscsi_task *task, const struct slice *data)
{
    struct slice *kept = &task->scsi.data_out;
    uint32_t left = task->want_bytes - min_u32(task->got_bytes, task->want_bytes);
    uint32_t length = min_u32(data->length_bytes, left);
    if (length > 0 && !kept->buf && (length == left || !task->unsolicited)) {
        *kept = slice_ref(data);
        kept->length_bytes = length;
    } else if (length > 0) {
        data_room(task);
        memcpy(kept->bytes + task->got_bytes, data->bytes, length);
        kept->length_bytes += length;
    }
    task->got_bytes += data->length_bytes;
}

static uint32_t r2t_count(const struct iscsi_task *task)
{
    uint32_t burst = burst_bytes(task->conn);
    uint32_t bytes = task->want_bytes - task->solicit_begin;
    return bytes / burst + (bytes % burst ? 1 : 0);
}

/* Where the sequence of the R2T with this number ends. */
static uint32_t r2t_end(const struct iscsi_task *task, uint32_t r2t_sn)
{
    uint64_t end = task->solicit_begin + (uint64_t)(r2t_sn + 1) * burst_bytes(task->conn);
    return end < task->want_bytes ? (uint32_t)end : task->want_bytes;
}

static void r2t_send(struct iscsi_task *task, struct tx *tx)
{
    struct iscsi_conn *conn = task->conn;
    uint32_t r2t_sn = task->r2t_sent++;
    uint32_t offset = task->solicit_begin + r2t_sn * burst_bytes(conn);
    struct pdu_r2t pdu = {.head = iscsi_conn_plain_head(conn, task->itt),
                          .ttt = task->ttt + r2t_sn,
                          .r2t_sn = r2t_sn,
                          .offset_bytes = offset,
                          .desired_bytes = r2t_end(task, r2t_sn) - offset};
    pdu.head.lun = task->lun;
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_r2t_encode(bhs, &pdu);
    iscsi_conn_send(conn, tx, bhs);
}

static void r2t_send_more(struct iscsi_task *task, struct tx *tx)
{
    uint32_t count = r2t_count(task);
    uint32_t outstanding_max = iscsi_conn_value(task->conn, KEY_MAX_R2T);
    while (task->r2t_sent < count && task->r2t_sent - task->r2t_done < outstanding_max)
        r2t_send(task, tx);
}

/* A run of tags that does not meet the reserved one. */
static uint32_t ttt_take(struct iscsi_conn *conn, uint32_t count)
{
    if (PDU_TAG_NONE - conn->next_ttt < count)
        conn->next_ttt = 0;
    uint32_t first = conn->next_ttt;
    conn->next_ttt += count;
    return first;
}

/* One is always awaited, of a connection and of all: when that is there, others are looked at. */
static bool may_solicit(struct iscsi_conn *conn, uint32_t bytes)
{
    struct iscsi_node *node = conn->node;
    if (conn->promised_bytes > 0 && conn->promised_bytes + bytes > ISCSI_SOLICIT_BYTES_MAX)
        return false;
    if (node->promised_bytes == 0 || !buf_pool_full(node->bufs))
        return true;
    if (list_empty(&conn->thirsty_node))
        list_append(&node->thirsty, &conn->thirsty_node);
    return false;
}

void iscsi_receive_solicit(struct iscsi_conn *conn, struct tx *tx)
{
    while (!list_empty(&conn->r2t_wait) && !conn->export->throttled) {
        struct iscsi_task *task = CONTAINER_OF(conn->r2t_wait.next, struct iscsi_task, wait);
        if (!may_solicit(conn, task->want_bytes))
            return;
        list_remove(&task->wait);
        iscsi_task_promise(task, task->want_bytes);
        task->soliciting = true;
        task->solicit_begin = task->got_bytes;
        task->ttt = ttt_take(conn, r2t_count(task));
        r2t_send_more(task, tx);
    }
}

/* What can be done now: execute, ask for the rest, or wait for what comes unasked. */
static void receive_step(struct iscsi_task *task, struct tx *tx)
{
    struct iscsi_conn *conn = task->conn;
    if (task->got_bytes >= task->want_bytes) {
        iscsi_task_promise_end(task);
        iscsi_task_execute(task, tx);
        iscsi_receive_solicit(conn, tx);
    } else if (task->soliciting) {
        r2t_send_more(task, tx);
    } else if (!task->unsolicited) {
        iscsi_task_promise_end(task);
        task->data_sn = 0;
        list_append(&conn->r2t_wait, &task->wait);
        iscsi_receive_solicit(conn, tx);
    }
}

/* What a command may bring and announce, given what was negotiated. NULL: nothing wrong. */
static const char *command_invalid(const struct iscsi_conn *conn, const struct pdu_command *command)
{
    uint8_t flags = command->head.flags;
    uint32_t data = command->head.data_bytes;
    if (!(flags & PDU_FINAL) && !(flags & PDU_WRITE))
        return "unsolicited data is announced by a command that does not write";
    if (!(flags & PDU_FINAL) && iscsi_conn_value(conn, KEY_INITIAL_R2T))
        return "unsolicited data is announced where InitialR2T=Yes";
    if (data == 0)
        return NULL;
    if (!(flags & PDU_WRITE))
        return "a command that does not write brings data";
    if (!iscsi_conn_value(conn, KEY_IMMEDIATE_DATA))
        return "immediate data where ImmediateData=No";
    if (data > first_burst_bytes(conn) || data > command->expected_bytes)
        return "more immediate data than allowed";
    return NULL;
}

/* Why a command gets no task although the connection may go on. */
static enum pdu_reject_reason command_rejected(const struct iscsi_conn *conn,
                                               const struct pdu_command *command)
{
    uint8_t both = PDU_READ | PDU_WRITE;
    if (command->head.itt == PDU_TAG_NONE)
        return PDU_REJECT_INVALID_FIELD;
    if (iscsi_task_find(conn, command->head.itt))
        return PDU_REJECT_IN_PROGRESS;
    if (command->head.immediate && conn->immediate_count >= ISCSI_IMMEDIATE_MAX)
        return PDU_REJECT_IMMEDIATE;
    if ((command->head.flags & both) == both && command->expected_bytes > 0)
        return PDU_REJECT_NOT_SUPPORTED;
    return PDU_REJECT_NONE;
}

/* What comes unasked cannot be made to wait. */
static bool brings_too_much(const struct iscsi_task *task, const struct slice *data)
{
    bool unasked = data->length_bytes > 0 || task->unsolicited;
    return unasked && task->want_bytes > 0 && buf_pool_spent(task->conn->node->bufs);
}

void iscsi_receive_command(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame)
{
    struct pdu_command command;
    pdu_command_decode(frame->bhs, &command);
    const char *why = command_invalid(conn, &command);
    if (why) {
        iscsi_conn_reject(conn, tx, frame, PDU_REJECT_PROTOCOL);
        iscsi_conn_fail(conn, why);
        return;
    }
    enum pdu_reject_reason reason = command_rejected(conn, &command);
    if (reason != PDU_REJECT_NONE) {
        iscsi_conn_reject(conn, tx, frame, reason);
        return;
    }
    struct iscsi_task *task = iscsi_task_new(conn, &command);
    if (!task) {
        iscsi_task_refuse(conn, &command, SCSI_TASK_SET_FULL, tx);
        return;
    }
    task->unsolicited = !(command.head.flags & PDU_FINAL);
    want_bytes_set(task);
    if (brings_too_much(task, &frame->data)) {
        iscsi_task_free(task);
        iscsi_task_refuse(conn, &command, SCSI_TASK_SET_FULL, tx);
        return;
    }
    if (task->unsolicited)
        iscsi_task_promise(task, unasked_bytes(task));
    data_keep(task, &frame->data);
    receive_step(task, tx);
}

/*
 * Data-out must continue where the last left off (DataPDUInOrder and DataSequenceInOrder are Yes),
 * within what was asked for or may come unasked. TASK_FAULT_NONE: it does.
 */
static enum task_fault data_out_fault(const struct iscsi_task *task, const struct pdu_data_out *pdu)
{
    const struct iscsi_conn *conn = task->conn;
    bool unsolicited = pdu->ttt == PDU_TAG_NONE;
    uint32_t end = min_u32(first_burst_bytes(conn), task->expected_bytes);
    if (unsolicited && !task->unsolicited)
        return TASK_FAULT_UNEXPECTED_DATA;
    if (!unsolicited) {
        if (!task->soliciting || pdu->ttt != task->ttt + task->r2t_done)
            return TASK_FAULT_DATA_PHASE;
        ASSERT(task->r2t_done < task->r2t_sent);
        end = r2t_end(task, task->r2t_done);
    }
    if (pdu->data_sn != task->data_sn || pdu->offset_bytes != task->got_bytes)
        return TASK_FAULT_DATA_PHASE;
    if (task->got_bytes > end || pdu->head.data_bytes > end - task->got_bytes)
        return TASK_FAULT_DATA_AMOUNT;
    bool final = pdu->head.flags & PDU_FINAL;
    if (final && !unsolicited && task->got_bytes + pdu->head.data_bytes < end)
        return TASK_FAULT_DATA_AMOUNT;
    return TASK_FAULT_NONE;
}

void iscsi_receive_data_out(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame)
{
    struct pdu_data_out pdu;
    pdu_data_out_decode(frame->bhs, &pdu);
    struct iscsi_task *task = iscsi_task_find(conn, pdu.head.itt);
    /* Of a command that was answered early or aborted: the initiator may not know yet. */
    if (!task || task->state != TASK_RECEIVING)
        return;
    enum task_fault fault = data_out_fault(task, &pdu);
    if (fault != TASK_FAULT_NONE) {
        iscsi_task_promise_end(task);
        iscsi_task_fail(task, fault, tx);
        return;
    }
    task->data_sn++;
    data_keep(task, &frame->data);
    if (task->soliciting && task->got_bytes == r2t_end(task, task->r2t_done)) {
        task->r2t_done++;
        task->data_sn = 0;
    } else if (pdu.ttt == PDU_TAG_NONE && pdu.head.flags & PDU_FINAL) {
        task->unsolicited = false;
    }
    receive_step(task, tx);
}
