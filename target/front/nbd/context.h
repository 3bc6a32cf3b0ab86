/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata contexts: what BLOCK_STATUS can tell of a range. A session has slots for those it
 * selected; a set of them is a mask of bits, and bit n is known to the client as the id n + 1.
 *
 *   base:allocation              slot 0; bit 0 of an extent: a hole, bit 1: reads as zeros
 *   strake:changed-since:NAME    the other slots, each of a snapshot by its generation; bit 0: what
 *                                the snapshot has is not what is here, bit 1: and reads as zeros
 *
 * Bit 0 of the second kind is where qemu:dirty-bitmap has it.
 */
#ifndef STRAKE_FRONT_NBD_CONTEXT_H
#define STRAKE_FRONT_NBD_CONTEXT_H

#include "common/base/block.h"
#include "target/front/export/export.h"

#define NBD_CONTEXT_ALLOCATION "base:allocation"
#define NBD_CONTEXT_CHANGED    "strake:changed-since:" /* and a snapshot's name */

enum {
    NBD_CONTEXTS_MAX = 8,
    NBD_EXTENTS_MAX = 2048, /* of one answer */
    NBD_STATE_HOLE = 1u << 0,
    NBD_STATE_ZERO = 1u << 1,
    NBD_STATE_CHANGED = 1u << 0,
};

/* What a query asks for. Its text is not ended by a zero. */
struct nbd_context_query {
    bool allocation;
    bool every_snapshot;      /* a listing's: changes since each there is */
    uint64_t from_generation; /* changes since this snapshot; 0: none is named */
};
/* A listing may also name a namespace ("base:"), or a name up to a colon. */
struct nbd_context_query nbd_context_query_of(const struct export *export, const char *text,
                                              uint32_t length, bool listing);

struct nbd_contexts {
    uint32_t mask;                              /* the slots in use */
    uint64_t from_generation[NBD_CONTEXTS_MAX]; /* slot 0: 0 */
};
/* A slot for it; false when it has one already, or there is none left. */
MUST_USE bool nbd_context_select(struct nbd_contexts *contexts, uint64_t from_generation,
                                 uint32_t *slot);
/* The slot's bit; 0 when no slot has this id. */
uint32_t nbd_context_of_id(uint32_t id);

/*
 * Runs from the volume as extents of a context: their states become the bits of the protocol, equal
 * neighbours one, and together they are at most `length_bytes` long. Returns how many there are. No
 * runs: nothing is known, so all may be data, or changed.
 */
uint32_t nbd_extents_of(struct block_run *runs, uint32_t count, uint32_t slot,
                        uint64_t length_bytes);

#endif
