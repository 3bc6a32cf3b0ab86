/* SPDX-License-Identifier: Apache-2.0 */
/* The front's listeners and exports, and how both end; connections are front_conn.c's. */
#include "target/front/front_state.h"

#include "common/base/log.h"
#include "common/base/pages.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t NS_PER_S = 1000u * 1000u * 1000u;

static void front_on_settle(struct loop_task *task);
static void front_on_tick(struct loop_timer *timer);
static void front_on_retry(struct loop_timer *timer);

/* ---- access rules ---- */

int front_access_reload(struct front *front, struct error *error)
{
    if (!front->access.path[0])
        return 0;
    int status = front_access_read(&front->access, error);
    front->exports.access = front->access.rules;
    return status;
}

void front_access_refresh(struct front *front)
{
    struct error error;
    if (!front_access_changed(&front->access))
        return;
    if (front_access_reload(front, &error))
        log_warn("access: the rules stay as they were (%s)", error.text);
    else
        log_info("access: %s was changed and read again", front->access.path);
}

/* Every address of the machine: which of them a client reaches only its connection tells. */
static bool listens_anywhere(const struct listener *listener)
{
    const char *text = listener->address.text;
    return strncmp(text, "0.0.0.0:", 8) == 0 || strncmp(text, "[::]:", 5) == 0;
}

/* An address of this machine is one that a socket can have. */
static bool address_is_here(const struct address *address)
{
    struct sockaddr_storage at = address->sockaddr;
    if (at.ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)&at)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)(void *)&at)->sin6_port = 0;
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool here = fd >= 0 && bind(fd, (const struct sockaddr *)&at, address->length) == 0;
    if (fd >= 0)
        close(fd);
    return here;
}

static bool portal_is_ours(const struct front *front, const char *portal)
{
    struct address address;
    struct error ignored;
    const char *port = strrchr(portal, ':');
    for (uint32_t i = 0; i < front->listener_count; i++) {
        const struct front_listener *l = &front->listeners[i];
        if (l->protocol != PROTOCOL_ISCSI)
            continue;
        const char *text = l->listener.address.text;
        if (strcmp(text, portal) == 0 || strcmp(front->node.portals[l->portal], portal) == 0)
            return true;
        if (listens_anywhere(&l->listener) && strcmp(strrchr(text, ':'), port) == 0 &&
            address_parse(&address, portal, 0, &ignored) == 0 && address_is_here(&address))
            return true;
    }
    return false;
}

/* Who is sent from here to here is sent again when it comes. */
static int redirects_check(void *arg, const struct access *rules, struct error *error)
{
    const struct access_rule *rule;
    for (uint32_t i = 0; (rule = access_rule_at(rules, i)) != NULL; i++) {
        if (rule->redirect[0] && portal_is_ours(arg, rule->redirect))
            return error_set(error,
                             "%s%s: redirect %s is a portal of this target itself, so that "
                             "initiators would be sent around for ever",
                             rule->volume[0] ? "volume " : "discovery", rule->volume,
                             rule->redirect);
    }
    return 0;
}

static int access_open(struct front *front, const char *path, struct error *error)
{
    front->access.check = redirects_check;
    front->access.check_arg = front;
    if (strlen(path) >= sizeof(front->access.path))
        return error_set(error, "%.64s...: the path is too long", path);
    memcpy(front->access.path, path, strlen(path) + 1);
    return front_access_reload(front, error);
}

/* ---- the front ---- */

struct front *front_new(const struct front_settings *settings, struct loop *loop,
                        struct stream_sender *sender, struct buf_pool *bufs, struct error *error)
{
    struct front *front = calloc(1, sizeof(*front));
    if (!front) {
        error_set_errno(error, ENOMEM, "front");
        return NULL;
    }
    front->loop = loop;
    front->sender = sender;
    front->bufs = bufs;
    front->connections_max = settings->connections_max;
    ASSERT(settings->tls || settings->nbd_tls == NBD_TLS_OFF);
    front->nbd_tls = settings->nbd_tls;
    front->tls = settings->tls;
    front->retry_ms = FRONT_RETRY_MS_MIN;
    list_init(&front->conns);
    list_init(&front->blocked);
    list_init(&front->dead);
    loop_task_init(&front->settle, front_on_settle);
    loop_timer_init(&front->tick, loop, front_on_tick);
    loop_timer_init(&front->retry, loop, front_on_retry);
    exports_init(&front->exports, settings->iqn_prefix);
    if (settings->access && access_open(front, settings->access, error))
        goto fail_access;
    if (pool_init(&front->nbd_requests, sizeof(struct nbd_request), settings->requests_max))
        goto fail;
    if (iscsi_node_init(&front->node, &front->exports, bufs, settings->requests_max))
        goto fail_pool;
    return front;
fail_pool:
    pool_release(&front->nbd_requests);
fail:
    error_set_errno(error, ENOMEM, "front: %u requests", settings->requests_max);
fail_access:
    front_access_release(&front->access);
    free(front);
    return NULL;
}

static void front_listeners_close(struct front *front)
{
    for (uint32_t i = 0; i < front->listener_count; i++)
        listener_close(&front->listeners[i].listener);
    front->listener_count = 0;
}

static void front_export_free(struct front_export *fx)
{
    loop_timer_stop(&fx->due);
    free(fx);
}

static void front_bury(struct front *front)
{
    LIST_FOR_EACH_SAFE (node, &front->dead) {
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        if (conn->in_flight == 0)
            conn_free(conn);
    }
}

void front_free(struct front *front)
{
    front_listeners_close(front);
    while (!list_empty(&front->conns))
        conn_close(CONTAINER_OF(front->conns.next, struct conn, node));
    front_bury(front);
    ASSERT(list_empty(&front->dead));
    LIST_FOR_EACH_SAFE (node, &front->exports.list) {
        list_remove(node);
        struct export *export = CONTAINER_OF(node, struct export, node);
        front_export_free(CONTAINER_OF(export, struct front_export, export));
    }
    loop_task_cancel(&front->settle);
    loop_timer_stop(&front->tick);
    loop_timer_stop(&front->retry);
    iscsi_node_release(&front->node);
    pool_release(&front->nbd_requests);
    front_access_release(&front->access);
    free(front);
}

static void front_on_accept(struct listener *listener, int fd)
{
    struct front_listener *l = CONTAINER_OF(listener, struct front_listener, listener);
    conn_accept(l->front, l->protocol, l->portal, fd);
}

static int front_listen(struct front *front, enum protocol protocol, const struct address *address,
                        struct error *error)
{
    if (front->listener_count == FRONT_LISTENERS_MAX)
        return error_set(error, "%s: more than %d listeners", address->text, FRONT_LISTENERS_MAX);
    struct front_listener *l = &front->listeners[front->listener_count];
    l->front = front;
    l->protocol = protocol;
    if (listener_open(&l->listener, front->loop, address, front_on_accept, error))
        return -1;
    front->listener_count++;
    return 0;
}

int front_listen_nbd(struct front *front, const struct address *address, struct error *error)
{
    return front_listen(front, PROTOCOL_NBD, address, error);
}

int front_listen_iscsi(struct front *front, const struct address *address, const char *portal,
                       struct error *error)
{
    if (front_listen(front, PROTOCOL_ISCSI, address, error))
        return -1;
    struct front_listener *l = &front->listeners[front->listener_count - 1];
    if (!portal)
        portal = listens_anywhere(&l->listener) ? "" : l->listener.address.text;
    if (strlen(portal) >= ISCSI_PORTAL_BYTES)
        return error_set(error, "portal %.64s...: too long", portal);
    l->portal = iscsi_node_portal_add(&front->node, portal);
    if (redirects_check(front, front->access.rules, error))
        return error_prefix(error, "%s", front->access.path);
    return 0;
}

const char *front_portal(const struct front *front, uint32_t idx)
{
    const char *address = front_address(front, true, idx);
    if (!address || !front->node.portals[idx][0])
        return address;
    return front->node.portals[idx];
}

const char *front_address(const struct front *front, bool iscsi, uint32_t idx)
{
    enum protocol protocol = iscsi ? PROTOCOL_ISCSI : PROTOCOL_NBD;
    for (uint32_t i = 0; i < front->listener_count; i++) {
        if (front->listeners[i].protocol != protocol)
            continue;
        if (idx-- == 0)
            return front->listeners[i].listener.address.text;
    }
    return NULL;
}

void front_stop(struct front *front, void (*done)(void *arg), void *arg)
{
    ASSERT(!front->stopping);
    front->stopping = true;
    front->stopped = done;
    front->stopped_arg = arg;
    front_listeners_close(front);
    LIST_FOR_EACH_SAFE (node, &front->conns)
        conn_leave(CONTAINER_OF(node, struct conn, node));
    loop_defer(front->loop, &front->settle);
}

static struct export *export_add(struct front *front, struct volume *volume,
                                 const struct front_view *view)
{
    struct front_export *fx = pages_new(sizeof(*fx));
    struct export *export = &fx->export;
    memcpy(export->name, view->name, sizeof(export->name));
    export->uuid = view->uuid;
    export->generation = view->generation;
    export->size_bytes = view->size_bytes;
    export->block_bytes = volume_config(volume)->block_bytes;
    export->read_only = view->generation != 0;
    export->hidden = !view->listed;
    export->volume = volume;
    export->unit = &fx->unit;
    fx->front = front;
    loop_timer_init(&fx->due, front->loop, conn_on_due);
    list_init(&fx->waiting);
    scsi_unit_init(&fx->unit, export);
    export_iqn(&front->exports, export->name, fx->iqn);
    fx->unit.target_name = fx->iqn;
    list_append(&front->exports.list, &export->node);
    pages_give_back(fx, sizeof(*fx)); /* few volumes have registrations */
    return export;
}

struct export *front_export_add(struct front *front, struct volume *volume)
{
    const struct config *config = volume_config(volume);
    struct front_view view = {
        .uuid = config->volume, .size_bytes = config->size_bytes, .listed = true};
    ASSERT(!exports_find(&front->exports, config->name, strlen(config->name)));
    STATIC_ASSERT((int)EXPORT_VOLUME_BYTES >= (int)VOLUME_NAME_BYTES,
                  "a volume's name is an export's");
    snprintf(view.name, sizeof(view.name), "%s", config->name);
    return export_add(front, volume, &view);
}

struct export *front_view_add(struct front *front, struct volume *volume,
                              const struct front_view *view)
{
    ASSERT(view->generation != 0);
    return export_add(front, volume, view);
}

void front_export_resize(struct front *front, struct export *export, uint64_t size_bytes)
{
    (void)front;
    if (export->size_bytes == size_bytes)
        return;
    export->size_bytes = size_bytes;
    scsi_unit_attention(export->unit, NULL, SCSI_UA_CAPACITY_CHANGED);
}

void front_export_hold(struct export *export)
{
    scsi_reservations_await(export->unit);
}

void front_export_reservations(struct front *front, struct export *export, const uint8_t *bytes,
                               size_t length)
{
    STATIC_ASSERT(sizeof(FRONT_RESERVATIONS_ROW) == sizeof(SCSI_RESERVATIONS_ROW), "one row");
    if (scsi_unit_known(export->unit))
        return;
    if (!scsi_reservations_load(export->unit, bytes, length))
        log_warn("volume %s: its SCSI reservations are not understood, and dropped", export->name);
    struct front_export *fx = CONTAINER_OF(export, struct front_export, export);
    pages_give_back(fx, sizeof(*fx));
    iscsi_node_wake_export(&front->node, export);
    conn_pump_ready(front);
    loop_defer(front->loop, &front->settle); /* clients of NBD that are held */
}

void front_export_news(struct export *export, enum front_news news)
{
    scsi_unit_attention(export->unit, NULL,
                        news == FRONT_SPACE_LOW ? SCSI_UA_SPACE_LOW : SCSI_UA_CACHE_LOST);
}

void front_export_remove(struct front *front, struct export *export, void (*done)(void *arg),
                         void *arg)
{
    struct front_export *fx = CONTAINER_OF(export, struct front_export, export);
    ASSERT(!fx->removed);
    export->gone = true;
    fx->removed = done;
    fx->removed_arg = arg;
    LIST_FOR_EACH_SAFE (node, &front->conns) {
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        if (conn_uses(conn, export))
            conn_leave(conn);
    }
    iscsi_node_drop_export(&front->node, export);
    conn_close_superseded(front);
    loop_defer(front->loop, &front->settle);
}

struct exports *front_exports(struct front *front)
{
    return &front->exports;
}

void front_sessions(const struct front *front,
                    void (*each)(void *arg, const struct front_session *session), void *arg)
{
    LIST_FOR_EACH (node, &front->conns) {
        const struct conn *conn = CONTAINER_OF(node, struct conn, node);
        const struct export *export = conn_export(conn);
        struct front_session session = {.id = conn->id,
                                        .protocol = conn_protocol_name(conn),
                                        .peer = conn->peer,
                                        .who = conn_who(conn),
                                        .export = export ? export->name : "",
                                        .in_flight = conn->in_flight,
                                        .since_ns = conn->since_ns};
        each(arg, &session);
    }
}

bool front_session_drop(struct front *front, uint64_t id)
{
    LIST_FOR_EACH_SAFE (node, &front->conns) {
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        if (conn->id != id)
            continue;
        conn_drop(conn, "dropped by an administrator");
        return true;
    }
    return false;
}

struct front_counters front_counters(const struct front *front)
{
    return (struct front_counters){.nbd_connections = front->counts[PROTOCOL_NBD],
                                   .iscsi_connections = front->counts[PROTOCOL_ISCSI]};
}

static void front_removals(struct front *front)
{
    LIST_FOR_EACH_SAFE (node, &front->exports.list) {
        struct export *export = CONTAINER_OF(node, struct export, node);
        struct front_export *fx = CONTAINER_OF(export, struct front_export, export);
        if (!fx->removed || fx->in_flight || export->session_count)
            continue;
        list_remove(&export->node);
        fx->removed(fx->removed_arg);
        front_export_free(fx);
    }
}

static void front_on_settle(struct loop_task *task)
{
    struct front *front = CONTAINER_OF(task, struct front, settle);
    LIST_FOR_EACH_SAFE (node, &front->conns) {
        struct conn *conn = CONTAINER_OF(node, struct conn, node);
        if (conn->leaving)
            conn_leave(conn);
    }
    front_bury(front);
    conn_pump_all(&front->blocked);
    front_removals(front);
    if (front->stopping && front->stopped && front->conn_count == 0) {
        void (*stopped)(void *) = front->stopped;
        front->stopped = NULL;
        stopped(front->stopped_arg);
    }
}

static void front_on_retry(struct loop_timer *timer)
{
    struct front *front = CONTAINER_OF(timer, struct front, retry);
    conn_drop_hoarders(front);
    conn_pump_all(&front->blocked);
}

/* Only those who are there are told: what was so when the last one left is not kept. */
static void export_look(struct export *export, uint64_t now_ns)
{
    struct repl_status status = {.since_ns = UINT64_MAX};
    if (export->session_count > 0)
        volume_status(export->volume, &status);
    export->stalled =
        status.since_ns <= now_ns && now_ns - status.since_ns >= EXPORT_STALLED_S * NS_PER_S;
}

static void front_on_tick(struct loop_timer *timer)
{
    struct front *front = CONTAINER_OF(timer, struct front, tick);
    uint64_t now_ns = loop_now_ns(front->loop);
    LIST_FOR_EACH (node, &front->exports.list)
        export_look(CONTAINER_OF(node, struct export, node), now_ns);
    LIST_FOR_EACH_SAFE (node, &front->conns)
        conn_tick(CONTAINER_OF(node, struct conn, node), now_ns);
    conn_drop_hoarders(front);
    if (front->counts[PROTOCOL_ISCSI] > 0)
        loop_timer_start(&front->tick, ISCSI_TICK_S * NS_PER_S);
}
