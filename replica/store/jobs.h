/* SPDX-License-Identifier: Apache-2.0 */
/* Making and removing volumes (private to the room). */
#ifndef STRAKE_STORE_JOBS_H
#define STRAKE_STORE_JOBS_H

#include "replica/store/directory.h"
#include "replica/store/store.h"
#include "replica/store/worker.h"

struct job {
    struct work work;
    const struct directory *directory; /* of the store */
    struct uuid volume;
    uint64_t drl_bytes;
    uint64_t plane_bytes;
    uint8_t meta[STORE_META_BYTES];
    int status;
    store_job_fn *done;
    void *arg;
};

/* A copy of `job` is done in its turn. */
void jobs_create(struct worker *worker, const struct job *job);
void jobs_delete(struct worker *worker, const struct job *job);

#endif
