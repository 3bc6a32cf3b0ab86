/* SPDX-License-Identifier: Apache-2.0 */
/* Sense data in fixed and descriptor format, byte by byte. */
#include "target/front/scsi/sense.h"
#include "tests/unit/target/front/scsi/fixture.h"

static uint8_t bytes[SCSI_SENSE_BYTES_MAX];

static void expect(const struct scsi_sense *sense, bool descriptors, const uint8_t *want,
                   size_t length)
{
    struct writer w = writer_of(bytes, sizeof(bytes));
    scsi_sense_encode(sense, descriptors, &w);
    ck_assert(!w.bad);
    ck_assert_uint_eq(writer_length(&w), length);
    ck_assert_mem_eq(bytes, want, length);
}

START_TEST(fixed_plain)
{
    const struct scsi_sense sense = {.key = SCSI_KEY_UNIT_ATTENTION, .asc = SCSI_UA_LUN_RESET};
    expect(&sense, false, BYTES(0x70, 0, 0x06, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x29, 0x03, 0, 0, 0, 0));
}
END_TEST

START_TEST(fixed_with_information)
{
    const struct scsi_sense sense = {.key = SCSI_KEY_MISCOMPARE,
                                     .asc = SCSI_ASC_MISCOMPARE,
                                     .has_information = true,
                                     .information = 0x01020304};
    expect(&sense, false, BYTES(0xf0, 0, 0x0e, 1, 2, 3, 4, 10, 0, 0, 0, 0, 0x1d, 0x00, 0, 0, 0, 0));
}
END_TEST

START_TEST(fixed_leaves_out_information_that_does_not_fit)
{
    const struct scsi_sense sense = {.key = SCSI_KEY_MISCOMPARE,
                                     .asc = SCSI_ASC_MISCOMPARE,
                                     .has_information = true,
                                     .information = 0x100000000};
    expect(&sense, false, BYTES(0x70, 0, 0x0e, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x1d, 0x00, 0, 0, 0, 0));
}
END_TEST

START_TEST(fixed_with_field_in_cdb)
{
    const struct scsi_sense sense = {.key = SCSI_KEY_ILLEGAL_REQUEST,
                                     .asc = SCSI_ASC_INVALID_FIELD_IN_CDB,
                                     .has_field = true,
                                     .field_in_cdb = true,
                                     .field_byte = 2,
                                     .field_bit = 5};
    expect(&sense, false,
           BYTES(0x70, 0, 0x05, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0x00, 0, 0xcd, 0, 2));
}
END_TEST

START_TEST(a_segment_is_told_in_both_formats)
{
    const struct scsi_sense sense = {
        .key = SCSI_KEY_COPY_ABORTED, .has_segment = true, .segment = 0x0102};
    expect(&sense, false, BYTES(0x70, 0, 0x0a, 0, 0, 0, 0, 10, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0));
    expect(&sense, true,
           BYTES(0x72, 0x0a, 0, 0, 0, 0, 0, 12, 0x01, 0x0a, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0));
}
END_TEST

START_TEST(fixed_with_field_in_data)
{
    const struct scsi_sense sense = {.key = SCSI_KEY_ILLEGAL_REQUEST,
                                     .asc = SCSI_ASC_INVALID_PARAMETER,
                                     .has_field = true,
                                     .field_byte = 0x102,
                                     .field_bit = 0};
    expect(&sense, false,
           BYTES(0x70, 0, 0x05, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x26, 0x00, 0, 0x88, 1, 2));
}
END_TEST

START_TEST(descriptors_plain)
{
    const struct scsi_sense sense = {.key = SCSI_KEY_NOT_READY, .asc = SCSI_ASC_NOT_READY};
    expect(&sense, true, BYTES(0x72, 0x02, 0x04, 0x00, 0, 0, 0, 0));
}
END_TEST

START_TEST(descriptors_with_information_and_field)
{
    const struct scsi_sense sense = {.key = SCSI_KEY_ILLEGAL_REQUEST,
                                     .asc = SCSI_ASC_INVALID_FIELD_IN_CDB,
                                     .has_information = true,
                                     .information = 0x100000000,
                                     .has_field = true,
                                     .field_in_cdb = true,
                                     .field_byte = 2,
                                     .field_bit = 5};
    expect(&sense, true,
           BYTES(0x72, 0x05, 0x24, 0x00, 0, 0, 0, 20, 0x00, 0x0a, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0,
                 0x02, 0x06, 0, 0, 0xcd, 0, 2, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi sense");
    TCase *tcase = tcase_create("sense");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, fixed_plain);
    tcase_add_test(tcase, fixed_with_information);
    tcase_add_test(tcase, fixed_leaves_out_information_that_does_not_fit);
    tcase_add_test(tcase, fixed_with_field_in_cdb);
    tcase_add_test(tcase, a_segment_is_told_in_both_formats);
    tcase_add_test(tcase, fixed_with_field_in_data);
    tcase_add_test(tcase, descriptors_plain);
    tcase_add_test(tcase, descriptors_with_information_and_field);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
