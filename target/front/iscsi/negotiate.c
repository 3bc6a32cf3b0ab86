/* SPDX-License-Identifier: Apache-2.0 */
/* The table of text keys and the rules by which a value is taken and answered. */
#include "target/front/iscsi/negotiate.h"

#include <stdio.h>
#include <string.h>

/* How two values become one (RFC 7143 section 6.2). */
enum key_rule {
    RULE_TEXT,        /* read, and answered, by whoever wants it */
    RULE_DECLARE,     /* a number declared by the initiator, not answered */
    RULE_LIST,        /* the initiator's first choice that we know */
    RULE_MIN,         /* the smaller number */
    RULE_MAX,         /* the greater number */
    RULE_AND,         /* Yes when both say Yes */
    RULE_OR,          /* Yes when one says Yes */
    RULE_IRRELEVANT,  /* the marker intervals, meaningless as there are no markers */
    RULE_TARGET_ONLY, /* not for an initiator to declare */
};

struct key {
    const char *name;
    enum key_rule rule;
    uint32_t stages;    /* enum key_stage */
    bool not_discovery; /* irrelevant in a discovery session */
    uint32_t initial;   /* value until negotiated */
    uint32_t ours;      /* what we bring in; for a list unused */
    uint32_t min;       /* legal range of a number */
    uint32_t max;
    const char *list[2]; /* choices we know; the value is the index */
};

enum {
    LOGIN = KEY_IN_SECURITY | KEY_IN_OPERATIONAL,
    OPER = KEY_IN_OPERATIONAL,
    FULL = KEY_IN_FULL_FEATURE,
    U24_MAX = (1 << 24) - 1,
};

static const struct key keys[KEY_COUNT] = {
    /* clang-format off */
    {"InitiatorName", RULE_TEXT, LOGIN, false, 0, 0, 0, 0, {0}},
    {"InitiatorAlias", RULE_TEXT, LOGIN | FULL, false, 0, 0, 0, 0, {0}},
    {"TargetName", RULE_TEXT, LOGIN, false, 0, 0, 0, 0, {0}},
    {"SessionType", RULE_TEXT, LOGIN, false, 0, 0, 0, 0, {0}},
    {"SendTargets", RULE_TEXT, FULL, false, 0, 0, 0, 0, {0}},
    {"AuthMethod", RULE_TEXT, KEY_IN_SECURITY, false, 0, 0, 0, 0, {0}},
    {"CHAP_A", RULE_TEXT, KEY_IN_SECURITY, false, 0, 0, 0, 0, {0}},
    {"CHAP_I", RULE_TEXT, KEY_IN_SECURITY, false, 0, 0, 0, 0, {0}},
    {"CHAP_C", RULE_TEXT, KEY_IN_SECURITY, false, 0, 0, 0, 0, {0}},
    {"CHAP_N", RULE_TEXT, KEY_IN_SECURITY, false, 0, 0, 0, 0, {0}},
    {"CHAP_R", RULE_TEXT, KEY_IN_SECURITY, false, 0, 0, 0, 0, {0}},
    {"HeaderDigest", RULE_LIST, OPER, false, 0, 0, 0, 0, {"None", "CRC32C"}},
    {"DataDigest", RULE_LIST, OPER, false, 0, 0, 0, 0, {"None", "CRC32C"}},
    {"MaxConnections", RULE_MIN, OPER, true, 1, 1, 1, 65535, {0}},
    {"InitialR2T", RULE_OR, OPER, true, 1, 0, 0, 0, {0}},
    {"ImmediateData", RULE_AND, OPER, true, 1, 1, 0, 0, {0}},
    {"MaxRecvDataSegmentLength", RULE_DECLARE, OPER | FULL, false, 8192, 0, 512, U24_MAX, {0}},
    {"MaxBurstLength", RULE_MIN, OPER, true, 262144, ISCSI_BURST_BYTES_MAX, 512, U24_MAX, {0}},
    {"FirstBurstLength", RULE_MIN, OPER, true, 65536, ISCSI_FIRST_BURST_BYTES_MAX, 512, U24_MAX,
     {0}},
    {"DefaultTime2Wait", RULE_MAX, OPER, false, 2, 2, 0, 3600, {0}},
    {"DefaultTime2Retain", RULE_MIN, OPER, false, 20, 0, 0, 3600, {0}},
    {"MaxOutstandingR2T", RULE_MIN, OPER, true, 1, ISCSI_R2T_MAX, 1, 65535, {0}},
    {"DataPDUInOrder", RULE_OR, OPER, true, 1, 1, 0, 0, {0}},
    {"DataSequenceInOrder", RULE_OR, OPER, true, 1, 1, 0, 0, {0}},
    {"ErrorRecoveryLevel", RULE_MIN, OPER, false, 0, 0, 0, 2, {0}},
    {"iSCSIProtocolLevel", RULE_MIN, OPER, true, 1, 1, 0, 31, {0}},
    {"TaskReporting", RULE_LIST, OPER, true, 0, 0, 0, 0, {"RFC3720", NULL}},
    {"IFMarker", RULE_AND, OPER, false, 0, 0, 0, 0, {0}},
    {"OFMarker", RULE_AND, OPER, false, 0, 0, 0, 0, {0}},
    {"IFMarkInt", RULE_IRRELEVANT, OPER, false, 0, 0, 0, 0, {0}},
    {"OFMarkInt", RULE_IRRELEVANT, OPER, false, 0, 0, 0, 0, {0}},
    {"TargetAlias", RULE_TARGET_ONLY, LOGIN | FULL, false, 0, 0, 0, 0, {0}},
    {"TargetAddress", RULE_TARGET_ONLY, LOGIN | FULL, false, 0, 0, 0, 0, {0}},
    {"TargetPortalGroupTag", RULE_TARGET_ONLY, LOGIN | FULL, false, 0, 0, 0, 0, {0}},
    /* clang-format on */
};
STATIC_ASSERT(KEY_COUNT <= 64, "a bit of `seen` for each key");

/* A pair as received; not zero-terminated. */
struct pair {
    const char *name;
    uint32_t name_bytes;
    const char *value;
    uint32_t value_bytes;
};

void negotiation_init(struct negotiation *n)
{
    *n = (struct negotiation){0};
    for (int i = 0; i < KEY_COUNT; i++)
        n->value[i] = keys[i].initial;
}

void negotiation_keep(struct negotiation *n, const struct negotiation *last)
{
    for (int i = KEY_MAX_CONNECTIONS; i <= KEY_TASK_REPORTING; i++) {
        bool seen = n->seen >> i & 1;
        if (i != KEY_MAX_RECV_BYTES && !seen)
            n->value[i] = last->value[i];
    }
}

static void put(struct writer *answer, const char *name, size_t name_bytes, const char *value)
{
    write_bytes(answer, name, name_bytes);
    write_u8(answer, '=');
    write_bytes(answer, value, strlen(value) + 1);
}

void negotiation_put(struct writer *answer, const char *key, const char *value)
{
    put(answer, key, strlen(key), value);
}

void negotiation_put_number(struct writer *answer, const char *key, uint32_t value)
{
    char digits[16];
    snprintf(digits, sizeof(digits), "%u", value);
    negotiation_put(answer, key, digits);
}

static bool text_is(const char *text, uint32_t text_bytes, const char *wanted)
{
    return strlen(wanted) == text_bytes && memcmp(text, wanted, text_bytes) == 0;
}

bool negotiation_text_is(const struct negotiation *n, enum key_id key, const char *text)
{
    return n->text[key] && text_is(n->text[key], n->text_bytes[key], text);
}

/* A decimal or hexadecimal constant (RFC 7143 section 6.1) that fits 32 bits. */
static bool number_parse(const struct pair *pair, uint32_t *number)
{
    bool hex = pair->value_bytes > 2 && pair->value[0] == '0' &&
               (pair->value[1] == 'x' || pair->value[1] == 'X');
    uint64_t sum = 0;
    if (pair->value_bytes == 0)
        return false;
    for (uint32_t i = hex ? 2 : 0; i < pair->value_bytes; i++) {
        char c = pair->value[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (hex && c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a' + 10);
        else if (hex && c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A' + 10);
        else
            return false;
        sum = sum * (hex ? 16 : 10) + digit;
        if (sum > UINT32_MAX)
            return false;
    }
    *number = (uint32_t)sum;
    return true;
}

/* The initiator's value, checked against the key's kind and range. */
static bool value_parse(const struct key *key, const struct pair *pair, uint32_t *value)
{
    if (key->rule == RULE_AND || key->rule == RULE_OR) {
        *value = text_is(pair->value, pair->value_bytes, "Yes");
        return *value || text_is(pair->value, pair->value_bytes, "No");
    }
    return number_parse(pair, value) && *value >= key->min && *value <= key->max;
}

static uint32_t value_merge(const struct key *key, uint32_t theirs)
{
    switch (key->rule) {
    case RULE_MIN:
        return theirs < key->ours ? theirs : key->ours;
    case RULE_MAX:
        return theirs > key->ours ? theirs : key->ours;
    case RULE_AND:
        return theirs && key->ours;
    case RULE_OR:
        return theirs || key->ours;
    case RULE_DECLARE:
        return theirs;
    case RULE_TEXT:
    case RULE_LIST:
    case RULE_IRRELEVANT:
    case RULE_TARGET_ONLY:
        break;
    }
    UNREACHABLE();
}

static void take_number(struct negotiation *n, enum key_id id, const struct pair *pair,
                        struct writer *answer)
{
    const struct key *key = &keys[id];
    uint32_t theirs = 0;
    if (!value_parse(key, pair, &theirs)) {
        negotiation_put(answer, key->name, "Reject");
        return;
    }
    n->value[id] = value_merge(key, theirs);
    if (key->rule == RULE_DECLARE)
        return;
    if (key->rule == RULE_AND || key->rule == RULE_OR)
        negotiation_put(answer, key->name, n->value[id] ? "Yes" : "No");
    else
        negotiation_put_number(answer, key->name, n->value[id]);
}

/* The index of the first of the comma-separated choices that we know, or -1. */
static int list_choose(const struct key *key, const struct pair *pair)
{
    const char *at = pair->value;
    uint32_t left = pair->value_bytes;
    while (left > 0) {
        const char *comma = memchr(at, ',', left);
        uint32_t length = comma ? (uint32_t)(comma - at) : left;
        for (int i = 0; i < (int)ARRAY_COUNT(key->list); i++) {
            if (key->list[i] && text_is(at, length, key->list[i]))
                return i;
        }
        if (!comma)
            break;
        at = comma + 1;
        left -= length + 1;
    }
    return -1;
}

static void take_list(struct negotiation *n, enum key_id id, const struct pair *pair,
                      struct writer *answer)
{
    const struct key *key = &keys[id];
    int choice = list_choose(key, pair);
    if (choice < 0) {
        negotiation_put(answer, key->name, "Reject");
        return;
    }
    n->value[id] = (uint32_t)choice;
    negotiation_put(answer, key->name, key->list[choice]);
}

static void take_known(struct negotiation *n, enum key_stage stage, enum key_id id,
                       const struct pair *pair, struct writer *answer)
{
    const struct key *key = &keys[id];
    if (!(key->stages & (uint32_t)stage) || key->rule == RULE_TARGET_ONLY) {
        negotiation_put(answer, key->name, "Reject");
        return;
    }
    if (key->rule == RULE_IRRELEVANT || (n->discovery && key->not_discovery)) {
        negotiation_put(answer, key->name, "Irrelevant");
        return;
    }
    if (key->rule == RULE_TEXT) {
        n->text[id] = pair->value;
        n->text_bytes[id] = pair->value_bytes;
        return;
    }
    if (key->rule == RULE_LIST)
        take_list(n, id, pair, answer);
    else
        take_number(n, id, pair, answer);
}

/* An initiator may not offer a key twice (RFC 7143 section 6.3); what it declares may change. */
static bool repeated(struct negotiation *n, enum key_id id)
{
    uint64_t bit = (uint64_t)1 << id;
    if (keys[id].rule == RULE_TEXT || keys[id].rule == RULE_DECLARE)
        return false;
    bool before = n->seen & bit;
    n->seen |= bit;
    return before;
}

static const char *take_pair(struct negotiation *n, enum key_stage stage, const struct pair *pair,
                             struct writer *answer)
{
    if (text_is(pair->value, pair->value_bytes, "NotUnderstood"))
        return NULL; /* an answer to what we declared */
    for (int i = 0; i < KEY_COUNT; i++) {
        enum key_id id = (enum key_id)i;
        if (!text_is(pair->name, pair->name_bytes, keys[id].name))
            continue;
        bool binary = id == KEY_CHAP_C || id == KEY_CHAP_R;
        if (pair->value_bytes > (binary ? KEY_BINARY_BYTES_MAX : KEY_VALUE_BYTES_MAX))
            return "a text value is too long";
        if (repeated(n, id))
            return "a text key is negotiated twice";
        take_known(n, stage, id, pair, answer);
        return NULL;
    }
    put(answer, pair->name, pair->name_bytes, "NotUnderstood");
    return NULL;
}

const char *negotiation_take(struct negotiation *n, enum key_stage stage, const uint8_t *text,
                             uint32_t text_bytes, struct writer *answer)
{
    const char *at = (const char *)text;
    uint32_t left = text_bytes;
    memset(n->text, 0, sizeof(n->text));
    memset(n->text_bytes, 0, sizeof(n->text_bytes));
    while (left > 0) {
        const char *zero = memchr(at, 0, left);
        uint32_t length = zero ? (uint32_t)(zero - at) : left;
        const char *equals = memchr(at, '=', length);
        if (length > 0) {
            if (!equals || equals == at || equals - at > KEY_NAME_BYTES_MAX)
                return "a text pair is not key=value";
            struct pair pair = {.name = at, .name_bytes = (uint32_t)(equals - at)};
            pair.value = equals + 1;
            pair.value_bytes = length - pair.name_bytes - 1;
            const char *why = take_pair(n, stage, &pair, answer);
            if (why)
                return why;
        }
        at += zero ? length + 1 : length;
        left -= zero ? length + 1 : length;
    }
    return NULL;
}
