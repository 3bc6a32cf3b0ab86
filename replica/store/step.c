/* SPDX-License-Identifier: Apache-2.0 */
/* A request as a sequence of system calls. */
#include "replica/store/step.h"

#include "common/base/crc32c.h"
#include "replica/store/chores.h"
#include "replica/store/family.h"
#include "replica/store/place.h"
#include "replica/store/rest.h"
#include "replica/store/state.h"
#include "replica/store/sums.h"
#include "replica/store/volume.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/uio.h>

enum {
    RETRIES_MAX = 1000,
    ZERO_ROUNDS = 16,
};

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
    struct store *store = req->volume->store;
    if (req->syncing)
        volume_sync_ended(req->volume);
    req->syncing = false;
    place_cancel(req);
    if (req->op == STORE_GROW)
        volume_grow_end(req, status);
    if (req->zeroing)
        store_zeroing_put(store, req);
    if (req->reading)
        chores_read_ends(&store->chores, req->side);
    req->reading = false;
    req->status = status;
    return STEP_DONE;
}

/* The map has no room: until a fold has ended. */
static enum step_next wait_for_map(struct store_req *req)
{
    struct store *store = req->volume->store;
    list_append(&store->map_waits, &req->node);
    loop_defer(store->loop, &store->kick);
    /* What is waited for may wait for reads. */
    if (req->reading)
        chores_read_ends(&store->chores, req->side);
    req->reading = false;
    return STEP_WAIT;
}

static enum step_next plan_page(struct store_req *req)
{
    const struct store_volume *volume = req->volume;
    if (volume->drl_fd < 0)
        return volume_wake(req);
    durable_begins(req);
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

static struct durable *durable_of(struct store_req *req)
{
    return req->journal ? &req->volume->store->journal : &req->segment->durable;
}

/* STEP_DONE: it was covered by another one's. */
static enum step_next plan_sync_of(struct store_req *req, int fd)
{
    struct durable *file = durable_of(req);
    if (durable_met(file, &req->sync_need))
        return STEP_DONE;
    if (file->syncing) {
        list_append(&file->reqs, &req->node);
        return STEP_WAIT;
    }
    durable_begin(file);
    req->step = (struct store_step){.kind = STEP_SYNC, .fd = fd};
    return STEP_GO;
}

/* Then what the map's journal says of the data, unless that is durable already. */
static enum step_next plan_journal(struct store_req *req)
{
    struct store *store = req->volume->store;
    int rc = map_flushed(store->map, req->volume->family->number, req->mark);
    if (rc == -EAGAIN)
        return wait_for_map(req);
    if (rc < 0) {
        store_sync_failed(store, NULL);
        return done(req, -EIO);
    }
    store->journal.dirty = store->journal.dirty || rc == 1;
    req->journal = true;
    enum step_next next = plan_sync_of(req, map_journal_fd(store->map));
    return next == STEP_DONE ? done(req, 0) : next;
}

/* One segment after the other. */
static enum step_next plan_sync(struct store_req *req)
{
    struct family *family = req->volume->family;
    if (family->sync_failed || req->volume->sync_failed)
        return done(req, -EIO);
    if (!req->flushing)
        req->mark = map_flush_mark(req->volume->store->map);
    req->flushing = true;
    durable_begins(req);
    while (!req->journal && (req->segment = family_unsynced(family, req->sync_from))) {
        enum step_next next = plan_sync_of(req, req->segment->fd);
        if (next != STEP_DONE)
            return next;
        req->sync_from = req->segment->number + 1;
    }
    return plan_journal(req);
}

/* The checksums of the position's stretch: room for them, or all of them read. */
static enum step_next plan_stretch(struct store_req *req, bool reserve)
{
    uint64_t begin = req->position - req->position % STRETCH_BYTES;
    req->reserving = reserve;
    req->warming = !reserve;
    req->step = (struct store_step){.kind = reserve ? STEP_ALLOCATE : STEP_READ,
                                    .fd = req->segment->fd,
                                    .bytes = step_scratch,
                                    .offset_bytes = store_sums_offset(begin),
                                    .length_bytes = sizeof(step_scratch)};
    return STEP_GO;
}

/* The present run, as much of it as one step may do. */
static enum step_next plan_run(struct store_req *req, const struct map_run *run)
{
    req->position = place_position(run);
    req->run_bytes = smaller(run->length_bytes, STRETCH_BYTES - req->position % STRETCH_BYTES);
    struct segment *segment = family_segment(req->volume->family, req->position);
    req->segment = segment;
    if (!segment->ready) {
        list_append(&segment->waiting, &req->node);
        return STEP_WAIT;
    }
    if (req->op == STORE_WRITE && !segment_is(segment, req->position, STRETCH_ASKED))
        return plan_stretch(req, true);
    if (req->op != STORE_ZERO && !segment_is(segment, req->position, STRETCH_WARM))
        return plan_stretch(req, false);
    req->warming = false;
    req->reserving = false;
    req->step = (struct store_step){
        .fd = segment->fd, .offset_bytes = run->offset_bytes, .length_bytes = req->run_bytes};
    if (req->op == STORE_ZERO) {
        req->step.kind = STEP_ALLOCATE;
        req->step.flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        return STEP_GO;
    }
    req->step.kind = req->op == STORE_READ ? STEP_READ : STEP_PUT;
    req->step.bytes = req->data.bytes + req->progress_bytes;
    if (req->op == STORE_WRITE) {
        if (req->generation == 0)
            volume_undoubt(req->volume, req->offset_bytes + req->progress_bytes, req->run_bytes);
        req->step.sums = slice_crc(&req->data) + req->progress_bytes / BLOCK_BYTES;
        req->step.sums_offset_bytes = store_sums_offset(req->position);
        if (segment_is(segment, req->position, STRETCH_STORED))
            req->step.sums_mapped = segment_sums(segment, req->position);
    }
    return STEP_GO;
}

/* What is not stored reads as zeros. */
static void read_zeros(struct store_req *req, uint64_t length_bytes)
{
    uint32_t *sums = slice_crc(&req->data) + req->progress_bytes / BLOCK_BYTES;
    memset(req->data.bytes + req->progress_bytes, 0, length_bytes);
    for (uint64_t i = 0; i < length_bytes / BLOCK_BYTES; i++)
        sums[i] = (uint32_t)SUM_OF_ZEROS;
}

/* What is stored is read, or written again where it lies: nobody gives it up meanwhile. */
static enum step_next plan_stored(struct store_req *req)
{
    while (req->progress_bytes < req->length_bytes) {
        if (!req->reading)
            req->side = chores_read_begins(&req->volume->store->chores);
        req->reading = true;
        int rc = place_read(req);
        if (rc)
            return rc == -EAGAIN ? wait_for_map(req) : done(req, rc);
        const struct map_run *run = &req->runs[req->run_at];
        uint64_t length_bytes = run->length_bytes;
        if (run->state == MAP_DATA)
            return plan_run(req, run);
        if (req->op == STORE_READ)
            read_zeros(req, length_bytes);
        req->progress_bytes += length_bytes;
        place_consume(req, length_bytes);
    }
    return req->fua ? plan_sync(req) : done(req, 0);
}

static enum step_next plan_write(struct store_req *req)
{
    if (req->length_bytes == 0)
        return req->fua ? plan_sync(req) : done(req, 0);
    int rc = place_write(req);
    if (rc == 0 && req->run_at < req->run_count)
        return plan_run(req, &req->runs[req->run_at]);
    if (rc == 0)
        rc = place_wrote(req);
    if (rc)
        return rc == -EAGAIN ? wait_for_map(req) : done(req, rc);
    return req->fua ? plan_sync(req) : done(req, 0);
}

/* A long one lets others have the loop now and then. */
static enum step_next plan_zero(struct store_req *req)
{
    struct store *store = req->volume->store;
    while (req->progress_bytes < req->length_bytes) {
        if (!req->zeroing && !store_zeroing_get(store, req))
            return STEP_WAIT;
        if (req->rounds++ % ZERO_ROUNDS == ZERO_ROUNDS - 1) {
            list_append(&store->later, &req->node);
            loop_defer(store->loop, &store->go_on);
            return STEP_WAIT;
        }
        int rc = place_zero(req);
        if (rc == 0 && req->run_at < req->run_count)
            return plan_run(req, &req->zeroing->runs[req->run_at]);
        if (rc == 0)
            rc = place_zeroed(req);
        if (rc)
            return rc == -EAGAIN ? wait_for_map(req) : done(req, rc);
    }
    return req->fua ? plan_sync(req) : done(req, 0);
}

/* The files, then the map. */
static enum step_next plan_grow(struct store_req *req)
{
    if (req->progress_bytes == 0) {
        volume_grow_begin(req);
        return STEP_WAIT;
    }
    int rc = map_volume_grow(req->volume->map_volume, req->length_bytes);
    return rc == -EAGAIN ? wait_for_map(req) : done(req, rc);
}

static enum step_next plan(struct store_req *req)
{
    int rc;
    switch (req->op) {
    case STORE_READ:
        return plan_stored(req);
    case STORE_WRITE:
        if (req->mend && req->generation && !req->flushing)
            return plan_stored(req);
        return req->flushing ? plan_sync(req) : plan_write(req);
    case STORE_ZERO:
        return req->flushing ? plan_sync(req) : plan_zero(req);
    case STORE_SYNC:
        return plan_sync(req);
    case STORE_META:
    case STORE_DRL:
        return req->progress_bytes < req->length_bytes ? plan_page(req) : done(req, 0);
    case STORE_GROW:
        return plan_grow(req);
    case STORE_COMMAND:
        if (place_seals(req) && volume_settles_first(req->volume, req))
            return STEP_WAIT;
        /* fall through */
    case STORE_LAST_COMMAND:
    case STORE_BOOK:
    case STORE_INSTALL:
    case STORE_SETTLE:
    case STORE_DIFF:
    case STORE_DIGEST:
    case STORE_SPACE:
        rc = place_command(req);
        loop_defer(req->volume->store->loop, &req->volume->store->kick);
        return rc == -EAGAIN ? wait_for_map(req) : done(req, rc);
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
    case STORE_META:
        ASSERT(req->bytes && req->index < 2);
        break;
    case STORE_DRL:
        ASSERT(req->bytes && req->index < volume->drl_bytes / STORE_DRL_PAGE_BYTES);
        break;
    case STORE_COMMAND:
    case STORE_INSTALL:
        ASSERT(req->data.bytes);
        break;
    case STORE_LAST_COMMAND:
    case STORE_BOOK:
    case STORE_DIFF:
    case STORE_DIGEST:
    case STORE_SPACE:
        ASSERT(req->reply.bytes);
        break;
    case STORE_SYNC:
    case STORE_SETTLE:
    case STORE_GROW:
        break;
    }
}

enum step_next step_begin(struct store_req *req)
{
    check(req);
    req->status = 0;
    req->progress_bytes = 0;
    req->sync_from = 0;
    req->sync_need.file = NULL;
    req->syncing = false;
    req->in_part = false;
    req->warming = false;
    req->reserving = false;
    req->run_count = 0;
    req->run_at = 0;
    req->rounds = 0;
    req->placed = false;
    req->flushing = false;
    req->journal = false;
    req->zeroing = NULL;
    req->reading = false;
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
    req->in_part = req->step.kind == STEP_PUT && status == -ENOSPC;
    if (req->step.kind == STEP_SYNC) {
        status = -EIO;
    } else if (req->step.kind == STEP_WRITE && !req->settling && status != -ENOSPC) {
        volume_sync_failed(req->volume);
        status = -EIO;
    }
    return done(req, status);
}

/*
 * Computes the checksums of what was read, once, and holds them against what is stored. 0, -EILSEQ,
 * or -EIO when that cannot be read.
 */
static int verify(struct store_req *req)
{
    uint32_t *sums = slice_crc(&req->data) + req->progress_bytes / BLOCK_BYTES;
    const uint8_t *bytes = req->data.bytes + req->progress_bytes;
    uint32_t stored[PAYLOAD_BYTES_MAX / BLOCK_BYTES];
    uint64_t count = req->run_bytes / BLOCK_BYTES;
    uint64_t offset_bytes = req->offset_bytes + req->progress_bytes;
    ASSERT(count <= ARRAY_COUNT(stored));
    if (!sums_get(segment_sums(req->segment, req->position), stored, count))
        return -EIO;
    bool equal = true;
    for (uint64_t i = 0; i < count; i++) {
        sums[i] = crc32c(0, bytes + i * BLOCK_BYTES, BLOCK_BYTES);
        equal = equal && (sums[i] == stored[i] ||
                          (req->generation == 0 &&
                           doubt_has(&req->volume->doubt, offset_bytes + i * BLOCK_BYTES)));
    }
    return equal ? 0 : -EILSEQ;
}

/* What was read is believed: its checksums are written, and those alone. */
static enum step_next plan_settle(struct store_req *req)
{
    uint32_t *sums = slice_crc(&req->data) + req->progress_bytes / BLOCK_BYTES;
    uint64_t count = req->run_bytes / BLOCK_BYTES;
    for (uint64_t i = 0; i < count; i++)
        sums[i] = htole32(sums[i]);
    req->segment->durable.dirty = true;
    req->step = (struct store_step){.kind = STEP_WRITE,
                                    .fd = req->segment->fd,
                                    .bytes = (uint8_t *)sums,
                                    .offset_bytes = store_sums_offset(req->position),
                                    .length_bytes = count * STORE_SUM_BYTES};
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
        req->segment->durable.dirty = true;
    if (req->settling)
        place_consume(req, req->run_bytes);
    req->progress_bytes += req->settling ? req->run_bytes : req->length_bytes;
    return plan(req);
}

static enum step_next end_read(struct store_req *req)
{
    struct store_step *step = &req->step;
    if (req->warming) {
        segment_mark(req->segment, req->position, STRETCH_WARM);
        return plan(req);
    }
    step->bytes += step->result;
    step->offset_bytes += (uint64_t)step->result;
    step->length_bytes -= (uint64_t)step->result;
    if (step->length_bytes > 0)
        return STEP_GO;
    int rc = verify(req);
    if (rc)
        return done(req, rc);
    if (req->settling)
        return plan_settle(req);
    req->progress_bytes += req->run_bytes;
    place_consume(req, req->run_bytes);
    return plan(req);
}

/* Whatever the reason is that there is no space: the write itself finds it, or needs none. */
static enum step_next end_reserve(struct store_req *req)
{
    segment_mark(req->segment, req->position, STRETCH_ASKED);
    if (req->step.result == 0)
        segment_mark(req->segment, req->position, STRETCH_STORED);
    req->reserving = false;
    return plan(req);
}

static void end_sync(struct store_req *req)
{
    struct store *store = req->volume->store;
    if (req->step.result < 0)
        store_sync_failed(store, req->journal ? NULL : req->volume->family);
    store_synced(store, durable_of(req));
}

enum step_next step_end(struct store_req *req)
{
    const struct store_step *step = &req->step;
    if (step->kind == STEP_PUT || step->kind == STEP_ALLOCATE)
        req->segment->durable.dirty = true;
    if (step->kind == STEP_PUT && step->result < 0 && req->generation == 0)
        place_doubt(req);
    if ((step->result == -EINTR || step->result == -EAGAIN) && req->retries < RETRIES_MAX) {
        req->retries++;
        return STEP_GO;
    }
    if (step->kind == STEP_SYNC)
        end_sync(req);
    if (req->reserving)
        return end_reserve(req);
    if (step->kind == STEP_ALLOCATE && (step->result == -EOPNOTSUPP || step->result == -ENOSYS))
        req->step.result = 0; /* space is not given back here; nobody shows what is there */
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
    case STEP_PUT:
        req->progress_bytes += req->run_bytes;
        place_consume(req, req->run_bytes);
        break;
    case STEP_ALLOCATE:
        place_consume(req, req->run_bytes);
        break;
    case STEP_SYNC:
        break;
    }
    return plan(req);
}
