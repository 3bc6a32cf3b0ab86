/* SPDX-License-Identifier: Apache-2.0 */
/* Unit attentions: told once to each nexus, to be heard before anything else. */
#include "tests/unit/target/front/scsi/fixture.h"

static void attach_told(void)
{
    attach(NEXUS);
    ck_assert_check(0x00);
}

START_TEST(new_nexus_hears_power_on_once)
{
    attach(NEXUS);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2900);
    ck_assert_good(0x00);
}
END_TEST

START_TEST(inquiry_passes_and_leaves_it)
{
    attach(NEXUS);
    ck_assert_good(0x12, 0, 0, 0, 0xff, 0);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2900);
}
END_TEST

START_TEST(report_luns_passes_and_leaves_it)
{
    attach(NEXUS);
    ck_assert_good(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2900);
}
END_TEST

START_TEST(attention_comes_before_an_unknown_command)
{
    attach(NEXUS);
    ck_assert_check(0xff);
    ck_assert_sense(0x06, 0x2900);
}
END_TEST

START_TEST(write_that_hears_it_writes_nothing)
{
    attach(NEXUS);
    data_out_fill(0xcd, 512);
    ck_assert_check(0x2a, 0, 0, 0, 0, 7, 0, 0, 1, 0);
    ck_assert_uint_eq(steps, 0);
    ck_assert_uint_eq(command.expected_bytes, 512);
}
END_TEST

START_TEST(attentions_come_oldest_first)
{
    attach_told();
    scsi_unit_attention(&unit, NULL, SCSI_UA_LUN_RESET);
    scsi_unit_attention(&unit, NULL, SCSI_UA_CAPACITY_CHANGED);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2903);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2a09);
    ck_assert_good(0x00);
}
END_TEST

START_TEST(same_attention_is_told_once)
{
    attach_told();
    scsi_unit_attention(&unit, NULL, SCSI_UA_CAPACITY_CHANGED);
    scsi_unit_attention(&unit, NULL, SCSI_UA_CAPACITY_CHANGED);
    ck_assert_check(0x00);
    ck_assert_good(0x00);
}
END_TEST

START_TEST(who_caused_it_is_not_told)
{
    attach_told();
    scsi_unit_attention(&unit, &nexuses[NEXUS], SCSI_UA_LUN_RESET);
    ck_assert_good(0x00);
}
END_TEST

START_TEST(each_nexus_is_told)
{
    attach_told();
    attach(NEXUS + 1);
    scsi_unit_attention(&unit, NULL, SCSI_UA_LUN_RESET);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2903);
    as(NEXUS + 1);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2900);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2903);
}
END_TEST

START_TEST(too_many_become_power_on)
{
    attach_told();
    scsi_unit_attention(&unit, NULL, SCSI_UA_LUN_RESET);
    scsi_unit_attention(&unit, NULL, SCSI_UA_BUS_RESET);
    scsi_unit_attention(&unit, NULL, SCSI_UA_MODE_CHANGED);
    scsi_unit_attention(&unit, NULL, SCSI_UA_CAPACITY_CHANGED);
    scsi_unit_attention(&unit, NULL, SCSI_UA_COMMANDS_CLEARED);
    ck_assert_check(0x00);
    ck_assert_sense(0x06, 0x2900);
    ck_assert_good(0x00);
}
END_TEST

START_TEST(unattached_nexus_hears_nothing)
{
    scsi_unit_attention(&unit, NULL, SCSI_UA_LUN_RESET);
    ck_assert_good(0x00);
}
END_TEST

START_TEST(as_many_as_come_are_told)
{
    for (uint32_t i = 0; i < NEXUS_COUNT; i++)
        attach(i);
    scsi_nexus_detach(&unit, &nexuses[3]);
    scsi_unit_attention(&unit, NULL, SCSI_UA_LUN_RESET);
    for (uint32_t i = 0; i < NEXUS_COUNT; i++)
        ck_assert_uint_eq(nexuses[i].attention_count, i == 3 ? 1 : 2);
}
END_TEST

START_TEST(detached_nexus_is_forgotten)
{
    attach(NEXUS);
    scsi_nexus_detach(&unit, &nexuses[NEXUS]);
    scsi_nexus_detach(&unit, &nexuses[NEXUS]);
    ck_assert_good(0x00);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi nexus");
    TCase *tcase = tcase_create("nexus");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, new_nexus_hears_power_on_once);
    tcase_add_test(tcase, inquiry_passes_and_leaves_it);
    tcase_add_test(tcase, report_luns_passes_and_leaves_it);
    tcase_add_test(tcase, attention_comes_before_an_unknown_command);
    tcase_add_test(tcase, write_that_hears_it_writes_nothing);
    tcase_add_test(tcase, attentions_come_oldest_first);
    tcase_add_test(tcase, same_attention_is_told_once);
    tcase_add_test(tcase, who_caused_it_is_not_told);
    tcase_add_test(tcase, each_nexus_is_told);
    tcase_add_test(tcase, too_many_become_power_on);
    tcase_add_test(tcase, unattached_nexus_hears_nothing);
    tcase_add_test(tcase, as_many_as_come_are_told);
    tcase_add_test(tcase, detached_nexus_is_forgotten);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
