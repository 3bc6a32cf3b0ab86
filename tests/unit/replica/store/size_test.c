/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S6: what it takes to open a volume, and to keep one that is idle, counted: bytes read by calls,
 * pages touched for the first time, descriptors, threads.
 */
#include "common/wire/generation.h"
#include "tests/unit/replica/store/requests.h"

#include <dirent.h>
#include <sys/resource.h>

enum {
    GENERATIONS = 1000,
    IDLE = 64,
    /* What differs from one time to another: wake-ups that were told at once or one by one, and
     * the allocator's own pages. */
    SLACK_CALLS = 32,
    SLACK_PAGES = 64,
};
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)

struct work_done {
    uint64_t read_bytes;
    uint64_t calls;
    uint64_t pages;
};

static struct store_extent extent;

static struct uuid volume_uuid(uint8_t number)
{
    struct uuid uuid = fixture_uuid;
    uuid.bytes[15] = number;
    return uuid;
}

static void make(uint8_t number, uint64_t size_bytes)
{
    extent = (struct store_extent){.size_bytes = size_bytes,
                                   .drl_bytes = FIXTURE_DRL_BYTES,
                                   .plane_bytes = size_bytes / (16u << 10) / 8};
    const struct store_create create = {.volume = volume_uuid(number),
                                        .size_bytes = extent.size_bytes,
                                        .drl_bytes = extent.drl_bytes,
                                        .plane_bytes = extent.plane_bytes};
    store_volume_create(fixture_store, &create, fixture_job_done, NULL);
    loop_run(&fixture_loop);
    ck_assert_int_eq(fixture_status, 0);
}

static void open_volume(uint8_t number)
{
    struct error error;
    struct uuid uuid = volume_uuid(number);
    store_volume_open(fixture_store, &uuid, &extent, fixture_opened, &error);
    loop_run(&fixture_loop);
    ck_assert_msg(fixture_volume != NULL, "%s", error.text);
    store_volume_stamp(fixture_volume);
}

static int seal(uint64_t generation)
{
    struct message_command message = {
        .number = generation, .kind = COMMAND_SEAL, .generation = generation};
    memcpy(message.identity.bytes, &generation, sizeof(generation));
    struct slice body = slice_get(&fixture_bufs, COMMAND_BYTES_MAX);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    message_command_encode(&w, &message);
    body.length_bytes = (uint32_t)writer_length(&w);
    struct store_req req = {.op = STORE_COMMAND, .data = body};
    int status = fixture_do(&req);
    slice_release(&body);
    return status;
}

static struct work_done work_so_far(void)
{
    struct work_done work = {0};
    struct rusage usage;
    char line[128];
    FILE *file = fopen("/proc/self/io", "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file)) {
        unsigned long long number;
        if (sscanf(line, "rchar: %llu", &number) == 1)
            work.read_bytes = number;
        if (sscanf(line, "syscr: %llu", &number) == 1)
            work.calls = number;
    }
    fclose(file);
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    work.pages = (uint64_t)(usage.ru_minflt + usage.ru_majflt);
    return work;
}

/* Of a pool that was opened a moment ago, a volume of this size, with blocks here and there. */
static struct work_done work_of_open(uint8_t number, uint64_t size_bytes, uint32_t generations)
{
    static const uint8_t block[BLOCK_BYTES] = "S6";
    make(number, size_bytes);
    open_volume(number);
    for (uint64_t i = 0; i < 8; i++)
        ck_assert_int_eq(fixture_write(i * (size_bytes / 8), block, BLOCK_BYTES, false), 0);
    for (uint64_t i = 1; i <= generations; i++)
        ck_assert_int_eq(seal(i), 0);
    ck_assert_int_eq(fixture_volume_close(), 0);
    fixture_reopen();
    struct work_done before = work_so_far();
    open_volume(number);
    ck_assert_int_eq(fixture_write(0, block, BLOCK_BYTES, false), 0);
    struct work_done after = work_so_far();
    ck_assert_int_eq(fixture_volume_close(), 0);
    printf("%llu bytes, %u generations: %llu bytes read in %llu calls, %llu pages\n",
           (unsigned long long)size_bytes, generations,
           (unsigned long long)(after.read_bytes - before.read_bytes),
           (unsigned long long)(after.calls - before.calls),
           (unsigned long long)(after.pages - before.pages));
    return (struct work_done){.read_bytes = after.read_bytes - before.read_bytes,
                              .calls = after.calls - before.calls,
                              .pages = after.pages - before.pages};
}

static void setup(void)
{
    fixture_engine = STORE_ENGINE_THREADS;
    fixture_setup_folder();
    fixture_open();
}

START_TEST(s6_to_open_a_volume_takes_the_same_whatever_its_size)
{
    struct work_done small = work_of_open(1, GIB, 0);
    struct work_done large = work_of_open(2, 2 * TIB, 0);
    ck_assert_uint_le(large.read_bytes, small.read_bytes + BLOCK_BYTES);
    ck_assert_uint_le(large.calls, small.calls + SLACK_CALLS);
    ck_assert_uint_le(large.pages, small.pages + SLACK_PAGES);
}
END_TEST

/* What is known of a generation is a row or two, and its place in memory: less than half a page. */
START_TEST(s6_a_generation_adds_a_row_to_what_an_open_reads)
{
    struct work_done one = work_of_open(1, GIB, 0);
    struct work_done many = work_of_open(2, GIB, GENERATIONS);
    ck_assert_uint_le(many.read_bytes, one.read_bytes + BLOCK_BYTES);
    ck_assert_uint_le(many.calls, one.calls + SLACK_CALLS);
    ck_assert_uint_le(many.pages, one.pages + SLACK_PAGES + GENERATIONS / 2);
}
END_TEST

static uint32_t entries_of(const char *path)
{
    uint32_t count = 0;
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

START_TEST(s6_an_idle_volume_has_no_descriptor_and_no_thread)
{
    static const uint8_t block[BLOCK_BYTES] = "idle";
    uint32_t descriptors = entries_of("/proc/self/fd");
    uint32_t threads = entries_of("/proc/self/task");
    for (uint8_t i = 0; i < IDLE; i++) {
        make(i, GIB);
        open_volume(i);
        ck_assert_int_eq(fixture_write(0, block, BLOCK_BYTES, false), 0);
        ck_assert_int_eq(fixture_volume_close(), 0);
    }
    ck_assert_uint_eq(entries_of("/proc/self/fd"), descriptors);
    ck_assert_uint_eq(entries_of("/proc/self/task"), threads);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("size");
    TCase *tcase = tcase_create("size");
    tcase_add_checked_fixture(tcase, setup, fixture_teardown_volume);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, s6_to_open_a_volume_takes_the_same_whatever_its_size);
    tcase_add_test(tcase, s6_a_generation_adds_a_row_to_what_an_open_reads);
    tcase_add_test(tcase, s6_an_idle_volume_has_no_descriptor_and_no_thread);
    suite_add_tcase(suite, tcase);
    return fixture_suite_run(suite);
}
