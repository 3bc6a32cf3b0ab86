/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the blocks of a volume family lie: a volume and everything that was cloned from it share
 * one space of slots of 64 KiB each, kept in files of 2^24 slots (private to the room).
 *
 *   POOL/data/FAMILY/NUMBER   both hexadecimal, eight digits; NUMBER: position >> 40
 *        0                    2^24 slots: 1 TiB, sparse
 *        1 TiB                their checksums, sparse: for each 4 KiB block its CRC32C, 4 bytes,
 *                             little-endian
 *
 * Data and checksums are one file, so that one fdatasync covers both and one lock guards both. A
 * checksum is written right after its block, by the same thread. Checksums are read and written
 * through a shared mapping (sums.h); which parts of it were read lately is remembered, and the
 * others are first read by the engine, so that the loop does not wait for the disk. Stores need
 * space: it is reserved for a stretch before its first write. Where that is refused, as on a full
 * disk, its checksums are written by calls, which can say that there is none.
 *
 * A position is a byte in the family's space: slot << 16 | byte in the slot.
 */
#ifndef STRAKE_STORE_FAMILY_H
#define STRAKE_STORE_FAMILY_H

#include "replica/store/durable.h"
#include "replica/store/store.h"
#include "replica/store/worker.h"

enum {
    /* As much of a segment's checksums is read at once; they cover a stretch of 64 MiB. */
    SUMS_CHUNK_BYTES = 64u << 10,
    SUM_OF_ZEROS = (int)0x98f94189, /* CRC32C of 4 KiB of zeros */
};
#define SEGMENT_BYTES      ((uint64_t)1 << STORE_SEGMENT_SHIFT)
#define SEGMENT_SUMS_BYTES (SEGMENT_BYTES / BLOCK_BYTES * STORE_SUM_BYTES)
#define STRETCH_BYTES      ((uint64_t)SUMS_CHUNK_BYTES / STORE_SUM_BYTES * BLOCK_BYTES)
#define SEGMENT_STRETCHES  (SEGMENT_BYTES / STRETCH_BYTES)

/* What is known of a stretch. */
enum stretch_mark {
    STRETCH_WARM,   /* its checksums were read lately */
    STRETCH_ASKED,  /* for their space */
    STRETCH_STORED, /* they have it: to be written through the mapping */
    STRETCH_MARKS,
};

struct segment {
    struct list node; /* family.segments */
    struct family *family;
    uint64_t number;
    bool ready; /* else it is being opened, and `waiting` waits */
    struct durable durable;
    struct list waiting;                                 /* struct store_req */
    int fd;                                              /* owned, locked; -1 when closed */
    uint32_t *sums;                                      /* owned mapping */
    uint8_t marks[STRETCH_MARKS][SEGMENT_STRETCHES / 8]; /* a bit a stretch */
    struct work work;
    int rc;             /* of the opening */
    struct error error; /* and its reason in words */
};

struct family {
    struct list node; /* store.families */
    struct store *store;
    uint32_t number;
    uint32_t users;
    uint32_t in_flight;   /* requests and flushes */
    bool sync_failed;     /* what is on disk is not known any more */
    struct list segments; /* struct segment, owned */
    struct segment *last; /* the one that was asked for last, or NULL */
};

/* Makes the family's folder, durably; 0 also when it is there. On any thread. */
MUST_USE int family_make(int data_fd, uint32_t family);
/* Removes all of it. 0 also when there is none. On any thread. */
MUST_USE int family_remove(int data_fd, uint32_t family);
/* The path of a segment below data/. */
void segment_path(char *path, size_t size, uint32_t family, uint64_t segment);

/* The open family, found or begun; one user more. */
struct family *family_get(struct store *store, uint32_t number);
/* The last user closes its files: nothing in flight, nothing dirty unless its sync failed. */
void family_put(struct family *family);
/* While nothing is in flight: closes the files of which all is durable. */
void family_rest(struct family *family);
/*
 * The segment of a position. Unless it is ready, the request must wait: it goes to `waiting`, and
 * is resumed by store_resume, with a status when the segment could not be opened.
 */
struct segment *family_segment(struct family *family, uint64_t position);
/* The first segment from this number on that is dirty or being synced, or NULL. */
struct segment *family_unsynced(const struct family *family, uint64_t from);

static inline uint64_t segment_stretch(uint64_t position)
{
    return (position & (SEGMENT_BYTES - 1)) / STRETCH_BYTES;
}

static inline bool segment_is(const struct segment *segment, uint64_t position,
                              enum stretch_mark mark)
{
    uint64_t stretch = segment_stretch(position);
    return segment->marks[mark][stretch / 8] >> stretch % 8 & 1;
}

static inline void segment_mark(struct segment *segment, uint64_t position, enum stretch_mark mark)
{
    uint64_t stretch = segment_stretch(position);
    segment->marks[mark][stretch / 8] |= (uint8_t)(1u << stretch % 8);
}

/* Where the checksum of a block is mapped. */
static inline uint32_t *segment_sums(const struct segment *segment, uint64_t position)
{
    return segment->sums + (position & (SEGMENT_BYTES - 1)) / BLOCK_BYTES;
}

#endif
