/* SPDX-License-Identifier: Apache-2.0 */
/* The login phase: stages, and the statuses of refusals. */
#include "tests/unit/target/front/iscsi/initiator.h"

START_TEST(operational_stage_alone_reaches_full_feature)
{
    peer_open(&one);
    struct pdu_login_response response =
        peer_login_step(&one, TO_FULL_FROM_OPERATIONAL, KEYS(login_keys));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, 0x87);
    ck_assert_uint_ne(response.tsih, 0);
    ck_assert_uint_eq(response.isid, one.isid);
    ck_assert_uint_eq(response.head.exp_cmd_sn, one.cmd_sn);
    ck_assert_uint_eq(response.head.max_cmd_sn, one.cmd_sn + ISCSI_WINDOW - 1);
    ck_assert_uint_eq(export.session_count, 1);
    ck_assert_str_eq(iscsi_peer_name(one.conn), "iqn.1994-05.org.example:host");
}
END_TEST

START_TEST(target_tells_its_portal_group_alias_and_segment_length)
{
    peer_open(&one);
    (void)peer_login_step(&one, TO_FULL_FROM_OPERATIONAL, KEYS(login_keys));
    ck_assert(peer_told(&one, "TargetPortalGroupTag=1"));
    ck_assert(peer_told(&one, "TargetAlias=a"));
    ck_assert(peer_told(&one, "MaxRecvDataSegmentLength=1048576"));
}
END_TEST

START_TEST(security_stage_leads_to_operational)
{
    static const char keys[] = "InitiatorName=iqn.1994-05.org.example:host\0"
                               "TargetName=iqn.2026-11.io.strake:a\0"
                               "SessionType=Normal\0AuthMethod=CHAP,None\0";
    peer_open(&one);
    struct pdu_login_response response = peer_login_step(&one, TO_OPERATIONAL, KEYS(keys));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, 0x81);
    ck_assert_uint_eq(response.tsih, 0);
    ck_assert(peer_told(&one, "AuthMethod=None"));
    response = peer_login_step(&one, TO_FULL_FROM_OPERATIONAL, KEYS("HeaderDigest=None\0"));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_ne(response.tsih, 0);
}
END_TEST

START_TEST(security_stage_may_lead_straight_to_full_feature)
{
    peer_open(&one);
    struct pdu_login_response response =
        peer_login_step(&one, TO_FULL_FROM_SECURITY, KEYS(login_keys));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, 0x83);
    ck_assert_uint_ne(response.tsih, 0);
}
END_TEST

START_TEST(stage_stays_until_the_initiator_transits)
{
    peer_open(&one);
    struct pdu_login_response response = peer_login_step(&one, 0x04, KEYS(login_keys));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, 0x04);
    response = peer_login_step(&one, 0x04, KEYS("MaxBurstLength=4096\0"));
    ck_assert(peer_told(&one, "MaxBurstLength=4096"));
    response = peer_login_step(&one, TO_FULL_FROM_OPERATIONAL, NULL, 0);
    ck_assert_uint_eq(response.head.flags, 0x87);
    ck_assert_uint_eq(one.data_bytes, 0);
}
END_TEST

START_TEST(text_continued_over_requests_is_put_together)
{
    peer_open(&one);
    struct pdu_login_response response = peer_login_step(&one, 0x44, login_keys, 50);
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, 0x04);
    ck_assert_uint_eq(one.data_bytes, 0);
    response = peer_login_step(&one, TO_FULL_FROM_OPERATIONAL, login_keys + 50,
                               (uint32_t)sizeof(login_keys) - 1 - 50);
    ck_assert_uint_eq(response.status, 0);
    ck_assert_str_eq(iscsi_peer_name(one.conn), "iqn.1994-05.org.example:host");
}
END_TEST

/* One login request and the status it meets; afterwards the connection is over. */
static void refused(uint8_t flags, const char *keys, uint32_t keys_bytes, uint16_t status)
{
    struct pdu_login_response response = peer_login_step(&one, flags, keys, keys_bytes);
    ck_assert_uint_eq(response.status, status);
    ck_assert_uint_eq(response.head.flags & PDU_TRANSIT, 0);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    ck_assert_str_ne(iscsi_why(one.conn), "");
    ck_assert(list_empty(&node.sessions));
}

START_TEST(missing_initiator_name_is_0207)
{
    peer_open(&one);
    refused(0x87, KEYS("TargetName=iqn.2026-11.io.strake:a\0"), 0x0207);
}
END_TEST

START_TEST(missing_target_name_is_0207)
{
    peer_open(&one);
    refused(0x87, KEYS("InitiatorName=iqn.1994-05.org.example:host\0"), 0x0207);
}
END_TEST

START_TEST(unknown_target_is_0203)
{
    peer_open(&one);
    refused(0x87, KEYS("InitiatorName=i\0TargetName=iqn.2026-11.io.strake:b\0"), 0x0203);
}
END_TEST

START_TEST(unknown_target_that_may_be_told_of_yet_is_0301)
{
    peer_open(&one);
    exports.incomplete = true;
    refused(0x87, KEYS("InitiatorName=i\0TargetName=iqn.2026-11.io.strake:b\0"), 0x0301);
}
END_TEST

START_TEST(target_that_is_gone_is_0203)
{
    peer_open(&one);
    export.gone = true;
    refused(0x87, KEYS(login_keys), 0x0203);
}
END_TEST

START_TEST(unknown_session_type_is_0209)
{
    peer_open(&one);
    refused(0x87, KEYS("InitiatorName=i\0SessionType=Odd\0"), 0x0209);
}
END_TEST

START_TEST(no_common_authentication_is_0201)
{
    peer_open(&one);
    refused(0x81, KEYS("InitiatorName=i\0TargetName=iqn.2026-11.io.strake:a\0AuthMethod=CHAP\0"),
            0x0201);
}
END_TEST

START_TEST(newer_version_is_0205)
{
    struct pdu_login request = {.head = {.opcode = PDU_LOGIN, .immediate = true, .flags = 0x87},
                                .version_max = 1,
                                .version_min = 1};
    struct pdu_login_response response;
    uint8_t bhs[PDU_BHS_BYTES];
    peer_open(&one);
    pdu_login_encode(bhs, &request);
    peer_send(&one, bhs, NULL, 0);
    ck_assert_uint_eq(peer_take(&one), PDU_LOGIN_RESPONSE);
    pdu_login_response_decode(one.bhs, &response);
    ck_assert_uint_eq(response.status, 0x0205);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(impossible_stage_moves_are_020b)
{
    static const uint8_t flags[] = {0x80 /* 0 to 0 */, 0x84 /* 1 to 0 */, 0x86 /* 1 to 2 */,
                                    0xc7 /* transit, continued */};
    for (size_t i = 0; i < sizeof(flags); i++) {
        peer_open(&one);
        refused(flags[i], KEYS(login_keys), 0x020b);
        peer_close(&one);
    }
}
END_TEST

START_TEST(stage_other_than_the_current_is_020b)
{
    peer_open(&one);
    (void)peer_login_step(&one, TO_OPERATIONAL, KEYS(login_keys));
    refused(TO_FULL_FROM_SECURITY, NULL, 0, 0x020b);
}
END_TEST

START_TEST(isid_that_changes_is_020b)
{
    peer_open(&one);
    (void)peer_login_step(&one, 0x04, KEYS(login_keys));
    one.isid++;
    refused(0x04, NULL, 0, 0x020b);
}
END_TEST

START_TEST(initiator_name_longer_than_223_is_0200)
{
    char keys[14 + 225] = "InitiatorName=";
    memset(keys + 14, 'x', 224);
    keys[sizeof(keys) - 1] = 0;
    peer_open(&one);
    refused(0x87, keys, sizeof(keys), 0x0200);
}
END_TEST

START_TEST(reserved_first_stage_is_0200)
{
    peer_open(&one);
    refused(0x8b, KEYS(login_keys), 0x0200);
}
END_TEST

START_TEST(key_offered_twice_is_0200)
{
    peer_open(&one);
    (void)peer_login_step(&one, 0x04, KEYS(login_keys));
    (void)peer_login_step(&one, 0x04, KEYS("MaxBurstLength=4096\0"));
    refused(0x04, KEYS("MaxBurstLength=8192\0"), 0x0200);
}
END_TEST

START_TEST(text_without_end_is_0200)
{
    static char text[8192];
    memset(text, 'x', sizeof(text));
    peer_open(&one);
    ck_assert_uint_eq(peer_login_step(&one, 0x44, text, sizeof(text)).status, 0);
    ck_assert_uint_eq(peer_login_step(&one, 0x44, text, sizeof(text)).status, 0);
    refused(0x44, text, sizeof(text), 0x0200);
}
END_TEST

START_TEST(login_of_too_many_requests_is_0200)
{
    peer_open(&one);
    (void)peer_login_step(&one, 0x04, KEYS(login_keys));
    for (int i = 1; i < 64; i++)
        ck_assert_uint_eq(peer_login_step(&one, 0x04, NULL, 0).status, 0);
    refused(0x04, NULL, 0, 0x0200);
}
END_TEST

START_TEST(more_unknown_keys_than_fit_an_answer_are_0302)
{
    static char text[8192];
    for (size_t i = 0; i + 4 <= sizeof(text); i += 4)
        memcpy(text + i, "k=v", 4);
    peer_open(&one);
    (void)peer_login_step(&one, 0x04, KEYS(login_keys));
    refused(0x04, text, sizeof(text), 0x0302);
}
END_TEST

START_TEST(tsih_of_no_session_is_020a)
{
    peer_open(&one);
    one.tsih = 0x1234;
    refused(0x87, KEYS(login_keys), 0x020a);
}
END_TEST

/* RFC 7143 section 11.13.3 */
START_TEST(tsih_is_echoed_until_the_last_response)
{
    peer_open(&one);
    one.tsih = 0x1234;
    ck_assert_uint_eq(peer_login_step(&one, 0x44, NULL, 0).tsih, 0x1234);
}
END_TEST

START_TEST(tsih_that_changes_during_login_is_020b)
{
    peer_login(&one);
    peer_open(&two);
    two.tsih = one.tsih;
    (void)peer_login_step(&two, 0x04, KEYS(login_keys));
    two.tsih = 0;
    ck_assert_uint_eq(peer_login_step(&two, 0x87, NULL, 0).status, 0x020b);
    ck_assert_ptr_null(iscsi_node_superseded(&node));
}
END_TEST

START_TEST(second_connection_of_a_session_is_0206)
{
    peer_open(&one);
    peer_login_with(&one, "", 0);
    peer_open(&two);
    two.tsih = one.tsih;
    two.cid = 2;
    struct pdu_login_response response = peer_login_step(&two, 0x87, KEYS(login_keys));
    ck_assert_uint_eq(response.status, 0x0206);
    ck_assert_int_eq(two.next, SESSION_CLOSE);
    ck_assert_ptr_null(iscsi_node_superseded(&node));
}
END_TEST

START_TEST(request_before_login_closes_without_an_answer)
{
    static const uint8_t bhs[PDU_BHS_BYTES] = {0x40, 0x80};
    peer_open(&one);
    peer_send(&one, bhs, NULL, 0);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    peer_silent(&one);
}
END_TEST

START_TEST(login_request_longer_than_allowed_closes)
{
    struct pdu_login request = {.head = {.opcode = PDU_LOGIN, .data_bytes = 8193}};
    uint8_t bhs[PDU_BHS_BYTES];
    peer_open(&one);
    pdu_login_encode(bhs, &request);
    peer_send(&one, bhs, NULL, 0);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(login_in_full_feature_phase_is_a_protocol_error)
{
    struct pdu_login request = {.head = {.opcode = PDU_LOGIN, .immediate = true, .flags = 0x87}};
    uint8_t bhs[PDU_BHS_BYTES];
    peer_login(&one);
    pdu_login_encode(bhs, &request);
    peer_send(&one, bhs, NULL, 0);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_PROTOCOL);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(discovery_needs_no_target)
{
    peer_open(&one);
    struct pdu_login_response response =
        peer_login_step(&one, 0x87, KEYS("InitiatorName=i\0SessionType=Discovery\0"));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_ne(response.tsih, 0);
    ck_assert(!peer_told(&one, "TargetPortalGroupTag=1"));
    ck_assert_uint_eq(export.session_count, 0);
}
END_TEST

START_TEST(command_in_a_discovery_session_is_a_protocol_error)
{
    static const uint8_t cdb[PDU_CDB_BYTES];
    peer_open(&one);
    (void)peer_login_step(&one, 0x87, KEYS("InitiatorName=i\0SessionType=Discovery\0"));
    (void)peer_command(&one, PDU_FINAL, 0, cdb, NULL, 0);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_PROTOCOL);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi login");
    TCase *tcase = tcase_create("stages");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, operational_stage_alone_reaches_full_feature);
    tcase_add_test(tcase, target_tells_its_portal_group_alias_and_segment_length);
    tcase_add_test(tcase, security_stage_leads_to_operational);
    tcase_add_test(tcase, security_stage_may_lead_straight_to_full_feature);
    tcase_add_test(tcase, stage_stays_until_the_initiator_transits);
    tcase_add_test(tcase, text_continued_over_requests_is_put_together);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("refusals");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, missing_initiator_name_is_0207);
    tcase_add_test(tcase, missing_target_name_is_0207);
    tcase_add_test(tcase, unknown_target_is_0203);
    tcase_add_test(tcase, unknown_target_that_may_be_told_of_yet_is_0301);
    tcase_add_test(tcase, target_that_is_gone_is_0203);
    tcase_add_test(tcase, unknown_session_type_is_0209);
    tcase_add_test(tcase, no_common_authentication_is_0201);
    tcase_add_test(tcase, newer_version_is_0205);
    tcase_add_test(tcase, impossible_stage_moves_are_020b);
    tcase_add_test(tcase, stage_other_than_the_current_is_020b);
    tcase_add_test(tcase, isid_that_changes_is_020b);
    tcase_add_test(tcase, initiator_name_longer_than_223_is_0200);
    tcase_add_test(tcase, reserved_first_stage_is_0200);
    tcase_add_test(tcase, key_offered_twice_is_0200);
    tcase_add_test(tcase, text_without_end_is_0200);
    tcase_add_test(tcase, login_of_too_many_requests_is_0200);
    tcase_add_test(tcase, more_unknown_keys_than_fit_an_answer_are_0302);
    tcase_add_test(tcase, tsih_of_no_session_is_020a);
    tcase_add_test(tcase, tsih_is_echoed_until_the_last_response);
    tcase_add_test(tcase, tsih_that_changes_during_login_is_020b);
    tcase_add_test(tcase, second_connection_of_a_session_is_0206);
    tcase_add_test(tcase, request_before_login_closes_without_an_answer);
    tcase_add_test(tcase, login_request_longer_than_allowed_closes);
    tcase_add_test(tcase, login_in_full_feature_phase_is_a_protocol_error);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("discovery");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, discovery_needs_no_target);
    tcase_add_test(tcase, command_in_a_discovery_session_is_a_protocol_error);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
