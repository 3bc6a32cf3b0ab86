/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What performs the steps of requests: io_uring or a few threads, and beside either of them the
 * writer, for plain writes (private to the room).
 */
#ifndef STRAKE_STORE_ENGINE_H
#define STRAKE_STORE_ENGINE_H

#include "common/base/error.h"
#include "common/net/loop.h"
#include "replica/store/store.h"

/* Embedded at the beginning of the engine's own struct. */
struct engine {
    /* Performs req->step; never calls `done` from inside. */
    void (*start)(struct engine *engine, struct store_req *req);
    /* Nothing is in flight. */
    void (*free)(struct engine *engine);
    /* Set by the owner: req->step.result is there. Called from the loop. */
    void (*done)(struct store_req *req);
};

/* NULL with the reason: what this kernel, or this container's policy, refuses. */
struct engine *uring_new(struct loop *loop, uint32_t requests_max, struct error *error);
struct engine *threads_new(struct loop *loop, struct error *error);
/*
 * Takes only STEP_PUT. With `may_wait` the loop makes them
 * itself where that is faster, unless `others`, which outlives it, are under way: steps that could
 * keep them waiting.
 */
struct engine *writer_new(struct loop *loop, bool may_wait, const uint32_t *others,
                          struct error *error);

#endif
