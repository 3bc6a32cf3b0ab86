/* SPDX-License-Identifier: Apache-2.0 */
/* TEST UNIT READY and its kin, REQUEST SENSE, READ CAPACITY, GET LBA STATUS. */
#include "tests/unit/target/front/scsi/fixture.h"

START_TEST(ready_is_good)
{
    ck_assert_good(0x00);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

START_TEST(unit_whose_volume_stalls_becomes_ready)
{
    export.stalled = true;
    ck_assert_check(0x00);
    ck_assert_sense(0x02, 0x0401);
    ck_assert_good(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0); /* READ CAPACITY: it is known */
}
END_TEST

START_TEST(deleted_export_is_not_ready)
{
    export.gone = true;
    ck_assert_check(0x00);
    ck_assert_sense(0x02, 0x0400);
}
END_TEST

START_TEST(prevent_and_allow_are_good)
{
    ck_assert_good(0x1e, 0, 0, 0, 1, 0);
    ck_assert_good(0x1e, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(start_is_good_at_once)
{
    ck_assert_good(0x1b, 0, 0, 0, 0x01, 0);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(stop_makes_written_data_safe)
{
    ck_assert_good(0x1b, 0, 0, 0, 0, 0);
    ck_assert_uint_eq(steps, 1);
    ck_assert_int_eq(requests[0].op, BLOCK_FLUSH);
}
END_TEST

START_TEST(stop_without_flush_does_nothing)
{
    ck_assert_good(0x1b, 0x01, 0, 0, 0x04, 0);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(eject_is_refused)
{
    ck_assert_check(0x1b, 0x01, 0, 0, 0x02, 0);
    ck_assert_bad_cdb(4, 1);
}
END_TEST

START_TEST(power_conditions_are_refused)
{
    ck_assert_check(0x1b, 0, 0, 0, 0x30, 0);
    ck_assert_bad_cdb(4, 5);
}
END_TEST

START_TEST(request_sense_has_none_in_fixed_format)
{
    ck_assert_good(0x03, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0x70, 0, 0x00, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(request_sense_has_none_in_descriptor_format)
{
    ck_assert_good(0x03, 0x01, 0, 0, 0xff, 0);
    ck_assert_data_in(0x72, 0x00, 0, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(request_sense_tells_and_clears_an_attention)
{
    attach(NEXUS);
    ck_assert_good(0x03, 0x01, 0, 0, 0xff, 0);
    ck_assert_data_in(0x72, 0x06, 0x29, 0x00, 0, 0, 0, 0);
    ck_assert_good(0x00);
}
END_TEST

START_TEST(request_sense_says_why_the_unit_is_not_ready)
{
    attach(NEXUS);
    export.stalled = true;
    ck_assert_good(0x03, 0x01, 0, 0, 0xff, 0);
    ck_assert_data_in(0x72, 0x02, 0x04, 0x01, 0, 0, 0, 0);
    export.gone = true;
    ck_assert_good(0x03, 0x01, 0, 0, 0xff, 0);
    ck_assert_data_in(0x72, 0x02, 0x04, 0x00, 0, 0, 0, 0);
    export.gone = export.stalled = false;
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2900);
}
END_TEST

START_TEST(request_sense_of_an_absent_lun_says_so)
{
    command.unit = NULL;
    ck_assert_good(0x03, 0, 0, 0, 14, 0);
    ck_assert_data_in(0x70, 0, 0x05, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x25, 0x00);
}
END_TEST

START_TEST(capacity10)
{
    ck_assert_good(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_data_in(0, 0, 0x0f, 0xff, 0, 0, 2, 0);
}
END_TEST

START_TEST(capacity10_of_a_large_unit_sends_to_16)
{
    export.size_bytes = (uint64_t)3 << 40;
    ck_assert_good(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_data_in(0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0);
}
END_TEST

START_TEST(capacity10_with_an_lba_is_refused)
{
    ck_assert_check(0x25, 0, 0, 0, 0, 1, 0, 0, 0, 0);
    ck_assert_bad_cdb(5, 0);
}
END_TEST

START_TEST(capacity16_with_blocks_of_512)
{
    ck_assert_good(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_data_in(0, 0, 0, 0, 0, 0, 0x0f, 0xff, 0, 0, 2, 0, 0, 3, 0xc0, 0, REPEAT8(0),
                      REPEAT8(0));
}
END_TEST

START_TEST(capacity16_with_blocks_of_4096)
{
    ck_assert_good(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0);
    ck_assert_data_in(0, 0, 0, 0, 0, 0, 0x01, 0xff, 0, 0, 0x10, 0, 0, 0, 0xc0, 0);
}
END_TEST

START_TEST(capacity16_of_a_large_unit)
{
    export.size_bytes = (uint64_t)3 << 40;
    ck_assert_good(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0);
    ck_assert_data_in(0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff);
}
END_TEST

START_TEST(defect_lists_are_empty)
{
    ck_assert_good(0x37, 0, 0x18 | 5, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 0x18 | 5, 0, 0);
    ck_assert_good(0xb7, 0x08 | 4, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_data_in(0, 0x08 | 4, 0, 0, 0, 0, 0, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi unit");
    TCase *tcase = tcase_create("512");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, ready_is_good);
    tcase_add_test(tcase, unit_whose_volume_stalls_becomes_ready);
    tcase_add_test(tcase, deleted_export_is_not_ready);
    tcase_add_test(tcase, prevent_and_allow_are_good);
    tcase_add_test(tcase, start_is_good_at_once);
    tcase_add_test(tcase, stop_makes_written_data_safe);
    tcase_add_test(tcase, stop_without_flush_does_nothing);
    tcase_add_test(tcase, eject_is_refused);
    tcase_add_test(tcase, power_conditions_are_refused);
    tcase_add_test(tcase, request_sense_has_none_in_fixed_format);
    tcase_add_test(tcase, request_sense_has_none_in_descriptor_format);
    tcase_add_test(tcase, request_sense_tells_and_clears_an_attention);
    tcase_add_test(tcase, request_sense_says_why_the_unit_is_not_ready);
    tcase_add_test(tcase, request_sense_of_an_absent_lun_says_so);
    tcase_add_test(tcase, capacity10);
    tcase_add_test(tcase, capacity10_of_a_large_unit_sends_to_16);
    tcase_add_test(tcase, capacity10_with_an_lba_is_refused);
    tcase_add_test(tcase, capacity16_with_blocks_of_512);
    tcase_add_test(tcase, capacity16_of_a_large_unit);
    tcase_add_test(tcase, defect_lists_are_empty);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("4096");
    tcase_add_checked_fixture(tcase, setup_4096, teardown);
    tcase_add_test(tcase, capacity16_with_blocks_of_4096);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
