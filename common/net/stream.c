/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams. A stream is connecting, open or closed (fd -1). While open, `readable` runs unless
 * paused or closing; `writable` runs only while the kernel takes no more, and then the stream is
 * in no sender's list.
 */
#include "common/net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum {
    STREAM_VECTORS = 256,
    /* A silent peer is probed after this, and a dead one given up after STREAM_DEAD_MS. */
    STREAM_KEEPALIVE_IDLE_S = 15,
    STREAM_KEEPALIVE_INTERVAL_S = 5,
    STREAM_KEEPALIVE_COUNT = 3,
    STREAM_DEAD_MS = 30000,
};

static bool stream_is_open(const struct stream *stream)
{
    return stream->loop && stream->fd >= 0;
}

void stream_close(struct stream *stream)
{
    if (!stream_is_open(stream))
        return;
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

static void stream_deliver(struct stream *stream)
{
    if (stream_tell(stream, stream->on_bytes))
        rx_trim(&stream->rx);
}

/* One receive a turn: with more to come the loop calls again, after the other streams. */
static void stream_readable(struct ev_loop *ev, struct ev_io *io, int events)
{
    struct stream *stream = CONTAINER_OF(io, struct stream, readable);
    (void)ev;
    (void)events;
    uint32_t room_bytes;
    uint8_t *space = rx_space(&stream->rx, &room_bytes);
    ssize_t got = recv(stream->fd, space, room_bytes, 0);
    if (got > 0) {
        rx_filled(&stream->rx, (uint32_t)got);
        stream_deliver(stream);
    } else if (got == 0) {
        stream_end(stream, "closed by the other end");
    } else if (errno == EAGAIN || errno == EINTR) {
        rx_trim(&stream->rx);
    } else {
        stream_end(stream, strerror(errno));
    }
}

/* Sends until tx is empty (0) or the kernel takes no more (-EAGAIN), or fails (-errno). */
static int stream_flush(struct stream *stream)
{
    struct iovec vectors[STREAM_VECTORS];
    while (!tx_empty(&stream->tx)) {
        struct msghdr message = {.msg_iov = vectors};
        message.msg_iovlen = (size_t)tx_vectors(&stream->tx, vectors, STREAM_VECTORS);
        ssize_t sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
        if (sent >= 0)
            tx_sent(&stream->tx, (uint64_t)sent);
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}

static void stream_push(struct stream *stream)
{
    bool had_bytes = !tx_empty(&stream->tx);
    int status = stream_flush(stream);
    if (status == -EAGAIN) {
        ev_io_start(stream->loop->ev, &stream->writable);
        return;
    }
    if (status) {
        stream_end(stream, strerror(-status));
        return;
    }
    ev_io_stop(stream->loop->ev, &stream->writable);
    if (had_bytes && !stream_tell(stream, stream->on_sent))
        return;
    if (stream->closing && tx_empty(&stream->tx))
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
    else if (!stream->paused && !stream->closing)
        stream_deliver(stream);
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
    *stream = (struct stream){.loop = loop, .sender = sender, .fd = fd};
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
