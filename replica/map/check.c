/* SPDX-License-Identifier: Apache-2.0 */
/* The checker: every structure of the map against every other, in words. */
#include "replica/map/check.h"

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
    map_words_fn *finding;
    map_slot_fn *used;
    void *arg;
    uint32_t findings;
    uint32_t repairable;   /* of them: they follow from the rest */
    struct stored *repair; /* where to, or NULL */
    map_words_fn *repaired;
    uint32_t repairs;
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
    if (!check->repair)
        check->finding(check->arg, words);
}

/* What was found last follows from the rest: true when it is to be put right now. */
static bool repair(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool repair(struct check *check, const char *format, ...)
{
    char words[WORDS_BYTES];
    va_list args;
    check->repairable++;
    if (!check->repair)
        return false;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    check->repairs++;
    check->repaired(check->arg, words);
    return true;
}

static void note(struct check *check, int rc)
{
    if (rc < 0 && check->error == 0)
        check->error = rc;
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

/* Counts are of what the rows say. */
static void put_stats(struct check *check, const struct branch *branch, struct generation *g,
                      const struct stats_row *more)
{
    if (!repair(check, "branch %u, step %llu: counted anew", branch->id,
                (unsigned long long)g->step))
        return;
    note(check, stored_stats_add(check->repair, branch->id, g->step, more));
    g->stats.visible += more->visible;
    g->stats.owned += more->owned;
    g->stats.foreign += more->foreign;
    check->counted.visible += more->visible;
    check->counted.foreign += more->foreign;
}

static void check_step(struct check *check, struct branch *branch, struct generation *g)
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
    if (check->stats.owned != g->stats.owned) {
        const struct stats_row more = {.owned = check->stats.owned - g->stats.owned};
        found(check, "branch %u, step %llu: %lld blocks are counted, there are %lld", branch->id,
              (unsigned long long)g->step, (long long)g->stats.owned,
              (long long)check->stats.owned);
        put_stats(check, branch, g, &more);
    }
    /* Of a dropped one rows go to later steps first, the counts only at its end. */
    if (!g->row.dropped && (check->stats.visible != check->counted.visible ||
                            check->stats.foreign != check->counted.foreign)) {
        const struct stats_row more = {.visible = check->stats.visible - check->counted.visible,
                                       .foreign = check->stats.foreign - check->counted.foreign};
        found(check,
              "branch %u, step %llu: %lld blocks are counted as shown, %lld as another volume's; "
              "there are %lld and %lld",
              branch->id, (unsigned long long)g->step, (long long)check->counted.visible,
              (long long)check->counted.foreign, (long long)check->stats.visible,
              (long long)check->stats.foreign);
        put_stats(check, branch, g, &more);
    }
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

/* Hashes, which are there to spare work alone. */

static struct map_volume *volume_of(const struct map *map, uint32_t id)
{
    LIST_FOR_EACH (node, &map->volumes) {
        struct map_volume *volume = CONTAINER_OF(node, struct map_volume, node);
        if (volume->row.id == id)
            return volume;
    }
    return NULL;
}

static void drop_hashes(struct check *check, uint32_t volume)
{
    bool ended = false;
    if (!repair(check, "volume number %u: its hashes were removed", volume))
        return;
    while (!ended && check->error == 0)
        note(check, stored_delete_some(check->repair, TABLE_DIGESTS, volume, 0, &ended));
}

/* True when the group's hash is that of its pieces' hashes. */
static bool hashes_agree(struct reader *r, uint64_t number)
{
    static struct digest_group group;
    struct hashes_row row;
    uint8_t hash[DIGEST_BYTES];
    if (number == NUMBER_48MAX)
        return true; /* the state: it is believed with the identities it names alone */
    hashes_row_decode(r, &row, &group);
    digest_group_hash(&group, hash);
    return !r->bad && memcmp(hash, row.hash, sizeof(hash)) == 0;
}

static void check_hashes(struct check *check)
{
    struct key key = key_step(0, 0);
    struct reader k, v;
    int rc;
    while ((rc = stored_seek(&check->stored, TABLE_DIGESTS, &key, &k, &v)) == 1) {
        uint32_t id = read_u32(&k);
        uint64_t number = row_u48_decode(&k);
        const struct map_volume *volume = volume_of(check->map, id);
        bool agree = !k.bad && hashes_agree(&v, number);
        if (!volume)
            found(check, "volume number %u has hashes, and is not there", id);
        else if (!agree)
            found(check, "volume number %u: the hashes of group %llu are damaged", id,
                  (unsigned long long)number);
        if (!volume || !agree)
            drop_hashes(check, id);
        bool more = volume && agree && number < NUMBER_48MAX;
        key = more ? key_step(id, number + 1) : key_step(id + 1, 0);
    }
    note(check, rc);
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

static void tell_used(const struct check *check, const struct owner *owner)
{
    const struct branch *branch = map_branch(check->map, owner->branch);
    const struct generation *g = branch_generation(branch, owner->step);
    const struct map_slot slot = {.family = owner->family,
                                  .slot = owner->slot,
                                  .blocks = owner->blocks,
                                  .volume = branch->volume->uuid,
                                  .generation = g ? g->row.generation : 0,
                                  .offset_bytes = owner->extent << EXTENT_BYTES_LOG};
    check->used(check->arg, &slot);
}

static void check_all(struct check *check)
{
    struct map *map = check->map;
    LIST_FOR_EACH (node, &map->volumes) {
        if (check->error == 0)
            check_volume(check, CONTAINER_OF(node, struct map_volume, node));
    }
    for (uint32_t i = 0; i < map->branches.count && check->error == 0; i++)
        check_branch(check, map->branches.items[i]);
    if (check->error == 0)
        check_extent_count(check);
    if (check->error == 0)
        check_slots(check, TABLE_FREE);
    if (check->error == 0)
        check_slots(check, TABLE_PUNCHES);
    if (check->error == 0)
        check_hashes(check);
}

int map_check(struct map *map, map_words_fn *finding, map_slot_fn *used, void *arg)
{
    ASSERT(map->job == JOB_NONE && !map_fold_pending(map, UINT64_MAX));
    struct check check = {.map = map, .finding = finding, .used = used, .arg = arg};
    check.stored = (struct stored){.map = map, .txn = map->read};
    check_all(&check);
    for (uint64_t i = 0; i < check.owner_capacity && used && check.error == 0; i++) {
        if (check.owners[i].branch)
            tell_used(&check, &check.owners[i]);
    }
    free(check.owners);
    return check.error ? check.error : (int)check.findings;
}

static void say_nothing(void *arg, const char *words)
{
    (void)arg;
    (void)words;
}

/* Once to see that nothing else is wrong, and then again. */
int map_repair(struct map *map, map_words_fn *repaired, void *arg)
{
    struct stored stored;
    struct check check = {.map = map, .finding = say_nothing, .repaired = repaired, .arg = arg};
    check.stored = (struct stored){.map = map, .txn = map->read};
    check_all(&check);
    free(check.owners);
    if (check.error || check.findings > check.repairable || check.findings == 0)
        return check.error;
    struct check again = {.map = map, .repaired = repaired, .arg = arg, .repair = &stored};
    again.stored = check.stored;
    int rc = stored_begin(&stored, map);
    if (rc == 0) {
        check_all(&again);
        free(again.owners);
        rc = again.error ? again.error : stored_commit(&stored);
    }
    stored_abort(&stored);
    if (rc == 0)
        rc = map_renew(map);
    return rc ? rc : (int)again.repairs;
}
