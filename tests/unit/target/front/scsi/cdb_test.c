/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and what a CDB says by it. */
#include "target/front/scsi/cdb.h"
#include "tests/unit/target/front/scsi/fixture.h"

START_TEST(every_row_is_found_by_its_own_cdb)
{
    for (uint32_t i = 0; i < scsi_op_count; i++)
        ck_assert_ptr_eq(scsi_op_of(scsi_ops[i].usage), &scsi_ops[i]);
}
END_TEST

START_TEST(every_length_agrees_with_the_group_of_the_opcode)
{
    static const uint8_t lengths[8] = {6, 10, 10, 0, 16, 12, 0, 0};
    for (uint32_t i = 0; i < scsi_op_count; i++)
        ck_assert_uint_eq(scsi_ops[i].cdb_bytes, lengths[scsi_ops[i].opcode >> 5]);
}
END_TEST

START_TEST(every_control_byte_is_zero)
{
    for (uint32_t i = 0; i < scsi_op_count; i++)
        for (uint32_t at = scsi_ops[i].cdb_bytes - 1u; at < SCSI_CDB_BYTES; at++)
            ck_assert_uint_eq(scsi_ops[i].usage[at], 0);
}
END_TEST

/* True when CDB USAGE DATA lets all bits of the field through, READ (6) and WRITE (6) aside. */
static bool field_is_open(const struct scsi_op *op, struct scsi_field field)
{
    for (uint8_t i = 0; i < field.bytes; i++)
        if (op->usage[field.offset + i] != 0xff && op->cdb_bytes != 6)
            return false;
    return true;
}

START_TEST(every_field_is_open)
{
    for (uint32_t i = 0; i < scsi_op_count; i++) {
        ck_assert(field_is_open(&scsi_ops[i], scsi_ops[i].lba));
        ck_assert(field_is_open(&scsi_ops[i], scsi_ops[i].length));
    }
}
END_TEST

static struct scsi_cdb decode(const uint8_t *cdb, size_t length)
{
    cdb_set(cdb, length);
    const struct scsi_op *op = scsi_op_of(command.cdb);
    ck_assert_ptr_nonnull(op);
    return scsi_cdb_decode(op, command.cdb);
}

START_TEST(decode_6_has_21_bits_of_lba)
{
    struct scsi_cdb cdb = decode(BYTES(0x08, 0xff, 0x12, 0x34, 0x56, 0));
    ck_assert_uint_eq(cdb.lba, 0x1f1234);
    ck_assert_uint_eq(cdb.length, 0x56);
}
END_TEST

START_TEST(decode_6_zero_is_256_blocks_but_no_bytes)
{
    ck_assert_uint_eq(decode(BYTES(0x08, 0, 0, 0, 0, 0)).length, 256);
    ck_assert_uint_eq(decode(BYTES(0x12, 0, 0, 0, 0, 0)).length, 0);
}
END_TEST

START_TEST(decode_10)
{
    struct scsi_cdb cdb = decode(BYTES(0x28, 0, 0x12, 0x34, 0x56, 0x78, 0, 0x9a, 0xbc, 0));
    ck_assert_uint_eq(cdb.lba, 0x12345678);
    ck_assert_uint_eq(cdb.length, 0x9abc);
}
END_TEST

START_TEST(decode_12)
{
    struct scsi_cdb cdb = decode(BYTES(0xa8, 0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0));
    ck_assert_uint_eq(cdb.lba, 0x12345678);
    ck_assert_uint_eq(cdb.length, 0x9abcdef0);
}
END_TEST

START_TEST(decode_16)
{
    struct scsi_cdb cdb = decode(BYTES(0x88, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x9a, 0xbc, 0xde, 0xf0));
    ck_assert_uint_eq(cdb.lba, 0x0102030405060708);
    ck_assert_uint_eq(cdb.length, 0x9abcdef0);
}
END_TEST

START_TEST(check_points_at_the_highest_bad_bit_of_the_first_bad_byte)
{
    uint16_t byte = 0;
    uint8_t bit = 0;
    cdb_set(BYTES(0x28, 0, 0, 0, 0, 0, 0x60, 0, 0, 0xff));
    ck_assert(!scsi_cdb_check(scsi_op_of(command.cdb), command.cdb, &byte, &bit));
    ck_assert_uint_eq(byte, 6);
    ck_assert_uint_eq(bit, 6);
}
END_TEST

static struct scsi_transfer transfer_of(const uint8_t *cdb, size_t length)
{
    cdb_set(cdb, length);
    return scsi_transfer_of(&unit, command.cdb);
}
#define ck_assert_transfer(out, in, ...)                                                           \
    do {                                                                                           \
        struct scsi_transfer transfer = transfer_of(BYTES(__VA_ARGS__));                           \
        ck_assert(transfer.known);                                                                 \
        ck_assert_uint_eq(transfer.data_out_bytes, out);                                           \
        ck_assert_uint_eq(transfer.data_in_bytes, in);                                             \
    } while (0)

START_TEST(transfer_of_reads_and_writes)
{
    ck_assert_transfer(0, 1024, 0x28, 0, 0, 0, 0, 5, 0, 0, 2, 0);
    ck_assert_transfer(1024, 0, 0x2a, 0, 0, 0, 0, 5, 0, 0, 2, 0);
    ck_assert_transfer(131072, 0, 0x0a, 0, 0, 5, 0, 0);
    ck_assert_transfer(1024, 0, 0x2e, 0, 0, 0, 0, 5, 0, 0, 2, 0);
}
END_TEST

START_TEST(transfer_of_byte_lengths)
{
    ck_assert_transfer(0, 0x1234, 0x12, 0, 0, 0x12, 0x34, 0);
    ck_assert_transfer(0x1234, 0, 0x42, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0);
    ck_assert_transfer(0, 0, 0x00);
}
END_TEST

START_TEST(transfer_of_compare_write_is_twice)
{
    ck_assert_transfer(3072, 0, 0x89, 0, REPEAT8(0), 0, 0, 0, 3, 0, 0);
}
END_TEST

START_TEST(transfer_of_write_same_is_one_block_or_none)
{
    ck_assert_transfer(512, 0, 0x41, 0, 0, 0, 0, 0, 0, 1, 0, 0);
    ck_assert_transfer(512, 0, 0x93, 0x08, REPEAT8(0), 0, 0, 1, 0, 0, 0);
    ck_assert_transfer(0, 0, 0x93, 0x09, REPEAT8(0), 0, 0, 1, 0, 0, 0);
}
END_TEST

START_TEST(transfer_of_verify_depends_on_bytchk)
{
    ck_assert_transfer(0, 0, 0x2f, 0x00, 0, 0, 0, 0, 0, 0, 2, 0);
    ck_assert_transfer(1024, 0, 0x2f, 0x02, 0, 0, 0, 0, 0, 0, 2, 0);
    ck_assert_transfer(512, 0, 0x2f, 0x06, 0, 0, 0, 0, 0, 0, 2, 0);
}
END_TEST

START_TEST(transfer_of_what_is_too_long_is_nothing)
{
    ck_assert_transfer(0, 0, 0x8a, 0, REPEAT8(0), 0xff, 0xff, 0xff, 0xff, 0, 0);
    ck_assert_transfer(8u << 20, 0, 0x8a, 0, REPEAT8(0), 0, 0, 0x40, 0, 0, 0);
    ck_assert_transfer(0, 0, 0x8a, 0, REPEAT8(0), 0, 0, 0x40, 1, 0, 0);
}
END_TEST

START_TEST(transfer_of_the_unknown_is_unknown)
{
    ck_assert(!transfer_of(BYTES(0xff)).known);
    ck_assert(!transfer_of(BYTES(0x9e, 0x1f)).known);
    cdb_set(BYTES(0x28));
    ck_assert(!scsi_transfer_of(NULL, command.cdb).known);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi cdb");
    TCase *tcase = tcase_create("cdb");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, every_row_is_found_by_its_own_cdb);
    tcase_add_test(tcase, every_length_agrees_with_the_group_of_the_opcode);
    tcase_add_test(tcase, every_control_byte_is_zero);
    tcase_add_test(tcase, every_field_is_open);
    tcase_add_test(tcase, decode_6_has_21_bits_of_lba);
    tcase_add_test(tcase, decode_6_zero_is_256_blocks_but_no_bytes);
    tcase_add_test(tcase, decode_10);
    tcase_add_test(tcase, decode_12);
    tcase_add_test(tcase, decode_16);
    tcase_add_test(tcase, check_points_at_the_highest_bad_bit_of_the_first_bad_byte);
    tcase_add_test(tcase, transfer_of_reads_and_writes);
    tcase_add_test(tcase, transfer_of_byte_lengths);
    tcase_add_test(tcase, transfer_of_compare_write_is_twice);
    tcase_add_test(tcase, transfer_of_write_same_is_one_block_or_none);
    tcase_add_test(tcase, transfer_of_verify_depends_on_bytchk);
    tcase_add_test(tcase, transfer_of_what_is_too_long_is_nothing);
    tcase_add_test(tcase, transfer_of_the_unknown_is_unknown);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
