/* SPDX-License-Identifier: Apache-2.0 */
/* Clients judged by rules. */
#include "target/front/export/access.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

static struct access *access;

static int no_file(void *arg, const char *path, uint8_t *bytes, uint32_t size, uint32_t *length,
                   struct error *error)
{
    (void)arg;
    (void)bytes;
    (void)size;
    (void)length;
    return error_set(error, "%s", path);
}

static void teardown(void)
{
    access_free(access);
    access = NULL;
}

static void rules(const char *text)
{
    struct error error;
    char *copy = strdup(text);
    teardown();
    access = access_new(copy, no_file, NULL, &error);
    free(copy);
    ck_assert_msg(access != NULL, "%s", error.text);
}

static uint32_t ways(const char *volume, const char *initiator, const char *from)
{
    struct access_client client = {.initiator = initiator, .address = access_address_of(from)};
    return access_ways(access, volume, &client);
}

#define USER "user = u\nsecret = 123456789012\n"

START_TEST(without_rules_all_is_open)
{
    ck_assert_uint_eq(ways("a", "iqn.h", "10.0.0.1:1"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("a", NULL, "unix:"), ACCESS_FREELY);
}
END_TEST

START_TEST(rule_for_one_volume_leaves_others_open)
{
    rules("[volume a]\ninitiators = iqn.h\n");
    ck_assert_uint_eq(ways("a", "iqn.h", "10.0.0.1:1"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("a", "iqn.other", "10.0.0.1:1"), 0);
    ck_assert_uint_eq(ways("b", "iqn.other", "10.0.0.1:1"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("", "iqn.other", "10.0.0.1:1"), ACCESS_FREELY);
}
END_TEST

START_TEST(star_is_for_volumes_without_rules_of_their_own)
{
    rules("[volume *]\n" USER "[volume a]\ninitiators = iqn.h\n");
    ck_assert_uint_eq(ways("b", "iqn.h", "10.0.0.1:1"), ACCESS_BY_CHAP);
    ck_assert_uint_eq(ways("a", "iqn.h", "10.0.0.1:1"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("a", "iqn.x", "10.0.0.1:1"), 0);
    ck_assert_uint_eq(ways("", "iqn.x", "10.0.0.1:1"), ACCESS_FREELY);
}
END_TEST

START_TEST(snapshot_has_its_own_rules_or_those_of_all_or_the_volumes)
{
    rules("[volume *]\ninitiators = iqn.all\n[volume a]\ninitiators = iqn.a\n"
          "[volume b]\ninitiators = iqn.b\n[volume b@*]\ninitiators = iqn.readers\n"
          "[volume b@s1]\ninitiators = iqn.s1\n");
    ck_assert_uint_eq(ways("a@s1", "iqn.a", "10.0.0.1:1"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("a@s1", "iqn.all", "10.0.0.1:1"), 0);
    ck_assert_uint_eq(ways("b@s1", "iqn.s1", "10.0.0.1:1"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("b@s1", "iqn.readers", "10.0.0.1:1"), 0);
    ck_assert_uint_eq(ways("b@s2", "iqn.readers", "10.0.0.1:1"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("b", "iqn.readers", "10.0.0.1:1"), 0);
    ck_assert_uint_eq(ways("c@s1", "iqn.all", "10.0.0.1:1"), ACCESS_FREELY);
}
END_TEST

START_TEST(discovery_has_rules_of_its_own)
{
    rules("[discovery]\n" USER);
    ck_assert_uint_eq(ways("", "iqn.h", "10.0.0.1:1"), ACCESS_BY_CHAP);
    ck_assert_uint_eq(ways("a", "iqn.h", "10.0.0.1:1"), ACCESS_FREELY);
}
END_TEST

START_TEST(rules_of_one_volume_are_alternatives)
{
    rules("[volume a]\naddresses = 10.0.0.0/8\n[volume a]\n" USER);
    ck_assert_uint_eq(ways("a", "iqn.h", "10.255.0.1:1"), ACCESS_FREELY | ACCESS_BY_CHAP);
    ck_assert_uint_eq(ways("a", "iqn.h", "11.0.0.1:1"), ACCESS_BY_CHAP);
}
END_TEST

static const struct {
    const char *net;
    const char *from;
    bool fits;
} nets[] = {
    {"10.1.0.0/16", "10.1.255.255:3", true},
    {"10.1.0.0/16", "10.2.0.0:3", false},
    {"10.1.2.3", "10.1.2.3:3", true},
    {"10.1.2.3", "10.1.2.2:3", false},
    {"10.1.2.0/23", "10.1.3.9:3", true},
    {"10.1.2.0/23", "10.1.4.0:3", false},
    {"0.0.0.0/0", "255.1.1.1:3", true},
    {"0.0.0.0/0", "[2001:db8::1]:3", false},
    {"10.1.0.0/16", "[::ffff:10.1.0.9]:3", true},
    {"2001:db8::/33", "[2001:db8:7fff::1]:3", true},
    {"2001:db8::/33", "[2001:db8:8000::1]:3", false},
    {"::/0", "[2001:db8:8000::1]:3", true},
    {"::1", "[::1]:3", true},
    {"unix", "unix:/run/x", true},
    {"unix", "127.0.0.1:1", false},
    {"::/0", "unix:", false},
    {"::/0", "unknown", false},
    {"unix", "unknown", false},
};

START_TEST(address_is_in_its_net)
{
    char text[128];
    snprintf(text, sizeof(text), "[volume a]\naddresses = 192.0.2.1, %s\n", nets[_i].net);
    rules(text);
    ck_assert_int_eq(ways("a", "iqn.h", nets[_i].from) != 0, nets[_i].fits);
}
END_TEST

START_TEST(nbd_client_has_no_name_and_no_secret)
{
    rules("[volume a]\ninitiators = *\n" USER "addresses = unix\nnbd = yes\n[volume b]\n" USER);
    ck_assert_uint_eq(ways("a", NULL, "unix:"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("a", NULL, "127.0.0.1:1"), 0);
    ck_assert_uint_eq(ways("b", NULL, "unix:"), 0);
}
END_TEST

START_TEST(refusal_has_its_reason)
{
    struct access_client client = {.initiator = "iqn.h",
                                   .address = access_address_of("10.0.0.1:1")};
    rules("[volume a]\ninitiators = iqn.x\n");
    ck_assert_ptr_nonnull(strstr(access_why(access, "a", &client), "initiator"));
    rules("[volume a]\naddresses = unix\n");
    ck_assert_ptr_nonnull(strstr(access_why(access, "a", &client), "address"));
    client.initiator = NULL;
    rules("[volume a]\nnbd = no\n");
    ck_assert_ptr_nonnull(strstr(access_why(access, "a", &client), "NBD"));
}
END_TEST

static const struct {
    const char *pattern;
    const char *name;
    bool fits;
} names[] = {
    {"iqn.h", "iqn.h", true},
    {"iqn.h", "IQN.H", true},
    {"iqn.h", "iqn.hh", false},
    {"iqn.h", "iqn.", false},
    {"*", "", true},
    {"", "", true},
    {"", "x", false},
    {"*", "anything", true},
    {"iqn.*:a", "iqn.x:y:a", true},
    {"iqn.*:a", "iqn.x:b", false},
    {"*a*b", "xaab", true},
    {"*a*b", "xaba", false},
    {"?", "", false},
    {"a?c", "abc", true},
    {"a**c", "ac", true},
    {"a*", "b", false},
};

START_TEST(name_fits_its_pattern)
{
    ck_assert_int_eq(access_name_fits(names[_i].pattern, names[_i].name), names[_i].fits);
}
END_TEST

static uint32_t ways_by_tls(const char *identity)
{
    struct access_client client = {.address = access_address_of("10.0.0.1:1"),
                                   .identity = identity};
    return access_ways(access, "a", &client);
}

START_TEST(nbd_clients_are_told_apart_by_what_tls_proved)
{
    rules("[volume a]\ntls = alice, backup-*\n");
    ck_assert_uint_eq(ways_by_tls("alice"), ACCESS_FREELY);
    ck_assert_uint_eq(ways_by_tls("backup-7"), ACCESS_FREELY);
    ck_assert_uint_eq(ways_by_tls("mallory"), 0);
    ck_assert_uint_eq(ways_by_tls(""), 0);
    ck_assert_uint_eq(ways_by_tls(NULL), 0);
    ck_assert_uint_eq(ways("a", "iqn.h", "10.0.0.1:1"), 0);
}
END_TEST

START_TEST(a_rule_may_name_initiators_and_tls_clients)
{
    rules("[volume a]\ninitiators = iqn.h\ntls = alice\n");
    ck_assert_uint_eq(ways_by_tls("alice"), ACCESS_FREELY);
    ck_assert_uint_eq(ways_by_tls("bob"), 0);
    ck_assert_uint_eq(ways("a", "iqn.h", "10.0.0.1:1"), ACCESS_FREELY);
    ck_assert_uint_eq(ways("a", "iqn.x", "10.0.0.1:1"), 0);
}
END_TEST

START_TEST(tls_without_nbd_makes_no_sense)
{
    struct error error;
    char text[] = "[volume a]\ntls = alice\nnbd = no\n";
    ck_assert_ptr_null(access_new(text, no_file, NULL, &error));
    ck_assert_ptr_nonnull(strstr(error.text, "tls is of NBD"));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("access");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, without_rules_all_is_open);
    tcase_add_test(tcase, rule_for_one_volume_leaves_others_open);
    tcase_add_test(tcase, star_is_for_volumes_without_rules_of_their_own);
    tcase_add_test(tcase, snapshot_has_its_own_rules_or_those_of_all_or_the_volumes);
    tcase_add_test(tcase, discovery_has_rules_of_its_own);
    tcase_add_test(tcase, rules_of_one_volume_are_alternatives);
    tcase_add_loop_test(tcase, address_is_in_its_net, 0, (int)(sizeof(nets) / sizeof(nets[0])));
    tcase_add_test(tcase, nbd_client_has_no_name_and_no_secret);
    tcase_add_test(tcase, refusal_has_its_reason);
    tcase_add_test(tcase, nbd_clients_are_told_apart_by_what_tls_proved);
    tcase_add_test(tcase, a_rule_may_name_initiators_and_tls_clients);
    tcase_add_test(tcase, tls_without_nbd_makes_no_sense);
    tcase_add_loop_test(tcase, name_fits_its_pattern, 0, (int)(sizeof(names) / sizeof(names[0])));
    Suite *suite = suite_create("access");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
