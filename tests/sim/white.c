/* SPDX-License-Identifier: Apache-2.0 */
/* White box: that what is said, or relied on, is true at that very moment. A power loss, or another
 * target, that shows it otherwise has to hit a window of milliseconds, which seeds hardly ever do.
 */
#include "tests/sim/white.h"

#include "common/base/crc32c.h"
#include "replica/service/state.h"
#include "target/replication/state.h"

#include <inttypes.h>

void white_check_reply(struct sim *sim, const struct sim_replica *replica, uint64_t link,
                       const struct frame *frame)
{
    const struct sim_disk *disk = &replica->disk;
    const struct meta *said = &replica->service->meta;
    struct meta durable;
    uint32_t write_first;
    bool equal;
    if (frame->status == FRAME_OK && frame->type != FRAME_CLOSE &&
        (replica->service->session_state != SESSION_OPEN || link != replica->service->link))
        sim_fail(sim, "replica %u answers a session that has been replaced", replica->idx);
    if (frame->status != FRAME_OK || (frame->type != FRAME_OPEN && frame->type != FRAME_ACCEPT &&
                                      frame->type != FRAME_CHECKPOINT))
        return;
    const uint8_t *const copies[META_COPIES] = {disk->meta[0], disk->meta[1]};
    if (meta_pick(copies, &durable, &write_first, &equal))
        sim_fail(sim, "replica %u has no whole record", replica->idx);
    if (frame->type == FRAME_OPEN &&
        (durable.promised_epoch != said->promised_epoch ||
         !uuid_equal(&durable.promised_controller, &said->promised_controller)))
        sim_fail(sim, "replica %u answers OPEN, but its disk does not know the promise of %" PRIu64,
                 replica->idx, said->promised_epoch);
    if (frame->type == FRAME_ACCEPT && durable.config.version < frame->request)
        sim_fail(sim, "replica %u answers ACCEPT, but its disk holds version %" PRIu64,
                 replica->idx, durable.config.version);
    if (frame->type == FRAME_CHECKPOINT && said->done_checkpoint == frame->length_bytes &&
        durable.done_checkpoint < frame->length_bytes)
        sim_fail(sim, "replica %u answers CHECKPOINT, but its disk holds an older one",
                 replica->idx);
}

/* Whether after a power loss the region would be found in this plane of the log. */
static bool log_covers(const struct sim_disk *disk, enum drl_plane plane, uint64_t region)
{
    const uint8_t *page = disk->drl + (size_t)plane * DRL_PLANE_PAGES * DRL_PAGE_BYTES;
    if (page[DRL_PAGE_HEADER_BYTES + region / 8] >> (region % 8) & 1)
        return true;
    struct reader r = reader_of(page, sizeof(uint32_t));
    uint32_t crc = crc32c(0, page + sizeof(uint32_t), DRL_PAGE_BYTES - sizeof(uint32_t));
    uint8_t any = 0;
    for (size_t i = 0; i < DRL_PAGE_BYTES; i++)
        any |= page[i];
    return any && read_u32(&r) != crc; /* torn: reads as all ones */
}

void white_check_log(struct sim *sim, const struct sim_replica *replica)
{
    const struct dirty *dirty = &replica->service->dirty;
    uint64_t bytes = ((uint64_t)1 << dirty->shift) / PLANE_GRAIN_BYTES / 8;
    for (uint64_t region = 0; region < dirty->region_count; region++) {
        uint8_t any[2] = {0};
        for (uint64_t i = region * bytes; i < (region + 1) * bytes; i++) {
            any[DRL_HOT] |= dirty->planes.current[i] | dirty->planes.old[i];
            any[DRL_AWAY] |= dirty->planes.away[i];
        }
        for (enum drl_plane plane = DRL_HOT; plane <= DRL_AWAY; plane++) {
            if (any[plane] && !log_covers(&replica->disk, plane, region))
                sim_fail(sim, "replica %u: region %" PRIu64 " is %s, but not so in the log on disk",
                         replica->idx, region, plane == DRL_HOT ? "in doubt" : "behind");
        }
    }
}

/* Nobody has been promised a higher epoch: what the target does is not undone by another one. */
static bool is_newest(const struct sim *sim, const struct repl *repl)
{
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        const struct service *service = sim->replicas[i].service;
        if (service && service->meta.promised_epoch > repl->epoch)
            return false;
    }
    return sim->served_epoch <= repl->epoch;
}

static void check_holders(struct sim *sim, const struct config *config, const struct sim_op *op)
{
    uint64_t id = op->op.kind == REPL_ZERO ? 0 : op->write_idx + 1;
    for (uint32_t i = 0; i < config->member_count; i++) {
        const struct sim_replica *replica = members_host(sim, &config->members[i].uuid);
        if (!config->members[i].in_sync || !oracle_is_usable(replica) ||
            replica->service->meta.lossy)
            continue;
        const struct sim_image *head = replica->disk.table.head;
        for (uint32_t block = op->block; block < op->block + op->count; block++) {
            if (head->cached[block] != id && !head->bad[block])
                sim_fail(sim,
                         "block %u is answered as written, but replica %u, in sync by version "
                         "%" PRIu64 ", holds %" PRIu64,
                         block, replica->idx, config->version, head->cached[block]);
        }
    }
}

/* By the committed configuration, and by each that somebody has accepted since. */
static void check_write(struct sim *sim, const struct repl *repl, const struct sim_op *op)
{
    int in_sync = 0;
    for (uint32_t i = 0; i < repl->config.member_count; i++)
        in_sync += repl->config.members[i].in_sync;
    if (in_sync < repl->config.min_in_sync)
        sim_fail(sim, "a write is answered while %d members are in sync", in_sync);
    check_holders(sim, &repl->config, op);
    for (uint32_t i = 0; i < sim->replica_count; i++) {
        const struct service *service = sim->replicas[i].service;
        if (service && config_compare(&service->meta.config, &repl->config) > 0)
            check_holders(sim, &service->meta.config, op);
    }
}

/* Who is down grants another target nothing before a lease has run out. */
static void check_read(struct sim *sim, const struct repl *repl)
{
    uint32_t bound = 0;
    for (uint32_t i = 0; i < repl->config.member_count; i++) {
        const struct sim_replica *replica = members_host(sim, &repl->config.members[i].uuid);
        const struct service *service = replica->service;
        bound += !service || (uuid_equal(&service->meta.promised_controller, &repl->controller) &&
                              service_lease_until_ns(service) > replica_clock(sim, replica));
    }
    if (2 * bound <= repl->config.member_count)
        sim_fail(sim, "a read is answered while %u of %u members grant a lease", bound,
                 repl->config.member_count);
}

void white_check_done(struct sim *sim, const struct sim_target *target, const struct sim_op *op)
{
    bool writes = op->write_idx != UINT32_MAX;
    if (op->op.status != 0)
        return;
    if (writes && is_newest(sim, target->repl))
        check_write(sim, target->repl, op);
    if (op->op.kind == REPL_READ)
        check_read(sim, target->repl);
}

void white_check_sent(struct sim *sim, const struct repl *repl, const struct repl_effect *effect)
{
    const struct frame *frame = &effect->frame;
    if (frame->type == FRAME_READ && frame->generation == 0 && (effect->peers & ~repl->in_sync))
        sim_fail(sim, "the head is read at members %x, of which only %x are in sync", effect->peers,
                 repl->in_sync);
}

static bool is_decided(struct sim *sim, const struct config *config, const struct config *voters)
{
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < voters->member_count; i++) {
        const struct sim_replica *replica = members_host(sim, &voters->members[i].uuid);
        const uint8_t *const copies[META_COPIES] = {replica->disk.meta[0], replica->disk.meta[1]};
        struct meta durable;
        uint32_t write_first;
        bool equal;
        if (!meta_pick(copies, &durable, &write_first, &equal))
            accepted += config_compare(&durable.config, config) >= 0;
    }
    return 2 * accepted > voters->member_count;
}

void white_check_commit(struct sim *sim, struct sim_target *target)
{
    const struct config *config = repl_config(target->repl);
    if (!is_decided(sim, config, config) ||
        (target->committed.epoch == config->epoch && !is_decided(sim, config, &target->committed)))
        sim_fail(sim, "version %" PRIu64 " counts, but no majority has it on its disks",
                 config->version);
    target->committed = *config;
}
