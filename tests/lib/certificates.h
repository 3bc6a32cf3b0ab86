/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities and certificates for the tests of TLS, written into directories as TLS wants them. */
#ifndef STRAKE_TESTS_CERTIFICATES_H
#define STRAKE_TESTS_CERTIFICATES_H

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum { CERTIFICATE_DAY_S = 24 * 3600 };

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

static inline void certificate_name(X509_NAME *name, const char *common)
{
    int done = X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common,
                                          -1, -1, 0);
    ck_assert_int_eq(done, 1);
}

/* Good for `days` from now; of the past if negative. By itself when `by` is NULL. */
static inline X509 *certificate_make(const char *common, EVP_PKEY *key, const struct authority *by,
                                     int days)
{
    X509 *certificate = X509_new();
    ck_assert_ptr_nonnull(certificate);
    ck_assert_int_eq(X509_set_version(certificate, X509_VERSION_3), 1);
    static long serial;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -30L * CERTIFICATE_DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * CERTIFICATE_DAY_S);
    certificate_name(X509_get_subject_name(certificate), common);
    X509_set_issuer_name(certificate, X509_get_subject_name(by ? by->certificate : certificate));
    X509_set_pubkey(certificate, key);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
                                                    by ? "CA:FALSE" : "critical,CA:TRUE");
    ck_assert_ptr_nonnull(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    ck_assert_int_gt(X509_sign(certificate, by ? by->key : key, EVP_sha256()), 0);
    return certificate;
}

static inline void authority_init(struct authority *authority, const char *common)
{
    authority->key = EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(authority->key);
    authority->certificate = certificate_make(common, authority->key, NULL, 1);
}

static inline void authority_release(struct authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

static inline FILE *certificate_file(const char *directory, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    return file;
}

/* ca.pem */
static inline void authority_write(const struct authority *authority, const char *directory)
{
    FILE *file = certificate_file(directory, "ca.pem");
    PEM_write_X509(file, authority->certificate);
    fclose(file);
}

/* cert.pem and key.pem */
static inline void certificate_write(const char *directory, const char *common,
                                     const struct authority *by, int days)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    ck_assert_ptr_nonnull(key);
    X509 *certificate = certificate_make(common, key, by, days);
    FILE *file = certificate_file(directory, "cert.pem");
    PEM_write_X509(file, certificate);
    fclose(file);
    file = certificate_file(directory, "key.pem");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* A text as a file, such as keys.psk. */
static inline void certificate_text(const char *directory, const char *name, const char *text)
{
    FILE *file = certificate_file(directory, name);
    fputs(text, file);
    fclose(file);
}

/* A new directory of its own below /tmp, and its end with what is in it. */
static inline void certificate_directory(char path[64])
{
    snprintf(path, 64, "/tmp/strake-tls-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

static inline void certificate_directory_remove(const char *path)
{
    static const char *const names[] = {"ca.pem", "cert.pem", "key.pem", "keys.psk"};
    char file[512];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        (void)remove(file);
    }
    (void)remove(path);
}

/* A directory with all of ca.pem, cert.pem and key.pem, of an authority that is forgotten. */
static inline void certificate_directory_of_one(char path[64])
{
    struct authority authority;
    authority_init(&authority, "Test CA");
    certificate_directory(path);
    authority_write(&authority, path);
    certificate_write(path, "member", &authority, 1);
    authority_release(&authority);
}

#endif
