/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dirty planes and the dirty-region log.
 *
 * The log on disk is a row of 4096-byte pages: first those of the plane `hot` (regions that may
 * hold writes not yet checkpointed), then those of `away` (regions that members out of sync may
 * lack). A page:
 *
 *   offset bytes
 *        0     4  CRC32C of bytes 4 to 4095
 *        4     4  magic "DRL1"
 *        8  4088  32704 bits, lowest bit of a byte first
 *
 * A region is the smallest power of two of at least 4 MiB of which a volume has at most 65536. A
 * page of zeros was never written and is clean; any other page that is not whole reads as all ones.
 */
#include "replica/service/planes.h"

#include "common/base/crc32c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DRL_MAGIC            0x44524c31u
#define DRL_REGION_BYTES_MIN ((uint64_t)4 << 20)
#define DRL_REGIONS_MAX      65536u

enum {
    /* A sequential writer's next regions are logged along with the one it enters. */
    DRL_AHEAD_REGIONS = 4,
};

STATIC_ASSERT((DRL_REGIONS_MAX + DRL_PAGE_BITS - 1) / DRL_PAGE_BITS * 2 <= DRL_PAGES_MAX,
              "changed pages are a bit mask");

static bool bit_get(const uint8_t *bits, uint64_t idx)
{
    return bits[idx / 8] >> (idx % 8) & 1;
}

static void bit_set(uint8_t *bits, uint64_t idx)
{
    bits[idx / 8] = (uint8_t)(bits[idx / 8] | 1u << (idx % 8));
}

static void bit_clear(uint8_t *bits, uint64_t idx)
{
    bits[idx / 8] = (uint8_t)(bits[idx / 8] & ~(1u << (idx % 8)));
}

uint64_t dirty_region_bytes(uint64_t size_bytes)
{
    uint64_t region = DRL_REGION_BYTES_MIN;
    while ((size_bytes - 1) / region + 1 > DRL_REGIONS_MAX)
        region *= 2;
    return region;
}

static uint32_t region_count_of(uint64_t size_bytes)
{
    return (uint32_t)((size_bytes - 1) / dirty_region_bytes(size_bytes) + 1);
}

uint64_t service_drl_bytes(uint64_t size_bytes)
{
    uint32_t pages = (region_count_of(size_bytes) + DRL_PAGE_BITS - 1) / DRL_PAGE_BITS;
    return (uint64_t)pages * DRL_PLANES * DRL_PAGE_BYTES;
}

/* Whole regions, so that a region's bits are whole bytes. */
uint64_t service_plane_bytes(uint64_t size_bytes)
{
    return region_count_of(size_bytes) * (dirty_region_bytes(size_bytes) / PLANE_GRAIN_BYTES / 8);
}

static uint32_t log_page(const struct dirty *dirty, enum drl_plane plane, uint32_t region)
{
    return (uint32_t)plane * (dirty->page_count / DRL_PLANES) + region / DRL_PAGE_BITS;
}

/* Where the bit of a region begins in a log image, in bits. */
static uint64_t log_bit(const struct dirty *dirty, enum drl_plane plane, uint32_t region)
{
    uint64_t page = log_page(dirty, plane, region);
    return (page * DRL_PAGE_BYTES + DRL_PAGE_HEADER_BYTES) * 8 + region % DRL_PAGE_BITS;
}

static bool log_has(const struct dirty *dirty, enum drl_plane plane, uint32_t region)
{
    return bit_get(dirty->image, log_bit(dirty, plane, region));
}

/* Sets the bit in the image; true when it is durable as well. */
static bool log_set(struct dirty *dirty, enum drl_plane plane, uint32_t region)
{
    uint64_t bit = log_bit(dirty, plane, region);
    if (!bit_get(dirty->image, bit)) {
        bit_set(dirty->image, bit);
        dirty->pages_changed |= 1u << log_page(dirty, plane, region);
    }
    return bit_get(dirty->durable, bit);
}

static void log_clear(struct dirty *dirty, enum drl_plane plane, uint32_t region)
{
    uint64_t bit = log_bit(dirty, plane, region);
    if (!bit_get(dirty->image, bit))
        return;
    bit_clear(dirty->image, bit);
    dirty->pages_changed |= 1u << log_page(dirty, plane, region);
}

static uint32_t page_crc(const uint8_t *page)
{
    return crc32c(0, page + sizeof(uint32_t), DRL_PAGE_BYTES - sizeof(uint32_t));
}

static void page_load(uint8_t *page)
{
    struct reader r = reader_of(page, DRL_PAGE_HEADER_BYTES);
    bool whole = read_u32(&r) == page_crc(page);
    whole = read_u32(&r) == DRL_MAGIC && whole;
    if (!whole && !bytes_are_zero(page, DRL_PAGE_BYTES))
        memset(page + DRL_PAGE_HEADER_BYTES, 0xff, DRL_PAGE_BYTES - DRL_PAGE_HEADER_BYTES);
}

static uint64_t region_plane_bytes(const struct dirty *dirty)
{
    return dirty->region_bytes / PLANE_GRAIN_BYTES / 8;
}

static void expand(struct dirty *dirty, enum drl_plane from, uint8_t *plane)
{
    uint64_t bytes = region_plane_bytes(dirty);
    for (uint32_t region = 0; region < dirty->region_count; region++)
        memset(plane + region * bytes, log_has(dirty, from, region) ? 0xff : 0, bytes);
}

int dirty_init(struct dirty *dirty, const struct service_found *found, uint64_t size_bytes)
{
    *dirty = (struct dirty){.planes = found->planes, .size_bytes = size_bytes};
    if (found->drl_bytes != service_drl_bytes(size_bytes) ||
        found->planes.bytes != service_plane_bytes(size_bytes))
        return -EINVAL;
    dirty->region_bytes = dirty_region_bytes(size_bytes);
    dirty->region_count = region_count_of(size_bytes);
    dirty->page_count = (uint32_t)(found->drl_bytes / DRL_PAGE_BYTES);
    dirty->image = found->drl;
    dirty->durable = malloc(found->drl_bytes);
    dirty->rested = calloc(dirty->region_count / 8 + 1, 1);
    if (!dirty->durable || !dirty->rested) {
        dirty_release(dirty);
        return -ENOMEM;
    }
    for (uint32_t page = 0; page < dirty->page_count; page++)
        page_load(dirty->image + (size_t)page * DRL_PAGE_BYTES);
    memcpy(dirty->durable, dirty->image, found->drl_bytes);
    if (!found->same_boot) {
        expand(dirty, DRL_HOT, dirty->planes.current);
        memset(dirty->planes.old, 0, dirty->planes.bytes);
        expand(dirty, DRL_AWAY, dirty->planes.away);
    }
    recent_init(&dirty->recent, found->planes.recent, found->same_boot, dirty_any_hot(dirty));
    return 0;
}

void dirty_release(struct dirty *dirty)
{
    free(dirty->durable);
    free(dirty->rested);
    dirty->durable = NULL;
    dirty->rested = NULL;
}

bool dirty_any_hot(const struct dirty *dirty)
{
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        if (log_has(dirty, DRL_HOT, region))
            return true;
    }
    return false;
}

bool dirty_enter(struct dirty *dirty, uint64_t offset_bytes, uint64_t length_bytes)
{
    ASSERT(length_bytes > 0 && length_bytes <= dirty->size_bytes - offset_bytes);
    uint32_t first = (uint32_t)(offset_bytes / dirty->region_bytes);
    uint32_t last = (uint32_t)((offset_bytes + length_bytes - 1) / dirty->region_bytes);
    bool durable = true;
    for (uint32_t region = first; region <= last; region++)
        durable = log_set(dirty, DRL_HOT, region) && durable;
    if (!durable && first > 0 && log_has(dirty, DRL_HOT, first - 1)) {
        for (uint32_t i = 1; i <= DRL_AHEAD_REGIONS && last + i < dirty->region_count; i++)
            (void)log_set(dirty, DRL_HOT, last + i);
    }
    return durable;
}

void dirty_stamp(struct dirty *dirty, uint64_t offset_bytes, uint64_t length_bytes)
{
    uint64_t grain = offset_bytes / PLANE_GRAIN_BYTES;
    uint64_t end = (offset_bytes + length_bytes - 1) / PLANE_GRAIN_BYTES + 1;
    recent_add(&dirty->recent, offset_bytes, length_bytes);
    while (grain < end) {
        if (grain % 8 == 0 && end - grain >= 8) {
            uint64_t whole = (end - grain) / 8;
            memset(dirty->planes.current + grain / 8, 0xff, whole);
            grain += whole * 8;
        } else {
            bit_set(dirty->planes.current, grain++);
        }
    }
}

bool dirty_page_begin(struct dirty *dirty, uint32_t *page)
{
    if (dirty->staging_busy || dirty->pages_changed == 0)
        return false;
    *page = 0;
    while (!(dirty->pages_changed >> *page & 1))
        (*page)++;
    uint8_t *durable = dirty->durable + (size_t)*page * DRL_PAGE_BYTES;
    memcpy(dirty->staging, dirty->image + (size_t)*page * DRL_PAGE_BYTES, DRL_PAGE_BYTES);
    struct writer w = writer_of(dirty->staging + sizeof(uint32_t), sizeof(uint32_t));
    write_u32(&w, DRL_MAGIC);
    w = writer_of(dirty->staging, sizeof(uint32_t));
    write_u32(&w, page_crc(dirty->staging));
    /* What this write clears is not durable from now on. */
    for (uint32_t i = DRL_PAGE_HEADER_BYTES; i < DRL_PAGE_BYTES; i++)
        durable[i] &= dirty->staging[i];
    dirty->pages_changed &= ~(1u << *page);
    dirty->page_writing = *page;
    dirty->staging_busy = true;
    return true;
}

void dirty_page_done(struct dirty *dirty)
{
    ASSERT(dirty->staging_busy);
    dirty->staging_busy = false;
    memcpy(dirty->durable + (size_t)dirty->page_writing * DRL_PAGE_BYTES, dirty->staging,
           DRL_PAGE_BYTES);
}

/* The log covers the planes, so only hot regions are looked at. */
void dirty_rotate(struct dirty *dirty)
{
    uint64_t bytes = region_plane_bytes(dirty);
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        if (!log_has(dirty, DRL_HOT, region))
            continue;
        uint8_t *current = dirty->planes.current + region * bytes;
        uint8_t *old = dirty->planes.old + region * bytes;
        for (uint64_t i = 0; i < bytes; i++)
            old[i] |= current[i];
        memset(current, 0, bytes);
    }
}

bool dirty_away_enter(struct dirty *dirty)
{
    uint64_t bytes = region_plane_bytes(dirty);
    bool durable = true;
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        if (log_has(dirty, DRL_HOT, region) &&
            !bytes_are_zero(dirty->planes.old + region * bytes, bytes))
            durable = log_set(dirty, DRL_AWAY, region) && durable;
    }
    return durable;
}

bool dirty_mark(struct dirty *dirty, uint64_t offset_bytes, const uint8_t *map, uint32_t map_bytes)
{
    uint64_t bytes = region_plane_bytes(dirty);
    uint64_t first = offset_bytes / PLANE_GRAIN_BYTES / 8;
    bool durable = true;
    for (uint32_t i = 0; i < map_bytes && first + i < dirty->planes.bytes; i++) {
        if (map[i])
            durable = log_set(dirty, DRL_AWAY, (uint32_t)((first + i) / bytes)) && durable;
    }
    for (uint32_t i = 0; durable && i < map_bytes && first + i < dirty->planes.bytes; i++)
        dirty->planes.away[first + i] |= map[i];
    return durable;
}

/* A hot region that is clean at two commits in a row leaves the log. */
static void region_rest(struct dirty *dirty, uint32_t region)
{
    uint64_t bytes = region_plane_bytes(dirty);
    if (!bytes_are_zero(dirty->planes.current + region * bytes, bytes))
        bit_clear(dirty->rested, region);
    else if (!bit_get(dirty->rested, region))
        bit_set(dirty->rested, region);
    else
        log_clear(dirty, DRL_HOT, region);
}

void dirty_commit(struct dirty *dirty, bool all)
{
    uint64_t bytes = region_plane_bytes(dirty);
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        uint8_t *old = dirty->planes.old + region * bytes;
        uint8_t *away = dirty->planes.away + region * bytes;
        if (log_has(dirty, DRL_HOT, region)) {
            for (uint64_t i = 0; i < bytes && !all; i++)
                away[i] |= old[i];
            memset(old, 0, bytes);
            region_rest(dirty, region);
        }
        if (all && log_has(dirty, DRL_AWAY, region)) {
            memset(away, 0, bytes);
            log_clear(dirty, DRL_AWAY, region);
        }
    }
}

static uint8_t map_byte(const struct dirty *dirty, uint64_t i, bool with_away)
{
    return (uint8_t)(dirty->planes.current[i] | dirty->planes.old[i] |
                     (with_away ? dirty->planes.away[i] : 0));
}

bool dirty_next(const struct dirty *dirty, uint64_t from, uint64_t *offset_bytes,
                uint64_t *length_bytes)
{
    uint64_t grain = from / PLANE_GRAIN_BYTES;
    uint64_t count = (dirty->size_bytes + PLANE_GRAIN_BYTES - 1) / PLANE_GRAIN_BYTES;
    uint64_t per_region = dirty->region_bytes / PLANE_GRAIN_BYTES;
    /* The log covers the planes: what it does not name is skipped. */
    while (grain < count && !(map_byte(dirty, grain / 8, false) >> grain % 8 & 1)) {
        bool hot = log_has(dirty, DRL_HOT, (uint32_t)(grain / per_region));
        grain = hot ? grain + 1 : (grain / per_region + 1) * per_region;
    }
    uint64_t end = grain;
    while (end < count && (map_byte(dirty, end / 8, false) >> end % 8 & 1))
        end++;
    *offset_bytes = grain * PLANE_GRAIN_BYTES;
    uint64_t end_bytes = end * PLANE_GRAIN_BYTES;
    *length_bytes = (end_bytes < dirty->size_bytes ? end_bytes : dirty->size_bytes) - *offset_bytes;
    return end > grain;
}

uint64_t dirty_count_bytes(const struct dirty *dirty, bool with_away)
{
    uint64_t grains = 0;
    uint64_t bytes = region_plane_bytes(dirty);
    if (!with_away && !recent_overflowed(&dirty->recent))
        return recent_count_bytes(&dirty->recent);
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        if (!log_has(dirty, DRL_HOT, region) && !log_has(dirty, DRL_AWAY, region))
            continue;
        for (uint64_t i = region * bytes; i < (region + 1) * bytes; i++)
            grains += (uint64_t)__builtin_popcount(map_byte(dirty, i, with_away));
    }
    return grains * PLANE_GRAIN_BYTES;
}

uint32_t dirty_map(const struct dirty *dirty, uint64_t offset_bytes, uint64_t length_bytes,
                   bool with_away, uint8_t *map)
{
    uint64_t first = offset_bytes / PLANE_GRAIN_BYTES;
    uint64_t count = (length_bytes + PLANE_GRAIN_BYTES - 1) / PLANE_GRAIN_BYTES;
    uint32_t used = 1;
    bool by_planes = with_away || recent_overflowed(&dirty->recent);
    ASSERT(first % 8 == 0);
    memset(map, 0, (count + 7) / 8);
    if (!by_planes)
        recent_map(&dirty->recent, offset_bytes, map, (count + 7) / 8);
    for (uint64_t i = 0; i < (count + 7) / 8; i++) {
        if (by_planes)
            map[i] = map_byte(dirty, first / 8 + i, with_away);
        if (map[i])
            used = (uint32_t)i + 1;
    }
    return used;
}

void dirty_check(const struct dirty *dirty)
{
    uint64_t bytes = region_plane_bytes(dirty);
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        const uint8_t *current = dirty->planes.current + region * bytes;
        const uint8_t *old = dirty->planes.old + region * bytes;
        if (!log_has(dirty, DRL_HOT, region))
            ASSERT(bytes_are_zero(current, bytes) && bytes_are_zero(old, bytes));
        if (!log_has(dirty, DRL_AWAY, region))
            ASSERT(bytes_are_zero(dirty->planes.away + region * bytes, bytes));
    }
}
