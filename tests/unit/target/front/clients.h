/* SPDX-License-Identifier: Apache-2.0 */
/* A front with real sockets over a volume that answers when it is told to, and clients of NBD. */
#ifndef STRAKE_TESTS_FRONT_CLIENTS_H
#define STRAKE_TESTS_FRONT_CLIENTS_H

#include "target/front/front_state.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK = 4096,
    VOLUME_BYTES = 8 << 20,
    REPLY_BYTES = 16, /* simple reply */
    NBD_READ = 0,
    NBD_WRITE = 1,
    NBD_DISC = 2,
};

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct front *front;
static struct export *export;

/* ---- the fake volume: requests wait here until the test answers them ---- */

struct volume {
    struct config config;
};
static struct volume volume = {
    .config = {.name = "v1", .size_bytes = VOLUME_BYTES, .block_bytes = BLOCK}};
static struct list submitted;
static uint32_t submitted_count;
static bool full;

const struct config *volume_config(const struct volume *v)
{
    return &v->config;
}

void volume_status(const struct volume *v, struct repl_status *status)
{
    ck_assert_ptr_eq(v, &volume);
    *status = (struct repl_status){.since_ns = UINT64_MAX};
}

bool volume_full(const struct volume *v)
{
    ck_assert_ptr_eq(v, &volume);
    return full;
}

void volume_submit(struct volume *v, struct block_req *req)
{
    ck_assert_ptr_eq(v, &volume);
    list_append(&submitted, &req->node);
    submitted_count++;
}

/* Answers the oldest request; a read gets blocks of 'r'. */
static inline void volume_answers(int status)
{
    struct list *node = list_pop(&submitted);
    ck_assert_ptr_nonnull(node);
    struct block_req *req = CONTAINER_OF(node, struct block_req, node);
    submitted_count--;
    req->status = status;
    if (req->op == BLOCK_READ && !status) {
        req->data = slice_get(&bufs, (uint32_t)req->length_bytes);
        memset(req->data.bytes, 'r', req->data.length_bytes);
    }
    req->done(req);
}

/* ---- the client: the other end of a socket pair, driven by the same thread ---- */

static inline void turns(int count)
{
    for (int i = 0; i < count; i++)
        ev_run(loop.ev, EVRUN_NOWAIT);
}

static inline int client_new(void)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    conn_accept(front, PROTOCOL_NBD, 0, fds[1]);
    return fds[0];
}

static inline void client_send(int fd, const void *bytes, size_t length)
{
    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
}

/* Lets the loop turn until that many bytes came, then takes them. */
static inline void client_take(int fd, void *bytes, size_t length)
{
    size_t got = 0;
    for (int i = 0; i < 1000 && got < length; i++) {
        turns(1);
        ssize_t n = recv(fd, (char *)bytes + got, length - got, MSG_DONTWAIT);
        if (n > 0)
            got += (size_t)n;
    }
    ck_assert_uint_eq(got, length);
}

/* True when the front closed the connection. */
static inline bool client_closed(int fd)
{
    char byte;
    turns(4);
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* A client with the export open. */
static inline int client_open_named(const char *name)
{
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof(bytes));
    int fd = client_new();
    client_take(fd, bytes, 18); /* the greeting */
    write_u32(&w, 3);           /* fixed newstyle, no zeroes */
    write_bytes(&w, "IHAVEOPT", 8);
    write_u32(&w, 1); /* EXPORT_NAME */
    write_u32(&w, (uint32_t)strlen(name));
    write_bytes(&w, name, strlen(name));
    client_send(fd, bytes, writer_length(&w));
    client_take(fd, bytes, 10); /* size and flags */
    return fd;
}

static inline int client_open(void)
{
    return client_open_named("v1");
}

static inline void client_request(int fd, uint16_t type, uint64_t cookie, uint32_t length)
{
    uint8_t bytes[28];
    struct writer w = writer_of(bytes, sizeof(bytes));
    write_u32(&w, 0x25609513);
    write_u16(&w, 0);
    write_u16(&w, type);
    write_u64(&w, cookie);
    write_u64(&w, 0);
    write_u32(&w, length);
    client_send(fd, bytes, sizeof(bytes));
    if (type == NBD_WRITE) {
        static const char payload[VOLUME_BYTES];
        ck_assert_uint_le(length, sizeof(payload));
        client_send(fd, payload, length);
    }
}

/* A simple reply with this cookie and error. */
static inline void client_expect(int fd, uint64_t cookie, uint32_t error)
{
    uint8_t bytes[REPLY_BYTES];
    client_take(fd, bytes, sizeof(bytes));
    struct reader r = reader_of(bytes, sizeof(bytes));
    ck_assert_uint_eq(read_u32(&r), 0x67446698);
    ck_assert_uint_eq(read_u32(&r), error);
    ck_assert_uint_eq(read_u64(&r), cookie);
}

/* ---- fixture ---- */

static inline void setup(void)
{
    struct error error;
    struct front_settings settings = {
        .iqn_prefix = EXPORT_IQN_PREFIX_DEFAULT, .requests_max = 64, .connections_max = 2};
    list_init(&submitted);
    submitted_count = 0;
    full = false;
    ck_assert_int_eq(loop_init(&loop), 0);
    stream_sender_init(&sender, &loop);
    buf_pool_init(&bufs, 64 << 20);
    front = front_new(&settings, &loop, &sender, &bufs, &error);
    ck_assert_ptr_nonnull(front);
    export = front_export_add(front, &volume);
    ck_assert_ptr_nonnull(export);
}

static inline void teardown(void)
{
    front_free(front);
    stream_sender_release(&sender);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

#endif
