/* SPDX-License-Identifier: Apache-2.0 */
/* Scrubs: what is compared, what is repaired, what is only told. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

enum { MIB = 1 << 20 };

/* A scrub of a volume whose first MiB is the only one with data. */
static void begin(struct story *story)
{
    story_serve(story);
    story->equal = true;
    story_step(story, (struct repl_event){.kind = REPL_EV_SCRUB});
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(story, FRAME_DIFF, i, FRAME_OK);
}

static struct repl_scrub_status result(const struct story *story)
{
    struct repl_status status;
    repl_status(story->repl, &status);
    return status.scrub;
}

static void compare(struct story *story, uint32_t status_of_last)
{
    story_answer(story, FRAME_HASH, 0, FRAME_OK);
    story_answer(story, FRAME_HASH, 1, FRAME_OK);
    story_answer(story, FRAME_HASH, 2, status_of_last);
}

START_TEST(all_in_sync_are_compared_at_once)
{
    struct story story;
    begin(&story);
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 0)->peers, 7);
    compare(&story, FRAME_OK);
    ck_assert_uint_eq(result(&story).done_bytes, MIB);
    ck_assert_uint_eq(result(&story).found, 0);
    ck_assert(result(&story).running);
    story_end(&story);
}
END_TEST

START_TEST(the_next_piece_comes_when_the_rate_allows_it)
{
    struct story story;
    begin(&story);
    compare(&story, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_DIFF, 0));
    story_elapse(&story, 100);
    ck_assert_uint_eq(story_find(&story, FRAME_DIFF, 0)->offset_bytes, MIB);
    story_end(&story);
}
END_TEST

START_TEST(what_is_unreadable_at_one_is_brought_and_compared_again)
{
    struct story story;
    begin(&story);
    compare(&story, FRAME_CHECKSUM);
    ck_assert_uint_eq(story_find(&story, FRAME_READ, 0)->length_bytes, MIB);
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_COPY, 2)->peers, 4);
    story_answer(&story, FRAME_COPY, 2, FRAME_OK);
    story_elapse(&story, 200);
    compare(&story, FRAME_OK);
    ck_assert_uint_eq(result(&story).found, 1);
    ck_assert_uint_eq(result(&story).unrepaired, 0);
    story_end(&story);
}
END_TEST

START_TEST(two_that_agree_repair_the_third)
{
    struct story story;
    begin(&story);
    story_answer(&story, FRAME_HASH, 0, FRAME_OK);
    story_answer(&story, FRAME_HASH, 2, FRAME_OK);
    story.equal = false;
    story_answer(&story, FRAME_HASH, 1, FRAME_OK);
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_COPY, 1)->peers, 2);
    story_end(&story);
}
END_TEST

START_TEST(where_nobody_agrees_nothing_is_guessed)
{
    struct story story;
    begin(&story);
    story.equal = false;
    compare(&story, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_READ, 0));
    ck_assert_uint_gt(result(&story).unrepaired, 0);
    story_end(&story);
}
END_TEST

START_TEST(who_is_away_is_waited_for)
{
    struct story story;
    begin(&story);
    story_down(&story, 1);
    story_answer(&story, FRAME_HASH, 0, FRAME_OK);
    story_elapse(&story, 500);
    ck_assert_ptr_null(story_find(&story, FRAME_HASH, 0));
    ck_assert(result(&story).running);
    story_end(&story);
}
END_TEST

START_TEST(a_write_waits_for_the_piece_and_goes_on)
{
    struct story story;
    struct repl_op op;
    begin(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    ck_assert_ptr_null(story_find(&story, FRAME_WRITE, 0));
    compare(&story, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_WRITE, 0));
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("scrub");
    tcase_add_test(tcase, all_in_sync_are_compared_at_once);
    tcase_add_test(tcase, the_next_piece_comes_when_the_rate_allows_it);
    tcase_add_test(tcase, what_is_unreadable_at_one_is_brought_and_compared_again);
    tcase_add_test(tcase, two_that_agree_repair_the_third);
    tcase_add_test(tcase, where_nobody_agrees_nothing_is_guessed);
    tcase_add_test(tcase, who_is_away_is_waited_for);
    tcase_add_test(tcase, a_write_waits_for_the_piece_and_goes_on);
    Suite *suite = suite_create("scrub");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
