/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that carries frames, over TCP (within TLS or not) or within the process. Both ends
 * look the same to their owners: a replica embedded in the target is reached through a pair of
 * in-memory ends, and nobody above this room knows the difference. Frames arrive in the order they
 * were sent; a broken link loses a suffix.
 */
#ifndef STRAKE_LINK_LINK_H
#define STRAKE_LINK_LINK_H

#include "common/net/stream.h"
#include "common/wire/frame.h"

struct link_entry;

/* The in-memory end: frames on their way to it, in a queue of its own. */
struct link_memory {
    bool in_use;
    struct link *other; /* NULL when the other end is gone */
    struct buf_pool *bufs;
    struct link_entry *first; /* owned: what arrived, as a queue */
    struct link_entry *last;
    struct link_entry *free; /* owned: kept for the next frames */
    uint64_t arrived_bytes;
    struct loop_task deliver;
};

enum { LINK_TLS_S = 10 }; /* the longest that a TLS handshake may take */

/*
 * Zeroed before its first use. The owner sets on_*, `owner` and `tls` at any time before a callback
 * may come; they stay as they are over closing and connecting again. Callbacks come from the loop,
 * never from inside a call of the owner; from any of them the owner may call link_close and free
 * the link.
 */
struct link {
    /* A frame; its body and payload are lent until the callback returns. */
    void (*on_frame)(struct link *link, const struct frame *frame);
    /*
     * Closed by the other end, by an error or by a breach of the protocol; `why` is valid during
     * the call. Not called after link_close. The link is down already.
     */
    void (*on_down)(struct link *link, const char *why);
    /* The connection stands (link_connect, and link_accept within TLS). May be NULL. */
    void (*on_up)(struct link *link);
    /* Nothing is pending any more (link_pending_bytes). May be NULL. */
    void (*on_sent)(struct link *link);
    void *owner;
    struct tls_context *tls; /* NULL: plain; both ends' certificates are verified (mutual) */
    /* Within TLS: the other end must be one of these (stream_peer_is); none: anybody believed. */
    const char *const *names;
    uint32_t name_count;
    bool up;
    uint64_t last_received_ns; /* loop time of the last byte, for judging silence */
    /* private */
    struct loop *loop;
    bool *gone; /* of the callback that runs: set when the link was closed in it */
    bool paused;
    struct stream stream;        /* TCP end only */
    struct loop_timer secure_by; /* runs during a TLS handshake */
    bool heard;                  /* a frame came since it was opened (TCP end only) */
    struct link_memory memory;
};

/* Starts connecting over TCP (or a unix socket). 0 or -errno; on_up or on_down follows. */
MUST_USE int link_connect(struct link *link, struct loop *loop, struct stream_sender *sender,
                          struct buf_pool *bufs, const struct address *address);
/* Takes over an accepted socket; the link is up, within TLS once on_up was called. */
void link_accept(struct link *link, struct loop *loop, struct stream_sender *sender,
                 struct buf_pool *bufs, int fd);
/* Joins two ends on one loop; both are up, without on_up. Payloads pass by reference. */
void link_pair(struct link *a, struct link *b, struct loop *loop, struct buf_pool *bufs);
/*
 * Queues a frame, which must keep the rules (frame_invalid); it leaves at the end of the turn.
 * Never fails: a dead link drops it.
 */
void link_send(struct link *link, const struct frame *frame);
/* Who the other end proved to be: "certificate NAME"; "" when it proved nothing. */
const char *link_peer(const struct link *link);
/* Bytes queued and not yet taken by the kernel (or by the other end). */
uint64_t link_pending_bytes(const struct link *link);
/* Takes no more frames, until resumed: the other end's fill up its pending bytes. */
void link_pause(struct link *link);
void link_resume(struct link *link);
/* Closes now, dropping what is pending; no callback follows. Harmless when down. */
void link_close(struct link *link);

#endif
