/* SPDX-License-Identifier: Apache-2.0 */
/* Text requests: SendTargets in both kinds of session, and texts in several PDUs. */
#include "tests/unit/target/front/iscsi/initiator.h"

static struct export second;

static void setup_two(void)
{
    setup();
    second = (struct export){.name = "b", .size_bytes = DISK_BYTES, .block_bytes = 512};
    list_append(&exports.list, &second.node);
}

static void discover(const char *keys, uint32_t keys_bytes)
{
    char text[256] = "InitiatorName=i\0SessionType=Discovery\0";
    uint32_t names = 16 + 22;
    memcpy(text + names, keys, keys_bytes);
    peer_open(&one);
    ck_assert_uint_eq(peer_login_step(&one, 0x87, text, names + keys_bytes).status, 0);
}

static struct pdu_text_response text_step(uint8_t flags, uint32_t ttt, const void *keys,
                                          uint32_t keys_bytes)
{
    struct pdu_text request = {.head = {.opcode = PDU_TEXT,
                                        .flags = flags,
                                        .data_bytes = keys_bytes,
                                        .itt = 0x44,
                                        .cmd_sn = one.cmd_sn++},
                               .ttt = ttt};
    struct pdu_text_response response;
    uint8_t bhs[PDU_BHS_BYTES];
    pdu_text_encode(bhs, &request);
    peer_send(&one, bhs, keys, keys_bytes);
    ck_assert_uint_eq(peer_take(&one), PDU_TEXT_RESPONSE);
    pdu_text_response_decode(one.bhs, &response);
    ck_assert_uint_eq(response.head.itt, 0x44);
    return response;
}

/* One whole exchange of one PDU each. */
static void ask(const char *keys, uint32_t keys_bytes)
{
    struct pdu_text_response response = text_step(PDU_FINAL, PDU_TAG_NONE, keys, keys_bytes);
    ck_assert_uint_eq(response.head.flags, PDU_FINAL);
    ck_assert_uint_eq(response.ttt, PDU_TAG_NONE);
}

START_TEST(all_targets_are_told_to_a_discovery_session)
{
    static const char want[] = "TargetName=iqn.2026-11.io.strake:a\0"
                               "TargetAddress=127.0.0.1:3260,1\0"
                               "TargetName=iqn.2026-11.io.strake:b\0"
                               "TargetAddress=127.0.0.1:3260,1";
    discover("", 0);
    ask(KEYS("SendTargets=All\0"));
    ck_assert_uint_eq(one.data_bytes, sizeof(want));
    ck_assert_mem_eq(one.data, want, sizeof(want));
}
END_TEST

START_TEST(configured_portal_is_told_instead)
{
    (void)iscsi_node_portal_add(&node, "[2001:db8::1]:3260");
    discover("", 0);
    ask(KEYS("SendTargets=All\0"));
    ck_assert(peer_told(&one, "TargetAddress=[2001:db8::1]:3260,1"));
    ck_assert(!peer_told(&one, "TargetAddress=127.0.0.1:3260,1"));
}
END_TEST

START_TEST(all_portals_are_told_the_one_connected_to_first)
{
    static const char want[] = "TargetName=iqn.2026-11.io.strake:a\0"
                               "TargetAddress=127.0.0.1:3260,1\0"
                               "TargetAddress=10.0.0.2:3260,1\0"
                               "TargetName=iqn.2026-11.io.strake:b\0"
                               "TargetAddress=127.0.0.1:3260,1\0"
                               "TargetAddress=10.0.0.2:3260,1";
    (void)iscsi_node_portal_add(&node, "");
    (void)iscsi_node_portal_add(&node, "10.0.0.2:3260");
    (void)iscsi_node_portal_add(&node, "");
    discover("", 0);
    ask(KEYS("SendTargets=All\0"));
    ck_assert_uint_eq(one.data_bytes, sizeof(want));
    ck_assert_mem_eq(one.data, want, sizeof(want));
}
END_TEST

START_TEST(one_target_is_told_by_its_name)
{
    discover("", 0);
    ask(KEYS("SendTargets=iqn.2026-11.io.strake:b\0"));
    ck_assert(peer_told(&one, "TargetName=iqn.2026-11.io.strake:b"));
    ck_assert(!peer_told(&one, "TargetName=iqn.2026-11.io.strake:a"));
}
END_TEST

START_TEST(unknown_target_is_an_empty_answer)
{
    discover("", 0);
    ask(KEYS("SendTargets=iqn.2026-11.io.strake:c\0"));
    ck_assert_uint_eq(one.data_bytes, 0);
}
END_TEST

START_TEST(target_that_is_gone_is_not_told)
{
    discover("", 0);
    second.gone = true;
    ask(KEYS("SendTargets=All\0"));
    ck_assert(!peer_told(&one, "TargetName=iqn.2026-11.io.strake:b"));
}
END_TEST

START_TEST(normal_session_hears_of_its_own_target)
{
    peer_login(&one);
    ask(KEYS("SendTargets=\0"));
    ck_assert(peer_told(&one, "TargetName=iqn.2026-11.io.strake:a"));
    ck_assert(!peer_told(&one, "TargetName=iqn.2026-11.io.strake:b"));
}
END_TEST

START_TEST(normal_session_hears_of_no_other_target)
{
    peer_login(&one);
    ask(KEYS("SendTargets=iqn.2026-11.io.strake:b\0"));
    ck_assert_uint_eq(one.data_bytes, 0);
}
END_TEST

START_TEST(all_targets_are_refused_to_a_normal_session)
{
    peer_login(&one);
    ask(KEYS("SendTargets=All\0"));
    ck_assert(peer_told(&one, "SendTargets=Reject"));
}
END_TEST

START_TEST(long_answer_comes_in_pieces)
{
    enum { MANY = 40 };
    static struct export many[MANY];
    static char joined[16384];
    uint32_t length = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        many[i] = (struct export){.name = {'m', (char)('a' + i / 10), (char)('0' + i % 10)}};
        list_append(&exports.list, &many[i].node);
    }
    discover(KEYS("MaxRecvDataSegmentLength=512\0"));
    struct pdu_text_response response =
        text_step(PDU_FINAL, PDU_TAG_NONE, KEYS("SendTargets=All\0"));
    while (!(response.head.flags & PDU_FINAL)) {
        ck_assert_uint_eq(response.head.flags, PDU_CONTINUE);
        ck_assert_uint_ne(response.ttt, PDU_TAG_NONE);
        ck_assert_uint_eq(one.data_bytes, 512);
        memcpy(joined + length, one.data, one.data_bytes);
        length += one.data_bytes;
        response = text_step(PDU_FINAL, response.ttt, NULL, 0);
    }
    memcpy(joined + length, one.data, one.data_bytes);
    length += one.data_bytes;
    uint32_t targets = 0;
    for (uint32_t at = 0; at < length; at += (uint32_t)strlen(joined + at) + 1)
        targets += strncmp(joined + at, "TargetName=", 11) == 0;
    ck_assert_uint_eq(targets, MANY + 2);
}
END_TEST

START_TEST(request_may_come_in_pieces)
{
    discover("", 0);
    struct pdu_text_response response = text_step(PDU_CONTINUE, PDU_TAG_NONE, "SendTar", 7);
    ck_assert_uint_eq(response.head.flags, 0);
    ck_assert_uint_eq(one.data_bytes, 0);
    response = text_step(PDU_FINAL, response.ttt, "gets=All", 9);
    ck_assert_uint_eq(response.head.flags, PDU_FINAL);
    ck_assert(peer_told(&one, "TargetName=iqn.2026-11.io.strake:a"));
}
END_TEST

START_TEST(request_without_end_closes)
{
    static char text[8192];
    struct pdu_text request = {
        .head = {.opcode = PDU_TEXT, .flags = PDU_CONTINUE, .itt = 0x44, .data_bytes = 8192}};
    uint8_t bhs[PDU_BHS_BYTES];
    discover("", 0);
    uint32_t ttt = text_step(PDU_CONTINUE, PDU_TAG_NONE, text, sizeof(text)).ttt;
    ttt = text_step(PDU_CONTINUE, ttt, text, sizeof(text)).ttt;
    request.ttt = ttt;
    request.head.cmd_sn = one.cmd_sn++;
    pdu_text_encode(bhs, &request);
    peer_send(&one, bhs, text, sizeof(text));
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(tag_that_we_did_not_give_is_rejected)
{
    struct pdu_text request = {.head = {.opcode = PDU_TEXT, .flags = PDU_FINAL, .itt = 0x44},
                               .ttt = 0x123};
    uint8_t bhs[PDU_BHS_BYTES];
    discover("", 0);
    request.head.cmd_sn = one.cmd_sn++;
    pdu_text_encode(bhs, &request);
    peer_send(&one, bhs, NULL, 0);
    ck_assert_uint_eq(peer_take_reject(&one), PDU_REJECT_INVALID_FIELD);
}
END_TEST

START_TEST(segment_length_may_be_declared_anew)
{
    peer_login(&one);
    ask(KEYS("MaxRecvDataSegmentLength=1024\0"));
    (void)peer_read(&one, 0, 4, 2048);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take(&one), PDU_DATA_IN);
    ck_assert_uint_eq(one.data_bytes, 1024);
}
END_TEST

START_TEST(login_keys_are_refused_by_then)
{
    peer_login(&one);
    ask(KEYS("DataDigest=CRC32C\0X=1\0"));
    ck_assert(peer_told(&one, "DataDigest=Reject"));
    ck_assert(peer_told(&one, "X=NotUnderstood"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi text");
    TCase *tcase = tcase_create("text");
    tcase_add_checked_fixture(tcase, setup_two, teardown);
    tcase_add_test(tcase, all_targets_are_told_to_a_discovery_session);
    tcase_add_test(tcase, configured_portal_is_told_instead);
    tcase_add_test(tcase, all_portals_are_told_the_one_connected_to_first);
    tcase_add_test(tcase, one_target_is_told_by_its_name);
    tcase_add_test(tcase, unknown_target_is_an_empty_answer);
    tcase_add_test(tcase, target_that_is_gone_is_not_told);
    tcase_add_test(tcase, normal_session_hears_of_its_own_target);
    tcase_add_test(tcase, normal_session_hears_of_no_other_target);
    tcase_add_test(tcase, all_targets_are_refused_to_a_normal_session);
    tcase_add_test(tcase, long_answer_comes_in_pieces);
    tcase_add_test(tcase, request_may_come_in_pieces);
    tcase_add_test(tcase, request_without_end_closes);
    tcase_add_test(tcase, tag_that_we_did_not_give_is_rejected);
    tcase_add_test(tcase, segment_length_may_be_declared_anew);
    tcase_add_test(tcase, login_keys_are_refused_by_then);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
