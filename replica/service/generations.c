/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, the book and sealed generations: what may be done when, and the answers. What they hold
 * is the store's business; where they stand is kept here, for OPEN to tell. */
#include "replica/service/state.h"

#include "common/base/siphash.h"
#include "common/wire/generation.h"

#include <errno.h>
#include <string.h>

STATIC_ASSERT((int)HASH_BYTES == (int)SIPHASH_BYTES && (int)HASH_KEY_BYTES == SIPHASH_KEY_BYTES,
              "the hash is SipHash");

static void body_take(struct service *service, struct service_io *io, const struct frame *frame)
{
    io->data = slice_get(service->bufs, frame->body_bytes);
    memcpy(io->data.bytes, frame->body, frame->body_bytes);
}

static bool head_writes_pending(const struct service *service)
{
    return service->writes_pending[0] + service->writes_pending[1] > 0;
}

/* R11: the one change under way. */
static void change_submit(struct service *service, struct service_io *io)
{
    ASSERT(!service->change_io);
    service->change_io = io;
    io_submit(service, io);
}

/* R10 */
static void command_begin(struct service *service, struct service_io *io)
{
    struct message_command command;
    const struct lineage *lineage = &service->lineage;
    struct reader r = reader_of(io->data.bytes, io->data.length_bytes);
    message_command_decode(&r, &command);
    bool moves_head = command.kind == COMMAND_SEAL || command.kind == COMMAND_REVERT;
    bool known = command.number == lineage->command &&
                 uuid_equal(&command.identity, &lineage->command_identity);
    bool next = command.number == lineage->command + 1 &&
                (command.kind != COMMAND_SEAL || command.generation == lineage->head_generation);
    if (r.bad || reader_left(&r) != 0 || (!known && !next)) {
        io_reply(service, io, FRAME_INVALID);
    } else if (known) {
        io_reply(service, io, FRAME_OK);
    } else if (moves_head && head_writes_pending(service)) {
        io_reply(service, io, FRAME_INVALID);
    } else {
        service->head_moves = moves_head;
        io->kind = SERVICE_COMMAND;
        io->all_incomplete = !session_in_sync(service); /* R14 */
        change_submit(service, io);
    }
}

/* R12 */
static void install_begin(struct service *service, struct service_io *io)
{
    if (session_in_sync(service) || head_writes_pending(service) ||
        service->generation_writes > 0) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    io->kind = SERVICE_INSTALL;
    service->head_moves = true;
    change_submit(service, io);
}

/* R12 */
static void settle_begin(struct service *service, struct service_io *io)
{
    if (service->generation_writes > 0 ||
        io->generation != service->lineage.incomplete_generation) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    io->kind = SERVICE_SETTLE;
    change_submit(service, io);
}

/* R11: in the order they came. */
static void changes_begin(struct service *service)
{
    while (!service->change_io && !list_empty(&service->change_waits)) {
        struct service_io *io =
            CONTAINER_OF(list_pop(&service->change_waits), struct service_io, node);
        if (io->type == FRAME_COMMAND)
            command_begin(service, io);
        else if (io->type == FRAME_INSTALL)
            install_begin(service, io);
        else
            settle_begin(service, io);
    }
}

static void change_take(struct service *service, struct service_io *io, const struct frame *frame)
{
    io->more = frame->flags & FRAME_MORE;
    io->all_incomplete = frame->flags & FRAME_ALL;
    if (frame->body_bytes > 0)
        body_take(service, io, frame);
    list_append(&service->change_waits, &io->node);
    changes_begin(service);
}

static void diff_begin(struct service *service, struct service_io *io, const struct frame *frame)
{
    struct message_diff_ask ask;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_diff_ask_decode(&r, &ask);
    if (r.bad || reader_left(&r) != 0 || !data_range_ok(service, io)) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    io->kind = SERVICE_DIFF;
    io->from_generation = ask.from_generation;
    io_submit(service, io);
}

/* The key waits where the hashes will be. */
static void hash_begin(struct service *service, struct service_io *io, const struct frame *frame)
{
    struct message_hash_ask ask;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_hash_ask_decode(&r, &ask);
    if (r.bad || reader_left(&r) != 0 || !data_range_ok(service, io) ||
        io->length_bytes > PAYLOAD_BYTES_MAX) {
        io_reply(service, io, FRAME_INVALID);
        return;
    }
    uint64_t grains = (io->length_bytes + PLANE_GRAIN_BYTES - 1) / PLANE_GRAIN_BYTES;
    io->kind = SERVICE_READ;
    io->partial = true;
    io->sums = frame->flags & FRAME_SUMS;
    io->reply = slice_get(service->bufs, (uint32_t)grains * HASH_BYTES);
    memcpy(io->reply.bytes, ask.key, HASH_KEY_BYTES);
    io_submit(service, io);
}

static void hash_done(struct service_io *io)
{
    if (io->sums) {
        hash_sums(&io->data, io->reply.bytes);
        return;
    }
    uint8_t key[HASH_KEY_BYTES];
    uint8_t *hash = io->reply.bytes;
    memcpy(key, hash, sizeof(key));
    for (uint32_t at = 0; at < io->data.length_bytes; at += PLANE_GRAIN_BYTES) {
        uint32_t left = io->data.length_bytes - at;
        siphash(key, io->data.bytes + at, left < PLANE_GRAIN_BYTES ? left : PLANE_GRAIN_BYTES,
                hash);
        hash += HASH_BYTES;
    }
}

void generations_request(struct service *service, struct service_io *io, const struct frame *frame)
{
    static const enum service_io_kind kinds[] = {
        [FRAME_LAST_COMMAND] = SERVICE_LAST_COMMAND,
        [FRAME_BOOK] = SERVICE_BOOK,
        [FRAME_DIGEST] = SERVICE_DIGEST,
        [FRAME_SPACE] = SERVICE_SPACE,
    };
    bool changes =
        io->type == FRAME_COMMAND || io->type == FRAME_INSTALL || io->type == FRAME_SETTLE;
    if (changes) {
        change_take(service, io, frame);
    } else if (io->type == FRAME_DIFF) {
        diff_begin(service, io, frame);
    } else if (io->type == FRAME_HASH) {
        hash_begin(service, io, frame);
    } else {
        io->kind = kinds[io->type];
        io->verify = frame->flags & FRAME_ALL;
        io_submit(service, io);
    }
}

void generations_done(struct service *service, struct service_io *io)
{
    if (io == service->change_io) {
        service->change_io = NULL;
        service->head_moves = false;
        if (io->status == 0 && !io->more)
            service->lineage = io->lineage;
    }
    if (io->type == FRAME_HASH && io->status == 0)
        hash_done(io);
    slice_release(&io->data);
    io_reply(service, io, data_status(io->status));
    changes_begin(service);
}

void generations_reply(struct service *service, const struct service_io *io, struct frame *frame)
{
    bool has_lineage = io->type == FRAME_COMMAND || io->type == FRAME_SETTLE ||
                       (io->type == FRAME_INSTALL && !io->more);
    frame->generation = io->generation;
    if (has_lineage) {
        struct writer w = writer_of(service->body, sizeof(service->body));
        lineage_encode(&w, &service->lineage);
        frame->body = service->body;
        frame->body_bytes = (uint32_t)writer_length(&w);
    } else if (io->reply.length_bytes > 0) {
        frame->body = io->reply.bytes;
        frame->body_bytes = io->reply.length_bytes;
    }
}
