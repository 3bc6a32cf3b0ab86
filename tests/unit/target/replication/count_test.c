/* SPDX-License-Identifier: Apache-2.0 */
/* What people are told of how far a member is that is brought in sync. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

#define MIB ((uint64_t)1 << 20)

static struct story story;

/* Member 2 is back without its data: two generations and the head are to be copied, 2 MiB each. */
static void setup(void)
{
    struct lineage behind = {.head_generation = 3, .head_base = 2, .incomplete_generation = 1};
    story_serve(&story);
    story_down(&story, 2);
    story_elapse(&story, 1100);
    story_answer(&story, FRAME_ACCEPT, 0, FRAME_OK);
    story_answer(&story, FRAME_ACCEPT, 1, FRAME_OK);
    story.changed_bytes = 2 * MIB;
    story.sealed = 2;
    story.absent = 1 << 2;
    story.equal = true;
    story_up(&story, 2);
    story_opened(&story, 2, (struct message_opened){.lineage = behind}, FRAME_OK);
}

static void teardown(void)
{
    story_end(&story);
}

static struct repl_member_status status(void)
{
    struct repl_status all;
    repl_status(story.repl, &all);
    ck_assert(all.members[2].resyncing);
    ck_assert_uint_lt(all.members[2].resync_done_bytes, all.members[2].resync_total_bytes);
    return all.members[2];
}

/* The sweep's own question comes first. */
static void map_stage(void)
{
    story_answer(&story, FRAME_DIFF, 2, FRAME_OK);
    story_answer(&story, FRAME_DIFF, 0, FRAME_OK);
}

static void count_all(void)
{
    map_stage();
    story_answer(&story, FRAME_BOOK, 2, FRAME_OK);
    for (int i = 0; i < 3; i++)
        story_answer(&story, FRAME_DIFF, 0, FRAME_OK);
}

static void copy_piece(void)
{
    story_answer(&story, FRAME_READ, 0, FRAME_OK);
    story_answer(&story, FRAME_COPY, 2, FRAME_OK);
    story_answer(&story, FRAME_HASH, 2, FRAME_OK);
}

static void copy_stage(uint64_t incomplete_after)
{
    copy_piece();
    copy_piece();
    story.lineage = (struct lineage){.head_generation = 3,
                                     .head_base = 2,
                                     .incomplete_generation = incomplete_after,
                                     .incomplete_base = incomplete_after ? 1 : 0};
    story_answer(&story, FRAME_SETTLE, 2, FRAME_OK);
}

START_TEST(total_is_of_all_generations)
{
    count_all();
    ck_assert_uint_eq(status().resync_total_bytes, 6 * MIB);
    ck_assert_uint_eq(status().resync_done_bytes, 0);
    ck_assert_ptr_null(story_find(&story, FRAME_DIFF, 0));
}
END_TEST

START_TEST(until_it_is_known_it_is_taken_for_the_size)
{
    map_stage();
    ck_assert_uint_eq(status().resync_total_bytes, 64 * MIB);
}
END_TEST

START_TEST(what_is_under_way_is_not_done)
{
    count_all();
    copy_piece();
    ck_assert_uint_eq(status().resync_done_bytes, MIB);
}
END_TEST

START_TEST(it_goes_on_from_generation_to_generation_and_is_never_all)
{
    count_all();
    copy_stage(2);
    ck_assert_uint_eq(status().resync_done_bytes, 2 * MIB);
    map_stage();
    copy_stage(0);
    ck_assert_uint_eq(status().resync_done_bytes, 4 * MIB);
    map_stage();
    copy_stage(0);
    ck_assert_uint_eq(status().resync_done_bytes, 6 * MIB);
    story_answer(&story, FRAME_GETMAP, 0, FRAME_OK);
    story_answer(&story, FRAME_MARK, 2, FRAME_OK);
    ck_assert_uint_eq(status().resync_done_bytes, 6 * MIB);
}
END_TEST

START_TEST(a_stage_that_begins_anew_takes_nothing_back)
{
    count_all();
    copy_piece();
    story_answer(&story, FRAME_READ, 0, FRAME_ABSENT);
    story_elapse(&story, 20);
    map_stage();
    ck_assert_uint_eq(status().resync_done_bytes, MIB);
}
END_TEST

START_TEST(a_generation_that_is_gone_is_not_counted)
{
    map_stage();
    story_answer(&story, FRAME_BOOK, 2, FRAME_OK);
    story_answer(&story, FRAME_DIFF, 0, FRAME_ABSENT);
    story_answer(&story, FRAME_DIFF, 0, FRAME_OK);
    story_answer(&story, FRAME_DIFF, 0, FRAME_OK);
    ck_assert_uint_eq(status().resync_total_bytes, 4 * MIB);
}
END_TEST

START_TEST(when_the_source_is_lost_another_one_tells)
{
    map_stage();
    story_answer(&story, FRAME_BOOK, 2, FRAME_OK);
    story_down(&story, 0);
    for (int i = 0; i < 3; i++)
        story_answer(&story, FRAME_DIFF, 1, FRAME_OK);
    ck_assert_uint_eq(status().resync_total_bytes, 6 * MIB);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("count");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, total_is_of_all_generations);
    tcase_add_test(tcase, until_it_is_known_it_is_taken_for_the_size);
    tcase_add_test(tcase, what_is_under_way_is_not_done);
    tcase_add_test(tcase, it_goes_on_from_generation_to_generation_and_is_never_all);
    tcase_add_test(tcase, a_stage_that_begins_anew_takes_nothing_back);
    tcase_add_test(tcase, a_generation_that_is_gone_is_not_counted);
    tcase_add_test(tcase, when_the_source_is_lost_another_one_tells);
    Suite *suite = suite_create("count");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
