/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last writes to the head, until the target has said that the members in sync are equal there
 * (R15): what a target that takes over compares. In memory that outlives the process, as the planes
 * are. When there are too many the planes answer instead, which name far more.
 */
#ifndef STRAKE_SERVICE_RECENT_H
#define STRAKE_SERVICE_RECENT_H

#include "replica/service/service.h"

struct recent {
    struct recent_memory *memory; /* of the store */
    uint32_t marked;              /* the oldest ones, which came before the mark */
    bool has_mark;                /* in this session */
};

/* Unless `same_boot` what is there is worthless, and too much is in doubt if anything is. */
void recent_init(struct recent *recent, void *memory, bool same_boot, bool any_doubt);
void recent_add(struct recent *recent, uint64_t offset_bytes, uint64_t length_bytes);
/* The session that set the mark is over. */
void recent_unmark(struct recent *recent);
/* What came before the last mark is equal; what is here now comes before the next one. */
void recent_mark(struct recent *recent);
/* There were too many. */
bool recent_overflowed(const struct recent *recent);
uint64_t recent_count_bytes(const struct recent *recent);
/* Sets the bits of [offset, offset + 8 * 16 KiB * map_bytes), lowest bit first. */
void recent_map(const struct recent *recent, uint64_t offset_bytes, uint8_t *map,
                uint64_t map_bytes);

#endif
