/* SPDX-License-Identifier: Apache-2.0 */
/* PERSISTENT RESERVE OUT: who becomes registered, who holds the reservation, who is told what. */
#include "tests/unit/target/front/scsi/persist.h"

START_TEST(register_takes_a_key)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert(key_is_there(KEY_A));
}
END_TEST

START_TEST(register_with_a_wrong_key_conflicts)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 5, KEY_A), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, 6), SCSI_RESERVATION_CONFLICT);
    ck_assert_uint_eq(key_count(), 1);
}
END_TEST

START_TEST(register_changes_the_key)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, KEY_A, 6), SCSI_GOOD);
    ck_assert(key_is_there(6));
    ck_assert_uint_eq(key_count(), 1);
}
END_TEST

START_TEST(register_of_zero_unregisters)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 0);
}
END_TEST

START_TEST(register_of_zero_by_a_stranger_is_nothing)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, 0), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 0);
    ck_assert_uint_eq(generation_read(), 0);
}
END_TEST

START_TEST(register_and_ignore_needs_no_key)
{
    ck_assert_int_eq(out(A, OUT_REGISTER_AND_IGNORE, 0, 99, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_REGISTER_AND_IGNORE, 0, 98, 6), SCSI_GOOD);
    ck_assert(key_is_there(6));
    ck_assert_int_eq(out(A, OUT_REGISTER_AND_IGNORE, 0, 97, 0), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 0);
}
END_TEST

START_TEST(all_target_ports_are_the_one)
{
    ck_assert_int_eq(out_flags(A, OUT_REGISTER, 0, 0, KEY_A, FLAG_ALL_TG_PT), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 1);
}
END_TEST

START_TEST(generation_counts_registrations_not_reservations)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_uint_eq(generation_read(), 2);
    ck_assert_int_eq(out(A, OUT_RELEASE, SCSI_WRITE_EXCLUSIVE, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(generation_read(), 2);
    ck_assert_int_eq(out(A, OUT_CLEAR, 0, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(generation_read(), 3);
}
END_TEST

START_TEST(table_of_registrations_fills)
{
    for (uint32_t i = 0; i < SCSI_REGISTRATIONS_MAX; i++) {
        struct scsi_port port = {.isid = 1000 + i, .initiator = "iqn.2001-04.com.example:other"};
        ck_assert_ptr_nonnull(scsi_registration_add(&unit.reservations, &port, 1));
    }
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x5504);
    ck_assert_uint_eq(generation_read(), 0);
}
END_TEST

START_TEST(reserve_needs_registration_and_key)
{
    ck_assert_int_eq(out(A, OUT_RESERVE, 1, 0, 0), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_RESERVE, 1, 5, 0), SCSI_RESERVATION_CONFLICT);
    ck_assert_reserved(0, 0);
}
END_TEST

START_TEST(every_type_is_reserved_and_released)
{
    static const uint8_t types[] = {1, 3, 5, 6, 7, 8};
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    for (size_t i = 0; i < sizeof(types); i++) {
        ck_assert_int_eq(out(A, OUT_RESERVE, types[i], KEY_A, 0), SCSI_GOOD);
        ck_assert_reserved(types[i], types[i] >= 7 ? 0 : KEY_A);
        ck_assert_int_eq(out(A, OUT_RELEASE, types[i], KEY_A, 0), SCSI_GOOD);
        ck_assert_reserved(0, 0);
    }
}
END_TEST

START_TEST(other_types_and_scopes_are_none)
{
    static const uint8_t types[] = {0, 2, 4, 9, 15};
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    for (size_t i = 0; i < sizeof(types); i++) {
        ck_assert_int_eq(out(A, OUT_RESERVE, types[i], KEY_A, 0), SCSI_CHECK_CONDITION);
        ck_assert_bad_cdb(2, 3u);
    }
    ck_assert_int_eq(out(A, OUT_RESERVE, 0x21, KEY_A, 0), SCSI_CHECK_CONDITION);
    ck_assert_bad_cdb(2, 7u);
}
END_TEST

START_TEST(reserving_again_is_good_for_the_holder_alone)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(out(A, OUT_RESERVE, 1, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_RESERVE, 3, KEY_A, 0), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(out(B, OUT_RESERVE, 1, KEY_B, 0), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(every_registrant_holds_a_reservation_of_all)
{
    reserve(SCSI_WRITE_EXCLUSIVE_AR);
    ck_assert_int_eq(out(B, OUT_RESERVE, 7, KEY_B, 0), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_RELEASE, 7, KEY_B, 0), SCSI_GOOD);
    ck_assert_reserved(0, 0);
}
END_TEST

START_TEST(release_by_another_is_nothing)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(out(B, OUT_RELEASE, 1, KEY_B, 0), SCSI_GOOD);
    ck_assert_reserved(1, KEY_A);
}
END_TEST

START_TEST(release_of_another_type_is_invalid)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(out(A, OUT_RELEASE, 3, KEY_A, 0), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2604);
    ck_assert_reserved(1, KEY_A);
}
END_TEST

START_TEST(release_tells_registrants_who_had_a_part)
{
    reserve(SCSI_WRITE_EXCLUSIVE_RO);
    ck_assert_int_eq(out(A, OUT_RELEASE, 5, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(attention_of(A), 0);
    ck_assert_uint_eq(attention_of(B), 0x2a04);
    ck_assert_uint_eq(attention_of(C), 0);
}
END_TEST

START_TEST(release_of_an_exclusive_one_tells_nobody)
{
    reserve(SCSI_EXCLUSIVE_ACCESS);
    ck_assert_int_eq(out(A, OUT_RELEASE, 3, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(attention_of(B), 0);
}
END_TEST

START_TEST(unregistering_holder_releases)
{
    reserve(SCSI_EXCLUSIVE_ACCESS_RO);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, KEY_A, 0), SCSI_GOOD);
    ck_assert_reserved(0, 0);
    ck_assert_uint_eq(attention_of(B), 0x2a04);
}
END_TEST

START_TEST(reservation_of_all_ends_with_the_last)
{
    reserve(SCSI_EXCLUSIVE_ACCESS_AR);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, KEY_A, 0), SCSI_GOOD);
    ck_assert_reserved(8, 0);
    ck_assert_uint_eq(attention_of(B), 0);
    ck_assert_int_eq(out(B, OUT_REGISTER, 0, KEY_B, 0), SCSI_GOOD);
    ck_assert_reserved(0, 0);
}
END_TEST

START_TEST(clear_ends_everything_and_tells)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(out(B, OUT_CLEAR, 0, KEY_B, 0), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 0);
    ck_assert_reserved(0, 0);
    ck_assert_uint_eq(attention_of(A), 0x2a03);
    ck_assert_uint_eq(attention_of(B), 0);
}
END_TEST

START_TEST(preempt_of_the_holder_takes_over)
{
    reserve(SCSI_EXCLUSIVE_ACCESS);
    ck_assert_int_eq(out(B, OUT_PREEMPT, 1, KEY_B, KEY_A), SCSI_GOOD);
    ck_assert_reserved(1, KEY_B);
    ck_assert(!key_is_there(KEY_A));
    ck_assert_uint_eq(attention_of(A), 0x2a05);
    ck_assert_uint_eq(attention_of(B), 0);
}
END_TEST

START_TEST(preempt_that_changes_the_type_tells_the_rest)
{
    register_all();
    ck_assert_int_eq(out(A, OUT_RESERVE, 5, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_PREEMPT, 6, KEY_B, KEY_A), SCSI_GOOD);
    ck_assert_uint_eq(attention_of(C), 0x2a04);
}
END_TEST

START_TEST(preempt_with_the_same_type_tells_only_the_preempted)
{
    register_all();
    ck_assert_int_eq(out(A, OUT_RESERVE, 5, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_PREEMPT, 5, KEY_B, KEY_A), SCSI_GOOD);
    ck_assert_uint_eq(attention_of(C), 0);
}
END_TEST

START_TEST(preempt_of_another_removes_its_registration)
{
    register_all();
    ck_assert_int_eq(out(A, OUT_RESERVE, 1, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_PREEMPT, 3, KEY_B, KEY_C), SCSI_GOOD);
    ck_assert_reserved(1, KEY_A);
    ck_assert(!key_is_there(KEY_C));
    ck_assert_uint_eq(attention_of(C), 0x2a05);
}
END_TEST

START_TEST(preempt_of_an_unknown_key_conflicts)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(out(B, OUT_PREEMPT, 1, KEY_B, 5), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(out(A, OUT_RELEASE, 1, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_PREEMPT, 1, KEY_B, 5), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(preempt_that_only_removes_needs_no_type)
{
    register_all();
    ck_assert_int_eq(out(A, OUT_PREEMPT, 0, KEY_A, KEY_B), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_RESERVE, 5, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_PREEMPT, 0x2f, KEY_A, KEY_C), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 1);
    ck_assert_reserved(5, KEY_A);
    ck_assert_int_eq(out(A, OUT_PREEMPT, 0, KEY_A, KEY_A), SCSI_CHECK_CONDITION);
    ck_assert_bad_cdb(2, 3u);
    ck_assert_int_eq(out(A, OUT_PREEMPT, 0x15, KEY_A, KEY_A), SCSI_CHECK_CONDITION);
    ck_assert_bad_cdb(2, 7u);
    ck_assert_reserved(5, KEY_A);
}
END_TEST

START_TEST(release_of_nothing_needs_no_type)
{
    register_all();
    ck_assert_int_eq(out(A, OUT_RELEASE, 0, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_RESERVE, 5, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_RELEASE, 0, KEY_B, 0), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_RELEASE, 0, KEY_A, 0), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2604);
    ck_assert_int_eq(out(A, OUT_RELEASE, 0x15, KEY_A, 0), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2604);
    ck_assert_reserved(5, KEY_A);
}
END_TEST

START_TEST(wrong_key_conflicts_whatever_the_type)
{
    register_all();
    ck_assert_int_eq(out(A, OUT_RESERVE, 0, KEY_B, 0), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(preempt_without_reservation_removes_registrations)
{
    register_all();
    ck_assert_int_eq(out(A, OUT_PREEMPT, 1, KEY_A, KEY_B), SCSI_GOOD);
    ck_assert_reserved(0, 0);
    ck_assert_uint_eq(key_count(), 2);
}
END_TEST

START_TEST(preempt_of_key_zero_is_for_reservations_of_all)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(out(B, OUT_PREEMPT, 1, KEY_B, 0), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(8, 7u);
}
END_TEST

START_TEST(preempt_of_all_leaves_one)
{
    register_all();
    ck_assert_int_eq(out(A, OUT_RESERVE, 7, KEY_A, 0), SCSI_GOOD);
    ck_assert_int_eq(out(C, OUT_PREEMPT, 3, KEY_C, 0), SCSI_GOOD);
    ck_assert_reserved(3, KEY_C);
    ck_assert_uint_eq(key_count(), 1);
    ck_assert_uint_eq(attention_of(A), 0x2a05);
}
END_TEST

START_TEST(preempt_of_one_of_all_keeps_the_reservation)
{
    reserve(SCSI_WRITE_EXCLUSIVE_AR);
    ck_assert_int_eq(out(A, OUT_PREEMPT, 7, KEY_A, KEY_B), SCSI_GOOD);
    ck_assert_reserved(7, 0);
    ck_assert_uint_eq(key_count(), 1);
}
END_TEST

START_TEST(holder_may_preempt_itself_to_change_the_type)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(out(A, OUT_PREEMPT, 3, KEY_A, KEY_A), SCSI_GOOD);
    ck_assert_reserved(3, KEY_A);
    ck_assert_uint_eq(key_count(), 2);
}
END_TEST

/* The caller is asked to abort; until it says that this is done the command is not over. */
START_TEST(preempt_and_abort_names_whom_to_abort)
{
    uint8_t list[24] = {[7] = KEY_B, [15] = KEY_A};
    reserve(SCSI_EXCLUSIVE_ACCESS);
    as(B);
    data_out_set(list, sizeof(list));
    cdb_set(BYTES(0x5f, OUT_PREEMPT_AND_ABORT, 1, 0, 0, 0, 0, 0, 24, 0));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_ABORT);
    ck_assert(scsi_port_aborts(&unit, port_of(A)));
    ck_assert(!scsi_port_aborts(&unit, port_of(B)));
    scsi_ports_aborted(&unit);
    ck_assert(!scsi_port_aborts(&unit, port_of(A)));
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    ck_assert_int_eq(command.status, SCSI_GOOD);
    ck_assert_reserved(1, KEY_B);
}
END_TEST

/* ---- parameter lists ---- */

START_TEST(list_of_another_length_is_refused)
{
    static const uint8_t list[32];
    static const uint32_t lengths[] = {0, 8, 23, 25, 28};
    as(A);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        ck_assert_int_eq(out_list(OUT_REGISTER, 0, list, lengths[i]), SCSI_CHECK_CONDITION);
        ck_assert_sense(0x05, 0x1a00);
    }
}
END_TEST

START_TEST(list_that_did_not_come_whole_is_refused)
{
    as(A);
    data_out_fill(0, 20);
    ck_assert_check(0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0);
    ck_assert_sense(0x05, 0x1a00);
}
END_TEST

START_TEST(list_without_end_is_refused)
{
    as(A);
    ck_assert_check(0x5f, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0);
    ck_assert_bad_cdb(5, 7u);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi persistent reserve out");
    TCase *tcase = tcase_create("actions");
    tcase_add_checked_fixture(tcase, setup_ports, teardown);
    tcase_add_test(tcase, register_takes_a_key);
    tcase_add_test(tcase, register_with_a_wrong_key_conflicts);
    tcase_add_test(tcase, register_changes_the_key);
    tcase_add_test(tcase, register_of_zero_unregisters);
    tcase_add_test(tcase, register_of_zero_by_a_stranger_is_nothing);
    tcase_add_test(tcase, register_and_ignore_needs_no_key);
    tcase_add_test(tcase, all_target_ports_are_the_one);
    tcase_add_test(tcase, generation_counts_registrations_not_reservations);
    tcase_add_test(tcase, table_of_registrations_fills);
    tcase_add_test(tcase, reserve_needs_registration_and_key);
    tcase_add_test(tcase, every_type_is_reserved_and_released);
    tcase_add_test(tcase, other_types_and_scopes_are_none);
    tcase_add_test(tcase, reserving_again_is_good_for_the_holder_alone);
    tcase_add_test(tcase, every_registrant_holds_a_reservation_of_all);
    tcase_add_test(tcase, release_by_another_is_nothing);
    tcase_add_test(tcase, release_of_another_type_is_invalid);
    tcase_add_test(tcase, release_tells_registrants_who_had_a_part);
    tcase_add_test(tcase, release_of_an_exclusive_one_tells_nobody);
    tcase_add_test(tcase, unregistering_holder_releases);
    tcase_add_test(tcase, reservation_of_all_ends_with_the_last);
    tcase_add_test(tcase, clear_ends_everything_and_tells);
    tcase_add_test(tcase, preempt_of_the_holder_takes_over);
    tcase_add_test(tcase, preempt_that_changes_the_type_tells_the_rest);
    tcase_add_test(tcase, preempt_with_the_same_type_tells_only_the_preempted);
    tcase_add_test(tcase, preempt_of_another_removes_its_registration);
    tcase_add_test(tcase, preempt_of_an_unknown_key_conflicts);
    tcase_add_test(tcase, preempt_that_only_removes_needs_no_type);
    tcase_add_test(tcase, release_of_nothing_needs_no_type);
    tcase_add_test(tcase, wrong_key_conflicts_whatever_the_type);
    tcase_add_test(tcase, preempt_without_reservation_removes_registrations);
    tcase_add_test(tcase, preempt_of_key_zero_is_for_reservations_of_all);
    tcase_add_test(tcase, preempt_of_all_leaves_one);
    tcase_add_test(tcase, preempt_of_one_of_all_keeps_the_reservation);
    tcase_add_test(tcase, holder_may_preempt_itself_to_change_the_type);
    tcase_add_test(tcase, preempt_and_abort_names_whom_to_abort);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("lists");
    tcase_add_checked_fixture(tcase, setup_ports, teardown);
    tcase_add_test(tcase, list_of_another_length_is_refused);
    tcase_add_test(tcase, list_that_did_not_come_whole_is_refused);
    tcase_add_test(tcase, list_without_end_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
