/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is made durable, by one sync at a time (private to the room). Linux tells an error of
 * writing back to one of those who sync an open file, and to another one who does so meanwhile that
 * all is well. So who asks while a sync is under way waits for its end; it covers what was written
 * before it began, and the next one is for all who wait then.
 */
#ifndef STRAKE_STORE_DURABLE_H
#define STRAKE_STORE_DURABLE_H

#include "common/base/assert.h"
#include "common/base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct durable {
    bool dirty;          /* written to since the last sync began */
    bool syncing;        /* one is under way */
    uint64_t begun;      /* how many syncs */
    struct list reqs;    /* struct store_req: wait for its end */
    struct list flushes; /* struct flush: likewise */
};

static inline void durable_init(struct durable *durable)
{
    *durable = (struct durable){0};
    list_init(&durable->reqs);
    list_init(&durable->flushes);
}

/* The sync that covers what is written now. */
static inline uint64_t durable_target(const struct durable *durable)
{
    return durable->begun + durable->dirty;
}

static inline bool durable_reached(const struct durable *durable, uint64_t target)
{
    return durable->begun - durable->syncing >= target;
}

static inline void durable_begin(struct durable *durable)
{
    ASSERT(!durable->syncing);
    durable->dirty = false;
    durable->syncing = true;
    durable->begun++;
}

#endif
