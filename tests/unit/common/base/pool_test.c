/* SPDX-License-Identifier: Apache-2.0 */
/* The object pool: never the heap, never twice the same object. */
#include "common/base/pool.h"
#include "tests/lib/suite.h"

#include <signal.h>
#include <string.h>

static struct pool pool;

static void setup(void)
{
    ck_assert_int_eq(pool_init(&pool, 24, 3), 0);
}

START_TEST(gives_each_object_once_then_null)
{
    void *a = pool_get(&pool);
    void *b = pool_get(&pool);
    void *c = pool_get(&pool);
    ck_assert(a && b && c);
    ck_assert(a != b && b != c && a != c);
    ck_assert_ptr_null(pool_get(&pool));
    pool_put(&pool, a);
    pool_put(&pool, b);
    pool_put(&pool, c);
    pool_release(&pool);
}
END_TEST

START_TEST(counts_what_is_free)
{
    ck_assert_uint_eq(pool_free_count(&pool), 3);
    void *a = pool_get(&pool);
    ck_assert_uint_eq(pool_free_count(&pool), 2);
    pool_put(&pool, a);
    ck_assert_uint_eq(pool_free_count(&pool), 3);
    pool_release(&pool);
}
END_TEST

START_TEST(object_comes_back_zeroed)
{
    uint8_t *a = pool_get(&pool);
    memset(a, 0xff, 24);
    pool_put(&pool, a);
    uint8_t *again = pool_get(&pool);
    ck_assert_ptr_eq(again, a);
    for (int i = 0; i < 24; i++)
        ck_assert_uint_eq(again[i], 0);
    pool_put(&pool, again);
    pool_release(&pool);
}
END_TEST

START_TEST(objects_are_aligned_for_any_type)
{
    void *a = pool_get(&pool);
    void *b = pool_get(&pool);
    ck_assert_uint_eq((uintptr_t)a % _Alignof(max_align_t), 0);
    ck_assert_uint_eq((uintptr_t)b % _Alignof(max_align_t), 0);
    pool_put(&pool, a);
    pool_put(&pool, b);
    pool_release(&pool);
}
END_TEST

START_TEST(second_return_of_an_object_aborts)
{
    void *a = pool_get(&pool);
    void *b = pool_get(&pool);
    ck_assert_ptr_nonnull(b);
    pool_put(&pool, a);
    pool_put(&pool, a);
}
END_TEST

START_TEST(return_of_a_stranger_aborts)
{
    uint8_t *a = pool_get(&pool);
    pool_put(&pool, a + 1);
}
END_TEST

START_TEST(release_with_an_object_out_aborts)
{
    ck_assert_ptr_nonnull(pool_get(&pool));
    pool_release(&pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, gives_each_object_once_then_null);
    tcase_add_test(tcase, counts_what_is_free);
    tcase_add_test(tcase, object_comes_back_zeroed);
    tcase_add_test(tcase, objects_are_aligned_for_any_type);
    tcase_add_test_raise_signal(tcase, second_return_of_an_object_aborts, SIGABRT);
    tcase_add_test_raise_signal(tcase, return_of_a_stranger_aborts, SIGABRT);
    tcase_add_test_raise_signal(tcase, release_with_an_object_out_aborts, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
