/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of ranges. Who is killed within recent_add leaves at worst a range too much. */
#include "replica/service/recent.h"

enum { RECENT_RANGES_MAX = 2046 };

struct recent_range {
    uint64_t offset_bytes;
    uint64_t length_bytes;
};

struct recent_memory {
    uint32_t first;
    uint32_t count;
    uint32_t overflowed;
    uint32_t reserved[5];
    struct recent_range ranges[RECENT_RANGES_MAX];
};
STATIC_ASSERT(sizeof(struct recent_memory) == SERVICE_RECENT_BYTES, "the store's part of it");

void recent_init(struct recent *recent, void *memory, bool same_boot, bool any_doubt)
{
    struct recent_memory *m = memory;
    *recent = (struct recent){.memory = m};
    if (same_boot && m->first < RECENT_RANGES_MAX && m->count <= RECENT_RANGES_MAX)
        return;
    m->first = m->count = 0;
    m->overflowed = any_doubt;
}

static const struct recent_range *recent_at(const struct recent_memory *m, uint32_t i)
{
    return &m->ranges[(m->first + i) % RECENT_RANGES_MAX];
}

void recent_add(struct recent *recent, uint64_t offset_bytes, uint64_t length_bytes)
{
    struct recent_memory *m = recent->memory;
    if (m->count == RECENT_RANGES_MAX) {
        m->overflowed = true;
        m->count = 0;
        recent_unmark(recent);
    }
    m->ranges[(m->first + m->count) % RECENT_RANGES_MAX] =
        (struct recent_range){offset_bytes, length_bytes};
    m->count++;
}

void recent_unmark(struct recent *recent)
{
    recent->has_mark = false;
    recent->marked = 0;
}

void recent_mark(struct recent *recent)
{
    struct recent_memory *m = recent->memory;
    if (recent->has_mark) {
        m->first = (m->first + recent->marked) % RECENT_RANGES_MAX;
        m->count -= recent->marked;
        m->overflowed = false;
    }
    recent->marked = m->count;
    recent->has_mark = true;
}

bool recent_overflowed(const struct recent *recent)
{
    return recent->memory->overflowed;
}

uint64_t recent_count_bytes(const struct recent *recent)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < recent->memory->count; i++)
        bytes += recent_at(recent->memory, i)->length_bytes;
    return bytes;
}

void recent_map(const struct recent *recent, uint64_t offset_bytes, uint8_t *map,
                uint64_t map_bytes)
{
    uint64_t begin = offset_bytes / PLANE_GRAIN_BYTES;
    uint64_t end = begin + map_bytes * 8;
    for (uint32_t i = 0; i < recent->memory->count; i++) {
        const struct recent_range *range = recent_at(recent->memory, i);
        uint64_t grain = range->offset_bytes / PLANE_GRAIN_BYTES;
        uint64_t last = (range->offset_bytes + range->length_bytes - 1) / PLANE_GRAIN_BYTES;
        for (grain = grain < begin ? begin : grain; grain <= last && grain < end; grain++)
            map[(grain - begin) / 8] |= (uint8_t)(1u << ((grain - begin) % 8));
    }
}
