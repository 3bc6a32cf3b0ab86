/* SPDX-License-Identifier: Apache-2.0 */
/* An open volume on real files: the same behaviour by both engines. */
#include "replica/store/store.h"
#include "tests/unit/replica/store/requests.h"

#include <signal.h>
#include <sys/stat.h>

enum { LENGTH = 64u << 10 };
static uint8_t bytes[LENGTH];
static uint8_t back[LENGTH];

static void setup_with(enum store_engine engine, bool may_wait)
{
    fixture_engine = engine;
    fixture_may_wait = may_wait;
    fixture_setup_volume();
}

static void setup_uring(void)
{
    setup_with(STORE_ENGINE_URING, false);
}

static void setup_patient(void)
{
    setup_with(STORE_ENGINE_URING, true);
}

static void setup_uring_writes(void)
{
    setup_with(STORE_ENGINE_URING_WRITES, false);
}

static void setup_threads(void)
{
    setup_with(STORE_ENGINE_THREADS, false);
}

static bool all(const uint8_t *at, size_t length, uint8_t value)
{
    for (size_t i = 0; i < length; i++) {
        if (at[i] != value)
            return false;
    }
    return true;
}

START_TEST(engine_is_the_one_asked_for)
{
    const char *name = store_engine_name(fixture_store);
    if (fixture_engine == STORE_ENGINE_THREADS)
        ck_assert_str_eq(name, "threads (chosen)");
    else if (fixture_engine == STORE_ENGINE_URING_WRITES)
        ck_assert_str_eq(name, "io_uring, writes too");
    else
        ck_assert(strncmp(name, "io_uring", strlen("io_uring")) == 0);
}
END_TEST

START_TEST(never_written_reads_as_zeros)
{
    memset(back, 0xee, LENGTH);
    ck_assert_int_eq(fixture_read(FIXTURE_SIZE_BYTES - LENGTH, back, LENGTH), 0);
    ck_assert(all(back, LENGTH, 0));
}
END_TEST

START_TEST(reads_back_what_was_written)
{
    memset(bytes, 7, LENGTH);
    ck_assert_int_eq(fixture_write(4096, bytes, LENGTH, false), 0);
    ck_assert_int_eq(fixture_read(4096, back, LENGTH), 0);
    ck_assert_mem_eq(back, bytes, LENGTH);
    ck_assert_int_eq(fixture_read(0, back, 4096), 0);
    ck_assert(all(back, 4096, 0));
}
END_TEST

START_TEST(keeps_content_over_reopen)
{
    memset(bytes, 9, LENGTH);
    ck_assert_int_eq(fixture_write(8192, bytes, LENGTH, true), 0);
    fixture_reopen();
    ck_assert_int_eq(fixture_read(8192, back, LENGTH), 0);
    ck_assert_mem_eq(back, bytes, LENGTH);
}
END_TEST

START_TEST(zero_makes_a_hole)
{
    struct stat before, after;
    memset(bytes, 1, LENGTH);
    ck_assert_int_eq(fixture_write(0, bytes, LENGTH, true), 0);
    ck_assert_int_eq(stat(fixture_data(), &before), 0);
    ck_assert_int_eq(fixture_zero(4096, LENGTH - 8192, false), 0);
    ck_assert_int_eq(stat(fixture_data(), &after), 0);
    ck_assert_int_lt(after.st_blocks, before.st_blocks);
    ck_assert_int_eq(fixture_read(0, back, LENGTH), 0);
    ck_assert(all(back, 4096, 1) && all(back + LENGTH - 4096, 4096, 1));
    ck_assert(all(back + 4096, LENGTH - 8192, 0));
}
END_TEST

START_TEST(zero_of_the_whole_volume)
{
    memset(bytes, 1, LENGTH);
    ck_assert_int_eq(fixture_write(FIXTURE_SIZE_BYTES - LENGTH, bytes, LENGTH, false), 0);
    ck_assert_int_eq(fixture_zero(0, FIXTURE_SIZE_BYTES, true), 0);
    ck_assert_int_eq(fixture_read(FIXTURE_SIZE_BYTES - LENGTH, back, LENGTH), 0);
    ck_assert(all(back, LENGTH, 0));
}
END_TEST

START_TEST(sync_answers_when_idle_and_after_writes)
{
    ck_assert_int_eq(fixture_sync(), 0);
    memset(bytes, 3, LENGTH);
    ck_assert_int_eq(fixture_write(0, bytes, LENGTH, false), 0);
    ck_assert_int_eq(fixture_sync(), 0);
}
END_TEST

START_TEST(request_of_nothing_is_answered)
{
    ck_assert_int_eq(fixture_read(FIXTURE_SIZE_BYTES, back, 0), 0);
    ck_assert_int_eq(fixture_zero(0, 0, false), 0);
}
END_TEST

START_TEST(metadata_copies_are_kept_apart)
{
    uint8_t page[STORE_META_BYTES];
    ck_assert(all(fixture_found.meta[0], STORE_META_BYTES, 'm'));
    ck_assert(all(fixture_found.meta[1], STORE_META_BYTES, 'm'));
    memset(page, 'a', sizeof(page));
    ck_assert_int_eq(fixture_page(STORE_META, 0, page), 0);
    memset(page, 'b', sizeof(page));
    ck_assert_int_eq(fixture_page(STORE_META, 1, page), 0);
    fixture_reopen();
    ck_assert(all(fixture_found.meta[0], STORE_META_BYTES, 'a'));
    ck_assert(all(fixture_found.meta[1], STORE_META_BYTES, 'b'));
}
END_TEST

START_TEST(missing_metadata_copy_is_found_as_zeros)
{
    (void)fixture_volume_close();
    ck_assert_int_eq(unlink(fixture_file("meta.1")), 0);
    fixture_volume_open();
    ck_assert(all(fixture_found.meta[0], STORE_META_BYTES, 'm'));
    ck_assert(all(fixture_found.meta[1], STORE_META_BYTES, 0));
}
END_TEST

START_TEST(region_log_pages_are_kept)
{
    uint8_t page[STORE_DRL_PAGE_BYTES];
    ck_assert_uint_eq(fixture_found.drl_bytes, FIXTURE_DRL_BYTES);
    ck_assert(all(fixture_found.drl, FIXTURE_DRL_BYTES, 0));
    memset(page, 'r', sizeof(page));
    ck_assert_int_eq(fixture_page(STORE_DRL, 1, page), 0);
    fixture_reopen();
    ck_assert(all(fixture_found.drl, STORE_DRL_PAGE_BYTES, 0));
    ck_assert(all(fixture_found.drl + STORE_DRL_PAGE_BYTES, STORE_DRL_PAGE_BYTES, 'r'));
}
END_TEST

START_TEST(shortened_file_is_an_error_not_zeros)
{
    memset(bytes, 1, LENGTH);
    ck_assert_int_eq(fixture_write(0, bytes, LENGTH, true), 0);
    ck_assert_int_eq(truncate(fixture_data(), 4096), 0);
    ck_assert_int_eq(fixture_read(0, back, 8192), -EIO);
}
END_TEST

static uint32_t burst_left;

static void burst_done(struct store_req *req)
{
    ck_assert_int_eq(req->status, 0);
    if (--burst_left == 0)
        loop_stop(&fixture_loop);
}

/* Many more than the engine takes at once. */
START_TEST(burst_beyond_the_queue_is_all_answered)
{
    enum { COUNT = 1000 };
    static struct store_req reqs[COUNT];
    for (int round = 0; round < 2; round++) {
        burst_left = COUNT;
        for (int i = 0; i < COUNT; i++) {
            if (round > 0)
                slice_release(&reqs[i].data);
            uint8_t block[4096];
            memset(block, round ? 0 : i % 251 + 1, sizeof(block));
            reqs[i] = (struct store_req){.op = round ? STORE_READ : STORE_WRITE,
                                         .volume = fixture_volume,
                                         .offset_bytes = (uint64_t)i * 4096,
                                         .length_bytes = 4096,
                                         .data = fixture_slice(block, sizeof(block)),
                                         .done = burst_done};
            store_submit(fixture_store, &reqs[i]);
        }
        ck_assert_uint_eq(burst_left, COUNT);
        loop_run(&fixture_loop);
    }
    for (int i = 0; i < COUNT; i++) {
        ck_assert(all(reqs[i].data.bytes, 4096, (uint8_t)(i % 251 + 1)));
        slice_release(&reqs[i].data);
    }
}
END_TEST

START_TEST(request_past_the_end_aborts)
{
    (void)fixture_read(FIXTURE_SIZE_BYTES - 4096, back, 8192);
}
END_TEST

START_TEST(closing_with_a_volume_open_aborts)
{
    store_close(fixture_store);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, fixture_teardown_volume);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, engine_is_the_one_asked_for);
    tcase_add_test(tcase, never_written_reads_as_zeros);
    tcase_add_test(tcase, reads_back_what_was_written);
    tcase_add_test(tcase, keeps_content_over_reopen);
    tcase_add_test(tcase, zero_makes_a_hole);
    tcase_add_test(tcase, zero_of_the_whole_volume);
    tcase_add_test(tcase, sync_answers_when_idle_and_after_writes);
    tcase_add_test(tcase, request_of_nothing_is_answered);
    tcase_add_test(tcase, metadata_copies_are_kept_apart);
    tcase_add_test(tcase, missing_metadata_copy_is_found_as_zeros);
    tcase_add_test(tcase, region_log_pages_are_kept);
    tcase_add_test(tcase, shortened_file_is_an_error_not_zeros);
    tcase_add_test(tcase, burst_beyond_the_queue_is_all_answered);
    suite_add_tcase(suite, tcase);
    TCase *aborts = tcase_create("aborts");
    tcase_add_checked_fixture(aborts, setup, NULL);
    tcase_add_test_raise_signal(aborts, request_past_the_end_aborts, SIGABRT);
    tcase_add_test_raise_signal(aborts, closing_with_a_volume_open_aborts, SIGABRT);
    suite_add_tcase(suite, aborts);
}

int main(void)
{
    Suite *suite = suite_create("store");
    add_tests(suite, "io_uring", setup_uring);
    add_tests(suite, "io_uring, patient", setup_patient);
    add_tests(suite, "io_uring, writes too", setup_uring_writes);
    add_tests(suite, "threads", setup_threads);
    return fixture_suite_run(suite);
}
