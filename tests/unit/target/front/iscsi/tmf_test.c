/* SPDX-License-Identifier: Apache-2.0 */
/* Task management: what is dropped, what is waited for, and who is told. */
#include "tests/unit/target/front/iscsi/initiator.h"

enum { BLOCK = 512 };
enum { ABORT_TASK = 1, ABORT_TASK_SET, CLEAR_ACA, CLEAR_TASK_SET, LUN_RESET, WARM, COLD, REASSIGN };
enum { COMPLETE = 0, NO_TASK = 1, NO_LUN = 2, NO_REASSIGN = 4, NOT_SUPPORTED = 5, REJECTED = 255 };

static uint8_t data[BLOCK];

START_TEST(command_at_the_disk_is_waited_for_and_not_answered)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 1, BLOCK, data, BLOCK, false);
    peer_tmf(&one, ABORT_TASK, 0, itt);
    peer_silent(&one);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    peer_silent(&one);
}
END_TEST

START_TEST(command_not_at_the_disk_yet_is_dropped_at_once)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 1, BLOCK, NULL, 0, false);
    uint32_t ttt = peer_take_r2t(&one).ttt;
    peer_tmf(&one, ABORT_TASK, 0, itt);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    peer_data_out(&one, itt, ttt, 0, 0, data, BLOCK, true);
    ck_assert_uint_eq(one.held_count, 0);
    peer_silent(&one);
}
END_TEST

/* EXTENDED COPY of 4096 blocks, four pieces, from the unit's begin to behind them. */
static uint32_t copy_send(struct peer *p)
{
    static const uint8_t cdb[PDU_CDB_BYTES] = {[0] = 0x83, [13] = 76};
    static const uint8_t list[76] = {2,    0x10, 0,    32,          0,          0,
                                     0,    0,    0,    0,           0,          28,
                                     0,    0,    0,    0, /* header */
                                     0xe4, 0,    0,    0,           1,          3,
                                     0,    8,    0x37, 7,           7,          7,
                                     7,    7,    7,    7,           [46] = 2,   [48] = 2,
                                     0,    0,    24,   [58] = 0x10, [74] = 0x10};
    return peer_command(p, PDU_FINAL | PDU_WRITE, sizeof(list), cdb, list, sizeof(list));
}

START_TEST(copy_that_is_aborted_goes_no_further)
{
    peer_login(&one);
    memset(disk, 0xab, 1 << 20);
    uint32_t itt = copy_send(&one);
    ck_assert_uint_eq(one.held_count, 1);
    peer_complete(&one, 0);
    ck_assert_uint_eq(one.held_count, 1);
    ck_assert_int_eq(one.held[0]->op, BLOCK_WRITE);
    peer_tmf(&one, ABORT_TASK, 0, itt);
    peer_silent(&one);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    ck_assert_uint_eq(one.held_count, 0);
    peer_silent(&one);
}
END_TEST

START_TEST(other_commands_are_left_alone_by_abort_task)
{
    peer_login(&one);
    uint32_t first = peer_read(&one, 0, 1, BLOCK);
    (void)peer_read(&one, 8, 1, BLOCK);
    peer_tmf(&one, ABORT_TASK, 0, first);
    peer_complete(&one, 1);
    ck_assert_uint_eq(peer_take(&one), PDU_DATA_IN);
    peer_silent(&one);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
}
END_TEST

START_TEST(command_that_is_over_is_no_task)
{
    peer_login(&one);
    peer_tmf(&one, ABORT_TASK, 0, 0x1234);
    ck_assert_uint_eq(peer_take_tmf(&one), NO_TASK);
}
END_TEST

START_TEST(abort_task_set_waits_for_all_of_the_session)
{
    peer_login(&one);
    peer_login_two();
    (void)peer_read(&one, 0, 1, BLOCK);
    (void)peer_write(&one, 8, 1, BLOCK, data, BLOCK, false);
    (void)peer_read(&two, 0, 1, BLOCK);
    peer_tmf(&one, ABORT_TASK_SET, 0, 0);
    peer_complete(&one, 1);
    peer_silent(&one);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    peer_complete(&two, 0);
    ck_assert_uint_eq(peer_take(&two), PDU_DATA_IN);
    ck_assert_uint_eq(peer_attention(&two), 0);
}
END_TEST

START_TEST(lun_reset_waits_for_other_sessions_and_wakes)
{
    peer_login(&one);
    peer_login_two();
    (void)peer_write(&two, 0, 1, BLOCK, data, BLOCK, false);
    peer_tmf(&one, LUN_RESET, 0, 0);
    peer_silent(&one);
    while (iscsi_node_ready(&node))
        ;
    peer_complete(&two, 0);
    peer_silent(&two);
    ck_assert_ptr_eq(iscsi_node_ready(&node), one.conn);
    peer_pull(&one);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    ck_assert_uint_eq(peer_attention(&two), SCSI_UA_LUN_RESET);
    ck_assert_uint_eq(peer_attention(&one), SCSI_UA_LUN_RESET);
}
END_TEST

START_TEST(lun_reset_waits_for_a_superseded_sessions_write)
{
    peer_login(&one);
    (void)peer_write(&one, 0, 1, BLOCK, data, BLOCK, false);
    peer_login(&two);
    ck_assert_ptr_eq(iscsi_node_superseded(&node), one.conn);
    peer_tmf(&two, LUN_RESET, 0, 0);
    peer_silent(&two);
    iscsi_drop(one.conn, one.held[0]);
    one.held_count = 0;
    peer_pull(&two);
    ck_assert_uint_eq(peer_take_tmf(&two), COMPLETE);
}
END_TEST

START_TEST(clear_task_set_tells_those_whose_commands_went)
{
    peer_login(&one);
    peer_login_two();
    (void)peer_write(&two, 0, 1, BLOCK, NULL, 0, false);
    (void)peer_take_r2t(&two);
    peer_tmf(&one, CLEAR_TASK_SET, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    ck_assert_uint_eq(peer_attention(&two), SCSI_UA_COMMANDS_CLEARED);
}
END_TEST

START_TEST(clear_task_set_tells_nobody_else)
{
    static struct peer three;
    peer_login(&one);
    peer_login_two();
    peer_login_other(&three, 0x00023d000003);
    (void)peer_write(&one, 0, 1, BLOCK, NULL, 0, false);
    (void)peer_take_r2t(&one);
    (void)peer_write(&two, 0, 1, BLOCK, NULL, 0, false);
    (void)peer_take_r2t(&two);
    peer_tmf(&one, CLEAR_TASK_SET, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    ck_assert_uint_eq(peer_attention(&one), 0);
    ck_assert_uint_eq(peer_attention(&three), 0);
    peer_close(&three);
}
END_TEST

START_TEST(clear_task_set_of_nothing_tells_nobody)
{
    peer_login(&one);
    peer_login_two();
    peer_tmf(&one, CLEAR_TASK_SET, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    ck_assert_uint_eq(peer_attention(&two), 0);
}
END_TEST

START_TEST(warm_reset_tells_everybody)
{
    peer_login(&one);
    peer_login_two();
    peer_tmf(&one, WARM, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    ck_assert_int_eq(one.next, SESSION_MORE);
    ck_assert_uint_eq(peer_attention(&two), SCSI_UA_BUS_RESET);
    ck_assert_uint_eq(peer_attention(&one), SCSI_UA_BUS_RESET);
}
END_TEST

START_TEST(cold_reset_ends_every_session_of_the_target)
{
    peer_login(&one);
    peer_login_two();
    peer_tmf(&one, COLD, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    ck_assert_ptr_eq(iscsi_node_superseded(&node), two.conn);
    peer_pull(&two);
    ck_assert_int_eq(two.next, SESSION_CLOSE);
}
END_TEST

START_TEST(functions_on_other_luns_find_none)
{
    static const uint8_t functions[] = {ABORT_TASK_SET, CLEAR_TASK_SET, LUN_RESET};
    peer_login(&one);
    for (size_t i = 0; i < sizeof(functions); i++) {
        peer_tmf(&one, functions[i], (uint64_t)1 << 48, 0);
        ck_assert_uint_eq(peer_take_tmf(&one), NO_LUN);
    }
}
END_TEST

START_TEST(what_we_do_not_do_is_said)
{
    peer_login(&one);
    peer_tmf(&one, CLEAR_ACA, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), NOT_SUPPORTED);
    peer_tmf(&one, REASSIGN, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), NO_REASSIGN);
    peer_tmf(&one, 0x7f, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), NOT_SUPPORTED);
}
END_TEST

START_TEST(waiting_functions_are_bounded)
{
    peer_login(&one);
    (void)peer_write(&one, 0, 1, BLOCK, data, BLOCK, false);
    for (int i = 0; i < 8; i++)
        peer_tmf(&one, ABORT_TASK_SET, 0, 0);
    peer_silent(&one);
    peer_tmf(&one, ABORT_TASK_SET, 0, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), REJECTED);
    peer_complete(&one, 0);
    for (int i = 0; i < 8; i++)
        ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
}
END_TEST

START_TEST(aborted_tag_may_be_used_again)
{
    peer_login(&one);
    uint32_t itt = peer_read(&one, 0, 1, BLOCK);
    peer_tmf(&one, ABORT_TASK, 0, itt);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take_tmf(&one), COMPLETE);
    one.itt = itt;
    (void)peer_read(&one, 0, 1, BLOCK);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take(&one), PDU_DATA_IN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi tmf");
    TCase *tcase = tcase_create("tmf");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, command_at_the_disk_is_waited_for_and_not_answered);
    tcase_add_test(tcase, command_not_at_the_disk_yet_is_dropped_at_once);
    tcase_add_test(tcase, copy_that_is_aborted_goes_no_further);
    tcase_add_test(tcase, other_commands_are_left_alone_by_abort_task);
    tcase_add_test(tcase, command_that_is_over_is_no_task);
    tcase_add_test(tcase, abort_task_set_waits_for_all_of_the_session);
    tcase_add_test(tcase, lun_reset_waits_for_other_sessions_and_wakes);
    tcase_add_test(tcase, lun_reset_waits_for_a_superseded_sessions_write);
    tcase_add_test(tcase, clear_task_set_tells_those_whose_commands_went);
    tcase_add_test(tcase, clear_task_set_tells_nobody_else);
    tcase_add_test(tcase, clear_task_set_of_nothing_tells_nobody);
    tcase_add_test(tcase, warm_reset_tells_everybody);
    tcase_add_test(tcase, cold_reset_ends_every_session_of_the_target);
    tcase_add_test(tcase, functions_on_other_luns_find_none);
    tcase_add_test(tcase, what_we_do_not_do_is_said);
    tcase_add_test(tcase, waiting_functions_are_bounded);
    tcase_add_test(tcase, aborted_tag_may_be_used_again);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
