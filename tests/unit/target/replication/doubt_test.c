/* SPDX-License-Identifier: Apache-2.0 */
/* When the members are told that they are equal. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

enum { OPS = 4 };

struct doubts {
    struct story story;
    struct repl_op ops[2 * OPS];
    uint32_t count;
};

static void begin(struct doubts *doubts)
{
    story_serve(&doubts->story);
    doubts->count = 0;
}

static void end(struct doubts *doubts)
{
    for (uint32_t i = 0; i < doubts->count; i++)
        slice_release(&doubts->ops[i].data);
    story_end(&doubts->story);
}

static void write_some(struct doubts *doubts)
{
    for (uint32_t i = 0; i < OPS; i++, doubts->count++)
        story_submit(&doubts->story, &doubts->ops[doubts->count], REPL_WRITE,
                     doubts->count * 65536);
}

static void answer_some(struct doubts *doubts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint8_t peer = 0; peer < STORY_MEMBERS; peer++)
            story_answer(&doubts->story, FRAME_WRITE, peer, FRAME_OK);
    }
}

static uint32_t told(const struct doubts *doubts)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < doubts->story.sent_count; i++)
        count += doubts->story.sent[i].type == FRAME_EQUAL;
    return count;
}

START_TEST(every_few_writes_the_members_are_told)
{
    struct doubts doubts;
    begin(&doubts);
    write_some(&doubts);
    ck_assert_uint_eq(told(&doubts), 1);
    ck_assert_uint_eq(story_find(&doubts.story, FRAME_EQUAL, 0)->peers, 7);
    answer_some(&doubts, OPS);
    write_some(&doubts);
    ck_assert_uint_eq(told(&doubts), 2);
    answer_some(&doubts, OPS);
    end(&doubts);
}
END_TEST

START_TEST(not_while_a_write_from_before_the_last_time_is_under_way)
{
    struct doubts doubts;
    begin(&doubts);
    write_some(&doubts);
    answer_some(&doubts, OPS - 1);
    write_some(&doubts);
    ck_assert_uint_eq(told(&doubts), 1);
    answer_some(&doubts, OPS + 1);
    end(&doubts);
}
END_TEST

START_TEST(not_while_a_member_in_sync_is_away)
{
    struct doubts doubts;
    begin(&doubts);
    write_some(&doubts);
    answer_some(&doubts, OPS);
    story_down(&doubts.story, 2);
    write_some(&doubts);
    ck_assert_uint_eq(told(&doubts), 1);
    end(&doubts);
}
END_TEST

START_TEST(a_checkpoint_after_the_last_write_leaves_nothing_in_doubt)
{
    struct doubts doubts;
    begin(&doubts);
    write_some(&doubts);
    answer_some(&doubts, OPS);
    story_elapse(&doubts.story, 2100);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(&doubts.story, FRAME_CHECKPOINT, i, FRAME_OK);
    ck_assert_uint_eq(told(&doubts), 3);
    end(&doubts);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("doubt");
    tcase_add_test(tcase, every_few_writes_the_members_are_told);
    tcase_add_test(tcase, not_while_a_write_from_before_the_last_time_is_under_way);
    tcase_add_test(tcase, not_while_a_member_in_sync_is_away);
    tcase_add_test(tcase, a_checkpoint_after_the_last_write_leaves_nothing_in_doubt);
    Suite *suite = suite_create("doubt");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
