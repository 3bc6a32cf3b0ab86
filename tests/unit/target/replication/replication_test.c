/* SPDX-License-Identifier: Apache-2.0 */
/* The door: being taken over, and stopping. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

#include <errno.h>

static void answer_checkpoint(struct story *story)
{
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(story, FRAME_CHECKPOINT, i, FRAME_OK);
}

START_TEST(a_higher_promise_fences_who_served)
{
    struct story story;
    struct repl_op op;
    uint8_t body[2048];
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    struct message_opened opened = {
        .promised_epoch = 40, .promised_controller = story_uuid(97), .config = story.config};
    struct writer w = writer_of(body, sizeof(body));
    message_opened_encode(&w, &opened);
    struct frame frame = {.type = FRAME_WRITE,
                          .flags = FRAME_REPLY,
                          .status = FRAME_STALE,
                          .request = story_find(&story, FRAME_WRITE, 0)->request,
                          .body = body,
                          .body_bytes = (uint32_t)writer_length(&w)};
    story_step(&story, (struct repl_event){.kind = REPL_EV_FRAME, .peer = 0, .frame = &frame});
    ck_assert(story.fenced);
    ck_assert_ptr_eq(story.completed, &op);
    ck_assert_int_eq(op.status, -ESHUTDOWN);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(a_stop_leaves_nothing_in_doubt)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    story_step(&story, (struct repl_event){.kind = REPL_EV_STOP});
    answer_checkpoint(&story);
    ck_assert(!story.stopped);
    answer_checkpoint(&story);
    ck_assert(story.stopped);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_CLOSE, 0));
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

/* Who deletes the volume then must name a configuration that no member has passed. */
START_TEST(a_stop_awaits_the_decision_on_what_was_proposed)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){0}, FRAME_OK);
    }
    uint64_t epoch = repl_config(story.repl)->epoch;
    story_step(&story, (struct repl_event){.kind = REPL_EV_STOP});
    ck_assert(!story.stopped);
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    ck_assert(story.stopped);
    ck_assert_uint_gt(repl_config(story.repl)->epoch, epoch);
    story_end(&story);
}
END_TEST

START_TEST(a_stop_does_not_wait_long_for_a_decision)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){0}, FRAME_OK);
    }
    story_step(&story, (struct repl_event){.kind = REPL_EV_STOP});
    story_elapse(&story, 10000);
    ck_assert(story.stopped);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("replication");
    tcase_add_test(tcase, a_higher_promise_fences_who_served);
    tcase_add_test(tcase, a_stop_leaves_nothing_in_doubt);
    tcase_add_test(tcase, a_stop_awaits_the_decision_on_what_was_proposed);
    tcase_add_test(tcase, a_stop_does_not_wait_long_for_a_decision);
    Suite *suite = suite_create("replication");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
