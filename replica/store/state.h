/* SPDX-License-Identifier: Apache-2.0 */
/* What an open pool consists of (private to the room). */
#ifndef STRAKE_STORE_STATE_H
#define STRAKE_STORE_STATE_H

#include "replica/store/directory.h"
#include "replica/store/engine.h"
#include "replica/store/store.h"
#include "replica/store/worker.h"

enum { STORE_ENGINE_NAME_BYTES = 160 };

struct store {
    struct loop *loop;     /* of the caller */
    struct buf_pool *bufs; /* of the caller */
    struct directory directory;
    struct uuid boot;
    struct engine *engine; /* owned: io_uring or threads */
    struct engine *writer; /* owned: plain writes */
    uint32_t slow_steps;   /* of `engine`, under way: all but reads */
    char engine_name[STORE_ENGINE_NAME_BYTES];
    struct worker worker; /* opens, makes and removes files */
    struct list volumes;  /* struct store_volume, open */
    struct list families; /* struct family, of open volumes */
    struct list answered; /* requests that needed no step */
    struct loop_task answer;
    uint32_t in_flight;
    struct store_space space;
    uint64_t space_until_ns; /* when `space` is too old */
};

/* What the request waited for in some list is there, or failed with `status`. */
void store_resume(struct store *store, struct store_req *req, int status);

#endif
