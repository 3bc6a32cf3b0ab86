/* SPDX-License-Identifier: Apache-2.0 */
/* The private struct of the service room, and what its files ask of each other. */
#ifndef STRAKE_SERVICE_STATE_H
#define STRAKE_SERVICE_STATE_H

#include "replica/service/meta.h"
#include "replica/service/planes.h"

enum { SERVICE_SAYINGS_MAX = 4 };

enum session_state {
    SESSION_NONE,
    SESSION_OPENING, /* `opening` waits until all earlier I/O has ended and the promise is durable
                      */
    SESSION_OPEN,
};

enum checkpoint_phase {
    CHECKPOINT_NONE,
    CHECKPOINT_DRAIN, /* writes received before the marker are under way */
    CHECKPOINT_SYNC,
};

enum commit_phase {
    COMMIT_NONE,
    COMMIT_AWAY, /* waits for the log's away bits */
    COMMIT_META, /* waits for the base checkpoint */
};

struct service_saying {
    enum service_effect_kind kind;
    const char *text;
};

struct service {
    struct pool *ios;      /* of the shell */
    struct buf_pool *bufs; /* of the shell */
    struct dirty dirty;
    const uint64_t *doubtful; /* of the store; or NULL */
    uint32_t in_flight;       /* with the shell */
    struct list submit;       /* service_io.node: to be handed to the shell */
    struct list replies;      /* service_io.node: to be sent */
    struct service_io *sent;  /* its reply is lent to the shell until the next call */
    struct service_saying sayings[SERVICE_SAYINGS_MAX];
    uint32_t saying_count;
    bool failed; /* R7 */

    struct lineage lineage;     /* of the volume at present, as the store told it last */
    struct meta meta;           /* as it should be */
    uint64_t meta_durable;      /* sequence number that both copies hold */
    uint64_t meta_writing;      /* the one under way */
    struct service_io *meta_io; /* under way, or NULL */
    struct service_io *spare;   /* for a record that becomes due when the pool may be empty */
    uint32_t meta_first;        /* the copy to be written first */
    uint8_t meta_record[META_BYTES];
    struct list meta_waits;     /* service_io.node: ACCEPT, CHECKPOINT, COMMIT */
    struct service_io *grow_io; /* under way, or NULL */
    struct list accept_waits;   /* service_io.node: ACCEPT of a larger size, behind it */
    struct list region_waits;   /* service_io.node: data and GETMAP behind the log, FIFO */
    struct service_io *drl_io;  /* page under way, or NULL */
    struct list sync_waits;     /* service_io.node: for the next sync */
    struct list sync_batch;     /* service_io.node: for the one under way, besides its own object */
    struct service_io *sync_io; /* under way, or NULL */

    enum session_state session_state;
    uint64_t session_serial; /* of the present session */
    uint64_t link;
    uint32_t session;
    struct service_io *opening;
    uint8_t side;                 /* of writes received now */
    uint32_t writes_pending[2];   /* of the head */
    uint32_t generation_writes;   /* to sealed generations, under way */
    struct service_io *change_io; /* COMMAND, INSTALL, SETTLE under way, or NULL */
    struct list change_waits;     /* service_io.node: changes behind it */
    bool head_moves;              /* by that change: no write may begin */
    /* R13: of the OPEN that waits for the end of another's lease; 0: nobody does */
    uint64_t wanted_epoch;
    struct uuid wanted_controller;
    uint64_t lease_ns;       /* the longest */
    uint64_t lease_until_ns; /* of the promised controller */
    uint64_t now_ns;
    enum checkpoint_phase checkpoint;
    struct service_io *checkpoint_io;
    uint64_t checkpoint_done; /* answered in this session and not committed; 0: none */
    enum commit_phase commit;
    bool commit_all;
    uint64_t commit_waits_for;
    uint8_t body[FRAME_BODY_BYTES_MAX / 16]; /* of the reply that is lent */
};

/* io.c: what everything below the events is made of */
struct service_io *io_get(struct service *service, const struct frame *frame, uint64_t link);
void io_put(struct service *service, struct service_io *io);
void io_submit(struct service *service, struct service_io *io);
/* Answers the request that io stands for, if its session is still the present one. */
void io_reply(struct service *service, struct service_io *io, uint32_t status);
/* Answers whoever asked, whatever the session. */
void io_refuse(struct service *service, struct service_io *io, uint32_t status);
bool io_is_stale(const struct service *service, const struct service_io *io);
void service_say(struct service *service, const char *text);
/* The session ended: what waits and was not begun never will be. */
void service_drop(struct service *service);
/* R7: out of service. */
void service_fail(struct service *service, const char *text);
/* Makes the present meta durable; whoever waits uses meta.seq. */
void meta_change(struct service *service);
void meta_done(struct service *service, struct service_io *io);
void drl_kick(struct service *service);
void sync_kick(struct service *service);

/* session.c */
void session_open(struct service *service, struct service_io *io, const struct frame *frame);
void session_end(struct service *service);
void session_accept(struct service *service, struct service_io *io, const struct frame *frame);
void session_grown(struct service *service, struct service_io *io);
void session_lease(struct service *service, struct service_io *io);
/* Answers the OPEN that waits, once everything earlier has ended. */
void session_advance(struct service *service);
uint32_t session_opened_encode(const struct service *service, uint8_t *body, size_t body_bytes);
bool session_in_sync(const struct service *service);

/* data.c */
void data_request(struct service *service, struct service_io *io, const struct frame *frame);
void data_done(struct service *service, struct service_io *io);
/* The log changed: what waits for it and may go on does. */
void data_advance(struct service *service);
/* The session ended: what was not submitted never will be. */
void data_drop(struct service *service);
/* R8 */
bool data_range_ok(const struct service *service, const struct service_io *io);
uint32_t data_status(int status);

/* generations.c */
void generations_request(struct service *service, struct service_io *io, const struct frame *frame);
void generations_done(struct service *service, struct service_io *io);
/* The parts of the reply's frame that are of its kind. */
void generations_reply(struct service *service, const struct service_io *io, struct frame *frame);

/* checkpoint.c */
void service_checkpoint_begin(struct service *service, struct service_io *io);
void service_checkpoint_advance(struct service *service);
void service_checkpoint_synced(struct service *service, struct service_io *io);
void service_checkpoint_void(struct service *service);
void commit_begin(struct service *service, struct service_io *io, bool all);
void commit_advance(struct service *service);

#endif
