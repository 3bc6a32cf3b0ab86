/* SPDX-License-Identifier: Apache-2.0 */
/* One NBD connection: which of handshake, request and reply has its turn. */
#include "target/front/nbd/nbd.h"

#include "target/front/nbd/context.h"
#include "target/front/nbd/handshake.h"
#include "target/front/nbd/reply.h"
#include "target/front/nbd/request.h"

#include <errno.h>
#include <string.h>

void nbd_init(struct nbd_session *session, struct exports *exports, struct pool *requests,
              enum nbd_tls tls, struct tx *tx)
{
    ASSERT(requests->object_bytes >= sizeof(struct nbd_request));
    *session = (struct nbd_session){.exports = exports, .requests = requests, .tls = tls};
    list_init(&session->again);
    nbd_greeting_send(tx);
}

/* What was said in the clear may be somebody else's words: nothing of it is kept. */
void nbd_secured(struct nbd_session *session)
{
    ASSERT(session->state == NBD_SECURING);
    session->state = NBD_OPTIONS;
    session->secure = true;
    session->structured = false;
    session->extended = false;
    session->contexts = (struct nbd_contexts){0};
}

void nbd_release(struct nbd_session *session)
{
    struct list *node;
    while ((node = list_pop(&session->again)) != NULL)
        nbd_drop(session, CONTAINER_OF(node, struct nbd_request, block.node));
    ASSERT(session->in_flight == 0);
    if (session->export) {
        ASSERT(session->export->session_count > 0);
        session->export->session_count--;
    }
    *session = (struct nbd_session){.state = NBD_CLOSED};
}

static enum session_next nbd_close(struct nbd_session *session, const char *why)
{
    session->state = NBD_CLOSED;
    session->why = why;
    return SESSION_CLOSE;
}

/* Bytes are missing. Nobody waits for those of a client whose export is gone. */
static enum session_next nbd_wait(struct nbd_session *session)
{
    if (!session->export || !session->export->gone)
        return SESSION_MORE;
    if (session->in_flight > 0)
        return SESSION_BUSY;
    return nbd_close(session, "the export was deleted");
}

/* Throws away what was refused, as it comes; true when all of it is gone. */
static bool nbd_drained(struct nbd_session *session, struct rx *rx)
{
    uint32_t there = rx_length(rx);
    uint32_t step = there < session->drain_bytes ? there : session->drain_bytes;
    if (step > 0)
        rx_skip(rx, step);
    session->drain_bytes -= step;
    if (session->drain_bytes == 0)
        return true;
    return rx_need(rx, 1); /* there is nothing; this asks for more */
}

/* The request's payload, if it has one, is thrown away; then the refusal is sent. */
static void nbd_refuse(struct nbd_session *session, int status, const char *why)
{
    session->refusal = status;
    session->refusal_why = why;
    session->drain_bytes = (uint32_t)nbd_request_payload_bytes(session, &session->header);
    session->state = NBD_REFUSED;
}

/* A header that is none of the protocol's, or announces what nobody may send: the end. */
static const char *nbd_header_breach(const struct nbd_session *session, bool magic_ok)
{
    if (!magic_ok)
        return "a request without its magic number";
    if (nbd_request_payload_bytes(session, &session->header) > NBD_PAYLOAD_BYTES_MAX)
        return "a payload longer than 33554432 bytes";
    return NULL;
}

/* NBD_TRANSMISSION: one header; false when bytes are missing. */
static bool nbd_header_take(struct nbd_session *session, struct rx *rx, struct tx *tx)
{
    struct nbd_header *header = &session->header;
    uint32_t length = session->extended ? NBD_EXTENDED_HEADER_BYTES : NBD_HEADER_BYTES;
    if (!rx_need(rx, length))
        return false;
    struct reader r = reader_of(rx_bytes(rx), length);
    bool magic_ok = nbd_header_decode(&r, session->extended, header);
    rx_skip(rx, length);
    const char *breach = nbd_header_breach(session, magic_ok);
    if (breach) {
        (void)nbd_close(session, breach);
        return true;
    }
    if (header->type == NBD_CMD_DISC) {
        session->state = NBD_LEAVING;
        return true;
    }
    int status = 0;
    const char *why = nbd_request_invalid(session, header, &status);
    bool payload = nbd_request_payload_bytes(session, header) > 0;
    session->asked = session->contexts.mask;
    if (why)
        nbd_refuse(session, status, why);
    else if (nbd_request_needs_volume(header) || payload)
        session->state = NBD_ACCEPTED;
    else
        nbd_reply_done(session, header, tx);
    return true;
}

/* The contexts that the payload names; 0 when it names one twice, or one that is not selected. */
static uint32_t status_contexts(const struct nbd_session *session, struct nbd_status_query *query)
{
    uint32_t contexts = 0;
    for (uint32_t i = 0; i < query->count; i++) {
        uint32_t context = nbd_context_of_id(read_u32(&query->ids)) & session->contexts.mask;
        if (context == 0 || context & contexts)
            return 0;
        contexts |= context;
    }
    return contexts;
}

static bool nbd_status_has_payload(const struct nbd_header *header)
{
    return header->type == NBD_CMD_BLOCK_STATUS && header->flags & NBD_CMD_FLAG_PAYLOAD_LEN;
}

/* NBD_ACCEPTED, BLOCK_STATUS: its payload; false when bytes are missing. */
static bool nbd_status_take(struct nbd_session *session, struct rx *rx)
{
    struct nbd_header *header = &session->header;
    uint32_t length = (uint32_t)header->length_bytes;
    struct nbd_status_query query;
    if (!rx_need(rx, length))
        return false;
    struct reader r = reader_of(rx_bytes(rx), length);
    bool whole = nbd_status_query_decode(&r, &query);
    session->asked = whole ? status_contexts(session, &query) : 0;
    rx_skip(rx, length);
    /* From here on it is like one without a payload. */
    header->length_bytes = query.length_bytes;
    header->flags &= (uint16_t)~NBD_CMD_FLAG_PAYLOAD_LEN;
    int status = -EINVAL;
    const char *why = session->asked ? nbd_request_invalid(session, header, &status)
                                     : "BLOCK_STATUS of contexts that were not selected";
    if (why)
        nbd_refuse(session, status, why);
    return true;
}

/* What the request holds of our memory while it is in flight. */
static uint32_t nbd_payload_bytes(const struct nbd_header *header)
{
    bool has_payload = header->type == NBD_CMD_READ || header->type == NBD_CMD_WRITE;
    return has_payload ? (uint32_t)header->length_bytes : 0;
}

/* A BLOCK_STATUS asks for one context after the other; its data is where the runs come. */
static void nbd_status_ask(struct nbd_session *session, struct nbd_request *request,
                           struct buf_pool *bufs)
{
    struct block_req *block = &request->block;
    uint32_t slot = nbd_status_slot(request);
    if (!block->data.buf)
        block->data = slice_get(bufs, NBD_EXTENTS_MAX * sizeof(struct block_run));
    bool one = request->header.flags & NBD_CMD_FLAG_REQ_ONE;
    block->runs = (struct block_run *)(void *)block->data.bytes;
    block->runs_max = one ? 1 : NBD_EXTENTS_MAX;
    block->runs_count = 0;
    block->from_generation = session->contexts.from_generation[slot];
    block->status = 0;
}

/*
 * NBD_ACCEPTED: what has changed since the header was accepted, or is still to be told. Asked until
 * the request is handed out, for who reserves the volume in the meantime relies on it. False: the
 * request was refused.
 */
static bool nbd_stays_accepted(struct nbd_session *session, bool *wait)
{
    enum export_guard guard = nbd_request_guard(session->export, &session->header);
    *wait = guard == EXPORT_GUARD_UNKNOWN && !session->export->gone;
    if (session->export->gone)
        nbd_refuse(session, -ESHUTDOWN, "the export was deleted");
    else if (guard != EXPORT_OPEN && !*wait)
        nbd_refuse(session, -EPERM, "an initiator has reserved or write-protected the volume");
    return session->state == NBD_ACCEPTED;
}

/* NBD_ACCEPTED: hands the request out once its payload and an object for it are there. */
static enum session_next nbd_submit(struct nbd_session *session, struct rx *rx,
                                    struct nbd_request **out)
{
    const struct nbd_header *header = &session->header;
    if (session->in_flight >= NBD_REQUESTS_MAX ||
        session->in_flight_bytes >= NBD_IN_FLIGHT_BYTES_MAX)
        return SESSION_BUSY;
    uint32_t payload_bytes = (uint32_t)nbd_request_payload_bytes(session, header);
    if (!rx_need(rx, payload_bytes))
        return nbd_wait(session);
    struct nbd_request *request = pool_get(session->requests);
    if (!request)
        return SESSION_BUSY;
    request->header = *header;
    request->export = session->export;
    request->block.owner = session;
    list_init(&request->block.node);
    nbd_request_fill(&request->block, header);
    if (header->type == NBD_CMD_WRITE)
        request->block.data = rx_take(rx, payload_bytes);
    if (header->type == NBD_CMD_BLOCK_STATUS) {
        request->contexts = session->asked;
        nbd_status_ask(session, request, rx->pool);
    }
    session->in_flight++;
    session->in_flight_bytes += nbd_payload_bytes(header);
    session->state = NBD_TRANSMISSION;
    *out = request;
    return SESSION_REQUEST;
}

enum session_next nbd_next(struct nbd_session *session, struct rx *rx, struct tx *tx,
                           struct nbd_request **out)
{
    bool wait;
    *out = NULL;
    for (;;) {
        if (tx->pending_bytes >= NBD_TX_BYTES_MAX)
            return SESSION_BUSY;
        struct list *again = list_pop(&session->again);
        if (again) {
            *out = CONTAINER_OF(again, struct nbd_request, block.node);
            return SESSION_REQUEST;
        }
        if (!nbd_drained(session, rx))
            return nbd_wait(session);
        switch (session->state) {
        case NBD_CLIENT_FLAGS:
            if (!nbd_client_flags_take(session, rx))
                return SESSION_MORE;
            break;
        case NBD_OPTIONS:
            if (!nbd_option_take(session, rx, tx))
                return SESSION_MORE;
            if (session->state == NBD_SECURING)
                return SESSION_SECURE;
            break;
        case NBD_SECURING:
            return SESSION_MORE;
        case NBD_TRANSMISSION:
            if (!nbd_header_take(session, rx, tx))
                return nbd_wait(session);
            break;
        case NBD_ACCEPTED:
            if (!nbd_stays_accepted(session, &wait))
                break;
            if (wait)
                return SESSION_BUSY;
            if (!nbd_status_has_payload(&session->header))
                return nbd_submit(session, rx, out);
            if (!nbd_status_take(session, rx))
                return nbd_wait(session);
            break;
        case NBD_REFUSED:
            nbd_reply_error(session, &session->header, session->refusal, session->refusal_why, tx);
            session->state = NBD_TRANSMISSION;
            break;
        case NBD_LEAVING:
            if (session->in_flight > 0)
                return SESSION_BUSY;
            return nbd_close(session, "the client disconnected");
        case NBD_CLOSED:
            return SESSION_CLOSE;
        }
    }
}

void nbd_drop(struct nbd_session *session, struct nbd_request *request)
{
    ASSERT(request->block.owner == session && session->in_flight > 0);
    ASSERT(session->in_flight_bytes >= nbd_payload_bytes(&request->header));
    session->in_flight--;
    session->in_flight_bytes -= nbd_payload_bytes(&request->header);
    slice_release(&request->block.data);
    pool_put(session->requests, request);
}

void nbd_reply(struct nbd_session *session, struct nbd_request *request, struct tx *tx)
{
    struct block_req *block = &request->block;
    ASSERT(block->owner == session && block->status <= 0);
    if (block->op == BLOCK_STATUS && block->status == -EOPNOTSUPP)
        block->status = 0; /* no runs */
    if (block->status)
        nbd_reply_error(session, &request->header, block->status, strerror(-block->status), tx);
    else if (block->op == BLOCK_READ)
        nbd_reply_data(session, &request->header, &block->data, tx);
    else if (block->op == BLOCK_STATUS)
        nbd_reply_status(session, request, tx);
    else
        nbd_reply_done(session, &request->header, tx);
    if (!block->status && request->contexts) {
        nbd_status_ask(session, request, tx->pool);
        list_append(&session->again, &block->node);
        return;
    }
    nbd_drop(session, request);
}
