/* SPDX-License-Identifier: Apache-2.0 */
/* Copies between members. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

START_TEST(a_read_that_fails_goes_to_another_and_is_repaired)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_READ, 0);
    uint8_t first = story_find(&story, FRAME_READ, 0) ? 0 : 1;
    story_answer(&story, FRAME_READ, first, FRAME_CHECKSUM);
    uint8_t second = story_find(&story, FRAME_READ, 1) ? 1 : 2;
    story_answer(&story, FRAME_READ, second, FRAME_OK);
    for (uint8_t i = 0; i < 2; i++)
        story_answer(&story, FRAME_LEASE, i, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, 0);
    story_answer(&story, FRAME_READ, second, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_COPY, first));
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_zero_block_is_copied_as_zeros)
{
    struct story story;
    story_begin(&story);
    story.map = 1;
    story.zeros = true;
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.doubt_bytes = 16384}, FRAME_OK);
    }
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    story_answer_all(&story, FRAME_GETMAP, FRAME_OK);
    story_compare(&story, 0, 6);
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_ZERO, 1));
    ck_assert_ptr_null(story_find(&story, FRAME_COPY, 1));
    story_end(&story);
}
END_TEST

START_TEST(what_is_equal_is_not_copied)
{
    struct story story;
    story_begin(&story);
    story.map = 1;
    story.equal = true;
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.doubt_bytes = 16384}, FRAME_OK);
    }
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    story_answer_all(&story, FRAME_GETMAP, FRAME_OK);
    story_compare(&story, 0, 6);
    ck_assert_ptr_null(story_find(&story, FRAME_READ, 0));
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

START_TEST(what_cannot_be_compared_is_copied)
{
    struct story story;
    story_begin(&story);
    story.map = 1;
    story.equal = true;
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.doubt_bytes = 16384}, FRAME_OK);
    }
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    story_answer_all(&story, FRAME_GETMAP, FRAME_OK);
    story_compare(&story, 0, 2);
    story_answer(&story, FRAME_HASH, 2, FRAME_CHECKSUM);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_READ, 0));
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("copy");
    tcase_add_test(tcase, a_read_that_fails_goes_to_another_and_is_repaired);
    tcase_add_test(tcase, a_zero_block_is_copied_as_zeros);
    tcase_add_test(tcase, what_is_equal_is_not_copied);
    tcase_add_test(tcase, what_cannot_be_compared_is_copied);
    Suite *suite = suite_create("copy");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
