/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent besides operations. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

START_TEST(a_session_names_volume_member_and_epoch)
{
    struct story story;
    struct message_open open;
    struct repl_effect effect;
    story_begin(&story);
    repl_step(story.repl, &(struct repl_event){.kind = REPL_EV_UP, .peer = 1, .now_ns = 1});
    ck_assert(repl_next(story.repl, &effect));
    ck_assert_uint_eq(effect.frame.type, FRAME_OPEN);
    struct reader r = reader_of(effect.frame.body, effect.frame.body_bytes);
    message_open_decode(&r, &open);
    ck_assert(!r.bad);
    ck_assert(uuid_equal(&open.volume, &story.config.volume));
    ck_assert(uuid_equal(&open.member, &story.config.members[1].uuid));
    ck_assert(uuid_equal(&open.controller, &story.controller));
    ck_assert_uint_eq(open.epoch, 2);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("control");
    tcase_add_test(tcase, a_session_names_volume_member_and_epoch);
    Suite *suite = suite_create("control");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
