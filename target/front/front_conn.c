/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's connection, NBD or iSCSI: bytes are given to its session, the session's requests to
 * the volume, results back to the session. What to do when memory, request objects or the volume
 * are short is decided here, in conn_blocked_why.
 */
#include "target/front/front_state.h"

#include "common/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

static const char *const protocol_names[] = {
    [PROTOCOL_NBD] = "nbd",
    [PROTOCOL_ISCSI] = "iscsi",
};

static const uint64_t NS_PER_S = 1000u * 1000u * 1000u;
static const uint64_t NS_PER_MS = 1000u * 1000u;

static enum session_next conn_next(struct conn *conn, struct block_req **req)
{
    if (conn->protocol == PROTOCOL_ISCSI)
        return iscsi_next(conn->iscsi, &conn->stream.rx, &conn->stream.tx, req);
    struct nbd_request *request = NULL;
    enum session_next next = nbd_next(&conn->nbd, &conn->stream.rx, &conn->stream.tx, &request);
    if (next == SESSION_REQUEST)
        *req = &request->block;
    return next;
}

static struct export *conn_export_of(const struct conn *conn, struct block_req *req)
{
    if (conn->protocol == PROTOCOL_ISCSI)
        return iscsi_export_of(req);
    return CONTAINER_OF(req, struct nbd_request, block)->export;
}

/* A result is there: into tx, or nowhere when nobody waits for it any more. */
static void conn_answer(struct conn *conn, struct block_req *req)
{
    bool drop = conn->gone || conn->finishing;
    if (conn->protocol == PROTOCOL_ISCSI) {
        if (drop)
            iscsi_drop(conn->iscsi, req);
        else
            iscsi_reply(conn->iscsi, req, &conn->stream.tx);
        return;
    }
    struct nbd_request *request = CONTAINER_OF(req, struct nbd_request, block);
    if (drop)
        nbd_drop(&conn->nbd, request);
    else
        nbd_reply(&conn->nbd, request, &conn->stream.tx);
}

static void conn_completed(struct conn *conn, struct block_req *req)
{
    struct front *front = conn->front;
    struct front_export *fx = CONTAINER_OF(conn_export_of(conn, req), struct front_export, export);
    ASSERT(conn->in_flight > 0 && fx->in_flight > 0);
    conn->in_flight--;
    fx->in_flight--;
    front->in_flight--;
    if (req->op == BLOCK_READ)
        buf_promise_end(front->bufs, req->length_bytes);
    conn_answer(conn, req);
    if (!conn->gone && !conn->finishing) {
        stream_send(&conn->stream);
        loop_defer(front->loop, &conn->pump);
    }
    if (conn->gone || conn->leaving || fx->removed || !list_empty(&front->blocked))
        loop_defer(front->loop, &front->settle);
}

static void conn_done_nbd(struct block_req *req)
{
    conn_completed(CONTAINER_OF(req->owner, struct conn, nbd), req);
}

static void conn_done_iscsi(struct block_req *req)
{
    struct conn *conn = iscsi_user(req->owner);
    struct front *front = conn->front;
    conn_completed(conn, req);
    conn_pump_ready(front);
}

static void conn_submit(struct conn *conn, struct block_req *req)
{
    struct front *front = conn->front;
    struct front_export *fx = CONTAINER_OF(conn_export_of(conn, req), struct front_export, export);
    conn->in_flight++;
    fx->in_flight++;
    front->in_flight++;
    if (req->op == BLOCK_READ)
        buf_promise(front->bufs, req->length_bytes);
    if (fx->export.generation)
        req->generation = fx->export.generation;
    req->done = conn->protocol == PROTOCOL_ISCSI ? conn_done_iscsi : conn_done_nbd;
    volume_submit(fx->export.volume, req);
}

/*
 * True when the session must not be asked for more, because memory is short. A connection that has
 * nothing in flight and nothing to be read goes on, so that somebody ends and memory comes back,
 * even when all of it lies in half received requests; when too many did so, one at a time.
 */
static bool conn_short(const struct conn *conn)
{
    const struct front *front = conn->front;
    if (!buf_pool_full(front->bufs))
        return false;
    return conn->in_flight > 0 || !tx_empty(&conn->stream.tx) ||
           (front->in_flight > 0 && buf_pool_spent(front->bufs));
}

/*
 * Likewise: an NBD write comes in one buffer, and a long one waits until there is memory for it.
 * iSCSI's data comes in pieces, of which none may wait for another.
 */
static bool conn_lacks_buffer(const struct conn *conn)
{
    const struct rx *rx = &conn->stream.rx;
    uint32_t room_bytes = rx->buf ? rx->buf->capacity_bytes - rx->begin : 0;
    return conn->protocol == PROTOCOL_NBD && rx->want_bytes > CONN_LONG_BYTES &&
           rx->want_bytes > room_bytes && buf_pool_full(conn->front->bufs);
}

/* `among`: who is pumped when what this one waits for may be there. */
static void conn_block(struct conn *conn, struct list *among, bool retry)
{
    struct front *front = conn->front;
    if (!conn->blocked)
        stream_pause(&conn->stream);
    conn->blocked = true;
    list_remove(&conn->blocked_node);
    list_append(among, &conn->blocked_node);
    /* Who frees memory tells nobody: it is looked for, ever more rarely. */
    if (retry && !ev_is_active(&front->retry.ev)) {
        loop_timer_start(&front->retry, front->retry_ms * NS_PER_MS);
        if (front->retry_ms < FRONT_RETRY_MS_MAX)
            front->retry_ms *= 2;
    }
}

static void conn_unblock(struct conn *conn)
{
    if (!conn->blocked)
        return;
    conn->blocked = false;
    conn->half_since_ns = 0;
    conn->front->retry_ms = FRONT_RETRY_MS_MIN;
    list_remove(&conn->blocked_node);
    if (!conn->gone && !conn->finishing)
        stream_resume(&conn->stream);
}

/*
 * The export whose volume's limits keep the session from being asked for more; NULL: it may be. An
 * initiator is listened to meanwhile: its session keeps the commands (export->throttled), and
 * answers pings.
 */
static struct front_export *conn_throttled(const struct conn *conn)
{
    struct export *export = conn_export(conn);
    if (!export)
        return NULL;
    struct front_export *fx = CONTAINER_OF(export, struct front_export, export);
    uint64_t wait_ns = export->throttled ? 0 : volume_wait_ns(export->volume);
    if (wait_ns > 0) {
        export->throttled = true;
        loop_timer_start(&fx->due, wait_ns);
    }
    return export->throttled && conn->protocol == PROTOCOL_NBD ? fx : NULL;
}

void conn_on_due(struct loop_timer *timer)
{
    struct front_export *fx = CONTAINER_OF(timer, struct front_export, due);
    struct front *front = fx->front;
    fx->export.throttled = false;
    iscsi_node_wake_export(&front->node, &fx->export);
    conn_pump_ready(front);
    conn_pump_all(&fx->waiting);
}

const char *conn_protocol_name(const struct conn *conn)
{
    return protocol_names[conn->protocol];
}

const char *conn_who(const struct conn *conn)
{
    return conn->protocol == PROTOCOL_ISCSI ? iscsi_peer_name(conn->iscsi) : conn->who;
}

struct export *conn_export(const struct conn *conn)
{
    return conn->protocol == PROTOCOL_ISCSI ? iscsi_export(conn->iscsi) : conn->nbd.export;
}

/* For the log: "nbd 127.0.0.1:41000", and who that is when the protocol tells. */
static void conn_log(const struct conn *conn, bool warn, const char *why)
{
    const char *who = conn_who(conn);
    const char *what = protocol_names[conn->protocol];
    bool named = who[0];
    (warn ? log_warn : log_debug)("%s %s%s%s%s: closed (%s)", what, conn->peer, named ? " (" : "",
                                  named ? who : "", named ? ")" : "", why);
}

static void conn_finish(struct conn *conn)
{
    if (conn->finishing || conn->gone)
        return;
    conn->leaving = true;
    conn->finishing = true;
    conn_unblock(conn);
    loop_timer_start(&conn->deadline, CONN_LEAVE_S * NS_PER_S);
    loop_task_cancel(&conn->pump);
    stream_finish(&conn->stream);
}

/* The session ended. What clients do every day is not worth a line. */
static void conn_session_closed(struct conn *conn)
{
    static const char by_client[] =
        "the client "; /* "... disconnected", "... ended the handshake" */
    bool nbd = conn->protocol == PROTOCOL_NBD;
    const char *why = nbd ? conn->nbd.why : iscsi_why(conn->iscsi);
    bool usual = nbd ? strncmp(why, by_client, strlen(by_client)) == 0 : strcmp(why, "logout") == 0;
    conn_log(conn, !usual, why);
    conn_finish(conn);
}

/* The session waits for bytes. */
static void conn_more(struct conn *conn)
{
    if (conn_lacks_buffer(conn)) {
        conn_block(conn, &conn->front->blocked, true);
        return;
    }
    conn_unblock(conn);
    bool half = conn->protocol == PROTOCOL_NBD ? conn->stream.rx.want_bytes > CONN_LONG_BYTES
                                               : iscsi_is_owed(conn->iscsi);
    if (!half)
        conn->half_since_ns = 0;
    else if (!conn->half_since_ns)
        conn->half_since_ns = loop_now_ns(conn->front->loop);
}

void conn_pump(struct conn *conn)
{
    struct front *front = conn->front;
    while (!conn->leaving && !conn->gone) {
        if (conn_short(conn)) {
            conn_block(conn, &conn->front->blocked, true);
            break;
        }
        struct front_export *fx = conn_throttled(conn);
        if (fx) {
            conn_block(conn, &fx->waiting, false);
            break;
        }
        struct block_req *req = NULL;
        enum session_next next = conn_next(conn, &req);
        if (conn->protocol == PROTOCOL_ISCSI) {
            conn_close_superseded(front);
            conn_pump_ready(front);
        }
        if (conn->gone && next != SESSION_REQUEST)
            break;
        if (next == SESSION_CLOSE) {
            conn_session_closed(conn);
        } else if (next == SESSION_BUSY) {
            conn_block(conn, &conn->front->blocked, false);
            break;
        } else if (next == SESSION_MORE) {
            conn_more(conn);
            break;
        } else if (next == SESSION_SECURE) {
            conn_unblock(conn);
            stream_secure(&conn->stream, front->tls, true);
            break;
        } else {
            struct volume *volume = conn_export_of(conn, req)->volume;
            conn->half_since_ns = 0;
            conn_submit(conn, req);
            if (!conn->gone && volume_full(volume)) {
                conn_block(conn, &conn->front->blocked, false);
                break;
            }
        }
    }
    if (conn->gone || conn->leaving)
        return;
    if (conn->protocol == PROTOCOL_NBD && conn->nbd.export)
        loop_timer_stop(&conn->deadline);
    if (!tx_empty(&conn->stream.tx))
        stream_send(&conn->stream);
    rx_trim(&conn->stream.rx);
}

void conn_pump_all(struct list *blocked)
{
    struct list waiting;
    list_take_all(&waiting, blocked);
    while (!list_empty(&waiting)) {
        struct conn *conn = CONTAINER_OF(waiting.next, struct conn, blocked_node);
        list_remove(&conn->blocked_node);
        list_append(blocked, &conn->blocked_node);
        conn_pump(conn);
    }
}

void conn_leave(struct conn *conn)
{
    if (conn->gone || conn->finishing)
        return;
    if (!conn->leaving) {
        conn->leaving = true;
        if (conn->protocol == PROTOCOL_ISCSI && conn->front->stopping) {
            iscsi_logout_request(conn->iscsi, 0, &conn->stream.tx);
            stream_send(&conn->stream);
        }
        conn_unblock(conn);
        stream_pause(&conn->stream);
        loop_timer_start(&conn->deadline, CONN_LEAVE_S * NS_PER_S);
    }
    if (conn->in_flight == 0)
        conn_finish(conn);
}

/* The stream is closed. The memory goes in a later step: callers may still hold the connection. */
static void conn_gone(struct conn *conn)
{
    struct front *front = conn->front;
    ASSERT(!conn->gone);
    conn->gone = true;
    conn_unblock(conn);
    loop_timer_stop(&conn->deadline);
    loop_task_cancel(&conn->pump);
    front->counts[conn->protocol]--;
    list_remove(&conn->node);
    list_append(&front->dead, &conn->node);
    loop_defer(front->loop, &front->settle);
}

void conn_close(struct conn *conn)
{
    if (conn->gone)
        return;
    stream_close(&conn->stream);
    conn_gone(conn);
}

void conn_drop(struct conn *conn, const char *why)
{
    conn_log(conn, true, why);
    conn_close(conn);
}

/* Next to nothing was read, of what waited then, since it was looked at last. */
static bool conn_hoards_answers(struct conn *conn, uint64_t now_ns)
{
    const struct tx *tx = &conn->stream.tx;
    uint64_t bytes = tx->pending_bytes;
    if (bytes == 0) {
        conn->unread_since_ns = 0;
    } else if (conn->unread_since_ns == 0 || tx->sent_bytes >= conn->read_by_then_bytes) {
        conn->unread_since_ns = now_ns;
        conn->read_by_then_bytes =
            tx->sent_bytes + (bytes < CONN_UNREAD_BYTES ? bytes : CONN_UNREAD_BYTES);
    }
    return conn->unread_since_ns && now_ns - conn->unread_since_ns >= CONN_HALF_S * NS_PER_S;
}

void conn_drop_hoarders(struct front *front)
{
    uint64_t now_ns = loop_now_ns(front->loop);
    if (!buf_pool_full(front->bufs))
        return;
    LIST_FOR_EACH_SAFE (node, &front->conns) {
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        if (conn_hoards_answers(conn, now_ns))
            conn_drop(conn, "answers that are not read hold memory that others need");
        else if (!conn->blocked && conn->half_since_ns &&
                 now_ns - conn->half_since_ns >= CONN_HALF_S * NS_PER_S)
            conn_drop(conn, "half a request holds memory that others need");
    }
}

void conn_close_superseded(struct front *front)
{
    struct iscsi_conn *iscsi;
    while ((iscsi = iscsi_node_superseded(&front->node)) != NULL) {
        struct conn *conn = iscsi_user(iscsi);
        if (conn->gone)
            continue;
        conn_drop(conn, iscsi_why(iscsi));
    }
}

void conn_pump_ready(struct front *front)
{
    struct iscsi_conn *iscsi;
    while ((iscsi = iscsi_node_ready(&front->node)) != NULL) {
        struct conn *conn = iscsi_user(iscsi);
        if (!conn->gone && !conn->finishing)
            loop_defer(front->loop, &conn->pump);
    }
}

void conn_free(struct conn *conn)
{
    ASSERT(conn->gone && conn->in_flight == 0);
    list_remove(&conn->node);
    if (conn->protocol == PROTOCOL_ISCSI)
        iscsi_conn_free(conn->iscsi);
    else
        nbd_release(&conn->nbd);
    conn->front->conn_count--;
    conn->front->crowd_told = false;
    free(conn);
}

bool conn_uses(const struct conn *conn, const struct export *export)
{
    return conn->protocol == PROTOCOL_NBD && conn->nbd.export == export;
}

void conn_tick(struct conn *conn, uint64_t now_ns)
{
    if (conn->protocol != PROTOCOL_ISCSI || conn->gone || conn->finishing)
        return;
    if (!iscsi_tick(conn->iscsi, now_ns, &conn->stream.tx)) {
        conn_drop(conn, iscsi_why(conn->iscsi));
    } else if (!tx_empty(&conn->stream.tx)) {
        stream_send(&conn->stream);
    }
}

static void conn_on_bytes(struct stream *stream)
{
    struct conn *conn = CONTAINER_OF(stream, struct conn, stream);
    if (!conn->blocked)
        conn_pump(conn);
}

/* The client took its answers: a session that held back for that goes on. */
static void conn_on_sent(struct stream *stream)
{
    struct conn *conn = CONTAINER_OF(stream, struct conn, stream);
    if (conn->blocked)
        loop_defer(conn->front->loop, &conn->pump);
}

static void conn_on_closed(struct stream *stream, const char *why)
{
    struct conn *conn = CONTAINER_OF(stream, struct conn, stream);
    /* Whom TLS did not let in is worth a line; the rest happens every day. */
    if (!conn->leaving)
        conn_log(conn, strncmp(why, "TLS: ", 5) == 0, why);
    conn_gone(conn);
}

static void conn_on_secured(struct stream *stream)
{
    struct conn *conn = CONTAINER_OF(stream, struct conn, stream);
    snprintf(conn->who, sizeof(conn->who), "%s", stream_peer(stream));
    log_debug("%s %s: within TLS (%s)", protocol_names[conn->protocol], conn->peer,
              conn->who[0] ? conn->who : "anonymous");
    /* "certificate alice" and "key alice": the name is what rules speak of. */
    const char *space = strchr(conn->who, ' ');
    conn->nbd.client.identity = space ? space + 1 : "";
    nbd_secured(&conn->nbd);
}

static void conn_on_pump(struct loop_task *task)
{
    conn_pump(CONTAINER_OF(task, struct conn, pump));
}

static void conn_on_deadline(struct loop_timer *timer)
{
    struct conn *conn = CONTAINER_OF(timer, struct conn, deadline);
    const char *why = conn->in_flight ? "its requests could not be answered in time"
                                      : "it does not take its last answers";
    conn_log(conn, true, conn->leaving ? why : "no export was opened in time");
    conn_close(conn);
}

static bool conn_session_start(struct conn *conn, uint32_t portal)
{
    struct front *front = conn->front;
    if (conn->protocol == PROTOCOL_NBD) {
        nbd_init(&conn->nbd, &front->exports, &front->nbd_requests, front->nbd_tls,
                 &conn->stream.tx);
        conn->nbd.client.address = access_address_of(conn->peer);
        loop_timer_start(&conn->deadline, NBD_HANDSHAKE_S * NS_PER_S);
        return true;
    }
    char local[ADDRESS_TEXT_BYTES];
    struct iscsi_arrival arrival = {.local = local, .peer = conn->peer, .portal = portal};
    ssize_t random = getrandom(arrival.random, sizeof(arrival.random), 0);
    if (random != (ssize_t)sizeof(arrival.random))
        return false;
    address_of_socket(conn->stream.fd, true, local);
    conn->iscsi = iscsi_conn_new(&front->node, &arrival);
    if (!conn->iscsi)
        return false;
    iscsi_set_user(conn->iscsi, conn);
    if (!ev_is_active(&front->tick.ev))
        loop_timer_start(&front->tick, ISCSI_TICK_S * NS_PER_S);
    return true;
}

/*
 * When there are too many, whoever has been here longest without opening an export makes room: a
 * crowd that only connects keeps nobody out. False: all of them have one.
 */
static bool conn_room(struct front *front)
{
    if (front->conn_count < front->connections_max)
        return true;
    LIST_FOR_EACH (node, &front->conns) {
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        if (!conn_export(conn)) {
            conn_log(conn, false, "others need its place");
            conn_close(conn);
            return true;
        }
    }
    return false;
}

void conn_accept(struct front *front, enum protocol protocol, uint32_t portal, int fd)
{
    if (!conn_room(front)) {
        if (!front->crowd_told)
            log_warn("%s: %u connections are open, no more are taken", protocol_names[protocol],
                     front->conn_count);
        front->crowd_told = true;
        close(fd);
        return;
    }
    struct conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        log_warn("%s: connection refused (%s)", protocol_names[protocol], "out of memory");
        close(fd);
        return;
    }
    conn->front = front;
    conn->protocol = protocol;
    conn->id = ++front->conns_ever;
    conn->since_ns = loop_now_ns(front->loop);
    list_init(&conn->node);
    list_init(&conn->blocked_node);
    address_of_socket(fd, false, conn->peer);
    loop_task_init(&conn->pump, conn_on_pump);
    loop_timer_init(&conn->deadline, front->loop, conn_on_deadline);
    stream_open(&conn->stream, front->loop, front->sender, front->bufs, fd);
    conn->stream.on_bytes = conn_on_bytes;
    conn->stream.on_sent = conn_on_sent;
    conn->stream.on_closed = conn_on_closed;
    conn->stream.on_secured = conn_on_secured;
    front_access_refresh(front);
    if (!conn_session_start(conn, portal)) {
        log_warn("%s %s: connection refused (out of memory)", protocol_names[protocol], conn->peer);
        stream_close(&conn->stream);
        free(conn);
        return;
    }
    front->conn_count++;
    front->counts[protocol]++;
    list_append(&front->conns, &conn->node);
    log_debug("%s %s: connected", protocol_names[protocol], conn->peer);
    if (!tx_empty(&conn->stream.tx))
        stream_send(&conn->stream);
}
