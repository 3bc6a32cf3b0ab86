/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake: client flags, then options answered one by one until one opens an export. */
#include "target/front/nbd/handshake.h"

#include <stdio.h>
#include <string.h>

enum { NBD_PREFERRED_BYTES = BLOCK_BYTES };

static void nbd_close(struct nbd_session *session, const char *why)
{
    session->state = NBD_CLOSED;
    session->why = why;
}

/* The head of an option reply; the caller fills the writer to its end. */
static struct writer option_reply(struct tx *tx, uint32_t option, uint32_t type, size_t length)
{
    struct nbd_option_reply reply = {
        .option = option, .type = type, .length_bytes = (uint32_t)length};
    uint32_t total = NBD_OPTION_REPLY_BYTES + reply.length_bytes;
    struct writer w = writer_of(tx_space(tx, total), total);
    nbd_option_reply_encode(&w, &reply);
    return w;
}

static void option_ack(struct tx *tx, uint32_t option)
{
    struct writer w = option_reply(tx, option, NBD_REP_ACK, 0);
    ASSERT(!w.bad && writer_left(&w) == 0);
}

static void option_error(struct tx *tx, uint32_t option, uint32_t type, const char *text)
{
    struct writer w = option_reply(tx, option, type, strlen(text));
    write_bytes(&w, text, strlen(text));
    ASSERT(!w.bad && writer_left(&w) == 0);
}

void nbd_greeting_send(struct tx *tx)
{
    struct writer w = writer_of(tx_space(tx, NBD_GREETING_BYTES), NBD_GREETING_BYTES);
    nbd_greeting_encode(&w);
    ASSERT(!w.bad && writer_left(&w) == 0);
}

bool nbd_client_flags_take(struct nbd_session *session, struct rx *rx)
{
    if (!rx_need(rx, NBD_CLIENT_FLAGS_BYTES))
        return false;
    struct reader r = reader_of(rx_bytes(rx), NBD_CLIENT_FLAGS_BYTES);
    uint32_t flags = read_u32(&r);
    rx_skip(rx, NBD_CLIENT_FLAGS_BYTES);
    session->no_zeroes = flags & NBD_FLAG_NO_ZEROES;
    session->state = NBD_OPTIONS;
    if (flags & ~(uint32_t)(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES))
        nbd_close(session, "unknown client flags");
    return true;
}

static bool export_allowed(const struct nbd_session *session, const struct export *export)
{
    return access_ways(session->exports->access, export->name, &session->client) != 0;
}

/* NULL when the client may not have one by this name. */
static struct export *export_named(struct nbd_session *session, const char *name, uint32_t length)
{
    struct export *export =
        length == 0 ? exports_only(session->exports) : exports_find(session->exports, name, length);
    return export && export_allowed(session, export) ? export : NULL;
}

/*
 * One volume is served by one process, whose flush covers all connections: CAN_MULTI_CONN. Zeroing
 * sends no zeros anywhere: FAST_ZERO.
 */
static uint16_t transmission_flags(const struct nbd_session *session, const struct export *export)
{
    unsigned flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA |
                     NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_SEND_CACHE;
    if (export->read_only)
        flags |= NBD_FLAG_READ_ONLY;
    else
        flags |= NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_SEND_FAST_ZERO;
    if (session->structured)
        flags |= NBD_FLAG_SEND_DF;
    if (session->extended && session->contexts.mask &&
        uuid_equal(&session->contexts_of, &export->uuid))
        flags |= NBD_FLAG_BLOCK_STATUS_PAYLOAD;
    return (uint16_t)flags;
}

static void export_open(struct nbd_session *session, struct export *export)
{
    session->export = export;
    export->session_count++;
    if (!uuid_equal(&session->contexts_of, &export->uuid))
        session->contexts = (struct nbd_contexts){0};
    session->state = NBD_TRANSMISSION;
}

/* This option alone has no error reply: the answer to a wrong name is the end. */
static void option_export_name(struct nbd_session *session, const char *name, uint32_t length,
                               struct tx *tx)
{
    struct export *export = export_named(session, name, length);
    if (!export || session->extended) {
        nbd_close(session, export ? "EXPORT_NAME with extended headers"
                                  : "EXPORT_NAME of an unknown export");
        return;
    }
    uint32_t zeroes = session->no_zeroes ? 0 : NBD_EXPORT_NAME_ZEROES_BYTES;
    uint32_t total = NBD_EXPORT_NAME_REPLY_BYTES + zeroes;
    struct writer w = writer_of(tx_space(tx, total), total);
    write_u64(&w, export->size_bytes);
    write_u16(&w, transmission_flags(session, export));
    write_zeros(&w, zeroes);
    ASSERT(!w.bad && writer_left(&w) == 0);
    export_open(session, export);
}

static void option_list(struct nbd_session *session, struct tx *tx)
{
    LIST_FOR_EACH (node, &session->exports->list) {
        const struct export *export = CONTAINER_OF(node, struct export, node);
        if (export->gone || export->hidden || !export_allowed(session, export))
            continue;
        size_t length = strlen(export->name);
        struct writer w = option_reply(tx, NBD_OPT_LIST, NBD_REP_SERVER, 4 + length);
        write_u32(&w, (uint32_t)length);
        write_bytes(&w, export->name, length);
        ASSERT(!w.bad && writer_left(&w) == 0);
    }
    option_ack(tx, NBD_OPT_LIST);
}

static void info_text(struct tx *tx, uint32_t option, uint16_t type, const char *text)
{
    struct writer w = option_reply(tx, option, NBD_REP_INFO, 2 + strlen(text));
    write_u16(&w, type);
    write_bytes(&w, text, strlen(text));
    ASSERT(!w.bad && writer_left(&w) == 0);
}

static void info_export(struct nbd_session *session, const struct export *export, uint32_t option,
                        struct tx *tx)
{
    struct writer w = option_reply(tx, option, NBD_REP_INFO, 12);
    write_u16(&w, NBD_INFO_EXPORT);
    write_u64(&w, export->size_bytes);
    write_u16(&w, transmission_flags(session, export));
    ASSERT(!w.bad && writer_left(&w) == 0);
}

static void info_description(const struct export *export, uint32_t option, struct tx *tx)
{
    char uuid[UUID_TEXT_BYTES];
    char text[sizeof(uuid) + 16];
    uuid_format(&export->uuid, uuid);
    snprintf(text, sizeof(text), "Strake volume %s", uuid);
    info_text(tx, option, NBD_INFO_DESCRIPTION, text);
}

static void info_block_size(uint32_t option, struct tx *tx)
{
    struct writer w = option_reply(tx, option, NBD_REP_INFO, 14);
    write_u16(&w, NBD_INFO_BLOCK_SIZE);
    write_u32(&w, 1);
    write_u32(&w, NBD_PREFERRED_BYTES);
    write_u32(&w, NBD_PAYLOAD_BYTES_MAX);
    ASSERT(!w.bad && writer_left(&w) == 0);
}

/* INFO and GO: the same question, but GO also enters transmission. */
static void option_info(struct nbd_session *session, uint32_t option, struct reader *r,
                        struct tx *tx)
{
    struct nbd_info_query query;
    if (!nbd_info_query_decode(r, &query)) {
        option_error(tx, option, NBD_REP_ERR_INVALID,
                     "the option's data is not as long as it says");
        return;
    }
    struct export *export = export_named(session, query.name, query.name_length);
    if (!export) {
        option_error(tx, option, NBD_REP_ERR_UNKNOWN, "there is no export of this name");
        return;
    }
    info_export(session, export, option, tx);
    if (query.wanted & 1u << NBD_INFO_NAME)
        info_text(tx, option, NBD_INFO_NAME, export->name);
    if (query.wanted & 1u << NBD_INFO_DESCRIPTION)
        info_description(export, option, tx);
    if (query.wanted & 1u << NBD_INFO_BLOCK_SIZE)
        info_block_size(option, tx);
    option_ack(tx, option);
    if (option == NBD_OPT_GO)
        export_open(session, export);
}

static void option_structured_reply(struct nbd_session *session, const struct reader *r,
                                    struct tx *tx)
{
    uint32_t option = NBD_OPT_STRUCTURED_REPLY;
    if (reader_left(r) > 0) {
        option_error(tx, option, NBD_REP_ERR_INVALID, "the option takes no data");
    } else if (session->extended) {
        option_error(tx, option, NBD_REP_ERR_EXT_HEADER_REQD,
                     "extended headers were negotiated, which are structured");
    } else {
        session->structured = true;
        option_ack(tx, option);
    }
}

static void option_extended_headers(struct nbd_session *session, const struct reader *r,
                                    struct tx *tx)
{
    uint32_t option = NBD_OPT_EXTENDED_HEADERS;
    if (reader_left(r) > 0) {
        option_error(tx, option, NBD_REP_ERR_INVALID, "the option takes no data");
    } else if (session->extended) {
        option_error(tx, option, NBD_REP_ERR_INVALID, "extended headers were negotiated already");
    } else {
        session->structured = true;
        session->extended = true;
        option_ack(tx, option);
    }
}

static void context_tell(struct tx *tx, uint32_t option, uint32_t id, const char *name,
                         const char *more, uint32_t more_length)
{
    size_t length = strlen(name);
    struct writer w = option_reply(tx, option, NBD_REP_META_CONTEXT, 4 + length + more_length);
    write_u32(&w, id);
    write_bytes(&w, name, length);
    write_bytes(&w, more, more_length);
    ASSERT(!w.bad && writer_left(&w) == 0);
}

static void snapshot_tell(void *arg, const char *name)
{
    context_tell(arg, NBD_OPT_LIST_META_CONTEXT, 0, NBD_CONTEXT_CHANGED, name,
                 (uint32_t)strlen(name));
}

/* LIST_META_CONTEXT. Who asks nothing is told everything. */
static void contexts_list(const struct export *export, struct nbd_meta_query *query, struct tx *tx)
{
    const uint32_t option = NBD_OPT_LIST_META_CONTEXT;
    const struct export_snapshots *snapshots = export->snapshots;
    bool allocation = query->count == 0;
    bool every_snapshot = snapshots && query->count == 0;
    struct nbd_contexts named = {0};
    for (uint32_t i = 0; i < query->count; i++) {
        uint32_t length;
        uint32_t slot;
        const char *text = nbd_meta_query_next(query, &length);
        struct nbd_context_query q = nbd_context_query_of(export, text, length, true);
        allocation |= q.allocation;
        every_snapshot |= q.every_snapshot;
        if (q.from_generation && nbd_context_select(&named, q.from_generation, &slot))
            context_tell(tx, option, 0, "", text, length);
    }
    if (allocation)
        context_tell(tx, option, 0, NBD_CONTEXT_ALLOCATION, "", 0);
    if (every_snapshot)
        snapshots->list(snapshots->owner, snapshot_tell, tx);
}

/* SET_META_CONTEXT. */
static void contexts_set(struct nbd_session *session, const struct export *export,
                         struct nbd_meta_query *query, struct tx *tx)
{
    for (uint32_t i = 0; i < query->count; i++) {
        uint32_t length;
        uint32_t slot;
        const char *text = nbd_meta_query_next(query, &length);
        struct nbd_context_query q = nbd_context_query_of(export, text, length, false);
        if ((q.allocation || q.from_generation) &&
            nbd_context_select(&session->contexts, q.from_generation, &slot))
            context_tell(tx, NBD_OPT_SET_META_CONTEXT, slot + 1, "", text, length);
    }
    session->contexts_of = export->uuid;
}

/* A SET that fails selects nothing either. */
static void option_meta_context(struct nbd_session *session, uint32_t option, struct reader *r,
                                struct tx *tx)
{
    struct nbd_meta_query query;
    bool listing = option == NBD_OPT_LIST_META_CONTEXT;
    if (!listing)
        session->contexts = (struct nbd_contexts){0};
    if (!session->structured) {
        option_error(tx, option, NBD_REP_ERR_INVALID, "structured replies come first");
        return;
    }
    if (!nbd_meta_query_decode(r, &query)) {
        option_error(tx, option, NBD_REP_ERR_INVALID,
                     "the option's data is not as long as it says");
        return;
    }
    const struct export *export = export_named(session, query.name, query.name_length);
    if (!export) {
        option_error(tx, option, NBD_REP_ERR_UNKNOWN, "there is no export of this name");
        return;
    }
    if (listing)
        contexts_list(export, &query, tx);
    else
        contexts_set(session, export, &query, tx);
    option_ack(tx, option);
}

static void option_starttls(struct nbd_session *session, const struct reader *r, struct tx *tx)
{
    uint32_t option = NBD_OPT_STARTTLS;
    if (session->tls == NBD_TLS_OFF) {
        option_error(tx, option, NBD_REP_ERR_UNSUP, "this server does not speak TLS");
    } else if (session->secure) {
        option_error(tx, option, NBD_REP_ERR_INVALID, "the connection is within TLS already");
    } else if (reader_left(r) > 0) {
        option_error(tx, option, NBD_REP_ERR_INVALID, "the option takes no data");
    } else {
        option_ack(tx, option);
        session->state = NBD_SECURING;
    }
}

/* True when the option must wait for TLS, and was told so. */
static bool option_needs_tls(struct nbd_session *session, uint32_t option, struct tx *tx)
{
    if (session->tls != NBD_TLS_REQUIRED || session->secure || option == NBD_OPT_STARTTLS ||
        option == NBD_OPT_ABORT)
        return false;
    if (option == NBD_OPT_EXPORT_NAME)
        nbd_close(session, "EXPORT_NAME without TLS");
    else
        option_error(tx, option, NBD_REP_ERR_TLS_REQD, "this server wants TLS first");
    return true;
}

static void option_answer(struct nbd_session *session, uint32_t option, struct reader *r,
                          struct tx *tx)
{
    if (option_needs_tls(session, option, tx))
        return;
    switch (option) {
    case NBD_OPT_EXPORT_NAME:
        option_export_name(session, (const char *)r->next, (uint32_t)reader_left(r), tx);
        break;
    case NBD_OPT_ABORT:
        option_ack(tx, option);
        nbd_close(session, "the client ended the handshake");
        break;
    case NBD_OPT_LIST:
        if (reader_left(r) > 0)
            option_error(tx, option, NBD_REP_ERR_INVALID, "the option takes no data");
        else
            option_list(session, tx);
        break;
    case NBD_OPT_INFO:
    case NBD_OPT_GO:
        option_info(session, option, r, tx);
        break;
    case NBD_OPT_STRUCTURED_REPLY:
        option_structured_reply(session, r, tx);
        break;
    case NBD_OPT_LIST_META_CONTEXT:
    case NBD_OPT_SET_META_CONTEXT:
        option_meta_context(session, option, r, tx);
        break;
    case NBD_OPT_STARTTLS:
        option_starttls(session, r, tx);
        break;
    case NBD_OPT_EXTENDED_HEADERS:
        option_extended_headers(session, r, tx);
        break;
    default:
        option_error(tx, option, NBD_REP_ERR_UNSUP, "this server does not know the option");
        break;
    }
}

static void option_too_big(struct nbd_session *session, const struct nbd_option *option,
                           struct tx *tx)
{
    if (option->type == NBD_OPT_EXPORT_NAME) {
        nbd_close(session, "EXPORT_NAME longer than any name");
        return;
    }
    session->drain_bytes = option->length_bytes;
    option_error(tx, option->type, NBD_REP_ERR_TOO_BIG, "the option's data is beyond 8192 bytes");
}

bool nbd_option_take(struct nbd_session *session, struct rx *rx, struct tx *tx)
{
    if (!rx_need(rx, NBD_OPTION_BYTES))
        return false;
    struct nbd_option option;
    struct reader head = reader_of(rx_bytes(rx), NBD_OPTION_BYTES);
    if (!nbd_option_decode(&head, &option)) {
        nbd_close(session, "an option without its magic number");
        return true;
    }
    if (option.length_bytes > NBD_OPTION_DATA_BYTES_MAX) {
        rx_skip(rx, NBD_OPTION_BYTES);
        option_too_big(session, &option, tx);
        return true;
    }
    if (!rx_need(rx, NBD_OPTION_BYTES + option.length_bytes))
        return false;
    struct reader data = reader_of(rx_bytes(rx) + NBD_OPTION_BYTES, option.length_bytes);
    option_answer(session, option.type, &data, tx);
    rx_skip(rx, NBD_OPTION_BYTES + option.length_bytes);
    /* Who waits for the answer has nothing to say yet; what came is not to be taken for secured. */
    if (session->state == NBD_SECURING && rx_length(rx) > 0)
        nbd_close(session, "bytes behind STARTTLS, before its answer");
    return true;
}
