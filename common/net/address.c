/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses from text and back. */
#include "common/net/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define UNIX_PREFIX "unix:"

enum {
    UNIX_PREFIX_LENGTH = sizeof(UNIX_PREFIX) - 1,
    UNIX_PATH_BYTES = sizeof(((struct sockaddr_un *)NULL)->sun_path),
    PORT_TEXT_BYTES = 6,
};

STATIC_ASSERT((int)UNIX_PREFIX_LENGTH + (int)UNIX_PATH_BYTES < (int)ADDRESS_TEXT_BYTES,
              "every unix address has a text");

static int unix_parse(struct address *address, const char *path, struct error *error)
{
    struct sockaddr_un sockaddr = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0)
        return error_set(error, "%s: the path is missing", address->text);
    if (length >= sizeof(sockaddr.sun_path))
        return error_set(error, "%s: the path is longer than %zu characters", address->text,
                         sizeof(sockaddr.sun_path) - 1);
    memcpy(sockaddr.sun_path, path, length);
    memcpy(&address->sockaddr, &sockaddr, sizeof(sockaddr));
    address->length = sizeof(sockaddr);
    return 0;
}

static int port_parse(const char *text, uint16_t *port)
{
    uint32_t value = 0;
    size_t length = strlen(text);
    if (length == 0 || length >= PORT_TEXT_BYTES)
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (value > UINT16_MAX)
        return -1;
    *port = (uint16_t)value;
    return 0;
}

/* Cuts "HOST:PORT" apart: `host` is a copy that gets a zero at its end; NULL port: none given. */
static int host_split(char *text, char **host, char **port, struct error *error)
{
    char *colon;
    *host = text;
    if (text[0] == '[') {
        char *bracket = strchr(text, ']');
        if (!bracket || (bracket[1] != 0 && bracket[1] != ':'))
            return error_set(error, "%s: the bracket is not closed before the port", text);
        *host = text + 1;
        *bracket = 0;
        colon = bracket[1] ? bracket + 1 : NULL;
    } else {
        colon = strchr(text, ':');
        if (colon && strchr(colon + 1, ':'))
            return error_set(error, "%s: an IPv6 address goes in brackets: [::1]:3260", text);
    }
    if (colon)
        *colon = 0;
    *port = colon ? colon + 1 : NULL;
    return 0;
}

static int host_resolve(struct address *address, const char *host, uint16_t port,
                        struct error *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[PORT_TEXT_BYTES];
    snprintf(service, sizeof(service), "%u", (unsigned int)port);
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed)
        return error_set(error, "%s: %s", address->text, gai_strerror(failed));
    ASSERT(found && found->ai_addrlen <= sizeof(address->sockaddr));
    memcpy(&address->sockaddr, found->ai_addr, found->ai_addrlen);
    address->length = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int address_parse(struct address *address, const char *text, uint16_t default_port,
                  struct error *error)
{
    char copy[ADDRESS_TEXT_BYTES];
    char *host;
    char *port_text = NULL;
    uint16_t port = default_port;
    size_t length = strlen(text);
    *address = (struct address){0};
    if (length >= sizeof(copy))
        return error_set(error, "%.32s...: the address is too long", text);
    memcpy(address->text, text, length + 1);
    memcpy(copy, text, length + 1);
    if (strncmp(text, UNIX_PREFIX, UNIX_PREFIX_LENGTH) == 0)
        return unix_parse(address, text + UNIX_PREFIX_LENGTH, error);
    if (length == 0)
        return error_set(error, "the address is empty");
    if (host_split(copy, &host, &port_text, error))
        return -1;
    if (port_text ? port_parse(port_text, &port) != 0 : port == 0)
        return error_set(error,
                         port_text ? "%s: the port is not a number from 0 to 65535"
                                   : "%s: the port is missing",
                         text);
    return host_resolve(address, host[0] ? host : "127.0.0.1", port, error);
}

static void inet_format(int family, const void *in, uint16_t port, char text[ADDRESS_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN];
    const char *done = inet_ntop(family, in, host, sizeof(host));
    ASSERT(done);
    snprintf(text, ADDRESS_TEXT_BYTES, family == AF_INET6 ? "[%s]:%u" : "%s:%u", host,
             (unsigned int)ntohs(port));
}

void address_format(const struct sockaddr_storage *sockaddr, socklen_t length,
                    char text[ADDRESS_TEXT_BYTES])
{
    if (sockaddr->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sockaddr, sizeof(in));
        inet_format(AF_INET, &in.sin_addr, in.sin_port, text);
    } else if (sockaddr->ss_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, sockaddr, sizeof(in));
        /* An IPv4 client of a socket for both is told as what it is. */
        if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr))
            inet_format(AF_INET, in.sin6_addr.s6_addr + 12, in.sin6_port, text);
        else
            inet_format(AF_INET6, &in.sin6_addr, in.sin6_port, text);
    } else if (sockaddr->ss_family == AF_UNIX) {
        struct sockaddr_un un = {0};
        size_t given = length < sizeof(un) ? length : sizeof(un);
        memcpy(&un, sockaddr, given);
        snprintf(text, ADDRESS_TEXT_BYTES, UNIX_PREFIX "%.*s", (int)sizeof(un.sun_path),
                 un.sun_path);
    } else {
        snprintf(text, ADDRESS_TEXT_BYTES, "unknown");
    }
}

void address_of_socket(int fd, bool local, char text[ADDRESS_TEXT_BYTES])
{
    struct sockaddr_storage sockaddr = {0};
    socklen_t length = sizeof(sockaddr);
    int failed = local ? getsockname(fd, (struct sockaddr *)&sockaddr, &length)
                       : getpeername(fd, (struct sockaddr *)&sockaddr, &length);
    if (failed)
        sockaddr.ss_family = AF_UNSPEC;
    address_format(&sockaddr, length, text);
}

bool address_is_local(const struct address *address)
{
    if (address->sockaddr.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &address->sockaddr, sizeof(in));
        return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (address->sockaddr.ss_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, &address->sockaddr, sizeof(in));
        return IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
    }
    return address->sockaddr.ss_family == AF_UNIX;
}
