/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connected byte stream on a loop: fills rx, sends tx once a turn, as it is or within TLS. The
 * owner embeds it, reads from rx in on_bytes, writes into tx at any time and calls stream_send.
 * Callbacks come from the loop, never from inside a call of the owner; from any of them the owner
 * may call stream_close and release the stream's memory. An idle stream holds no buffer and sets no
 * timer.
 */
#ifndef STRAKE_NET_STREAM_H
#define STRAKE_NET_STREAM_H

#include "common/base/rx.h"
#include "common/base/tx.h"
#include "common/net/address.h"
#include "common/net/loop.h"
#include "common/net/tls.h"

struct stream_sender;

/* Zeroed before its first use. */
struct stream {
    struct loop *loop;
    int fd; /* owned; -1 when closed */
    struct rx rx;
    struct tx tx;
    /* There are new bytes in rx. Consume what can be consumed; stream_pause to get no more. */
    void (*on_bytes)(struct stream *stream);
    /* The kernel took all of tx: who held back for tx.pending_bytes goes on. May be NULL. */
    void (*on_sent)(struct stream *stream);
    /* The connection ended or failed; `why` is valid during the call. It is closed already. */
    void (*on_closed)(struct stream *stream, const char *why);
    /* Connected (after stream_connect only). May be NULL. */
    void (*on_connected)(struct stream *stream);
    /* TLS stands (after stream_secure only): the other end is stream_peer. May be NULL. */
    void (*on_secured)(struct stream *stream);
    bool paused;
    bool connecting;
    bool closing; /* close once tx is empty */
    /* private */
    bool owes_sent;          /* tx had bytes since the last on_sent */
    uint32_t expected_bytes; /* with fewer the kernel does not wake us */
    struct stream_sender *sender;
    struct tls *tls; /* owned; NULL: plain */
    struct ev_io readable;
    struct ev_io writable;
    struct list send_node;  /* in the sender's list: tx is to be sent at the end of the turn */
    struct loop_task later; /* what a call of the owner set off */
    bool *gone;             /* of the callback that runs: set when the stream was closed in it */
};

/* One per loop: gathers the streams that have bytes to send at the end of a turn. */
struct stream_sender {
    struct list streams;
    struct loop_hook hook;
};
void stream_sender_init(struct stream_sender *sender, struct loop *loop);
void stream_sender_release(struct stream_sender *sender);

/* Takes over `fd` (connected, any flags). Clears on_*: the owner sets them after this. */
void stream_open(struct stream *stream, struct loop *loop, struct stream_sender *sender,
                 struct buf_pool *bufs, int fd);
/* Starts connecting; on_connected or on_closed follows. 0, or -errno and closed. Clears on_*. */
MUST_USE int stream_connect(struct stream *stream, struct loop *loop, struct stream_sender *sender,
                            struct buf_pool *bufs, const struct address *address);
/*
 * From here on the bytes are within TLS: what is in tx still goes out plain, then the handshake
 * runs, then on_secured is called, before any on_bytes. Only when connected, plain, and with rx
 * empty. `context` outlives the stream. There is no time limit: the owner has one.
 */
void stream_secure(struct stream *stream, struct tls_context *context, bool server);
/* Who the other end proved to be: tls_peer; "" when plain. */
const char *stream_peer(const struct stream *stream);
/* tls_peer_is; false when plain. */
bool stream_peer_is(const struct stream *stream, const char *name);
/* What the kernel did not take yet, encrypted or not. */
uint64_t stream_pending_bytes(const struct stream *stream);
/* tx has bytes: send them at the end of this turn. Drops them when closed. */
void stream_send(struct stream *stream);
void stream_pause(struct stream *stream);
/* Reads again; on_bytes is called even if no new byte arrives, for what rx holds. */
void stream_resume(struct stream *stream);
/*
 * Sends what is in tx, then closes and calls on_closed("finished"). Nothing more is read. An owner
 * that cannot wait for a peer that takes nothing sets a timer and calls stream_close.
 */
void stream_finish(struct stream *stream);
/* Closes now, without on_closed. Drops what is in rx and tx. Harmless when closed. */
void stream_close(struct stream *stream);

#endif
