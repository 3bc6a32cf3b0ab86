/* SPDX-License-Identifier: Apache-2.0 */
/* Making and removing volumes, by one thread, one after the other (private to the room). */
#ifndef STRAKE_STORE_JOBS_H
#define STRAKE_STORE_JOBS_H

#include "replica/store/directory.h"
#include "replica/store/store.h"

#include <pthread.h>

enum job_kind { JOB_CREATE, JOB_DELETE };

struct job {
    struct list node;
    enum job_kind kind;
    struct uuid volume;
    uint64_t size_bytes;
    uint64_t drl_bytes;
    uint64_t plane_bytes;
    uint8_t meta[STORE_META_BYTES];
    int status;
    store_job_fn *done;
    void *arg;
};

struct jobs {
    const struct directory *directory; /* of the store; constant while the thread runs */
    struct loop *loop;                 /* of the caller */
    struct ev_async ended;
    pthread_t thread;
    uint32_t unanswered;  /* of the loop */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct list todo;
    struct list finished;
    bool stopping;
};

MUST_USE int jobs_open(struct jobs *jobs, const struct directory *directory, struct loop *loop);
/* Every job is answered. */
void jobs_close(struct jobs *jobs);
/* A copy of `job` is done in its turn. */
void jobs_add(struct jobs *jobs, const struct job *job);

#endif
