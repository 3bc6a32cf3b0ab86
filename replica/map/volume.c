/* SPDX-License-Identifier: Apache-2.0 */
/* Making, deleting, opening volumes; what is known of them in memory. */
#include "replica/map/volume.h"

#include "replica/map/book.h"
#include "replica/map/stored.h"

#include <errno.h>
#include <stdlib.h>

static struct map_volume *volume_new(struct map *map, const struct uuid *uuid,
                                     const struct volume_row *row)
{
    struct map_volume *volume = calloc(1, sizeof(*volume));
    if (!volume)
        return NULL;
    *volume = (struct map_volume){.map = map, .uuid = *uuid, .row = *row};
    list_init(&volume->notes);
    list_append(&map->volumes, &volume->node);
    return volume;
}

static void volume_free(struct map_volume *volume)
{
    list_remove(&volume->node);
    notes_release(volume, UINT64_MAX);
    install_abort(volume);
    free(volume->command);
    free(volume);
}

struct map_volume *volume_find(struct map *map, const struct uuid *uuid)
{
    LIST_FOR_EACH (node, &map->volumes) {
        struct map_volume *volume = CONTAINER_OF(node, struct map_volume, node);
        if (!volume->deleted && uuid_equal(&volume->uuid, uuid))
            return volume;
    }
    return NULL;
}

static struct map_volume *find_id(struct map *map, uint32_t id)
{
    LIST_FOR_EACH (node, &map->volumes) {
        struct map_volume *volume = CONTAINER_OF(node, struct map_volume, node);
        if (volume->row.id == id)
            return volume;
    }
    return NULL;
}

/* Loading: each row of a table in order. */

typedef int each_row_fn(struct map *map, struct reader *key, struct reader *value);

static int each_row(struct map *map, enum table table, each_row_fn *each)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    int rc = mdb_cursor_open(map->read, map->db[table], &cursor);
    if (rc)
        return map_fail(map, "cannot read", rc);
    int result = 0;
    for (rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST); rc == 0 && result == 0;
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        struct reader key = reader_of(k.mv_data, k.mv_size);
        struct reader value = reader_of(v.mv_data, v.mv_size);
        result = each(map, &key, &value);
        if (result == 0 && (key.bad || value.bad))
            result = map_fail(map, "damaged row", 0);
    }
    mdb_cursor_close(cursor);
    if (rc && rc != MDB_NOTFOUND)
        return map_fail(map, "cannot read", rc);
    return result;
}

static int load_family(struct map *map, struct reader *key, struct reader *value)
{
    struct family *family = calloc(1, sizeof(*family));
    if (!family)
        return -ENOMEM;
    family->id = read_u32(key);
    family->root = read_u32(value);
    family->next_slot = row_u48_decode(value);
    map->next_family = family->id + 1;
    if (pointers_add(&map->families, family) == 0)
        return 0;
    free(family);
    return -ENOMEM;
}

static int load_volume(struct map *map, struct reader *key, struct reader *value)
{
    struct volume_row row;
    struct uuid uuid;
    read_copy(key, uuid.bytes, UUID_BYTES);
    volume_row_decode(value, &row);
    if (row.id >= map->next_volume)
        map->next_volume = row.id + 1;
    struct map_volume *volume = volume_new(map, &uuid, &row);
    if (!volume)
        return -ENOMEM;
    volume->book_dirty = row.staged > 0;
    return 0;
}

static int load_branch(struct map *map, struct reader *key, struct reader *value)
{
    static const struct uuid nobody;
    struct branch_row row;
    uint32_t id = read_u32(key);
    branch_row_decode(value, &row);
    if (key->bad || value->bad)
        return 0;
    if (!map_family(map, row.family) || (row.parent && !map_branch(map, row.parent)))
        return map_fail(map, "a branch without its family or parent", 0);
    if (row.volume >= map->next_volume)
        map->next_volume = row.volume + 1;
    map->next_branch = id + 1;
    struct map_volume *volume = find_id(map, row.volume);
    if (!volume) {
        const struct volume_row ghost = {.id = row.volume, .family = row.family};
        volume = volume_new(map, &nobody, &ghost);
        if (!volume)
            return -ENOMEM;
        volume->deleted = volume->book_dirty = true;
    }
    return branch_new(map, id, &row, volume) ? 0 : -ENOMEM;
}

int volume_load_all(struct map *map)
{
    map->next_volume = map->next_branch = map->next_family = 1;
    int rc = each_row(map, TABLE_FAMILIES, load_family);
    if (rc == 0)
        rc = each_row(map, TABLE_VOLUMES, load_volume);
    if (rc == 0)
        rc = each_row(map, TABLE_BRANCHES, load_branch);
    return rc;
}

void volume_free_all(struct map *map)
{
    while (map->branches.count > 0)
        branch_free(map, map->branches.items[map->branches.count - 1]);
    while (!list_empty(&map->volumes))
        volume_free(CONTAINER_OF(map->volumes.next, struct map_volume, node));
    for (uint32_t i = 0; i < map->families.count; i++)
        free(map->families.items[i]);
    free(map->families.items);
    free(map->branches.items);
}

static int load_generations(struct branch *branch)
{
    struct map *map = branch->volume->map;
    struct stored stored = {.map = map, .txn = map->read};
    struct reader k, v;
    uint64_t step = 0;
    for (;;) {
        struct generation g = {0};
        struct key key = key_step(branch->id, step);
        int rc = stored_seek(&stored, TABLE_GENERATIONS, &key, &k, &v);
        if (rc < 0)
            return map_fail(map, "cannot read 'generations'", stored.lmdb_error);
        if (rc == 0 || read_u32(&k) != branch->id)
            return 0;
        g.step = row_u48_decode(&k);
        generation_row_decode(&v, &g.row);
        if (k.bad || v.bad)
            return map_fail(map, "damaged row in 'generations'", 0);
        key = key_step(branch->id, g.step);
        rc = stored_get(&stored, TABLE_STATS, &key, &v);
        if (rc == 1)
            stats_row_decode(&v, &g.stats);
        if (rc < 0 || v.bad)
            return map_fail(map, "damaged row in 'stats'", stored.lmdb_error);
        if (branch_reserve(branch))
            return -ENOMEM;
        branch->generations[branch->count++] = g;
        step = g.step + 1;
    }
}

static int load_command(struct map_volume *volume)
{
    struct stored stored = {.map = volume->map, .txn = volume->map->read};
    struct key key = key_volume(&volume->uuid);
    struct reader r;
    int rc = stored_get(&stored, TABLE_COMMANDS, &key, &r);
    if (rc < 0)
        return map_fail(volume->map, "cannot read 'commands'", stored.lmdb_error);
    if (rc == 0)
        return 0;
    volume->command_bytes = (uint32_t)reader_left(&r);
    volume->command = malloc(volume->command_bytes);
    if (!volume->command)
        return -ENOMEM;
    read_copy(&r, volume->command, volume->command_bytes);
    return 0;
}

int volume_load(struct map_volume *volume)
{
    struct map *map = volume->map;
    if (volume->loaded)
        return 0;
    int rc = volume->deleted ? 0 : load_command(volume);
    for (uint32_t i = 0; i < map->branches.count && rc == 0; i++) {
        struct branch *branch = map->branches.items[i];
        if (branch->volume == volume)
            rc = load_generations(branch);
    }
    const struct branch *head = volume->deleted ? NULL : map_branch(map, volume->row.branch);
    if (rc == 0 && !volume->deleted && (!head || head->count == 0))
        rc = map_fail(map, "a volume without its head", 0);
    volume->loaded = true;
    volume->seen = false;
    if (rc)
        volume_unload(volume);
    return rc;
}

void volume_unload(struct map_volume *volume)
{
    struct map *map = volume->map;
    if (!volume->loaded || volume->open || volume->sequence >= map->journal.tail_sequence ||
        !list_empty(&volume->notes))
        return;
    if (map->job == JOB_RECLAIM && map->reclaim.volume == volume)
        return; /* its end needs them */
    /* Counts of rows that wait for a fold are in memory alone, too. */
    const struct family *family = map_family(map, volume->row.family);
    if (family && family->last >= map->journal.tail_sequence)
        return;
    for (uint32_t i = 0; i < map->branches.count; i++) {
        struct branch *branch = map->branches.items[i];
        if (branch->volume != volume)
            continue;
        free(branch->generations);
        branch->generations = NULL;
        branch->count = branch->capacity = 0;
    }
    free(volume->command);
    volume->command = NULL;
    volume->command_bytes = 0;
    volume->loaded = false;
}

void volume_folded(struct map *map, uint64_t sequence)
{
    LIST_FOR_EACH (node, &map->volumes) {
        struct map_volume *volume = CONTAINER_OF(node, struct map_volume, node);
        notes_release(volume, sequence);
        volume_unload(volume);
    }
}

void volume_forget(struct map_volume *volume)
{
    struct map *map = volume->map;
    for (uint32_t i = 0; i < map->branches.count; i++) {
        if (((const struct branch *)map->branches.items[i])->volume == volume)
            return;
    }
    if (volume->deleted && !volume->book_dirty)
        volume_free(volume);
}

void volume_recorded(struct map_volume *volume, const struct writer *payload)
{
    struct map *map = volume->map;
    struct family *family = map_family(map, volume->row.family);
    volume->sequence = journal_end(&map->journal, RECORD_CHANGES, family->id, payload);
    map_recorded(map, family, volume->sequence);
    volume->clean = false;
    volume->seen = false;
    map->stuck = false;
}

/* The door. */

static int find_origin(struct map *map, const struct uuid *uuid, uint64_t number,
                       struct branch_row *row)
{
    struct branch *branch;
    struct map_volume *origin = volume_find(map, uuid);
    if (!origin || number == 0)
        return -ENOENT;
    int rc = volume_load(origin);
    if (rc)
        return rc;
    struct generation *g = lookup_generation(origin, number, &branch);
    if (!g || !g->row.sealed || !g->row.complete)
        return -ENOENT;
    if (branch_depth(branch) >= MAP_DEPTH_MAX)
        return -EMLINK;
    row->family = origin->row.family;
    row->parent = branch->id;
    row->parent_step = g->step;
    row->shown = (uint64_t)branch_visible(branch, g->step);
    return 0;
}

static struct family *family_new(struct map *map, struct writer *w)
{
    uint8_t bytes[10];
    struct writer value = writer_of(bytes, sizeof(bytes));
    struct family *family = calloc(1, sizeof(*family));
    if (!family)
        return NULL;
    family->id = map->next_family++;
    family->root = map->next_branch;
    family->next_slot = SLOT_FIRST;
    if (pointers_add(&map->families, family)) {
        free(family);
        return NULL;
    }
    struct key key = key_family(family->id);
    write_u32(&value, family->root);
    row_u48_encode(&value, family->next_slot);
    change_put(w, TABLE_FAMILIES, &key, bytes, sizeof(bytes));
    return family;
}

int map_volume_create(struct map *map, const struct uuid *uuid, uint64_t size_bytes,
                      const struct uuid *origin, uint64_t origin_generation, bool blank,
                      uint32_t *family)
{
    uint8_t bytes[CHANGE_PUT_BYTES + 32];
    struct writer first = writer_of(bytes, sizeof(bytes));
    struct branch_row row = {.volume = map->next_volume};
    if (map->failed)
        return -EIO;
    if (volume_find(map, uuid))
        return -EEXIST;
    int rc = origin ? find_origin(map, origin, origin_generation, &row) : 0;
    if (rc)
        return rc;
    uint64_t length = sizeof(bytes) + VOLUME_PUT_BYTES + BRANCH_PUT_BYTES + GENERATION_PUT_BYTES;
    if (!map_fits(map, length))
        return -EAGAIN;
    if (!origin) {
        struct family *made = family_new(map, &first);
        if (!made)
            return -ENOMEM;
        row.family = made->id;
    }
    const struct volume_row volume_row = {
        .id = map->next_volume++,
        .family = row.family,
        .size_bytes = size_bytes,
        .branch = map->next_branch,
        .book = 1,
        .head_complete = !blank,
    };
    struct map_volume *volume = volume_new(map, uuid, &volume_row);
    struct branch *branch = volume ? branch_new(map, map->next_branch++, &row, volume) : NULL;
    /* Small, and once a volume: without memory for it the process is at its end. */
    ASSERT(branch && branch_reserve(branch) == 0);
    volume->loaded = true;
    struct generation *g = branch_append(branch, &(struct generation_row){.generation = 1});
    struct writer w = journal_begin(&map->journal, length);
    write_bytes(&w, bytes, writer_length(&first));
    volume_put(&w, volume);
    branch_put(&w, branch);
    generation_put(&w, branch, g);
    volume_recorded(volume, &w);
    *family = row.family;
    return 0;
}

int map_volume_delete(struct map *map, const struct uuid *uuid, uint32_t *family)
{
    struct map_volume *volume = volume_find(map, uuid);
    if (map->failed)
        return -EIO;
    if (!volume)
        return -ENOENT;
    ASSERT(!volume->open);
    int rc = volume_load(volume);
    if (rc)
        return rc;
    uint64_t count = volume_generation_count(volume);
    uint64_t length = 2 * VOLUME_PUT_BYTES + count * GENERATION_PUT_BYTES;
    if (!map_fits(map, length))
        return -EAGAIN;
    struct writer w = journal_begin(&map->journal, length);
    struct key key = key_volume(uuid);
    change_delete(&w, TABLE_VOLUMES, &key);
    change_delete(&w, TABLE_COMMANDS, &key);
    for (uint32_t i = 0; i < map->branches.count; i++) {
        struct branch *branch = map->branches.items[i];
        for (uint32_t j = 0; branch->volume == volume && j < branch->count; j++) {
            struct generation *g = &branch->generations[j];
            if (g->row.dropped)
                continue;
            g->row.sealed = g->row.dropped = true;
            generation_put(&w, branch, g);
        }
    }
    volume->deleted = volume->book_dirty = true;
    *family = volume->row.family;
    volume_recorded(volume, &w);
    return 0;
}

int map_volume_open(struct map *map, const struct uuid *uuid, struct map_volume **open)
{
    struct map_volume *volume = volume_find(map, uuid);
    if (map->failed)
        return -EIO;
    if (!volume)
        return -ENOENT;
    ASSERT(!volume->open);
    int rc = volume_load(volume);
    volume->open = rc == 0;
    *open = volume;
    return rc;
}

void map_volume_close(struct map_volume *volume)
{
    ASSERT(volume->open);
    install_abort(volume);
    volume->open = false;
    volume_unload(volume);
}

static uint64_t base_number(struct branch *branch, uint64_t step)
{
    struct branch *of;
    const struct generation *base = lookup_base(branch, step, &of);
    return base ? base->row.generation : 0;
}

static void see_incomplete(struct map_volume *volume)
{
    if (volume->seen)
        return;
    struct branch *branch;
    const struct generation *incomplete = volume_next(volume, 1, true, &branch);
    volume->seen = true;
    volume->incomplete_generation = incomplete ? incomplete->row.generation : 0;
    volume->incomplete_base = incomplete ? base_number(branch, incomplete->step) : 0;
}

void map_volume_info(struct map_volume *volume, struct map_info *info)
{
    ASSERT(volume->open);
    struct branch *branch;
    const struct generation *head = lookup_generation(volume, 0, &branch);
    *info = (struct map_info){
        .family = volume->row.family,
        .size_bytes = volume->row.size_bytes,
        .head_complete = volume->row.head_complete,
        .lineage =
            {
                .command = volume->row.command,
                .command_identity = volume->row.command_identity,
                .head_generation = head->row.generation,
                .head_base = base_number(branch, head->step),
                .kept_generation = volume->row.head_complete ? head->row.generation : volume->kept,
            },
    };
    see_incomplete(volume);
    info->lineage.incomplete_generation = volume->incomplete_generation;
    info->lineage.incomplete_base = volume->incomplete_base;
}

void map_volume_space(struct map_volume *volume, struct message_space *space)
{
    const struct map *map = volume->map;
    struct branch *branch;
    const struct generation *head = lookup_generation(volume, 0, &branch);
    int64_t owned = 0, reclaimable = 0;
    for (uint32_t i = 0; i < map->branches.count; i++) {
        const struct branch *b = map->branches.items[i];
        for (uint32_t j = 0; b->volume == volume && j < b->count; j++) {
            const struct generation *g = &b->generations[j];
            bool goes = g->row.dropped && !branch_is_parent(map, b, g->step);
            *(goes ? &reclaimable : &owned) += g->stats.owned;
        }
    }
    space->logical_bytes = (uint64_t)branch_visible(branch, head->step) << BLOCK_BYTES_LOG;
    space->unique_bytes = (uint64_t)owned << BLOCK_BYTES_LOG;
    space->shared_bytes = (uint64_t)branch_foreign(branch, head->step) << BLOCK_BYTES_LOG;
    space->reclaimable_bytes = (uint64_t)reclaimable << BLOCK_BYTES_LOG;
}

int map_volume_grow(struct map_volume *volume, uint64_t size_bytes)
{
    struct map *map = volume->map;
    if (map->failed)
        return -EIO;
    if (size_bytes < volume->row.size_bytes)
        return -EINVAL;
    if (size_bytes == volume->row.size_bytes)
        return 0;
    if (!map_fits(map, VOLUME_PUT_BYTES))
        return -EAGAIN;
    volume->row.size_bytes = size_bytes;
    struct writer w = journal_begin(&map->journal, VOLUME_PUT_BYTES);
    volume_put(&w, volume);
    volume_recorded(volume, &w);
    return 0;
}

void map_volume_each(struct map *map, map_each_fn *each, void *arg)
{
    LIST_FOR_EACH (node, &map->volumes) {
        const struct map_volume *volume = CONTAINER_OF(node, struct map_volume, node);
        if (!volume->deleted)
            each(arg, &volume->uuid, volume->row.family);
    }
}
