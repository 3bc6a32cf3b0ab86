/* SPDX-License-Identifier: Apache-2.0 */
/* UNMAP and WRITE SAME. */
#include "tests/unit/target/front/scsi/fixture.h"

#define UNMAP(length)          0x42, 0, 0, 0, 0, 0, 0, (length) >> 8, (length)&0xff, 0
#define DESCRIPTOR(lba, count) 0, 0, 0, 0, 0, 0, (lba) >> 8, (lba)&0xff, 0, 0, 0, count, 0, 0, 0, 0
#define SAME10(flags, lba, count)                                                                  \
    0x41, flags, 0, 0, (lba) >> 8, (lba)&0xff, 0, (count) >> 8, (count)&0xff, 0
#define SAME16(flags, lba, count)                                                                  \
    0x93, flags, 0, 0, 0, 0, 0, 0, (lba) >> 8, (lba)&0xff, 0, ((count) >> 16) & 0xff,              \
        ((count) >> 8) & 0xff, (count)&0xff, 0, 0

START_TEST(unmap_zeros_the_range)
{
    memset(disk, 0xcd, sizeof(disk));
    data_out_set(BYTES(0, 22, 0, 16, 0, 0, 0, 0, DESCRIPTOR(8, 16)));
    ck_assert_good(UNMAP(24));
    ck_assert_uint_eq(steps, 1);
    ck_assert_int_eq(requests[0].op, BLOCK_ZERO);
    ck_assert_uint_eq(requests[0].flags, 0);
    ck_assert(disk_is(8 * 512, 0, 16 * 512));
    ck_assert(disk_is(0, 0xcd, 8 * 512) && disk_is(24 * 512, 0xcd, 512));
    ck_assert_uint_eq(command.expected_bytes, 24);
}
END_TEST

START_TEST(unmap_takes_one_request_a_descriptor)
{
    data_out_set(
        BYTES(0, 54, 0, 48, 0, 0, 0, 0, DESCRIPTOR(8, 16), DESCRIPTOR(99, 0), DESCRIPTOR(40, 1)));
    ck_assert_good(UNMAP(56));
    ck_assert_uint_eq(steps, 2);
    ck_assert_uint_eq(requests[0].offset_bytes, 8 * 512);
    ck_assert_uint_eq(requests[1].offset_bytes, 40 * 512);
    ck_assert_uint_eq(requests[1].length_bytes, 512);
}
END_TEST

START_TEST(unmap_of_256_descriptors_is_good)
{
    data_out_fill(0, 8 + 256 * 16);
    memcpy(command.data_out.bytes, (const uint8_t[]){0x10, 0x06, 0x10, 0x00}, 4);
    for (uint32_t i = 0; i < 256; i++) {
        command.data_out.bytes[8 + 16 * i + 7] = (uint8_t)i;
        command.data_out.bytes[8 + 16 * i + 11] = 1;
    }
    ck_assert_good(UNMAP(8 + 256 * 16));
    ck_assert_uint_eq(steps, 256);
}
END_TEST

START_TEST(unmap_of_257_descriptors_is_refused)
{
    data_out_fill(0, 8 + 257 * 16);
    memcpy(command.data_out.bytes, (const uint8_t[]){0x10, 0x16, 0x10, 0x10}, 4);
    ck_assert_check(UNMAP(8 + 257 * 16));
    ck_assert_bad_parameter(2, 7);
}
END_TEST

START_TEST(unmap_out_of_range_does_nothing)
{
    data_out_set(BYTES(0, 38, 0, 32, 0, 0, 0, 0, DESCRIPTOR(8, 16), DESCRIPTOR(0xfff, 2)));
    ck_assert_check(UNMAP(40));
    ck_assert_bad_lba(0x1000);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(unmap_of_the_last_lba_does_not_wrap)
{
    data_out_set(BYTES(0, 22, 0, 16, 0, 0, 0, 0, REPEAT8(0xff), 0, 0, 0, 2, 0, 0, 0, 0));
    ck_assert_check(UNMAP(24));
    ck_assert_sense(0x05, 0x2100);
}
END_TEST

START_TEST(unmap_of_nothing_at_the_end_is_good)
{
    data_out_set(BYTES(0, 22, 0, 16, 0, 0, 0, 0, DESCRIPTOR(0x1000, 0)));
    ck_assert_good(UNMAP(24));
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(unmap_without_descriptors_is_good)
{
    data_out_set(BYTES(0, 6, 0, 0, 0, 0, 0, 0));
    ck_assert_good(UNMAP(8));
}
END_TEST

START_TEST(unmap_without_a_list_is_good)
{
    ck_assert_good(UNMAP(0));
}
END_TEST

START_TEST(unmap_ignores_a_cut_descriptor)
{
    data_out_set(BYTES(0, 30, 0, 24, 0, 0, 0, 0, DESCRIPTOR(8, 16), REPEAT8(0)));
    ck_assert_good(UNMAP(32));
    ck_assert_uint_eq(steps, 1);
}
END_TEST

START_TEST(unmap_ignores_descriptors_beyond_the_list)
{
    data_out_set(BYTES(0, 54, 0, 48, 0, 0, 0, 0, DESCRIPTOR(8, 16), DESCRIPTOR(0xfff, 2)));
    ck_assert_good(UNMAP(24));
    ck_assert_uint_eq(steps, 1);
    ck_assert_good(UNMAP(39));
    ck_assert_uint_eq(steps, 1);
    ck_assert_good(UNMAP(8));
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(unmap_cut_header_is_a_length_error)
{
    data_out_set(BYTES(0, 0, 0, 0));
    ck_assert_check(UNMAP(4));
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(unmap_less_data_than_the_list_is_a_length_error)
{
    data_out_set(BYTES(0, 22, 0, 16, 0, 0, 0, 0));
    ck_assert_check(UNMAP(24));
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(unmap_anchor_is_refused)
{
    ck_assert_check(0x42, 0x01, 0, 0, 0, 0, 0, 0, 0, 0);
    ck_assert_bad_cdb(1, 0);
}
END_TEST

START_TEST(unmap_stops_at_the_first_error)
{
    data_out_set(BYTES(0, 38, 0, 32, 0, 0, 0, 0, DESCRIPTOR(8, 16), DESCRIPTOR(40, 1)));
    ck_assert_int_eq(run_failing(-EIO, BYTES(UNMAP(40))), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x03, 0x0c00);
}
END_TEST

START_TEST(same_writes_the_block_everywhere)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(SAME10(0, 8, 16));
    ck_assert_uint_eq(steps, 1);
    ck_assert_int_eq(requests[0].op, BLOCK_WRITE);
    ck_assert(disk_is(8 * 512, 0xcd, 16 * 512));
    ck_assert(disk_is(0, 0, 8 * 512) && disk_is(24 * 512, 0, 512));
    ck_assert_uint_eq(command.expected_bytes, 512);
}
END_TEST

START_TEST(same_keeps_the_block_in_phase)
{
    data_out_fill(0, 512);
    command.data_out.bytes[511] = 1;
    ck_assert_good(SAME16(0, 8, 3));
    for (int i = 8; i < 11; i++)
        ck_assert(disk_is((uint64_t)i * 512, 0, 511) && disk[i * 512 + 511] == 1);
}
END_TEST

START_TEST(same_of_a_long_range_goes_in_pieces)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(SAME16(0, 8, 3000));
    ck_assert_uint_eq(steps, 2);
    ck_assert_uint_eq(requests[0].length_bytes, 1u << 20);
    ck_assert_uint_eq(requests[1].offset_bytes, 8 * 512 + (1u << 20));
    ck_assert_uint_eq(requests[1].length_bytes, 3000 * 512 - (1u << 20));
    ck_assert(disk_is(8 * 512, 0xcd, 3000 * 512));
    ck_assert(disk_is(3008 * 512, 0, 512));
}
END_TEST

START_TEST(same_of_zeros_keeps_the_space)
{
    data_out_fill(0, 512);
    ck_assert_good(SAME10(0, 8, 4000));
    ck_assert_uint_eq(steps, 1);
    ck_assert_int_eq(requests[0].op, BLOCK_ZERO);
    ck_assert_uint_eq(requests[0].flags, BLOCK_NO_HOLE);
    ck_assert_uint_eq(requests[0].length_bytes, 4000 * 512);
}
END_TEST

START_TEST(same_of_zeros_with_unmap_gives_the_space_back)
{
    data_out_fill(0, 512);
    ck_assert_good(SAME10(0x08, 8, 16));
    ck_assert_int_eq(requests[0].op, BLOCK_ZERO);
    ck_assert_uint_eq(requests[0].flags, 0);
}
END_TEST

START_TEST(same_of_anything_else_with_unmap_writes)
{
    data_out_fill(0xa6, 512);
    ck_assert_good(SAME10(0x08, 8, 16));
    ck_assert_int_eq(requests[0].op, BLOCK_WRITE);
    ck_assert(disk_is(8 * 512, 0xa6, 16 * 512));
}
END_TEST

START_TEST(same16_without_data_is_zeros)
{
    ck_assert_good(SAME16(0x09, 8, 16));
    ck_assert_int_eq(requests[0].op, BLOCK_ZERO);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

START_TEST(same10_has_no_ndob)
{
    ck_assert_check(SAME10(0x01, 8, 16));
    ck_assert_bad_cdb(1, 0);
}
END_TEST

START_TEST(same_anchor_is_refused)
{
    ck_assert_check(SAME16(0x18, 8, 16));
    ck_assert_bad_cdb(1, 4);
}
END_TEST

START_TEST(same_with_wrprotect_is_refused)
{
    ck_assert_check(SAME16(0x20, 8, 16));
    ck_assert_bad_cdb(1, 5);
}
END_TEST

START_TEST(same_of_no_blocks_is_refused)
{
    data_out_fill(0, 512);
    ck_assert_check(SAME10(0, 8, 0));
    ck_assert_bad_cdb(7, 7);
}
END_TEST

START_TEST(same_of_no_blocks_past_the_end_is_out_of_range)
{
    data_out_fill(0, 512);
    ck_assert_check(SAME10(0, 0x1001, 0));
    ck_assert_sense(0x05, 0x2100);
}
END_TEST

START_TEST(same_has_a_limit)
{
    export.size_bytes = (uint64_t)1 << 40;
    data_out_fill(0, 512);
    cdb_set(BYTES(SAME16(0, 0, 0x8000)));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    ck_assert_uint_eq(command.block.length_bytes, 16u << 20);
    scsi_drop(&command);
    ck_assert_check(SAME16(0, 0, 0x8001));
    ck_assert_bad_cdb(10, 7);
}
END_TEST

START_TEST(same_with_the_wrong_amount_of_data_is_refused)
{
    data_out_fill(0, 256);
    ck_assert_check(SAME10(0x08, 8, 16));
    ck_assert_sense(0x05, 0x0e03);
    data_out_fill(0, 1024);
    ck_assert_check(SAME10(0x08, 8, 16));
    ck_assert_sense(0x05, 0x0e03);
}
END_TEST

START_TEST(same_with_more_data_announced_is_refused)
{
    data_out_fill(0, 512);
    command.offered_bytes = 1024;
    ck_assert_check(SAME10(0x08, 8, 16));
    ck_assert_sense(0x05, 0x0e03);
}
END_TEST

START_TEST(same_stops_at_the_first_error)
{
    data_out_fill(0xcd, 512);
    ck_assert_int_eq(run_failing(-ENOSPC, BYTES(SAME16(0, 8, 3000))), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x07, 0x2707);
}
END_TEST

START_TEST(same_dropped_gives_its_buffer_back)
{
    data_out_fill(0xcd, 512);
    cdb_set(BYTES(SAME16(0, 8, 3000)));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    scsi_drop(&command);
    slice_release(&command.data_out);
    ck_assert_uint_eq(pool.used_bytes, 0);
}
END_TEST

START_TEST(lba_status_is_mapped_to_the_end)
{
    ck_assert_good(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 24, 0, 0);
    ck_assert_data_in(0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0x0f, 0xf0, 0, 0, 0,
                      0);
}
END_TEST

START_TEST(lba_status_beyond_the_end_is_refused)
{
    ck_assert_check(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 24, 0, 0);
    ck_assert_sense(0x05, 0x2100);
    ck_assert_check(0x9e, 0x12, REPEAT8(0xff), 0, 0, 0, 24, 0, 0);
    ck_assert_sense(0x05, 0x2100);
}
END_TEST

static void runs_set(const struct block_run *some, uint32_t count)
{
    memcpy(runs, some, count * sizeof(runs[0]));
    run_count = count;
}

START_TEST(lba_status_tells_runs)
{
    runs_set((struct block_run[]){{4096, BLOCK_DATA}, {8192, BLOCK_HOLE}}, 2);
    ck_assert_good(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0x10, 0, 0, 0);
    ck_assert_uint_eq(requests[0].offset_bytes, 8 * 512);
    ck_assert_uint_eq(requests[0].length_bytes, DISK_BYTES - 8 * 512);
    ck_assert_data_in(0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0,
                      0, 0, 0, 0, 0, 16, 0, 0, 0, 16, 1, 0, 0, 0);
}
END_TEST

START_TEST(lba_status_takes_zeros_for_deallocated)
{
    runs_set((struct block_run[]){{4096, BLOCK_ZEROED}, {4096, BLOCK_HOLE}}, 2);
    ck_assert_good(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0);
    ck_assert_data_in(0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 1, 0, 0, 0);
}
END_TEST

START_TEST(lba_status_ends_with_the_unit)
{
    runs_set((struct block_run[]){{(uint64_t)1 << 50, BLOCK_DATA}, {4096, BLOCK_HOLE}}, 2);
    ck_assert_good(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0);
    ck_assert_data_in(0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(lba_status_of_long_runs_takes_several_descriptors)
{
    export.size_bytes = (uint64_t)1 << 42;
    runs_set((struct block_run[]){{(uint64_t)1 << 42, BLOCK_DATA}}, 1);
    cdb_set(BYTES(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    command.block.runs[0] = runs[0];
    command.block.runs_count = 1;
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    ck_assert_uint_eq(command.data_in.length_bytes, 8 + 3 * 16);
    ck_assert_mem_eq(command.data_in.bytes + 8 + 2 * 16, "\0\0\0\1\xff\xff\xff\xfe\0\0\0\2", 12);
}
END_TEST

START_TEST(lba_status_has_room_for_many_runs)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(runs); i++)
        runs[i] = (struct block_run){4096, i % 2 ? BLOCK_DATA : BLOCK_HOLE};
    run_count = ARRAY_COUNT(runs);
    ck_assert_good(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0);
    ck_assert_uint_eq(command.data_in.length_bytes, 8 + 128 * 16);
}
END_TEST

START_TEST(lba_status_that_fails)
{
    ck_assert_int_eq(run_failing(-EIO, BYTES(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0)),
                     SCSI_CHECK_CONDITION);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi provision");
    TCase *tcase = tcase_create("provision");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, unmap_zeros_the_range);
    tcase_add_test(tcase, unmap_takes_one_request_a_descriptor);
    tcase_add_test(tcase, unmap_of_256_descriptors_is_good);
    tcase_add_test(tcase, unmap_of_257_descriptors_is_refused);
    tcase_add_test(tcase, unmap_out_of_range_does_nothing);
    tcase_add_test(tcase, unmap_of_the_last_lba_does_not_wrap);
    tcase_add_test(tcase, unmap_of_nothing_at_the_end_is_good);
    tcase_add_test(tcase, unmap_without_descriptors_is_good);
    tcase_add_test(tcase, unmap_without_a_list_is_good);
    tcase_add_test(tcase, unmap_ignores_a_cut_descriptor);
    tcase_add_test(tcase, unmap_ignores_descriptors_beyond_the_list);
    tcase_add_test(tcase, unmap_cut_header_is_a_length_error);
    tcase_add_test(tcase, unmap_less_data_than_the_list_is_a_length_error);
    tcase_add_test(tcase, unmap_anchor_is_refused);
    tcase_add_test(tcase, unmap_stops_at_the_first_error);
    tcase_add_test(tcase, same_writes_the_block_everywhere);
    tcase_add_test(tcase, same_keeps_the_block_in_phase);
    tcase_add_test(tcase, same_of_a_long_range_goes_in_pieces);
    tcase_add_test(tcase, same_of_zeros_keeps_the_space);
    tcase_add_test(tcase, same_of_zeros_with_unmap_gives_the_space_back);
    tcase_add_test(tcase, same_of_anything_else_with_unmap_writes);
    tcase_add_test(tcase, same16_without_data_is_zeros);
    tcase_add_test(tcase, same10_has_no_ndob);
    tcase_add_test(tcase, same_anchor_is_refused);
    tcase_add_test(tcase, same_with_wrprotect_is_refused);
    tcase_add_test(tcase, same_of_no_blocks_is_refused);
    tcase_add_test(tcase, same_of_no_blocks_past_the_end_is_out_of_range);
    tcase_add_test(tcase, same_has_a_limit);
    tcase_add_test(tcase, same_with_the_wrong_amount_of_data_is_refused);
    tcase_add_test(tcase, same_with_more_data_announced_is_refused);
    tcase_add_test(tcase, same_stops_at_the_first_error);
    tcase_add_test(tcase, same_dropped_gives_its_buffer_back);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("get lba status");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, lba_status_is_mapped_to_the_end);
    tcase_add_test(tcase, lba_status_beyond_the_end_is_refused);
    tcase_add_test(tcase, lba_status_tells_runs);
    tcase_add_test(tcase, lba_status_takes_zeros_for_deallocated);
    tcase_add_test(tcase, lba_status_ends_with_the_unit);
    tcase_add_test(tcase, lba_status_of_long_runs_takes_several_descriptors);
    tcase_add_test(tcase, lba_status_has_room_for_many_runs);
    tcase_add_test(tcase, lba_status_that_fails);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
