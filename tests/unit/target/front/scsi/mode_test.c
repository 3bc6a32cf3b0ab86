/* SPDX-License-Identifier: Apache-2.0 */
/* MODE SENSE and MODE SELECT: pages, headers, block descriptors, and what can be changed. */
#include "tests/unit/target/front/scsi/fixture.h"

#define CACHING    0x08, 0x12, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define CONTROL    0x0a, 0x0a, 0x02, 0x10, 0, 0, 0, 0, 0, 0, 0, 0
#define EXCEPTIONS 0x1c, 0x0a, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define BLOCKS     0, 0, 0x10, 0, 0, 0, 2, 0 /* 4096 of 512 bytes */

START_TEST(sense6_caching_page_has_write_cache)
{
    ck_assert_good(0x1a, 0x08, 0x08, 0, 0xff, 0);
    ck_assert_data_in(23, 0, 0x10, 0, CACHING);
}
END_TEST

START_TEST(sense6_control_page)
{
    ck_assert_good(0x1a, 0x08, 0x0a, 0, 0xff, 0);
    ck_assert_data_in(15, 0, 0x10, 0, CONTROL);
}
END_TEST

START_TEST(sense6_informational_exceptions_page)
{
    ck_assert_good(0x1a, 0x08, 0x1c, 0, 0xff, 0);
    ck_assert_data_in(15, 0, 0x10, 0, EXCEPTIONS);
}
END_TEST

START_TEST(sense6_all_pages_with_block_descriptor)
{
    ck_assert_good(0x1a, 0, 0x3f, 0, 0xff, 0);
    ck_assert_data_in(55, 0, 0x10, 8, BLOCKS, CACHING, CONTROL, EXCEPTIONS);
}
END_TEST

START_TEST(sense6_all_subpages_are_the_pages)
{
    ck_assert_good(0x1a, 0x08, 0x3f, 0xff, 0xff, 0);
    ck_assert_data_in(47, 0, 0x10, 0, CACHING, CONTROL, EXCEPTIONS);
}
END_TEST

START_TEST(sense6_cut_tells_the_whole_length)
{
    ck_assert_good(0x1a, 0, 0x3f, 0, 4, 0);
    ck_assert_data_in(55, 0, 0x10, 8);
}
END_TEST

START_TEST(sense6_default_values_are_the_current_ones)
{
    ck_assert_good(0x1a, 0x08, 0x88, 0, 0xff, 0);
    ck_assert_data_in(23, 0, 0x10, 0, CACHING);
}
END_TEST

START_TEST(sense6_sense_format_and_protection_are_changeable)
{
    ck_assert_good(0x1a, 0x08, 0x4a, 0, 0xff, 0);
    ck_assert_data_in(15, 0, 0x10, 0, 0x0a, 0x0a, 0x04, 0, 0x08, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_good(0x1a, 0x08, 0x48, 0, 0xff, 0);
    ck_assert_data_in(23, 0, 0x10, 0, 0x08, 0x12, REPEAT8(0), REPEAT8(0), 0, 0);
}
END_TEST

START_TEST(sense6_saved_values_do_not_exist)
{
    ck_assert_check(0x1a, 0, 0xc8, 0, 0xff, 0);
    ck_assert_sense(0x05, 0x3900);
}
END_TEST

START_TEST(sense6_unknown_page_is_refused)
{
    ck_assert_check(0x1a, 0, 0x1d, 0, 0xff, 0);
    ck_assert_bad_cdb(2, 5);
}
END_TEST

START_TEST(sense6_unknown_subpage_is_refused)
{
    ck_assert_check(0x1a, 0, 0x0a, 0x01, 0xff, 0);
    ck_assert_bad_cdb(3, 7);
}
END_TEST

START_TEST(sense6_read_only_is_write_protected)
{
    export.read_only = true;
    ck_assert_good(0x1a, 0x08, 0x0a, 0, 4, 0);
    ck_assert_data_in(15, 0, 0x90, 0);
}
END_TEST

START_TEST(sense10_short_block_descriptor)
{
    ck_assert_good(0x5a, 0, 0x08, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 34, 0, 0x10, 0, 0, 0, 8, BLOCKS, CACHING);
}
END_TEST

START_TEST(sense10_long_block_descriptor)
{
    ck_assert_good(0x5a, 0x10, 0x0a, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 34, 0, 0x10, 1, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 2,
                      0, CONTROL);
}
END_TEST

START_TEST(sense10_without_block_descriptor)
{
    ck_assert_good(0x5a, 0x18, 0x0a, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 18, 0, 0x10, 0, 0, 0, 0, CONTROL);
}
END_TEST

START_TEST(short_block_descriptor_of_a_large_unit_is_all_ones)
{
    export.size_bytes = (uint64_t)3 << 40;
    ck_assert_good(0x1a, 0, 0x0a, 0, 12, 0);
    ck_assert_data_in(23, 0, 0x10, 8, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0);
}
END_TEST

static enum scsi_status select6(const uint8_t *list, size_t length)
{
    data_out_set(list, length);
    return run(BYTES(0x15, 0x10, 0, 0, (uint8_t)length, 0));
}

static enum scsi_status select10(const uint8_t *list, size_t length)
{
    data_out_set(list, length);
    return run(BYTES(0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)length, 0));
}

START_TEST(select6_takes_what_sense_gave)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0x10, 8, BLOCKS, CACHING, CONTROL, EXCEPTIONS)),
                     SCSI_GOOD);
    ck_assert_uint_eq(command.expected_bytes, 56);
}
END_TEST

START_TEST(select10_takes_what_sense_gave)
{
    ck_assert_int_eq(select10(BYTES(0, 0, 0, 0x10, 1, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0,
                                    0, 0, 0, 2, 0, CONTROL)),
                     SCSI_GOOD);
}
END_TEST

START_TEST(select6_parameters_saveable_bit_is_ignored)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 0, 0x8a, 0x0a, 0x02, 0x10, 0, 0, 0, 0, 0, 0, 0, 0)),
                     SCSI_GOOD);
}
END_TEST

START_TEST(select6_empty_list_is_good)
{
    ck_assert_good(0x15, 0x10, 0, 0, 0, 0);
}
END_TEST

START_TEST(select6_saving_is_refused)
{
    ck_assert_check(0x15, 0x11, 0, 0, 0, 0);
    ck_assert_bad_cdb(1, 0);
}
END_TEST

START_TEST(select6_write_cache_cannot_be_turned_off)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 0, 0x08, 0x12, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                   0, 0, 0, 0, 0)),
                     SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(6, 2);
}
END_TEST

START_TEST(select6_unknown_page_is_refused)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 0, 0x1d, 0x02, 0, 0)), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(4, 6);
}
END_TEST

START_TEST(select6_wrong_page_length_is_refused)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 0, 0x0a, 0x02, 0, 0)), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(5, 7);
}
END_TEST

START_TEST(select6_cut_page_is_a_length_error)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 0, 0x0a, 0x0a, 0x02)), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(select6_page_code_alone_is_a_length_error)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 0, 0x0a)), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(select6_cut_header_is_a_length_error)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0)), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(select6_less_data_than_the_list_is_a_length_error)
{
    data_out_set(BYTES(0, 0, 0, 0));
    ck_assert_check(0x15, 0x10, 0, 0, 16, 0);
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(select6_other_block_length_is_refused)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x10, 0)), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(4, 7);
}
END_TEST

START_TEST(select_ignores_the_block_count)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 2, 0)), SCSI_GOOD);
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 2, 0)), SCSI_GOOD);
    ck_assert_int_eq(
        select10(BYTES(0, 0, 0, 0, 1, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0)),
        SCSI_GOOD);
}
END_TEST

START_TEST(select6_descriptor_of_another_size_is_refused)
{
    ck_assert_int_eq(select6(BYTES(0, 0, 0, 4, 0, 0, 2, 0)), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(3, 7);
}
END_TEST

START_TEST(select10_short_descriptor_marked_long_is_refused)
{
    ck_assert_int_eq(select10(BYTES(0, 0, 0, 0, 1, 0, 0, 8, BLOCKS)), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(6, 7);
}
END_TEST

#define CONTROL_WITH(sense, protection)                                                            \
    0, 0, 0, 0, 0x0a, 0x0a, 0x02 | (sense), 0x10, protection, 0, 0, 0, 0, 0, 0, 0

START_TEST(sense_data_may_have_descriptors)
{
    ck_assert_int_eq(select6(BYTES(CONTROL_WITH(0x04, 0))), SCSI_GOOD);
    ck_assert_check(0x28, 0, 0xff, 0, 0, 0, 0, 0, 1, 0);
    static const uint8_t want[] = {0x72, 0x05, 0x21, 0, 0, 0, 0,    0x0c, 0, 0x0a,
                                   0x80, 0,    0,    0, 0, 0, 0xff, 0,    0, 0};
    ck_assert_uint_eq(command.sense_bytes, sizeof(want));
    ck_assert_mem_eq(command.sense, want, sizeof(want));
    ck_assert_good(0x1a, 0x08, 0x0a, 0, 0xff, 0);
    ck_assert_uint_eq(command.data_in.bytes[4 + 2], 0x06);
    ck_assert_good(0x1a, 0x08, 0x8a, 0, 0xff, 0);
    ck_assert_uint_eq(command.data_in.bytes[4 + 2], 0x02);
    ck_assert_int_eq(select6(BYTES(CONTROL_WITH(0, 0))), SCSI_GOOD);
    ck_assert_check(0x28, 0, 0xff, 0, 0, 0, 0, 0, 1, 0);
    ck_assert_sense(0x05, 0x2100);
}
END_TEST

START_TEST(protection_refuses_writes_after_a_flush)
{
    ck_assert_int_eq(select6(BYTES(CONTROL_WITH(0, 0x08))), SCSI_GOOD);
    ck_assert_uint_eq(steps, 1);
    ck_assert_int_eq(requests[0].op, BLOCK_FLUSH);
    data_out_fill(1, 512);
    ck_assert_check(0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    ck_assert_sense(0x07, 0x2702);
    ck_assert_good(0x1a, 0x08, 0x08, 0, 0xff, 0);
    ck_assert_uint_eq(command.data_in.bytes[2], 0x90);
    ck_assert_int_eq(select6(BYTES(CONTROL_WITH(0, 0))), SCSI_GOOD);
    ck_assert_uint_eq(steps, 0);
    data_out_fill(1, 512);
    ck_assert_good(0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0);
}
END_TEST

START_TEST(bad_page_behind_a_good_one_changes_nothing)
{
    ck_assert_int_eq(select6(BYTES(CONTROL_WITH(0x04, 0), 0x05, 0)), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(16, 6);
    ck_assert(!unit.descriptor_sense);
}
END_TEST

START_TEST(change_is_told_to_the_others)
{
    attach(NEXUS);
    attach(NEXUS + 1);
    ck_assert_check(0x00, 0, 0, 0, 0, 0);
    ck_assert_int_eq(select6(BYTES(CONTROL_WITH(0, 0))), SCSI_GOOD);
    ck_assert_uint_eq(nexuses[NEXUS + 1].attention_count, 1);
    nexuses[NEXUS + 1].attention_count = 0;
    ck_assert_int_eq(select6(BYTES(CONTROL_WITH(0x04, 0))), SCSI_GOOD);
    ck_assert_good(0x00, 0, 0, 0, 0, 0);
    as(NEXUS + 1);
    ck_assert_check(0x00, 0, 0, 0, 0, 0);
    ck_assert_mem_eq(command.sense, ((const uint8_t[]){0x72, 0x06, 0x2a, 0x01}), 4);
}
END_TEST

START_TEST(reset_brings_the_defaults_back)
{
    ck_assert_int_eq(select6(BYTES(CONTROL_WITH(0x04, 0x08))), SCSI_GOOD);
    scsi_unit_reset(&unit, SCSI_UA_LUN_RESET);
    ck_assert_good(0x1a, 0x08, 0x0a, 0, 0xff, 0);
    ck_assert_data_in(15, 0, 0x10, 0, CONTROL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi mode");
    TCase *tcase = tcase_create("mode");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, sense6_caching_page_has_write_cache);
    tcase_add_test(tcase, sense6_control_page);
    tcase_add_test(tcase, sense6_informational_exceptions_page);
    tcase_add_test(tcase, sense6_all_pages_with_block_descriptor);
    tcase_add_test(tcase, sense6_all_subpages_are_the_pages);
    tcase_add_test(tcase, sense6_cut_tells_the_whole_length);
    tcase_add_test(tcase, sense6_default_values_are_the_current_ones);
    tcase_add_test(tcase, sense6_sense_format_and_protection_are_changeable);
    tcase_add_test(tcase, sense6_saved_values_do_not_exist);
    tcase_add_test(tcase, sense_data_may_have_descriptors);
    tcase_add_test(tcase, protection_refuses_writes_after_a_flush);
    tcase_add_test(tcase, bad_page_behind_a_good_one_changes_nothing);
    tcase_add_test(tcase, change_is_told_to_the_others);
    tcase_add_test(tcase, reset_brings_the_defaults_back);
    tcase_add_test(tcase, sense6_unknown_page_is_refused);
    tcase_add_test(tcase, sense6_unknown_subpage_is_refused);
    tcase_add_test(tcase, sense6_read_only_is_write_protected);
    tcase_add_test(tcase, sense10_short_block_descriptor);
    tcase_add_test(tcase, sense10_long_block_descriptor);
    tcase_add_test(tcase, sense10_without_block_descriptor);
    tcase_add_test(tcase, short_block_descriptor_of_a_large_unit_is_all_ones);
    tcase_add_test(tcase, select6_takes_what_sense_gave);
    tcase_add_test(tcase, select10_takes_what_sense_gave);
    tcase_add_test(tcase, select6_parameters_saveable_bit_is_ignored);
    tcase_add_test(tcase, select6_empty_list_is_good);
    tcase_add_test(tcase, select6_saving_is_refused);
    tcase_add_test(tcase, select6_write_cache_cannot_be_turned_off);
    tcase_add_test(tcase, select6_unknown_page_is_refused);
    tcase_add_test(tcase, select6_wrong_page_length_is_refused);
    tcase_add_test(tcase, select6_cut_page_is_a_length_error);
    tcase_add_test(tcase, select6_page_code_alone_is_a_length_error);
    tcase_add_test(tcase, select6_cut_header_is_a_length_error);
    tcase_add_test(tcase, select6_less_data_than_the_list_is_a_length_error);
    tcase_add_test(tcase, select6_other_block_length_is_refused);
    tcase_add_test(tcase, select_ignores_the_block_count);
    tcase_add_test(tcase, select6_descriptor_of_another_size_is_refused);
    tcase_add_test(tcase, select10_short_descriptor_marked_long_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
