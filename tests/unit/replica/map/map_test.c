/* SPDX-License-Identifier: Apache-2.0 */
/* The map's promises, one by one. */
#include "tests/unit/replica/map/fixture.h"

enum { SIZE_BLOCKS = 4096 };

static struct uuid uuid;
static struct map_volume *volume;
static uint32_t family;
static uint64_t commands;

static void setup(void)
{
    fixture_setup();
    uuid = fixture_uuid(1);
    commands = 0;
    ck_assert_int_eq(map_volume_create(fixture_map, &uuid, (uint64_t)SIZE_BLOCKS * BLOCK, NULL, 0,
                                       false, &family),
                     0);
    ck_assert_int_eq(map_volume_open(fixture_map, &uuid, &volume), 0);
}

static void teardown(void)
{
    if (volume)
        map_volume_close(volume);
    fixture_teardown();
}

/* Where a block lies now: its place, in blocks; -1: it shows zeros. */
static int64_t place_at(uint64_t generation, uint64_t block)
{
    struct map_run run;
    ck_assert_int_eq(map_find(volume, generation, block * BLOCK, BLOCK, &run, 1), 1);
    return run.state == MAP_DATA ? (int64_t)fixture_place(&run, 0) : -1;
}

static bool put(uint64_t block, uint64_t count)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    ck_assert_int_gt(map_place(volume, 0, block * BLOCK, count * BLOCK, runs, &write), 0);
    if (write.fresh)
        ck_assert_int_eq(map_wrote(volume, &write), 0);
    return write.fresh;
}

static void clear(uint64_t block, uint64_t count)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    for (uint64_t at = block; at < block + count; at += write.length_bytes / BLOCK) {
        uint64_t left = (block + count - at) * BLOCK;
        ck_assert_int_ge(map_zero(volume, 0, at * BLOCK, left, runs, &write), 0);
        if (write.fresh)
            ck_assert_int_eq(map_zeroed(volume, &write), 0);
    }
}

static int command(uint64_t number, enum command_kind kind, uint64_t generation, const char *row)
{
    uint8_t body[512];
    struct message_command c = {.number = number,
                                .kind = kind,
                                .generation = generation,
                                .identity = fixture_uuid((uint32_t)number),
                                .value = (const uint8_t *)row,
                                .value_bytes = row ? (uint32_t)strlen(row) : 0};
    struct writer w = writer_of(body, sizeof(body));
    if (row)
        snprintf(c.key, sizeof(c.key), "row");
    message_command_encode(&w, &c);
    return map_command(volume, body, (uint32_t)writer_length(&w));
}

static void does(enum command_kind kind, uint64_t generation)
{
    ck_assert_int_eq(command(++commands, kind, generation, NULL), 0);
}

static struct map_info info(void)
{
    struct map_info found;
    map_volume_info(volume, &found);
    return found;
}

static void reopen(void)
{
    volume = fixture_reopen(volume, &uuid);
}

static void lose_power(void)
{
    fixture_boot.bytes[0]++;
    reopen();
}

static void flush(void)
{
    ck_assert_int_ge(map_flushed(fixture_map, family, map_flush_mark(fixture_map)), 0);
}

START_TEST(new_volume_shows_nothing_in_one_run)
{
    struct map_run run;
    uint64_t length = (uint64_t)SIZE_BLOCKS * BLOCK;
    ck_assert_int_eq(map_find(volume, 0, 0, length, &run, 1), 1);
    ck_assert_int_eq(run.state, MAP_ABSENT);
    ck_assert_uint_eq(run.length_bytes, length);
}
END_TEST

START_TEST(first_writes_lie_in_the_order_of_the_volume)
{
    struct map_run run;
    put(100, 40);
    ck_assert_int_eq(map_find(volume, 0, 100 * BLOCK, 40 * BLOCK, &run, 1), 1);
    ck_assert_uint_eq(run.offset_bytes, 100 * BLOCK);
    ck_assert_uint_eq(run.length_bytes, 40 * BLOCK);
}
END_TEST

START_TEST(block_is_not_shown_before_its_data_is_there)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    ck_assert_int_eq(map_place(volume, 0, 0, BLOCK, runs, &write), 1);
    ck_assert(write.fresh);
    ck_assert_int_eq(place_at(0, 0), -1);
    ck_assert_int_eq(map_wrote(volume, &write), 0);
    ck_assert_int_eq(place_at(0, 0), 0);
}
END_TEST

START_TEST(second_write_goes_in_place_and_changes_nothing)
{
    ck_assert(put(5, 3));
    uint64_t sequence = fixture_map->journal.next_sequence;
    ck_assert(!put(5, 3));
    ck_assert_uint_eq(fixture_map->journal.next_sequence, sequence);
}
END_TEST

START_TEST(sealed_generation_keeps_its_place_when_the_head_is_written)
{
    put(5, 1);
    int64_t old = place_at(0, 5);
    does(COMMAND_SEAL, 1);
    ck_assert_int_eq(place_at(0, 5), old);
    put(5, 1);
    ck_assert_int_eq(place_at(1, 5), old);
    ck_assert_int_ne(place_at(0, 5), old);
}
END_TEST

START_TEST(sealed_generation_takes_no_writes)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    does(COMMAND_SEAL, 1);
    ck_assert_int_eq(map_place(volume, 1, 0, BLOCK, runs, &write), -EROFS);
    ck_assert_int_eq(map_place(volume, 7, 0, BLOCK, runs, &write), -ENOENT);
}
END_TEST

START_TEST(write_behind_the_end_is_refused)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    uint64_t end = (uint64_t)SIZE_BLOCKS * BLOCK;
    ck_assert_int_eq(map_place(volume, 0, end, BLOCK, runs, &write), -EINVAL);
    ck_assert_int_eq(map_volume_grow(volume, end + BLOCK), 0);
    ck_assert_int_eq(map_place(volume, 0, end, BLOCK, runs, &write), 1);
    map_unplace(volume, &write);
    ck_assert_int_eq(map_volume_grow(volume, end), -EINVAL);
}
END_TEST

START_TEST(zero_of_an_empty_volume_is_one_step)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    uint64_t length = (uint64_t)SIZE_BLOCKS * BLOCK;
    ck_assert_int_eq(map_zero(volume, 0, 0, length, runs, &write), 0);
    ck_assert_uint_eq(write.length_bytes, length);
    ck_assert(!write.fresh);
}
END_TEST

START_TEST(zero_hides_what_a_snapshot_keeps)
{
    put(5, 1);
    does(COMMAND_SEAL, 1);
    clear(0, SIZE_BLOCKS);
    ck_assert_int_eq(place_at(0, 5), -1);
    ck_assert_int_ne(place_at(1, 5), -1);
}
END_TEST

START_TEST(extent_zeroed_whole_leaves_no_row)
{
    put(32, 16);
    clear(0, SIZE_BLOCKS);
    fixture_check(NULL);
    MDB_stat stat;
    ck_assert_int_eq(mdb_stat(fixture_map->read, fixture_map->db[TABLE_EXTENTS], &stat), 0);
    ck_assert_uint_eq(stat.ms_entries, 0);
}
END_TEST

START_TEST(dropped_block_is_punched_once_nobody_shows_it)
{
    const struct map_punch *punches;
    put(5, 2);
    does(COMMAND_SEAL, 1);
    put(5, 1);
    does(COMMAND_DROP, 1);
    fixture_fold();
    ck_assert_int_eq(map_reclaim_begin(fixture_map), 1);
    map_reclaim_end(fixture_map, map_reclaim_work(fixture_map));
    ck_assert_uint_eq(map_punches(fixture_map, &punches), 1);
    ck_assert_uint_eq(punches[0].offset_bytes, 5 * BLOCK);
    ck_assert_uint_eq(punches[0].length_bytes, BLOCK);
    ck_assert_int_eq(place_at(0, 6), 6);
    fixture_reclaim();
    fixture_check(NULL);
}
END_TEST

START_TEST(punches_that_were_not_made_are_due_again_after_a_reopen)
{
    const struct map_punch *punches;
    put(5, 1);
    does(COMMAND_SEAL, 1);
    put(5, 1);
    does(COMMAND_DROP, 1);
    fixture_fold();
    ck_assert_int_eq(map_reclaim_begin(fixture_map), 1);
    map_reclaim_end(fixture_map, map_reclaim_work(fixture_map));
    reopen();
    ck_assert_uint_eq(map_punches(fixture_map, &punches), 1);
    ck_assert_int_eq(map_reclaim_begin(fixture_map), 0);
    fixture_reclaim();
    ck_assert_uint_eq(map_punches(fixture_map, &punches), 0);
}
END_TEST

START_TEST(extent_under_reclaim_waits)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    put(5, 1);
    does(COMMAND_SEAL, 1);
    does(COMMAND_DROP, 1);
    fixture_fold();
    ck_assert_int_eq(map_reclaim_begin(fixture_map), 1);
    ck_assert_int_eq(map_place(volume, 0, 6 * BLOCK, BLOCK, runs, &write), -EAGAIN);
    map_reclaim_end(fixture_map, map_reclaim_work(fixture_map));
    ck_assert(put(6, 1));
}
END_TEST

START_TEST(origin_of_a_clone_is_kept_though_dropped_and_deleted)
{
    struct map_volume *clone;
    const struct uuid clone_uuid = fixture_uuid(2);
    struct map_run run;
    uint32_t of;
    put(5, 1);
    does(COMMAND_SEAL, 1);
    ck_assert_int_eq(map_volume_create(fixture_map, &clone_uuid, SIZE_BLOCKS, &uuid, 1, false, &of),
                     0);
    ck_assert_uint_eq(of, family);
    does(COMMAND_DROP, 1);
    map_volume_close(volume);
    ck_assert_int_eq(map_volume_delete(fixture_map, &uuid, &of), 0);
    fixture_fold();
    fixture_reclaim();
    ck_assert_int_eq(map_volume_open(fixture_map, &clone_uuid, &clone), 0);
    ck_assert_int_eq(map_find(clone, 0, 5 * BLOCK, BLOCK, &run, 1), 1);
    ck_assert_int_eq(run.state, MAP_DATA);
    struct message_space space;
    map_volume_space(clone, &space);
    ck_assert_uint_eq(space.shared_bytes, BLOCK);
    map_volume_close(clone);
    ck_assert_int_eq(map_volume_delete(fixture_map, &clone_uuid, &of), 0);
    fixture_fold();
    fixture_reclaim();
    ck_assert(!map_family_exists(fixture_map, family));
    volume = NULL;
}
END_TEST

START_TEST(clone_of_what_is_not_sealed_is_refused)
{
    const struct uuid clone = fixture_uuid(2);
    uint32_t of;
    ck_assert_int_eq(map_volume_create(fixture_map, &clone, 4096, &uuid, 1, false, &of), -ENOENT);
    ck_assert_int_eq(map_volume_create(fixture_map, &clone, 4096, &clone, 1, false, &of), -ENOENT);
    ck_assert_int_eq(map_volume_create(fixture_map, &uuid, 4096, NULL, 0, false, &of), -EEXIST);
}
END_TEST

START_TEST(commands_come_in_order_and_once)
{
    ck_assert_int_eq(command(2, COMMAND_SEAL, 1, NULL), -EINVAL);
    ck_assert_int_eq(command(1, COMMAND_SEAL, 2, NULL), -EINVAL);
    ck_assert_int_eq(command(1, COMMAND_SEAL, 1, NULL), 0);
    ck_assert_int_eq(command(1, COMMAND_SEAL, 1, NULL), 0);
    ck_assert_int_eq(command(2, COMMAND_DROP, 2, NULL), -ENOENT);
    ck_assert_uint_eq(info().lineage.head_generation, 2);
    ck_assert_uint_eq(info().lineage.head_base, 1);
}
END_TEST

START_TEST(revert_shows_the_old_content_under_a_new_number)
{
    put(5, 1);
    int64_t old = place_at(0, 5);
    does(COMMAND_SEAL, 1);
    put(5, 1);
    put(9, 1);
    does(COMMAND_SEAL, 2);
    does(COMMAND_REVERT, 1);
    ck_assert_uint_eq(info().lineage.head_generation, 4);
    ck_assert_uint_eq(info().lineage.head_base, 1);
    ck_assert_int_eq(place_at(0, 5), old);
    ck_assert_int_eq(place_at(0, 9), -1);
}
END_TEST

START_TEST(changes_survive_a_kill)
{
    put(5, 1);
    does(COMMAND_SEAL, 1);
    put(5, 1);
    int64_t old = place_at(1, 5), new = place_at(0, 5);
    reopen();
    ck_assert_int_eq(place_at(1, 5), old);
    ck_assert_int_eq(place_at(0, 5), new);
}
END_TEST

START_TEST(power_loss_takes_what_no_flush_covered)
{
    put(5, 1);
    flush();
    put(6, 1);
    does(COMMAND_SEAL, 1);
    lose_power();
    ck_assert_int_ne(place_at(0, 5), -1);
    ck_assert_int_eq(place_at(0, 6), -1);
    ck_assert_uint_eq(info().lineage.head_generation, 1);
}
END_TEST

START_TEST(flush_that_began_before_a_change_does_not_cover_it)
{
    put(5, 1);
    uint64_t mark = map_flush_mark(fixture_map);
    put(6, 1);
    ck_assert_int_eq(map_flushed(fixture_map, family, mark), 1);
    lose_power();
    ck_assert_int_ne(place_at(0, 5), -1);
    ck_assert_int_eq(place_at(0, 6), -1);
}
END_TEST

START_TEST(flush_without_changes_needs_no_sync_of_the_journal)
{
    put(5, 1);
    flush();
    put(5, 1);
    ck_assert_int_eq(map_flushed(fixture_map, family, map_flush_mark(fixture_map)), 0);
}
END_TEST

static uint32_t synced_family;

static int note_sync(void *arg, uint32_t of)
{
    (void)arg;
    synced_family = of;
    return 0;
}

START_TEST(data_is_synced_before_unflushed_changes_are_taken_over)
{
    synced_family = 0;
    fixture_sync = note_sync;
    put(5, 1);
    reopen();
    ck_assert_uint_eq(synced_family, family);
    synced_family = 0;
    reopen();
    ck_assert_uint_eq(synced_family, 0);
    fixture_sync = NULL;
}
END_TEST

START_TEST(volume_nobody_flushed_is_gone_after_power_loss)
{
    lose_power();
    ck_assert_ptr_null(volume);
    ck_assert(!map_family_exists(fixture_map, family));
}
END_TEST

START_TEST(fold_stops_at_a_family_that_is_not_flushed)
{
    ck_assert_int_eq(map_fold_begin(fixture_map), 0);
    ck_assert_uint_eq(map_fold_family(fixture_map, UINT64_MAX), family);
    flush();
    ck_assert_int_eq(map_fold_begin(fixture_map), 1);
    map_fold_end(fixture_map, map_fold_work(fixture_map));
    ck_assert_uint_eq(map_fold_family(fixture_map, UINT64_MAX), 0);
}
END_TEST

START_TEST(fold_of_what_was_flushed_does_not_wait_for_later_changes)
{
    ck_assert(put(0, 1));
    flush();
    uint64_t mark = map_flush_mark(fixture_map);
    ck_assert(put(100, 1));
    ck_assert_uint_eq(map_fold_family(fixture_map, mark), 0);
    ck_assert(map_fold_pending(fixture_map, mark));
    ck_assert_int_eq(map_fold_begin(fixture_map), 1);
    map_fold_end(fixture_map, map_fold_work(fixture_map));
    ck_assert(!map_fold_pending(fixture_map, mark));
    ck_assert(map_fold_pending(fixture_map, UINT64_MAX));
}
END_TEST

START_TEST(full_journal_lets_in_place_writes_go_on)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    int rc = 0;
    put(0, 1);
    for (uint64_t round = 0; rc == 0; round++) {
        rc = map_place(volume, 0, (1 + round) * BLOCK, BLOCK, runs, &write);
        rc = rc > 0 ? map_wrote(volume, &write) : rc;
        if (rc == -EAGAIN && write.fresh)
            map_unplace(volume, &write);
        ck_assert_uint_lt(round, SIZE_BLOCKS);
    }
    ck_assert_int_eq(rc, -EAGAIN);
    ck_assert(map_fold_wanted(fixture_map));
    ck_assert(!put(0, 1));
    fixture_fold();
    ck_assert(put(SIZE_BLOCKS - 1, 1));
}
END_TEST

START_TEST(head_that_may_miss_writes_is_sealed_incomplete)
{
    ck_assert_int_eq(map_unsettle(volume), 0);
    does(COMMAND_SEAL, 1);
    ck_assert_uint_eq(info().lineage.incomplete_generation, 1);
    ck_assert_int_eq(map_settle(volume, 0), -EINVAL);
    ck_assert(put(3, 1));
    ck_assert_int_eq(map_settle(volume, 1), 0);
    ck_assert_int_eq(map_settle(volume, 0), 0);
    ck_assert(info().head_complete);
}
END_TEST

START_TEST(write_to_an_incomplete_generation_shows_in_later_ones_that_do_not_own_the_block)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    ck_assert_int_eq(map_unsettle(volume), 0);
    does(COMMAND_SEAL, 1);
    put(4, 1);
    int64_t own = place_at(0, 4);
    ck_assert_int_gt(map_place(volume, 1, 4 * BLOCK, 2 * BLOCK, runs, &write), 0);
    ck_assert_int_eq(map_wrote(volume, &write), 0);
    ck_assert_int_eq(place_at(0, 4), own);
    ck_assert_int_eq(place_at(0, 5), place_at(1, 5));
    ck_assert_int_ne(place_at(0, 5), -1);
    fixture_check(NULL);
}
END_TEST

START_TEST(damaged_bodies_are_refused)
{
    uint8_t body[64] = {0};
    ck_assert_int_eq(map_command(volume, body, sizeof(body)), -EINVAL);
    ck_assert_int_eq(map_install(volume, body, sizeof(body), false, false), -EINVAL);
    ck_assert_int_eq(map_install(volume, body, 3, true, false), -EINVAL);
}
END_TEST

START_TEST(reverts_too_deep_are_refused)
{
    int rc = 0;
    for (uint64_t head = 1; rc == 0 && head < 2 * MAP_DEPTH_MAX + 4; head += 2) {
        rc = command(++commands, COMMAND_SEAL, head, NULL);
        ck_assert_int_eq(rc, 0);
        rc = command(++commands, COMMAND_REVERT, head, NULL);
        if (head % 16 == 1)
            fixture_fold();
    }
    ck_assert_int_eq(rc, -EMLINK);
}
END_TEST

START_TEST(checker_finds_a_slot_with_two_owners)
{
    put(0, 1);
    put(16, 1);
    fixture_fold();
    struct key key = key_triple(1, 1, 1);
    struct extent_row row;
    uint8_t bytes[EXTENT_ROW_BYTES_MAX];
    struct writer w = writer_of(bytes, sizeof(bytes));
    MDB_txn *txn;
    extent_row_clear(&row);
    row.own_data = 1;
    row.own_slot = row.slots[0] = 0;
    extent_row_encode(&w, &row);
    MDB_val k = map_key(&key), v = {.mv_size = writer_length(&w), .mv_data = bytes};
    ck_assert_int_eq(mdb_txn_begin(fixture_map->env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_put(txn, fixture_map->db[TABLE_EXTENTS], &k, &v, 0), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    reopen();
    ck_assert_int_gt(map_check(fixture_map, fixture_finding, NULL, NULL), 0);
}
END_TEST

START_TEST(head_of_a_blank_volume_is_not_complete)
{
    const struct uuid blank = {{77}};
    struct map_volume *made;
    struct map_info info;
    uint32_t of;
    ck_assert_int_eq(map_volume_create(fixture_map, &blank, 4096, NULL, 0, true, &of), 0);
    ck_assert_int_eq(map_volume_open(fixture_map, &blank, &made), 0);
    map_volume_info(made, &info);
    ck_assert(!info.head_complete);
    ck_assert_uint_eq(info.lineage.kept_generation, 0);
    ck_assert_uint_eq(info.lineage.head_generation, 1);
    map_volume_close(made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *tc = tcase_create("map");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, new_volume_shows_nothing_in_one_run);
    tcase_add_test(tc, first_writes_lie_in_the_order_of_the_volume);
    tcase_add_test(tc, block_is_not_shown_before_its_data_is_there);
    tcase_add_test(tc, second_write_goes_in_place_and_changes_nothing);
    tcase_add_test(tc, sealed_generation_keeps_its_place_when_the_head_is_written);
    tcase_add_test(tc, sealed_generation_takes_no_writes);
    tcase_add_test(tc, write_behind_the_end_is_refused);
    tcase_add_test(tc, zero_of_an_empty_volume_is_one_step);
    tcase_add_test(tc, zero_hides_what_a_snapshot_keeps);
    tcase_add_test(tc, extent_zeroed_whole_leaves_no_row);
    tcase_add_test(tc, dropped_block_is_punched_once_nobody_shows_it);
    tcase_add_test(tc, punches_that_were_not_made_are_due_again_after_a_reopen);
    tcase_add_test(tc, extent_under_reclaim_waits);
    tcase_add_test(tc, origin_of_a_clone_is_kept_though_dropped_and_deleted);
    tcase_add_test(tc, clone_of_what_is_not_sealed_is_refused);
    tcase_add_test(tc, commands_come_in_order_and_once);
    tcase_add_test(tc, revert_shows_the_old_content_under_a_new_number);
    tcase_add_test(tc, changes_survive_a_kill);
    tcase_add_test(tc, power_loss_takes_what_no_flush_covered);
    tcase_add_test(tc, flush_that_began_before_a_change_does_not_cover_it);
    tcase_add_test(tc, flush_without_changes_needs_no_sync_of_the_journal);
    tcase_add_test(tc, data_is_synced_before_unflushed_changes_are_taken_over);
    tcase_add_test(tc, volume_nobody_flushed_is_gone_after_power_loss);
    tcase_add_test(tc, fold_stops_at_a_family_that_is_not_flushed);
    tcase_add_test(tc, fold_of_what_was_flushed_does_not_wait_for_later_changes);
    tcase_add_test(tc, full_journal_lets_in_place_writes_go_on);
    tcase_add_test(tc, head_that_may_miss_writes_is_sealed_incomplete);
    tcase_add_test(tc,
                   write_to_an_incomplete_generation_shows_in_later_ones_that_do_not_own_the_block);
    tcase_add_test(tc, damaged_bodies_are_refused);
    tcase_add_test(tc, reverts_too_deep_are_refused);
    tcase_add_test(tc, checker_finds_a_slot_with_two_owners);
    tcase_add_test(tc, head_of_a_blank_volume_is_not_complete);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
