/* SPDX-License-Identifier: Apache-2.0 */
/* RECEIVE COPY RESULTS and VPD page 8Fh. */
#include "tests/unit/target/front/scsi/copying.h"

START_TEST(parameters_are_as_published)
{
    ck_assert_good(COPY_PARAMETERS(0xff));
    ck_assert_data_in(0, 0, 0, 42, 0x01, 0, 0, 0, 0, 8, 0, 16, 0, 0, 0x02, 0xc0, 0x01, 0, 0, 0,
                      REPEAT8(0), 0, 0, 0, 0, 0, 0, 0, 8, 8, 9, 0, 0, 0, 0, 0, 2, 0x02, 0xe4);
}
END_TEST

START_TEST(parameters_are_cut)
{
    ck_assert_good(COPY_PARAMETERS(4));
    ck_assert_data_in(0, 0, 0, 42);
}
END_TEST

START_TEST(data_and_failure_details_are_not_there)
{
    ck_assert_check(0x84, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_bad_cdb(1, 4);
    ck_assert_check(0x84, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_bad_cdb(1, 4);
}
END_TEST

START_TEST(status_of_no_copy_is_refused)
{
    ck_assert_check(COPY_STATUS(1));
    ck_assert_bad_cdb(2, 7);
}
END_TEST

START_TEST(status_is_told_once)
{
    memset(disk, 0xab, 512);
    list_set(9, 0, 1, SEGMENTS({2, 0, 100}, {1, 0, 200}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    ck_assert_good(COPY_STATUS(9));
    ck_assert_data_in(0, 0, 0, 8, 1, 0, 2, 0, 0, 0, 0x06, 0);
    ck_assert_check(COPY_STATUS(9));
}
END_TEST

START_TEST(status_of_another_nexus_is_not_told)
{
    list_set(9, 0, 1, SEGMENTS({2, 0, 100}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    as(5);
    ck_assert_check(COPY_STATUS(9));
}
END_TEST

START_TEST(status_of_one_under_way_says_so)
{
    list_set(9, 0, 1, SEGMENTS({2, 0, 100}, {2, 0, 100}));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    struct scsi_command copy = command;
    command.data_out = (struct slice){0};
    for (int i = 0; i < 2; i++) {
        ck_assert_good(COPY_STATUS(9));
        ck_assert_data_in(0, 0, 0, 8, 0, 0, 1, 0, 0, 0, 0, 0);
    }
    scsi_drop(&copy);
    slice_release(&copy.data_out);
}
END_TEST

START_TEST(status_without_list_identifier_is_not_kept)
{
    list_set(0, 3, 1, SEGMENTS({2, 0, 100}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    ck_assert_check(COPY_STATUS(0));
}
END_TEST

START_TEST(a_reset_forgets)
{
    attach(NEXUS);
    ck_assert_check(0, 0, 0, 0, 0, 0); /* power on */
    list_set(9, 0, 1, SEGMENTS({2, 0, 100}));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
    scsi_unit_reset(&unit, SCSI_UA_LUN_RESET);
    ck_assert_check(0, 0, 0, 0, 0, 0);
    ck_assert_check(COPY_STATUS(9));
    ck_assert_bad_cdb(2, 7);
}
END_TEST

START_TEST(page_is_as_published)
{
    static const uint8_t head[] = {0x00, 0x8f, 0, 96};
    static const uint8_t commands[] = {0, 1, 0, 8, 7, 0x83, 1, 0, 0x84, 2, 0, 3};
    static const uint8_t parameters[] = {0, 4, 0, 28, 0, 0, 0, 0, 0, 8, 0, 16, 0, 0, 0x02, 0xc0};
    static const uint8_t types[] = {0, 8, 0, 4, 2, 0x02, 0xe4, 0, 0, 12, 0, 4, 0, 0, 0, 0};
    static const uint8_t general[] = {0x80, 1, 0, 32, 0, 0, 0, 8, 0, 0,
                                      0,    8, 1, 0,  0, 0, 9, 0, 0, 0};
    ck_assert_good(0x12, 0x01, 0x8f, 0, 0xff, 0);
    const uint8_t *bytes = command.data_in.bytes;
    ck_assert_uint_eq(command.data_in.length_bytes, 100);
    ck_assert_mem_eq(bytes, head, sizeof(head));
    ck_assert_mem_eq(bytes + 4, commands, sizeof(commands));
    ck_assert_mem_eq(bytes + 16, parameters, sizeof(parameters));
    ck_assert_mem_eq(bytes + 48, types, sizeof(types));
    ck_assert_mem_eq(bytes + 64, general, sizeof(general));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi copy report");
    TCase *tcase = tcase_create("receive copy results");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, parameters_are_as_published);
    tcase_add_test(tcase, parameters_are_cut);
    tcase_add_test(tcase, data_and_failure_details_are_not_there);
    tcase_add_test(tcase, status_of_no_copy_is_refused);
    tcase_add_test(tcase, status_is_told_once);
    tcase_add_test(tcase, status_of_another_nexus_is_not_told);
    tcase_add_test(tcase, status_of_one_under_way_says_so);
    tcase_add_test(tcase, status_without_list_identifier_is_not_kept);
    tcase_add_test(tcase, a_reset_forgets);
    tcase_add_test(tcase, page_is_as_published);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
