/* SPDX-License-Identifier: Apache-2.0 */
/* Scrubs that nobody asked for: when they are due, whose turn it is, and what is kept of them. */
#include "tests/unit/target/control/fixture.h"

#include <errno.h>

#define DAY_S  ((uint64_t)86400)
#define WEEK_S (7 * DAY_S)
#define NOW_S  (1000 * WEEK_S)

static struct uuid id_of(uint32_t i)
{
    struct uuid id = {0};
    struct writer w = writer_of(id.bytes, 4);
    write_u32(&w, i * 2654435761u);
    return id;
}

START_TEST(a_turn_comes_once_in_a_period)
{
    for (uint32_t i = 0; i < 100; i++) {
        struct uuid id = id_of(i);
        uint64_t due_s = scrub_due_s(&id, NOW_S, NOW_S, WEEK_S);
        ck_assert(due_s > NOW_S && due_s <= NOW_S + WEEK_S);
        ck_assert_uint_eq(scrub_due_s(&id, due_s, due_s, WEEK_S), due_s + WEEK_S);
        ck_assert_uint_eq(scrub_due_s(&id, due_s + DAY_S, due_s + DAY_S, WEEK_S), due_s + WEEK_S);
    }
}
END_TEST

START_TEST(turns_are_spread_over_the_period)
{
    uint32_t of_day[7] = {0};
    for (uint32_t i = 0; i < 700; i++) {
        struct uuid id = id_of(i);
        of_day[(scrub_due_s(&id, NOW_S, NOW_S, WEEK_S) - NOW_S - 1) / DAY_S]++;
    }
    for (uint32_t i = 0; i < 7; i++)
        ck_assert(of_day[i] > 50 && of_day[i] < 150);
}
END_TEST

START_TEST(a_turn_that_was_missed_is_due)
{
    struct uuid id = id_of(5);
    ck_assert_uint_le(scrub_due_s(&id, NOW_S - 3 * WEEK_S, NOW_S, WEEK_S), NOW_S - 2 * WEEK_S);
}
END_TEST

START_TEST(a_clock_that_was_wrong_puts_nothing_off_for_long)
{
    struct uuid id = id_of(5);
    ck_assert_uint_le(scrub_due_s(&id, NOW_S + 1000 * WEEK_S, NOW_S, WEEK_S), NOW_S);
    ck_assert_uint_le(scrub_due_s(&id, NOW_S + DAY_S, NOW_S, WEEK_S), NOW_S + 2 * WEEK_S);
}
END_TEST

/* A volume that was told by a replica, its book known; created in 1970. */
static struct volume *volume_of(const char *name)
{
    struct config config = config_of(name, 1, 5);
    peer_tells(0, &config, 0);
    peer_comes(0);
    book_comes(volume_last);
    turns(2);
    return volume_last;
}

static struct record *record_of(const char *name)
{
    return catalogue_find(control, name);
}

static void scrub_ends(struct volume *volume, uint64_t found, uint64_t unrepaired)
{
    volume->scrub = (struct repl_scrub_status){.ended = volume->scrub.ended + 1,
                                               .done_bytes = 4096,
                                               .found = found,
                                               .unrepaired = unrepaired};
}

START_TEST(nothing_is_scrubbed_where_that_is_not_wanted)
{
    struct volume *volume = volume_of("v1");
    ck_assert_uint_eq(scrub_turns(control, NOW_S), UINT64_MAX);
    ck_assert(!volume->scrub.running);
    ck_assert(!ev_is_active(&control->scrub_tick.ev));
}
END_TEST

START_TEST(one_volume_has_its_turn_after_another)
{
    control->scrub_every_s = WEEK_S;
    struct volume *v1 = volume_of("v1");
    struct volume *v2 = volume_of("v2");
    ck_assert_uint_eq(scrub_turns(control, NOW_S), 1);
    ck_assert_uint_eq(v1->scrub.running + v2->scrub.running, 1);
    ck_assert_uint_eq(scrub_turns(control, NOW_S + 1), 1);
    ck_assert_uint_eq(v1->scrub.running + v2->scrub.running, 1);
    struct volume *first = v1->scrub.running ? v1 : v2;
    scrub_ends(first, 0, 0);
    scrub_turns(control, NOW_S + 2);
    ck_assert(!first->scrub.running);
    ck_assert_uint_eq(v1->scrub.running + v2->scrub.running, 1);
    turns(2);
    command_ends(first, 0);
}
END_TEST

START_TEST(a_volume_that_does_not_serve_is_looked_at_again_later)
{
    control->scrub_every_s = WEEK_S;
    struct volume *volume = volume_of("v1");
    volume_state = REPL_OPENING;
    ck_assert_uint_eq(scrub_turns(control, NOW_S), 60);
    ck_assert(!volume->scrub.running);
    volume_state = REPL_SERVING;
    scrub_turns(control, NOW_S + 60);
    ck_assert(volume->scrub.running);
}
END_TEST

START_TEST(a_result_is_kept_and_the_timer_sleeps_until_the_next_turn)
{
    control->scrub_every_s = WEEK_S;
    struct volume *volume = volume_of("v1");
    struct record *record = record_of("v1");
    scrub_turns(control, NOW_S);
    scrub_ends(volume, 3, 1);
    scrub_turns(control, NOW_S + 9);
    turns(2);
    ck_assert_str_eq(volume->command->command.key, "scrub");
    ck_assert_uint_eq(record->scrub.phase, SCRUB_ENDED);
    command_ends(volume, 0);
    ck_assert_uint_eq(record->scrub.last.ended_s, NOW_S + 9);
    uint64_t due_s = scrub_record_due_s(record, NOW_S + 10);
    ck_assert(due_s > NOW_S + 9 && due_s <= NOW_S + 9 + WEEK_S);
    ck_assert_uint_eq(scrub_turns(control, NOW_S + 9), due_s - NOW_S - 9);
    ck_assert(!volume->scrub.running);
}
END_TEST

START_TEST(what_was_found_is_told_and_is_an_event)
{
    struct volume *volume = volume_of("v1");
    uint64_t events_before = control->event_count;
    ask(HTTP_POST, "/v1/volumes/v1/scrub", "", "");
    ck_assert_uint_eq(answer_code, 202);
    ck_assert(json_is_true(json_object_get(answer, "running")));
    scrub_ends(volume, 3, 1);
    ask(HTTP_GET, "/v1/volumes/v1/scrub", "", "");
    turns(2);
    command_ends(volume, 0);
    ask(HTTP_GET, "/v1/volumes/v1/scrub", "", "");
    ck_assert(json_is_false(json_object_get(answer, "running")));
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "found")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "repaired")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "unrepaired")), 1);
    ck_assert_uint_eq(control->event_count, events_before + 1);
}
END_TEST

START_TEST(nothing_found_is_no_event)
{
    struct volume *volume = volume_of("v1");
    uint64_t events_before = control->event_count;
    scrub_begin(record_of("v1"), NOW_S);
    scrub_ends(volume, 0, 0);
    scrub_turns(control, NOW_S);
    turns(2);
    command_ends(volume, 0);
    ck_assert_uint_eq(control->event_count, events_before);
}
END_TEST

START_TEST(what_another_target_kept_says_when_the_next_is_due)
{
    static const char row[] =
        "{\"ended_s\":604800000,\"done_bytes\":4096,\"found\":2,\"unrepaired\":0}";
    control->scrub_every_s = WEEK_S;
    struct volume *volume = volume_of("v1");
    book_set(&volume->book, "scrub", (const uint8_t *)row, sizeof(row) - 1);
    book_comes(volume);
    ck_assert_uint_eq(record_of("v1")->scrub.last.found, 2);
    ck_assert(scrub_turns(control, NOW_S) > 1);
    ck_assert(!volume->scrub.running);
}
END_TEST

START_TEST(a_row_that_says_nothing_is_as_none)
{
    struct volume *volume = volume_of("v1");
    book_set(&volume->book, "scrub", (const uint8_t *)"[7", 2);
    book_comes(volume);
    ck_assert_uint_eq(record_of("v1")->scrub.last.ended_s, 0);
}
END_TEST

START_TEST(a_result_that_cannot_be_kept_counts_here)
{
    control->scrub_every_s = WEEK_S;
    struct volume *volume = volume_of("v1");
    scrub_turns(control, NOW_S);
    scrub_ends(volume, 0, 0);
    scrub_turns(control, NOW_S + 1);
    turns(2);
    command_ends(volume, -ENOSPC);
    ck_assert(scrub_turns(control, NOW_S + 1) > 1);
    ck_assert(!volume->scrub.running);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_turn_comes_once_in_a_period,
        turns_are_spread_over_the_period,
        a_turn_that_was_missed_is_due,
        a_clock_that_was_wrong_puts_nothing_off_for_long,
        nothing_is_scrubbed_where_that_is_not_wanted,
        one_volume_has_its_turn_after_another,
        a_volume_that_does_not_serve_is_looked_at_again_later,
        a_result_is_kept_and_the_timer_sleeps_until_the_next_turn,
        what_was_found_is_told_and_is_an_event,
        nothing_found_is_no_event,
        what_another_target_kept_says_when_the_next_is_due,
        a_row_that_says_nothing_is_as_none,
        a_result_that_cannot_be_kept_counts_here,
    };

    return tests_run("scrub", tests, ARRAY_COUNT(tests));
}
