/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on io_uring: what was asked for in one turn of the loop is handed over in one system
 * call, what has ended is taken in bulk.
 */
#include "replica/store/engine.h"
#include "replica/store/step.h"
#include "replica/store/sums.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

enum {
    URING_ENTRIES_MIN = 8,
    URING_ENTRIES_MAX = 4096,
    URING_REAP_MAX = 256, /* per turn, so that sockets get theirs */
    URING_RETRY_NS = 1000000,
};

struct uring {
    struct engine engine;
    struct loop *loop; /* of the caller */
    struct io_uring ring;
    struct ev_io readable;
    struct loop_hook hook;
    struct loop_timer retry; /* the kernel was short of memory: once more, a little later */
    struct list waiting;     /* requests for which the ring had no room */
    uint32_t entries;
    uint32_t in_ring; /* handed to the ring, not yet taken back */
    uint32_t unsubmitted;
    bool resting; /* until retry */
};

static void uring_prepare(struct uring *uring, struct store_req *req)
{
    const struct store_step *step = &req->step;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    ASSERT(sqe);
    switch ((enum step_kind)step->kind) {
    case STEP_READ:
        io_uring_prep_read(sqe, step->fd, step->bytes, (unsigned)step->length_bytes,
                           step->offset_bytes);
        if (req->background)
            io_uring_sqe_set_flags(sqe, IOSQE_ASYNC); /* its bytes are not copied by the loop */
        break;
    case STEP_WRITE:
        io_uring_prep_write(sqe, step->fd, step->bytes, (unsigned)step->length_bytes,
                            step->offset_bytes);
        sqe->rw_flags = step->flags;
        break;
    case STEP_PUT:
        io_uring_prep_write(sqe, step->fd, step->bytes + step->result,
                            (unsigned)(step->length_bytes - (uint64_t)step->result),
                            step->offset_bytes + (uint64_t)step->result);
        break;
    case STEP_SYNC:
        io_uring_prep_fsync(sqe, step->fd, IORING_FSYNC_DATASYNC);
        break;
    case STEP_ALLOCATE:
        io_uring_prep_fallocate(sqe, step->fd, step->flags, (off_t)step->offset_bytes,
                                (off_t)step->length_bytes);
        break;
    }
    io_uring_sqe_set_data(sqe, req);
    uring->unsubmitted++;
    uring->in_ring++;
}

static void uring_ask(struct uring *uring, struct store_req *req)
{
    /* As many in the ring as its submission side holds: then the completion side never overflows.
     */
    if (!list_empty(&uring->waiting) || uring->in_ring == uring->entries)
        list_append(&uring->waiting, &req->node);
    else
        uring_prepare(uring, req);
}

static void uring_start(struct engine *engine, struct store_req *req)
{
    req->step.result = 0;
    uring_ask(CONTAINER_OF(engine, struct uring, engine), req);
}

/* The kernel gave `result`. False when the step goes on: of a put, which is whole or failed. */
static bool uring_ended(struct store_step *step, int result)
{
    if (step->kind != STEP_PUT) {
        step->result = result;
        return true;
    }
    if (result <= 0) {
        step->result = result < 0 ? result : -EIO;
        return true;
    }
    step->result += result;
    if ((uint64_t)step->result < step->length_bytes)
        return false;
    if (!sums_put(step->sums_mapped, step->sums, step->length_bytes / BLOCK_BYTES))
        step->result = -EIO;
    return true;
}

/* Returns how many requests were answered. */
static uint32_t uring_reap(struct uring *uring)
{
    struct io_uring_cqe *cqes[URING_REAP_MAX];
    uint32_t count = io_uring_peek_batch_cqe(&uring->ring, cqes, URING_REAP_MAX);
    struct store_req *reqs[URING_REAP_MAX];
    int results[URING_REAP_MAX];
    for (uint32_t i = 0; i < count; i++) {
        reqs[i] = io_uring_cqe_get_data(cqes[i]);
        results[i] = cqes[i]->res;
    }
    io_uring_cq_advance(&uring->ring, count);
    ASSERT(uring->in_ring >= count);
    uring->in_ring -= count;
    for (uint32_t i = 0; i < count; i++) {
        if (uring_ended(&reqs[i]->step, results[i]))
            uring->engine.done(reqs[i]);
        else
            uring_ask(uring, reqs[i]);
    }
    return count;
}

static bool uring_submit(struct uring *uring)
{
    while (uring->in_ring < uring->entries && !list_empty(&uring->waiting))
        uring_prepare(uring, CONTAINER_OF(list_pop(&uring->waiting), struct store_req, node));
    if (uring->unsubmitted == 0)
        return false;
    int rc = io_uring_submit(&uring->ring);
    uring->resting = rc < 0 || (uint32_t)rc < uring->unsubmitted;
    if (uring->resting)
        loop_timer_start(&uring->retry, URING_RETRY_NS);
    /* Anything else means that the ring itself is broken, and no answer can be trusted. */
    ASSERT(rc >= 0 || rc == -EAGAIN || rc == -EBUSY || rc == -EINTR);
    if (rc > 0) {
        ASSERT((uint32_t)rc <= uring->unsubmitted);
        uring->unsubmitted -= (uint32_t)rc;
    }
    return rc > 0;
}

/* What the page cache had is answered by the submission itself: no need to sleep first. */
static bool uring_hook(struct loop_hook *hook)
{
    struct uring *uring = CONTAINER_OF(hook, struct uring, hook);
    if (uring->resting)
        return false;
    bool submitted = uring_submit(uring);
    return submitted && uring_reap(uring) > 0;
}

static void uring_on_readable(struct ev_loop *ev, struct ev_io *watcher, int events)
{
    (void)ev;
    (void)events;
    (void)uring_reap(watcher->data);
}

static void uring_on_retry(struct loop_timer *timer)
{
    /* The hook runs at the end of this turn. */
    CONTAINER_OF(timer, struct uring, retry)->resting = false;
}

static void uring_free(struct engine *engine)
{
    struct uring *uring = CONTAINER_OF(engine, struct uring, engine);
    ASSERT(uring->in_ring == 0 && list_empty(&uring->waiting));
    loop_timer_stop(&uring->retry);
    loop_hook_remove(&uring->hook);
    ev_io_stop(uring->loop->ev, &uring->readable);
    io_uring_queue_exit(&uring->ring);
    free(uring);
}

/* With the flags that spare interrupts, or on an older kernel without. */
static int uring_queue(struct uring *uring)
{
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER};
    int rc = io_uring_queue_init_params(uring->entries, &uring->ring, &params);
    if (rc == -EINVAL) {
        params = (struct io_uring_params){0};
        rc = io_uring_queue_init_params(uring->entries, &uring->ring, &params);
    }
    if (rc == 0)
        uring->entries = params.sq_entries;
    return rc;
}

static bool uring_knows_steps(struct uring *uring, struct error *error)
{
    static const struct {
        int op;
        const char *name;
    } needed[] = {{IORING_OP_READ, "READ"},
                  {IORING_OP_WRITE, "WRITE"},
                  {IORING_OP_FSYNC, "FSYNC"},
                  {IORING_OP_FALLOCATE, "FALLOCATE"}};
    struct io_uring_probe *probe = io_uring_get_probe_ring(&uring->ring);
    if (!probe) {
        (void)error_set(error, "io_uring: this kernel cannot say what it knows");
        return false;
    }
    bool known = true;
    for (size_t i = 0; known && i < ARRAY_COUNT(needed); i++) {
        known = io_uring_opcode_supported(probe, needed[i].op);
        if (!known)
            (void)error_set(error, "io_uring: this kernel does not know %s", needed[i].name);
    }
    io_uring_free_probe(probe);
    return known;
}

struct engine *uring_new(struct loop *loop, uint32_t requests_max, struct error *error)
{
    struct uring *uring = calloc(1, sizeof(*uring));
    if (!uring) {
        (void)error_set(error, "io_uring: out of memory");
        return NULL;
    }
    uring->engine = (struct engine){.start = uring_start, .free = uring_free};
    uring->loop = loop;
    uring->entries = requests_max;
    if (uring->entries < URING_ENTRIES_MIN)
        uring->entries = URING_ENTRIES_MIN;
    if (uring->entries > URING_ENTRIES_MAX)
        uring->entries = URING_ENTRIES_MAX;
    list_init(&uring->waiting);
    int rc = uring_queue(uring);
    if (rc) {
        (void)error_set_errno(error, rc, "io_uring");
        goto fail;
    }
    if (!uring_knows_steps(uring, error))
        goto fail_ring;
    ev_io_init(&uring->readable, uring_on_readable, uring->ring.ring_fd, EV_READ);
    uring->readable.data = uring;
    ev_io_start(loop->ev, &uring->readable);
    loop_timer_init(&uring->retry, loop, uring_on_retry);
    uring->hook.run = uring_hook;
    loop_hook_add(loop, &uring->hook);
    return &uring->engine;
fail_ring:
    io_uring_queue_exit(&uring->ring);
fail:
    free(uring);
    return NULL;
}
