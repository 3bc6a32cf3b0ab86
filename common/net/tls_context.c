/* SPDX-License-Identifier: Apache-2.0 */
/* What a process shows and whom it believes, read from a directory. */
#include "common/net/tls_context.h"

#include "common/base/hex.h"
#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TLS_KEYS_BYTES_MAX = 256 << 10, /* of the file */
    TLS_CERTIFICATES_BYTES_MAX = 32 << 10,
    TLS_READ_BYTES = 64 << 10,
};

#define TLS_KEYS_CIPHERS "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
/* AES-GCM is good for 2^24.5 records of 16 KiB (RFC 8446 section 5.5). */
#define TLS_RENEW_RECORDS (UINT64_C(1) << 22)

static const char *openssl_why(void)
{
    unsigned long code = ERR_peek_error();
    if (code && ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    return text ? text : "no reason known";
}

/* ---- shared keys ---- */

/* The key's length; 0 when the text is not the hex of a key as long as it must be. */
static uint32_t key_parse(const char *hex, uint8_t key[TLS_PSK_KEY_BYTES_MAX])
{
    size_t digits = strlen(hex);
    if (digits % 2 || digits / 2 < TLS_PSK_KEY_BYTES_MIN || digits / 2 > TLS_PSK_KEY_BYTES_MAX)
        return 0;
    for (size_t i = 0; i < digits / 2; i++) {
        int byte = hex_byte(hex + 2 * i);
        if (byte < 0)
            return 0;
        key[i] = (uint8_t)byte;
    }
    return (uint32_t)(digits / 2);
}

static const char *key_add(struct tls_context *context, char *line)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return "not IDENTITY:KEY";
    *colon = '\0';
    if (!line[0] || strlen(line) >= TLS_PSK_IDENTITY_BYTES)
        return "the identity has not 1 to 128 characters";
    if (line[0] == '#')
        return "an identity in hex (#...) is not supported";
    if (tls_key_find(context, line))
        return "the identity is there already";
    if (context->key_count == TLS_PSK_MAX)
        return "more than 1024 keys";
    struct tls_psk *psk = &context->keys[context->key_count];
    psk->key_bytes = key_parse(colon + 1, psk->key);
    if (psk->key_bytes == 0)
        return "the key has not 32 to 128 hex digits";
    memcpy(psk->identity, line, strlen(line) + 1);
    context->key_count++;
    return NULL;
}

int tls_keys_parse(struct tls_context *context, char *text, struct error *error)
{
    if (!context->keys)
        context->keys = calloc(TLS_PSK_MAX, sizeof(*context->keys));
    ASSERT(context->keys);
    for (int number = 1; text; number++) {
        char *line = strsep(&text, "\n");
        size_t length = strlen(line);
        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';
        const char *why = line[0] ? key_add(context, line) : NULL;
        if (why)
            return error_set(error, "line %d: %s", number, why);
    }
    return context->key_count ? 0 : error_set(error, "there is no key in it");
}

const struct tls_psk *tls_key_find(const struct tls_context *context, const char *identity)
{
    for (uint32_t i = 0; i < context->key_count; i++) {
        if (strcmp(context->keys[i].identity, identity) == 0)
            return &context->keys[i];
    }
    return NULL;
}

static int keys_read(struct tls_context *context, const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "%s", path);
    char *text = malloc(TLS_KEYS_BYTES_MAX + 1);
    ASSERT(text);
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, text + length, TLS_KEYS_BYTES_MAX + 1 - length)) > 0)
        length += (size_t)got;
    int status = 0;
    if (got < 0)
        status = error_set_errno(error, errno, "%s", path);
    else if (length > TLS_KEYS_BYTES_MAX || memchr(text, '\0', length))
        status = error_set(error, "%s: not a text of at most 256 KiB", path);
    close(fd);
    if (!status) {
        text[length] = '\0';
        status = tls_keys_parse(context, text, error);
        if (status)
            (void)error_prefix(error, "%s", path);
    }
    OPENSSL_cleanse(text, TLS_KEYS_BYTES_MAX + 1);
    free(text);
    return status;
}

/* ---- the directory ---- */

struct tls_paths {
    char ca[PATH_MAX];
    char certificate[PATH_MAX];
    char key[PATH_MAX];
    char keys[PATH_MAX];
};

static int paths_of(struct tls_paths *paths, const char *directory, struct error *error)
{
    const struct {
        char *path;
        const char *name;
    } files[] = {{paths->ca, "ca.pem"},
                 {paths->certificate, "cert.pem"},
                 {paths->key, "key.pem"},
                 {paths->keys, "keys.psk"}};
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        int length = snprintf(files[i].path, PATH_MAX, "%s/%s", directory, files[i].name);
        if (length < 0 || length >= PATH_MAX)
            return error_set(error, "the directory's name is too long");
    }
    if (access(directory, R_OK | X_OK))
        return error_set_errno(error, errno, "%s", directory);
    return 0;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int certificate_load(struct tls_context *context, const struct tls_paths *paths,
                            struct error *error)
{
    if (SSL_CTX_use_certificate_chain_file(context->ssl, paths->certificate) != 1)
        return error_set(error, "%s: %s", paths->certificate, openssl_why());
    if (SSL_CTX_use_PrivateKey_file(context->ssl, paths->key, SSL_FILETYPE_PEM) != 1)
        return error_set(error, "%s: %s", paths->key, openssl_why());
    if (SSL_CTX_check_private_key(context->ssl) != 1)
        return error_set(error, "%s: not the key of %s", paths->key, paths->certificate);
    context->certificate = true;
    return 0;
}

static int ca_load(struct tls_context *context, const struct tls_paths *paths, struct error *error)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(paths->ca);
    if (!names)
        return error_set(error, "%s: %s", paths->ca, openssl_why());
    SSL_CTX_set_client_CA_list(context->ssl, names);
    if (SSL_CTX_load_verify_file(context->ssl, paths->ca) != 1)
        return error_set(error, "%s: %s", paths->ca, openssl_why());
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return 0;
}

static int directory_load(struct tls_context *context, const char *directory, bool mutual,
                          struct error *error)
{
    struct tls_paths paths;
    if (paths_of(&paths, directory, error))
        return -1;
    bool keys = !mutual && is_there(paths.keys);
    bool certificate = mutual || is_there(paths.certificate) || is_there(paths.key);
    if (!keys && !certificate)
        return error_set(error, "%s: there is neither cert.pem nor keys.psk", directory);
    /* A key of this kind goes with SHA-256 alone; OpenSSL would choose the cipher before the key.
     */
    if (keys && (SSL_CTX_set_ciphersuites(context->ssl, TLS_KEYS_CIPHERS) != 1))
        return error_set(error, "OpenSSL: %s", openssl_why());
    if (keys && keys_read(context, paths.keys, error))
        return -1;
    if (certificate && certificate_load(context, &paths, error))
        return -1;
    if ((mutual || (certificate && is_there(paths.ca))) && ca_load(context, &paths, error))
        return -1;
    return 0;
}

static bool settings_apply(struct tls_context *context)
{
    static const unsigned char name[] = "strake";
    SSL_CTX *ssl = context->ssl;
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ssl, TLS_CERTIFICATES_BYTES_MAX);
    /* An idle connection holds no buffer; a busy one receives much at once. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_default_read_buffer_len(ssl, TLS_READ_BYTES);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
           SSL_CTX_set_session_id_context(ssl, name, sizeof(name) - 1) == 1;
}

/* ---- changes ---- */

static void files_look(const struct tls_context *context, struct stat files[TLS_FILES])
{
    struct tls_paths paths;
    struct error ignored;
    memset(files, 0, TLS_FILES * sizeof(files[0]));
    if (paths_of(&paths, context->directory, &ignored))
        return;
    const char *const names[TLS_FILES] = {paths.ca, paths.certificate, paths.key, paths.keys};
    for (size_t i = 0; i < TLS_FILES; i++) {
        if (stat(names[i], &files[i]))
            files[i] = (struct stat){0};
    }
}

static bool file_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Connections hold what they were made with by themselves; `bio` is theirs and stays. */
int tls_context_reload(struct tls_context *context, struct error *error)
{
    files_look(context, context->files);
    struct tls_context *fresh = tls_context_new(context->directory, context->mutual, error);
    if (!fresh)
        return -1;
    struct tls_context old = *context;
    context->ssl = fresh->ssl;
    context->certificate = fresh->certificate;
    context->keys = fresh->keys;
    context->key_count = fresh->key_count;
    memcpy(context->files, fresh->files, sizeof(context->files));
    fresh->ssl = old.ssl;
    fresh->keys = old.keys;
    tls_context_free(fresh);
    return 0;
}

void tls_context_refresh(struct tls_context *context)
{
    struct stat now[TLS_FILES];
    struct error error;
    bool same = true;
    files_look(context, now);
    for (size_t i = 0; i < TLS_FILES; i++)
        same = same && file_same(&now[i], &context->files[i]);
    if (same)
        return;
    if (tls_context_reload(context, &error))
        log_warn("TLS: what was read before stays (%s)", error.text);
    else
        log_info("TLS: %s was read again", context->directory);
}

struct tls_context *tls_context_new(const char *directory, bool mutual, struct error *error)
{
    struct tls_context *context = calloc(1, sizeof(*context));
    ASSERT(context);
    context->renew_records = TLS_RENEW_RECORDS;
    context->mutual = mutual;
    snprintf(context->directory, sizeof(context->directory), "%s", directory);
    files_look(context, context->files); /* before they are read: a change meanwhile is seen */
    ERR_clear_error();
    context->ssl = SSL_CTX_new(TLS_method());
    if (!context->ssl || !settings_apply(context) || !tls_context_bind(context))
        error_set(error, "OpenSSL: %s", openssl_why());
    else if (directory_load(context, directory, mutual, error) == 0)
        return context;
    ERR_clear_error();
    tls_context_free(context);
    return NULL;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->bio);
    if (context->keys)
        OPENSSL_cleanse(context->keys, TLS_PSK_MAX * sizeof(*context->keys));
    free(context->keys);
    free(context);
}

void tls_context_renew_after(struct tls_context *context, uint64_t records)
{
    ASSERT(records > 0);
    context->renew_records = records;
}
