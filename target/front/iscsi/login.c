/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Login requests: which stage may follow which, what must have been said by when, and the status
 * of a refusal (RFC 7143 sections 6.3, 11.12 and 11.13).
 */
#include "target/front/iscsi/login.h"

#include "target/front/iscsi/conn.h"
#include "target/front/iscsi/session.h"

#include <string.h>

enum login_stage { STAGE_SECURITY = 0, STAGE_OPERATIONAL = 1, STAGE_FULL_FEATURE = 3 };

/* class << 8 | detail */
enum login_status {
    LOGIN_ACCEPTED = 0x0000,
    LOGIN_INITIATOR_ERROR = 0x0200,
    LOGIN_AUTHENTICATION_FAILED = 0x0201,
    LOGIN_NOT_FOUND = 0x0203,
    LOGIN_VERSION = 0x0205,
    LOGIN_TOO_MANY_CONNECTIONS = 0x0206,
    LOGIN_MISSING_PARAMETER = 0x0207,
    LOGIN_SESSION_TYPE = 0x0209,
    LOGIN_NO_SESSION = 0x020a,
    LOGIN_INVALID_REQUEST = 0x020b,
    LOGIN_OUT_OF_RESOURCES = 0x0302,
};

/* What is wrong, and how the initiator is told; `why` NULL: nothing. */
struct refusal {
    enum login_status status;
    const char *why;
};

static const struct refusal fine = {LOGIN_ACCEPTED, NULL};

/* The moves that the T bit may ask for (RFC 7143 section 11.12.3). */
static const struct {
    uint8_t from;
    uint8_t to;
} stage_moves[] = {
    {STAGE_SECURITY, STAGE_OPERATIONAL},
    {STAGE_SECURITY, STAGE_FULL_FEATURE},
    {STAGE_OPERATIONAL, STAGE_FULL_FEATURE},
};

static uint8_t stage_current(uint8_t flags)
{
    return flags >> 2 & 3;
}

static uint8_t stage_next(uint8_t flags)
{
    return flags & 3;
}

static bool stage_move_ok(uint8_t from, uint8_t to)
{
    for (size_t i = 0; i < ARRAY_COUNT(stage_moves); i++) {
        if (stage_moves[i].from == from && stage_moves[i].to == to)
            return true;
    }
    return false;
}

static void login_respond(struct iscsi_conn *conn, struct tx *tx, const struct pdu_login *request,
                          uint8_t flags, enum login_status status, const struct writer *text)
{
    struct pdu_login_response response = {.head = iscsi_conn_status_head(conn, request->head.itt),
                                          .isid = request->isid,
                                          .tsih = conn->login.tsih,
                                          .status = (uint16_t)status};
    uint32_t length = text ? (uint32_t)writer_length(text) : 0;
    response.head.flags = flags;
    response.head.data_bytes = length;
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_login_response_encode(bhs, &response);
    iscsi_conn_send_copy(conn, tx, bhs, text ? text->begin : NULL, length);
}

/* The stages are echoed, the T bit is not set. */
static void login_refuse(struct iscsi_conn *conn, struct tx *tx, const struct pdu_login *request,
                         struct refusal refusal)
{
    uint8_t flags = (uint8_t)(stage_current(request->head.flags) << 2);
    ASSERT(refusal.status != LOGIN_ACCEPTED && refusal.why);
    login_respond(conn, tx, request, flags, refusal.status, NULL);
    iscsi_conn_fail(conn, refusal.why);
}

/* What the very first request must say in its header. */
static struct refusal first_check(struct iscsi_conn *conn, const struct pdu_login *request)
{
    struct login *login = &conn->login;
    iscsi_conn_step(conn, CONN_EV_LOGIN);
    login->stage = stage_current(request->head.flags);
    login->isid = request->isid;
    login->cid = request->cid;
    conn->exp_cmd_sn = request->head.cmd_sn;
    conn->max_cmd_sn = request->head.cmd_sn - 1;
    if (request->version_min > 0)
        return (struct refusal){LOGIN_VERSION, "the initiator wants another protocol version"};
    if (login->stage != STAGE_SECURITY && login->stage != STAGE_OPERATIONAL)
        return (struct refusal){LOGIN_INITIATOR_ERROR, "login begins in a stage that is none"};
    return fine;
}

/* What every request must say in its header. */
static struct refusal header_check(const struct iscsi_conn *conn, const struct pdu_login *request)
{
    uint8_t flags = request->head.flags;
    if (conn->login.pdus > ISCSI_LOGIN_PDUS_MAX)
        return (struct refusal){LOGIN_INITIATOR_ERROR, "login takes too many requests"};
    if (request->isid != conn->login.isid || request->cid != conn->login.cid)
        return (struct refusal){LOGIN_INVALID_REQUEST, "ISID or CID changed during login"};
    if (stage_current(flags) != conn->login.stage)
        return (struct refusal){LOGIN_INVALID_REQUEST, "a login request of the wrong stage"};
    if (flags & PDU_TRANSIT && flags & PDU_CONTINUE)
        return (struct refusal){LOGIN_INVALID_REQUEST, "a login request transits unfinished"};
    if (flags & PDU_TRANSIT && !stage_move_ok(conn->login.stage, stage_next(flags)))
        return (struct refusal){LOGIN_INVALID_REQUEST, "login cannot go to that stage"};
    return fine;
}

static struct refusal name_keep(struct iscsi_conn *conn)
{
    const char *name = conn->keys.text[KEY_INITIATOR_NAME];
    uint32_t length = conn->keys.text_bytes[KEY_INITIATOR_NAME];
    if (!name || length == 0)
        return (struct refusal){LOGIN_MISSING_PARAMETER, "InitiatorName is missing"};
    if (length >= sizeof(conn->initiator))
        return (struct refusal){LOGIN_INITIATOR_ERROR, "InitiatorName is too long"};
    memcpy(conn->initiator, name, length);
    conn->initiator[length] = 0;
    return fine;
}

/* Who wants what: judged on the first complete text, which must say it (RFC 7143 section 6.3). */
static struct refusal names_check(struct iscsi_conn *conn, const struct pdu_login *request)
{
    const struct negotiation *keys = &conn->keys;
    struct refusal refusal = name_keep(conn);
    if (refusal.why)
        return refusal;
    if (keys->text[KEY_SESSION_TYPE] && !conn->discovery &&
        !negotiation_text_is(keys, KEY_SESSION_TYPE, "Normal"))
        return (struct refusal){LOGIN_SESSION_TYPE, "an unknown SessionType"};
    if (!conn->discovery) {
        const char *target = keys->text[KEY_TARGET_NAME];
        if (!target)
            return (struct refusal){LOGIN_MISSING_PARAMETER, "TargetName is missing"};
        struct export *export =
            exports_find_iqn(conn->node->exports, target, keys->text_bytes[KEY_TARGET_NAME]);
        if (!export || !export->unit)
            return (struct refusal){LOGIN_NOT_FOUND, "there is no such target"};
        iscsi_session_choose(conn, export);
    }
    if (request->tsih != 0 && iscsi_session_exists(conn, request->isid, request->tsih))
        return (struct refusal){LOGIN_TOO_MANY_CONNECTIONS, "a second connection of a session"};
    if (request->tsih != 0)
        return (struct refusal){LOGIN_NO_SESSION, "there is no session of that TSIH"};
    return fine;
}

/* What the target says of itself, once (RFC 7143 section 13). */
static void declare(struct iscsi_conn *conn, bool first, struct writer *answer)
{
    if (first && !conn->discovery) {
        negotiation_put(answer, "TargetAlias", conn->export->name);
        negotiation_put_number(answer, "TargetPortalGroupTag", 1);
    }
    if (conn->login.stage == STAGE_OPERATIONAL && !conn->login.declared) {
        negotiation_put_number(answer, "MaxRecvDataSegmentLength", ISCSI_RECV_BYTES_MAX);
        conn->login.declared = true;
    }
}

/* SessionType decides what other keys mean and may stand behind them: look for it first. */
static bool text_says_discovery(const uint8_t *text, uint32_t text_bytes)
{
    static const char wanted[] = "SessionType=Discovery";
    const uint8_t *at = text;
    const uint8_t *end = text + text_bytes;
    while (at < end) {
        const uint8_t *zero = memchr(at, 0, (size_t)(end - at));
        size_t length = (size_t)((zero ? zero : end) - at);
        if (length == sizeof(wanted) - 1 && memcmp(at, wanted, length) == 0)
            return true;
        at += length + 1;
    }
    return false;
}

/* The keys of a complete text. */
static struct refusal keys_take(struct iscsi_conn *conn, const struct pdu_login *request,
                                const struct slice *text, struct writer *answer)
{
    struct negotiation *keys = &conn->keys;
    bool first = !conn->login.named;
    bool security = conn->login.stage == STAGE_SECURITY;
    if (first && text->length_bytes)
        conn->discovery = text_says_discovery(text->bytes, text->length_bytes);
    keys->discovery = conn->discovery;
    const char *why = negotiation_take(keys, security ? KEY_IN_SECURITY : KEY_IN_OPERATIONAL,
                                       text->bytes, text->length_bytes, answer);
    if (why)
        return (struct refusal){LOGIN_INITIATOR_ERROR, why};
    if (first) {
        struct refusal refusal = names_check(conn, request);
        if (refusal.why)
            return refusal;
        conn->login.named = true;
    }
    if (keys->auth_refused)
        return (struct refusal){LOGIN_AUTHENTICATION_FAILED, "no authentication method in common"};
    declare(conn, first, answer);
    if (answer->bad)
        return (struct refusal){LOGIN_OUT_OF_RESOURCES, "login negotiates too many keys"};
    return fine;
}

/*
 * Whether the initiator proved who it is, as far as we ask for that. None is the only method in
 * the table of keys; another one holds the connection in this stage until its exchange is over.
 */
static bool security_done(const struct iscsi_conn *conn)
{
    return conn->keys.value[KEY_AUTH_METHOD] == 0;
}

static void full_feature_begin(struct iscsi_conn *conn)
{
    iscsi_conn_step(conn, CONN_EV_LOGIN_DONE);
    conn->header_digest = conn->keys.value[KEY_HEADER_DIGEST];
    conn->data_digest = conn->keys.value[KEY_DATA_DIGEST];
}

/* A complete text is answered, and the stage left if the initiator asks for it. */
static void login_text(struct iscsi_conn *conn, struct tx *tx, const struct pdu_login *request,
                       const struct slice *text)
{
    uint8_t bytes[ISCSI_LOGIN_DATA_BYTES_MAX];
    struct writer answer = writer_of(bytes, sizeof(bytes));
    uint8_t flags = (uint8_t)(conn->login.stage << 2);
    struct refusal refusal = keys_take(conn, request, text, &answer);
    if (refusal.why) {
        login_refuse(conn, tx, request, refusal);
        return;
    }
    bool transit = request->head.flags & PDU_TRANSIT && security_done(conn);
    uint8_t next = stage_next(request->head.flags);
    if (transit && next == STAGE_FULL_FEATURE && !iscsi_session_begin(conn)) {
        refusal = (struct refusal){LOGIN_OUT_OF_RESOURCES, "the export has too many sessions"};
        login_refuse(conn, tx, request, refusal);
        return;
    }
    if (transit) {
        flags |= (uint8_t)(PDU_TRANSIT | next);
        conn->login.stage = next;
    }
    login_respond(conn, tx, request, flags, LOGIN_ACCEPTED, &answer);
    if (transit && next == STAGE_FULL_FEATURE)
        full_feature_begin(conn);
}

void iscsi_login_request(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame)
{
    struct pdu_login request;
    struct refusal refusal = fine;
    pdu_login_decode(frame->bhs, &request);
    conn->login.pdus++;
    if (conn->state == CONN_S3_XPT_UP)
        refusal = first_check(conn, &request);
    if (!refusal.why)
        refusal = header_check(conn, &request);
    bool unfinished = request.head.flags & PDU_CONTINUE;
    bool continued = conn->text_in.buf || unfinished;
    if (!refusal.why && continued && !iscsi_conn_text_append(conn, &frame->data))
        refusal = (struct refusal){LOGIN_INITIATOR_ERROR, "a login text is too long"};
    if (refusal.why) {
        login_refuse(conn, tx, &request, refusal);
        return;
    }
    if (unfinished) {
        uint8_t flags = (uint8_t)(conn->login.stage << 2);
        login_respond(conn, tx, &request, flags, LOGIN_ACCEPTED, NULL);
        return;
    }
    login_text(conn, tx, &request, continued ? &conn->text_in : &frame->data);
    slice_release(&conn->text_in);
}
