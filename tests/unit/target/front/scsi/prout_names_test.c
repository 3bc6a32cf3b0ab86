/* SPDX-License-Identifier: Apache-2.0 */
/* PERSISTENT RESERVE OUT that names other ports: SPEC_I_PT, and REGISTER AND MOVE. */
#include "tests/unit/target/front/scsi/persist.h"

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
    Suite *suite = suite_create("scsi persistent reserve out, names");
    TCase *tcase = tcase_create("names");
    tcase_add_checked_fixture(tcase, setup_ports, teardown);
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
