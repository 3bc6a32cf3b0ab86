/* SPDX-License-Identifier: Apache-2.0 */
/* What a TLS directory may hold, and what is said of one that is wrong. */
#include "common/net/tls_context.h"
#include "tests/lib/certificates.h"
#include "tests/lib/suite.h"

#include <string.h>

#define KEY_A "00112233445566778899aabbccddeeff"
#define KEY_B "FFEEDDCCBBAA99887766554433221100ffeeddccbbaa99887766554433221100"

static char directory[64];
static struct authority ca;
static struct tls_context *context;
static struct error error;

static void setup(void)
{
    certificate_directory(directory);
    authority_init(&ca, "Test CA");
}

static void teardown(void)
{
    tls_context_free(context);
    context = NULL;
    authority_release(&ca);
    certificate_directory_remove(directory);
}

static void expect_refused(bool mutual, const char *why)
{
    context = tls_context_new(directory, mutual, &error);
    ck_assert_ptr_null(context);
    ck_assert_msg(strstr(error.text, why), "%s", error.text);
    ck_assert_ptr_null(strchr(error.text, '\n'));
}

static void expect_accepted(bool mutual)
{
    context = tls_context_new(directory, mutual, &error);
    ck_assert_msg(context != NULL, "%s", error.text);
}

START_TEST(a_directory_that_is_not_there)
{
    ck_assert_ptr_null(tls_context_new("/nonexistent/tls", false, &error));
    ck_assert_str_eq(error.text, "/nonexistent/tls: No such file or directory");
}
END_TEST

START_TEST(an_empty_directory)
{
    expect_refused(false, "there is neither cert.pem nor keys.psk");
}
END_TEST

START_TEST(a_server_needs_no_authority)
{
    certificate_write(directory, "server", &ca, 1);
    expect_accepted(false);
    ck_assert(context->certificate);
    ck_assert_int_eq(SSL_CTX_get_verify_mode(context->ssl), SSL_VERIFY_NONE);
}
END_TEST

START_TEST(an_authority_makes_clients_show_certificates)
{
    certificate_write(directory, "server", &ca, 1);
    authority_write(&ca, directory);
    expect_accepted(false);
    ck_assert_int_eq(SSL_CTX_get_verify_mode(context->ssl),
                     SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
}
END_TEST

START_TEST(mutual_needs_an_authority)
{
    certificate_write(directory, "server", &ca, 1);
    expect_refused(true, "ca.pem: No such file");
}
END_TEST

START_TEST(mutual_needs_a_certificate)
{
    authority_write(&ca, directory);
    certificate_text(directory, "keys.psk", "alice:" KEY_A "\n");
    expect_refused(true, "cert.pem: No such file");
}
END_TEST

START_TEST(a_key_that_is_another_certificates)
{
    char other[64];
    char from[128];
    char to[128];
    certificate_write(directory, "server", &ca, 1);
    certificate_directory(other);
    certificate_write(other, "other", &ca, 1);
    snprintf(from, sizeof(from), "%s/key.pem", other);
    snprintf(to, sizeof(to), "%s/key.pem", directory);
    ck_assert_int_eq(rename(from, to), 0);
    certificate_directory_remove(other);
    expect_refused(false, "key.pem: ");
}
END_TEST

START_TEST(a_certificate_that_is_none)
{
    certificate_text(directory, "cert.pem", "hello\n");
    expect_refused(false, "cert.pem: no start line");
}
END_TEST

START_TEST(keys_alone_are_enough_for_a_server)
{
    certificate_text(directory, "keys.psk", "alice:" KEY_A "\nbob:" KEY_B "\n");
    expect_accepted(false);
    ck_assert(!context->certificate);
    const struct tls_psk *bob = tls_key_find(context, "bob");
    ck_assert_ptr_nonnull(bob);
    ck_assert_uint_eq(bob->key_bytes, 32);
    ck_assert_uint_eq(bob->key[0], 0xff);
    ck_assert_uint_eq(bob->key[31], 0x00);
    ck_assert_ptr_null(tls_key_find(context, "carol"));
}
END_TEST

START_TEST(keys_may_end_in_carriage_returns_and_empty_lines)
{
    certificate_text(directory, "keys.psk", "alice:" KEY_A "\r\n\r\n\n");
    expect_accepted(false);
    ck_assert_uint_eq(context->key_count, 1);
}
END_TEST

struct wrong_keys {
    const char *text;
    const char *why;
};

static const struct wrong_keys wrong[] = {
    {"", "there is no key in it"},
    {"alice\n", "keys.psk: line 1: not IDENTITY:KEY"},
    {"alice:" KEY_A "\nbob:" KEY_A "0\n", "line 2: the key has not 32 to 128 hex digits"},
    {"alice:0011\n", "line 1: the key has not 32 to 128 hex digits"},
    {"alice:0011223344556677889gaabbccddeeff\n", "line 1: the key has not"},
    {":" KEY_A "\n", "line 1: the identity has not 1 to 128 characters"},
    {"#616c696365:" KEY_A "\n", "line 1: an identity in hex (#...) is not supported"},
    {"alice:" KEY_A "\nalice:" KEY_B "\n", "line 2: the identity is there already"},
};

START_TEST(wrong_keys)
{
    certificate_text(directory, "keys.psk", wrong[_i].text);
    expect_refused(false, wrong[_i].why);
}
END_TEST

START_TEST(a_wrong_key_is_not_in_the_reason)
{
    certificate_text(directory, "keys.psk", "alice:c0ffeec0ffeec0ffeec0ffeec0ffee\n");
    expect_refused(false, "line 1");
    ck_assert_ptr_null(strstr(error.text, "c0ffee"));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("tls_context");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_directory_that_is_not_there);
    tcase_add_test(tests, an_empty_directory);
    tcase_add_test(tests, a_server_needs_no_authority);
    tcase_add_test(tests, an_authority_makes_clients_show_certificates);
    tcase_add_test(tests, mutual_needs_an_authority);
    tcase_add_test(tests, mutual_needs_a_certificate);
    tcase_add_test(tests, a_key_that_is_another_certificates);
    tcase_add_test(tests, a_certificate_that_is_none);
    tcase_add_test(tests, keys_alone_are_enough_for_a_server);
    tcase_add_test(tests, keys_may_end_in_carriage_returns_and_empty_lines);
    tcase_add_loop_test(tests, wrong_keys, 0, (int)ARRAY_COUNT(wrong));
    tcase_add_test(tests, a_wrong_key_is_not_in_the_reason);
    Suite *suite = suite_create("tls_context");
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
