/* SPDX-License-Identifier: Apache-2.0 */
/* A request's steps against results that a real disk seldom gives: short, refused, failed. */
#include "replica/store/family.h"
#include "replica/store/state.h"
#include "replica/store/step.h"
#include "replica/store/volume.h"
#include "tests/unit/replica/store/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* Steps are planned on a real volume; what they give is the test's. */
static struct store_req req;
static uint8_t page[4096];
static struct segment *segment;

enum { LENGTH = 64u << 10 };

static void setup(void)
{
    static uint8_t bytes[LENGTH];
    fixture_engine = STORE_ENGINE_THREADS;
    fixture_setup_volume();
    memset(bytes, 5, sizeof(bytes));
    ck_assert_int_eq(fixture_write(0, bytes, LENGTH, true), 0);
    segment = family_segment(fixture_volume->family, 0);
    ck_assert(segment->ready);
    req = (struct store_req){
        .volume = fixture_volume, .bytes = page, .data = fixture_slice(bytes, 8192)};
}

static void teardown(void)
{
    slice_release(&req.data);
    fixture_teardown_volume();
}

static void begin(enum store_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    req.op = op;
    req.offset_bytes = offset_bytes;
    req.length_bytes = length_bytes;
    ck_assert_int_eq(step_begin(&req), STEP_GO);
}

static bool end(int64_t result)
{
    req.step.result = result;
    enum step_next next = step_end(&req);
    ck_assert_int_ne(next, STEP_WAIT);
    return next == STEP_DONE;
}

static enum step_next go_on(struct store_req *waiting)
{
    list_remove(&waiting->node);
    return step_resume(waiting, 0);
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
    expect(STEP_READ, segment->fd, 4096, 8192);
    ck_assert_ptr_eq(req.step.bytes, req.data.bytes);
    ck_assert(end(8192));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(short_read_goes_on_where_it_ended)
{
    begin(STORE_READ, 4096, 8192);
    ck_assert(!end(1000));
    expect(STEP_READ, segment->fd, 5096, 7192);
    ck_assert_ptr_eq(req.step.bytes, req.data.bytes + 1000);
    ck_assert(end(7192));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(read_brings_its_checksums)
{
    uint32_t sum = slice_crc(&req.data)[0];
    begin(STORE_READ, 4096, 8192);
    memset(slice_crc(&req.data), 0, 8);
    ck_assert(end(8192));
    ck_assert_uint_eq(slice_crc(&req.data)[0], sum);
    ck_assert_uint_eq(slice_crc(&req.data)[1], sum);
}
END_TEST

START_TEST(s3_changed_bit_is_told_apart_from_a_failed_read)
{
    begin(STORE_READ, 4096, 8192);
    req.data.bytes[5000] ^= 1;
    ck_assert(end(8192));
    ck_assert_int_eq(req.status, -EILSEQ);
}
END_TEST

START_TEST(cold_checksums_are_read_first)
{
    memset(segment->marks, 0, sizeof(segment->marks));
    begin(STORE_READ, 4096, 4096);
    expect(STEP_READ, segment->fd, SEGMENT_BYTES, SUMS_CHUNK_BYTES);
    ck_assert(!end(SUMS_CHUNK_BYTES));
    expect(STEP_READ, segment->fd, 4096, 4096);
    ck_assert(end(4096));
    begin(STORE_READ, 4096, 4096);
    expect(STEP_READ, segment->fd, 4096, 4096);
}
END_TEST

START_TEST(first_write_reserves_space_for_the_checksums)
{
    memset(segment->marks, 0, sizeof(segment->marks));
    begin(STORE_WRITE, 4096, 4096);
    expect(STEP_ALLOCATE, segment->fd, SEGMENT_BYTES, SUMS_CHUNK_BYTES);
    ck_assert_int_eq(req.step.flags, 0);
    ck_assert(!end(0));
    expect(STEP_READ, segment->fd, SEGMENT_BYTES, SUMS_CHUNK_BYTES);
    ck_assert(!end(SUMS_CHUNK_BYTES));
    expect(STEP_PUT, segment->fd, 4096, 4096);
    ck_assert_ptr_eq(req.step.sums_mapped, segment->sums + 1);
    ck_assert(end(4096));
    begin(STORE_WRITE, 8192, 4096);
    expect(STEP_PUT, segment->fd, 8192, 4096);
    ck_assert_ptr_eq(req.step.sums_mapped, segment->sums + 2);
}
END_TEST

/* A store that finds no space would be a signal. */
START_TEST(checksums_without_reserved_space_are_not_stored_in_the_mapping)
{
    memset(segment->marks, 0, sizeof(segment->marks));
    begin(STORE_WRITE, 4096, 4096);
    ck_assert(!end(-ENOSPC));
    ck_assert(!end(SUMS_CHUNK_BYTES));
    expect(STEP_PUT, segment->fd, 4096, 4096);
    ck_assert_ptr_null(req.step.sums_mapped);
    ck_assert_uint_eq(req.step.sums_offset_bytes, SEGMENT_BYTES + STORE_SUM_BYTES);
    ck_assert(end(4096));
    begin(STORE_WRITE, 8192, 4096);
    expect(STEP_PUT, segment->fd, 8192, 4096);
    ck_assert_ptr_null(req.step.sums_mapped);
}
END_TEST

START_TEST(checksums_that_cannot_be_read_are_an_error)
{
    memset(segment->marks, 0, sizeof(segment->marks));
    begin(STORE_READ, 0, 4096);
    ck_assert(end(-EIO));
    ck_assert_int_eq(req.status, -EIO);
}
END_TEST

START_TEST(write_brings_its_checksums_to_their_place)
{
    begin(STORE_WRITE, 8192, 8192);
    expect(STEP_PUT, segment->fd, 8192, 8192);
    ck_assert_ptr_eq(req.step.sums, slice_crc(&req.data));
    ck_assert_uint_eq(req.step.sums_offset_bytes, SEGMENT_BYTES + 2 * STORE_SUM_BYTES);
    ck_assert(end(8192));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(full_disk_refuses_a_write_and_no_more)
{
    begin(STORE_WRITE, 0, 8192);
    ck_assert(end(-ENOSPC));
    ck_assert_int_eq(req.status, -ENOSPC);
    ck_assert(!fixture_volume->sync_failed);
}
END_TEST

/* What it was is gone, perhaps, and its checksum may be that of either. */
START_TEST(s3_failed_write_leaves_what_it_overwrote_in_doubt)
{
    begin(STORE_WRITE, 4096, 8192);
    ck_assert(end(-ENOSPC));
    ck_assert_uint_eq(fixture_volume->doubt.blocks, 2);
}
END_TEST

START_TEST(s3_failed_write_into_new_and_old_places_leaves_the_old_ones_in_doubt)
{
    begin(STORE_WRITE, LENGTH - 4096, 8192);
    expect(STEP_PUT, segment->fd, LENGTH - 4096, 8192);
    ck_assert(end(-ENOSPC));
    ck_assert(doubt_has(&fixture_volume->doubt, LENGTH - 4096));
    ck_assert_uint_eq(fixture_volume->doubt.blocks, 1);
}
END_TEST

START_TEST(s3_failed_write_into_new_places_leaves_nothing_in_doubt)
{
    begin(STORE_WRITE, LENGTH, 8192);
    ck_assert(end(-ENOSPC));
    ck_assert_uint_eq(fixture_volume->doubt.blocks, 0);
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
    begin(STORE_READ, 4096, 8192);
    ck_assert(!end(-EINTR));
    expect(STEP_READ, segment->fd, 4096, 8192);
    ck_assert(!end(-EAGAIN));
    expect(STEP_READ, segment->fd, 4096, 8192);
    ck_assert(end(8192));
}
END_TEST

START_TEST(interrupted_for_ever_ends)
{
    begin(STORE_READ, 0, 8192);
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
    ck_assert(!fixture_volume->sync_failed);
}
END_TEST

START_TEST(fua_write_syncs_at_its_end)
{
    req.fua = true;
    begin(STORE_WRITE, 0, 8192);
    ck_assert(!end(8192));
    expect(STEP_SYNC, segment->fd, 0, 0);
    ck_assert(end(0));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(sync_of_what_was_not_written_is_nothing)
{
    req.op = STORE_SYNC;
    ck_assert_int_eq(step_begin(&req), STEP_DONE);
    ck_assert_int_eq(req.status, 0);
}
END_TEST

/* It may have begun before the write had ended; and the kernel tells an error once. */
START_TEST(s2_sync_waits_for_another_one_and_begins_its_own)
{
    segment->durable.dirty = true;
    begin(STORE_SYNC, 0, 0);
    segment->durable.dirty = true;
    struct store_req other = req;
    other.op = STORE_SYNC;
    ck_assert_int_eq(step_begin(&other), STEP_WAIT);
    ck_assert(end(0));
    ck_assert_int_eq(go_on(&other), STEP_GO);
    ck_assert_int_eq(other.step.kind, STEP_SYNC);
    other.step.result = 0;
    ck_assert_int_eq(step_end(&other), STEP_DONE);
    ck_assert_int_eq(step_begin(&req), STEP_DONE);
}
END_TEST

START_TEST(sync_is_covered_by_one_that_began_after_the_write)
{
    segment->durable.dirty = true;
    begin(STORE_SYNC, 0, 0);
    struct store_req other = req;
    ck_assert_int_eq(step_begin(&other), STEP_WAIT);
    ck_assert(end(0));
    ck_assert_int_eq(go_on(&other), STEP_DONE);
    ck_assert_int_eq(other.status, 0);
}
END_TEST

START_TEST(s2_sync_fails_with_the_one_it_waited_for)
{
    segment->durable.dirty = true;
    begin(STORE_SYNC, 0, 0);
    struct store_req other = req;
    ck_assert_int_eq(step_begin(&other), STEP_WAIT);
    ck_assert(end(-EIO));
    ck_assert_int_eq(go_on(&other), STEP_DONE);
    ck_assert_int_eq(other.status, -EIO);
}
END_TEST

START_TEST(zero_asks_for_holes)
{
    begin(STORE_ZERO, 4096, 8192);
    expect(STEP_ALLOCATE, segment->fd, 4096, 8192);
    ck_assert_int_eq(req.step.flags, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
    ck_assert(end(0));
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(pages_go_to_their_place_durably)
{
    req.index = 1;
    begin(STORE_META, 0, 0);
    expect(STEP_WRITE, fixture_volume->meta_fd[1], 0, STORE_META_BYTES);
    ck_assert_int_eq(req.step.flags, RWF_DSYNC);
    begin(STORE_DRL, 0, 0);
    expect(STEP_WRITE, fixture_volume->drl_fd, STORE_DRL_PAGE_BYTES, STORE_DRL_PAGE_BYTES);
    ck_assert_int_eq(req.step.flags, RWF_DSYNC);
    ck_assert(!end(100));
    expect(STEP_WRITE, fixture_volume->drl_fd, STORE_DRL_PAGE_BYTES + 100,
           STORE_DRL_PAGE_BYTES - 100);
}
END_TEST

START_TEST(s2_failed_sync_is_final)
{
    segment->durable.dirty = true;
    begin(STORE_SYNC, 0, 0);
    ck_assert(end(-ENOSPC));
    ck_assert_int_eq(req.status, -EIO);
    ck_assert_int_eq(step_begin(&req), STEP_DONE);
    ck_assert_int_eq(req.status, -EIO);
    req.op = STORE_WRITE;
    req.length_bytes = 4096;
    req.fua = true;
    ck_assert_int_eq(step_begin(&req), STEP_GO);
    ck_assert(end(4096));
    ck_assert_int_eq(req.status, -EIO);
}
END_TEST

START_TEST(failed_durable_write_is_final)
{
    begin(STORE_DRL, 0, 0);
    ck_assert(end(-EIO));
    ck_assert(fixture_volume->sync_failed);
}
END_TEST

START_TEST(what_is_being_made_durable_is_marked_in_the_mapping)
{
    segment->durable.dirty = true;
    begin(STORE_SYNC, 0, 0);
    ck_assert_uint_eq(fixture_volume->maps[0][45], 1);
    ck_assert(end(0));
    ck_assert_uint_eq(fixture_volume->maps[0][45], 0);
    begin(STORE_WRITE, 0, 4096);
    ck_assert_uint_eq(fixture_volume->maps[0][45], 0);
    ck_assert(end(4096));
}
END_TEST

/* So that the failure itself can still be recorded. */
START_TEST(metadata_may_be_written_after_a_failed_sync)
{
    segment->durable.dirty = true;
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
    ck_assert(!fixture_volume->sync_failed);
}
END_TEST

/* Whether a write of a block finds little space when so much may be used. */
static bool low_at(uint64_t usable_bytes)
{
    fixture_store->space =
        (struct store_space){.total_bytes = (uint64_t)20 << 20, .usable_bytes = usable_bytes};
    fixture_store->space_until_ns = UINT64_MAX;
    ck_assert(store_admit(fixture_store, 4096));
    return store_space_low(fixture_store);
}

START_TEST(s7_little_space_is_told_below_the_threshold_and_taken_back_well_above)
{
    const uint64_t threshold_bytes = (uint64_t)1 << 20;
    ck_assert(!low_at(threshold_bytes));
    ck_assert(low_at(threshold_bytes - 4096));
    ck_assert(low_at(threshold_bytes + 4096));
    ck_assert(low_at(threshold_bytes / 4 * 5 - 4096));
    ck_assert(!low_at(threshold_bytes / 4 * 5));
    ck_assert(!low_at(threshold_bytes));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("step");
    TCase *tcase = tcase_create("step");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, whole_read_is_one_step);
    tcase_add_test(tcase, short_read_goes_on_where_it_ended);
    tcase_add_test(tcase, read_brings_its_checksums);
    tcase_add_test(tcase, s3_changed_bit_is_told_apart_from_a_failed_read);
    tcase_add_test(tcase, cold_checksums_are_read_first);
    tcase_add_test(tcase, first_write_reserves_space_for_the_checksums);
    tcase_add_test(tcase, checksums_without_reserved_space_are_not_stored_in_the_mapping);
    tcase_add_test(tcase, checksums_that_cannot_be_read_are_an_error);
    tcase_add_test(tcase, write_brings_its_checksums_to_their_place);
    tcase_add_test(tcase, full_disk_refuses_a_write_and_no_more);
    tcase_add_test(tcase, s3_failed_write_leaves_what_it_overwrote_in_doubt);
    tcase_add_test(tcase, s3_failed_write_into_new_and_old_places_leaves_the_old_ones_in_doubt);
    tcase_add_test(tcase, s3_failed_write_into_new_places_leaves_nothing_in_doubt);
    tcase_add_test(tcase, quota_counts_as_no_space);
    tcase_add_test(tcase, end_of_file_is_an_error);
    tcase_add_test(tcase, interrupted_call_is_made_again);
    tcase_add_test(tcase, interrupted_for_ever_ends);
    tcase_add_test(tcase, read_error_is_reported);
    tcase_add_test(tcase, fua_write_syncs_at_its_end);
    tcase_add_test(tcase, sync_of_what_was_not_written_is_nothing);
    tcase_add_test(tcase, s2_sync_waits_for_another_one_and_begins_its_own);
    tcase_add_test(tcase, sync_is_covered_by_one_that_began_after_the_write);
    tcase_add_test(tcase, s2_sync_fails_with_the_one_it_waited_for);
    tcase_add_test(tcase, zero_asks_for_holes);
    tcase_add_test(tcase, pages_go_to_their_place_durably);
    tcase_add_test(tcase, s2_failed_sync_is_final);
    tcase_add_test(tcase, failed_durable_write_is_final);
    tcase_add_test(tcase, what_is_being_made_durable_is_marked_in_the_mapping);
    tcase_add_test(tcase, metadata_may_be_written_after_a_failed_sync);
    tcase_add_test(tcase, full_disk_refuses_a_durable_write_without_finality);
    tcase_add_test(tcase, s7_little_space_is_told_below_the_threshold_and_taken_back_well_above);
    suite_add_tcase(suite, tcase);
    return fixture_suite_run(suite);
}
