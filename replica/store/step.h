/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as a sequence of system calls: which comes next, and what its result means. Both
 * engines perform steps and nothing else, hence behave alike (private to the room).
 */
#ifndef STRAKE_STORE_STEP_H
#define STRAKE_STORE_STEP_H

#include "replica/store/store.h"

enum step_kind {
    STEP_READ,     /* pread */
    STEP_WRITE,    /* pwritev2 with flags */
    STEP_SYNC,     /* fdatasync */
    STEP_ALLOCATE, /* fallocate with flags as its mode */
};

/* True when there is nothing to do: status is set. Else req->step is the first step. */
MUST_USE bool step_begin(struct store_req *req);
/* req->step.result is there. True when the request is finished; else req->step is the next. */
MUST_USE bool step_end(struct store_req *req);

/* A write into the page cache and no further. */
bool step_is_plain_write(const struct store_step *step);

#endif
