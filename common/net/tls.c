/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS connections. OpenSSL receives through a BIO that asks the socket once a turn, into OpenSSL's
 * own buffer, and sends through one that appends to `out`, which the stream sends once a turn.
 */
#include "common/net/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { TLS_RECORD_BYTES = 16 << 10 };

struct tls {
    struct tls_context *context;
    SSL *ssl; /* owned */
    int fd;   /* the stream's */
    struct tx out;
    bool received; /* this turn */
    bool secured;
    bool ended;
    bool eof;
    int receive_errno;        /* 0: the socket did not fail */
    bool strange;             /* what came first is not TLS */
    bool key_unknown;         /* an identity was offered that is not in keys.psk */
    uint64_t handshake_bytes; /* received before it was secured */
    uint64_t records;         /* sent with the key in use */
    char peer[TLS_PEER_BYTES];
    char why[TLS_WHY_BYTES];
};

/* ---- OpenSSL's way to the socket ---- */

/* A handshake begins with a handshake record or ends with an alert. */
static bool is_tls(const char *bytes)
{
    enum { ALERT = 21, HANDSHAKE = 22 };
    return bytes[0] == ALERT || bytes[0] == HANDSHAKE;
}

static int tls_bio_read(BIO *bio, char *bytes, int room)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->received) {
        BIO_set_retry_read(bio);
        return -1;
    }
    tls->received = true;
    ssize_t got = recv(tls->fd, bytes, (size_t)room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (got < 0)
        tls->receive_errno = errno;
    tls->eof = got <= 0;
    if (got <= 0)
        return (int)got;
    if (!tls->secured) {
        tls->strange = tls->strange || (tls->handshake_bytes == 0 && !is_tls(bytes));
        tls->handshake_bytes += (uint64_t)got;
    }
    return (int)got;
}

static int tls_bio_write(BIO *bio, const char *bytes, int length)
{
    struct tls *tls = BIO_get_data(bio);
    uint32_t left = (uint32_t)length;
    BIO_clear_retry_flags(bio);
    while (left > 0) {
        uint32_t step = left < BUF_BYTES_MIN ? left : (uint32_t)BUF_BYTES_MIN;
        memcpy(tx_space(&tls->out, step), bytes, step);
        bytes += step;
        left -= step;
    }
    return length;
}

static long tls_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct tls *tls = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return tls->eof;
    return command == BIO_CTRL_FLUSH;
}

/* ---- shared keys ---- */

/* A text of the other end's, for people: what cannot be printed is not. */
static void peer_set(struct tls *tls, const char *kind, const char *name)
{
    snprintf(tls->peer, sizeof(tls->peer), "%s %.128s", kind, name);
    for (char *c = tls->peer; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

static unsigned int tls_on_identity(SSL *ssl, const char *identity, unsigned char *key,
                                    unsigned int room)
{
    struct tls *tls = SSL_get_app_data(ssl);
    const struct tls_psk *psk = tls_key_find(tls->context, identity);
    tls->key_unknown = !psk;
    if (!psk || psk->key_bytes > room)
        return 0;
    peer_set(tls, "key", identity);
    memcpy(key, psk->key, psk->key_bytes);
    return psk->key_bytes;
}

bool tls_context_bind(struct tls_context *context)
{
    context->bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "strake stream");
    if (!context->bio || !BIO_meth_set_read(context->bio, tls_bio_read) ||
        !BIO_meth_set_write(context->bio, tls_bio_write) ||
        !BIO_meth_set_ctrl(context->bio, tls_bio_ctrl))
        return false;
    SSL_CTX_set_psk_server_callback(context->ssl, tls_on_identity);
    return true;
}

/* ---- why it ended ---- */

static bool tls_end(struct tls *tls, const char *why, const char *more)
{
    tls->ended = true;
    if (!tls->why[0])
        snprintf(tls->why, sizeof(tls->why), "%s%s", why, more);
    ERR_clear_error();
    return false;
}

/* OpenSSL answers a stranger with nothing; an alert may tell people what is spoken here. */
static void tls_stranger(struct tls *tls)
{
    static const uint8_t unexpected_message[] = {21, 3, 3, 0, 2, 2, 10};
    memcpy(tx_space(&tls->out, sizeof(unexpected_message)), unexpected_message,
           sizeof(unexpected_message));
    (void)tls_end(tls, "TLS: the other end does not speak it", "");
}

static void tls_failed(struct tls *tls)
{
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    long verified = SSL_get_verify_result(tls->ssl);
    const char *text = ERR_reason_error_string(code);
    bool alert = reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
    if (tls->strange)
        tls_stranger(tls);
    else if (tls->receive_errno)
        (void)tls_end(tls, strerror(tls->receive_errno), "");
    else if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING || (code == 0 && tls->eof))
        (void)tls_end(tls, "closed by the other end", tls->secured ? "" : " in the TLS handshake");
    else if (alert)
        (void)tls_end(tls, "TLS: refused by the other end: ",
                      SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
    else if (verified != X509_V_OK)
        (void)tls_end(
            tls, "TLS: the other end's certificate: ", X509_verify_cert_error_string(verified));
    else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        (void)tls_end(tls, "TLS: the other end shows no certificate", "");
    else if (!tls->secured && tls->key_unknown)
        (void)tls_end(tls, "TLS: the other end's key identity is not known here", "");
    else if (!tls->secured && !tls->context->certificate && !tls->peer[0])
        (void)tls_end(tls, "TLS: the other end offers no shared key", "");
    else
        (void)tls_end(tls, "TLS: ", text ? text : "failed");
}

static enum tls_got tls_stopped(struct tls *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);
    if (error == SSL_ERROR_WANT_READ) {
        if (tls->secured || tls->handshake_bytes <= TLS_HANDSHAKE_BYTES_MAX)
            return TLS_GOT_NOTHING;
        (void)tls_end(tls, "TLS: a handshake of more than 131072 bytes", "");
    } else if (error == SSL_ERROR_ZERO_RETURN) {
        (void)tls_end(tls, "closed by the other end", "");
    } else {
        tls_failed(tls);
    }
    return TLS_GOT_END;
}

const char *tls_why(const struct tls *tls)
{
    ASSERT(tls->ended);
    return tls->why;
}

/* ---- a connection ---- */

struct tls *tls_new(struct tls_context *context, bool server, int fd, const struct tx *before)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    ASSERT(tls);
    tls_context_refresh(context);
    tls->context = context;
    tls->fd = fd;
    tls->out = *before;
    tls->ssl = SSL_new(context->ssl);
    BIO *bio = BIO_new(context->bio);
    ASSERT(tls->ssl && bio);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    if (server) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
        tls->received = true; /* nothing is looked for yet: this speaks first */
        ERR_clear_error();
        (void)tls_stopped(tls, SSL_do_handshake(tls->ssl));
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    tx_release(&tls->out);
    free(tls);
}

static void tls_note_peer(struct tls *tls)
{
    char name[TLS_PEER_BYTES] = "";
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (!certificate)
        return;
    X509_NAME *subject = X509_get_subject_name(certificate);
    if (X509_NAME_get_text_by_NID(subject, NID_commonName, name, sizeof(name)) <= 0)
        snprintf(name, sizeof(name), "without a common name");
    peer_set(tls, "certificate", name);
}

static enum tls_got tls_handshake(struct tls *tls)
{
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1)
        return tls_stopped(tls, result);
    tls->secured = true;
    tls_note_peer(tls);
    return TLS_GOT_SECURED;
}

void tls_turn(struct tls *tls)
{
    tls->received = false;
}

/* An end that follows bytes is remembered by OpenSSL or by `ended`, and told by the next call. */
enum tls_got tls_receive(struct tls *tls, struct rx *rx)
{
    if (tls->ended)
        return TLS_GOT_END;
    ERR_clear_error();
    if (!tls->secured)
        return tls_handshake(tls);
    enum tls_got got = TLS_GOT_NOTHING;
    uint32_t room;
    size_t filled = 0;
    uint8_t *space = rx_space(rx, &room);
    while (filled < room) {
        size_t step = 0;
        int result = SSL_read_ex(tls->ssl, space + filled, room - filled, &step);
        if (result != 1) {
            got = tls_stopped(tls, result);
            break;
        }
        filled += step;
    }
    rx_filled(rx, (uint32_t)filled);
    return filled ? TLS_GOT_BYTES : got;
}

/*
 * The next record's worth of `from`: a piece that fills a record as it lies, or else what there is
 * gathered in `scratch`.
 */
static size_t tls_gather(const struct tx *from, uint8_t *scratch, const uint8_t **bytes)
{
    enum { VECTORS = 64 };
    struct iovec vectors[VECTORS];
    int count = tx_vectors(from, vectors, VECTORS);
    *bytes = vectors[0].iov_base;
    if (count == 1 || vectors[0].iov_len >= TLS_RECORD_BYTES)
        return vectors[0].iov_len < TLS_RECORD_BYTES ? vectors[0].iov_len : TLS_RECORD_BYTES;
    size_t length = 0;
    for (int i = 0; i < count && length < TLS_RECORD_BYTES; i++) {
        size_t step = vectors[i].iov_len;
        if (step > TLS_RECORD_BYTES - length)
            step = TLS_RECORD_BYTES - length;
        memcpy(scratch + length, vectors[i].iov_base, step);
        length += step;
    }
    *bytes = scratch;
    return length;
}

bool tls_encrypt(struct tls *tls, struct tx *from)
{
    uint8_t scratch[TLS_RECORD_BYTES];
    if (tls->ended)
        return false;
    while (tls->secured && !tx_empty(from) && tls->out.pending_bytes < TLS_OUT_BYTES) {
        const uint8_t *bytes;
        size_t length = tls_gather(from, scratch, &bytes);
        size_t written = 0;
        ERR_clear_error();
        if (tls->records++ == tls->context->renew_records) {
            tls->records = 1;
            if (SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1)
                return tls_end(tls, "TLS: no new key could be made", "");
        }
        /* The BIO takes everything: this never is half done. */
        if (SSL_write_ex(tls->ssl, bytes, length, &written) != 1 || written != length)
            return tls_end(tls, "TLS: nothing could be encrypted", "");
        tx_sent(from, written);
    }
    return true;
}

struct tx *tls_out(struct tls *tls)
{
    return &tls->out;
}

bool tls_secured(const struct tls *tls)
{
    return tls->secured;
}

void tls_goodbye(struct tls *tls)
{
    if (!tls->secured || tls->ended)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

bool tls_peer_is(const struct tls *tls, const char *name)
{
    char common[TLS_PEER_BYTES] = "";
    X509 *certificate = tls->secured ? SSL_get0_peer_certificate(tls->ssl) : NULL;
    if (!certificate)
        return false;
    X509_NAME *subject = X509_get_subject_name(certificate);
    int length = X509_NAME_get_text_by_NID(subject, NID_commonName, common, sizeof(common));
    return (length > 0 && (size_t)length == strlen(common) && strcmp(common, name) == 0) ||
           X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1 ||
           X509_check_ip_asc(certificate, name, 0) == 1;
}

const char *tls_peer(const struct tls *tls)
{
    return tls->peer;
}
