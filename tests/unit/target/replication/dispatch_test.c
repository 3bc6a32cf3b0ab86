/* SPDX-License-Identifier: Apache-2.0 */
/* When an operation is sent, and to whom. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

START_TEST(overlapping_writes_go_one_after_the_other)
{
    struct story story;
    struct repl_op first;
    struct repl_op second;
    story_serve(&story);
    story_submit(&story, &first, REPL_WRITE, 0);
    story_submit(&story, &second, REPL_WRITE, 0);
    uint32_t sent_count = story.sent_count;
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    ck_assert_ptr_eq(story.completed, &first);
    ck_assert_uint_eq(story.sent_count, sent_count + 1);
    slice_release(&first.data);
    slice_release(&second.data);
    story_end(&story);
}
END_TEST

START_TEST(reads_are_divided_among_the_members_in_sync)
{
    struct story story;
    struct repl_op reads[STORY_MEMBERS];
    uint8_t asked = 0;
    story_serve(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_submit(&story, &reads[i], REPL_READ, (uint64_t)i << 20);
    for (uint32_t i = 0; i < story.sent_count; i++) {
        if (story.sent[i].type == FRAME_READ)
            asked |= story.sent[i].peers;
    }
    ck_assert_uint_eq(asked, 7);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("dispatch");
    tcase_add_test(tcase, overlapping_writes_go_one_after_the_other);
    tcase_add_test(tcase, reads_are_divided_among_the_members_in_sync);
    Suite *suite = suite_create("dispatch");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
