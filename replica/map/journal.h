/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: a ring of records in a shared mapping, which the page cache keeps when the process
 * is killed. The file's space is written once when it is made, so that no store to it can fail.
 *
 *   page 0     magic "STRKJNL1", u32 format, u32 0, boot id, u64 bytes of the ring,
 *              u32 CRC32C of what is before
 *   the ring   records, each a multiple of 8 bytes and in one piece; where the next one does not
 * fit before the end, a PAD record or less than a header's bytes fill up
 *
 *   record     u32 length, u32 CRC32C of what follows, u64 sequence, u32 family, u8 type, 3 x 0,
 *              payload, zeros
 *
 * Where the records begin that LMDB does not have, and with which sequence, is a row of LMDB
 * ("folded"); a record counts when its sequence is the next one and its checksum is right.
 */
#ifndef STRAKE_MAP_JOURNAL_H
#define STRAKE_MAP_JOURNAL_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/uuid.h"

enum {
    JOURNAL_PAGE_BYTES = 4096,
    JOURNAL_RECORD_BYTES = 24, /* of a record's header */
    JOURNAL_BYTES_MIN = 64 << 10,
};

enum record_type {
    RECORD_PAD = 0,
    RECORD_CHANGES = 1, /* payload: changes, taken over together (change.h) */
    RECORD_FLUSHED = 2, /* payload: u64; the family's records up to this sequence are flushed */
};

struct journal {
    int fd;
    uint8_t *map; /* owned: page 0 and the ring */
    uint8_t *ring;
    uint64_t ring_bytes;
    uint64_t
        tail; /* position of the first record LMDB does not have; positions count on for ever */
    uint64_t tail_sequence;
    uint64_t head; /* position after the last record */
    uint64_t next_sequence;
    bool same_boot;   /* found at opening */
    uint8_t *pending; /* of a record that is being made */
};

struct record {
    enum record_type type;
    uint32_t family;
    uint64_t sequence;
    struct reader payload;
    uint64_t next; /* position after it */
};

/* Opens DIRECTORY/journal, or makes it with a ring of `bytes`. 0 or -1 with the reason. */
MUST_USE int journal_open(struct journal *journal, int dir_fd, uint64_t bytes,
                          const struct uuid *boot, struct error *error);
void journal_close(struct journal *journal);
/* Records are expected from here on. */
void journal_start(struct journal *journal, uint64_t position, uint64_t sequence);
/* From now on the ring's content counts under this boot id. */
MUST_USE int journal_stamp(struct journal *journal, const struct uuid *boot);

/* The whole record at a position, if it has this sequence; skips a PAD. */
MUST_USE bool journal_read(const struct journal *journal, uint64_t position, uint64_t sequence,
                           struct record *record);
/* True when a record with this payload fits and `reserve_bytes` stay free. */
MUST_USE bool journal_fits(const struct journal *journal, uint64_t payload_bytes,
                           uint64_t reserve_bytes);
/* Where to write a payload that fits; then its end. Returns the record's sequence. */
struct writer journal_begin(struct journal *journal, uint64_t payload_bytes_max);
uint64_t journal_end(struct journal *journal, enum record_type type, uint32_t family,
                     const struct writer *payload);
/* Bytes taken by records that LMDB does not have. */
static inline uint64_t journal_used(const struct journal *journal)
{
    return journal->head - journal->tail;
}

#endif
