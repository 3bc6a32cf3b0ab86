/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that carries frames, over TCP or within the process. Both ends look the same to
 * their owners: a replica embedded in the target is reached through a pair of in-memory ends, and
 * nobody above this room knows the difference. Frames arrive in the order they were sent; a broken
 * link loses a suffix.
 */
#ifndef STRAKE_LINK_LINK_H
#define STRAKE_LINK_LINK_H

#include "common/net/stream.h"
#include "common/wire/frame.h"

struct link {
    struct stream stream; /* TCP end only */
    struct link *other;   /* in-memory end only: NULL when the other end is gone */
    /* A frame; its body and payload are lent until the callback returns. */
    void (*on_frame)(struct link *link, const struct frame *frame);
    /*
     * Closed by the other end, by an error or by a breach of the protocol; `why` is valid during
     * the call. Not called after link_close. The owner may free the link from here.
     */
    void (*on_down)(struct link *link, const char *why);
    /* The connection stands (link_connect only). */
    void (*on_up)(struct link *link);
    void *owner;
    bool up;
    uint64_t last_received_ns; /* loop time of the last byte, for judging silence */
    /* private to the in-memory end: frames on their way to this end, in a queue of its own */
    struct tx queue;
    struct rx arrived;
    struct loop_task deliver;
};

/* Starts connecting over TCP (or a unix socket). 0 or -errno; on_up or on_down follows. */
MUST_USE int link_connect(struct link *link, struct loop *loop, struct stream_sender *sender,
                          struct buf_pool *bufs, const struct address *address);
/* Takes over an accepted socket; the link is up. */
void link_accept(struct link *link, struct loop *loop, struct stream_sender *sender,
                 struct buf_pool *bufs, int fd);
/* Joins two ends within this process; both are up. Payloads pass by reference. */
void link_pair(struct link *a, struct link *b, struct loop *loop, struct buf_pool *bufs);
/* Queues a frame; it leaves at the end of the turn. Never fails: a dead link drops it. */
void link_send(struct link *link, const struct frame *frame);
/* Bytes queued and not yet taken by the kernel (or by the other end). */
uint64_t link_pending_bytes(const struct link *link);
/* Closes now; no callback follows. Harmless when down. */
void link_close(struct link *link);

#endif
