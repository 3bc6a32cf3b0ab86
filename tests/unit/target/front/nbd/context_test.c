/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata contexts: names, slots and extents. */
#include "target/front/nbd/context.h"
#include "tests/lib/suite.h"
#include "tests/unit/target/front/nbd/snapshots.h"

static struct export export;

static struct nbd_context_query query(const char *text, bool listing)
{
    export.snapshots = &snapshots;
    return nbd_context_query_of(&export, text, (uint32_t)strlen(text), listing);
}

static bool is_nothing(struct nbd_context_query q)
{
    return !q.allocation && !q.every_snapshot && q.from_generation == 0;
}

START_TEST(a_name_asks_for_its_context)
{
    ck_assert(query("base:allocation", false).allocation);
    ck_assert(query("base:allocation", true).allocation);
}
END_TEST

START_TEST(a_namespace_is_for_listings)
{
    ck_assert(query("base:", true).allocation);
    ck_assert(is_nothing(query("base:", false)));
    ck_assert(query("strake:", true).every_snapshot);
    ck_assert(query("strake:changed-since:", true).every_snapshot);
    ck_assert(is_nothing(query("strake:", false)));
    ck_assert(is_nothing(query("strake:changed-since:", false)));
}
END_TEST

START_TEST(a_snapshot_is_named_by_its_context)
{
    ck_assert_uint_eq(query("strake:changed-since:monday", false).from_generation, 3);
    ck_assert_uint_eq(query("strake:changed-since:tuesday", true).from_generation, 5);
    ck_assert(is_nothing(query("strake:changed-since:friday", false)));
}
END_TEST

START_TEST(without_snapshots_there_is_allocation_alone)
{
    struct export bare = {0};
    ck_assert(is_nothing(nbd_context_query_of(&bare, "strake:", 7, true)));
    ck_assert(is_nothing(nbd_context_query_of(&bare, "strake:changed-since:monday", 27, false)));
}
END_TEST

static const char *const strangers[] = {
    "",
    "base",
    "base:allocatio",
    "base:allocation2",
    "qemu:",
    "BASE:",
    "base:allocation:",
    ":",
    "strake",
    "strake:changed-since",
    "strake:changed-since:monda",
    "strake:changed-since:monday2",
    "strake:digest",
};

START_TEST(strangers_ask_for_nothing)
{
    ck_assert(is_nothing(query(strangers[_i], false)));
    ck_assert(is_nothing(query(strangers[_i], true)));
}
END_TEST

START_TEST(ids_begin_at_one)
{
    ck_assert_uint_eq(nbd_context_of_id(0), 0);
    for (uint32_t i = 0; i < NBD_CONTEXTS_MAX; i++)
        ck_assert_uint_eq(nbd_context_of_id(i + 1), 1u << i);
    ck_assert_uint_eq(nbd_context_of_id(NBD_CONTEXTS_MAX + 1), 0);
    ck_assert_uint_eq(nbd_context_of_id(33), 0);
}
END_TEST

START_TEST(allocation_has_the_first_slot)
{
    struct nbd_contexts contexts = {0};
    uint32_t slot = 99;
    ck_assert(nbd_context_select(&contexts, 7, &slot));
    ck_assert_uint_eq(slot, 1);
    ck_assert(nbd_context_select(&contexts, 0, &slot));
    ck_assert_uint_eq(slot, 0);
    ck_assert_uint_eq(contexts.mask, 3);
}
END_TEST

START_TEST(nothing_is_selected_twice)
{
    struct nbd_contexts contexts = {0};
    uint32_t slot;
    ck_assert(nbd_context_select(&contexts, 0, &slot));
    ck_assert(!nbd_context_select(&contexts, 0, &slot));
    ck_assert(nbd_context_select(&contexts, 7, &slot));
    ck_assert(!nbd_context_select(&contexts, 7, &slot));
}
END_TEST

START_TEST(slots_end)
{
    struct nbd_contexts contexts = {0};
    uint32_t slot;
    for (uint64_t i = 1; i < NBD_CONTEXTS_MAX; i++)
        ck_assert(nbd_context_select(&contexts, i, &slot));
    ck_assert(!nbd_context_select(&contexts, 100, &slot));
    ck_assert(nbd_context_select(&contexts, 0, &slot));
}
END_TEST

static struct block_run runs[8];

START_TEST(nothing_known_is_all_data)
{
    ck_assert_uint_eq(nbd_extents_of(runs, 0, 0, UINT64_C(1) << 40), 1);
    ck_assert_uint_eq(runs[0].length_bytes, UINT64_C(1) << 40);
    ck_assert_uint_eq(runs[0].state, 0);
    ck_assert_uint_eq(nbd_extents_of(runs, 0, 1, 4096), 1);
    ck_assert_uint_eq(runs[0].state, NBD_STATE_CHANGED);
}
END_TEST

START_TEST(allocation_tells_holes_and_data)
{
    runs[0] = (struct block_run){4096, BLOCK_DATA};
    runs[1] = (struct block_run){8192, BLOCK_HOLE};
    ck_assert_uint_eq(nbd_extents_of(runs, 2, 0, 12288), 2);
    ck_assert_uint_eq(runs[0].state, 0);
    ck_assert_uint_eq(runs[1].state, NBD_STATE_HOLE | NBD_STATE_ZERO);
}
END_TEST

START_TEST(changes_tell_data_and_zeros)
{
    runs[0] = (struct block_run){4096, BLOCK_HOLE};
    runs[1] = (struct block_run){4096, BLOCK_DATA};
    runs[2] = (struct block_run){4096, BLOCK_ZEROED};
    ck_assert_uint_eq(nbd_extents_of(runs, 3, 2, 12288), 3);
    ck_assert_uint_eq(runs[0].state, 0);
    ck_assert_uint_eq(runs[1].state, NBD_STATE_CHANGED);
    ck_assert_uint_eq(runs[2].state, NBD_STATE_CHANGED | NBD_STATE_ZERO);
}
END_TEST

START_TEST(equal_neighbours_are_one)
{
    runs[0] = (struct block_run){4096, BLOCK_HOLE};
    runs[1] = (struct block_run){4096, BLOCK_ZEROED};
    runs[2] = (struct block_run){4096, BLOCK_DATA};
    ck_assert_uint_eq(nbd_extents_of(runs, 3, 0, 12288), 2);
    ck_assert_uint_eq(runs[0].length_bytes, 8192);
}
END_TEST

START_TEST(extents_end_with_the_range)
{
    runs[0] = (struct block_run){4096, BLOCK_DATA};
    runs[1] = (struct block_run){1u << 20, BLOCK_HOLE};
    runs[2] = (struct block_run){4096, BLOCK_DATA};
    ck_assert_uint_eq(nbd_extents_of(runs, 3, 0, 4097), 2);
    ck_assert_uint_eq(runs[1].length_bytes, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nbd context");
    TCase *tests = tcase_create("context");
    tcase_add_test(tests, a_name_asks_for_its_context);
    tcase_add_test(tests, a_namespace_is_for_listings);
    tcase_add_test(tests, a_snapshot_is_named_by_its_context);
    tcase_add_test(tests, without_snapshots_there_is_allocation_alone);
    tcase_add_loop_test(tests, strangers_ask_for_nothing, 0, (int)ARRAY_COUNT(strangers));
    tcase_add_test(tests, ids_begin_at_one);
    tcase_add_test(tests, allocation_has_the_first_slot);
    tcase_add_test(tests, nothing_is_selected_twice);
    tcase_add_test(tests, slots_end);
    tcase_add_test(tests, nothing_known_is_all_data);
    tcase_add_test(tests, allocation_tells_holes_and_data);
    tcase_add_test(tests, changes_tell_data_and_zeros);
    tcase_add_test(tests, equal_neighbours_are_one);
    tcase_add_test(tests, extents_end_with_the_range);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
