/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that fail for want of space, where they are not to wait for it. */
#include "target/replication/parts.h"
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

#include <errno.h>

static void story_write_full(struct story *story, struct repl_op *op)
{
    story_serve(story);
    story->repl->settings.fail_when_full = true;
    story_submit(story, op, REPL_WRITE, 0);
}

/* What a frame to this member writes begins with. */
static uint8_t story_writes(struct story *story, uint8_t peer)
{
    const struct story_sent *sent = story_find(story, FRAME_WRITE, peer);
    ck_assert_ptr_nonnull(sent);
    return sent->first_byte;
}

START_TEST(what_all_refuse_fails)
{
    struct story story;
    struct repl_op op;
    story_write_full(&story, &op);
    story_answer_all(&story, FRAME_WRITE, FRAME_NO_SPACE);
    ck_assert_ptr_eq(story.completed, &op);
    ck_assert_int_eq(op.status, -ENOSPC);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(what_two_refuse_is_undone_at_the_third)
{
    struct story story;
    struct repl_op op;
    story_write_full(&story, &op);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_NO_SPACE);
    story_answer(&story, FRAME_WRITE, 2, FRAME_NO_SPACE);
    ck_assert_uint_eq(story.completions, 0);
    ck_assert_ptr_null(story_find(&story, FRAME_READ, 0));
    story_answer(&story, FRAME_READ, story_find(&story, FRAME_READ, 1) ? 1 : 2, FRAME_OK);
    ck_assert_uint_eq(story_writes(&story, 0), 0x5a);
    story_answer(&story, FRAME_WRITE, 1, FRAME_NO_SPACE);
    story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
    ck_assert_uint_eq(story.completions, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    ck_assert_ptr_eq(story.completed, &op);
    ck_assert_int_eq(op.status, -ENOSPC);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(what_was_done_in_part_waits)
{
    struct story story;
    struct repl_op op;
    story_write_full(&story, &op);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_NO_SPACE);
    story_answer(&story, FRAME_WRITE, 2, FRAME_NO_MORE_SPACE);
    story_elapse(&story, 1100);
    ck_assert_uint_eq(story.completions, 0);
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    ck_assert_int_eq(op.status, 0);
    ck_assert_uint_eq(story.completions, 1);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(one_full_disk_is_done_without)
{
    struct story story;
    struct repl_op op;
    story_write_full(&story, &op);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 2, FRAME_NO_SPACE);
    ck_assert_ptr_null(story_find(&story, FRAME_READ, 2));
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    ck_assert_ptr_eq(story.completed, &op);
    ck_assert_int_eq(op.status, 0);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(who_refuses_it_the_second_time_may_have_done_it_the_first)
{
    struct story story;
    struct repl_op op;
    story_write_full(&story, &op);
    story_down(&story, 0);
    story_answer(&story, FRAME_WRITE, 1, FRAME_NO_SPACE);
    story_answer(&story, FRAME_WRITE, 2, FRAME_NO_SPACE);
    struct message_opened opened = {.config = *repl_config(story.repl)};
    story_up(&story, 0);
    story_opened(&story, 0, opened, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 0, FRAME_NO_SPACE);
    ck_assert_uint_eq(story.completions, 0);
    story_elapse(&story, 1100);
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, 0);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(who_is_brought_in_sync_does_not_hold_what_was_before)
{
    struct story story;
    struct repl_op op;
    story_write_full(&story, &op);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_NO_SPACE);
    story_answer(&story, FRAME_WRITE, 2, FRAME_NO_SPACE);
    ck_assert_uint_eq(op.refused, 6);
    story_down(&story, 2);
    struct message_opened opened = {.config = *repl_config(story.repl), .lossy = true};
    story_up(&story, 2);
    story_opened(&story, 2, opened, FRAME_OK);
    for (uint8_t i = 0; i < 2; i++)
        story_answer(&story, FRAME_ACCEPT, i, FRAME_OK);
    ck_assert(!repl_config(story.repl)->members[2].in_sync);
    ck_assert_uint_eq(op.refused, 2);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("undo");
    tcase_add_test(tcase, what_all_refuse_fails);
    tcase_add_test(tcase, what_two_refuse_is_undone_at_the_third);
    tcase_add_test(tcase, what_was_done_in_part_waits);
    tcase_add_test(tcase, one_full_disk_is_done_without);
    tcase_add_test(tcase, who_refuses_it_the_second_time_may_have_done_it_the_first);
    tcase_add_test(tcase, who_is_brought_in_sync_does_not_hold_what_was_before);
    Suite *suite = suite_create("undo");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
