/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of any shape become operations on whole blocks; the replication core is a fake here. */
#include "target/volume/state.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <string.h>

enum { VOLUME_BYTES = 64 << 20 };

static struct buf_pool bufs;
static struct config config = {.size_bytes = VOLUME_BYTES};
static struct block_req req;
static struct volume_op vop;

const struct config *volume_config(const struct volume *volume)
{
    (void)volume;
    return &config;
}

static void setup(void)
{
    buf_pool_init(&bufs, 1 << 30);
}

/* A request of that shape; a write's data counts up from `first`. */
static void request(enum block_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    req = (struct block_req){.op = op, .offset_bytes = offset_bytes, .length_bytes = length_bytes};
    vop = (struct volume_op){.req = &req};
    if (op == BLOCK_WRITE || op == BLOCK_COMPARE_WRITE || op == BLOCK_OR_WRITE) {
        uint64_t length = op == BLOCK_COMPARE_WRITE ? 2 * length_bytes : length_bytes;
        req.data = slice_get(&bufs, (uint32_t)length);
        for (uint64_t i = 0; i < length; i++)
            req.data.bytes[i] = (uint8_t)(i * 7 + 1);
    }
}

static void expect_part(enum repl_op_kind kind, uint64_t offset_bytes, uint64_t length_bytes)
{
    part_next(&vop, &bufs);
    ck_assert_int_eq(vop.op.kind, kind);
    ck_assert_uint_eq(vop.op.offset_bytes, offset_bytes);
    ck_assert_uint_eq(vop.op.length_bytes, length_bytes);
}

/* What the core gives back for a READ or lends for an UPDATE: blocks of one byte value. */
static void range_holds(uint8_t value)
{
    vop.op.data = slice_get(&bufs, (uint32_t)vop.op.length_bytes);
    memset(vop.op.data.bytes, value, vop.op.data.length_bytes);
}

static void end(void)
{
    slice_release(&req.data);
    buf_pool_release(&bufs);
}

START_TEST(aligned_write_is_one_write_of_its_own_bytes)
{
    request(BLOCK_WRITE, 8192, 8192);
    expect_part(REPL_WRITE, 8192, 8192);
    ck_assert_ptr_eq(vop.op.data.bytes, req.data.bytes);
    ck_assert(slice_crc_ok(&vop.op.data));
    ck_assert(part_finish(&vop));
    end();
}
END_TEST

START_TEST(long_write_is_done_in_parts_of_a_mebibyte)
{
    request(BLOCK_WRITE, 4096, (2 << 20) + 4096);
    expect_part(REPL_WRITE, 4096, 1 << 20);
    ck_assert(!part_finish(&vop));
    expect_part(REPL_WRITE, 4096 + (1 << 20), 1 << 20);
    ck_assert_ptr_eq(vop.op.data.bytes, req.data.bytes + (1 << 20));
    ck_assert(!part_finish(&vop));
    expect_part(REPL_WRITE, 4096 + (2 << 20), 4096);
    ck_assert(part_finish(&vop));
    end();
}
END_TEST

START_TEST(write_of_a_piece_keeps_the_bytes_around_it)
{
    request(BLOCK_WRITE, 4096 + 512, 1024);
    expect_part(REPL_UPDATE, 4096, 4096);
    range_holds(0xee);
    ck_assert(part_merge(&vop, &bufs));
    ck_assert(slice_crc_ok(&vop.op.data));
    ck_assert_uint_eq(vop.op.data.bytes[511], 0xee);
    ck_assert_mem_eq(vop.op.data.bytes + 512, req.data.bytes, 1024);
    ck_assert_uint_eq(vop.op.data.bytes[512 + 1024], 0xee);
    ck_assert(part_finish(&vop));
    end();
}
END_TEST

START_TEST(merge_leaves_what_was_read_alone)
{
    request(BLOCK_WRITE, 512, 512);
    part_next(&vop, &bufs);
    range_holds(0xee);
    struct slice shared = slice_ref(&vop.op.data);
    ck_assert(part_merge(&vop, &bufs));
    ck_assert_uint_eq(shared.bytes[512], 0xee);
    slice_release(&shared);
    ck_assert(part_finish(&vop));
    end();
}
END_TEST

START_TEST(odd_read_is_a_view_into_its_blocks)
{
    request(BLOCK_READ, 4096 + 100, 5000);
    expect_part(REPL_READ, 4096, 8192);
    range_holds(0x33);
    uint8_t *bytes = vop.op.data.bytes;
    ck_assert(part_finish(&vop));
    ck_assert_ptr_eq(req.data.bytes, bytes + 100);
    ck_assert_uint_eq(req.data.length_bytes, 5000);
    end();
}
END_TEST

START_TEST(long_odd_read_is_gathered)
{
    request(BLOCK_READ, 100, 3 << 19);
    expect_part(REPL_READ, 0, 1 << 20);
    range_holds(1);
    ck_assert(!part_finish(&vop));
    expect_part(REPL_READ, 1 << 20, (1 << 19) + 4096);
    range_holds(2);
    ck_assert(part_finish(&vop));
    ck_assert_uint_eq(req.data.length_bytes, 3 << 19);
    ck_assert_uint_eq(req.data.bytes[(1 << 20) - 101], 1);
    ck_assert_uint_eq(req.data.bytes[(1 << 20) - 100], 2);
    ck_assert_uint_eq(req.data.bytes[(3 << 19) - 1], 2);
    end();
}
END_TEST

START_TEST(failed_read_gives_no_data)
{
    request(BLOCK_READ, 0, 4096);
    part_next(&vop, &bufs);
    vop.op.status = -EIO;
    ck_assert(part_finish(&vop));
    ck_assert_int_eq(req.status, -EIO);
    ck_assert_ptr_null(req.data.buf);
    end();
}
END_TEST

START_TEST(failed_part_ends_the_request)
{
    request(BLOCK_WRITE, 0, 2 << 20);
    part_next(&vop, &bufs);
    vop.op.status = -ENOSPC;
    ck_assert(part_finish(&vop));
    ck_assert_int_eq(req.status, -ENOSPC);
    end();
}
END_TEST

START_TEST(odd_zero_merges_the_edges_and_zeroes_whole_blocks_between)
{
    request(BLOCK_ZERO, 4096 - 96, 96 + 8192 + 10);
    expect_part(REPL_UPDATE, 0, 4096);
    range_holds(0xaa);
    ck_assert(part_merge(&vop, &bufs));
    ck_assert_uint_eq(vop.op.data.bytes[3999], 0xaa);
    ck_assert_uint_eq(vop.op.data.bytes[4000], 0);
    ck_assert(!part_finish(&vop));
    expect_part(REPL_ZERO, 4096, 8192);
    ck_assert(!part_finish(&vop));
    expect_part(REPL_UPDATE, 12288, 4096);
    range_holds(0xaa);
    ck_assert(part_merge(&vop, &bufs));
    ck_assert_uint_eq(vop.op.data.bytes[9], 0);
    ck_assert_uint_eq(vop.op.data.bytes[10], 0xaa);
    ck_assert(part_finish(&vop));
    end();
}
END_TEST

START_TEST(compare_and_write_writes_when_equal)
{
    request(BLOCK_COMPARE_WRITE, 512, 512);
    expect_part(REPL_UPDATE, 0, 4096);
    range_holds(0xee);
    memcpy(vop.op.data.bytes + 512, req.data.bytes, 512);
    ck_assert(part_merge(&vop, &bufs));
    ck_assert_mem_eq(vop.op.data.bytes + 512, req.data.bytes + 512, 512);
    ck_assert(part_finish(&vop));
    end();
}
END_TEST

START_TEST(compare_and_write_says_where_it_differs)
{
    request(BLOCK_COMPARE_WRITE, 512, 512);
    part_next(&vop, &bufs);
    range_holds(0xee);
    memcpy(vop.op.data.bytes + 512, req.data.bytes, 17);
    vop.op.data.bytes[512 + 17] = (uint8_t)~req.data.bytes[17];
    ck_assert(!part_merge(&vop, &bufs));
    ck_assert_int_eq(vop.op.status, -EILSEQ);
    ck_assert_uint_eq(req.mismatch_bytes, 17);
    ck_assert(part_finish(&vop));
    end();
}
END_TEST

START_TEST(request_beyond_the_end_is_refused)
{
    request(BLOCK_READ, VOLUME_BYTES - 4096, 8192);
    ck_assert_int_eq(volume_request_check(NULL, &req), -EINVAL);
    request(BLOCK_READ, UINT64_MAX - 4095, 8192);
    ck_assert_int_eq(volume_request_check(NULL, &req), -EINVAL);
    request(BLOCK_READ, VOLUME_BYTES - 4096, 4096);
    ck_assert_int_eq(volume_request_check(NULL, &req), 0);
    end();
}
END_TEST

START_TEST(or_write_keeps_the_bits_that_are_there)
{
    request(BLOCK_OR_WRITE, 512, (1 << 20) + 1024);
    expect_part(REPL_UPDATE, 0, 1 << 20);
    range_holds(0x81);
    ck_assert(part_merge(&vop, &bufs));
    ck_assert(slice_crc_ok(&vop.op.data));
    ck_assert_uint_eq(vop.op.data.bytes[511], 0x81);
    ck_assert_uint_eq(vop.op.data.bytes[512 + 9], req.data.bytes[9] | 0x81);
    ck_assert(!part_finish(&vop));
    expect_part(REPL_UPDATE, 1 << 20, 4096);
    range_holds(0x81);
    ck_assert(part_merge(&vop, &bufs));
    ck_assert_uint_eq(vop.op.data.bytes[0], req.data.bytes[(1 << 20) - 512] | 0x81);
    ck_assert_uint_eq(vop.op.data.bytes[1535], req.data.bytes[(1 << 20) + 1023] | 0x81);
    ck_assert_uint_eq(vop.op.data.bytes[1536], 0x81);
    ck_assert(part_finish(&vop));
    end();
}
END_TEST

/* What the core gives back for a DIFF. */
static void runs_are(const struct diff_run *runs, uint32_t count)
{
    vop.op.data = slice_get(&bufs, 4096);
    struct writer w = writer_of(vop.op.data.bytes, 4096);
    for (uint32_t i = 0; i < count; i++)
        diff_run_encode(&w, &runs[i]);
    vop.op.data.length_bytes = (uint32_t)writer_length(&w);
}

static struct block_run runs[3];

static void status_request(uint64_t offset_bytes, uint64_t length_bytes, uint32_t runs_max)
{
    request(BLOCK_STATUS, offset_bytes, length_bytes);
    req.runs = runs;
    req.runs_max = runs_max;
    req.generation = 5;
    req.from_generation = 3;
}

START_TEST(status_is_a_diff_cut_to_the_request)
{
    static const struct diff_run told[] = {
        {8192, DIFF_DATA}, {4096, DIFF_ZERO}, {4096, DIFF_ABSENT}, {4096, DIFF_ABSENT}};
    status_request(4096 + 512, 8192 + 4096, 3);
    expect_part(REPL_DIFF, 4096, 16384);
    ck_assert_uint_eq(vop.op.generation, 5);
    ck_assert_uint_eq(vop.op.from_generation, 3);
    runs_are(told, 4);
    ck_assert(part_finish(&vop));
    ck_assert_int_eq(req.status, 0);
    ck_assert_uint_eq(req.runs_count, 3);
    ck_assert_uint_eq(runs[0].length_bytes, 8192 - 512);
    ck_assert_uint_eq(runs[0].state, BLOCK_DATA);
    ck_assert_uint_eq(runs[1].length_bytes, 4096);
    ck_assert_uint_eq(runs[1].state, BLOCK_ZEROED);
    ck_assert_uint_eq(runs[2].length_bytes, 512);
    ck_assert_uint_eq(runs[2].state, BLOCK_HOLE);
    end();
}
END_TEST

START_TEST(status_may_tell_less_than_was_asked_for)
{
    static const struct diff_run told[] = {
        {4096, DIFF_DATA}, {4096, DIFF_DATA}, {4096, DIFF_ZERO}, {4096, DIFF_DATA}};
    status_request(0, 1 << 20, 2);
    expect_part(REPL_DIFF, 0, 1 << 20);
    runs_are(told, 4);
    ck_assert(part_finish(&vop));
    ck_assert_int_eq(req.status, 0);
    ck_assert_uint_eq(req.runs_count, 2);
    ck_assert_uint_eq(runs[0].length_bytes, 8192);
    end();
}
END_TEST

START_TEST(status_that_replicas_cannot_tell_says_so)
{
    status_request(0, 8192, 3);
    expect_part(REPL_DIFF, 0, 8192);
    vop.op.status = -EINVAL;
    ck_assert(part_finish(&vop));
    ck_assert_int_eq(req.status, -EOPNOTSUPP);
    status_request(0, 8192, 3);
    expect_part(REPL_DIFF, 0, 8192);
    runs_are(NULL, 0);
    ck_assert(part_finish(&vop));
    ck_assert_int_eq(req.status, -EIO);
    end();
}
END_TEST

START_TEST(row_is_a_command)
{
    static uint8_t value[] = "value";
    request(BLOCK_SET_ROW, 0, 0);
    req.key = "reservations";
    req.data = (struct slice){.bytes = value, .length_bytes = 5};
    ck_assert_int_eq(volume_request_check(NULL, &req), 0);
    part_next(&vop, &bufs);
    ck_assert_int_eq(vop.op.kind, REPL_COMMAND);
    ck_assert_int_eq(vop.op.command.kind, COMMAND_SET);
    ck_assert_str_eq(vop.op.command.key, "reservations");
    ck_assert_uint_eq(vop.op.command.value_bytes, 5);
    ck_assert(part_finish(&vop));
    req.key = "";
    ck_assert_int_eq(volume_request_check(NULL, &req), -EINVAL);
    req.data = (struct slice){0};
    end();
}
END_TEST

START_TEST(snapshot_is_read_and_never_written)
{
    static const enum block_op changes[] = {BLOCK_WRITE, BLOCK_ZERO, BLOCK_OR_WRITE,
                                            BLOCK_COMPARE_WRITE, BLOCK_SET_ROW};
    request(BLOCK_READ, 512, 512);
    req.generation = 4;
    ck_assert_int_eq(volume_request_check(NULL, &req), 0);
    expect_part(REPL_READ, 0, 4096);
    ck_assert_uint_eq(vop.op.generation, 4);
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        request(changes[i], 0, 4096);
        req.generation = 4;
        ck_assert_int_eq(volume_request_check(NULL, &req), -EROFS);
        slice_release(&req.data);
    }
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("part");
    TCase *tcase = tcase_create("part");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, aligned_write_is_one_write_of_its_own_bytes);
    tcase_add_test(tcase, long_write_is_done_in_parts_of_a_mebibyte);
    tcase_add_test(tcase, or_write_keeps_the_bits_that_are_there);
    tcase_add_test(tcase, write_of_a_piece_keeps_the_bytes_around_it);
    tcase_add_test(tcase, merge_leaves_what_was_read_alone);
    tcase_add_test(tcase, odd_read_is_a_view_into_its_blocks);
    tcase_add_test(tcase, status_is_a_diff_cut_to_the_request);
    tcase_add_test(tcase, status_may_tell_less_than_was_asked_for);
    tcase_add_test(tcase, status_that_replicas_cannot_tell_says_so);
    tcase_add_test(tcase, row_is_a_command);
    tcase_add_test(tcase, snapshot_is_read_and_never_written);
    tcase_add_test(tcase, long_odd_read_is_gathered);
    tcase_add_test(tcase, failed_read_gives_no_data);
    tcase_add_test(tcase, failed_part_ends_the_request);
    tcase_add_test(tcase, odd_zero_merges_the_edges_and_zeroes_whole_blocks_between);
    tcase_add_test(tcase, compare_and_write_writes_when_equal);
    tcase_add_test(tcase, compare_and_write_says_where_it_differs);
    tcase_add_test(tcase, request_beyond_the_end_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
