/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata contexts: names, sets and extents. */
#include "target/front/nbd/context.h"
#include "tests/lib/suite.h"

#include <string.h>

static uint32_t match(const char *text, bool listing)
{
    return nbd_contexts_match(text, (uint32_t)strlen(text), listing);
}

START_TEST(a_name_selects_its_context)
{
    ck_assert_uint_eq(match("base:allocation", false), 1);
    ck_assert_uint_eq(match("base:allocation", true), 1);
}
END_TEST

START_TEST(a_namespace_is_for_listings)
{
    ck_assert_uint_eq(match("base:", true), nbd_contexts_all());
    ck_assert_uint_eq(match("base:", false), 0);
}
END_TEST

static const char *const strangers[] = {"",      "base",  "base:allocatio",   "base:allocation2",
                                        "qemu:", "BASE:", "base:allocation:", ":"};

START_TEST(strangers_select_nothing)
{
    ck_assert_uint_eq(match(strangers[_i], false), 0);
    ck_assert_uint_eq(match(strangers[_i], true), 0);
}
END_TEST

START_TEST(ids_begin_at_one)
{
    ck_assert_uint_eq(nbd_context_of_id(0), 0);
    for (uint32_t i = 0; i < NBD_CONTEXT_COUNT; i++)
        ck_assert_uint_eq(nbd_context_of_id(i + 1), 1u << i);
    ck_assert_uint_eq(nbd_context_of_id(NBD_CONTEXT_COUNT + 1), 0);
    ck_assert_uint_eq(nbd_context_of_id(33), 0);
}
END_TEST

START_TEST(allocation_takes_everything_for_data)
{
    struct export export = {.size_bytes = UINT64_C(1) << 40};
    struct nbd_extent extent = nbd_contexts[0].extent(&export, 512, (UINT64_C(1) << 40) - 512);
    ck_assert_uint_eq(extent.length_bytes, (UINT64_C(1) << 40) - 512);
    ck_assert_uint_eq(extent.state, NBD_STATE_ALLOCATED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nbd context");
    TCase *tests = tcase_create("context");
    tcase_add_test(tests, a_name_selects_its_context);
    tcase_add_test(tests, a_namespace_is_for_listings);
    tcase_add_loop_test(tests, strangers_select_nothing, 0, (int)ARRAY_COUNT(strangers));
    tcase_add_test(tests, ids_begin_at_one);
    tcase_add_test(tests, allocation_takes_everything_for_data);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
