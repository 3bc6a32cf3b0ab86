/* SPDX-License-Identifier: Apache-2.0 */
/* The checker: every structure of the map against every other, in words. */
#include "replica/map/fold.h"
#include "replica/map/volume.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS_BYTES = 256, OWNERS_MIN = 1024 };

struct owner {
    uint64_t slot;
    uint64_t extent;
    uint64_t step;
    uint32_t family;
    uint32_t branch; /* 0: none */
    uint16_t blocks;
};

struct check {
    struct map *map;
    struct stored stored;
    map_finding_fn *finding;
    map_slot_fn *used;
    void *arg;
    uint32_t findings;
    struct owner *owners; /* owned: a hash by family and slot */
    uint64_t owner_count;
    uint64_t owner_capacity;  /* power of two */
    struct stats_row stats;   /* found along the branch so far; owned: of the step */
    struct stats_row counted; /* the same as counted */
    uint64_t bits;            /* extents found through the changes */
    int error;
};

static void found(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void found(struct check *check, const char *format, ...)
{
    char words[WORDS_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    check->findings++;
    check->finding(check->arg, words);
}

/* Owners of slots. */

static struct owner *owner_at(const struct check *check, uint32_t family, uint64_t slot)
{
    uint64_t at = (slot * 0x9e3779b97f4a7c15u ^ family) >> 7;
    for (;; at++) {
        struct owner *owner = &check->owners[at & (check->owner_capacity - 1)];
        if (owner->branch == 0 || (owner->slot == slot && owner->family == family))
            return owner;
    }
}

static bool owners_grow(struct check *check)
{
    if (2 * check->owner_count < check->owner_capacity)
        return true;
    struct owner *old = check->owners;
    uint64_t count = check->owner_capacity;
    check->owner_capacity = count ? 2 * count : OWNERS_MIN;
    check->owners = calloc(check->owner_capacity, sizeof(*check->owners));
    if (!check->owners) {
        check->owners = old;
        check->owner_capacity = count;
        check->error = -ENOMEM;
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (old[i].branch)
            *owner_at(check, old[i].family, old[i].slot) = old[i];
    }
    free(old);
    return true;
}

static void own_slot(struct check *check, const struct branch *branch, uint64_t extent,
                     uint64_t step, uint64_t slot, uint16_t blocks)
{
    const struct family *family = map_family(check->map, branch->row.family);
    if (!owners_grow(check))
        return;
    struct owner *owner = owner_at(check, family->id, slot);
    bool same = owner->branch == branch->id && owner->extent == extent && owner->step == step;
    if (owner->branch && !same)
        found(check, "slot %llu of family %u belongs to two rows: extents %llu and %llu",
              (unsigned long long)slot, family->id, (unsigned long long)owner->extent,
              (unsigned long long)extent);
    if (slot < SLOT_FIRST && slot != extent)
        found(check, "slot %llu of family %u holds extent %llu", (unsigned long long)slot,
              family->id, (unsigned long long)extent);
    if (slot < SLOT_FIRST ? branch->id != family->root : slot >= family->next_slot)
        found(check, "slot %llu of family %u was never given out", (unsigned long long)slot,
              family->id);
    check->owner_count += owner->branch == 0;
    blocks |= same ? owner->blocks : 0;
    *owner = (struct owner){.slot = slot,
                            .extent = extent,
                            .step = step,
                            .family = family->id,
                            .branch = branch->id,
                            .blocks = blocks};
}

/* Extent rows, step by step through the changes. */

static void check_row(struct check *check, struct branch *branch, uint64_t extent, uint64_t step,
                      const struct extent_row *row)
{
    struct shown base;
    if (lookup(check->map, branch, extent, step - 1, &base)) {
        check->error = -EIO;
        return;
    }
    uint16_t data = extent_row_data(row), before = extent_row_data(&base.row);
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        if (row->own_data >> i & 1)
            own_slot(check, branch, extent, step, row->slots[i], (uint16_t)(1u << i));
        else if (!(row->own_zero >> i & 1) && row->slots[i] != base.row.slots[i])
            found(check,
                  "branch %u, extent %llu, step %llu: block %u is not what the step before shows",
                  branch->id, (unsigned long long)extent, (unsigned long long)step, i);
    }
    uint16_t foreign = base.row.foreign & (uint16_t) ~(row->own_data | row->own_zero);
    if (row->foreign != foreign)
        found(check, "branch %u, extent %llu, step %llu: wrong marks of another volume's blocks",
              branch->id, (unsigned long long)extent, (unsigned long long)step);
    if (row->own_slot != SLOT_NONE)
        own_slot(check, branch, extent, step, row->own_slot, 0);
    check->stats.owned += __builtin_popcount(row->own_data);
    check->stats.visible += __builtin_popcount(data) - __builtin_popcount(before);
    check->stats.foreign += __builtin_popcount(row->foreign) - __builtin_popcount(base.row.foreign);
}

static void check_changed(struct check *check, struct branch *branch, uint64_t extent,
                          uint64_t step)
{
    struct extent_row row;
    struct reader r;
    struct key key = key_triple(branch->id, extent, step);
    int rc = stored_get(&check->stored, TABLE_EXTENTS, &key, &r);
    check->bits++;
    if (rc < 0) {
        check->error = rc;
    } else if (rc == 0) {
        found(check, "branch %u, extent %llu, step %llu: noted as changed, and has no row",
              branch->id, (unsigned long long)extent, (unsigned long long)step);
    } else {
        extent_row_decode(&r, &row);
        if (r.bad)
            found(check, "branch %u, extent %llu, step %llu: damaged row", branch->id,
                  (unsigned long long)extent, (unsigned long long)step);
        else
            check_row(check, branch, extent, step, &row);
    }
}

static void check_step(struct check *check, struct branch *branch, const struct generation *g)
{
    uint64_t group = 0;
    check->stats.owned = 0;
    check->counted.visible += g->stats.visible;
    check->counted.foreign += g->stats.foreign;
    while (check->error == 0) {
        struct reader k, v;
        struct key key = key_triple(branch->id, g->step, group);
        int rc = stored_seek(&check->stored, TABLE_CHANGES, &key, &k, &v);
        if (rc < 0)
            check->error = rc;
        if (rc <= 0 || read_u32(&k) != branch->id || row_u48_decode(&k) != g->step)
            break;
        group = row_u48_decode(&k);
        for (uint32_t bit = 0; bit < GROUP_EXTENTS && reader_left(&v) == GROUP_BYTES; bit++) {
            if (v.next[bit / 8] >> bit % 8 & 1)
                check_changed(check, branch, group * GROUP_EXTENTS + bit, g->step);
        }
        group++;
    }
    if (check->stats.owned != g->stats.owned)
        found(check, "branch %u, step %llu: %lld blocks are counted, there are %lld", branch->id,
              (unsigned long long)g->step, (long long)g->stats.owned,
              (long long)check->stats.owned);
    /* Of a dropped one rows go to later steps first, the counts only at its end. */
    if (!g->row.dropped && (check->stats.visible != check->counted.visible ||
                            check->stats.foreign != check->counted.foreign))
        found(check,
              "branch %u, step %llu: %lld blocks are counted as shown, %lld as another volume's; "
              "there are %lld and %lld",
              branch->id, (unsigned long long)g->step, (long long)check->counted.visible,
              (long long)check->counted.foreign, (long long)check->stats.visible,
              (long long)check->stats.foreign);
}

static void check_branch(struct check *check, struct branch *branch)
{
    const struct branch *parent = branch->parent;
    if (branch->count == 0)
        found(check, "branch %u has no generation", branch->id);
    if (parent && !branch_generation(parent, branch->row.parent_step))
        found(check, "branch %u begins at step %llu of branch %u, which is not there", branch->id,
              (unsigned long long)branch->row.parent_step, parent->id);
    if (branch_depth(branch) > MAP_DEPTH_MAX + 1)
        found(check, "branch %u is too far from its first", branch->id);
    if (parent && parent->volume != branch->volume &&
        branch_visible(parent, branch->row.parent_step) != (int64_t)branch->row.shown)
        found(check, "branch %u: its origin does not show %llu blocks", branch->id,
              (unsigned long long)branch->row.shown);
    check->stats = check->counted = (struct stats_row){0};
    for (uint32_t i = 0; i < branch->count && check->error == 0; i++)
        check_step(check, branch, &branch->generations[i]);
}

/* Free and punched slots. */

static void check_slots(struct check *check, enum table table)
{
    struct key key = key_slot(0, 0);
    struct reader k, v;
    int rc;
    while ((rc = stored_seek(&check->stored, table, &key, &k, &v)) == 1) {
        uint32_t family_id = read_u32(&k);
        uint64_t slot = row_u48_decode(&k);
        const struct family *family = map_family(check->map, family_id);
        uint16_t mask = table == TABLE_PUNCHES ? read_u16(&v) : UINT16_MAX;
        bool goes = table == TABLE_FREE || read_u8(&v);
        const struct owner *owner =
            check->owners ? owner_at(check, family_id, slot) : &(struct owner){0};
        if (!family)
            found(check, "family %u has free slots, and is not there", family_id);
        else if (slot >= SLOT_FIRST && slot >= family->next_slot)
            found(check, "slot %llu of family %u is free, and was never given out",
                  (unsigned long long)slot, family_id);
        if (owner->branch && (goes || owner->blocks & mask))
            found(check, "slot %llu of family %u is free, and extent %llu is in it",
                  (unsigned long long)slot, family_id, (unsigned long long)owner->extent);
        key = key_slot(family_id, slot + 1);
    }
    check->error = rc < 0 ? rc : check->error;
}

static void check_extent_count(struct check *check)
{
    MDB_stat stat;
    int rc = mdb_stat(check->stored.txn, check->map->db[TABLE_EXTENTS], &stat);
    if (rc)
        check->error = stored_error(&check->stored, rc);
    else if (stat.ms_entries != check->bits)
        found(check, "%llu rows of extents, of which %llu belong to a generation",
              (unsigned long long)stat.ms_entries, (unsigned long long)check->bits);
}

static void check_volume(struct check *check, struct map_volume *volume)
{
    char name[UUID_TEXT_BYTES];
    uuid_format(&volume->uuid, name);
    if (volume_load(volume)) {
        check->error = -EIO;
        return;
    }
    struct branch *head = volume->deleted ? NULL : map_branch(check->map, volume->row.branch);
    if (volume->deleted)
        return;
    const struct generation_row *row = &head->generations[head->count - 1].row;
    if (row->sealed || row->dropped || head->volume != volume)
        found(check, "volume %s: its head is none", name);
}

int map_check(struct map *map, map_finding_fn *finding, map_slot_fn *used, void *arg)
{
    ASSERT(map->job == JOB_NONE && !map_fold_pending(map));
    struct check check = {.map = map, .finding = finding, .used = used, .arg = arg};
    check.stored = (struct stored){.map = map, .txn = map->read};
    LIST_FOR_EACH (node, &map->volumes) {
        if (check.error == 0)
            check_volume(&check, CONTAINER_OF(node, struct map_volume, node));
    }
    for (uint32_t i = 0; i < map->branches.count && check.error == 0; i++)
        check_branch(&check, map->branches.items[i]);
    if (check.error == 0)
        check_extent_count(&check);
    if (check.error == 0)
        check_slots(&check, TABLE_FREE);
    if (check.error == 0)
        check_slots(&check, TABLE_PUNCHES);
    for (uint64_t i = 0; i < check.owner_capacity && used && check.error == 0; i++) {
        if (check.owners[i].branch)
            used(arg, check.owners[i].family, check.owners[i].slot, check.owners[i].blocks);
    }
    free(check.owners);
    return check.error ? check.error : (int)check.findings;
}
