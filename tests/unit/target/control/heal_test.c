/* SPDX-License-Identifier: Apache-2.0 */
/* What is done about members without being asked: strangers deleted, lost ones replaced. */
#include "tests/unit/target/control/fixture.h"

/* v1 with members at the peers 0, 1 and 2, all that there are; served by us. */
static struct config serving_v1(void)
{
    peer_count = 3;
    create_v1();
    struct config config = volume_last->config;
    config.epoch = 7;
    config.version = 4;
    config_comes(volume_last, &config);
    turns(2);
    return config;
}

/* Peer 1 goes and comes back with nothing; its member was dropped meanwhile. */
static struct config wiped(struct config config)
{
    peer_goes(1);
    config.members[1].in_sync = false;
    config.version++;
    config_comes(volume_last, &config);
    turns(2);
    ck_assert_uint_eq(call_count, 0);
    peer_comes(1);
    return config;
}

START_TEST(stranger_is_deleted_where_it_is)
{
    struct config config = serving_v1();
    struct config strange = config;
    strange.members[1].uuid.bytes[0] ^= 1;
    peer_goes(1);
    peer_tells(1, &config, 1);
    peer_tells(1, &strange, 1);
    peer_comes(1);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
    ck_assert(uuid_equal(&calls[0].del.member, &strange.members[1].uuid));
    ck_assert_uint_eq(calls[0].del.config.version, config.version);
}
END_TEST

START_TEST(stranger_stays_until_our_own_configuration_is_committed)
{
    create_v1();
    struct config strange = volume_last->config;
    strange.members[1].uuid.bytes[0] ^= 1;
    peer_tells(3, &strange, 1);
    peer_comes(3);
    ck_assert_uint_eq(call_count, 0);
    config_comes(volume_last, &volume_last->config);
    turns(2);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
}
END_TEST

START_TEST(wiped_member_is_made_anew_where_it_was)
{
    struct config config = wiped(serving_v1());
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[1]);
    all_answer(FRAME_OK);
    ck_assert(change_asked.add && uuid_equal(&change_asked.leaves, &config.members[1].uuid));
}
END_TEST

START_TEST(nobody_is_replaced_while_a_replica_is_away)
{
    struct config config = serving_v1();
    peer_goes(2);
    wiped(config);
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(nobody_is_replaced_who_counts)
{
    serving_v1();
    peer_goes(1);
    peer_comes(1);
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(nobody_is_replaced_where_that_is_not_wanted)
{
    control->heal = false;
    wiped(serving_v1());
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(what_failed_is_not_tried_again_at_once)
{
    wiped(serving_v1());
    all_answer(FRAME_NO_SPACE);
    turns(3);
    ck_assert_uint_eq(call_count, 0);
    record_look(catalogue_find(control, "v1"));
    turns(3);
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(who_is_away_too_long_is_replaced_elsewhere)
{
    struct config config = serving_v1();
    peer_count = 4;
    peer_comes(3);
    peer_goes(1);
    config.members[1].in_sync = false;
    config_comes(volume_last, &config);
    turns(2);
    ck_assert_uint_eq(call_count, 0);
    control->replace_after_ns = 1;
    heal_tick(&control->heal_tick);
    turns(2);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[3]);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        stranger_is_deleted_where_it_is,
        stranger_stays_until_our_own_configuration_is_committed,
        wiped_member_is_made_anew_where_it_was,
        nobody_is_replaced_while_a_replica_is_away,
        nobody_is_replaced_who_counts,
        nobody_is_replaced_where_that_is_not_wanted,
        what_failed_is_not_tried_again_at_once,
        who_is_away_too_long_is_replaced_elsewhere,
    };

    return tests_run("heal", tests, ARRAY_COUNT(tests));
}
