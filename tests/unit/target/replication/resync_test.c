/* SPDX-License-Identifier: Apache-2.0 */
/* A target on its way to count. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

/* Member 2 was dropped, and is back as a target. */
static void bring_back(struct story *story, struct message_opened opened)
{
    story_serve(story);
    story_down(story, 2);
    story_elapse(story, 1100);
    story_answer(story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(story, FRAME_ACCEPT, 1, FRAME_OK);
    story_up(story, 2);
    story_opened(story, 2, opened, FRAME_OK);
}

START_TEST(a_late_member_is_brought_in_sync_then_counts)
{
    struct story story;
    story_serve(&story);
    story_down(&story, 2);
    story_elapse(&story, 1100);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){0}, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_GETMAP, 2)->flags, FRAME_ALL);
    story_answer(&story, FRAME_GETMAP, 2, FRAME_OK);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    story_answer(&story, FRAME_FLUSH, 2, FRAME_OK);
    ck_assert(!repl_config(story.repl)->members[2].in_sync);
    while (story_find(&story, FRAME_ACCEPT, 0))
        story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    while (story_find(&story, FRAME_ACCEPT, 1))
        story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    ck_assert(repl_config(story.repl)->members[2].in_sync);
    story_end(&story);
}
END_TEST

START_TEST(a_target_gets_live_writes_and_is_waited_for)
{
    struct story story;
    struct repl_op op;
    bring_back(&story, (struct message_opened){0});
    story_submit(&story, &op, REPL_WRITE, 0);
    ck_assert_uint_eq(story_find(&story, FRAME_WRITE, 0)->peers, 7);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    ck_assert_uint_eq(story.completions, 0);
    story_down(&story, 2);
    ck_assert_uint_eq(story.completions, 1);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_member_whose_sync_failed_is_copied_whole)
{
    struct story story;
    bring_back(&story, (struct message_opened){.failed = true});
    ck_assert_ptr_null(story_find(&story, FRAME_GETMAP, 2));
    ck_assert_uint_eq(story_find(&story, FRAME_READ, 0)->length_bytes, PAYLOAD_BYTES_MAX);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("resync");
    tcase_add_test(tcase, a_late_member_is_brought_in_sync_then_counts);
    tcase_add_test(tcase, a_target_gets_live_writes_and_is_waited_for);
    tcase_add_test(tcase, a_member_whose_sync_failed_is_copied_whole);
    Suite *suite = suite_create("resync");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
