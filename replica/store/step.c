/* SPDX-License-Identifier: Apache-2.0 */
/* A request as a sequence of system calls. */
#include "replica/store/step.h"

#include "common/base/crc32c.h"
#include "replica/store/family.h"
#include "replica/store/state.h"
#include "replica/store/volume.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/uio.h>

enum { RETRIES_MAX = 1000 };

/* Checksums are read into this and forgotten: what counts is that the kernel has them then. */
static uint8_t step_scratch[SUMS_CHUNK_BYTES];

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

/* What is made durable from here on is told beside the planes: volume.h. */
static void durable_begins(struct store_req *req)
{
    if (!req->syncing)
        volume_sync_begins(req->volume);
    req->syncing = true;
}

static enum step_next done(struct store_req *req, int status)
{
    if (req->syncing)
        volume_sync_ended(req->volume);
    req->syncing = false;
    req->status = status;
    return STEP_DONE;
}

static enum step_next plan_page(struct store_req *req)
{
    durable_begins(req);
    const struct store_volume *volume = req->volume;
    uint64_t begin = req->op == STORE_DRL ? (uint64_t)req->index * STORE_DRL_PAGE_BYTES : 0;
    req->step = (struct store_step){
        .kind = STEP_WRITE,
        .fd = req->op == STORE_DRL ? volume->drl_fd : volume->meta_fd[req->index],
        .flags = RWF_DSYNC,
        .bytes = bytes_of(req),
        .offset_bytes = begin,
        .length_bytes = req->length_bytes,
    };
    return STEP_GO;
}

/* Every open volume of the family is out of service: what is on disk can no longer be known. */
static void sync_failed(struct family *family)
{
    family->sync_failed = true;
    LIST_FOR_EACH (node, &family->store->volumes) {
        struct store_volume *volume = CONTAINER_OF(node, struct store_volume, node);
        if (volume->family == family)
            volume_sync_failed(volume);
    }
}

/* One segment after the other; another volume's sync that is under way does not count as ours. */
static enum step_next plan_sync(struct store_req *req)
{
    struct family *family = req->volume->family;
    if (family->sync_failed || req->volume->sync_failed)
        return done(req, -EIO);
    req->segment = family_unsynced(family, req->sync_from);
    if (!req->segment)
        return done(req, 0);
    durable_begins(req);
    req->sync_from = req->segment->number + 1;
    req->segment->dirty = false;
    req->segment->syncs++;
    req->step = (struct store_step){.kind = STEP_SYNC, .fd = req->segment->fd};
    return STEP_GO;
}

/* Where the next bytes of the request lie. */
static void place(struct store_req *req)
{
    uint64_t length_bytes = req->length_bytes - req->progress_bytes;
    req->position = req->offset_bytes + req->progress_bytes;
    req->run_bytes = smaller(length_bytes, STRETCH_BYTES - req->position % STRETCH_BYTES);
}

static enum step_next plan_data(struct store_req *req)
{
    place(req);
    struct segment *segment = family_segment(req->volume->family, req->position);
    req->segment = segment;
    if (!segment->ready) {
        list_append(&segment->waiting, &req->node);
        return STEP_WAIT;
    }
    req->step = (struct store_step){.fd = segment->fd,
                                    .offset_bytes = req->position & (SEGMENT_BYTES - 1),
                                    .length_bytes = req->run_bytes};
    if (req->op == STORE_ZERO) {
        if (req->data_zeroed) {
            req->step.offset_bytes = segment_sums_offset(req->position);
            req->step.length_bytes = req->run_bytes / BLOCK_BYTES * SUM_BYTES;
        }
        req->step.kind = STEP_ALLOCATE;
        req->step.flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        return STEP_GO;
    }
    req->warming = !segment_is_warm(segment, req->position);
    if (req->warming) {
        req->step.kind = STEP_READ;
        req->step.bytes = step_scratch;
        req->step.offset_bytes = segment_sums_offset(req->position - req->position % STRETCH_BYTES);
        req->step.length_bytes = sizeof(step_scratch);
        return STEP_GO;
    }
    req->step.kind = req->op == STORE_READ ? STEP_READ : STEP_PUT;
    req->step.bytes = req->data.bytes + req->progress_bytes;
    if (req->op == STORE_WRITE) {
        volume_undoubt(req->volume, req->offset_bytes + req->progress_bytes, req->run_bytes);
        req->step.sums = slice_crc(&req->data) + req->progress_bytes / BLOCK_BYTES;
        req->step.sums_offset_bytes = segment_sums_offset(req->position);
    }
    return STEP_GO;
}

static enum step_next plan(struct store_req *req)
{
    switch (req->op) {
    case STORE_READ:
    case STORE_WRITE:
    case STORE_ZERO:
        if (req->progress_bytes < req->length_bytes)
            return plan_data(req);
        return req->fua ? plan_sync(req) : done(req, 0);
    case STORE_SYNC:
        return plan_sync(req);
    case STORE_META:
    case STORE_DRL:
        return req->progress_bytes < req->length_bytes ? plan_page(req) : done(req, 0);
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
    UNREACHABLE();
}

static void check(const struct store_req *req)
{
    const struct store_volume *volume = req->volume;
    switch (req->op) {
    case STORE_READ:
    case STORE_WRITE:
        ASSERT(req->data.buf && req->data.length_bytes >= req->length_bytes);
        ASSERT(!req->fua || req->op == STORE_WRITE);
        /* fall through */
    case STORE_ZERO:
        ASSERT(req->offset_bytes % BLOCK_BYTES == 0 && req->length_bytes % BLOCK_BYTES == 0);
        ASSERT(req->offset_bytes <= volume->size_bytes);
        ASSERT(req->length_bytes <= volume->size_bytes - req->offset_bytes);
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

enum step_next step_begin(struct store_req *req)
{
    check(req);
    req->status = 0;
    req->progress_bytes = 0;
    req->sync_from = 0;
    req->syncing = false;
    req->warming = false;
    req->data_zeroed = false;
    req->retries = 0;
    if (req->op == STORE_META)
        req->length_bytes = STORE_META_BYTES;
    if (req->op == STORE_DRL)
        req->length_bytes = STORE_DRL_PAGE_BYTES;
    return plan(req);
}

enum step_next step_resume(struct store_req *req, int status)
{
    return status ? done(req, status) : plan(req);
}

/* A refusal for want of space leaves what was durable durable; anything else is for good. */
static enum step_next end_failed(struct store_req *req)
{
    int status = (int)req->step.result;
    if (status == -EDQUOT)
        status = -ENOSPC;
    if (req->step.kind == STEP_SYNC) {
        sync_failed(req->volume->family);
        status = -EIO;
    } else if (req->step.kind == STEP_WRITE && !req->settling && status != -ENOSPC) {
        volume_sync_failed(req->volume);
        status = -EIO;
    }
    return done(req, status);
}

/* Computes the checksums of what was read, once, and holds them against what is stored. */
static bool verify(struct store_req *req)
{
    uint32_t *sums = slice_crc(&req->data) + req->progress_bytes / BLOCK_BYTES;
    const uint8_t *bytes = req->data.bytes + req->progress_bytes;
    const uint32_t *stored =
        req->segment->sums + (req->position & (SEGMENT_BYTES - 1)) / BLOCK_BYTES;
    uint64_t offset_bytes = req->offset_bytes + req->progress_bytes;
    bool equal = true;
    for (uint64_t i = 0; i < req->run_bytes / BLOCK_BYTES; i++) {
        sums[i] = crc32c(0, bytes + i * BLOCK_BYTES, BLOCK_BYTES);
        equal = equal && ((sums[i] ^ (uint32_t)SUM_OF_ZEROS) == le32toh(stored[i]) ||
                          doubt_has(&req->volume->doubt, offset_bytes + i * BLOCK_BYTES));
    }
    return equal;
}

/* What was read is believed: its checksums are written, and those alone. */
static enum step_next plan_settle(struct store_req *req)
{
    uint32_t *sums = slice_crc(&req->data) + req->progress_bytes / BLOCK_BYTES;
    uint64_t count = req->run_bytes / BLOCK_BYTES;
    for (uint64_t i = 0; i < count; i++)
        sums[i] = htole32(sums[i] ^ (uint32_t)SUM_OF_ZEROS);
    req->segment->dirty = true;
    req->step = (struct store_step){.kind = STEP_WRITE,
                                    .fd = req->segment->fd,
                                    .bytes = (uint8_t *)sums,
                                    .offset_bytes = segment_sums_offset(req->position),
                                    .length_bytes = count * SUM_BYTES};
    return STEP_GO;
}

static enum step_next end_write(struct store_req *req)
{
    struct store_step *step = &req->step;
    step->bytes += step->result;
    step->offset_bytes += (uint64_t)step->result;
    step->length_bytes -= (uint64_t)step->result;
    if (step->length_bytes > 0)
        return STEP_GO;
    if (req->settling)
        req->segment->dirty = true;
    req->progress_bytes += req->settling ? req->run_bytes : req->length_bytes;
    return plan(req);
}

static enum step_next end_read(struct store_req *req)
{
    struct store_step *step = &req->step;
    if (req->warming) {
        segment_warmed(req->segment, req->position);
        return plan(req);
    }
    step->bytes += step->result;
    step->offset_bytes += (uint64_t)step->result;
    step->length_bytes -= (uint64_t)step->result;
    if (step->length_bytes > 0)
        return STEP_GO;
    if (!verify(req))
        return done(req, -EILSEQ);
    if (req->settling)
        return plan_settle(req);
    req->progress_bytes += req->run_bytes;
    return plan(req);
}

enum step_next step_end(struct store_req *req)
{
    const struct store_step *step = &req->step;
    if (step->kind == STEP_SYNC)
        req->segment->syncs--;
    if (step->kind == STEP_PUT || step->kind == STEP_ALLOCATE)
        req->segment->dirty = true;
    /* Block and checksum may disagree now: what is there is believed from here on. */
    if (step->kind == STEP_PUT && step->result < 0)
        doubt_add(&req->volume->doubt, req->offset_bytes + req->progress_bytes, req->run_bytes);
    if ((step->result == -EINTR || step->result == -EAGAIN) && req->retries < RETRIES_MAX) {
        req->retries++;
        req->segment->syncs += step->kind == STEP_SYNC;
        return STEP_GO;
    }
    if (step->result < 0)
        return end_failed(req);
    if (step->result == 0 && (step->kind == STEP_READ || step->kind == STEP_WRITE)) {
        /* The file ends before it should: somebody else has shortened it. */
        return done(req, -EIO);
    }
    switch ((enum step_kind)step->kind) {
    case STEP_READ:
        ASSERT((uint64_t)step->result <= step->length_bytes);
        return end_read(req);
    case STEP_WRITE:
        ASSERT((uint64_t)step->result <= step->length_bytes);
        return end_write(req);
    case STEP_ALLOCATE:
        req->data_zeroed = !req->data_zeroed;
        if (req->data_zeroed)
            break;
        /* fall through */
    case STEP_PUT:
        req->progress_bytes += req->run_bytes;
        break;
    case STEP_SYNC:
        break;
    }
    return plan(req);
}
