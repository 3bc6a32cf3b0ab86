/* SPDX-License-Identifier: Apache-2.0 */
/* The text of access rules: what it may say, and what each slip is told. */
#include "target/front/export/access.h"
#include "tests/lib/suite.h"

#include <string.h>

static struct access *access;
static struct error error;

/* A file of 20 characters and the end of its line. */
static int secret_file(void *arg, const char *path, uint8_t *bytes, uint32_t size, uint32_t *length,
                       struct error *why)
{
    static const char content[] = "twenty characters it\n";
    (void)arg;
    if (strcmp(path, "good") != 0)
        return error_set(why, "%s: there is none", path);
    ck_assert_uint_ge(size, sizeof(content) - 1);
    *length = sizeof(content) - 1;
    memcpy(bytes, content, *length);
    return 0;
}

static void teardown(void)
{
    access_free(access);
    access = NULL;
}

static void parse(const char *text)
{
    char *copy = strdup(text);
    teardown();
    access = access_new(copy, secret_file, NULL, &error);
    free(copy);
}

static const struct access_rule *only_rule(const char *text)
{
    static const struct access_client client = {.initiator = "iqn.h"};
    parse(text);
    ck_assert_msg(access != NULL, "%s", error.text);
    const struct access_rule *rule = access_next(access, "a", &client, NULL);
    ck_assert_ptr_nonnull(rule);
    return rule;
}

START_TEST(rule_has_what_its_section_says)
{
    const struct access_rule *rule = only_rule("# who may\n\n[volume a]\n"
                                               " initiators = iqn.* , eui.1\n"
                                               "initiators=naa.2\n"
                                               "user = alice\nsecret = a b = c, d #1\n"
                                               "mutual-user=strake\nmutual-secret-file = good\n");
    ck_assert_uint_eq(rule->initiator_count, 3);
    ck_assert_str_eq(rule->initiators[1], "eui.1");
    ck_assert_str_eq(rule->theirs.user, "alice");
    ck_assert_uint_eq(rule->theirs.length_bytes, 13);
    ck_assert_mem_eq(rule->theirs.bytes, "a b = c, d #1", 13);
    ck_assert_str_eq(rule->ours.user, "strake");
    ck_assert_uint_eq(rule->ours.length_bytes, 20);
    ck_assert_mem_eq(rule->ours.bytes, "twenty characters it", 20);
}
END_TEST

START_TEST(nbd_is_let_in_by_rules_without_names_or_by_word)
{
    ck_assert(only_rule("[volume a]\n")->nbd);
    ck_assert(!only_rule("[volume a]\nnbd = no\n")->nbd);
    ck_assert(!only_rule("[volume a]\ninitiators = *\n")->nbd);
    ck_assert(only_rule("[volume a]\ninitiators = *\nnbd = yes\n")->nbd);
    ck_assert(!only_rule("[volume a]\nuser = u\nsecret = 123456789012\n")->nbd);
}
END_TEST

START_TEST(redirect_is_an_address_and_a_port)
{
    ck_assert_str_eq(only_rule("[volume a]\nredirect = [2001:db8::1]:3260\n")->redirect,
                     "[2001:db8::1]:3260");
}
END_TEST

static const struct {
    const char *text;
    const char *why;
} wrong[] = {
    {"", "no rule"},
    {"user = u\n", "line 1"},
    {"[volume a]\nuser\n", "line 2"},
    {"[volume a\n", "bracket"},
    {"[volumes a]\n", "[volume NAME]"},
    {"[discovery a]\n", "[volume NAME]"},
    {"[volume A]\n", "lower-case"},
    {"[volume]\n", "empty"},
    {"[volume @s1]\n", "empty"},
    {"[volume a@]\n", "empty"},
    {"[volume a@b@c]\n", "lower-case"},
    {"[volume a]\ncolor = red\n", "color"},
    {"[volume a]\ninitiators = x,,y\n", "empty"},
    {"[volume a]\naddresses = 10.0.0.0/33\n", "prefix"},
    {"[volume a]\naddresses = 10.0.0.0/\n", "prefix"},
    {"[volume a]\naddresses = 10.0.0.1/8\n", "behind its prefix"},
    {"[volume a]\naddresses = host\n", "not an IP address"},
    {"[volume a]\nnbd = maybe\n", "neither yes nor no"},
    {"[volume a]\nredirect = 10.0.0.1\n", "ADDRESS:PORT"},
    {"[volume a]\nredirect = 10.0.0.1:\n", "ADDRESS:PORT"},
    {"[volume a]\nuser = u\nsecret = 12345678901\n", "12 to 128"},
    {"[volume a]\nuser = u\nsecret-file = bad\n", "bad: there is none"},
    {"[volume a]\nuser = u\n", "belong together"},
    {"[volume a]\nsecret = 123456789012\n[volume b]\n", "belong together"},
    {"[volume a]\nmutual-user = u\nmutual-secret = 123456789012\n", "without a user"},
    {"[volume a]\nuser = u\nsecret = 123456789012\n"
     "[volume b]\nuser = v\nsecret = 210987654321\nmutual-user = w\n"
     "mutual-secret = 123456789012\n",
     "the same"},
};

START_TEST(slip_is_named)
{
    parse(wrong[_i].text);
    ck_assert_ptr_null(access);
    ck_assert_msg(strstr(error.text, wrong[_i].why), "\"%s\" does not say \"%s\"", error.text,
                  wrong[_i].why);
    ck_assert_ptr_null(strstr(error.text, "1234567890"));
}
END_TEST

START_TEST(rules_are_bounded)
{
    static char text[ACCESS_RULES_MAX * 12 + 64];
    for (int i = 0; i <= ACCESS_RULES_MAX; i++)
        memcpy(text + (size_t)i * 11, "[volume a]\n", 12);
    parse(text);
    ck_assert_ptr_null(access);
    ck_assert_ptr_nonnull(strstr(error.text, "1024"));
    text[ACCESS_RULES_MAX * 11] = 0;
    parse(text);
    ck_assert_ptr_nonnull(access);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("access_text");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, rule_has_what_its_section_says);
    tcase_add_test(tcase, nbd_is_let_in_by_rules_without_names_or_by_word);
    tcase_add_test(tcase, redirect_is_an_address_and_a_port);
    tcase_add_loop_test(tcase, slip_is_named, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
    tcase_add_test(tcase, rules_are_bounded);
    Suite *suite = suite_create("access_text");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
