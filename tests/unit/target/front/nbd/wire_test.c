/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of NBD, to the byte. */
#include "target/front/nbd/wire.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <string.h>

static uint8_t bytes[64];

static struct writer into(size_t length)
{
    return writer_of(bytes, length);
}

/* What was written fills `bytes` as far as it should, and is read again. */
static struct reader back(const struct writer *w)
{
    ck_assert(!w->bad && writer_left(w) == 0);
    return reader_of(bytes, writer_length(w));
}

static void same_header(const struct nbd_header *a, const struct nbd_header *b)
{
    ck_assert_uint_eq(a->flags, b->flags);
    ck_assert_uint_eq(a->type, b->type);
    ck_assert_uint_eq(a->cookie, b->cookie);
    ck_assert_uint_eq(a->offset_bytes, b->offset_bytes);
    ck_assert_uint_eq(a->length_bytes, b->length_bytes);
}

START_TEST(greeting_is_golden)
{
    struct writer w = into(NBD_GREETING_BYTES);
    nbd_greeting_encode(&w);
    ck_assert(!w.bad && writer_left(&w) == 0);
    ck_assert_mem_eq(bytes, "NBDMAGICIHAVEOPT\0\3", NBD_GREETING_BYTES);
}
END_TEST

START_TEST(option_goes_there_and_back)
{
    struct nbd_option in = {.type = NBD_OPT_GO, .length_bytes = 0x01020304};
    struct nbd_option out;
    struct writer w = into(NBD_OPTION_BYTES);
    nbd_option_encode(&w, &in);
    ck_assert_mem_eq(bytes, "IHAVEOPT\0\0\0\7\1\2\3\4", NBD_OPTION_BYTES);
    struct reader r = back(&w);
    ck_assert(nbd_option_decode(&r, &out));
    ck_assert_uint_eq(out.type, in.type);
    ck_assert_uint_eq(out.length_bytes, in.length_bytes);
}
END_TEST

START_TEST(option_without_magic_is_none)
{
    struct nbd_option out;
    struct reader r = reader_of("IHAVEOPX\0\0\0\7\1\2\3\4", NBD_OPTION_BYTES);
    ck_assert(!nbd_option_decode(&r, &out));
}
END_TEST

START_TEST(short_option_is_none)
{
    struct nbd_option out;
    struct reader r = reader_of("IHAVEOPT\0\0\0\7\1\2\3", NBD_OPTION_BYTES - 1);
    ck_assert(!nbd_option_decode(&r, &out));
}
END_TEST

START_TEST(option_reply_goes_there_and_back)
{
    struct nbd_option_reply in = {
        .option = NBD_OPT_LIST, .type = NBD_REP_ERR_TOO_BIG, .length_bytes = 5};
    struct nbd_option_reply out;
    struct writer w = into(NBD_OPTION_REPLY_BYTES);
    nbd_option_reply_encode(&w, &in);
    ck_assert_mem_eq(bytes, "\x00\x03\xe8\x89\x04\x55\x65\xa9\0\0\0\3\x80\0\0\x09\0\0\0\5",
                     NBD_OPTION_REPLY_BYTES);
    struct reader r = back(&w);
    ck_assert(nbd_option_reply_decode(&r, &out));
    ck_assert_uint_eq(out.option, in.option);
    ck_assert_uint_eq(out.type, in.type);
    ck_assert_uint_eq(out.length_bytes, in.length_bytes);
}
END_TEST

START_TEST(request_goes_there_and_back)
{
    struct nbd_header in = {.flags = NBD_CMD_FLAG_FUA,
                            .type = NBD_CMD_WRITE,
                            .cookie = 0x0102030405060708,
                            .offset_bytes = 0x1122334455667788,
                            .length_bytes = 0xaabbccdd};
    struct nbd_header out;
    struct writer w = into(NBD_HEADER_BYTES);
    nbd_header_encode(&w, false, &in);
    ck_assert_mem_eq(bytes,
                     "\x25\x60\x95\x13\0\1\0\1\1\2\3\4\5\6\7\x08"
                     "\x11\x22\x33\x44\x55\x66\x77\x88\xaa\xbb\xcc\xdd",
                     NBD_HEADER_BYTES);
    struct reader r = back(&w);
    ck_assert(nbd_header_decode(&r, false, &out));
    same_header(&out, &in);
}
END_TEST

START_TEST(extended_request_goes_there_and_back)
{
    struct nbd_header in = {.flags = NBD_CMD_FLAG_PAYLOAD_LEN,
                            .type = NBD_CMD_WRITE,
                            .cookie = 0x0102030405060708,
                            .offset_bytes = 0x1122334455667788,
                            .length_bytes = 0x99aabbccddeeff00};
    struct nbd_header out;
    struct writer w = into(NBD_EXTENDED_HEADER_BYTES);
    nbd_header_encode(&w, true, &in);
    ck_assert_mem_eq(bytes,
                     "\x21\xe4\x1c\x71\0\x20\0\1\1\2\3\4\5\6\7\x08"
                     "\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00",
                     NBD_EXTENDED_HEADER_BYTES);
    struct reader r = back(&w);
    ck_assert(nbd_header_decode(&r, true, &out));
    same_header(&out, &in);
    r = reader_of(bytes, NBD_EXTENDED_HEADER_BYTES);
    ck_assert(!nbd_header_decode(&r, false, &out));
}
END_TEST

START_TEST(extended_chunk_goes_there_and_back)
{
    struct nbd_chunk in = {.flags = NBD_REPLY_FLAG_DONE,
                           .type = NBD_REPLY_TYPE_BLOCK_STATUS_EXT,
                           .cookie = 0x0102030405060708,
                           .offset_bytes = 0x1122334455667788,
                           .length_bytes = 0x18};
    struct nbd_chunk out;
    struct writer w = into(NBD_EXTENDED_CHUNK_BYTES);
    nbd_chunk_encode(&w, true, &in);
    ck_assert_mem_eq(bytes,
                     "\x6e\x8a\x27\x8c\0\1\0\6\1\2\3\4\5\6\7\x08"
                     "\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\0\0\0\0\x18",
                     NBD_EXTENDED_CHUNK_BYTES);
    struct reader r = back(&w);
    ck_assert(nbd_chunk_decode(&r, true, &out));
    ck_assert_uint_eq(out.flags, in.flags);
    ck_assert_uint_eq(out.type, in.type);
    ck_assert_uint_eq(out.cookie, in.cookie);
    ck_assert_uint_eq(out.offset_bytes, in.offset_bytes);
    ck_assert_uint_eq(out.length_bytes, in.length_bytes);
}
END_TEST

START_TEST(status_query_is_whole_or_none)
{
    static const uint8_t payload[] = {0, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7};
    struct nbd_status_query query;
    struct reader r = reader_of(payload, sizeof(payload));
    ck_assert(nbd_status_query_decode(&r, &query));
    ck_assert_uint_eq(query.length_bytes, 0x1200000000);
    ck_assert_uint_eq(query.count, 2);
    ck_assert_uint_eq(read_u32(&query.ids), 1);
    ck_assert_uint_eq(read_u32(&query.ids), 7);
    r = reader_of(payload, sizeof(payload) - 1);
    ck_assert(!nbd_status_query_decode(&r, &query));
    r = reader_of(payload, 7);
    ck_assert(!nbd_status_query_decode(&r, &query));
}
END_TEST

START_TEST(request_without_magic_is_none)
{
    uint8_t zeros[NBD_HEADER_BYTES] = {0};
    struct nbd_header out;
    struct reader r = reader_of(zeros, sizeof(zeros));
    ck_assert(!nbd_header_decode(&r, false, &out));
}
END_TEST

START_TEST(simple_reply_goes_there_and_back)
{
    struct nbd_simple_reply in = {.error = 28, .cookie = 0x0102030405060708};
    struct nbd_simple_reply out;
    struct writer w = into(NBD_SIMPLE_REPLY_BYTES);
    nbd_simple_reply_encode(&w, &in);
    ck_assert_mem_eq(bytes, "\x67\x44\x66\x98\0\0\0\x1c\1\2\3\4\5\6\7\x08", NBD_SIMPLE_REPLY_BYTES);
    struct reader r = back(&w);
    ck_assert(nbd_simple_reply_decode(&r, &out));
    ck_assert_uint_eq(out.error, in.error);
    ck_assert_uint_eq(out.cookie, in.cookie);
}
END_TEST

START_TEST(chunk_goes_there_and_back)
{
    struct nbd_chunk in = {.flags = NBD_REPLY_FLAG_DONE,
                           .type = NBD_REPLY_TYPE_ERROR,
                           .cookie = 0x0102030405060708,
                           .length_bytes = 0x01000000};
    struct nbd_chunk out;
    struct writer w = into(NBD_CHUNK_BYTES);
    nbd_chunk_encode(&w, false, &in);
    ck_assert_mem_eq(bytes, "\x66\x8e\x33\xef\0\1\x80\1\1\2\3\4\5\6\7\x08\1\0\0\0",
                     NBD_CHUNK_BYTES);
    struct reader r = back(&w);
    ck_assert(nbd_chunk_decode(&r, false, &out));
    ck_assert_uint_eq(out.flags, in.flags);
    ck_assert_uint_eq(out.type, in.type);
    ck_assert_uint_eq(out.cookie, in.cookie);
    ck_assert_uint_eq(out.length_bytes, in.length_bytes);
}
END_TEST

START_TEST(info_query_is_a_name_and_types)
{
    struct nbd_info_query query;
    struct reader r = reader_of("\0\0\0\3vol\0\2\0\3\0\1", 13);
    ck_assert(nbd_info_query_decode(&r, &query));
    ck_assert_uint_eq(query.name_length, 3);
    ck_assert_mem_eq(query.name, "vol", 3);
    ck_assert_uint_eq(query.wanted, 1u << NBD_INFO_BLOCK_SIZE | 1u << NBD_INFO_NAME);
}
END_TEST

START_TEST(info_query_leaves_unknown_types_out)
{
    struct nbd_info_query query;
    struct reader r = reader_of("\0\0\0\0\0\3\xff\xff\0\x04\0\0", 12);
    ck_assert(nbd_info_query_decode(&r, &query));
    ck_assert_uint_eq(query.name_length, 0);
    ck_assert_uint_eq(query.wanted, 1u << NBD_INFO_EXPORT);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
} bad_info[] = {
    {"", 0},
    {"\0\0\0\0\0", 5},               /* half a count */
    {"\0\0\0\4vol\0\0", 9},          /* the name takes the count */
    {"\xff\xff\xff\xffvol\0\0", 9},  /* a name of 4 GiB */
    {"\0\0\0\3vol\0\1", 9},          /* a type is missing */
    {"\0\0\0\3vol\xff\xff\0\1", 11}, /* many are */
    {"\0\0\0\3vol\0\0\0", 10},       /* a byte too many */
};

START_TEST(info_query_of_another_length_is_none)
{
    struct nbd_info_query query;
    struct reader r = reader_of(bad_info[_i].bytes, bad_info[_i].length);
    ck_assert(!nbd_info_query_decode(&r, &query));
}
END_TEST

START_TEST(meta_query_is_a_name_and_queries)
{
    struct nbd_meta_query query;
    struct reader r = reader_of("\0\0\0\3vol\0\0\0\2\0\0\0\1a\0\0\0\0", 20);
    uint32_t length;
    ck_assert(nbd_meta_query_decode(&r, &query));
    ck_assert_uint_eq(query.name_length, 3);
    ck_assert_mem_eq(query.name, "vol", 3);
    ck_assert_uint_eq(query.count, 2);
    ck_assert_mem_eq(nbd_meta_query_next(&query, &length), "a", 1);
    ck_assert_uint_eq(length, 1);
    (void)nbd_meta_query_next(&query, &length);
    ck_assert_uint_eq(length, 0);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
} bad_meta[] = {
    {"", 0},
    {"\0\0\0\3vol", 7},                    /* no count */
    {"\0\0\0\3vol\xff\xff\xff\xff", 11},   /* 4 G queries of which none is there */
    {"\0\0\0\3vol\0\0\0\1\0\0\0\2a", 16},  /* a query cut short */
    {"\0\0\0\3vol\0\0\0\1\0\0\0\1ab", 17}, /* a byte too many */
    {"\0\0\0\3vol\0\0\0\1\xff\xff\xff\xff"
     "a",
     16},                                 /* a query of 4 GiB */
    {"\0\0\0\3vol\0\0\0\2\0\0\0\1a", 16}, /* the second is missing */
};

START_TEST(meta_query_of_another_length_is_none)
{
    struct nbd_meta_query query;
    struct reader r = reader_of(bad_meta[_i].bytes, bad_meta[_i].length);
    ck_assert(!nbd_meta_query_decode(&r, &query));
}
END_TEST

static const struct {
    int status;
    uint32_t wire;
} errors[] = {
    {0, 0},           {-EPERM, 1},       {-EROFS, 1},       {-EIO, 5},
    {-ENOMEM, 12},    {-EINVAL, 22},     {-ENOSPC, 28},     {-EDQUOT, 28},
    {-EOVERFLOW, 75}, {-ESHUTDOWN, 108}, {-EOPNOTSUPP, 95}, {-ECONNRESET, 5},
    {-EILSEQ, 5},
};

START_TEST(errors_are_those_the_protocol_knows)
{
    ck_assert_uint_eq(nbd_error_of(errors[_i].status), errors[_i].wire);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nbd wire");
    TCase *tcase = tcase_create("wire");
    tcase_add_test(tcase, greeting_is_golden);
    tcase_add_test(tcase, option_goes_there_and_back);
    tcase_add_test(tcase, option_without_magic_is_none);
    tcase_add_test(tcase, short_option_is_none);
    tcase_add_test(tcase, option_reply_goes_there_and_back);
    tcase_add_test(tcase, request_goes_there_and_back);
    tcase_add_test(tcase, request_without_magic_is_none);
    tcase_add_test(tcase, simple_reply_goes_there_and_back);
    tcase_add_test(tcase, chunk_goes_there_and_back);
    tcase_add_test(tcase, extended_request_goes_there_and_back);
    tcase_add_test(tcase, extended_chunk_goes_there_and_back);
    tcase_add_test(tcase, status_query_is_whole_or_none);
    tcase_add_test(tcase, info_query_is_a_name_and_types);
    tcase_add_test(tcase, info_query_leaves_unknown_types_out);
    tcase_add_loop_test(tcase, info_query_of_another_length_is_none, 0, ARRAY_COUNT(bad_info));
    tcase_add_test(tcase, meta_query_is_a_name_and_queries);
    tcase_add_loop_test(tcase, meta_query_of_another_length_is_none, 0, ARRAY_COUNT(bad_meta));
    tcase_add_loop_test(tcase, errors_are_those_the_protocol_knows, 0, ARRAY_COUNT(errors));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
