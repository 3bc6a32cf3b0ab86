/* SPDX-License-Identifier: Apache-2.0 */
/* Giving out slots: the extent's own number for the root branch, else a free one, else a new one.
 */
#include "replica/map/slot.h"

static bool punch_is_due(const struct map *map, uint32_t family, uint64_t slot)
{
    for (uint32_t i = 0; i < map->punch_slot_count; i++) {
        if (map->punch_slots[i].family == family && map->punch_slots[i].slot == slot)
            return true;
    }
    return false;
}

/* The first free row not used yet: 1, 0, -EIO. */
static int take_free(struct map *map, struct family *family, uint64_t *slot)
{
    if (family->free_from == SLOT_NONE)
        return 0;
    struct key key = key_slot(family->id, family->free_from);
    MDB_val k = map_key(&key), value;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(map->read, map->db[TABLE_FREE], &cursor);
    if (rc)
        return map_fail(map, "cannot read 'free'", rc);
    rc = mdb_cursor_get(cursor, &k, &value, MDB_SET_RANGE);
    if (rc == 0) {
        struct reader r = reader_of(k.mv_data, k.mv_size);
        if (read_u32(&r) != family->id)
            rc = MDB_NOTFOUND;
        *slot = row_u48_decode(&r);
    }
    mdb_cursor_close(cursor);
    if (rc && rc != MDB_NOTFOUND)
        return map_fail(map, "cannot read 'free'", rc);
    family->free_from = rc ? SLOT_NONE : *slot + 1;
    return rc == 0;
}

int slot_take(struct map *map, struct family *family, const struct branch *branch, uint64_t extent,
              bool first, uint64_t *slot)
{
    if (first && branch->id == family->root && extent < SLOT_FIRST &&
        !punch_is_due(map, family->id, extent)) {
        *slot = extent;
        return 0;
    }
    int rc = take_free(map, family, slot);
    if (rc == 0)
        *slot = family->next_slot++;
    ASSERT(rc < 0 || *slot < SLOT_NONE);
    return rc < 0 ? rc : 0;
}

void slot_folded(struct map *map)
{
    for (uint32_t i = 0; i < map->families.count; i++) {
        struct family *family = map->families.items[i];
        if (family->placed == 0 && family->last < map->journal.tail_sequence)
            family->free_from = 0;
    }
}
