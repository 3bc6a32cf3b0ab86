/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP by libwebsockets, as a guest on our libev loop. We listen ourselves and hand it the accepted
 * sockets, so that a stale unix socket is treated as everywhere else in the house.
 */
#include "target/control/http.h"

#include "common/base/log.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HTTP_CHUNK_BYTES = 16u << 10,
    HTTP_HEADER_BYTES = 512,
    HTTP_TIMEOUT_S = 20, /* a client that stops in the middle of its request */
};

struct http {
    struct lws_context *context; /* owned */
    struct loop *loop;
    struct listener listener;
    uint32_t connection_count;
    struct lws *asking[HTTP_CONNECTIONS_MAX]; /* whose request is not whole, first come first */
    uint32_t asking_count;
    uint32_t request_count; /* given to on_request, not yet answered */
    void (*on_request)(void *owner, struct http_request *request);
    void *owner;
};

/* A request and its answer. `wsi` is NULL once the client went away. */
struct exchange {
    struct http_request request;
    struct http *http;
    struct lws *wsi;
    size_t body_capacity;
    unsigned early_status; /* refused before it was whole: no body is kept */
    unsigned status;       /* of the answer; 0: not there yet */
    char *json;            /* owned */
    size_t json_bytes;
    size_t sent_bytes;
    bool headers_sent;
    bool given; /* on_request has it, http_answer is still to come */
};

/* libwebsockets' memory of a connection. */
struct http_session {
    struct exchange *exchange;
};

static void exchange_free(struct exchange *x)
{
    free(x->request.body);
    free(x->json);
    free(x);
}

/* The connection, or this exchange on it, is over. */
static void session_end(struct http_session *session)
{
    struct exchange *x = session->exchange;
    session->exchange = NULL;
    if (!x)
        return;
    x->wsi = NULL;
    if (!x->given)
        exchange_free(x);
}

void http_answer(struct http_request *request, unsigned status, char *json)
{
    struct exchange *x = CONTAINER_OF(request, struct exchange, request);
    ASSERT(x->given && x->status == 0 && status >= 200);
    x->given = false;
    x->http->request_count--;
    if (!x->wsi) {
        free(json);
        exchange_free(x);
        return;
    }
    x->status = status;
    x->json = json;
    x->json_bytes = json ? strlen(json) : 0;
    lws_callback_on_writable(x->wsi);
}

static enum http_method method_of(int lws_method)
{
    switch (lws_method) {
    case LWSHUMETH_GET:
        return HTTP_GET;
    case LWSHUMETH_POST:
        return HTTP_POST;
    case LWSHUMETH_PATCH:
        return HTTP_PATCH;
    case LWSHUMETH_DELETE:
        return HTTP_DELETE;
    default:
        return HTTP_OTHER;
    }
}

/* Its request is whole, or the connection is over. */
static void http_asks_no_more(struct http *http, const struct lws *wsi)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < http->asking_count; i++) {
        if (http->asking[i] != wsi)
            http->asking[kept++] = http->asking[i];
    }
    http->asking_count = kept;
}

/* The request is whole. */
static void exchange_give(struct exchange *x)
{
    http_asks_no_more(x->http, x->wsi);
    lws_set_timeout(x->wsi, NO_PENDING_TIMEOUT, 0);
    x->given = true;
    x->http->request_count++;
    if (x->early_status == 413)
        http_answer(&x->request, 413, strdup("{\"error\": \"request: body over 64 KiB\"}"));
    else if (x->early_status)
        http_answer(&x->request, x->early_status, strdup("{\"error\": \"request: malformed\"}"));
    else
        x->http->on_request(x->http->owner, &x->request);
}

static void exchange_query(struct exchange *x)
{
    size_t used = 0;
    char part[HTTP_QUERY_BYTES];
    for (int i = 0;; i++) {
        int length = lws_hdr_copy_fragment(x->wsi, part, sizeof(part), WSI_TOKEN_HTTP_URI_ARGS, i);
        if (length < 0)
            break;
        int n = snprintf(x->request.query + used, sizeof(x->request.query) - used, "%s%s",
                         i ? "&" : "", part);
        used += (size_t)n;
        if (used >= sizeof(x->request.query)) {
            x->early_status = 400;
            break;
        }
    }
}

/* The kernel's word on who is at the other end of the unix socket. */
static void exchange_who(struct exchange *x)
{
    struct ucred who;
    socklen_t length = sizeof(who);
    if (getsockopt(lws_get_socket_fd(x->wsi), SOL_SOCKET, SO_PEERCRED, &who, &length) == 0)
        snprintf(x->request.who, sizeof(x->request.who), "uid %u", who.uid);
}

/* The head of a request. Nonzero ends the connection. */
static int session_request(struct http_session *session, struct http *http, struct lws *wsi)
{
    char *path = NULL;
    int path_bytes = 0;
    int method = lws_http_get_uri_and_method(wsi, &path, &path_bytes);
    session_end(session);
    struct exchange *x = calloc(1, sizeof(*x));
    if (!x || method < 0) {
        free(x);
        return -1;
    }
    session->exchange = x;
    x->http = http;
    x->wsi = wsi;
    x->request.method = method_of(method);
    if (path_bytes >= HTTP_PATH_BYTES)
        x->early_status = 400;
    else
        memcpy(x->request.path, path, (size_t)path_bytes);
    exchange_query(x);
    exchange_who(x);
    char text[24];
    int text_bytes = lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_CONTENT_LENGTH);
    bool chunked = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
    if (chunked) {
        x->early_status = 400;
        exchange_give(x);
    } else if (text_bytes <= 0 || strtoull(text, NULL, 10) == 0) {
        exchange_give(x);
    } else if (strtoull(text, NULL, 10) > HTTP_BODY_BYTES_MAX) {
        x->early_status = 413;
        exchange_give(x);
    }
    return 0;
}

static int exchange_body(struct exchange *x, const void *bytes, size_t length)
{
    if (x->early_status || x->status)
        return 0;
    if (x->request.body_bytes + length > HTTP_BODY_BYTES_MAX) {
        x->early_status = 413;
        return 0;
    }
    if (!x->request.body) {
        x->request.body = malloc(HTTP_BODY_BYTES_MAX + 1);
        if (!x->request.body)
            return -1;
    }
    memcpy(x->request.body + x->request.body_bytes, bytes, length);
    x->request.body_bytes += length;
    x->request.body[x->request.body_bytes] = '\0';
    return 0;
}

static int exchange_headers(struct exchange *x)
{
    unsigned char buf[LWS_PRE + HTTP_HEADER_BYTES];
    unsigned char *start = buf + LWS_PRE;
    unsigned char *p = start;
    unsigned char *end = buf + sizeof(buf) - 1;
    if (lws_add_http_common_headers(x->wsi, x->status, "application/json", x->json_bytes, &p,
                                    end) ||
        lws_add_http_header_by_token(x->wsi, WSI_TOKEN_CONNECTION, (const unsigned char *)"close",
                                     5, &p, end))
        return -1;
    x->headers_sent = true;
    return lws_finalize_write_http_header(x->wsi, start, &p, end);
}

/* The socket takes bytes: the head of the answer, or the next piece of its body. */
static int session_write(struct http_session *session)
{
    struct exchange *x = session->exchange;
    if (!x || !x->status)
        return 0;
    struct lws *wsi = x->wsi;
    if (!x->headers_sent) {
        if (exchange_headers(x))
            return -1;
        lws_callback_on_writable(wsi);
        return 0;
    }
    unsigned char buf[LWS_PRE + HTTP_CHUNK_BYTES];
    size_t length = x->json_bytes - x->sent_bytes;
    bool last = length <= HTTP_CHUNK_BYTES;
    if (!last)
        length = HTTP_CHUNK_BYTES;
    memcpy(buf + LWS_PRE, x->json + x->sent_bytes, length);
    if (lws_write(wsi, buf + LWS_PRE, length, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    x->sent_bytes += length;
    if (!last) {
        lws_callback_on_writable(wsi);
        return 0;
    }
    session_end(session);
    /*
     * One request a connection: a body that was not read to its end cannot be followed by another
     * request, and libwebsockets 4.1 loops for ever over one that came together with this one.
     */
    return -1;
}

static int http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                         size_t length)
{
    struct http_session *session = user;
    struct http *http = lws_context_user(lws_get_context(wsi));
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP:
        return session_request(session, http, wsi);
    case LWS_CALLBACK_HTTP_BODY:
        return session->exchange ? exchange_body(session->exchange, in, length) : -1;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        if (session->exchange && !session->exchange->given && !session->exchange->status)
            exchange_give(session->exchange);
        return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return session_write(session);
    case LWS_CALLBACK_CLOSED_HTTP:
        if (session)
            session_end(session);
        return 0;
    case LWS_CALLBACK_WSI_CREATE:
        http->connection_count++;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        http->connection_count--;
        http_asks_no_more(http, wsi);
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols http_protocols[] = {
    {"http", http_callback, sizeof(struct http_session), 0, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};

static void http_log(int level, const char *line)
{
    size_t length = strcspn(line, "\n");
    if (level & LLL_ERR)
        log_warn("control: %.*s", (int)length, line);
    else
        log_debug("control: %.*s", (int)length, line);
}

static void http_on_accept(struct listener *listener, int fd)
{
    struct http *http = CONTAINER_OF(listener, struct http, listener);
    /* Those who say their request ever so slowly, or none, keep nobody out. */
    if (http->connection_count >= HTTP_CONNECTIONS_MAX && http->asking_count > 0)
        lws_set_timeout(http->asking[0], PENDING_TIMEOUT_HTTP_CONTENT, LWS_TO_KILL_SYNC);
    if (http->connection_count >= HTTP_CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    struct lws *wsi = lws_adopt_socket(http->context, fd);
    if (wsi)
        http->asking[http->asking_count++] = wsi;
    else /* the descriptor is closed already */
        log_warn("control: a connection could not be taken");
}

static int http_listen(struct http *http, const char *socket_path, struct error *error)
{
    struct address address;
    char text[ADDRESS_TEXT_BYTES];
    int length = snprintf(text, sizeof(text), "unix:%s", socket_path);
    if (length < 0 || (size_t)length >= sizeof(text))
        return error_set(error, "%s: path too long", socket_path);
    if (address_parse(&address, text, 0, error))
        return -1;
    /* Whoever may write to this socket owns all data: nobody but our user. */
    mode_t mask = umask(0177);
    int status = listener_open(&http->listener, http->loop, &address, http_on_accept, error);
    umask(mask);
    return status;
}

struct http *http_new(struct loop *loop, const char *socket_path,
                      void (*on_request)(void *owner, struct http_request *request), void *owner,
                      struct error *error)
{
    struct http *http = calloc(1, sizeof(*http));
    if (!http) {
        error_set_errno(error, ENOMEM, "control socket %s", socket_path);
        return NULL;
    }
    http->loop = loop;
    http->on_request = on_request;
    http->owner = owner;
    lws_set_log_level(LLL_ERR | LLL_WARN, http_log);
    void *loops[1] = {loop->ev};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = http_protocols,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_DISABLE_IPV6,
        .foreign_loops = loops,
        .user = http,
        .timeout_secs = HTTP_TIMEOUT_S,
        .server_string = "strake",
        .gid = -1,
        .uid = -1,
    };
    http->context = lws_create_context(&info);
    if (!http->context) {
        error_set(error, "control socket %s: libwebsockets does not start", socket_path);
        goto fail;
    }
    if (http_listen(http, socket_path, error)) {
        error_prefix(error, "control socket");
        goto fail_context;
    }
    return http;
fail_context:
    lws_context_destroy(http->context);
fail:
    free(http);
    return NULL;
}

void http_free(struct http *http)
{
    ASSERT(http->request_count == 0);
    listener_close(&http->listener);
    lws_context_destroy(http->context);
    free(http);
}
