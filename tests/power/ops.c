/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations; the model knows of each before it is begun, and when it is answered. */
#include "common/wire/generation.h"
#include "tests/power/disk.h"
#include "tests/power/pool.h"

#include <errno.h>
#include <string.h>

/* Data. */

void block_fill(uint8_t *bytes, uint32_t block, uint64_t serial)
{
    struct stamp stamp = {.serial = serial, .block = block};
    for (uint32_t at = 0; at < BLOCK_BYTES; at += sizeof(stamp))
        memcpy(bytes + at, &stamp, sizeof(stamp));
}

static bool is_free(const struct pool *pool, const struct op *op)
{
    for (uint32_t i = 0; i < POOL_OPS; i++) {
        const struct op *other = &pool->ops[i];
        if (other->busy && other->volume == op->volume && op->first < other->first + other->count &&
            other->first < op->first + op->count)
            return false;
    }
    return true;
}

static bool has_room(const struct op *op)
{
    for (uint32_t b = op->first; b < op->first + op->count; b++) {
        if (history_is_full(&model_head(op->volume)->blocks[b]))
            return false;
    }
    return true;
}

static void data_done(struct op *op)
{
    struct model *model = op->pool->model;
    model->now++;
    for (uint32_t b = op->first; b < op->first + op->count; b++) {
        history_ack(&model_head(op->volume)->blocks[b], model->now);
        op->volume->doubtful[b] = model->now;
    }
    if (!op->req.fua)
        return;
    model_flushed(model, op->volume->family, op->asked);
    for (uint32_t b = op->first; b < op->first + op->count; b++)
        history_certain(&model_head(op->volume)->blocks[b]);
}

static void sync_done(struct op *op)
{
    struct model *model = op->pool->model;
    model->now++;
    model_flushed(model, op->volume->family, op->asked);
    for (uint32_t b = 0; b < MODEL_BLOCKS && op->settled; b++) {
        if (op->volume->doubtful[b] <= op->asked)
            op->volume->doubtful[b] = 0;
    }
}

static void check_read(const struct op *op)
{
    for (uint32_t i = 0; i < op->count; i++) {
        const struct history *block = &model_head(op->volume)->blocks[op->first + i];
        if (block->unknown)
            continue;
        uint64_t serial = block_serial(op->req.data.bytes + (size_t)i * BLOCK_BYTES, op->first + i);
        MUST(serial == history_newest(block), "read of block %u of the head: %llu, not %llu",
             op->first + i, (unsigned long long)serial, (unsigned long long)history_newest(block));
    }
}

static struct history *page_history(struct op *op)
{
    return op->req.op == STORE_DRL ? &op->volume->drl : &op->volume->meta[op->req.index];
}

/* What was asked for may be there or not, until it is asked for anew. */
static void op_failed(struct op *op)
{
    struct pool *pool = op->pool;
    enum store_op kind = op->req.op;
    if (kind == STORE_COMMAND)
        model_undo_command(pool->model, op->volume);
    else if (kind == STORE_META || kind == STORE_DRL)
        history_failed(page_history(op));
    for (uint32_t b = op->first; b < op->first + op->count && kind != STORE_READ; b++)
        history_failed(&model_head(op->volume)->blocks[b]);
    if (kind == STORE_SYNC && op->req.status == -EIO)
        pool->sync_failed[op->volume - pool->model->volumes] = true;
}

static void on_done(struct store_req *req)
{
    struct op *op = CONTAINER_OF(req, struct op, req);
    struct pool *pool = op->pool;
    bool fine = pool_fine(pool, req->status, "an operation");
    bool synced = fine && (req->op == STORE_SYNC || req->fua);
    MUST(!synced || !pool->sync_failed[op->volume - pool->model->volumes],
         "a sync that failed is retried into success");
    disk_lock();
    if (!fine)
        op_failed(op);
    else if (req->op == STORE_WRITE || req->op == STORE_ZERO)
        data_done(op);
    else if (req->op == STORE_SYNC)
        sync_done(op);
    else if (req->op == STORE_READ)
        check_read(op);
    else if (req->op == STORE_COMMAND)
        model_ack_command(pool->model, op->volume);
    else
        history_certain(page_history(op));
    disk_unlock();
    slice_release(&req->data);
    op->busy = false;
    if (--pool->busy == 0)
        loop_stop(&pool->loop);
}

static void submit(struct op *op)
{
    struct pool *pool = op->pool;
    op->busy = true;
    op->asked = pool->model->now;
    op->req.volume = pool->open[op->volume - pool->model->volumes];
    op->req.done = on_done;
    pool->busy++;
    store_submit(pool->store, &op->req);
}

static void submit_sync(struct op *op)
{
    op->req = (struct store_req){.op = STORE_SYNC};
    op->count = 0;
    const struct store_volume *volume = op->pool->open[op->volume - op->pool->model->volumes];
    op->settled = *store_volume_found(volume)->doubtful == 0;
    submit(op);
}

static void submit_data(struct op *op)
{
    op->first = (uint32_t)pick(op->volume->blocks);
    op->count = 1 + (uint32_t)pick(pick(3) ? 4 : 24);
    if (op->count > op->volume->blocks - op->first)
        op->count = op->volume->blocks - op->first;
    if (!is_free(op->pool, op))
        return;
    if (!has_room(op)) {
        submit_sync(op);
        return;
    }
    static const enum store_op kinds[] = {STORE_READ,  STORE_ZERO,  STORE_ZERO, STORE_WRITE,
                                          STORE_WRITE, STORE_WRITE, STORE_WRITE};
    struct model *model = op->pool->model;
    op->req = (struct store_req){.op = kinds[pick(ARRAY_COUNT(kinds))],
                                 .offset_bytes = (uint64_t)op->first * BLOCK_BYTES,
                                 .length_bytes = (uint64_t)op->count * BLOCK_BYTES};
    if (op->req.op != STORE_ZERO)
        op->req.data = slice_get(&op->pool->bufs, op->count * BLOCK_BYTES);
    if (op->req.op == STORE_READ) {
        submit(op);
        return;
    }
    op->req.fua = pick(16) == 0;
    disk_lock();
    op->serial = op->req.op == STORE_WRITE ? ++model->serial : 0;
    for (uint32_t i = 0; i < op->count; i++) {
        uint32_t block = op->first + i;
        history_ask(&model_head(op->volume)->blocks[block], op->serial);
        op->volume->doubtful[block] = MODEL_NEVER;
        if (op->serial)
            block_fill(op->req.data.bytes + (size_t)i * BLOCK_BYTES, block, op->serial);
    }
    disk_unlock();
    if (op->serial)
        slice_crc_fill(&op->req.data);
    submit(op);
}

static void submit_page(struct op *op)
{
    op->req = (struct store_req){.op = pick(2) ? STORE_META : STORE_DRL, .bytes = op->page};
    op->req.index = op->req.op == STORE_META ? (uint32_t)pick(2) : 0;
    op->count = 0;
    struct history *history = page_history(op);
    if (history_is_full(history))
        return;
    for (uint32_t i = 0; i < POOL_OPS; i++) {
        if (op->pool->ops[i].busy && op->pool->ops[i].req.bytes)
            return;
    }
    disk_lock();
    op->serial = ++op->pool->model->serial;
    history_ask(history, op->serial);
    disk_unlock();
    block_fill(op->page, 0, op->serial);
    submit(op);
}

struct volume *pool_any_volume(struct pool *pool)
{
    for (uint32_t tries = 0; tries < 16; tries++) {
        uint64_t i = pick(MODEL_VOLUMES);
        if (pool->open[i] && !pool->model->volumes[i].rebuild.active)
            return &pool->model->volumes[i];
    }
    return NULL;
}

bool pool_sync(struct pool *pool, struct volume *volume)
{
    struct op *op = &pool->ops[0];
    *op = (struct op){.pool = pool, .volume = volume};
    submit_sync(op);
    loop_run(&pool->loop);
    return op->req.status == 0;
}

static void several(struct pool *pool)
{
    uint64_t count = 1 + pick(POOL_OPS);
    for (uint64_t i = 0; i < count; i++) {
        struct op *op = &pool->ops[i];
        op->pool = pool;
        op->volume = pool_any_volume(pool);
        if (!op->volume)
            break;
        uint64_t kind = pick(16);
        if (kind == 0)
            submit_page(op);
        else if (kind <= 2)
            submit_sync(op);
        else
            submit_data(op);
    }
    if (pool->busy > 0)
        loop_run(&pool->loop);
}

/* Commands. */

struct generation *pool_any_sealed(struct volume *volume)
{
    for (uint32_t tries = 0; volume && tries < 16; tries++) {
        struct generation *g = &volume->generations[pick(volume->count)];
        if (g->sealed != MODEL_NEVER && g->dropped == MODEL_NEVER)
            return g;
    }
    return NULL;
}

static void give(struct pool *pool, struct volume *volume, enum command_kind kind,
                 uint64_t generation)
{
    struct op *op = &pool->ops[0];
    struct message_command message = {
        .number = volume->command, .kind = kind, .generation = generation};
    /* Another one than that of a command that was lost. */
    uint64_t serial = ++pool->model->serial;
    memcpy(message.identity.bytes, &serial, sizeof(serial));
    struct slice body = slice_get(&pool->bufs, COMMAND_BYTES_MAX);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    message_command_encode(&w, &message);
    ASSERT(!w.bad);
    body.length_bytes = (uint32_t)writer_length(&w);
    *op = (struct op){.pool = pool, .volume = volume};
    op->req = (struct store_req){.op = STORE_COMMAND, .data = body};
    submit(op);
    loop_run(&pool->loop);
}

static void command(struct pool *pool)
{
    struct volume *volume = pool_any_volume(pool);
    if (!volume)
        return;
    if (!model_has_room(pool->model, volume)) {
        (void)pool_sync(pool, volume);
        return;
    }
    struct generation *sealed = pool_any_sealed(volume);
    uint64_t kind = sealed ? pick(6) : 0;
    disk_lock();
    uint64_t number = kind >= 3 ? sealed->number : model_head(volume)->number;
    if (kind < 3)
        model_seal(pool->model, volume);
    else if (kind < 5)
        model_drop(pool->model, volume, sealed);
    else
        model_revert(pool->model, volume, sealed);
    disk_unlock();
    give(pool, volume, kind < 3 ? COMMAND_SEAL : kind < 5 ? COMMAND_DROP : COMMAND_REVERT, number);
}

/* Volumes. */

static void create(struct pool *pool)
{
    struct volume *origin = pick(2) ? pool_any_volume(pool) : NULL;
    const struct generation *from = pool_any_sealed(origin);
    origin = from ? origin : NULL;
    struct store_create create = {.drl_bytes = STORE_DRL_PAGE_BYTES,
                                  .blank = !from && pick(2),
                                  .origin = origin ? origin->uuid : (struct uuid){{0}},
                                  .origin_generation = from ? from->number : 0};
    disk_lock();
    struct volume *volume = model_create(pool->model, origin, from);
    uint64_t asked = pool->model->now;
    disk_unlock();
    if (!volume)
        return;
    create.volume = volume->uuid;
    create.size_bytes = (uint64_t)volume->blocks * BLOCK_BYTES;
    create.plane_bytes = pool_plane_bytes(volume);
    store_volume_create(pool->store, &create, pool_job_done, pool);
    loop_run(&pool->loop);
    if (!pool_fine(pool, pool->status, "making a volume"))
        return;
    disk_lock();
    volume->exists = true;
    volume->appears = false;
    model_flushed(pool->model, volume->family, asked);
    disk_unlock();
    pool_volume_open(pool, (uint32_t)(volume - pool->model->volumes), true);
}

static void delete (struct pool *pool)
{
    static const uint8_t meta[STORE_META_BYTES];
    struct volume *volume = pool_any_volume(pool);
    if (!volume)
        return;
    pool_volume_close(pool, (uint32_t)(volume - pool->model->volumes));
    disk_lock();
    volume->goes = true;
    disk_unlock();
    store_volume_delete(pool->store, &volume->uuid, meta, &(struct epitaph){0}, pool_job_done,
                        pool);
    loop_run(&pool->loop);
    if (!pool_fine(pool, pool->status, "deleting a volume"))
        return;
    disk_lock();
    model_gone(pool->model, volume);
    disk_unlock();
}

static void reopen(struct pool *pool)
{
    const struct volume *volume = pool_any_volume(pool);
    if (!volume)
        return;
    uint32_t idx = (uint32_t)(volume - pool->model->volumes);
    pool_volume_close(pool, idx);
    pool_volume_open(pool, idx, pick(2));
}

void pool_round(struct pool *pool)
{
    uint64_t kind = pick(76);
    if (kind < 44)
        several(pool);
    else if (kind < 58)
        command(pool);
    else if (kind < 61)
        create(pool);
    else if (kind < 62)
        delete (pool);
    else if (kind < 64)
        reopen(pool);
    else if (kind < 66)
        pool_grow(pool);
    else if (kind < 69)
        pool_digest(pool);
    else if (kind < 71)
        pool_scrub(pool);
    else if (kind < 75)
        pool_rebuild(pool);
    else
        pool_reclaim(pool);
}
