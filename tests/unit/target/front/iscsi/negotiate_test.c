/* SPDX-License-Identifier: Apache-2.0 */
/* Text keys: parsing, merging, and what is answered to each. */
#include "target/front/iscsi/negotiate.h"
#include "tests/lib/suite.h"

#include <string.h>

static struct negotiation negotiation;
static uint8_t answer_bytes[1024];
static struct writer answer;

static void setup(void)
{
    negotiation_init(&negotiation);
    answer = writer_of(answer_bytes, sizeof(answer_bytes));
}

static const char *take_bytes(const char *text, size_t length)
{
    return negotiation_take(&negotiation, KEY_IN_OPERATIONAL, (const uint8_t *)text,
                            (uint32_t)length, &answer);
}

/* Takes one pair; the one answer must be `want`, "" for none. */
static void exchange(const char *pair, const char *want)
{
    answer = writer_of(answer_bytes, sizeof(answer_bytes));
    ck_assert_ptr_null(take_bytes(pair, strlen(pair) + 1));
    write_u8(&answer, 0);
    ck_assert_str_eq((const char *)answer_bytes, want);
}

START_TEST(defaults_are_the_rfcs)
{
    ck_assert_uint_eq(negotiation.value[KEY_MAX_RECV_BYTES], 8192);
    ck_assert_uint_eq(negotiation.value[KEY_MAX_BURST_BYTES], 262144);
    ck_assert_uint_eq(negotiation.value[KEY_FIRST_BURST_BYTES], 65536);
    ck_assert_uint_eq(negotiation.value[KEY_INITIAL_R2T], 1);
    ck_assert_uint_eq(negotiation.value[KEY_IMMEDIATE_DATA], 1);
    ck_assert_uint_eq(negotiation.value[KEY_MAX_R2T], 1);
    ck_assert_uint_eq(negotiation.value[KEY_TIME2WAIT], 2);
    ck_assert_uint_eq(negotiation.value[KEY_TIME2RETAIN], 20);
    ck_assert_uint_eq(negotiation.value[KEY_HEADER_DIGEST], 0);
}
END_TEST

START_TEST(what_was_not_negotiated_anew_is_kept)
{
    static struct negotiation last;
    negotiation_init(&last);
    last.value[KEY_IMMEDIATE_DATA] = 0;
    last.value[KEY_MAX_BURST_BYTES] = 65536;
    last.value[KEY_MAX_RECV_BYTES] = 512;
    last.value[KEY_DATA_DIGEST] = 1;
    exchange("MaxBurstLength=131072", "MaxBurstLength=131072");
    negotiation_keep(&negotiation, &last);
    ck_assert_uint_eq(negotiation.value[KEY_IMMEDIATE_DATA], 0);
    ck_assert_uint_eq(negotiation.value[KEY_MAX_BURST_BYTES], 131072);
    ck_assert_uint_eq(negotiation.value[KEY_MAX_RECV_BYTES], 8192);
    ck_assert_uint_eq(negotiation.value[KEY_DATA_DIGEST], 0);
}
END_TEST

static const struct {
    const char *pair;
    const char *want;
} answers[] = {
    {"MaxConnections=4", "MaxConnections=1"},
    {"InitialR2T=No", "InitialR2T=No"},
    {"InitialR2T=Yes", "InitialR2T=Yes"},
    {"ImmediateData=Yes", "ImmediateData=Yes"},
    {"ImmediateData=No", "ImmediateData=No"},
    {"MaxBurstLength=16776192", "MaxBurstLength=4194304"},
    {"MaxBurstLength=512", "MaxBurstLength=512"},
    {"FirstBurstLength=262144", "FirstBurstLength=262144"},
    {"FirstBurstLength=16777215", "FirstBurstLength=1048576"},
    {"DefaultTime2Wait=0", "DefaultTime2Wait=2"},
    {"DefaultTime2Wait=5", "DefaultTime2Wait=5"},
    {"DefaultTime2Retain=20", "DefaultTime2Retain=0"},
    {"MaxOutstandingR2T=1", "MaxOutstandingR2T=1"},
    {"MaxOutstandingR2T=65535", "MaxOutstandingR2T=8"},
    {"DataPDUInOrder=No", "DataPDUInOrder=Yes"},
    {"DataSequenceInOrder=Yes", "DataSequenceInOrder=Yes"},
    {"ErrorRecoveryLevel=2", "ErrorRecoveryLevel=0"},
    {"HeaderDigest=CRC32C,None", "HeaderDigest=CRC32C"},
    {"HeaderDigest=None,CRC32C", "HeaderDigest=None"},
    {"DataDigest=X,CRC32C", "DataDigest=CRC32C"},
    {"DataDigest=X", "DataDigest=Reject"},
    {"IFMarker=Yes", "IFMarker=No"},
    {"OFMarker=No", "OFMarker=No"},
    {"IFMarkInt=2048~2048", "IFMarkInt=Irrelevant"},
    {"iSCSIProtocolLevel=2", "iSCSIProtocolLevel=1"},
    {"TaskReporting=FastAbort,RFC3720", "TaskReporting=RFC3720"},
    {"X-com.example=1", "X-com.example=NotUnderstood"},
    {"Odd=NotUnderstood", ""},
    {"TargetAlias=x", "TargetAlias=Reject"},
    {"SendTargets=All", "SendTargets=Reject"},
    {"AuthMethod=None", "AuthMethod=Reject"},
    {"InitiatorAlias=x", ""},
};

START_TEST(answer_is_as_the_table_says)
{
    exchange(answers[_i].pair, answers[_i].want);
}
END_TEST

START_TEST(initiators_segment_length_is_kept_unanswered)
{
    exchange("MaxRecvDataSegmentLength=262144", "");
    ck_assert_uint_eq(negotiation.value[KEY_MAX_RECV_BYTES], 262144);
}
END_TEST

START_TEST(numbers_may_be_hexadecimal)
{
    exchange("MaxBurstLength=0x1fE00", "MaxBurstLength=130560");
    ck_assert_uint_eq(negotiation.value[KEY_MAX_BURST_BYTES], 0x1fe00);
}
END_TEST

static const char *const bad_numbers[] = {
    "MaxBurstLength=",      "MaxBurstLength=x",        "MaxBurstLength=0x",
    "MaxBurstLength=-1",    "MaxBurstLength=16777216", "MaxBurstLength=99999999999999999999",
    "MaxBurstLength=4096 ", "MaxBurstLength=511",
};

START_TEST(illegal_number_is_rejected_and_the_default_stays)
{
    exchange(bad_numbers[_i], "MaxBurstLength=Reject");
    ck_assert_uint_eq(negotiation.value[KEY_MAX_BURST_BYTES], 262144);
}
END_TEST

START_TEST(boolean_is_yes_or_no)
{
    exchange("ImmediateData=yes", "ImmediateData=Reject");
    ck_assert_uint_eq(negotiation.value[KEY_IMMEDIATE_DATA], 1);
}
END_TEST

START_TEST(discovery_makes_task_keys_irrelevant)
{
    negotiation.discovery = true;
    exchange("MaxBurstLength=4096", "MaxBurstLength=Irrelevant");
    ck_assert_uint_eq(negotiation.value[KEY_MAX_BURST_BYTES], 262144);
}
END_TEST

START_TEST(pairs_are_taken_in_order_and_answered_in_order)
{
    static const char text[] = "InitialR2T=No\0MaxConnections=1";
    static const char want[] = "InitialR2T=No\0MaxConnections=1";
    ck_assert_ptr_null(take_bytes(text, sizeof(text)));
    ck_assert_uint_eq(writer_length(&answer), sizeof(want));
    ck_assert_mem_eq(answer_bytes, want, sizeof(want));
}
END_TEST

START_TEST(last_pair_may_lack_its_zero)
{
    ck_assert_ptr_null(take_bytes("InitialR2T=No", 13));
    ck_assert_uint_eq(negotiation.value[KEY_INITIAL_R2T], 0);
}
END_TEST

START_TEST(declared_text_is_lent)
{
    static const char text[] = "InitiatorName=iqn.x";
    ck_assert_ptr_null(take_bytes(text, sizeof(text)));
    ck_assert_ptr_eq(negotiation.text[KEY_INITIATOR_NAME], text + 14);
    ck_assert_uint_eq(negotiation.text_bytes[KEY_INITIATOR_NAME], 5);
    ck_assert(negotiation_text_is(&negotiation, KEY_INITIATOR_NAME, "iqn.x"));
    ck_assert_ptr_null(take_bytes("", 0));
    ck_assert_ptr_null(negotiation.text[KEY_INITIATOR_NAME]);
}
END_TEST

START_TEST(offer_repeated_is_refused)
{
    exchange("InitialR2T=No", "InitialR2T=No");
    ck_assert_ptr_nonnull(take_bytes("InitialR2T=No", 14));
}
END_TEST

START_TEST(text_that_is_no_pair_is_refused)
{
    static char long_key[80];
    memset(long_key, 'k', sizeof(long_key));
    long_key[64] = '=';
    ck_assert_ptr_nonnull(take_bytes("nonsense", 9));
    ck_assert_ptr_nonnull(take_bytes("=value", 7));
    ck_assert_ptr_nonnull(take_bytes(long_key, sizeof(long_key)));
}
END_TEST

START_TEST(value_longer_than_255_is_refused)
{
    static char text[16 + 256] = "InitiatorAlias=";
    memset(text + 15, 'v', 256);
    ck_assert_ptr_nonnull(take_bytes(text, sizeof(text)));
}
END_TEST

START_TEST(answer_without_room_turns_bad)
{
    answer = writer_of(answer_bytes, 8);
    ck_assert_ptr_null(take_bytes("InitialR2T=No", 14));
    ck_assert(answer.bad);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("iscsi negotiate");
    TCase *tcase = tcase_create("negotiate");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, defaults_are_the_rfcs);
    tcase_add_test(tcase, what_was_not_negotiated_anew_is_kept);
    tcase_add_loop_test(tcase, answer_is_as_the_table_says, 0, ARRAY_COUNT(answers));
    tcase_add_test(tcase, initiators_segment_length_is_kept_unanswered);
    tcase_add_test(tcase, numbers_may_be_hexadecimal);
    tcase_add_loop_test(tcase, illegal_number_is_rejected_and_the_default_stays, 0,
                        ARRAY_COUNT(bad_numbers));
    tcase_add_test(tcase, boolean_is_yes_or_no);
    tcase_add_test(tcase, discovery_makes_task_keys_irrelevant);
    tcase_add_test(tcase, pairs_are_taken_in_order_and_answered_in_order);
    tcase_add_test(tcase, last_pair_may_lack_its_zero);
    tcase_add_test(tcase, declared_text_is_lent);
    tcase_add_test(tcase, offer_repeated_is_refused);
    tcase_add_test(tcase, text_that_is_no_pair_is_refused);
    tcase_add_test(tcase, value_longer_than_255_is_refused);
    tcase_add_test(tcase, answer_without_room_turns_bad);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
