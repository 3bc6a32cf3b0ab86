/* SPDX-License-Identifier: Apache-2.0 */
/* What replicas tell becomes volumes, or deletions that are caught up with. */
#include "tests/unit/target/control/fixture.h"

START_TEST(told_volume_is_opened_when_its_peer_is_up)
{
    struct config config = config_of("v1", 3, 5);
    peer_list[0].up = false;
    peer_tells(0, &config, 0);
    ck_assert_uint_eq(volumes_open, 0);
    peer_comes(0);
    ck_assert_uint_eq(volumes_open, 1);
    ck_assert_uint_eq(volume_last->member_count, 1);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(volumes_open, 1);
    ck_assert_uint_eq(volume_last->member_count, 2);
    ck_assert_ptr_nonnull(exports_find(&exports, "v1", 2));
}
END_TEST

START_TEST(catalogue_is_complete_once_all_peers_are_up)
{
    for (uint32_t i = 0; i < PEERS; i++)
        peer_list[i].up = false;
    for (uint32_t i = 0; i < PEERS; i++) {
        ck_assert(exports.incomplete);
        peer_comes(i);
    }
    ck_assert(!exports.incomplete);
    peer_goes(0);
    ck_assert(!exports.incomplete);
}
END_TEST

static void open_v1(void)
{
    struct config config = config_of("v1", 3, 5);
    peer_tells(0, &config, 0);
    peer_comes(0);
    ck_assert_uint_eq(exports_held, 1);
}

START_TEST(reservations_are_what_the_book_has)
{
    const struct message_command set = {.kind = COMMAND_SET,
                                        .key = "reservations",
                                        .value = (const uint8_t *)"abc",
                                        .value_bytes = 3};
    open_v1();
    book_apply(&volume_last->book, &set);
    book_comes(volume_last);
    ck_assert_uint_eq(exports_held, 0);
    ck_assert_uint_eq(reservations_bytes, 3);
}
END_TEST

START_TEST(without_a_book_there_are_no_reservations)
{
    open_v1();
    volume_last->env.on_bookless(volume_last->env.owner, volume_last);
    ck_assert_uint_eq(exports_held, 0);
    ck_assert_uint_eq(reservations_bytes, 0);
}
END_TEST

START_TEST(newest_configuration_is_the_hint)
{
    struct config old = config_of("v1", 3, 5);
    struct config newer = config_of("v1", 3, 6);
    newer.size_bytes = 2 << 20;
    peer_tells(0, &old, 0);
    peer_tells(1, &newer, 1);
    peer_tells(2, &old, 2);
    peer_comes(0);
    ck_assert_uint_eq(volume_last->config.epoch, 6);
}
END_TEST

START_TEST(peer_that_comes_back_is_told_to_the_volume_again)
{
    create_v1();
    struct config config = volume_last->config;
    peer_goes(1);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(volume_last->member_count, 4);
    ck_assert(uuid_equal(&volume_last->members[3], &config.members[1].uuid));
}
END_TEST

START_TEST(second_volume_of_a_name_is_not_shown)
{
    struct config one = config_of("v1", 1, 5);
    struct config two = config_of("v1", 1, 5);
    two.volume.bytes[0] = 0x41;
    peer_tells(0, &one, 0);
    peer_tells(0, &two, 0);
    peer_comes(0);
    ck_assert_uint_eq(volumes_open, 2);
    ask(HTTP_GET, "/v1/volumes", "", "");
    json_t *second = json_array_get(json_object_get(answer, "volumes"), 1);
    ck_assert_ptr_null(json_object_get(second, "nbd"));
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(second, "why")), "name"));
}
END_TEST

START_TEST(straggler_of_a_deleted_volume_is_told)
{
    struct config config = config_of("v1", 3, 5);
    struct config tombstone = config;
    tombstone.deleted = true;
    tombstone.version = 9;
    peer_tells(0, &tombstone, 0);
    peer_comes(0);
    ck_assert_uint_eq(call_count, 0);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(volumes_open, 0);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[1]);
    ck_assert_uint_eq(calls[0].del.config.version, 9);
}
END_TEST

START_TEST(straggler_ahead_of_the_deletion_is_told_a_newer_one)
{
    struct config config = config_of("v1", 3, 5);
    struct config tombstone = config;
    tombstone.deleted = true;
    tombstone.version = 9;
    config.epoch = 7;
    config.version = 12;
    peer_tells(0, &tombstone, 0);
    peer_comes(0);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
    ck_assert_int_eq(config_compare(&calls[0].del.config, &config), 1);
}
END_TEST

START_TEST(tombstone_ends_an_open_volume)
{
    struct config config = config_of("v1", 3, 5);
    struct config tombstone = config;
    peer_tells(0, &config, 0);
    peer_comes(0);
    ck_assert_uint_eq(volumes_open, 1);
    tombstone.deleted = true;
    tombstone.version = 9;
    peer_tells(1, &tombstone, 1);
    peer_comes(1);
    export_goes();
    turns(2);
    ck_assert_ptr_nonnull(volume_last->stopped);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    ck_assert_uint_eq(volumes_open, 0);
}
END_TEST

START_TEST(tombstone_of_who_is_no_member_ends_nothing)
{
    struct config config = config_of("v1", 3, 5);
    peer_tells(0, &config, 0);
    peer_comes(0);
    volume_last->config = config;
    volume_last->env.on_config(volume_last->env.owner, volume_last);
    struct config tombstone = config;
    tombstone.deleted = true;
    tombstone.version = 9;
    tombstone.members[1].uuid.bytes[0] ^= 1;
    peer_tells(1, &tombstone, 1);
    peer_comes(1);
    turns(2);
    ck_assert_uint_eq(volumes_open, 1);
    ck_assert_ptr_null(volume_last->stopped);
}
END_TEST

START_TEST(member_left_out_at_creation_is_made)
{
    struct config config = config_of("v1", 3, 0);
    peer_count = 3;
    peer_list[2].up = false;
    peer_tells(0, &config, 0);
    peer_comes(0);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 0);
    peer_comes(2);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[2]);
    ck_assert(uuid_equal(&calls[0].create.member, &config.members[2].uuid));
    uint32_t before = volume_last->member_count;
    all_answer(FRAME_OK);
    ck_assert_uint_eq(volume_last->member_count, before + 1);
}
END_TEST

START_TEST(missing_member_of_a_volume_once_opened_is_not_made)
{
    struct config config = config_of("v1", 3, 1);
    peer_count = 3;
    peer_tells(0, &config, 0);
    peer_tells(1, &config, 1);
    peer_comes(0);
    peer_comes(1);
    peer_comes(2);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 0);
}
END_TEST

START_TEST(missing_majority_of_a_new_volume_is_not_made)
{
    struct config config = config_of("v1", 3, 0);
    peer_count = 3;
    peer_tells(0, &config, 0);
    peer_comes(0);
    peer_comes(1);
    peer_comes(2);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 0);
}
END_TEST

START_TEST(fenced_volume_is_taken_away)
{
    create_v1();
    control->env.on_fenced(control, volume_last);
    turns(2);
    export_goes();
    turns(2);
    ck_assert_uint_eq(volumes_open, 0);
    ask(HTTP_GET, "/v1/volumes/v1", "", "");
    ck_assert_str_eq(answer_text("state"), "fenced");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        told_volume_is_opened_when_its_peer_is_up,
        catalogue_is_complete_once_all_peers_are_up,
        reservations_are_what_the_book_has,
        without_a_book_there_are_no_reservations,
        newest_configuration_is_the_hint,
        peer_that_comes_back_is_told_to_the_volume_again,
        second_volume_of_a_name_is_not_shown,
        straggler_of_a_deleted_volume_is_told,
        tombstone_of_who_is_no_member_ends_nothing,
        straggler_ahead_of_the_deletion_is_told_a_newer_one,
        tombstone_ends_an_open_volume,
        member_left_out_at_creation_is_made,
        missing_member_of_a_volume_once_opened_is_not_made,
        missing_majority_of_a_new_volume_is_not_made,
        fenced_volume_is_taken_away,
    };
    return tests_run("catalogue", tests, ARRAY_COUNT(tests));
}
