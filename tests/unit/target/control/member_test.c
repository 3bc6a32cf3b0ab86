/* SPDX-License-Identifier: Apache-2.0 */
/* Members are added, removed and replaced when somebody asks. */
#include "tests/unit/target/control/fixture.h"

/* v1 with members at the peers 0, 1 and 2, served by us; peer 3 is there and empty. */
static struct config serving_v1(void)
{
    create_v1();
    struct config config = volume_last->config;
    config.epoch = 7;
    config.version = 4;
    config_comes(volume_last, &config);
    peer_comes(3);
    return config;
}

static void add(const char *body)
{
    ask(HTTP_POST, "/v1/volumes/v1/members", "", body);
}

/* The change that was asked for is committed. */
static struct config change_comes(struct config config)
{
    config.version++;
    if (change_asked.add)
        config.members[config.member_count++] = change_asked.member;
    for (uint8_t i = 0; i < config.member_count; i++) {
        struct member *member = &config.members[i];
        member->leaving |=
            uuid_equal(&member->uuid, &change_asked.leaves) ||
            (!change_asked.add && uuid_equal(&member->uuid, &change_asked.member.uuid));
    }
    config_comes(volume_last, &config);
    turns(2);
    return config;
}

static const char *address_of(uint32_t member)
{
    const json_t *json = json_array_get(json_object_get(answer, "members"), member);
    return json_string_value(json_object_get(json, "replica"));
}

START_TEST(members_are_listed_with_their_places)
{
    serving_v1();
    ask(HTTP_GET, "/v1/volumes/v1/members", "", "");
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "members")), 3);
    ck_assert_str_eq(address_of(2), "10.0.0.3:10900");
}
END_TEST

START_TEST(added_member_is_made_before_the_volume_is_asked)
{
    struct config config = serving_v1();
    add("{}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[3]);
    ck_assert_uint_eq(changes_asked, 0);
    /* Below all of our epoch, above all of earlier ones. */
    const struct message_create *create = &calls[0].create;
    ck_assert_uint_eq(create->config.epoch, 7);
    ck_assert_uint_eq(create->config.version, 0);
    ck_assert_uint_eq(create->config.member_count, 4);
    ck_assert(!create->config.members[3].in_sync);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(changes_asked, 1);
    ck_assert(change_asked.add && uuid_equal(&change_asked.member.uuid, &create->member));
    ck_assert(uuid_equal(&volume_last->members[volume_last->member_count - 1], &create->member));
    ck_assert_uint_eq(answer_code, 0);
    change_comes(config);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_str_eq(address_of(3), "10.0.0.4:10900");
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(member_that_the_volume_does_not_take_is_deleted)
{
    struct config config = serving_v1();
    add("{}");
    change_why = "no more of them";
    all_answer(FRAME_OK);
    turns(2);
    ck_assert_uint_eq(call_count, 0);
    loop_timer_start(&control->heal_tick, 0);
    struct record *record = catalogue_find(control, "v1");
    member_abort(record);
    record_look(record);
    turns(2);
    refused(503, "may or may not");
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[3]);
    ck_assert(!calls[0].del.config.deleted && calls[0].del.config.epoch == config.epoch);
    change_why = NULL;
}
END_TEST

START_TEST(refused_change_is_asked_for_again_when_the_configuration_is_another)
{
    struct config config = serving_v1();
    change_why = "another change is under way";
    ask(HTTP_DELETE, "/v1/volumes/v1/members/10.0.0.2:10900", "", "");
    turns(2);
    ck_assert_uint_eq(changes_asked, 0);
    change_why = NULL;
    config.version++;
    config_comes(volume_last, &config);
    turns(2);
    ck_assert_uint_eq(changes_asked, 1);
    change_comes(config);
    ck_assert_uint_eq(answer_code, 200);
}
END_TEST

START_TEST(replica_that_cannot_make_a_member_ends_the_change)
{
    serving_v1();
    add("{\"replica\": \"10.0.0.4:10900\"}");
    all_answer(FRAME_NO_SPACE);
    ck_assert_uint_eq(answer_code, 503);
    ck_assert_uint_eq(changes_asked, 0);
    add("{}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 1);
}
END_TEST

START_TEST(replica_is_named_or_refused)
{
    serving_v1();
    add("{\"replica\": \"10.0.0.9:1\"}");
    refused(404, "none of this address");
    add("{\"replica\": \"10.0.0.2:10900\"}");
    refused(409, "already");
    peer_goes(3);
    add("{\"replica\": \"10.0.0.4:10900\"}");
    refused(503, "is not reached");
    add("{}");
    refused(503, "no replica process is up");
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(one_change_at_a_time)
{
    serving_v1();
    add("{}");
    ask(HTTP_DELETE, "/v1/volumes/v1/members/10.0.0.2:10900", "", "");
    refused(409, "another change");
}
END_TEST

START_TEST(nothing_is_changed_before_the_volume_told_its_members)
{
    create_v1();
    add("{}");
    refused(409, "does not serve yet");
}
END_TEST

START_TEST(removed_member_is_marked_then_deleted_at_its_replica)
{
    struct config config = serving_v1();
    char path[64];
    char id[UUID_TEXT_BYTES];
    uuid_format(&config.members[1].uuid, id);
    snprintf(path, sizeof(path), "/v1/volumes/v1/members/%.8s", id);
    ask(HTTP_DELETE, path, "", "");
    turns(2);
    ck_assert(!change_asked.add && uuid_equal(&change_asked.member.uuid, &config.members[1].uuid));
    ck_assert_uint_eq(change_asked.min_in_sync, 1);
    config = change_comes(config);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_uint_eq(call_count, 0);
    config.version++;
    config.member_count = 2;
    config.members[1] = config.members[2];
    config_comes(volume_last, &config);
    turns(2);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[1]);
    all_answer(FRAME_OK);
    /* And the replica may have another one. */
    add("{\"replica\": \"10.0.0.2:10900\"}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 1);
}
END_TEST

START_TEST(last_complete_replica_stays)
{
    struct config config = serving_v1();
    config.members[1].in_sync = config.members[2].in_sync = false;
    config_comes(volume_last, &config);
    ask(HTTP_DELETE, "/v1/volumes/v1/members/10.0.0.1:10900", "", "");
    refused(409, "the only complete one");
    ask(HTTP_DELETE, "/v1/volumes/v1/members/10.0.0.7:10900", "", "");
    refused(404, "has no replica");
    config.member_count = 1;
    config_comes(volume_last, &config);
    ask(HTTP_DELETE, "/v1/volumes/v1/members/10.0.0.1:10900", "", "");
    refused(409, "its only replica");
}
END_TEST

START_TEST(who_replaces_is_added_and_the_other_marked_in_one_step)
{
    struct config config = serving_v1();
    config.members[2].kind = MEMBER_WITNESS;
    config.members[2].in_sync = false;
    config_comes(volume_last, &config);
    add("{\"replaces\": \"10.0.0.3:10900\"}");
    all_answer(FRAME_OK);
    ck_assert(change_asked.add && change_asked.member.kind == MEMBER_WITNESS);
    ck_assert(uuid_equal(&change_asked.leaves, &config.members[2].uuid));
    change_comes(config);
    ck_assert_uint_eq(answer_code, 200);
    ask(HTTP_DELETE, "/v1/volumes/v1/members/10.0.0.3:10900", "", "");
    refused(409, "to go already");
}
END_TEST

START_TEST(third_replica_waits_until_two_are_in_sync)
{
    struct config config = serving_v1();
    config.member_count = 2;
    config.min_in_sync = 1;
    config.members[1].in_sync = false;
    config_comes(volume_last, &config);
    turns(2);
    all_answer(FRAME_OK); /* peer 2's member is a stranger now */
    add("{}");
    refused(409, "a single replica in sync");
    config.members[1].in_sync = true;
    config_comes(volume_last, &config);
    add("{}");
    all_answer(FRAME_OK);
    ck_assert_uint_eq(change_asked.min_in_sync, 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        members_are_listed_with_their_places,
        added_member_is_made_before_the_volume_is_asked,
        member_that_the_volume_does_not_take_is_deleted,
        refused_change_is_asked_for_again_when_the_configuration_is_another,
        replica_that_cannot_make_a_member_ends_the_change,
        replica_is_named_or_refused,
        one_change_at_a_time,
        nothing_is_changed_before_the_volume_told_its_members,
        removed_member_is_marked_then_deleted_at_its_replica,
        last_complete_replica_stays,
        who_replaces_is_added_and_the_other_marked_in_one_step,
        third_replica_waits_until_two_are_in_sync,
    };

    return tests_run("members", tests, ARRAY_COUNT(tests));
}
