/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the map room: where each 4 KiB block of every generation of a pool's volumes lies.
 * POOL/map is an LMDB environment, POOL/journal a ring of changes not yet in it. One thread (the
 * loop's) calls everything but the *_work functions, which may run on one other thread, one at a
 * time; nothing but map_open, map_close and *_work waits for a disk. rows.h, journal.h: the
 * formats.
 *
 *   family      a volume and everything cloned from it; has the data slots, in segments of 1 TiB
 *   slot        64 KiB of a family's data; block i of an extent only ever lies in block i of a slot
 *   branch      a line of generations: of a new volume, of a clone, or begun by a REVERT
 *   generation  in all calls 0 means the head; numbers are the volume's own
 *
 * M1  What a generation shows is changed only by writes and zeros to it, and, while it is
 *     incomplete, to incomplete ones of its volume that it was made from.
 * M2  A block's place is shown only once its data is there: map_place, data, then map_wrote.
 * M3  A slot belongs to one (branch, extent, generation), and to another only after the change that
 *     freed it is durable, its blocks are punched, and no read can be under way.
 * M4  Changes answered survive kill -9. Changes followed by map_flushed and a sync of the journal
 *     survive power loss; of a family's later changes none does: they go together.
 * M5  Only flushed changes enter LMDB, with the mark up to where the journal has been taken over.
 * M6  A block nobody shows is punched, also after a crash in between: punch, then forget.
 * M7  A generation some branch starts from is kept, though dropped. Completeness is inherited: what
 *     is made from an incomplete generation is incomplete.
 *
 * Results: 0 or more, or -EAGAIN (no room until a fold, or the extent is being reclaimed: ask again
 * after the next *_end), -ENOENT (no such volume or generation), -EROFS (sealed and complete),
 * -EINVAL, -EIO (out of service; map_failed says why). Ranges are multiples of 4 KiB.
 */
#ifndef STRAKE_MAP_MAP_H
#define STRAKE_MAP_MAP_H

#include "common/base/error.h"
#include "common/base/uuid.h"
#include "common/wire/generation.h"
#include "replica/map/check.h"
#include "replica/map/digest.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MAP_EXTENT_BYTES = 64 << 10,
    MAP_PLACES_MAX = 256,        /* of one write: 1 MiB in blocks */
    MAP_GENERATIONS_MAX = 32768, /* retained ones of a volume; one more is refused: -E2BIG */
};

struct map;
struct map_volume; /* an open volume */
struct map_settings {
    const char *directory;  /* the pool's; map/ and journal are made in it if they are missing */
    struct uuid boot;       /* of the running kernel */
    uint32_t entries_max;   /* extents remembered, changed ones included; 0: a default */
    uint64_t journal_bytes; /* of a journal to be made; 0: by the free space */
    /* Syncs a family's data, before changes are taken over that no flush covered. 0 or -errno. */
    int (*sync)(void *arg, uint32_t family);
    void *arg;
};

enum map_state { MAP_ABSENT = 0, MAP_ZERO = 1, MAP_DATA = 2 };
/* A piece of a volume; the place is set with MAP_DATA alone. */
struct map_run {
    uint64_t length_bytes;
    enum map_state state;
    uint32_t segment;
    uint64_t offset_bytes; /* in the segment */
};

/* A write or zero between its two calls; the caller's memory. */
struct map_write {
    uint32_t branch; /* private */
    uint64_t step;   /* private */
    uint64_t offset_bytes;
    uint64_t length_bytes;
    bool zero;  /* private */
    bool fresh; /* map_wrote (map_zeroed) or map_unplace must follow; else nothing does */
};

struct map_info {
    uint32_t family;
    uint64_t size_bytes;
    bool head_complete; /* false from map_unsettle or map_install on, until map_settle of 0 */
    struct lineage lineage;
};

/* To be punched: nobody shows it, whatever crashes. */
struct map_punch {
    uint32_t family;
    uint32_t segment;
    uint64_t offset_bytes;
    uint64_t length_bytes;
};

/* The pool must be locked. Takes over what the journal holds. NULL with the reason. */
struct map *map_open(const struct map_settings *settings, struct error *error);
/* Every volume closed, no work under way. What is not folded stays in the journal. */
void map_close(struct map *map);
/* Why the map is out of service, or NULL. A full disk is no such reason. */
const char *map_failed(const struct map *map);
/* Made and deleted durably after map_flushed of the family and the journal's sync. */
MUST_USE int
map_volume_create(struct map *map, const struct uuid *volume, uint64_t size_bytes,
                  const struct uuid *origin, uint64_t origin_generation, bool blank,
                  uint32_t *family); /* origin NULL: own family; blank: head incomplete */
/* It must be closed. Its space comes back by reclaim. */
MUST_USE int map_volume_delete(struct map *map, const struct uuid *volume, uint32_t *family);
MUST_USE int map_volume_open(struct map *map, const struct uuid *volume, struct map_volume **open);
void map_volume_close(struct map_volume *volume);
void map_volume_info(struct map_volume *volume, struct map_info *info);
/* Unique: stored for the volume and its snapshots. Shared: shown by the head, stored for another.
 */
void map_volume_space(struct map_volume *volume, struct message_space *space);
/* Never shrinks. */
MUST_USE int map_volume_grow(struct map_volume *volume, uint64_t size_bytes);
typedef void map_each_fn(void *arg, const struct uuid *volume, uint32_t family);
void map_volume_each(struct map *map, map_each_fn *each, void *arg);
/* False once nothing is left of it: its files may go. Numbers are not used again while open. */
bool map_family_exists(const struct map *map, uint32_t family);

/* Reading: the merged runs (MAP_DATA, MAP_ABSENT) of the range's beginning; how many, at least 1.
 */
MUST_USE int map_find(struct map_volume *volume, uint64_t generation, uint64_t offset_bytes,
                      uint64_t length_bytes, struct map_run *runs, uint32_t runs_max);
/* Writing: where all of the range (at most 1 MiB) goes; how many runs of MAP_PLACES_MAX. */
MUST_USE int map_place(struct map_volume *volume, uint64_t generation, uint64_t offset_bytes,
                       uint64_t length_bytes, struct map_run *runs, struct map_write *write);
/* The data is there: shows it. -EAGAIN: call again after a fold; what is done is not redone. */
MUST_USE int map_wrote(struct map_volume *volume, const struct map_write *write);
/* As if never placed. */
void map_unplace(struct map_volume *volume, const struct map_write *write);
/*
 * Zeros: the beginning of the range that is taken on is write->length_bytes long; its runs (at most
 * MAP_PLACES_MAX) are to be punched, then map_zeroed (or map_unplace) ends it if `fresh`. Go on
 * behind it. What is not mapped is skipped at once, whatever its length.
 */
MUST_USE int map_zero(struct map_volume *volume, uint64_t generation, uint64_t offset_bytes,
                      uint64_t length_bytes, struct map_run *runs, struct map_write *write);
MUST_USE int map_zeroed(struct map_volume *volume, const struct map_write *write);
/*
 * What differs: ZERO or DATA where what `to` shows may not be what `from` shows, else ABSENT; from
 * 0 ("nothing") DATA or ABSENT. The runs cover the range's beginning, a block of it at least.
 */
MUST_USE int map_diff(struct map_volume *volume, uint64_t from, uint64_t to, uint64_t offset_bytes,
                      uint64_t length_bytes, struct map_run *runs, uint32_t runs_max);

/* Commands and the book (bodies as in common/wire/generation.h). */
/* An encoded message_command; 0 also when it was the last one applied. No write may be under way.
 */
MUST_USE int map_command(struct map_volume *volume, const uint8_t *body, uint32_t body_bytes);
/* The last command applied (none after an install); a chunk of the book. Their lengths. */
MUST_USE int map_last_command(struct map_volume *volume, uint8_t *body, uint32_t body_max);
MUST_USE int map_book_read(struct map_volume *volume, uint64_t cursor, uint8_t *body,
                           uint32_t body_max);
/*
 * Takes chunks in order; without `more` all take effect at once: generations of equal identity stay
 * complete (none, with all_incomplete), others are incomplete, and so is the head.
 */
MUST_USE int map_install(struct map_volume *volume, const uint8_t *body, uint32_t body_bytes,
                         bool more, bool all_incomplete);
/* The head may miss what other members have: what is sealed from now on is incomplete. */
MUST_USE int map_unsettle(struct map_volume *volume);
/* The lowest incomplete generation is complete; 0, when no other is incomplete: the head is. */
MUST_USE int map_settle(struct map_volume *volume, uint64_t generation);

/*
 * Durability. The mark is taken when the sync of the family's data begins; map_flushed after it
 * ended well: 1 when the journal must be synced (fdatasync of map_journal_fd) before the flush is
 * answered, 0 when it need not, -EAGAIN.
 */
uint64_t map_flush_mark(const struct map *map);
MUST_USE int map_flushed(struct map *map, uint32_t family, uint64_t mark);
int map_journal_fd(const struct map *map);

/*
 * Fold: from the journal into LMDB, in pieces: begin, work, end while begin gives 1. It stops at
 * families that must be flushed first. The work's result goes to end; -ENOSPC changes nothing.
 */
bool map_fold_wanted(const struct map *map); /* soon: the journal fills */
/* Some day: there is something to fold, recorded up to a mark (map_flush_mark). */
bool map_fold_pending(const struct map *map, uint64_t mark);
/* One that must be flushed before all up to the mark can be folded; 0: none. */
uint32_t map_fold_family(const struct map *map, uint64_t mark);
MUST_USE int map_fold_begin(struct map *map);
MUST_USE int map_fold_work(struct map *map);
void map_fold_end(struct map *map, int status);
/*
 * Reclaim of what was dropped or deleted, likewise; after begin gave 0 nothing can be done until
 * the next fold. The punches due must be made, and map_punched called, before begin can give 1.
 * Before `end`, of fold and of reclaim, every read found before its `begin` must have ended.
 */
bool map_reclaim_pending(const struct map *map);
MUST_USE int map_reclaim_begin(struct map *map);
MUST_USE int map_reclaim_work(struct map *map);
void map_reclaim_end(struct map *map, int status);
/* The family of which the last reclaim left nothing, told once: its files may go. 0: none. */
uint32_t map_take_reclaimed(struct map *map);
uint32_t map_punches(const struct map *map, const struct map_punch **punches);
void map_punched(struct map *map);

#endif
