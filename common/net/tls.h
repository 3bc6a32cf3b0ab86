/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.3 (RFC 8446) by OpenSSL, for streams: plain bytes in a stream's rx and tx, records in the
 * socket. A context is what a process shows and whom it believes, read from a directory,
 * and again for the next connection once one of its files has changed:
 *
 *   ca.pem    authorities: who shows a certificate must have one that they issued
 *   cert.pem  the certificate that is shown, with what leads to its authority behind it
 *   key.pem   its private key
 *   keys.psk  keys shared with clients, lines of IDENTITY:KEY, the key in hex (as psktool writes)
 *
 * There is no resumption; keys are renewed before they have protected too much (RFC 8446 section
 * 5.5). A failure has a reason in one line, which never contains a secret.
 */
#ifndef STRAKE_NET_TLS_H
#define STRAKE_NET_TLS_H

#include "common/base/error.h"
#include "common/base/rx.h"
#include "common/base/tx.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TLS_PEER_BYTES = 160,
    TLS_WHY_BYTES = 256,
    TLS_HANDSHAKE_BYTES_MAX = 128 << 10, /* received, until the handshake has ended */
    TLS_OUT_BYTES = 256 << 10,           /* no more is encrypted while this much is unsent */
};

/* Outlives the streams that use it. */
struct tls_context;

/*
 * Mutual: both ends show certificates; ca.pem, cert.pem and key.pem must be there and keys.psk is
 * not looked at. Otherwise, for servers only: clients prove a shared key if they offer one and
 * there is keys.psk; else they see cert.pem, and show a certificate themselves if there is ca.pem.
 * NULL with the reason.
 */
struct tls_context *tls_context_new(const char *directory, bool mutual, struct error *error);
/* NULL is allowed. */
void tls_context_free(struct tls_context *context);
/* Reads the files again. 0, or -1 with the reason: all stays as it was. Connections stay. */
MUST_USE int tls_context_reload(struct tls_context *context, struct error *error);
/* How many records one key protects before it is renewed (default 2^22). */
void tls_context_renew_after(struct tls_context *context, uint64_t records);

/* One connection, for stream.c. */
struct tls;

enum tls_got {
    TLS_GOT_NOTHING, /* until the socket is readable again */
    TLS_GOT_SECURED, /* the handshake has ended; there may be bytes */
    TLS_GOT_BYTES,   /* rx has more; there may be more yet */
    TLS_GOT_END,     /* closed or failed: tls_why */
};

/*
 * `fd` stays the stream's. Takes `before` over: what is still to be sent plain, ahead of the
 * handshake. A client's first words are in tls_out at once.
 */
struct tls *tls_new(struct tls_context *context, bool server, int fd, const struct tx *before);
/* NULL is allowed. */
void tls_free(struct tls *tls);
/* A new turn: one more receive is allowed. */
void tls_turn(struct tls *tls);
enum tls_got tls_receive(struct tls *tls, struct rx *rx);
/* The reason of TLS_GOT_END. */
const char *tls_why(const struct tls *tls);
/* Moves what `from` has into tls_out, as far as it may now. False: it failed, tls_why. */
MUST_USE bool tls_encrypt(struct tls *tls, struct tx *from);
/* What is to be sent as it is. */
struct tx *tls_out(struct tls *tls);
bool tls_secured(const struct tls *tls);
/* Nothing more will be sent: close_notify into tls_out. */
void tls_goodbye(struct tls *tls);
/*
 * Does the certificate that it showed name it so: by its common name, or by a host name or address
 * it is for?
 */
bool tls_peer_is(const struct tls *tls, const char *name);
/* "certificate alice", "key alice", or "" of an anonymous or not yet known end; printable. */
const char *tls_peer(const struct tls *tls);

#endif
