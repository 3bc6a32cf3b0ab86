/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots as clients see them, and questions about them. */
#include "tests/unit/target/control/snapshots.h"

#include <errno.h>

static void count_name(void *arg, const char *name)
{
    ck_assert_uint_eq(strlen(name), 2);
    ++*(uint32_t *)arg;
}

START_TEST(view_is_made_when_asked_for)
{
    serving_v1();
    snapshot_v1("s1");
    ck_assert_ptr_null(view_of("v1@s2"));
    ck_assert_ptr_null(view_of("v2@s1"));
    ck_assert_ptr_null(view_of("@s1"));
    ck_assert_ptr_null(view_of("v1@"));
    struct export *view = view_of("v1@s1");
    ck_assert_ptr_nonnull(view);
    ck_assert_uint_eq(view->generation, 1);
    ck_assert(view->hidden);
    ck_assert_ptr_eq(view_of("v1@s1"), view);
}
END_TEST

START_TEST(front_is_told_of_snapshots_and_their_generations)
{
    serving_v1();
    snapshot_v1("s1");
    snapshot_v1("s2");
    const struct export_snapshots *told = view_of("v1")->snapshots;
    ck_assert_ptr_eq(told, view_of("v1@s1")->snapshots);
    ck_assert_uint_eq(told->generation(told->owner, "s2", 2), 2);
    ck_assert_uint_eq(told->generation(told->owner, "s3", 2), 0);
    uint32_t names = 0;
    told->list(told->owner, count_name, &names);
    ck_assert_uint_eq(names, 2);
}
END_TEST

START_TEST(view_goes_when_nobody_used_it_for_long)
{
    serving_v1();
    snapshot_v1("s1");
    struct export *view = view_of("v1@s1");
    view->session_count = 1;
    view_tick(&control->view_tick);
    view_tick(&control->view_tick);
    ck_assert_ptr_null(removing);
    view->session_count = 0;
    view_tick(&control->view_tick);
    ck_assert_ptr_null(removing);
    view_tick(&control->view_tick);
    ck_assert_ptr_eq(removing, view);
    export_goes();
    ck_assert_ptr_nonnull(view_of("v1@s1"));
}
END_TEST

START_TEST(views_are_listed_if_the_target_is_told_so)
{
    control->list_snapshots = true;
    serving_v1();
    snapshot_v1("s1");
    struct snapshot *snapshot =
        snapshot_find(catalogue_find_name(control, "v1"), "s1", strlen("s1"));
    ck_assert_ptr_nonnull(snapshot->export);
    ck_assert(!snapshot->export->hidden);
}
END_TEST

START_TEST(volume_whose_snapshots_are_read_is_not_deleted)
{
    serving_v1();
    snapshot_v1("s1");
    struct export *view = view_of("v1@s1");
    view->session_count = 2;
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    refused(409, "2 client sessions");
    view->session_count = 0;
}
END_TEST

START_TEST(diff_tells_ranges_and_where_to_go_on)
{
    serving_v1();
    snapshot_v1("a");
    snapshot_v1("b");
    ask(HTTP_GET, "/v1/volumes/v1/diff", "from=a&to=b&offset=8192", "");
    struct block_req *req = volume_last->req;
    ck_assert_int_eq(req->op, BLOCK_STATUS);
    ck_assert_uint_eq(req->from_generation, 1);
    ck_assert_uint_eq(req->generation, 2);
    ck_assert_uint_eq(req->offset_bytes, 8192);
    req->runs[0] = (struct block_run){.length_bytes = 4096, .state = BLOCK_DATA};
    req->runs[1] = (struct block_run){.length_bytes = 8192, .state = BLOCK_HOLE};
    req->runs[2] = (struct block_run){.length_bytes = 4096, .state = BLOCK_ZEROED};
    req->runs_count = 3;
    req->done(req);
    volume_last->req = NULL;
    ck_assert_uint_eq(answer_code, 200);
    const json_t *ranges = json_object_get(answer, "ranges");
    ck_assert_uint_eq(json_array_size(ranges), 2);
    const json_t *zero = json_array_get(ranges, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(zero, "offset_bytes")), 20480);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "next_offset_bytes")), 24576);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "data_bytes")), 4096);
}
END_TEST

START_TEST(diff_of_unknown_snapshots_is_refused)
{
    serving_v1();
    snapshot_v1("a");
    ask(HTTP_GET, "/v1/volumes/v1/diff", "from=x", "");
    refused(404, "v1@x");
    ask(HTTP_GET, "/v1/volumes/v1/diff", "from=a&to=y", "");
    refused(404, "v1@y");
    ask(HTTP_GET, "/v1/volumes/v1/diff", "since=a", "");
    refused(400, "since");
    ask(HTTP_POST, "/v1/volumes/v1/diff", "", "");
    refused(405, "GET");
}
END_TEST

START_TEST(diff_that_fails_is_told)
{
    serving_v1();
    ask(HTTP_GET, "/v1/volumes/v1/diff", "", "");
    struct block_req *req = volume_last->req;
    req->status = -EIO;
    req->done(req);
    volume_last->req = NULL;
    refused(503, "v1");
}
END_TEST

START_TEST(digest_is_kept_once_it_is_known)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_POST, "/v1/volumes/v1/snapshots/s1/digest", "", "{}");
    ck_assert_int_eq(questions[0]->kind, VOLUME_DIGEST);
    ck_assert_uint_eq(questions[0]->generation, 1);
    ck_assert(!questions[0]->verify);
    questions_end(0, DIGEST_COMPUTING, 0);
    ck_assert_str_eq(answer_text("state"), "computing");
    ask(HTTP_GET, "/v1/volumes/v1/snapshots/s1/digest", "", "");
    questions_end(0, DIGEST_KNOWN, 0xab);
    ck_assert_str_eq(answer_text("state"), "known");
    ck_assert_int_eq(strncmp(answer_text("digest"), "sha256:abab", 11), 0);
    turns(1);
    command_ends(volume_last, 0);
    ask(HTTP_GET, "/v1/volumes/v1/snapshots/s1", "", "");
    ck_assert_int_eq(strncmp(answer_text("digest"), "sha256:abab", 11), 0);
    char name[128];
    snprintf(name, sizeof(name), "v1@%s", answer_text("digest"));
    struct export *view = view_of(name);
    ck_assert_ptr_nonnull(view);
    ck_assert_str_eq(view->name, "v1@s1");
}
END_TEST

START_TEST(digest_that_is_another_one_is_damage)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_POST, "/v1/volumes/v1/snapshots/s1/digest", "", "{}");
    questions_end(0, DIGEST_KNOWN, 1);
    turns(1);
    command_ends(volume_last, 0);
    ask(HTTP_POST, "/v1/volumes/v1/snapshots/s1/digest", "", "{\"verify\": true}");
    ck_assert(questions[0]->verify);
    questions_end(0, DIGEST_KNOWN, 2);
    ck_assert_str_eq(answer_text("state"), "damaged");
    ask(HTTP_POST, "/v1/volumes/v1/snapshots/s1/digest", "", "{}");
    questions_end(-EIO, DIGEST_KNOWN, 1);
    ck_assert_str_eq(answer_text("state"), "unknown");
}
END_TEST

START_TEST(volume_is_shown_with_its_space)
{
    serving_v1();
    ask(HTTP_GET, "/v1/volumes/v1", "", "");
    ck_assert_int_eq(questions[0]->kind, VOLUME_SPACE);
    questions_end(0, 0, 0);
    const json_t *space = json_object_get(answer, "space");
    ck_assert_int_eq(json_integer_value(json_object_get(space, "logical_bytes")), 4096);
    ask(HTTP_GET, "/v1/volumes/v1", "", "");
    questions_end(-EIO, 0, 0);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_ptr_null(json_object_get(answer, "space"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        view_is_made_when_asked_for,
        front_is_told_of_snapshots_and_their_generations,
        view_goes_when_nobody_used_it_for_long,
        views_are_listed_if_the_target_is_told_so,
        volume_whose_snapshots_are_read_is_not_deleted,
        diff_tells_ranges_and_where_to_go_on,
        diff_of_unknown_snapshots_is_refused,
        diff_that_fails_is_told,
        digest_is_kept_once_it_is_known,
        digest_that_is_another_one_is_damage,
        volume_is_shown_with_its_space,
    };
    return tests_run("view", tests, ARRAY_COUNT(tests));
}
