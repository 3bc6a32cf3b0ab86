/* SPDX-License-Identifier: Apache-2.0 */
/* Which commands reservations forbid to whom, and what they leave to other protocols. */
#include "tests/unit/target/front/scsi/persist.h"

/* A command of each class of the table of conflicts. */
static const uint8_t read_one[] = {0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0};
static const uint8_t write_none[] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t flush[] = {0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t ready[] = {0x00, 0, 0, 0, 0, 0};
static const uint8_t capacity[] = {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0};
static const uint8_t inquiry[] = {0x12, 0, 0, 0, 0xff, 0};
static const uint8_t sense[] = {0x1a, 0, 0x3f, 0, 0xff, 0};
static const uint8_t stop[] = {0x1b, 0, 0, 0, 0, 0};
static const uint8_t start[] = {0x1b, 0, 0, 0, 1, 0};
static const uint8_t prevent[] = {0x1e, 0, 0, 0, 1, 0};
static const uint8_t allow[] = {0x1e, 0, 0, 0, 0, 0};
static const uint8_t opcodes[] = {0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0};

static const uint8_t copy_limits[] = {0x84, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0};

static bool may(uint32_t number, const uint8_t *cdb, size_t length)
{
    as(number);
    enum scsi_status status = run(cdb, length);
    ck_assert(status == SCSI_GOOD || status == SCSI_RESERVATION_CONFLICT);
    return status == SCSI_GOOD;
}
#define MAY(number, cdb) may(number, cdb, sizeof(cdb))

START_TEST(write_exclusive_leaves_reading)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert(MAY(A, write_none) && MAY(A, flush));
    ck_assert(MAY(B, read_one) && MAY(B, sense) && !MAY(B, write_none) && !MAY(B, flush));
    ck_assert(MAY(C, read_one) && !MAY(C, write_none));
}
END_TEST

START_TEST(exclusive_access_leaves_nothing)
{
    reserve(SCSI_EXCLUSIVE_ACCESS);
    ck_assert(MAY(A, read_one) && MAY(A, write_none));
    ck_assert(!MAY(B, read_one) && !MAY(B, write_none) && !MAY(B, sense));
    ck_assert(!MAY(C, read_one));
}
END_TEST

START_TEST(registrants_only_lets_registrants)
{
    reserve(SCSI_WRITE_EXCLUSIVE_RO);
    ck_assert(MAY(B, write_none) && MAY(B, read_one));
    ck_assert(!MAY(C, write_none) && MAY(C, read_one));
}
END_TEST

START_TEST(exclusive_registrants_only_shuts_others_out)
{
    reserve(SCSI_EXCLUSIVE_ACCESS_RO);
    ck_assert(MAY(B, write_none) && MAY(B, read_one));
    ck_assert(!MAY(C, write_none) && !MAY(C, read_one));
}
END_TEST

START_TEST(all_registrants_lets_registrants)
{
    reserve(SCSI_EXCLUSIVE_ACCESS_AR);
    ck_assert(MAY(A, write_none) && MAY(B, write_none) && !MAY(C, read_one));
    ck_assert_int_eq(out(A, OUT_RELEASE, 8, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(attention_of(B), 0x2a04);
    ck_assert_int_eq(out(A, OUT_RESERVE, 7, KEY_A, 0), SCSI_GOOD);
    ck_assert(MAY(B, write_none) && MAY(C, read_one) && !MAY(C, write_none));
}
END_TEST

START_TEST(looking_is_always_allowed)
{
    reserve(SCSI_EXCLUSIVE_ACCESS);
    ck_assert(MAY(C, ready) && MAY(C, capacity) && MAY(C, inquiry) && MAY(C, opcodes));
    ck_assert(MAY(C, copy_limits));
}
END_TEST

START_TEST(starting_and_allowing_are_not_stopping_and_preventing)
{
    reserve(SCSI_EXCLUSIVE_ACCESS);
    ck_assert(MAY(C, start) && MAY(C, allow) && !MAY(C, stop) && !MAY(C, prevent));
}
END_TEST

START_TEST(conflict_writes_nothing_and_has_no_sense)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    data_out_fill(0xcd, 512);
    as(B);
    ck_assert_int_eq(run(BYTES(0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0)), SCSI_RESERVATION_CONFLICT);
    ck_assert_uint_eq(steps, 0);
    ck_assert_uint_eq(command.sense_bytes, 0);
    ck_assert_uint_eq(command.expected_bytes, 512);
}
END_TEST

START_TEST(other_protocols_may_do_what_strangers_may)
{
    ck_assert_int_eq(export.guard, EXPORT_OPEN);
    reserve(SCSI_WRITE_EXCLUSIVE_RO);
    ck_assert_int_eq(export.guard, EXPORT_NO_WRITES);
    ck_assert_int_eq(out(A, OUT_PREEMPT, 3, KEY_A, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(export.guard, EXPORT_NO_ACCESS);
    ck_assert_int_eq(out(A, OUT_RELEASE, 3, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(export.guard, EXPORT_OPEN);
}
END_TEST

START_TEST(software_write_protection_holds_for_other_protocols)
{
    static const uint8_t list[] = {0, 0, 0, 0, 0x0a, 0x0a, 0x02, 0x10, 0x08, 0, 0, 0, 0, 0, 0, 0};
    data_out_set(list, sizeof(list));
    as(A);
    ck_assert_good(0x15, 0x10, 0, 0, sizeof(list), 0);
    ck_assert_int_eq(export.guard, EXPORT_NO_WRITES);
    scsi_unit_reset(&unit, SCSI_UA_LUN_RESET);
    ck_assert_int_eq(export.guard, EXPORT_OPEN);
}
END_TEST

START_TEST(reset_keeps_persistent_reservations)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    scsi_unit_reset(&unit, SCSI_UA_LUN_RESET);
    ck_assert_uint_eq(attention_of(C), 0x2903);
    ck_assert(!MAY(C, write_none));
}
END_TEST

START_TEST(lost_nexus_stays_registered)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    scsi_nexus_detach(&unit, &nexuses[A]);
    ck_assert(!MAY(C, write_none));
    scsi_nexus_attach(&unit, &nexuses[9], port_of(A));
    ck_assert_uint_eq(attention_of(9), 0x2900);
    ck_assert(MAY(9, write_none));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi guard");
    TCase *tcase = tcase_create("guard");
    tcase_add_checked_fixture(tcase, setup_ports, teardown);
    tcase_add_test(tcase, write_exclusive_leaves_reading);
    tcase_add_test(tcase, exclusive_access_leaves_nothing);
    tcase_add_test(tcase, registrants_only_lets_registrants);
    tcase_add_test(tcase, exclusive_registrants_only_shuts_others_out);
    tcase_add_test(tcase, all_registrants_lets_registrants);
    tcase_add_test(tcase, looking_is_always_allowed);
    tcase_add_test(tcase, starting_and_allowing_are_not_stopping_and_preventing);
    tcase_add_test(tcase, conflict_writes_nothing_and_has_no_sense);
    tcase_add_test(tcase, other_protocols_may_do_what_strangers_may);
    tcase_add_test(tcase, software_write_protection_holds_for_other_protocols);
    tcase_add_test(tcase, reset_keeps_persistent_reservations);
    tcase_add_test(tcase, lost_nexus_stays_registered);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
