/* SPDX-License-Identifier: Apache-2.0 */
/* The door: which rule comes first, and how failures of the disk are told. */
#include "tests/unit/target/front/scsi/fixture.h"

START_TEST(unknown_opcode_is_invalid)
{
    ck_assert_check(0xff);
    ck_assert_sense(0x05, 0x2000);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

START_TEST(unknown_service_action_is_an_invalid_field)
{
    ck_assert_check(0x9e, 0x1f);
    ck_assert_bad_cdb(1, 4);
}
END_TEST

START_TEST(naca_is_refused)
{
    ck_assert_check(0x00, 0, 0, 0, 0, 0x04);
    ck_assert_bad_cdb(5, 2);
    ck_assert_check(0x88, 0, REPEAT8(0), 0, 0, 0, 1, 0, 0x04);
    ck_assert_bad_cdb(15, 2);
}
END_TEST

START_TEST(reserved_bit_beside_a_service_action_is_refused)
{
    ck_assert_check(0x9e, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
    ck_assert_bad_cdb(1, 5);
}
END_TEST

START_TEST(bytes_after_a_short_cdb_do_not_matter)
{
    ck_assert_good(0x00, 0, 0, 0, 0, 0, REPEAT8(0xff), 0xff, 0xff);
}
END_TEST

START_TEST(absent_lun_is_not_supported)
{
    command.unit = NULL;
    ck_assert_check(0x00);
    ck_assert_sense(0x05, 0x2500);
    ck_assert_check(0xff);
    ck_assert_sense(0x05, 0x2500);
}
END_TEST

START_TEST(deleted_export_still_answers_inquiry)
{
    export.gone = true;
    ck_assert_good(0x12, 0, 0, 0, 0xff, 0);
    ck_assert_check(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    ck_assert_sense(0x02, 0x0400);
}
END_TEST

START_TEST(read_only_refuses_every_write)
{
    static const uint8_t writes[] = {0x0a, 0x2a, 0x2e, 0x41, 0x42, 0x89,
                                     0x8a, 0x8e, 0x93, 0xaa, 0xae};
    export.read_only = true;
    for (size_t i = 0; i < sizeof(writes); i++) {
        ck_assert_check(writes[i]);
        ck_assert_sense(0x07, 0x2700);
    }
}
END_TEST

START_TEST(read_only_allows_the_rest)
{
    export.read_only = true;
    ck_assert_good(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    ck_assert_good(0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_good(0x2f, 0, 0, 0, 0, 0, 0, 0, 1, 0);
}
END_TEST

#define READ10  0x28, 0, 0, 0, 0, 5, 0, 0, 1, 0
#define WRITE10 0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0

static void expect_failure(int status, uint8_t key, uint16_t asc)
{
    data_out_fill(0xcd, 512);
    ck_assert_int_eq(run_failing(status, BYTES(WRITE10)), SCSI_CHECK_CONDITION);
    ck_assert_sense(key, asc);
}

START_TEST(failed_read_is_a_medium_error_without_data)
{
    ck_assert_int_eq(run_failing(-EIO, BYTES(READ10)), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x03, 0x1100);
    ck_assert_uint_eq(command.expected_bytes, 0);
    ck_assert_ptr_null(command.data_in.buf);
}
END_TEST

START_TEST(failed_write_is_a_medium_error)
{
    expect_failure(-EIO, 0x03, 0x0c00);
}
END_TEST

START_TEST(no_space_is_space_allocation_failed)
{
    expect_failure(-ENOSPC, 0x07, 0x2707);
}
END_TEST

START_TEST(read_only_volume_is_write_protected)
{
    expect_failure(-EROFS, 0x07, 0x2700);
}
END_TEST

START_TEST(out_of_range_is_told)
{
    expect_failure(-EINVAL, 0x05, 0x2100);
}
END_TEST

START_TEST(volume_going_away_is_not_ready)
{
    expect_failure(-ESHUTDOWN, 0x02, 0x0400);
}
END_TEST

START_TEST(anything_else_is_an_internal_failure)
{
    expect_failure(-ENOMEM, 0x04, 0x4400);
}
END_TEST

START_TEST(command_can_be_used_again)
{
    ck_assert_check(0xff);
    ck_assert_good(READ10);
    ck_assert_uint_eq(command.sense_bytes, 0);
    ck_assert_good(0x00);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

START_TEST(dropped_read_gives_its_data_back)
{
    cdb_set(BYTES(READ10));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    disk_execute(&command.block);
    scsi_drop(&command);
    ck_assert_uint_eq(pool.used_bytes, 0);
}
END_TEST

START_TEST(dropped_write_leaves_its_data_to_the_caller)
{
    data_out_fill(0xcd, 512);
    cdb_set(BYTES(WRITE10));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    disk_execute(&command.block);
    scsi_drop(&command);
    ck_assert_uint_eq(command.data_out.buf->refs, 1);
}
END_TEST

START_TEST(block_request_keeps_what_the_caller_set)
{
    int owner;
    command.block.owner = &owner;
    ck_assert_good(READ10);
    ck_assert_ptr_eq(requests[0].owner, &owner);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi");
    TCase *tcase = tcase_create("scsi");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, unknown_opcode_is_invalid);
    tcase_add_test(tcase, unknown_service_action_is_an_invalid_field);
    tcase_add_test(tcase, naca_is_refused);
    tcase_add_test(tcase, reserved_bit_beside_a_service_action_is_refused);
    tcase_add_test(tcase, bytes_after_a_short_cdb_do_not_matter);
    tcase_add_test(tcase, absent_lun_is_not_supported);
    tcase_add_test(tcase, deleted_export_still_answers_inquiry);
    tcase_add_test(tcase, read_only_refuses_every_write);
    tcase_add_test(tcase, read_only_allows_the_rest);
    tcase_add_test(tcase, failed_read_is_a_medium_error_without_data);
    tcase_add_test(tcase, failed_write_is_a_medium_error);
    tcase_add_test(tcase, no_space_is_space_allocation_failed);
    tcase_add_test(tcase, read_only_volume_is_write_protected);
    tcase_add_test(tcase, out_of_range_is_told);
    tcase_add_test(tcase, volume_going_away_is_not_ready);
    tcase_add_test(tcase, anything_else_is_an_internal_failure);
    tcase_add_test(tcase, command_can_be_used_again);
    tcase_add_test(tcase, dropped_read_gives_its_data_back);
    tcase_add_test(tcase, dropped_write_leaves_its_data_to_the_caller);
    tcase_add_test(tcase, block_request_keeps_what_the_caller_set);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
