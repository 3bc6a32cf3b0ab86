/* SPDX-License-Identifier: Apache-2.0 */
/* The writer alone: what the loop writes itself, what it hands over, and what both give. */
#include "replica/store/engine.h"
#include "replica/store/step.h"
#include "tests/lib/suite.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SMALL = 4096, LARGE = 25 * 4096, REQS = 160, SUMS_AT = 8 << 20 };

static struct loop loop;
static struct engine *engine;
static uint32_t others;
static FILE *file;
static struct store_req reqs[REQS];
static uint8_t bytes[LARGE];
static uint32_t sums[LARGE / 4096];
static uint32_t left;
static uint32_t answered_in_turn; /* when the hooks behind the writer's first ran */
static uint32_t started;
static bool looked;
static struct loop_hook look;

static void on_done(struct store_req *req)
{
    (void)req;
    if (--left == 0)
        loop_stop(&loop);
}

static bool on_look(struct loop_hook *hook)
{
    (void)hook;
    if (!looked)
        answered_in_turn = started - left;
    looked = true;
    return false;
}

static void open_writer(bool may_wait)
{
    struct error error;
    ck_assert_int_eq(loop_init(&loop), 0);
    others = 0;
    engine = writer_new(&loop, may_wait, &others, &error);
    ck_assert_msg(engine != NULL, "%s", error.text);
    engine->done = on_done;
    look = (struct loop_hook){.run = on_look};
    loop_hook_add(&loop, &look);
    file = tmpfile();
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i % 251);
    for (uint32_t i = 0; i < ARRAY_COUNT(sums); i++)
        sums[i] = 0x01020304u * (i + 1);
}

static void setup_patient(void)
{
    open_writer(true);
}

static void setup_impatient(void)
{
    open_writer(false);
}

static void teardown(void)
{
    fclose(file);
    loop_hook_remove(&look);
    engine->free(engine);
    loop_release(&loop);
}

static uint64_t sums_at(uint32_t i, uint32_t length_bytes)
{
    return SUMS_AT + (uint64_t)i * length_bytes / 4096 * sizeof(sums[0]);
}

/* `count` writes of `length_bytes` in one turn, side by side. */
static void write_all(uint32_t count, uint32_t length_bytes, int fd)
{
    left = started = count;
    looked = false;
    for (uint32_t i = 0; i < count; i++) {
        reqs[i] = (struct store_req){.step = {.kind = STEP_PUT,
                                              .fd = fd,
                                              .bytes = bytes,
                                              .offset_bytes = (uint64_t)i * length_bytes,
                                              .length_bytes = length_bytes,
                                              .sums = sums,
                                              .sums_offset_bytes = sums_at(i, length_bytes)}};
        engine->start(engine, &reqs[i]);
    }
    ck_assert_uint_eq(left, count);
    loop_run(&loop);
}

static void expect_written(uint32_t count, uint32_t length_bytes)
{
    static uint8_t back[LARGE];
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(reqs[i].step.result, length_bytes);
        ssize_t got = pread(fileno(file), back, length_bytes, (off_t)i * length_bytes);
        ck_assert_int_eq(got, length_bytes);
        ck_assert_mem_eq(back, bytes, length_bytes);
        uint32_t found[ARRAY_COUNT(sums)];
        size_t found_bytes = length_bytes / 4096 * sizeof(sums[0]);
        got = pread(fileno(file), found, found_bytes, (off_t)sums_at(i, length_bytes));
        ck_assert_int_eq(got, (ssize_t)found_bytes);
        for (uint32_t b = 0; b < length_bytes / 4096; b++)
            ck_assert_uint_eq(le32toh(found[b]), sums[b]);
    }
}

START_TEST(loop_makes_a_few_small_writes_itself)
{
    write_all(3, SMALL, fileno(file));
    ck_assert_uint_eq(answered_in_turn, 3);
    expect_written(3, SMALL);
}
END_TEST

START_TEST(large_turn_is_handed_over)
{
    write_all(REQS, SMALL, fileno(file));
    ck_assert_uint_eq(answered_in_turn, 0);
    expect_written(REQS, SMALL);
}
END_TEST

START_TEST(nothing_is_written_beside_what_could_hold_it_up)
{
    others = 1;
    write_all(1, SMALL, fileno(file));
    ck_assert_uint_eq(answered_in_turn, 0);
    expect_written(1, SMALL);
    others = 0;
    write_all(1, SMALL, fileno(file));
    ck_assert_uint_eq(answered_in_turn, 1);
}
END_TEST

START_TEST(loop_that_may_not_wait_hands_all_over)
{
    write_all(1, SMALL, fileno(file));
    ck_assert_uint_eq(answered_in_turn, 0);
    expect_written(1, SMALL);
}
END_TEST

START_TEST(long_write_is_one_result)
{
    write_all(2, LARGE, fileno(file));
    expect_written(2, LARGE);
}
END_TEST

START_TEST(failure_is_the_result)
{
    write_all(1, SMALL, -1);
    ck_assert_int_eq(reqs[0].step.result, -EBADF);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, long_write_is_one_result);
    tcase_add_test(tcase, failure_is_the_result);
    if (setup == setup_patient) {
        tcase_add_test(tcase, loop_makes_a_few_small_writes_itself);
        tcase_add_test(tcase, large_turn_is_handed_over);
        tcase_add_test(tcase, nothing_is_written_beside_what_could_hold_it_up);
    } else {
        tcase_add_test(tcase, loop_that_may_not_wait_hands_all_over);
    }
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("store/writer");
    add_tests(suite, "patient", setup_patient);
    add_tests(suite, "impatient", setup_impatient);
    return suite_run(suite);
}
