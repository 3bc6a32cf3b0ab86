/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Login requests: which stage may follow which, what must have been said by when, and the status
 * of a refusal (RFC 7143 sections 6.3, 11.12 and 11.13).
 */
#include "target/front/iscsi/login.h"

#include "target/front/iscsi/auth.h"
#include "target/front/iscsi/conn.h"
#include "target/front/iscsi/session.h"

#include <string.h>

enum login_stage { STAGE_SECURITY = 0, STAGE_OPERATIONAL = 1, STAGE_FULL_FEATURE = 3 };

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

/* The stages are echoed, the T bit is not set; of a text only the address to go to is told. */
static void login_refuse(struct iscsi_conn *conn, struct tx *tx, const struct pdu_login *request,
                         struct login_refusal refusal, const struct writer *text)
{
    uint8_t flags = (uint8_t)(stage_current(request->head.flags) << 2);
    ASSERT(refusal.status != LOGIN_ACCEPTED && refusal.why);
    login_respond(conn, tx, request, flags, refusal.status,
                  refusal.status == LOGIN_MOVED ? text : NULL);
    iscsi_conn_fail(conn, refusal.why);
}

/* What the very first request must say in its header. */
static struct login_refusal first_check(struct iscsi_conn *conn, const struct pdu_login *request)
{
    struct login *login = &conn->login;
    iscsi_conn_step(conn, CONN_EV_LOGIN);
    login->stage = stage_current(request->head.flags);
    conn->port.isid = request->isid;
    login->cid = request->cid;
    login->tsih = request->tsih;
    conn->exp_cmd_sn = request->head.cmd_sn;
    conn->max_cmd_sn = request->head.cmd_sn - 1;
    if (request->version_min > 0)
        return (struct login_refusal){LOGIN_VERSION,
                                      "the initiator wants another protocol version"};
    if (login->stage != STAGE_SECURITY && login->stage != STAGE_OPERATIONAL)
        return (struct login_refusal){LOGIN_INITIATOR_ERROR,
                                      "login begins in a stage that is none"};
    return login_fine;
}

/* What every request must say in its header. */
static struct login_refusal header_check(const struct iscsi_conn *conn,
                                         const struct pdu_login *request)
{
    uint8_t flags = request->head.flags;
    if (conn->login.pdus > ISCSI_LOGIN_PDUS_MAX)
        return (struct login_refusal){LOGIN_INITIATOR_ERROR, "login takes too many requests"};
    if (request->isid != conn->port.isid || request->cid != conn->login.cid ||
        request->tsih != conn->login.tsih)
        return (struct login_refusal){LOGIN_INVALID_REQUEST,
                                      "ISID, TSIH or CID changed during login"};
    if (stage_current(flags) != conn->login.stage)
        return (struct login_refusal){LOGIN_INVALID_REQUEST, "a login request of the wrong stage"};
    if (flags & PDU_TRANSIT && flags & PDU_CONTINUE)
        return (struct login_refusal){LOGIN_INVALID_REQUEST, "a login request transits unfinished"};
    if (flags & PDU_TRANSIT && !stage_move_ok(conn->login.stage, stage_next(flags)))
        return (struct login_refusal){LOGIN_INVALID_REQUEST, "login cannot go to that stage"};
    return login_fine;
}

static struct login_refusal name_keep(struct iscsi_conn *conn)
{
    const char *name = conn->keys.text[KEY_INITIATOR_NAME];
    uint32_t length = conn->keys.text_bytes[KEY_INITIATOR_NAME];
    if (!name || length == 0)
        return (struct login_refusal){LOGIN_MISSING_PARAMETER, "InitiatorName is missing"};
    if (length >= sizeof(conn->port.initiator))
        return (struct login_refusal){LOGIN_INITIATOR_ERROR, "InitiatorName is too long"};
    for (uint32_t i = 0; i < length; i++) {
        if ((uint8_t)name[i] <= ' ' || name[i] == 0x7f)
            return (struct login_refusal){LOGIN_INITIATOR_ERROR, "InitiatorName is none"};
    }
    memcpy(conn->port.initiator, name, length);
    conn->port.initiator[length] = 0;
    return login_fine;
}

/*
 * The target of a normal session. Initiators give up where there is none; where it may be one that
 * no replica has told of yet, they are to try again.
 */
static struct login_refusal target_find(struct iscsi_conn *conn)
{
    const struct negotiation *keys = &conn->keys;
    struct exports *exports = conn->node->exports;
    const char *name = keys->text[KEY_TARGET_NAME];
    if (!name)
        return (struct login_refusal){LOGIN_MISSING_PARAMETER, "TargetName is missing"};
    struct export *export = exports_find_iqn(exports, name, keys->text_bytes[KEY_TARGET_NAME]);
    if (export && export->unit) {
        iscsi_session_choose(conn, export);
        return login_fine;
    }
    if (exports->incomplete)
        return (struct login_refusal){LOGIN_UNAVAILABLE,
                                      "there is no such target, as far as replicas were heard"};
    return (struct login_refusal){LOGIN_NOT_FOUND, "there is no such target"};
}

/* A login with a TSIH may only be for the connection that its session has. */
static struct login_refusal session_check(const struct iscsi_conn *conn)
{
    if (conn->login.tsih == 0)
        return login_fine;
    const struct iscsi_conn *live = iscsi_session_find(conn);
    if (!live)
        return (struct login_refusal){LOGIN_NO_SESSION, "there is no session of that TSIH"};
    if (live->login.cid != conn->login.cid)
        return (struct login_refusal){LOGIN_TOO_MANY_CONNECTIONS,
                                      "a second connection of a session"};
    return login_fine;
}

/* Who wants what: judged on the first complete text, which must say it (RFC 7143 section 6.3). */
static struct login_refusal names_check(struct iscsi_conn *conn, struct writer *answer)
{
    const struct negotiation *keys = &conn->keys;
    struct login_refusal refusal = name_keep(conn);
    if (refusal.why)
        return refusal;
    if (keys->text[KEY_SESSION_TYPE] && !conn->discovery &&
        !negotiation_text_is(keys, KEY_SESSION_TYPE, "Normal"))
        return (struct login_refusal){LOGIN_SESSION_TYPE, "an unknown SessionType"};
    if (!conn->discovery)
        refusal = target_find(conn);
    if (refusal.why)
        return refusal;
    const char *redirect;
    refusal = iscsi_auth_admit(conn, &redirect);
    if (redirect)
        negotiation_put(answer, "TargetAddress", redirect);
    return refusal.why ? refusal : session_check(conn);
}

/* What the target says of itself, once (RFC 7143 section 13). */
static void declare(struct iscsi_conn *conn, bool first, struct writer *answer)
{
    if (first && !conn->discovery) {
        negotiation_put(answer, "TargetAlias", conn->export->name);
        negotiation_put_number(answer, "TargetPortalGroupTag", ISCSI_PORTAL_GROUP);
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
static struct login_refusal keys_take(struct iscsi_conn *conn, const struct slice *text,
                                      struct writer *answer)
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
        return (struct login_refusal){LOGIN_INITIATOR_ERROR, why};
    if (first) {
        struct login_refusal refusal = names_check(conn, answer);
        if (refusal.why)
            return refusal;
        conn->login.named = true;
    }
    if (security) {
        struct login_refusal refusal = iscsi_auth_take(conn, answer);
        if (refusal.why)
            return refusal;
    }
    declare(conn, first, answer);
    if (answer->bad)
        return (struct login_refusal){LOGIN_OUT_OF_RESOURCES, "login negotiates too many keys"};
    return login_fine;
}

/* Full feature phase begins, unless the initiator still owes a proof or there is no room for it. */
static struct login_refusal session_begin(struct iscsi_conn *conn)
{
    struct login_refusal refusal = iscsi_auth_check(conn);
    if (!refusal.why)
        refusal = session_check(conn); /* the session may be over by now */
    if (!refusal.why && !iscsi_session_begin(conn))
        return (struct login_refusal){LOGIN_OUT_OF_RESOURCES, "no session handle is free"};
    return refusal;
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
    struct login_refusal refusal = keys_take(conn, text, &answer);
    bool transit = request->head.flags & PDU_TRANSIT && iscsi_auth_done(conn);
    uint8_t next = stage_next(request->head.flags);
    if (!refusal.why && transit && next == STAGE_FULL_FEATURE)
        refusal = session_begin(conn);
    if (refusal.why) {
        login_refuse(conn, tx, request, refusal, &answer);
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
    struct login_refusal refusal = login_fine;
    pdu_login_decode(frame->bhs, &request);
    conn->login.pdus++;
    if (conn->state == CONN_S3_XPT_UP)
        refusal = first_check(conn, &request);
    if (!refusal.why)
        refusal = header_check(conn, &request);
    bool unfinished = request.head.flags & PDU_CONTINUE;
    bool continued = conn->text_in.buf || unfinished;
    if (!refusal.why && continued && !iscsi_conn_text_append(conn, &frame->data))
        refusal = (struct login_refusal){LOGIN_INITIATOR_ERROR, "a login text is too long"};
    if (refusal.why) {
        login_refuse(conn, tx, &request, refusal, NULL);
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
