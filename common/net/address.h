/* SPDX-License-Identifier: Apache-2.0 */
/* Where to listen or connect: "HOST:PORT", "[IPV6]:PORT", ":PORT" (loopback) or "unix:PATH". */
#ifndef STRAKE_NET_ADDRESS_H
#define STRAKE_NET_ADDRESS_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ADDRESS_TEXT_BYTES = 128 };

struct address {
    char text[ADDRESS_TEXT_BYTES]; /* as given */
    struct sockaddr_storage sockaddr;
    socklen_t length;
};

/*
 * 0, or -1 with the reason. Names are resolved now. `default_port` 0: a port is required. IPv6 is
 * always in brackets.
 */
MUST_USE int address_parse(struct address *address, const char *text, uint16_t default_port,
                           struct error *error);
/* "ADDR:PORT" or "unix:PATH" ("unix:" for a nameless end). */
void address_format(const struct sockaddr_storage *sockaddr, socklen_t length,
                    char text[ADDRESS_TEXT_BYTES]);
/* The same of a socket's own (local) or other (peer) end; "unknown" when it has none. */
void address_of_socket(int fd, bool local, char text[ADDRESS_TEXT_BYTES]);
/* True for unix sockets and loopback addresses. */
bool address_is_local(const struct address *address);

#endif
