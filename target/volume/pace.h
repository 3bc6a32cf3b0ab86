/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a volume may be used: operations and bytes a second, each a bucket that leaks (the
 * virtual scheduling algorithm of ITU-T I.371, annex A). What was not used is saved up for as long
 * as the burst lasts. A request that begins when nothing is owed is charged as a whole, so that the
 * longest one goes through however small the limit is. Pure; times are of one monotonic clock.
 */
#ifndef STRAKE_VOLUME_PACE_H
#define STRAKE_VOLUME_PACE_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stdint.h>

/* 0: as many as there are. */
struct pace_limits {
    uint64_t ops_per_s;
    uint64_t bytes_per_s;
    uint64_t burst_ns; /* at full speed after that long without use */
};

struct pace {
    struct pace_limits limits;
    uint64_t ops_due_ns; /* until then what was begun is paid for; the past: nothing is owed */
    uint64_t bytes_due_ns;
};

/* What was saved up or is owed is forgotten. */
void pace_set(struct pace *pace, const struct pace_limits *limits, uint64_t now_ns);
/* 0 when a request may begin, else after how long to ask again. */
MUST_USE uint64_t pace_wait_ns(const struct pace *pace, uint64_t now_ns);
/* A request of `bytes` (less than 2^32) begins. */
void pace_charge(struct pace *pace, uint64_t bytes, uint64_t now_ns);

#endif
