/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handshake of an NBD client (doc/proto.md of the NetworkBlockDevice project: fixed newstyle,
 * NBD_OPT_GO), up to where the kernel takes the socket over. Blocking, with a time limit.
 */
#ifndef STRAKE_ATTACH_CLIENT_H
#define STRAKE_ATTACH_CLIENT_H

#include "common/net/address.h"

enum {
    CLIENT_EXPORT_BYTES = 256,
    CLIENT_READ_ONLY = 1u << 1, /* transmission flags */
    CLIENT_MULTI_CONN = 1u << 8,
};

struct client_source {
    struct address address;
    char export[CLIENT_EXPORT_BYTES];
};

struct client_export {
    uint64_t size_bytes;
    uint32_t block_bytes; /* the smallest that may be asked for; at least 512 */
    uint16_t flags;
};

/* "nbd://HOST[:PORT]/NAME" or "nbd+unix:///NAME?socket=PATH". 0, or -1 with the reason. */
MUST_USE int client_source_parse(const char *uri, struct client_source *source,
                                 struct error *error);
/* A socket past the handshake, or -1 with the reason. */
MUST_USE int client_connect(const struct client_source *source, struct client_export *export,
                            struct error *error);

#endif
