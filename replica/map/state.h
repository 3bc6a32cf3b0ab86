/* SPDX-License-Identifier: Apache-2.0 */
/* What an open map consists of (private to the room). */
#ifndef STRAKE_MAP_STATE_H
#define STRAKE_MAP_STATE_H

#include "common/wire/generation.h"
#include "replica/map/change.h"
#include "replica/map/journal.h"
#include "replica/map/map.h"
#include "replica/map/table.h"

#include <lmdb.h>

enum {
    BLOCK_BYTES_LOG = 12,
    EXTENT_BYTES_LOG = 16,
    SEGMENT_SLOTS_LOG = 24,
    MAP_DEPTH_MAX = 256, /* branches between a generation and the first of its family */
    RECLAIM_EXTENTS = 1024,
    RECLAIM_PUNCHES = 16384,
    RECLAIM_STATS = RECLAIM_EXTENTS + 2,
    ROWS_OF_BATCH = 1000,
};

/* Of the retained, the pinned and the dropped ones, as far as reclaim has not ended them. */
struct generation {
    uint64_t step;
    struct generation_row row;
    struct stats_row stats;
};

struct branch {
    uint32_t id;
    struct branch_row row;
    struct map_volume *volume;
    struct branch *parent; /* or NULL */
    /* Only while its volume is loaded; by step. */
    struct generation *generations; /* owned */
    uint32_t count;
    uint32_t capacity;
};

struct family {
    uint32_t id;
    uint32_t root;      /* its first branch */
    uint64_t next_slot; /* never given out yet */
    uint64_t free_from; /* free rows below were given out again already */
    uint32_t placed;    /* pins on entries of this family */
    uint64_t first;     /* a record that is not known to be flushed is not before this; 0: none */
    uint64_t unsaid;    /* likewise, as far as the journal says so */
    uint64_t last;      /* its last record */
};

/* A row of the book that LMDB does not have yet; its value lies in the journal. */
struct note {
    struct list node;
    uint64_t sequence;
    uint32_t version;
    char key[BOOK_KEY_BYTES];
    uint32_t value_bytes; /* 0: removed */
    const uint8_t *value;
};

struct install; /* a book under way */

struct map_volume {
    struct map *map;
    struct list node;
    struct uuid uuid;
    struct volume_row row;
    bool open;
    bool loaded;
    bool deleted;    /* kept for its branches */
    uint64_t kept;   /* head not complete: the generation that holds what it held when it was */
    bool book_dirty; /* rows of other versions may be there */
    bool clean;      /* nothing of it can be reclaimed */
    bool seen;       /* what follows is as the generations are: each read asks for it */
    uint64_t incomplete_generation; /* the lowest, or 0 */
    uint64_t incomplete_base;
    uint64_t sequence; /* of its last record but extents' */
    struct list notes;
    uint8_t *command; /* owned: the last one applied, as it came */
    uint32_t command_bytes;
    struct install *install; /* owned */
};

struct pointers {
    void **items; /* owned; by number */
    uint32_t count;
    uint32_t capacity;
};

enum job { JOB_NONE, JOB_FOLD, JOB_RECLAIM };

enum reclaim_kind {
    RECLAIM_FORGET,     /* the punches were made: take them out */
    RECLAIM_BOOK,       /* left-over rows of a book */
    RECLAIM_GENERATION, /* extents of a dropped generation, or its end */
};

/* Between the begin and the end of a reclaim. */
struct reclaim {
    enum reclaim_kind kind;
    bool ended; /* by work: nothing of it is left */
    struct map_volume *volume;
    uint32_t family;
    uint32_t branch;
    uint64_t step;
    uint64_t next;                     /* the kept step after it, 0: none */
    bool last;                         /* of its branch */
    bool last_branch;                  /* of its family */
    uint64_t extents[RECLAIM_EXTENTS]; /* held: they do not change meanwhile */
    uint32_t extent_count;
    uint32_t punch_count;
    uint32_t slot_count;
    uint32_t stats_count;
    struct {
        uint64_t step;
        struct stats_row stats;
    } stats[RECLAIM_STATS];
};

struct slot_of_family {
    uint32_t family;
    uint64_t slot;
};

struct map {
    MDB_env *env;
    MDB_dbi db[TABLE_COUNT];
    MDB_txn *read;       /* the loop's; renewed when a job ended */
    MDB_cursor *extents; /* of `read` */
    struct journal journal;
    struct table_of_entries table;
    struct list volumes;
    struct pointers branches; /* struct branch */
    struct pointers families; /* struct family */
    uint32_t next_volume;
    uint32_t next_branch;
    uint32_t next_family;
    enum job job;
    uint64_t fold_until;    /* sequence before which the job may fold */
    uint64_t fold_position; /* what it has folded */
    uint64_t fold_sequence;
    int job_error;        /* of LMDB */
    bool stuck;           /* reclaim found nothing it could do since the last fold */
    bool left;            /* and left something, as it was being changed */
    uint32_t from_branch; /* where reclaim goes on, in a dropped generation's changes */
    uint64_t from_step;
    uint64_t from_extent;
    struct reclaim reclaim;
    uint32_t reclaimed_family; /* that has nothing any more, until it is told; 0: none */
    struct map_punch punches[RECLAIM_PUNCHES];
    struct slot_of_family punch_slots[RECLAIM_PUNCHES];
    uint32_t punch_count;
    uint32_t punch_slot_count;
    bool punched;
    struct error failure;
    bool failed;
};

/* map.c */
/* Puts the map out of service; returns -EIO. */
int map_fail(struct map *map, const char *what, int lmdb_error);
MDB_val map_key(const struct key *key);
struct branch *map_branch(const struct map *map, uint32_t id);
struct family *map_family(const struct map *map, uint32_t id);
void *pointers_find(const struct pointers *pointers, uint32_t id); /* items begin with their id */
MUST_USE int pointers_add(struct pointers *pointers, void *item);
void pointers_remove(struct pointers *pointers, const void *item);
/* A new read transaction for the loop: what jobs committed is seen. */
MUST_USE int map_renew(struct map *map);
/* A record was appended to the journal. */
void map_recorded(struct map *map, struct family *family, uint64_t sequence);
/* Room in the journal for a payload of changes. */
MUST_USE bool map_fits(const struct map *map, uint64_t payload_bytes);

#endif
