/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery after an unclean end. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

START_TEST(what_is_in_doubt_is_made_equal_before_serving)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.doubt_bytes = 16384}, FRAME_OK);
    }
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_RECOVERING);
    story_answer_all(&story, FRAME_GETMAP, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

START_TEST(recovery_copies_what_is_in_doubt_from_one_to_the_others)
{
    struct story story;
    story_begin(&story);
    story.map = 2;
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.doubt_bytes = 16384}, FRAME_OK);
    }
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    story_answer_all(&story, FRAME_GETMAP, FRAME_OK);
    story_compare(&story, 0, 6);
    ck_assert_uint_eq(story_find(&story, FRAME_READ, 0)->offset_bytes, 16384);
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_COPY, 1)->peers, 6);
    story_answer(&story, FRAME_COPY, 1, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_RECOVERING);
    story_answer(&story, FRAME_COPY, 2, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("recover");
    tcase_add_test(tcase, what_is_in_doubt_is_made_equal_before_serving);
    tcase_add_test(tcase, recovery_copies_what_is_in_doubt_from_one_to_the_others);
    Suite *suite = suite_create("recover");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
