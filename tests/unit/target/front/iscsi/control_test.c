/* SPDX-License-Identifier: Apache-2.0 */
/* NOP, keepalive, logout. */
#include "tests/unit/target/front/iscsi/initiator.h"

#define SECOND_NS ((uint64_t)1000000000)

static void nop_out(struct peer *p, uint32_t itt, uint32_t ttt, const void *data, uint32_t bytes)
{
    struct pdu_nop_out pdu = {.head = {.opcode = PDU_NOP_OUT,
                                       .immediate = true,
                                       .flags = PDU_FINAL,
                                       .data_bytes = bytes,
                                       .itt = itt,
                                       .cmd_sn = p->cmd_sn},
                              .ttt = ttt};
    uint8_t bhs[PDU_BHS_BYTES];
    pdu_nop_out_encode(bhs, &pdu);
    peer_send(p, bhs, data, bytes);
}

static struct pdu_nop_in take_nop_in(void)
{
    struct pdu_nop_in pdu;
    ck_assert_uint_eq(peer_take(&one), PDU_NOP_IN);
    pdu_nop_in_decode(one.bhs, &pdu);
    return pdu;
}

static void logout(struct peer *p, uint8_t reason, uint16_t cid)
{
    struct pdu_logout pdu = {.head = {.opcode = PDU_LOGOUT,
                                      .immediate = true,
                                      .flags = PDU_FINAL | reason,
                                      .itt = 0x66,
                                      .cmd_sn = p->cmd_sn},
                             .cid = cid};
    uint8_t bhs[PDU_BHS_BYTES];
    pdu_logout_encode(bhs, &pdu);
    peer_send(p, bhs, NULL, 0);
}

static struct pdu_logout_response take_logout(void)
{
    struct pdu_logout_response pdu;
    ck_assert_uint_eq(peer_take(&one), PDU_LOGOUT_RESPONSE);
    pdu_logout_response_decode(one.bhs, &pdu);
    ck_assert_uint_eq(pdu.head.itt, 0x66);
    return pdu;
}

/* Limits of the volume: commands are kept, and everything else goes on. */
START_TEST(throttled_session_keeps_its_commands_and_answers_pings)
{
    static uint8_t data[512];
    peer_login(&one);
    export.throttled = true;
    (void)peer_write(&one, 0, 1, 512, data, 512, false);
    ck_assert_uint_eq(one.held_count, 0);
    nop_out(&one, 0x55, PDU_TAG_NONE, "ping", 4);
    ck_assert_uint_eq(take_nop_in().head.itt, 0x55);
    export.throttled = false;
    iscsi_node_wake_export(&node, &export);
    ck_assert_ptr_eq(iscsi_node_ready(&node), one.conn);
    peer_pull(&one);
    ck_assert_uint_eq(one.held_count, 1);
}
END_TEST

START_TEST(throttled_session_asks_for_no_data)
{
    peer_login(&one);
    export.throttled = true;
    (void)peer_write(&one, 0, 1, 512, NULL, 0, false);
    peer_silent(&one);
    export.throttled = false;
    peer_pull(&one);
    ck_assert_uint_eq(peer_take(&one), PDU_R2T);
}
END_TEST

START_TEST(ping_is_echoed)
{
    peer_login(&one);
    nop_out(&one, 0x55, PDU_TAG_NONE, "hello", 5);
    struct pdu_nop_in pdu = take_nop_in();
    ck_assert_uint_eq(pdu.head.itt, 0x55);
    ck_assert_uint_eq(pdu.ttt, PDU_TAG_NONE);
    ck_assert_uint_eq(one.data_bytes, 5);
    ck_assert_mem_eq(one.data, "hello", 5);
}
END_TEST

START_TEST(echo_is_cut_to_what_the_initiator_takes)
{
    static uint8_t data[40000];
    peer_login(&one);
    nop_out(&one, 0x55, PDU_TAG_NONE, data, sizeof(data));
    (void)take_nop_in();
    ck_assert_uint_eq(one.data_bytes, 32768);
}
END_TEST

START_TEST(answer_to_our_ping_is_not_answered)
{
    peer_login(&one);
    nop_out(&one, PDU_TAG_NONE, 7, NULL, 0);
    peer_silent(&one);
    ck_assert_int_eq(one.next, SESSION_MORE);
}
END_TEST

START_TEST(silent_initiator_is_pinged_once_then_given_up)
{
    peer_login(&one);
    ck_assert(iscsi_tick(one.conn, 100 * SECOND_NS, &one.tx));
    ck_assert(iscsi_tick(one.conn, 114 * SECOND_NS, &one.tx));
    peer_silent(&one);
    ck_assert(iscsi_tick(one.conn, 115 * SECOND_NS, &one.tx));
    struct pdu_nop_in pdu = take_nop_in();
    ck_assert_uint_eq(pdu.head.itt, PDU_TAG_NONE);
    ck_assert_uint_ne(pdu.ttt, PDU_TAG_NONE);
    ck_assert(iscsi_tick(one.conn, 120 * SECOND_NS, &one.tx));
    peer_silent(&one);
    ck_assert(!iscsi_tick(one.conn, 160 * SECOND_NS, &one.tx));
    ck_assert_str_eq(iscsi_why(one.conn), "the initiator is silent");
}
END_TEST

START_TEST(ping_takes_no_stat_sn)
{
    peer_login(&one);
    ck_assert(iscsi_tick(one.conn, SECOND_NS, &one.tx));
    ck_assert(iscsi_tick(one.conn, 20 * SECOND_NS, &one.tx));
    uint32_t stat_sn = take_nop_in().head.stat_sn;
    nop_out(&one, 0x55, PDU_TAG_NONE, NULL, 0);
    ck_assert_uint_eq(take_nop_in().head.stat_sn, stat_sn);
}
END_TEST

START_TEST(answered_ping_keeps_the_connection)
{
    peer_login(&one);
    for (uint64_t now = 1; now < 300; now += 5) {
        ck_assert(iscsi_tick(one.conn, now * SECOND_NS, &one.tx));
        if (tx_empty(&one.tx))
            continue;
        nop_out(&one, PDU_TAG_NONE, take_nop_in().ttt, NULL, 0);
    }
}
END_TEST

START_TEST(command_at_the_disk_excuses_silence)
{
    peer_login(&one);
    ck_assert(iscsi_tick(one.conn, SECOND_NS, &one.tx));
    (void)peer_read(&one, 0, 1, 512);
    ck_assert(iscsi_tick(one.conn, 2 * SECOND_NS, &one.tx));
    ck_assert(iscsi_tick(one.conn, 500 * SECOND_NS, &one.tx));
    peer_silent(&one);
}
END_TEST

START_TEST(login_that_takes_too_long_is_given_up)
{
    peer_open(&one);
    ck_assert(iscsi_tick(one.conn, SECOND_NS, &one.tx));
    (void)peer_login_step(&one, 0x04, KEYS(login_keys));
    ck_assert(iscsi_tick(one.conn, 30 * SECOND_NS, &one.tx));
    ck_assert(!iscsi_tick(one.conn, 31 * SECOND_NS, &one.tx));
}
END_TEST

START_TEST(logout_is_answered_and_closes)
{
    peer_login(&one);
    logout(&one, 0, 0);
    struct pdu_logout_response pdu = take_logout();
    ck_assert_uint_eq(pdu.response, 0);
    ck_assert_uint_eq(pdu.time2wait, 2);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(logout_waits_for_commands_at_the_disk)
{
    peer_login(&one);
    (void)peer_read(&one, 0, 1, 512);
    logout(&one, 0, 0);
    peer_silent(&one);
    ck_assert_int_eq(one.next, SESSION_MORE);
    peer_complete(&one, 0);
    ck_assert_uint_eq(peer_take(&one), PDU_DATA_IN);
    ck_assert_uint_eq(take_logout().response, 0);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(logout_drops_commands_that_wait_for_data)
{
    peer_login(&one);
    (void)peer_write(&one, 0, 1, 512, NULL, 0, false);
    (void)peer_take_r2t(&one);
    logout(&one, 0, 0);
    ck_assert_uint_eq(take_logout().response, 0);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(logout_of_this_connection_closes)
{
    peer_login(&one);
    logout(&one, 1, 1);
    ck_assert_uint_eq(take_logout().response, 0);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
}
END_TEST

START_TEST(logout_of_another_connection_is_refused)
{
    peer_login(&one);
    logout(&one, 1, 9);
    ck_assert_uint_eq(take_logout().response, 1);
    ck_assert_int_eq(one.next, SESSION_MORE);
    nop_out(&one, 0x55, PDU_TAG_NONE, NULL, 0);
    (void)take_nop_in();
}
END_TEST

START_TEST(logout_for_recovery_is_refused)
{
    peer_login(&one);
    logout(&one, 2, 1);
    ck_assert_uint_eq(take_logout().response, 2);
    ck_assert_int_eq(one.next, SESSION_MORE);
}
END_TEST

START_TEST(initiator_is_asked_to_log_out)
{
    struct pdu_async pdu;
    peer_login(&one);
    iscsi_logout_request(one.conn, 10, &one.tx);
    ck_assert_uint_eq(peer_take(&one), PDU_ASYNC);
    pdu_async_decode(one.bhs, &pdu);
    ck_assert_uint_eq(pdu.event, 1);
    ck_assert_uint_eq(pdu.parameter[2], 10);
    ck_assert_uint_eq(pdu.head.itt, PDU_TAG_NONE);
    logout(&one, 0, 0);
    ck_assert_uint_eq(take_logout().response, 0);
}
END_TEST

START_TEST(nobody_is_asked_to_log_out_before_login)
{
    peer_open(&one);
    iscsi_logout_request(one.conn, 10, &one.tx);
    peer_silent(&one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi control");
    TCase *tcase = tcase_create("control");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, throttled_session_keeps_its_commands_and_answers_pings);
    tcase_add_test(tcase, throttled_session_asks_for_no_data);
    tcase_add_test(tcase, ping_is_echoed);
    tcase_add_test(tcase, echo_is_cut_to_what_the_initiator_takes);
    tcase_add_test(tcase, answer_to_our_ping_is_not_answered);
    tcase_add_test(tcase, silent_initiator_is_pinged_once_then_given_up);
    tcase_add_test(tcase, ping_takes_no_stat_sn);
    tcase_add_test(tcase, answered_ping_keeps_the_connection);
    tcase_add_test(tcase, command_at_the_disk_excuses_silence);
    tcase_add_test(tcase, login_that_takes_too_long_is_given_up);
    tcase_add_test(tcase, logout_is_answered_and_closes);
    tcase_add_test(tcase, logout_waits_for_commands_at_the_disk);
    tcase_add_test(tcase, logout_drops_commands_that_wait_for_data);
    tcase_add_test(tcase, logout_of_this_connection_closes);
    tcase_add_test(tcase, logout_of_another_connection_is_refused);
    tcase_add_test(tcase, logout_for_recovery_is_refused);
    tcase_add_test(tcase, initiator_is_asked_to_log_out);
    tcase_add_test(tcase, nobody_is_asked_to_log_out_before_login);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
