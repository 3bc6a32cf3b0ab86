/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: what is asked of the target, and what is refused before; ask.c is a fake here. */
#include "tests/lib/suite.h"
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char asked[512]; /* "METHOD PATH BODY" of the last question */
static uint32_t ask_count;
static int ask_result;
static uint32_t serving_after; /* how many questions until the volume serves */
static char control[CTL_PATH_BYTES];

int ask(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
        json_t **answer)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    snprintf(control, sizeof(control), "%s", ctl->control);
    if (ask_count++ == 0)
        snprintf(asked, sizeof(asked), "%s %s %s", method, path, text ? text : "-");
    free(text);
    if (!ask_result)
        *answer = json_pack("{s:s, s:s, s:I}", "name", "v1", "state",
                            ask_count > serving_after ? "serving" : "opening", "size_bytes",
                            (json_int_t)1 << 30);
    return ask_result;
}

/* Runs a command line; its output does not matter here. */
static int run(const char *line)
{
    static char copy[512];
    char *rest = NULL;
    char *argv[32] = {"strake"};
    int argc = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word && argc < 31;
         word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    asked[0] = '\0';
    ask_count = 0;
    int status = ctl_main(argc, argv);
    fflush(stdout);
    return status;
}

static void setup(void)
{
    ask_result = CTL_OK;
    serving_after = 0;
    unsetenv("STRAKE_CONTROL");
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

START_TEST(create_sends_name_and_size)
{
    ck_assert_int_eq(run("volume create v1 10G"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes {\"name\":\"v1\",\"size_bytes\":10737418240}");
}
END_TEST

START_TEST(create_sends_its_options_wherever_they_stand)
{
    ck_assert_int_eq(run("volume create --replicas 2 v1 --block-size=512 1M"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes {\"name\":\"v1\",\"size_bytes\":1048576,"
                            "\"replicas\":2,\"block_bytes\":512}");
}
END_TEST

START_TEST(create_waits_until_the_volume_serves)
{
    serving_after = 3;
    ck_assert_int_eq(run("volume create v1 1M"), CTL_OK);
    ck_assert_uint_eq(ask_count, 4);
    ck_assert_int_eq(run("volume create v1 1M --no-wait"), CTL_OK);
    ck_assert_uint_eq(ask_count, 1);
}
END_TEST

START_TEST(create_sends_owner_message_and_labels)
{
    ck_assert_int_eq(run("volume create v1 1M --owner ann -m hello --label a=1 --label=b=x=y"),
                     CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes {\"name\":\"v1\",\"size_bytes\":1048576,"
                            "\"owner\":\"ann\",\"message\":\"hello\","
                            "\"labels\":{\"a\":\"1\",\"b\":\"x=y\"}}");
}
END_TEST

START_TEST(clone_names_its_origin)
{
    ck_assert_int_eq(run("volume clone v1@s1 v2"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes {\"name\":\"v2\",\"clone_of\":\"v1@s1\"}");
}
END_TEST

START_TEST(create_with_a_witness_says_so)
{
    ck_assert_int_eq(run("volume create v1 1M --witness"), CTL_OK);
    ck_assert_str_eq(asked,
                     "POST /v1/volumes {\"name\":\"v1\",\"size_bytes\":1048576,\"witness\":true}");
}
END_TEST

START_TEST(members_are_listed_added_removed_and_replaced)
{
    ck_assert_int_eq(run("member list v1"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/members -");
    ck_assert_int_eq(run("member add v1"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes/v1/members {}");
    ck_assert_int_eq(run("member add v1 --replica 10.0.0.4:1 --witness"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes/v1/members "
                            "{\"replica\":\"10.0.0.4:1\",\"witness\":true}");
    ck_assert_int_eq(run("member remove v1 unix:/run/r"), CTL_OK);
    ck_assert_str_eq(asked, "DELETE /v1/volumes/v1/members/unix%3A%2Frun%2Fr -");
    ck_assert_int_eq(run("member replace v1 0123abcd --replica 10.0.0.4:1"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes/v1/members "
                            "{\"replica\":\"10.0.0.4:1\",\"replaces\":\"0123abcd\"}");
    ck_assert_int_eq(run("member remove v1"), CTL_USAGE);
}
END_TEST

START_TEST(label_changes_the_volume)
{
    ck_assert_int_eq(run("volume label v1 a=1 b- --owner ann"), CTL_OK);
    ck_assert_str_eq(asked, "PATCH /v1/volumes/v1 {\"owner\":\"ann\","
                            "\"labels\":{\"a\":\"1\",\"b\":null}}");
}
END_TEST

START_TEST(snapshot_is_made_with_a_name_or_without)
{
    ck_assert_int_eq(run("snapshot create v1"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes/v1/snapshots {}");
    ck_assert_int_eq(run("snapshot create v1 s1 -m done --label a=1"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes/v1/snapshots {\"name\":\"s1\","
                            "\"message\":\"done\",\"labels\":{\"a\":\"1\"}}");
}
END_TEST

START_TEST(snapshots_are_listed_by_labels)
{
    ck_assert_int_eq(run("snapshot list v1"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/snapshots -");
    ck_assert_int_eq(run("snapshot list v1 --label a=1 --label b=2&3"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/snapshots?label=a%3D1&label=b%3D2%263 -");
}
END_TEST

START_TEST(snapshot_is_shown_labelled_reverted_and_deleted)
{
    ck_assert_int_eq(run("snapshot show v1@s1"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/snapshots/s1 -");
    ck_assert_int_eq(run("snapshot label v1@s1 a=1 b-"), CTL_OK);
    ck_assert_str_eq(asked, "PATCH /v1/volumes/v1/snapshots/s1 "
                            "{\"labels\":{\"a\":\"1\",\"b\":null}}");
    ck_assert_int_eq(run("snapshot revert v1@s1 --keep old"), CTL_OK);
    ck_assert_str_eq(asked, "POST /v1/volumes/v1/snapshots/s1/revert {\"keep\":\"old\"}");
    ck_assert_int_eq(run("snapshot delete v1@s1"), CTL_OK);
    ck_assert_str_eq(asked, "DELETE /v1/volumes/v1/snapshots/s1 -");
}
END_TEST

START_TEST(diff_is_of_two_snapshots_or_of_one_and_now)
{
    ck_assert_int_eq(run("snapshot diff v1@a v1@b"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/diff?from=a&to=b&offset=0 -");
    ck_assert_int_eq(run("snapshot diff v1@a v1"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/diff?from=a&offset=0 -");
    ck_assert_int_eq(run("snapshot diff v1@a"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/diff?from=a&offset=0 -");
}
END_TEST

START_TEST(digest_is_asked_for_and_verified)
{
    run("snapshot digest v1@s1");
    ck_assert_str_eq(asked, "POST /v1/volumes/v1/snapshots/s1/digest {\"verify\":false}");
    run("snapshot verify v1@s1");
    ck_assert_str_eq(asked, "POST /v1/volumes/v1/snapshots/s1/digest {\"verify\":true}");
}
END_TEST

START_TEST(status_of_the_question_is_the_exit_status)
{
    ask_result = CTL_FAILED;
    ck_assert_int_eq(run("volume show v1"), CTL_FAILED);
    ask_result = CTL_UNREACHABLE;
    ck_assert_int_eq(run("status"), CTL_UNREACHABLE);
}
END_TEST

START_TEST(delete_and_list_pass_their_flags)
{
    ck_assert_int_eq(run("volume delete v1 --force"), CTL_OK);
    ck_assert_str_eq(asked, "DELETE /v1/volumes/v1?force=1 -");
    ck_assert_int_eq(run("volume delete v1"), CTL_OK);
    ck_assert_str_eq(asked, "DELETE /v1/volumes/v1 -");
    ck_assert_int_eq(run("volume list --deleted"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes?deleted=1 -");
}
END_TEST

START_TEST(control_socket_is_found)
{
    ck_assert_int_eq(run("status"), CTL_OK);
    ck_assert_str_eq(control, "/run/strake/target.sock");
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    ck_assert_int_eq(run("status"), CTL_OK);
    ck_assert_str_eq(control, "/run/user/7/strake/target.sock");
    setenv("STRAKE_CONTROL", "/x/s", 1);
    ck_assert_int_eq(run("status"), CTL_OK);
    ck_assert_str_eq(control, "/x/s");
    ck_assert_int_eq(run("--control /y/s --json status"), CTL_OK);
    ck_assert_str_eq(control, "/y/s");
    ck_assert_int_eq(run("volume list --control=/z/s"), CTL_OK);
    ck_assert_str_eq(control, "/z/s");
}
END_TEST

START_TEST(wrong_usage_asks_nothing)
{
    static const char *const lines[] = {
        "",
        "no-such-verb",
        "volume",
        "volume no-such-verb",
        "volume create",
        "volume create v1",
        "volume create v1 banana",
        "volume create v1 1M more",
        "volume create v1 1M --replicas",
        "volume create v1 1M --replicas many",
        "volume create v1 1M --colour red",
        "volume delete v1 --force=1",
        "volume show",
        "status --deleted",
        "--control",
        "help no-such-verb",
        "snapshot create",
        "snapshot create v1 -x",
        "snapshot show v1",
        "snapshot show @s1",
        "snapshot show v1@",
        "snapshot label v1@s1",
        "snapshot label v1@s1 word",
        "snapshot label v1@s1 -m",
        "snapshot diff v1 v1@a",
        "snapshot diff v1@a v2@b",
        "snapshot diff v1@a v10",
        "volume clone v1 v2",
        "volume clone v1@s1",
        "volume label v1",
    };
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        ck_assert_msg(run(lines[i]) == CTL_USAGE, "%s", lines[i]);
        ck_assert_uint_eq(ask_count, 0);
    }
}
END_TEST

/* What lies behind a slash or ".." is deleted by whoever gives the path of it. */
START_TEST(name_that_would_be_another_path_asks_nothing)
{
    static const char *const names[] = {"", ".", "..", "a/b", "../v2", "a\nb", "a\x7f", "/"};
    char name[32];
    char path[CTL_URL_BYTES];
    char longest[200];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    ck_assert_int_eq(path_volume(path, longest, ""), CTL_USAGE);
    ck_assert_int_eq(path_member(path, "v1", longest), CTL_USAGE);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        ck_assert_msg(path_volume(path, names[i], "") == CTL_USAGE, "%s", names[i]);
        snprintf(name, sizeof(name), "v1@%s", names[i]);
        ck_assert_msg(path_snapshot(path, name, "") == CTL_USAGE, "%s", name);
        snprintf(name, sizeof(name), "%s@s", names[i]);
        ck_assert_msg(path_snapshot(path, name, "") == CTL_USAGE, "%s", name);
    }
    ck_assert_int_eq(run("snapshot delete v1@../../v2"), CTL_USAGE);
    ck_assert_int_eq(run("volume delete v1/snapshots/s"), CTL_USAGE);
    ck_assert_int_eq(run("member remove v1 unix:/run/../../v2"), CTL_USAGE);
    ck_assert_int_eq(run("snapshot diff v1/x@s"), CTL_USAGE);
    ck_assert_int_eq(ask_count, 0);
}
END_TEST

START_TEST(name_with_dots_and_an_address_with_slashes_are_names)
{
    ck_assert_int_eq(run("volume delete v..1."), CTL_OK);
    ck_assert_str_eq(asked, "DELETE /v1/volumes/v..1. -");
    ck_assert_int_eq(run("member remove v1 unix:/run/r..1"), CTL_OK);
    ck_assert_str_eq(asked, "DELETE /v1/volumes/v1/members/unix%3A%2Frun%2Fr..1 -");
    ck_assert_int_eq(run("snapshot show v1@sha256:00"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/snapshots/sha256%3A00 -");
}
END_TEST

START_TEST(answer_that_could_not_be_written_is_a_failure)
{
    ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
    ck_assert_int_eq(run("volume show v1"), CTL_FAILED);
    ck_assert_int_eq(run("--json volume show v1"), CTL_FAILED);
}
END_TEST

START_TEST(every_command_has_help)
{
    for (uint32_t i = 0; i < ctl_command_count; i++) {
        char line[64];
        snprintf(line, sizeof(line), "help %s", ctl_commands[i].name);
        ck_assert_int_eq(run(line), CTL_OK);
        snprintf(line, sizeof(line), "%s --help", ctl_commands[i].name);
        ck_assert_int_eq(run(line), CTL_OK);
        ck_assert_uint_eq(ask_count, 0);
    }
    ck_assert_int_eq(run("--help"), CTL_OK);
    ck_assert_int_eq(run("--version"), CTL_OK);
}
END_TEST

START_TEST(session_is_dropped_by_its_number)
{
    ck_assert_int_eq(run("session drop 12"), CTL_OK);
    ck_assert_str_eq(asked, "DELETE /v1/sessions/12 -");
    ck_assert_int_eq(run("session drop all"), CTL_USAGE);
    ask_count = 0;
    ck_assert_int_eq(run("session list"), CTL_OK);
    ck_assert_str_eq(asked, "GET /v1/sessions -");
}
END_TEST

START_TEST(attach_takes_one_way_only)
{
    ck_assert_int_eq(run("attach v1 --iscsi --nbd"), CTL_USAGE);
    ck_assert_int_eq(run("attach v1 --fuse --foreground"), CTL_USAGE);
    ck_assert_int_eq(run("attach v1 --connections 0"), CTL_USAGE);
    ck_assert_int_eq(run("attach v1 --timeout soon"), CTL_USAGE);
    ck_assert_uint_eq(ask_count, 0);
}
END_TEST

START_TEST(attach_asks_where_a_volume_is)
{
    ck_assert_int_eq(run("attach v1 --nbd"), CTL_FAILED); /* this one is nowhere */
    ck_assert_str_eq(asked, "GET /v1/volumes/v1 -");
    run("attach v1@s1");
    ck_assert_str_eq(asked, "GET /v1/volumes/v1/snapshots/s1 -");
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("ctl");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, create_sends_name_and_size);
    tcase_add_test(tcase, create_sends_its_options_wherever_they_stand);
    tcase_add_test(tcase, create_waits_until_the_volume_serves);
    tcase_add_test(tcase, create_sends_owner_message_and_labels);
    tcase_add_test(tcase, clone_names_its_origin);
    tcase_add_test(tcase, create_with_a_witness_says_so);
    tcase_add_test(tcase, members_are_listed_added_removed_and_replaced);
    tcase_add_test(tcase, label_changes_the_volume);
    tcase_add_test(tcase, snapshot_is_made_with_a_name_or_without);
    tcase_add_test(tcase, snapshots_are_listed_by_labels);
    tcase_add_test(tcase, snapshot_is_shown_labelled_reverted_and_deleted);
    tcase_add_test(tcase, diff_is_of_two_snapshots_or_of_one_and_now);
    tcase_add_test(tcase, digest_is_asked_for_and_verified);
    tcase_add_test(tcase, status_of_the_question_is_the_exit_status);
    tcase_add_test(tcase, delete_and_list_pass_their_flags);
    tcase_add_test(tcase, session_is_dropped_by_its_number);
    tcase_add_test(tcase, control_socket_is_found);
    tcase_add_test(tcase, wrong_usage_asks_nothing);
    tcase_add_test(tcase, name_that_would_be_another_path_asks_nothing);
    tcase_add_test(tcase, name_with_dots_and_an_address_with_slashes_are_names);
    tcase_add_test(tcase, answer_that_could_not_be_written_is_a_failure);
    tcase_add_test(tcase, every_command_has_help);
    Suite *suite = suite_create("ctl");
    tcase_add_test(tcase, attach_takes_one_way_only);
    tcase_add_test(tcase, attach_asks_where_a_volume_is);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
