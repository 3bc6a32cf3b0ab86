/* SPDX-License-Identifier: Apache-2.0 */
/* Who is listened to. */
#include "tests/unit/replica/service/frames.h"

START_TEST(a_promise_is_durable_in_both_copies_before_it_is_told)
{
    struct rig rig;
    rig_begin(&rig);
    rig_open(&rig, 1, 2, CONTROLLER);
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.reply_count, 0);
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    ck_assert_uint_eq(rig.opened.promised_epoch, 2);
    rig_end(&rig);
}
END_TEST

START_TEST(a_lower_epoch_is_refused)
{
    struct rig rig;
    rig_serve(&rig);
    rig_open(&rig, 2, 1, 77);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_STALE);
    rig_open(&rig, 2, 2, 77);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_STALE);
    rig_end(&rig);
}
END_TEST

START_TEST(who_is_taken_over_is_told_and_refused)
{
    struct rig rig;
    rig_serve(&rig);
    rig_open(&rig, 2, 3, 77);
    ck_assert_uint_eq(rig.reply_links[0], 1);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_STALE);
    rig_write(&rig, 1, 0);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_STALE);
    ck_assert(!rig_waits(&rig, SERVICE_WRITE));
    rig_end(&rig);
}
END_TEST

START_TEST(another_members_name_opens_nothing)
{
    struct rig rig;
    rig_begin(&rig);
    rig.create.member = uuid_of(66);
    rig_open(&rig, 1, 2, CONTROLLER);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_NO_VOLUME);
    rig_end(&rig);
}
END_TEST

START_TEST(a_new_session_waits_for_the_old_ones_writes)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done(&rig, SERVICE_DRL, 0);
    rig_open(&rig, 2, 2, CONTROLLER);
    ck_assert_uint_eq(rig.reply_count, 0);
    rig_done(&rig, SERVICE_WRITE, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    ck_assert_uint_eq(rig.replies[0].type, FRAME_OPEN);
    rig_end(&rig);
}
END_TEST

START_TEST(what_the_old_session_did_not_submit_never_is)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_open(&rig, 2, 2, CONTROLLER);
    rig_done(&rig, SERVICE_DRL, 0);
    ck_assert(!rig_waits(&rig, SERVICE_WRITE));
    rig_end(&rig);
}
END_TEST

static void accept_size(struct rig *rig, uint64_t version, uint64_t size_bytes)
{
    uint8_t body[CONFIG_BYTES_MAX];
    struct config config = rig->create.config;
    config.epoch = 2;
    config.version = version;
    config.controller = uuid_of(CONTROLLER);
    config.size_bytes = size_bytes;
    struct writer w = writer_of(body, sizeof(body));
    config_encode(&w, &config);
    rig_frame(rig, 1,
              (struct frame){
                  .type = FRAME_ACCEPT, .body = body, .body_bytes = (uint32_t)writer_length(&w)});
}

START_TEST(a_larger_size_is_accepted_when_there_is_room_for_it)
{
    struct rig rig;
    rig_serve(&rig);
    accept_size(&rig, 1, 4ull * SIZE_BYTES);
    rig_write(&rig, 1, SIZE_BYTES);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_INVALID);
    ck_assert(!rig_waits(&rig, SERVICE_META));
    rig_done(&rig, SERVICE_GROW, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    rig_done(&rig, SERVICE_META, 0);
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.replies[1].type, FRAME_ACCEPT);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_OK);
    rig_write(&rig, 1, 4ull * SIZE_BYTES - BLOCK_BYTES);
    rig_done(&rig, SERVICE_DRL, 0);
    ck_assert(rig_waits(&rig, SERVICE_WRITE));
    rig_end(&rig);
}
END_TEST

START_TEST(without_room_for_a_larger_size_nothing_changes)
{
    struct rig rig;
    rig_serve(&rig);
    accept_size(&rig, 1, 4ull * SIZE_BYTES);
    rig_done(&rig, SERVICE_GROW, -ENOSPC);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_NO_SPACE);
    ck_assert_uint_eq(service_config(rig.service)->size_bytes, SIZE_BYTES);
    accept_size(&rig, 2, SIZE_BYTES);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_OK);
    rig_end(&rig);
}
END_TEST

START_TEST(a_new_session_waits_for_the_end_of_a_growth)
{
    struct rig rig;
    rig_serve(&rig);
    accept_size(&rig, 1, 4ull * SIZE_BYTES);
    rig_open(&rig, 2, 2, CONTROLLER);
    ck_assert_uint_eq(rig.reply_count, 0);
    rig_done(&rig, SERVICE_GROW, 0);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_OK);
    ck_assert_uint_eq(rig.opened.config.size_bytes, SIZE_BYTES);
    rig_end(&rig);
}
END_TEST

START_TEST(what_is_dirty_stays_so_when_the_planes_move)
{
    struct rig rig;
    uint64_t offset, length;
    rig_serve(&rig);
    rig_write(&rig, 1, 8 << 20);
    rig_done_all(&rig);
    accept_size(&rig, 1, (uint64_t)1 << 40);
    rig_done_all(&rig);
    ck_assert(service_dirty_next(rig.service, 0, &offset, &length));
    ck_assert_uint_eq(offset, 8 << 20);
    rig_write(&rig, 1, ((uint64_t)1 << 40) - BLOCK_BYTES);
    rig_done_all(&rig);
    ck_assert(service_dirty_next(rig.service, offset + length, &offset, &length));
    ck_assert_uint_eq(offset + length, (uint64_t)1 << 40);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("session");
    tcase_add_test(tcase, a_promise_is_durable_in_both_copies_before_it_is_told);
    tcase_add_test(tcase, a_lower_epoch_is_refused);
    tcase_add_test(tcase, who_is_taken_over_is_told_and_refused);
    tcase_add_test(tcase, another_members_name_opens_nothing);
    tcase_add_test(tcase, a_new_session_waits_for_the_old_ones_writes);
    tcase_add_test(tcase, what_the_old_session_did_not_submit_never_is);
    tcase_add_test(tcase, a_larger_size_is_accepted_when_there_is_room_for_it);
    tcase_add_test(tcase, without_room_for_a_larger_size_nothing_changes);
    tcase_add_test(tcase, a_new_session_waits_for_the_end_of_a_growth);
    tcase_add_test(tcase, what_is_dirty_stays_so_when_the_planes_move);
    Suite *suite = suite_create("session");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
