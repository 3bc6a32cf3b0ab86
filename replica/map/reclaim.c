/* SPDX-License-Identifier: Apache-2.0 */
/* Reclaim of dropped generations, of deleted volumes and of books' left-overs, in pieces. */
#include "replica/map/reclaim.h"

#include "replica/map/lookup.h"
#include "replica/map/volume.h"

#include <errno.h>
#include <stdlib.h>

/* What is pending. */

/* Dropped, nobody starts from it, and LMDB has all of it. */
static bool goes(const struct map *map, const struct branch *branch, const struct generation *g)
{
    return g->row.dropped && !branch_is_parent(map, branch, g->step);
}

bool map_reclaim_pending(const struct map *map)
{
    if (map->failed)
        return false;
    if (map->punch_slot_count > 0)
        return true;
    for (struct list *n = map->volumes.next; n != &map->volumes; n = n->next) {
        const struct map_volume *volume = CONTAINER_OF(n, struct map_volume, node);
        if (!volume->clean || (volume->book_dirty && !volume->install))
            return !map->stuck;
    }
    return false;
}

/* Begin: on the loop. */

/* Extents of the step that have a row, from one on; those that change at present are left. */
static int collect(struct map *map, struct branch *branch, uint64_t step, uint64_t extent,
                   bool *some_left)
{
    struct reclaim *reclaim = &map->reclaim;
    struct stored stored = {.map = map, .txn = map->read};
    *some_left = extent > 0;
    while (reclaim->extent_count < RECLAIM_EXTENTS) {
        struct reader k, v;
        struct key key = key_triple(branch->id, step, extent / GROUP_EXTENTS);
        int rc = stored_seek(&stored, TABLE_CHANGES, &key, &k, &v);
        if (rc < 0)
            return map_fail(map, "cannot read 'changes'", stored.lmdb_error);
        if (rc == 0 || read_u32(&k) != branch->id || row_u48_decode(&k) != step) {
            extent = 0;
            break;
        }
        uint64_t group = row_u48_decode(&k);
        if (k.bad || reader_left(&v) != GROUP_BYTES)
            return map_fail(map, "damaged row in 'changes'", 0);
        extent = group * GROUP_EXTENTS > extent ? group * GROUP_EXTENTS : extent;
        for (; extent / GROUP_EXTENTS == group && reclaim->extent_count < RECLAIM_EXTENTS;
             extent++) {
            uint32_t bit = extent % GROUP_EXTENTS;
            if (!(v.next[bit / 8] >> bit % 8 & 1))
                continue;
            if (table_forget(&map->table, branch->id, extent))
                reclaim->extents[reclaim->extent_count++] = extent;
            else
                *some_left = true;
        }
    }
    map->from_branch = branch->id;
    map->from_step = step;
    map->from_extent = extent;
    return 0;
}

static bool is_last_branch(const struct map *map, const struct branch *branch)
{
    for (uint32_t i = 0; i < map->branches.count; i++) {
        const struct branch *other = map->branches.items[i];
        if (other != branch && other->row.family == branch->row.family)
            return false;
    }
    return true;
}

static int begin_generation(struct map *map, struct branch *branch, uint32_t idx)
{
    struct reclaim *reclaim = &map->reclaim;
    const struct generation *g = &branch->generations[idx];
    bool some_left;
    *reclaim = (struct reclaim){
        .kind = RECLAIM_GENERATION,
        .volume = branch->volume,
        .family = branch->row.family,
        .branch = branch->id,
        .step = g->step,
        .last = branch->count == 1,
        .last_branch = branch->count == 1 && is_last_branch(map, branch),
    };
    for (uint32_t i = idx + 1; i < branch->count && reclaim->next == 0; i++) {
        if (!goes(map, branch, &branch->generations[i]))
            reclaim->next = branch->generations[i].step;
    }
    bool same = map->from_branch == branch->id && map->from_step == g->step;
    uint64_t from = same ? map->from_extent : 0;
    int rc = collect(map, branch, g->step, from, &some_left);
    if (rc == 0 && reclaim->extent_count == 0 && from > 0)
        rc = collect(map, branch, g->step, 0, &some_left);
    if (rc)
        return rc;
    return reclaim->extent_count > 0 || !some_left;
}

static int begin_volume(struct map *map, struct map_volume *volume)
{
    bool clean = true;
    int rc = volume_load(volume);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < map->branches.count; i++) {
        struct branch *branch = map->branches.items[i];
        for (uint32_t j = 0; branch->volume == volume && j < branch->count; j++) {
            if (!goes(map, branch, &branch->generations[j]))
                continue;
            clean = false;
            rc = begin_generation(map, branch, j);
            if (rc)
                return rc;
        }
    }
    volume->clean = clean;
    volume_unload(volume);
    return 0;
}

static int begin_some(struct map *map)
{
    LIST_FOR_EACH (node, &map->volumes) {
        struct map_volume *volume = CONTAINER_OF(node, struct map_volume, node);
        if (volume->sequence >= map->journal.tail_sequence)
            continue;
        if (volume->book_dirty && !volume->install) {
            map->reclaim = (struct reclaim){.kind = RECLAIM_BOOK, .volume = volume};
            return 1;
        }
        int rc = volume->clean ? 0 : begin_volume(map, volume);
        if (rc)
            return rc;
    }
    return 0;
}

int map_reclaim_begin(struct map *map)
{
    ASSERT(map->job == JOB_NONE);
    int rc = 1;
    if (map->failed)
        return -EIO;
    if (map->punch_slot_count > 0 && !map->punched)
        return 0;
    if (map->punch_slot_count > 0)
        map->reclaim = (struct reclaim){.kind = RECLAIM_FORGET};
    else
        rc = map->stuck ? 0 : begin_some(map);
    map->stuck = false;
    map->left = rc == 0 && map_reclaim_pending(map);
    map->stuck = rc == 0;
    if (rc == 1)
        map->job = JOB_RECLAIM;
    return rc;
}

/* Work: on the worker. */

static int forget_punches(struct map *map, struct stored *stored)
{
    for (uint32_t i = 0; i < map->punch_slot_count; i++) {
        const struct slot_of_family *punch = &map->punch_slots[i];
        struct key key = key_slot(punch->family, punch->slot);
        struct reader r;
        int rc = stored_get(stored, TABLE_PUNCHES, &key, &r);
        if (rc <= 0)
            return rc < 0 ? rc : stored_error(stored, MDB_CORRUPTED);
        (void)read_u16(&r);
        bool free = read_u8(&r);
        rc = stored_delete(stored, TABLE_PUNCHES, &key);
        if (rc == 0 && free)
            rc = stored_put(stored, TABLE_FREE, &key, "", 0);
        if (rc)
            return rc;
    }
    return 0;
}

static int end_generation(struct map *map, struct stored *stored)
{
    struct reclaim *reclaim = &map->reclaim;
    struct reader k, v;
    struct stats_row stats = {0};
    struct key key = key_triple(reclaim->branch, reclaim->step, 0);
    int rc = stored_seek(stored, TABLE_CHANGES, &key, &k, &v);
    if (rc < 0)
        return rc;
    if (rc == 1 && read_u32(&k) == reclaim->branch && row_u48_decode(&k) == reclaim->step)
        return 0;
    /* Not before its punches are made and forgotten. */
    if (reclaim->last_branch && reclaim->slot_count > 0)
        return 0;
    if (reclaim->last_branch) {
        bool none_left;
        rc = stored_delete_some(stored, TABLE_FREE, reclaim->family, 0, &none_left);
        if (rc || !none_left)
            return rc;
    }
    key = key_step(reclaim->branch, reclaim->step);
    rc = stored_get(stored, TABLE_STATS, &key, &v);
    if (rc == 1)
        stats_row_decode(&v, &stats);
    stats.owned = 0;
    if (rc >= 0 && reclaim->next)
        rc = stored_stats_add(stored, reclaim->branch, reclaim->next, &stats);
    if (rc >= 0)
        rc = stored_delete(stored, TABLE_STATS, &key);
    if (rc == 0)
        rc = stored_delete(stored, TABLE_GENERATIONS, &key);
    key = key_branch(reclaim->branch);
    if (rc == 0 && reclaim->last)
        rc = stored_delete(stored, TABLE_BRANCHES, &key);
    key = key_family(reclaim->family);
    if (rc == 0 && reclaim->last_branch)
        rc = stored_delete(stored, TABLE_FAMILIES, &key);
    reclaim->ended = rc == 0;
    return rc;
}

static int work_on_generation(struct map *map, struct stored *stored)
{
    struct reclaim *reclaim = &map->reclaim;
    int rc = 0;
    for (uint32_t i = 0; i < reclaim->extent_count && rc == 0; i++) {
        if (reclaim->slot_count + 2 * EXTENT_BLOCKS + 2 > RECLAIM_PUNCHES / EXTENT_BLOCKS)
            break;
        rc = reclaim_extent(map, stored, reclaim->extents[i]);
    }
    for (uint32_t i = 0; i < reclaim->stats_count && rc == 0; i++)
        rc = stored_stats_add(stored, reclaim->branch, reclaim->stats[i].step,
                              &reclaim->stats[i].stats);
    return rc ? rc : end_generation(map, stored);
}

/* A deleted volume's hashes go with its book. */
static int work_on_book(struct reclaim *reclaim, struct stored *stored)
{
    const struct map_volume *volume = reclaim->volume;
    uint32_t keep = volume->deleted ? 0 : volume->row.book;
    int rc = stored_delete_some(stored, TABLE_BOOK, volume->row.id, keep, &reclaim->ended);
    if (rc || !reclaim->ended || !volume->deleted)
        return rc;
    return stored_delete_some(stored, TABLE_DIGESTS, volume->row.id, 0, &reclaim->ended);
}

static int work(struct map *map, struct stored *stored)
{
    struct reclaim *reclaim = &map->reclaim;
    switch (reclaim->kind) {
    case RECLAIM_FORGET:
        return forget_punches(map, stored);
    case RECLAIM_BOOK:
        return work_on_book(reclaim, stored);
    case RECLAIM_GENERATION:
        return work_on_generation(map, stored);
    }
    UNREACHABLE();
}

int map_reclaim_work(struct map *map)
{
    struct stored stored;
    int rc = stored_begin(&stored, map);
    if (rc == 0)
        rc = work(map, &stored);
    if (rc == 0)
        rc = stored_commit(&stored);
    stored_abort(&stored);
    map->job_error = stored.lmdb_error;
    return rc;
}

/* End: on the loop. */

/* The runs of the slots that are to be punched. */
static int load_punches(struct map *map)
{
    struct stored stored = {.map = map, .txn = map->read};
    map->punch_count = 0;
    map->punched = false;
    for (uint32_t i = 0; i < map->punch_slot_count; i++) {
        const struct slot_of_family *punch = &map->punch_slots[i];
        struct key key = key_slot(punch->family, punch->slot);
        struct reader r;
        int rc = stored_get(&stored, TABLE_PUNCHES, &key, &r);
        if (rc <= 0)
            return map_fail(map, "cannot read 'punches'", stored.lmdb_error);
        uint32_t mask = read_u16(&r);
        while (mask) {
            uint32_t first = (uint32_t)__builtin_ctz(mask), count = 0;
            while (mask >> (first + count) & 1)
                count++;
            ASSERT(map->punch_count < RECLAIM_PUNCHES);
            map->punches[map->punch_count++] = (struct map_punch){
                .family = punch->family,
                .segment = (uint32_t)(punch->slot >> SEGMENT_SLOTS_LOG),
                .offset_bytes = (punch->slot & ((1u << SEGMENT_SLOTS_LOG) - 1))
                                    << EXTENT_BYTES_LOG |
                                (uint64_t)first << BLOCK_BYTES_LOG,
                .length_bytes = (uint64_t)count << BLOCK_BYTES_LOG,
            };
            mask &= ~(((1u << count) - 1) << first);
        }
    }
    return 0;
}

int reclaim_load(struct map *map)
{
    struct stored stored = {.map = map, .txn = map->read};
    struct key key = key_slot(0, 0);
    struct reader k, v;
    int rc;
    while ((rc = stored_seek(&stored, TABLE_PUNCHES, &key, &k, &v)) == 1) {
        struct slot_of_family *punch = &map->punch_slots[map->punch_slot_count];
        punch->family = read_u32(&k);
        punch->slot = row_u48_decode(&k);
        if (k.bad || ++map->punch_slot_count > RECLAIM_PUNCHES / EXTENT_BLOCKS)
            return map_fail(map, "damaged row in 'punches'", 0);
        key = key_slot(punch->family, punch->slot + 1);
    }
    return rc < 0 ? map_fail(map, "cannot read 'punches'", stored.lmdb_error) : load_punches(map);
}

static void take_out(struct map *map, struct branch *branch)
{
    struct reclaim *reclaim = &map->reclaim;
    struct generation *g = branch_generation(branch, reclaim->step);
    struct generation *next = reclaim->next ? branch_generation(branch, reclaim->next) : NULL;
    if (next) {
        next->stats.visible += g->stats.visible;
        next->stats.foreign += g->stats.foreign;
    }
    uint32_t idx = (uint32_t)(g - branch->generations);
    branch->count--;
    memmove(g, g + 1, (branch->count - idx) * sizeof(*g));
    if (!reclaim->last)
        return;
    if (branch->parent)
        branch->parent->volume->clean = false;
    branch_free(map, branch);
    struct family *family = map_family(map, reclaim->family);
    if (reclaim->last_branch) {
        map->reclaimed_family = family->id;
        pointers_remove(&map->families, family);
        free(family);
    }
    volume_forget(reclaim->volume);
}

static void end_of_generation(struct map *map)
{
    struct reclaim *reclaim = &map->reclaim;
    struct branch *branch = map_branch(map, reclaim->branch);
    for (uint32_t i = 0; i < reclaim->extent_count; i++) {
        bool unchanged = table_forget(&map->table, branch->id, reclaim->extents[i]);
        ASSERT(unchanged);
    }
    for (uint32_t i = 0; i < reclaim->stats_count; i++) {
        struct generation *g = branch_generation(branch, reclaim->stats[i].step);
        g->stats.owned += reclaim->stats[i].stats.owned;
    }
    map->punch_slot_count = reclaim->slot_count;
    (void)!load_punches(map);
    if (reclaim->ended)
        take_out(map, branch);
}

void map_reclaim_end(struct map *map, int status)
{
    ASSERT(map->job == JOB_RECLAIM);
    struct reclaim *reclaim = &map->reclaim;
    map->job = JOB_NONE;
    if (status == 0)
        status = map_renew(map);
    else if (status != -ENOSPC)
        (void)map_fail(map, "cannot reclaim", map->job_error);
    if (status) {
        if (reclaim->kind == RECLAIM_GENERATION)
            map->from_extent = 0;
        return;
    }
    switch (reclaim->kind) {
    case RECLAIM_FORGET:
        map->punch_slot_count = map->punch_count = 0;
        break;
    case RECLAIM_BOOK:
        reclaim->volume->book_dirty = !reclaim->ended;
        volume_forget(reclaim->volume);
        break;
    case RECLAIM_GENERATION:
        end_of_generation(map);
        break;
    }
}

uint32_t map_take_reclaimed(struct map *map)
{
    uint32_t family = map->reclaimed_family;
    map->reclaimed_family = 0;
    return family;
}

uint32_t map_punches(const struct map *map, const struct map_punch **punches)
{
    *punches = map->punches;
    return map->punched ? 0 : map->punch_count;
}

void map_punched(struct map *map)
{
    map->punched = true;
}
