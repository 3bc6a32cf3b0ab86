/* SPDX-License-Identifier: Apache-2.0 */
/* Data-out in all its ways: immediate, unsolicited, asked for; and what is wrong with it. */
#include "tests/unit/target/front/iscsi/initiator.h"

enum { KIB = 1024, BLOCK = 512 };

static uint8_t data[2u << 20];

static void setup_filled(void)
{
    setup();
    fill(data, sizeof(data), 1);
}

/* The one held request writes `length` bytes of `data` at the disk's beginning; it is done. */
static void written(uint32_t length)
{
    ck_assert_uint_eq(one.held_count, 1);
    ck_assert_int_eq(one.held[0]->op, BLOCK_WRITE);
    ck_assert_uint_eq(one.held[0]->length_bytes, length);
    peer_complete(&one, 0);
    ck_assert_mem_eq(disk, data, length);
}

/* The answer to the one command: this status and sense. */
static void failed(uint16_t asc)
{
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.status, SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(one.data[2 + 2] & 0x0f, 0x0b);
    ck_assert_uint_eq((uint32_t)one.data[2 + 12] << 8 | one.data[2 + 13], asc);
    ck_assert_int_eq(one.next, SESSION_MORE);
    ck_assert_uint_eq(one.held_count, 0);
    peer_silent(&one);
}

/* The next answer asks for this piece of the data. */
static struct pdu_r2t asked(uint32_t offset, uint32_t length)
{
    struct pdu_r2t r2t = peer_take_r2t(&one);
    ck_assert_uint_eq(r2t.offset_bytes, offset);
    ck_assert_uint_eq(r2t.desired_bytes, length);
    return r2t;
}

START_TEST(immediate_data_that_is_all_is_not_copied)
{
    peer_login(&one);
    (void)peer_write(&one, 0, 8, 4096, data, 4096, false);
    ck_assert_uint_eq(one.held_count, 1);
    ck_assert_ptr_eq(one.held[0]->data.buf, one.rx.buf);
    written(4096);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
}
END_TEST

START_TEST(data_asked_for_that_is_all_is_not_copied)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 8, 4096, NULL, 0, false);
    struct pdu_r2t r2t = asked(0, 4096);
    peer_data_out(&one, itt, r2t.ttt, 0, 0, data, 4096, true);
    ck_assert_ptr_eq(one.held[0]->data.buf, one.rx.buf);
    written(4096);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.status, SCSI_GOOD);
    ck_assert_uint_eq(response.exp_data_sn, 1);
}
END_TEST

START_TEST(unsolicited_data_follows_the_immediate)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 16, 8192, data, 4096, true);
    ck_assert_uint_eq(one.held_count, 0);
    peer_silent(&one);
    peer_data_out(&one, itt, PDU_TAG_NONE, 0, 4096, data, 2048, false);
    peer_data_out(&one, itt, PDU_TAG_NONE, 1, 6144, data, 2048, true);
    written(8192);
}
END_TEST

START_TEST(rest_is_asked_for_after_the_first_burst)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 160, 80 * KIB, data, 64 * KIB, false);
    struct pdu_r2t r2t = asked(64 * KIB, 16 * KIB);
    ck_assert_uint_eq(r2t.r2t_sn, 0);
    peer_data_out(&one, itt, r2t.ttt, 0, 64 * KIB, data, 16 * KIB, true);
    written(80 * KIB);
}
END_TEST

START_TEST(less_unsolicited_data_than_allowed_is_made_up_for)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 16, 8192, NULL, 0, true);
    peer_data_out(&one, itt, PDU_TAG_NONE, 0, 0, data, 1024, true);
    struct pdu_r2t r2t = asked(1024, 7168);
    peer_data_out(&one, itt, r2t.ttt, 0, 1024, data, 7168, true);
    written(8192);
}
END_TEST

START_TEST(r2ts_are_max_burst_long_and_so_many_outstanding)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 384, 192 * KIB, NULL, 0, false);
    struct pdu_r2t first = peer_take_r2t(&one);
    struct pdu_r2t second = peer_take_r2t(&one);
    peer_silent(&one);
    ck_assert_uint_eq(first.desired_bytes, 64 * KIB);
    ck_assert_uint_eq(second.offset_bytes, 64 * KIB);
    ck_assert_uint_eq(second.r2t_sn, 1);
    ck_assert_uint_ne(second.ttt, first.ttt);
    peer_data_out(&one, itt, first.ttt, 0, 0, data, 32 * KIB, false);
    peer_silent(&one);
    peer_data_out(&one, itt, first.ttt, 1, 32 * KIB, data, 32 * KIB, true);
    struct pdu_r2t third = peer_take_r2t(&one);
    ck_assert_uint_eq(third.offset_bytes, 128 * KIB);
    ck_assert_uint_eq(third.r2t_sn, 2);
    peer_data_out(&one, itt, second.ttt, 0, 64 * KIB, data, 64 * KIB, true);
    peer_data_out(&one, itt, third.ttt, 0, 128 * KIB, data, 64 * KIB, true);
    written(192 * KIB);
    ck_assert_uint_eq(peer_take_response(&one).exp_data_sn, 3);
}
END_TEST

START_TEST(nothing_is_asked_for_beyond_the_cdb)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 1, 4 * BLOCK, NULL, 0, false);
    struct pdu_r2t r2t = peer_take_r2t(&one);
    ck_assert_uint_eq(r2t.desired_bytes, BLOCK);
    peer_data_out(&one, itt, r2t.ttt, 0, 0, data, BLOCK, true);
    written(BLOCK);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.head.flags, PDU_UNDERFLOW);
    ck_assert_uint_eq(response.residual_bytes, 3 * BLOCK);
}
END_TEST

START_TEST(immediate_data_beyond_the_cdb_is_ignored)
{
    peer_login(&one);
    memset(disk, 'x', 2 * BLOCK);
    (void)peer_write(&one, 0, 1, 2 * BLOCK, data, 2 * BLOCK, false);
    written(BLOCK);
    ck_assert_uint_eq(disk[BLOCK], 'x');
    ck_assert_uint_eq(peer_take_response(&one).residual_bytes, BLOCK);
}
END_TEST

START_TEST(write_same_of_more_than_a_block_is_refused)
{
    uint8_t cdb[PDU_CDB_BYTES];
    peer_login(&one);
    cdb_rw10(cdb, 0x41, 0, 1);
    (void)peer_command(&one, PDU_FINAL | PDU_WRITE, 2 * BLOCK, cdb, data, 2 * BLOCK);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(one.held_count, 0);
}
END_TEST

START_TEST(initiator_that_announces_less_than_the_cdb_overflows)
{
    peer_login(&one);
    (void)peer_write(&one, 0, 2, BLOCK, data, BLOCK, false);
    written(BLOCK);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.status, SCSI_GOOD);
    ck_assert_uint_eq(response.head.flags, PDU_OVERFLOW);
    ck_assert_uint_eq(response.residual_bytes, BLOCK);
}
END_TEST

START_TEST(write_without_the_write_flag_moves_nothing)
{
    uint8_t cdb[PDU_CDB_BYTES];
    peer_login(&one);
    cdb_rw10(cdb, 0x2a, 0, 1);
    (void)peer_command(&one, PDU_FINAL, 0, cdb, NULL, 0);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.head.flags, PDU_OVERFLOW);
    ck_assert_uint_eq(response.residual_bytes, BLOCK);
    ck_assert_uint_eq(one.held_count, 0);
}
END_TEST

START_TEST(data_sn_out_of_order_fails_the_command)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 16, 8192, NULL, 0, false);
    struct pdu_r2t r2t = peer_take_r2t(&one);
    peer_data_out(&one, itt, r2t.ttt, 1, 0, data, 4096, false);
    failed(0x4b00);
    peer_data_out(&one, itt, r2t.ttt, 0, 4096, data, 4096, true);
    peer_silent(&one);
    ck_assert_uint_eq(one.held_count, 0);
}
END_TEST

START_TEST(offset_out_of_order_fails_the_command)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 16, 8192, NULL, 0, false);
    struct pdu_r2t r2t = peer_take_r2t(&one);
    peer_data_out(&one, itt, r2t.ttt, 0, 4096, data, 4096, false);
    failed(0x4b00);
}
END_TEST

START_TEST(tag_of_no_r2t_fails_the_command)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 16, 8192, NULL, 0, false);
    struct pdu_r2t r2t = peer_take_r2t(&one);
    peer_data_out(&one, itt, r2t.ttt + 1, 0, 0, data, 8192, true);
    failed(0x4b00);
}
END_TEST

START_TEST(more_data_than_asked_for_fails_the_command)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 16, 8192, NULL, 0, false);
    struct pdu_r2t r2t = peer_take_r2t(&one);
    peer_data_out(&one, itt, r2t.ttt, 0, 0, data, 8193, true);
    failed(0x0c0d);
}
END_TEST

START_TEST(less_data_than_asked_for_fails_the_command)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 16, 8192, NULL, 0, false);
    struct pdu_r2t r2t = peer_take_r2t(&one);
    peer_data_out(&one, itt, r2t.ttt, 0, 0, data, 4096, true);
    failed(0x0c0d);
}
END_TEST

START_TEST(unsolicited_data_unannounced_fails_the_command)
{
    peer_login(&one);
    uint32_t itt = peer_write(&one, 0, 16, 8192, NULL, 0, false);
    (void)peer_take_r2t(&one);
    peer_data_out(&one, itt, PDU_TAG_NONE, 0, 0, data, 4096, false);
    failed(0x0c0c);
}
END_TEST

START_TEST(data_of_an_unknown_command_is_ignored)
{
    peer_login(&one);
    peer_data_out(&one, 0x999, 0x1, 0, 0, data, 4096, true);
    peer_silent(&one);
    ck_assert_int_eq(one.next, SESSION_MORE);
}
END_TEST

START_TEST(unsolicited_data_where_not_agreed_is_a_protocol_error)
{
    peer_open(&one);
    peer_login_with(&one, KEYS("InitialR2T=Yes\0"));
    (void)peer_write(&one, 0, 16, 8192, NULL, 0, true);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_PROTOCOL);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(immediate_data_where_not_agreed_is_a_protocol_error)
{
    peer_open(&one);
    peer_login_with(&one, KEYS("ImmediateData=No\0"));
    (void)peer_write(&one, 0, 16, 8192, data, 512, false);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_PROTOCOL);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(immediate_data_beyond_what_was_announced_is_a_protocol_error)
{
    peer_login(&one);
    (void)peer_write(&one, 0, 1, 512, data, 516, false);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_PROTOCOL);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(tag_in_use_is_rejected_and_the_first_command_goes_on)
{
    peer_login(&one);
    (void)peer_read(&one, 0, 1, 512);
    one.itt--;
    (void)peer_read(&one, 0, 1, 512);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_IN_PROGRESS);
    ck_assert_uint_eq(one.held_count, 1);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take(&one), PDU_DATA_IN);
}
END_TEST

START_TEST(bidirectional_command_is_rejected)
{
    uint8_t cdb[PDU_CDB_BYTES];
    peer_login(&one);
    cdb_rw10(cdb, 0x53, 0, 1);
    (void)peer_command(&one, PDU_FINAL | PDU_READ | PDU_WRITE, 512, cdb, data, 512);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_NOT_SUPPORTED);
    ck_assert_int_eq(one.next, SESSION_MORE);
}
END_TEST

START_TEST(immediate_commands_are_bounded)
{
    uint8_t cdb[PDU_CDB_BYTES];
    uint8_t bhs[PDU_BHS_BYTES];
    peer_login(&one);
    cdb_rw10(cdb, 0x28, 0, 1);
    struct pdu_command command = {
        .head = {.opcode = PDU_COMMAND, .immediate = true, .flags = PDU_FINAL | PDU_READ},
        .expected_bytes = 512};
    memcpy(command.cdb, cdb, sizeof(cdb));
    for (uint32_t i = 0; i < 17; i++) {
        command.head.itt = 0x200 + i;
        command.head.cmd_sn = one.cmd_sn;
        pdu_command_encode(bhs, &command);
        peer_send(&one, bhs, NULL, 0);
    }
    ck_assert_uint_eq(one.held_count, 16);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_IMMEDIATE);
}
END_TEST

START_TEST(solicited_data_is_bounded_and_goes_on_when_some_came)
{
    enum { WRITES = 9, LENGTH = 4u << 20 };
    static uint8_t burst[1u << 20];
    uint8_t cdb[PDU_CDB_BYTES];
    peer_open(&one);
    peer_login_with(&one, KEYS("ImmediateData=No\0MaxBurstLength=4194304\0"));
    (void)peer_read(&one, 0, 1, 512);
    (void)peer_take_response(&one);
    cdb_rw10(cdb, 0x2a, 0, LENGTH / BLOCK);
    uint32_t first = one.itt;
    for (uint32_t i = 0; i < WRITES; i++)
        (void)peer_command(&one, PDU_FINAL | PDU_WRITE, LENGTH, cdb, NULL, 0);
    struct pdu_r2t r2t = peer_take_r2t(&one);
    for (uint32_t i = 1; i < 4; i++)
        (void)peer_take_r2t(&one);
    peer_silent(&one);
    for (uint32_t i = 0; i < 4; i++) {
        struct pdu_data_out pdu = {.head = {.opcode = PDU_DATA_OUT,
                                            .flags = i == 3 ? PDU_FINAL : 0,
                                            .data_bytes = sizeof(burst),
                                            .itt = first},
                                   .ttt = r2t.ttt,
                                   .data_sn = i,
                                   .offset_bytes = i * (uint32_t)sizeof(burst)};
        uint8_t bhs[PDU_BHS_BYTES];
        pdu_data_out_encode(bhs, &pdu);
        peer_send(&one, bhs, burst, sizeof(burst));
    }
    ck_assert_uint_eq(one.held_count, 1);
    ck_assert_uint_eq(peer_take_r2t(&one).head.itt, first + 4);
    peer_silent(&one);
}
END_TEST

/* All memory is in use, whoever has it. */
static void memory_full(void)
{
    bufs.limit_bytes = 1;
}

START_TEST(data_that_comes_unasked_is_refused_when_memory_is_spent)
{
    peer_login(&one);
    memory_full();
    (void)peer_write(&one, 0, 8, 4096, data, 4096, false);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.status, SCSI_TASK_SET_FULL);
    uint32_t itt = peer_write(&one, 0, 8, 4096, NULL, 0, true);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_TASK_SET_FULL);
    peer_data_out(&one, itt, PDU_TAG_NONE, 0, 0, data, 4096, true);
    peer_silent(&one);
    ck_assert_uint_eq(one.held_count, 0);
    itt = peer_write(&one, 0, 8, 4096, NULL, 0, false);
    peer_data_out(&one, itt, asked(0, 4096).ttt, 0, 0, data, 4096, true);
    written(4096);
}
END_TEST

START_TEST(one_of_all_is_asked_for_data_when_memory_is_full)
{
    peer_login(&one);
    peer_login_two();
    memory_full();
    uint32_t itt = peer_write(&one, 0, 8, 4096, NULL, 0, false);
    struct pdu_r2t r2t = asked(0, 4096);
    (void)peer_write(&two, 8, 8, 4096, NULL, 0, false);
    peer_silent(&two);
    ck_assert(iscsi_is_owed(one.conn) && !iscsi_is_owed(two.conn));
    peer_data_out(&one, itt, r2t.ttt, 0, 0, data, 4096, true);
    ck_assert_ptr_eq(iscsi_node_ready(&node), two.conn);
    peer_pull(&two);
    ck_assert_uint_eq(peer_take_r2t(&two).desired_bytes, 4096);
}
END_TEST

START_TEST(one_that_goes_away_lets_others_be_asked)
{
    peer_login(&one);
    peer_login_two();
    memory_full();
    (void)peer_write(&one, 0, 8, 4096, NULL, 0, false);
    (void)peer_write(&two, 8, 8, 4096, NULL, 0, false);
    peer_silent(&two);
    peer_close(&one);
    ck_assert_ptr_eq(iscsi_node_ready(&node), two.conn);
    peer_pull(&two);
    ck_assert_uint_eq(peer_take_r2t(&two).desired_bytes, 4096);
}
END_TEST

START_TEST(data_that_came_unasked_has_no_room_for_the_rest)
{
    enum { LENGTH = 4u << 20 };
    uint8_t cdb[PDU_CDB_BYTES];
    peer_login(&one);
    uint64_t before_bytes = bufs.used_bytes;
    cdb_rw10(cdb, 0x2a, 0, LENGTH / BLOCK);
    uint32_t itt = peer_command(&one, PDU_WRITE, LENGTH, cdb, data, 1024);
    peer_data_out(&one, itt, PDU_TAG_NONE, 0, 1024, data, 1024, false);
    ck_assert_uint_eq(bufs.promised_bytes, 64 * KIB);
    ck_assert_uint_le(bufs.used_bytes - before_bytes, 2 * (BUF_BYTES_MIN + BUF_SLACK_BYTES));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi receive");
    TCase *tcase = tcase_create("data");
    tcase_add_checked_fixture(tcase, setup_filled, teardown);
    tcase_add_test(tcase, immediate_data_that_is_all_is_not_copied);
    tcase_add_test(tcase, data_asked_for_that_is_all_is_not_copied);
    tcase_add_test(tcase, unsolicited_data_follows_the_immediate);
    tcase_add_test(tcase, rest_is_asked_for_after_the_first_burst);
    tcase_add_test(tcase, less_unsolicited_data_than_allowed_is_made_up_for);
    tcase_add_test(tcase, r2ts_are_max_burst_long_and_so_many_outstanding);
    tcase_add_test(tcase, nothing_is_asked_for_beyond_the_cdb);
    tcase_add_test(tcase, immediate_data_beyond_the_cdb_is_ignored);
    tcase_add_test(tcase, write_same_of_more_than_a_block_is_refused);
    tcase_add_test(tcase, initiator_that_announces_less_than_the_cdb_overflows);
    tcase_add_test(tcase, write_without_the_write_flag_moves_nothing);
    tcase_add_test(tcase, solicited_data_is_bounded_and_goes_on_when_some_came);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, setup_filled, teardown);
    tcase_add_test(tcase, data_that_comes_unasked_is_refused_when_memory_is_spent);
    tcase_add_test(tcase, one_of_all_is_asked_for_data_when_memory_is_full);
    tcase_add_test(tcase, one_that_goes_away_lets_others_be_asked);
    tcase_add_test(tcase, data_that_came_unasked_has_no_room_for_the_rest);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("faults");
    tcase_add_checked_fixture(tcase, setup_filled, teardown);
    tcase_add_test(tcase, data_sn_out_of_order_fails_the_command);
    tcase_add_test(tcase, offset_out_of_order_fails_the_command);
    tcase_add_test(tcase, tag_of_no_r2t_fails_the_command);
    tcase_add_test(tcase, more_data_than_asked_for_fails_the_command);
    tcase_add_test(tcase, less_data_than_asked_for_fails_the_command);
    tcase_add_test(tcase, unsolicited_data_unannounced_fails_the_command);
    tcase_add_test(tcase, data_of_an_unknown_command_is_ignored);
    tcase_add_test(tcase, unsolicited_data_where_not_agreed_is_a_protocol_error);
    tcase_add_test(tcase, immediate_data_where_not_agreed_is_a_protocol_error);
    tcase_add_test(tcase, immediate_data_beyond_what_was_announced_is_a_protocol_error);
    tcase_add_test(tcase, tag_in_use_is_rejected_and_the_first_command_goes_on);
    tcase_add_test(tcase, bidirectional_command_is_rejected);
    tcase_add_test(tcase, immediate_commands_are_bounded);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
