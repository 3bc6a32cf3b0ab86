/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the front's files share: the front, its exports and its connections. Private to the room.
 *
 * A connection is in one of these states:
 *   open      the session is pulled; `blocked` (and paused) while something is short
 *   leaving   nothing more is read; finishes once its requests are answered
 *   finishing what is in tx is sent, then the stream closes
 *   gone      the stream is closed; kept until its requests are back, then in front.dead
 */
#ifndef STRAKE_FRONT_FRONT_STATE_H
#define STRAKE_FRONT_FRONT_STATE_H

#include "common/base/pool.h"
#include "target/front/front.h"
#include "target/front/front_access.h"
#include "target/front/iscsi/iscsi.h"
#include "target/front/nbd/nbd.h"
#include "target/front/scsi/scsi.h"
#include "target/volume/volume.h"

enum {
    FRONT_LISTENERS_MAX = ISCSI_PORTALS_MAX,
    NBD_HANDSHAKE_S = 30,      /* from connecting to an open export */
    CONN_LEAVE_S = 5,          /* from the end of reading to the end of the connection */
    CONN_LONG_BYTES = 2 << 20, /* with memory short, NBD writes longer than this wait for it */
    CONN_HALF_S = 30, /* with memory short, what was begun to be sent, or read, goes on by then */
    CONN_UNREAD_BYTES = 64 << 10, /* at least so much of it */
    ISCSI_TICK_S = 2, /* how often iSCSI keepalive, and what initiators are told, is looked at */
    /* A volume that has not served for so long is stalled: initiators wait for a command for 30 s.
     */
    EXPORT_STALLED_S = 20,
    FRONT_RETRY_MS_MIN = 5, /* looking again whether there is memory */
    FRONT_RETRY_MS_MAX = 320,
};

enum protocol { PROTOCOL_NBD, PROTOCOL_ISCSI };

struct front_export {
    struct export export;
    struct scsi_unit unit;
    char iqn[IQN_BYTES];
    uint32_t in_flight;    /* requests of it in its volume */
    struct loop_timer due; /* runs while it is throttled */
    struct list waiting;   /* struct conn by blocked_node: until then */
    struct front *front;
    void (*removed)(void *arg); /* set once front_export_remove was called */
    void *removed_arg;
};

struct front_listener {
    struct front *front;
    enum protocol protocol;
    uint32_t portal; /* iSCSI: index in node.portals */
    struct listener listener;
};

struct front {
    struct loop *loop;            /* of main */
    struct stream_sender *sender; /* of main */
    struct buf_pool *bufs;        /* of main */
    uint32_t connections_max;
    enum nbd_tls nbd_tls;
    struct tls_context *tls; /* of main; NULL: no TLS */
    struct front_access access;
    struct exports exports;
    struct pool nbd_requests;
    struct iscsi_node node;
    struct front_listener listeners[FRONT_LISTENERS_MAX];
    uint32_t listener_count;

    struct list conns;   /* struct conn, not gone */
    struct list blocked; /* struct conn by blocked_node: to be pumped when something completes */
    struct list dead;    /* struct conn by node: gone, and may be out of requests */
    uint32_t counts[2];  /* by enum protocol: connections not gone */
    uint32_t conn_count; /* connections, gone or not */
    uint64_t conns_ever;
    uint32_t in_flight; /* requests of all connections */
    bool crowd_told;    /* connections_max was reached, and the log has it */

    struct loop_task settle; /* after completions: blocked connections, ends, removals */
    struct loop_timer tick;  /* runs while there are iSCSI connections */
    struct loop_timer retry; /* runs while a connection waits for memory */
    uint32_t retry_ms;
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

struct conn {
    struct front *front;
    enum protocol protocol;
    uint64_t id;
    uint64_t since_ns;
    uint64_t half_since_ns;      /* since when a long write is awaited; 0: it is not */
    uint64_t unread_since_ns;    /* since when answers wait; 0: they did not, when last looked at */
    uint64_t read_by_then_bytes; /* what tx must have sent CONN_HALF_S after that */
    struct stream stream;
    struct nbd_session nbd;     /* PROTOCOL_NBD */
    struct iscsi_conn *iscsi;   /* PROTOCOL_ISCSI; owned */
    struct loop_task pump;      /* after a reply: the session may go on without new bytes */
    struct loop_timer deadline; /* NBD: for opening an export; any: for leaving */
    uint32_t in_flight;
    bool blocked;
    bool leaving;
    bool finishing;
    bool gone;
    char peer[ADDRESS_TEXT_BYTES];
    char who[TLS_PEER_BYTES]; /* NBD within TLS: who the client proved to be; else "" */
    struct list node;
    struct list blocked_node;
};

/* An accepted socket becomes a connection, or is closed. `portal`: see struct front_listener. */
void conn_accept(struct front *front, enum protocol protocol, uint32_t portal, int fd);
/* Closes the stream now, as somebody wants who is not the client; the log has it. */
void conn_drop(struct conn *conn, const char *why);
/* When memory is short, ends those who hold it: by half a write, or answers they do not read. */
void conn_drop_hoarders(struct front *front);
const char *conn_protocol_name(const struct conn *conn);
/* Who the client is, as far as it said or proved; "" when that is nothing. */
const char *conn_who(const struct conn *conn);
/* The export it uses, or NULL. */
struct export *conn_export(const struct conn *conn);
/* Looks whether the access file has changed, and reads it then. */
void front_access_refresh(struct front *front);
/* Asks the session for what it can do with what is there. */
void conn_pump(struct conn *conn);
/* Blocked connections once each: those that stay blocked put themselves at the end again. */
void conn_pump_all(struct list *blocked);
/* No more requests are taken; the stream ends once those in flight are answered. */
void conn_leave(struct conn *conn);
/* Closes the stream now; requests in flight come back unanswered. */
void conn_close(struct conn *conn);
/* Closes the iSCSI connections whose session was taken over, or whose export is gone. */
void conn_close_superseded(struct front *front);
/* iSCSI connections that have something to do though no byte came. */
void conn_pump_ready(struct front *front);
/* The export is not throttled any more: its connections go on. */
void conn_on_due(struct loop_timer *timer);
/* iSCSI keepalive. */
void conn_tick(struct conn *conn, uint64_t now_ns);
/* Gives back a gone connection that has nothing in flight. */
void conn_free(struct conn *conn);
/* True when the connection's session uses the export (NBD; iSCSI knows by itself). */
bool conn_uses(const struct conn *conn, const struct export *export);

#endif
