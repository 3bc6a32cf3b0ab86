/* SPDX-License-Identifier: Apache-2.0 */
/* What a majority must have before it counts. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

START_TEST(serves_only_when_a_majority_accepted_its_configuration)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){0}, FRAME_OK);
    }
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_OPENING);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

START_TEST(an_eviction_is_committed_before_the_ack)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_down(&story, 2);
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 0));
    story_elapse(&story, 1100);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    ck_assert_uint_eq(story.completions, 0);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, 0);
    ck_assert(!repl_config(story.repl)->members[2].in_sync);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(writes_freeze_rather_than_fall_below_the_minimum)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_down(&story, 1);
    story_down(&story, 2);
    story_elapse(&story, 60000);
    ck_assert_int_eq(story_state(&story), REPL_FROZEN);
    story_submit(&story, &op, REPL_WRITE, 0);
    ck_assert_ptr_null(story_find(&story, FRAME_WRITE, 0));
    ck_assert(repl_config(story.repl)->members[1].in_sync);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_failed_write_drops_the_member_before_the_ack)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_IO);
    story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
    ck_assert_uint_eq(story.completions, 0);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 2, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_uint_eq(story.closed, 2);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

static uint64_t size_of(const struct story *story)
{
    return repl_config(story->repl)->size_bytes;
}

static void story_grow(struct story *story)
{
    story_serve(story);
    story_step(story, (struct repl_event){.kind = REPL_EV_GROW,
                                          .size_bytes = 2 * story->config.size_bytes});
}

START_TEST(a_volume_grows_when_every_attached_member_has_room)
{
    struct story story;
    story_grow(&story);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    ck_assert_uint_eq(size_of(&story), story.config.size_bytes);
    story_answer(&story, FRAME_ACCEPT, 2, FRAME_OK);
    ck_assert_uint_eq(size_of(&story), 2 * story.config.size_bytes);
    ck_assert(!repl_growing(story.repl));
    story_end(&story);
}
END_TEST

START_TEST(a_growth_does_not_wait_for_who_is_away)
{
    struct story story;
    story_grow(&story);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    story_down(&story, 2);
    ck_assert_uint_eq(size_of(&story), 2 * story.config.size_bytes);
    story_end(&story);
}
END_TEST

START_TEST(without_room_at_one_member_nobody_grows)
{
    struct story story;
    story_grow(&story);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_NO_SPACE);
    ck_assert(!repl_growing(story.repl));
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        while (story_find(&story, FRAME_ACCEPT, i))
            story_answer(&story, FRAME_ACCEPT, i, FRAME_OK);
    }
    ck_assert_uint_eq(size_of(&story), story.config.size_bytes);
    ck_assert_uint_eq(story.closed, 0);
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

START_TEST(an_eviction_takes_the_growth_along)
{
    struct story story;
    story_grow(&story);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_down(&story, 2);
    story_elapse(&story, 1100);
    for (uint8_t i = 0; i < 2; i++) {
        while (story_find(&story, FRAME_ACCEPT, i))
            story_answer(&story, FRAME_ACCEPT, i, FRAME_OK);
    }
    ck_assert_uint_eq(size_of(&story), 2 * story.config.size_bytes);
    ck_assert(!repl_config(story.repl)->members[2].in_sync);
    story_end(&story);
}
END_TEST

START_TEST(who_missed_a_growth_takes_part_when_it_has_caught_up)
{
    struct story story;
    struct repl_op op;
    story_grow(&story);
    story_down(&story, 2);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    story_submit(&story, &op, REPL_WRITE, story.config.size_bytes);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){0}, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_WRITE, 2));
    story_answer(&story, FRAME_ACCEPT, 2, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_WRITE, 2));
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("register");
    tcase_add_test(tcase, serves_only_when_a_majority_accepted_its_configuration);
    tcase_add_test(tcase, an_eviction_is_committed_before_the_ack);
    tcase_add_test(tcase, writes_freeze_rather_than_fall_below_the_minimum);
    tcase_add_test(tcase, a_failed_write_drops_the_member_before_the_ack);
    tcase_add_test(tcase, a_volume_grows_when_every_attached_member_has_room);
    tcase_add_test(tcase, a_growth_does_not_wait_for_who_is_away);
    tcase_add_test(tcase, without_room_at_one_member_nobody_grows);
    tcase_add_test(tcase, an_eviction_takes_the_growth_along);
    tcase_add_test(tcase, who_missed_a_growth_takes_part_when_it_has_caught_up);
    Suite *suite = suite_create("register");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
