/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the front: the one pump between clients' sockets and volumes. It accepts connections,
 * pulls requests out of their sessions, submits them to the volume of the export they are for, and
 * hands the results back.
 */
#ifndef STRAKE_FRONT_FRONT_H
#define STRAKE_FRONT_FRONT_H

#include "common/base/error.h"
#include "common/net/listener.h"
#include "common/net/stream.h"
#include "target/front/export/export.h"
#include "target/front/nbd/nbd.h"

struct front;
struct volume;

struct front_settings {
    const char *iqn_prefix;
    const char *access;       /* path of the access file (export/access.h); NULL: all is open */
    uint32_t requests_max;    /* in flight, all connections together, of each protocol */
    uint32_t connections_max; /* clients at once; who has no export yet makes room for more */
    enum nbd_tls nbd_tls;
    struct tls_context *tls; /* NULL: nbd_tls is off */
};

struct front_counters {
    uint32_t nbd_connections;
    uint32_t iscsi_connections;
};

struct front *front_new(const struct front_settings *settings, struct loop *loop,
                        struct stream_sender *sender, struct buf_pool *bufs, struct error *error);
/* Closes listeners and connections, drops exports. No request may be in flight. */
void front_free(struct front *front);
MUST_USE int front_listen_nbd(struct front *front, const struct address *address,
                              struct error *error);
/* `portal`: "ADDR:PORT" told to initiators instead of the address; or NULL. */
MUST_USE int front_listen_iscsi(struct front *front, const struct address *address,
                                const char *portal, struct error *error);
/* Reads the access file again, changed or not. 0, or -1 with the reason: the rules stay. */
MUST_USE int front_access_reload(struct front *front, struct error *error);
/* Stops accepting and closes every connection once its requests are answered; then `done`. */
void front_stop(struct front *front, void (*done)(void *arg), void *arg);

/*
 * Shows a volume to clients under its name, which no other export has, and takes it away (its
 * sessions end). NULL when there is no memory.
 */
struct export *front_export_add(struct front *front, struct volume *volume);
/* A snapshot of a volume, as an export of its own that can only be read. */
struct front_view {
    char name[EXPORT_NAME_BYTES]; /* "VOLUME@SNAPSHOT" */
    struct uuid uuid;
    uint64_t generation;
    uint64_t size_bytes;
    bool listed; /* discovery shows it */
};
struct export *front_view_add(struct front *front, struct volume *volume,
                              const struct front_view *view);
/* The volume has grown: initiators are told; clients of NBD see it when they ask again. */
void front_export_resize(struct front *front, struct export *export, uint64_t size_bytes);
/*
 * `done` is called in a later turn, when no request of it is in flight and no session uses it any
 * more; the export ends with the call.
 */
void front_export_remove(struct front *front, struct export *export, void (*done)(void *arg),
                         void *arg);
/*
 * SCSI reservations that outlive the target are the row FRONT_RESERVATIONS_ROW of the volume's
 * book. Whoever adds an export whose book is not read yet calls _hold at once: commands that a
 * reservation might forbid, and NBD requests alike, wait until front_export_reservations gives what
 * the row has (nothing: there is none). Said again, it changes nothing: what is here is newer.
 */
#define FRONT_RESERVATIONS_ROW "reservations"
void front_export_hold(struct export *export);
void front_export_reservations(struct front *front, struct export *export, const uint8_t *bytes,
                               size_t length);
/* What initiators hear with their next command. */
enum front_news {
    FRONT_SPACE_LOW,  /* the replicas' space passed its threshold: give back what is not needed */
    FRONT_CACHE_LOST, /* what was answered but not flushed may be lost, as by a power failure */
};
void front_export_news(struct export *export, enum front_news news);
struct exports *front_exports(struct front *front);
struct front_counters front_counters(const struct front *front);
/* For people: "127.0.0.1:3260", NULL past the last. */
const char *front_address(const struct front *front, bool iscsi, uint32_t idx);
/* The same of iSCSI, as initiators are told. */
const char *front_portal(const struct front *front, uint32_t idx);

/* A connection, lent for the call. */
struct front_session {
    uint64_t id; /* never used again by this process */
    const char *protocol;
    const char *peer;
    const char *who;    /* initiator name, or who a client proved by TLS to be; "": unknown */
    const char *export; /* "": none yet, or discovery */
    uint32_t in_flight;
    uint64_t since_ns; /* on the loop's clock */
};
void front_sessions(const struct front *front,
                    void (*each)(void *arg, const struct front_session *session), void *arg);
/* Closes it now, its requests unanswered. False: there is none. */
bool front_session_drop(struct front *front, uint64_t id);

#endif
