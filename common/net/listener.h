/* SPDX-License-Identifier: Apache-2.0 */
/* A listening socket on a loop. */
#ifndef STRAKE_NET_LISTENER_H
#define STRAKE_NET_LISTENER_H

#include "common/net/address.h"
#include "common/net/loop.h"

struct listener {
    struct loop *loop;
    int fd;                 /* owned; -1 when closed */
    struct address address; /* with the port the kernel chose, when 0 was asked for */
    /* A connection; the callee takes `fd` over. It may close the listener, but not free it. */
    void (*on_accept)(struct listener *listener, int fd);
    void *owner;
    struct ev_io readable;
    struct loop_timer retry; /* out of descriptors: rests a moment instead of spinning */
    bool resting;            /* since the last connection: it was logged */
};

/*
 * Binds and listens. A unix socket left by a dead process is replaced; one that answers is "in
 * use". 0, or -1 with the reason ("127.0.0.1:3260: Address already in use").
 */
MUST_USE int listener_open(struct listener *listener, struct loop *loop,
                           const struct address *address, void (*on_accept)(struct listener *, int),
                           struct error *error);
/* Harmless when closed. The path of a unix socket goes with it. */
void listener_close(struct listener *listener);

#endif
