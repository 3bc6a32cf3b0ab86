/* SPDX-License-Identifier: Apache-2.0 */
/* LIST, CREATE, DELETE and PING. */
#include "tests/unit/replica/front/volumes.h"

START_TEST(ping_tells_the_space)
{
    struct message_health health;
    ck_assert_uint_eq(call((struct frame){.type = FRAME_PING}), FRAME_OK);
    struct reader r = reader_of(got.body, got.frame.body_bytes);
    message_health_decode(&r, &health);
    ck_assert(!r.bad && health.free_bytes > 0 && health.total_bytes >= health.free_bytes);
}
END_TEST

START_TEST(fresh_pool_lists_nothing)
{
    ck_assert_uint_eq(list_volumes().count, 0);
}
END_TEST

START_TEST(created_volume_is_listed)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    struct listed found = list_volumes();
    ck_assert_uint_eq(found.count, 1);
    ck_assert(uuid_equal(&found.last.member, &member_1));
    ck_assert(uuid_equal(&found.last.config.volume, &volume_a));
    ck_assert(!found.last.failed && !found.last.config.deleted);
    ck_assert_uint_eq(replica_volume_count(replica), 1);
}
END_TEST

START_TEST(create_is_idempotent_by_identity)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    struct config config = config_of(&volume_a);
    config.members[config.member_count++] =
        (struct member){.uuid = member_2, .kind = MEMBER_DATA, .in_sync = true};
    ck_assert_uint_eq(create(&config, &member_2), FRAME_EXISTS);
    ck_assert_uint_eq(list_volumes().count, 1);
}
END_TEST

START_TEST(create_that_breaks_a_rule_leaves_nothing)
{
    struct config config = config_of(&volume_a);
    ck_assert_uint_eq(create(&config, &member_2), FRAME_INVALID);
    config.size_bytes = 1000;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_INVALID);
    config.size_bytes = (uint64_t)1 << 60;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_INVALID);
    config.size_bytes = SIZE_BYTES;
    config.deleted = true;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_INVALID);
    struct writer w = writer_of(out, 100);
    write_zeros(&w, 100);
    ck_assert_uint_eq(call_body((struct frame){.type = FRAME_CREATE}, &w), FRAME_INVALID);
    ck_assert_uint_eq(list_volumes().count, 0);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
}
END_TEST

/* More entries than one frame holds. */
START_TEST(long_list_comes_in_several_frames)
{
    enum { COUNT = 400 };
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid uuid = volume_a;
        uuid.bytes[14] = (uint8_t)(i >> 8);
        uuid.bytes[15] = (uint8_t)i;
        ck_assert_uint_eq(create_volume(&uuid), FRAME_OK);
    }
    uint32_t replies = got.count;
    ck_assert_uint_eq(list_volumes().count, COUNT);
    ck_assert_uint_gt(got.count, replies + 1);
}
END_TEST

START_TEST(deleted_volume_leaves_its_record)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 9), FRAME_OK);
    ck_assert_uint_eq(delete_volume(&volume_a, 2), FRAME_OK);
    for (int round = 0; round < 2; round++) {
        struct listed found = list_volumes();
        ck_assert_uint_eq(found.count, 1);
        ck_assert_uint_eq(found.deleted, 1);
        ck_assert_uint_eq(replica_volume_count(replica), 0);
        ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_NO_VOLUME);
        ck_assert_uint_eq(create_volume(&volume_a), FRAME_EXISTS);
        ck_assert_uint_eq(delete_volume(&volume_a, 2), FRAME_OK);
        restart();
    }
}
END_TEST

START_TEST(session_of_a_deleted_volume_is_gone)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(delete_volume(&volume_a, 2), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 1), FRAME_NO_VOLUME);
}
END_TEST

START_TEST(delete_by_who_missed_something_is_refused)
{
    struct config config = config_of(&volume_a);
    config.version = 5;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_OK);
    ck_assert_uint_eq(delete_volume(&volume_a, 4), FRAME_STALE);
    ck_assert_uint_eq(delete_volume(&volume_b, 4), FRAME_NO_VOLUME);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
}
END_TEST

START_TEST(delete_without_a_tombstone_is_refused)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    const struct message_delete del = {.config = config_of(&volume_a)};
    struct writer w = writer_of(out, sizeof(out));
    message_delete_encode(&w, &del);
    ck_assert_uint_eq(call_body((struct frame){.type = FRAME_DELETE}, &w), FRAME_INVALID);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
}
END_TEST

START_TEST(deleted_member_leaves_nothing)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 9), FRAME_OK);
    ck_assert_uint_eq(delete_member(&volume_a, &member_1, 2), FRAME_OK);
    ck_assert_uint_eq(list_volumes().count, 0);
    restart();
    ck_assert_uint_eq(list_volumes().count, 0);
    ck_assert_uint_eq(delete_member(&volume_a, &member_1, 2), FRAME_NO_VOLUME);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(replica_volume_count(replica), 1);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
}
END_TEST

START_TEST(member_is_deleted_only_under_its_own_name)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(delete_member(&volume_a, &member_2, 2), FRAME_NO_VOLUME);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
}
END_TEST

START_TEST(member_is_not_deleted_by_who_missed_something)
{
    struct config config = config_of(&volume_a);
    config.version = 5;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_OK);
    ck_assert_uint_eq(delete_member(&volume_a, &member_1, 4), FRAME_STALE);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, ping_tells_the_space);
    tcase_add_test(tcase, fresh_pool_lists_nothing);
    tcase_add_test(tcase, created_volume_is_listed);
    tcase_add_test(tcase, create_is_idempotent_by_identity);
    tcase_add_test(tcase, create_that_breaks_a_rule_leaves_nothing);
    tcase_add_test(tcase, long_list_comes_in_several_frames);
    tcase_add_test(tcase, deleted_volume_leaves_its_record);
    tcase_add_test(tcase, session_of_a_deleted_volume_is_gone);
    tcase_add_test(tcase, delete_by_who_missed_something_is_refused);
    tcase_add_test(tcase, delete_without_a_tombstone_is_refused);
    tcase_add_test(tcase, deleted_member_leaves_nothing);
    tcase_add_test(tcase, member_is_deleted_only_under_its_own_name);
    tcase_add_test(tcase, member_is_not_deleted_by_who_missed_something);
}

int main(void)
{
    return fixture_run("catalogue", add);
}
