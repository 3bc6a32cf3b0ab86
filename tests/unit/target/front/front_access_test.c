/* SPDX-License-Identifier: Apache-2.0 */
/* The access file on the disk: who may read it, what it names, and that changes are seen. */
#include "target/front/front_access.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/strake-access.XXXXXX";
static struct front_access access_file;
static struct error error;

static void file_write(const char *name, const char *text, mode_t mode)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    (void)unlink(path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void setup(void)
{
    memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    access_file = (struct front_access){0};
    snprintf(access_file.path, sizeof(access_file.path), "%s/access", directory);
}

static void teardown(void)
{
    static const char *const names[] = {"access", "secret"};
    char path[128];
    front_access_release(&access_file);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(directory), 0);
}

static void refused(const char *words)
{
    ck_assert_int_eq(front_access_read(&access_file, &error), -1);
    ck_assert_msg(strstr(error.text, words), "\"%s\" does not say \"%s\"", error.text, words);
}

static bool admits(const char *initiator)
{
    struct access_client client = {.initiator = initiator};
    return access_ways(access_file.rules, "a", &client) != 0;
}

START_TEST(rules_are_read_and_secrets_beside_them)
{
    const struct access_client client = {.initiator = "iqn.h"};
    file_write("access", "[volume a]\nuser = u\nsecret-file = secret\n", 0640);
    file_write("secret", "a secret, long enough\n", 0400);
    ck_assert_int_eq(front_access_read(&access_file, &error), 0);
    const struct access_rule *rule = access_next(access_file.rules, "a", &client, NULL);
    ck_assert_mem_eq(rule->theirs.bytes, "a secret, long enough", 21);
    ck_assert(!front_access_changed(&access_file));
}
END_TEST

START_TEST(missing_file_is_named)
{
    refused("/access: No such file");
}
END_TEST

START_TEST(file_open_to_others_is_refused)
{
    static const mode_t modes[] = {0644, 0660, 0602, 0601};
    file_write("access", "[volume a]\n", modes[_i]);
    refused("too open");
}
END_TEST

START_TEST(secret_open_to_others_is_refused)
{
    file_write("access", "[volume a]\nuser = u\nsecret-file = secret\n", 0600);
    file_write("secret", "a secret, long enough\n", 0644);
    refused("too open");
    ck_assert_ptr_nonnull(strstr(error.text, "line 3"));
}
END_TEST

START_TEST(directory_is_no_file)
{
    snprintf(access_file.path, sizeof(access_file.path), "%s", directory);
    refused("not a file");
}
END_TEST

START_TEST(change_is_seen)
{
    file_write("access", "[volume a]\ninitiators = x\n", 0600);
    ck_assert_int_eq(front_access_read(&access_file, &error), 0);
    ck_assert(admits("x") && !admits("yy"));
    file_write("access", "[volume a]\ninitiators = yy\n", 0600);
    ck_assert(front_access_changed(&access_file));
    ck_assert_int_eq(front_access_read(&access_file, &error), 0);
    ck_assert(admits("yy") && !admits("x"));
}
END_TEST

START_TEST(change_of_a_secret_is_seen)
{
    file_write("access", "[volume a]\nuser = u\nsecret-file = secret\n", 0600);
    file_write("secret", "a secret, long enough\n", 0600);
    ck_assert_int_eq(front_access_read(&access_file, &error), 0);
    file_write("secret", "another secret, longer\n", 0600);
    ck_assert(front_access_changed(&access_file));
}
END_TEST

START_TEST(bad_change_leaves_the_rules_and_is_told_once)
{
    file_write("access", "[volume a]\ninitiators = x\n", 0600);
    ck_assert_int_eq(front_access_read(&access_file, &error), 0);
    file_write("access", "[volume a]\ninitiators = yy\ncolor = red\n", 0600);
    refused("color");
    ck_assert(admits("x") && !admits("yy"));
    ck_assert(!front_access_changed(&access_file));
    file_write("access", "[volume a]\ninitiators = yy\n", 0600);
    ck_assert(front_access_changed(&access_file));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("front_access");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, rules_are_read_and_secrets_beside_them);
    tcase_add_test(tcase, missing_file_is_named);
    tcase_add_loop_test(tcase, file_open_to_others_is_refused, 0, 4);
    tcase_add_test(tcase, secret_open_to_others_is_refused);
    tcase_add_test(tcase, directory_is_no_file);
    tcase_add_test(tcase, change_is_seen);
    tcase_add_test(tcase, change_of_a_secret_is_seen);
    tcase_add_test(tcase, bad_change_leaves_the_rules_and_is_told_once);
    Suite *suite = suite_create("front_access");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
