/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes are made whole or not at all; of a deleted one the record stays. */
#include "replica/store/jobs.h"
#include "tests/unit/replica/store/requests.h"

#include <sys/stat.h>

static void setup(void)
{
    fixture_engine = STORE_ENGINE_THREADS;
    fixture_setup_folder();
    fixture_open();
}

struct seen {
    int volumes;
    int deleted;
    uint8_t first; /* byte of copy 0 of the last one */
};

static void see(void *arg, const struct uuid *volume, enum store_kept kept,
                const uint8_t *const meta[2])
{
    struct seen *seen = arg;
    ck_assert(uuid_equal(volume, &fixture_uuid));
    seen->volumes += kept != STORE_DELETED;
    seen->deleted += kept == STORE_DELETED;
    seen->first = meta[0][0];
}

static struct seen list(void)
{
    struct seen seen = {0};
    struct error error;
    ck_assert_int_eq(store_list(fixture_store, see, &seen, &error), 0);
    return seen;
}

START_TEST(fresh_pool_lists_nothing)
{
    struct seen seen = list();
    ck_assert_int_eq(seen.volumes + seen.deleted, 0);
}
END_TEST

START_TEST(created_volume_is_listed_with_its_record)
{
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    struct seen seen = list();
    ck_assert_int_eq(seen.volumes, 1);
    ck_assert_int_eq(seen.deleted, 0);
    ck_assert_uint_eq(seen.first, 'm');
}
END_TEST

START_TEST(second_create_is_refused)
{
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    ck_assert_int_eq(fixture_create(&fixture_uuid), -EEXIST);
}
END_TEST

START_TEST(deleted_volume_is_gone_but_for_its_record)
{
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    ck_assert_int_ne(access(fixture_file("."), F_OK), 0);
    struct seen seen = list();
    ck_assert_int_eq(seen.volumes, 0);
    ck_assert_int_eq(seen.deleted, 1);
    ck_assert_uint_eq(seen.first, 'd');
}
END_TEST

static void look_again(struct loop_timer *timer)
{
    if (access(fixture_data(), F_OK) == 0)
        loop_timer_start(timer, 1000000);
    else
        loop_stop(timer->loop);
}

/* S4: without waiting for the next start. */
START_TEST(s4_files_of_a_deleted_volume_go)
{
    struct loop_timer timer;
    const uint8_t block[4096] = {1};
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    fixture_volume_open();
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), false), 0);
    ck_assert_int_eq(fixture_volume_close(), 0);
    ck_assert_int_eq(access(fixture_data(), F_OK), 0);
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    loop_timer_init(&timer, &fixture_loop, look_again);
    look_again(&timer);
    loop_run(&fixture_loop);
}
END_TEST

static void check_epitaph(const char *words)
{
    struct epitaph epitaph;
    uint8_t *bytes = store_epitaph_read(fixture_store, &fixture_uuid, &epitaph);
    ck_assert_uint_eq(epitaph.length_bytes, strlen(words));
    ck_assert(strlen(words) == 0 || memcmp(epitaph.bytes, words, strlen(words)) == 0);
    free(bytes);
}

START_TEST(epitaph_is_kept_with_the_record)
{
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    fixture_epitaph = (struct epitaph){.length_bytes = 5, .bytes = (const uint8_t *)"words"};
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    check_epitaph("words");
    fixture_reopen();
    check_epitaph("words");
}
END_TEST

START_TEST(record_without_epitaph_has_none)
{
    check_epitaph("");
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    check_epitaph("");
}
END_TEST

START_TEST(deleted_volume_is_not_made_again)
{
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    ck_assert_int_eq(fixture_create(&fixture_uuid), -EEXIST);
}
END_TEST

START_TEST(delete_twice_is_the_same_as_once)
{
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    ck_assert_int_eq(list().deleted, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs");
    TCase *tcase = tcase_create("jobs");
    tcase_add_checked_fixture(tcase, setup, fixture_teardown_volume);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, fresh_pool_lists_nothing);
    tcase_add_test(tcase, created_volume_is_listed_with_its_record);
    tcase_add_test(tcase, second_create_is_refused);
    tcase_add_test(tcase, deleted_volume_is_gone_but_for_its_record);
    tcase_add_test(tcase, s4_files_of_a_deleted_volume_go);
    tcase_add_test(tcase, epitaph_is_kept_with_the_record);
    tcase_add_test(tcase, record_without_epitaph_has_none);
    tcase_add_test(tcase, deleted_volume_is_not_made_again);
    tcase_add_test(tcase, delete_twice_is_the_same_as_once);
    suite_add_tcase(suite, tcase);
    return fixture_suite_run(suite);
}
