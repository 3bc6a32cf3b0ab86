/* SPDX-License-Identifier: Apache-2.0 */
/* Making volumes: who is asked, and what is undone. */
#include "tests/unit/target/control/snapshots.h"

START_TEST(create_asks_every_replica_then_answers)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    ck_assert_uint_eq(answer_code, 0);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 3);
    const struct config *config = &calls[0].create.config;
    ck_assert_uint_eq(config->min_in_sync, 2);
    ck_assert_uint_eq(config->epoch, 0);
    ck_assert_ptr_null(config_invalid(config));
    call_answer(0, FRAME_OK);
    call_answer(1, FRAME_OK);
    ck_assert_uint_eq(answer_code, 0);
    call_answer(2, FRAME_OK);
    ck_assert_uint_eq(answer_code, 201);
    ck_assert_str_eq(answer_text("state"), "serving");
    ck_assert_uint_eq(volume_last->member_count, 3);
}
END_TEST

START_TEST(create_tells_how_to_attach)
{
    create_v1();
    json_t *uris = json_object_get(json_object_get(answer, "nbd"), "uris");
    ck_assert_str_eq(json_string_value(json_array_get(uris, 0)), "nbd://127.0.0.1:10809/v1");
    ck_assert_str_eq(json_string_value(json_array_get(uris, 1)),
                     "nbd+unix:///v1?socket=/run/n.sock");
    const char *iqn = json_string_value(json_object_get(json_object_get(answer, "iscsi"), "iqn"));
    ck_assert_str_eq(iqn, EXPORT_IQN_PREFIX_DEFAULT ":v1");
}
END_TEST

START_TEST(create_takes_the_peers_with_most_space)
{
    peer_list[3].up = true;
    peer_list[3].free_bytes = 1000;
    ask(HTTP_POST, "/v1/volumes", "",
        "{\"name\": \"v1\", \"size_bytes\": 1048576, \"replicas\": 2}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 2);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[3]);
    ck_assert_ptr_eq(calls[1].peer, &peer_list[0]);
    ck_assert_uint_eq(calls[0].create.config.min_in_sync, 1);
    all_answer(FRAME_OK);
}
END_TEST

START_TEST(create_that_one_replica_refuses_is_undone)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    call_answer(0, FRAME_OK);
    call_answer(1, FRAME_NO_SPACE);
    call_answer(2, FRAME_OK);
    refused(503, "10.0.0.2");
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 2);
    ck_assert(calls[3].del.config.deleted);
    ck_assert_uint_eq(volumes_open, 0);
    all_answer(FRAME_OK);
    ask(HTTP_GET, "/v1/volumes/v1", "", "");
    refused(404, "v1");
    call_count = 0;
    create_v1();
}
END_TEST

START_TEST(create_that_no_replica_accepts_leaves_nothing)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    all_answer(FRAME_NO_SPACE);
    ck_assert_uint_eq(control->record_count, 0);
}
END_TEST

START_TEST(create_with_a_lost_reply_is_undone_when_the_peer_is_back)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    struct config config = calls[0].create.config;
    call_answer(1, FRAME_OK);
    call_answer(2, FRAME_OK);
    struct call lost = calls[0];
    calls[0].done = NULL;
    peer_goes(0);
    lost.done(lost.arg, NULL);
    refused(503, "connection lost");
    all_answer(FRAME_OK);
    peer_tells(0, &config, 0);
    peer_comes(0);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[0]);
    ck_assert_uint_eq(volumes_open, 0);
}
END_TEST

START_TEST(create_needs_as_many_peers_as_replicas)
{
    ask(HTTP_POST, "/v1/volumes", "",
        "{\"name\": \"v1\", \"size_bytes\": 1048576, \"replicas\": 4}");
    refused(503, "only 3");
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(create_refuses_what_makes_no_sense)
{
    static const struct {
        const char *body, *words;
    } bad[] = {
        {"", "name"},
        {"?", "JSON"},
        {"[]", "object"},
        {"{\"name\": \"v1\"}", "size_bytes"},
        {"{\"size_bytes\": 1048576}", "name"},
        {"{\"name\": 5, \"size_bytes\": 1048576}", "name: must be a text"},
        {"{\"name\": \"V1\", \"size_bytes\": 1048576}", "name \"V1\": "},
        {"{\"name\": \"v1\", \"size_bytes\": 1048577}", "multiple"},
        {"{\"name\": \"v1\", \"size_bytes\": 4096}", "1 MiB"},
        {"{\"name\": \"v1\", \"size_bytes\": -4096}", "size_bytes"},
        {"{\"name\": \"v1\", \"size_bytes\": 1e9}", "integer"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048576, \"block_bytes\": 1000}", "block"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048576, \"replicas\": 0}", "replicas"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048576, \"replicas\": 9}", "replicas"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048576, \"colour\": 1}", "colour"},
        {"{\"name\": \"v1\", \"name\": \"v2\", \"size_bytes\": 1048576}", "JSON"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        ask(HTTP_POST, "/v1/volumes", "", bad[i].body);
        refused(400, bad[i].words);
    }
    ck_assert_uint_eq(control->record_count, 0);
}
END_TEST

START_TEST(witness_is_made_beside_two_with_data)
{
    ask(HTTP_POST, "/v1/volumes", "",
        "{\"name\": \"v1\", \"size_bytes\": 1048576, \"witness\": true}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 3);
    const struct config *config = &calls[0].create.config;
    ck_assert_uint_eq(config->min_in_sync, 1);
    ck_assert_int_eq(config->members[1].kind, MEMBER_DATA);
    ck_assert(config->members[1].in_sync);
    ck_assert_int_eq(config->members[2].kind, MEMBER_WITNESS);
    ck_assert(!config->members[2].in_sync);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(answer_code, 201);
    ask(HTTP_POST, "/v1/volumes", "",
        "{\"name\": \"v2\", \"size_bytes\": 1048576, \"replicas\": 3, \"witness\": true}");
    refused(503, "3 replicas are wanted and a witness");
}
END_TEST

START_TEST(name_is_given_once)
{
    create_v1();
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    refused(409, "v1");
}
END_TEST

/* A clone of v1@s1, by the replicas that have it. */
static void clone_v1(void)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_POST, "/v1/volumes", "",
        "{\"name\": \"v2\", \"clone_of\": \"v1@s1\", \"owner\": \"ann\"}");
}

START_TEST(clone_is_made_where_the_origin_is)
{
    clone_v1();
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 3);
    const struct message_create *create = &calls[0].create;
    ck_assert(uuid_equal(&create->origin, &volume_last->config.volume));
    ck_assert_uint_eq(create->origin_generation, 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[0]);
    /* One replica is known to have all of it: the others begin blank, and are brought in sync. */
    ck_assert(create->config.members[0].in_sync);
    ck_assert(!create->config.members[1].in_sync);
    ck_assert_uint_eq(calls[1].create.origin_generation, 0);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(answer_code, 201);
    ck_assert_str_eq(answer_text("name"), "v2");
    book_comes(volume_last);
    turns(1);
    ck_assert_str_eq(volume_last->command->command.key, "owner");
    command_ends(volume_last, 0);
    ck_assert_str_eq(volume_last->command->command.key, "origin");
    command_ends(volume_last, 0);
    ask(HTTP_GET, "/v1/volumes", "", "");
    const json_t *v2 = json_array_get(json_object_get(answer, "volumes"), 1);
    ck_assert_str_eq(json_string_value(json_object_get(v2, "origin")), "v1@s1");
}
END_TEST

START_TEST(clone_of_nothing_is_refused)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v2\", \"clone_of\": \"v1@s2\"}");
    refused(404, "v1@s2");
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v2\", \"clone_of\": \"v1\"}");
    refused(400, "VOLUME@SNAPSHOT");
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"clone_of\": \"v1@s1\"}");
    refused(409, "v1");
    ask(HTTP_POST, "/v1/volumes", "",
        "{\"name\": \"v2\", \"clone_of\": \"v1@s1\", \"size_bytes\": 1048576}");
    refused(400, "clone_of");
}
END_TEST

START_TEST(clone_whose_member_is_missing_is_not_completed)
{
    struct config config = config_of("v2", 3, 0);
    config.version = BORN_CLONE;
    peer_tells(0, &config, 0);
    peer_tells(1, &config, 1);
    peer_list[3].up = true;
    peer_comes(0);
    peer_comes(1);
    peer_comes(2);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        create_asks_every_replica_then_answers,
        create_tells_how_to_attach,
        create_takes_the_peers_with_most_space,
        create_that_one_replica_refuses_is_undone,
        create_that_no_replica_accepts_leaves_nothing,
        create_with_a_lost_reply_is_undone_when_the_peer_is_back,
        create_needs_as_many_peers_as_replicas,
        create_refuses_what_makes_no_sense,
        witness_is_made_beside_two_with_data,
        name_is_given_once,
        clone_is_made_where_the_origin_is,
        clone_of_nothing_is_refused,
        clone_whose_member_is_missing_is_not_completed,
    };
    return tests_run("create", tests, ARRAY_COUNT(tests));
}
