/* SPDX-License-Identifier: Apache-2.0 */
/* Who may speak to this replica: promises, sessions, and the configuration it accepted. */
#include "replica/service/state.h"

#include <string.h>

bool session_in_sync(const struct service *service)
{
    int idx = config_member_idx(&service->meta.config, &service->meta.member);
    return idx >= 0 && service->meta.config.members[idx].in_sync;
}

uint32_t session_opened_encode(const struct service *service, uint8_t *body, size_t body_bytes)
{
    const struct meta *meta = &service->meta;
    struct message_opened opened = {
        .promised_epoch = service->wanted_epoch ? service->wanted_epoch : meta->promised_epoch,
        .promised_controller =
            service->wanted_epoch ? service->wanted_controller : meta->promised_controller,
        .lossy = meta->lossy,
        .failed = meta->failed,
        .done_checkpoint = meta->done_checkpoint,
        .base_checkpoint = meta->base_checkpoint,
        .doubt_bytes = dirty_count_bytes(&service->dirty, false),
        .dirty_bytes = dirty_count_bytes(&service->dirty, true),
        .lineage = service->lineage,
        .config = meta->config,
    };
    struct writer w = writer_of(body, body_bytes);
    message_opened_encode(&w, &opened);
    ASSERT(!w.bad);
    return (uint32_t)writer_length(&w);
}

/* R1; who is about to be promised counts too. */
static bool session_is_fenced(const struct service *service, const struct message_open *open)
{
    const struct meta *meta = &service->meta;
    uint64_t epoch = service->wanted_epoch ? service->wanted_epoch : meta->promised_epoch;
    const struct uuid *controller =
        service->wanted_epoch ? &service->wanted_controller : &meta->promised_controller;
    if (open->epoch != epoch)
        return open->epoch < epoch;
    return !uuid_equal(&open->controller, controller);
}

void session_end(struct service *service)
{
    if (service->opening)
        io_put(service, service->opening);
    service->opening = NULL;
    service->wanted_epoch = 0;
    service->session_state = SESSION_NONE;
    service->session_serial++;
    service_checkpoint_void(service);
    recent_unmark(&service->dirty.recent);
    service_drop(service);
}

/* Whoever is replaced by a higher epoch learns it at once, also if it asks for nothing. */
static void session_tell_fenced(struct service *service)
{
    if (service->session_state != SESSION_OPEN)
        return;
    struct frame frame = {.type = FRAME_CLOSE, .session = service->session};
    io_refuse(service, io_get(service, &frame, service->link), FRAME_STALE);
}

static void session_promise(struct service *service, uint64_t epoch, const struct uuid *controller)
{
    struct meta *meta = &service->meta;
    if (!uuid_equal(controller, &meta->promised_controller))
        service->lease_until_ns = 0;
    meta->promised_epoch = epoch;
    meta->promised_controller = *controller;
    service->wanted_epoch = 0;
    meta_change(service);
}

/* Whether the promise must wait for the end of somebody else's lease. */
static bool session_must_wait(const struct service *service, const struct message_open *open)
{
    const struct uuid *holder = &service->meta.promised_controller;
    return service->lease_until_ns > service->now_ns && !uuid_equal(&open->controller, holder) &&
           !uuid_equal(&open->dead, holder);
}

void session_lease(struct service *service, struct service_io *io)
{
    if (io->length_bytes > service->lease_ns)
        io->length_bytes = service->lease_ns;
    if (service->lease_until_ns < service->now_ns + io->length_bytes)
        service->lease_until_ns = service->now_ns + io->length_bytes;
    io_reply(service, io, FRAME_OK);
}

void session_open(struct service *service, struct service_io *io, const struct frame *frame)
{
    struct message_open open;
    struct meta *meta = &service->meta;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_open_decode(&r, &open);
    if (r.bad || reader_left(&r) != 0) {
        io_refuse(service, io, FRAME_INVALID);
        return;
    }
    if (!uuid_equal(&open.volume, &meta->config.volume) ||
        !uuid_equal(&open.member, &meta->member)) {
        io_refuse(service, io, FRAME_NO_VOLUME);
        return;
    }
    if (service->failed || session_is_fenced(service, &open)) {
        io_refuse(service, io, service->failed ? FRAME_FAILED : FRAME_STALE);
        return;
    }
    if (open.epoch > meta->promised_epoch)
        session_tell_fenced(service);
    session_end(service);
    service->session_state = SESSION_OPENING;
    service->link = io->link;
    service->session = io->session;
    service->opening = io;
    io->session_serial = service->session_serial;
    if (open.epoch > meta->promised_epoch && session_must_wait(service, &open)) {
        service->wanted_epoch = open.epoch;
        service->wanted_controller = open.controller;
    } else if (open.epoch > meta->promised_epoch) {
        session_promise(service, open.epoch, &open.controller);
    }
}

/* R5: also what was logged or committed for earlier sessions must have ended. */
void session_advance(struct service *service)
{
    if (service->session_state == SESSION_OPENING && service->wanted_epoch &&
        service->lease_until_ns <= service->now_ns && pool_free_count(service->ios) > 0)
        session_promise(service, service->wanted_epoch, &service->wanted_controller);
    if (service->session_state != SESSION_OPENING || service->wanted_epoch ||
        service->in_flight > 0 || service->meta_durable < service->meta.seq ||
        service->commit != COMMIT_NONE)
        return;
    ASSERT(service->writes_pending[0] == 0 && service->writes_pending[1] == 0);
    struct service_io *io = service->opening;
    service->opening = NULL;
    service->session_state = SESSION_OPEN;
    io_reply(service, io, FRAME_OK);
}

/* NULL, or why the configuration cannot be accepted. */
static const char *accept_invalid(const struct meta *meta, const struct config *config)
{
    int order = config_compare(config, &meta->config);
    const char *why = config_invalid(config);
    if (why)
        return why;
    if (!uuid_equal(&config->volume, &meta->config.volume))
        return "the configuration is another volume's";
    if (config->epoch != meta->promised_epoch)
        return "the configuration is of another epoch than the session";
    return order < 0 ? "a newer configuration was accepted" : NULL;
}

/* R16: ACCEPT waits until there is room for it. */
static void accept_grow(struct service *service, struct service_io *io, uint64_t size_bytes)
{
    list_append(&service->accept_waits, &io->node);
    if (service->grow_io)
        return;
    service->grow_io = io_get(service, NULL, 0);
    service->grow_io->kind = SERVICE_GROW;
    service->grow_io->length_bytes = size_bytes;
    io_submit(service, service->grow_io);
}

static void accept_take(struct service *service, const struct config *config)
{
    struct meta *meta = &service->meta;
    meta->config = *config;
    if (session_in_sync(service)) {
        meta->lossy = false;
        meta->failed = false;
        if (service->dirty.planes.failed)
            *service->dirty.planes.failed = 0;
        if (meta->done_checkpoint < config->base_checkpoint)
            meta->done_checkpoint = config->base_checkpoint;
    }
    meta_change(service);
}

static void accept_try(struct service *service, struct service_io *io)
{
    struct config config;
    struct meta *meta = &service->meta;
    struct reader r = reader_of(io->data.bytes, io->data.length_bytes);
    config_decode(&r, &config);
    if (r.bad || reader_left(&r) != 0 || accept_invalid(meta, &config)) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    if (service_kept_bytes(config.size_bytes, meta->witness) > service->dirty.size_bytes) {
        accept_grow(service, io, config.size_bytes);
        return;
    }
    if (config_compare(&config, &meta->config) > 0)
        accept_take(service, &config);
    io->waits_for = meta->seq;
    if (service->meta_durable >= meta->seq)
        io_reply(service, io, FRAME_OK);
    else
        list_append(&service->meta_waits, &io->node);
}

void session_accept(struct service *service, struct service_io *io, const struct frame *frame)
{
    if (frame->body_bytes == 0 || frame->body_bytes > CONFIG_BYTES_MAX) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    io->data = slice_get(service->bufs, frame->body_bytes);
    memcpy(io->data.bytes, frame->body, frame->body_bytes);
    accept_try(service, io);
}

void session_grown(struct service *service, struct service_io *io)
{
    int status = io->status;
    struct list waiting;
    struct list *node;
    ASSERT(io == service->grow_io);
    service->grow_io = NULL;
    if (status == 0)
        dirty_grow(&service->dirty, &io->planes, io->length_bytes);
    io_put(service, io);
    list_take_all(&waiting, &service->accept_waits);
    while ((node = list_pop(&waiting)) != NULL) {
        struct service_io *accept = CONTAINER_OF(node, struct service_io, node);
        if (status == 0)
            accept_try(service, accept);
        else
            io_reply(service, accept, data_status(status));
    }
}
