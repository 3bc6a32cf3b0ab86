/* SPDX-License-Identifier: Apache-2.0 */
/* Reclaim: what is done to the rows of an extent when one of its steps goes. */
#include "replica/map/reclaim.h"

#include <errno.h>

static void add_stats(struct reclaim *reclaim, uint64_t step, int64_t owned)
{
    uint32_t i = 0;
    while (i < reclaim->stats_count && reclaim->stats[i].step != step)
        i++;
    if (i == reclaim->stats_count) {
        ASSERT(i < RECLAIM_STATS);
        reclaim->stats[reclaim->stats_count++].step = step;
        reclaim->stats[i].stats = (struct stats_row){0};
    }
    reclaim->stats[i].stats.owned += owned;
}

/* Blocks of a slot to be punched, and whether the slot is free then. */
static int add_punch(struct map *map, struct stored *stored, uint64_t slot, uint16_t mask,
                     bool free)
{
    struct reclaim *reclaim = &map->reclaim;
    struct key key = key_slot(reclaim->family, slot);
    uint8_t bytes[3];
    struct writer w = writer_of(bytes, sizeof(bytes));
    free = free && slot >= SLOT_FIRST;
    if (mask == 0 && free)
        return stored_put(stored, TABLE_FREE, &key, "", 0);
    if (mask == 0)
        return 0;
    write_u16(&w, mask);
    write_u8(&w, free);
    ASSERT(reclaim->slot_count < RECLAIM_PUNCHES);
    map->punch_slots[reclaim->slot_count++] =
        (struct slot_of_family){.family = reclaim->family, .slot = slot};
    return stored_put(stored, TABLE_PUNCHES, &key, bytes, sizeof(bytes));
}

static uint16_t blocks_in(const struct extent_row *row, uint16_t mask, uint64_t slot)
{
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++)
        blocks |= (uint32_t)((mask >> i & 1) && row->slots[i] == slot) << i;
    return (uint16_t)blocks;
}

/*
 * All slots of a row that goes: blocks in `freed` are punched; a slot is free when `heir` (or NULL)
 * has nothing of it.
 */
static int free_slots(struct map *map, struct stored *stored, const struct extent_row *row,
                      uint16_t freed, const struct extent_row *heir)
{
    uint32_t left = row->own_data;
    bool own_seen = row->own_slot == SLOT_NONE;
    while (left || !own_seen) {
        uint64_t slot = left ? row->slots[__builtin_ctz(left)] : row->own_slot;
        uint16_t all = blocks_in(row, row->own_data, slot);
        bool used = heir && blocks_in(heir, heir->own_data, slot) != 0;
        int rc = add_punch(map, stored, slot, all & freed, !used);
        if (rc)
            return rc;
        own_seen = own_seen || slot == row->own_slot;
        left &= ~(uint32_t)all;
    }
    return 0;
}

/* A zero mark is needed only where the step before shows data. */
static int trim_zeros(struct stored *stored, uint32_t branch, uint64_t extent, uint64_t step,
                      struct extent_row *row)
{
    struct extent_row base;
    if (row->own_zero == 0)
        return 0;
    int rc = stored_shown(stored, branch, extent, step - 1, &base);
    if (rc == 0)
        row->own_zero &= extent_row_data(&base);
    return rc;
}

/* Writes a row, or deletes it when it says nothing. */
static int settle_row(struct map *map, struct stored *stored, uint64_t extent, uint64_t step,
                      struct extent_row *row)
{
    uint32_t branch = map->reclaim.branch;
    int rc = trim_zeros(stored, branch, extent, map->reclaim.step, row);
    if (rc)
        return rc;
    if (row->own_data || row->own_zero)
        return stored_extent_put(stored, branch, extent, step, row);
    rc = free_slots(map, stored, row, 0, NULL);
    return rc ? rc : stored_extent_delete(stored, branch, extent, step);
}

/* The later row takes over what it shows; the rest is freed. */
static int merge(struct map *map, struct stored *stored, uint64_t extent,
                 const struct extent_row *row, uint64_t step, struct extent_row *later)
{
    uint32_t moved = 0;
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++)
        moved |= (uint32_t)((row->own_data >> i & 1) && later->slots[i] == row->slots[i]) << i;
    later->own_data |= (uint16_t)moved;
    later->own_zero |= row->own_zero & (uint16_t)~extent_row_data(later);
    int rc = free_slots(map, stored, row, row->own_data & (uint16_t)~moved, later);
    if (rc)
        return rc;
    add_stats(&map->reclaim, step, __builtin_popcount(moved));
    return settle_row(map, stored, extent, step, later);
}

static int decode_row(struct stored *stored, struct reader *r, struct extent_row *row)
{
    extent_row_decode(r, row);
    return r->bad ? stored_error(stored, MDB_CORRUPTED) : 0;
}

int reclaim_extent(struct map *map, struct stored *stored, uint64_t extent)
{
    struct reclaim *reclaim = &map->reclaim;
    struct extent_row row, later;
    struct reader k, v;
    struct key key = key_triple(reclaim->branch, extent, reclaim->step);
    int rc = stored_get(stored, TABLE_EXTENTS, &key, &v);
    if (rc == 0)
        return stored_change(stored, reclaim->branch, reclaim->step, extent, false);
    if (rc == 1)
        rc = decode_row(stored, &v, &row);
    if (rc)
        return rc;
    key = key_triple(reclaim->branch, extent, reclaim->step + 1);
    rc = stored_seek(stored, TABLE_EXTENTS, &key, &k, &v);
    if (rc < 0)
        return rc;
    uint64_t step = 0;
    if (rc == 1 && read_u32(&k) == reclaim->branch && row_u48_decode(&k) == extent)
        step = row_u48_decode(&k);
    if (step && reclaim->next && step > reclaim->next)
        step = 0;
    rc = step ? decode_row(stored, &v, &later) : 0;
    add_stats(reclaim, reclaim->step, -__builtin_popcount(row.own_data));
    if (rc == 0)
        rc = stored_extent_delete(stored, reclaim->branch, extent, reclaim->step);
    if (rc)
        return rc;
    if (step)
        return merge(map, stored, extent, &row, step, &later);
    if (reclaim->next == 0)
        return free_slots(map, stored, &row, row.own_data, NULL);
    add_stats(reclaim, reclaim->next, __builtin_popcount(row.own_data));
    return settle_row(map, stored, extent, reclaim->next, &row);
}
