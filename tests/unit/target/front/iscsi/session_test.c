/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: whose place they take, and what ends them. */
#include "tests/unit/target/front/iscsi/initiator.h"

START_TEST(same_port_logging_in_again_supersedes)
{
    peer_login(&one);
    peer_login(&two);
    ck_assert_ptr_eq(iscsi_node_superseded(&node), one.conn);
    ck_assert_ptr_null(iscsi_node_superseded(&node));
    ck_assert_uint_ne(one.tsih, two.tsih);
    peer_pull(&one);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    peer_close(&one);
    ck_assert_uint_eq(export.session_count, 1);
}
END_TEST

START_TEST(login_does_not_wait_for_the_old_sessions_commands)
{
    static uint8_t data[512];
    peer_login(&one);
    (void)peer_write(&one, 0, 1, 512, data, 512, false);
    ck_assert_uint_eq(one.held_count, 1);
    peer_login(&two);
    ck_assert_ptr_eq(iscsi_node_superseded(&node), one.conn);
    peer_complete(&one, 0);
    peer_silent(&one);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(another_isid_is_another_session)
{
    peer_login(&one);
    peer_open(&two);
    two.isid++;
    peer_login_with(&two, "", 0);
    ck_assert_ptr_null(iscsi_node_superseded(&node));
    ck_assert_uint_eq(export.session_count, 2);
}
END_TEST

START_TEST(dropped_export_takes_its_sessions_along)
{
    peer_login(&one);
    iscsi_node_drop_export(&node, &export);
    ck_assert_ptr_eq(iscsi_node_superseded(&node), one.conn);
    peer_pull(&one);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(export_that_is_gone_closes_its_sessions)
{
    peer_login(&one);
    export.gone = true;
    peer_pull(&one);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    ck_assert_str_eq(iscsi_why(one.conn), "the export is gone");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi session");
    TCase *tcase = tcase_create("session");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, same_port_logging_in_again_supersedes);
    tcase_add_test(tcase, login_does_not_wait_for_the_old_sessions_commands);
    tcase_add_test(tcase, another_isid_is_another_session);
    tcase_add_test(tcase, dropped_export_takes_its_sessions_along);
    tcase_add_test(tcase, export_that_is_gone_closes_its_sessions);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
