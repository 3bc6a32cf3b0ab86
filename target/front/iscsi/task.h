/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a SCSI command once its data is there: begun, handed out block request by block
 * request, answered. Data-In and SCSI Response are RFC 7143 sections 11.7 and 11.4.
 */
#ifndef STRAKE_FRONT_ISCSI_TASK_H
#define STRAKE_FRONT_ISCSI_TASK_H

#include "target/front/iscsi/state.h"

/* Sense of an ABORTED COMMAND (RFC 7143 section 11.4.7.2): ASC << 8 | ASCQ. */
enum task_fault {
    TASK_FAULT_NONE = 0,
    TASK_FAULT_UNEXPECTED_DATA = 0x0c0c, /* unsolicited data where none was announced */
    TASK_FAULT_DATA_AMOUNT = 0x0c0d,     /* more or less than asked for */
    TASK_FAULT_DATA_PHASE = 0x4b00,      /* out of order */
};

/* The task of an ITT, aborted or not; NULL when there is none. */
struct iscsi_task *iscsi_task_find(const struct iscsi_conn *conn, uint32_t itt);
/* A task for this command, entered in the connection; NULL when all are out. */
struct iscsi_task *iscsi_task_new(struct iscsi_conn *conn, const struct pdu_command *command);
/* All its data-out is there (or none is wanted): answers it, or queues its block request. */
void iscsi_task_execute(struct iscsi_task *task, struct tx *tx);
/* What it waited for, in conn->waiting, is there. */
void iscsi_task_resume(struct iscsi_task *task, struct tx *tx);
/* The block request is done. */
void iscsi_task_finish(struct iscsi_task *task, struct tx *tx);
/* Its data-out did not come as it must: it is answered so, the connection goes on. */
void iscsi_task_fail(struct iscsi_task *task, enum task_fault fault, struct tx *tx);
/* Memory for what is awaited of its data-out; the end of it, once that is there or not awaited. */
void iscsi_task_promise(struct iscsi_task *task, uint32_t bytes);
void iscsi_task_promise_end(struct iscsi_task *task);
/* Gives the task back without an answer. */
void iscsi_task_free(struct iscsi_task *task);
/* A command is refused without a task. */
void iscsi_task_refuse(struct iscsi_conn *conn, const struct pdu_command *command,
                       enum scsi_status status, struct tx *tx);

#endif
