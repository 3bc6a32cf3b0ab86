/* SPDX-License-Identifier: Apache-2.0 */
/* A request as a sequence of system calls. */
#include "replica/store/step.h"

#include "replica/store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/uio.h>
#include <time.h>

enum {
    ZERO_WRITE_BYTES = 256u << 10,
    /* A call that took less time than this may be followed by one of twice the length. */
    ZERO_STEP_NS = 2000000,
    RETRIES_MAX = 1000,
};
#define ZERO_STEP_BYTES_MIN ((uint64_t)64 << 20)
#define ZERO_STEP_BYTES_MAX ((uint64_t)1 << 40)

static uint8_t step_zeros[ZERO_WRITE_BYTES]; /* never written: costs one page of zeros */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* META and DRL bytes are only read, though a step's bytes could be written. */
static uint8_t *bytes_of(const struct store_req *req)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } page = {.in = req->bytes};
    return page.out;
}

static struct store_step plan_page(const struct store_req *req)
{
    const struct store_volume *volume = req->volume;
    uint64_t begin = req->op == STORE_DRL ? (uint64_t)req->index * STORE_DRL_PAGE_BYTES : 0;
    return (struct store_step){
        .kind = STEP_WRITE,
        .fd = req->op == STORE_DRL ? volume->drl_fd : volume->meta_fd[req->index],
        .flags = RWF_DSYNC,
        .bytes = bytes_of(req) + req->progress_bytes,
        .offset_bytes = begin + req->progress_bytes,
        .length_bytes = req->length_bytes - req->progress_bytes,
    };
}

static struct store_step plan_sync(const struct store_req *req)
{
    return (struct store_step){.kind = STEP_SYNC, .fd = req->volume->data_fd};
}

static struct store_step plan_zero(struct store_req *req)
{
    const struct store_volume *volume = req->volume;
    uint64_t left = req->length_bytes - req->progress_bytes;
    struct store_step step = {.fd = volume->data_fd,
                              .offset_bytes = req->offset_bytes + req->progress_bytes};
    if (req->syncing)
        return plan_sync(req);
    if (req->no_hole ? volume->no_zero_range : volume->no_punch) {
        step.kind = STEP_WRITE;
        step.bytes = step_zeros;
        step.length_bytes = smaller(left, ZERO_WRITE_BYTES);
        return step;
    }
    step.kind = STEP_ALLOCATE;
    step.flags = (req->no_hole ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE) | FALLOC_FL_KEEP_SIZE;
    step.length_bytes = smaller(left, req->zero_step_bytes);
    req->began_ns = now_ns();
    return step;
}

static struct store_step plan(struct store_req *req)
{
    struct store_step step = {.kind = STEP_READ, .fd = req->volume->data_fd};
    switch (req->op) {
    case STORE_WRITE:
        step.kind = STEP_WRITE;
        step.flags = req->fua ? RWF_DSYNC : 0;
        break;
    case STORE_READ:
        break;
    case STORE_ZERO:
        return plan_zero(req);
    case STORE_SYNC:
        return plan_sync(req);
    case STORE_META:
    case STORE_DRL:
        return plan_page(req);
    case STORE_COMMAND:
    case STORE_LAST_COMMAND:
    case STORE_BOOK:
    case STORE_INSTALL:
    case STORE_SETTLE:
    case STORE_DIFF:
    case STORE_DIGEST:
    case STORE_SPACE:
        UNREACHABLE();
    }
    step.bytes = req->data.bytes + req->progress_bytes;
    step.offset_bytes = req->offset_bytes + req->progress_bytes;
    step.length_bytes = req->length_bytes - req->progress_bytes;
    return step;
}

static void check(const struct store_req *req)
{
    const struct store_volume *volume = req->volume;
    switch (req->op) {
    case STORE_READ:
    case STORE_WRITE:
        ASSERT(req->data.length_bytes >= req->length_bytes);
        ASSERT(!req->fua || req->op == STORE_WRITE);
        /* fall through */
    case STORE_ZERO:
        ASSERT(req->offset_bytes <= volume->data_bytes);
        ASSERT(req->length_bytes <= volume->data_bytes - req->offset_bytes);
        break;
    case STORE_SYNC:
        break;
    case STORE_META:
        ASSERT(req->bytes && req->index < 2);
        break;
    case STORE_DRL:
        ASSERT(req->bytes && req->index < volume->drl_bytes / STORE_DRL_PAGE_BYTES);
        break;
    case STORE_COMMAND:
    case STORE_LAST_COMMAND:
    case STORE_BOOK:
    case STORE_INSTALL:
    case STORE_SETTLE:
    case STORE_DIFF:
    case STORE_DIGEST:
    case STORE_SPACE:
        UNREACHABLE();
    }
}

/* Whether its end says that something is on stable storage. */
static bool is_durable(const struct store_req *req)
{
    return req->fua || req->op == STORE_SYNC || req->op == STORE_META || req->op == STORE_DRL;
}

bool step_begin(struct store_req *req)
{
    check(req);
    req->status = 0;
    req->progress_bytes = 0;
    req->syncing = false;
    req->retries = 0;
    req->zero_step_bytes = ZERO_STEP_BYTES_MIN;
    if (req->op == STORE_META)
        req->length_bytes = STORE_META_BYTES;
    if (req->op == STORE_DRL)
        req->length_bytes = STORE_DRL_PAGE_BYTES;
    if (req->volume->sync_failed && (req->op == STORE_SYNC || req->fua)) {
        req->status = -EIO;
        return true;
    }
    if (req->length_bytes == 0 && req->op != STORE_SYNC)
        return true;
    req->step = plan(req);
    if (is_durable(req))
        volume_sync_begins(req->volume);
    return false;
}

/* A refusal for want of space leaves what was durable durable; anything else is for good. */
static bool end_failed(struct store_req *req)
{
    int status = (int)req->step.result;
    if (status == -EDQUOT)
        status = -ENOSPC;
    bool durable = req->step.kind == STEP_WRITE && (req->step.flags & RWF_DSYNC);
    if (req->step.kind == STEP_SYNC || (durable && status != -ENOSPC)) {
        volume_sync_failed(req->volume);
        status = -EIO;
    }
    req->status = status;
    return true;
}

/* True when the file system cannot do this to a file, and the request goes on another way. */
static bool learn_refusal(struct store_req *req)
{
    int64_t result = req->step.result;
    if (req->step.kind != STEP_ALLOCATE || (result != -EOPNOTSUPP && result != -ENOSYS))
        return false;
    if (req->no_hole)
        req->volume->no_zero_range = true;
    else
        req->volume->no_punch = true;
    return true;
}

static bool end(struct store_req *req)
{
    const struct store_step *step = &req->step;
    if ((step->result == -EINTR || step->result == -EAGAIN) && req->retries < RETRIES_MAX) {
        req->retries++;
        return false;
    }
    if (step->result < 0) {
        if (!learn_refusal(req))
            return end_failed(req);
        req->step = plan(req);
        return false;
    }
    switch ((enum step_kind)step->kind) {
    case STEP_READ:
    case STEP_WRITE:
        ASSERT((uint64_t)step->result <= step->length_bytes);
        if (step->result == 0) {
            /* The file ends before the volume does: somebody else has shortened it. */
            req->status = -EIO;
            return true;
        }
        req->progress_bytes += (uint64_t)step->result;
        break;
    case STEP_ALLOCATE:
        req->progress_bytes += step->length_bytes;
        if (now_ns() - req->began_ns < ZERO_STEP_NS)
            req->zero_step_bytes = smaller(req->zero_step_bytes * 2, ZERO_STEP_BYTES_MAX);
        else
            req->zero_step_bytes = ZERO_STEP_BYTES_MIN;
        break;
    case STEP_SYNC:
        return true;
    }
    if (req->progress_bytes == req->length_bytes) {
        if (req->op != STORE_ZERO || !req->fua)
            return true;
        req->syncing = true;
    }
    req->step = plan(req);
    return false;
}

bool step_end(struct store_req *req)
{
    bool ended = end(req);
    if (ended && is_durable(req))
        volume_sync_ended(req->volume);
    return ended;
}

bool step_is_plain_write(const struct store_step *step)
{
    return step->kind == STEP_WRITE && !(step->flags & RWF_DSYNC);
}
