/* SPDX-License-Identifier: Apache-2.0 */
/* PREEMPT AND ABORT over two sessions; commands held until reservations are known. */
#include "tests/unit/target/front/iscsi/initiator.h"

enum { BLOCK = 512, KEY_ONE = 1, KEY_TWO = 2, REGISTER = 0, RESERVE = 1, PREEMPT_AND_ABORT = 5 };

static uint8_t data[BLOCK];

static void send_out(struct peer *p, uint8_t action, uint8_t key, uint8_t action_key)
{
    const uint8_t cdb[PDU_CDB_BYTES] = {0x5f, action, 3, 0, 0, 0, 0, 0, 24};
    const uint8_t list[24] = {[7] = key, [15] = action_key};
    (void)peer_command(p, PDU_FINAL | PDU_WRITE, sizeof(list), cdb, list, sizeof(list));
}

static void out(struct peer *p, uint8_t action, uint8_t key, uint8_t action_key)
{
    send_out(p, action, key, action_key);
    ck_assert_uint_eq(peer_take_response(p).status, SCSI_GOOD);
}

/* Two holds the unit for itself, and has a write at the disk. */
static void setup_reserved(void)
{
    setup();
    peer_login(&one);
    peer_login_two();
    out(&one, REGISTER, 0, KEY_ONE);
    out(&two, REGISTER, 0, KEY_TWO);
    out(&two, RESERVE, KEY_TWO, 0);
    (void)peer_write(&two, 0, 1, BLOCK, data, BLOCK, false);
    ck_assert_uint_eq(two.held_count, 1);
}

/* What the front does after each event. */
static void wake_all(void)
{
    while (iscsi_node_ready(&node))
        ;
    peer_pull(&one);
    if (two.conn)
        peer_pull(&two);
}

START_TEST(answer_waits_for_the_preempted_write)
{
    send_out(&one, PREEMPT_AND_ABORT, KEY_ONE, KEY_TWO);
    peer_silent(&one);
    peer_complete(&two, 0);
    peer_silent(&two);
    wake_all();
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
}
END_TEST

START_TEST(preempted_is_told)
{
    send_out(&one, PREEMPT_AND_ABORT, KEY_ONE, KEY_TWO);
    peer_complete(&two, 0);
    wake_all();
    ck_assert_uint_eq(peer_attention(&two), SCSI_UA_REGISTRATIONS_PREEMPTED);
    ck_assert_uint_eq(peer_attention(&two), SCSI_UA_COMMANDS_CLEARED);
    ck_assert_uint_eq(peer_attention(&two), 0);
}
END_TEST

START_TEST(preempted_writes_no_more)
{
    send_out(&one, PREEMPT_AND_ABORT, KEY_ONE, KEY_TWO);
    ck_assert_uint_eq(peer_attention(&two), SCSI_UA_REGISTRATIONS_PREEMPTED);
    ck_assert_uint_eq(peer_attention(&two), SCSI_UA_COMMANDS_CLEARED);
    (void)peer_write(&two, 8, 1, BLOCK, data, BLOCK, false);
    ck_assert_uint_eq(peer_take_response(&two).status, SCSI_RESERVATION_CONFLICT);
    ck_assert_uint_eq(two.held_count, 1);
}
END_TEST

/* The connection broke, but what it wrote last may still reach the disk. */
START_TEST(answer_waits_for_the_write_of_a_lost_session)
{
    send_out(&one, PREEMPT_AND_ABORT, KEY_ONE, KEY_TWO);
    peer_silent(&one);
    iscsi_drop(two.conn, two.held[0]);
    two.held_count = 0;
    wake_all();
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
}
END_TEST

START_TEST(own_commands_go_on)
{
    (void)peer_command(&one, PDU_FINAL, 0, (uint8_t[PDU_CDB_BYTES]){0x35}, NULL, 0);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_RESERVATION_CONFLICT);
    peer_complete(&two, 0);
    ck_assert_uint_eq(peer_take_response(&two).status, SCSI_GOOD);
    send_out(&one, PREEMPT_AND_ABORT, KEY_ONE, KEY_TWO);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
    (void)peer_write(&one, 0, 1, BLOCK, data, BLOCK, false);
    ck_assert_uint_eq(one.held_count, 1);
}
END_TEST

START_TEST(reset_ends_one_that_waits)
{
    send_out(&one, PREEMPT_AND_ABORT, KEY_ONE, KEY_TWO);
    peer_tmf(&one, 5, 0, 0);
    peer_silent(&one);
    peer_complete(&two, 0);
    wake_all();
    ck_assert_uint_eq(peer_take_tmf(&one), 0);
    peer_silent(&one);
}
END_TEST

START_TEST(connection_may_go_while_one_waits)
{
    send_out(&one, PREEMPT_AND_ABORT, KEY_ONE, KEY_TWO);
    peer_close(&one);
}
END_TEST

START_TEST(command_is_held_until_reservations_are_known)
{
    peer_login(&one);
    scsi_reservations_await(&unit);
    (void)peer_write(&one, 0, 1, BLOCK, data, BLOCK, false);
    ck_assert_uint_eq(one.held_count, 0);
    peer_silent(&one);
    ck_assert(scsi_reservations_load(&unit, NULL, 0));
    iscsi_node_wake_export(&node, &export);
    ck_assert_ptr_eq(iscsi_node_ready(&node), one.conn);
    peer_pull(&one);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
}
END_TEST

START_TEST(held_commands_keep_their_order)
{
    peer_login(&one);
    scsi_reservations_await(&unit);
    (void)peer_write(&one, 8, 1, BLOCK, data, BLOCK, false);
    (void)peer_write(&one, 0, 1, BLOCK, data, BLOCK, false);
    ck_assert(scsi_reservations_load(&unit, NULL, 0));
    peer_pull(&one);
    ck_assert_uint_eq(one.held_count, 2);
    ck_assert_uint_eq(one.held[0]->offset_bytes, 8 * BLOCK);
}
END_TEST

START_TEST(held_command_may_be_aborted)
{
    peer_login(&one);
    scsi_reservations_await(&unit);
    uint32_t itt = peer_write(&one, 0, 1, BLOCK, data, BLOCK, false);
    peer_tmf(&one, 1, 0, itt);
    ck_assert_uint_eq(peer_take_tmf(&one), 0);
    ck_assert(scsi_reservations_load(&unit, NULL, 0));
    peer_pull(&one);
    ck_assert_uint_eq(one.held_count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi preempt");
    TCase *tcase = tcase_create("preempt and abort");
    tcase_add_checked_fixture(tcase, setup_reserved, teardown);
    tcase_add_test(tcase, answer_waits_for_the_preempted_write);
    tcase_add_test(tcase, preempted_is_told);
    tcase_add_test(tcase, preempted_writes_no_more);
    tcase_add_test(tcase, answer_waits_for_the_write_of_a_lost_session);
    tcase_add_test(tcase, own_commands_go_on);
    tcase_add_test(tcase, reset_ends_one_that_waits);
    tcase_add_test(tcase, connection_may_go_while_one_waits);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("held");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, command_is_held_until_reservations_are_known);
    tcase_add_test(tcase, held_commands_keep_their_order);
    tcase_add_test(tcase, held_command_may_be_aborted);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
