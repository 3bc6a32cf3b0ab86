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

/* What one needs of a file, over its waits; another file's is forgotten. */
struct durable_need {
    const struct durable *file;
    uint64_t target; /* the sync that covers what was written when it was asked for first */
};

/* Whether all is durable that was written when this was first asked; else a sync must end, or be
 * begun if none is under way. */
static inline bool durable_met(const struct durable *durable, struct durable_need *need)
{
    if (need->file != durable)
        *need = (struct durable_need){durable, durable->begun + durable->dirty};
    return durable->begun - durable->syncing >= need->target;
}

static inline void durable_begin(struct durable *durable)
{
    ASSERT(!durable->syncing);
    durable->dirty = false;
    durable->syncing = true;
    durable->begun++;
}

#endif
