/* SPDX-License-Identifier: Apache-2.0 */
/* RESERVE and RELEASE: one nexus has the unit for itself until it goes, or all is reset. */
#include "tests/unit/target/front/scsi/persist.h"

static enum scsi_status ask(uint32_t number, uint8_t opcode)
{
    as(number);
    return run(BYTES(opcode, 0, 0, 0, 0, 0));
}

START_TEST(others_are_shut_out)
{
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    ck_assert_int_eq(ask(B, 0x16), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(test_unit_ready(A), SCSI_GOOD);
    ck_assert_int_eq(test_unit_ready(B), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(export.guard, EXPORT_NO_ACCESS);
}
END_TEST

START_TEST(others_may_look_who_is_there)
{
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    as(B);
    ck_assert_good(0x12, 0, 0, 0, 0xff, 0);
    ck_assert_good(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0);
    ck_assert_good(0x25);
}
END_TEST

START_TEST(release_is_for_the_holder_and_good_for_others)
{
    ck_assert_int_eq(ask(A, 0x56), SCSI_GOOD);
    ck_assert_int_eq(ask(B, 0x57), SCSI_GOOD);
    ck_assert_int_eq(test_unit_ready(B), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(ask(A, 0x57), SCSI_GOOD);
    ck_assert_int_eq(test_unit_ready(B), SCSI_GOOD);
    ck_assert_int_eq(export.guard, EXPORT_OPEN);
}
END_TEST

START_TEST(lost_nexus_releases)
{
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    scsi_nexus_detach(&unit, &nexuses[A]);
    ck_assert_int_eq(ask(B, 0x16), SCSI_GOOD);
}
END_TEST

START_TEST(nexus_kept_elsewhere_keeps_its_reservation)
{
    static struct scsi_nexus elsewhere;
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    scsi_nexus_move(&unit, &nexuses[A], &elsewhere, port_of(A));
    ck_assert_int_eq(test_unit_ready(B), SCSI_RESERVATION_CONFLICT);
    ck_assert_ptr_eq(unit.reserved_by, &elsewhere);
    scsi_nexus_detach(&unit, &elsewhere);
    ck_assert_int_eq(test_unit_ready(B), SCSI_GOOD);
}
END_TEST

START_TEST(other_nexus_lost_changes_nothing)
{
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    scsi_nexus_detach(&unit, &nexuses[B]);
    ck_assert_int_eq(test_unit_ready(C), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(reset_releases)
{
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    scsi_unit_reset(&unit, SCSI_UA_LUN_RESET);
    ck_assert_int_eq(ask(B, 0x16), SCSI_CHECK_CONDITION); /* it is told */
    ck_assert_int_eq(ask(B, 0x16), SCSI_GOOD);
}
END_TEST

START_TEST(persistent_ones_conflict_with_it)
{
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_RESERVATION_CONFLICT);
    as(B);
    ck_assert_int_eq(run(BYTES(0x5e, 0, 0, 0, 0, 0, 0, 0, 0xff, 0)), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(it_conflicts_with_registrations)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(ask(A, 0x16), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(ask(B, 0x17), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(it_is_nothing_to_who_has_the_unit_already)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(ask(A, 0x16), SCSI_GOOD);
    ck_assert_int_eq(ask(A, 0x17), SCSI_GOOD);
    ck_assert_int_eq(ask(B, 0x16), SCSI_RESERVATION_CONFLICT);
    ck_assert_ptr_null(unit.reserved_by);
    ck_assert_reserved(1, KEY_A);
}
END_TEST

START_TEST(third_parties_are_not_known)
{
    as(A);
    ck_assert_check(0x16, 0x10, 0, 0, 0, 0);
    ck_assert_bad_cdb(1, 4u);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi reserve");
    TCase *tcase = tcase_create("reserve");
    tcase_add_checked_fixture(tcase, setup_ports, teardown);
    tcase_add_test(tcase, others_are_shut_out);
    tcase_add_test(tcase, others_may_look_who_is_there);
    tcase_add_test(tcase, release_is_for_the_holder_and_good_for_others);
    tcase_add_test(tcase, lost_nexus_releases);
    tcase_add_test(tcase, nexus_kept_elsewhere_keeps_its_reservation);
    tcase_add_test(tcase, other_nexus_lost_changes_nothing);
    tcase_add_test(tcase, reset_releases);
    tcase_add_test(tcase, persistent_ones_conflict_with_it);
    tcase_add_test(tcase, it_conflicts_with_registrations);
    tcase_add_test(tcase, it_is_nothing_to_who_has_the_unit_already);
    tcase_add_test(tcase, third_parties_are_not_known);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
