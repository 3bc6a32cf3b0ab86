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

/* REGISTER with SPEC_I_PT and these TransportIDs. */
static enum scsi_status register_with(uint32_t number, uint64_t key, const uint8_t *ids,
                                      uint32_t ids_bytes)
{
    uint8_t list[1024] = {0};
    struct writer w = writer_of(list, sizeof(list));
    write_u64(&w, 0);
    write_u64(&w, key);
    write_u32(&w, 0);
    write_u32(&w, (uint32_t)FLAG_SPEC_I_PT << 24);
    write_u32(&w, ids_bytes);
    write_bytes(&w, ids, ids_bytes);
    ck_assert(!w.bad);
    as(number);
    return out_list(OUT_REGISTER, 0, list, (uint32_t)writer_length(&w));
}

/* A TransportID: 45h a port, 05h a device. */
static uint32_t id_write(uint8_t *bytes, uint8_t head, const char *text)
{
    memset(bytes, 0, 64);
    bytes[0] = head;
    bytes[3] = 60;
    memcpy(bytes + 4, text, strlen(text));
    return 64;
}

START_TEST(ports_named_are_registered_too)
{
    uint8_t ids[128];
    (void)id_write(ids, 0x45, "iqn.2001-04.com.example:host,i,0x000000000002");
    (void)id_write(ids + 64, 0x45, "iqn.2001-04.com.example:far,i,0x00aabbccddee");
    ck_assert_int_eq(register_with(A, KEY_A, ids, sizeof(ids)), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 3);
    ck_assert_int_eq(out(B, OUT_RESERVE, 1, KEY_A, 0), SCSI_GOOD);
    ck_assert_reserved(1, KEY_A);
}
END_TEST

START_TEST(device_named_is_registered_at_the_ports_that_are_known)
{
    uint8_t ids[64];
    (void)id_write(ids, 0x05, "iqn.2001-04.com.example:host");
    ck_assert_int_eq(register_with(A, KEY_A, ids, sizeof(ids)), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 3);
}
END_TEST

START_TEST(device_that_is_not_known_is_refused)
{
    uint8_t ids[64];
    (void)id_write(ids, 0x05, "iqn.2001-04.com.example:far");
    ck_assert_int_eq(register_with(A, KEY_A, ids, sizeof(ids)), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2600);
    ck_assert_uint_eq(key_count(), 0);
}
END_TEST

START_TEST(one_bad_name_registers_nobody)
{
    uint8_t ids[128];
    (void)id_write(ids, 0x45, "iqn.2001-04.com.example:host,i,0x000000000002");
    (void)id_write(ids + 64, 0x45, "iqn.2001-04.com.example:host");
    ck_assert_int_eq(register_with(A, KEY_A, ids, sizeof(ids)), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2600);
    ck_assert_uint_eq(key_count(), 0);
}
END_TEST

START_TEST(name_of_who_is_registered_is_refused)
{
    uint8_t ids[128];
    ck_assert_int_eq(out(B, OUT_REGISTER, 0, 0, KEY_B), SCSI_GOOD);
    (void)id_write(ids, 0x45, "iqn.2001-04.com.example:far,i,0x00aabbccddee");
    (void)id_write(ids + 64, 0x45, "iqn.2001-04.com.example:host,i,0x000000000002");
    ck_assert_int_eq(register_with(A, KEY_A, ids, sizeof(ids)), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2600);
    (void)id_write(ids + 64, 0x05, "iqn.2001-04.com.example:host");
    ck_assert_int_eq(register_with(A, KEY_A, ids, sizeof(ids)), SCSI_CHECK_CONDITION);
    ck_assert_sense(0x05, 0x2600);
    ck_assert_uint_eq(key_count(), 1);
}
END_TEST

START_TEST(who_sent_it_may_be_among_the_names)
{
    uint8_t ids[128];
    (void)id_write(ids, 0x45, "iqn.2001-04.com.example:host,i,0x000000000001");
    (void)id_write(ids + 64, 0x45, "iqn.2001-04.com.example:host,i,0x000000000001");
    ck_assert_int_eq(register_with(A, KEY_A, ids, sizeof(ids)), SCSI_GOOD);
    ck_assert_uint_eq(key_count(), 1);
}
END_TEST

START_TEST(names_come_with_a_first_registration_only)
{
    uint8_t ids[64];
    (void)id_write(ids, 0x45, "iqn.2001-04.com.example:far,i,0x00aabbccddee");
    ck_assert_int_eq(out_flags(A, OUT_REGISTER_AND_IGNORE, 0, 0, KEY_A, FLAG_SPEC_I_PT),
                     SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(20, 3u);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(register_with(A, 9, ids, sizeof(ids)), SCSI_RESERVATION_CONFLICT);
}
END_TEST

/* ---- moving ---- */

static enum scsi_status move_to(uint32_t number, uint64_t key, uint64_t action_key, uint8_t flags,
                                uint8_t target_port, const char *name)
{
    uint8_t list[24 + 64] = {[17] = flags, [19] = target_port, [23] = 64};
    struct writer w = writer_of(list, 16);
    write_u64(&w, key);
    write_u64(&w, action_key);
    (void)id_write(list + 24, 0x45, name);
    as(number);
    return out_list(OUT_REGISTER_AND_MOVE, 0, list, sizeof(list));
}
#define PORT_B   "iqn.2001-04.com.example:host,i,0x000000000002"
#define PORT_FAR "iqn.2001-04.com.example:far,i,0x0000000000ff"

START_TEST(move_gives_the_reservation_away)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(move_to(A, KEY_A, 7, 0, 1, PORT_B), SCSI_GOOD);
    ck_assert_reserved(1, 7);
    ck_assert_uint_eq(key_count(), 2);
    ck_assert_int_eq(out(B, OUT_RELEASE, 1, 7, 0), SCSI_GOOD);
    ck_assert_reserved(0, 0);
}
END_TEST

START_TEST(move_to_a_port_that_is_away_registers_it)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(move_to(A, KEY_A, 7, 0x02, 1, PORT_FAR), SCSI_GOOD);
    ck_assert_reserved(1, 7);
    ck_assert(!key_is_there(KEY_A));
}
END_TEST

START_TEST(move_is_for_the_holder)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(move_to(B, KEY_B, 7, 0, 1, PORT_FAR), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(move_of_no_reservation_is_an_error)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(move_to(A, KEY_A, 7, 0, 1, PORT_B), SCSI_CHECK_CONDITION);
    ck_assert_bad_cdb(1, 4u);
    ck_assert_uint_eq(key_count(), 1);
}
END_TEST

START_TEST(reservation_of_all_cannot_be_moved)
{
    reserve(SCSI_WRITE_EXCLUSIVE_AR);
    ck_assert_int_eq(move_to(A, KEY_A, 7, 0, 1, PORT_B), SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(move_names_a_port_well)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_int_eq(move_to(A, KEY_A, 0, 0, 1, PORT_B), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(8, 7u);
    ck_assert_int_eq(move_to(A, KEY_A, 7, 0, 2, PORT_B), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(18, 7u);
    ck_assert_int_eq(move_to(A, KEY_A, 7, 0, 1, "iqn.2001-04.com.example:host,i,0x000000000001"),
                     SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(24, 7u);
    ck_assert_reserved(1, KEY_A);
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
    tcase_add_test(tcase, ports_named_are_registered_too);
    tcase_add_test(tcase, device_named_is_registered_at_the_ports_that_are_known);
    tcase_add_test(tcase, device_that_is_not_known_is_refused);
    tcase_add_test(tcase, one_bad_name_registers_nobody);
    tcase_add_test(tcase, name_of_who_is_registered_is_refused);
    tcase_add_test(tcase, who_sent_it_may_be_among_the_names);
    tcase_add_test(tcase, names_come_with_a_first_registration_only);
    tcase_add_test(tcase, move_gives_the_reservation_away);
    tcase_add_test(tcase, move_to_a_port_that_is_away_registers_it);
    tcase_add_test(tcase, move_is_for_the_holder);
    tcase_add_test(tcase, move_of_no_reservation_is_an_error);
    tcase_add_test(tcase, reservation_of_all_cannot_be_moved);
    tcase_add_test(tcase, move_names_a_port_well);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
