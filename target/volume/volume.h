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
    /* A configuration was committed (members in sync, size). May be NULL. */
    void (*on_config)(void *owner, struct volume *volume);
    /* Another target took the volume over: it will never serve here again. */
    void (*on_fenced)(void *owner, struct volume *volume);
    void *owner;
};
/* Size of an object of volume_env.ops. */
uint32_t volume_op_bytes(void);

/* Starts opening the volume with the members that are found. */
struct volume *volume_new(const struct volume_env *env, const struct config *config);
/* This peer keeps that member of the volume; said again each time the peer comes up. */
void volume_member_at(struct volume *volume, const struct uuid *member, struct peer *peer);
/*
 * Takes a request; `done` follows in a later turn, once the volume serves. Requests before that
 * wait. Ordering: overlapping requests take effect in the order of their submission.
 */
void volume_submit(struct volume *volume, struct block_req *req);
/* True while requests wait for others to end: the front should stop reading. */
bool volume_full(const struct volume *volume);
/* Finishes what was submitted, leaves the replicas clean, then calls `done`. */
void volume_stop(struct volume *volume, void (*done)(void *arg), void *arg);
/*
 * Gives the volume up: every request, also those to come, is answered with -ESHUTDOWN in a later
 * turn. What was under way may or may not have taken effect.
 */
void volume_abort(struct volume *volume);
/* Stopped, aborted or fenced, and every request answered. */
void volume_free(struct volume *volume);

const struct config *volume_config(const struct volume *volume);
void volume_status(const struct volume *volume, struct repl_status *status);

struct volume_counters {
    uint64_t reads, writes, zeroes, flushes, errors;
    uint64_t read_bytes, written_bytes;
};
const struct volume_counters *volume_counters(const struct volume *volume);

#endif
