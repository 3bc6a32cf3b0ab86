/* SPDX-License-Identifier: Apache-2.0 */
/* Which export a name means, and which names there may be. */
#include "target/front/export/export.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <string.h>

static struct exports exports;
static struct export one = {.name = "one"};
static struct export two = {.name = "vol-2.b"};

static void setup(void)
{
    exports_init(&exports, EXPORT_IQN_PREFIX_DEFAULT);
    list_append(&exports.list, &one.node);
    list_append(&exports.list, &two.node);
}

static struct export *find(const char *name)
{
    return exports_find(&exports, name, strlen(name));
}

static struct export *find_iqn(const char *iqn)
{
    return exports_find_iqn(&exports, iqn, strlen(iqn));
}

START_TEST(finds_by_exact_name)
{
    ck_assert_ptr_eq(find("one"), &one);
    ck_assert_ptr_eq(find("vol-2.b"), &two);
}
END_TEST

START_TEST(finds_by_length_without_final_zero)
{
    ck_assert_ptr_eq(exports_find(&exports, "one-and-more", 3), &one);
}
END_TEST

static const char *const strangers[] = {
    "",     "on",
    "onee", "One",
    "none", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

START_TEST(does_not_find_what_is_not_there)
{
    ck_assert_ptr_null(find(strangers[_i]));
}
END_TEST

START_TEST(name_with_a_zero_inside_is_a_stranger)
{
    ck_assert_ptr_null(exports_find(&exports, "one\0x", 5));
}
END_TEST

START_TEST(gone_export_is_not_found)
{
    one.gone = true;
    ck_assert_ptr_null(find("one"));
    ck_assert_ptr_null(find_iqn("iqn.2026-11.io.strake:one"));
}
END_TEST

START_TEST(only_export_must_be_the_only_one)
{
    ck_assert_ptr_null(exports_only(&exports));
    two.gone = true;
    ck_assert_ptr_eq(exports_only(&exports), &one);
    one.gone = true;
    ck_assert_ptr_null(exports_only(&exports));
}
END_TEST

START_TEST(iqn_is_prefix_colon_name)
{
    char iqn[IQN_BYTES];
    export_iqn(&exports, two.name, iqn);
    ck_assert_str_eq(iqn, "iqn.2026-11.io.strake:vol-2.b");
    ck_assert_ptr_eq(find_iqn(iqn), &two);
}
END_TEST

static struct export view = {.name = "one@s1", .generation = 7};
static char wanted_name[EXPORT_NAME_BYTES];

static struct export *view_wanted(void *owner, const char *name, size_t length)
{
    ck_assert_ptr_eq(owner, &one);
    memset(wanted_name, 0, sizeof(wanted_name));
    memcpy(wanted_name, name, length);
    return strcmp(wanted_name, view.name) == 0 ? &view : NULL;
}

START_TEST(snapshot_is_asked_for_by_its_name)
{
    ck_assert_ptr_null(find("one@s1"));
    exports.wanted = view_wanted;
    exports.wanted_owner = &one;
    ck_assert_ptr_eq(find("one@s1"), &view);
    ck_assert_ptr_null(find("one@s2"));
    ck_assert_ptr_eq(find("one"), &one);
}
END_TEST

START_TEST(iqn_of_a_snapshot_has_a_colon)
{
    char iqn[IQN_BYTES];
    exports.wanted = view_wanted;
    exports.wanted_owner = &one;
    export_iqn(&exports, view.name, iqn);
    ck_assert_str_eq(iqn, "iqn.2026-11.io.strake:one:s1");
    ck_assert_ptr_eq(find_iqn(iqn), &view);
    ck_assert_ptr_null(find_iqn("iqn.2026-11.io.strake:one@s1"));
    ck_assert_ptr_null(find_iqn("iqn.2026-11.io.strake:one:sha256:ab"));
    ck_assert_str_eq(wanted_name, "one@sha256:ab");
}
END_TEST

START_TEST(snapshot_is_never_the_only_export)
{
    list_append(&exports.list, &view.node);
    two.gone = true;
    ck_assert_ptr_eq(exports_only(&exports), &one);
}
END_TEST

START_TEST(iqn_is_found_in_any_case)
{
    ck_assert_ptr_eq(find_iqn("IQN.2026-11.IO.Strake:Vol-2.B"), &two);
}
END_TEST

static const char *const iqn_strangers[] = {
    "",
    "one",
    "iqn.2026-11.io.strake",
    "iqn.2026-11.io.strake:",
    "iqn.2026-11.io.strakeX:one",
    "iqn.2026-11.io.strake.one",
    "iqn.2026-11.io.straky:one",
    "iqn.2026-11.io.strake:two",
    "iqn.2026-11.io.strake:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

START_TEST(iqn_of_something_else_is_not_found)
{
    ck_assert_ptr_null(find_iqn(iqn_strangers[_i]));
}
END_TEST

START_TEST(longest_prefix_and_name_fill_an_iqn)
{
    char prefix[sizeof(exports.iqn_prefix)];
    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';
    struct exports wide;
    struct export long_name = {0};
    memset(long_name.name, 'n', EXPORT_NAME_BYTES - 1);
    exports_init(&wide, prefix);
    list_append(&wide.list, &long_name.node);
    char iqn[IQN_BYTES];
    export_iqn(&wide, long_name.name, iqn);
    ck_assert_uint_eq(strlen(iqn), IQN_BYTES - 1);
    ck_assert_ptr_eq(exports_find_iqn(&wide, iqn, strlen(iqn)), &long_name);
}
END_TEST

START_TEST(too_long_a_prefix_aborts)
{
    char prefix[sizeof(exports.iqn_prefix) + 1];
    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';
    exports_init(&exports, prefix);
}
END_TEST

static const char *const good_names[] = {
    "a",
    "0",
    "db-1.prod",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

START_TEST(good_name_is_accepted)
{
    ck_assert_ptr_null(export_name_invalid(good_names[_i]));
}
END_TEST

static const char *const bad_names[] = {
    "",
    ".",
    "..",
    "-a",
    "A",
    "a b",
    "a/b",
    "a_b",
    "a:b",
    "a\n",
    "\xc3\xa4", /* not ASCII */
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

START_TEST(bad_name_is_refused_with_a_reason)
{
    ck_assert_ptr_nonnull(export_name_invalid(bad_names[_i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("export");
    TCase *tcase = tcase_create("export");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, finds_by_exact_name);
    tcase_add_test(tcase, finds_by_length_without_final_zero);
    tcase_add_loop_test(tcase, does_not_find_what_is_not_there, 0, ARRAY_COUNT(strangers));
    tcase_add_test(tcase, name_with_a_zero_inside_is_a_stranger);
    tcase_add_test(tcase, gone_export_is_not_found);
    tcase_add_test(tcase, only_export_must_be_the_only_one);
    tcase_add_test(tcase, iqn_is_prefix_colon_name);
    tcase_add_test(tcase, snapshot_is_asked_for_by_its_name);
    tcase_add_test(tcase, iqn_of_a_snapshot_has_a_colon);
    tcase_add_test(tcase, snapshot_is_never_the_only_export);
    tcase_add_test(tcase, iqn_is_found_in_any_case);
    tcase_add_loop_test(tcase, iqn_of_something_else_is_not_found, 0, ARRAY_COUNT(iqn_strangers));
    tcase_add_test(tcase, longest_prefix_and_name_fill_an_iqn);
    tcase_add_test_raise_signal(tcase, too_long_a_prefix_aborts, SIGABRT);
    tcase_add_loop_test(tcase, good_name_is_accepted, 0, ARRAY_COUNT(good_names));
    tcase_add_loop_test(tcase, bad_name_is_refused_with_a_reason, 0, ARRAY_COUNT(bad_names));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
