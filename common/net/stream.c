/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams, plain or within TLS. A stream is connecting, open or closed (fd -1). While open,
 * `readable` runs unless paused or closing; `writable` runs only while the kernel takes no more,
 * and then the stream is in no sender's list.
 */
#include "common/net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    STREAM_VECTORS = 256,
    /* A silent peer is probed after this, and a dead one given up after STREAM_DEAD_MS. */
    STREAM_KEEPALIVE_IDLE_S = 15,
    STREAM_KEEPALIVE_INTERVAL_S = 5,
    STREAM_KEEPALIVE_COUNT = 3,
    STREAM_DEAD_MS = 30000,
    /* A longer rest of a message is waited for in the kernel, and received in one call. */
    STREAM_REST_BYTES_MIN = 32u << 10,
    STREAM_REST_BYTES_MAX = 256u << 10,
};

static bool stream_is_open(const struct stream *stream)
{
    return stream->loop && stream->fd >= 0;
}

/* Sends until `tx` is empty (0) or the kernel takes no more (-EAGAIN), or fails (-errno). */
static int stream_flush(struct stream *stream, struct tx *tx)
{
    struct iovec vectors[STREAM_VECTORS];
    while (!tx_empty(tx)) {
        struct msghdr message = {.msg_iov = vectors};
        message.msg_iovlen = (size_t)tx_vectors(tx, vectors, STREAM_VECTORS);
        ssize_t sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
        if (sent >= 0)
            tx_sent(tx, (uint64_t)sent);
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

/* The last words of TLS, if they can be said at once: that this is the end, or what was wrong. */
static void stream_goodbye(struct stream *stream)
{
    struct tx *out = tls_out(stream->tls);
    if (tx_empty(out))
        tls_goodbye(stream->tls);
    (void)stream_flush(stream, out);
}

void stream_close(struct stream *stream)
{
    if (!stream_is_open(stream))
        return;
    if (stream->tls)
        stream_goodbye(stream);
    tls_free(stream->tls);
    stream->tls = NULL;
    if (stream->gone)
        *stream->gone = true;
    stream->gone = NULL;
    ev_io_stop(stream->loop->ev, &stream->readable);
    ev_io_stop(stream->loop->ev, &stream->writable);
    loop_task_cancel(&stream->later);
    list_remove(&stream->send_node);
    close(stream->fd);
    stream->fd = -1;
    stream->connecting = false;
    rx_release(&stream->rx);
    tx_release(&stream->tx);
}

static void stream_end(struct stream *stream, const char *why)
{
    stream_close(stream);
    stream->on_closed(stream, why);
}

/* Calls the owner; false when it closed the stream, whose memory may be gone then. */
static bool stream_tell(struct stream *stream, void (*callback)(struct stream *))
{
    bool gone = false;
    ASSERT(!stream->gone);
    if (!callback)
        return true;
    stream->gone = &gone;
    callback(stream);
    if (!gone)
        stream->gone = NULL;
    return !gone;
}

/* Starts or stops watching as the stream's state asks for. */
static void stream_watch(struct stream *stream)
{
    if (stream->paused || stream->closing || stream->connecting)
        ev_io_stop(stream->loop->ev, &stream->readable);
    else
        ev_io_start(stream->loop->ev, &stream->readable);
}

/*
 * The owner waits for the rest of a long message: so may the kernel, instead of waking us for each
 * piece of it. An end or an error of the connection wakes at once all the same.
 */
static void stream_expect(struct stream *stream)
{
    uint32_t there = rx_length(&stream->rx);
    uint32_t rest = stream->rx.want_bytes > there ? stream->rx.want_bytes - there : 0;
    if (rest < STREAM_REST_BYTES_MIN || stream->tls)
        rest = 1;
    else if (rest > STREAM_REST_BYTES_MAX)
        rest = STREAM_REST_BYTES_MAX;
    int bytes = (int)rest;
    if (rest == stream->expected_bytes ||
        setsockopt(stream->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)))
        return;
    stream->expected_bytes = rest;
}

/* False when the owner closed the stream. */
static bool stream_deliver(struct stream *stream)
{
    if (!stream_tell(stream, stream->on_bytes))
        return false;
    rx_trim(&stream->rx);
    stream_expect(stream);
    return true;
}

static void stream_end_tls(struct stream *stream)
{
    char why[TLS_WHY_BYTES];
    snprintf(why, sizeof(why), "%s", tls_why(stream->tls));
    stream_end(stream, why);
}

/* One receive, and what it decrypts to, as long as the owner wants it. */
static void stream_readable_tls(struct stream *stream)
{
    tls_turn(stream->tls);
    while (!stream->paused && !stream->closing) {
        enum tls_got got = tls_receive(stream->tls, &stream->rx);
        if (got == TLS_GOT_END) {
            stream_end_tls(stream);
            return;
        }
        if (!tx_empty(tls_out(stream->tls)) || got == TLS_GOT_SECURED)
            stream_send(stream);
        if (got == TLS_GOT_NOTHING) {
            rx_trim(&stream->rx);
            return;
        }
        bool stays = got == TLS_GOT_SECURED ? stream_tell(stream, stream->on_secured)
                                            : stream_deliver(stream);
        if (!stays)
            return;
    }
}

/* One receive a turn: with more to come the loop calls again, after the other streams. */
static void stream_readable(struct ev_loop *ev, struct ev_io *io, int events)
{
    struct stream *stream = CONTAINER_OF(io, struct stream, readable);
    (void)ev;
    (void)events;
    if (stream->tls) {
        stream_readable_tls(stream);
        return;
    }
    uint32_t room_bytes;
    uint8_t *space = rx_space(&stream->rx, &room_bytes);
    ssize_t got = recv(stream->fd, space, room_bytes, 0);
    if (got > 0) {
        rx_filled(&stream->rx, (uint32_t)got);
        (void)stream_deliver(stream);
    } else if (got == 0) {
        stream_end(stream, "closed by the other end");
    } else if (errno == EAGAIN || errno == EINTR) {
        rx_trim(&stream->rx);
    } else {
        stream_end(stream, strerror(errno));
    }
}

/* The same within TLS; what cannot be encrypted yet stays. -EPROTO: tls_why. */
static int stream_flush_tls(struct stream *stream)
{
    struct tx *out = tls_out(stream->tls);
    int status = 0;
    do {
        if (!tls_encrypt(stream->tls, &stream->tx))
            return -EPROTO;
        if (tx_empty(out))
            break;
        status = stream_flush(stream, out);
    } while (status == 0);
    return status;
}

/*
 * Sending failed. The other end may have said why before it closed: a TLS alert lies in the
 * socket.
 */
static void stream_broke(struct stream *stream, int status)
{
    bool ended = false;
    if (stream->tls) {
        tls_turn(stream->tls);
        for (int round = 0; round < 64 && !ended; round++) {
            enum tls_got got = tls_receive(stream->tls, &stream->rx);
            ended = got == TLS_GOT_END;
            if (got == TLS_GOT_NOTHING)
                break;
            rx_release(&stream->rx);
        }
    }
    if (ended)
        stream_end_tls(stream);
    else
        stream_end(stream, strerror(-status));
}

static void stream_push(struct stream *stream)
{
    stream->owes_sent = stream->owes_sent || !tx_empty(&stream->tx);
    int status = stream->tls ? stream_flush_tls(stream) : stream_flush(stream, &stream->tx);
    if (status == -EAGAIN) {
        ev_io_start(stream->loop->ev, &stream->writable);
        return;
    }
    if (status) {
        stream_broke(stream, status);
        return;
    }
    ev_io_stop(stream->loop->ev, &stream->writable);
    bool waits = !tx_empty(&stream->tx); /* for the end of the TLS handshake */
    if (stream->owes_sent && !waits) {
        stream->owes_sent = false;
        if (!stream_tell(stream, stream->on_sent))
            return;
    }
    /* Nothing is read any more when closing, so a handshake does not end either. */
    if (stream->closing && (tx_empty(&stream->tx) || (stream->tls && !tls_secured(stream->tls))))
        stream_end(stream, "finished");
}

static void stream_connected(struct stream *stream)
{
    stream->connecting = false;
    stream_watch(stream);
    if (!stream_tell(stream, stream->on_connected))
        return;
    if (!tx_empty(&stream->tx) || stream->closing)
        stream_send(stream);
}

static void stream_writable(struct ev_loop *ev, struct ev_io *io, int events)
{
    struct stream *stream = CONTAINER_OF(io, struct stream, writable);
    (void)events;
    if (!stream->connecting) {
        stream_push(stream);
        return;
    }
    int errnum = 0;
    socklen_t length = sizeof(errnum);
    ev_io_stop(ev, io);
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &errnum, &length))
        errnum = errno;
    if (errnum)
        stream_end(stream, strerror(errnum));
    else
        stream_connected(stream);
}

/* What the owner asked for outside of the loop's callbacks: a resume, or an instant connection. */
static void stream_later(struct loop_task *task)
{
    struct stream *stream = CONTAINER_OF(task, struct stream, later);
    if (stream->connecting)
        stream_connected(stream);
    else if (!stream->paused && !stream->closing && stream_deliver(stream) && stream->tls)
        stream_readable_tls(stream);
}

static bool stream_sender_run(struct loop_hook *hook)
{
    struct stream_sender *sender = CONTAINER_OF(hook, struct stream_sender, hook);
    struct list last;
    if (list_empty(&sender->streams))
        return false;
    list_append(&sender->streams, &last);
    for (;;) {
        struct list *node = list_pop(&sender->streams);
        ASSERT(node);
        if (node == &last)
            return true;
        stream_push(CONTAINER_OF(node, struct stream, send_node));
    }
}

void stream_sender_init(struct stream_sender *sender, struct loop *loop)
{
    list_init(&sender->streams);
    sender->hook.run = stream_sender_run;
    loop_hook_add(loop, &sender->hook);
}

void stream_sender_release(struct stream_sender *sender)
{
    ASSERT(list_empty(&sender->streams));
    loop_hook_remove(&sender->hook);
}

/* All of these are hints: a kernel that refuses one leaves a working connection. */
static void stream_socket_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, STREAM_KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, STREAM_KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, STREAM_KEEPALIVE_COUNT},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, STREAM_DEAD_MS},
    };
    int domain = AF_UNIX;
    socklen_t length = sizeof(domain);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) || domain == AF_UNIX)
        return;
    for (size_t i = 0; i < ARRAY_COUNT(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
}

static void stream_init(struct stream *stream, struct loop *loop, struct stream_sender *sender,
                        struct buf_pool *bufs, int fd)
{
    ASSERT(!stream_is_open(stream));
    *stream = (struct stream){.loop = loop, .sender = sender, .fd = fd, .expected_bytes = 1};
    rx_init(&stream->rx, bufs);
    tx_init(&stream->tx, bufs);
    list_init(&stream->send_node);
    loop_task_init(&stream->later, stream_later);
    ev_io_init(&stream->readable, stream_readable, fd, EV_READ);
    ev_io_init(&stream->writable, stream_writable, fd, EV_WRITE);
    stream_socket_options(fd);
}

void stream_open(struct stream *stream, struct loop *loop, struct stream_sender *sender,
                 struct buf_pool *bufs, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    int failed = fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC);
    ASSERT(flags >= 0 && !failed);
    stream_init(stream, loop, sender, bufs, fd);
    stream_watch(stream);
}

int stream_connect(struct stream *stream, struct loop *loop, struct stream_sender *sender,
                   struct buf_pool *bufs, const struct address *address)
{
    int fd = socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    stream_init(stream, loop, sender, bufs, fd);
    int failed = connect(fd, (const struct sockaddr *)&address->sockaddr, address->length);
    int status = failed ? -errno : 0;
    stream->connecting = true;
    if (status == 0) {
        loop_defer(loop, &stream->later);
        return 0;
    }
    if (status == -EINPROGRESS || status == -EINTR) {
        ev_io_start(loop->ev, &stream->writable);
        return 0;
    }
    stream_close(stream);
    return status;
}

void stream_secure(struct stream *stream, struct tls_context *context, bool server)
{
    ASSERT(stream_is_open(stream) && !stream->connecting && !stream->tls);
    ASSERT(rx_length(&stream->rx) == 0);
    struct buf_pool *bufs = stream->tx.pool;
    struct tls *tls = tls_new(context, server, stream->fd, &stream->tx);
    tx_init(&stream->tx, bufs);
    stream->tls = tls;
    stream_send(stream);
}

const char *stream_peer(const struct stream *stream)
{
    return stream->tls ? tls_peer(stream->tls) : "";
}

bool stream_peer_is(const struct stream *stream, const char *name)
{
    return stream->tls && tls_peer_is(stream->tls, name);
}

uint64_t stream_pending_bytes(const struct stream *stream)
{
    return stream->tx.pending_bytes + (stream->tls ? tls_out(stream->tls)->pending_bytes : 0);
}

void stream_send(struct stream *stream)
{
    if (!stream_is_open(stream)) {
        tx_release(&stream->tx);
        return;
    }
    if (!stream->connecting && !ev_is_active(&stream->writable) && list_empty(&stream->send_node))
        list_append(&stream->sender->streams, &stream->send_node);
}

void stream_pause(struct stream *stream)
{
    if (!stream_is_open(stream) || stream->paused)
        return;
    stream->paused = true;
    stream_watch(stream);
}

void stream_resume(struct stream *stream)
{
    if (!stream_is_open(stream) || !stream->paused)
        return;
    stream->paused = false;
    stream_watch(stream);
    if (!stream->connecting)
        loop_defer(stream->loop, &stream->later);
}

void stream_finish(struct stream *stream)
{
    if (!stream_is_open(stream) || stream->closing)
        return;
    stream->closing = true;
    stream_watch(stream);
    stream_send(stream);
}
