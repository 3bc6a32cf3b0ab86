/* SPDX-License-Identifier: Apache-2.0 */
/* The table of registrations, and its form in the book. */
#include "target/front/scsi/reservations.h"
#include "tests/lib/suite.h"

static struct scsi_reservations all;
static struct scsi_reservations again;
static uint8_t bytes[SCSI_RESERVATIONS_BYTES_MAX];

static void setup(void)
{
    all = (struct scsi_reservations){0};
}

static struct scsi_registration *add(uint64_t isid, uint64_t key)
{
    struct scsi_port port = {.isid = isid, .initiator = "iqn.2001-04.com.example:host"};
    return scsi_registration_add(&all, &port, key);
}

static size_t encode(void)
{
    struct writer w = writer_of(bytes, sizeof(bytes));
    scsi_reservations_encode(&all, &w);
    ck_assert(!w.bad);
    return writer_length(&w);
}

static bool decode(size_t length)
{
    struct reader r = reader_of(bytes, length);
    return scsi_reservations_decode(&again, &r);
}

START_TEST(what_is_encoded_is_decoded)
{
    (void)add(1, 11);
    struct scsi_registration *holder = add(2, 22);
    scsi_registration_reserve(&all, holder, SCSI_EXCLUSIVE_ACCESS_RO);
    ck_assert(decode(encode()));
    ck_assert(again.kept && again.stored);
    ck_assert_uint_eq(scsi_registration_count(&again), 2);
    ck_assert_uint_eq(again.type, SCSI_EXCLUSIVE_ACCESS_RO);
    struct scsi_registration *found = scsi_registration_find(&again, &holder->port);
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(found->key, 22);
    ck_assert(scsi_registration_holds(&again, found));
}
END_TEST

START_TEST(holder_is_found_again_behind_gaps)
{
    (void)add(1, 11);
    struct scsi_registration *gone = add(2, 22);
    struct scsi_registration *holder = add(3, 33);
    scsi_registration_remove(&all, gone);
    scsi_registration_reserve(&all, holder, SCSI_WRITE_EXCLUSIVE);
    ck_assert(decode(encode()));
    ck_assert_uint_eq(again.registrations[again.holder].key, 33);
}
END_TEST

START_TEST(full_table_of_long_names_fits)
{
    for (uint64_t i = 0; i < SCSI_REGISTRATIONS_MAX; i++) {
        struct scsi_port port = {.isid = i};
        memset(port.initiator, 'x', IQN_BYTES - 1);
        ck_assert_ptr_nonnull(scsi_registration_add(&all, &port, i + 1));
    }
    ck_assert_ptr_null(add(1000, 1));
    ck_assert(decode(encode()));
    ck_assert_uint_eq(scsi_registration_count(&again), SCSI_REGISTRATIONS_MAX);
}
END_TEST

START_TEST(nothing_is_nobody)
{
    ck_assert(decode(0));
    ck_assert(!again.kept && !again.stored);
    ck_assert_uint_eq(scsi_registration_count(&again), 0);
}
END_TEST

START_TEST(cut_short_is_refused)
{
    (void)add(1, 11);
    scsi_registration_reserve(&all, add(2, 22), SCSI_WRITE_EXCLUSIVE);
    size_t length = encode();
    for (size_t i = 1; i < length; i++) {
        ck_assert(!decode(i));
        ck_assert_uint_eq(scsi_registration_count(&again), 0);
        ck_assert_uint_eq(again.type, SCSI_RESERVED_NOT);
    }
}
END_TEST

START_TEST(longer_than_it_says_is_refused)
{
    (void)add(1, 11);
    size_t length = encode();
    ck_assert(!decode(length + 1));
}
END_TEST

/* One byte of a good row is another. */
static bool decode_with(size_t at, uint8_t value)
{
    (void)add(1, 11);
    scsi_registration_reserve(&all, add(2, 22), SCSI_WRITE_EXCLUSIVE);
    size_t length = encode();
    bytes[at] = value;
    return decode(length);
}

START_TEST(other_version_is_refused)
{
    ck_assert(!decode_with(0, 2));
}
END_TEST

START_TEST(type_that_is_none_is_refused)
{
    ck_assert(!decode_with(1, 2));
}
END_TEST

START_TEST(holder_who_is_nobody_is_refused)
{
    ck_assert(!decode_with(2, 2));
}
END_TEST

START_TEST(holder_of_no_reservation_is_refused)
{
    ck_assert(!decode_with(1, SCSI_RESERVED_NOT));
}
END_TEST

START_TEST(more_than_the_table_holds_is_refused)
{
    ck_assert(!decode_with(3, SCSI_REGISTRATIONS_MAX + 1));
}
END_TEST

START_TEST(key_of_zero_is_refused)
{
    ck_assert(!decode_with(4 + 7, 0));
}
END_TEST

START_TEST(isid_of_more_than_six_bytes_is_refused)
{
    ck_assert(!decode_with(4 + 8, 1));
}
END_TEST

START_TEST(name_with_an_end_inside_is_refused)
{
    ck_assert(!decode_with(4 + 8 + 8 + 1 + 3, 0));
}
END_TEST

START_TEST(same_port_twice_is_refused)
{
    ck_assert(!decode_with(4 + 8 + 7, 2));
}
END_TEST

START_TEST(same_name_with_another_isid_is_another_port)
{
    struct scsi_registration *one = add(1, 11);
    struct scsi_registration *two = add(2, 22);
    ck_assert(!scsi_port_equal(&one->port, &two->port));
    ck_assert_ptr_eq(scsi_registration_find(&all, &two->port), two);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi reservations");
    TCase *tcase = tcase_create("reservations");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, what_is_encoded_is_decoded);
    tcase_add_test(tcase, holder_is_found_again_behind_gaps);
    tcase_add_test(tcase, full_table_of_long_names_fits);
    tcase_add_test(tcase, nothing_is_nobody);
    tcase_add_test(tcase, cut_short_is_refused);
    tcase_add_test(tcase, longer_than_it_says_is_refused);
    tcase_add_test(tcase, other_version_is_refused);
    tcase_add_test(tcase, type_that_is_none_is_refused);
    tcase_add_test(tcase, holder_who_is_nobody_is_refused);
    tcase_add_test(tcase, holder_of_no_reservation_is_refused);
    tcase_add_test(tcase, more_than_the_table_holds_is_refused);
    tcase_add_test(tcase, key_of_zero_is_refused);
    tcase_add_test(tcase, isid_of_more_than_six_bytes_is_refused);
    tcase_add_test(tcase, name_with_an_end_inside_is_refused);
    tcase_add_test(tcase, same_port_twice_is_refused);
    tcase_add_test(tcase, same_name_with_another_isid_is_another_port);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
