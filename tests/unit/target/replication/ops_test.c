/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an operation. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

#include <errno.h>

START_TEST(a_write_waits_for_all_in_sync)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    ck_assert_uint_eq(story_find(&story, FRAME_WRITE, 0)->peers, 7);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
    ck_assert_uint_eq(story.completions, 0);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, 0);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_full_disk_everywhere_is_waited_for)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer_all(&story, FRAME_WRITE, FRAME_NO_SPACE);
    ck_assert_uint_eq(story.completions, 0);
    story_elapse(&story, 1100);
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, 0);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_slow_member_is_closed)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_elapse(&story, 1000);
    ck_assert_uint_eq(story.closed, 4);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(without_the_full_ones_there_would_be_too_few)
{
    struct story story;
    struct repl_op op, other;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_NO_SPACE);
    story_answer(&story, FRAME_WRITE, 2, FRAME_NO_SPACE);
    ck_assert_uint_eq(story.closed, 0);
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_submit(&story, &other, REPL_ZERO, 1 << 20);
    story_answer_all(&story, FRAME_ZERO, FRAME_OK);
    ck_assert_ptr_eq(story.completed, &other);
    story_elapse(&story, 1000);
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    ck_assert_ptr_eq(story.completed, &op);
    ck_assert_int_eq(op.status, 0);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(no_snapshot_is_waited_for_behind_a_full_disk)
{
    struct story story;
    struct repl_op op, seal;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer_all(&story, FRAME_WRITE, FRAME_NO_SPACE);
    seal = (struct repl_op){.kind = REPL_COMMAND, .command.kind = COMMAND_SEAL};
    story_step(&story, (struct repl_event){.kind = REPL_EV_SUBMIT, .op = &seal});
    ck_assert_ptr_eq(story.completed, &seal);
    ck_assert_int_eq(seal.status, -ENOSPC);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(one_that_is_full_is_done_without)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 2, FRAME_NO_SPACE);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    ck_assert_ptr_eq(story.completed, &op);
    ck_assert(!repl_config(story.repl)->members[2].in_sync);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

/* Member 2 is away, member 1 refuses: only member 0 holds the write. */
START_TEST(a_write_that_too_few_hold_waits_for_another_to_be_in_sync)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_down(&story, 2);
    story_elapse(&story, 1100);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    story_submit(&story, &op, REPL_WRITE, 1 << 20);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_IO);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    ck_assert(!repl_config(story.repl)->members[1].in_sync);
    ck_assert_uint_eq(story.completions, 0);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){0}, FRAME_OK);
    story_answer(&story, FRAME_GETMAP, 2, FRAME_OK);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    story_answer(&story, FRAME_SETTLE, 2, FRAME_OK);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    story_answer(&story, FRAME_MARK, 2, FRAME_OK);
    story_answer(&story, FRAME_FLUSH, 2, FRAME_OK);
    while (story_find(&story, FRAME_ACCEPT, 0))
        story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    while (story_find(&story, FRAME_ACCEPT, 2))
        story_answer(&story, FRAME_ACCEPT, 2, FRAME_OK);
    ck_assert(repl_config(story.repl)->members[2].in_sync);
    story_elapse(&story, 1000);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    ck_assert_uint_eq(story.completions, 0);
    story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
    ck_assert_ptr_eq(story.completed, &op);
    ck_assert_int_eq(op.status, 0);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("ops");
    tcase_add_test(tcase, a_write_waits_for_all_in_sync);
    tcase_add_test(tcase, a_full_disk_everywhere_is_waited_for);
    tcase_add_test(tcase, a_slow_member_is_closed);
    tcase_add_test(tcase, without_the_full_ones_there_would_be_too_few);
    tcase_add_test(tcase, no_snapshot_is_waited_for_behind_a_full_disk);
    tcase_add_test(tcase, one_that_is_full_is_done_without);
    tcase_add_test(tcase, a_write_that_too_few_hold_waits_for_another_to_be_in_sync);
    Suite *suite = suite_create("ops");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
