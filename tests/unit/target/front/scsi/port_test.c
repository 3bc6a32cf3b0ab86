/* SPDX-License-Identifier: Apache-2.0 */
/* iSCSI TransportIDs, there and back, and what is none. */
#include "target/front/scsi/port.h"
#include "tests/lib/suite.h"

static struct scsi_port port;
static bool whole;

static bool decode(const void *bytes, size_t length)
{
    struct reader r = reader_of(bytes, length);
    return scsi_port_decode(&r, &port, &whole);
}

#define ID(head, length, text) "" head "\0\0" length text
#define ck_assert_id(good, id) ck_assert(decode(id, sizeof(id) - 1) == (good))

START_TEST(port_is_written_as_text)
{
    const struct scsi_port a = {.isid = 0x00023d0000ab, .initiator = "iqn.a"};
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof(bytes));
    scsi_port_encode(&a, &w);
    ck_assert_uint_eq(writer_length(&w), 28);
    ck_assert_mem_eq(bytes, ID("\x45", "\x18", "iqn.a,i,0x00023d0000ab\0\0"), 28);
}
END_TEST

START_TEST(longest_name_comes_back)
{
    struct scsi_port a = {.isid = 0xffffffffffff};
    memset(a.initiator, 'n', IQN_BYTES - 1);
    uint8_t bytes[SCSI_PORT_BYTES_MAX];
    struct writer w = writer_of(bytes, sizeof(bytes));
    scsi_port_encode(&a, &w);
    ck_assert(!w.bad && writer_length(&w) % 4 == 0);
    ck_assert(decode(bytes, writer_length(&w)));
    ck_assert(whole && scsi_port_equal(&a, &port));
}
END_TEST

START_TEST(device_has_no_isid)
{
    ck_assert_id(true, ID("\x05", "\x14", "iqn.2001-04.com.ex\0\0"));
    ck_assert(!whole);
    ck_assert_str_eq(port.initiator, "iqn.2001-04.com.ex");
}
END_TEST

START_TEST(isid_may_be_in_capitals)
{
    ck_assert_id(true, ID("\x45", "\x18", "iqn.a,i,0x00023D0000AB\0\0"));
    ck_assert_uint_eq(port.isid, 0x00023d0000ab);
}
END_TEST

#define NONE(head, length, text) ID(head, length, text), sizeof(ID(head, length, text)) - 1

static const struct {
    const char *what;
    const char *bytes;
    size_t length;
} none[] = {
    {"other protocol", NONE("\x40", "\x18", "iqn.a,i,0x00023d0000ab\0\0")},
    {"other format", NONE("\x85", "\x18", "iqn.a,i,0x00023d0000ab\0\0")},
    {"odd length", NONE("\x45", "\x17", "iqn.a,i,0x00023d0000ab\0")},
    {"too short", NONE("\x05", "\x10", "iqn.2001-04.com\0")},
    {"text without end", NONE("\x05", "\x14", "iqn.2001-04.com.exam")},
    {"cut off", NONE("\x45", "\x1c", "iqn.a,i,0x00023d0000ab\0\0")},
    {"port without isid", NONE("\x45", "\x14", "iqn.2001-04.com.ex\0\0")},
    {"isid of other length", NONE("\x45", "\x18", "iqn.a,i,0x00023d0000a\0\0\0")},
    {"isid of other length", NONE("\x45", "\x18", "iqn.a,i,0x00023d0000abc\0")},
    {"isid with other signs", NONE("\x45", "\x18", "iqn.a,i,0x00023d0000ag\0\0")},
    {"empty name", NONE("\x45", "\x14", ",i,0x00023d0000ab\0\0\0")},
};

START_TEST(what_is_none_is_refused)
{
    ck_assert_msg(!decode(none[_i].bytes, none[_i].length), "%s", none[_i].what);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi port");
    TCase *tcase = tcase_create("transport id");
    tcase_add_test(tcase, port_is_written_as_text);
    tcase_add_test(tcase, longest_name_comes_back);
    tcase_add_test(tcase, device_has_no_isid);
    tcase_add_test(tcase, isid_may_be_in_capitals);
    tcase_add_loop_test(tcase, what_is_none_is_refused, 0, ARRAY_COUNT(none));
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
