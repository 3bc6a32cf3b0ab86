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

int main(void)
{
    TCase *tcase = tcase_create("session");
    tcase_add_test(tcase, a_promise_is_durable_in_both_copies_before_it_is_told);
    tcase_add_test(tcase, a_lower_epoch_is_refused);
    tcase_add_test(tcase, who_is_taken_over_is_told_and_refused);
    tcase_add_test(tcase, another_members_name_opens_nothing);
    tcase_add_test(tcase, a_new_session_waits_for_the_old_ones_writes);
    tcase_add_test(tcase, what_the_old_session_did_not_submit_never_is);
    Suite *suite = suite_create("session");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
