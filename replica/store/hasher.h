/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes pieces of one group of a sealed generation: one is read while another is hashed, by the
 * thread of low priority. It takes whatever nobody else wants: of the processor by that priority,
 * and of the disk by resting, while others ask something of the store, three times as long as each
 * piece took to be read (private to the room).
 */
#ifndef STRAKE_STORE_HASHER_H
#define STRAKE_STORE_HASHER_H

#include "common/digest/digest.h"
#include "common/net/loop.h"
#include "replica/store/request.h"
#include "replica/store/worker.h"

enum { HASHER_PIECES = 2 }; /* under way at a time */

struct hasher;

struct hasher_piece {
    struct hasher *hasher;
    uint32_t number; /* in the group */
    bool busy;
    uint64_t began_ns; /* to be read */
    struct store_req read;
    struct work work;
};

/* What the group is, and which of its pieces are wanted, is set before it begins. */
struct hasher {
    struct store *store;         /* of the caller */
    struct store_volume *volume; /* of the caller */
    uint64_t generation;
    uint64_t group;
    bool wanted[DIGEST_GROUP_PIECES];
    struct digest_group hashes; /* the thread's, while it runs */
    void (*done)(struct hasher *hasher);
    int status;          /* the first thing that went wrong, or 0 */
    bool bad;            /* some cannot be read, or are not what they were: */
    uint64_t bad_bytes;  /* where, the first of them */
    uint64_t done_bytes; /* the volume, up to here */
    /* private */
    uint32_t next; /* piece to be looked at */
    struct hasher_piece pieces[HASHER_PIECES];
    uint32_t reading; /* pieces */
    uint64_t asked;   /* of the store, when the last one was read */
    struct loop_timer rest;
    bool resting;
};

void hasher_init(struct hasher *hasher, struct store *store);
/* `done` in a later turn, when nothing of it is under way; soon, once the volume is closing. */
void hasher_begin(struct hasher *hasher);

#endif
