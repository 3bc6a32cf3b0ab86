/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of thing an operation is, and the frame it is sent as. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

#include <errno.h>

START_TEST(read_of_the_head_takes_a_lock_and_of_a_sealed_generation_none)
{
    struct story story;
    struct repl_op write, head;
    struct repl_op sealed = {.kind = REPL_READ, .length_bytes = 4096, .generation = 3};
    story_serve(&story);
    story_submit(&story, &write, REPL_WRITE, 0);
    story_submit(&story, &head, REPL_READ, 0);
    ck_assert_ptr_null(story_find(&story, FRAME_READ, 0));
    story_step(&story, (struct repl_event){.kind = REPL_EV_SUBMIT, .op = &sealed});
    ck_assert_uint_eq(story_find(&story, FRAME_READ, 0)->generation, 3);
    slice_release(&write.data);
    story_end(&story);
}
END_TEST

START_TEST(book_is_asked_for_by_its_cursor)
{
    struct story story;
    struct repl_op op = {.kind = REPL_BOOK, .peer = REPL_ANY_PEER, .cursor = 17};
    story_serve(&story);
    story_step(&story, (struct repl_event){.kind = REPL_EV_SUBMIT, .op = &op});
    ck_assert_uint_eq(story_find(&story, FRAME_BOOK, 0)->length_bytes, 17);
    story_answer(&story, FRAME_BOOK, 0, FRAME_OK);
    ck_assert_int_eq(op.status, 0);
    ck_assert_uint_gt(op.data.length_bytes, 0);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(difference_tells_how_far_it_goes)
{
    struct story story;
    struct repl_op op = {.kind = REPL_DIFF,
                         .peer = REPL_ANY_PEER,
                         .length_bytes = 1 << 20,
                         .generation = 4,
                         .from_generation = 3};
    story_serve(&story);
    story_step(&story, (struct repl_event){.kind = REPL_EV_SUBMIT, .op = &op});
    story_answer(&story, FRAME_DIFF, 0, FRAME_OK);
    ck_assert_int_eq(op.status, 0);
    ck_assert_uint_eq(op.covered_bytes, 1 << 20);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(generation_that_is_absent_is_told_as_such)
{
    struct story story;
    struct repl_op op = {.kind = REPL_READ, .length_bytes = 4096, .generation = 3};
    story_serve(&story);
    story_step(&story, (struct repl_event){.kind = REPL_EV_SUBMIT, .op = &op});
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        if (story_find(&story, FRAME_READ, i))
            story_answer(&story, FRAME_READ, i, FRAME_ABSENT);
    }
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, -ENOENT);
    story_end(&story);
}
END_TEST

START_TEST(question_to_one_who_is_away_ends_at_once)
{
    struct story story;
    struct repl_op op = {.kind = REPL_SPACE, .peer = 2};
    story_serve(&story);
    story_down(&story, 2);
    story_step(&story, (struct repl_event){.kind = REPL_EV_SUBMIT, .op = &op});
    ck_assert_int_eq(op.status, -ENOTCONN);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("operation");
    tcase_add_test(tcase, read_of_the_head_takes_a_lock_and_of_a_sealed_generation_none);
    tcase_add_test(tcase, book_is_asked_for_by_its_cursor);
    tcase_add_test(tcase, difference_tells_how_far_it_goes);
    tcase_add_test(tcase, generation_that_is_absent_is_told_as_such);
    tcase_add_test(tcase, question_to_one_who_is_away_ends_at_once);
    Suite *suite = suite_create("operation");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
