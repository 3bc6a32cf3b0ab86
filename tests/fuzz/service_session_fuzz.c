/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A replica's service, spoken to by targets that say anything: whatever frames come, on whatever
 * links, and however its disk ends what it was asked, the invariants hold (service_check), what is
 * answered keeps the rules of frames, and in the end every request of the disk has come back.
 */
#include "common/base/bytes.h"
#include "common/wire/generation.h"
#include "replica/service/service.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SIZE_BYTES = 16 << 20,
    IOS = 64,
    LINKS = 3,
    PAYLOAD_BLOCKS = 4,
    TYPES = 38, /* enum frame_type, halved */
};

/* The first byte of a step. */
enum step { STEP_FRAME, STEP_DONE, STEP_TIME, STEP_DISCONNECT, STEP_COUNT };

struct fuzz {
    struct service *service;
    struct pool ios;
    struct buf_pool bufs;
    struct service_io *waiting[IOS];
    uint32_t waiting_count;
    struct lineage lineage;
    struct config config;
    struct uuid member;
    uint64_t links[LINKS]; /* those that stand, by their place */
    uint64_t next_link;
    uint64_t request;
    uint64_t now_ns;
    uint8_t *drl, *planes;
    void *recent;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct uuid uuid_of(uint8_t n)
{
    return (struct uuid){{n, 2}};
}

static void drain(struct fuzz *fuzz)
{
    struct service_effect effect;
    while (service_next(fuzz->service, &effect)) {
        if (effect.kind == SERVICE_DO_IO) {
            ASSERT(fuzz->waiting_count < IOS);
            fuzz->waiting[fuzz->waiting_count++] = effect.io;
        }
        if (effect.kind == SERVICE_DO_REPLY)
            ASSERT(!frame_invalid(&effect.frame, effect.frame.payload.length_bytes));
    }
    service_check(fuzz->service);
}

static void step(struct fuzz *fuzz, struct service_event event)
{
    event.now_ns = fuzz->now_ns;
    service_step(fuzz->service, &event);
    drain(fuzz);
}

/* ---- the disk ---- */

static int command_apply(struct fuzz *fuzz, const struct service_io *io)
{
    struct lineage *lineage = &fuzz->lineage;
    struct message_command command;
    struct reader r = reader_of(io->data.bytes, io->data.length_bytes);
    message_command_decode(&r, &command);
    ASSERT(!r.bad && command.number == lineage->command + 1);
    if (command.kind == COMMAND_REVERT && command.generation >= lineage->head_generation)
        return -EINVAL;
    if (command.kind == COMMAND_SEAL || command.kind == COMMAND_REVERT) {
        if (io->all_incomplete && !lineage->incomplete_generation) {
            lineage->incomplete_generation = lineage->head_generation;
            lineage->incomplete_base = lineage->head_base;
        }
        lineage->head_base =
            command.kind == COMMAND_SEAL ? lineage->head_generation : command.generation;
        lineage->head_generation++;
    }
    lineage->command = command.number;
    lineage->command_identity = command.identity;
    return 0;
}

static void reply_fill(struct fuzz *fuzz, struct service_io *io, uint8_t fill)
{
    io->reply = slice_get(&fuzz->bufs, FRAME_BODY_BYTES_MAX);
    memset(io->reply.bytes, fill, 64);
    io->reply.length_bytes = 64;
}

/* What ends well. */
static int io_perform(struct fuzz *fuzz, struct service_io *io, uint8_t fill)
{
    switch (io->kind) {
    case SERVICE_READ:
        ASSERT(io->length_bytes > 0 && io->length_bytes <= PAYLOAD_BYTES_MAX);
        ASSERT(io->offset_bytes + io->length_bytes <= SIZE_BYTES);
        io->data = slice_get(&fuzz->bufs, (uint32_t)io->length_bytes);
        memset(io->data.bytes, fill, io->data.length_bytes);
        return 0;
    case SERVICE_WRITE:
    case SERVICE_ZERO:
        ASSERT(io->length_bytes > 0 && io->offset_bytes + io->length_bytes <= SIZE_BYTES);
        return 0;
    case SERVICE_COMMAND:
        return command_apply(fuzz, io);
    case SERVICE_SETTLE:
        fuzz->lineage.incomplete_generation = fuzz->lineage.incomplete_base = 0;
        return 0;
    case SERVICE_INSTALL:
        return io->more ? 0 : -EINVAL;
    case SERVICE_GROW: /* a size that was made up: there is no room for it */
        return -ENOSPC;
    case SERVICE_LAST_COMMAND:
    case SERVICE_BOOK:
    case SERVICE_DIFF:
    case SERVICE_DIGEST:
    case SERVICE_SPACE:
        reply_fill(fuzz, io, fill);
        return 0;
    case SERVICE_SYNC:
    case SERVICE_META:
    case SERVICE_DRL:
        return 0;
    }
    UNREACHABLE();
}

static void io_done(struct fuzz *fuzz, uint32_t at, uint8_t outcome)
{
    static const int data_errors[] = {-EIO, -ENOSPC, -EILSEQ, -ENOENT, -EBUSY};
    struct service_io *io = fuzz->waiting[at];
    bool data = io->kind == SERVICE_READ || io->kind == SERVICE_WRITE || io->kind == SERVICE_ZERO;
    fuzz->waiting[at] = fuzz->waiting[--fuzz->waiting_count];
    if (outcome < 0xf0)
        io->status = io_perform(fuzz, io, outcome);
    else
        io->status = data ? data_errors[outcome % ARRAY_COUNT(data_errors)] : -EIO;
    io->lineage = fuzz->lineage;
    step(fuzz, (struct service_event){.kind = SERVICE_EV_IO_DONE, .io = io});
}

/* ---- targets ---- */

/* The bodies that are hard to guess: of this volume, with a few numbers of the input's. */
static uint32_t body_make(struct fuzz *fuzz, uint8_t type, uint8_t a, uint8_t b, uint8_t *body)
{
    struct writer w = writer_of(body, FRAME_BODY_BYTES_MAX);
    if (type == FRAME_OPEN) {
        struct message_open open = {.volume = fuzz->config.volume,
                                    .member = fuzz->member,
                                    .epoch = a,
                                    .controller = uuid_of(b & 3)};
        if (b & 4)
            open.dead = uuid_of(b >> 3 & 3);
        message_open_encode(&w, &open);
    } else if (type == FRAME_ACCEPT) {
        struct config config = fuzz->config;
        config.epoch = a;
        config.version = b & 0x3f;
        config.controller = uuid_of(b & 3);
        config.members[0].in_sync = b & 0x40;
        if (b & 0x80)
            config.member_count = 2;
        config.members[1] = config.members[0];
        config.members[1].uuid = uuid_of(77);
        config.members[1].in_sync = true;
        config_encode(&w, &config);
    } else if (type == FRAME_COMMAND) {
        struct message_command command = {.number = fuzz->lineage.command + (a & 1),
                                          .kind = (enum command_kind)(1 + (a >> 1 & 3)),
                                          .generation = fuzz->lineage.head_generation - (a >> 7),
                                          .identity = uuid_of(b | 1)};
        message_command_encode(&w, &command);
    }
    return w.bad ? 0 : (uint32_t)writer_length(&w);
}

static void frame_say(struct fuzz *fuzz, struct reader *r)
{
    static uint8_t body[FRAME_BODY_BYTES_MAX];
    struct frame frame = {.type = (uint8_t)(2 * (1 + read_u8(r) % TYPES))};
    uint8_t flags = read_u8(r);
    uint8_t where = read_u8(r);
    frame.flags = flags & 0x3e;
    frame.session = 1 + (where >> 4 & 1);
    frame.request = ++fuzz->request;
    frame.offset_bytes = (uint64_t)read_u16(r) * (flags & 0x40 ? 1 : BLOCK_BYTES);
    frame.length_bytes = (uint64_t)read_u16(r) * (flags & 0x80 ? 1 : BLOCK_BYTES);
    frame.generation = where >> 5;
    frame.body_bytes = read_u8(r);
    frame.body = body;
    if (frame.body_bytes >= 0xf0) {
        uint8_t a = read_u8(r);
        frame.body_bytes = body_make(fuzz, frame.type, a, read_u8(r), body);
    } else {
        memset(body, 0, 0xf0);
        uint32_t left = (uint32_t)reader_left(r);
        read_copy(r, body, frame.body_bytes < left ? frame.body_bytes : left);
    }
    if (frame.type == FRAME_WRITE || frame.type == FRAME_COPY) {
        uint32_t blocks = 1 + frame.length_bytes / BLOCK_BYTES % PAYLOAD_BLOCKS;
        frame.length_bytes = blocks * BLOCK_BYTES;
        frame.payload = slice_get(&fuzz->bufs, blocks * BLOCK_BYTES);
        memset(frame.payload.bytes, where, frame.payload.length_bytes);
    }
    if (!frame_invalid(&frame, frame.payload.length_bytes))
        step(fuzz, (struct service_event){.kind = SERVICE_EV_FRAME,
                                          .link = fuzz->links[where % LINKS],
                                          .frame = &frame});
    slice_release(&frame.payload);
}

static void disconnect(struct fuzz *fuzz, uint32_t at)
{
    step(fuzz,
         (struct service_event){.kind = SERVICE_EV_DISCONNECT, .link = fuzz->links[at % LINKS]});
    fuzz->links[at % LINKS] = fuzz->next_link++;
}

static void time_pass(struct fuzz *fuzz, uint8_t ms_squared)
{
    fuzz->now_ns += (uint64_t)ms_squared * ms_squared * 1000 * 1000;
    if (service_deadline_ns(fuzz->service) <= fuzz->now_ns)
        step(fuzz, (struct service_event){.kind = SERVICE_EV_TICK});
}

/* ---- the whole ---- */

static void begin(struct fuzz *fuzz)
{
    uint8_t meta[META_BYTES];
    uint64_t plane_bytes = service_plane_bytes(SIZE_BYTES);
    const struct uuid boot = uuid_of(1);
    struct message_create create = {.member = uuid_of(2)};
    create.config = (struct config){.volume = uuid_of(3),
                                    .name = "fuzz",
                                    .size_bytes = SIZE_BYTES,
                                    .block_bytes = 4096,
                                    .epoch = 1,
                                    .version = 1,
                                    .controller = uuid_of(4),
                                    .min_in_sync = 1,
                                    .member_count = 1,
                                    .members = {{.uuid = uuid_of(2), .in_sync = true}}};
    *fuzz = (struct fuzz){.config = create.config,
                          .member = create.member,
                          .lineage = {.head_generation = 1, .kept_generation = 1},
                          .links = {1, 2, 3},
                          .next_link = LINKS + 1};
    if (pool_init(&fuzz->ios, sizeof(struct service_io), IOS))
        UNREACHABLE();
    buf_pool_init(&fuzz->bufs, 64u << 20);
    fuzz->drl = calloc(1, DRL_BYTES);
    fuzz->planes = calloc(3, plane_bytes);
    fuzz->recent = calloc(1, SERVICE_RECENT_BYTES);
    ASSERT(fuzz->drl && fuzz->planes && fuzz->recent);
    service_meta_format(meta, &create, &boot);
    const struct service_found found = {.meta = {meta, meta},
                                        .drl = fuzz->drl,
                                        .lease_ns = SERVICE_LEASE_NS,
                                        .planes = {.current = fuzz->planes,
                                                   .old = fuzz->planes + plane_bytes,
                                                   .away = fuzz->planes + 2 * plane_bytes,
                                                   .bytes = plane_bytes,
                                                   .recent = fuzz->recent},
                                        .lineage = fuzz->lineage,
                                        .same_boot = true};
    const char *why;
    fuzz->service = service_new(&found, &boot, &fuzz->ios, &fuzz->bufs, &why);
    ASSERT(fuzz->service);
    drain(fuzz);
}

static void end(struct fuzz *fuzz)
{
    for (uint32_t i = 0; i < LINKS; i++)
        disconnect(fuzz, i);
    while (fuzz->waiting_count > 0)
        io_done(fuzz, 0, 0);
    service_free(fuzz->service);
    free(fuzz->drl);
    free(fuzz->planes);
    free(fuzz->recent);
    pool_release(&fuzz->ios);
    buf_pool_release(&fuzz->bufs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz;
    struct reader r = reader_of(data, size);
    begin(&fuzz);
    while (!r.bad && reader_left(&r) > 0) {
        uint8_t what = read_u8(&r);
        while (fuzz.waiting_count + SERVICE_IOS_PER_FRAME > IOS)
            io_done(&fuzz, 0, what);
        switch ((enum step)(what % STEP_COUNT)) {
        case STEP_FRAME:
            frame_say(&fuzz, &r);
            break;
        case STEP_DONE:
            if (fuzz.waiting_count > 0)
                io_done(&fuzz, (what >> 2) % fuzz.waiting_count, read_u8(&r));
            break;
        case STEP_TIME:
            time_pass(&fuzz, what >> 2);
            break;
        case STEP_DISCONNECT:
            disconnect(&fuzz, what >> 2);
            break;
        case STEP_COUNT:
            UNREACHABLE();
        }
    }
    end(&fuzz);
    return 0;
}
