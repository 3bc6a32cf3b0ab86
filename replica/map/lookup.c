/* SPDX-License-Identifier: Apache-2.0 */
/* Finding rows: in the table, then in LMDB, then at the branch's parent. */
#include "replica/map/lookup.h"

static struct reader reader_of_value(const MDB_val *value)
{
    return reader_of(value->mv_data, value->mv_size);
}

static bool key_decode(const MDB_val *key, uint32_t *branch, uint64_t *extent, uint64_t *step)
{
    struct reader r = reader_of_value(key);
    *branch = read_u32(&r);
    *extent = row_u48_decode(&r);
    *step = row_u48_decode(&r);
    return !r.bad && reader_left(&r) == 0;
}

static int decode_found(struct map *map, const MDB_val *value, struct extent_row *row)
{
    struct reader r = reader_of_value(value);
    extent_row_decode(&r, row);
    return r.bad ? map_fail(map, "damaged row in 'extents'", 0) : 1;
}

/* Places the cursor at the first row at or after a key: 1 when it is of this branch, 0, -EIO. */
static int seek(struct map *map, uint32_t branch, uint64_t *extent, uint64_t *step, MDB_val *value)
{
    struct key key = key_triple(branch, *extent, *step);
    MDB_val k = map_key(&key);
    uint32_t found;
    int rc = mdb_cursor_get(map->extents, &k, value, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc)
        return map_fail(map, "cannot read 'extents'", rc);
    if (!key_decode(&k, &found, extent, step))
        return map_fail(map, "damaged key in 'extents'", 0);
    return found == branch;
}

/* LMDB's newest row at or before a step. */
static int stored_before(struct map *map, uint32_t branch, uint64_t extent, uint64_t step,
                         MDB_val *value, uint64_t *found)
{
    struct key key = key_triple(branch, extent, step);
    MDB_val k = map_key(&key);
    uint32_t b;
    uint64_t e;
    int rc = mdb_cursor_get(map->extents, &k, value, MDB_SET_RANGE);
    if (rc == 0 && k.mv_size == key.length && memcmp(k.mv_data, key.bytes, key.length) == 0) {
        *found = step;
        return 1;
    }
    if (rc == 0)
        rc = mdb_cursor_get(map->extents, &k, value, MDB_PREV);
    else if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(map->extents, &k, value, MDB_LAST);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc)
        return map_fail(map, "cannot read 'extents'", rc);
    if (!key_decode(&k, &b, &e, found))
        return map_fail(map, "damaged key in 'extents'", 0);
    return b == branch && e == extent;
}

int lookup_before(struct map *map, uint32_t branch, uint64_t extent, uint64_t step,
                  struct extent_row *row, uint64_t *found)
{
    for (;;) {
        MDB_val value;
        const struct entry *e = table_changed_before(&map->table, branch, extent, step);
        if (e && e->step == step && !e->gone) {
            *row = e->row;
            *found = step;
            return 1;
        }
        int rc = stored_before(map, branch, extent, step, &value, found);
        if (rc < 0)
            return rc;
        if (!e || (rc == 1 && *found > e->step))
            return rc == 1 ? decode_found(map, &value, row) : 0;
        if (!e->gone) {
            *row = e->row;
            *found = e->step;
            return 1;
        }
        /* The row before one that is gone. */
        if (e->step == 0)
            return 0;
        step = e->step - 1;
    }
}

int lookup_after(struct map *map, uint32_t branch, uint64_t extent, uint64_t step,
                 struct extent_row *row, uint64_t *found)
{
    for (;;) {
        MDB_val value;
        uint64_t at = extent;
        const struct entry *e = table_changed_after(&map->table, branch, extent, step);
        if (e && e->extent != extent)
            e = NULL;
        *found = step;
        int rc = seek(map, branch, &at, found, &value);
        if (rc < 0)
            return rc;
        rc = rc == 1 && at == extent;
        if (!e || (rc == 1 && *found < e->step))
            return rc == 1 ? decode_found(map, &value, row) : 0;
        if (!e->gone) {
            *row = e->row;
            *found = e->step;
            return 1;
        }
        step = e->step + 1;
    }
}

static void inherit(struct extent_row *row, bool foreign)
{
    row->own_data = row->own_zero = 0;
    row->own_slot = SLOT_NONE;
    if (foreign)
        row->foreign = extent_row_data(row);
}

/* Remembers what the newest step of a branch shows. */
static void remember(struct map *map, const struct branch *branch, uint64_t extent, uint64_t found,
                     const struct extent_row *row)
{
    if (table_find(&map->table, branch->id, extent, found))
        return;
    struct entry *entry = table_add(&map->table, branch->id, extent, found);
    if (!entry)
        return;
    entry->row = *row;
    entry->newest = true;
}

static bool is_last_step(const struct branch *branch, uint64_t step)
{
    return branch->count > 0 && branch->generations[branch->count - 1].step == step;
}

int lookup(struct map *map, struct branch *branch, uint64_t extent, uint64_t step,
           struct shown *shown)
{
    const struct entry *entry = table_newest(&map->table, branch->id, extent);
    if (entry && entry->step <= step) {
        shown->row = entry->row;
        shown->step = entry->step;
        shown->own = entry->step == step;
        if (!shown->own)
            inherit(&shown->row, false);
        return 0;
    }
    bool foreign = false;
    uint64_t at = step;
    int rc = 0;
    struct branch *b = branch;
    for (;; b = b->parent) {
        rc = lookup_before(map, b->id, extent, at, &shown->row, &shown->step);
        if (rc != 0 || !b->parent)
            break;
        foreign = foreign || b->parent->volume != b->volume;
        at = b->row.parent_step;
    }
    if (rc < 0)
        return rc;
    if (rc == 0)
        extent_row_clear(&shown->row);
    if (b != branch || rc == 0) {
        shown->step = 0;
        inherit(&shown->row, foreign);
    }
    if (is_last_step(branch, step))
        remember(map, branch, extent, shown->step, &shown->row);
    shown->own = shown->step == step;
    if (!shown->own)
        inherit(&shown->row, false);
    return 0;
}

int lookup_row(struct map *map, struct branch *branch, uint64_t extent, uint64_t step,
               struct shown *shown, const struct extent_row **row)
{
    const struct entry *entry = table_newest(&map->table, branch->id, extent);
    if (entry && entry->step == step) {
        *row = &entry->row;
        return 0;
    }
    *row = &shown->row;
    return lookup(map, branch, extent, step, shown);
}

/* The first extent at or after `from` with a row at or before a step, of the table or of LMDB. */
static int mapped_of_branch(struct map *map, uint32_t branch, uint64_t step, uint64_t from,
                            uint64_t *extent)
{
    *extent = NUMBER_48MAX;
    const struct entry *e = table_changed_after(&map->table, branch, from, 0);
    while (e && (e->gone || e->step > step))
        e = table_changed_after(&map->table, branch, e->extent, e->step + 1);
    if (e)
        *extent = e->extent;
    uint64_t at = from, found = 0;
    while (at < *extent) {
        MDB_val value;
        int rc = seek(map, branch, &at, &found, &value);
        if (rc <= 0)
            return rc < 0 ? rc : *extent != NUMBER_48MAX;
        if (at >= *extent)
            break;
        if (found <= step) {
            *extent = at;
            break;
        }
        at++;
        found = 0;
    }
    return *extent != NUMBER_48MAX;
}

int lookup_mapped(struct map *map, struct branch *branch, uint64_t step, uint64_t from,
                  uint64_t *extent)
{
    *extent = NUMBER_48MAX;
    for (struct branch *b = branch; b; b = b->parent) {
        uint64_t first;
        int rc = mapped_of_branch(map, b->id, step, from, &first);
        if (rc < 0)
            return rc;
        if (rc == 1 && first < *extent)
            *extent = first;
        step = b->row.parent_step;
    }
    return *extent != NUMBER_48MAX;
}

struct generation *branch_generation(const struct branch *branch, uint64_t step)
{
    uint32_t low = 0, high = branch->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (branch->generations[middle].step < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low < branch->count && branch->generations[low].step == step ? &branch->generations[low]
                                                                        : NULL;
}

/* Numbers grow along a branch; a dropped one may have the number of the one after it. */
static struct generation *find_number(const struct branch *branch, uint64_t number)
{
    uint32_t low = 0, high = branch->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (branch->generations[middle].row.generation <= number)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 0 && branch->generations[low - 1].row.generation == number) {
        if (!branch->generations[--low].row.dropped)
            return &branch->generations[low];
    }
    return NULL;
}

struct generation *lookup_generation(struct map_volume *volume, uint64_t number,
                                     struct branch **branch)
{
    struct map *map = volume->map;
    ASSERT(volume->loaded);
    *branch = map_branch(map, volume->row.branch);
    struct generation *head = &(*branch)->generations[(*branch)->count - 1];
    if (number == 0 || number == head->row.generation)
        return head;
    struct generation *found = find_number(*branch, number);
    for (uint32_t i = map->branches.count; !found && i > 0; i--) {
        *branch = map->branches.items[i - 1];
        if ((*branch)->volume == volume)
            found = find_number(*branch, number);
    }
    return found;
}

struct generation *lookup_base(struct branch *branch, uint64_t step, struct branch **of)
{
    for (struct branch *b = branch; b && b->volume == branch->volume; b = b->parent) {
        for (uint32_t i = b->count; i > 0; i--) {
            struct generation *g = &b->generations[i - 1];
            if (g->step < step && !g->row.dropped) {
                *of = b;
                return g;
            }
        }
        step = b->row.parent_step + 1;
    }
    return NULL;
}
