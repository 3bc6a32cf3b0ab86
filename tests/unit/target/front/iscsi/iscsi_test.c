/* SPDX-License-Identifier: Apache-2.0 */
/* The door: dispatch of what has no handler, and requests that come back too late. */
#include "tests/unit/target/front/iscsi/initiator.h"

enum { BLOCK = 512 };

static void send_opcode(uint8_t opcode)
{
    uint8_t bhs[PDU_BHS_BYTES] = {opcode, 0x80};
    peer_send(&one, bhs, NULL, 0);
}

START_TEST(snack_is_rejected)
{
    peer_login(&one);
    send_opcode(PDU_SNACK);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_SNACK);
    ck_assert_int_eq(one.next, SESSION_MORE);
}
END_TEST

START_TEST(unknown_opcodes_are_rejected)
{
    static const uint8_t opcodes[] = {0x07, 0x1c, 0x20, 0x3f, 0x7f};
    peer_login(&one);
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        send_opcode(opcodes[i]);
        ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_NOT_SUPPORTED);
        ck_assert_uint_eq(one.data[0], opcodes[i]);
    }
    ck_assert_int_eq(one.next, SESSION_MORE);
}
END_TEST

START_TEST(dropped_request_is_not_answered)
{
    peer_login(&one);
    (void)peer_read(&one, 0, 1, BLOCK);
    disk_do(one.held[0]);
    iscsi_drop(one.conn, one.held[0]);
    one.held_count = 0;
    peer_silent(&one);
    ck_assert_uint_eq(pool_free_count(&node.tasks), TASKS);
}
END_TEST

START_TEST(reply_after_a_breach_is_not_answered)
{
    peer_login(&one);
    (void)peer_read(&one, 0, 1, BLOCK);
    one.cmd_sn += 7;
    (void)peer_read(&one, 0, 1, BLOCK);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    peer_complete(&one, 0);
    peer_silent(&one);
}
END_TEST

START_TEST(commands_not_handed_out_go_with_the_connection)
{
    uint8_t bhs[PDU_BHS_BYTES];
    struct block_req *request;
    struct pdu_command command = {
        .head = {.opcode = PDU_COMMAND, .flags = PDU_FINAL | PDU_READ, .itt = 9},
        .expected_bytes = BLOCK};
    peer_login(&one);
    cdb_rw10(command.cdb, 0x28, 0, 1);
    for (int i = 0; i < 3; i++) {
        command.head.itt++;
        command.head.cmd_sn = one.cmd_sn++;
        pdu_command_encode(bhs, &command);
        peer_push(&one, bhs, NULL, 0);
    }
    ck_assert_int_eq(iscsi_next(one.conn, &one.rx, &one.tx, &request), SESSION_REQUEST);
    iscsi_drop(one.conn, request);
    peer_close(&one);
    ck_assert_uint_eq(pool_free_count(&node.tasks), TASKS);
}
END_TEST

START_TEST(initiator_that_takes_no_answers_is_read_no_further)
{
    enum { LENGTH = 4u << 20 };
    peer_open(&one);
    peer_login_with(&one, KEYS("MaxRecvDataSegmentLength=16777215\0"));
    (void)peer_read(&one, 0, 1, BLOCK);
    (void)peer_take_response(&one);
    for (int i = 0; i < 4; i++) {
        (void)peer_read(&one, 0, LENGTH / BLOCK, LENGTH);
        peer_complete(&one, 0);
    }
    ck_assert_int_eq(one.next, SESSION_BUSY);
    (void)peer_read(&one, 0, 1, BLOCK);
    ck_assert_uint_eq(one.held_count, 0);
    tx_sent(&one.tx, one.tx.pending_bytes);
    peer_pull(&one);
    ck_assert_int_eq(one.next, SESSION_MORE);
    ck_assert_uint_eq(one.held_count, 1);
}
END_TEST

START_TEST(fronts_pointer_is_kept)
{
    int mine;
    peer_open(&one);
    iscsi_set_user(one.conn, &mine);
    ck_assert_ptr_eq(iscsi_user(one.conn), &mine);
}
END_TEST

START_TEST(export_is_known_after_login)
{
    peer_open(&one);
    ck_assert_ptr_null(iscsi_export(one.conn));
    peer_login_with(&one, "", 0);
    ck_assert_ptr_eq(iscsi_export(one.conn), &export);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi");
    TCase *tcase = tcase_create("door");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, snack_is_rejected);
    tcase_add_test(tcase, unknown_opcodes_are_rejected);
    tcase_add_test(tcase, dropped_request_is_not_answered);
    tcase_add_test(tcase, reply_after_a_breach_is_not_answered);
    tcase_add_test(tcase, commands_not_handed_out_go_with_the_connection);
    tcase_add_test(tcase, initiator_that_takes_no_answers_is_read_no_further);
    tcase_add_test(tcase, fronts_pointer_is_kept);
    tcase_add_test(tcase, export_is_known_after_login);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
