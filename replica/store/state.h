/* SPDX-License-Identifier: Apache-2.0 */
/* What an open pool consists of (private to the room). */
#ifndef STRAKE_STORE_STATE_H
#define STRAKE_STORE_STATE_H

#include "replica/store/directory.h"
#include "replica/store/engine.h"
#include "replica/store/jobs.h"
#include "replica/store/store.h"

enum { STORE_ENGINE_NAME_BYTES = 160 };

struct store {
    struct loop *loop; /* of the caller */
    struct directory directory;
    struct uuid boot;
    struct engine *engine; /* owned: io_uring or threads */
    struct engine *writer; /* owned: plain writes */
    uint32_t slow_steps;   /* of `engine`, under way: all but reads */
    char engine_name[STORE_ENGINE_NAME_BYTES];
    struct jobs jobs;
    struct list answered; /* requests that needed no step */
    struct loop_task answer;
    uint32_t volumes_open;
    uint32_t in_flight;
    struct store_space space;
    uint64_t space_until_ns; /* when `space` is too old */
};

#endif
