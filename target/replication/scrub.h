/* SPDX-License-Identifier: Apache-2.0 */
/* A scrub: all that the members in sync hold is read at each and compared, piece by piece. */
#ifndef STRAKE_REPLICATION_SCRUB_H
#define STRAKE_REPLICATION_SCRUB_H

#include "target/replication/copy.h"
#include "target/replication/range.h"

enum scrub_phase {
    SCRUB_NONE,
    SCRUB_REST, /* until next_ns, what is being repaired is, and nothing is in the way */
    SCRUB_RUNS, /* the members tell where data is */
    SCRUB_LOCK,
    SCRUB_HASH,
};

enum { SCRUB_TRIES = 16 }; /* of a piece, each after a repair */

struct scrub {
    enum scrub_phase phase;
    uint64_t generation; /* 0: the head, which comes last */
    uint64_t base;       /* what was looked at already is not read again; 0: nothing was */
    uint64_t last_base;  /* the last generation that was there */
    uint64_t pos_bytes;
    uint64_t length_bytes; /* of the piece */
    bool located;          /* at pos_bytes is data */
    uint32_t tries;
    uint64_t found; /* in this piece, at its first try */
    uint8_t members;
    uint8_t waiting;
    uint8_t unread; /* by their own checksums */
    bool again;     /* a member does not have that generation, or cannot compare now */
    uint64_t serial;
    uint64_t sent_ns;
    uint64_t next_ns;
    struct repl_range range;
    bool locked;
    struct repl_scrub_status result;
    uint8_t hashes[MEMBERS_MAX][COPY_HASHES * HASH_BYTES];
};

void scrub_start(struct repl *repl);
void scrub_settle(struct repl *repl);
void scrub_answer(struct repl *repl, uint8_t peer, const struct frame *frame);
void scrub_granted(struct repl *repl);
/* What is under way is given up, to be begun again. */
void scrub_pause(struct repl *repl);
void scrub_lost(struct repl *repl, uint8_t peers);
void scrub_end(struct repl *repl);
/* No part of the head is being compared. */
bool scrub_head_quiet(const struct repl *repl);
uint8_t scrub_slow(const struct repl *repl);
uint64_t scrub_deadline_ns(const struct repl *repl);

#endif
