/* SPDX-License-Identifier: Apache-2.0 */
/* REPORT LUNS, SUPPORTED OPERATION CODES and SUPPORTED TASK MANAGEMENT FUNCTIONS. */
#include "tests/unit/target/front/scsi/fixture.h"

#define LENGTH 0, 0, 0x10, 0 /* an ALLOCATION LENGTH for everything */

START_TEST(luns_is_lun_0)
{
    ck_assert_good(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_data_in(0, 0, 0, 8, 0, 0, 0, 0, REPEAT8(0));
}
END_TEST

START_TEST(luns_with_select_report_2_is_lun_0)
{
    ck_assert_good(0xa0, 0, 2, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_data_in(0, 0, 0, 8, 0, 0, 0, 0, REPEAT8(0));
}
END_TEST

START_TEST(luns_has_no_well_known_ones)
{
    ck_assert_good(0xa0, 0, 1, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_data_in(0, 0, 0, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(luns_with_other_select_report_is_refused)
{
    ck_assert_check(0xa0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_bad_cdb(2, 7);
}
END_TEST

START_TEST(luns_with_little_room_is_cut)
{
    ck_assert_good(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 0, 0);
    ck_assert_data_in(0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_good(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_uint_eq(command.data_in.length_bytes, 0);
}
END_TEST

START_TEST(luns_answers_at_an_absent_lun)
{
    command.unit = NULL;
    ck_assert_good(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_data_in(0, 0, 0, 8, 0, 0, 0, 0, REPEAT8(0));
}
END_TEST

START_TEST(all_opcodes_have_eight_bytes_each)
{
    ck_assert_good(0xa3, 0x0c, 0, 0, 0, 0, LENGTH, 0, 0);
    const uint8_t *bytes = command.data_in.bytes;
    static const uint8_t first[] = {0x00, 0, 0, 0, 0, 0, 0, 6, 0x03, 0, 0, 0, 0, 0, 0, 6};
    ck_assert_uint_eq(command.data_in.length_bytes, 4 + u16_at(bytes + 2));
    ck_assert_uint_eq(u16_at(bytes + 2), 60 * 8);
    ck_assert_mem_eq(bytes + 4, first, sizeof(first));
}
END_TEST

START_TEST(all_opcodes_with_timeouts_have_twenty)
{
    ck_assert_good(0xa3, 0x0c, 0x80, 0, 0, 0, LENGTH, 0, 0);
    const uint8_t *bytes = command.data_in.bytes;
    static const uint8_t first[] = {0x00, 0, 0, 0, 0, 0x02, 0, 6, 0, 10, 0, 0, REPEAT8(0)};
    ck_assert_uint_eq(u16_at(bytes + 2), 60 * 20);
    ck_assert_mem_eq(bytes + 4, first, sizeof(first));
}
END_TEST

START_TEST(all_opcodes_mark_service_actions)
{
    ck_assert_good(0xa3, 0x0c, 0, 0, 0, 0, LENGTH, 0, 0);
    static const uint8_t capacity16[] = {0x9e, 0, 0, 0x10, 0, 0x01, 0, 16};
    bool found = false;
    for (uint32_t at = 4; at < command.data_in.length_bytes; at += 8)
        found = found || memcmp(command.data_in.bytes + at, capacity16, 8) == 0;
    ck_assert(found);
}
END_TEST

START_TEST(all_opcodes_ascend)
{
    ck_assert_good(0xa3, 0x0c, 0, 0, 0, 0, LENGTH, 0, 0);
    const uint8_t *bytes = command.data_in.bytes;
    for (uint32_t at = 12; at < command.data_in.length_bytes; at += 8)
        ck_assert_int_lt(memcmp(bytes + at - 8, bytes + at, 4), 0);
}
END_TEST

START_TEST(every_opcode_is_reported_alone)
{
    uint8_t all[1024];
    ck_assert_good(0xa3, 0x0c, 0, 0, 0, 0, LENGTH, 0, 0);
    uint32_t length = command.data_in.length_bytes;
    memcpy(all, command.data_in.bytes, length);
    for (uint32_t at = 4; at < length; at += 8) {
        const uint8_t *each = all + at;
        uint8_t option = each[5] & 1 ? 2 : 1;
        ck_assert_good(0xa3, 0x0c, option, each[0], each[2], each[3], LENGTH, 0, 0);
        const uint8_t *one = command.data_in.bytes;
        ck_assert_uint_eq(one[1], 3);
        ck_assert_uint_eq(u16_at(one + 2), each[7]);
        ck_assert_uint_eq(one[4], each[0]);
        ck_assert_uint_eq(command.data_in.length_bytes, 4u + each[7]);
    }
}
END_TEST

START_TEST(read10_usage_has_dpo_and_fua)
{
    ck_assert_good(0xa3, 0x0c, 1, 0x28, 0, 0, LENGTH, 0, 0);
    ck_assert_data_in(0, 3, 0, 10, 0x28, 0x18, 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0);
}
END_TEST

START_TEST(usage_with_timeouts)
{
    ck_assert_good(0xa3, 0x0c, 0x81, 0x00, 0, 0, LENGTH, 0, 0);
    ck_assert_data_in(0, 0x83, 0, 6, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, REPEAT8(0));
}
END_TEST

START_TEST(usage_of_a_service_action_has_its_code)
{
    ck_assert_good(0xa3, 0x0c, 2, 0x9e, 0, 0x12, LENGTH, 0, 0);
    ck_assert_data_in(0, 3, 0, 16, 0x9e, 0x12, REPEAT8(0xff), 0xff, 0xff, 0xff, 0xff, 0, 0);
}
END_TEST

START_TEST(unknown_opcode_is_not_supported)
{
    ck_assert_good(0xa3, 0x0c, 1, 0x4d, 0, 0, LENGTH, 0, 0);
    ck_assert_data_in(0, 1, 0, 0);
    ck_assert_good(0xa3, 0x0c, 2, 0x4d, 0, 1, LENGTH, 0, 0);
    ck_assert_data_in(0, 1, 0, 0);
}
END_TEST

START_TEST(unknown_service_action_is_not_supported)
{
    ck_assert_good(0xa3, 0x0c, 2, 0x9e, 0, 0x1f, LENGTH, 0, 0);
    ck_assert_data_in(0, 1, 0, 0);
    ck_assert_good(0xa3, 0x0c, 2, 0x9e, 0x01, 0x12, LENGTH, 0, 0);
    ck_assert_data_in(0, 1, 0, 0);
}
END_TEST

START_TEST(opcode_option_with_service_actions_is_refused)
{
    ck_assert_check(0xa3, 0x0c, 1, 0x9e, 0, 0x10, LENGTH, 0, 0);
    ck_assert_bad_cdb(2, 2);
}
END_TEST

START_TEST(action_option_without_service_actions_is_refused)
{
    ck_assert_check(0xa3, 0x0c, 2, 0x28, 0, 0, LENGTH, 0, 0);
    ck_assert_bad_cdb(2, 2);
}
END_TEST

START_TEST(either_option_takes_both_kinds)
{
    ck_assert_good(0xa3, 0x0c, 3, 0x28, 0, 0, LENGTH, 0, 0);
    ck_assert_uint_eq(command.data_in.bytes[1], 3);
    ck_assert_good(0xa3, 0x0c, 3, 0x9e, 0, 0x10, LENGTH, 0, 0);
    ck_assert_uint_eq(command.data_in.bytes[1], 3);
    ck_assert_good(0xa3, 0x0c, 3, 0x28, 0, 1, LENGTH, 0, 0);
    ck_assert_uint_eq(command.data_in.bytes[1], 1);
}
END_TEST

START_TEST(other_options_are_refused)
{
    ck_assert_check(0xa3, 0x0c, 4, 0x28, 0, 0, LENGTH, 0, 0);
    ck_assert_bad_cdb(2, 2);
}
END_TEST

START_TEST(groups_is_one_optimized_port)
{
    ck_assert_good(0xa3, 0x0a, 0, 0, 0, 0, LENGTH, 0, 0);
    ck_assert_data_in(0, 0, 0, 12, 0x00, 0x01, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1);
}
END_TEST

START_TEST(groups_with_extended_header)
{
    ck_assert_good(0xa3, 0x2a, 0, 0, 0, 0, LENGTH, 0, 0);
    ck_assert_data_in(0, 0, 0, 16, 0x10, 0, 0, 0, 0x00, 0x01, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1);
}
END_TEST

START_TEST(groups_in_another_format_are_refused)
{
    ck_assert_check(0xa3, 0x4a, 0, 0, 0, 0, LENGTH, 0, 0);
    ck_assert_bad_cdb(1, 6);
}
END_TEST

START_TEST(functions_short)
{
    ck_assert_good(0xa3, 0x0d, 0, 0, 0, 0, LENGTH, 0, 0);
    ck_assert_data_in(0xda, 0, 0, 0);
}
END_TEST

START_TEST(functions_extended)
{
    ck_assert_good(0xa3, 0x0d, 0x80, 0, 0, 0, LENGTH, 0, 0);
    ck_assert_data_in(0xda, 0, 0, 12, 0, 0, 0, 0, REPEAT8(0));
}
END_TEST

START_TEST(functions_with_little_room_is_refused)
{
    ck_assert_check(0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0);
    ck_assert_bad_cdb(6, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi report");
    TCase *tcase = tcase_create("report");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, luns_is_lun_0);
    tcase_add_test(tcase, luns_with_select_report_2_is_lun_0);
    tcase_add_test(tcase, luns_has_no_well_known_ones);
    tcase_add_test(tcase, luns_with_other_select_report_is_refused);
    tcase_add_test(tcase, luns_with_little_room_is_cut);
    tcase_add_test(tcase, luns_answers_at_an_absent_lun);
    tcase_add_test(tcase, all_opcodes_have_eight_bytes_each);
    tcase_add_test(tcase, all_opcodes_with_timeouts_have_twenty);
    tcase_add_test(tcase, all_opcodes_mark_service_actions);
    tcase_add_test(tcase, all_opcodes_ascend);
    tcase_add_test(tcase, every_opcode_is_reported_alone);
    tcase_add_test(tcase, read10_usage_has_dpo_and_fua);
    tcase_add_test(tcase, usage_with_timeouts);
    tcase_add_test(tcase, usage_of_a_service_action_has_its_code);
    tcase_add_test(tcase, unknown_opcode_is_not_supported);
    tcase_add_test(tcase, unknown_service_action_is_not_supported);
    tcase_add_test(tcase, opcode_option_with_service_actions_is_refused);
    tcase_add_test(tcase, action_option_without_service_actions_is_refused);
    tcase_add_test(tcase, either_option_takes_both_kinds);
    tcase_add_test(tcase, other_options_are_refused);
    tcase_add_test(tcase, groups_is_one_optimized_port);
    tcase_add_test(tcase, groups_with_extended_header);
    tcase_add_test(tcase, groups_in_another_format_are_refused);
    tcase_add_test(tcase, functions_short);
    tcase_add_test(tcase, functions_extended);
    tcase_add_test(tcase, functions_with_little_room_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
