/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that end and begin again. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

START_TEST(who_comes_back_in_time_gets_what_is_outstanding_again)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 8192);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_down(&story, 2);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){.config = *repl_config(story.repl)}, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_WRITE, 2)->offset_bytes, 8192);
    story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert(repl_config(story.repl)->members[2].in_sync);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_disk_that_is_nearly_full_is_told_once)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    for (int round = 0; round < 2; round++) {
        story_submit(&story, &op, REPL_WRITE, 0);
        for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
            story.reply_flags = i == 1 ? FRAME_SPACE_LOW : 0;
            story_answer(&story, FRAME_WRITE, i, FRAME_OK);
        }
        slice_release(&op.data);
    }
    ck_assert_uint_eq(story.space_low, 1);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("peers");
    tcase_add_test(tcase, who_comes_back_in_time_gets_what_is_outstanding_again);
    tcase_add_test(tcase, a_disk_that_is_nearly_full_is_told_once);
    Suite *suite = suite_create("peers");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
