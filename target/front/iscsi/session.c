/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of a node and their SCSI nexuses; reinstatement of connections and of sessions (RFC 7143
 * sections 6.3.4 and 6.3.5).
 */
#include "target/front/iscsi/session.h"

#include "target/front/iscsi/conn.h"

#include <string.h>

static struct iscsi_conn *session_of(struct list *node)
{
    return CONTAINER_OF(node, struct iscsi_conn, session_node);
}

/* The same initiator port at the same target. */
static bool same_port(const struct iscsi_conn *a, const struct iscsi_conn *b)
{
    return a != b && !a->superseded && a->export == b->export &&
           scsi_port_equal(&a->port, &b->port);
}

void iscsi_session_choose(struct iscsi_conn *conn, struct export *export)
{
    ASSERT(!conn->export);
    conn->export = export;
    export->session_count++;
}

struct iscsi_conn *iscsi_session_find(const struct iscsi_conn *conn)
{
    LIST_FOR_EACH (node, &conn->node->sessions) {
        struct iscsi_conn *other = session_of(node);
        if (same_port(other, conn) && other->login.tsih == conn->login.tsih)
            return other;
    }
    return NULL;
}

/* A TSIH is 16 bits and may come round while an old session still has it. */
static bool tsih_used(struct iscsi_node *node, uint16_t tsih)
{
    LIST_FOR_EACH (at, &node->sessions) {
        if (session_of(at)->login.tsih == tsih)
            return true;
    }
    return false;
}

/*
 * The session goes on over another connection. The tasks of the old one are over, and so is what
 * was sent on it and did not arrive: the login says with which CmdSN the initiator goes on.
 */
static void connection_reinstate(struct iscsi_conn *conn, struct iscsi_conn *old)
{
    negotiation_keep(&conn->keys, &old->keys);
    if (seq_before(conn->exp_cmd_sn, old->exp_cmd_sn) ||
        seq_before(old->max_cmd_sn + 1, conn->exp_cmd_sn))
        conn->exp_cmd_sn = old->exp_cmd_sn;
    conn->max_cmd_sn = old->max_cmd_sn;
    scsi_nexus_move(conn->export->unit, &old->nexus, &conn->nexus, &conn->port);
    iscsi_session_supersede(old, "the initiator reinstated the connection");
    list_append(&conn->node->sessions, &conn->session_node);
}

bool iscsi_session_begin(struct iscsi_conn *conn)
{
    struct iscsi_node *node = conn->node;
    uint32_t tries = 0;
    if (conn->login.tsih) {
        struct iscsi_conn *old = iscsi_session_find(conn);
        ASSERT(old);
        connection_reinstate(conn, old);
        return true;
    }
    do {
        node->next_tsih = (uint16_t)(node->next_tsih == UINT16_MAX ? 1 : node->next_tsih + 1);
    } while (tsih_used(node, node->next_tsih) && ++tries < UINT16_MAX);
    if (tries == UINT16_MAX)
        return false;
    if (conn->discovery) {
        conn->login.tsih = node->next_tsih;
        return true;
    }
    ASSERT(conn->export && conn->export->unit);
    LIST_FOR_EACH (at, &node->sessions) {
        if (same_port(session_of(at), conn))
            iscsi_session_supersede(session_of(at), "the initiator logged in anew");
    }
    scsi_nexus_attach(conn->export->unit, &conn->nexus, &conn->port);
    conn->login.tsih = node->next_tsih;
    list_append(&node->sessions, &conn->session_node);
    return true;
}

void iscsi_session_supersede(struct iscsi_conn *conn, const char *why)
{
    ASSERT(!conn->superseded && conn->export);
    conn->superseded = true;
    iscsi_conn_fail(conn, why);
    scsi_nexus_detach(conn->export->unit, &conn->nexus);
    list_append(&conn->node->superseded, &conn->superseded_node);
}

void iscsi_session_end(struct iscsi_conn *conn)
{
    list_remove(&conn->superseded_node);
    list_remove(&conn->ready_node);
    list_remove(&conn->thirsty_node);
    list_remove(&conn->session_node);
    if (!conn->export)
        return;
    scsi_nexus_detach(conn->export->unit, &conn->nexus);
    ASSERT(conn->export->session_count > 0);
    conn->export->session_count--;
    conn->export = NULL;
}
