/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text exchanges: a request may be continued over several PDUs, and so may the answer, which the
 * initiator then fetches piece by piece with empty requests that bear our tag.
 */
#include "target/front/iscsi/text.h"

#include "target/front/iscsi/conn.h"

#include <stdio.h>
#include <string.h>

enum {
    ANSWER_BYTES = 8192, /* answers to keys other than SendTargets */
    /* Of one target in SendTargets, at most. */
    TARGET_BYTES = 2 * IQN_BYTES + ISCSI_PORTALS_MAX * (ISCSI_PORTAL_BYTES + 24),
};

void iscsi_text_reset(struct iscsi_conn *conn)
{
    slice_release(&conn->text_in);
    slice_release(&conn->text_out);
    conn->text_out_at = 0;
    conn->text_itt = PDU_TAG_NONE;
    conn->text_ttt = PDU_TAG_NONE;
}

/* A response; without PDU_FINAL it carries the tag under which the initiator goes on. */
static void text_respond(struct iscsi_conn *conn, struct tx *tx, uint8_t flags,
                         const struct slice *data)
{
    struct pdu_text_response pdu = {.head = iscsi_conn_status_head(conn, conn->text_itt),
                                    .ttt = PDU_TAG_NONE};
    pdu.head.flags = flags;
    pdu.head.data_bytes = data->length_bytes;
    if (!(flags & PDU_FINAL)) {
        if (conn->next_ttt == PDU_TAG_NONE)
            conn->next_ttt = 0;
        conn->text_ttt = conn->next_ttt++;
        pdu.ttt = conn->text_ttt;
    }
    uint8_t *bhs = iscsi_conn_bhs(conn, tx);
    pdu_text_response_encode(bhs, &pdu);
    iscsi_conn_send_slice(conn, tx, bhs, data);
}

/* The next piece of the answer; the last one ends the exchange if the initiator is through, too. */
static void text_go_on(struct iscsi_conn *conn, struct tx *tx, bool final)
{
    struct slice piece = conn->text_out;
    uint32_t max = iscsi_conn_value(conn, KEY_MAX_RECV_BYTES);
    piece.bytes += conn->text_out_at;
    piece.length_bytes -= conn->text_out_at;
    if (piece.length_bytes > max) {
        piece.length_bytes = max;
        conn->text_out_at += max;
        text_respond(conn, tx, PDU_CONTINUE, &piece);
        return;
    }
    text_respond(conn, tx, final ? PDU_FINAL : 0, &piece);
    slice_release(&conn->text_out);
    conn->text_out_at = 0;
    if (final)
        iscsi_text_reset(conn);
}

/* The address of one portal, unless it is known only to those who come through it. */
static void portal_put(const struct iscsi_conn *conn, uint32_t idx, struct writer *w)
{
    const struct iscsi_node *node = conn->node;
    char text[ISCSI_PORTAL_BYTES + 8];
    const char *address = idx < node->portal_count ? node->portals[idx] : "";
    if (!address[0] && idx != conn->portal)
        return;
    snprintf(text, sizeof(text), "%s,%d", address[0] ? address : conn->local, ISCSI_PORTAL_GROUP);
    negotiation_put(w, "TargetAddress", text);
}

/* The portal that the initiator found us by comes first: it surely reaches that one. */
static void target_put(const struct iscsi_conn *conn, const struct export *export, struct writer *w)
{
    char iqn[IQN_BYTES];
    export_iqn(conn->node->exports, export->name, iqn);
    negotiation_put(w, "TargetName", iqn);
    portal_put(conn, conn->portal, w);
    for (uint32_t i = 0; i < conn->node->portal_count; i++) {
        if (i != conn->portal)
            portal_put(conn, i, w);
    }
}

/* Shown is what may be used. */
static bool target_shown(const struct iscsi_conn *conn, const struct export *export)
{
    return !export->gone && access_ways(conn->node->exports->access, export->name, &conn->client);
}

static void targets_put_all(const struct iscsi_conn *conn, struct writer *w)
{
    LIST_FOR_EACH (node, &conn->node->exports->list) {
        const struct export *export = CONTAINER_OF(node, struct export, node);
        if (!export->hidden && target_shown(conn, export))
            target_put(conn, export, w);
    }
}

/*
 * SendTargets (RFC 7143 appendix C): a discovery session may ask for all targets or for one, a
 * normal session hears of its own alone.
 */
static void targets_put(struct iscsi_conn *conn, struct writer *w)
{
    const char *wanted = conn->keys.text[KEY_SEND_TARGETS];
    uint32_t length = conn->keys.text_bytes[KEY_SEND_TARGETS];
    bool all = negotiation_text_is(&conn->keys, KEY_SEND_TARGETS, "All");
    if (!wanted)
        return;
    if (conn->discovery ? length == 0 : all) {
        negotiation_put(w, "SendTargets", "Reject");
    } else if (all) {
        targets_put_all(conn, w);
    } else {
        struct export *export =
            length == 0 ? conn->export : exports_find_iqn(conn->node->exports, wanted, length);
        bool shown = export && (export == conn->export || target_shown(conn, export));
        if (shown && (conn->discovery || export == conn->export))
            target_put(conn, export, w);
    }
}

/* How much the answer may take: our own doing, not the initiator's. */
static uint32_t answer_bytes_max(const struct iscsi_conn *conn)
{
    uint64_t bytes = ANSWER_BYTES;
    if (conn->discovery) {
        LIST_FOR_EACH (node, &conn->node->exports->list)
            bytes += TARGET_BYTES;
    } else {
        bytes += TARGET_BYTES;
    }
    return bytes < BUF_BYTES_MAX ? (uint32_t)bytes : (uint32_t)BUF_BYTES_MAX;
}

/* The request is complete: its keys are taken and the answer is made. */
static void text_answer(struct iscsi_conn *conn, struct tx *tx, const struct slice *text,
                        bool final)
{
    uint8_t bytes[ANSWER_BYTES];
    struct writer answer = writer_of(bytes, sizeof(bytes));
    const char *why = negotiation_take(&conn->keys, KEY_IN_FULL_FEATURE, text->bytes,
                                       text->length_bytes, &answer);
    if (!why && answer.bad)
        why = "a text request negotiates too many keys";
    if (why) {
        iscsi_conn_fail(conn, why);
        return;
    }
    ASSERT(!conn->text_out.buf);
    uint32_t capacity = conn->keys.text[KEY_SEND_TARGETS] ? answer_bytes_max(conn) : ANSWER_BYTES;
    conn->text_out = slice_get(conn->node->bufs, capacity);
    struct writer out = writer_of(conn->text_out.bytes, capacity);
    write_bytes(&out, bytes, writer_length(&answer));
    targets_put(conn, &out);
    conn->text_out.length_bytes = (uint32_t)writer_length(&out);
    conn->text_out_at = 0;
    slice_release(&conn->text_in);
    text_go_on(conn, tx, final);
}

/* Whether the tags fit what is under way; a fresh request ends an older exchange. */
static bool tags_ok(struct iscsi_conn *conn, const struct pdu_text *request)
{
    if (request->head.itt == PDU_TAG_NONE)
        return false;
    if (request->ttt != PDU_TAG_NONE)
        return request->ttt == conn->text_ttt && request->head.itt == conn->text_itt;
    iscsi_text_reset(conn);
    conn->text_itt = request->head.itt;
    return true;
}

void iscsi_text_request(struct iscsi_conn *conn, struct tx *tx, const struct frame *frame)
{
    struct pdu_text request;
    pdu_text_decode(frame->bhs, &request);
    bool final = request.head.flags & PDU_FINAL;
    bool unfinished = request.head.flags & PDU_CONTINUE;
    if (!tags_ok(conn, &request)) {
        iscsi_conn_reject(conn, tx, frame, PDU_REJECT_INVALID_FIELD);
        return;
    }
    if (final && unfinished) {
        iscsi_conn_reject(conn, tx, frame, PDU_REJECT_PROTOCOL);
        iscsi_conn_fail(conn, "a text request is final and continued");
        return;
    }
    if (conn->text_out.buf && frame->data.length_bytes == 0) {
        text_go_on(conn, tx, final);
        return;
    }
    slice_release(&conn->text_out);
    bool continued = conn->text_in.buf || unfinished;
    if (continued && !iscsi_conn_text_append(conn, &frame->data)) {
        iscsi_conn_fail(conn, "a text request is too long");
        return;
    }
    if (unfinished) {
        const struct slice nothing = {0};
        text_respond(conn, tx, 0, &nothing);
        return;
    }
    text_answer(conn, tx, continued ? &conn->text_in : &frame->data, final);
}
