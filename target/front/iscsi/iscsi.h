/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the iSCSI room: one target-side connection of RFC 7143 (one connection a session,
 * ErrorRecoveryLevel 0), bytes in and bytes out, with the SCSI room below it.
 */
#ifndef STRAKE_FRONT_ISCSI_H
#define STRAKE_FRONT_ISCSI_H

#include "common/base/block.h"
#include "common/base/list.h"
#include "common/base/pool.h"
#include "common/base/rx.h"
#include "common/base/tx.h"
#include "target/front/export/access.h"
#include "target/front/export/export.h"
#include "target/front/export/session.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ISCSI_WINDOW = 128, /* MaxCmdSN - ExpCmdSN + 1 at most */
    ISCSI_PORTAL_BYTES = 128,
    ISCSI_PORTALS_MAX = 16,
    ISCSI_RANDOM_BYTES = 48,
    ISCSI_TX_BYTES_MAX = 16u << 20, /* unsent answers at which a connection is read no further */
};

struct iscsi_conn; /* private: target/front/iscsi/state.h */
struct iscsi_task; /* private */

/* One per process: what the connections share. */
struct iscsi_node {
    struct exports *exports; /* of the front */
    struct buf_pool *bufs;   /* of the front */
    struct pool tasks;       /* owned: struct iscsi_task, shared by all connections */
    struct list sessions;    /* full-feature sessions of an export, until they are freed */
    struct list superseded;  /* those of them that iscsi_node_superseded is to tell */
    struct list ready;       /* connections that iscsi_node_ready is to tell */
    struct list thirsty;     /* connections that ask for no data until others have got theirs */
    uint64_t promised_bytes; /* of bufs, to data-out that is awaited */
    /* The portals of the one portal group, as SendTargets tells them. */
    char portals[ISCSI_PORTALS_MAX][ISCSI_PORTAL_BYTES];
    uint32_t portal_count;
    uint16_t next_tsih;
};

/* Bounds the tasks of all connections together. 0 or -ENOMEM. */
MUST_USE int iscsi_node_init(struct iscsi_node *node, struct exports *exports,
                             struct buf_pool *bufs, uint32_t tasks_max);
/*
 * Tells initiators of a portal "ADDR:PORT" as well; "": its address is known only to those who
 * come through it. Returns its index. At most ISCSI_PORTALS_MAX.
 */
uint32_t iscsi_node_portal_add(struct iscsi_node *node, const char *address);
/* Every connection must be freed. */
void iscsi_node_release(struct iscsi_node *node);

/* How a connection came to be. */
struct iscsi_arrival {
    const char *local;                  /* "ADDR:PORT" of our end */
    const char *peer;                   /* of the initiator's */
    uint32_t portal;                    /* through which it came */
    uint8_t random[ISCSI_RANDOM_BYTES]; /* fresh, for what must not be guessed */
};

/* NULL when there is no memory. */
struct iscsi_conn *iscsi_conn_new(struct iscsi_node *node, const struct iscsi_arrival *arrival);
/* All requests must be back (iscsi_reply or iscsi_drop). The export is no longer used by it. */
void iscsi_conn_free(struct iscsi_conn *conn);

/*
 * The next thing to do (session.h). *out->owner is set by the room; ask iscsi_export_of.
 * SESSION_BUSY means that ISCSI_TX_BYTES_MAX wait in tx: call again when they have gone out.
 */
enum session_next iscsi_next(struct iscsi_conn *conn, struct rx *rx, struct tx *tx,
                             struct block_req **out);
/* Which export a request of this connection goes to. */
struct export *iscsi_export_of(const struct block_req *request);
/*
 * The request is done: data-in, status and whatever waited for it go into tx. One command may take
 * several requests: call iscsi_next() again afterwards.
 */
void iscsi_reply(struct iscsi_conn *conn, struct block_req *request, struct tx *tx);
/* The connection is gone: gives the request back without an answer. */
void iscsi_drop(struct iscsi_conn *conn, struct block_req *request);
/*
 * Another login took this connection's session over, an administrator drops it, or its export is
 * gone: the front should close it (it may be closing already). Each is told once; NULL when there
 * is none. Ask after each iscsi_next().
 */
struct iscsi_conn *iscsi_node_superseded(struct iscsi_node *node);
/*
 * A connection that has something to say though nothing arrived on it (a task management answer
 * that waited for another session's command, say): call iscsi_next() for it, unless it is closing.
 * Each is told once; NULL when there is none. Ask after each iscsi_next, _reply, _drop.
 */
struct iscsi_conn *iscsi_node_ready(struct iscsi_node *node);
/* All sessions of the export become superseded: it is dropped, or goes away. */
void iscsi_node_drop_export(struct iscsi_node *node, const struct export *export);
/* What its sessions' commands waited for may be there: iscsi_node_ready will name them. */
void iscsi_node_wake_export(struct iscsi_node *node, const struct export *export);
/*
 * Keepalive: called every few seconds with a monotonic time; sends a NOP-In on a silent connection.
 * False when the initiator has been silent too long (or login takes too long): close.
 */
MUST_USE bool iscsi_tick(struct iscsi_conn *conn, uint64_t now_ns, struct tx *tx);
/* Asks the initiator to log out within `timeout_s`: for an orderly stop. Then close. */
void iscsi_logout_request(struct iscsi_conn *conn, uint16_t timeout_s, struct tx *tx);
/* Why SESSION_CLOSE, and who: texts for the log, valid while the connection is. */
const char *iscsi_why(const struct iscsi_conn *conn);
const char *iscsi_peer_name(const struct iscsi_conn *conn);
/* Whether the initiator has been let to send data that it has not sent. */
bool iscsi_is_owed(const struct iscsi_conn *conn);
/* The export it is logged in to, NULL before that and in a discovery session. */
struct export *iscsi_export(const struct iscsi_conn *conn);
/* The front's own pointer for this connection. */
void iscsi_set_user(struct iscsi_conn *conn, void *user);
void *iscsi_user(const struct iscsi_conn *conn);

#endif
