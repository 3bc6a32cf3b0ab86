/* SPDX-License-Identifier: Apache-2.0 */
/* What the target sends, byte by byte, as RFC 7143 section 11 places it. */
#include "target/front/iscsi/response.h"
#include "tests/unit/target/front/iscsi/golden.h"

/* What every golden response has in bytes 4-35. */
static const struct pdu_response response_head = {.data_bytes = 0x010203,
                                                  .itt = 0x11121314,
                                                  .stat_sn = 0x31323334,
                                                  .exp_cmd_sn = 0x41424344,
                                                  .max_cmd_sn = 0x51525354};

START_TEST(nop_in_is_golden)
{
    static const uint8_t golden[] = {0x20, 0x80, 0,   0,   DATA, LUN_1, ITT,
                                     WORD, SN,   SN2, SN3, NIL8, NIL4};
    struct pdu_nop_in pdu = {.head = response_head, .ttt = 0x21222324};
    pdu.head.lun = 0x0001000000000000;
    CHECK_GOLDEN(nop_in, &pdu, golden);
}
END_TEST

START_TEST(scsi_response_is_golden)
{
    static const uint8_t golden[] = {0x21, 0x82, 0x01, 0x02, DATA, NIL8, ITT,  NIL4, SN,   SN2,
                                     SN3,  0x61, 0x62, 0x63, 0x64, NIL4, 0x71, 0x72, 0x73, 0x74};
    struct pdu_scsi_response pdu = {.head = response_head,
                                    .response = 1,
                                    .status = 2,
                                    .exp_data_sn = 0x61626364,
                                    .residual_bytes = 0x71727374};
    pdu.head.flags = PDU_UNDERFLOW;
    CHECK_GOLDEN(scsi_response, &pdu, golden);
}
END_TEST

START_TEST(tmf_response_is_golden)
{
    static const uint8_t golden[] = {0x22, 0x80, 0x05, 0,   DATA, NIL8, ITT,
                                     NIL4, SN,   SN2,  SN3, NIL8, NIL4};
    struct pdu_tmf_response pdu = {.head = response_head, .response = 5};
    CHECK_GOLDEN(tmf_response, &pdu, golden);
}
END_TEST

START_TEST(login_response_is_golden)
{
    static const uint8_t golden[] = {0x23, 0x87, 0x02, 0x01, DATA, 0x40, 0,    1,
                                     2,    3,    4,    0x12, 0x34, ITT,  NIL4, SN,
                                     SN2,  SN3,  0x02, 0x07, 0,    0,    NIL8};
    struct pdu_login_response pdu = {.head = response_head,
                                     .version_max = 2,
                                     .version_active = 1,
                                     .isid = 0x400001020304,
                                     .tsih = 0x1234,
                                     .status = 0x0207};
    pdu.head.flags = 0x87;
    CHECK_GOLDEN(login_response, &pdu, golden);
}
END_TEST

START_TEST(text_response_is_golden)
{
    static const uint8_t golden[] = {0x24, 0x40, 0,   0,   DATA, NIL8, ITT,
                                     WORD, SN,   SN2, SN3, NIL8, NIL4};
    struct pdu_text_response pdu = {.head = response_head, .ttt = 0x21222324};
    pdu.head.flags = PDU_CONTINUE;
    CHECK_GOLDEN(text_response, &pdu, golden);
}
END_TEST

START_TEST(data_in_is_golden)
{
    static const uint8_t golden[] = {0x25, 0x83, 0,    0x08, DATA, NIL8, ITT,  WORD,
                                     SN,   SN2,  SN3,  0x61, 0x62, 0x63, 0x64, 0x71,
                                     0x72, 0x73, 0x74, 0x01, 0x02, 0x03, 0x04};
    struct pdu_data_in pdu = {.head = response_head,
                              .status = 8,
                              .ttt = 0x21222324,
                              .data_sn = 0x61626364,
                              .offset_bytes = 0x71727374,
                              .residual_bytes = 0x01020304};
    pdu.head.flags = PDU_FINAL | PDU_UNDERFLOW | PDU_STATUS;
    CHECK_GOLDEN(data_in, &pdu, golden);
}
END_TEST

START_TEST(logout_response_is_golden)
{
    static const uint8_t golden[] = {0x26, 0x80, 0x01, 0,    DATA, NIL8, ITT,  NIL4, SN,
                                     SN2,  SN3,  NIL4, 0x01, 0x02, 0x03, 0x04, NIL4};
    struct pdu_logout_response pdu = {
        .head = response_head, .response = 1, .time2wait = 0x0102, .time2retain = 0x0304};
    CHECK_GOLDEN(logout_response, &pdu, golden);
}
END_TEST

START_TEST(r2t_is_golden)
{
    static const uint8_t golden[] = {0x31, 0x80, 0,    0,    NIL4, LUN_1, ITT,  WORD,
                                     SN,   SN2,  SN3,  0x61, 0x62, 0x63,  0x64, 0x71,
                                     0x72, 0x73, 0x74, 0x01, 0x02, 0x03,  0x04};
    struct pdu_r2t pdu = {.head = response_head,
                          .ttt = 0x21222324,
                          .r2t_sn = 0x61626364,
                          .offset_bytes = 0x71727374,
                          .desired_bytes = 0x01020304};
    pdu.head.data_bytes = 0;
    pdu.head.lun = 0x0001000000000000;
    CHECK_GOLDEN(r2t, &pdu, golden);
}
END_TEST

START_TEST(async_is_golden)
{
    static const uint8_t golden[] = {0x32, 0x80, 0, 0, DATA, NIL8, ITT,  NIL4, SN,   SN2,
                                     SN3,  0x01, 0, 0, 0x02, 0,    0x03, 0,    0x04, NIL4};
    struct pdu_async pdu = {.head = response_head, .event = 1, .parameter = {2, 3, 4}};
    CHECK_GOLDEN(async, &pdu, golden);
}
END_TEST

START_TEST(reject_is_golden)
{
    static const uint8_t golden[] = {0x3f, 0x80, 0x09, 0,    DATA, NIL8, ITT,  NIL4,
                                     SN,   SN2,  SN3,  0x61, 0x62, 0x63, 0x64, NIL8};
    struct pdu_reject pdu = {.head = response_head, .reason = 9, .data_sn = 0x61626364};
    CHECK_GOLDEN(reject, &pdu, golden);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi response");
    TCase *tcase = tcase_create("response");
    tcase_add_test(tcase, nop_in_is_golden);
    tcase_add_test(tcase, scsi_response_is_golden);
    tcase_add_test(tcase, tmf_response_is_golden);
    tcase_add_test(tcase, login_response_is_golden);
    tcase_add_test(tcase, text_response_is_golden);
    tcase_add_test(tcase, data_in_is_golden);
    tcase_add_test(tcase, logout_response_is_golden);
    tcase_add_test(tcase, r2t_is_golden);
    tcase_add_test(tcase, async_is_golden);
    tcase_add_test(tcase, reject_is_golden);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
