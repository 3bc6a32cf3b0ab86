/* SPDX-License-Identifier: Apache-2.0 */
/* A replica's service on a made-up disk whose operations end when the test says so. */
#ifndef STRAKE_TESTS_SERVICE_RIG_H
#define STRAKE_TESTS_SERVICE_RIG_H

#include "replica/service/service.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <string.h>

enum { SIZE_BYTES = 16 << 20, IOS_MAX = 64, REPLIES_MAX = 32, CONTROLLER = 9 };

/* A replica whose disk operations wait until the test ends them. */
struct rig {
    struct service *service;
    struct pool ios;
    struct buf_pool bufs;
    struct uuid boot;
    struct message_create create;
    uint8_t meta[META_COPIES][META_BYTES];
    uint8_t *drl, *planes; /* the process's */
    void *recent;
    uint8_t *drl_disk; /* what was written */
    const uint64_t *doubtful;
    struct service_io *waiting[IOS_MAX];
    uint32_t waiting_count;
    struct frame replies[REPLIES_MAX];
    uint64_t reply_links[REPLIES_MAX];
    struct message_opened opened;
    struct lineage lineage; /* what the store says after a change */
    uint32_t reply_count;
    bool failed;
    uint64_t request;
    uint64_t now_ns;
    uint64_t lease_ns; /* the longest */
    bool witness;
    uint8_t dead; /* whom openers know to be dead */
};

static inline struct uuid uuid_of(uint8_t n)
{
    return (struct uuid){{n, 2}};
}

static inline void rig_drain(struct rig *rig)
{
    struct service_effect effect;
    while (service_next(rig->service, &effect)) {
        if (effect.kind == SERVICE_DO_IO)
            rig->waiting[rig->waiting_count++] = effect.io;
        rig->failed = rig->failed || effect.kind == SERVICE_DO_FAILED;
        if (effect.kind != SERVICE_DO_REPLY)
            continue;
        if (effect.frame.type == FRAME_OPEN && effect.frame.status == FRAME_OK) {
            struct reader r = reader_of(effect.frame.body, effect.frame.body_bytes);
            message_opened_decode(&r, &rig->opened);
            ck_assert(!r.bad);
        }
        rig->reply_links[rig->reply_count] = effect.link;
        rig->replies[rig->reply_count++] = effect.frame;
    }
    service_check(rig->service);
}

static inline void rig_start(struct rig *rig, bool same_boot)
{
    const char *why;
    uint64_t bytes = service_plane_bytes(service_kept_bytes(SIZE_BYTES, rig->witness));
    memcpy(rig->drl, rig->drl_disk, DRL_BYTES);
    struct service_found found = {
        .meta = {rig->meta[0], rig->meta[1]},
        .drl = rig->drl,
        .lease_until_ns = rig->now_ns + rig->lease_ns,
        .lease_ns = rig->lease_ns,
        .planes = {.current = rig->planes,
                   .old = rig->planes + bytes,
                   .away = rig->planes + 2 * bytes,
                   .bytes = bytes,
                   .recent = rig->recent},
        .lineage = rig->lineage,
        .doubtful = rig->doubtful,
        .same_boot = same_boot,
    };
    rig->service = service_new(&found, &rig->boot, &rig->ios, &rig->bufs, &why);
    ck_assert_msg(rig->service != NULL, "%s", why);
    rig_drain(rig);
}

static inline void rig_begin(struct rig *rig)
{
    *rig = (struct rig){.boot = uuid_of(1), .lineage = {.head_generation = 1}};
    ck_assert_int_eq(pool_init(&rig->ios, sizeof(struct service_io), IOS_MAX), 0);
    buf_pool_init(&rig->bufs, 1 << 24);
    rig->drl = calloc(1, DRL_BYTES);
    rig->drl_disk = calloc(1, DRL_BYTES);
    rig->planes = calloc(3, service_plane_bytes(SIZE_BYTES));
    rig->recent = calloc(1, SERVICE_RECENT_BYTES);
    rig->create.member = uuid_of(2);
    rig->create.config = (struct config){.volume = uuid_of(3),
                                         .name = "rig",
                                         .size_bytes = SIZE_BYTES,
                                         .block_bytes = 4096,
                                         .epoch = 1,
                                         .version = 1,
                                         .controller = uuid_of(4),
                                         .min_in_sync = 1,
                                         .member_count = 1,
                                         .members = {{.uuid = uuid_of(2), .in_sync = true}}};
    for (int i = 0; i < META_COPIES; i++)
        service_meta_format(rig->meta[i], &rig->create, &rig->boot);
    rig_start(rig, true);
}

static inline void rig_step(struct rig *rig, struct service_event event)
{
    event.now_ns = rig->now_ns;
    service_step(rig->service, &event);
    rig_drain(rig);
}

static inline void rig_planes_move(struct rig *rig, struct service_io *io)
{
    uint64_t before = service_plane_bytes(SIZE_BYTES);
    uint64_t bytes = service_plane_bytes(io->length_bytes);
    uint8_t *planes = calloc(3, bytes);
    for (int i = 0; i < 3; i++)
        memcpy(planes + (size_t)i * bytes, rig->planes + (size_t)i * before, before);
    free(rig->planes);
    rig->planes = planes;
    io->planes = (struct service_planes){.current = planes,
                                         .old = planes + bytes,
                                         .away = planes + 2 * bytes,
                                         .recent = rig->recent,
                                         .bytes = bytes};
}

/* As the disk ends the oldest operation of this kind. */
static inline void rig_done(struct rig *rig, enum service_io_kind kind, int status)
{
    uint32_t i = 0;
    while (i < rig->waiting_count && rig->waiting[i]->kind != kind)
        i++;
    ck_assert_uint_lt(i, rig->waiting_count);
    struct service_io *io = rig->waiting[i];
    memmove(&rig->waiting[i], &rig->waiting[i + 1],
            (--rig->waiting_count - i) * sizeof(struct service_io *));
    io->status = status;
    if (kind == SERVICE_META && status == 0)
        memcpy(rig->meta[io->index], io->bytes, META_BYTES);
    if (kind == SERVICE_DRL && status == 0)
        memcpy(rig->drl_disk + (size_t)io->index * DRL_PAGE_BYTES, io->bytes, DRL_PAGE_BYTES);
    if (kind == SERVICE_GROW && status == 0)
        rig_planes_move(rig, io);
    if (kind == SERVICE_READ && status == 0)
        io->data = slice_get(&rig->bufs, (uint32_t)io->length_bytes);
    io->lineage = rig->lineage;
    rig_step(rig, (struct service_event){.kind = SERVICE_EV_IO_DONE, .io = io});
}

static inline bool rig_waits(const struct rig *rig, enum service_io_kind kind)
{
    for (uint32_t i = 0; i < rig->waiting_count; i++) {
        if (rig->waiting[i]->kind == kind)
            return true;
    }
    return false;
}

static inline void rig_done_all(struct rig *rig)
{
    while (rig->waiting_count > 0)
        rig_done(rig, rig->waiting[0]->kind, 0);
}

static inline void rig_end(struct rig *rig)
{
    rig_done_all(rig);
    service_free(rig->service);
    free(rig->drl);
    free(rig->drl_disk);
    free(rig->planes);
    free(rig->recent);
    pool_release(&rig->ios);
    buf_pool_release(&rig->bufs);
}

#endif
