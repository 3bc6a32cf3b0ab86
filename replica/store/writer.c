/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of buffered writes of blocks and their checksums. The page cache takes 4 KiB in less
 * time than anybody needs to be woken, and io_uring hands each buffered write to a worker where the
 * file system, as ext4, never promises not to block. So a turn's writes are made here, at its end,
 * while nothing suggests that they would have to wait; else all of them by one thread, woken once.
 *
 * What they could wait for: a sync, which holds on to pages and to the journal, a change of the
 * file's extents, the thread's writes (then none is made here); and too much unwritten data, known
 * by a write that was slow (then none is made here for a while).
 */
#include "replica/store/engine.h"
#include "replica/store/family.h"
#include "replica/store/step.h"
#include "replica/store/sums.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    /*
     * What is written in one call may be kept in the page cache as one large folio, and then ext4
     * walks all of its blocks at each later write of a few of them.
     */
    WRITER_PIECE_BYTES = 32u << 10,
    /* As much is written before what is finished is told, so that it need not wait for a batch. */
    WRITER_TELL_BYTES = 256u << 10,
    /* A turn that writes more is worth waking the thread, and this one goes on meanwhile. */
    WRITER_HERE_BYTES = 512u << 10,
};

#define WRITER_SLOW_NS  ((uint64_t)1000 * 1000)
#define WRITER_WATCH_NS ((uint64_t)1000 * 1000 * 1000)
/* The loop waits in slow writes for no more than this part of its time. */
#define WRITER_REST_TIMES 64

struct writer_engine {
    struct engine engine;
    struct loop *loop; /* of the caller */
    struct loop_hook hook;
    struct ev_async ended; /* the only thing of libev that the thread may touch */
    pthread_t thread;
    bool may_wait;          /* writes may be made by the loop */
    const uint32_t *others; /* steps under way that writes could have to wait for */
    struct list turn;       /* asked for in this turn */
    uint64_t turn_bytes;
    uint32_t handed_over;    /* what the thread has */
    uint64_t rest_until_ns;  /* until then all is handed over */
    uint64_t watch_until_ns; /* until then what a slow write waits for is looked at */
    pthread_mutex_t lock;    /* guards what follows */
    pthread_cond_t wake;
    struct list todo;
    struct list finished;
    bool stopping;
};

/* Moves all of `from` to the end of `to`. */
static void writer_move(struct list *from, struct list *to)
{
    for (struct list *node; (node = list_pop(from));)
        list_append(to, node);
}

static int64_t writer_put(int fd, const uint8_t *bytes, uint64_t length_bytes,
                          uint64_t offset_bytes)
{
    uint64_t done_bytes = 0;
    while (done_bytes < length_bytes) {
        uint64_t piece_bytes = length_bytes - done_bytes;
        if (piece_bytes > WRITER_PIECE_BYTES)
            piece_bytes = WRITER_PIECE_BYTES;
        ssize_t got =
            pwrite(fd, bytes + done_bytes, piece_bytes, (off_t)(offset_bytes + done_bytes));
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            return -EIO;
        done_bytes += got > 0 ? (uint64_t)got : 0;
    }
    return (int64_t)done_bytes;
}

static int64_t writer_put_sums(const struct store_step *step)
{
    uint64_t count = step->length_bytes / BLOCK_BYTES;
    if (step->sums_mapped)
        return sums_put(step->sums_mapped, step->sums, count) ? 0 : -EIO;
    uint32_t sums[PAYLOAD_BYTES_MAX / BLOCK_BYTES];
    ASSERT(count <= ARRAY_COUNT(sums));
    for (uint64_t i = 0; i < count; i++)
        sums[i] = htole32(step->sums[i]);
    return writer_put(step->fd, (const uint8_t *)sums, count * STORE_SUM_BYTES,
                      step->sums_offset_bytes);
}

/* The blocks and then their checksums: all written, or -errno and what is there is not known. */
static int64_t writer_perform(const struct store_step *step)
{
    int64_t result = writer_put(step->fd, step->bytes, step->length_bytes, step->offset_bytes);
    if (result < 0)
        return result;
    int64_t sums_result = writer_put_sums(step);
    return sums_result < 0 ? sums_result : result;
}

/* Performs the first of `from`. Returns how long it is. */
static uint64_t writer_take(struct list *from, struct list *done)
{
    struct store_req *req = CONTAINER_OF(list_pop(from), struct store_req, node);
    req->step.result = writer_perform(&req->step);
    list_append(done, &req->node);
    return req->step.length_bytes;
}

/* Performs until there is nothing left, or enough to tell. */
static void writer_work(struct list *batch, struct list *done)
{
    uint64_t written_bytes = 0;
    while (written_bytes < WRITER_TELL_BYTES && !list_empty(batch))
        written_bytes += writer_take(batch, done);
}

static void *writer_main(void *arg)
{
    struct writer_engine *writer = arg;
    struct list batch, done;
    list_init(&batch);
    list_init(&done);
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        while (list_empty(&batch) && list_empty(&writer->todo) && !writer->stopping)
            pthread_cond_wait(&writer->wake, &writer->lock);
        if (list_empty(&batch) && list_empty(&writer->todo))
            break;
        writer_move(&writer->todo, &batch);
        pthread_mutex_unlock(&writer->lock);
        writer_work(&batch, &done);
        pthread_mutex_lock(&writer->lock);
        bool first = list_empty(&writer->finished);
        writer_move(&done, &writer->finished);
        if (first)
            ev_async_send(writer->loop->ev, &writer->ended);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

static void writer_start(struct engine *engine, struct store_req *req)
{
    struct writer_engine *writer = CONTAINER_OF(engine, struct writer_engine, engine);
    ASSERT(req->step.kind == STEP_PUT);
    list_append(&writer->turn, &req->node);
    writer->turn_bytes += req->step.length_bytes;
}

static uint64_t writer_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A write was slow: the next ones are handed over. */
static void writer_rest(struct writer_engine *writer, uint64_t now_ns, uint64_t took_ns)
{
    writer->rest_until_ns = now_ns + took_ns * WRITER_REST_TIMES;
    writer->watch_until_ns = writer->rest_until_ns + WRITER_WATCH_NS;
}

static bool writer_may_write_here(const struct writer_engine *writer)
{
    return writer->may_wait && *writer->others == 0 && writer->handed_over == 0 &&
           writer->turn_bytes <= WRITER_HERE_BYTES;
}

/* How often this thread gave the processor up of its own, as to wait for a disk. */
static long writer_waits(void)
{
    struct rusage usage;
    int failed = getrusage(RUSAGE_THREAD, &usage);
    ASSERT(!failed);
    return usage.ru_nvcsw;
}

/*
 * Makes the turn's writes until one is slow, and not only for want of a processor: to tell these
 * apart takes a system call, which is made only where one was slow lately.
 */
static void writer_write_here(struct writer_engine *writer, struct list *done)
{
    uint64_t now_ns = writer_now_ns();
    if (now_ns < writer->rest_until_ns)
        return;
    bool watch = now_ns < writer->watch_until_ns;
    long waits = watch ? writer_waits() : 0;
    while (now_ns >= writer->rest_until_ns && !list_empty(&writer->turn)) {
        uint64_t began_ns = now_ns;
        writer_take(&writer->turn, done);
        now_ns = writer_now_ns();
        if (now_ns - began_ns > WRITER_SLOW_NS && (!watch || writer_waits() != waits))
            writer_rest(writer, now_ns, now_ns - began_ns);
    }
}

static void writer_hand_over(struct writer_engine *writer)
{
    pthread_mutex_lock(&writer->lock);
    for (struct list *node; (node = list_pop(&writer->turn));) {
        list_append(&writer->todo, node);
        writer->handed_over++;
    }
    pthread_mutex_unlock(&writer->lock);
    pthread_cond_signal(&writer->wake);
}

static bool writer_hook(struct loop_hook *hook)
{
    struct writer_engine *writer = CONTAINER_OF(hook, struct writer_engine, hook);
    if (list_empty(&writer->turn))
        return false;
    struct list done;
    list_init(&done);
    if (writer_may_write_here(writer))
        writer_write_here(writer, &done);
    writer->turn_bytes = 0;
    if (!list_empty(&writer->turn))
        writer_hand_over(writer);
    bool answered = !list_empty(&done);
    for (struct list *node; (node = list_pop(&done));)
        writer->engine.done(CONTAINER_OF(node, struct store_req, node));
    return answered;
}

static void writer_on_ended(struct ev_loop *ev, struct ev_async *watcher, int events)
{
    (void)ev;
    (void)events;
    struct writer_engine *writer = watcher->data;
    struct list ended;
    pthread_mutex_lock(&writer->lock);
    list_take_all(&ended, &writer->finished);
    pthread_mutex_unlock(&writer->lock);
    for (struct list *node; (node = list_pop(&ended));) {
        writer->handed_over--;
        writer->engine.done(CONTAINER_OF(node, struct store_req, node));
    }
}

static void writer_free(struct engine *engine)
{
    struct writer_engine *writer = CONTAINER_OF(engine, struct writer_engine, engine);
    ASSERT(list_empty(&writer->turn));
    pthread_mutex_lock(&writer->lock);
    ASSERT(list_empty(&writer->todo));
    writer->stopping = true;
    pthread_mutex_unlock(&writer->lock);
    pthread_cond_signal(&writer->wake);
    pthread_join(writer->thread, NULL);
    ASSERT(list_empty(&writer->finished));
    loop_hook_remove(&writer->hook);
    ev_async_stop(writer->loop->ev, &writer->ended);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

struct engine *writer_new(struct loop *loop, bool may_wait, const uint32_t *others,
                          struct error *error)
{
    struct writer_engine *writer = calloc(1, sizeof(*writer));
    if (!writer) {
        (void)error_set(error, "writer: out of memory");
        return NULL;
    }
    writer->engine = (struct engine){.start = writer_start, .free = writer_free};
    writer->loop = loop;
    writer->may_wait = may_wait;
    writer->others = others;
    list_init(&writer->turn);
    list_init(&writer->todo);
    list_init(&writer->finished);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->wake, NULL);
    /* Signals are the loop's, but the one of the thread's own stores. */
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&writer->thread, NULL, writer_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        (void)error_set_errno(error, rc, "writer: cannot start its thread");
        pthread_cond_destroy(&writer->wake);
        pthread_mutex_destroy(&writer->lock);
        free(writer);
        return NULL;
    }
    ev_async_init(&writer->ended, writer_on_ended);
    writer->ended.data = writer;
    ev_async_start(loop->ev, &writer->ended);
    writer->hook.run = writer_hook;
    loop_hook_add(loop, &writer->hook);
    return &writer->engine;
}
