/* SPDX-License-Identifier: Apache-2.0 */
/* The login phase (RFC 7143 section 6): stages, keys, and the session that comes out of it. */
#ifndef STRAKE_FRONT_ISCSI_LOGIN_H
#define STRAKE_FRONT_ISCSI_LOGIN_H

#include "target/front/iscsi/state.h"

/* Answers a login request. A refusal is in tx, and the connection failed. */
void iscsi_login_request(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame);

#endif
