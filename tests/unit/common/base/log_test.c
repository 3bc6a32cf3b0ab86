/* SPDX-License-Identifier: Apache-2.0 */
/* A log line is whole, is one line, and says which program spoke. */
#include "common/base/log.h"
#include "tests/lib/suite.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static int ends[2];
static char text[4096];

/* Each test runs in a process of its own, whose standard error is ours to replace. */
static void setup(void)
{
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    close(ends[1]);
}

static const char *logged(void)
{
    close(STDERR_FILENO);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    return text;
}

START_TEST(line_carries_its_time_and_program)
{
    unsetenv("JOURNAL_STREAM");
    log_init("strake-x", LOG_LEVEL_INFO);
    log_info("listening on %d", 10809);
    const char *line = logged();
    ck_assert_uint_eq(strlen("2026-11-22T10:00:00.000Z "), strcspn(line, "s"));
    ck_assert_ptr_nonnull(strstr(line, "Z strake-x: listening on 10809\n"));
}
END_TEST

START_TEST(journal_gets_the_priority_in_place_of_the_time)
{
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_init("strake-x", LOG_LEVEL_DEBUG);
    log_warn("w");
    log_debug("d");
    ck_assert_str_eq(logged(), "<4>strake-x: w\n<7>strake-x: d\n");
}
END_TEST

START_TEST(lines_above_the_level_are_dropped)
{
    log_init("strake-x", LOG_LEVEL_WARN);
    log_info("i");
    log_debug("d");
    ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(control_characters_cannot_make_a_second_line)
{
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_init("strake-x", LOG_LEVEL_INFO);
    log_info("name \"%s\"", "a\n<4>b\x1b[0m");
    ck_assert_str_eq(logged(), "<6>strake-x: name \"a?<4>b?[0m\"\n");
}
END_TEST

START_TEST(too_long_a_line_is_cut_and_ended)
{
    char longer[3000];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    log_info("%s", longer);
    const char *line = logged();
    ck_assert_uint_lt(strlen(line), 1100);
    ck_assert_int_eq(line[strlen(line) - 2], 'a');
    ck_assert_int_eq(line[strlen(line) - 1], '\n');
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, line_carries_its_time_and_program);
    tcase_add_test(tcase, journal_gets_the_priority_in_place_of_the_time);
    tcase_add_test(tcase, lines_above_the_level_are_dropped);
    tcase_add_test(tcase, control_characters_cannot_make_a_second_line);
    tcase_add_test(tcase, too_long_a_line_is_cut_and_ended);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
