/* SPDX-License-Identifier: Apache-2.0 */
/* The replication core's rules, one story each. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

#include <errno.h>

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

START_TEST(opening_waits_for_a_member_in_sync_then_goes_on_without)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < 2; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){0}, FRAME_OK);
    }
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 0));
    story_elapse(&story, 6000);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_ACCEPT, 0));
    story_end(&story);
}
END_TEST

START_TEST(opening_takes_nobody_who_lost_its_memory)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.lossy = i == 1}, FRAME_OK);
    }
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_ACCEPT, i, FRAME_OK);
    ck_assert(repl_config(story.repl)->members[0].in_sync);
    ck_assert(!repl_config(story.repl)->members[1].in_sync);
    story_end(&story);
}
END_TEST

START_TEST(what_is_in_doubt_is_made_equal_before_serving)
{
    struct story story;
    story_begin(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.doubt_bytes = 16384}, FRAME_OK);
    }
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_ACCEPT, i, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_RECOVERING);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_GETMAP, i, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

START_TEST(a_higher_promise_is_outbid_while_opening)
{
    struct story story;
    story_begin(&story);
    story_up(&story, 0);
    story_opened(
        &story, 0,
        (struct message_opened){.promised_epoch = 40, .promised_controller = story_uuid(97)},
        FRAME_STALE);
    ck_assert(!story.fenced);
    story_elapse(&story, 1000);
    ck_assert_uint_eq(story_find(&story, FRAME_OPEN, 0)->request, 41);
    story_end(&story);
}
END_TEST

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

START_TEST(who_comes_back_in_time_gets_what_is_outstanding_again)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 8192);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    story_down(&story, 2);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){.config = *repl_config(story.repl)}, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_WRITE, 2)->offset_bytes, 8192);
    story_answer(&story, FRAME_WRITE, 2, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert(repl_config(story.repl)->members[2].in_sync);
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

START_TEST(a_full_disk_everywhere_is_waited_for)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_WRITE, i, FRAME_NO_SPACE);
    ck_assert_uint_eq(story.completions, 0);
    story_elapse(&story, 1100);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_WRITE, i, FRAME_OK);
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
    story_elapse(&story, 6000);
    ck_assert_uint_eq(story.closed, 4);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(overlapping_writes_go_one_after_the_other)
{
    struct story story;
    struct repl_op first;
    struct repl_op second;
    story_serve(&story);
    story_submit(&story, &first, REPL_WRITE, 0);
    story_submit(&story, &second, REPL_WRITE, 0);
    uint32_t sent_count = story.sent_count;
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_WRITE, i, FRAME_OK);
    ck_assert_ptr_eq(story.completed, &first);
    ck_assert_uint_eq(story.sent_count, sent_count + 1);
    slice_release(&first.data);
    slice_release(&second.data);
    story_end(&story);
}
END_TEST

START_TEST(a_read_that_fails_goes_to_another_and_is_repaired)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_READ, 0);
    uint8_t first = story_find(&story, FRAME_READ, 0) ? 0 : 1;
    story_answer(&story, FRAME_READ, first, FRAME_CHECKSUM);
    uint8_t second = story_find(&story, FRAME_READ, 1) ? 1 : 2;
    story_answer(&story, FRAME_READ, second, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, 0);
    story_answer(&story, FRAME_READ, second, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_COPY, first));
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

static void answer_checkpoint(struct story *story)
{
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(story, FRAME_CHECKPOINT, i, FRAME_OK);
}

START_TEST(an_idle_volume_ends_clean_and_without_a_timer)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    ck_assert_uint_eq(repl_deadline_ns(story.repl), UINT64_MAX);
    story_submit(&story, &op, REPL_WRITE, 0);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_WRITE, i, FRAME_OK);
    for (int round = 0; round < 2; round++) {
        story_elapse(&story, 2100);
        answer_checkpoint(&story);
        struct story_sent *commit = story_find(&story, FRAME_COMMIT, 0);
        ck_assert_uint_eq(commit->flags, FRAME_ALL);
        commit->peers = 0;
    }
    ck_assert_uint_eq(repl_deadline_ns(story.repl), UINT64_MAX);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

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

START_TEST(a_stop_leaves_nothing_in_doubt)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&story, FRAME_WRITE, i, FRAME_OK);
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

int main(void)
{
    TCase *tcase = tcase_create("replication");
    tcase_add_test(tcase, serves_only_when_a_majority_accepted_its_configuration);
    tcase_add_test(tcase, opening_waits_for_a_member_in_sync_then_goes_on_without);
    tcase_add_test(tcase, opening_takes_nobody_who_lost_its_memory);
    tcase_add_test(tcase, what_is_in_doubt_is_made_equal_before_serving);
    tcase_add_test(tcase, a_higher_promise_is_outbid_while_opening);
    tcase_add_test(tcase, a_higher_promise_fences_who_served);
    tcase_add_test(tcase, a_write_waits_for_all_in_sync);
    tcase_add_test(tcase, an_eviction_is_committed_before_the_ack);
    tcase_add_test(tcase, who_comes_back_in_time_gets_what_is_outstanding_again);
    tcase_add_test(tcase, writes_freeze_rather_than_fall_below_the_minimum);
    tcase_add_test(tcase, a_failed_write_drops_the_member_before_the_ack);
    tcase_add_test(tcase, a_full_disk_everywhere_is_waited_for);
    tcase_add_test(tcase, a_slow_member_is_closed);
    tcase_add_test(tcase, overlapping_writes_go_one_after_the_other);
    tcase_add_test(tcase, a_read_that_fails_goes_to_another_and_is_repaired);
    tcase_add_test(tcase, an_idle_volume_ends_clean_and_without_a_timer);
    tcase_add_test(tcase, a_late_member_is_brought_in_sync_then_counts);
    tcase_add_test(tcase, a_stop_leaves_nothing_in_doubt);
    Suite *suite = suite_create("replication");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
