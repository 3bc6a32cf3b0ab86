/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake of an NBD client. */
#include "tools/attach/client.h"

#include "common/base/bytes.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    HANDSHAKE_S = 5,
    GREETING_BYTES = 18,
    REPLY_HEAD_BYTES = 20,
    REPLY_BYTES_MAX = 4096,
    FLAGS_FIXED_NO_ZEROES = 3,
    OPT_GO = 7,
    INFO_EXPORT = 0,
    INFO_BLOCK_SIZE = 3,
    PORT_DEFAULT = 10809,
};
#define REP_ACK          UINT32_C(1)
#define REP_INFO         UINT32_C(3)
#define REP_ERR_TLS_REQD (UINT32_C(1) << 31 | 5)
#define REP_ERR_UNKNOWN  (UINT32_C(1) << 31 | 6)
#define NBDMAGIC         UINT64_C(0x4e42444d41474943)
#define IHAVEOPT         UINT64_C(0x49484156454f5054)
#define REPLY_MAGIC      UINT64_C(0x0003e889045565a9)

/* ---- where ---- */

static int part_copy(char *to, size_t size, const char *from, size_t length)
{
    if (length >= size || memchr(from, '%', length))
        return -1;
    memcpy(to, from, length);
    to[length] = '\0';
    return 0;
}

int client_source_parse(const char *uri, struct client_source *source, struct error *error)
{
    static const char tcp[] = "nbd://";
    static const char local[] = "nbd+unix:///";
    static const char query[] = "?socket=";
    char text[ADDRESS_TEXT_BYTES] = "unix:";
    const char *name;
    int bad;
    if (strncmp(uri, tcp, strlen(tcp)) == 0) {
        const char *host = uri + strlen(tcp);
        size_t length = strcspn(host, "/");
        name = host + length + (host[length] == '/');
        bad = part_copy(text, sizeof(text), host, length) ||
              part_copy(source->export, sizeof(source->export), name, strlen(name));
    } else {
        name = uri + strlen(local);
        const char *socket = strncmp(uri, local, strlen(local)) == 0 ? strstr(name, query) : NULL;
        if (!socket)
            return error_set(error, "%s: not nbd://HOST/NAME or nbd+unix:///NAME?socket=PATH", uri);
        bad = part_copy(source->export, sizeof(source->export), name, (size_t)(socket - name)) ||
              part_copy(text + 5, sizeof(text) - 5, socket + strlen(query),
                        strlen(socket + strlen(query)));
    }
    if (bad)
        return error_set(error, "%s: too long, or with a '%%'", uri);
    return address_parse(&source->address, text, PORT_DEFAULT, error);
}

/* ---- the handshake ---- */

static int all_received(int fd, uint8_t *bytes, size_t length, struct error *error)
{
    ssize_t got = length ? recv(fd, bytes, length, MSG_WAITALL) : 0;
    if (got == (ssize_t)length)
        return 0;
    if (got < 0)
        return error_set_errno(error, errno == EAGAIN ? ETIMEDOUT : errno, "handshake");
    return error_set(error, "handshake: the connection was closed by the other end");
}

static int option_send(int fd, const struct client_source *source, struct error *error)
{
    uint8_t bytes[CLIENT_EXPORT_BYTES + 32];
    struct writer w = writer_of(bytes, sizeof(bytes));
    uint32_t name_bytes = (uint32_t)strlen(source->export);
    write_u32(&w, FLAGS_FIXED_NO_ZEROES);
    write_u64(&w, IHAVEOPT);
    write_u32(&w, OPT_GO);
    write_u32(&w, 4 + name_bytes + 2 + 2);
    write_u32(&w, name_bytes);
    write_bytes(&w, source->export, name_bytes);
    write_u16(&w, 1);
    write_u16(&w, INFO_BLOCK_SIZE);
    ASSERT(!w.bad);
    if (send(fd, bytes, writer_length(&w), MSG_NOSIGNAL) != (ssize_t)writer_length(&w))
        return error_set_errno(error, errno, "handshake");
    return 0;
}

static void information_take(struct reader *r, struct client_export *export)
{
    uint16_t kind = read_u16(r);
    if (kind == INFO_EXPORT) {
        export->size_bytes = read_u64(r);
        export->flags = read_u16(r);
    } else if (kind == INFO_BLOCK_SIZE) {
        uint32_t block_bytes = read_u32(r);
        export->block_bytes = block_bytes > 512 ? block_bytes : 512;
    }
}

static int refused(uint32_t type, const uint8_t *text, uint32_t length, struct error *error)
{
    if (type == REP_ERR_TLS_REQD)
        return error_set(error, "the target demands TLS, which the kernel's NBD client does not "
                                "speak (--fuse does)");
    const char *what = type == REP_ERR_UNKNOWN ? "no such export" : "refused";
    return error_set(error, "%s%s%.*s", what, length ? ": " : "", length > 200 ? 200 : (int)length,
                     (const char *)text);
}

/* Replies to NBD_OPT_GO, up to the last. */
static int replies_take(int fd, struct client_export *export, struct error *error)
{
    uint8_t head[REPLY_HEAD_BYTES];
    uint8_t body[REPLY_BYTES_MAX];
    for (;;) {
        if (all_received(fd, head, sizeof(head), error))
            return -1;
        struct reader r = reader_of(head, sizeof(head));
        uint64_t magic = read_u64(&r);
        uint32_t option = read_u32(&r);
        uint32_t type = read_u32(&r);
        uint32_t length = read_u32(&r);
        if (magic != REPLY_MAGIC || option != OPT_GO || length > sizeof(body))
            return error_set(error, "handshake: what answers does not speak NBD");
        if (all_received(fd, body, length, error))
            return -1;
        if (type == REP_ACK)
            return export->size_bytes ? 0 : error_set(error, "the export is empty");
        if (type != REP_INFO)
            return refused(type, body, length, error);
        r = reader_of(body, length);
        information_take(&r, export);
        if (r.bad)
            return error_set(error, "handshake: an answer is too short");
    }
}

static int handshake(int fd, const struct client_source *source, struct client_export *export,
                     struct error *error)
{
    uint8_t greeting[GREETING_BYTES];
    *export = (struct client_export){.block_bytes = 512};
    if (all_received(fd, greeting, sizeof(greeting), error))
        return -1;
    struct reader r = reader_of(greeting, sizeof(greeting));
    uint64_t magic = read_u64(&r);
    uint64_t style = read_u64(&r);
    if (magic != NBDMAGIC || style != IHAVEOPT || !(read_u16(&r) & 1))
        return error_set(error, "handshake: what answers does not speak NBD (fixed newstyle)");
    return option_send(fd, source, error) || replies_take(fd, export, error) ? -1 : 0;
}

static void limit_set(int fd, time_t seconds)
{
    struct timeval limit = {.tv_sec = seconds};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* The kernel's client waits for its socket to fail: a machine that vanished must make it fail. */
static void keepalive_set(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},          {IPPROTO_TCP, TCP_KEEPIDLE, 5},
                   {IPPROTO_TCP, TCP_KEEPINTVL, 5},        {IPPROTO_TCP, TCP_KEEPCNT, 4},
                   {IPPROTO_TCP, TCP_USER_TIMEOUT, 25000}, {IPPROTO_TCP, TCP_NODELAY, 1}};
    for (size_t i = 0; i < ARRAY_COUNT(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

int client_connect(const struct client_source *source, struct client_export *export,
                   struct error *error)
{
    const struct address *address = &source->address;
    int fd = socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error, errno, "%s", address->text);
    limit_set(fd, HANDSHAKE_S);
    if (connect(fd, (const struct sockaddr *)&address->sockaddr, address->length)) {
        error_set_errno(error, errno == EINPROGRESS ? ETIMEDOUT : errno, "%s", address->text);
    } else if (handshake(fd, source, export, error)) {
        error_prefix(error, "%s", address->text);
    } else {
        limit_set(fd, 0);
        if (address->sockaddr.ss_family != AF_UNIX)
            keepalive_set(fd);
        return fd;
    }
    close(fd);
    return -1;
}
