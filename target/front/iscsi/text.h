/* SPDX-License-Identifier: Apache-2.0 */
/* Text requests in full feature phase (RFC 7143 sections 11.10 and 11.11), SendTargets above all.
 */
#ifndef STRAKE_FRONT_ISCSI_TEXT_H
#define STRAKE_FRONT_ISCSI_TEXT_H

#include "target/front/iscsi/state.h"

/* A text request; its CmdSN is counted already. */
void iscsi_text_request(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame);
/* Forgets an exchange under way. */
void iscsi_text_reset(struct iscsi_conn *conn);

#endif
