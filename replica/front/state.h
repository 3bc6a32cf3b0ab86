/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private structs of the replica's front, and what its files ask of each other. Calls go one
 * way: connection.c > catalogue.c > volume.c > disk.c, and replica.c holds them together.
 */
#ifndef STRAKE_REPLICA_FRONT_STATE_H
#define STRAKE_REPLICA_FRONT_STATE_H

#include "common/base/pool.h"
#include "replica/front/replica.h"
#include "replica/service/service.h"

enum {
    CONNECTIONS_MAX = 256, /* a power of two: the low bits of a connection's id are its slot */
    SESSION_BUCKETS = 256,
    SESSIONS_MAX = 65536, /* of one connection */
    IOS_BASE = 2048,
    IOS_PER_VOLUME = 4, /* what a volume may need for itself when it starts */
    /* No frame is taken while fewer objects are free: what is under way must be able to end. */
    IOS_RESERVE = 64,
    /* Replies that the other end does not take: no more of its frames meanwhile. */
    REPLY_BYTES_MAX = 32u << 20,
};
STATIC_ASSERT((CONNECTIONS_MAX & (CONNECTIONS_MAX - 1)) == 0, "a slot is a mask of the id");
STATIC_ASSERT(IOS_RESERVE >= 4 * SERVICE_IOS_PER_FRAME, "room beyond one frame's need");

enum volume_state {
    VOLUME_CREATING, /* its files are being made; `answer` waits */
    VOLUME_CLOSED,   /* nobody uses it */
    VOLUME_OPENING,  /* its files are being opened; `opens` wait */
    VOLUME_OPENED,   /* waits for room to start its service; `opens` wait */
    VOLUME_SERVING,  /* has a service */
    VOLUME_REFUSED,  /* cannot be served; the log says why */
    VOLUME_ENDING,   /* is being closed; `opens` wait */
    VOLUME_DELETING, /* its files are being removed; `answer` waits */
    VOLUME_DELETED,  /* only the record is left */
};

/* An OPEN that waits until the volume is served. */
struct open_wait {
    struct list node;
    uint64_t connection;
    struct frame frame; /* its body is `body` */
    uint8_t body[MESSAGE_BYTES_MAX];
};

/* Who waits for the end of a job. */
struct answer {
    uint64_t connection;
    uint8_t type;
    uint64_t request;
};

struct volume {
    struct list node;
    struct replica *replica;
    enum volume_state state;
    struct uuid uuid;
    /* Of SERVING the configuration is the service's; when `deleting` the tombstone. */
    struct message_volume entry;
    bool known;                 /* `entry` is filled: not when both metadata copies are bad */
    uint8_t *epitaph;           /* owned: what entry.epitaph lends */
    struct store_volume *store; /* owned; NULL unless open */
    struct service *service;    /* owned; NULL unless SERVING */
    uint32_t io_count;          /* disk operations under way */
    struct loop_timer timer;    /* of the service's deadline */
    uint64_t lease_until_ns;    /* of who was promised, while there is no service */
    uint32_t session_count;     /* of all connections */
    struct list opens;          /* struct open_wait, owned */
    bool refused;               /* once closed, not served again by this process */
    bool witness;               /* it has a vote, and no data */
    bool unclean;               /* found so at the start */
    bool deleting;              /* wanted: `answer` waits */
    bool forgetting;            /* deleting: no record of it stays */
    struct answer answer;
};

struct session {
    struct list node;
    uint32_t number;
    struct volume *volume;
};

struct connection {
    struct link link;
    struct replica *replica;
    uint64_t id; /* never used again */
    bool greeted;
    bool held; /* paused until there is room */
    char name[ADDRESS_TEXT_BYTES];
    struct list sessions[SESSION_BUCKETS]; /* struct session, owned */
    uint32_t session_count;
};

/* A disk operation: the service's half and the store's. */
struct disk_io {
    struct service_io io; /* first */
    struct volume *volume;
    struct store_req req;
};

struct replica {
    struct loop *loop;
    struct stream_sender *sender;
    struct buf_pool *bufs;
    const char *const *targets; /* of main: who may connect */
    uint32_t target_count;
    struct tls_context *tls;                         /* of main; NULL: plain */
    struct store *store;                             /* owned */
    struct pool ios;                                 /* struct disk_io */
    struct list volumes;                             /* struct volume, owned */
    uint32_t volume_count;                           /* all but the deleted */
    uint32_t opened_count;                           /* in state OPENED */
    uint32_t open_count;                             /* OPENING to ENDING */
    struct connection *connections[CONNECTIONS_MAX]; /* owned; NULL where free */
    uint64_t connection_serial;
    uint32_t held_count;
    uint32_t io_count;
    uint32_t job_count;
    bool stopping;
    bool ending; /* connections are being ended */
    bool stopped;
    void (*on_stopped)(void *arg);
    void *on_stopped_arg;
    struct loop_timer grace; /* for replies that nobody takes, while stopping */
    struct loop_task tell_stopped;
};

/* replica.c */
bool replica_has_room(const struct replica *replica);
/* Something ended: goes on with what waited for it. */
void replica_settle(struct replica *replica);

/* connection.c */
struct connection *connection_new(struct replica *replica, const char *name);
/* Closes and forgets it. `why` NULL: without a word. */
void connection_end(struct connection *connection, const char *why);
struct connection *connection_by_id(struct replica *replica, uint64_t id);
/* Takes no more frames until connection_release. */
void connection_hold(struct connection *connection);
void connection_release(struct connection *connection);
bool connection_has_room(const struct connection *connection);
/* No session of any connection is with this volume any more. */
void connections_forget_volume(struct replica *replica, struct volume *volume);

/* catalogue.c: the frames of session 0 */
void catalogue_frame(struct connection *connection, const struct frame *frame);

/* volume.c */
struct volume *replica_volume_new(struct replica *replica, const struct uuid *uuid,
                                  enum volume_state state);
struct volume *replica_volume_find(struct replica *replica, const struct uuid *uuid);
void replica_volume_free(struct volume *volume);
/* A copy, for the record of its deletion; the one there stays if there is none. */
void replica_volume_keep_epitaph(struct volume *volume, const struct epitaph *epitaph);
/* Opens its files and then starts its service: SERVING, or REFUSED and the log says why. */
void replica_volume_open(struct volume *volume);
/* An OPEN: kept until the volume is served, and then given to it. */
void replica_volume_wait(struct volume *volume, uint64_t connection, const struct frame *frame);
/* Volumes that were opened start as soon as there is room. */
void replica_volumes_start(struct replica *replica);
/* Closes a volume that nobody uses any more, and goes on with its deletion if that is wanted. */
void replica_volume_settle(struct volume *volume);
/* Who is being opened for this connection is forgotten. */
void replica_volume_forget(struct volume *volume, uint64_t connection);
void replica_volume_frame(struct volume *volume, uint64_t connection, const struct frame *frame);
void replica_volume_disconnect(struct volume *volume, uint64_t connection);
void replica_volume_io_done(struct volume *volume, struct service_io *io);
/* Of the store: `arg` is a volume that nobody used for a while. */
void replica_volume_rested(void *arg);
struct service_planes replica_planes_of(const struct store_found *found);
const char *replica_volume_name(const struct volume *volume);

/* catalogue.c: the end of a deletion */
void catalogue_deleted(struct volume *volume, int status);

/* disk.c */
void disk_start(struct volume *volume, struct service_io *io);

#endif
