/* SPDX-License-Identifier: Apache-2.0 */
/* Who lags behind the others is done without. */
#include "target/replication/parts.h"
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

static struct story story;
static struct repl_op op;

static void setup(void)
{
    story_serve(&story);
}

static void teardown(void)
{
    slice_release(&op.data);
    story_end(&story);
}

static void write_but_member_2(void)
{
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
}

START_TEST(a_silent_member_is_demoted_by_a_committed_change)
{
    write_but_member_2();
    story_elapse(&story, 200);
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 0));
    story_elapse(&story, 200);
    ck_assert_uint_eq(story.closed, 4);
    ck_assert_uint_eq(story.completions, 0);
    for (uint8_t i = 0; i < 2; i++)
        story_answer(&story, FRAME_ACCEPT, i, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert(!repl_config(story.repl)->members[2].in_sync);
}
END_TEST

START_TEST(where_all_are_slow_nobody_lags)
{
    story_submit(&story, &op, REPL_WRITE, 0);
    story_elapse(&story, 4000);
    ck_assert_uint_eq(story.closed, 0);
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 0));
}
END_TEST

START_TEST(nobody_is_demoted_below_the_minimum)
{
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_elapse(&story, 4000);
    ck_assert_uint_eq(story.closed, 0);
}
END_TEST

static void flush_but_member_2(void)
{
    story_submit(&story, &op, REPL_FLUSH, 0);
    story_answer(&story, FRAME_FLUSH, 0, FRAME_OK);
    story_answer(&story, FRAME_FLUSH, 1, FRAME_OK);
}

/* As the scans ask for it. */
static void elapse_while_member_2_answers(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 50) {
        story_elapse(&story, 50);
        if (story_find(&story, FRAME_LEASE, 2))
            story_answer(&story, FRAME_LEASE, 2, FRAME_OK);
    }
}

START_TEST(a_sync_may_take_longer)
{
    flush_but_member_2();
    elapse_while_member_2_answers(900);
    ck_assert_uint_eq(story.closed, 0);
    elapse_while_member_2_answers(400);
    ck_assert_uint_eq(story.closed, 4);
}
END_TEST

START_TEST(who_answers_nothing_does_not_only_sync)
{
    flush_but_member_2();
    story_elapse(&story, 200);
    ck_assert_uint_eq(story.closed, 0);
    story_elapse(&story, 250);
    ck_assert_uint_eq(story.closed, 4);
}
END_TEST

START_TEST(who_is_not_asked_is_not_taken_for_stopped)
{
    story_elapse(&story, 10000);
    flush_but_member_2();
    story_elapse(&story, 100);
    ck_assert_ptr_null(story_find(&story, FRAME_LEASE, 2));
    ck_assert_uint_eq(story.closed, 0);
}
END_TEST

START_TEST(where_all_sync_nobody_is_asked)
{
    story_submit(&story, &op, REPL_FLUSH, 0);
    story_elapse(&story, 2000);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        ck_assert_ptr_null(story_find(&story, FRAME_LEASE, i));
}
END_TEST

static void member_2_lags_often(void)
{
    for (int i = 0; i < 16; i++) {
        write_but_member_2();
        story.now_ns += 100 * STORY_MS;
        story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
        slice_release(&op.data);
    }
}

START_TEST(who_lags_often_may_lag_more)
{
    member_2_lags_often();
    write_but_member_2();
    elapse_while_member_2_answers(600);
    ck_assert_uint_eq(story.closed, 0);
    elapse_while_member_2_answers(400);
    ck_assert_uint_eq(story.closed, 4);
}
END_TEST

START_TEST(who_answers_nothing_may_not_lag_more)
{
    member_2_lags_often();
    write_but_member_2();
    story_elapse(&story, 200);
    ck_assert_uint_eq(story.closed, 0);
    story_elapse(&story, 100);
    ck_assert_uint_eq(story.closed, 4);
}
END_TEST

START_TEST(who_was_demoted_often_is_not_waited_for_longer)
{
    story.repl->peers[2].hiccups = 5;
    write_but_member_2();
    story_elapse(&story, 400);
    ck_assert_uint_eq(story.closed, 4);
}
END_TEST

START_TEST(a_read_that_is_not_answered_goes_elsewhere)
{
    uint8_t first = 0;
    story_submit(&story, &op, REPL_READ, 0);
    while (!story_find(&story, FRAME_READ, first))
        first++;
    story_elapse(&story, 400);
    uint8_t second = (uint8_t)((first + 1) % STORY_MEMBERS);
    if (!story_find(&story, FRAME_READ, second))
        second = (uint8_t)((first + 2) % STORY_MEMBERS);
    story_answer(&story, FRAME_READ, second, FRAME_OK);
    for (uint8_t i = 0; i < 2; i++)
        story_answer(&story, FRAME_LEASE, i, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_uint_eq(story.closed, 0);
}
END_TEST

/* Member 2 was dropped, is back, and is being proposed while it alone has answered a write. */
static void target_answers_first(void)
{
    story_down(&story, 2);
    story_elapse(&story, 1100);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){0}, FRAME_OK);
    story_answer(&story, FRAME_GETMAP, 2, FRAME_OK);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    story_answer(&story, FRAME_SETTLE, 2, FRAME_OK);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    story_answer(&story, FRAME_MARK, 2, FRAME_OK);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
    story_answer(&story, FRAME_FLUSH, 2, FRAME_OK);
    story.closed = 0;
}

static void accept_all(void)
{
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        while (story_find(&story, FRAME_ACCEPT, i))
            story_answer(&story, FRAME_ACCEPT, i, FRAME_OK);
    }
    ck_assert(repl_config(story.repl)->members[2].in_sync);
}

START_TEST(who_answers_after_a_new_member_did_not_lag_for_ever)
{
    target_answers_first();
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    accept_all();
    slice_release(&op.data);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
    story_elapse(&story, 400);
    ck_assert_uint_eq(story.closed, 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("pace");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_silent_member_is_demoted_by_a_committed_change);
    tcase_add_test(tcase, where_all_are_slow_nobody_lags);
    tcase_add_test(tcase, nobody_is_demoted_below_the_minimum);
    tcase_add_test(tcase, a_sync_may_take_longer);
    tcase_add_test(tcase, who_answers_nothing_does_not_only_sync);
    tcase_add_test(tcase, who_is_not_asked_is_not_taken_for_stopped);
    tcase_add_test(tcase, where_all_sync_nobody_is_asked);
    tcase_add_test(tcase, who_lags_often_may_lag_more);
    tcase_add_test(tcase, who_answers_nothing_may_not_lag_more);
    tcase_add_test(tcase, who_was_demoted_often_is_not_waited_for_longer);
    tcase_add_test(tcase, a_read_that_is_not_answered_goes_elsewhere);
    tcase_add_test(tcase, who_answers_after_a_new_member_did_not_lag_for_ever);
    Suite *suite = suite_create("pace");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
