/* SPDX-License-Identifier: Apache-2.0 */
/* How long a PDU is. */
#include "target/front/iscsi/pdu.h"
#include "tests/lib/suite.h"

START_TEST(lengths_count_ahs_in_words_and_data_in_bytes)
{
    static const uint8_t bhs[PDU_BHS_BYTES] = {0x41, 0, 0, 0, 0xff, 0x01, 0x02, 0x03};
    struct pdu_lengths lengths;
    pdu_lengths_decode(bhs, &lengths);
    ck_assert_uint_eq(lengths.opcode, PDU_COMMAND);
    ck_assert(lengths.immediate);
    ck_assert_uint_eq(lengths.ahs_bytes, 255 * 4);
    ck_assert_uint_eq(lengths.data_bytes, 0x010203);
}
END_TEST

START_TEST(padding_fills_words)
{
    ck_assert_uint_eq(pdu_padding(0), 0);
    ck_assert_uint_eq(pdu_padding(1), 3);
    ck_assert_uint_eq(pdu_padding(3), 1);
    ck_assert_uint_eq(pdu_padding(4096), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi pdu");
    TCase *tcase = tcase_create("pdu");
    tcase_add_test(tcase, lengths_count_ahs_in_words_and_data_in_bytes);
    tcase_add_test(tcase, padding_fills_words);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
