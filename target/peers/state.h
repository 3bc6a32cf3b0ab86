/* SPDX-License-Identifier: Apache-2.0 */
/* The private structs of the peers room, and what its two files ask of each other. */
#ifndef STRAKE_PEERS_STATE_H
#define STRAKE_PEERS_STATE_H

#include "target/peers/peers.h"

enum { PEERS_MAX = 64, PEER_NAME_BYTES = 128 };

enum peer_state { PEER_DOWN, PEER_CONNECTING, PEER_GREETING, PEER_LISTING, PEER_UP };

struct peer {
    struct peers *peers;
    struct address address;
    char name[PEER_NAME_BYTES]; /* that its certificate must have; "": any */
    const char *names[1];       /* the same, for the link */
    bool embedded;
    enum peer_state state;
    char why[128];
    struct link link;
    struct loop_timer timer; /* down: retry; coming up: the time it may take */
    struct loop_task give_up;
    uint64_t retry_ns;
    struct uuid pool;
    struct message_health health;
    struct list calls; /* struct peer_call */
    uint64_t next_request;
    /* Channel of a session: the low 16 bits of its number are the index, the rest a count of uses.
     */
    struct peer_session *channels; /* owned */
    uint32_t channel_count;
};

struct peer_session {
    struct channel *channel; /* NULL: free */
    uint16_t uses;
};

struct peers {
    struct loop *loop;
    struct stream_sender *sender;
    struct buf_pool *bufs;
    struct tls_context *tls; /* of main; NULL: plain */
    struct uuid process;
    struct peers_events events;
    void *owner;
    struct peer *list[PEERS_MAX]; /* owned */
    uint32_t count;
};

/* channel.c, called by peers.c */
void peer_channel_frame(struct peer *peer, const struct frame *frame);
void peer_channels_down(struct peer *peer);
/* False when nobody asked. */
MUST_USE bool peer_call_reply(struct peer *peer, const struct frame *reply);
void peer_calls_fail(struct peer *peer);

#endif
