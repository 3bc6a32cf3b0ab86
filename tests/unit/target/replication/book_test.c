/* SPDX-License-Identifier: Apache-2.0 */
/* The book on its way to a member that has another one. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

/* Member 2 was dropped, and is back as a target with the book of an unknown command. */
static void bring_back(struct story *story)
{
    struct message_opened opened = {
        .lineage = {.command = 3, .command_identity = story_uuid(70), .head_generation = 2}};
    story_serve(story);
    story_down(story, 2);
    story_elapse(story, 1100);
    story_answer(story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(story, FRAME_ACCEPT, 1, FRAME_OK);
    story_up(story, 2);
    story_opened(story, 2, opened, FRAME_OK);
}

START_TEST(member_with_another_book_takes_no_part_in_writes)
{
    struct story story;
    struct repl_op op;
    bring_back(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    ck_assert_uint_eq(story_find(&story, FRAME_WRITE, 0)->peers, 3);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(chunks_are_passed_on_one_by_one)
{
    struct story story;
    struct repl_op op;
    bring_back(&story);
    story.next_cursor = 17;
    story_answer(&story, FRAME_BOOK, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_INSTALL, 2)->flags, FRAME_MORE);
    story_answer(&story, FRAME_INSTALL, 2, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_BOOK, 0)->length_bytes, 17);
    story.next_cursor = 0;
    story_answer(&story, FRAME_BOOK, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_INSTALL, 2)->length_bytes, 17);
    ck_assert_uint_eq(story_find(&story, FRAME_INSTALL, 2)->flags, 0);
    story_answer(&story, FRAME_INSTALL, 2, FRAME_OK);
    story_submit(&story, &op, REPL_WRITE, 0);
    ck_assert_uint_eq(story_find(&story, FRAME_WRITE, 0)->peers, 7);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(chunks_of_two_books_are_not_mixed)
{
    struct story story;
    bring_back(&story);
    story.next_cursor = 17;
    story_answer(&story, FRAME_BOOK, 0, FRAME_OK);
    story_answer(&story, FRAME_INSTALL, 2, FRAME_OK);
    story.lineage.command = 9;
    story_answer(&story, FRAME_BOOK, 0, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_INSTALL, 2));
    ck_assert_uint_eq(story_find(&story, FRAME_BOOK, 0)->length_bytes, 0);
    story_end(&story);
}
END_TEST

START_TEST(source_that_is_lost_is_replaced)
{
    struct story story;
    bring_back(&story);
    story_down(&story, 0);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_BOOK, 1));
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("book");
    tcase_add_test(tcase, member_with_another_book_takes_no_part_in_writes);
    tcase_add_test(tcase, chunks_are_passed_on_one_by_one);
    tcase_add_test(tcase, chunks_of_two_books_are_not_mixed);
    tcase_add_test(tcase, source_that_is_lost_is_replaced);
    Suite *suite = suite_create("book");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
