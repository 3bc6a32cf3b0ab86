/* SPDX-License-Identifier: Apache-2.0 */
/* Members that come and go. */
#include "tests/lib/suite.h"
#include "tests/unit/target/replication/story.h"

enum { ADDED = STORY_MEMBERS }; /* its index */

static struct repl_change adding(enum member_kind kind)
{
    return (struct repl_change){.add = true, .member = {.uuid = story_uuid(ADDED), .kind = kind}};
}

static struct repl_change leaving(uint8_t member)
{
    return (struct repl_change){.member = {.uuid = story_uuid(member)}};
}

static void change(struct story *story, struct repl_change change)
{
    ck_assert_ptr_null(repl_change_invalid(story->repl, &change));
    story_step(story, (struct repl_event){.kind = REPL_EV_CHANGE, .change = &change});
}

static int idx_of(const struct story *story, uint8_t member)
{
    struct uuid uuid = story_uuid(member);
    return config_member_idx(repl_config(story->repl), &uuid);
}

static bool in_sync(const struct story *story, uint8_t member)
{
    int idx = idx_of(story, member);
    return idx >= 0 && repl_config(story->repl)->members[idx].in_sync;
}

static void accept(struct story *story, uint8_t peers)
{
    bool any = true;
    while (any) {
        any = false;
        for (uint8_t peer = 0; peer < MEMBERS_MAX; peer++) {
            if (!(peers >> peer & 1) || !story_find(story, FRAME_ACCEPT, peer))
                continue;
            story_answer(story, FRAME_ACCEPT, peer, FRAME_OK);
            any = true;
        }
    }
}

/* The fourth one is there, as it was made: out of sync, with nothing. */
static void added_is_up(struct story *story)
{
    struct message_opened opened = {.config = *repl_config(story->repl),
                                    .lineage = {.head_generation = 1}};
    opened.config.epoch = opened.config.version = 1;
    ck_assert_uint_eq(repl_peer_add(story->repl, &(struct uuid){{ADDED, 1}}), ADDED);
    story_up(story, ADDED);
    story_opened(story, ADDED, opened, FRAME_OK);
}

/* What is answered by everybody. */
static void story_forget(struct story *story)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < story->sent_count; i++) {
        if (story->sent[i].peers)
            story->sent[kept++] = story->sent[i];
    }
    story->sent_count = kept;
}

/* It is copied to, until it may count. */
static void bring_in_sync(struct story *story, uint8_t peer)
{
    static const uint8_t asked[] = {FRAME_GETMAP, FRAME_DIFF, FRAME_HASH,  FRAME_READ,  FRAME_COPY,
                                    FRAME_SETTLE, FRAME_MARK, FRAME_FLUSH, FRAME_ACCEPT};
    story->equal = true;
    story->lineage = (struct lineage){.head_generation = 1, .kept_generation = 1};
    for (int round = 0; round < 100 && !in_sync(story, peer); round++) {
        for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
            for (uint8_t who = 0; who <= ADDED; who++) {
                story_forget(story);
                while (story_find(story, asked[i], who))
                    story_answer(story, asked[i], who, FRAME_OK);
            }
        }
        story_elapse(story, 10);
        story_forget(story);
    }
    ck_assert(in_sync(story, peer));
}

START_TEST(added_member_enters_out_of_sync)
{
    struct story story;
    story_serve(&story);
    change(&story, adding(MEMBER_DATA));
    accept(&story, 7);
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 4);
    ck_assert(!in_sync(&story, ADDED));
    ck_assert_int_eq(story_state(&story), REPL_SERVING);
    story_end(&story);
}
END_TEST

START_TEST(added_member_is_brought_in_sync_as_a_whole)
{
    struct story story;
    story_serve(&story);
    change(&story, adding(MEMBER_DATA));
    accept(&story, 7);
    added_is_up(&story);
    ck_assert_ptr_null(story_find(&story, FRAME_GETMAP, ADDED));
    ck_assert_ptr_nonnull(story_find(&story, FRAME_DIFF, ADDED));
    bring_in_sync(&story, ADDED);
    story_end(&story);
}
END_TEST

START_TEST(change_needs_a_majority_of_the_new_list_too)
{
    struct story story;
    story_serve(&story);
    change(&story, adding(MEMBER_DATA));
    accept(&story, 3);
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 3);
    added_is_up(&story);
    accept(&story, 8);
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 4);
    story_end(&story);
}
END_TEST

START_TEST(change_needs_a_majority_of_the_old_list_too)
{
    struct story story;
    story_serve(&story);
    change(&story, leaving(2));
    accept(&story, 7);
    ck_assert_int_lt(idx_of(&story, 2), 0);
    /* Of two, with a third one: two of three would do, but both of the two must. */
    change(&story, adding(MEMBER_WITNESS));
    struct uuid added = story_uuid(ADDED);
    uint8_t peer = repl_peer_add(story.repl, &added);
    story_up(&story, peer);
    story_opened(&story, peer,
                 (struct message_opened){.config = *repl_config(story.repl),
                                         .lineage = {.head_generation = 1}},
                 FRAME_OK);
    accept(&story, (uint8_t)(1u << peer | 1));
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 2);
    accept(&story, 2);
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 3);
    story_end(&story);
}
END_TEST

START_TEST(one_change_at_a_time)
{
    struct story story;
    struct repl_change another = leaving(0);
    story_serve(&story);
    change(&story, adding(MEMBER_DATA));
    ck_assert_ptr_nonnull(repl_change_invalid(story.repl, &another));
    accept(&story, 7);
    ck_assert_ptr_null(repl_change_invalid(story.repl, &another));
    story_end(&story);
}
END_TEST

START_TEST(eviction_meanwhile_keeps_the_change)
{
    struct story story;
    story_serve(&story);
    change(&story, adding(MEMBER_DATA));
    story_down(&story, 2);
    story_elapse(&story, 1100);
    accept(&story, 3);
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 3);
    added_is_up(&story);
    accept(&story, 8);
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 4);
    ck_assert(!in_sync(&story, 2));
    story_end(&story);
}
END_TEST

START_TEST(no_change_before_the_own_epoch_is_committed)
{
    struct story story;
    struct repl_change early = adding(MEMBER_DATA);
    story_begin(&story);
    ck_assert_ptr_nonnull(repl_change_invalid(story.repl, &early));
    story_end(&story);
}
END_TEST

START_TEST(member_that_leaves_goes_once_the_others_are_in_sync)
{
    struct story story;
    struct repl_change replace = adding(MEMBER_DATA);
    replace.leaves = story_uuid(2);
    story_serve(&story);
    change(&story, replace);
    accept(&story, 7);
    ck_assert(repl_config(story.repl)->members[2].leaving);
    ck_assert(in_sync(&story, 2));
    added_is_up(&story);
    bring_in_sync(&story, ADDED);
    accept(&story, 0xf);
    ck_assert_int_lt(idx_of(&story, 2), 0);
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 3);
    story_end(&story);
}
END_TEST

START_TEST(member_out_of_sync_that_leaves_goes_at_once)
{
    struct story story;
    struct repl_change replace = adding(MEMBER_DATA);
    replace.leaves = story_uuid(2);
    story_serve(&story);
    story_down(&story, 2);
    story_elapse(&story, 1100);
    accept(&story, 3);
    change(&story, replace);
    added_is_up(&story);
    accept(&story, 0xb);
    ck_assert_int_lt(idx_of(&story, 2), 0);
    ck_assert_uint_eq(repl_config(story.repl)->member_count, 3);
    story_end(&story);
}
END_TEST

START_TEST(who_leaves_while_it_is_asked_for_its_map_leaves_no_timer)
{
    struct story story;
    story_serve(&story);
    change(&story, adding(MEMBER_DATA));
    accept(&story, 7);
    added_is_up(&story);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_DIFF, ADDED));
    change(&story, leaving(ADDED));
    accept(&story, 0xf);
    ck_assert_int_lt(idx_of(&story, ADDED), 0);
    for (int second = 0; second < 10; second++) {
        story_elapse(&story, 1000);
        for (uint8_t member = 0; member < ADDED; member++) {
            if (story_find(&story, FRAME_CHECKPOINT, member))
                story_answer(&story, FRAME_CHECKPOINT, member, FRAME_OK);
        }
    }
    ck_assert_uint_eq(repl_deadline_ns(story.repl), UINT64_MAX);
    story_end(&story);
}
END_TEST

START_TEST(too_few_may_not_stay)
{
    struct story story;
    struct repl_change one = leaving(0);
    struct repl_change lower = leaving(0);
    lower.min_in_sync = 1;
    story_serve(&story);
    change(&story, leaving(2));
    accept(&story, 7);
    ck_assert_ptr_nonnull(repl_change_invalid(story.repl, &one));
    ck_assert_ptr_null(repl_change_invalid(story.repl, &lower));
    story_end(&story);
}
END_TEST

START_TEST(changes_that_make_no_sense_are_refused)
{
    struct story story;
    struct repl_change known = adding(MEMBER_DATA);
    struct repl_change unknown = leaving(77);
    struct repl_change all = leaving(0);
    known.member.uuid = story_uuid(1);
    all.min_in_sync = 4;
    story_serve(&story);
    ck_assert_str_eq(repl_change_invalid(story.repl, &known), "it is a member already");
    ck_assert_str_eq(repl_change_invalid(story.repl, &unknown), "it is not a member");
    ck_assert_ptr_nonnull(repl_change_invalid(story.repl, &all));
    story_end(&story);
}
END_TEST

/* To accept a list that has them in sync would make them forget that they lost their memory. */
START_TEST(no_change_while_all_in_sync_lost_their_memory)
{
    struct story story;
    story_serve(&story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_down(&story, i);
    struct message_opened opened = {.config = *repl_config(story.repl), .lossy = true};
    story_up(&story, 0);
    story_opened(&story, 0, opened, FRAME_OK);
    story_up(&story, 1);
    story_opened(&story, 1, opened, FRAME_OK);
    struct repl_change change = leaving(2);
    ck_assert_ptr_nonnull(repl_change_invalid(story.repl, &change));
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 0));
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 1));
    story_end(&story);
}
END_TEST

START_TEST(index_of_a_removed_member_is_free_again)
{
    struct story story;
    struct uuid removed = story_uuid(2);
    struct uuid added = story_uuid(ADDED);
    story_serve(&story);
    change(&story, leaving(2));
    accept(&story, 7);
    ck_assert_uint_eq(story.released, 4);
    ck_assert_uint_eq(repl_peer_add(story.repl, &removed), REPL_NO_PEER);
    change(&story, adding(MEMBER_DATA));
    ck_assert_uint_eq(repl_peer_add(story.repl, &added), 2);
    story_end(&story);
}
END_TEST

START_TEST(write_does_not_wait_for_a_removed_member)
{
    struct story story;
    struct repl_op op;
    story_serve(&story);
    story_submit(&story, &op, REPL_WRITE, 0);
    story_answer(&story, FRAME_WRITE, 0, FRAME_OK);
    story_answer(&story, FRAME_WRITE, 1, FRAME_OK);
    change(&story, leaving(2));
    ck_assert_uint_eq(story.completions, 0);
    accept(&story, 3);
    ck_assert_uint_eq(story.completions, 1);
    slice_release(&op.data);
    story_end(&story);
}
END_TEST

START_TEST(witness_is_never_brought_in_sync)
{
    struct story story;
    story_serve(&story);
    change(&story, adding(MEMBER_WITNESS));
    accept(&story, 7);
    added_is_up(&story);
    story_elapse(&story, 5000);
    ck_assert_ptr_null(story_find(&story, FRAME_DIFF, ADDED));
    ck_assert_ptr_null(story_find(&story, FRAME_INSTALL, ADDED));
    story_end(&story);
}
END_TEST

START_TEST(the_one_that_holds_everything_is_kept_though_it_was_to_go)
{
    struct story story;
    story_serve(&story);
    change(&story, leaving(2));
    for (uint8_t peer = 0; peer < 2; peer++)
        story_answer(&story, FRAME_ACCEPT, peer, FRAME_OK);
    /* Its removal is proposed; then both others lose their memory. */
    for (uint8_t peer = 0; peer < 2; peer++) {
        story_down(&story, peer);
        story_up(&story, peer);
        story_opened(&story, peer,
                     (struct message_opened){.lossy = true, .config = *repl_config(story.repl)},
                     FRAME_OK);
    }
    story_elapse(&story, 100);
    accept(&story, 7);
    ck_assert_int_ge(idx_of(&story, 2), 0);
    ck_assert(in_sync(&story, 2));
    ck_assert(!in_sync(&story, 0));
    story_end(&story);
}
END_TEST

START_TEST(newer_list_decides_whose_majority_opens)
{
    struct story story;
    struct config newer;
    story_begin(&story);
    newer = story.config;
    newer.version = 2;
    newer.members[3] = (struct member){.uuid = story_uuid(3)};
    newer.members[4] = (struct member){.uuid = story_uuid(4)};
    newer.member_count = 5;
    for (uint8_t i = 0; i < 2; i++) {
        story_up(&story, i);
        story_opened(&story, i, (struct message_opened){.config = newer}, FRAME_OK);
    }
    story_elapse(&story, 10000);
    ck_assert_ptr_null(story_find(&story, FRAME_ACCEPT, 0));
    ck_assert_uint_eq(repl_peer_add(story.repl, &newer.members[4].uuid), 4);
    story_up(&story, 4);
    story_opened(&story, 4, (struct message_opened){.config = newer}, FRAME_OK);
    story_elapse(&story, 10000);
    ck_assert_ptr_nonnull(story_find(&story, FRAME_ACCEPT, 0));
    story_end(&story);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("membership");
    tcase_add_test(tcase, added_member_enters_out_of_sync);
    tcase_add_test(tcase, added_member_is_brought_in_sync_as_a_whole);
    tcase_add_test(tcase, change_needs_a_majority_of_the_new_list_too);
    tcase_add_test(tcase, change_needs_a_majority_of_the_old_list_too);
    tcase_add_test(tcase, one_change_at_a_time);
    tcase_add_test(tcase, eviction_meanwhile_keeps_the_change);
    tcase_add_test(tcase, no_change_before_the_own_epoch_is_committed);
    tcase_add_test(tcase, member_that_leaves_goes_once_the_others_are_in_sync);
    tcase_add_test(tcase, member_out_of_sync_that_leaves_goes_at_once);
    tcase_add_test(tcase, who_leaves_while_it_is_asked_for_its_map_leaves_no_timer);
    tcase_add_test(tcase, too_few_may_not_stay);
    tcase_add_test(tcase, changes_that_make_no_sense_are_refused);
    tcase_add_test(tcase, no_change_while_all_in_sync_lost_their_memory);
    tcase_add_test(tcase, index_of_a_removed_member_is_free_again);
    tcase_add_test(tcase, write_does_not_wait_for_a_removed_member);
    tcase_add_test(tcase, witness_is_never_brought_in_sync);
    tcase_add_test(tcase, the_one_that_holds_everything_is_kept_though_it_was_to_go);
    tcase_add_test(tcase, newer_list_decides_whose_majority_opens);
    Suite *suite = suite_create("membership");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
