/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the volume room: one volume, from block requests of any shape to replicated
 * operations of 4 KiB blocks. It checks bounds, splits what is long, merges what is not aligned
 * (under the range lock, so that nobody sees it half done), performs the effects that the
 * replication core decides on, and carries the answers back.
 */
#ifndef STRAKE_VOLUME_VOLUME_H
#define STRAKE_VOLUME_VOLUME_H

#include "common/base/block.h"
#include "target/peers/peers.h"
#include "target/replication/replication.h"
#include "target/volume/pace.h"

struct volume;

/* What all volumes of a process share. */
struct volume_env {
    struct loop *loop;
    struct buf_pool *bufs;
    /* Objects of volume_op_bytes() each: as many as requests can be outstanding in all volumes. */
    struct pool *ops;
    struct uuid process;
    struct repl_settings settings;
    /*
     * News, from inside the volume's own steps: the callee may note them, and look at the volume,
     * but not act on it before a later turn.
     *
     * One line about a volume, for the event list; the log has it already. May be NULL.
     */
    void (*on_event)(void *owner, struct volume *volume, bool warn, const char *text);
    /* A configuration was committed (members, who is in sync, size). May be NULL. */
    void (*on_config)(void *owner, struct volume *volume);
    /* What was answered to clients and not flushed may be gone. May be NULL. */
    void (*on_cache_lost)(void *owner, struct volume *volume);
    /* A replica's disk is nearly full. May be NULL. */
    void (*on_space_low)(void *owner, struct volume *volume);
    /* Another target took the volume over: it will never serve here again. */
    void (*on_fenced)(void *owner, struct volume *volume);
    /* The replicas keep no book, so there will be no rows. May be NULL. */
    void (*on_bookless)(void *owner, struct volume *volume);
    /* The book was read: any row may be another one. May be NULL. */
    void (*on_book)(void *owner, struct volume *volume);
    /* A row of the book was set or removed. May be NULL. */
    void (*on_row)(void *owner, struct volume *volume, const char *key);
    void *owner;
};
/* Size of an object of volume_env.ops. */
uint32_t volume_op_bytes(void);

/* Starts opening the volume with the members that are found. */
struct volume *volume_new(const struct volume_env *env, const struct config *config);
/* This peer keeps that member of the volume; said again each time the peer comes up. */
void volume_member_at(struct volume *volume, const struct uuid *member, struct peer *peer);
/*
 * Changes the members: NULL, or why it cannot be now (repl_change_invalid). Where the added one is
 * kept may be said before or after.
 */
const char *volume_change(struct volume *volume, const struct repl_change *change);
/*
 * Takes a request; `done` follows in a later turn, once the volume serves. Requests before that
 * wait. Ordering: overlapping requests take effect in the order of their submission.
 */
void volume_submit(struct volume *volume, struct block_req *req);
/* True while requests wait for others to end: the front should stop reading. */
bool volume_full(const struct volume *volume);
/* How fast it may be used from now on; the same ones said again change nothing. */
void volume_limit(struct volume *volume, const struct pace_limits *limits);
/*
 * 0, or for how long the front should submit nothing more, so that the limits hold: what is
 * submitted all the same is carried out.
 */
MUST_USE uint64_t volume_wait_ns(const struct volume *volume);
/* Finishes what was submitted, leaves the replicas clean, then calls `done`. */
void volume_stop(struct volume *volume, void (*done)(void *arg), void *arg);
/*
 * Gives the volume up: every request, also those to come, is answered with -ESHUTDOWN in a later
 * turn. What was under way may or may not have taken effect.
 */
void volume_abort(struct volume *volume);
/* Stopped, aborted or fenced, and every request answered. */
void volume_free(struct volume *volume);

/* Makes it larger; `size_bytes` is a multiple of 4096. False: it does not serve. on_config tells of
 * the new size, or, once volume_growing() is false, that a replica has no room. */
MUST_USE bool volume_grow(struct volume *volume, uint64_t size_bytes);
bool volume_growing(const struct volume *volume);

/*
 * The book (small named rows that every member keeps) and the generations (a volume's life, cut by
 * sealing what was the head) are changed by commands.
 */
struct volume_command {
    /* Number and identity are the core's; the value is lent until `done`. */
    struct message_command command;
    int status; /* 0: done, and survives power loss; -E...: it may or may not have been done */
    void (*done)(struct volume_command *command);
    void *owner;
};
/* Only when the book is known and no other command is under way. `done` in a later turn. */
void volume_command(struct volume *volume, struct volume_command *command);
/* False until it was read, and after a command that failed; on_book follows. */
bool volume_book_known(const struct volume *volume);
/* The number of the head, which a SEAL takes. The book must be known. */
uint64_t volume_head(const struct volume *volume);

/* What one replica is asked. Embedded by its owner until `done`. */
struct volume_question {
    enum { VOLUME_DIGEST, VOLUME_SPACE } kind;
    struct uuid member;  /* whom; zero: one that is in sync */
    uint64_t generation; /* DIGEST */
    bool verify;         /* DIGEST: everything is read again */
    struct message_digest digest;
    struct message_space space;
    int status; /* 0, or -E...: it does not tell */
    void (*done)(struct volume_question *question);
    void *owner;
};
/* `done` follows in a later turn. Takes an object of volume_env.ops. */
void volume_ask(struct volume *volume, struct volume_question *question);

struct volume_row { /* lent until the next change */
    const char *key;
    const uint8_t *value;
    uint32_t value_bytes;
};
/* False: there is none of this key, or the book is not known. */
bool volume_row(const struct volume *volume, const char *key, struct volume_row *row);
/* All rows whose key begins so, in the order of their keys. */
void volume_rows(const struct volume *volume, const char *prefix,
                 void (*each)(void *arg, const struct volume_row *row), void *arg);

/* Compares everything at all members in sync, in the background: repl_status.scrub. */
void volume_scrub(struct volume *volume);

const struct config *volume_config(const struct volume *volume);
void volume_status(const struct volume *volume, struct repl_status *status);

struct volume_counters {
    uint64_t reads, writes, zeroes, flushes, errors;
    uint64_t read_bytes, written_bytes;
};
const struct volume_counters *volume_counters(const struct volume *volume);

#endif
