/* SPDX-License-Identifier: Apache-2.0 */
/* Branches and their generations in memory. */
#include "replica/map/volume.h"

#include <errno.h>
#include <stdlib.h>

struct branch *branch_new(struct map *map, uint32_t id, const struct branch_row *row,
                          struct map_volume *volume)
{
    struct branch *branch = calloc(1, sizeof(*branch));
    if (!branch)
        return NULL;
    *branch = (struct branch){.id = id, .row = *row, .volume = volume};
    branch->parent = row->parent ? map_branch(map, row->parent) : NULL;
    if (pointers_add(&map->branches, branch)) {
        free(branch);
        return NULL;
    }
    return branch;
}

void branch_free(struct map *map, struct branch *branch)
{
    pointers_remove(&map->branches, branch);
    free(branch->generations);
    free(branch);
}

int branch_reserve(struct branch *branch)
{
    if (branch->count < branch->capacity)
        return 0;
    uint32_t capacity = branch->capacity ? 2 * branch->capacity : 4;
    struct generation *more = realloc(branch->generations, capacity * sizeof(*more));
    if (!more)
        return -ENOMEM;
    branch->generations = more;
    branch->capacity = capacity;
    return 0;
}

struct generation *branch_append(struct branch *branch, const struct generation_row *row)
{
    ASSERT(branch->count < branch->capacity);
    uint64_t step = branch->count ? branch->generations[branch->count - 1].step + 1 : 1;
    struct generation *g = &branch->generations[branch->count++];
    *g = (struct generation){.step = step, .row = *row};
    return g;
}

uint32_t branch_depth(const struct branch *branch)
{
    uint32_t depth = 0;
    for (const struct branch *b = branch; b; b = b->parent)
        depth++;
    return depth;
}

bool branch_is_parent(const struct map *map, const struct branch *branch, uint64_t step)
{
    for (uint32_t i = map->branches.count; i > 0; i--) {
        const struct branch *child = map->branches.items[i - 1];
        if (child->id <= branch->id)
            return false;
        if (child->parent == branch && child->row.parent_step == step)
            return true;
    }
    return false;
}

bool branch_has_clones(const struct map *map, const struct branch *branch, uint64_t step)
{
    for (uint32_t i = map->branches.count; i > 0; i--) {
        const struct branch *child = map->branches.items[i - 1];
        if (child->id <= branch->id)
            return false;
        if (!child->parent || child->volume == child->parent->volume)
            continue;
        while (child->parent && child->parent != branch)
            child = child->parent;
        if (child->parent && child->row.parent_step >= step)
            return true;
    }
    return false;
}

int64_t branch_visible(const struct branch *branch, uint64_t step)
{
    int64_t sum = 0;
    for (;; branch = branch->parent) {
        for (uint32_t i = 0; i < branch->count && branch->generations[i].step <= step; i++)
            sum += branch->generations[i].stats.visible;
        if (!branch->parent || branch->parent->volume != branch->volume)
            return sum + (int64_t)branch->row.shown;
        step = branch->row.parent_step;
    }
}

int64_t branch_foreign(const struct branch *branch, uint64_t step)
{
    int64_t sum = 0;
    for (;; branch = branch->parent) {
        for (uint32_t i = 0; i < branch->count && branch->generations[i].step <= step; i++)
            sum += branch->generations[i].stats.foreign;
        if (!branch->parent || branch->parent->volume != branch->volume)
            return sum + (int64_t)branch->row.shown;
        step = branch->row.parent_step;
    }
}

static void put(struct writer *w, enum table table, const struct key *key,
                const struct writer *value)
{
    ASSERT(!value->bad);
    change_put(w, table, key, value->begin, (uint32_t)writer_length(value));
}

void volume_put(struct writer *w, const struct map_volume *volume)
{
    uint8_t bytes[VALUE_BYTES_MAX];
    struct writer value = writer_of(bytes, sizeof(bytes));
    struct key key = key_volume(&volume->uuid);
    volume_row_encode(&value, &volume->row);
    put(w, TABLE_VOLUMES, &key, &value);
}

void branch_put(struct writer *w, const struct branch *branch)
{
    uint8_t bytes[VALUE_BYTES_MAX];
    struct writer value = writer_of(bytes, sizeof(bytes));
    struct key key = key_branch(branch->id);
    branch_row_encode(&value, &branch->row);
    put(w, TABLE_BRANCHES, &key, &value);
}

void generation_put(struct writer *w, const struct branch *branch, const struct generation *g)
{
    uint8_t bytes[VALUE_BYTES_MAX];
    struct writer value = writer_of(bytes, sizeof(bytes));
    struct key key = key_step(branch->id, g->step);
    generation_row_encode(&value, &g->row);
    put(w, TABLE_GENERATIONS, &key, &value);
}

uint32_t volume_generation_count(const struct map_volume *volume)
{
    const struct pointers *branches = &volume->map->branches;
    uint32_t count = 0;
    for (uint32_t i = 0; i < branches->count; i++) {
        const struct branch *b = branches->items[i];
        for (uint32_t j = 0; b->volume == volume && j < b->count; j++)
            count += !b->generations[j].row.dropped;
    }
    return count;
}

/* The branch's first retained sealed one of at least this number. */
static struct generation *next_of_branch(struct branch *branch, uint64_t number, bool incomplete)
{
    uint32_t low = 0, high = branch->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (branch->generations[middle].row.generation < number)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < branch->count; low++) {
        struct generation *g = &branch->generations[low];
        if (g->row.sealed && !g->row.dropped && !(incomplete && g->row.complete))
            return g;
    }
    return NULL;
}

struct generation *volume_next(struct map_volume *volume, uint64_t number, bool incomplete,
                               struct branch **branch)
{
    struct generation *found = NULL;
    for (uint32_t i = 0; i < volume->map->branches.count; i++) {
        struct branch *b = volume->map->branches.items[i];
        struct generation *g = b->volume == volume ? next_of_branch(b, number, incomplete) : NULL;
        if (g && (!found || g->row.generation < found->row.generation)) {
            found = g;
            *branch = b;
        }
    }
    return found;
}
