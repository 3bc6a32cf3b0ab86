/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine for where io_uring is refused: a few threads, one system call each at a time. The
 * loop and the threads meet in two lists under one lock.
 */
#include "replica/store/engine.h"
#include "replica/store/step.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { THREADS_COUNT = 8 };

struct threads {
    struct engine engine;
    struct loop *loop;     /* of the caller */
    struct ev_async ended; /* the only thing of libev that a thread may touch */
    pthread_t ids[THREADS_COUNT];
    uint32_t count;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct list todo;
    struct list finished;
    bool stopping;
};

static int64_t threads_perform(const struct store_step *step)
{
    int64_t result = 0;
    const struct iovec vector = {.iov_base = step->bytes, .iov_len = step->length_bytes};
    switch ((enum step_kind)step->kind) {
    case STEP_READ:
        result = pread(step->fd, step->bytes, step->length_bytes, (off_t)step->offset_bytes);
        break;
    case STEP_WRITE:
        result = pwritev2(step->fd, &vector, 1, (off_t)step->offset_bytes, step->flags);
        break;
    case STEP_PUT:
        UNREACHABLE();
    case STEP_SYNC:
        result = fdatasync(step->fd);
        break;
    case STEP_ALLOCATE:
        result =
            fallocate(step->fd, step->flags, (off_t)step->offset_bytes, (off_t)step->length_bytes);
        break;
    }
    return result < 0 ? -errno : result;
}

static void *threads_main(void *arg)
{
    struct threads *threads = arg;
    pthread_mutex_lock(&threads->lock);
    for (;;) {
        while (list_empty(&threads->todo) && !threads->stopping)
            pthread_cond_wait(&threads->wake, &threads->lock);
        if (list_empty(&threads->todo))
            break;
        struct store_req *req = CONTAINER_OF(list_pop(&threads->todo), struct store_req, node);
        pthread_mutex_unlock(&threads->lock);
        req->step.result = threads_perform(&req->step);
        pthread_mutex_lock(&threads->lock);
        bool first = list_empty(&threads->finished);
        list_append(&threads->finished, &req->node);
        if (first)
            ev_async_send(threads->loop->ev, &threads->ended);
    }
    pthread_mutex_unlock(&threads->lock);
    return NULL;
}

static void threads_start(struct engine *engine, struct store_req *req)
{
    struct threads *threads = CONTAINER_OF(engine, struct threads, engine);
    pthread_mutex_lock(&threads->lock);
    list_append(&threads->todo, &req->node);
    pthread_cond_signal(&threads->wake);
    pthread_mutex_unlock(&threads->lock);
}

static void threads_on_ended(struct ev_loop *ev, struct ev_async *watcher, int events)
{
    (void)ev;
    (void)events;
    struct threads *threads = watcher->data;
    struct list ended;
    list_init(&ended);
    pthread_mutex_lock(&threads->lock);
    for (struct list *node; (node = list_pop(&threads->finished));)
        list_append(&ended, node);
    pthread_mutex_unlock(&threads->lock);
    for (struct list *node; (node = list_pop(&ended));)
        threads->engine.done(CONTAINER_OF(node, struct store_req, node));
}

static void threads_free(struct engine *engine)
{
    struct threads *threads = CONTAINER_OF(engine, struct threads, engine);
    pthread_mutex_lock(&threads->lock);
    ASSERT(list_empty(&threads->todo));
    threads->stopping = true;
    pthread_cond_broadcast(&threads->wake);
    pthread_mutex_unlock(&threads->lock);
    for (uint32_t i = 0; i < threads->count; i++)
        pthread_join(threads->ids[i], NULL);
    ASSERT(list_empty(&threads->finished));
    ev_async_stop(threads->loop->ev, &threads->ended);
    pthread_cond_destroy(&threads->wake);
    pthread_mutex_destroy(&threads->lock);
    free(threads);
}

struct engine *threads_new(struct loop *loop, struct error *error)
{
    struct threads *threads = calloc(1, sizeof(*threads));
    if (!threads) {
        (void)error_set(error, "threads: out of memory");
        return NULL;
    }
    threads->engine = (struct engine){.start = threads_start, .free = threads_free};
    threads->loop = loop;
    list_init(&threads->todo);
    list_init(&threads->finished);
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->wake, NULL);
    ev_async_init(&threads->ended, threads_on_ended);
    threads->ended.data = threads;
    ev_async_start(loop->ev, &threads->ended);
    /* Signals are the loop's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = 0;
    while (rc == 0 && threads->count < THREADS_COUNT) {
        rc = pthread_create(&threads->ids[threads->count], NULL, threads_main, threads);
        threads->count += rc == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        (void)error_set_errno(error, rc, "threads: cannot start one");
        threads_free(&threads->engine);
        return NULL;
    }
    return &threads->engine;
}
