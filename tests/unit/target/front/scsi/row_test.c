/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations in the volume's book: when they are written, and that they come back. */
#include "tests/unit/target/front/scsi/persist.h"

static enum scsi_status keep(uint32_t number, uint64_t key)
{
    return out_flags(number, OUT_REGISTER, 0, 0, key, FLAG_APTPL);
}

/* The target ends and another one begins, with what the book has. */
static void restart(void)
{
    memset(nexuses, 0, sizeof(nexuses));
    scsi_unit_init(&unit, &export);
    scsi_reservations_await(&unit);
    ck_assert(scsi_reservations_load(&unit, row, row_bytes));
    for (uint32_t id = A; id <= C; id++) {
        attach(id);
        ck_assert_uint_eq(attention_of(id), 0x2900);
    }
}

START_TEST(nothing_is_written_without_aptpl)
{
    reserve(SCSI_WRITE_EXCLUSIVE);
    ck_assert_uint_eq(steps, 0);
    ck_assert_uint_eq(row_bytes, 0);
}
END_TEST

START_TEST(answer_waits_for_the_row)
{
    ck_assert_int_eq(keep(A, KEY_A), SCSI_GOOD);
    ck_assert_uint_eq(steps, 1);
    ck_assert_int_eq(requests[0].op, BLOCK_SET_ROW);
    ck_assert_uint_gt(row_bytes, 0);
}
END_TEST

START_TEST(everything_comes_back)
{
    ck_assert_int_eq(keep(A, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(keep(B, KEY_B), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_RESERVE, 6, KEY_B, 0), SCSI_GOOD);
    restart();
    ck_assert_reserved(6, KEY_B);
    ck_assert_uint_eq(key_count(), 2);
    ck_assert_int_eq(export.guard, EXPORT_NO_ACCESS);
    as(C);
    ck_assert_int_eq(run(BYTES(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0)), SCSI_RESERVATION_CONFLICT);
    ck_assert_int_eq(out(A, OUT_PREEMPT, 1, KEY_A, KEY_B), SCSI_GOOD);
    restart();
    ck_assert_reserved(1, KEY_A);
}
END_TEST

START_TEST(commands_that_change_nothing_write_nothing)
{
    ck_assert_int_eq(keep(A, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_RELEASE, 1, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(registering_without_aptpl_removes_the_row)
{
    ck_assert_int_eq(keep(A, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_REGISTER, 0, 0, KEY_B), SCSI_GOOD);
    ck_assert_uint_eq(steps, 1);
    ck_assert_uint_eq(row_bytes, 0);
    ck_assert_int_eq(out(B, OUT_REGISTER, 0, KEY_B, 5), SCSI_GOOD);
    ck_assert_uint_eq(steps, 0);
}
END_TEST

START_TEST(clear_removes_the_row)
{
    ck_assert_int_eq(keep(A, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_CLEAR, 0, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(row_bytes, 0);
}
END_TEST

/* The change stays in effect; the next command writes it. */
START_TEST(row_that_failed_is_written_next_time)
{
    uint8_t list[24] = {[15] = KEY_A, [20] = FLAG_APTPL};
    as(A);
    data_out_set(list, sizeof(list));
    ck_assert_int_eq(run_failing(-EIO, BYTES(0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0)),
                     SCSI_CHECK_CONDITION);
    ck_assert(key_is_there(KEY_A));
    ck_assert_uint_eq(row_bytes, 0);
    ck_assert_int_eq(out(A, OUT_RELEASE, 1, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(steps, 1);
    ck_assert_uint_gt(row_bytes, 0);
}
END_TEST

/* Two commands at once: whichever is submitted last has both changes. */
START_TEST(row_is_as_new_as_its_submission)
{
    struct scsi_command other = {.unit = &unit, .nexus = &nexuses[B]};
    uint8_t list[24] = {[15] = KEY_B, [20] = FLAG_APTPL};
    const uint8_t cdb[] = {0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0};
    memcpy(other.cdb, cdb, sizeof(cdb));
    other.data_out = slice_get(&pool, sizeof(list));
    memcpy(other.data_out.bytes, list, sizeof(list));
    ck_assert_int_eq(scsi_command(&other, &pool), SCSI_BLOCK);
    ck_assert_int_eq(keep(A, KEY_A), SCSI_GOOD);
    uint32_t first = row_bytes;
    scsi_submitting(&other, &pool);
    disk_execute(&other.block);
    ck_assert_int_eq(scsi_finish(&other, &pool), SCSI_DONE);
    ck_assert_uint_eq(row_bytes, first);
    slice_release(&other.data_out);
    restart();
    ck_assert_uint_eq(key_count(), 2);
}
END_TEST

/* B's row is on its way when A wants it gone, which fails: what the book has is B's. */
START_TEST(removal_that_failed_beside_another_row_is_done_next_time)
{
    struct scsi_command other = {.unit = &unit, .nexus = &nexuses[B]};
    uint8_t list[24] = {[15] = KEY_B, [20] = FLAG_APTPL};
    const uint8_t cdb[] = {0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0};
    memcpy(other.cdb, cdb, sizeof(cdb));
    other.data_out = slice_get(&pool, sizeof(list));
    memcpy(other.data_out.bytes, list, sizeof(list));
    ck_assert_int_eq(scsi_command(&other, &pool), SCSI_BLOCK);
    scsi_submitting(&other, &pool);
    disk_execute(&other.block);

    list[15] = KEY_A;
    list[20] = 0;
    as(A);
    data_out_set(list, sizeof(list));
    cdb_set(cdb, sizeof(cdb));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    scsi_submitting(&command, &pool);
    ck_assert_int_eq(scsi_finish(&other, &pool), SCSI_DONE);
    slice_release(&other.data_out);
    command.block.status = -EIO;
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    ck_assert_uint_gt(row_bytes, 0);
    ck_assert_int_eq(out(A, OUT_RELEASE, 1, KEY_A, 0), SCSI_GOOD);
    ck_assert_uint_eq(row_bytes, 0);
}
END_TEST

START_TEST(row_that_is_dropped_gives_its_buffer_back)
{
    uint8_t list[24] = {[15] = KEY_A, [20] = FLAG_APTPL};
    as(A);
    data_out_set(list, sizeof(list));
    cdb_set(BYTES(0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    scsi_submitting(&command, &pool);
    ck_assert_ptr_nonnull(command.scratch.buf);
    scsi_drop(&command);
    ck_assert_ptr_null(command.scratch.buf);
}
END_TEST

START_TEST(snapshot_keeps_nothing)
{
    export.generation = 3;
    ck_assert_int_eq(keep(A, KEY_A), SCSI_CHECK_CONDITION);
    ck_assert_bad_parameter(20, 0u);
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_good(0x5e, 2, 0, 0, 0, 0, 0, 0, 0xff, 0);
    ck_assert_uint_eq(command.data_in.bytes[2], 0x1c);
}
END_TEST

START_TEST(commands_wait_until_the_book_is_read)
{
    scsi_reservations_await(&unit);
    as(A);
    cdb_set(BYTES(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_WAIT);
    cdb_set(BYTES(0x5e, 0, 0, 0, 0, 0, 0, 0, 0xff, 0));
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_WAIT);
    ck_assert(scsi_reservations_load(&unit, NULL, 0));
    ck_assert_int_eq(run_on(), SCSI_GOOD);
}
END_TEST

START_TEST(what_no_reservation_forbids_does_not_wait)
{
    scsi_reservations_await(&unit);
    ck_assert_int_eq(test_unit_ready(A), SCSI_GOOD);
    ck_assert_good(0x12, 0, 0, 0, 0xff, 0);
    ck_assert_good(0x25);
}
END_TEST

START_TEST(row_that_is_not_understood_is_nobody)
{
    static const uint8_t other[] = {9, 1, 2, 3};
    scsi_reservations_await(&unit);
    ck_assert(!scsi_reservations_load(&unit, other, sizeof(other)));
    ck_assert(scsi_unit_known(&unit));
    ck_assert_uint_eq(key_count(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi row");
    TCase *tcase = tcase_create("row");
    tcase_add_checked_fixture(tcase, setup_ports, teardown);
    tcase_add_test(tcase, nothing_is_written_without_aptpl);
    tcase_add_test(tcase, answer_waits_for_the_row);
    tcase_add_test(tcase, everything_comes_back);
    tcase_add_test(tcase, commands_that_change_nothing_write_nothing);
    tcase_add_test(tcase, registering_without_aptpl_removes_the_row);
    tcase_add_test(tcase, clear_removes_the_row);
    tcase_add_test(tcase, row_that_failed_is_written_next_time);
    tcase_add_test(tcase, row_is_as_new_as_its_submission);
    tcase_add_test(tcase, removal_that_failed_beside_another_row_is_done_next_time);
    tcase_add_test(tcase, row_that_is_dropped_gives_its_buffer_back);
    tcase_add_test(tcase, snapshot_keeps_nothing);
    tcase_add_test(tcase, commands_wait_until_the_book_is_read);
    tcase_add_test(tcase, what_no_reservation_forbids_does_not_wait);
    tcase_add_test(tcase, row_that_is_not_understood_is_nobody);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
