/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the NBD room: one server-side connection of the NBD protocol (the specification is
 * doc/proto.md of the NetworkBlockDevice project), fixed newstyle, bytes in and bytes out.
 */
#ifndef STRAKE_FRONT_NBD_H
#define STRAKE_FRONT_NBD_H

#include "common/base/block.h"
#include "common/base/pool.h"
#include "common/base/rx.h"
#include "common/base/tx.h"
#include "target/front/export/access.h"
#include "target/front/export/export.h"
#include "target/front/export/session.h"
#include "target/front/nbd/context.h"
#include "target/front/nbd/wire.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    NBD_REQUESTS_MAX = 128,                /* in flight a connection; more wait in the socket */
    NBD_PAYLOAD_BYTES_MAX = BUF_BYTES_MAX, /* of a READ or a WRITE */
    NBD_IN_FLIGHT_BYTES_MAX = 64 << 20,    /* of READs and WRITEs, a connection */
    NBD_TX_BYTES_MAX = 1 << 20,            /* unsent; with more no further request is looked at */
    NBD_OPTION_DATA_BYTES_MAX = 8192,      /* two strings of the longest kind the protocol has */
};
STATIC_ASSERT(NBD_PAYLOAD_BYTES_MAX == 32 << 20, "what clients assume who ask for no block sizes");

enum nbd_tls {
    NBD_TLS_OFF,      /* STARTTLS is unknown */
    NBD_TLS_ALLOWED,  /* the client may begin it */
    NBD_TLS_REQUIRED, /* before it there is nothing but STARTTLS and ABORT */
};

enum nbd_state {
    NBD_CLIENT_FLAGS, /* our greeting is in tx, the client's flags are awaited */
    NBD_OPTIONS,      /* option haggling */
    NBD_SECURING,     /* STARTTLS was granted: nbd_secured is awaited */
    NBD_TRANSMISSION, /* an export is open; a request's header is awaited */
    NBD_ACCEPTED,     /* `header` was accepted: its payload or a free object is awaited */
    NBD_REFUSED,      /* `header` was refused: its answer waits for the end of its payload */
    NBD_LEAVING,      /* DISC was seen: what is in flight is awaited */
    NBD_CLOSED,       /* DISC, ABORT or a breach: nothing more is read */
};

struct nbd_request {
    struct block_req block; /* owner is the session; done is set by the pump */
    struct nbd_header header;
    struct export *export; /* where the pump submits it */
    uint32_t contexts;     /* BLOCK_STATUS: those that are not answered yet */
};

struct nbd_session {
    enum nbd_state state;
    struct exports *exports;     /* of the front */
    struct pool *requests;       /* of the front: struct nbd_request, shared by its NBD sessions */
    struct access_client client; /* where from, by the front; judged by exports->access */
    enum nbd_tls tls;
    bool secure;           /* within TLS */
    struct export *export; /* open one, or NULL; counted in its session_count */
    uint32_t in_flight;
    uint64_t in_flight_bytes; /* of READs and WRITEs */
    uint32_t drain_bytes;     /* of what was refused: to be thrown away before anything else */
    bool no_zeroes;
    bool structured;
    bool extended;                /* headers of 64-bit lengths; `structured` as well */
    struct nbd_contexts contexts; /* selected for the volume `contexts_of` */
    struct uuid contexts_of;
    uint32_t asked;           /* NBD_ACCEPTED, BLOCK_STATUS: of which contexts */
    struct list again;        /* struct nbd_request by block.node: to be handed out once more */
    struct nbd_header header; /* NBD_ACCEPTED, NBD_REFUSED */
    int refusal;              /* NBD_REFUSED: -E... */
    const char *refusal_why;  /* NBD_REFUSED: a literal */
    /* Reason of SESSION_CLOSE, a literal; "the client ..." when it was the client's wish. */
    const char *why;
};

/* Starts the session and puts the greeting into tx. */
void nbd_init(struct nbd_session *session, struct exports *exports, struct pool *requests,
              enum nbd_tls tls, struct tx *tx);
/* TLS stands, as SESSION_SECURE asked: options begin anew. */
void nbd_secured(struct nbd_session *session);
/* Nothing may be in flight any more. */
void nbd_release(struct nbd_session *session);
/* The next thing to do (export/session.h). *out is a struct nbd_request, whose export says where
 * to. */
enum session_next nbd_next(struct nbd_session *session, struct rx *rx, struct tx *tx,
                           struct nbd_request **out);
/* The request is done: its answer into tx, its payload's reference and itself given back. */
void nbd_reply(struct nbd_session *session, struct nbd_request *request, struct tx *tx);
/* The connection is gone: gives the request back without an answer. */
void nbd_drop(struct nbd_session *session, struct nbd_request *request);

#endif
