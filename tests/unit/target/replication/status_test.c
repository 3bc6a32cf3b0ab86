/* SPDX-License-Identifier: Apache-2.0 */
/* What people are told. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

START_TEST(frozen_says_why)
{
    struct story story;
    struct repl_status status;
    story_serve(&story);
    story_down(&story, 1);
    story_down(&story, 2);
    story_elapse(&story, 10000);
    repl_status(story.repl, &status);
    ck_assert_int_eq(status.state, REPL_FROZEN);
    ck_assert_str_eq(status.why, "a replica in sync is away");
    ck_assert(status.members[0].attached && !status.members[1].attached);
    ck_assert_str_eq(status.members[1].why, "its connection broke");
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
    tcase_add_test(tcase, every_state_has_a_name);
    Suite *suite = suite_create("status");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
