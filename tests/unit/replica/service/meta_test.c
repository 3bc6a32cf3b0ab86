/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata record. */
#include "replica/service/meta.h"
#include "tests/lib/suite.h"

static struct meta meta_of(uint64_t seq)
{
    struct uuid uuid = {{1, 2, 3}};
    return (struct meta){.seq = seq,
                         .member = uuid,
                         .promised_epoch = 5,
                         .promised_controller = uuid,
                         .done_checkpoint = 11,
                         .base_checkpoint = 10,
                         .lossy = true,
                         .config = {.volume = uuid,
                                    .name = "meta",
                                    .size_bytes = 1 << 20,
                                    .block_bytes = 512,
                                    .epoch = 4,
                                    .min_in_sync = 1,
                                    .member_count = 1,
                                    .members = {{.uuid = uuid, .in_sync = true}}}};
}

START_TEST(a_record_comes_back)
{
    uint8_t record[META_BYTES];
    struct meta meta = meta_of(7);
    struct meta got;
    meta_encode(record, &meta);
    ck_assert_ptr_null(meta_decode(record, &got));
    ck_assert_uint_eq(got.seq, 7);
    ck_assert_uint_eq(got.promised_epoch, 5);
    ck_assert_uint_eq(got.done_checkpoint, 11);
    ck_assert_uint_eq(got.base_checkpoint, 10);
    ck_assert(got.lossy && !got.failed);
    ck_assert_str_eq(got.config.name, "meta");
}
END_TEST

START_TEST(one_flipped_bit_is_found)
{
    uint8_t record[META_BYTES];
    struct meta meta = meta_of(7);
    struct meta got;
    meta_encode(record, &meta);
    for (int i = 0; i < META_BYTES; i += 13) {
        record[i] ^= 4;
        ck_assert_ptr_nonnull(meta_decode(record, &got));
        record[i] ^= 4;
    }
}
END_TEST

START_TEST(the_newer_whole_copy_counts_and_is_not_written_first)
{
    uint8_t records[META_COPIES][META_BYTES];
    const uint8_t *copies[] = {records[0], records[1]};
    struct meta old = meta_of(7);
    struct meta new = meta_of(8);
    struct meta got;
    uint32_t write_first;
    bool equal;
    meta_encode(records[0], &old);
    meta_encode(records[1], &new);
    ck_assert_ptr_null(meta_pick(copies, &got, &write_first, &equal));
    ck_assert_uint_eq(got.seq, 8);
    ck_assert_uint_eq(write_first, 0);
    ck_assert(!equal);
    records[1][99] ^= 1;
    ck_assert_ptr_null(meta_pick(copies, &got, &write_first, &equal));
    ck_assert_uint_eq(got.seq, 7);
    ck_assert_uint_eq(write_first, 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("meta");
    tcase_add_test(tcase, a_record_comes_back);
    tcase_add_test(tcase, one_flipped_bit_is_found);
    tcase_add_test(tcase, the_newer_whole_copy_counts_and_is_not_written_first);
    Suite *suite = suite_create("meta");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
