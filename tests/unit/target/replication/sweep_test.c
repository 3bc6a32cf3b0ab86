/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over what may differ. */
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

START_TEST(a_target_that_is_lost_starts_over)
{
    struct story story;
    bring_back(&story, (struct message_opened){0});
    story_answer(&story, FRAME_GETMAP, 2, FRAME_OK);
    story_down(&story, 2);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){0}, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_GETMAP, 2));
    story_end(&story);
}
END_TEST

START_TEST(a_map_of_another_member_will_do)
{
    struct story story;
    bring_back(&story, (struct message_opened){0});
    story_answer(&story, FRAME_GETMAP, 2, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_GETMAP, 0));
    story_down(&story, 0);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_GETMAP, 1));
    story_end(&story);
}
END_TEST

START_TEST(maps_are_united)
{
    struct story story;
    bring_back(&story, (struct message_opened){0});
    story.map = 4;
    story_answer(&story, FRAME_GETMAP, 2, FRAME_OK);
    story.map = 1;
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 0)->offset_bytes, 0);
    story_compare(&story, 0, 4);
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    story_elapse(&story, 1);
    ck_assert_uint_eq(story_find(&story, FRAME_HASH, 0)->offset_bytes, 32768);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("sweep");
    tcase_add_test(tcase, a_target_that_is_lost_starts_over);
    tcase_add_test(tcase, a_map_of_another_member_will_do);
    tcase_add_test(tcase, maps_are_united);
    Suite *suite = suite_create("sweep");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
