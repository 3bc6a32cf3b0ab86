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

/* Connection reinstatement (RFC 7143 section 6.3.4): `two` with the TSIH and CID of `one`. */

static void reinstate_with(const char *keys, uint32_t keys_bytes)
{
    peer_open(&two);
    two.tsih = one.tsih;
    two.cmd_sn = one.cmd_sn;
    peer_login_with(&two, keys, keys_bytes);
}

START_TEST(reinstated_connection_goes_on_with_the_session)
{
    peer_login(&one);
    uint16_t tsih = one.tsih;
    reinstate_with("", 0);
    ck_assert_uint_eq(two.tsih, tsih);
    ck_assert_ptr_eq(iscsi_node_superseded(&node), one.conn);
    ck_assert_ptr_null(iscsi_node_superseded(&node));
    peer_pull(&one);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    ck_assert_str_eq(iscsi_why(one.conn), "the initiator reinstated the connection");
}
END_TEST

START_TEST(reinstatement_takes_effect_when_the_login_ends)
{
    peer_login(&one);
    peer_open(&two);
    two.tsih = one.tsih;
    ck_assert_uint_eq(peer_login_step(&two, 0x04, KEYS(login_keys)).status, 0);
    ck_assert_ptr_null(iscsi_node_superseded(&node));
    ck_assert_uint_eq(peer_login_step(&two, 0x87, NULL, 0).status, 0);
    ck_assert_ptr_eq(iscsi_node_superseded(&node), one.conn);
}
END_TEST

START_TEST(session_that_ended_during_the_login_is_not_reinstated)
{
    peer_login(&one);
    peer_open(&two);
    two.tsih = one.tsih;
    ck_assert_uint_eq(peer_login_step(&two, 0x04, KEYS(login_keys)).status, 0);
    peer_close(&one);
    ck_assert_uint_eq(peer_login_step(&two, 0x87, NULL, 0).status, 0x020a);
}
END_TEST

START_TEST(reinstated_connection_meets_no_attention_anew)
{
    peer_login(&one);
    reinstate_with("", 0);
    ck_assert_uint_eq(peer_attention(&two), 0);
}
END_TEST

START_TEST(attention_that_waits_is_told_on_the_reinstated_connection)
{
    peer_login(&one);
    scsi_unit_attention(&unit, NULL, SCSI_UA_CAPACITY_CHANGED);
    reinstate_with("", 0);
    ck_assert_uint_eq(peer_attention(&two), SCSI_UA_CAPACITY_CHANGED);
}
END_TEST

START_TEST(tasks_of_the_old_connection_end_without_notice)
{
    static uint8_t data[512];
    peer_login(&one);
    (void)peer_write(&one, 0, 1, 512, data, 512, false);
    ck_assert_uint_eq(one.held_count, 1);
    reinstate_with("", 0);
    peer_complete(&one, 0);
    peer_silent(&one);
    peer_silent(&two);
}
END_TEST

START_TEST(reinstated_connection_goes_on_with_the_sessions_cmd_sn)
{
    peer_login(&one);
    reinstate_with("", 0);
    struct pdu_login_response response;
    pdu_login_response_decode(two.bhs, &response);
    ck_assert_uint_eq(response.head.exp_cmd_sn, one.cmd_sn);
}
END_TEST

/* Two commands were sent on the old connection and lost with it. */
START_TEST(what_was_lost_with_the_old_connection_is_not_waited_for)
{
    peer_login(&one);
    one.cmd_sn += 2;
    reinstate_with("", 0);
    ck_assert_uint_eq(peer_attention(&two), 0);
}
END_TEST

START_TEST(cmd_sn_outside_of_the_window_is_not_taken_over)
{
    peer_login(&one);
    uint32_t cmd_sn = one.cmd_sn;
    one.cmd_sn += 1000;
    reinstate_with("", 0);
    struct pdu_login_response response;
    pdu_login_response_decode(two.bhs, &response);
    ck_assert_uint_eq(response.head.exp_cmd_sn, cmd_sn);
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
    tcase_add_test(tcase, reinstated_connection_goes_on_with_the_session);
    tcase_add_test(tcase, reinstatement_takes_effect_when_the_login_ends);
    tcase_add_test(tcase, session_that_ended_during_the_login_is_not_reinstated);
    tcase_add_test(tcase, reinstated_connection_meets_no_attention_anew);
    tcase_add_test(tcase, attention_that_waits_is_told_on_the_reinstated_connection);
    tcase_add_test(tcase, tasks_of_the_old_connection_end_without_notice);
    tcase_add_test(tcase, reinstated_connection_goes_on_with_the_sessions_cmd_sn);
    tcase_add_test(tcase, what_was_lost_with_the_old_connection_is_not_waited_for);
    tcase_add_test(tcase, cmd_sn_outside_of_the_window_is_not_taken_over);
    tcase_add_test(tcase, dropped_export_takes_its_sessions_along);
    tcase_add_test(tcase, export_that_is_gone_closes_its_sessions);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
