/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the service room: events in, effects out, and the order of what an event does. */
#include "replica/service/service.h"

#include "replica/service/state.h"

#include <errno.h>
#include <stdlib.h>

void service_meta_format(uint8_t record[META_BYTES], const struct message_create *create,
                         const struct uuid *boot)
{
    int idx = config_member_idx(&create->config, &create->member);
    struct meta meta = {
        .seq = 1,
        .witness = idx >= 0 && create->config.members[idx].kind == MEMBER_WITNESS,
        .member = create->member,
        .promised_epoch = create->config.epoch,
        .promised_controller = create->config.controller,
        .boot = *boot,
        .config = create->config,
    };
    /* Who is made to be added later has accepted nothing: all that is committed is newer. */
    if (!create->config.deleted && idx >= 0 && !create->config.members[idx].in_sync)
        meta.config.version = 0;
    meta_encode(record, &meta);
}

bool service_meta_read(const uint8_t *const meta[META_COPIES], struct message_volume *volume,
                       bool *witness, const char **why)
{
    struct meta found;
    uint32_t write_first;
    bool equal;
    *why = meta_pick(meta, &found, &write_first, &equal);
    if (*why)
        return false;
    *volume = (struct message_volume){
        .member = found.member, .failed = found.failed, .config = found.config};
    *witness = found.witness;
    return true;
}

uint64_t service_kept_bytes(uint64_t size_bytes, bool witness)
{
    return witness ? (uint64_t)SERVICE_WITNESS_BYTES : size_bytes;
}

static void service_lists_init(struct service *service)
{
    list_init(&service->submit);
    list_init(&service->replies);
    list_init(&service->meta_waits);
    list_init(&service->region_waits);
    list_init(&service->sync_waits);
    list_init(&service->sync_batch);
    list_init(&service->change_waits);
    list_init(&service->accept_waits);
}

/* R6; and what the kernel still holds of an earlier process is found out about now. */
static void service_start(struct service *service, const struct service_found *found,
                          const struct uuid *boot, bool copies_equal)
{
    struct meta *meta = &service->meta;
    bool hot = dirty_any_hot(&service->dirty);
    bool same_boot = found->same_boot && uuid_equal(&meta->boot, boot);
    bool failed_mark = found->planes.failed && *found->planes.failed;
    bool changed = !copies_equal || !same_boot || (failed_mark && !meta->failed);
    if (!same_boot)
        meta->lossy = meta->lossy || hot;
    meta->failed = meta->failed || (same_boot && failed_mark);
    meta->boot = *boot;
    if (changed)
        meta_change(service);
    if (same_boot && hot) {
        struct service_io *io = io_get(service, NULL, 0);
        list_append(&service->sync_waits, &io->node);
        sync_kick(service);
    }
}

struct service *service_new(const struct service_found *found, const struct uuid *boot,
                            struct pool *ios, struct buf_pool *bufs, const char **why)
{
    bool copies_equal;
    struct service *service = calloc(1, sizeof(*service));
    ASSERT(service);
    service->ios = ios;
    service->bufs = bufs;
    service->doubtful = found->doubtful;
    service_lists_init(service);
    *why = meta_pick(found->meta, &service->meta, &service->meta_first, &copies_equal);
    if (*why)
        goto fail;
    struct service_found kept = *found;
    kept.same_boot = found->same_boot && uuid_equal(&service->meta.boot, boot);
    if (dirty_init(&service->dirty, &kept,
                   service_kept_bytes(service->meta.config.size_bytes, service->meta.witness)) <
        0) {
        *why = "the log or the planes do not fit the volume's size";
        goto fail;
    }
    service->meta_durable = service->meta.seq;
    service->lineage = found->lineage;
    service->lease_ns = found->lease_ns;
    service->lease_until_ns = found->lease_until_ns; /* R13 */
    service_start(service, &kept, boot, copies_equal);
    return service;

fail:
    free(service);
    return NULL;
}

void service_free(struct service *service)
{
    ASSERT(service->in_flight == 0 && !service->meta_io && !service->drl_io && !service->sync_io);
    session_end(service);
    if (service->sent)
        io_put(service, service->sent);
    if (service->spare)
        io_put(service, service->spare);
    struct list *lists[] = {&service->replies, &service->meta_waits, &service->sync_waits};
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++) {
        struct list *node;
        while ((node = list_pop(lists[i])) != NULL)
            io_put(service, CONTAINER_OF(node, struct service_io, node));
    }
    dirty_release(&service->dirty);
    free(service);
}

/* R17 */
static bool service_refuses(const struct service *service, const struct frame *frame)
{
    bool votes =
        frame->type == FRAME_ACCEPT || frame->type == FRAME_LEASE || frame->type == FRAME_CLOSE;
    return service->meta.witness && !votes;
}

static void service_request(struct service *service, struct service_io *io,
                            const struct frame *frame)
{
    switch ((enum frame_type)frame->type) {
    case FRAME_ACCEPT:
        session_accept(service, io, frame);
        break;
    case FRAME_WRITE:
    case FRAME_ZERO:
    case FRAME_READ:
    case FRAME_FLUSH:
    case FRAME_GETMAP:
    case FRAME_MARK:
    case FRAME_COPY:
        data_request(service, io, frame);
        break;
    case FRAME_CHECKPOINT:
        service_checkpoint_begin(service, io);
        break;
    case FRAME_COMMIT:
        commit_begin(service, io, frame->flags & FRAME_ALL);
        break;
    case FRAME_CLOSE:
        session_end(service);
        service->lease_until_ns = 0;
        io->session_serial = service->session_serial;
        io_reply(service, io, FRAME_OK);
        break;
    case FRAME_LEASE:
        session_lease(service, io);
        break;
    case FRAME_EQUAL:
        recent_mark(&service->dirty.recent);
        io_put(service, io);
        break;
    case FRAME_HASH:
    case FRAME_COMMAND:
    case FRAME_LAST_COMMAND:
    case FRAME_BOOK:
    case FRAME_INSTALL:
    case FRAME_SETTLE:
    case FRAME_DIFF:
    case FRAME_DIGEST:
    case FRAME_SPACE:
        generations_request(service, io, frame);
        break;
    case FRAME_OPEN:
    case FRAME_GREET:
    case FRAME_LIST:
    case FRAME_CREATE:
    case FRAME_DELETE:
    case FRAME_PING:
        io_reply(service, io, FRAME_INVALID);
        break;
    }
}

static void service_frame(struct service *service, uint64_t link, const struct frame *frame)
{
    if (frame->flags & FRAME_REPLY)
        return;
    struct service_io *io = io_get(service, frame, link);
    bool is_present = service->session_state == SESSION_OPEN && link == service->link &&
                      frame->session == service->session;
    if (frame->type == FRAME_OPEN)
        session_open(service, io, frame);
    else if (is_present && !service->failed && !service_refuses(service, frame))
        service_request(service, io, frame);
    else if (!frame_has_reply(frame->type))
        io_put(service, io);
    else if (is_present && !service->failed)
        io_reply(service, io, FRAME_INVALID);
    else
        io_refuse(service, io, service->failed ? FRAME_FAILED : FRAME_STALE);
}

void service_step(struct service *service, const struct service_event *event)
{
    service->now_ns = event->now_ns;
    switch (event->kind) {
    case SERVICE_EV_TICK:
        break;
    case SERVICE_EV_FRAME:
        service_frame(service, event->link, event->frame);
        break;
    case SERVICE_EV_DISCONNECT:
        if (service->session_state != SESSION_NONE && event->link == service->link)
            session_end(service);
        break;
    case SERVICE_EV_IO_DONE:
        ASSERT(service->in_flight > 0);
        service->in_flight--;
        list_init(&event->io->node);
        data_done(service, event->io);
        break;
    }
    data_advance(service);
    service_checkpoint_advance(service);
    commit_advance(service);
    drl_kick(service);
    session_advance(service);
    if (service->spare && service->checkpoint == CHECKPOINT_NONE) {
        io_put(service, service->spare);
        service->spare = NULL;
    }
}

static void service_reply(struct service *service, struct service_effect *effect)
{
    struct service_io *io = service->sent;
    effect->kind = SERVICE_DO_REPLY;
    effect->link = io->link;
    effect->frame = (struct frame){
        .type = io->type,
        .flags = FRAME_REPLY,
        .session = io->session,
        .status = io->reply_status,
        .request = io->request,
        .offset_bytes = io->offset_bytes,
        .length_bytes = io->length_bytes,
    };
    bool ok = io->reply_status == FRAME_OK;
    if (io->type == FRAME_WRITE && io->space_low)
        effect->frame.flags |= FRAME_SPACE_LOW;
    if (io->reply_status == FRAME_STALE || (ok && io->type == FRAME_OPEN)) {
        effect->frame.body_bytes =
            session_opened_encode(service, service->body, sizeof(service->body));
        effect->frame.body = service->body;
    } else if (ok && io->type == FRAME_GETMAP) {
        effect->frame.body = io->data.bytes;
        effect->frame.body_bytes = io->data.length_bytes;
    } else if (ok && io->type == FRAME_READ) {
        effect->frame.payload = io->data;
        effect->frame.generation = io->generation;
    } else if (ok) {
        generations_reply(service, io, &effect->frame);
    }
}

bool service_next(struct service *service, struct service_effect *effect)
{
    *effect = (struct service_effect){0};
    if (service->sent)
        io_put(service, service->sent);
    service->sent = NULL;
    struct list *node = list_pop(&service->submit);
    if (node) {
        effect->kind = SERVICE_DO_IO;
        effect->io = CONTAINER_OF(node, struct service_io, node);
        return true;
    }
    if (service->saying_count > 0) {
        struct service_saying saying = service->sayings[--service->saying_count];
        effect->kind = saying.kind;
        effect->text = saying.text;
        effect->warn = true;
        return true;
    }
    node = list_pop(&service->replies);
    if (!node)
        return false;
    service->sent = CONTAINER_OF(node, struct service_io, node);
    service_reply(service, effect);
    return true;
}

bool service_dirty_next(const struct service *service, uint64_t from, uint64_t *offset_bytes,
                        uint64_t *length_bytes)
{
    return dirty_next(&service->dirty, from, offset_bytes, length_bytes);
}

uint64_t service_deadline_ns(const struct service *service)
{
    return service->wanted_epoch ? service->lease_until_ns : UINT64_MAX;
}

uint64_t service_lease_until_ns(const struct service *service)
{
    return service->lease_until_ns;
}

void service_rest(struct service *service)
{
    dirty_rest(&service->dirty);
}

bool service_idle(const struct service *service)
{
    return service->in_flight == 0 && list_empty(&service->replies) && !service->opening &&
           service->commit == COMMIT_NONE;
}

const struct config *service_config(const struct service *service)
{
    return &service->meta.config;
}

void service_check(const struct service *service)
{
    const struct meta *meta = &service->meta;
    dirty_check(&service->dirty);
    ASSERT(meta->config.epoch <= meta->promised_epoch);
    ASSERT(service->meta_durable <= meta->seq);
    ASSERT((service->session_state == SESSION_OPENING) == (service->opening != NULL));
    ASSERT(service->wanted_epoch == 0 || (service->session_state == SESSION_OPENING &&
                                          service->wanted_epoch > meta->promised_epoch));
    ASSERT(service->checkpoint != CHECKPOINT_DRAIN || service->checkpoint_io);
    /* R11 */
    ASSERT(!service->head_moves || service->change_io);
    ASSERT(!service->head_moves || service->writes_pending[0] + service->writes_pending[1] == 0);
    /* R12 */
    ASSERT(service->lineage.incomplete_generation < service->lineage.head_generation);
    ASSERT(service->lineage.head_base < service->lineage.head_generation);
    ASSERT(!service->failed || service->session_state == SESSION_NONE);
}
