/* SPDX-License-Identifier: Apache-2.0 */
/* SCSI commands of a connection: the table of them, their execution and their answers. */
#include "target/front/iscsi/task.h"

#include "target/front/iscsi/conn.h"

#include <string.h>

static uint32_t hash_of(uint32_t itt)
{
    return (itt * 2654435761u) >> 24;
}
STATIC_ASSERT(ISCSI_HASH == 1 << 8, "hash_of gives 8 bits");

struct iscsi_task *iscsi_task_find(const struct iscsi_conn *conn, uint32_t itt)
{
    struct iscsi_task *task = conn->hash[hash_of(itt)];
    while (task && task->itt != itt)
        task = task->hash_next;
    return task;
}

struct iscsi_task *iscsi_task_new(struct iscsi_conn *conn, const struct pdu_command *command)
{
    struct iscsi_task *task = pool_get(&conn->node->tasks);
    if (!task)
        return NULL;
    task->conn = conn;
    task->immediate = command->head.immediate;
    task->flags = command->head.flags;
    task->itt = command->head.itt;
    task->lun = command->head.lun;
    task->expected_bytes = command->expected_bytes;
    task->scsi.unit = lun_is_zero(task->lun) ? conn->export->unit : NULL;
    task->scsi.nexus = &conn->nexus;
    memcpy(task->scsi.cdb, command->cdb, SCSI_CDB_BYTES);
    task->scsi.block.owner = conn;
    list_init(&task->scsi.block.node);
    list_init(&task->wait);
    struct iscsi_task **bucket = &conn->hash[hash_of(task->itt)];
    task->hash_next = *bucket;
    *bucket = task;
    list_append(&conn->tasks, &task->node);
    if (task->immediate)
        conn->immediate_count++;
    else
        conn->task_count++;
    return task;
}

/* The task is no longer the connection's: its ITT may come again, the window has its place. */
static void task_leave(struct iscsi_task *task)
{
    struct iscsi_conn *conn = task->conn;
    struct iscsi_task **at = &conn->hash[hash_of(task->itt)];
    while (*at != task)
        at = &(*at)->hash_next;
    *at = task->hash_next;
    list_remove(&task->node);
    list_remove(&task->wait);
    if (task->immediate)
        conn->immediate_count--;
    else
        conn->task_count--;
}

static void task_release(struct iscsi_task *task)
{
    slice_release(&task->scsi.data_out);
    slice_release(&task->scsi.data_in);
    pool_put(&task->conn->node->tasks, task);
}

void iscsi_task_promise(struct iscsi_task *task, uint32_t bytes)
{
    ASSERT(task->promised_bytes == 0);
    task->promised_bytes = bytes;
    task->conn->promised_bytes += bytes;
    task->conn->node->promised_bytes += bytes;
    buf_promise(task->conn->node->bufs, bytes);
}

void iscsi_task_promise_end(struct iscsi_task *task)
{
    struct iscsi_node *node = task->conn->node;
    struct list *thirsty;
    if (task->promised_bytes == 0)
        return;
    task->conn->promised_bytes -= task->promised_bytes;
    node->promised_bytes -= task->promised_bytes;
    buf_promise_end(node->bufs, task->promised_bytes);
    task->promised_bytes = 0;
    while ((thirsty = list_pop(&node->thirsty)) != NULL)
        iscsi_conn_wake(CONTAINER_OF(thirsty, struct iscsi_conn, thirsty_node));
}

void iscsi_task_free(struct iscsi_task *task)
{
    ASSERT(task->state != TASK_SUBMITTED);
    iscsi_task_promise_end(task);
    if (task->state == TASK_QUEUED)
        scsi_drop(&task->scsi);
    task_leave(task);
    task_release(task);
}

/* What a part of an answer says of the whole: the S bit and the residual count. */
struct outcome {
    uint8_t flags;
    uint32_t residual_bytes;
};

/*
 * The command's own length against what the initiator made room for (RFC 7143 section 11.4.5);
 * there is none in the direction that the initiator did not name.
 */
static struct outcome outcome_of(const struct iscsi_task *task)
{
    uint64_t actual = task->scsi.expected_bytes;
    uint64_t expected = task->expected_bytes;
    uint8_t named = task->flags & (PDU_READ | PDU_WRITE);
    if (!named || (actual > 0 && !(named & (task->moves_out ? PDU_WRITE : PDU_READ))))
        expected = 0;
    if (actual > expected)
        return (struct outcome){PDU_OVERFLOW, (uint32_t)(actual - expected)};
    if (actual < expected)
        return (struct outcome){PDU_UNDERFLOW, (uint32_t)(expected - actual)};
    return (struct outcome){0, 0};
}

static void data_in_send(struct iscsi_conn *conn, struct tx *tx, const struct pdu_data_in *pdu,
                         const struct slice *part)
{
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_data_in_encode(bhs, pdu);
    if (part->length_bytes <= ISCSI_COPY_BYTES_MAX)
        iscsi_conn_send_copy(conn, tx, bhs, part->bytes, part->length_bytes);
    else
        iscsi_conn_send_slice(conn, tx, bhs, part);
}

/*
 * Sends `length` bytes in PDUs that the initiator can take, in sequences of MaxBurstLength. The
 * last one carries the status. Returns nothing to say: GOOD is said.
 */
static void respond_data(struct iscsi_task *task, uint32_t length, struct outcome outcome,
                         struct tx *tx)
{
    struct iscsi_conn *conn = task->conn;
    uint32_t pdu_max = iscsi_conn_value(conn, KEY_MAX_RECV_BYTES);
    uint32_t burst = iscsi_conn_value(conn, KEY_MAX_BURST_BYTES);
    uint32_t burst_left = burst;
    struct pdu_data_in pdu = {.ttt = PDU_TAG_NONE};
    for (uint32_t at = 0; at < length; pdu.data_sn++) {
        uint32_t step = length - at < pdu_max ? length - at : pdu_max;
        if (step > burst_left)
            step = burst_left;
        struct slice part = task->scsi.data_in;
        part.bytes += at;
        part.length_bytes = step;
        burst_left -= step;
        bool last = at + step == length;
        pdu.head =
            last ? iscsi_conn_status_head(conn, task->itt) : iscsi_conn_plain_head(conn, task->itt);
        pdu.head.stat_sn = last ? pdu.head.stat_sn : 0;
        pdu.head.flags = last || burst_left == 0 ? PDU_FINAL : 0;
        pdu.head.data_bytes = step;
        pdu.offset_bytes = at;
        if (last) {
            pdu.head.flags |= (uint8_t)(PDU_STATUS | outcome.flags);
            pdu.status = SCSI_GOOD;
            pdu.residual_bytes = outcome.residual_bytes;
        }
        data_in_send(conn, tx, &pdu, &part);
        at += step;
        if (burst_left == 0)
            burst_left = burst;
    }
}

static void respond_status(const struct iscsi_task *task, struct outcome outcome, struct tx *tx)
{
    struct iscsi_conn *conn = task->conn;
    const struct scsi_command *scsi = &task->scsi;
    struct pdu_scsi_response pdu = {.head = iscsi_conn_status_head(conn, task->itt),
                                    .status = (uint8_t)scsi->status,
                                    .exp_data_sn = task->r2t_sent,
                                    .residual_bytes = outcome.residual_bytes};
    uint8_t sense[2 + SCSI_SENSE_BYTES_MAX];
    struct writer w = writer_of(sense, sizeof(sense));
    if (scsi->sense_bytes) {
        write_u16(&w, (uint16_t)scsi->sense_bytes);
        write_bytes(&w, scsi->sense, scsi->sense_bytes);
    }
    ASSERT(!w.bad);
    pdu.head.flags = outcome.flags;
    pdu.head.data_bytes = (uint32_t)writer_length(&w);
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_scsi_response_encode(bhs, &pdu);
    iscsi_conn_send_copy(conn, tx, bhs, sense, pdu.head.data_bytes);
}

/* The command is over: its answer, and an end to it. */
static void task_respond(struct iscsi_task *task, struct tx *tx)
{
    const struct scsi_command *scsi = &task->scsi;
    struct outcome outcome = outcome_of(task);
    uint32_t length = task->flags & PDU_READ ? scsi->data_in.length_bytes : 0;
    if (length > task->expected_bytes)
        length = task->expected_bytes;
    task_leave(task);
    if (length > 0 && scsi->status == SCSI_GOOD)
        respond_data(task, length, outcome, tx);
    else
        respond_status(task, outcome, tx);
    task_release(task);
}

static void task_step(struct iscsi_task *task, enum scsi_next next, struct tx *tx)
{
    switch (next) {
    case SCSI_DONE:
        task_respond(task, tx);
        return;
    case SCSI_BLOCK:
        task->state = TASK_QUEUED;
        list_append(&task->conn->queue, &task->wait);
        return;
    case SCSI_ABORT:
        task->state = TASK_PREEMPTS;
        break;
    case SCSI_WAIT:
        task->state = TASK_HELD;
        break;
    }
    list_append(&task->conn->waiting, &task->wait);
}

void iscsi_task_execute(struct iscsi_task *task, struct tx *tx)
{
    ASSERT(task->state == TASK_RECEIVING && task->promised_bytes == 0);
    ASSERT(list_empty(&task->wait));
    task_step(task, scsi_command(&task->scsi, task->conn->node->bufs), tx);
}

void iscsi_task_resume(struct iscsi_task *task, struct tx *tx)
{
    struct buf_pool *bufs = task->conn->node->bufs;
    bool held = task->state == TASK_HELD;
    ASSERT(held || task->state == TASK_PREEMPTED);
    list_remove(&task->wait);
    task_step(task, held ? scsi_command(&task->scsi, bufs) : scsi_finish(&task->scsi, bufs), tx);
}

void iscsi_task_fail(struct iscsi_task *task, enum task_fault fault, struct tx *tx)
{
    ASSERT(task->state == TASK_RECEIVING && task->promised_bytes == 0 && fault != TASK_FAULT_NONE);
    scsi_abort(&task->scsi, (uint16_t)fault);
    task_respond(task, tx);
}

void iscsi_task_finish(struct iscsi_task *task, struct tx *tx)
{
    ASSERT(task->state == TASK_SUBMITTED && !task->aborted);
    task_step(task, scsi_finish(&task->scsi, task->conn->node->bufs), tx);
}

void iscsi_task_refuse(struct iscsi_conn *conn, const struct pdu_command *command,
                       enum scsi_status status, struct tx *tx)
{
    struct pdu_scsi_response pdu = {.head = iscsi_conn_status_head(conn, command->head.itt),
                                    .status = (uint8_t)status};
    if (command->head.flags & (PDU_READ | PDU_WRITE) && command->expected_bytes) {
        pdu.head.flags = PDU_UNDERFLOW;
        pdu.residual_bytes = command->expected_bytes;
    }
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_scsi_response_encode(bhs, &pdu);
    iscsi_conn_send(conn, tx, bhs);
}
