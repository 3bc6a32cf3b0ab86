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
    STEP_PUT,      /* blocks into the page cache, then their checksums: whole or failed */
    STEP_SYNC,     /* fdatasync */
    STEP_ALLOCATE, /* fallocate with flags as its mode */
};

enum step_next {
    STEP_DONE, /* the request is finished: status is set */
    STEP_GO,   /* req->step is to be performed */
    STEP_WAIT, /* the request waits in some list, until store_resume */
};

MUST_USE enum step_next step_begin(struct store_req *req);
/* req->step.result is there. */
MUST_USE enum step_next step_end(struct store_req *req);
/* What was waited for is there, or failed with `status`. */
MUST_USE enum step_next step_resume(struct store_req *req, int status);

#endif
