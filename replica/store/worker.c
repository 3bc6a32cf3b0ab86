/* SPDX-License-Identifier: Apache-2.0 */
/* The thread for work that blocks. It sleeps while there is none. */
#include "replica/store/worker.h"

#include "common/base/assert.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    WORKER_LOW_NICE = 10,
    /* ioprio_set(2): this thread; the lowest of the "best effort" class. */
    WORKER_IOPRIO_WHO_PROCESS = 1,
    WORKER_IOPRIO_LOW = 2 << 13 | 7,
};

/* Only a wish: refused, the work is done all the same. */
static void worker_lower(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), WORKER_LOW_NICE);
    (void)syscall(SYS_ioprio_set, WORKER_IOPRIO_WHO_PROCESS, 0, WORKER_IOPRIO_LOW);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    if (worker->low)
        worker_lower();
    pthread_mutex_lock(&worker->lock);
    worker->started = true;
    pthread_cond_signal(&worker->rest);
    for (;;) {
        while (list_empty(&worker->todo) && !worker->stopping)
            pthread_cond_wait(&worker->wake, &worker->lock);
        if (list_empty(&worker->todo))
            break;
        struct work *work = CONTAINER_OF(list_pop(&worker->todo), struct work, node);
        pthread_mutex_unlock(&worker->lock);
        work->run(work);
        pthread_mutex_lock(&worker->lock);
        list_append(&worker->finished, &work->node);
        pthread_cond_signal(&worker->rest);
        ev_async_send(worker->loop->ev, &worker->ended);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static struct work *worker_take(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    struct list *node = list_pop(&worker->finished);
    pthread_mutex_unlock(&worker->lock);
    return node ? CONTAINER_OF(node, struct work, node) : NULL;
}

static void worker_on_ended(struct ev_loop *ev, struct ev_async *watcher, int events)
{
    (void)ev;
    (void)events;
    struct worker *worker = watcher->data;
    for (struct work *work; (work = worker_take(worker));) {
        worker->unanswered--;
        work->done(work);
    }
}

int worker_open(struct worker *worker, struct loop *loop, bool low)
{
    *worker = (struct worker){.loop = loop, .low = low};
    list_init(&worker->todo);
    list_init(&worker->finished);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    pthread_cond_init(&worker->rest, NULL);
    ev_async_init(&worker->ended, worker_on_ended);
    worker->ended.data = worker;
    ev_async_start(loop->ev, &worker->ended);
    /* Signals are the loop's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        ev_async_stop(loop->ev, &worker->ended);
        pthread_cond_destroy(&worker->rest);
        pthread_cond_destroy(&worker->wake);
        pthread_mutex_destroy(&worker->lock);
        return -rc;
    }
    /* The process may give up rights next. */
    pthread_mutex_lock(&worker->lock);
    while (!worker->started)
        pthread_cond_wait(&worker->rest, &worker->lock);
    pthread_mutex_unlock(&worker->lock);
    return 0;
}

void worker_drain(struct worker *worker)
{
    while (worker->unanswered > 0) {
        pthread_mutex_lock(&worker->lock);
        while (list_empty(&worker->finished))
            pthread_cond_wait(&worker->rest, &worker->lock);
        pthread_mutex_unlock(&worker->lock);
        struct work *work = worker_take(worker);
        worker->unanswered--;
        work->done(work);
    }
}

void worker_close(struct worker *worker)
{
    ASSERT(worker->unanswered == 0);
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    ev_async_stop(worker->loop->ev, &worker->ended);
    pthread_cond_destroy(&worker->rest);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
}

void worker_add(struct worker *worker, struct work *work)
{
    worker->unanswered++;
    pthread_mutex_lock(&worker->lock);
    list_append(&worker->todo, &work->node);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}
