/* SPDX-License-Identifier: Apache-2.0 */
/* A replica host: the real service, a kernel that runs its I/O, and a disk that misbehaves. */
#include "tests/sim/white.h"

#include "replica/service/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* One I/O in the kernel: it outlives the process that asked for it. */
struct sim_kio {
    struct sim_kio *next;
    struct sim_replica *replica;
    struct service_io *io; /* NULL: the process is dead */
    enum service_io_kind kind;
    bool fua;
    bool cancelled; /* by power loss */
    uint32_t index;
    uint32_t block;
    uint32_t count;
    uint64_t generation;
    uint64_t from;
    uint64_t cursor;
    bool partial;
    bool mend;
    bool more;
    bool all_incomplete;
    uint64_t *ids;           /* WRITE: per block */
    struct sim_point *point; /* SYNC */
    uint8_t *body;           /* COMMAND, INSTALL */
    uint32_t body_bytes;
    uint8_t bytes[META_BYTES];
};

STATIC_ASSERT((int)META_BYTES == (int)DRL_PAGE_BYTES, "one size for both");

static void replica_step(struct sim *sim, struct sim_replica *replica,
                         const struct service_event *event);
static void replica_tick(struct sim *sim, struct sim_event *event);

/* Clocks run at rates of their own. */
uint64_t replica_clock(const struct sim *sim, const struct sim_replica *replica)
{
    return sim->now_ns / 1000 * replica->clock_rate;
}

static void kio_free(struct sim_kio *kio)
{
    struct sim_kio **at = &kio->replica->kios;
    while (*at != kio)
        at = &(*at)->next;
    *at = kio->next;
    kio->replica->orphans -= !kio->io;
    free(kio->ids);
    free(kio->body);
    disk_point_free(kio->point);
    free(kio);
}

/* Only what is there already is written to what is sealed. */
static int kio_mend(struct sim *sim, struct sim_kio *kio)
{
    struct sim_disk *disk = &kio->replica->disk;
    const struct sim_image *image = disk_readable(disk, kio->generation, false);
    if (!image)
        return -ENOENT;
    for (uint32_t i = 0; i < kio->count; i++) {
        if (image->cached[kio->block + i] != kio->ids[i])
            sim_fail(sim, "replica %u: block %u of generation %" PRIu64 " is mended wrongly",
                     kio->replica->idx, kio->block + i, kio->generation);
        disk_rot(disk, kio->block + i, kio->ids[i], false);
    }
    return 0;
}

static int kio_write(struct sim *sim, struct sim_kio *kio)
{
    if (kio->mend)
        return kio_mend(sim, kio);
    struct sim_replica *replica = kio->replica;
    bool dead = !kio->io;
    int status = disk_writable(&replica->disk, kio->generation);
    if (status < 0)
        return status;
    status = sim_chance(sim, replica->write_eio) ? -EIO : replica->full ? -ENOSPC : 0;
    bool in_part = status != -ENOSPC || sim_chance(sim, 3000);
    if (kio->io)
        kio->io->in_part = in_part;
    for (uint32_t i = 0; in_part && i < kio->count; i++) {
        /* A failed or abandoned write may have done any part. */
        if ((status < 0 || dead) && sim_chance(sim, 5000))
            continue;
        disk_store(&replica->disk, kio->generation, kio->block + i, kio->ids ? kio->ids[i] : 0);
    }
    if (kio->fua && status == 0 && !dead)
        disk_fua(sim, &replica->disk);
    return status;
}

static int kio_read(struct sim *sim, struct sim_kio *kio)
{
    const struct sim_image *image =
        disk_readable(&kio->replica->disk, kio->generation, kio->partial);
    if (!image)
        return -ENOENT;
    for (uint32_t i = 0; i < kio->count; i++) {
        if (image->bad[kio->block + i])
            return -EILSEQ;
    }
    if (kio->io) {
        slice_release(&kio->io->data);
        kio->io->data = sim_payload(sim, image->cached + kio->block, kio->count);
    }
    return 0;
}

static int kio_sync(struct sim *sim, struct sim_kio *kio)
{
    struct sim_disk *disk = &kio->replica->disk;
    bool fails = sim_chance(sim, kio->replica->sync_fail);
    disk_point_reached(sim, disk, kio->point, fails);
    disk->sync_error = disk->sync_error || fails;
    return fails ? -EIO : 0;
}

static void kio_answer(struct sim *sim, struct sim_kio *kio, const uint8_t *body, uint32_t bytes)
{
    if (!kio->io || bytes == 0)
        return;
    kio->io->reply = slice_get(&sim->bufs, bytes);
    memcpy(kio->io->reply.bytes, body, bytes);
}

/* What only asks. */
static int kio_ask(struct sim *sim, struct sim_kio *kio)
{
    static uint8_t body[FRAME_BODY_BYTES_MAX];
    const struct sim_disk *disk = &kio->replica->disk;
    struct sim_diff ask = {kio->from, kio->generation, kio->block, kio->count};
    uint32_t bytes = 0;
    uint32_t covered = 0;
    if (kio->kind == SERVICE_BOOK) {
        bytes = disk_book(disk, kio->cursor, body, sizeof(body));
    } else if (kio->kind == SERVICE_LAST_COMMAND) {
        bytes = disk->table.last_command_bytes;
        memcpy(body, disk->table.last_command, bytes);
    } else {
        bytes = disk_diff(sim, disk, &ask, body, &covered);
        if (bytes == 0)
            return -ENOENT;
    }
    kio_answer(sim, kio, body, bytes);
    if (kio->io && kio->kind == SERVICE_DIFF)
        kio->io->length_bytes = (uint64_t)covered * BLOCK_BYTES;
    return 0;
}

static int kio_change(struct sim *sim, struct sim_kio *kio)
{
    struct sim_disk *disk = &kio->replica->disk;
    int status = 0;
    /* The process died before it had done it. */
    if (!kio->io && sim_chance(sim, 5000))
        return 0;
    if (kio->replica->full)
        status = -ENOSPC;
    else if (kio->kind == SERVICE_COMMAND)
        status = disk_command(disk, kio->body, kio->body_bytes, kio->all_incomplete);
    else if (kio->kind == SERVICE_SETTLE)
        status = disk_settle(disk, kio->generation);
    else if (kio->io)
        status = disk_install(disk, kio->body, kio->body_bytes, kio->cursor, kio->more,
                              kio->all_incomplete);
    struct lineage lineage = disk_lineage(&disk->table);
    if (kio->io)
        kio->io->lineage = lineage;
    sim_trace(sim,
              "replica %u: change %u of %" PRIu64 " gives %d: command %" PRIu64 ", head %" PRIu64
              " on %" PRIu64 ", incomplete %" PRIu64 ", planes of %" PRIu64,
              kio->replica->idx, (unsigned)kio->kind, kio->generation, status, lineage.command,
              lineage.head_generation, lineage.head_base, lineage.incomplete_generation,
              lineage.kept_generation);
    return status;
}

static struct service_planes planes_of(struct sim_disk *disk, uint8_t *memory)
{
    uint8_t *planes = memory + SERVICE_RECENT_BYTES;
    return (struct service_planes){.current = planes,
                                   .old = planes + disk->plane_bytes,
                                   .away = planes + 2 * disk->plane_bytes,
                                   .failed = planes + 3 * disk->plane_bytes,
                                   .recent = memory,
                                   .bytes = disk->plane_bytes};
}

static size_t mapping_bytes(const struct sim_disk *disk)
{
    return SERVICE_RECENT_BYTES + 3 * disk->plane_bytes + 1;
}

/* The planes move. */
static int kio_grow(struct sim_kio *kio)
{
    struct sim_disk *disk = &kio->replica->disk;
    if (!kio->io)
        return 0;
    if (kio->replica->full)
        return -ENOSPC;
    uint8_t *moved = malloc(mapping_bytes(disk));
    ASSERT(moved);
    memcpy(moved, disk->planes, mapping_bytes(disk));
    free(disk->planes);
    disk->planes = moved;
    kio->io->planes = planes_of(disk, moved);
    return 0;
}

static int kio_run(struct sim *sim, struct sim_kio *kio)
{
    struct sim_disk *disk = &kio->replica->disk;
    switch (kio->kind) {
    case SERVICE_READ:
        return kio_read(sim, kio);
    case SERVICE_WRITE:
    case SERVICE_ZERO:
        return kio_write(sim, kio);
    case SERVICE_SYNC:
        return kio_sync(sim, kio);
    case SERVICE_META:
        memcpy(disk->meta[kio->index], kio->bytes, META_BYTES);
        return 0;
    case SERVICE_DRL:
        memcpy(disk->drl + (size_t)kio->index * DRL_PAGE_BYTES, kio->bytes, DRL_PAGE_BYTES);
        return 0;
    case SERVICE_LAST_COMMAND:
    case SERVICE_BOOK:
    case SERVICE_DIFF:
        return kio_ask(sim, kio);
    case SERVICE_COMMAND:
    case SERVICE_INSTALL:
    case SERVICE_SETTLE:
        return kio_change(sim, kio);
    case SERVICE_GROW:
        return kio_grow(kio);
    case SERVICE_DIGEST:
    case SERVICE_SPACE:
        break;
    }
    UNREACHABLE();
}

static bool kio_is_durable(const struct sim_kio *kio)
{
    return kio->fua || kio->kind == SERVICE_SYNC || kio->kind == SERVICE_META ||
           kio->kind == SERVICE_DRL;
}

static void kio_done(struct sim *sim, struct sim_event *event)
{
    struct sim_kio *kio = event->a;
    struct sim_replica *replica = kio->replica;
    struct service_io *io = kio->io;
    if (kio->cancelled) {
        kio_free(kio);
        return;
    }
    int status = kio_run(sim, kio);
    if (io && kio_is_durable(kio) && --replica->syncs == 0)
        replica->disk.syncing = false;
    if (io && io->bytes && memcmp(io->bytes, kio->bytes, META_BYTES) != 0)
        sim_fail(sim, "replica %u: a record changed while it was written", replica->idx);
    kio_free(kio);
    if (!io)
        return;
    io->status = status;
    replica_step(sim, replica, &(struct service_event){.kind = SERVICE_EV_IO_DONE, .io = io});
}

static uint64_t kio_delay(struct sim *sim, const struct sim_replica *replica,
                          enum service_io_kind kind)
{
    bool syncs = kind == SERVICE_SYNC || kind == SERVICE_META || kind == SERVICE_DRL;
    uint64_t us = syncs ? 200 + sim_below(sim, 1500) : 20 + sim_below(sim, 200);
    us *= replica->slow_factor ? replica->slow_factor : 1;
    if (!sim->quiet && sim_chance(sim, 30))
        us += sim_below(sim, 100000);
    return us * SIM_US;
}

static void kio_submit(struct sim *sim, struct sim_replica *replica, struct service_io *io)
{
    struct sim_kio *kio = calloc(1, sizeof(*kio));
    ASSERT(kio);
    *kio = (struct sim_kio){.next = replica->kios,
                            .replica = replica,
                            .io = io,
                            .kind = io->kind,
                            .fua = io->fua,
                            .generation = io->generation,
                            .from = io->from_generation,
                            .cursor = io->length_bytes,
                            .partial = io->partial,
                            .more = io->more,
                            .all_incomplete = io->all_incomplete,
                            .mend = io->mend,
                            .index = io->index,
                            .block = (uint32_t)(io->offset_bytes / BLOCK_BYTES),
                            .count = (uint32_t)(io->length_bytes / BLOCK_BYTES)};
    replica->kios = kio;
    if (kio_is_durable(kio)) {
        replica->syncs++;
        replica->disk.syncing = true;
    }
    if (io->kind == SERVICE_WRITE) {
        kio->ids = calloc(kio->count, sizeof(*kio->ids));
        for (uint32_t i = 0; i < kio->count; i++)
            kio->ids[i] = sim_payload_id(&io->data, i);
    } else if (io->kind == SERVICE_SYNC) {
        kio->point = disk_point(&replica->disk);
    } else if (io->kind == SERVICE_COMMAND || io->kind == SERVICE_INSTALL) {
        kio->body = malloc(io->data.length_bytes);
        ASSERT(kio->body);
        memcpy(kio->body, io->data.bytes, io->data.length_bytes);
        kio->body_bytes = io->data.length_bytes;
    } else if (io->kind == SERVICE_META || io->kind == SERVICE_DRL) {
        memcpy(kio->bytes, io->bytes, META_BYTES);
    }
    sim_after(sim, kio_delay(sim, replica, io->kind), kio_done, kio, 0, 0);
}

static void replica_end(struct sim *sim, struct sim_event *event)
{
    struct sim_replica *replica = event->a;
    if (!replica->service || !replica->stopping)
        return;
    replica_kill(sim, replica);
    replica_restart_later(sim, replica, (1 + sim_below(sim, 300)) * SIM_MS);
}

/* R5 */
static void replica_check_drained(struct sim *sim, const struct sim_replica *replica)
{
    for (const struct sim_kio *kio = replica->kios; kio; kio = kio->next) {
        if (kio->kind == SERVICE_WRITE || kio->kind == SERVICE_ZERO)
            sim_fail(sim, "replica %u answers OPEN while it writes for an earlier session",
                     replica->idx);
    }
}

static void replica_effect(struct sim *sim, struct sim_replica *replica,
                           const struct service_effect *effect)
{
    switch (effect->kind) {
    case SERVICE_DO_REPLY:
        white_check_reply(sim, replica, effect->link, &effect->frame);
        if (effect->frame.type == FRAME_OPEN && effect->frame.status == FRAME_OK)
            replica_check_drained(sim, replica);
        net_to_target(sim, effect->link, replica->idx, &effect->frame);
        break;
    case SERVICE_DO_IO:
        kio_submit(sim, replica, effect->io);
        break;
    case SERVICE_DO_SAY:
        sim_trace(sim, "replica %u: %s", replica->idx, effect->text);
        break;
    case SERVICE_DO_FAILED:
        sim_trace(sim, "replica %u: failed: %s", replica->idx, effect->text);
        replica->stopping = true;
        sim_after(sim, sim_below(sim, 100) * SIM_MS, replica_end, replica, 0, 0);
        break;
    }
}

static void replica_drain(struct sim *sim, struct sim_replica *replica)
{
    struct service_effect effect;
    while (service_next(replica->service, &effect))
        replica_effect(sim, replica, &effect);
    service_check(replica->service);
    white_check_log(sim, replica);
}

static void replica_step(struct sim *sim, struct sim_replica *replica,
                         const struct service_event *event)
{
    struct service_event timed = *event;
    if (!replica->service)
        return;
    timed.now_ns = replica_clock(sim, replica);
    service_step(replica->service, &timed);
    replica_drain(sim, replica);
    uint64_t deadline_ns = service_deadline_ns(replica->service);
    if (deadline_ns != UINT64_MAX && replica->deadline_ns != deadline_ns) {
        uint64_t at_ns = deadline_ns / replica->clock_rate * 1000 + SIM_US;
        sim_at(sim, at_ns > sim->now_ns ? at_ns : sim->now_ns, replica_tick, replica, 0, 0);
    }
    replica->deadline_ns = deadline_ns;
}

static void replica_tick(struct sim *sim, struct sim_event *event)
{
    struct sim_replica *replica = event->a;
    bool due =
        replica->service && service_deadline_ns(replica->service) <= replica_clock(sim, replica);
    if (due)
        replica_step(sim, replica, &(struct service_event){.kind = SERVICE_EV_TICK});
}

void replica_frame(struct sim *sim, struct sim_replica *replica, uint64_t conn_id,
                   const struct frame *frame)
{
    ASSERT(pool_free_count(&replica->ios) >= SERVICE_IOS_PER_FRAME);
    replica_step(
        sim, replica,
        &(struct service_event){.kind = SERVICE_EV_FRAME, .link = conn_id, .frame = frame});
}

void replica_disconnected(struct sim *sim, struct sim_replica *replica, uint64_t conn_id)
{
    replica_step(sim, replica,
                 &(struct service_event){.kind = SERVICE_EV_DISCONNECT, .link = conn_id});
}

void replica_make(struct sim *sim, uint8_t idx, const struct message_create *create)
{
    struct sim_replica *replica = &sim->replicas[idx];
    struct sim_disk *disk = &replica->disk;
    int at = config_member_idx(&create->config, &create->member);
    const struct member *member = &create->config.members[at];
    uint64_t kept_bytes = service_kept_bytes(SIM_BYTES, member->kind == MEMBER_WITNESS);
    replica->idx = idx;
    replica->member = create->member;
    replica->boot = sim_uuid(sim);
    replica->clock_rate = 960 + sim_below(sim, 81);
    disk->plane_bytes = service_plane_bytes(kept_bytes);
    disk_init(disk);
    if (member->kind == MEMBER_DATA && !member->in_sync)
        disk->table.lineage.kept_generation = disk->durable.lineage.kept_generation = 0;
    disk->drl = calloc(1, DRL_BYTES);
    disk->planes = calloc(1, mapping_bytes(disk));
    ASSERT(pool_init(&replica->ios, sizeof(struct service_io), 2048) == 0);
    for (int copy = 0; copy < META_COPIES; copy++)
        service_meta_format(disk->meta[copy], create, &replica->boot);
    replica_start(sim, replica);
}

void replica_start(struct sim *sim, struct sim_replica *replica)
{
    struct sim_disk *disk = &replica->disk;
    const char *why;
    ASSERT(!replica->service && replica->orphans == 0);
    disk_install_forget(disk);
    replica->drl_image = malloc(DRL_BYTES);
    memcpy(replica->drl_image, disk->drl, DRL_BYTES);
    struct service_found found = {
        .meta = {disk->meta[0], disk->meta[1]},
        .drl = replica->drl_image,
        .lease_until_ns = replica_clock(sim, replica) + sim->settings.lease_ns,
        .lease_ns = sim->settings.lease_ns,
        .planes = planes_of(disk, disk->planes),
        .lineage = disk_lineage(&disk->table),
        .same_boot = true, /* the service compares boot identities itself */
    };
    replica->stopping = false;
    replica->syncs = 0;
    replica->deadline_ns = SIM_NEVER;
    /* What the store does when it opens a volume (replica/store/volume.h). */
    if (disk->syncing && disk->sync_error)
        *found.planes.failed = 1;
    if (*found.planes.failed)
        disk->sync_error = false;
    disk->syncing = false;
    replica->service = service_new(&found, &replica->boot, &replica->ios, &sim->bufs, &why);
    if (!replica->service)
        sim_fail(sim, "replica %u does not start: %s", replica->idx, why);
    replica_drain(sim, replica);
}

/* The process is gone at this instruction; what it gave to the kernel runs on. */
void replica_kill(struct sim *sim, struct sim_replica *replica)
{
    struct service *service = replica->service;
    struct sim_disk *disk = &replica->disk;
    if (!service)
        return;
    sim_trace(sim, "replica %u: killed", replica->idx);
    replica->service = NULL;
    net_replica_gone(sim, replica->idx);
    /* The husk ends on memory that nobody sees. */
    uint8_t *husk = malloc(mapping_bytes(disk));
    memcpy(husk, disk->planes, mapping_bytes(disk));
    service->dirty.planes = planes_of(disk, husk);
    service->dirty.recent.memory = service->dirty.planes.recent;
    for (struct sim_kio *kio = replica->kios; kio; kio = kio->next) {
        struct service_io *io = kio->io;
        if (!io)
            continue;
        kio->io = NULL;
        replica->orphans++;
        io->planes = service->dirty.planes;
        service_step(service, &(struct service_event){.kind = SERVICE_EV_IO_DONE, .io = io});
    }
    struct service_effect effect;
    while (service_next(service, &effect)) {
        if (effect.kind != SERVICE_DO_IO)
            continue;
        effect.io->planes = service->dirty.planes;
        service_step(service, &(struct service_event){.kind = SERVICE_EV_IO_DONE, .io = effect.io});
    }
    service_free(service);
    free(husk);
    free(replica->drl_image);
}

static void torn(struct sim *sim, uint8_t *disk, const uint8_t *bytes)
{
    uint64_t sectors = sim_below(sim, META_BYTES / 512 + 1);
    if (sim_chance(sim, 5000))
        memcpy(disk, bytes, sectors * 512);
    else
        memcpy(disk + META_BYTES - sectors * 512, bytes + META_BYTES - sectors * 512,
               sectors * 512);
}

static void kio_power(struct sim *sim, struct sim_kio *kio)
{
    struct sim_disk *disk = &kio->replica->disk;
    bool writes = kio->kind == SERVICE_WRITE || kio->kind == SERVICE_ZERO;
    kio->cancelled = true;
    /* Any part of it may be among what is kept. */
    for (uint32_t i = 0; writes && disk_writable(disk, kio->generation) == 0 && i < kio->count;
         i++) {
        if (sim_chance(sim, 5000))
            disk_store(disk, kio->generation, kio->block + i, kio->ids ? kio->ids[i] : 0);
    }
    if (kio->kind == SERVICE_META)
        torn(sim, disk->meta[kio->index], kio->bytes);
    else if (kio->kind == SERVICE_DRL)
        torn(sim, disk->drl + (size_t)kio->index * DRL_PAGE_BYTES, kio->bytes);
}

void replica_power(struct sim *sim, struct sim_replica *replica)
{
    struct sim_disk *disk = &replica->disk;
    replica_kill(sim, replica);
    sim_trace(sim, "replica %u: power lost", replica->idx);
    for (struct sim_kio *kio = replica->kios; kio; kio = kio->next) {
        if (!kio->cancelled)
            kio_power(sim, kio);
    }
    disk_power(sim, disk);
    memset(disk->planes, 0, mapping_bytes(disk));
    disk->syncing = disk->sync_error = false;
    replica->boot = sim_uuid(sim);
}

static void replica_restart(struct sim *sim, struct sim_event *event)
{
    struct sim_replica *replica = event->a;
    if (sim->ending || replica->service || replica->gone) {
        replica->restarting = false;
        return;
    }
    if (replica->orphans > 0) {
        /* The files are locked until the last write of the dead process has landed. */
        sim_after(sim, SIM_MS, replica_restart, replica, 0, 0);
        return;
    }
    replica->restarting = false;
    sim_trace(sim, "replica %u: starts", replica->idx);
    replica_start(sim, replica);
}

void replica_restart_later(struct sim *sim, struct sim_replica *replica, uint64_t delay_ns)
{
    if (replica->restarting)
        return;
    replica->restarting = true;
    sim_after(sim, delay_ns, replica_restart, replica, 0, 0);
}

void replica_release(struct sim *sim, struct sim_replica *replica)
{
    (void)sim;
    ASSERT(!replica->service && !replica->kios);
    disk_release(&replica->disk);
    free(replica->disk.drl);
    free(replica->disk.planes);
    pool_release(&replica->ios);
}
