/* SPDX-License-Identifier: Apache-2.0 */
/* A thread for work that blocks, one piece after the other (private to the room). */
#ifndef STRAKE_STORE_WORKER_H
#define STRAKE_STORE_WORKER_H

#include "common/base/list.h"
#include "common/net/loop.h"

#include <pthread.h>

/* A piece of work, the caller's memory until `done`. */
struct work {
    struct list node;
    void (*run)(struct work *work);  /* on the thread */
    void (*done)(struct work *work); /* on the loop, in a later turn */
};

struct worker {
    struct loop *loop; /* of the caller */
    struct ev_async ended;
    pthread_t thread;
    bool started;         /* the thread has done what it does for itself */
    bool low;             /* behind everything else that wants the processor or the disk */
    uint32_t unanswered;  /* of the loop */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    pthread_cond_t rest; /* something is finished */
    struct list todo;
    struct list finished;
    bool stopping;
};

MUST_USE int worker_open(struct worker *worker, struct loop *loop, bool low);
/* Waits until all that was asked for is done, and answers it: the loop runs no more. */
void worker_drain(struct worker *worker);
/* Every piece of work is answered. */
void worker_close(struct worker *worker);
void worker_add(struct worker *worker, struct work *work);

#endif
