/* SPDX-License-Identifier: Apache-2.0 */
/* What people are told. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

static void two_of_three_go_away(struct story *story)
{
    story_serve(story);
    story_down(story, 1);
    story_down(story, 2);
    story_elapse(story, 10000);
}

START_TEST(frozen_says_why)
{
    struct story story;
    struct repl_status status;
    two_of_three_go_away(&story);
    repl_status(story.repl, &status);
    ck_assert_int_eq(status.state, REPL_FROZEN);
    ck_assert_str_eq(status.why, "a replica in sync is away");
    ck_assert(status.members[0].attached && !status.members[1].attached);
    ck_assert_str_eq(status.members[1].why, "its connection broke");
    ck_assert(!status.members[0].waited_for && status.members[1].waited_for);
    ck_assert_uint_eq(status.since_ns, 1000 * STORY_MS);
    story_end(&story);
}
END_TEST

START_TEST(who_was_full_is_said_to_be_so)
{
    struct story story;
    struct repl_op op;
    struct repl_status status;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 2, FRAME_NO_SPACE);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    repl_status(story.repl, &status);
    ck_assert(!status.members[2].in_sync);
    ck_assert_str_eq(status.members[2].why, "no space is left there");
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(who_comes_back_while_it_is_dropped_is_not_said_to_be_in_sync)
{
    struct story story;
    struct repl_status status;
    two_of_three_go_away(&story);
    for (uint8_t peer = 1; peer <= 2; peer++) {
        story_up(&story, peer);
        story_opened(&story, peer, (struct message_opened){0}, FRAME_OK);
    }
    repl_status(story.repl, &status);
    ck_assert(status.members[1].in_sync && status.members[2].attached);
    ck_assert(!status.members[2].in_sync);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    repl_status(story.repl, &status);
    ck_assert(!status.members[2].in_sync);
    ck_assert_str_eq(status.members[2].why, "it came back while it was dropped");
    story_end(&story);
}
END_TEST

START_TEST(every_state_has_a_name)
{
    for (int state = REPL_OPENING; state <= REPL_FENCED; state++)
        ck_assert_uint_gt(strlen(repl_state_name((enum repl_state)state)), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("status");
    tcase_add_test(tcase, frozen_says_why);
    tcase_add_test(tcase, who_was_full_is_said_to_be_so);
    tcase_add_test(tcase, who_comes_back_while_it_is_dropped_is_not_said_to_be_in_sync);
    tcase_add_test(tcase, every_state_has_a_name);
    Suite *suite = suite_create("status");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
