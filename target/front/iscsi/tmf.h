/* SPDX-License-Identifier: Apache-2.0 */
/* Task management functions (RFC 7143 sections 11.5 and 11.6, SAM-5 section 7). */
#ifndef STRAKE_FRONT_ISCSI_TMF_H
#define STRAKE_FRONT_ISCSI_TMF_H

#include "target/front/iscsi/state.h"

/* A request; its CmdSN is counted already. */
void iscsi_tmf_request(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame);
/* Answers those of the connection whose commands' fate is known by now. */
void iscsi_tmf_answer(struct iscsi_conn *conn, struct tx *tx);
/* Aborts what a PREEMPT AND ABORT is to abort: it is PREEMPTED then. */
void iscsi_tmf_preempt(struct iscsi_task *task);
/* True when some command of the export that was aborted is still at the disk. */
bool iscsi_tmf_export_aborts(const struct iscsi_conn *conn);
/* An aborted command of the export is over: who waits for it is woken. */
void iscsi_tmf_task_over(struct iscsi_node *node, const struct export *export);

#endif
