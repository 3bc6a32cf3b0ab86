/* SPDX-License-Identifier: Apache-2.0 */
/* Making and removing volumes (private to the room). */
#ifndef STRAKE_STORE_JOBS_H
#define STRAKE_STORE_JOBS_H

#include "replica/store/store.h"
#include "replica/store/worker.h"

struct job {
    struct work work;
    struct store *store;
    struct store_create create; /* of a deletion: the volume and its last record */
    uint32_t family;
    bool made;       /* in the map */
    uint8_t *record; /* owned: what a deletion leaves; NULL: nothing */
    size_t record_bytes;
    int status;
    store_job_fn *done;
    void *arg;
};

#endif
