/* SPDX-License-Identifier: Apache-2.0 */
/* Writes into generations that another member's book has made incomplete: who shows them. */
#include "tests/unit/replica/map/fixture.h"

enum { SIZE_BLOCKS = 64 };

static struct uuid uuid;
static struct map_volume *volume;
static uint32_t family;
static uint64_t commands;

static struct map_volume *make(uint32_t number, const struct uuid *origin, uint64_t generation)
{
    struct map_volume *made;
    struct uuid name = fixture_uuid(number);
    ck_assert_int_eq(map_volume_create(fixture_map, &name, (uint64_t)SIZE_BLOCKS * BLOCK, origin,
                                       generation, false, &family),
                     0);
    ck_assert_int_eq(map_volume_open(fixture_map, &name, &made), 0);
    return made;
}

static void setup(void)
{
    fixture_setup();
    uuid = fixture_uuid(1);
    commands = 0;
    volume = make(1, NULL, 0);
}

static void teardown(void)
{
    map_volume_close(volume);
    fixture_teardown();
}

static int64_t place_at(struct map_volume *of, uint64_t generation, uint64_t block)
{
    struct map_run run;
    ck_assert_int_eq(map_find(of, generation, block * BLOCK, BLOCK, &run, 1), 1);
    return run.state == MAP_DATA ? (int64_t)fixture_place(&run, 0) : -1;
}

static void put(struct map_volume *to, uint64_t generation, uint64_t block)
{
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    ck_assert_int_gt(map_place(to, generation, block * BLOCK, BLOCK, runs, &write), 0);
    if (write.fresh)
        ck_assert_int_eq(map_wrote(to, &write), 0);
}

static void does(enum command_kind kind, uint64_t generation)
{
    uint8_t body[512];
    commands++;
    const struct message_command c = {.number = commands,
                                      .kind = kind,
                                      .generation = generation,
                                      .identity = fixture_uuid((uint32_t)commands)};
    struct writer w = writer_of(body, sizeof(body));
    message_command_encode(&w, &c);
    ck_assert_int_eq(map_command(volume, body, (uint32_t)writer_length(&w)), 0);
}

/* The book that the volume has itself, of which nothing counts as complete. */
static void install_own_book(void)
{
    static uint8_t body[64 << 10];
    int length = map_book_read(volume, 0, body, sizeof(body));
    ck_assert_int_gt(length, 0);
    ck_assert_int_eq(map_install(volume, body, (uint32_t)length, false, true), 0);
}

START_TEST(branch_that_begins_at_the_last_step_of_another_shows_what_is_written_there)
{
    put(volume, 0, 1);
    does(COMMAND_SEAL, 1);
    does(COMMAND_REVERT, 1);
    put(volume, 0, 2);
    fixture_fold();
    fixture_reclaim();
    fixture_check(NULL);
    install_own_book();
    put(volume, 1, 3);
    ck_assert_int_ne(place_at(volume, 1, 3), -1);
    ck_assert_int_eq(place_at(volume, 0, 3), place_at(volume, 1, 3));
    fixture_fold();
    fixture_check(NULL);
}
END_TEST

START_TEST(block_that_a_clone_shows_too_is_written_where_it_lies)
{
    put(volume, 0, 1);
    does(COMMAND_SEAL, 1);
    put(volume, 0, 2);
    does(COMMAND_SEAL, 2);
    struct map_volume *clone = make(2, &uuid, 2);
    put(clone, 0, 3);
    int64_t place = place_at(clone, 0, 1);
    does(COMMAND_DROP, 1);
    install_own_book();
    put(volume, 2, 1);
    ck_assert_int_eq(place_at(volume, 2, 1), place);
    fixture_flush_family(family);
    fixture_fold();
    fixture_reclaim();
    ck_assert_int_eq(place_at(clone, 0, 1), place);
    fixture_check(NULL);
    map_volume_close(clone);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("install");
    TCase *tcase = tcase_create("install");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase,
                   branch_that_begins_at_the_last_step_of_another_shows_what_is_written_there);
    tcase_add_test(tcase, block_that_a_clone_shows_too_is_written_where_it_lies);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
