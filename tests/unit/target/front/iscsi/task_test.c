/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and their answers: Data-In, status, sense, residuals. */
#include "tests/unit/target/front/iscsi/initiator.h"

enum { KIB = 1024, BLOCK = 512 };

static struct pdu_data_in take_data_in(void)
{
    struct pdu_data_in pdu;
    ck_assert_uint_eq(peer_take(&one), PDU_DATA_IN);
    pdu_data_in_decode(one.bhs, &pdu);
    return pdu;
}

START_TEST(read_is_one_pdu_that_bears_the_status)
{
    peer_login(&one);
    fill(disk, 4096, 2);
    uint32_t itt = peer_read(&one, 0, 8, 4096);
    peer_complete(&one, 0);
    struct pdu_data_in pdu = take_data_in();
    ck_assert_uint_eq(pdu.head.flags, PDU_FINAL | PDU_STATUS);
    ck_assert_uint_eq(pdu.status, SCSI_GOOD);
    ck_assert_uint_eq(pdu.head.itt, itt);
    ck_assert_uint_eq(pdu.ttt, PDU_TAG_NONE);
    ck_assert_uint_eq(pdu.residual_bytes, 0);
    ck_assert_uint_eq(one.data_bytes, 4096);
    ck_assert_mem_eq(one.data, disk, 4096);
    peer_silent(&one);
}
END_TEST

START_TEST(read_goes_out_by_reference)
{
    struct iovec iov[4];
    peer_login(&one);
    (void)peer_read(&one, 0, 8, 4096);
    struct block_req *request = one.held[0];
    disk_do(request);
    const uint8_t *bytes = request->data.bytes;
    one.held_count = 0;
    iscsi_reply(one.conn, request, &one.tx);
    ck_assert_int_eq(tx_vectors(&one.tx, iov, 4), 2);
    ck_assert_uint_eq(iov[0].iov_len, PDU_BHS_BYTES);
    ck_assert_ptr_eq(iov[1].iov_base, bytes);
}
END_TEST

START_TEST(read_is_split_by_segment_and_burst)
{
    peer_login(&one); /* segments of 32 KiB, bursts of 64 KiB */
    fill(disk, 80 * KIB, 3);
    (void)peer_read(&one, 0, 160, 80 * KIB);
    peer_complete(&one, 0);
    static const struct {
        uint32_t length;
        uint8_t flags;
    } want[] = {{32 * KIB, 0}, {32 * KIB, PDU_FINAL}, {16 * KIB, PDU_FINAL | PDU_STATUS}};
    uint32_t at = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct pdu_data_in pdu = take_data_in();
        ck_assert_uint_eq(pdu.data_sn, i);
        ck_assert_uint_eq(pdu.offset_bytes, at);
        ck_assert_uint_eq(pdu.head.flags, want[i].flags);
        ck_assert_uint_eq(one.data_bytes, want[i].length);
        ck_assert_mem_eq(one.data, disk + at, one.data_bytes);
        at += one.data_bytes;
    }
    peer_silent(&one);
}
END_TEST

START_TEST(segments_that_are_no_words_are_padded)
{
    static const char keys[] = "MaxRecvDataSegmentLength=513\0";
    peer_open(&one);
    peer_login_with(&one, KEYS(keys));
    (void)peer_read(&one, 0, 1, BLOCK);
    (void)peer_take_response(&one);
    fill(disk, 2 * BLOCK, 4);
    (void)peer_read(&one, 0, 2, 2 * BLOCK);
    peer_complete(&one, 0);
    (void)take_data_in();
    ck_assert_uint_eq(one.data_bytes, 513);
    struct pdu_data_in pdu = take_data_in();
    ck_assert_uint_eq(pdu.offset_bytes, 513);
    ck_assert_uint_eq(one.data_bytes, 511);
    ck_assert_mem_eq(one.data, disk + 513, 511);
}
END_TEST

START_TEST(room_for_more_than_is_read_underflows)
{
    peer_login(&one);
    (void)peer_read(&one, 0, 1, 3 * BLOCK);
    peer_complete(&one, 0);
    struct pdu_data_in pdu = take_data_in();
    ck_assert_uint_eq(pdu.head.flags, PDU_FINAL | PDU_STATUS | PDU_UNDERFLOW);
    ck_assert_uint_eq(pdu.residual_bytes, 2 * BLOCK);
    ck_assert_uint_eq(one.data_bytes, BLOCK);
}
END_TEST

START_TEST(room_for_less_than_is_read_overflows)
{
    peer_login(&one);
    (void)peer_read(&one, 0, 2, 100);
    peer_complete(&one, 0);
    struct pdu_data_in pdu = take_data_in();
    ck_assert_uint_eq(pdu.head.flags, PDU_FINAL | PDU_STATUS | PDU_OVERFLOW);
    ck_assert_uint_eq(pdu.residual_bytes, 2 * BLOCK - 100);
    ck_assert_uint_eq(one.data_bytes, 100);
}
END_TEST

START_TEST(read_without_the_read_flag_overflows_by_all)
{
    uint8_t cdb[PDU_CDB_BYTES];
    peer_login(&one);
    cdb_rw10(cdb, 0x28, 0, 1);
    (void)peer_command(&one, PDU_FINAL | PDU_WRITE, BLOCK, cdb, NULL, 0);
    peer_complete(&one, 0);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.status, SCSI_GOOD);
    ck_assert_uint_eq(response.head.flags, PDU_OVERFLOW);
    ck_assert_uint_eq(response.residual_bytes, BLOCK);
}
END_TEST

START_TEST(sense_follows_its_length)
{
    peer_login(&one);
    (void)peer_read(&one, 0xffffff, 1, BLOCK);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.response, 0);
    ck_assert_uint_eq(response.status, SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(response.head.flags, PDU_UNDERFLOW);
    ck_assert_uint_eq(response.residual_bytes, BLOCK);
    ck_assert_uint_eq((uint32_t)one.data[0] << 8 | one.data[1], one.data_bytes - 2);
    ck_assert_uint_eq(one.data[2 + 2], 0x05);
    ck_assert_uint_eq(one.data[2 + 12], 0x21);
}
END_TEST

START_TEST(other_luns_do_not_exist)
{
    struct pdu_command command = {
        .head = {
            .opcode = PDU_COMMAND, .flags = PDU_FINAL, .itt = 0x900, .lun = (uint64_t)1 << 48}};
    uint8_t bhs[PDU_BHS_BYTES];
    peer_login(&one);
    command.head.cmd_sn = one.cmd_sn++;
    pdu_command_encode(bhs, &command);
    peer_send(&one, bhs, NULL, 0);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_CHECK_CONDITION);
    ck_assert_uint_eq(one.data[2 + 12], 0x25);
}
END_TEST

START_TEST(flat_addressing_reaches_lun_0)
{
    struct pdu_command command = {.head = {.opcode = PDU_COMMAND,
                                           .flags = PDU_FINAL,
                                           .itt = 0x900,
                                           .lun = (uint64_t)0x4000 << 48}};
    uint8_t bhs[PDU_BHS_BYTES];
    peer_login(&one);
    command.head.cmd_sn = one.cmd_sn++;
    pdu_command_encode(bhs, &command);
    peer_send(&one, bhs, NULL, 0);
    ck_assert_uint_eq(peer_take_response(&one).status, SCSI_GOOD);
}
END_TEST

START_TEST(answers_come_in_the_order_of_the_disk)
{
    peer_login(&one);
    uint32_t first = peer_read(&one, 0, 1, BLOCK);
    uint32_t second = peer_read(&one, 8, 1, BLOCK);
    peer_complete(&one, 1);
    peer_complete(&one, 0);
    struct pdu_data_in pdu = take_data_in();
    uint32_t stat_sn = pdu.head.stat_sn;
    ck_assert_uint_eq(pdu.head.itt, second);
    pdu = take_data_in();
    ck_assert_uint_eq(pdu.head.itt, first);
    ck_assert_uint_eq(pdu.head.stat_sn, stat_sn + 1);
}
END_TEST

START_TEST(command_of_several_requests_goes_on_after_a_reply)
{
    uint8_t cdb[PDU_CDB_BYTES];
    peer_login(&one);
    cdb_rw10(cdb, 0x28, 0, 1);
    cdb[1] = 0x08; /* FUA: flush, then read */
    (void)peer_command(&one, PDU_FINAL | PDU_READ, BLOCK, cdb, NULL, 0);
    ck_assert_int_eq(one.held[0]->op, BLOCK_FLUSH);
    struct block_req *flush = one.held[0];
    one.held_count = 0;
    flush->status = 0;
    iscsi_reply(one.conn, flush, &one.tx);
    ck_assert_ptr_eq(iscsi_node_ready(&node), one.conn);
    peer_pull(&one);
    ck_assert_uint_eq(one.held_count, 1);
    ck_assert_int_eq(one.held[0]->op, BLOCK_READ);
    peer_complete(&one, 0);
    (void)take_data_in();
}
END_TEST

START_TEST(many_commands_are_told_apart)
{
    enum { MANY = 128 };
    peer_login(&one);
    uint32_t first = one.itt;
    for (uint32_t i = 0; i < MANY; i++)
        (void)peer_read(&one, i, 1, BLOCK);
    ck_assert_uint_eq(one.held_count, MANY);
    for (uint32_t i = MANY; i > 0; i--) {
        peer_complete(&one, i - 1);
        ck_assert_uint_eq(take_data_in().head.itt, first + i - 1);
    }
}
END_TEST

START_TEST(command_without_a_task_meets_task_set_full)
{
    void *taken[TASKS];
    peer_login(&one);
    for (uint32_t i = 0; i < TASKS; i++) {
        taken[i] = pool_get(&node.tasks);
        ck_assert_ptr_nonnull(taken[i]);
    }
    (void)peer_read(&one, 0, 1, BLOCK);
    struct pdu_scsi_response response = peer_take_response(&one);
    ck_assert_uint_eq(response.status, SCSI_TASK_SET_FULL);
    ck_assert_uint_eq(response.residual_bytes, BLOCK);
    for (uint32_t i = 0; i < TASKS; i++)
        pool_put(&node.tasks, taken[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi task");
    TCase *tcase = tcase_create("task");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, read_is_one_pdu_that_bears_the_status);
    tcase_add_test(tcase, read_goes_out_by_reference);
    tcase_add_test(tcase, read_is_split_by_segment_and_burst);
    tcase_add_test(tcase, segments_that_are_no_words_are_padded);
    tcase_add_test(tcase, room_for_more_than_is_read_underflows);
    tcase_add_test(tcase, room_for_less_than_is_read_overflows);
    tcase_add_test(tcase, read_without_the_read_flag_overflows_by_all);
    tcase_add_test(tcase, sense_follows_its_length);
    tcase_add_test(tcase, other_luns_do_not_exist);
    tcase_add_test(tcase, flat_addressing_reaches_lun_0);
    tcase_add_test(tcase, answers_come_in_the_order_of_the_disk);
    tcase_add_test(tcase, command_of_several_requests_goes_on_after_a_reply);
    tcase_add_test(tcase, many_commands_are_told_apart);
    tcase_add_test(tcase, command_without_a_task_meets_task_set_full);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
