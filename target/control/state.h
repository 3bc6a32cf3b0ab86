/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the management room's files share: the catalogue of volumes and the recent events. Private
 * to the room. Calls go down only: control > api > {create, remove} > answer > catalogue; http
 * beside.
 */
#ifndef STRAKE_CONTROL_STATE_H
#define STRAKE_CONTROL_STATE_H

#include "common/base/pool.h"
#include "target/control/control.h"
#include "target/control/http.h"
#include "target/control/placement.h"
#include "target/control/scrub.h"

#include <jansson.h>

enum {
    CONTROL_RECORDS_MAX = 4096, /* volumes and records of deleted ones; replicas may tell no more */
    CONTROL_EVENTS_MAX = 64,    /* remembered for the status */
    CONTROL_TEXT_BYTES = 200,
    CONTROL_QUESTIONS_MAX = HTTP_CONNECTIONS_MAX * (MEMBERS_MAX + 1), /* of volumes at once */
    REPLICAS_DEFAULT = 3,
    REPLICAS_BESIDE_WITNESS = 2,
    BORN_BLANK = 1,            /* version of a configuration that a volume is created with; */
    BORN_CLONE = 2,            /* and that a clone is */
    BLOCK_BYTES_DEFAULT = 512, /* what every client can use; 4096 is told beside it as the best */
};
#define VOLUME_BYTES_MIN ((uint64_t)1 << 20) /* 1 MiB */
#define VOLUME_BYTES_MAX ((uint64_t)1 << 50) /* 1 PiB */

enum record_state {
    RECORD_CREATING, /* replicas are being asked to make it; nobody sees it yet */
    RECORD_LIVE,     /* it exists; `volume` serves it here, unless `why` says what prevents that */
    RECORD_REMOVING, /* its sessions and the volume are ended, the replicas are told to delete */
    RECORD_DELETED,  /* the record of what was */
};

struct record {
    struct control *control;
    enum record_state state;
    struct config config;  /* the newest one heard of */
    bool unopened;         /* nobody but this process has had it open: every member told epoch 0 */
    struct config born;    /* while unopened: as it was created */
    bool completed;        /* what its creation left out was made, or is being made */
    struct volume *volume; /* owned; NULL: not open here */
    struct export *export; /* of the front; NULL: not shown to clients */
    bool fenced;
    bool stopping;   /* volume_stop was called */
    bool stopped;    /* and is done */
    bool hiding;     /* front_export_remove was called and is not done */
    const char *why; /* LIVE without a volume or an export: the reason, a literal */
    struct placement placements[MEMBERS_MAX];
    json_t *epitaph;        /* owned: what it was, once it is deleted; NULL: not known */
    struct remove *remove;  /* REMOVING: the job, see remove.c */
    struct member_job *job; /* a change of its members that is under way, see member.c; owned */
    struct uuid coming;     /* the member that it adds; zero: none */
    uint32_t making;        /* members that replicas are being asked to make */
    bool known;             /* `config` was committed by `volume`: it is our own */
    struct scrub_state scrub;
    bool look;             /* its members are to be looked at */
    uint64_t heal_ns;      /* nothing is replaced by itself before */
    uint8_t heal_failures; /* how often, in a row, that could not be done */
    struct list snapshots; /* struct snapshot, see snapshot.h; owned */
    uint32_t snapshot_count;
    struct list changes;          /* struct change; owned */
    struct change *change;        /* the one whose turn it is, not in `changes`; owned */
    bool bookless;                /* its replicas keep no book */
    uint32_t questions;           /* asked of the volume, not yet answered */
    struct loop_task turn;        /* goes on with the changes */
    struct export_snapshots told; /* how the front asks for them */
    struct list node;             /* in control.records */
};

struct event {
    uint64_t time_ms; /* since 1970 */
    bool warn;
    char subject[VOLUME_NAME_BYTES + ADDRESS_TEXT_BYTES];
    char text[CONTROL_TEXT_BYTES];
};

struct control {
    struct loop *loop;   /* of main */
    struct front *front; /* of main */
    struct uuid process;
    struct peers *peers; /* owned */
    struct pool ops;     /* owned: struct volume_op */
    struct volume_env env;
    struct repl_budget budget; /* of all volumes */
    struct control_share share;
    struct http *http;   /* owned */
    struct list records; /* struct record; owned */
    uint32_t record_count;
    struct event events[CONTROL_EVENTS_MAX]; /* ring */
    uint64_t event_count;                    /* ever */
    uint64_t started_ns;
    bool list_snapshots;                  /* discovery shows snapshots too */
    bool heal;                            /* members whose data is gone are replaced */
    uint64_t replace_after_ns;            /* and those that are away for so long; 0: never */
    struct loop_timer heal_tick;          /* runs while there may be one to be replaced */
    uint64_t scrub_every_s;               /* each volume once in so long; 0: never */
    struct loop_timer scrub_tick;         /* runs until one is due, or ends */
    struct loop_timer view_tick;          /* runs while clients use snapshots */
    struct export_snapshots told;         /* what the records' are made from */
    void (*turn)(struct loop_task *turn); /* run of the records' task of this name */
    struct loop_task reap; /* ends what cannot end inside the callback that told us to */
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/*
 * Members in sync below which writes wait: 2 of three and more that hold data, so that no write is
 * acknowledged by a single disk while others are to be had. Of one or two it is 1; two members need
 * each other anyway, unless there is a witness, because every change of who is in sync takes a
 * majority of them, and a majority of two is both.
 */
static inline uint8_t min_in_sync_of(uint32_t data_count)
{
    return data_count >= 3 ? 2 : 1;
}

/* share.c */
/* Why this target must not open the volume; NULL: it may. */
const char *share_lacks(const struct control_share *share, const char *name, const struct uuid *id);
bool share_has_name(const struct control_share *share, const char *name);
/* Random. False: no randomness. */
bool id_new(struct uuid *id);
/* Of a member that is to be made there. False: no randomness. */
bool id_new_member(const struct peer *peer, struct uuid *id);
/* A new volume's identity, within the share. False: no randomness. */
bool share_new_id(const struct control_share *share, struct uuid *id);

/* catalogue.c */
/* By name among those not deleted, else by id. NULL: none. */
struct record *catalogue_find(struct control *control, const char *name);
struct record *catalogue_find_name(struct control *control, const char *name);
struct record *catalogue_find_id(struct control *control, const struct uuid *id);
/* NULL: the catalogue is full, or no memory. */
struct record *catalogue_add(struct control *control, const struct config *config,
                             enum record_state state);
void catalogue_drop(struct record *record);
/* A peer tells of a volume it keeps. Acted upon by catalogue_peer_up. */
void catalogue_heard(struct control *control, struct peer *peer,
                     const struct message_volume *heard);
/* All its volumes were told: members are attached, volumes opened, deletions caught up with. */
void catalogue_peer_up(struct control *control, struct peer *peer);
void catalogue_peer_down(struct control *control, struct peer *peer);
/* Why it is not this target's business; NULL: it is. */
const char *record_lacks(const struct record *record);
/* Why nothing can be done with it here; NULL: it is alive, and ours. */
const char *record_unusable(const struct record *record);
/*
 * Opens the volume if it is not open, tells it of its members at this peer (NULL: at all), shows it
 * to clients.
 */
void record_open(struct record *record, const struct peer *peer);
/* The book is known, or there is none: clients get to know of the SCSI reservations in it. */
void record_reserve(struct record *record);
/* Takes the volume from the clients; then `export` is NULL, and control's `reap` runs. */
void record_hide(struct record *record);
/* Stops the volume; then `stopped` is true, and control's `reap` runs. */
void record_stop(struct record *record);
/* The volume stopped, or was fenced. */
void record_close(struct record *record);
/* DELETED: replicas that are up and still have data of it are told. */
void record_delete_stragglers(struct record *record);
/* Something about its members may be different: they are looked at in a later turn. */
void record_look(struct record *record);
/* Something that the record's changes may wait for is different now. */
void record_turn(struct record *record);
/* Remembers what happened, for the status; the log is the caller's business. */
void catalogue_event(struct control *control, bool warn, const char *subject, const char *text);

/* create.c: makes a volume and answers the request. */
struct create_wish {
    const char *name;
    uint64_t size_bytes;
    uint32_t block_bytes;
    uint32_t replicas;    /* that hold data; 0: the default */
    bool witness;         /* and one that only votes */
    const char *clone_of; /* "VOLUME@SNAPSHOT"; NULL: it begins empty */
    json_t *fields;       /* lent: "owner", "message" and "labels" for its book */
};
void create_start(struct control *control, struct create_wish *wish, struct http_request *request);

/* remove.c: deletes a volume and answers the request. */
void remove_start(struct record *record, bool force, struct http_request *request);
/* The record's export is gone, or its volume has stopped: goes on. */
void remove_step(struct record *record);
/* The target stops. A job that waits for replicas ends when the peers go. */
void remove_abort(struct record *record);

/* api.c */
void api_request(struct control *control, struct http_request *request);

#endif
