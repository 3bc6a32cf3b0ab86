/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCSI commands as they come in, and their data-out: immediate, unsolicited, or asked for by R2T
 * (RFC 7143 sections 11.3, 11.7 and 11.8).
 */
#ifndef STRAKE_FRONT_ISCSI_RECEIVE_H
#define STRAKE_FRONT_ISCSI_RECEIVE_H

#include "target/front/iscsi/state.h"

/* A SCSI command; its CmdSN is counted already. */
void iscsi_receive_command(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame);
void iscsi_receive_data_out(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame);
/* Asks for the data of commands that wait until less is being asked for. */
void iscsi_receive_solicit(struct iscsi_conn *conn, struct tx *tx);

#endif
