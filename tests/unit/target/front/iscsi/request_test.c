/* SPDX-License-Identifier: Apache-2.0 */
/* What an initiator sends, byte by byte, as RFC 7143 section 11 places it. */
#include "target/front/iscsi/request.h"
#include "tests/unit/target/front/iscsi/golden.h"

/* What every golden request has in bytes 4-31. */
static const struct pdu_request request_head = {.flags = 0x80,
                                                .data_bytes = 0x010203,
                                                .lun = 0x0001000000000000,
                                                .itt = 0x11121314,
                                                .cmd_sn = 0x31323334,
                                                .exp_stat_sn = 0x41424344};

START_TEST(nop_out_is_golden)
{
    static const uint8_t golden[] = {0x40, 0x80, 0, 0, DATA, LUN_1, ITT, WORD, SN, SN2, NIL16};
    struct pdu_nop_out pdu = {.head = request_head, .ttt = 0x21222324};
    pdu.head.immediate = true;
    CHECK_GOLDEN(nop_out, &pdu, golden);
}
END_TEST

START_TEST(command_is_golden)
{
    static const uint8_t golden[] = {0x01, 0xe1, 0,    0, DATA, LUN_1, ITT,  WORD,
                                     SN,   SN2,  0x28, 0, 0x01, 0x02,  0x03, 0x04,
                                     0,    0,    0x10, 0, NIL4, 0,     0};
    struct pdu_command pdu = {.head = request_head,
                              .expected_bytes = 0x21222324,
                              .cdb = {0x28, 0, 1, 2, 3, 4, 0, 0, 0x10}};
    pdu.head.opcode = PDU_COMMAND;
    pdu.head.flags = PDU_FINAL | PDU_READ | PDU_WRITE | 1;
    CHECK_GOLDEN(command, &pdu, golden);
}
END_TEST

START_TEST(tmf_is_golden)
{
    static const uint8_t golden[] = {0x42, 0x81, 0,    0,    DATA, LUN_1, ITT,  WORD, SN,  SN2,
                                     0x51, 0x52, 0x53, 0x54, 0x61, 0x62,  0x63, 0x64, NIL8};
    struct pdu_tmf pdu = {.head = request_head,
                          .ref_itt = 0x21222324,
                          .ref_cmd_sn = 0x51525354,
                          .exp_data_sn = 0x61626364};
    pdu.head.opcode = PDU_TMF;
    pdu.head.immediate = true;
    pdu.head.flags = 0x81;
    CHECK_GOLDEN(tmf, &pdu, golden);
}
END_TEST

START_TEST(login_is_golden)
{
    static const uint8_t golden[] = {0x43, 0x87, 0x02, 0x01, DATA, 0x40, 0, 1,  2,   3,    4,
                                     0x12, 0x34, ITT,  0x56, 0x78, 0,    0, SN, SN2, NIL16};
    struct pdu_login pdu = {.head = request_head,
                            .version_max = 2,
                            .version_min = 1,
                            .isid = 0x400001020304,
                            .tsih = 0x1234,
                            .cid = 0x5678};
    pdu.head.opcode = PDU_LOGIN;
    pdu.head.immediate = true;
    pdu.head.flags = 0x87;
    pdu.head.lun = 0;
    CHECK_GOLDEN(login, &pdu, golden);
}
END_TEST

START_TEST(text_is_golden)
{
    static const uint8_t golden[] = {0x04, 0xc0, 0, 0, DATA, LUN_1, ITT, WORD, SN, SN2, NIL16};
    struct pdu_text pdu = {.head = request_head, .ttt = 0x21222324};
    pdu.head.opcode = PDU_TEXT;
    pdu.head.flags = PDU_FINAL | PDU_CONTINUE;
    CHECK_GOLDEN(text, &pdu, golden);
}
END_TEST

START_TEST(data_out_is_golden)
{
    static const uint8_t golden[] = {0x05, 0x80, 0,    0,    DATA, LUN_1, ITT,  WORD, NIL4, SN2,
                                     NIL4, 0x61, 0x62, 0x63, 0x64, 0x71,  0x72, 0x73, 0x74, NIL4};
    struct pdu_data_out pdu = {
        .head = request_head, .ttt = 0x21222324, .data_sn = 0x61626364, .offset_bytes = 0x71727374};
    pdu.head.opcode = PDU_DATA_OUT;
    pdu.head.cmd_sn = 0;
    CHECK_GOLDEN(data_out, &pdu, golden);
}
END_TEST

START_TEST(logout_is_golden)
{
    static const uint8_t golden[] = {0x46, 0x81, 0, 0, DATA, NIL8, ITT,
                                     0x56, 0x78, 0, 0, SN,   SN2,  NIL16};
    struct pdu_logout pdu = {.head = request_head, .cid = 0x5678};
    pdu.head.opcode = PDU_LOGOUT;
    pdu.head.immediate = true;
    pdu.head.flags = 0x81;
    pdu.head.lun = 0;
    CHECK_GOLDEN(logout, &pdu, golden);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi request");
    TCase *tcase = tcase_create("request");
    tcase_add_test(tcase, nop_out_is_golden);
    tcase_add_test(tcase, command_is_golden);
    tcase_add_test(tcase, tmf_is_golden);
    tcase_add_test(tcase, login_is_golden);
    tcase_add_test(tcase, text_is_golden);
    tcase_add_test(tcase, data_out_is_golden);
    tcase_add_test(tcase, logout_is_golden);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
