/* SPDX-License-Identifier: Apache-2.0 */
/* White box: what a replica says, or relies on, is on its disk at that moment (R2, R3). A power
 * loss that shows it otherwise has to hit a window of milliseconds, which seeds hardly ever do. */
#include "tests/sim/sim.h"

#include "common/base/crc32c.h"
#include "replica/service/state.h"

#include <inttypes.h>

void white_check_reply(struct sim *sim, const struct sim_replica *replica,
                       const struct frame *frame)
{
    const struct sim_disk *disk = &replica->disk;
    const struct meta *said = &replica->service->meta;
    struct meta durable;
    uint32_t write_first;
    bool equal;
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
