/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: their barrier, their numbers, and those left half done. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

#include <errno.h>

static void story_command_submit(struct story *story, struct repl_op *op, enum command_kind kind,
                                 uint64_t generation)
{
    *op = (struct repl_op){.kind = REPL_COMMAND,
                           .command = {.kind = kind, .generation = generation, .key = "r0"}};
    story_step(story, (struct repl_event){.kind = REPL_EV_SUBMIT, .op = op});
}

/* All answer the command that is under way as applied. */
static void story_apply(struct story *story)
{
    const struct story_sent *sent = story_find(story, FRAME_COMMAND, 0);
    ck_assert_ptr_nonnull(sent);
    story->lineage.command = sent->command.number;
    story->lineage.command_identity = sent->command.identity;
    story->lineage.head_generation = 2;
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(story, FRAME_COMMAND, i, FRAME_OK);
}

static void story_flush(struct story *story)
{
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(story, FRAME_FLUSH, i, FRAME_OK);
}

START_TEST(command_is_done_when_all_have_flushed_it)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_command_submit(&story, &op, COMMAND_SET, 0);
    ck_assert_uint_eq(story_find(&story, FRAME_COMMAND, 0)->command.number, 1);
    story_apply(&story);
    ck_assert_uint_eq(story.completions, 0);
    story_flush(&story);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, 0);
    story_end(&story);
}
END_TEST

START_TEST(seal_waits_for_writes_and_later_writes_for_it)
{
    struct story story;
    struct repl_op first, seal, later;
    story_serve(&story);
    story_submit(&story, &first, REPL_WRITE, 0);
    story_command_submit(&story, &seal, COMMAND_SEAL, 0);
    story_submit(&story, &later, REPL_WRITE, 8192);
    ck_assert_ptr_null(story_find(&story, FRAME_COMMAND, 0));
    story_answer_all(&story, FRAME_WRITE, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_COMMAND, 0));
    ck_assert_ptr_null(story_find(&story, FRAME_WRITE, 0));
    story_apply(&story);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_WRITE, 0));
    slice_release(&first.data);
    slice_release(&later.data);
    story_end(&story);
}
END_TEST

START_TEST(row_does_not_wait_for_writes)
{
    struct story story;
    struct repl_op write, set;
    story_serve(&story);
    story_submit(&story, &write, REPL_WRITE, 0);
    story_command_submit(&story, &set, COMMAND_SET, 0);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_COMMAND, 0));
    slice_release(&write.data);
    story_end(&story);
}
END_TEST

START_TEST(second_command_waits_for_the_first)
{
    struct story story;
    struct repl_op first, second;
    story_serve(&story);
    story_command_submit(&story, &first, COMMAND_SET, 0);
    story_command_submit(&story, &second, COMMAND_SET, 0);
    story_apply(&story);
    ck_assert_uint_eq(story_find(&story, FRAME_COMMAND, 0)->command.number, 2);
    story_end(&story);
}
END_TEST

START_TEST(command_that_cannot_be_is_refused)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_command_submit(&story, &op, COMMAND_DROP, 7);
    story_answer_all(&story, FRAME_COMMAND, FRAME_ABSENT);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, -ENOENT);
    story_end(&story);
}
END_TEST

START_TEST(member_that_returns_is_sent_the_command_again)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_command_submit(&story, &op, COMMAND_SET, 0);
    story_down(&story, 2);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){0}, FRAME_OK);
    ck_assert_uint_eq(story_find(&story, FRAME_COMMAND, 2)->command.number, 1);
    story_end(&story);
}
END_TEST

START_TEST(member_that_returns_is_sent_what_it_answered_and_lost)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_command_submit(&story, &op, COMMAND_SET, 0);
    struct lineage before = story.lineage;
    struct lineage after = {.command = story_find(&story, FRAME_COMMAND, 2)->command.number};
    after.command_identity = story_find(&story, FRAME_COMMAND, 2)->command.identity;
    story.lineage = after;
    story_answer(&story, FRAME_COMMAND, 2, FRAME_OK);
    story.lineage = before;
    story_down(&story, 2);
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){0}, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_COMMAND, 2));
    story.lineage = after;
    story_answer(&story, FRAME_COMMAND, 0, FRAME_OK);
    story_answer(&story, FRAME_COMMAND, 1, FRAME_OK);
    ck_assert_ptr_null(story_find(&story, FRAME_FLUSH, 0));
    story_answer(&story, FRAME_COMMAND, 2, FRAME_OK);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_FLUSH, 0));
    story_end(&story);
}
END_TEST

START_TEST(what_one_member_lacks_is_asked_for_and_sent)
{
    struct story story;
    uint8_t body[256];
    struct lineage behind = {.command = 4, .command_identity = story_uuid(70)};
    struct message_command last = {
        .number = 5, .kind = COMMAND_SET, .identity = story_uuid(71), .key = "r0"};
    story_begin(&story);
    story.lineage = (struct lineage){.command = 5, .command_identity = story_uuid(71)};
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.lineage = i == 1 ? story.lineage : behind},
                     FRAME_OK);
    }
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    struct story_sent *asked = story_find(&story, FRAME_LAST_COMMAND, 1);
    ck_assert_ptr_nonnull(asked);
    struct writer w = writer_of(body, sizeof(body));
    message_command_encode(&w, &last);
    struct frame frame = {.type = FRAME_LAST_COMMAND,
                          .flags = FRAME_REPLY,
                          .request = asked->request,
                          .body = body,
                          .body_bytes = (uint32_t)writer_length(&w)};
    story_step(&story, (struct repl_event){.kind = REPL_EV_FRAME, .peer = 1, .frame = &frame});
    ck_assert_uint_eq(story_find(&story, FRAME_COMMAND, 0)->peers, 5);
    ck_assert_int_eq(story_state(&story), REPL_RECOVERING);
    story_answer(&story, FRAME_COMMAND, 0, FRAME_OK);
    story_answer(&story, FRAME_COMMAND, 2, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

START_TEST(member_in_sync_is_told_that_what_it_holds_is_complete)
{
    struct story story;
    struct lineage stray = {.head_generation = 3, .head_base = 2, .incomplete_generation = 2};
    struct lineage whole = {.head_generation = 3, .head_base = 2};
    story_begin(&story);
    story.lineage = whole;
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.lineage = i == 1 ? stray : whole},
                     FRAME_OK);
    }
    story_answer_all(&story, FRAME_ACCEPT, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_RECOVERING);
    ck_assert_uint_eq(story_find(&story, FRAME_SETTLE, 1)->generation, 2);
    story_answer(&story, FRAME_SETTLE, 1, FRAME_OK);
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("command");
    tcase_add_test(tcase, command_is_done_when_all_have_flushed_it);
    tcase_add_test(tcase, seal_waits_for_writes_and_later_writes_for_it);
    tcase_add_test(tcase, row_does_not_wait_for_writes);
    tcase_add_test(tcase, second_command_waits_for_the_first);
    tcase_add_test(tcase, command_that_cannot_be_is_refused);
    tcase_add_test(tcase, member_that_returns_is_sent_the_command_again);
    tcase_add_test(tcase, member_that_returns_is_sent_what_it_answered_and_lost);
    tcase_add_test(tcase, what_one_member_lacks_is_asked_for_and_sent);
    tcase_add_test(tcase, member_in_sync_is_told_that_what_it_holds_is_complete);
    Suite *suite = suite_create("command");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
