/* SPDX-License-Identifier: Apache-2.0 */
/* Reads end under leases of a majority only. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

static struct story story;
static struct repl_op op;

static void setup(void)
{
    story_serve(&story);
}

static void teardown(void)
{
    slice_release(&op.data);
    story_end(&story);
}

static void read_and_answer(void)
{
    uint8_t peer = 0;
    story_submit(&story, &op, REPL_READ, 0);
    while (!story_find(&story, FRAME_READ, peer))
        peer++;
    story_answer(&story, FRAME_READ, peer, FRAME_OK);
}

START_TEST(a_read_ends_when_a_majority_granted_leases)
{
    read_and_answer();
    ck_assert_uint_eq(story.completions, 0);
    story_answer(&story, FRAME_LEASE, 0, FRAME_OK);
    ck_assert_uint_eq(story.completions, 0);
    story_answer(&story, FRAME_LEASE, 1, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    ck_assert_int_eq(op.status, 0);
}
END_TEST

START_TEST(a_second_read_soon_after_asks_nobody)
{
    read_and_answer();
    story_answer_all(&story, FRAME_LEASE, FRAME_OK);
    slice_release(&op.data);
    story.now_ns += 100 * STORY_MS;
    read_and_answer();
    ck_assert_uint_eq(story.completions, 2);
    ck_assert_ptr_null(story_find(&story, FRAME_LEASE, 0));
}
END_TEST

START_TEST(a_lease_counts_from_when_it_was_asked_for)
{
    read_and_answer();
    story.now_ns += 950 * STORY_MS;
    story_answer_all(&story, FRAME_LEASE, FRAME_OK);
    ck_assert_uint_eq(story.completions, 0);
    story_elapse(&story, 10);
    for (uint8_t i = 0; i < 2; i++)
        story_answer(&story, FRAME_LEASE, i, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
}
END_TEST

START_TEST(a_lease_is_given_back_with_the_session)
{
    read_and_answer();
    for (uint8_t i = 0; i < 2; i++)
        story_answer(&story, FRAME_LEASE, i, FRAME_OK);
    ck_assert_uint_eq(story.completions, 1);
    slice_release(&op.data);
    /* Writes that are not answered cost both their sessions. */
    static struct repl_op write;
    story_submit(&story, &write, REPL_WRITE, 4096);
    story_answer(&story, FRAME_WRITE, 2, FRAME_FAILED);
    story_answer(&story, FRAME_WRITE, 1, FRAME_FAILED);
    ck_assert_uint_eq(story.closed, 6);
    read_and_answer();
    ck_assert_uint_eq(story.completions, 1);
    slice_release(&write.data);
}
END_TEST

START_TEST(an_idle_volume_asks_for_nothing)
{
    read_and_answer();
    story_answer_all(&story, FRAME_LEASE, FRAME_OK);
    story_elapse(&story, 10000);
    ck_assert_ptr_null(story_find(&story, FRAME_LEASE, 0));
    ck_assert_uint_eq(repl_deadline_ns(story.repl), UINT64_MAX);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("lease");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_read_ends_when_a_majority_granted_leases);
    tcase_add_test(tcase, a_second_read_soon_after_asks_nobody);
    tcase_add_test(tcase, a_lease_counts_from_when_it_was_asked_for);
    tcase_add_test(tcase, a_lease_is_given_back_with_the_session);
    tcase_add_test(tcase, an_idle_volume_asks_for_nothing);
    Suite *suite = suite_create("lease");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
