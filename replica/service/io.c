/* SPDX-License-Identifier: Apache-2.0 */
/* The service's disk operations and replies, and what is written in a row: metadata, log pages and
 * syncs. */
#include "replica/service/state.h"

#include <errno.h>

struct service_io *io_get(struct service *service, const struct frame *frame, uint64_t link)
{
    struct service_io *io = pool_get(service->ios);
    ASSERT(io);
    list_init(&io->node);
    io->session_serial = service->session_serial;
    if (!frame)
        return io;
    io->type = frame->type;
    io->request = frame->request;
    io->link = link;
    io->session = frame->session;
    io->offset_bytes = frame->offset_bytes;
    io->length_bytes = frame->length_bytes;
    io->generation = frame->generation;
    return io;
}

void io_put(struct service *service, struct service_io *io)
{
    list_remove(&io->node);
    slice_release(&io->data);
    slice_release(&io->reply);
    pool_put(service->ios, io);
}

void io_submit(struct service *service, struct service_io *io)
{
    service->in_flight++;
    list_append(&service->submit, &io->node);
}

bool io_is_stale(const struct service *service, const struct service_io *io)
{
    return io->session_serial != service->session_serial;
}

void io_refuse(struct service *service, struct service_io *io, uint32_t status)
{
    list_remove(&io->node);
    io->reply_status = status;
    list_append(&service->replies, &io->node);
}

void io_reply(struct service *service, struct service_io *io, uint32_t status)
{
    bool answered = io->type != 0 && frame_has_reply(io->type);
    if (!answered || io_is_stale(service, io))
        io_put(service, io);
    else
        io_refuse(service, io, service->failed ? (uint32_t)FRAME_FAILED : status);
}

static void say(struct service *service, enum service_effect_kind kind, const char *text)
{
    if (service->saying_count < SERVICE_SAYINGS_MAX)
        service->sayings[service->saying_count++] =
            (struct service_saying){.kind = kind, .text = text};
}

void service_say(struct service *service, const char *text)
{
    say(service, SERVICE_DO_SAY, text);
}

static void io_drop(struct service *service, struct list *waiting)
{
    struct list *node;
    while ((node = list_pop(waiting)) != NULL)
        io_reply(service, CONTAINER_OF(node, struct service_io, node), FRAME_FAILED);
}

void service_drop(struct service *service)
{
    io_drop(service, &service->accept_waits);
    data_drop(service);
    io_drop(service, &service->change_waits);
}

/* Whoever waits is told; what is under way is answered FAILED when it ends. */
static void service_stop(struct service *service, const char *text)
{
    service->failed = true;
    service->meta.failed = true;
    if (service->dirty.planes.failed)
        *service->dirty.planes.failed = 1;
    say(service, SERVICE_DO_FAILED, text);
    if (service->opening)
        io_refuse(service, service->opening, FRAME_FAILED);
    service->opening = NULL;
    service->wanted_epoch = 0;
    service->session_state = SESSION_NONE;
    service_checkpoint_void(service);
    service_drop(service);
}

void service_fail(struct service *service, const char *text)
{
    if (service->failed)
        return;
    service_stop(service, text);
    if (service->meta_io || service->spare || pool_free_count(service->ios) > 0)
        meta_change(service);
}

static void meta_submit(struct service *service, uint32_t copy)
{
    service->meta_io->kind = SERVICE_META;
    service->meta_io->bytes = service->meta_record;
    service->meta_io->index = copy;
    io_submit(service, service->meta_io);
}

static void meta_begin(struct service *service)
{
    service->meta_writing = service->meta.seq;
    meta_encode(service->meta_record, &service->meta);
    meta_submit(service, service->meta_first);
}

void meta_change(struct service *service)
{
    service->meta.seq++;
    if (service->meta_io)
        return;
    service->meta_io = service->spare ? service->spare : io_get(service, NULL, 0);
    service->spare = NULL;
    meta_begin(service);
}

static void meta_release(struct service *service)
{
    LIST_FOR_EACH_SAFE (node, &service->meta_waits) {
        struct service_io *io = CONTAINER_OF(node, struct service_io, node);
        if (io->waits_for <= service->meta_durable)
            io_reply(service, io, FRAME_OK);
    }
}

void meta_done(struct service *service, struct service_io *io)
{
    ASSERT(io == service->meta_io);
    if (io->status < 0) {
        /* Which copy is whole is not known any more: nothing is written after this. */
        service->meta_io = NULL;
        io_put(service, io);
        service->meta_durable = service->meta.seq;
        if (!service->failed)
            service_stop(service, "the metadata record could not be written");
        meta_release(service);
        return;
    }
    if (io->index == service->meta_first) {
        meta_submit(service, 1 - service->meta_first);
        return;
    }
    service->meta_durable = service->meta_writing;
    if (service->meta.seq > service->meta_durable) {
        meta_begin(service);
    } else {
        service->meta_io = NULL;
        io_put(service, io);
    }
    meta_release(service);
}

void drl_kick(struct service *service)
{
    uint32_t page;
    if (service->drl_io || service->failed || service->dirty.pages_changed == 0 ||
        pool_free_count(service->ios) == 0)
        return;
    if (!dirty_page_begin(&service->dirty, &page))
        return;
    service->drl_io = io_get(service, NULL, 0);
    service->drl_io->kind = SERVICE_DRL;
    service->drl_io->bytes = service->dirty.staging;
    service->drl_io->index = page;
    io_submit(service, service->drl_io);
}

void sync_kick(struct service *service)
{
    if (service->sync_io || list_empty(&service->sync_waits))
        return;
    struct list *first = list_pop(&service->sync_waits);
    struct list *node;
    while ((node = list_pop(&service->sync_waits)) != NULL)
        list_append(&service->sync_batch, node);
    service->sync_io = CONTAINER_OF(first, struct service_io, node);
    service->sync_io->kind = SERVICE_SYNC;
    io_submit(service, service->sync_io);
}
