/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata record of a replica: what it promised, accepted and knows of itself. */
#ifndef STRAKE_SERVICE_META_H
#define STRAKE_SERVICE_META_H

#include "replica/service/service.h"

struct meta {
    uint64_t seq; /* of this record; the pair's newest whole one counts */
    struct uuid member;
    uint64_t promised_epoch;
    struct uuid promised_controller;
    uint64_t done_checkpoint;
    uint64_t base_checkpoint;
    struct uuid boot; /* the kernel under which the planes were kept */
    bool lossy;
    bool failed;
    bool witness;         /* by its making, whoever the members are now */
    struct config config; /* accepted */
};

void meta_encode(uint8_t record[META_BYTES], const struct meta *meta);
/* NULL, or why the record is not whole. */
const char *meta_decode(const uint8_t record[META_BYTES], struct meta *meta);
/*
 * The newest whole record of the pair. `write_first` is the copy to be written first from now on:
 * never the only one that holds the newest record. `equal`: both copies hold it. NULL, or why
 * neither can be used.
 */
const char *meta_pick(const uint8_t *const copies[META_COPIES], struct meta *meta,
                      uint32_t *write_first, bool *equal);

#endif
