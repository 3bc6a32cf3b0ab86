/* SPDX-License-Identifier: Apache-2.0 */
/* Whom opening trusts, and how it outbids others. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

START_TEST(opening_waits_for_a_member_in_sync_then_goes_on_without)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < 2; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){0}, FRAME_OK);
    }
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 0));
    story_elapse(&story, 6000);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_ACCEPT, 0));
    story_end(&story);
}
END_TEST

START_TEST(opening_takes_nobody_who_lost_its_memory)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.lossy = i == 1}, FRAME_OK);
    }
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    ck_assert(repl_config(story.repl)->members[0].in_sync);
    ck_assert(!repl_config(story.repl)->members[1].in_sync);
    story_end(&story);
}
END_TEST

START_TEST(a_higher_promise_is_outbid_while_opening)
{
    struct story story;
    story_begin(&story);
    story_up(&story, 0);
    story_opened(
        &story, 0,
        (struct message_opened){.promised_epoch = 40, .promised_controller = story_uuid(97)},
        FRAME_STALE);
    ck_assert(!story.fenced);
    story_elapse(&story, 1000);
    ck_assert_uint_eq(story_find(&story, FRAME_OPEN, 0)->request, 41);
    story_end(&story);
}
END_TEST

START_TEST(nothing_is_proposed_while_a_higher_promise_is_to_be_outbid)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_up(&story, i);
    story_opened(
        &story, 0,
        (struct message_opened){.promised_epoch = 40, .promised_controller = story_uuid(97)},
        FRAME_STALE);
    for (uint8_t i = 1; i < STORY_MEMBERS; i++)
        story_opened(&story, i, (struct message_opened){0}, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 1));
    story_elapse(&story, 1000);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        ck_assert_uint_eq(story_find(&story, FRAME_OPEN, i)->request, 41);
    story_end(&story);
}
END_TEST

START_TEST(a_source_without_memory_whose_sync_failed_meanwhile_is_not_taken)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.lossy = true}, FRAME_OK);
    }
    ck_assert_ptr_nonnull(story_find(&story, FRAME_ACCEPT, 0));
    story_down(&story, 0);
    story_up(&story, 0);
    story_opened(&story, 0, (struct message_opened){.lossy = true, .failed = true}, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 0));
    ck_assert_ptr_nonnull(story_find(&story, FRAME_OPEN, 0));
    story_end(&story);
}
END_TEST

START_TEST(a_source_without_memory_that_comes_back_is_asked_again)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.lossy = true}, FRAME_OK);
    }
    story_down(&story, 0);
    story_up(&story, 0);
    story_opened(&story, 0, (struct message_opened){.lossy = true}, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_ACCEPT, 0));
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("open");
    tcase_add_test(tcase, opening_waits_for_a_member_in_sync_then_goes_on_without);
    tcase_add_test(tcase, opening_takes_nobody_who_lost_its_memory);
    tcase_add_test(tcase, a_higher_promise_is_outbid_while_opening);
    tcase_add_test(tcase, nothing_is_proposed_while_a_higher_promise_is_to_be_outbid);
    tcase_add_test(tcase, a_source_without_memory_whose_sync_failed_meanwhile_is_not_taken);
    tcase_add_test(tcase, a_source_without_memory_that_comes_back_is_asked_again);
    Suite *suite = suite_create("open");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
