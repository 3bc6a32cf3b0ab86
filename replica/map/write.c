/* SPDX-License-Identifier: Apache-2.0 */
/* Places for writes, and the changes that show what was written. */
#include "replica/map/entry.h"
#include "replica/map/lookup.h"
#include "replica/map/runs.h"
#include "replica/map/volume.h"

#include <errno.h>

/* Pinned by one zero. */
enum { ZERO_EXTENTS_MAX = 256 };

int map_find(struct map_volume *volume, uint64_t generation, uint64_t offset_bytes,
             uint64_t length_bytes, struct map_run *runs, uint32_t runs_max)
{
    ASSERT(volume->open && runs_max > 0);
    struct branch *branch;
    struct map *map = volume->map;
    struct generation *g = lookup_generation(volume, generation, &branch);
    if (map->failed)
        return -EIO;
    if (!g)
        return -ENOENT;
    struct runs list = runs_of(runs, runs_max);
    struct pieces pieces = pieces_of(offset_bytes, length_bytes);
    while (pieces_next(&pieces) && !list.full) {
        struct shown shown;
        const struct extent_row *row;
        uint64_t extent;
        int rc = lookup_row(map, branch, pieces.extent, g->step, &shown, &row);
        if (rc == 0)
            runs_add_row(&list, row, pieces.mask);
        if (rc || list.full || row->own_data || extent_row_data(row))
            goto next;
        /* What is not mapped is skipped. */
        rc = lookup_mapped(map, branch, g->step, pieces.extent + 1, &extent);
        if (rc >= 0)
            runs_add(&list, MAP_ABSENT, 0, pieces_skip_to(&pieces, rc ? extent : NUMBER_48MAX));
    next:
        if (rc < 0)
            return rc;
    }
    return (int)list.count;
}

/* Where a write or zero goes: the step must take changes. */
static int target_of(struct map_volume *volume, uint64_t generation, struct map_write *write,
                     struct branch **branch)
{
    ASSERT(volume->open);
    struct generation *g = lookup_generation(volume, generation, branch);
    if (volume->map->failed)
        return -EIO;
    if (!g)
        return -ENOENT;
    if (g->row.sealed && g->row.complete)
        return -EROFS;
    if (write->offset_bytes > volume->row.size_bytes ||
        write->length_bytes > volume->row.size_bytes - write->offset_bytes)
        return -EINVAL;
    write->branch = (*branch)->id;
    write->step = g->step;
    return 0;
}

/*
 * All in place: the runs; false when a block is not stored for this step yet. What clones of the
 * step show too was complete here once: it is what it was, wherever it lies, and stays there.
 */
static int place_in_place(struct map *map, struct branch *branch, const struct map_write *write,
                          bool cloned, struct runs *runs)
{
    struct pieces pieces = pieces_of(write->offset_bytes, write->length_bytes);
    while (pieces_next(&pieces)) {
        struct shown shown;
        const struct extent_row *row;
        int rc = lookup_row(map, branch, pieces.extent, write->step, &shown, &row);
        if (rc)
            return rc;
        if (pieces.mask & ~(cloned ? extent_row_data(row) : row->own_data))
            return 0;
        runs_add_row(runs, row, pieces.mask);
    }
    return 1;
}

static void unpin_range(struct map *map, struct branch *branch, const struct map_write *write,
                        uint64_t end_bytes)
{
    struct pieces pieces = pieces_of(write->offset_bytes, end_bytes - write->offset_bytes);
    while (pieces_next(&pieces)) {
        struct entry *entry = table_find(&map->table, branch->id, pieces.extent, write->step);
        ASSERT(entry);
        entry_unpin(map, branch, entry);
    }
}

static int place_fresh(struct map *map, struct branch *branch, const struct map_write *write,
                       struct runs *runs)
{
    struct pieces pieces = pieces_of(write->offset_bytes, write->length_bytes);
    while (pieces_next(&pieces)) {
        struct entry *entry;
        int rc = entry_pin(map, branch, pieces.extent, write->step, &entry);
        if (rc == 0 && pieces.mask & ~entry->row.own_data) {
            rc = entry_give_slot(map, branch, entry);
            if (rc)
                entry_unpin(map, branch, entry);
        }
        if (rc) {
            unpin_range(map, branch, write, pieces.at_bytes);
            return rc;
        }
        runs_add_target(runs, &entry->row, pieces.mask);
    }
    return 0;
}

int map_place(struct map_volume *volume, uint64_t generation, uint64_t offset_bytes,
              uint64_t length_bytes, struct map_run *runs, struct map_write *write)
{
    ASSERT(length_bytes > 0 && length_bytes <= (uint64_t)MAP_PLACES_MAX << BLOCK_BYTES_LOG);
    struct branch *branch;
    *write = (struct map_write){.offset_bytes = offset_bytes, .length_bytes = length_bytes};
    int rc = target_of(volume, generation, write, &branch);
    if (rc)
        return rc;
    struct runs list = runs_of(runs, MAP_PLACES_MAX);
    bool cloned = generation && branch_has_clones(volume->map, branch, write->step);
    rc = place_in_place(volume->map, branch, write, cloned, &list);
    if (rc == 0) {
        list = runs_of(runs, MAP_PLACES_MAX);
        rc = place_fresh(volume->map, branch, write, &list);
        write->fresh = rc == 0;
    }
    ASSERT(!list.full);
    return rc < 0 ? rc : (int)list.count;
}

int map_wrote(struct map_volume *volume, const struct map_write *write)
{
    ASSERT(volume->open && write->fresh && !write->zero);
    struct map *map = volume->map;
    struct branch *branch = map_branch(map, write->branch);
    struct pieces pieces = pieces_of(write->offset_bytes, write->length_bytes);
    while (pieces_next(&pieces)) {
        struct entry *entry = table_find(&map->table, branch->id, pieces.extent, write->step);
        ASSERT(entry && entry->pins > 0);
        int rc = entry_show(map, branch, entry, pieces.mask);
        if (rc)
            return rc;
    }
    unpin_range(map, branch, write, write->offset_bytes + write->length_bytes);
    return 0;
}

/* What a zero of the range changes, extent after extent: those that show data in it. */
static int next_shown(struct map *map, struct branch *branch, uint64_t step, struct pieces *pieces,
                      struct shown *shown)
{
    while (pieces_next(pieces)) {
        int rc = lookup(map, branch, pieces->extent, step, shown);
        if (rc)
            return rc;
        if (extent_row_data(&shown->row) & pieces->mask)
            return 1;
        uint64_t extent;
        rc = lookup_mapped(map, branch, step, pieces->extent + 1, &extent);
        if (rc < 0)
            return rc;
        (void)pieces_skip_to(pieces, rc ? extent : NUMBER_48MAX);
    }
    return 0;
}

int map_zero(struct map_volume *volume, uint64_t generation, uint64_t offset_bytes,
             uint64_t length_bytes, struct map_run *runs, struct map_write *write)
{
    struct map *map = volume->map;
    struct branch *branch;
    *write = (struct map_write){
        .offset_bytes = offset_bytes, .length_bytes = length_bytes, .zero = true};
    int rc = target_of(volume, generation, write, &branch);
    if (rc)
        return rc;
    struct runs list = runs_of(runs, MAP_PLACES_MAX);
    struct pieces pieces = pieces_of(offset_bytes, length_bytes);
    uint32_t extents = 0;
    struct shown shown;
    while ((rc = next_shown(map, branch, write->step, &pieces, &shown)) == 1) {
        struct entry *entry;
        if (list.count + EXTENT_BLOCKS > MAP_PLACES_MAX || extents == ZERO_EXTENTS_MAX)
            rc = -EAGAIN;
        else
            rc = entry_pin(map, branch, pieces.extent, write->step, &entry);
        if (rc) {
            write->length_bytes = pieces.at_bytes - offset_bytes;
            rc = rc == -EAGAIN && extents > 0 ? 0 : rc;
            break;
        }
        runs_add_given_up(&list, &entry->row, pieces.mask);
        extents++;
    }
    write->fresh = extents > 0;
    if (rc < 0 && write->fresh) {
        map_unplace(volume, write);
        write->fresh = false;
    }
    return rc < 0 ? rc : (int)list.count;
}

/* Ends the pins of a zero; `apply`: and makes its changes. */
static int end_zero(struct map *map, struct branch *branch, const struct map_write *write,
                    bool apply)
{
    struct pieces pieces = pieces_of(write->offset_bytes, write->length_bytes);
    struct shown shown;
    int rc;
    while ((rc = next_shown(map, branch, write->step, &pieces, &shown)) == 1) {
        struct entry *entry = table_find(&map->table, branch->id, pieces.extent, write->step);
        ASSERT(entry && entry->pins > 0);
        if (apply)
            rc = entry_hide(map, branch, entry, pieces.mask);
        if (rc < 0)
            return rc;
        entry_unpin(map, branch, entry);
    }
    return rc;
}

int map_zeroed(struct map_volume *volume, const struct map_write *write)
{
    ASSERT(volume->open && write->fresh && write->zero);
    return end_zero(volume->map, map_branch(volume->map, write->branch), write, true);
}

void map_unplace(struct map_volume *volume, const struct map_write *write)
{
    ASSERT(volume->open && write->fresh);
    struct map *map = volume->map;
    struct branch *branch = map_branch(map, write->branch);
    if (write->zero)
        (void)!end_zero(map, branch, write, false);
    else
        unpin_range(map, branch, write, write->offset_bytes + write->length_bytes);
}
