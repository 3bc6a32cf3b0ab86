/* SPDX-License-Identifier: Apache-2.0 */
/* Framing, digests, and the sequence numbers of both directions. */
#include "tests/unit/target/front/iscsi/initiator.h"

enum { BLOCK = 512 };

static const uint8_t test_unit_ready[PDU_CDB_BYTES];

/* Sends TEST UNIT READY under this CmdSN. */
static void send_at(uint32_t cmd_sn)
{
    one.cmd_sn = cmd_sn;
    (void)peer_command(&one, PDU_FINAL, 0, test_unit_ready, NULL, 0);
}

static void login_with_digests(void)
{
    peer_open(&one);
    peer_login_with(&one, KEYS("HeaderDigest=CRC32C\0DataDigest=CRC32C\0"));
    ck_assert(peer_told(&one, "HeaderDigest=CRC32C"));
    one.header_digest = true;
    one.data_digest = true;
    send_at(one.cmd_sn);
    (void)peer_take_response(&one);
}

START_TEST(commands_below_the_window_are_ignored)
{
    peer_login(&one);
    uint32_t next = one.cmd_sn;
    send_at(next - 1);
    peer_silent(&one);
    send_at(next);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
}
END_TEST

START_TEST(commands_above_the_window_are_ignored)
{
    peer_login(&one);
    uint32_t next = one.cmd_sn;
    send_at(next);
    uint32_t max = peer_take_response(&one).head.max_cmd_sn;
    ck_assert_uint_eq(max, next + ISCSI_WINDOW);
    send_at(max + 1);
    peer_silent(&one);
    ck_assert_int_eq(one.next, SESSION_MORE);
    send_at(next + 1);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
}
END_TEST

START_TEST(gap_in_cmd_sn_closes)
{
    peer_login(&one);
    send_at(one.cmd_sn + 1);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    ck_assert_str_eq(iscsi_why(one.conn), "a gap in CmdSN");
}
END_TEST

START_TEST(cmd_sn_wraps_around)
{
    peer_open(&one);
    one.cmd_sn = UINT32_MAX;
    peer_login_with(&one, "", 0);
    send_at(UINT32_MAX);
    ck_assert_uint_eq(peer_take_response(&one).head.exp_cmd_sn, 0);
    send_at(0);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.status, SCSI_GOOD);
    ck_assert_uint_eq(response.head.exp_cmd_sn, 1);
}
END_TEST

START_TEST(stat_sn_counts_answers)
{
    peer_login(&one);
    send_at(one.cmd_sn);
    uint32_t stat_sn = peer_take_response(&one).head.stat_sn;
    send_at(one.cmd_sn);
    ck_assert_uint_eq(peer_take_response(&one).head.stat_sn, stat_sn + 1);
}
END_TEST

START_TEST(window_closes_with_commands_and_opens_with_answers)
{
    peer_login(&one);
    uint32_t next = one.cmd_sn;
    (void)peer_read(&one, 0, 1, BLOCK);
    send_at(one.cmd_sn);
    ck_assert_uint_eq(peer_take_response(&one).head.max_cmd_sn, next + ISCSI_WINDOW);
    peer_complete(&one, 0);
    (void)peer_take(&one);
    send_at(one.cmd_sn);
    ck_assert_uint_eq(peer_take_response(&one).head.max_cmd_sn, next + 2 + ISCSI_WINDOW);
}
END_TEST

START_TEST(window_shrinks_to_one_when_memory_is_short)
{
    static uint32_t max;
    peer_login(&one);
    bufs.limit_bytes = 0;
    for (int i = 0; i < ISCSI_WINDOW + 8; i++) {
        send_at(one.cmd_sn);
        max = peer_take_response(&one).head.max_cmd_sn;
    }
    ck_assert_uint_eq(max, one.cmd_sn);
}
END_TEST

START_TEST(digests_are_checked_and_given_both_ways)
{
    static uint8_t data[BLOCK];
    login_with_digests();
    fill(data, sizeof(data), 5);
    (void)peer_write(&one, 0, 1, BLOCK, data, BLOCK, false);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
    (void)peer_read(&one, 0, 1, BLOCK);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take(&one), PDU_DATA_IN);
    ck_assert_mem_eq(one.data, data, BLOCK);
}
END_TEST

START_TEST(padding_is_under_the_data_digest)
{
    struct pdu_nop_out pdu = {
        .head = {.opcode = PDU_NOP_OUT, .immediate = true, .data_bytes = 5, .itt = 0x55},
        .ttt = PDU_TAG_NONE};
    uint8_t bhs[PDU_BHS_BYTES];
    login_with_digests();
    pdu_nop_out_encode(bhs, &pdu);
    peer_send(&one, bhs, "hello", 5);
    ck_assert_uint_eq(peer_take(&one), PDU_NOP_IN);
    ck_assert_mem_eq(one.data, "hello", 5);
}
END_TEST

START_TEST(header_digest_error_closes)
{
    uint8_t bhs[PDU_BHS_BYTES + 4] = {0x40, 0x80};
    login_with_digests();
    peer_feed(&one, bhs, sizeof(bhs));
    peer_pull(&one);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    ck_assert_str_eq(iscsi_why(one.conn), "header digest error");
    peer_silent(&one);
}
END_TEST

START_TEST(data_digest_error_is_rejected_and_closes)
{
    static const uint8_t wrong[8];
    struct pdu_nop_out pdu = {
        .head = {.opcode = PDU_NOP_OUT, .immediate = true, .data_bytes = 4, .itt = 0x55}};
    uint8_t bhs[PDU_BHS_BYTES];
    uint8_t digest[4];
    login_with_digests();
    pdu_nop_out_encode(bhs, &pdu);
    digest_put(digest, crc32c(0, bhs, sizeof(bhs)));
    peer_feed(&one, bhs, sizeof(bhs));
    peer_feed(&one, digest, sizeof(digest));
    peer_feed(&one, wrong, sizeof(wrong));
    peer_pull(&one);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_DATA_DIGEST);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(additional_header_segments_are_passed_over)
{
    uint8_t bhs[PDU_BHS_BYTES];
    static const uint8_t ahs[8] = {0, 5, 2};
    struct pdu_command command = {.head = {.opcode = PDU_COMMAND, .flags = PDU_FINAL, .itt = 9}};
    peer_login(&one);
    command.head.cmd_sn = one.cmd_sn++;
    pdu_command_encode(bhs, &command);
    bhs[4] = sizeof(ahs) / 4;
    peer_feed(&one, bhs, sizeof(bhs));
    peer_pull(&one);
    peer_silent(&one);
    ck_assert_uint_eq(one.rx.want_bytes, PDU_BHS_BYTES + sizeof(ahs));
    peer_feed(&one, ahs, sizeof(ahs));
    peer_pull(&one);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
}
END_TEST

START_TEST(data_longer_than_declared_closes)
{
    uint8_t bhs[PDU_BHS_BYTES] = {0x40, 0x80, 0, 0, 0, 0x10, 0x00, 0x01};
    peer_login(&one);
    peer_send(&one, bhs, NULL, 0);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(pdu_may_come_byte_by_byte)
{
    static const char data[] = {'d', 'a', 't', 'a'};
    uint8_t bhs[PDU_BHS_BYTES];
    struct pdu_nop_out pdu = {
        .head = {.opcode = PDU_NOP_OUT, .immediate = true, .data_bytes = 4, .itt = 0x55},
        .ttt = PDU_TAG_NONE};
    peer_login(&one);
    pdu_nop_out_encode(bhs, &pdu);
    for (int i = 0; i < PDU_BHS_BYTES; i++) {
        peer_feed(&one, bhs + i, 1);
        peer_pull(&one);
        ck_assert_int_eq(one.next, SESSION_MORE);
    }
    for (int i = 0; i < 4; i++) {
        peer_silent(&one);
        peer_feed(&one, &data[i], 1);
        peer_pull(&one);
    }
    ck_assert_uint_eq(peer_take(&one), PDU_NOP_IN);
    ck_assert_mem_eq(one.data, data, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi conn");
    TCase *tcase = tcase_create("conn");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, commands_below_the_window_are_ignored);
    tcase_add_test(tcase, commands_above_the_window_are_ignored);
    tcase_add_test(tcase, gap_in_cmd_sn_closes);
    tcase_add_test(tcase, cmd_sn_wraps_around);
    tcase_add_test(tcase, stat_sn_counts_answers);
    tcase_add_test(tcase, window_closes_with_commands_and_opens_with_answers);
    tcase_add_test(tcase, window_shrinks_to_one_when_memory_is_short);
    tcase_add_test(tcase, digests_are_checked_and_given_both_ways);
    tcase_add_test(tcase, padding_is_under_the_data_digest);
    tcase_add_test(tcase, header_digest_error_closes);
    tcase_add_test(tcase, data_digest_error_is_rejected_and_closes);
    tcase_add_test(tcase, additional_header_segments_are_passed_over);
    tcase_add_test(tcase, data_longer_than_declared_closes);
    tcase_add_test(tcase, pdu_may_come_byte_by_byte);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
