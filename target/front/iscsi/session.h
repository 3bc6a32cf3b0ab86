/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions of a node: who is logged in to what, and who takes whose place. */
#ifndef STRAKE_FRONT_ISCSI_SESSION_H
#define STRAKE_FRONT_ISCSI_SESSION_H

#include "target/front/iscsi/state.h"

/* The export that the login names; it is kept until iscsi_session_end. */
void iscsi_session_choose(struct iscsi_conn *conn, struct export *export);
/* The session of the login's initiator, ISID and TSIH with the export, or NULL. */
struct iscsi_conn *iscsi_session_find(const struct iscsi_conn *conn);
/*
 * The login is complete. With a TSIH its connection becomes that of the session (which must be
 * there), else it takes the place of the session of the same initiator, ISID and export, if there
 * is one, and gets a TSIH. False when none is free.
 */
MUST_USE bool iscsi_session_begin(struct iscsi_conn *conn);
/* Its connection is to be closed and its answers are dropped; the front is told. */
void iscsi_session_supersede(struct iscsi_conn *conn, const char *why);
/* Leaves the node and lets go of the export. */
void iscsi_session_end(struct iscsi_conn *conn);

#endif
