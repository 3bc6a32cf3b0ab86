/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes a pool, what is refused and in which words, and what a crash leaves behind. */
#include "replica/store/directory.h"
#include "tests/unit/replica/store/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct directory directory;
static struct error error;

static void put(const char *name, const char *text)
{
    FILE *file = fopen(fixture_name(name), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void folder(const char *name)
{
    ck_assert_int_eq(mkdir(fixture_name(name), 0700), 0);
}

static bool there(const char *name)
{
    return access(fixture_name(name), F_OK) == 0;
}

static void opens(void)
{
    ck_assert_msg(directory_open(&directory, fixture_path, fixture_expected, &error) == 0, "%s",
                  error.text);
}

static void opens_and_closes(void)
{
    opens();
    directory_close(&directory);
}

static void refused_saying(const char *words)
{
    ck_assert_int_eq(directory_open(&directory, fixture_path, fixture_expected, &error), -1);
    ck_assert_msg(strstr(error.text, words) != NULL, "'%s' is not in '%s'", words, error.text);
    ck_assert_msg(strstr(error.text, fixture_path) != NULL, "%s", error.text);
}

START_TEST(empty_folder_becomes_a_pool_and_keeps_its_identity)
{
    opens();
    struct uuid first = directory.uuid;
    directory_close(&directory);
    ck_assert(!uuid_is_zero(&first));
    opens();
    ck_assert(uuid_equal(&first, &directory.uuid));
    directory_close(&directory);
}
END_TEST

START_TEST(folder_of_a_fresh_file_system_counts_as_empty)
{
    folder("lost+found");
    opens_and_closes();
}
END_TEST

START_TEST(pool_half_made_is_completed)
{
    folder("volumes");
    folder("deleted");
    put("pool.new", "stra");
    put("lock", "");
    opens_and_closes();
    ck_assert(there("pool") && !there("pool.new"));
}
END_TEST

START_TEST(other_folder_is_refused_and_left_alone)
{
    put("letter.txt", "dear");
    refused_saying("not a Strake pool, and not empty: it holds 'letter.txt'");
    ck_assert(!there("lock") && !there("pool"));
}
END_TEST

START_TEST(folder_with_volumes_of_somebody_else_is_refused)
{
    folder("volumes");
    folder("volumes/sales");
    refused_saying("not a Strake pool, and not empty: it holds 'volumes'");
}
END_TEST

START_TEST(missing_folder_is_named)
{
    ck_assert_int_eq(rmdir(fixture_path), 0);
    refused_saying("No such file or directory");
}
END_TEST

START_TEST(file_in_place_of_a_folder_is_named)
{
    ck_assert_int_eq(rmdir(fixture_path), 0);
    int fd = open(fixture_path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    refused_saying("Not a directory");
}
END_TEST

START_TEST(marker_of_something_else_is_refused)
{
    put("pool", "swimming\n");
    refused_saying("not a Strake pool");
}
END_TEST

START_TEST(unknown_format_is_named)
{
    put("pool", "strake pool\nformat 1\nuuid 01020304-0506-4708-890a-0b0c0d0e0f10\n");
    refused_saying("pool format 1 is not known to this version");
}
END_TEST

START_TEST(s12_other_pool_than_expected_is_refused_naming_both)
{
    put("pool", "strake pool\nformat 2\nuuid 01020304-0506-4708-890a-0b0c0d0e0f10\n");
    fixture_expected = &fixture_uuid;
    refused_saying("it is pool 01020304-0506-4708-890a-0b0c0d0e0f10, and pool 11020304-");
}
END_TEST

/* What should be mounted there is not: the folder below it is not filled. */
START_TEST(s12_missing_pool_is_not_made_when_one_is_expected)
{
    fixture_expected = &fixture_uuid;
    refused_saying("there is no pool, and pool 11020304-");
    ck_assert_int_ne(access(fixture_name("lock"), F_OK), 0);
}
END_TEST

START_TEST(unknown_feature_is_named)
{
    put("pool", "strake pool\nformat 2\nuuid 01020304-0506-4708-890a-0b0c0d0e0f10\n"
                "feature thin-mirrors\n");
    refused_saying("feature 'thin-mirrors'");
}
END_TEST

START_TEST(damaged_marker_is_refused)
{
    put("pool", "strake pool\nformat 2\nuuid 01020304\n");
    refused_saying("damaged marker 'pool': uuid '01020304'");
    put("pool", "strake pool\n");
    refused_saying("damaged marker 'pool': no format or no uuid");
    put("pool", "strake pool\nformat one\n");
    refused_saying("damaged marker 'pool': format 'one'");
    put("pool", "strake pool\nfromat 1\n");
    refused_saying("damaged marker 'pool': line 'fromat'");
}
END_TEST

START_TEST(second_process_is_told_who_holds_the_pool)
{
    opens();
    struct directory first = directory;
    char words[64];
    snprintf(words, sizeof(words), "in use: process %ld holds its lock", (long)getpid());
    refused_saying(words);
    directory_close(&first);
    opens_and_closes();
}
END_TEST

START_TEST(unwritable_folder_is_named)
{
    ck_assert_int_eq(chmod(fixture_path, 0555), 0);
    ck_assert_int_eq(chmod(fixture_root, 0711), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && seteuid(65534) < 0)
            _exit(2);
        int rc = directory_open(&directory, fixture_path, fixture_expected, &error);
        _exit(rc == -1 && strstr(error.text, "cannot write: Permission denied") ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(volume_half_made_is_cleared)
{
    opens_and_closes();
    folder("volumes/.11020304-0506-4708-890a-0b0c0d0e0000.new");
    put("volumes/.11020304-0506-4708-890a-0b0c0d0e0000.new/meta.0", "x");
    opens_and_closes();
    ck_assert(!there("volumes/.11020304-0506-4708-890a-0b0c0d0e0000.new"));
}
END_TEST

START_TEST(removal_cut_short_is_completed)
{
    opens_and_closes();
    folder("volumes/.11020304-0506-4708-890a-0b0c0d0e0000.gone");
    put("volumes/.11020304-0506-4708-890a-0b0c0d0e0000.gone/data", "x");
    folder("volumes/22020304-0506-4708-890a-0b0c0d0e0000");
    put("volumes/22020304-0506-4708-890a-0b0c0d0e0000/data", "x");
    put("deleted/22020304-0506-4708-890a-0b0c0d0e0000", "record");
    put("deleted/.33020304-0506-4708-890a-0b0c0d0e0000.new", "rec");
    opens_and_closes();
    ck_assert(!there("volumes/.11020304-0506-4708-890a-0b0c0d0e0000.gone"));
    ck_assert(!there("volumes/22020304-0506-4708-890a-0b0c0d0e0000"));
    ck_assert(there("deleted/22020304-0506-4708-890a-0b0c0d0e0000"));
    ck_assert(!there("deleted/.33020304-0506-4708-890a-0b0c0d0e0000.new"));
}
END_TEST

START_TEST(other_volumes_are_left_alone_by_the_clearing)
{
    opens_and_closes();
    folder("volumes/44020304-0506-4708-890a-0b0c0d0e0000");
    opens_and_closes();
    ck_assert(there("volumes/44020304-0506-4708-890a-0b0c0d0e0000"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("directory");
    TCase *tcase = tcase_create("directory");
    tcase_add_checked_fixture(tcase, fixture_setup_folder, fixture_teardown_folder);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, empty_folder_becomes_a_pool_and_keeps_its_identity);
    tcase_add_test(tcase, folder_of_a_fresh_file_system_counts_as_empty);
    tcase_add_test(tcase, pool_half_made_is_completed);
    tcase_add_test(tcase, other_folder_is_refused_and_left_alone);
    tcase_add_test(tcase, folder_with_volumes_of_somebody_else_is_refused);
    tcase_add_test(tcase, missing_folder_is_named);
    tcase_add_test(tcase, file_in_place_of_a_folder_is_named);
    tcase_add_test(tcase, marker_of_something_else_is_refused);
    tcase_add_test(tcase, unknown_format_is_named);
    tcase_add_test(tcase, s12_other_pool_than_expected_is_refused_naming_both);
    tcase_add_test(tcase, s12_missing_pool_is_not_made_when_one_is_expected);
    tcase_add_test(tcase, unknown_feature_is_named);
    tcase_add_test(tcase, damaged_marker_is_refused);
    tcase_add_test(tcase, second_process_is_told_who_holds_the_pool);
    tcase_add_test(tcase, unwritable_folder_is_named);
    tcase_add_test(tcase, volume_half_made_is_cleared);
    tcase_add_test(tcase, removal_cut_short_is_completed);
    tcase_add_test(tcase, other_volumes_are_left_alone_by_the_clearing);
    suite_add_tcase(suite, tcase);
    return fixture_suite_run(suite);
}
