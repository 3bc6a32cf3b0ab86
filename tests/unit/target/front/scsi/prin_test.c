/* SPDX-License-Identifier: Apache-2.0 */
/* PERSISTENT RESERVE IN: what it tells, byte for byte. */
#include "tests/unit/target/front/scsi/persist.h"

START_TEST(no_keys)
{
    ck_assert_good(0x5e, 0, 0, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 0, 0, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(keys_in_a_row)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_good(0x5e, 0, 0, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, KEY_A, 0, 0, 0, 0, 0, 0, 0,
                      KEY_B);
}
END_TEST

START_TEST(length_is_told_whole_when_the_room_is_short)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_good(0x5e, 0, 0, 0, 0, 0, 0, 0, 8, 0);
    ck_assert_data_in(0, 0, 0, 2, 0, 0, 0, 16);
}
END_TEST

START_TEST(no_reservation)
{
    ck_assert_good(0x5e, 1, 0, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 0, 0, 0, 0, 0, 0, 0);
}
END_TEST

START_TEST(reservation_with_its_holder)
{
    reserve(SCSI_EXCLUSIVE_ACCESS);
    ck_assert_good(0x5e, 1, 0, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, KEY_A, 0, 0, 0, 0, 0, 3, 0, 0);
}
END_TEST

START_TEST(reservation_of_all_has_no_key)
{
    reserve(SCSI_EXCLUSIVE_ACCESS_AR);
    ck_assert_good(0x5e, 1, 0, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0);
}
END_TEST

START_TEST(capabilities)
{
    ck_assert_good(0x5e, 2, 0, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 8, 0x1d, 0xc0, 0xea, 0x01, 0, 0);
}
END_TEST

START_TEST(capabilities_tell_that_persistence_is_on)
{
    ck_assert_int_eq(out_flags(A, OUT_REGISTER, 0, 0, KEY_A, FLAG_APTPL), SCSI_GOOD);
    ck_assert_good(0x5e, 2, 0, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_data_in(0, 8, 0x1d, 0xc1, 0xea, 0x01, 0, 0);
}
END_TEST

START_TEST(full_status_names_ports)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_good(0x5e, 3, 0, 0, 0, 0, 0, 0x0f, 0xff, 0);
    const uint8_t *bytes = command.data_in.bytes;
    ck_assert_uint_eq(command.data_in.length_bytes, 8 + 2 * (24 + 52));
    ck_assert_uint_eq(u16_at(bytes + 6), 2 * (24 + 52));
    static const uint8_t first[] = {0, 0, 0, 0, 0, 0, 0, KEY_A, 0, 0, 0, 0,
                                    1, 1, 0, 0, 0, 0, 0, 1,     0, 0, 0, 52};
    ck_assert_mem_eq(bytes + 8, first, sizeof(first));
    ck_assert_uint_eq(bytes[8 + 24], 0x45);
    ck_assert_str_eq((const char *)bytes + 8 + 24 + 4,
                     "iqn.2001-04.com.example:host,i,0x000000000001");
    ck_assert_uint_eq(bytes[8 + 76 + 7], KEY_B);
    ck_assert_uint_eq(bytes[8 + 76 + 12], 0);
}
END_TEST

START_TEST(full_status_of_a_full_table_fits)
{
    for (uint64_t i = 0; i < SCSI_REGISTRATIONS_MAX; i++) {
        struct scsi_port port = {.isid = i};
        memset(port.initiator, 'n', IQN_BYTES - 1);
        ck_assert_ptr_nonnull(scsi_registration_add(&unit.reservations, &port, i + 1));
    }
    ck_assert_good(0x5e, 3, 0, 0, 0, 0, 0, 0xff, 0xff, 0);
    ck_assert_uint_eq(command.data_in.length_bytes, 8 + SCSI_REGISTRATIONS_MAX * (24 + 248));
}
END_TEST

START_TEST(all_who_are_registered_hold_a_reservation_of_all)
{
    reserve(SCSI_WRITE_EXCLUSIVE_AR);
    ck_assert_good(0x5e, 3, 0, 0, 0, 0, 0, 0x0f, 0xff, 0);
    ck_assert_uint_eq(command.data_in.bytes[8 + 12], 1);
    ck_assert_uint_eq(command.data_in.bytes[8 + 76 + 12], 1);
}
END_TEST

START_TEST(other_actions_are_none)
{
    for (uint8_t action = 4; action < 0x20; action++) {
        ck_assert_check(0x5e, action, 0, 0, 0, 0, 0, 0, 0xff, 0);
        ck_assert_bad_cdb(1, 4u);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi persistent reserve in");
    TCase *tcase = tcase_create("in");
    tcase_add_checked_fixture(tcase, setup_ports, teardown);
    tcase_add_test(tcase, no_keys);
    tcase_add_test(tcase, keys_in_a_row);
    tcase_add_test(tcase, length_is_told_whole_when_the_room_is_short);
    tcase_add_test(tcase, no_reservation);
    tcase_add_test(tcase, reservation_with_its_holder);
    tcase_add_test(tcase, reservation_of_all_has_no_key);
    tcase_add_test(tcase, capabilities);
    tcase_add_test(tcase, capabilities_tell_that_persistence_is_on);
    tcase_add_test(tcase, full_status_names_ports);
    tcase_add_test(tcase, full_status_of_a_full_table_fits);
    tcase_add_test(tcase, all_who_are_registered_hold_a_reservation_of_all);
    tcase_add_test(tcase, other_actions_are_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
