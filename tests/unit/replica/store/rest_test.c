/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S6: a volume that is open and that nobody uses comes to rest, and goes on as if nothing had been.
 * A moment stands for the seconds after which it does.
 */
#include "replica/store/family.h"
#include "replica/store/state.h"
#include "replica/store/volume.h"
#include "tests/unit/replica/store/requests.h"

#include <dirent.h>
#include <sys/resource.h>

enum { VOLUMES = 70 };

static uint8_t page[4096];
static uint8_t block[BLOCK_BYTES] = "rest";
static uint32_t rested;

static void on_rested(void *arg)
{
    (void)arg;
    rested++;
}

static void setup(enum store_engine engine)
{
    fixture_engine = engine;
    fixture_setup_folder();
    fixture_open();
    fixture_store->rest.after_ns = 1000000;
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    fixture_volume_open();
    rested = 0;
}

static void setup_threads(void)
{
    setup(STORE_ENGINE_THREADS);
}

static void setup_uring(void)
{
    setup(STORE_ENGINE_AUTO);
}

static bool is_file_of(const char *target, const char *name)
{
    size_t length = strlen(target), end = strlen(name);
    return length > end && strcmp(target + length - end, name) == 0;
}

/* Descriptors of files with this name. */
static uint32_t open_files(const char *name)
{
    char target[512], path[512];
    uint32_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        ssize_t length = readlink(path, target, sizeof(target) - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        count += is_file_of(target, name);
    }
    closedir(dir);
    return count;
}

static uint32_t all_open_files(void)
{
    return open_files("/meta.0") + open_files("/meta.1") + open_files("/drl") +
           open_files("/00000000");
}

/* The timer ends by itself, once all that can has come to rest. */
static void let_rest(void)
{
    while (!list_empty(&fixture_store->rest.awake))
        ev_run(fixture_loop.ev, EVRUN_ONCE);
    ck_assert(!ev_is_active(&fixture_store->rest.timer.ev));
}

START_TEST(a_volume_in_use_has_its_files_open)
{
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
    ck_assert_uint_eq(all_open_files(), 4);
}
END_TEST

START_TEST(s6_a_volume_at_rest_has_no_descriptor)
{
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
    let_rest();
    ck_assert_uint_eq(all_open_files(), 0);
}
END_TEST

START_TEST(s6_many_volumes_at_rest_have_no_descriptor_and_no_timer)
{
    struct store_volume *volumes[VOLUMES];
    const struct store_extent extent = {.size_bytes = FIXTURE_SIZE_BYTES,
                                        .drl_bytes = FIXTURE_DRL_BYTES,
                                        .plane_bytes = FIXTURE_PLANE_BYTES};
    struct store_volume *first = fixture_volume;
    struct error error;
    for (uint8_t i = 0; i < VOLUMES; i++) {
        struct uuid uuid = fixture_uuid;
        uuid.bytes[15] = i + 1;
        ck_assert_int_eq(fixture_create(&uuid), 0);
        store_volume_open(fixture_store, &uuid, &extent, fixture_opened, &error);
        loop_run(&fixture_loop);
        ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
        volumes[i] = fixture_volume;
    }
    let_rest();
    ck_assert_uint_eq(all_open_files(), 0);
    for (uint8_t i = 0; i < VOLUMES; i++) {
        fixture_volume = volumes[i];
        ck_assert_int_eq(fixture_volume_close(), 0);
    }
    fixture_volume = first;
}
END_TEST

START_TEST(what_is_not_durable_keeps_its_file_open)
{
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), false), 0);
    let_rest();
    ck_assert_uint_eq(all_open_files(), 1);
    ck_assert_int_eq(fixture_sync(), 0);
    let_rest();
    ck_assert_uint_eq(all_open_files(), 0);
}
END_TEST

START_TEST(what_was_written_before_is_read_afterwards)
{
    uint8_t got[BLOCK_BYTES];
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
    let_rest();
    ck_assert_int_eq(fixture_read(0, got, sizeof(got)), 0);
    ck_assert_mem_eq(got, block, sizeof(got));
}
END_TEST

START_TEST(what_is_written_afterwards_is_kept)
{
    uint8_t got[BLOCK_BYTES];
    store_volume_stamp(fixture_volume);
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
    let_rest();
    memset(block, 'w', sizeof(block));
    memset(page, 'p', sizeof(page));
    ck_assert_int_eq(fixture_page(STORE_META, 0, page), 0);
    ck_assert_int_eq(fixture_page(STORE_META, 1, page), 0);
    ck_assert_int_eq(fixture_page(STORE_DRL, 1, page), 0);
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
    fixture_reopen();
    ck_assert(fixture_found.clean);
    ck_assert_mem_eq(fixture_found.meta[0], page, sizeof(page));
    ck_assert_mem_eq(fixture_found.meta[1], page, sizeof(page));
    ck_assert_mem_eq(fixture_found.drl + STORE_DRL_PAGE_BYTES, page, sizeof(page));
    ck_assert_int_eq(fixture_read(0, got, sizeof(got)), 0);
    ck_assert_mem_eq(got, block, sizeof(got));
}
END_TEST

START_TEST(planes_and_recent_writes_outlive_the_rest)
{
    uint8_t *plane = fixture_found.planes[1];
    uint8_t *recent = fixture_found.recent;
    memset(plane, 0x5a, FIXTURE_PLANE_BYTES);
    memset(recent, 0xa5, STORE_RECENT_BYTES);
    let_rest();
    for (int i = 0; i < FIXTURE_PLANE_BYTES; i++)
        ck_assert_uint_eq(plane[i], 0x5a);
    for (int i = 0; i < STORE_RECENT_BYTES; i++)
        ck_assert_uint_eq(recent[i], 0xa5);
}
END_TEST

START_TEST(the_log_in_memory_outlives_the_rest)
{
    fixture_found.drl[STORE_DRL_PAGE_BYTES + 77] = 9;
    let_rest();
    ck_assert_uint_eq(fixture_found.drl[STORE_DRL_PAGE_BYTES + 77], 9);
    ck_assert_uint_eq(fixture_found.drl[77], 0);
}
END_TEST

START_TEST(a_volume_in_use_does_not_rest)
{
    struct store_req req = {.op = STORE_SYNC, .volume = fixture_volume, .done = fixture_req_done};
    let_rest();
    ck_assert_int_eq(fixture_page(STORE_DRL, 0, page), 0);
    /* One that is in flight: it waits for a sync that somebody else began. */
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), false), 0);
    struct family *family = fixture_volume->family;
    struct segment *segment = family_segment(family, 0);
    durable_begin(&segment->durable);
    store_submit(fixture_store, &req);
    for (int looks = 0; looks < 3; looks++) {
        uint64_t look_ns = fixture_volume->look_ns;
        while (fixture_volume->look_ns == look_ns)
            ev_run(fixture_loop.ev, EVRUN_ONCE);
    }
    ck_assert_uint_eq(all_open_files(), 4);
    segment->durable.dirty = true;
    store_synced(fixture_store, &segment->durable);
    loop_run(&fixture_loop);
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(files_that_cannot_be_opened_again_fail_what_needs_them)
{
    char away[512];
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
    let_rest();
    snprintf(away, sizeof(away), "%s.away", fixture_file("drl"));
    ck_assert_int_eq(rename(fixture_file("drl"), away), 0);
    ck_assert_int_eq(fixture_page(STORE_META, 0, page), -EIO);
    ck_assert_uint_eq(all_open_files(), 0);
    ck_assert_int_eq(rename(away, fixture_file("drl")), 0);
    ck_assert_int_eq(fixture_page(STORE_META, 0, page), 0);
    ck_assert_uint_eq(all_open_files(), 3);
}
END_TEST

START_TEST(no_descriptor_left_fails_requests_and_nothing_else)
{
    struct rlimit before, none;
    uint8_t got[BLOCK_BYTES];
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
    let_rest();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int read_status = fixture_read(0, got, sizeof(got));
    int page_status = fixture_page(STORE_DRL, 0, page);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(read_status, -EIO);
    ck_assert_int_eq(page_status, -EIO);
    ck_assert_int_eq(fixture_read(0, got, sizeof(got)), 0);
    ck_assert_mem_eq(got, block, sizeof(got));
    ck_assert_int_eq(fixture_page(STORE_DRL, 0, page), 0);
}
END_TEST

START_TEST(a_failed_sync_is_not_forgotten_at_rest)
{
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), true), 0);
    store_sync_failed(fixture_store, fixture_volume->family);
    let_rest();
    ck_assert_uint_eq(open_files("/00000000"), 1);
    ck_assert_int_eq(fixture_sync(), -EIO);
}
END_TEST

START_TEST(the_owner_is_told)
{
    (void)fixture_volume_close();
    fixture_store->rested = on_rested;
    fixture_volume_open();
    let_rest();
    ck_assert_uint_eq(rested, 1);
    ck_assert_int_eq(fixture_sync(), 0);
    let_rest();
    ck_assert_uint_eq(rested, 2);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_volume_in_use_has_its_files_open);
    tcase_add_test(tcase, s6_a_volume_at_rest_has_no_descriptor);
    tcase_add_test(tcase, s6_many_volumes_at_rest_have_no_descriptor_and_no_timer);
    tcase_add_test(tcase, what_is_not_durable_keeps_its_file_open);
    tcase_add_test(tcase, what_was_written_before_is_read_afterwards);
    tcase_add_test(tcase, what_is_written_afterwards_is_kept);
    tcase_add_test(tcase, planes_and_recent_writes_outlive_the_rest);
    tcase_add_test(tcase, the_log_in_memory_outlives_the_rest);
    tcase_add_test(tcase, a_volume_in_use_does_not_rest);
    tcase_add_test(tcase, files_that_cannot_be_opened_again_fail_what_needs_them);
    tcase_add_test(tcase, no_descriptor_left_fails_requests_and_nothing_else);
    tcase_add_test(tcase, a_failed_sync_is_not_forgotten_at_rest);
    tcase_add_test(tcase, the_owner_is_told);
}

int main(void)
{
    Suite *suite = suite_create("rest");
    TCase *threads = tcase_create("threads");
    TCase *uring = tcase_create("uring");
    tcase_add_checked_fixture(threads, setup_threads, fixture_teardown_volume);
    tcase_add_checked_fixture(uring, setup_uring, fixture_teardown_volume);
    add_tests(threads);
    add_tests(uring);
    suite_add_tcase(suite, threads);
    suite_add_tcase(suite, uring);
    return fixture_suite_run(suite);
}
