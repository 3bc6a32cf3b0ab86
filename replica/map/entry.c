/* SPDX-License-Identifier: Apache-2.0 */
/* Changing extent rows: in the table and in the journal. */
#include "replica/map/entry.h"

#include "replica/map/lookup.h"
#include "replica/map/slot.h"

#include <errno.h>
#include <stdlib.h>

enum {
    ROW_CHANGE_BYTES = CHANGE_EXTENT_BYTES_MAX + CHANGE_STATS_BYTES,
    FREED_BYTES_MAX = (EXTENT_BLOCKS + 1) * CHANGE_FREE_BYTES,
};

/* What a change of a row does to the rows of later steps, as far as they do not own the blocks. */
struct spread {
    uint64_t extent;
    uint64_t slot; /* where the blocks lie now; SLOT_NONE: they show zeros */
    uint16_t mask;
    uint16_t appeared;
    uint16_t vanished;
    uint16_t foreign; /* were another volume's */
};

static int32_t bits(uint32_t mask)
{
    return __builtin_popcount(mask);
}

static int compare_extents(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_held(const struct map *map, const struct branch *branch, uint64_t extent)
{
    const struct reclaim *reclaim = &map->reclaim;
    return map->job == JOB_RECLAIM && reclaim->branch == branch->id &&
           bsearch(&extent, reclaim->extents, reclaim->extent_count, sizeof(extent),
                   compare_extents);
}

static bool is_last_step(const struct branch *branch, uint64_t step)
{
    return branch->count > 0 && branch->generations[branch->count - 1].step == step;
}

/* The row of `step` is in the table now: is it the newest? */
static void take_newest(struct map *map, const struct branch *branch, struct entry *entry)
{
    struct entry *newest = table_newest(&map->table, entry->branch, entry->extent);
    if (newest == entry)
        return;
    if (!newest) {
        entry->newest = is_last_step(branch, entry->step);
        return;
    }
    if (newest->step > entry->step)
        return;
    newest->newest = false;
    entry->newest = true;
    if (!newest->in_tree)
        table_remove(&map->table, newest);
}

int entry_pin(struct map *map, struct branch *branch, uint64_t extent, uint64_t step,
              struct entry **found)
{
    struct shown shown;
    if (is_held(map, branch, extent))
        return -EAGAIN;
    struct entry *entry = table_find(&map->table, branch->id, extent, step);
    if (!entry || entry->gone) {
        int rc = lookup(map, branch, extent, step, &shown);
        if (rc)
            return rc;
        entry = table_find(&map->table, branch->id, extent, step);
    }
    if (!entry)
        entry = table_add(&map->table, branch->id, extent, step);
    else if (!entry->gone)
        goto pin;
    if (!entry)
        return -EAGAIN;
    entry->row = shown.row;
    entry->gone = false;
pin:
    table_pin(&map->table, entry);
    take_newest(map, branch, entry);
    map_family(map, branch->row.family)->placed++;
    *found = entry;
    return 0;
}

void entry_unpin(struct map *map, struct branch *branch, struct entry *entry)
{
    map_family(map, branch->row.family)->placed--;
    table_unpin(&map->table, entry);
}

int entry_give_slot(struct map *map, struct branch *branch, struct entry *entry)
{
    struct family *family = map_family(map, branch->row.family);
    struct extent_row row;
    uint64_t found;
    int rc = 0;
    if (entry->row.own_slot != SLOT_NONE)
        return 0;
    bool first = branch->id == family->root && is_last_step(branch, entry->step);
    if (first)
        rc = lookup_before(map, branch->id, entry->extent, entry->step - 1, &row, &found);
    if (rc < 0)
        return rc;
    return slot_take(map, family, branch, entry->extent, first && rc == 0, &entry->row.own_slot);
}

/* The entry of a row that exists. */
static struct entry *fetch(struct map *map, const struct branch *branch, uint64_t extent,
                           uint64_t step, const struct extent_row *row)
{
    struct entry *entry = table_find(&map->table, branch->id, extent, step);
    if (entry)
        return entry;
    entry = table_add(&map->table, branch->id, extent, step);
    ASSERT(entry); /* counted before */
    entry->row = *row;
    return entry;
}

static void spread_to_row(struct map *map, struct branch *branch, uint64_t step,
                          const struct extent_row *row, const struct spread *spread,
                          struct writer *w)
{
    struct entry *entry = fetch(map, branch, spread->extent, step, row);
    uint16_t stopped = spread->mask & (row->own_data | row->own_zero);
    uint16_t passed = spread->mask & (uint16_t)~stopped;
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        if (passed >> i & 1)
            entry->row.slots[i] = spread->slot;
    }
    entry->row.foreign &= (uint16_t)~passed;
    const struct stats_row stats = {
        .visible = bits(stopped & spread->vanished) - bits(stopped & spread->appeared),
        .foreign = bits(stopped & spread->foreign),
    };
    struct generation *g = branch_generation(branch, step);
    g->stats.visible += stats.visible;
    g->stats.foreign += stats.foreign;
    change_extent(w, branch->id, spread->extent, step, &entry->row);
    change_stats(w, branch->id, step, &stats);
    table_record(&map->table, entry, map->journal.next_sequence);
}

static void forget_inherited(struct map *map, const struct branch *branch, uint64_t extent)
{
    struct entry *entry = table_newest(&map->table, branch->id, extent);
    if (entry && !entry->in_tree)
        table_remove(&map->table, entry);
}

/*
 * Along the branch from a step on, and along the branches that begin there. Without a writer: only
 * counts the rows, or -EAGAIN.
 */
static int spread_from(struct map *map, struct branch *branch, uint64_t step, struct spread spread,
                       struct writer *w)
{
    int count = 0;
    if (is_held(map, branch, spread.extent))
        return -EAGAIN;
    for (;;) {
        struct extent_row row;
        uint64_t found;
        int rc = lookup_after(map, branch->id, spread.extent, step + 1, &row, &found);
        if (rc < 0)
            return rc;
        for (uint32_t i = 0; i < map->branches.count; i++) {
            struct branch *child = map->branches.items[i];
            if (child->parent != branch || child->volume != branch->volume ||
                child->row.parent_step < step || (rc == 1 && child->row.parent_step >= found))
                continue;
            int more = spread_from(map, child, 0, spread, w);
            if (more < 0)
                return more;
            count += more;
            if (w)
                forget_inherited(map, child, spread.extent);
        }
        if (rc == 0)
            return count;
        count++;
        if (w)
            spread_to_row(map, branch, found, &row, &spread, w);
        spread.mask &= (uint16_t) ~(row.own_data | row.own_zero);
        if (spread.mask == 0)
            return count;
        step = found;
    }
}

/* Records the entry's change and what it does to later steps. */
static int record(struct map *map, struct branch *branch, struct entry *entry,
                  const struct extent_row *row, const struct stats_row *stats,
                  const struct spread *spread, const uint64_t *freed, uint32_t freed_count)
{
    struct family *family = map_family(map, branch->row.family);
    /* Of another branch than the head's, branches may begin at the last step too. */
    bool last = branch->id == branch->volume->row.branch && is_last_step(branch, entry->step);
    int rows = last ? 0 : spread_from(map, branch, entry->step, *spread, NULL);
    if (rows < 0)
        return rows;
    uint64_t bytes = (uint64_t)(rows + 1) * ROW_CHANGE_BYTES + FREED_BYTES_MAX;
    if (table_room(&map->table) < (uint32_t)rows || !map_fits(map, bytes))
        return -EAGAIN;
    struct writer w = journal_begin(&map->journal, bytes);
    uint64_t sequence = map->journal.next_sequence;
    if (!last) {
        rows = spread_from(map, branch, entry->step, *spread, &w);
        ASSERT(rows >= 0);
    }
    if (row)
        entry->row = *row;
    else
        entry->newest = false;
    entry->gone = !row;
    struct generation *g = branch_generation(branch, entry->step);
    g->stats.visible += stats->visible;
    g->stats.owned += stats->owned;
    g->stats.foreign += stats->foreign;
    change_extent(&w, branch->id, entry->extent, entry->step, row);
    change_stats(&w, branch->id, entry->step, stats);
    for (uint32_t i = 0; i < freed_count; i++)
        change_free(&w, freed[i]);
    table_record(&map->table, entry, sequence);
    map_recorded(map, family, journal_end(&map->journal, RECORD_CHANGES, family->id, &w));
    return 0;
}

int entry_show(struct map *map, struct branch *branch, struct entry *entry, uint16_t mask)
{
    struct extent_row row = entry->row;
    uint16_t shown = mask & (uint16_t)~row.own_data;
    if (shown == 0)
        return 0;
    ASSERT(row.own_slot != SLOT_NONE);
    const struct spread spread = {
        .extent = entry->extent,
        .slot = row.own_slot,
        .mask = shown,
        .appeared = shown & (uint16_t)~extent_row_data(&row),
        .foreign = shown & row.foreign,
    };
    const struct stats_row stats = {
        .visible = bits(spread.appeared),
        .owned = bits(shown),
        .foreign = -bits(spread.foreign),
    };
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        if (shown >> i & 1)
            row.slots[i] = row.own_slot;
    }
    row.own_data |= shown;
    row.own_zero &= (uint16_t)~shown;
    row.foreign &= (uint16_t)~shown;
    return record(map, branch, entry, &row, &stats, &spread, NULL, 0);
}

/* Slots of which the row had blocks in `mask` and has none any more. */
static uint32_t freed_slots(const struct extent_row *old, const struct extent_row *row,
                            uint16_t mask, bool gone, uint64_t freed[EXTENT_BLOCKS + 1])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        uint64_t slot = old->slots[i];
        bool kept = !(mask & old->own_data & 1u << i) || slot < SLOT_FIRST || slot == row->own_slot;
        for (uint32_t j = 0; j < EXTENT_BLOCKS && !kept; j++)
            kept = (row->own_data >> j & 1) && row->slots[j] == slot;
        for (uint32_t j = 0; j < count && !kept; j++)
            kept = freed[j] == slot;
        if (!kept)
            freed[count++] = slot;
    }
    if (gone && row->own_slot != SLOT_NONE && row->own_slot >= SLOT_FIRST)
        freed[count++] = row->own_slot;
    return count;
}

int entry_hide(struct map *map, struct branch *branch, struct entry *entry, uint16_t mask)
{
    struct extent_row row = entry->row;
    uint64_t freed[EXTENT_BLOCKS + 1];
    struct shown base;
    uint16_t hidden = mask & extent_row_data(&row);
    if (hidden == 0)
        return 0;
    int rc = lookup(map, branch, entry->extent, entry->step - 1, &base);
    if (rc)
        return rc;
    const struct spread spread = {
        .extent = entry->extent,
        .slot = SLOT_NONE,
        .mask = hidden,
        .vanished = hidden,
        .foreign = hidden & row.foreign,
    };
    const struct stats_row stats = {
        .visible = -bits(hidden),
        .owned = -bits(hidden & row.own_data),
        .foreign = -bits(spread.foreign),
    };
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        if (hidden >> i & 1)
            row.slots[i] = SLOT_NONE;
    }
    row.own_data &= (uint16_t)~hidden;
    row.own_zero |= hidden & extent_row_data(&base.row);
    row.foreign &= (uint16_t)~hidden;
    bool gone = row.own_data == 0 && row.own_zero == 0 && entry->pins == 1;
    uint32_t count = freed_slots(&entry->row, &row, hidden, gone, freed);
    return record(map, branch, entry, gone ? NULL : &row, &stats, &spread, freed, count);
}
