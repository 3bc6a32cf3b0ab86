/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP on a unix socket: whole requests in, answers out at any later time. The sockets and the
 * protocol are libwebsockets' business, on our loop. Private to the control room.
 */
#ifndef STRAKE_CONTROL_HTTP_H
#define STRAKE_CONTROL_HTTP_H

#include "common/net/listener.h"

#include <stddef.h>

enum {
    HTTP_BODY_BYTES_MAX = 64u << 10, /* of a request; what is longer is refused */
    HTTP_PATH_BYTES = 256,
    HTTP_QUERY_BYTES = 1024,
    HTTP_WHO_BYTES = 24,
    HTTP_CONNECTIONS_MAX = 64,
};

enum http_method { HTTP_GET, HTTP_POST, HTTP_DELETE, HTTP_PATCH, HTTP_OTHER };

struct http;

struct http_request {
    enum http_method method;
    char path[HTTP_PATH_BYTES];   /* decoded, without the query */
    char query[HTTP_QUERY_BYTES]; /* "a=1&b=2" */
    char who[HTTP_WHO_BYTES];     /* whose process asks: "uid 1000"; "": unknown */
    char *body;                   /* owned by http: body_bytes and a final zero */
    size_t body_bytes;
};

/* `on_request` takes a request that http_answer is called for exactly once, then or later. */
struct http *http_new(struct loop *loop, const char *socket_path,
                      void (*on_request)(void *owner, struct http_request *request), void *owner,
                      struct error *error);
/* Answers with this status and JSON text (taken over, freed by free()); ends the request. */
void http_answer(struct http_request *request, unsigned status, char *json);
/* Every request must have been answered. */
void http_free(struct http *http);

#endif
