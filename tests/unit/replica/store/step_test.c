/* SPDX-License-Identifier: Apache-2.0 */
/* A request's steps against results that a real disk seldom gives: short, refused, failed. */
#include "replica/store/step.h"
#include "replica/store/volume.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/uio.h>

static uint8_t map[MAP_HEADER_BYTES];
static uint8_t bytes[8192];
static struct store_volume volume;
static struct store_req req;

enum { META_0_FD = 10, META_1_FD, DRL_FD, DATA_FD };

static void setup(void)
{
    volume = (struct store_volume){.meta_fd = {META_0_FD, META_1_FD},
                                   .drl_fd = DRL_FD,
                                   .data_fd = DATA_FD,
                                   .data_bytes = (uint64_t)1 << 40,
                                   .drl_bytes = 2 * STORE_DRL_PAGE_BYTES,
                                   .map = map};
    req = (struct store_req){
        .volume = &volume, .bytes = bytes, .data = {.bytes = bytes, .length_bytes = sizeof(bytes)}};
}

static void begin(enum store_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    req.op = op;
    req.offset_bytes = offset_bytes;
    req.length_bytes = length_bytes;
    ck_assert(!step_begin(&req));
}

static bool end(int64_t result)
{
    req.step.result = result;
    return step_end(&req);
}

static void expect(enum step_kind kind, int fd, uint64_t offset_bytes, uint64_t length_bytes)
{
    ck_assert_int_eq(req.step.kind, kind);
    ck_assert_int_eq(req.step.fd, fd);
    ck_assert_uint_eq(req.step.offset_bytes, offset_bytes);
    ck_assert_uint_eq(req.step.length_bytes, length_bytes);
}

START_TEST(whole_read_is_one_step)
{
    begin(STORE_READ, 4096, 8192);
    expect(STEP_READ, DATA_FD, 4096, 8192);
    ck_assert_ptr_eq(req.step.bytes, bytes);
    ck_assert(end(8192));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(short_read_goes_on_where_it_ended)
{
    begin(STORE_READ, 4096, 8192);
    ck_assert(!end(1000));
    expect(STEP_READ, DATA_FD, 5096, 7192);
    ck_assert_ptr_eq(req.step.bytes, bytes + 1000);
    ck_assert(end(7192));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(short_write_goes_on_where_it_ended)
{
    begin(STORE_WRITE, 0, 8192);
    ck_assert(!end(4096));
    expect(STEP_WRITE, DATA_FD, 4096, 4096);
    ck_assert(end(4096));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(short_write_then_full_disk_is_no_space)
{
    begin(STORE_WRITE, 0, 8192);
    ck_assert(!end(4096));
    ck_assert(end(-ENOSPC));
    ck_assert_int_eq(req.status, -ENOSPC);
    ck_assert(!volume.sync_failed);
}
END_TEST

START_TEST(quota_counts_as_no_space)
{
    begin(STORE_WRITE, 0, 8192);
    ck_assert(end(-EDQUOT));
    ck_assert_int_eq(req.status, -ENOSPC);
}
END_TEST

START_TEST(end_of_file_is_an_error)
{
    begin(STORE_READ, 0, 8192);
    ck_assert(end(0));
    ck_assert_int_eq(req.status, -EIO);
}
END_TEST

START_TEST(interrupted_call_is_made_again)
{
    begin(STORE_WRITE, 0, 8192);
    ck_assert(!end(-EINTR));
    expect(STEP_WRITE, DATA_FD, 0, 8192);
    ck_assert(!end(-EAGAIN));
    expect(STEP_WRITE, DATA_FD, 0, 8192);
    ck_assert(end(8192));
}
END_TEST

START_TEST(interrupted_for_ever_ends)
{
    begin(STORE_WRITE, 0, 8192);
    int calls = 0;
    while (!end(-EAGAIN))
        ck_assert_int_lt(calls++, 100000);
    ck_assert_int_eq(req.status, -EAGAIN);
}
END_TEST

START_TEST(read_error_is_reported)
{
    begin(STORE_READ, 0, 8192);
    ck_assert(end(-EIO));
    ck_assert_int_eq(req.status, -EIO);
    ck_assert(!volume.sync_failed);
}
END_TEST

START_TEST(fua_write_is_durable_by_itself)
{
    req.fua = true;
    begin(STORE_WRITE, 0, 8192);
    ck_assert_int_eq(req.step.flags, RWF_DSYNC);
    ck_assert(end(8192));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(plain_write_is_not)
{
    begin(STORE_WRITE, 0, 8192);
    ck_assert_int_eq(req.step.flags, 0);
}
END_TEST

START_TEST(zero_asks_for_holes)
{
    begin(STORE_ZERO, 4096, 8192);
    expect(STEP_ALLOCATE, DATA_FD, 4096, 8192);
    ck_assert_int_eq(req.step.flags, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    ck_assert(end(0));
}
END_TEST

START_TEST(zero_without_holes_keeps_the_space)
{
    req.no_hole = true;
    begin(STORE_ZERO, 4096, 8192);
    ck_assert_int_eq(req.step.flags, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
}
END_TEST

START_TEST(long_zero_goes_in_bounded_steps)
{
    uint64_t left = (uint64_t)1 << 40;
    begin(STORE_ZERO, 0, left);
    int steps = 0;
    for (bool ended = false; !ended; steps++) {
        ck_assert_uint_le(req.step.length_bytes, left);
        left -= req.step.length_bytes;
        ended = end(0);
    }
    ck_assert_uint_eq(left, 0);
    ck_assert_int_gt(steps, 2);
}
END_TEST

START_TEST(zero_writes_zeros_where_holes_are_refused)
{
    begin(STORE_ZERO, 0, 1u << 20);
    ck_assert(!end(-EOPNOTSUPP));
    uint64_t written = 0;
    for (bool ended = false; !ended;) {
        ck_assert_int_eq(req.step.kind, STEP_WRITE);
        ck_assert_uint_eq(req.step.offset_bytes, written);
        const uint8_t *zeros = req.step.bytes;
        ck_assert(zeros[0] == 0 && memcmp(zeros, zeros + 1, req.step.length_bytes - 1) == 0);
        written += req.step.length_bytes;
        ended = end((int64_t)req.step.length_bytes);
    }
    ck_assert_uint_eq(written, 1u << 20);
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(refused_holes_are_not_asked_for_again)
{
    begin(STORE_ZERO, 0, 4096);
    ck_assert(!end(-EOPNOTSUPP));
    ck_assert(end(4096));
    begin(STORE_ZERO, 0, 4096);
    ck_assert_int_eq(req.step.kind, STEP_WRITE);
    req.no_hole = true;
    begin(STORE_ZERO, 0, 4096);
    ck_assert_int_eq(req.step.kind, STEP_ALLOCATE);
}
END_TEST

START_TEST(fua_zero_syncs_at_its_end)
{
    req.fua = true;
    begin(STORE_ZERO, 0, 4096);
    ck_assert(!end(0));
    ck_assert_int_eq(req.step.kind, STEP_SYNC);
    ck_assert_int_eq(req.step.fd, DATA_FD);
    ck_assert(end(0));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(pages_go_to_their_place_durably)
{
    req.index = 1;
    begin(STORE_META, 0, 0);
    expect(STEP_WRITE, META_1_FD, 0, STORE_META_BYTES);
    ck_assert_int_eq(req.step.flags, RWF_DSYNC);
    begin(STORE_DRL, 0, 0);
    expect(STEP_WRITE, DRL_FD, STORE_DRL_PAGE_BYTES, STORE_DRL_PAGE_BYTES);
    ck_assert_int_eq(req.step.flags, RWF_DSYNC);
    ck_assert(!end(100));
    expect(STEP_WRITE, DRL_FD, STORE_DRL_PAGE_BYTES + 100, STORE_DRL_PAGE_BYTES - 100);
}
END_TEST

START_TEST(failed_sync_is_final)
{
    begin(STORE_SYNC, 0, 0);
    ck_assert(end(-ENOSPC));
    ck_assert_int_eq(req.status, -EIO);
    ck_assert(step_begin(&req));
    ck_assert_int_eq(req.status, -EIO);
    req.op = STORE_WRITE;
    req.length_bytes = 4096;
    req.fua = true;
    ck_assert(step_begin(&req));
    ck_assert_int_eq(req.status, -EIO);
    req.fua = false;
    ck_assert(!step_begin(&req));
}
END_TEST

START_TEST(failed_durable_write_is_final)
{
    begin(STORE_DRL, 0, 0);
    ck_assert(end(-EIO));
    ck_assert(volume.sync_failed);
}
END_TEST

START_TEST(what_is_being_made_durable_is_marked_in_the_mapping)
{
    begin(STORE_SYNC, 0, 0);
    ck_assert_uint_eq(volume.map[53], 1);
    ck_assert(end(0));
    ck_assert_uint_eq(volume.map[53], 0);
    begin(STORE_WRITE, 0, 4096);
    ck_assert_uint_eq(volume.map[53], 0);
    ck_assert(end(4096));
}
END_TEST

/* So that the failure itself can still be recorded. */
START_TEST(metadata_may_be_written_after_a_failed_sync)
{
    begin(STORE_SYNC, 0, 0);
    ck_assert(end(-EIO));
    begin(STORE_META, 0, 0);
    ck_assert(end(STORE_META_BYTES));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(full_disk_refuses_a_durable_write_without_finality)
{
    begin(STORE_META, 0, 0);
    ck_assert(end(-ENOSPC));
    ck_assert(!volume.sync_failed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("step");
    TCase *tcase = tcase_create("step");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, whole_read_is_one_step);
    tcase_add_test(tcase, short_read_goes_on_where_it_ended);
    tcase_add_test(tcase, short_write_goes_on_where_it_ended);
    tcase_add_test(tcase, short_write_then_full_disk_is_no_space);
    tcase_add_test(tcase, quota_counts_as_no_space);
    tcase_add_test(tcase, end_of_file_is_an_error);
    tcase_add_test(tcase, interrupted_call_is_made_again);
    tcase_add_test(tcase, interrupted_for_ever_ends);
    tcase_add_test(tcase, read_error_is_reported);
    tcase_add_test(tcase, fua_write_is_durable_by_itself);
    tcase_add_test(tcase, plain_write_is_not);
    tcase_add_test(tcase, zero_asks_for_holes);
    tcase_add_test(tcase, zero_without_holes_keeps_the_space);
    tcase_add_test(tcase, long_zero_goes_in_bounded_steps);
    tcase_add_test(tcase, zero_writes_zeros_where_holes_are_refused);
    tcase_add_test(tcase, refused_holes_are_not_asked_for_again);
    tcase_add_test(tcase, fua_zero_syncs_at_its_end);
    tcase_add_test(tcase, pages_go_to_their_place_durably);
    tcase_add_test(tcase, failed_sync_is_final);
    tcase_add_test(tcase, failed_durable_write_is_final);
    tcase_add_test(tcase, what_is_being_made_durable_is_marked_in_the_mapping);
    tcase_add_test(tcase, metadata_may_be_written_after_a_failed_sync);
    tcase_add_test(tcase, full_disk_refuses_a_durable_write_without_finality);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
