/* SPDX-License-Identifier: Apache-2.0 */
/* The table of entries: a hash, a clock, and a treap of the changed ones. */
#include "replica/map/table.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static struct entry **bucket_of(struct table_of_entries *table, uint32_t branch, uint64_t extent)
{
    return &table->buckets[mix(extent << 20 ^ branch) & (table->entries_max - 1)];
}

int table_init(struct table_of_entries *table, uint32_t entries_max)
{
    ASSERT(entries_max >= TABLE_ENTRIES_MIN && (entries_max & (entries_max - 1)) == 0);
    *table = (struct table_of_entries){.entries_max = entries_max};
    list_init(&table->recorded);
    table->entries = calloc(entries_max, sizeof(struct entry));
    table->buckets = calloc(entries_max, sizeof(struct entry *));
    if (!table->entries || !table->buckets) {
        table_release(table);
        return -ENOMEM;
    }
    return 0;
}

void table_release(struct table_of_entries *table)
{
    free(table->entries);
    free(table->buckets);
    table->entries = NULL;
    table->buckets = NULL;
}

struct entry *table_find(struct table_of_entries *table, uint32_t branch, uint64_t extent,
                         uint64_t step)
{
    struct entry *e = *bucket_of(table, branch, extent);
    while (e && !(e->branch == branch && e->extent == extent && e->step == step))
        e = e->chain;
    if (e)
        e->recent = true;
    return e;
}

struct entry *table_newest(struct table_of_entries *table, uint32_t branch, uint64_t extent)
{
    struct entry *e = *bucket_of(table, branch, extent);
    while (e && !(e->extent == extent && e->branch == branch && e->newest))
        e = e->chain;
    if (e && !e->recent)
        e->recent = true;
    return e;
}

/* The tree: ordered by key, and as a heap by a hash of the key, which keeps it balanced. */

static int compare(const struct entry *e, uint32_t branch, uint64_t extent, uint64_t step)
{
    if (e->branch != branch)
        return e->branch < branch ? -1 : 1;
    if (e->extent != extent)
        return e->extent < extent ? -1 : 1;
    return e->step < step ? -1 : e->step > step;
}

static uint64_t rank(const struct entry *e)
{
    return mix(mix(e->extent << 20 ^ e->branch) + e->step);
}

/* Splits into what is before the key and what is not. */
static void split(struct entry *tree, const struct entry *key, struct entry **before,
                  struct entry **after)
{
    while (tree) {
        if (compare(tree, key->branch, key->extent, key->step) < 0) {
            *before = tree;
            before = &tree->right;
            tree = tree->right;
        } else {
            *after = tree;
            after = &tree->left;
            tree = tree->left;
        }
    }
    *before = *after = NULL;
}

static void tree_insert(struct table_of_entries *table, struct entry *entry)
{
    struct entry **at = &table->tree;
    uint64_t own = rank(entry);
    while (*at && rank(*at) > own)
        at = compare(*at, entry->branch, entry->extent, entry->step) < 0 ? &(*at)->right
                                                                         : &(*at)->left;
    split(*at, entry, &entry->left, &entry->right);
    *at = entry;
    entry->in_tree = true;
    table->changed_count++;
}

static void tree_remove(struct table_of_entries *table, struct entry *entry)
{
    struct entry **at = &table->tree;
    while (*at != entry)
        at = compare(*at, entry->branch, entry->extent, entry->step) < 0 ? &(*at)->right
                                                                         : &(*at)->left;
    struct entry *left = entry->left, *right = entry->right;
    while (left && right) {
        if (rank(left) > rank(right)) {
            *at = left;
            at = &left->right;
            left = left->right;
        } else {
            *at = right;
            at = &right->left;
            right = right->left;
        }
    }
    *at = left ? left : right;
    entry->left = entry->right = NULL;
    entry->in_tree = false;
    table->changed_count--;
}

struct entry *table_changed_before(struct table_of_entries *table, uint32_t branch, uint64_t extent,
                                   uint64_t step)
{
    struct entry *found = NULL;
    for (struct entry *e = table->tree; e;) {
        bool fits = compare(e, branch, extent, step) <= 0;
        found = fits ? e : found;
        e = fits ? e->right : e->left;
    }
    return found && found->branch == branch && found->extent == extent ? found : NULL;
}

struct entry *table_changed_after(struct table_of_entries *table, uint32_t branch, uint64_t extent,
                                  uint64_t step)
{
    struct entry *found = NULL;
    for (struct entry *e = table->tree; e;) {
        bool fits = compare(e, branch, extent, step) >= 0;
        found = fits ? e : found;
        e = fits ? e->left : e->right;
    }
    return found && found->branch == branch ? found : NULL;
}

/* Adding and removing. */

void table_remove(struct table_of_entries *table, struct entry *entry)
{
    ASSERT(entry->used && entry->pins == 0);
    if (entry->in_tree)
        tree_remove(table, entry);
    list_remove(&entry->node);
    struct entry **at = bucket_of(table, entry->branch, entry->extent);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    entry->used = false;
    entry->chain = table->free;
    table->free = entry;
}

/* The clock: an entry that is not changed gets a second chance if it was looked at. */
static struct entry *take_unused(struct table_of_entries *table)
{
    if (table->free) {
        struct entry *entry = table->free;
        table->free = entry->chain;
        return entry;
    }
    if (table->changed_count == table->entries_max)
        return NULL;
    for (;;) {
        struct entry *entry = &table->entries[table->hand++ & (table->entries_max - 1)];
        if (!entry->used)
            return entry;
        if (entry->in_tree)
            continue;
        if (!entry->recent) {
            table_remove(table, entry);
            table->free = entry->chain;
            return entry;
        }
        entry->recent = false;
    }
}

struct entry *table_add(struct table_of_entries *table, uint32_t branch, uint64_t extent,
                        uint64_t step)
{
    struct entry *entry = take_unused(table);
    if (!entry)
        return NULL;
    *entry = (struct entry){
        .branch = branch, .extent = extent, .step = step, .used = true, .recent = true};
    list_init(&entry->node);
    extent_row_clear(&entry->row);
    struct entry **bucket = bucket_of(table, branch, extent);
    entry->chain = *bucket;
    *bucket = entry;
    return entry;
}

void table_pin(struct table_of_entries *table, struct entry *entry)
{
    entry->pins++;
    if (!entry->in_tree)
        tree_insert(table, entry);
}

/* As in LMDB and not pinned: it is no longer changed. */
static void settle(struct table_of_entries *table, struct entry *entry)
{
    tree_remove(table, entry);
    bool empty = entry->row.own_data == 0 && entry->row.own_zero == 0;
    if (entry->gone || !entry->newest || empty)
        table_remove(table, entry);
}

void table_unpin(struct table_of_entries *table, struct entry *entry)
{
    ASSERT(entry->pins > 0);
    if (--entry->pins == 0 && entry->sequence == 0)
        settle(table, entry);
}

void table_record(struct table_of_entries *table, struct entry *entry, uint64_t sequence)
{
    list_remove(&entry->node);
    list_append(&table->recorded, &entry->node);
    entry->sequence = sequence;
    if (!entry->in_tree)
        tree_insert(table, entry);
}

void table_folded(struct table_of_entries *table, uint64_t sequence)
{
    while (!list_empty(&table->recorded)) {
        struct entry *entry = CONTAINER_OF(table->recorded.next, struct entry, node);
        if (entry->sequence > sequence)
            return;
        list_remove(&entry->node);
        entry->sequence = 0;
        if (entry->pins == 0)
            settle(table, entry);
    }
}

bool table_forget(struct table_of_entries *table, uint32_t branch, uint64_t extent)
{
    struct entry *changed = table_changed_after(table, branch, extent, 0);
    if (changed && changed->extent == extent)
        return false;
    for (;;) {
        struct entry *e = *bucket_of(table, branch, extent);
        while (e && !(e->branch == branch && e->extent == extent))
            e = e->chain;
        if (!e)
            return true;
        table_remove(table, e);
    }
}
