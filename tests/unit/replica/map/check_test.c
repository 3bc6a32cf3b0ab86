/* SPDX-License-Identifier: Apache-2.0 */
/* The checker of maps: each damage is found, and what follows from the rest is put right. */
#include "replica/map/stored.h"
#include "tests/unit/replica/map/fixture.h"

enum { SIZE_BLOCKS = 4096 };

static struct uuid uuid;
static struct map_volume *volume;
static char said[4096];

/* A volume with a sealed generation of 20 blocks, and 5 more in its head; all of it folded. */
static void setup(void)
{
    uint32_t family;
    fixture_setup();
    uuid = fixture_uuid(1);
    ck_assert_int_eq(map_volume_create(fixture_map, &uuid, (uint64_t)SIZE_BLOCKS * BLOCK, NULL, 0,
                                       false, &family),
                     0);
    ck_assert_int_eq(map_volume_open(fixture_map, &uuid, &volume), 0);
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    ck_assert_int_gt(map_place(volume, 0, 0, 20 * BLOCK, runs, &write), 0);
    ck_assert_int_eq(map_wrote(volume, &write), 0);
    uint8_t body[512];
    const struct message_command seal = {
        .number = 1, .kind = COMMAND_SEAL, .generation = 1, .identity = fixture_uuid(1)};
    struct writer w = writer_of(body, sizeof(body));
    message_command_encode(&w, &seal);
    ck_assert_int_eq(map_command(volume, body, (uint32_t)writer_length(&w)), 0);
    ck_assert_int_gt(map_place(volume, 0, 18 * BLOCK, 5 * BLOCK, runs, &write), 0);
    ck_assert_int_eq(map_wrote(volume, &write), 0);
    fixture_fold();
    said[0] = '\0';
}

static void teardown(void)
{
    map_volume_close(volume);
    fixture_teardown();
}

static void reopen(void)
{
    volume = fixture_reopen(volume, &uuid);
    ck_assert_ptr_nonnull(volume);
}

static void say(void *arg, const char *words)
{
    (void)arg;
    size_t used = strlen(said);
    snprintf(said + used, sizeof(said) - used, "%s\n", words);
}

static int check(void)
{
    said[0] = '\0';
    return map_check(fixture_map, say, NULL, NULL);
}

static int repair(void)
{
    said[0] = '\0';
    return map_repair(fixture_map, say, NULL);
}

static void damage(enum table table, struct key key, const void *value, size_t length)
{
    struct stored stored;
    ck_assert_int_eq(stored_begin(&stored, fixture_map), 0);
    if (value)
        ck_assert_int_eq(stored_put(&stored, table, &key, value, length), 0);
    else
        ck_assert_int_eq(stored_delete(&stored, table, &key), 0);
    ck_assert_int_eq(stored_commit(&stored), 0);
    reopen();
}

static void damage_counts(int64_t visible, int64_t owned)
{
    struct stored stored;
    const struct stats_row more = {.visible = visible, .owned = owned};
    ck_assert_int_eq(stored_begin(&stored, fixture_map), 0);
    ck_assert_int_eq(stored_stats_add(&stored, 1, 1, &more), 0);
    ck_assert_int_eq(stored_commit(&stored), 0);
    reopen();
}

START_TEST(sound_map_has_no_findings)
{
    ck_assert_int_eq(check(), 0);
    ck_assert_int_eq(repair(), 0);
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(wrong_counts_are_found_and_repaired)
{
    damage_counts(3, -2);
    ck_assert_int_gt(check(), 0);
    ck_assert_ptr_nonnull(strstr(said, "18 blocks are counted, there are 20"));
    ck_assert_int_gt(repair(), 0);
    ck_assert_ptr_nonnull(strstr(said, "counted anew"));
    ck_assert_int_eq(check(), 0);
    reopen();
    ck_assert_int_eq(check(), 0);
}
END_TEST

START_TEST(extent_without_its_row_is_found_and_not_repaired)
{
    damage(TABLE_EXTENTS, key_triple(1, 0, 1), NULL, 0);
    ck_assert_int_gt(check(), 0);
    ck_assert_ptr_nonnull(strstr(said, "noted as changed, and has no row"));
    ck_assert_int_eq(repair(), 0);
    ck_assert_int_gt(check(), 0);
}
END_TEST

START_TEST(damaged_row_is_found)
{
    damage(TABLE_EXTENTS, key_triple(1, 0, 1), "damage", 6);
    ck_assert_int_gt(check(), 0);
    ck_assert_ptr_nonnull(strstr(said, "damaged row"));
}
END_TEST

START_TEST(row_that_is_not_noted_as_changed_is_found)
{
    damage(TABLE_CHANGES, key_triple(1, 1, 0), NULL, 0);
    ck_assert_int_gt(check(), 0);
    ck_assert_ptr_nonnull(strstr(said, "belong to a generation"));
}
END_TEST

START_TEST(slot_in_use_that_is_free_is_found)
{
    damage(TABLE_FREE, key_slot(1, 0), "", 0);
    ck_assert_int_gt(check(), 0);
    ck_assert_ptr_nonnull(strstr(said, "is free, and extent 0 is in it"));
}
END_TEST

START_TEST(hashes_of_nobody_are_found_and_removed)
{
    static struct digest_group group;
    const struct map_hashes state = {.from = 1};
    digest_group_clear(&group);
    digest_group_set(&group, 1, (const uint8_t *)"x", 1);
    ck_assert_int_eq(map_hashes_store_work(fixture_map, 77, 5, &group, &state), 0);
    reopen();
    ck_assert_int_gt(check(), 0);
    ck_assert_ptr_nonnull(strstr(said, "has hashes, and is not there"));
    ck_assert_int_eq(repair(), 1);
    ck_assert_int_eq(check(), 0);
}
END_TEST

START_TEST(damaged_hashes_are_found_and_removed)
{
    static struct digest_group group;
    const struct map_hashes state = {.from = 1};
    digest_group_clear(&group);
    digest_group_set(&group, 1, (const uint8_t *)"x", 1);
    ck_assert_int_eq(
        map_hashes_store_work(fixture_map, map_volume_number(volume), 0, &group, &state), 0);
    damage(TABLE_DIGESTS, key_step(map_volume_number(volume), 0), "damage", 6);
    ck_assert_int_gt(check(), 0);
    ck_assert_ptr_nonnull(strstr(said, "the hashes of group 0 are damaged"));
    ck_assert_int_eq(repair(), 1);
    ck_assert_int_eq(check(), 0);
}
END_TEST

START_TEST(with_other_damage_nothing_is_repaired)
{
    damage_counts(3, -2);
    damage(TABLE_EXTENTS, key_triple(1, 1, 1), NULL, 0);
    int findings = check();
    ck_assert_int_eq(repair(), 0);
    ck_assert_int_eq(check(), findings);
}
END_TEST

static uint64_t slots_blocks;

static void count_blocks(void *arg, const struct map_slot *slot)
{
    (void)arg;
    ck_assert(uuid_equal(&slot->volume, &uuid));
    slots_blocks += (uint64_t)__builtin_popcount(slot->blocks) * slot->generation;
}

START_TEST(what_is_stored_is_told_with_its_generation)
{
    slots_blocks = 0;
    ck_assert_int_eq(map_check(fixture_map, say, count_blocks, NULL), 0);
    ck_assert_uint_eq(slots_blocks, 20 * 1 + 5 * 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check");
    TCase *tcase = tcase_create("check");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, sound_map_has_no_findings);
    tcase_add_test(tcase, wrong_counts_are_found_and_repaired);
    tcase_add_test(tcase, extent_without_its_row_is_found_and_not_repaired);
    tcase_add_test(tcase, damaged_row_is_found);
    tcase_add_test(tcase, row_that_is_not_noted_as_changed_is_found);
    tcase_add_test(tcase, slot_in_use_that_is_free_is_found);
    tcase_add_test(tcase, hashes_of_nobody_are_found_and_removed);
    tcase_add_test(tcase, damaged_hashes_are_found_and_removed);
    tcase_add_test(tcase, with_other_damage_nothing_is_repaired);
    tcase_add_test(tcase, what_is_stored_is_told_with_its_generation);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
