/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges cut into pieces, and merged runs. */
#include "replica/map/runs.h"

#define EXTENT_BYTES_MASK (((uint64_t)1 << EXTENT_BYTES_LOG) - 1)
#define BLOCK_SIZE        ((uint64_t)1 << BLOCK_BYTES_LOG)

struct pieces pieces_of(uint64_t offset_bytes, uint64_t length_bytes)
{
    ASSERT(offset_bytes % BLOCK_SIZE == 0 && length_bytes % BLOCK_SIZE == 0);
    ASSERT(offset_bytes + length_bytes >= offset_bytes);
    return (struct pieces){.next_bytes = offset_bytes, .end_bytes = offset_bytes + length_bytes};
}

bool pieces_next(struct pieces *pieces)
{
    uint64_t at = pieces->next_bytes;
    if (at >= pieces->end_bytes)
        return false;
    uint64_t end = (at | EXTENT_BYTES_MASK) + 1;
    end = end == 0 || end > pieces->end_bytes ? pieces->end_bytes : end;
    uint32_t first = (uint32_t)(at & EXTENT_BYTES_MASK) >> BLOCK_BYTES_LOG;
    uint32_t count = (uint32_t)((end - at) >> BLOCK_BYTES_LOG);
    pieces->at_bytes = at;
    pieces->extent = at >> EXTENT_BYTES_LOG;
    pieces->mask = (uint16_t)(((1u << count) - 1) << first);
    pieces->next_bytes = end;
    return true;
}

uint64_t pieces_skip_to(struct pieces *pieces, uint64_t extent)
{
    uint64_t before = pieces->next_bytes;
    uint64_t to = extent > UINT64_MAX >> EXTENT_BYTES_LOG ? UINT64_MAX : extent << EXTENT_BYTES_LOG;
    to = to > pieces->end_bytes ? pieces->end_bytes : to;
    if (to > before)
        pieces->next_bytes = to;
    return pieces->next_bytes - before;
}

struct runs runs_of(struct map_run *items, uint32_t max)
{
    return (struct runs){.items = items, .max = max};
}

void runs_add(struct runs *runs, enum map_state state, uint64_t place, uint64_t length_bytes)
{
    if (length_bytes == 0 || runs->full)
        return;
    uint32_t segment = (uint32_t)(place >> (EXTENT_BYTES_LOG + SEGMENT_SLOTS_LOG));
    uint64_t offset = place & (((uint64_t)1 << (EXTENT_BYTES_LOG + SEGMENT_SLOTS_LOG)) - 1);
    struct map_run *last = runs->count ? &runs->items[runs->count - 1] : NULL;
    if (last && last->state == state &&
        (state != MAP_DATA || runs->placeless ||
         (last->segment == segment && last->offset_bytes + last->length_bytes == offset))) {
        last->length_bytes += length_bytes;
        return;
    }
    if (runs->count == runs->max) {
        runs->full = true;
        return;
    }
    runs->items[runs->count++] = (struct map_run){
        .length_bytes = length_bytes, .state = state, .segment = segment, .offset_bytes = offset};
}

void runs_add_row(struct runs *runs, const struct extent_row *row, uint16_t mask)
{
    for (uint32_t left = mask; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(left);
        bool data = row->slots[i] != SLOT_NONE;
        runs_add(runs, data ? MAP_DATA : MAP_ABSENT, data ? place_of(row->slots[i], i) : 0,
                 BLOCK_SIZE);
    }
}

void runs_add_target(struct runs *runs, const struct extent_row *row, uint16_t mask)
{
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        if (mask >> i & 1)
            runs_add(runs, MAP_DATA,
                     place_of(row->own_data >> i & 1 ? row->slots[i] : row->own_slot, i),
                     BLOCK_SIZE);
    }
}

void runs_add_given_up(struct runs *runs, const struct extent_row *row, uint16_t mask)
{
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        if (mask & row->own_data & 1u << i)
            runs_add(runs, MAP_DATA, place_of(row->slots[i], i), BLOCK_SIZE);
    }
}
