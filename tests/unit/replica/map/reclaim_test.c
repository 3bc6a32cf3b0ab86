/* SPDX-License-Identifier: Apache-2.0 */
/* Reclaim beside writes that are under way. */
#include "tests/unit/replica/map/fixture.h"

#include <errno.h>

static struct map_volume *volume;

static void command(uint64_t number, enum command_kind kind)
{
    uint8_t body[512];
    const struct message_command c = {
        .number = number, .kind = kind, .generation = 1, .identity = fixture_uuid(9)};
    struct writer w = writer_of(body, sizeof(body));
    message_command_encode(&w, &c);
    ck_assert_int_eq(map_command(volume, body, (uint32_t)writer_length(&w)), 0);
}

static void make_volume(void)
{
    struct uuid uuid = fixture_uuid(1);
    uint32_t family;
    ck_assert_int_eq(map_volume_create(fixture_map, &uuid, 64ull * BLOCK, NULL, 0, false, &family),
                     0);
    ck_assert_int_eq(map_volume_open(fixture_map, &uuid, &volume), 0);
}

static void write_block(void)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    ck_assert_int_gt(map_place(volume, 0, 0, BLOCK, runs, &write), 0);
    ck_assert_int_eq(map_wrote(volume, &write), 0);
}

static uint64_t reclaimable_bytes(void)
{
    struct message_space space;
    map_volume_space(volume, &space);
    return space.reclaimable_bytes;
}

START_TEST(reclaim_that_found_no_space_goes_on_without_a_fold)
{
    make_volume();
    write_block();
    command(1, COMMAND_SEAL);
    command(2, COMMAND_DROP);
    write_block();
    fixture_fold();
    ck_assert_int_eq(map_reclaim_begin(fixture_map), 1);
    map_reclaim_end(fixture_map, -ENOSPC);
    ck_assert(map_reclaim_pending(fixture_map));
    fixture_reclaim();
    ck_assert_uint_eq(reclaimable_bytes(), 0);
    map_volume_close(volume);
}
END_TEST

START_TEST(what_was_left_as_it_was_written_asks_for_a_fold)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    make_volume();
    write_block();
    command(1, COMMAND_SEAL);
    command(2, COMMAND_DROP);
    ck_assert_int_gt(map_place(volume, 0, 0, BLOCK, runs, &write), 0);
    fixture_fold();
    fixture_reclaim();
    ck_assert(!map_fold_wanted(fixture_map));
    ck_assert_int_eq(map_wrote(volume, &write), 0);
    ck_assert(map_fold_wanted(fixture_map));
    fixture_fold();
    fixture_reclaim();
    ck_assert_uint_eq(reclaimable_bytes(), 0);
    ck_assert(!map_fold_wanted(fixture_map));
    map_volume_close(volume);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reclaim");
    TCase *tc = tcase_create("reclaim");
    tcase_add_checked_fixture(tc, fixture_setup, fixture_teardown);
    tcase_add_test(tc, reclaim_that_found_no_space_goes_on_without_a_fold);
    tcase_add_test(tc, what_was_left_as_it_was_written_asks_for_a_fold);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
