/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of TLS share: contexts (tls_context.c) and connections (tls.c). */
#ifndef STRAKE_NET_TLS_CONTEXT_H
#define STRAKE_NET_TLS_CONTEXT_H

#include "common/net/tls.h"

#include <limits.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

enum {
    TLS_PSK_MAX = 1024,
    TLS_PSK_IDENTITY_BYTES = 129, /* with the final zero */
    TLS_PSK_KEY_BYTES_MIN = 16,
    TLS_PSK_KEY_BYTES_MAX = 64,
};

struct tls_psk {
    char identity[TLS_PSK_IDENTITY_BYTES];
    uint8_t key[TLS_PSK_KEY_BYTES_MAX];
    uint32_t key_bytes;
};

enum { TLS_FILES = 4 };

struct tls_context {
    char directory[PATH_MAX];
    bool mutual;
    struct stat files[TLS_FILES]; /* as they were when they were read; zeros: not there */
    SSL_CTX *ssl;                 /* owned */
    BIO_METHOD *bio;              /* owned: how connections receive and send (tls.c) */
    bool certificate;
    struct tls_psk *keys; /* owned */
    uint32_t key_count;
    uint64_t renew_records;
};

/* tls.c: installs what a context needs of connections. False when there is no memory. */
MUST_USE bool tls_context_bind(struct tls_context *context);
/*
 * The text of keys.psk, which it is free to change. 0, or -1 with the reason, in which no key is.
 */
MUST_USE int tls_keys_parse(struct tls_context *context, char *text, struct error *error);
/* Reads the files again if they are not what was read; a reason why not goes to the log. */
void tls_context_refresh(struct tls_context *context);
/* NULL when there is none. */
const struct tls_psk *tls_key_find(const struct tls_context *context, const char *identity);

#endif
