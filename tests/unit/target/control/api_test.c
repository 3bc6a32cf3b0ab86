/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked, and what is answered. */
#include "tests/unit/target/control/fixture.h"

START_TEST(status_tells_of_replicas_and_volumes)
{
    create_v1();
    ask(HTTP_GET, "/v1/status", "", "");
    ck_assert_uint_eq(answer_code, 200);
    json_t *replicas = json_object_get(answer, "replicas");
    ck_assert_uint_eq(json_array_size(replicas), PEERS);
    ck_assert(json_is_false(json_object_get(json_array_get(replicas, 3), "up")));
    json_t *volumes = json_object_get(answer, "volumes");
    ck_assert_int_eq(json_integer_value(json_object_get(volumes, "serving")), 1);
    ck_assert_uint_ge(json_array_size(json_object_get(answer, "events")), 1);
}
END_TEST

START_TEST(events_are_remembered_up_to_their_bound)
{
    for (int i = 0; i < 2 * CONTROL_EVENTS_MAX; i++)
        catalogue_event(control, false, "x", i ? "later" : "first");
    ask(HTTP_GET, "/v1/status", "", "");
    json_t *list = json_object_get(answer, "events");
    ck_assert_uint_eq(json_array_size(list), CONTROL_EVENTS_MAX);
    const char *text = json_string_value(json_object_get(json_array_get(list, 0), "text"));
    ck_assert_str_eq(text, "later");
}
END_TEST

START_TEST(unknown_things_are_refused)
{
    ask(HTTP_GET, "/v2/status", "", "");
    refused(404, "/v2/status");
    ask(HTTP_GET, "/v1/volumes/", "", "");
    refused(404, "nothing");
    ask(HTTP_GET, "/v1/volumes/a/b", "", "");
    refused(404, "volume a");
    ask(HTTP_GET, "/v1/volumes//b", "", "");
    refused(404, "nothing");
    ask(HTTP_POST, "/v1/status", "", "");
    refused(405, "GET");
    ask(HTTP_OTHER, "/v1/volumes", "", "");
    refused(405, "GET");
    ask(HTTP_GET, "/v1/volumes", "deleted=maybe", "");
    refused(400, "deleted");
    ask(HTTP_GET, "/v1/volumes", "color=1", "");
    refused(400, "color");
}
END_TEST

START_TEST(refusals_name_what_was_asked_for)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"Upper\", \"size_bytes\": 1048576}");
    refused(400, "name \"Upper\": ");
    ask(HTTP_GET, "/v1/volumes/a\xff", "", "");
    refused(404, "volume a?: ");
}
END_TEST

START_TEST(volume_is_found_by_its_id)
{
    create_v1();
    char path[128];
    snprintf(path, sizeof(path), "/v1/volumes/%s", answer_text("id"));
    ask(HTTP_GET, path, "", "");
    ck_assert_str_eq(answer_text("name"), "v1");
}
END_TEST

START_TEST(sessions_are_listed)
{
    ask(HTTP_GET, "/v1/sessions", "", "");
    ck_assert_uint_eq(answer_code, 200);
    json_t *session = json_array_get(json_object_get(answer, "sessions"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(session, "id")), 7);
    ck_assert_str_eq(json_string_value(json_object_get(session, "client")), "iqn.h");
    ck_assert_str_eq(json_string_value(json_object_get(session, "volume")), "v1");
    ck_assert_int_eq(json_integer_value(json_object_get(session, "in_flight")), 3);
}
END_TEST

START_TEST(session_is_dropped_by_its_number)
{
    ask(HTTP_DELETE, "/v1/sessions/8", "", "");
    refused(404, "8");
    ask(HTTP_DELETE, "/v1/sessions/-7", "", "");
    refused(404, "-7");
    ask(HTTP_DELETE, "/v1/sessions", "", "");
    refused(405, "GET");
    ask(HTTP_GET, "/v1/sessions/7", "", "");
    refused(405, "DELETE");
    ask(HTTP_DELETE, "/v1/sessions/7", "", "");
    ck_assert_uint_eq(answer_code, 200);
    ask(HTTP_DELETE, "/v1/sessions/7", "", "");
    refused(404, "7");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        status_tells_of_replicas_and_volumes,
        events_are_remembered_up_to_their_bound,
        unknown_things_are_refused,
        refusals_name_what_was_asked_for,
        volume_is_found_by_its_id,
        sessions_are_listed,
        session_is_dropped_by_its_number,
    };
    return tests_run("api", tests, ARRAY_COUNT(tests));
}
