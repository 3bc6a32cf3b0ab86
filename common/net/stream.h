/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connected byte stream on a loop: fills rx, sends tx once a turn. The owner embeds it, reads
 * from rx in on_bytes, writes into tx at any time and calls stream_send. Callbacks come from the
 * loop, never from inside a call of the owner.
 */
#ifndef STRAKE_NET_STREAM_H
#define STRAKE_NET_STREAM_H

#include "common/base/rx.h"
#include "common/base/tx.h"
#include "common/net/address.h"
#include "common/net/loop.h"

struct stream {
    struct loop *loop;
    int fd; /* owned; -1 when closed */
    struct rx rx;
    struct tx tx;
    /* There are new bytes in rx. Consume what can be consumed; stream_pause to get no more. */
    void (*on_bytes)(struct stream *stream);
    /*
     * The connection ended or failed; `why` is valid during the call. The stream is closed already;
     * the owner may release its memory from here.
     */
    void (*on_closed)(struct stream *stream, const char *why);
    /* Connected (after stream_connect only). May be NULL. */
    void (*on_connected)(struct stream *stream);
    bool paused;
    bool connecting;
    bool closing; /* close once tx is empty */
    /* private */
    struct ev_io readable;
    struct ev_io writable;
    struct list send_node;
    struct loop_task failed;
    int failed_errno;
};

/* One per loop: gathers the streams that have bytes to send at the end of a turn. */
struct stream_sender {
    struct list streams;
    struct loop_hook hook;
};
void stream_sender_init(struct stream_sender *sender, struct loop *loop);
void stream_sender_release(struct stream_sender *sender);

/* Fields on_* are set by the owner after this. Takes over `fd` (connected, any flags). */
void stream_open(struct stream *stream, struct loop *loop, struct stream_sender *sender,
                 struct buf_pool *bufs, int fd);
/* Starts connecting; on_connected or on_closed follows. 0 or -errno. */
MUST_USE int stream_connect(struct stream *stream, struct loop *loop, struct stream_sender *sender,
                            struct buf_pool *bufs, const struct address *address);
/* tx has bytes: send them at the end of this turn. */
void stream_send(struct stream *stream);
void stream_pause(struct stream *stream);
/* Reads again; on_bytes is called even if no new byte arrives, for what rx holds. */
void stream_resume(struct stream *stream);
/* Sends what is in tx, then closes and calls on_closed. Nothing more is read. */
void stream_finish(struct stream *stream);
/* Closes now, without on_closed. Drops what is in rx and tx. Harmless when closed. */
void stream_close(struct stream *stream);

#endif
