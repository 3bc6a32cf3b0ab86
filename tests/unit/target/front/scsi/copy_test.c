/* SPDX-License-Identifier: Apache-2.0 */
/* EXTENDED COPY. */
#include "tests/unit/target/front/scsi/copying.h"

enum { HOLD = 0, DISCARD = 2, UNLISTED = 3 };

/* COPY ABORTED, at this segment. */
#define ck_assert_aborted(asc, segment)                                                            \
    do {                                                                                           \
        ck_assert_sense(0x0a, asc);                                                                \
        ck_assert_uint_eq(u16_at(command.sense + 10), segment);                                    \
    } while (0)

START_TEST(copy_of_no_list_is_good)
{
    ck_assert_good(COPY(0));
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(copies_a_segment)
{
    memset(disk, 0xab, 16 * 512);
    list_set(1, DISCARD, 1, SEGMENTS({16, 0, 100}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    ck_assert(disk_is(100 * 512, 0xab, 16 * 512) && disk_is(116 * 512, 0, 512));
    ck_assert_uint_eq(steps, 2);
    ck_assert_int_eq(requests[0].op, BLOCK_READ);
    ck_assert_int_eq(requests[1].op, BLOCK_WRITE);
}
END_TEST

START_TEST(copies_in_logical_blocks)
{
    memset(disk, 0xab, 4096);
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 2}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    ck_assert(disk_is(2 * 4096, 0xab, 4096) && disk_is(3 * 4096, 0, 4096));
}
END_TEST

START_TEST(copies_segments_in_their_order)
{
    memset(disk, 0xab, 512);
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}, {0, 0, 0}, {1, 100, 200}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    ck_assert(disk_is(200 * 512, 0xab, 512));
    ck_assert_uint_eq(steps, 4);
}
END_TEST

START_TEST(a_long_segment_goes_in_pieces)
{
    memset(disk, 0xab, 3000 * 512);
    list_set(1, DISCARD, 1, SEGMENTS({3000, 0, 1096}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    ck_assert_uint_eq(steps, 4);
    ck_assert_uint_eq(requests[0].length_bytes, PAYLOAD_BYTES_MAX);
    ck_assert_uint_eq(requests[2].length_bytes, 3000 * 512 - PAYLOAD_BYTES_MAX);
    ck_assert(disk_is(0, 0xab, DISK_BYTES));
}
END_TEST

START_TEST(zeros_are_copied_as_a_hole)
{
    memset(disk + 100 * 512, 0xab, 512);
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    ck_assert_int_eq(requests[1].op, BLOCK_ZERO);
    ck_assert_uint_eq(requests[1].flags, 0);
    ck_assert(disk_is(100 * 512, 0, 512));
}
END_TEST

START_TEST(a_list_that_is_cut_is_refused)
{
    for (uint32_t cut = 1; cut < LIST_HEADER + LIST_DEVICE + LIST_SEGMENT; cut++) {
        list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
        command.cdb[13] = (uint8_t)(command.cdb[13] - cut);
        ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
        ck_assert_sense(0x05, 0x1a00);
    }
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    command.data_out.length_bytes--;
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(lists_that_are_no_multiple_are_refused)
{
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    command.data_out.bytes[3]--;
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x1a00);
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    command.data_out.bytes[11]--;
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(list_lengths_do_not_wrap)
{
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    memset(command.data_out.bytes + 8, 0xff, 4);
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(inline_data_is_refused)
{
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    command.data_out.bytes[15] = 1;
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x260b);
}
END_TEST

START_TEST(more_descriptors_than_told_are_refused)
{
    struct segment segments[17] = {{0}};
    list_set(1, DISCARD, 9, segments, 1);
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2606);
    list_set(1, DISCARD, 1, segments, 17);
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2608);
    list_set(1, DISCARD, 9, segments, 17);
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x1a00);
    list_set(1, DISCARD, 8, segments, 16);
    ck_assert_int_eq(run_on(), SCSI_GOOD);
}
END_TEST

START_TEST(other_types_of_descriptors_are_refused)
{
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    command.data_out.bytes[LIST_HEADER] = 0xe0;
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2607);
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    command.data_out.bytes[LIST_HEADER + LIST_DEVICE] = 0x03;
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2609);
}
END_TEST

START_TEST(another_unit_cannot_be_reached)
{
    static const uint8_t at[] = {1, 4, 5, 7, 8, 15}; /* type, designator */
    for (size_t i = 0; i < sizeof(at); i++) {
        list_set(1, DISCARD, 2, SEGMENTS({1, 0, 100}));
        command.data_out.bytes[LIST_HEADER + LIST_DEVICE + at[i]] ^= 1;
        ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
        ck_assert_sense(0x0a, 0x0d02);
        ck_assert_uint_eq(steps, 0);
    }
}
END_TEST

START_TEST(another_block_length_is_refused)
{
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    command.data_out.bytes[LIST_HEADER + 30] = 0x10;
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(LIST_HEADER + 29, 7);
}
END_TEST

START_TEST(a_block_length_that_is_not_told_is_the_units)
{
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 100}));
    command.data_out.bytes[LIST_HEADER + 30] = 0;
    ck_assert_int_eq(run_on(), SCSI_GOOD);
}
END_TEST

START_TEST(a_segment_of_no_descriptor_is_aborted)
{
    for (uint32_t at = 5; at <= 7; at += 2) {
        list_set(1, DISCARD, 1, SEGMENTS({1, 0, 50}, {1, 0, 100}));
        command.data_out.bytes[LIST_HEADER + LIST_DEVICE + LIST_SEGMENT + at] = 1;
        ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
        ck_assert_aborted(0x0804, 1);
        ck_assert_uint_eq(steps, 0);
    }
}
END_TEST

START_TEST(a_segment_out_of_range_is_aborted_before_anything_is_written)
{
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 50}, {2, 0, 0xfff}));
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_aborted(0x0000, 1);
    ck_assert_uint_eq(steps, 0);
    list_set(1, DISCARD, 1, SEGMENTS({2, 0xffffffffffffffff, 0}));
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_aborted(0x0000, 0);
    list_set(1, DISCARD, 1, SEGMENTS({0x1001, 0, 0}));
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_aborted(0x0000, 0);
}
END_TEST

START_TEST(segments_have_a_limit)
{
    list_set(1, DISCARD, 1, SEGMENTS({0x8001, 0, 0}));
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(LIST_HEADER + LIST_DEVICE + 10, 7);
}
END_TEST

START_TEST(list_identifiers_are_used_as_they_may)
{
    list_set(1, 1, 1, SEGMENTS({1, 0, 100}));
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(1, 7);
    list_set(1, UNLISTED, 1, SEGMENTS({1, 0, 100}));
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(0, 7);
}
END_TEST

START_TEST(an_error_tells_the_segment)
{
    list_set(1, HOLD, 1, SEGMENTS({0, 0, 0}, {1, 0, 50}));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    command.block.status = -EIO;
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    ck_assert_aborted(0x1100, 1);
    ck_assert_uint_eq(command.sense[0], 0x70);
    ck_assert_good(COPY_STATUS(1));
    ck_assert_uint_eq(command.data_in.bytes[4], 2);
}
END_TEST

START_TEST(an_error_tells_what_is_left_of_the_segment)
{
    memset(disk, 0xab, 3000 * 512);
    list_set(1, DISCARD, 1, SEGMENTS({3000, 0, 1096}));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    disk_execute(&command.block);
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_BLOCK);
    disk_execute(&command.block);
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_BLOCK);
    command.block.status = -EIO;
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    ck_assert_aborted(0x1100, 0);
    ck_assert_uint_eq(command.sense[0], 0xf0);
    ck_assert_uint_eq(u16_at(command.sense + 5), 3000 - PAYLOAD_BYTES_MAX / 512);
}
END_TEST

START_TEST(a_write_that_finds_no_space_gives_its_buffer_back)
{
    memset(disk, 0xab, 512);
    list_set(1, DISCARD, 1, SEGMENTS({1, 0, 50}));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    disk_execute(&command.block);
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_BLOCK);
    command.block.status = -ENOSPC;
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    ck_assert_aborted(0x2707, 0);
    ck_assert_ptr_null(command.scratch.buf);
}
END_TEST

/* A copy that has read its first piece, of `fill`. */
static void copy_read(uint8_t list_id)
{
    memset(disk, 0xab, 512);
    list_set(list_id, HOLD, 1, SEGMENTS({1, 0, 50}));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    disk_execute(&command.block);
}

START_TEST(a_reservation_made_meanwhile_ends_it)
{
    copy_read(1);
    unit.reserved_by = &nexuses[3];
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    ck_assert_aborted(0x0d01, 0);
    ck_assert(disk_is(50 * 512, 0, 512));
}
END_TEST

START_TEST(reserved_by_others_is_a_conflict)
{
    unit.reserved_by = &nexuses[3];
    list_set(1, HOLD, 1, SEGMENTS({1, 0, 50}));
    ck_assert_int_eq(run_on(), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(write_protected_units_refuse)
{
    unit.write_protected = true;
    list_set(1, HOLD, 1, SEGMENTS({1, 0, 50}));
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x07, 0x2702);
}
END_TEST

START_TEST(a_dropped_one_is_forgotten_with_its_buffer)
{
    copy_read(1);
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_BLOCK);
    scsi_drop(&command);
    ck_assert_check(COPY_STATUS(1));
    ck_assert_bad_cdb(2, 7);
}
END_TEST

START_TEST(a_list_identifier_in_use_is_refused)
{
    copy_read(1);
    struct scsi_command first = command;
    command.data_out = (struct slice){0};
    list_set(1, HOLD, 1, SEGMENTS({1, 0, 50}));
    ck_assert_int_eq(run_on(), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x0016);
    scsi_drop(&first);
    slice_release(&first.data_out);
    list_set(1, HOLD, 1, SEGMENTS({1, 0, 50}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
}
END_TEST

START_TEST(more_copies_at_once_than_told_find_the_task_set_full)
{
    struct scsi_command others[SCSI_COPIES_MAX];
    for (uint32_t i = 0; i < SCSI_COPIES_MAX; i++) {
        copy_read((uint8_t)i);
        others[i] = command;
        command.data_out = (struct slice){0};
    }
    list_set(100, HOLD, 1, SEGMENTS({1, 0, 50}));
    ck_assert_int_eq(run_on(), SCSI_TASK_SET_FULL);
    as(5);
    ck_assert_int_eq(run_on(), SCSI_GOOD); /* it is a limit of each nexus */
    for (uint32_t i = 0; i < SCSI_COPIES_MAX; i++) {
        scsi_drop(&others[i]);
        slice_release(&others[i].data_out);
    }
}
END_TEST

START_TEST(what_is_over_makes_room)
{
    for (uint32_t i = 0; i < 3 * SCSI_COPIES_MAX; i++) {
        list_set((uint8_t)i, HOLD, 1, SEGMENTS({1, 0, 50}));
        ck_assert_int_eq(run_on(), SCSI_GOOD);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi copy");
    TCase *tcase = tcase_create("extended copy");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, copy_of_no_list_is_good);
    tcase_add_test(tcase, copies_a_segment);
    tcase_add_test(tcase, copies_segments_in_their_order);
    tcase_add_test(tcase, a_long_segment_goes_in_pieces);
    tcase_add_test(tcase, zeros_are_copied_as_a_hole);
    tcase_add_test(tcase, a_list_that_is_cut_is_refused);
    tcase_add_test(tcase, lists_that_are_no_multiple_are_refused);
    tcase_add_test(tcase, list_lengths_do_not_wrap);
    tcase_add_test(tcase, inline_data_is_refused);
    tcase_add_test(tcase, more_descriptors_than_told_are_refused);
    tcase_add_test(tcase, other_types_of_descriptors_are_refused);
    tcase_add_test(tcase, another_unit_cannot_be_reached);
    tcase_add_test(tcase, another_block_length_is_refused);
    tcase_add_test(tcase, a_block_length_that_is_not_told_is_the_units);
    tcase_add_test(tcase, a_segment_of_no_descriptor_is_aborted);
    tcase_add_test(tcase, a_segment_out_of_range_is_aborted_before_anything_is_written);
    tcase_add_test(tcase, segments_have_a_limit);
    tcase_add_test(tcase, list_identifiers_are_used_as_they_may);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("under way");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, an_error_tells_the_segment);
    tcase_add_test(tcase, an_error_tells_what_is_left_of_the_segment);
    tcase_add_test(tcase, a_write_that_finds_no_space_gives_its_buffer_back);
    tcase_add_test(tcase, a_reservation_made_meanwhile_ends_it);
    tcase_add_test(tcase, reserved_by_others_is_a_conflict);
    tcase_add_test(tcase, write_protected_units_refuse);
    tcase_add_test(tcase, a_dropped_one_is_forgotten_with_its_buffer);
    tcase_add_test(tcase, a_list_identifier_in_use_is_refused);
    tcase_add_test(tcase, more_copies_at_once_than_told_find_the_task_set_full);
    tcase_add_test(tcase, what_is_over_makes_room);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("blocks of 4096");
    tcase_add_checked_fixture(tcase, setup_4096, teardown);
    tcase_add_test(tcase, copies_in_logical_blocks);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
