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
    story_answer(&story, FRAME_SETTLE, 2, FRAME_OK);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_FLUSH, 2));
    story_answer(&story, FRAME_MARK, 2, FRAME_OK);
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
    story_answer(&story, FRAME_BOOK, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_INSTALL, 2)->flags, FRAME_ALL);
    story_answer(&story, FRAME_INSTALL, 2, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_GETMAP, 2));
    story_answer(&story, FRAME_DIFF, 2, FRAME_OK);
    story_answer(&story, FRAME_DIFF, 0, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_HASH, 0));
    ck_assert_uint_eq(story_find(&story, FRAME_READ, 0)->length_bytes, PAYLOAD_BYTES_MAX);
    story_end(&story);
}
END_TEST

/* A piece was copied to it. */
static void copy_piece(struct story *story)
{
    bring_back(story, (struct message_opened){0});
    story_answer(story, FRAME_GETMAP, 2, FRAME_OK);
    story->map = 1;
    story_answer(story, FRAME_GETMAP, 0, FRAME_OK);
    story_compare(story, 0, 4);
    story_answer(story, FRAME_READ, 0, FRAME_OK);
    story_answer(story, FRAME_COPY, 2, FRAME_OK);
}

START_TEST(what_was_copied_is_compared_before_it_counts)
{
    struct story story;
    copy_piece(&story);
    ck_assert_ptr_null(story_find(&story, FRAME_SETTLE, 2));
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 2)->flags, FRAME_SUMS);
    story.equal = true;
    story_answer(&story, FRAME_HASH, 2, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_SETTLE, 2));
    story_end(&story);
}
END_TEST

START_TEST(a_target_that_answers_nothing_is_not_waited_for_for_long)
{
    struct story story;
    struct repl_op op;
    bring_back(&story, (struct message_opened){0});
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_elapse(&story, 200);
    ck_assert_uint_eq(story.completions, 0);
    story_elapse(&story, 200);
    ck_assert_uint_eq(story.completions, 1);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_target_that_answers_something_may_take_longer)
{
    struct story story;
    struct repl_op op;
    bring_back(&story, (struct message_opened){0});
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    for (int ms = 0; ms < 900; ms += 50) {
        story_elapse(&story, 50);
        if (story_find(&story, FRAME_LEASE, 2))
            story_answer(&story, FRAME_LEASE, 2, FRAME_OK);
    }
    ck_assert_uint_eq(story.completions, 0);
    story_elapse(&story, 400);
    ck_assert_uint_eq(story.completions, 1);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

/* Member 2 is back, with other generations: what changed in them tells what it lacks. */
static void bring_back_by_changes(struct story *story)
{
    struct lineage behind = {
        .head_generation = 5, .head_base = 4, .incomplete_generation = 4, .incomplete_base = 3};
    bring_back(story, (struct message_opened){.lineage = behind});
    story_answer(story, FRAME_DIFF, 2, FRAME_OK);
    story_answer(story, FRAME_DIFF, 0, FRAME_OK);
}

START_TEST(what_it_has_some_of_is_compared_first)
{
    struct story story;
    bring_back_by_changes(&story);
    ck_assert_ptr_null(story_find(&story, FRAME_READ, 0));
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 0)->length_bytes, PAYLOAD_BYTES_MAX);
    story_end(&story);
}
END_TEST

START_TEST(a_copy_does_not_wait_for_long_for_who_answers_nothing)
{
    struct story story;
    bring_back_by_changes(&story);
    story_answer(&story, FRAME_HASH, 0, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_HASH, 2));
    uint8_t closed = story.closed;
    story_elapse(&story, 200);
    ck_assert_uint_eq(story.closed, closed);
    story_elapse(&story, 250);
    ck_assert_uint_ne(story.closed, closed);
    story_end(&story);
}
END_TEST

START_TEST(what_it_has_nothing_of_is_copied_then_checked)
{
    struct story story;
    struct lineage behind = {
        .head_generation = 5, .head_base = 4, .incomplete_generation = 4, .incomplete_base = 3};
    bring_back(&story, (struct message_opened){.lineage = behind});
    story.absent = 1 << 2;
    story_answer(&story, FRAME_DIFF, 2, FRAME_OK);
    story_answer(&story, FRAME_DIFF, 0, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_HASH, 0));
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    story_answer(&story, FRAME_COPY, 2, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 2)->flags, FRAME_SUMS);
    story_answer(&story, FRAME_HASH, 2, FRAME_CHECKSUM);
    /* It is read anew; three others of its kind are under way. */
    uint32_t reads = 0;
    for (uint32_t i = 0; i < story.sent_count; i++)
        reads += story.sent[i].type == FRAME_READ && story.sent[i].peers;
    ck_assert_uint_eq(reads, 4);
    story.equal = true;
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    story_end(&story);
}
END_TEST

START_TEST(what_is_not_held_though_it_was_copied_is_copied_again)
{
    struct story story;
    copy_piece(&story);
    story_answer(&story, FRAME_HASH, 2, FRAME_OK);
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    story_answer(&story, FRAME_COPY, 2, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_SETTLE, 2));
    story.equal = true;
    story_answer(&story, FRAME_HASH, 2, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_SETTLE, 2));
    ck_assert_uint_eq(story.closed & 4, 0);
    story_end(&story);
}
END_TEST

START_TEST(a_target_that_never_holds_what_is_copied_to_it_is_left)
{
    struct story story;
    copy_piece(&story);
    story.closed = 0;
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(story.closed & 4, 0);
        story_answer(&story, FRAME_HASH, 2, FRAME_CHECKSUM);
        story_answer(&story, FRAME_READ, 0, FRAME_OK);
        story_answer(&story, FRAME_COPY, 2, FRAME_OK);
    }
    ck_assert_uint_eq(story.closed & 4, 4);
    ck_assert(!repl_config(story.repl)->members[2].in_sync);
    story_end(&story);
}
END_TEST

START_TEST(generations_come_before_the_head)
{
    struct story story;
    struct lineage behind = {.head_generation = 5,
                             .head_base = 4,
                             .incomplete_generation = 4,
                             .incomplete_base = 3,
                             .kept_generation = 4};
    bring_back(&story, (struct message_opened){.lineage = behind});
    story_answer(&story, FRAME_GETMAP, 2, FRAME_OK);
    story.map = 1;
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 0)->generation, 4);
    story_compare(&story, 0, 4);
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_COPY, 2)->generation, 4);
    story_answer(&story, FRAME_COPY, 2, FRAME_OK);
    story.equal = true;
    story_answer(&story, FRAME_HASH, 2, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_SETTLE, 2)->generation, 4);
    story.lineage = (struct lineage){.head_generation = 5, .head_base = 4};
    story_answer(&story, FRAME_SETTLE, 2, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_DIFF, 2)->generation, 0);
    story_end(&story);
}
END_TEST

START_TEST(generation_that_is_gone_begins_the_stage_anew)
{
    struct story story;
    struct lineage behind = {
        .head_generation = 5, .head_base = 4, .incomplete_generation = 4, .incomplete_base = 3};
    bring_back(&story, (struct message_opened){.lineage = behind});
    story_answer(&story, FRAME_DIFF, 0, FRAME_ABSENT);
    ck_assert_ptr_null(story_find(&story, FRAME_HASH, 0));
    story_answer(&story, FRAME_DIFF, 2, FRAME_OK);
    story_elapse(&story, 20);
    ck_assert_uint_eq(story_find(&story, FRAME_DIFF, 2)->generation, 4);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("resync");
    tcase_add_test(tcase, a_late_member_is_brought_in_sync_then_counts);
    tcase_add_test(tcase, a_target_that_answers_nothing_is_not_waited_for_for_long);
    tcase_add_test(tcase, a_target_that_answers_something_may_take_longer);
    tcase_add_test(tcase, a_copy_does_not_wait_for_long_for_who_answers_nothing);
    tcase_add_test(tcase, a_target_gets_live_writes_and_is_waited_for);
    tcase_add_test(tcase, a_member_whose_sync_failed_is_copied_whole);
    tcase_add_test(tcase, what_was_copied_is_compared_before_it_counts);
    tcase_add_test(tcase, what_it_has_some_of_is_compared_first);
    tcase_add_test(tcase, what_it_has_nothing_of_is_copied_then_checked);
    tcase_add_test(tcase, what_is_not_held_though_it_was_copied_is_copied_again);
    tcase_add_test(tcase, a_target_that_never_holds_what_is_copied_to_it_is_left);
    tcase_add_test(tcase, generations_come_before_the_head);
    tcase_add_test(tcase, generation_that_is_gone_begins_the_stage_anew);
    Suite *suite = suite_create("resync");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
