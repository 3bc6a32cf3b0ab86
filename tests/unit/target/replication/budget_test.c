/* SPDX-License-Identifier: Apache-2.0 */
/* What resyncs and scrubs of a process may move together. */
#include "target/replication/parts.h"

#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

enum { MIB = 1 << 20 };
#define SECOND_NS ((uint64_t)1000 * STORY_MS)

START_TEST(with_no_client_at_work_it_goes_as_fast_as_it_goes)
{
    struct repl_budget budget = {0};
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(budget_take(&budget, MIB, MIB, 5 * SECOND_NS), 5 * SECOND_NS);
    budget_client(&budget, 5 * SECOND_NS);
    ck_assert_uint_gt(budget_take(&budget, MIB, MIB, 5 * SECOND_NS), 5 * SECOND_NS);
}
END_TEST

START_TEST(a_client_that_was_at_work_of_late_is)
{
    struct repl_budget budget = {0};
    budget_client(&budget, 5 * SECOND_NS);
    ck_assert_uint_gt(budget_take(&budget, MIB, 4096, 6 * SECOND_NS - 1), 6 * SECOND_NS);
    ck_assert_uint_eq(budget_take(&budget, MIB, 4096, 6 * SECOND_NS), 6 * SECOND_NS);
}
END_TEST

START_TEST(without_a_limit_nothing_waits)
{
    struct repl_budget budget = {0};
    budget_client(&budget, 5 * SECOND_NS);
    ck_assert_uint_eq(budget_take(&budget, 0, MIB, 5 * SECOND_NS), 5 * SECOND_NS);
}
END_TEST

/* Each takes a piece as soon as it may. */
START_TEST(ten_together_move_as_much_as_one_and_take_turns)
{
    enum { VOLUMES = 10, PIECES_PER_S = 64, SECONDS = 10 };
    struct repl_budget budget = {.moved_ns = 5 * SECOND_NS, .bytes_per_s = 64 * MIB};
    uint64_t next_ns[VOLUMES] = {0};
    uint32_t pieces[VOLUMES] = {0};
    uint32_t all = 0;
    for (uint64_t ms = 0; ms < SECONDS * 1000; ms++) {
        uint64_t now_ns = 5 * SECOND_NS + ms * STORY_MS;
        budget_client(&budget, now_ns);
        for (int i = 0; i < VOLUMES; i++) {
            if (next_ns[i] > now_ns)
                continue;
            next_ns[i] = budget_take(&budget, PIECES_PER_S * (uint64_t)MIB, MIB, now_ns);
            pieces[i]++;
            all++;
        }
    }
    ck_assert_uint_ge(all, PIECES_PER_S * SECONDS);
    ck_assert_uint_le(all, PIECES_PER_S * SECONDS + VOLUMES);
    for (int i = 0; i < VOLUMES; i++)
        ck_assert_uint_ge(pieces[i], PIECES_PER_S * SECONDS / VOLUMES);
}
END_TEST

START_TEST(what_was_not_used_is_not_saved_up)
{
    struct repl_budget budget = {0};
    budget_client(&budget, 5 * SECOND_NS);
    ck_assert_uint_eq(budget_take(&budget, MIB, MIB, 5 * SECOND_NS), 6 * SECOND_NS);
    budget_client(&budget, 60 * SECOND_NS);
    ck_assert_uint_eq(budget_take(&budget, MIB, MIB, 60 * SECOND_NS), 61 * SECOND_NS);
}
END_TEST

/* Writes took 1 ms with nothing moved; now one comes each ms, and takes so long. Returns what is
 * moved in the last of these seconds. */
static uint32_t moved_beside(struct repl_budget *budget, uint64_t took_ns, uint32_t seconds)
{
    uint32_t pieces = 0;
    uint64_t next_ns = 0;
    budget_wrote(budget, STORY_MS, 5 * SECOND_NS);
    for (uint64_t ms = 0; ms < seconds * (uint64_t)1000; ms++) {
        uint64_t now_ns = 10 * SECOND_NS + ms * STORY_MS;
        budget_client(budget, now_ns);
        if (next_ns <= now_ns) {
            next_ns = budget_take(budget, 256 * MIB, 4 * MIB, now_ns);
            pieces = ms / 1000 + 1 == seconds ? pieces + 1 : 0;
        }
        budget_wrote(budget, took_ns, now_ns);
    }
    return pieces;
}

START_TEST(it_begins_with_an_eighth_of_the_limit)
{
    struct repl_budget budget = {0};
    budget_client(&budget, 5 * SECOND_NS);
    ck_assert_uint_eq(budget_take(&budget, 256 * MIB, 32 * MIB, 5 * SECOND_NS), 6 * SECOND_NS);
}
END_TEST

START_TEST(all_of_the_limit_is_moved_while_writes_take_as_long_as_without)
{
    struct repl_budget budget = {0};
    uint32_t pieces = moved_beside(&budget, STORY_MS, 10);
    ck_assert_uint_ge(pieces, 60);
    ck_assert_uint_le(pieces, 65);
}
END_TEST

START_TEST(an_eighth_of_the_limit_is_moved_while_writes_take_more_than_twice_as_long)
{
    struct repl_budget budget = {0};
    uint32_t pieces = moved_beside(&budget, 3 * STORY_MS, 10);
    ck_assert_uint_ge(pieces, 7);
    ck_assert_uint_le(pieces, 9);
}
END_TEST

START_TEST(sixteen_mib_a_second_are_moved_always)
{
    struct repl_budget budget = {0};
    budget_client(&budget, 5 * SECOND_NS);
    ck_assert_uint_eq(budget_take(&budget, 64 * MIB, 16 * MIB, 5 * SECOND_NS), 6 * SECOND_NS);
}
END_TEST

START_TEST(a_request_puts_clients_to_work_until_it_ended)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    ck_assert_uint_eq(story.budget.client_ns, 0);
    story_submit(&story, &op, REPL_WRITE, 0);
    uint64_t came_ns = story.now_ns;
    ck_assert_uint_eq(story.budget.client_ns, came_ns);
    story_elapse(&story, 10);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_WRITE, i, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_uint_eq(story.budget.client_ns, came_ns + 10 * STORY_MS);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(who_only_asks_is_no_client_at_work)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_BOOK, 0);
    ck_assert_uint_eq(story.budget.client_ns, 0);
    uint8_t asked = story_find(&story, FRAME_BOOK, 0) ? 0 : 1;
    story_answer(&story, FRAME_BOOK, asked, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_uint_eq(story.budget.client_ns, 0);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

/* Member 2 is back, and lacks all of the first 128 KiB; the second piece of it is 64 KiB on. */
static void resync(struct story *story)
{
    story_serve(story);
    story_down(story, 2);
    story_elapse(story, 1100);
    story_answer(story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(story, FRAME_ACCEPT, 1, FRAME_OK);
    story_up(story, 2);
    story_opened(story, 2, (struct message_opened){0}, FRAME_OK);
    story->map = 1 | 4;
    story_answer(story, FRAME_GETMAP, 2, FRAME_OK);
}

START_TEST(a_resync_waits_while_clients_are_at_work)
{
    struct story story;
    resync(&story);
    budget_client(&story.budget, story.now_ns);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    ck_assert_uint_eq(story.budget.even_ns, story.now_ns + (16 << 10) * SECOND_NS / (32 * MIB));
    ck_assert_ptr_nonnull(story_find(&story, FRAME_HASH, 0));
    story_find(&story, FRAME_HASH, 0)->peers = 0;
    ck_assert_ptr_null(story_find(&story, FRAME_HASH, 0));
    story_elapse(&story, 1);
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 0)->offset_bytes, 32768);
    story_end(&story);
}
END_TEST

/* What comes between the time and its tick must not take the time for over. */
START_TEST(a_resync_goes_on_at_the_first_event_after_its_wait)
{
    struct story story;
    struct repl_op op;
    resync(&story);
    budget_client(&story.budget, story.now_ns);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    story_find(&story, FRAME_HASH, 0)->peers = 0;
    story.now_ns += STORY_MS;
    story_submit(&story, &op, REPL_READ, 0);
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 0)->offset_bytes, 32768);
    story_end(&story);
}
END_TEST

START_TEST(a_resync_does_not_wait_without_clients)
{
    struct story story;
    resync(&story);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    story_find(&story, FRAME_HASH, 0)->peers = 0;
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 0)->offset_bytes, 32768);
    story_end(&story);
}
END_TEST

/* The first MiB was compared; the account is overdrawn for a second by others. */
START_TEST(a_scrub_waits_for_what_others_moved)
{
    struct story story;
    story_serve(&story);
    story.equal = true;
    story_step(&story, (struct repl_event){.kind = REPL_EV_SCRUB});
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_DIFF, i, FRAME_OK);
    budget_client(&story.budget, story.now_ns);
    story.budget.even_ns = story.now_ns + SECOND_NS;
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_HASH, i, FRAME_OK);
    story_elapse(&story, 900);
    ck_assert_ptr_null(story_find(&story, FRAME_DIFF, 0));
    story_elapse(&story, 200);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_DIFF, 0));
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("budget");
    tcase_add_test(tcase, with_no_client_at_work_it_goes_as_fast_as_it_goes);
    tcase_add_test(tcase, a_client_that_was_at_work_of_late_is);
    tcase_add_test(tcase, without_a_limit_nothing_waits);
    tcase_add_test(tcase, ten_together_move_as_much_as_one_and_take_turns);
    tcase_add_test(tcase, what_was_not_used_is_not_saved_up);
    tcase_add_test(tcase, it_begins_with_an_eighth_of_the_limit);
    tcase_add_test(tcase, all_of_the_limit_is_moved_while_writes_take_as_long_as_without);
    tcase_add_test(tcase,
                   an_eighth_of_the_limit_is_moved_while_writes_take_more_than_twice_as_long);
    tcase_add_test(tcase, sixteen_mib_a_second_are_moved_always);
    tcase_add_test(tcase, a_request_puts_clients_to_work_until_it_ended);
    tcase_add_test(tcase, who_only_asks_is_no_client_at_work);
    tcase_add_test(tcase, a_resync_waits_while_clients_are_at_work);
    tcase_add_test(tcase, a_resync_goes_on_at_the_first_event_after_its_wait);
    tcase_add_test(tcase, a_resync_does_not_wait_without_clients);
    tcase_add_test(tcase, a_scrub_waits_for_what_others_moved);
    Suite *suite = suite_create("budget");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
