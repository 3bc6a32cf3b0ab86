/* SPDX-License-Identifier: Apache-2.0 */
/* The check itself. */
#include "target/replication/state.h"
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

#include <signal.h>

START_TEST(a_volume_that_serves_keeps_its_rules)
{
    struct story story;
    story_serve(&story);
    repl_check(story.repl);
    story_end(&story);
}
END_TEST

START_TEST(a_breach_stops_the_process)
{
    struct story story;
    story_serve(&story);
    story.repl->in_sync = 1 << 7;
    repl_check(story.repl);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("check");
    tcase_add_test(tcase, a_volume_that_serves_keeps_its_rules);
    tcase_add_test_raise_signal(tcase, a_breach_stops_the_process, SIGABRT);
    Suite *suite = suite_create("check");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
