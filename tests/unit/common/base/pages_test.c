/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that are given back when they say nothing. */
#include "common/base/pages.h"

#include "tests/lib/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES = 8 };

static uint32_t resident(void *pages)
{
    unsigned char there[PAGES];
    uint32_t count = 0;
    ck_assert_int_eq(mincore(pages, PAGES * PAGE_BYTES, there), 0);
    for (int i = 0; i < PAGES; i++)
        count += there[i] & 1;
    return count;
}

START_TEST(pages_begin_as_zeros)
{
    uint8_t *pages = pages_new(PAGES * PAGE_BYTES);
    for (int i = 0; i < PAGES * PAGE_BYTES; i++)
        ck_assert_uint_eq(pages[i], 0);
    free(pages);
}
END_TEST

START_TEST(pages_of_zeros_take_no_memory)
{
    uint8_t *pages = pages_new(PAGES * PAGE_BYTES);
    memset(pages, 7, PAGES * PAGE_BYTES);
    memset(pages, 0, PAGES * PAGE_BYTES);
    ck_assert_uint_eq(resident(pages), PAGES);
    pages_give_back(pages, PAGES * PAGE_BYTES);
    ck_assert_uint_eq(resident(pages), 0);
    ck_assert_uint_eq(pages[3 * PAGE_BYTES], 0);
    free(pages);
}
END_TEST

START_TEST(a_page_that_is_used_in_part_is_whole)
{
    uint8_t *pages = pages_new(PAGES * PAGE_BYTES - 100);
    pages_give_back(pages, PAGES * PAGE_BYTES - 100);
    ck_assert_uint_eq(resident(pages), 0);
    free(pages);
}
END_TEST

START_TEST(a_page_with_a_single_bit_stays)
{
    uint8_t *pages = pages_new(PAGES * PAGE_BYTES);
    pages[3 * PAGE_BYTES - 1] = 0x10;
    pages_give_back(pages, PAGES * PAGE_BYTES);
    ck_assert_uint_eq(resident(pages), 1);
    ck_assert_uint_eq(pages[3 * PAGE_BYTES - 1], 0x10);
    free(pages);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pages");
    TCase *tcase = tcase_create("pages");
    tcase_add_test(tcase, pages_begin_as_zeros);
    tcase_add_test(tcase, pages_of_zeros_take_no_memory);
    tcase_add_test(tcase, a_page_that_is_used_in_part_is_whole);
    tcase_add_test(tcase, a_page_with_a_single_bit_stays);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
