/* SPDX-License-Identifier: Apache-2.0 */
/* The security stage: who is let in, who is not, and how each is told. */
#include "target/front/iscsi/chap.h"
#include "target/front/iscsi/state.h"
#include "tests/unit/target/front/iscsi/initiator.h"

#include <stdio.h>

static struct access *access;

static int no_file(void *arg, const char *path, uint8_t *bytes, uint32_t size, uint32_t *length,
                   struct error *error)
{
    (void)arg;
    (void)bytes;
    (void)size;
    (void)length;
    return error_set(error, "%s", path);
}

static void rules(const char *text)
{
    struct error error;
    char *copy = strdup(text);
    access_free(access);
    access = access_new(copy, no_file, NULL, &error);
    free(copy);
    ck_assert_msg(access != NULL, "%s", error.text);
    exports.access = access;
}

static void auth_teardown(void)
{
    teardown();
    access_free(access);
    access = NULL;
}

#define ALICE  "[volume a]\nuser = alice\nsecret = secret of alice\n"
#define MUTUAL ALICE "mutual-user = strake\nmutual-secret = secret of ours\n"
#define NAMES  "InitiatorName=iqn.1994-05.org.example:host\0TargetName=iqn.2026-11.io.strake:a\0"
enum { SECURITY = 0x00, SECURITY_TO_OPERATIONAL = 0x81 };

static struct pdu_login_response step(uint8_t flags, const void *text, uint32_t bytes)
{
    return peer_login_step(&one, flags, text, bytes);
}

static void refused_with(struct pdu_login_response response, uint16_t status, const char *why)
{
    ck_assert_uint_eq(response.status, status);
    ck_assert_int_eq(one.next, SESSION_CLOSE);
    ck_assert_msg(strstr(iscsi_why(one.conn), why), "\"%s\" does not say \"%s\"",
                  iscsi_why(one.conn), why);
}

/* AuthMethod and CHAP_A; our challenge is in the answer. */
static void challenge_get(const char *algorithm)
{
    char text[64];
    struct pdu_login_response response =
        step(SECURITY_TO_OPERATIONAL, KEYS(NAMES "AuthMethod=CHAP,None\0"));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, SECURITY);
    ck_assert(peer_told(&one, "AuthMethod=CHAP"));
    int length = snprintf(text, sizeof(text), "CHAP_A=%s", algorithm) + 1;
    response = step(SECURITY, text, (uint32_t)length);
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, SECURITY);
}

/* "CHAP_N=USER", "CHAP_R=..." as whoever knows `secret` would say; returns the length. */
static uint32_t response_write(char *text, size_t size, enum chap_algorithm algorithm,
                               const char *user, const char *secret)
{
    uint8_t response[CHAP_DIGEST_BYTES_MAX];
    char hex[CHAP_TEXT_BYTES];
    uint32_t length =
        chap_response(algorithm, one.conn->random[ISCSI_RANDOM_IDENTIFIER], (const uint8_t *)secret,
                      (uint32_t)strlen(secret), one.conn->random + ISCSI_RANDOM_CHALLENGE,
                      CHAP_CHALLENGE_BYTES, response);
    chap_binary_encode(response, length, hex);
    return (uint32_t)snprintf(text, size, "CHAP_N=%s%cCHAP_R=%s", user, 0, hex) + 1;
}

static struct pdu_login_response prove(enum chap_algorithm algorithm, const char *user,
                                       const char *secret)
{
    char text[512];
    return step(SECURITY_TO_OPERATIONAL, text,
                response_write(text, sizeof(text), algorithm, user, secret));
}

/* The same with a challenge of the initiator's behind it. */
static struct pdu_login_response prove_asking(enum chap_algorithm algorithm, const char *secret,
                                              const char *identifier, const char *challenge)
{
    char text[4096];
    uint32_t length = response_write(text, sizeof(text), algorithm, "alice", secret);
    length += (uint32_t)snprintf(text + length, sizeof(text) - length, "CHAP_I=%s%cCHAP_C=%s",
                                 identifier, 0, challenge) +
              1;
    return step(SECURITY_TO_OPERATIONAL, text, length);
}

static void full_feature(void)
{
    struct pdu_login_response response =
        step(TO_FULL_FROM_OPERATIONAL, KEYS("HeaderDigest=None\0"));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_ne(response.tsih, 0);
}

/* MD5, SHA-1, SHA-256 and SHA3-256, as CHAP_A says them. */
static const char *const algorithm_names[] = {"5", "6", "7", "8"};

START_TEST(who_knows_the_secret_is_let_in)
{
    rules(ALICE);
    peer_open(&one);
    challenge_get(algorithm_names[_i]);
    struct pdu_login_response response =
        prove((enum chap_algorithm)(CHAP_MD5 + _i), "alice", "secret of alice");
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, SECURITY_TO_OPERATIONAL);
    full_feature();
}
END_TEST

START_TEST(challenge_has_algorithm_identifier_and_random_bytes)
{
    rules(ALICE);
    peer_open(&one);
    challenge_get("9,7,5");
    ck_assert(peer_told(&one, "CHAP_A=7"));
    ck_assert(peer_told(&one, "CHAP_I=48"));
    ck_assert(peer_told(&one, "CHAP_C=0x0000000000000000000000000000000000000000000000000000000000"
                              "000000"));
}
END_TEST

START_TEST(wrong_secret_is_0201_and_not_in_the_reason)
{
    rules(ALICE);
    peer_open(&one);
    challenge_get("7");
    refused_with(prove(CHAP_SHA256, "alice", "secret of malice"), 0x0201, "user alice: wrong");
    ck_assert_ptr_null(strstr(iscsi_why(one.conn), "secret of"));
}
END_TEST

START_TEST(unknown_user_is_0201)
{
    rules(ALICE);
    peer_open(&one);
    challenge_get("5");
    refused_with(prove(CHAP_MD5, "bob", "secret of alice"), 0x0201, "user bob");
}
END_TEST

START_TEST(user_that_would_spoil_the_log_is_0201)
{
    rules(ALICE);
    peer_open(&one);
    challenge_get("5");
    refused_with(prove(CHAP_MD5, "al\nice", "secret of alice"), 0x0201, "no user's name");
}
END_TEST

START_TEST(old_and_new_secret_of_a_user_are_both_good)
{
    rules(ALICE "[volume a]\nuser = alice\nsecret = newer secret\n");
    peer_open(&one);
    challenge_get("5");
    ck_assert_uint_eq(prove(CHAP_MD5, "alice", "newer secret").status, 0);
}
END_TEST

START_TEST(target_proves_itself_to_who_asks)
{
    const enum chap_algorithm algorithm = CHAP_MD5 + (enum chap_algorithm)_i;
    uint8_t want[CHAP_DIGEST_BYTES_MAX];
    char hex[CHAP_TEXT_BYTES];
    char pair[128];
    rules(MUTUAL);
    peer_open(&one);
    challenge_get(algorithm_names[_i]);
    struct pdu_login_response response =
        prove_asking(algorithm, "secret of alice", "0x21", "0bYWJj");
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, SECURITY_TO_OPERATIONAL);
    ck_assert(peer_told(&one, "CHAP_N=strake"));
    uint32_t length = chap_response(algorithm, 0x21, (const uint8_t *)"secret of ours", 14,
                                    (const uint8_t *)"abc", 3, want);
    chap_binary_encode(want, length, hex);
    snprintf(pair, sizeof(pair), "CHAP_R=%s", hex);
    ck_assert(peer_told(&one, pair));
    full_feature();
}
END_TEST

START_TEST(our_challenge_sent_back_is_0201)
{
    char hex[CHAP_TEXT_BYTES];
    rules(MUTUAL);
    peer_open(&one);
    challenge_get("5");
    chap_binary_encode(one.conn->random + ISCSI_RANDOM_CHALLENGE, CHAP_CHALLENGE_BYTES, hex);
    refused_with(prove_asking(CHAP_MD5, "secret of alice", "1", hex), 0x0201, "our own challenge");
    ck_assert_uint_eq(one.data_bytes, 0);
}
END_TEST

START_TEST(initiator_without_proof_hears_nothing_of_ours)
{
    rules(MUTUAL);
    peer_open(&one);
    challenge_get("5");
    refused_with(prove_asking(CHAP_MD5, "secret of malice", "1", "0x616263"), 0x0201,
                 "wrong secret");
    ck_assert_uint_eq(one.data_bytes, 0);
}
END_TEST

START_TEST(mutual_chap_without_a_mutual_user_is_0201)
{
    rules(ALICE);
    peer_open(&one);
    challenge_get("5");
    refused_with(prove_asking(CHAP_MD5, "secret of alice", "1", "0x616263"), 0x0201, "mutual-user");
}
END_TEST

static const char *const bad_challenges[][2] = {
    {"256", "0x616263"}, {"", "0x616263"}, {"1", ""}, {"1", "0x"}, {"1", "abc"},
};

START_TEST(challenge_that_is_none_is_0201)
{
    rules(MUTUAL);
    peer_open(&one);
    challenge_get("5");
    refused_with(
        prove_asking(CHAP_MD5, "secret of alice", bad_challenges[_i][0], bad_challenges[_i][1]),
        0x0201, "CHAP_I or CHAP_C");
}
END_TEST

START_TEST(challenge_of_1024_bytes_is_answered)
{
    static char hex[2 + 2048 + 1] = "0x";
    memset(hex + 2, 'a', 2048);
    rules(MUTUAL);
    peer_open(&one);
    challenge_get("5");
    ck_assert_uint_eq(prove_asking(CHAP_MD5, "secret of alice", "1", hex).status, 0);
}
END_TEST

START_TEST(no_common_algorithm_is_0201)
{
    rules(ALICE);
    peer_open(&one);
    (void)step(SECURITY, KEYS(NAMES "AuthMethod=CHAP\0"));
    refused_with(step(SECURITY, KEYS("CHAP_A=4\0")), 0x0201, "algorithm");
}
END_TEST

START_TEST(none_where_chap_is_demanded_is_0201)
{
    rules(ALICE);
    peer_open(&one);
    refused_with(step(SECURITY_TO_OPERATIONAL, KEYS(NAMES "AuthMethod=None\0")), 0x0201,
                 "does not offer CHAP");
}
END_TEST

START_TEST(no_security_stage_where_chap_is_demanded_is_0201)
{
    rules(ALICE);
    peer_open(&one);
    refused_with(step(TO_FULL_FROM_OPERATIONAL, KEYS(NAMES)), 0x0201, "does not authenticate");
}
END_TEST

START_TEST(security_stage_without_a_method_where_chap_is_demanded_is_0201)
{
    rules(ALICE);
    peer_open(&one);
    refused_with(step(TO_FULL_FROM_SECURITY, KEYS(NAMES)), 0x0201, "does not authenticate");
}
END_TEST

START_TEST(chap_under_way_keeps_the_stage)
{
    rules(ALICE);
    peer_open(&one);
    struct pdu_login_response response =
        step(TO_FULL_FROM_SECURITY, KEYS(NAMES "AuthMethod=CHAP\0CHAP_A=5\0"));
    ck_assert_uint_eq(response.status, 0);
    ck_assert_uint_eq(response.head.flags, SECURITY);
    ck_assert(peer_told(&one, "CHAP_A=5"));
}
END_TEST

START_TEST(second_challenge_is_not_given)
{
    rules(ALICE);
    peer_open(&one);
    challenge_get("5");
    refused_with(step(SECURITY, KEYS("CHAP_A=5\0")), 0x0201, "missing");
}
END_TEST

START_TEST(response_before_the_challenge_is_0201)
{
    rules(ALICE);
    peer_open(&one);
    (void)step(SECURITY, KEYS(NAMES "AuthMethod=CHAP\0"));
    refused_with(prove(CHAP_MD5, "alice", "secret of alice"), 0x0201, "order");
}
END_TEST

START_TEST(method_named_twice_is_0200)
{
    rules(ALICE);
    peer_open(&one);
    (void)step(SECURITY, KEYS(NAMES "AuthMethod=CHAP\0"));
    refused_with(step(SECURITY, KEYS("AuthMethod=None\0")), 0x0200, "twice");
}
END_TEST

START_TEST(initiator_that_no_rule_admits_is_0202)
{
    rules("[volume a]\ninitiators = iqn.other\n");
    peer_open(&one);
    refused_with(step(TO_FULL_FROM_OPERATIONAL, KEYS(NAMES)), 0x0202,
                 "login to a refused: no access rule admits this initiator");
}
END_TEST

START_TEST(address_that_no_rule_admits_is_0202)
{
    rules("[volume a]\naddresses = 10.0.0.0/8\n");
    peer_open(&one);
    refused_with(step(TO_FULL_FROM_OPERATIONAL, KEYS(NAMES)), 0x0202, "address");
}
END_TEST

START_TEST(rules_that_change_during_login_count)
{
    rules(ALICE);
    peer_open(&one);
    challenge_get("5");
    rules("[volume a]\nuser = alice\nsecret = newer secret\n");
    refused_with(prove(CHAP_MD5, "alice", "secret of alice"), 0x0201, "wrong secret");
}
END_TEST

START_TEST(rules_that_change_leave_a_session_alone)
{
    peer_login(&one);
    rules("[volume a]\ninitiators = iqn.other\n");
    (void)peer_read(&one, 0, 1, 512);
    ck_assert_uint_eq(one.held_count, 1);
}
END_TEST

START_TEST(redirected_initiator_is_told_where)
{
    rules("[volume a]\nredirect = 10.0.0.7:3260\n");
    peer_open(&one);
    refused_with(step(TO_FULL_FROM_OPERATIONAL, KEYS(NAMES)), 0x0101, "elsewhere");
    ck_assert(peer_told(&one, "TargetAddress=10.0.0.7:3260"));
}
END_TEST

START_TEST(initiator_name_that_would_spoil_the_log_is_0200)
{
    peer_open(&one);
    refused_with(step(TO_FULL_FROM_OPERATIONAL,
                      KEYS("InitiatorName=iqn.a\nb\0TargetName=iqn.2026-11.io.strake:a\0")),
                 0x0200, "InitiatorName");
}
END_TEST

START_TEST(discovery_shows_what_may_be_used)
{
    struct pdu_text text = {.head = {.opcode = PDU_TEXT, .flags = PDU_FINAL, .itt = 9},
                            .ttt = PDU_TAG_NONE};
    uint8_t bhs[PDU_BHS_BYTES];
    rules(_i ? "[volume a]\naddresses = 127.0.0.0/8\nuser = u\nsecret = 123456789012\n"
             : "[volume a]\ninitiators = x\n");
    peer_open(&one);
    (void)step(TO_FULL_FROM_OPERATIONAL, KEYS("InitiatorName=iqn.h\0SessionType=Discovery\0"));
    text.head.cmd_sn = one.cmd_sn++;
    text.head.data_bytes = 16;
    pdu_text_encode(bhs, &text);
    peer_send(&one, bhs, "SendTargets=All", 16);
    ck_assert_uint_eq(peer_take(&one), PDU_TEXT_RESPONSE);
    ck_assert_int_eq(peer_told(&one, "TargetName=iqn.2026-11.io.strake:a"), _i);
}
END_TEST

START_TEST(discovery_may_demand_chap)
{
    rules("[discovery]\nuser = d\nsecret = secret of d...\n");
    peer_open(&one);
    refused_with(
        step(TO_FULL_FROM_OPERATIONAL, KEYS("InitiatorName=iqn.h\0SessionType=Discovery\0")),
        0x0201, "login to discovery refused");
    peer_close(&one);
    peer_open(&one);
    (void)step(SECURITY, KEYS("InitiatorName=iqn.h\0SessionType=Discovery\0AuthMethod=CHAP\0"
                              "CHAP_A=5\0"));
    ck_assert_uint_eq(prove(CHAP_MD5, "d", "secret of d...").status, 0);
    full_feature();
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("chap");
    tcase_add_checked_fixture(tcase, setup, auth_teardown);
    tcase_add_loop_test(tcase, who_knows_the_secret_is_let_in, 0, 4);
    tcase_add_test(tcase, challenge_has_algorithm_identifier_and_random_bytes);
    tcase_add_test(tcase, wrong_secret_is_0201_and_not_in_the_reason);
    tcase_add_test(tcase, unknown_user_is_0201);
    tcase_add_test(tcase, user_that_would_spoil_the_log_is_0201);
    tcase_add_test(tcase, old_and_new_secret_of_a_user_are_both_good);
    tcase_add_loop_test(tcase, target_proves_itself_to_who_asks, 0, 4);
    tcase_add_test(tcase, our_challenge_sent_back_is_0201);
    tcase_add_test(tcase, initiator_without_proof_hears_nothing_of_ours);
    tcase_add_test(tcase, mutual_chap_without_a_mutual_user_is_0201);
    tcase_add_loop_test(tcase, challenge_that_is_none_is_0201, 0, ARRAY_COUNT(bad_challenges));
    tcase_add_test(tcase, challenge_of_1024_bytes_is_answered);
    tcase_add_test(tcase, no_common_algorithm_is_0201);
    tcase_add_test(tcase, none_where_chap_is_demanded_is_0201);
    tcase_add_test(tcase, no_security_stage_where_chap_is_demanded_is_0201);
    tcase_add_test(tcase, security_stage_without_a_method_where_chap_is_demanded_is_0201);
    tcase_add_test(tcase, chap_under_way_keeps_the_stage);
    tcase_add_test(tcase, second_challenge_is_not_given);
    tcase_add_test(tcase, response_before_the_challenge_is_0201);
    tcase_add_test(tcase, method_named_twice_is_0200);
    Suite *suite = suite_create("auth");
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("rules");
    tcase_add_checked_fixture(tcase, setup, auth_teardown);
    tcase_add_test(tcase, initiator_that_no_rule_admits_is_0202);
    tcase_add_test(tcase, address_that_no_rule_admits_is_0202);
    tcase_add_test(tcase, rules_that_change_during_login_count);
    tcase_add_test(tcase, rules_that_change_leave_a_session_alone);
    tcase_add_test(tcase, redirected_initiator_is_told_where);
    tcase_add_test(tcase, initiator_name_that_would_spoil_the_log_is_0200);
    tcase_add_loop_test(tcase, discovery_shows_what_may_be_used, 0, 2);
    tcase_add_test(tcase, discovery_may_demand_chap);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
