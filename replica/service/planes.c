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
 *        4     3  magic "DRL"
 *        7     1  log2 of the bytes of a region
 *        8  4088  32704 bits, lowest bit of a byte first
 *
 * A region is the smallest power of two of at least 4 MiB of which a volume has at most 65536. A
 * page of zeros was never written and is clean; any other page that is not whole reads as all ones.
 *
 * A volume that grows may get larger regions. Each page says how large its own are, and a page of
 * larger regions holds all that the pages did which lay at its place or before it; so pages are
 * replaced in ascending order, and whatever a crash leaves of that says at least what was true.
 */
#include "replica/service/planes.h"

#include "common/base/crc32c.h"
#include "common/base/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DRL_MAGIC       0x44524c00u
#define DRL_REGIONS_MAX 65536u

enum {
    DRL_SHIFT_MIN = 22,
    DRL_SHIFT_MAX = 48,
    /* A sequential writer's next regions are logged along with the one it enters. */
    DRL_AHEAD_REGIONS = 4,
    RESTED_BYTES = DRL_PLANE_PAGES * DRL_PAGE_BYTES,
};

STATIC_ASSERT(DRL_REGIONS_MAX <= DRL_PLANE_PAGES * DRL_PAGE_BITS, "the pages hold all regions");
STATIC_ASSERT(DRL_PAGES *DRL_PAGE_BYTES == DRL_BYTES, "the log's size");

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

static uint32_t shift_of(uint64_t size_bytes)
{
    uint32_t shift = DRL_SHIFT_MIN;
    while ((size_bytes - 1) >> shift >= DRL_REGIONS_MAX)
        shift++;
    return shift;
}

/* Whole pages of memory. */
uint64_t service_plane_bytes(uint64_t size_bytes)
{
    uint64_t bytes = (size_bytes - 1) / (PLANE_GRAIN_BYTES * 8) + 1;
    return (bytes + DRL_PAGE_BYTES - 1) / DRL_PAGE_BYTES * DRL_PAGE_BYTES;
}

static uint32_t log_page(enum drl_plane plane, uint32_t region)
{
    return (uint32_t)plane * DRL_PLANE_PAGES + region / DRL_PAGE_BITS;
}

/* Where the bit of a region begins in a log image, in bits. */
static uint64_t log_bit(enum drl_plane plane, uint32_t region)
{
    uint64_t page = log_page(plane, region);
    return (page * DRL_PAGE_BYTES + DRL_PAGE_HEADER_BYTES) * 8 + region % DRL_PAGE_BITS;
}

static bool log_has(const struct dirty *dirty, enum drl_plane plane, uint32_t region)
{
    return bit_get(dirty->image, log_bit(plane, region));
}

/* Sets the bit in the image; true when it is durable as well. */
static bool log_set(struct dirty *dirty, enum drl_plane plane, uint32_t region)
{
    uint64_t bit = log_bit(plane, region);
    if (!bit_get(dirty->image, bit)) {
        bit_set(dirty->image, bit);
        dirty->pages_changed |= 1u << log_page(plane, region);
    }
    return bit_get(dirty->durable, bit);
}

static void log_clear(struct dirty *dirty, enum drl_plane plane, uint32_t region)
{
    uint64_t bit = log_bit(plane, region);
    if (!bit_get(dirty->image, bit))
        return;
    bit_clear(dirty->image, bit);
    dirty->pages_changed |= 1u << log_page(plane, region);
}

static uint32_t page_crc(const uint8_t *page)
{
    return crc32c(0, page + sizeof(uint32_t), DRL_PAGE_BYTES - sizeof(uint32_t));
}

/* Log2 of the bytes of its regions, 0 when it is not whole. */
static uint32_t page_shift(const uint8_t *page)
{
    struct reader r = reader_of(page, DRL_PAGE_HEADER_BYTES);
    bool whole = read_u32(&r) == page_crc(page);
    uint32_t shift = read_u32(&r) ^ DRL_MAGIC;
    return whole && shift >= DRL_SHIFT_MIN && shift <= DRL_SHIFT_MAX ? shift : 0;
}

/* Adds what a page says, whose regions are so large, to the image. */
static void page_fold(struct dirty *dirty, uint32_t page, const uint8_t *from, uint32_t shift)
{
    ASSERT(shift <= dirty->shift);
    enum drl_plane plane = page < DRL_PLANE_PAGES ? DRL_HOT : DRL_AWAY;
    uint32_t first = page % DRL_PLANE_PAGES * DRL_PAGE_BITS;
    for (uint32_t i = 0; i < DRL_PAGE_BITS; i++) {
        if (bit_get(from + DRL_PAGE_HEADER_BYTES, i))
            bit_set(dirty->image, log_bit(plane, (first + i) >> (dirty->shift - shift)));
    }
}

/* Every page is written anew; until then nothing counts as durable. */
static void log_renew(struct dirty *dirty)
{
    memset(dirty->durable, 0, DRL_BYTES);
    memset(dirty->rested, 0, RESTED_BYTES);
    dirty->pages_changed = (1u << DRL_PAGES) - 1;
    dirty->staging_stale = dirty->staging_busy;
}

/* From the pages as they are on disk, in `durable`. */
static void log_load(struct dirty *dirty)
{
    uint32_t shifts[DRL_PAGES];
    bool renew = false;
    dirty->shift = shift_of(dirty->size_bytes);
    for (uint32_t i = 0; i < DRL_PAGES; i++) {
        shifts[i] = page_shift(dirty->durable + (size_t)i * DRL_PAGE_BYTES);
        if (shifts[i] > dirty->shift)
            dirty->shift = shifts[i];
    }
    memset(dirty->image, 0, DRL_BYTES);
    for (uint32_t i = 0; i < DRL_PAGES; i++) {
        uint8_t *page = dirty->durable + (size_t)i * DRL_PAGE_BYTES;
        if (shifts[i] == 0 && bytes_are_zero(page, DRL_PAGE_BYTES))
            continue;
        if (shifts[i] == 0)
            memset(page + DRL_PAGE_HEADER_BYTES, 0xff, DRL_PAGE_BYTES - DRL_PAGE_HEADER_BYTES);
        page_fold(dirty, i, page, shifts[i] ? shifts[i] : dirty->shift);
        memset(page, 0, DRL_PAGE_HEADER_BYTES);
        renew = renew || (shifts[i] && shifts[i] != dirty->shift);
    }
    if (renew)
        log_renew(dirty);
}

/* Where the region's bytes of a plane begin, and how many they are: the last may have fewer. */
static uint64_t region_at(const struct dirty *dirty, uint32_t region, uint64_t *bytes)
{
    uint64_t length = ((uint64_t)1 << dirty->shift) / PLANE_GRAIN_BYTES / 8;
    uint64_t at = region * length;
    *bytes = length < dirty->planes.bytes - at ? length : dirty->planes.bytes - at;
    return at;
}

static void region_count_set(struct dirty *dirty)
{
    dirty->region_count = (uint32_t)((dirty->size_bytes - 1) >> dirty->shift) + 1;
}

/* After a restart of the machine. The planes are zeros, but for regions the log names. */
static void planes_rebuild(struct dirty *dirty)
{
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        uint64_t bytes;
        uint64_t at = region_at(dirty, region, &bytes);
        if (log_has(dirty, DRL_HOT, region)) {
            memset(dirty->planes.current + at, 0xff, bytes);
            memset(dirty->planes.old + at, 0, bytes);
        }
        if (log_has(dirty, DRL_AWAY, region))
            memset(dirty->planes.away + at, 0xff, bytes);
    }
}

int dirty_init(struct dirty *dirty, const struct service_found *found, uint64_t size_bytes)
{
    *dirty = (struct dirty){.planes = found->planes, .size_bytes = size_bytes, .image = found->drl};
    if (found->planes.bytes != service_plane_bytes(size_bytes))
        return -EINVAL;
    dirty->durable = pages_new(DRL_BYTES + RESTED_BYTES);
    dirty->rested = dirty->durable + DRL_BYTES;
    memcpy(dirty->durable, dirty->image, DRL_BYTES);
    log_load(dirty);
    region_count_set(dirty);
    if (!found->same_boot)
        planes_rebuild(dirty);
    recent_init(&dirty->recent, found->planes.recent, found->same_boot, dirty_any_hot(dirty));
    return 0;
}

void dirty_grow(struct dirty *dirty, const struct service_planes *planes, uint64_t size_bytes)
{
    ASSERT(size_bytes >= dirty->size_bytes && planes->bytes == service_plane_bytes(size_bytes));
    uint32_t before = dirty->shift;
    dirty->planes = *planes;
    dirty->recent.memory = planes->recent;
    dirty->size_bytes = size_bytes;
    if (before < shift_of(size_bytes)) {
        dirty->shift = shift_of(size_bytes);
        memcpy(dirty->durable, dirty->image, DRL_BYTES);
        memset(dirty->image, 0, DRL_BYTES);
        for (uint32_t page = 0; page < DRL_PAGES; page++)
            page_fold(dirty, page, dirty->durable + (size_t)page * DRL_PAGE_BYTES, before);
        log_renew(dirty);
    }
    region_count_set(dirty);
}

void dirty_release(struct dirty *dirty)
{
    free(dirty->durable);
    dirty->durable = NULL;
}

/* A region that is not in the log is not about to leave it. */
void dirty_rest(struct dirty *dirty)
{
    if (!dirty_any_hot(dirty))
        memset(dirty->rested, 0, RESTED_BYTES);
    pages_give_back(dirty->durable, DRL_BYTES + RESTED_BYTES);
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
    uint32_t first = (uint32_t)(offset_bytes >> dirty->shift);
    uint32_t last = (uint32_t)((offset_bytes + length_bytes - 1) >> dirty->shift);
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
    write_u32(&w, DRL_MAGIC | dirty->shift);
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
    bool stale = dirty->staging_stale;
    dirty->staging_busy = dirty->staging_stale = false;
    if (stale)
        return;
    memcpy(dirty->durable + (size_t)dirty->page_writing * DRL_PAGE_BYTES + DRL_PAGE_HEADER_BYTES,
           dirty->staging + DRL_PAGE_HEADER_BYTES, DRL_PAGE_BYTES - DRL_PAGE_HEADER_BYTES);
}

/* The log covers the planes, so only hot regions are looked at. */
void dirty_rotate(struct dirty *dirty)
{
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        uint64_t bytes;
        uint64_t at = region_at(dirty, region, &bytes);
        if (!log_has(dirty, DRL_HOT, region))
            continue;
        uint8_t *current = dirty->planes.current + at;
        uint8_t *old = dirty->planes.old + at;
        for (uint64_t i = 0; i < bytes; i++)
            old[i] |= current[i];
        memset(current, 0, bytes);
    }
}

bool dirty_away_enter(struct dirty *dirty)
{
    bool durable = true;
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        uint64_t bytes;
        uint64_t at = region_at(dirty, region, &bytes);
        if (log_has(dirty, DRL_HOT, region) && !bytes_are_zero(dirty->planes.old + at, bytes))
            durable = log_set(dirty, DRL_AWAY, region) && durable;
    }
    return durable;
}

static uint32_t region_of(const struct dirty *dirty, uint64_t plane_byte)
{
    return (uint32_t)(plane_byte * 8 * PLANE_GRAIN_BYTES >> dirty->shift);
}

bool dirty_mark(struct dirty *dirty, uint64_t offset_bytes, const uint8_t *map, uint32_t map_bytes)
{
    uint64_t first = offset_bytes / PLANE_GRAIN_BYTES / 8;
    bool durable = true;
    for (uint32_t i = 0; i < map_bytes && first + i < dirty->planes.bytes; i++) {
        if (map[i])
            durable = log_set(dirty, DRL_AWAY, region_of(dirty, first + i)) && durable;
    }
    for (uint32_t i = 0; durable && i < map_bytes && first + i < dirty->planes.bytes; i++)
        dirty->planes.away[first + i] |= map[i];
    return durable;
}

/* A hot region that is clean at two commits in a row leaves the log. */
static void region_rest(struct dirty *dirty, uint32_t region)
{
    uint64_t bytes;
    uint64_t at = region_at(dirty, region, &bytes);
    if (!bytes_are_zero(dirty->planes.current + at, bytes))
        bit_clear(dirty->rested, region);
    else if (!bit_get(dirty->rested, region))
        bit_set(dirty->rested, region);
    else
        log_clear(dirty, DRL_HOT, region);
}

void dirty_commit(struct dirty *dirty, bool all)
{
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        uint64_t bytes;
        uint64_t at = region_at(dirty, region, &bytes);
        uint8_t *old = dirty->planes.old + at;
        uint8_t *away = dirty->planes.away + at;
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
    uint64_t per_region = ((uint64_t)1 << dirty->shift) / PLANE_GRAIN_BYTES;
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
    if (!with_away && !recent_overflowed(&dirty->recent))
        return recent_count_bytes(&dirty->recent);
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        uint64_t bytes;
        uint64_t at = region_at(dirty, region, &bytes);
        if (!log_has(dirty, DRL_HOT, region) && !log_has(dirty, DRL_AWAY, region))
            continue;
        for (uint64_t i = at; i < at + bytes; i++)
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
    for (uint32_t region = 0; region < dirty->region_count; region++) {
        uint64_t bytes;
        uint64_t at = region_at(dirty, region, &bytes);
        const uint8_t *current = dirty->planes.current + at;
        const uint8_t *old = dirty->planes.old + at;
        if (!log_has(dirty, DRL_HOT, region))
            ASSERT(bytes_are_zero(current, bytes) && bytes_are_zero(old, bytes));
        if (!log_has(dirty, DRL_AWAY, region))
            ASSERT(bytes_are_zero(dirty->planes.away + at, bytes));
    }
}
