/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of any shape as operations on whole 4 KiB blocks, one part after another. What covers
 * only a piece of a block is merged into what is there, under the range's exclusive lock.
 */
#include "target/volume/state.h"

#include <errno.h>
#include <string.h>

/* How much one ZERO operation covers at most: bounds the work of one step anywhere. */
#define PART_ZERO_BYTES_MAX ((uint64_t)1 << 30)

static uint64_t block_floor(uint64_t bytes)
{
    return bytes / BLOCK_BYTES * BLOCK_BYTES;
}

static uint64_t block_ceil(uint64_t bytes)
{
    return block_floor(bytes + BLOCK_BYTES - 1);
}

static uint64_t bytes_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Compare and write is atomic, hence one part. */
static bool part_fits_one(const struct block_req *req)
{
    return block_ceil(req->offset_bytes + req->length_bytes) - block_floor(req->offset_bytes) <=
           PAYLOAD_BYTES_MAX;
}

static bool row_fits(const struct block_req *req)
{
    size_t key = strlen(req->key);
    return key > 0 && key < BOOK_KEY_BYTES && req->data.length_bytes <= BOOK_VALUE_BYTES_MAX;
}

int volume_request_check(const struct volume *volume, const struct block_req *req)
{
    uint64_t size = volume_config(volume)->size_bytes;
    if (req->op == BLOCK_FLUSH)
        return 0;
    bool asks = req->op == BLOCK_READ || req->op == BLOCK_STATUS;
    if (req->generation && !asks)
        return -EROFS;
    if (req->op == BLOCK_SET_ROW)
        return row_fits(req) ? 0 : -EINVAL;
    if (req->offset_bytes > size || req->length_bytes > size - req->offset_bytes)
        return -EINVAL;
    if (req->op == BLOCK_COMPARE_WRITE && !part_fits_one(req))
        return -EINVAL;
    bool any_length = req->op == BLOCK_ZERO || req->op == BLOCK_STATUS;
    if (!any_length && req->length_bytes > BUF_BYTES_MAX)
        return -EINVAL;
    return 0;
}

/* The range that covers the rest of the request, as far as one operation goes. */
static void part_range(struct volume_op *vop)
{
    const struct block_req *req = vop->req;
    uint64_t begin = req->offset_bytes + vop->done_bytes;
    uint64_t aligned = block_floor(begin);
    uint64_t end = bytes_min(req->offset_bytes + req->length_bytes, aligned + PAYLOAD_BYTES_MAX);
    vop->part_bytes = end - begin;
    vop->skip_bytes = (uint32_t)(begin - aligned);
    vop->op.offset_bytes = aligned;
    vop->op.length_bytes = block_ceil(end) - aligned;
}

static void part_write(struct volume_op *vop)
{
    const struct slice *data = &vop->req->data;
    part_range(vop);
    if (vop->part_bytes != vop->op.length_bytes) {
        vop->op.kind = REPL_UPDATE;
        return;
    }
    vop->op.kind = REPL_WRITE;
    vop->op.data = (struct slice){.buf = data->buf,
                                  .bytes = data->bytes + vop->done_bytes,
                                  .length_bytes = (uint32_t)vop->part_bytes};
    slice_crc_fill(&vop->op.data);
}

/* Whole blocks are zeroed as such; a piece of one is merged. */
static void part_zero(struct volume_op *vop)
{
    const struct block_req *req = vop->req;
    uint64_t begin = req->offset_bytes + vop->done_bytes;
    uint64_t left = req->length_bytes - vop->done_bytes;
    uint64_t aligned = block_floor(begin);
    if (begin == aligned && left >= BLOCK_BYTES) {
        vop->op.kind = REPL_ZERO;
        vop->op.no_hole = req->flags & BLOCK_NO_HOLE;
        vop->part_bytes = bytes_min(block_floor(left), PART_ZERO_BYTES_MAX);
        vop->op.offset_bytes = begin;
        vop->op.length_bytes = vop->part_bytes;
        return;
    }
    vop->op.kind = REPL_UPDATE;
    vop->op.offset_bytes = aligned;
    vop->op.length_bytes = BLOCK_BYTES;
    vop->skip_bytes = (uint32_t)(begin - aligned);
    vop->part_bytes = bytes_min(left, BLOCK_BYTES - vop->skip_bytes);
}

/* One question is all: what it leaves open the owner may ask again. */
static void part_status(struct volume_op *vop)
{
    const struct block_req *req = vop->req;
    uint64_t aligned = block_floor(req->offset_bytes);
    vop->op.kind = REPL_DIFF;
    vop->op.generation = req->generation;
    vop->op.from_generation = req->from_generation;
    vop->op.offset_bytes = aligned;
    vop->op.length_bytes = block_ceil(req->offset_bytes + req->length_bytes) - aligned;
    vop->skip_bytes = (uint32_t)(req->offset_bytes - aligned);
    vop->part_bytes = req->length_bytes;
}

static void part_row(struct volume_op *vop)
{
    const struct block_req *req = vop->req;
    vop->op.kind = REPL_COMMAND;
    vop->op.command = (struct message_command){
        .kind = COMMAND_SET, .value = req->data.bytes, .value_bytes = req->data.length_bytes};
    memcpy(vop->op.command.key, req->key, strlen(req->key));
    vop->part_bytes = 0;
}

void part_next(struct volume_op *vop, struct buf_pool *bufs)
{
    struct block_req *req = vop->req;
    vop->op = (struct repl_op){.peer = REPL_ANY_PEER, .fua = req->flags & BLOCK_FUA};
    vop->skip_bytes = 0;
    switch (req->op) {
    case BLOCK_READ:
        part_range(vop);
        vop->op.kind = REPL_READ;
        vop->op.generation = req->generation;
        /* What needs several parts is gathered. */
        if (vop->part_bytes < req->length_bytes && !req->data.buf)
            req->data = slice_get(bufs, (uint32_t)req->length_bytes);
        break;
    case BLOCK_WRITE:
        part_write(vop);
        break;
    case BLOCK_COMPARE_WRITE:
    case BLOCK_OR_WRITE:
        part_range(vop);
        vop->op.kind = REPL_UPDATE;
        break;
    case BLOCK_ZERO:
        part_zero(vop);
        break;
    case BLOCK_FLUSH:
        vop->op.kind = REPL_FLUSH;
        vop->part_bytes = 0;
        break;
    case BLOCK_STATUS:
        part_status(vop);
        break;
    case BLOCK_SET_ROW:
        part_row(vop);
        break;
    }
}

/* True when the bytes that are there are those the request expects; else says where they differ. */
static bool part_compare(struct volume_op *vop, const uint8_t *there)
{
    struct block_req *req = vop->req;
    if (memcmp(there, req->data.bytes, req->length_bytes) == 0)
        return true;
    uint64_t at = 0;
    while (there[at] == req->data.bytes[at])
        at++;
    req->mismatch_bytes = at;
    vop->op.status = -EILSEQ;
    return false;
}

static void bytes_or(uint8_t *to, const uint8_t *from, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++)
        to[i] |= from[i];
}

bool part_merge(struct volume_op *vop, struct buf_pool *bufs)
{
    struct block_req *req = vop->req;
    struct slice there = vop->op.data;
    ASSERT(there.length_bytes == vop->op.length_bytes);
    bool compare = req->op == BLOCK_COMPARE_WRITE;
    if (compare && !part_compare(vop, there.bytes + vop->skip_bytes))
        return false;
    /* What was read may be shared with whoever sent it, so the merge is a copy. */
    struct slice merged = slice_get(bufs, there.length_bytes);
    memcpy(merged.bytes, there.bytes, there.length_bytes);
    uint8_t *at = merged.bytes + vop->skip_bytes;
    if (req->op == BLOCK_ZERO)
        memset(at, 0, vop->part_bytes);
    else if (req->op == BLOCK_OR_WRITE)
        bytes_or(at, req->data.bytes + vop->done_bytes, vop->part_bytes);
    else
        memcpy(at, req->data.bytes + vop->done_bytes + (compare ? req->length_bytes : 0),
               vop->part_bytes);
    slice_crc_fill(&merged);
    slice_release(&vop->op.data);
    vop->op.data = merged;
    return true;
}

/* The request's bytes of a finished READ part. */
static void part_take_read(struct volume_op *vop)
{
    struct block_req *req = vop->req;
    struct slice read = vop->op.data;
    ASSERT(read.length_bytes == vop->op.length_bytes);
    if (req->data.buf) {
        memcpy(req->data.bytes + vop->done_bytes, read.bytes + vop->skip_bytes, vop->part_bytes);
        slice_release(&vop->op.data);
        return;
    }
    req->data = (struct slice){.buf = read.buf,
                               .bytes = read.bytes + vop->skip_bytes,
                               .length_bytes = (uint32_t)vop->part_bytes};
}

/* Adds a run to the request's; false when there is no room. */
static bool run_add(struct block_req *req, uint64_t length_bytes, uint8_t state)
{
    struct block_run *last = req->runs_count ? &req->runs[req->runs_count - 1] : NULL;
    if (last && last->state == state) {
        last->length_bytes += length_bytes;
        return true;
    }
    if (req->runs_count == req->runs_max)
        return false;
    req->runs[req->runs_count++] = (struct block_run){.length_bytes = length_bytes, .state = state};
    return true;
}

/* The runs of a finished DIFF, as far as they are the request's. 0 or -EIO. */
static int part_take_runs(struct volume_op *vop)
{
    STATIC_ASSERT((int)BLOCK_HOLE == (int)DIFF_ABSENT && (int)BLOCK_ZEROED == (int)DIFF_ZERO &&
                      (int)BLOCK_DATA == (int)DIFF_DATA,
                  "states are the same numbers");
    struct block_req *req = vop->req;
    struct reader r = reader_of(vop->op.data.bytes, vop->op.data.length_bytes);
    uint64_t skip_bytes = vop->skip_bytes;
    uint64_t left = req->length_bytes;
    req->runs_count = 0;
    while (left > 0 && reader_left(&r) > 0) {
        struct diff_run run;
        diff_run_decode(&r, &run);
        if (r.bad)
            return -EIO;
        uint64_t cut = bytes_min(skip_bytes, run.length_bytes);
        uint64_t length = bytes_min(run.length_bytes - cut, left);
        skip_bytes -= cut;
        if (length > 0 && !run_add(req, length, (uint8_t)run.state))
            break;
        left -= length;
    }
    return req->runs_count ? 0 : -EIO;
}

bool part_finish(struct volume_op *vop)
{
    struct block_req *req = vop->req;
    req->status = vop->op.status;
    if (vop->op.kind == REPL_READ && req->status == 0)
        part_take_read(vop);
    else if (vop->op.kind == REPL_READ || vop->op.kind == REPL_UPDATE)
        slice_release(&vop->op.data);
    if (vop->op.kind == REPL_DIFF) {
        if (req->status == 0)
            req->status = part_take_runs(vop);
        else if (req->status == -EINVAL)
            req->status = -EOPNOTSUPP;
        slice_release(&vop->op.data);
    }
    if (req->status < 0 && req->op == BLOCK_READ)
        slice_release(&req->data);
    vop->done_bytes += vop->part_bytes;
    return req->status < 0 || req->op == BLOCK_FLUSH || req->op == BLOCK_SET_ROW ||
           vop->done_bytes == req->length_bytes;
}
