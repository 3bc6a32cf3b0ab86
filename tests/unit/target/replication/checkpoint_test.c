/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

static void answer_checkpoint(struct story *story)
{
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(story, FRAME_CHECKPOINT, i, FRAME_OK);
}

START_TEST(an_idle_volume_ends_clean_and_without_a_timer)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    ck_assert_uint_eq(repl_deadline_ns(story.repl), UINT64_MAX);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    for (int round = 0; round < 2; round++) {
        story_elapse(&story, 2100);
        answer_checkpoint(&story);
        struct story_sent *commit = story_find(&story, FRAME_COMMIT, 0);
        ck_assert_uint_eq(commit->flags, FRAME_ALL);
        commit->peers = 0;
    }
    ck_assert_uint_eq(repl_deadline_ns(story.repl), UINT64_MAX);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_lost_session_voids_the_checkpoint)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    story_elapse(&story, 2100);
    story_answer(&story, FRAME_CHECKPOINT, 0, FRAME_OK);
    story_answer(&story, FRAME_CHECKPOINT, 1, FRAME_OK);
    story_down(&story, 2);
    ck_assert_ptr_null(story_find(&story, FRAME_COMMIT, 0));
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("checkpoint");
    tcase_add_test(tcase, an_idle_volume_ends_clean_and_without_a_timer);
    tcase_add_test(tcase, a_lost_session_voids_the_checkpoint);
    Suite *suite = suite_create("checkpoint");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
