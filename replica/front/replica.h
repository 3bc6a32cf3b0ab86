/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the replica: a pool served to targets. Links in, frames dealt out to the volumes'
 * services, their disk operations to the store, and the answers back. Runs in a process of its own
 * (strake-replica) or inside the target's (strake-target --pool): then a link is a pair in memory.
 */
#ifndef STRAKE_REPLICA_FRONT_REPLICA_H
#define STRAKE_REPLICA_FRONT_REPLICA_H

#include "common/link/link.h"
#include "common/net/listener.h"
#include "replica/store/store.h"

struct replica_settings {
    struct store_settings store;
    struct tls_context *tls;    /* targets must speak it; NULL: plain. Outlives the replica */
    const char *const *targets; /* who may connect, by certificate; outlive it as well */
    uint32_t target_count;      /* 0: whoever has one */
};

struct replica;

/*
 * Opens the pool and every volume in it. NULL with the reason. A volume that cannot be served is
 * told in the log and refused to targets; the others go on.
 */
struct replica *replica_new(const struct replica_settings *settings, struct loop *loop,
                            struct stream_sender *sender, struct buf_pool *bufs,
                            struct error *error);
/*
 * Takes no more, finishes what is in flight, closes the connections, then calls `done` in a later
 * turn; then replica_free may be called (and from there too).
 */
void replica_stop(struct replica *replica, void (*done)(void *arg), void *arg);
void replica_free(struct replica *replica);
/* A target connected over a socket. */
void replica_accept(struct replica *replica, int fd);
/* A target in the same process: its end becomes one of a pair. */
void replica_join(struct replica *replica, struct link *target_end);
const struct uuid *replica_pool_uuid(const struct replica *replica);
const char *replica_engine_name(const struct replica *replica); /* store_engine_name */
/* Volumes kept here, also those that cannot be served; not the records of deleted ones. */
uint32_t replica_volume_count(const struct replica *replica);

#endif
