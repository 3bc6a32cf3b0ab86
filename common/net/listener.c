/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets. */
#include "common/net/listener.h"

#include "common/base/log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTENER_ACCEPTS_PER_TURN = 16 };

#define LISTENER_REST_NS 100000000u

/* The path of a unix socket's address; NULL for others. */
static const char *listener_path(const struct address *address)
{
    if (address->sockaddr.ss_family != AF_UNIX)
        return NULL;
    return (const char *)&address->sockaddr + offsetof(struct sockaddr_un, sun_path);
}

/* True when a socket is at the path and nobody listens on it any more. */
static bool listener_path_is_dead(const struct address *address)
{
    struct stat stat;
    if (lstat(listener_path(address), &stat) || !S_ISSOCK(stat.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    int failed = connect(fd, (const struct sockaddr *)&address->sockaddr, address->length);
    bool dead = failed && errno == ECONNREFUSED;
    close(fd);
    return dead;
}

static int listener_bind(int fd, const struct address *address)
{
    const struct sockaddr *sockaddr = (const struct sockaddr *)&address->sockaddr;
    if (bind(fd, sockaddr, address->length) == 0)
        return 0;
    if (errno != EADDRINUSE || !listener_path(address))
        return -errno;
    if (!listener_path_is_dead(address))
        return -EADDRINUSE;
    if (unlink(listener_path(address)) && errno != ENOENT)
        return -errno;
    return bind(fd, sockaddr, address->length) ? -errno : 0;
}

/* A bound, listening socket, or -errno. */
static int listener_socket(const struct address *address)
{
    int on = 1;
    int status;
    int fd = socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))) {
        status = -errno;
        goto fail;
    }
    status = listener_bind(fd, address);
    if (status)
        goto fail;
    if (listen(fd, SOMAXCONN)) {
        status = -errno;
        goto fail;
    }
    return fd;
fail:
    close(fd);
    return status;
}

static void listener_rest(struct listener *listener, int errnum)
{
    if (!listener->resting)
        log_warn("%s: cannot accept, trying again (%s)", listener->address.text, strerror(errnum));
    listener->resting = true;
    ev_io_stop(listener->loop->ev, &listener->readable);
    loop_timer_start(&listener->retry, LISTENER_REST_NS);
}

static void listener_retry(struct loop_timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, retry);
    ev_io_start(listener->loop->ev, &listener->readable);
}

static void listener_readable(struct ev_loop *ev, struct ev_io *io, int events)
{
    struct listener *listener = CONTAINER_OF(io, struct listener, readable);
    (void)ev;
    (void)events;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN && listener->fd >= 0; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->resting = false;
            listener->on_accept(listener, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listener_rest(listener, errno);
            return;
        }
        /* Anything else is that one connection's own failure: look at the next. */
    }
}

int listener_open(struct listener *listener, struct loop *loop, const struct address *address,
                  void (*on_accept)(struct listener *, int), struct error *error)
{
    *listener = (struct listener){
        .loop = loop, .fd = listener_socket(address), .address = *address, .on_accept = on_accept};
    if (listener->fd < 0) {
        int errnum = listener->fd;
        *listener = (struct listener){.fd = -1};
        return error_set_errno(error, errnum, "%s", address->text);
    }
    socklen_t length = sizeof(listener->address.sockaddr);
    int failed = getsockname(listener->fd, (struct sockaddr *)&listener->address.sockaddr, &length);
    ASSERT(!failed);
    listener->address.length = length;
    address_of_socket(listener->fd, true, listener->address.text);
    loop_timer_init(&listener->retry, loop, listener_retry);
    ev_io_init(&listener->readable, listener_readable, listener->fd, EV_READ);
    ev_io_start(loop->ev, &listener->readable);
    return 0;
}

void listener_close(struct listener *listener)
{
    if (!listener->loop || listener->fd < 0)
        return;
    ev_io_stop(listener->loop->ev, &listener->readable);
    loop_timer_stop(&listener->retry);
    /* Before the close: a successor that finds the path takes it for its own afterwards. */
    if (listener_path(&listener->address))
        (void)unlink(listener_path(&listener->address));
    close(listener->fd);
    listener->fd = -1;
}
