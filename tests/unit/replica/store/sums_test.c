/* SPDX-License-Identifier: Apache-2.0 */
/* S3: what is read is what was written, or it is said; and what an unclean end leaves in doubt. */
#include "common/base/crc32c.h"
#include "common/wire/generation.h"
#include "replica/store/family.h"
#include "replica/store/volume.h"
#include "tests/unit/replica/store/requests.h"

#include <endian.h>
#include <fcntl.h>
#include <unistd.h>

enum { LENGTH = 64u << 10 };
static uint8_t bytes[LENGTH];
static uint8_t back[LENGTH];

static void setup_with(enum store_engine engine)
{
    fixture_engine = engine;
    fixture_setup_volume();
    for (int i = 0; i < LENGTH; i++)
        bytes[i] = (uint8_t)(i % 253);
    ck_assert_int_eq(fixture_write(0, bytes, LENGTH, true), 0);
}

static void setup_threads(void)
{
    setup_with(STORE_ENGINE_THREADS);
}

static void setup_uring(void)
{
    setup_with(STORE_ENGINE_URING);
}

/* Behind the store's back. */
static void put(uint64_t at, const void *what, size_t length)
{
    int fd = open(fixture_data(), O_WRONLY);
    ck_assert_int_eq(pwrite(fd, what, length, (off_t)at), (ssize_t)length);
    close(fd);
}

static void get(uint64_t at, void *what, size_t length)
{
    int fd = open(fixture_data(), O_RDONLY);
    ck_assert_int_eq(pread(fd, what, length, (off_t)at), (ssize_t)length);
    close(fd);
}

static void stop(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

/* Lets the loop run for a moment. */
static void turn(void)
{
    struct loop_timer timer;
    loop_timer_init(&timer, &fixture_loop, stop);
    loop_timer_start(&timer, 1000000);
    loop_run(&fixture_loop);
}

static void settle(void)
{
    store_volume_settle(fixture_volume);
    while (fixture_volume->settling)
        turn();
}

START_TEST(s3_flipped_bit_is_found)
{
    uint8_t byte = (uint8_t)(bytes[5000] ^ 0x10);
    put(5000, &byte, 1);
    ck_assert_int_eq(fixture_read(4096, back, 4096), -EILSEQ);
    ck_assert_int_eq(fixture_read(0, back, LENGTH), -EILSEQ);
}
END_TEST

START_TEST(s3_blocks_beside_a_flipped_bit_are_readable)
{
    uint8_t byte = (uint8_t)(bytes[5000] ^ 0x10);
    put(5000, &byte, 1);
    ck_assert_int_eq(fixture_read(0, back, 4096), 0);
    ck_assert_int_eq(fixture_read(8192, back, LENGTH - 8192), 0);
}
END_TEST

START_TEST(s3_misdirected_write_is_found_at_both_places)
{
    uint8_t former[4096];
    memset(back, 0x77, 4096);
    get(8192, former, sizeof(former));
    ck_assert_int_eq(fixture_write(8192, back, 4096, true), 0);
    put(12288, back, 4096);
    put(8192, former, sizeof(former));
    ck_assert_int_eq(fixture_read(8192, back, 4096), -EILSEQ);
    ck_assert_int_eq(fixture_read(12288, back, 4096), -EILSEQ);
}
END_TEST

START_TEST(s3_lost_write_is_found)
{
    uint8_t former[4096];
    get(0, former, sizeof(former));
    memset(back, 0x33, 4096);
    ck_assert_int_eq(fixture_write(0, back, 4096, true), 0);
    put(0, former, sizeof(former));
    ck_assert_int_eq(fixture_read(0, back, 4096), -EILSEQ);
}
END_TEST

START_TEST(s3_damaged_checksum_is_found)
{
    put(SEGMENT_BYTES + 3 * STORE_SUM_BYTES, "x", 1);
    ck_assert_int_eq(fixture_read(12288, back, 4096), -EILSEQ);
}
END_TEST

/* As where the disk does not give a page of them: a signal, not a result. */
START_TEST(checksums_that_are_not_there_fail_a_request_and_no_more)
{
    ck_assert_int_eq(truncate(fixture_data(), (off_t)SEGMENT_BYTES), 0);
    ck_assert_int_eq(fixture_read(0, back, 4096), -EIO);
    ck_assert_int_eq(fixture_write(0, bytes, 4096, false), -EIO);
    ck_assert_int_eq(truncate(fixture_data(), (off_t)(SEGMENT_BYTES + SEGMENT_SUMS_BYTES)), 0);
    ck_assert_int_eq(fixture_write(0, bytes, 4096, false), 0);
    ck_assert_int_eq(fixture_read(0, back, 4096), 0);
}
END_TEST

START_TEST(checksums_survive_without_a_sync)
{
    uint32_t sum;
    memset(back, 0x21, 4096);
    ck_assert_int_eq(fixture_write(8192, back, 4096, false), 0);
    get(SEGMENT_BYTES + 2 * STORE_SUM_BYTES, &sum, sizeof(sum));
    ck_assert_uint_eq(le32toh(sum), crc32c(0, back, 4096));
}
END_TEST

START_TEST(s3_rot_is_found_after_reopen)
{
    uint8_t byte = (uint8_t)(bytes[100] ^ 1);
    put(100, &byte, 1);
    fixture_reopen();
    ck_assert_int_eq(fixture_read(0, back, 4096), -EILSEQ);
}
END_TEST

START_TEST(s3_write_over_a_damaged_block_repairs_it)
{
    put(5000, "xyz", 3);
    ck_assert_int_eq(fixture_write(4096, bytes, 4096, false), 0);
    ck_assert_int_eq(fixture_read(4096, back, 4096), 0);
}
END_TEST

START_TEST(volume_closed_in_order_is_found_clean)
{
    store_volume_stamp(fixture_volume);
    ck_assert(!fixture_found.clean);
    fixture_reopen();
    ck_assert(fixture_found.clean);
    ck_assert_uint_eq(fixture_volume->maps[0][46], 0);
}
END_TEST

START_TEST(s1_block_in_doubt_is_believed)
{
    put(5000, "torn", 4);
    store_volume_doubt(fixture_volume, 0, 16384);
    ck_assert_int_eq(fixture_read(0, back, LENGTH), 0);
    ck_assert_mem_eq(back + 5000, "torn", 4);
}
END_TEST

START_TEST(s3_rot_beside_what_is_in_doubt_is_rot)
{
    put(40000, "rot", 3);
    store_volume_doubt(fixture_volume, 0, 16384);
    ck_assert_int_eq(fixture_read(0, back, LENGTH), -EILSEQ);
}
END_TEST

START_TEST(settled_block_has_its_checksum_again)
{
    put(5000, "torn", 4);
    store_volume_doubt(fixture_volume, 0, LENGTH);
    ck_assert_uint_gt(*fixture_found.doubtful, 0);
    settle();
    ck_assert_uint_eq(*fixture_found.doubtful, 0);
    fixture_reopen();
    ck_assert_int_eq(fixture_read(4096, back, 4096), 0);
    put(5000, "rot!", 4);
    ck_assert_int_eq(fixture_read(4096, back, 4096), -EILSEQ);
}
END_TEST

START_TEST(written_block_is_in_doubt_no_more)
{
    store_volume_doubt(fixture_volume, 0, LENGTH);
    ck_assert_int_eq(fixture_write(0, bytes, LENGTH, false), 0);
    ck_assert_uint_eq(*fixture_found.doubtful, 0);
}
END_TEST

static void ignore(struct store_req *req)
{
    ck_assert_int_eq(req->status, 0);
}

START_TEST(write_while_its_block_is_settled_is_not_mistaken_for_rot)
{
    put(5000, "torn", 4);
    store_volume_doubt(fixture_volume, 0, LENGTH);
    struct store_req reqs[16];
    store_volume_settle(fixture_volume);
    for (int i = 0; i < 16; i++) {
        memset(back, 0x40 + i, 4096);
        reqs[i] = (struct store_req){.op = STORE_WRITE,
                                     .volume = fixture_volume,
                                     .offset_bytes = (uint64_t)i * 4096,
                                     .length_bytes = 4096,
                                     .data = fixture_slice(back, 4096),
                                     .done = ignore};
        store_submit(fixture_store, &reqs[i]);
    }
    while (fixture_volume->settling || fixture_volume->in_flight > 0)
        turn();
    settle();
    ck_assert_uint_eq(*fixture_found.doubtful, 0);
    for (int i = 0; i < 16; i++) {
        ck_assert_int_eq(fixture_read((uint64_t)i * 4096, back, 4096), 0);
        ck_assert_int_eq(back[0], 0x40 + i);
        slice_release(&reqs[i].data);
    }
}
END_TEST

/* Seals the first generation. */
static int seal(void)
{
    struct message_command command = {.number = 1, .kind = COMMAND_SEAL, .generation = 1};
    struct store_req req = {.op = STORE_COMMAND, .data = slice_get(&fixture_bufs, 4096)};
    command.identity.bytes[0] = 1;
    struct writer w = writer_of(req.data.bytes, req.data.length_bytes);
    message_command_encode(&w, &command);
    req.data.length_bytes = (uint32_t)writer_length(&w);
    int status = fixture_do(&req);
    slice_release(&req.data);
    return status;
}

/* It could not be repaired afterwards. */
START_TEST(s4_snapshot_soon_after_a_crash_is_readable)
{
    put(5000, "torn", 4);
    store_volume_doubt(fixture_volume, 0, LENGTH);
    ck_assert_int_eq(seal(), 0);
    struct store_req req = {.op = STORE_READ,
                            .generation = 1,
                            .length_bytes = LENGTH,
                            .data = slice_get(&fixture_bufs, LENGTH)};
    ck_assert_int_eq(fixture_do(&req), 0);
    ck_assert_mem_eq(req.data.bytes + 5000, "torn", 4);
    slice_release(&req.data);
}
END_TEST

START_TEST(close_waits_for_the_settling)
{
    store_volume_stamp(fixture_volume);
    store_volume_doubt(fixture_volume, 0, LENGTH);
    store_volume_settle(fixture_volume);
    ck_assert_int_eq(fixture_volume_close(), 0);
    fixture_volume_open();
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*begin)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, begin, fixture_teardown_volume);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, s3_flipped_bit_is_found);
    tcase_add_test(tcase, s3_blocks_beside_a_flipped_bit_are_readable);
    tcase_add_test(tcase, s3_misdirected_write_is_found_at_both_places);
    tcase_add_test(tcase, s3_lost_write_is_found);
    tcase_add_test(tcase, s3_damaged_checksum_is_found);
    tcase_add_test(tcase, checksums_that_are_not_there_fail_a_request_and_no_more);
    tcase_add_test(tcase, checksums_survive_without_a_sync);
    tcase_add_test(tcase, s3_rot_is_found_after_reopen);
    tcase_add_test(tcase, s3_write_over_a_damaged_block_repairs_it);
    tcase_add_test(tcase, volume_closed_in_order_is_found_clean);
    tcase_add_test(tcase, s1_block_in_doubt_is_believed);
    tcase_add_test(tcase, s3_rot_beside_what_is_in_doubt_is_rot);
    tcase_add_test(tcase, settled_block_has_its_checksum_again);
    tcase_add_test(tcase, written_block_is_in_doubt_no_more);
    tcase_add_test(tcase, write_while_its_block_is_settled_is_not_mistaken_for_rot);
    tcase_add_test(tcase, s4_snapshot_soon_after_a_crash_is_readable);
    tcase_add_test(tcase, close_waits_for_the_settling);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("sums");
    add_tests(suite, "threads", setup_threads);
    add_tests(suite, "io_uring", setup_uring);
    return fixture_suite_run(suite);
}
