/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may ask, what it is told when it may not, and what the volume is asked then. */
#include "target/front/nbd/request.h"
#include "tests/lib/suite.h"

#include <errno.h>

enum { SIZE = 1 << 20, LARGE = 64 << 20 };

static struct export export;
static struct nbd_session session;

static void setup(void)
{
    export = (struct export){.name = "vol", .size_bytes = SIZE};
    session = (struct nbd_session){.export = &export, .structured = true, .contexts = {.mask = 1}};
}

static int status_of(const struct nbd_header *header)
{
    int status = 0;
    const char *why = nbd_request_invalid(&session, header, &status);
    if (!why)
        return 0;
    ck_assert_int_lt(status, 0);
    return status;
}

static const struct nbd_header good[] = {
    {.type = NBD_CMD_READ, .offset_bytes = 0, .length_bytes = SIZE},
    {.type = NBD_CMD_READ, .offset_bytes = SIZE - 1, .length_bytes = 1},
    {.type = NBD_CMD_READ, .offset_bytes = SIZE, .length_bytes = 0},
    {.type = NBD_CMD_READ, .offset_bytes = 1, .length_bytes = 3, .flags = NBD_CMD_FLAG_DF},
    {.type = NBD_CMD_READ, .flags = NBD_CMD_FLAG_FUA, .length_bytes = 1},
    {.type = NBD_CMD_WRITE, .flags = NBD_CMD_FLAG_FUA, .length_bytes = SIZE},
    {.type = NBD_CMD_FLUSH, .flags = NBD_CMD_FLAG_FUA},
    {.type = NBD_CMD_TRIM, .flags = NBD_CMD_FLAG_FUA, .length_bytes = 4096},
    {.type = NBD_CMD_CACHE, .length_bytes = SIZE},
    {.type = NBD_CMD_WRITE_ZEROES,
     .flags = NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_FAST_ZERO,
     .length_bytes = SIZE},
    {.type = NBD_CMD_WRITE_ZEROES, .flags = NBD_CMD_FLAG_NO_HOLE, .length_bytes = SIZE},
    {.type = NBD_CMD_BLOCK_STATUS, .flags = NBD_CMD_FLAG_REQ_ONE, .length_bytes = SIZE},
};

START_TEST(may_be_asked)
{
    ck_assert_int_eq(status_of(&good[_i]), 0);
}
END_TEST

static const struct {
    struct nbd_header header;
    int status;
} bad[] = {
    {{.type = NBD_CMD_READ, .offset_bytes = SIZE, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_READ, .offset_bytes = SIZE + 1, .length_bytes = 0}, -EINVAL},
    {{.type = NBD_CMD_READ, .offset_bytes = UINT64_MAX, .length_bytes = UINT32_MAX}, -EINVAL},
    {{.type = NBD_CMD_READ, .flags = NBD_CMD_FLAG_NO_HOLE, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_WRITE, .offset_bytes = SIZE - 1, .length_bytes = 2}, -ENOSPC},
    {{.type = NBD_CMD_WRITE, .flags = NBD_CMD_FLAG_DF, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_WRITE_ZEROES, .offset_bytes = 1, .length_bytes = SIZE}, -ENOSPC},
    {{.type = NBD_CMD_WRITE_ZEROES, .flags = NBD_CMD_FLAG_REQ_ONE, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_TRIM, .offset_bytes = 1, .length_bytes = SIZE}, -EINVAL},
    {{.type = NBD_CMD_TRIM, .flags = NBD_CMD_FLAG_FAST_ZERO, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_CACHE, .offset_bytes = 1, .length_bytes = SIZE}, -EINVAL},
    {{.type = NBD_CMD_FLUSH, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_FLUSH, .offset_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_BLOCK_STATUS, .length_bytes = 0}, -EINVAL},
    {{.type = NBD_CMD_BLOCK_STATUS, .offset_bytes = 1, .length_bytes = SIZE}, -EINVAL},
    {{.type = 8, .length_bytes = 1}, -EINVAL},
    {{.type = 0xffff}, -EINVAL},
    {{.type = NBD_CMD_READ, .flags = 0x8000, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_READ, .flags = 1u << 5, .length_bytes = 1}, -EINVAL},
};

START_TEST(may_not_be_asked)
{
    ck_assert_int_eq(status_of(&bad[_i].header), bad[_i].status);
}
END_TEST

START_TEST(read_beyond_the_longest_is_too_large)
{
    export.size_bytes = LARGE;
    struct nbd_header header = {.type = NBD_CMD_READ, .length_bytes = NBD_PAYLOAD_BYTES_MAX};
    ck_assert_int_eq(status_of(&header), 0);
    header.length_bytes++;
    ck_assert_int_eq(status_of(&header), -EOVERFLOW);
    session.structured = false;
    ck_assert_int_eq(status_of(&header), -EINVAL);
}
END_TEST

START_TEST(zeroing_without_holes_is_not_said_to_be_fast)
{
    struct nbd_header header = {.type = NBD_CMD_WRITE_ZEROES,
                                .flags = NBD_CMD_FLAG_FAST_ZERO | NBD_CMD_FLAG_NO_HOLE,
                                .length_bytes = 4096};
    ck_assert_int_eq(status_of(&header), -EOPNOTSUPP);
}
END_TEST

static const struct {
    struct nbd_header header;
    int status;
} extended[] = {
    {{.type = NBD_CMD_WRITE, .flags = NBD_CMD_FLAG_PAYLOAD_LEN, .length_bytes = 1}, 0},
    {{.type = NBD_CMD_WRITE, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_READ, .flags = NBD_CMD_FLAG_PAYLOAD_LEN, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_FLUSH, .flags = NBD_CMD_FLAG_PAYLOAD_LEN, .length_bytes = 1}, -EINVAL},
    {{.type = NBD_CMD_TRIM, .flags = NBD_CMD_FLAG_PAYLOAD_LEN, .length_bytes = 8}, -EINVAL},
    {{.type = NBD_CMD_BLOCK_STATUS, .flags = NBD_CMD_FLAG_PAYLOAD_LEN, .length_bytes = 12}, 0},
    {{.type = NBD_CMD_BLOCK_STATUS, .flags = NBD_CMD_FLAG_PAYLOAD_LEN, .length_bytes = 8}, -EINVAL},
    {{.type = NBD_CMD_BLOCK_STATUS, .flags = NBD_CMD_FLAG_PAYLOAD_LEN, .length_bytes = 4096},
     -EINVAL},
    {{.type = NBD_CMD_READ, .length_bytes = UINT64_C(1) << 32}, -EOVERFLOW},
    {{.type = NBD_CMD_TRIM, .length_bytes = UINT64_C(1) << 40}, 0},
    {{.type = NBD_CMD_WRITE_ZEROES, .offset_bytes = 1, .length_bytes = UINT64_C(1) << 40}, -ENOSPC},
    {{.type = NBD_CMD_CACHE, .length_bytes = UINT64_MAX}, -EINVAL},
    {{.type = NBD_CMD_BLOCK_STATUS, .length_bytes = UINT64_C(1) << 40}, 0},
};

START_TEST(extended_headers_have_rules_of_their_own)
{
    export.size_bytes = UINT64_C(1) << 40;
    session.extended = true;
    ck_assert_int_eq(status_of(&extended[_i].header), extended[_i].status);
}
END_TEST

START_TEST(payload_is_a_writes_or_a_flags)
{
    struct nbd_header header = {.type = NBD_CMD_WRITE, .length_bytes = 7};
    ck_assert_uint_eq(nbd_request_payload_bytes(&session, &header), 7);
    session.extended = true;
    ck_assert_uint_eq(nbd_request_payload_bytes(&session, &header), 0);
    header = (struct nbd_header){.flags = NBD_CMD_FLAG_PAYLOAD_LEN, .length_bytes = 7};
    ck_assert_uint_eq(nbd_request_payload_bytes(&session, &header), 7);
    session.extended = false;
    ck_assert_uint_eq(nbd_request_payload_bytes(&session, &header), 0);
}
END_TEST

START_TEST(zeroing_has_no_longest)
{
    export.size_bytes = UINT64_C(1) << 40;
    struct nbd_header header = {.type = NBD_CMD_WRITE_ZEROES, .length_bytes = UINT32_MAX};
    ck_assert_int_eq(status_of(&header), 0);
}
END_TEST

static const uint16_t writers[] = {NBD_CMD_WRITE, NBD_CMD_TRIM, NBD_CMD_WRITE_ZEROES};

START_TEST(read_only_export_refuses_what_changes_it)
{
    export.read_only = true;
    struct nbd_header header = {.type = writers[_i], .length_bytes = 1};
    ck_assert_int_eq(status_of(&header), -EPERM);
}
END_TEST

START_TEST(read_only_export_may_be_read_and_flushed)
{
    export.read_only = true;
    struct nbd_header header = {.type = NBD_CMD_READ, .length_bytes = 1};
    ck_assert_int_eq(status_of(&header), 0);
    header = (struct nbd_header){.type = NBD_CMD_FLUSH};
    ck_assert_int_eq(status_of(&header), 0);
}
END_TEST

static enum export_guard guard_of(enum export_guard guard, uint16_t type)
{
    export.guard = guard;
    struct nbd_header header = {.type = type, .length_bytes = 1};
    return nbd_request_guard(&export, &header);
}

START_TEST(write_protected_by_scsi_refuses_what_changes_it)
{
    ck_assert_int_eq(guard_of(EXPORT_NO_WRITES, writers[_i]), EXPORT_NO_WRITES);
    ck_assert_int_eq(guard_of(EXPORT_NO_WRITES, NBD_CMD_READ), EXPORT_OPEN);
}
END_TEST

START_TEST(reserved_by_scsi_may_only_be_flushed)
{
    ck_assert_int_eq(guard_of(EXPORT_NO_ACCESS, NBD_CMD_READ), EXPORT_NO_ACCESS);
    ck_assert_int_eq(guard_of(EXPORT_NO_ACCESS, NBD_CMD_BLOCK_STATUS), EXPORT_NO_ACCESS);
    ck_assert_int_eq(guard_of(EXPORT_NO_ACCESS, NBD_CMD_FLUSH), EXPORT_OPEN);
}
END_TEST

START_TEST(until_reservations_are_known_only_flush_passes)
{
    ck_assert_int_eq(guard_of(EXPORT_GUARD_UNKNOWN, NBD_CMD_READ), EXPORT_GUARD_UNKNOWN);
    ck_assert_int_eq(guard_of(EXPORT_GUARD_UNKNOWN, NBD_CMD_FLUSH), EXPORT_OPEN);
}
END_TEST

START_TEST(deleted_export_is_shut_down)
{
    export.gone = true;
    ck_assert_int_eq(status_of(&good[_i]), -ESHUTDOWN);
}
END_TEST

START_TEST(df_without_structured_replies_is_invalid)
{
    session.structured = false;
    struct nbd_header header = {.type = NBD_CMD_READ, .flags = NBD_CMD_FLAG_DF, .length_bytes = 1};
    ck_assert_int_eq(status_of(&header), -EINVAL);
}
END_TEST

START_TEST(block_status_without_a_context_is_invalid)
{
    session.contexts.mask = 0;
    struct nbd_header header = {.type = NBD_CMD_BLOCK_STATUS, .length_bytes = 1};
    ck_assert_int_eq(status_of(&header), -EINVAL);
}
END_TEST

static const struct {
    struct nbd_header header;
    enum block_op op;
    uint32_t flags;
} blocks[] = {
    {{.type = NBD_CMD_READ, .length_bytes = 1}, BLOCK_READ, 0},
    {{.type = NBD_CMD_READ, .flags = NBD_CMD_FLAG_FUA, .length_bytes = 1}, BLOCK_READ, 0},
    {{.type = NBD_CMD_WRITE, .length_bytes = 1}, BLOCK_WRITE, 0},
    {{.type = NBD_CMD_WRITE, .flags = NBD_CMD_FLAG_FUA, .length_bytes = 1}, BLOCK_WRITE, BLOCK_FUA},
    {{.type = NBD_CMD_FLUSH, .flags = NBD_CMD_FLAG_FUA}, BLOCK_FLUSH, 0},
    {{.type = NBD_CMD_TRIM, .flags = NBD_CMD_FLAG_FUA, .length_bytes = 1}, BLOCK_ZERO, BLOCK_FUA},
    {{.type = NBD_CMD_WRITE_ZEROES, .flags = NBD_CMD_FLAG_FAST_ZERO, .length_bytes = 1},
     BLOCK_ZERO,
     0},
    {{.type = NBD_CMD_WRITE_ZEROES,
      .flags = NBD_CMD_FLAG_NO_HOLE | NBD_CMD_FLAG_FUA,
      .length_bytes = 1},
     BLOCK_ZERO,
     BLOCK_NO_HOLE | BLOCK_FUA},
    {{.type = NBD_CMD_BLOCK_STATUS, .flags = NBD_CMD_FLAG_REQ_ONE, .length_bytes = 1},
     BLOCK_STATUS,
     0},
};

START_TEST(becomes_a_block_request)
{
    struct nbd_header header = blocks[_i].header;
    header.offset_bytes = header.type == NBD_CMD_FLUSH ? 0 : 513;
    struct block_req block = {0};
    ck_assert(nbd_request_needs_volume(&header));
    nbd_request_fill(&block, &header);
    ck_assert_int_eq(block.op, blocks[_i].op);
    ck_assert_uint_eq(block.flags, blocks[_i].flags);
    ck_assert_uint_eq(block.offset_bytes, header.offset_bytes);
    ck_assert_uint_eq(block.length_bytes, header.length_bytes);
}
END_TEST

static const struct nbd_header idle[] = {
    {.type = NBD_CMD_READ},
    {.type = NBD_CMD_WRITE},
    {.type = NBD_CMD_TRIM},
    {.type = NBD_CMD_WRITE_ZEROES},
    {.type = NBD_CMD_CACHE, .length_bytes = 4096},
};

START_TEST(needs_no_volume)
{
    ck_assert(!nbd_request_needs_volume(&idle[_i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nbd request");
    TCase *tcase = tcase_create("request");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, may_be_asked, 0, ARRAY_COUNT(good));
    tcase_add_loop_test(tcase, may_not_be_asked, 0, ARRAY_COUNT(bad));
    tcase_add_test(tcase, read_beyond_the_longest_is_too_large);
    tcase_add_test(tcase, zeroing_without_holes_is_not_said_to_be_fast);
    tcase_add_loop_test(tcase, extended_headers_have_rules_of_their_own, 0,
                        (int)ARRAY_COUNT(extended));
    tcase_add_test(tcase, payload_is_a_writes_or_a_flags);
    tcase_add_test(tcase, zeroing_has_no_longest);
    tcase_add_loop_test(tcase, read_only_export_refuses_what_changes_it, 0, ARRAY_COUNT(writers));
    tcase_add_test(tcase, read_only_export_may_be_read_and_flushed);
    tcase_add_loop_test(tcase, write_protected_by_scsi_refuses_what_changes_it, 0,
                        ARRAY_COUNT(writers));
    tcase_add_test(tcase, reserved_by_scsi_may_only_be_flushed);
    tcase_add_test(tcase, until_reservations_are_known_only_flush_passes);
    tcase_add_loop_test(tcase, deleted_export_is_shut_down, 0, ARRAY_COUNT(good));
    tcase_add_test(tcase, df_without_structured_replies_is_invalid);
    tcase_add_test(tcase, block_status_without_a_context_is_invalid);
    tcase_add_loop_test(tcase, becomes_a_block_request, 0, ARRAY_COUNT(blocks));
    tcase_add_loop_test(tcase, needs_no_volume, 0, ARRAY_COUNT(idle));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
