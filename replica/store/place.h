/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and the map: where their blocks lie, what becomes visible when they are there, and the
 * requests that concern the map alone (private to the room).
 */
#ifndef STRAKE_STORE_PLACE_H
#define STRAKE_STORE_PLACE_H

#include "replica/store/store.h"

/* Of the family's files, one behind the other. */
static inline uint64_t place_position(const struct map_run *run)
{
    return (uint64_t)run->segment << STORE_SEGMENT_SHIFT | run->offset_bytes;
}
/* 0, -EAGAIN, or another -errno; then req->runs from run_at on. */
MUST_USE int place_read(struct store_req *req);
MUST_USE int place_write(struct store_req *req);
/* All of it is there: it is shown. */
MUST_USE int place_wrote(struct store_req *req);
/* The beginning of the rest: write.length_bytes of it. */
MUST_USE int place_zero(struct store_req *req);
MUST_USE int place_zeroed(struct store_req *req);
/* It came to nothing. */
void place_cancel(struct store_req *req);
/*
 * The present run of a write to the head failed: blocks and their checksums may disagree where it
 * was to be written. Of those that the head shows, what is there is believed from here on.
 */
void place_doubt(struct store_req *req);
/* So much of the present run is done. */
void place_consume(struct store_req *req, uint64_t length_bytes);
/* A command that makes the head a sealed generation. */
MUST_USE bool place_seals(const struct store_req *req);
/* COMMAND to SPACE: 0, -EAGAIN, or another -errno. */
MUST_USE int place_command(struct store_req *req);
void place_lineage(struct map_volume *volume, struct lineage *lineage);

#endif
