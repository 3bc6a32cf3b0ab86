/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, writes, zeroes, flushes and maps of one volume's replica. */
#include "replica/service/state.h"

#include <errno.h>
#include <string.h>

/* The most a map's range covers: its bits fill a body. */
#define MAP_RANGE_BYTES_MAX ((uint64_t)FRAME_BODY_BYTES_MAX * 8 * PLANE_GRAIN_BYTES)

static bool is_write(const struct service_io *io)
{
    return io->type == FRAME_WRITE || io->type == FRAME_ZERO || io->type == FRAME_COPY;
}

bool data_range_ok(const struct service *service, const struct service_io *io)
{
    uint64_t size = service->meta.config.size_bytes;
    return io->offset_bytes % BLOCK_BYTES == 0 && io->length_bytes % BLOCK_BYTES == 0 &&
           io->length_bytes > 0 && io->offset_bytes < size &&
           io->length_bytes <= size - io->offset_bytes;
}

static void read_begin(struct service *service, struct service_io *io)
{
    if (io->generation == 0 && !session_in_sync(service)) {
        io_reply(service, io, FRAME_BUSY);
        return;
    }
    if (io->length_bytes > PAYLOAD_BYTES_MAX) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    io->kind = SERVICE_READ;
    io_submit(service, io);
}

static void map_answer(struct service *service, struct service_io *io)
{
    if (io_is_stale(service, io)) {
        io_put(service, io);
        return;
    }
    uint64_t bits = (io->length_bytes + PLANE_GRAIN_BYTES - 1) / PLANE_GRAIN_BYTES;
    io->data = slice_get(service->bufs, (uint32_t)(bits / 8 + 1));
    io->data.length_bytes =
        dirty_map(&service->dirty, io->offset_bytes, io->length_bytes, io->side, io->data.bytes);
    io_reply(service, io, FRAME_OK);
}

/* Answered after every earlier write is stamped. */
static void map_begin(struct service *service, struct service_io *io, bool with_away)
{
    if (io->length_bytes > MAP_RANGE_BYTES_MAX || io->offset_bytes % (PLANE_GRAIN_BYTES * 8) != 0) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    io->side = with_away;
    if (list_empty(&service->region_waits))
        map_answer(service, io);
    else
        list_append(&service->region_waits, &io->node);
}

/* R3: log, then bits. False when the log is not durable yet. */
static bool mark_try(struct service *service, struct service_io *io)
{
    if (!dirty_mark(&service->dirty, io->offset_bytes, io->data.bytes, io->data.length_bytes))
        return false;
    io_reply(service, io, FRAME_OK);
    return true;
}

static void mark_begin(struct service *service, struct service_io *io, const struct frame *frame)
{
    if (io->length_bytes > MAP_RANGE_BYTES_MAX || io->offset_bytes % (PLANE_GRAIN_BYTES * 8) != 0) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    io->data = slice_get(service->bufs, frame->body_bytes);
    memcpy(io->data.bytes, frame->body, frame->body_bytes);
    if (mark_try(service, io))
        return;
    list_append(&service->region_waits, &io->node);
    drl_kick(service);
}

/* R3, R4: log, then fine bit, then data. False when the log is not durable yet. */
static bool write_try(struct service *service, struct service_io *io)
{
    if (!dirty_enter(&service->dirty, io->offset_bytes, io->length_bytes))
        return false;
    dirty_stamp(&service->dirty, io->offset_bytes, io->length_bytes);
    list_remove(&io->node);
    io_submit(service, io);
    return true;
}

/* Planes and log are about the head alone. */
static bool write_to_sealed(struct service *service, struct service_io *io)
{
    if (io->generation == 0)
        return false;
    service->generation_writes++;
    io_submit(service, io);
    return true;
}

static void write_begin(struct service *service, struct service_io *io, const struct frame *frame)
{
    bool barred = io->generation == 0 && service->head_moves; /* R11 */
    if (barred || (io->type != FRAME_ZERO && frame->payload.length_bytes != io->length_bytes)) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    io->kind = io->type == FRAME_ZERO ? SERVICE_ZERO : SERVICE_WRITE;
    io->fua = frame->flags & FRAME_FUA;
    io->no_hole = frame->flags & FRAME_NO_HOLE;
    io->mend = frame->flags & FRAME_MEND;
    if (io->kind == SERVICE_WRITE)
        io->data = slice_ref(&frame->payload);
    if (write_to_sealed(service, io))
        return;
    io->side = service->side;
    service->writes_pending[io->side]++;
    if (write_try(service, io))
        return;
    list_append(&service->region_waits, &io->node);
    drl_kick(service);
}

void data_request(struct service *service, struct service_io *io, const struct frame *frame)
{
    if (io->type == FRAME_FLUSH) {
        list_append(&service->sync_waits, &io->node);
        sync_kick(service);
        return;
    }
    if (!data_range_ok(service, io)) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    if (io->type == FRAME_READ)
        read_begin(service, io);
    else if (io->type == FRAME_GETMAP)
        map_begin(service, io, frame->flags & FRAME_ALL);
    else if (io->type == FRAME_MARK)
        mark_begin(service, io, frame);
    else
        write_begin(service, io, frame);
}

void data_advance(struct service *service)
{
    bool held = false;
    LIST_FOR_EACH_SAFE (node, &service->region_waits) {
        struct service_io *io = CONTAINER_OF(node, struct service_io, node);
        if (io->type == FRAME_MARK) {
            held = !mark_try(service, io) || held;
        } else if (is_write(io)) {
            held = !write_try(service, io) || held;
        } else if (!held) {
            list_remove(&io->node);
            map_answer(service, io);
        }
    }
}

void data_drop(struct service *service)
{
    struct list *node;
    while ((node = list_pop(&service->region_waits)) != NULL) {
        struct service_io *io = CONTAINER_OF(node, struct service_io, node);
        if (is_write(io))
            service->writes_pending[io->side]--;
        io_reply(service, io, FRAME_FAILED);
    }
}

uint32_t data_status(int status)
{
    switch (status) {
    case 0:
        return FRAME_OK;
    case -ENOSPC:
        return FRAME_NO_SPACE;
    case -EILSEQ:
        return FRAME_CHECKSUM;
    case -ENOENT:
        return FRAME_ABSENT;
    case -EINVAL:
        return FRAME_INVALID;
    case -EBUSY:
        return FRAME_BUSY;
    default:
        return FRAME_IO;
    }
}

static void sync_done(struct service *service, struct service_io *io)
{
    service->sync_io = NULL;
    if (io->status < 0)
        service_fail(service, "a sync failed: what reached the disk is not known");
    struct list *node = &io->node;
    do {
        struct service_io *waiter = CONTAINER_OF(node, struct service_io, node);
        if (waiter->type == FRAME_CHECKPOINT) {
            list_remove(&waiter->node);
            service_checkpoint_synced(service, waiter);
        } else {
            io_reply(service, waiter, FRAME_OK);
        }
    } while ((node = list_pop(&service->sync_batch)) != NULL);
    sync_kick(service);
}

static void write_done(struct service *service, struct service_io *io)
{
    bool marked = io->generation == 0;
    if (marked) {
        ASSERT(service->writes_pending[io->side] > 0);
        service->writes_pending[io->side]--;
    } else {
        ASSERT(service->generation_writes > 0);
        service->generation_writes--;
    }
    if (io->status < 0 && io->fua && io->status != -ENOSPC)
        service_fail(service, "a durable write failed: what reached the disk is not known");
    /* What a failed write left is not known: it stays marked, whatever marker passed meanwhile. */
    if (marked && io->status < 0 &&
        dirty_enter(&service->dirty, io->offset_bytes, io->length_bytes))
        dirty_stamp(&service->dirty, io->offset_bytes, io->length_bytes);
    slice_release(&io->data);
    bool in_part = io->status == -ENOSPC && io->in_part;
    io_reply(service, io, in_part ? (uint32_t)FRAME_NO_MORE_SPACE : data_status(io->status));
}

static void read_done(struct service *service, struct service_io *io)
{
    if (io->type == FRAME_HASH) {
        generations_done(service, io);
        return;
    }
    if (io->status < 0)
        slice_release(&io->data);
    io_reply(service, io, data_status(io->status));
}

void data_done(struct service *service, struct service_io *io)
{
    switch (io->kind) {
    case SERVICE_READ:
        read_done(service, io);
        break;
    case SERVICE_WRITE:
    case SERVICE_ZERO:
        write_done(service, io);
        break;
    case SERVICE_SYNC:
        sync_done(service, io);
        break;
    case SERVICE_META:
        meta_done(service, io);
        break;
    case SERVICE_DRL:
        service->drl_io = NULL;
        if (io->status < 0)
            service_fail(service, "the dirty-region log could not be written");
        else
            dirty_page_done(&service->dirty);
        io_put(service, io);
        break;
    case SERVICE_GROW:
        session_grown(service, io);
        break;
    case SERVICE_COMMAND:
    case SERVICE_LAST_COMMAND:
    case SERVICE_BOOK:
    case SERVICE_INSTALL:
    case SERVICE_SETTLE:
    case SERVICE_DIFF:
    case SERVICE_DIGEST:
    case SERVICE_SPACE:
        generations_done(service, io);
        break;
    }
}
