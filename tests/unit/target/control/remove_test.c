/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting volumes, in order. */
#include "tests/unit/target/control/fixture.h"

START_TEST(delete_stops_the_volume_then_tells_the_replicas)
{
    create_v1();
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    turns(2);
    export_goes();
    turns(2);
    ck_assert_uint_eq(call_count, 0);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    ck_assert_uint_eq(volumes_open, 0);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 3);
    ck_assert_uint_eq(answer_code, 0);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_str_eq(answer_text("state"), "deleted");
    ask(HTTP_GET, "/v1/volumes", "", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "volumes")), 0);
    ask(HTTP_GET, "/v1/volumes", "deleted=1", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "volumes")), 1);
}
END_TEST

START_TEST(volume_in_use_is_deleted_only_by_force)
{
    create_v1();
    exports_find(&exports, "v1", 2)->session_count = 1;
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    refused(409, "in use");
    ck_assert_int_eq(volumes_aborted, 0);
    ask(HTTP_DELETE, "/v1/volumes/v1", "force=1", "");
    ck_assert_int_eq(volumes_aborted, 1);
    ck_assert_uint_eq(answer_code, 0);
    turns(2);
    export_goes();
    turns(2);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(answer_code, 200);
}
END_TEST

START_TEST(delete_needs_a_majority)
{
    create_v1();
    peer_goes(0);
    peer_goes(1);
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    refused(503, "1 of its 3");
}
END_TEST

START_TEST(delete_that_no_replica_hears_brings_the_volume_back)
{
    create_v1();
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    turns(2);
    export_goes();
    turns(2);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    calls_answer(NULL);
    refused(503, "connection lost");
    ck_assert_uint_eq(volumes_open, 1);
}
END_TEST

START_TEST(deletion_under_way_when_the_target_stops_is_answered)
{
    create_v1();
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    turns(2);
    export_goes();
    turns(2);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 3);
}
END_TEST

START_TEST(creation_under_way_when_the_target_stops_is_answered)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 3);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        delete_stops_the_volume_then_tells_the_replicas,
        volume_in_use_is_deleted_only_by_force,
        delete_needs_a_majority,
        delete_that_no_replica_hears_brings_the_volume_back,
        deletion_under_way_when_the_target_stops_is_answered,
        creation_under_way_when_the_target_stops_is_answered,
    };
    return tests_run("remove", tests, ARRAY_COUNT(tests));
}
