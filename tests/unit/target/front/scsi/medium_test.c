/* SPDX-License-Identifier: Apache-2.0 */
/* READ, WRITE, WRITE AND VERIFY, VERIFY, COMPARE AND WRITE, SYNCHRONIZE CACHE, PRE-FETCH. */
#include "tests/unit/target/front/scsi/fixture.h"

#define REPEAT4(byte) byte, byte, byte, byte

static void expect_request(enum block_op op, uint32_t flags, uint64_t offset, uint64_t length)
{
    ck_assert_uint_eq(steps, 1);
    ck_assert_int_eq(requests[0].op, op);
    ck_assert_uint_eq(requests[0].flags, flags);
    ck_assert_uint_eq(requests[0].offset_bytes, offset);
    ck_assert_uint_eq(requests[0].length_bytes, length);
}

START_TEST(read6_reads)
{
    ck_assert_good(0x08, 0x00, 0x01, 0x02, 3, 0);
    expect_request(BLOCK_READ, 0, 0x102 * 512, 3 * 512);
}
END_TEST

START_TEST(read6_of_zero_is_256_blocks)
{
    ck_assert_good(0x08, 0, 0, 0, 0, 0);
    expect_request(BLOCK_READ, 0, 0, 256 * 512);
}
END_TEST

START_TEST(read6_lba_is_not_fua)
{
    export.size_bytes = (uint64_t)1 << 30;
    cdb_set(BYTES(0x08, 0x1f, 0, 0, 1, 0));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    ck_assert_int_eq(command.block.op, BLOCK_READ);
    ck_assert_uint_eq(command.block.offset_bytes, (uint64_t)0x1f0000 * 512);
    scsi_drop(&command);
}
END_TEST

START_TEST(read10_gives_what_the_disk_has)
{
    memset(disk + 5 * 512, 0xab, 512);
    ck_assert_good(0x28, 0, 0, 0, 0, 5, 0, 0, 1, 0);
    expect_request(BLOCK_READ, 0, 5 * 512, 512);
    ck_assert_uint_eq(command.data_in.length_bytes, 512);
    ck_assert_uint_eq(command.expected_bytes, 512);
    ck_assert_uint_eq(command.data_in.bytes[0], 0xab);
    ck_assert_uint_eq(command.data_in.bytes[511], 0xab);
}
END_TEST

START_TEST(read12_reads)
{
    ck_assert_good(0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0);
    expect_request(BLOCK_READ, 0, 5 * 512, 1024);
}
END_TEST

START_TEST(orwrite_sets_bits_and_clears_none)
{
    memset(disk + 5 * 512, 0x81, 1024);
    data_out_fill(0x18, 1024);
    ck_assert_good(0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0);
    expect_request(BLOCK_OR_WRITE, BLOCK_FUA, 5 * 512, 1024);
    ck_assert(disk_is(5 * 512, 0x99, 1024));
    ck_assert_uint_eq(command.expected_bytes, 1024);
}
END_TEST

START_TEST(read16_reads)
{
    ck_assert_good(0x88, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0);
    expect_request(BLOCK_READ, 0, 5 * 512, 1024);
}
END_TEST

START_TEST(read16_with_blocks_of_4096)
{
    ck_assert_good(0x88, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0);
    expect_request(BLOCK_READ, 0, 5 * 4096, 8192);
}
END_TEST

START_TEST(read_of_nothing_is_good)
{
    ck_assert_good(0x28, 0, 0, 0, 0, 5, 0, 0, 0, 0);
    ck_assert_uint_eq(steps, 0);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

START_TEST(read_with_dpo_is_a_read)
{
    ck_assert_good(0x28, 0x10, 0, 0, 0, 5, 0, 0, 1, 0);
    expect_request(BLOCK_READ, 0, 5 * 512, 512);
}
END_TEST

START_TEST(read_with_fua_flushes_first)
{
    ck_assert_good(0x28, 0x08, 0, 0, 0, 5, 0, 0, 1, 0);
    ck_assert_uint_eq(steps, 2);
    ck_assert_int_eq(requests[0].op, BLOCK_FLUSH);
    ck_assert_int_eq(requests[1].op, BLOCK_READ);
    ck_assert_uint_eq(requests[1].offset_bytes, 5 * 512);
    ck_assert_uint_eq(command.data_in.length_bytes, 512);
}
END_TEST

START_TEST(protection_is_refused)
{
    ck_assert_check(0x28, 0x20, 0, 0, 0, 5, 0, 0, 1, 0);
    ck_assert_bad_cdb(1, 5);
    ck_assert_check(0x2a, 0xe0, 0, 0, 0, 5, 0, 0, 1, 0);
    ck_assert_bad_cdb(1, 7);
}
END_TEST

START_TEST(read_to_the_last_block_is_good)
{
    ck_assert_good(0x28, 0, 0, 0, 0x0f, 0xff, 0, 0, 1, 0);
}
END_TEST

START_TEST(read_past_the_last_block_is_out_of_range)
{
    ck_assert_check(0x28, 0, 0, 0, 0x0f, 0xff, 0, 0, 2, 0);
    ck_assert_bad_lba(0x1000);
}
END_TEST

START_TEST(read_of_nothing_past_the_end_is_out_of_range)
{
    ck_assert_check(0x28, 0, 0, 0, 0x10, 0x01, 0, 0, 0, 0);
    ck_assert_bad_lba(0x1001);
}
END_TEST

START_TEST(read16_of_the_last_lba_does_not_wrap)
{
    ck_assert_check(0x88, 0, REPEAT8(0xff), 0, 0, 0, 2, 0, 0);
    ck_assert_sense(0x05, 0x2100);
}
END_TEST

START_TEST(read_of_the_longest_transfer_is_accepted)
{
    export.size_bytes = 64u << 20;
    cdb_set(BYTES(0x88, 0, REPEAT8(0), 0, 0, 0x40, 0, 0, 0));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    ck_assert_uint_eq(command.block.length_bytes, SCSI_TRANSFER_BYTES_MAX);
    scsi_drop(&command);
}
END_TEST

START_TEST(read_beyond_the_longest_transfer_is_refused)
{
    export.size_bytes = 64u << 20;
    ck_assert_check(0x88, 0, REPEAT8(0), 0, 0, 0x40, 1, 0, 0);
    ck_assert_bad_cdb(10, 7);
}
END_TEST

START_TEST(write6_writes)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0x0a, 0, 0, 7, 1, 0);
    expect_request(BLOCK_WRITE, 0, 7 * 512, 512);
    ck_assert(disk_is(7 * 512, 0xcd, 512));
}
END_TEST

START_TEST(write10_writes)
{
    data_out_fill(0xcd, 1024);
    ck_assert_good(0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0);
    expect_request(BLOCK_WRITE, 0, 7 * 512, 1024);
    ck_assert(disk_is(7 * 512, 0xcd, 1024));
    ck_assert_uint_eq(command.expected_bytes, 1024);
}
END_TEST

START_TEST(write12_writes)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0xaa, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    expect_request(BLOCK_WRITE, 0, 7 * 512, 512);
}
END_TEST

START_TEST(write16_writes)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    expect_request(BLOCK_WRITE, 0, 7 * 512, 512);
}
END_TEST

START_TEST(write_with_fua_is_fua)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0x2a, 0x18, 0, 0, 0, 7, 0, 0, 1, 0);
    expect_request(BLOCK_WRITE, BLOCK_FUA, 7 * 512, 512);
}
END_TEST

START_TEST(write_lends_the_data_out)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0x2a, 0, 0, 0, 0, 7, 0, 0, 1, 0);
    ck_assert_ptr_eq(requests[0].data.buf, command.data_out.buf);
    ck_assert_uint_eq(command.data_out.buf->refs, 1);
}
END_TEST

START_TEST(write_ignores_data_beyond_its_cdb)
{
    data_out_fill(0xcd, 1024);
    ck_assert_good(0x2a, 0, 0, 0, 0, 7, 0, 0, 1, 0);
    ck_assert(disk_is(7 * 512, 0xcd, 512));
    ck_assert(disk_is(8 * 512, 0, 512));
    ck_assert_uint_eq(command.expected_bytes, 512);
}
END_TEST

START_TEST(write_with_less_data_writes_whole_blocks)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0);
    expect_request(BLOCK_WRITE, 0, 7 * 512, 512);
    ck_assert(disk_is(8 * 512, 0, 512));
    ck_assert_uint_eq(command.expected_bytes, 1024);
}
END_TEST

START_TEST(write_without_data_is_good)
{
    ck_assert_good(0x2a, 0, 0, 0, 0, 7, 0, 0, 1, 0);
    ck_assert_uint_eq(steps, 0);
    ck_assert_uint_eq(command.expected_bytes, 512);
}
END_TEST

START_TEST(write_with_part_of_a_block_writes_that_part)
{
    memset(disk, 0xee, sizeof(disk));
    data_out_fill(0xcd, 512 + 200);
    ck_assert_good(0x2a, 0, 0, 0, 0, 7, 0, 0, 2, 0);
    ck_assert(disk_is(7 * 512, 0xcd, 512 + 200));
    ck_assert(disk_is(8 * 512 + 200, 0xee, 512 - 200));
    ck_assert_uint_eq(command.expected_bytes, 1024);
}
END_TEST

START_TEST(orwrite_with_part_of_a_block_writes_nothing)
{
    data_out_fill(0xcd, 512 + 200);
    ck_assert_check(0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0);
    ck_assert_sense(0x05, 0x0e03);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(write_verify_without_bytchk_writes_durably)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0x2e, 0, 0, 0, 0, 7, 0, 0, 1, 0);
    expect_request(BLOCK_WRITE, BLOCK_FUA, 7 * 512, 512);
}
END_TEST

START_TEST(write_verify_with_bytchk_reads_back)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0x2e, 0x02, 0, 0, 0, 7, 0, 0, 1, 0);
    ck_assert_uint_eq(steps, 2);
    ck_assert_int_eq(requests[0].op, BLOCK_WRITE);
    ck_assert_int_eq(requests[1].op, BLOCK_READ);
    ck_assert_uint_eq(requests[1].offset_bytes, 7 * 512);
    ck_assert_ptr_null(command.data_in.buf);
}
END_TEST

START_TEST(write_verify_finds_what_was_not_stored)
{
    data_out_fill(0xcd, 512);
    cdb_set(BYTES(0x2e, 0x02, 0, 0, 0, 7, 0, 0, 1, 0));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_BLOCK);
    disk_execute(&command.block);
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    ck_assert_sense(0x0e, 0x1d00);
}
END_TEST

START_TEST(write_verify_12_and_16)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0xae, 0x02, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    ck_assert_uint_eq(steps, 2);
    ck_assert_good(0x8e, 0x02, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    ck_assert_uint_eq(steps, 2);
}
END_TEST

START_TEST(write_verify_with_less_data_verifies_that)
{
    data_out_fill(0xcd, 512);
    ck_assert_good(0x2e, 0x02, 0, 0, 0, 7, 0, 0, 2, 0);
    ck_assert_uint_eq(requests[1].length_bytes, 512);
}
END_TEST

START_TEST(verify_without_bytchk_reads_nothing)
{
    ck_assert_good(0x2f, 0x10, 0, 0, 0, 7, 0, 0, 1, 0);
    ck_assert_uint_eq(steps, 0);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

START_TEST(verify_without_bytchk_has_no_limit)
{
    export.size_bytes = (uint64_t)1 << 40;
    ck_assert_good(0x8f, 0, REPEAT8(0), 0x40, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(verify_out_of_range_is_refused)
{
    ck_assert_check(0x2f, 0, 0, 0, 0x10, 0, 0, 0, 1, 0);
    ck_assert_sense(0x05, 0x2100);
}
END_TEST

START_TEST(verify_equal_is_good)
{
    memset(disk + 7 * 512, 0xcd, 1024);
    data_out_fill(0xcd, 1024);
    ck_assert_good(0x2f, 0x02, 0, 0, 0, 7, 0, 0, 2, 0);
    expect_request(BLOCK_READ, 0, 7 * 512, 1024);
    ck_assert_ptr_null(command.data_in.buf);
    ck_assert_uint_eq(command.expected_bytes, 1024);
}
END_TEST

START_TEST(verify_different_names_the_block)
{
    memset(disk + 7 * 512, 0xcd, 1024);
    disk[8 * 512 + 3] = 0;
    data_out_fill(0xcd, 1024);
    ck_assert_check(0x2f, 0x02, 0, 0, 0, 7, 0, 0, 2, 0);
    ck_assert_sense(0x0e, 0x1d00);
    static const uint8_t information[] = {0, 0, 0, 8};
    ck_assert_uint_eq(command.sense[0], 0xf0);
    ck_assert_mem_eq(command.sense + 3, information, 4);
}
END_TEST

START_TEST(verify_12_and_16_compare)
{
    data_out_fill(0xcd, 512);
    ck_assert_check(0xaf, 0x02, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    ck_assert_sense(0x0e, 0x1d00);
    ck_assert_check(0x8f, 0x02, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    ck_assert_sense(0x0e, 0x1d00);
}
END_TEST

START_TEST(verify_with_one_block_compares_each)
{
    memset(disk + 7 * 512, 0xcd, 1024);
    data_out_fill(0xcd, 512);
    ck_assert_good(0x2f, 0x06, 0, 0, 0, 7, 0, 0, 2, 0);
    expect_request(BLOCK_READ, 0, 7 * 512, 1024);
    ck_assert_uint_eq(command.expected_bytes, 512);
    disk[8 * 512] = 0;
    ck_assert_check(0x2f, 0x06, 0, 0, 0, 7, 0, 0, 2, 0);
    ck_assert_sense(0x0e, 0x1d00);
}
END_TEST

START_TEST(verify_with_reserved_bytchk_is_refused)
{
    ck_assert_check(0x2f, 0x04, 0, 0, 0, 7, 0, 0, 1, 0);
    ck_assert_bad_cdb(1, 2);
}
END_TEST

START_TEST(verify_with_part_of_a_block_is_refused)
{
    data_out_fill(0xcd, 200);
    ck_assert_check(0x2f, 0x02, 0, 0, 0, 7, 0, 0, 1, 0);
    ck_assert_sense(0x05, 0x0e03);
}
END_TEST

START_TEST(verify_of_nothing_is_good)
{
    ck_assert_good(0x2f, 0x02, 0, 0, 0, 7, 0, 0, 0, 0);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(compare_write_equal_writes)
{
    data_out_fill(0, 1024);
    memset(command.data_out.bytes + 512, 0xcd, 512);
    ck_assert_good(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    expect_request(BLOCK_COMPARE_WRITE, 0, 7 * 512, 512);
    ck_assert(disk_is(7 * 512, 0xcd, 512));
    ck_assert_uint_eq(command.expected_bytes, 1024);
}
END_TEST

START_TEST(compare_write_different_tells_the_offset)
{
    data_out_fill(0, 1024);
    disk[7 * 512 + 300] = 1;
    ck_assert_check(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    ck_assert_sense(0x0e, 0x1d00);
    static const uint8_t information[] = {0, 0, 0x01, 0x2c};
    ck_assert_uint_eq(command.sense[0], 0xf0);
    ck_assert_mem_eq(command.sense + 3, information, 4);
}
END_TEST

START_TEST(compare_write_with_fua_is_fua)
{
    data_out_fill(0, 1024);
    ck_assert_good(0x89, 0x08, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    expect_request(BLOCK_COMPARE_WRITE, BLOCK_FUA, 7 * 512, 512);
}
END_TEST

START_TEST(compare_write_of_the_wrong_length_is_refused)
{
    data_out_fill(0, 4 * 512);
    ck_assert_check(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    ck_assert_sense(0x05, 0x0e03);
    ck_assert_check(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0);
    ck_assert_sense(0x05, 0x0e03);
}
END_TEST

START_TEST(compare_write_with_more_data_announced_is_refused)
{
    data_out_fill(0, 1024);
    command.offered_bytes = 2048;
    ck_assert_check(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0);
    ck_assert_sense(0x05, 0x0e03);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(compare_write_of_nothing_is_good)
{
    data_out_fill(0, 512);
    ck_assert_good(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(compare_write_of_nothing_with_data_for_256_is_refused)
{
    data_out_fill(0, 1024);
    command.offered_bytes = 512 * 512;
    ck_assert_check(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0);
    ck_assert_bad_cdb(13, 7);
}
END_TEST

START_TEST(compare_write_has_a_limit)
{
    data_out_fill(0, 2 * 128 * 512);
    ck_assert_good(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 128, 0, 0);
    ck_assert_check(0x89, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 129, 0, 0);
    ck_assert_bad_cdb(13, 7);
}
END_TEST

START_TEST(sync_flushes_everything)
{
    ck_assert_good(0x35, 0, 0, 0, 0, 5, 0, 0, 1, 0);
    expect_request(BLOCK_FLUSH, 0, 0, 0);
    ck_assert_good(0x91, 0x02, REPEAT8(0), REPEAT4(0), 0, 0);
    expect_request(BLOCK_FLUSH, 0, 0, 0);
}
END_TEST

START_TEST(sync_out_of_range_is_refused)
{
    ck_assert_check(0x35, 0, 0, 0, 0x10, 0x01, 0, 0, 0, 0);
    ck_assert_sense(0x05, 0x2100);
}
END_TEST

START_TEST(prefetch_does_nothing)
{
    ck_assert_good(0x34, 0x02, 0, 0, 0, 5, 3, 0, 1, 0);
    ck_assert_good(0x90, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(prefetch_out_of_range_is_refused)
{
    ck_assert_check(0x34, 0, 0, 0, 0x0f, 0xff, 0, 0, 2, 0);
    ck_assert_sense(0x05, 0x2100);
}
END_TEST

static void read_tests(TCase *tcase)
{
    tcase_add_test(tcase, read6_reads);
    tcase_add_test(tcase, read6_of_zero_is_256_blocks);
    tcase_add_test(tcase, read6_lba_is_not_fua);
    tcase_add_test(tcase, read10_gives_what_the_disk_has);
    tcase_add_test(tcase, read12_reads);
    tcase_add_test(tcase, orwrite_sets_bits_and_clears_none);
    tcase_add_test(tcase, read16_reads);
    tcase_add_test(tcase, read_of_nothing_is_good);
    tcase_add_test(tcase, read_with_dpo_is_a_read);
    tcase_add_test(tcase, read_with_fua_flushes_first);
    tcase_add_test(tcase, protection_is_refused);
    tcase_add_test(tcase, read_to_the_last_block_is_good);
    tcase_add_test(tcase, read_past_the_last_block_is_out_of_range);
    tcase_add_test(tcase, read_of_nothing_past_the_end_is_out_of_range);
    tcase_add_test(tcase, read16_of_the_last_lba_does_not_wrap);
    tcase_add_test(tcase, read_of_the_longest_transfer_is_accepted);
    tcase_add_test(tcase, read_beyond_the_longest_transfer_is_refused);
}

static void write_tests(TCase *tcase)
{
    tcase_add_test(tcase, write6_writes);
    tcase_add_test(tcase, write10_writes);
    tcase_add_test(tcase, write12_writes);
    tcase_add_test(tcase, write16_writes);
    tcase_add_test(tcase, write_with_fua_is_fua);
    tcase_add_test(tcase, write_lends_the_data_out);
    tcase_add_test(tcase, write_ignores_data_beyond_its_cdb);
    tcase_add_test(tcase, write_with_less_data_writes_whole_blocks);
    tcase_add_test(tcase, write_without_data_is_good);
    tcase_add_test(tcase, write_with_part_of_a_block_writes_that_part);
    tcase_add_test(tcase, orwrite_with_part_of_a_block_writes_nothing);
    tcase_add_test(tcase, write_verify_without_bytchk_writes_durably);
    tcase_add_test(tcase, write_verify_with_bytchk_reads_back);
    tcase_add_test(tcase, write_verify_finds_what_was_not_stored);
    tcase_add_test(tcase, write_verify_12_and_16);
    tcase_add_test(tcase, write_verify_with_less_data_verifies_that);
}

static void verify_tests(TCase *tcase)
{
    tcase_add_test(tcase, verify_without_bytchk_reads_nothing);
    tcase_add_test(tcase, verify_without_bytchk_has_no_limit);
    tcase_add_test(tcase, verify_out_of_range_is_refused);
    tcase_add_test(tcase, verify_equal_is_good);
    tcase_add_test(tcase, verify_different_names_the_block);
    tcase_add_test(tcase, verify_12_and_16_compare);
    tcase_add_test(tcase, verify_with_one_block_compares_each);
    tcase_add_test(tcase, verify_with_reserved_bytchk_is_refused);
    tcase_add_test(tcase, verify_with_part_of_a_block_is_refused);
    tcase_add_test(tcase, verify_of_nothing_is_good);
}

static void other_tests(TCase *tcase)
{
    tcase_add_test(tcase, compare_write_equal_writes);
    tcase_add_test(tcase, compare_write_different_tells_the_offset);
    tcase_add_test(tcase, compare_write_with_fua_is_fua);
    tcase_add_test(tcase, compare_write_of_the_wrong_length_is_refused);
    tcase_add_test(tcase, compare_write_with_more_data_announced_is_refused);
    tcase_add_test(tcase, compare_write_of_nothing_is_good);
    tcase_add_test(tcase, compare_write_of_nothing_with_data_for_256_is_refused);
    tcase_add_test(tcase, compare_write_has_a_limit);
    tcase_add_test(tcase, sync_flushes_everything);
    tcase_add_test(tcase, sync_out_of_range_is_refused);
    tcase_add_test(tcase, prefetch_does_nothing);
    tcase_add_test(tcase, prefetch_out_of_range_is_refused);
}

int main(void)
{
    Suite *suite = suite_create("scsi medium");
    TCase *tcase = tcase_create("512");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    read_tests(tcase);
    write_tests(tcase);
    verify_tests(tcase);
    other_tests(tcase);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("4096");
    tcase_add_checked_fixture(tcase, setup_4096, teardown);
    tcase_add_test(tcase, read16_with_blocks_of_4096);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
