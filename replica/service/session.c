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
        .promised_epoch = meta->promised_epoch,
        .promised_controller = meta->promised_controller,
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

/* R1 */
static bool session_is_fenced(const struct meta *meta, const struct message_open *open)
{
    if (open->epoch != meta->promised_epoch)
        return open->epoch < meta->promised_epoch;
    return !uuid_equal(&open->controller, &meta->promised_controller);
}

void session_end(struct service *service)
{
    if (service->opening)
        io_put(service, service->opening);
    service->opening = NULL;
    service->session_state = SESSION_NONE;
    service->session_serial++;
    service_checkpoint_void(service);
    data_drop(service);
}

/* Whoever is replaced by a higher epoch learns it at once, also if it asks for nothing. */
static void session_tell_fenced(struct service *service)
{
    if (service->session_state != SESSION_OPEN)
        return;
    struct frame frame = {.type = FRAME_CLOSE, .session = service->session};
    io_refuse(service, io_get(service, &frame, service->link), FRAME_STALE);
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
    if (service->failed || session_is_fenced(meta, &open)) {
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
    if (open.epoch > meta->promised_epoch) {
        meta->promised_epoch = open.epoch;
        meta->promised_controller = open.controller;
        meta_change(service);
    }
}

/* R5: also what was logged or committed for earlier sessions must have ended. */
void session_advance(struct service *service)
{
    if (service->session_state != SESSION_OPENING || service->in_flight > 0 ||
        service->meta_durable < service->meta.seq || service->commit != COMMIT_NONE)
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
    if (config->size_bytes != meta->config.size_bytes)
        return "the size differs";
    return order < 0 ? "a newer configuration was accepted" : NULL;
}

void session_accept(struct service *service, struct service_io *io, const struct frame *frame)
{
    struct config config;
    struct meta *meta = &service->meta;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    config_decode(&r, &config);
    if (r.bad || reader_left(&r) != 0 || accept_invalid(meta, &config)) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    if (config_compare(&config, &meta->config) > 0) {
        meta->config = config;
        if (session_in_sync(service)) {
            meta->lossy = false;
            meta->failed = false;
            if (service->dirty.planes.failed)
                *service->dirty.planes.failed = 0;
            if (meta->done_checkpoint < config.base_checkpoint)
                meta->done_checkpoint = config.base_checkpoint;
        }
        meta_change(service);
    }
    io->waits_for = meta->seq;
    if (service->meta_durable >= meta->seq)
        io_reply(service, io, FRAME_OK);
    else
        list_append(&service->meta_waits, &io->node);
}
