/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a connection alive and what ends it: NOP, Logout, Asynchronous Message. */
#ifndef STRAKE_FRONT_ISCSI_CONTROL_H
#define STRAKE_FRONT_ISCSI_CONTROL_H

#include "target/front/iscsi/state.h"

/* A ping of the initiator, or its answer to ours; the CmdSN is counted already. */
void iscsi_control_nop_out(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame);
/* Ends what was not begun; the answer waits for what was. */
void iscsi_control_logout(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame);
/* Answers the logout once no command is at the disk. */
void iscsi_control_logout_answer(struct iscsi_conn *conn, struct tx *tx);

#endif
