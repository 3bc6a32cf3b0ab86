/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the peers room: the hands that reach the replica processes. One link to each, kept up
 * or retried, and over it one channel for each volume's session. Knows sockets and addresses; what
 * the frames mean is the replication room's business.
 */
#ifndef STRAKE_PEERS_PEERS_H
#define STRAKE_PEERS_PEERS_H

#include "common/base/error.h"
#include "common/link/link.h"
#include "common/wire/message.h"

struct peers;
struct peer; /* one replica process */

/* What the owner is told. All from the loop. */
struct peers_events {
    /* A volume that the peer keeps, right after it came up, and after a create. */
    void (*on_volume)(void *owner, struct peer *peer, const struct message_volume *volume);
    /* All volumes were told: the peer is up. */
    void (*on_up)(void *owner, struct peer *peer);
    void (*on_down)(void *owner, struct peer *peer, const char *why);
};

struct peer_status {
    const char *address; /* "embedded" for the one in this process */
    bool up;
    const char *why; /* not up: the last reason */
    struct uuid pool;
    uint64_t free_bytes;
    uint64_t total_bytes;
};

struct peers *peers_new(struct loop *loop, struct stream_sender *sender, struct buf_pool *bufs,
                        const struct uuid *process, const struct peers_events *events, void *owner);
void peers_free(struct peers *peers);
/* From here on replica processes are spoken to within TLS. Before peers_add. */
void peers_secure(struct peers *peers, struct tls_context *tls);
/*
 * A replica process at an address, "NAME@ADDR:PORT" if its certificate must name it so: connects
 * now and again until it is there.
 */
MUST_USE int peers_add(struct peers *peers, const char *address, struct error *error);
/* The replica in this process: returns the end to be given to replica_join. */
struct link *peers_add_embedded(struct peers *peers);
/* The embedded end was joined: greets. */
void peers_embedded_joined(struct peers *peers);

uint32_t peers_count(const struct peers *peers);
struct peer *peers_at(struct peers *peers, uint32_t idx);
/* Asks every peer that is up for its free space; the answers show in later peer_status calls. */
void peers_refresh(struct peers *peers);
void peer_status(const struct peer *peer, struct peer_status *status);
/* Ties the new identity of a member that is to be made there to its certificate (pin.h). */
void peer_pin(const struct peer *peer, struct uuid *member);

/* A request on session 0. `done` gets the reply, or NULL when the link went down first. */
typedef void peer_reply_fn(void *arg, const struct frame *reply);
void peer_call(struct peer *peer, struct frame *frame, peer_reply_fn *done, void *arg);

/* A volume's session with the member that a peer keeps. Embedded by the volume. */
struct channel {
    struct peer *peer;
    uint32_t session; /* 0: closed */
    void (*on_frame)(struct channel *channel, const struct frame *frame);
    void (*on_down)(struct channel *channel);
    void *owner;
    struct list node; /* private */
};
/* False when the peer is down. The fields on_* and owner are set by the owner before. */
MUST_USE bool channel_open(struct channel *channel, struct peer *peer);
/* Sends the frame on this channel's session; dropped when it is closed. */
void channel_send(struct channel *channel, struct frame *frame);
/*
 * Ends the session without on_down. `stuck`: what was sent may never be read: if the whole link is
 * silent it is given up, for all its channels (their on_down is called in a later turn).
 */
void channel_close(struct channel *channel, bool stuck);

#endif
