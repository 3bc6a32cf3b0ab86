/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extent rows in memory: those that LMDB does not have yet or that a write is about to change
 * ("changed": also in a tree, in the order of their keys), and recently used ones, each the newest
 * of its branch and extent, which are forgotten when room is needed.
 */
#ifndef STRAKE_MAP_TABLE_H
#define STRAKE_MAP_TABLE_H

#include "common/base/list.h"
#include "replica/map/rows.h"

enum { TABLE_ENTRIES_MIN = 64 };

struct entry {
    /* What a look-up needs comes first: an entry is several cache lines long. */
    struct entry *chain; /* of its hash bucket, or of the free ones */
    uint64_t extent;
    uint64_t step; /* 0: no row, but what the branch's parent shows */
    uint32_t branch;
    bool used;   /* is in the table */
    bool recent; /* looked at since the clock's hand came by */
    bool newest; /* there is no later row of this branch and extent */
    bool gone;   /* recorded: there is no row any more */
    bool in_tree;
    struct extent_row row;
    uint32_t pins;      /* writes between place and wrote */
    uint64_t sequence;  /* of its last record that LMDB does not have; 0: LMDB has it */
    struct entry *left; /* in the tree */
    struct entry *right;
    struct list node; /* in `recorded`, by sequence */
};

struct table_of_entries {
    struct entry *entries;  /* owned */
    struct entry **buckets; /* owned */
    struct entry *free;
    struct entry *tree;
    struct list recorded; /* entries with a sequence, lowest first */
    uint32_t entries_max; /* power of two */
    uint32_t changed_count;
    uint32_t hand;
};

MUST_USE int table_init(struct table_of_entries *table, uint32_t entries_max);
void table_release(struct table_of_entries *table);

/* Exactly this row; NULL. */
struct entry *table_find(struct table_of_entries *table, uint32_t branch, uint64_t extent,
                         uint64_t step);
/* The one known to be the newest of its branch and extent; NULL: it is not known. */
struct entry *table_newest(struct table_of_entries *table, uint32_t branch, uint64_t extent);
/* Changed ones: the last at or before, and the first at or after a key; NULL. */
struct entry *table_changed_before(struct table_of_entries *table, uint32_t branch, uint64_t extent,
                                   uint64_t step);
struct entry *table_changed_after(struct table_of_entries *table, uint32_t branch, uint64_t extent,
                                  uint64_t step);
/* How many more can become changed. */
static inline uint32_t table_room(const struct table_of_entries *table)
{
    return table->entries_max - table->changed_count;
}

/* A new entry, its row empty; forgets another one if it must. NULL when all are changed. */
struct entry *table_add(struct table_of_entries *table, uint32_t branch, uint64_t extent,
                        uint64_t step);
void table_remove(struct table_of_entries *table, struct entry *entry);
void table_pin(struct table_of_entries *table, struct entry *entry);
/* What LMDB has, and is not the newest, is forgotten. */
void table_unpin(struct table_of_entries *table, struct entry *entry);
void table_record(struct table_of_entries *table, struct entry *entry, uint64_t sequence);
/* LMDB has everything up to here. */
void table_folded(struct table_of_entries *table, uint64_t sequence);
/* Forgets what is known of an extent; true when nothing of it is changed. */
MUST_USE bool table_forget(struct table_of_entries *table, uint32_t branch, uint64_t extent);

#endif
