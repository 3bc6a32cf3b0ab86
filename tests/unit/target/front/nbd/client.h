/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of an NBD session for its tests: says bytes in hex (spaces are for the eye), and
 * holds what the session answers against bytes in hex.
 */
#ifndef STRAKE_TESTS_NBD_CLIENT_H
#define STRAKE_TESTS_NBD_CLIENT_H

#include "target/front/nbd/nbd.h"
#include "tests/lib/feed.h"
#include "tests/lib/suite.h"

#include <string.h>

enum { CLIENT_TEXT_BYTES = 4096, CLIENT_REQUESTS = 200 };

/* What every conversation begins with. */
#define GREETING "4e42444d41474943 49484156454f5054 0003"
#define OPTION   "49484156454f5054 "
#define ANSWER   "0003e889045565a9 "
#define REQUEST  "25609513 "
#define SIMPLE   "67446698 "
#define CHUNK    "668e33ef "
#define COOKIE   "c0ffee0000000001 "

struct client {
    struct buf_pool bufs;
    struct pool requests;
    struct exports exports;
    struct export vol; /* the only export, unless a test adds others */
    struct rx rx;
    struct tx tx;
    struct nbd_session session;
    struct nbd_request *request; /* of the last client_next that gave one */
};

static inline uint8_t client_digit(char c)
{
    /* An assertion that holds costs a message to the runner: not one for each digit. */
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
        ck_abort_msg("not hex: %c", c);
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static inline size_t client_bytes_of(const char *hex, uint8_t *bytes)
{
    size_t length = 0;
    for (; *hex; hex++) {
        if (*hex == ' ')
            continue;
        bytes[length++] = (uint8_t)(client_digit(hex[0]) << 4 | client_digit(hex[1]));
        hex++;
    }
    return length;
}

static inline void client_send_bytes(struct client *client, const void *bytes, size_t length)
{
    rx_feed(&client->rx, bytes, length);
}

static inline void client_send(struct client *client, const char *hex)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client_send_bytes(client, bytes, client_bytes_of(hex, bytes));
}

static inline enum session_next client_next(struct client *client)
{
    return nbd_next(&client->session, &client->rx, &client->tx, &client->request);
}

/* Everything the session has to send, at most `size` bytes. */
static inline size_t client_receive(struct client *client, uint8_t *bytes, size_t size)
{
    size_t length = tx_drain(&client->tx, bytes, size);
    ck_assert(tx_empty(&client->tx));
    return length;
}

/* The session has these bytes to send and no others. */
static inline void client_expect(struct client *client, const char *hex)
{
    uint8_t expected[CLIENT_TEXT_BYTES];
    uint8_t received[CLIENT_TEXT_BYTES];
    size_t expected_length = client_bytes_of(hex, expected);
    size_t length = client_receive(client, received, sizeof(received));
    ck_assert_uint_eq(length, expected_length);
    ck_assert_mem_eq(received, expected, length);
}

/* Sends, pulls until the session wants more bytes, and expects. */
static inline void client_ask(struct client *client, const char *hex, const char *answer)
{
    client_send(client, hex);
    ck_assert_int_eq(client_next(client), SESSION_MORE);
    client_expect(client, answer);
}

/* An export "vol" of 1 MiB, and a session of which the greeting is still to be read. */
static inline void client_init(struct client *client)
{
    *client = (struct client){0};
    buf_pool_init(&client->bufs, 1u << 30);
    ck_assert_int_eq(pool_init(&client->requests, sizeof(struct nbd_request), CLIENT_REQUESTS), 0);
    exports_init(&client->exports, EXPORT_IQN_PREFIX_DEFAULT);
    client->vol = (struct export){.name = "vol", .size_bytes = 1u << 20, .block_bytes = 512};
    for (uint8_t i = 0; i < UUID_BYTES; i++)
        client->vol.uuid.bytes[i] = (uint8_t)(i * 0x11);
    list_append(&client->exports.list, &client->vol.node);
    rx_init(&client->rx, &client->bufs);
    tx_init(&client->tx, &client->bufs);
    nbd_init(&client->session, &client->exports, &client->requests, NBD_TLS_OFF, &client->tx);
}

/* Begins anew with a server that has TLS. */
static inline void client_init_tls(struct client *client, enum nbd_tls tls)
{
    uint8_t greeting[NBD_GREETING_BYTES];
    (void)client_receive(client, greeting, sizeof(greeting));
    nbd_release(&client->session);
    nbd_init(&client->session, &client->exports, &client->requests, tls, &client->tx);
}

static inline void client_release(struct client *client)
{
    nbd_release(&client->session);
    ck_assert_uint_eq(client->vol.session_count, 0);
    rx_release(&client->rx);
    tx_release(&client->tx);
    pool_release(&client->requests);
    buf_pool_release(&client->bufs);
}

/* Past the client's flags: options may follow. */
static inline void client_haggle(struct client *client)
{
    client_ask(client, "00000003", GREETING);
}

/* In transmission, with simple replies. */
static inline void client_open(struct client *client)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client_haggle(client);
    client_send(client, OPTION "00000007 00000009 00000003 766f6c 0000");
    ck_assert_int_eq(client_next(client), SESSION_MORE);
    ck_assert_uint_eq(client_receive(client, bytes, sizeof(bytes)), 20 + 12 + 20);
}

/* In transmission, with structured replies and base:allocation. */
static inline void client_open_structured(struct client *client)
{
    uint8_t bytes[CLIENT_TEXT_BYTES];
    client_haggle(client);
    client_send(client, OPTION "00000008 00000000");
    client_send(client, OPTION "0000000a 0000001e 00000003 766f6c 00000001 "
                               "0000000f 626173653a616c6c6f636174696f6e");
    client_send(client, OPTION "00000007 00000009 00000003 766f6c 0000");
    ck_assert_int_eq(client_next(client), SESSION_MORE);
    ck_assert_uint_eq(client_receive(client, bytes, sizeof(bytes)), 20 + 39 + 20 + 32 + 20);
}

#endif
