/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the command line and of a file. */
#include "target/config.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct target_config config;
static struct error error;

static int parse(int argc, const char *const *args)
{
    char *argv[16] = {"strake-target"};
    static char copies[16][128];
    for (int i = 0; i < argc; i++) {
        snprintf(copies[i], sizeof(copies[i]), "%s", args[i]);
        argv[i + 1] = copies[i];
    }
    return config_parse(&config, argc + 1, argv, &error);
}
#define PARSE(...)                                                                                 \
    parse((int)ARRAY_COUNT(((const char *const[]){__VA_ARGS__})),                                  \
          (const char *const[]){__VA_ARGS__})

static void refused(int status, const char *words)
{
    ck_assert_int_eq(status, -1);
    ck_assert_msg(strstr(error.text, words), "\"%s\" does not say \"%s\"", error.text, words);
}

START_TEST(defaults_are_loopback)
{
    ck_assert_int_eq(PARSE("--pool", "/srv/p"), 0);
    ck_assert_str_eq(config.iscsi.items[0], "127.0.0.1:3260");
    ck_assert_str_eq(config.nbd.items[0], "127.0.0.1:10809");
    ck_assert_uint_eq(config.memory_mib, 256);
    ck_assert_str_eq(config.pool, "/srv/p");
}
END_TEST

START_TEST(control_socket_is_in_the_run_directory)
{
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    ck_assert_int_eq(PARSE("--pool", "p"), 0);
    ck_assert_str_eq(config.control, "/run/user/7/strake/target.sock");
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_int_eq(PARSE("--pool", "p"), 0);
    ck_assert_str_eq(config.control, "/run/strake/target.sock");
}
END_TEST

START_TEST(share_is_a_number_of_a_count)
{
    ck_assert_int_eq(PARSE("--pool", "p", "--share", "2/4"), 0);
    ck_assert_uint_eq(config.share_number, 2);
    ck_assert_uint_eq(config.share_count, 4);
    refused(PARSE("--pool", "p", "--share", "5/4"), "share: \"5/4\" is not I/N");
    refused(PARSE("--pool", "p", "--share", "0/4"), "share: \"0/4\" is not I/N");
    refused(PARSE("--pool", "p", "--share", "1/4x"), "share: \"1/4x\" is not I/N");
    refused(PARSE("--pool", "p", "--share", "3"), "share: \"3\" is not I/N");
}
END_TEST

START_TEST(scrubs_come_in_a_time_with_a_unit)
{
    static const char *const wrong[] = {"7", "d", "7w", "7dd", "0d", "-1d", "1.5h", "99999d"};
    ck_assert_int_eq(PARSE("--pool", "p"), 0);
    ck_assert_uint_eq(config.scrub_every_s, 7 * 86400);
    ck_assert_int_eq(PARSE("--pool", "p", "--scrub-every", "12h"), 0);
    ck_assert_uint_eq(config.scrub_every_s, 12 * 3600);
    ck_assert_int_eq(PARSE("--pool", "p", "--scrub-every", "45s"), 0);
    ck_assert_uint_eq(config.scrub_every_s, 45);
    ck_assert_int_eq(PARSE("--pool", "p", "--scrub-every", "0"), 0);
    ck_assert_uint_eq(config.scrub_every_s, 0);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        refused(PARSE("--pool", "p", "--scrub-every", wrong[i]), "is not a time like 7d");
}
END_TEST

START_TEST(lists_are_repeatable_and_replace_the_default)
{
    ck_assert_int_eq(PARSE("--replica", "a:1", "--replica=b:2", "--nbd", "c:3", "--nbd=unix:/n"),
                     0);
    ck_assert_uint_eq(config.replicas.count, 2);
    ck_assert_str_eq(config.replicas.items[1], "b:2");
    ck_assert_uint_eq(config.nbd.count, 2);
    ck_assert_str_eq(config.nbd.items[1], "unix:/n");
}
END_TEST

START_TEST(none_disables_a_protocol)
{
    ck_assert_int_eq(PARSE("--pool", "p", "--iscsi", "none"), 0);
    ck_assert_uint_eq(config.iscsi.count, 0);
    refused(PARSE("--pool", "p", "--iscsi", "none", "--iscsi", "a:1"), "none");
}
END_TEST

START_TEST(somewhere_to_keep_volumes_is_needed)
{
    refused(PARSE("--nbd", "a:1"), "--replica");
}
END_TEST

START_TEST(unknown_options_are_named)
{
    refused(PARSE("--bogus"), "--bogus");
    refused(PARSE("--bogus=1"), "--bogus");
    refused(PARSE("pool"), "pool");
    refused(PARSE("--"), "--");
}
END_TEST

START_TEST(option_without_its_value_is_named)
{
    refused(PARSE("--pool"), "--pool: needs a value");
    refused(PARSE("--pool="), "empty");
}
END_TEST

START_TEST(numbers_are_checked)
{
    refused(PARSE("--pool", "p", "--memory", "lots"), "lots");
    refused(PARSE("--pool", "p", "--memory", "1"), "not within 16");
    refused(PARSE("--pool", "p", "--memory", "99999999999999999999999"), "not a number");
    refused(PARSE("--pool", "p", "--memory", "-5"), "not a number");
    ck_assert_int_eq(PARSE("--pool", "p", "--slow", "250"), 0);
    ck_assert_uint_eq(config.slow_ms, 250);
}
END_TEST

START_TEST(texts_are_bounded)
{
    char text[600];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(config_set(&config, "pool", text, &error), -1);
}
END_TEST

START_TEST(names_are_checked)
{
    refused(PARSE("--pool", "p", "--iqn-prefix", "eui.12"), "iqn.");
    refused(PARSE("--pool", "p", "--engine", "aio"), "aio");
}
END_TEST

START_TEST(tls_of_nbd_takes_the_directory_of_replicas)
{
    ck_assert_int_eq(PARSE("--pool", "p", "--tls-dir", "/t", "--nbd-tls", "require"), 0);
    ck_assert_str_eq(config.nbd_tls_dir, "/t");
    ck_assert_int_eq(
        PARSE("--pool", "p", "--tls-dir", "/t", "--nbd-tls", "on", "--nbd-tls-dir", "/n"), 0);
    ck_assert_str_eq(config.tls_dir, "/t");
    ck_assert_str_eq(config.nbd_tls_dir, "/n");
}
END_TEST

START_TEST(tls_is_checked)
{
    refused(PARSE("--pool", "p", "--nbd-tls", "yes"), "\"yes\" is neither off, on nor require");
    refused(PARSE("--pool", "p", "--nbd-tls", "on"), "needs nbd-tls-dir or tls-dir");
    refused(PARSE("--pool", "p", "--nbd-tls-dir", "/n"), "nbd-tls-dir without nbd-tls");
}
END_TEST

START_TEST(help_and_version_need_nothing_else)
{
    ck_assert_int_eq(PARSE("--help"), 0);
    ck_assert(config.help);
    ck_assert_int_eq(PARSE("--bogus", "--version"), 0);
    ck_assert(config.version);
}
END_TEST

START_TEST(file_has_the_same_names)
{
    char text[] = "# a comment\n\n  replica = a:1 \nreplica=b:2\nmemory = 64\r\ndebug = yes";
    config = (struct target_config){0};
    ck_assert_int_eq(config_read(&config, "f", text, &error), 0);
    ck_assert_uint_eq(config.replicas.count, 2);
    ck_assert_str_eq(config.replicas.items[0], "a:1");
    ck_assert_uint_eq(config.memory_mib, 64);
    ck_assert(config.debug);
}
END_TEST

START_TEST(file_names_the_line_that_is_wrong)
{
    char unknown[] = "memory = 64\ncolour = red\n";
    ck_assert_int_eq(config_read(&config, "f", unknown, &error), -1);
    ck_assert_str_eq(error.text, "f:2: colour: there is no such setting");
    char shapeless[] = "memory 64\n";
    ck_assert_int_eq(config_read(&config, "f", shapeless, &error), -1);
    ck_assert_str_eq(error.text, "f:1: not NAME = VALUE");
    char nested[] = "config = other\n";
    refused(config_read(&config, "f", nested, &error), "only on the command line");
}
END_TEST

START_TEST(options_win_over_the_file)
{
    char path[] = "/tmp/strake-config-test.XXXXXX";
    static const char text[] = "replica = a:1\nreplica = b:2\nmemory = 64\nconnections = 7\n";
    int fd = mkstemp(path);
    ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    ck_assert_int_eq(PARSE("--replica", "c:3", "--config", path, "--memory", "32"), 0);
    unlink(path);
    ck_assert_uint_eq(config.replicas.count, 1);
    ck_assert_str_eq(config.replicas.items[0], "c:3");
    ck_assert_uint_eq(config.memory_mib, 32);
    ck_assert_uint_eq(config.connections, 7);
}
END_TEST

START_TEST(missing_file_is_named)
{
    refused(PARSE("--config", "/nowhere/f", "--pool", "p"), "/nowhere/f");
}
END_TEST

START_TEST(portals_are_no_more_than_listeners)
{
    refused(PARSE("--pool", "p", "--portal", "10.0.0.1:3260", "--portal", "10.0.0.2:3260"),
            "portal");
}
END_TEST

START_TEST(address_beyond_this_machine_needs_a_reason)
{
    ck_assert_int_eq(PARSE("--pool", "p"), 0);
    ck_assert_int_eq(config_exposure(&config, &error), 0);
    ck_assert_int_eq(PARSE("--pool", "p", "--iscsi", "0.0.0.0:3260"), 0);
    refused(config_exposure(&config, &error), "iscsi 0.0.0.0:3260");
    ck_assert_int_eq(PARSE("--pool", "p", "--nbd", "[::]:10809"), 0);
    refused(config_exposure(&config, &error), "nbd [::]:10809");
    ck_assert_int_eq(PARSE("--pool", "p", "--iscsi", "0.0.0.0:1", "--insecure"), 0);
    ck_assert_int_eq(config_exposure(&config, &error), 0);
    ck_assert_int_eq(PARSE("--pool", "p", "--iscsi", "0.0.0.0:1", "--access", "f"), 0);
    ck_assert_int_eq(config_exposure(&config, &error), 0);
}
END_TEST

START_TEST(required_tls_protects_nbd_alone)
{
    ck_assert_int_eq(
        PARSE("--pool", "p", "--nbd", "0.0.0.0:1", "--nbd-tls", "require", "--nbd-tls-dir", "d"),
        0);
    ck_assert_int_eq(config_exposure(&config, &error), 0);
    ck_assert_int_eq(
        PARSE("--pool", "p", "--nbd", "0.0.0.0:1", "--nbd-tls", "on", "--nbd-tls-dir", "d"), 0);
    refused(config_exposure(&config, &error), "nbd 0.0.0.0:1");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("config");
    tcase_add_test(tcase, defaults_are_loopback);
    tcase_add_test(tcase, control_socket_is_in_the_run_directory);
    tcase_add_test(tcase, share_is_a_number_of_a_count);
    tcase_add_test(tcase, scrubs_come_in_a_time_with_a_unit);
    tcase_add_test(tcase, lists_are_repeatable_and_replace_the_default);
    tcase_add_test(tcase, none_disables_a_protocol);
    tcase_add_test(tcase, somewhere_to_keep_volumes_is_needed);
    tcase_add_test(tcase, unknown_options_are_named);
    tcase_add_test(tcase, option_without_its_value_is_named);
    tcase_add_test(tcase, numbers_are_checked);
    tcase_add_test(tcase, texts_are_bounded);
    tcase_add_test(tcase, names_are_checked);
    tcase_add_test(tcase, tls_of_nbd_takes_the_directory_of_replicas);
    tcase_add_test(tcase, tls_is_checked);
    tcase_add_test(tcase, help_and_version_need_nothing_else);
    tcase_add_test(tcase, file_has_the_same_names);
    tcase_add_test(tcase, file_names_the_line_that_is_wrong);
    tcase_add_test(tcase, options_win_over_the_file);
    tcase_add_test(tcase, missing_file_is_named);
    tcase_add_test(tcase, portals_are_no_more_than_listeners);
    tcase_add_test(tcase, address_beyond_this_machine_needs_a_reason);
    tcase_add_test(tcase, required_tls_protects_nbd_alone);
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
