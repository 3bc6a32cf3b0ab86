/* SPDX-License-Identifier: Apache-2.0 */
/* The pool and its volumes, opened and closed. */
#include "tests/power/pool.h"

#include "tests/power/disk.h"

#include <string.h>

static uint64_t pick_state = 1;

void pick_seed(uint64_t seed)
{
    pick_state = seed;
}

uint64_t pick(uint64_t below)
{
    pick_state = pick_state * 6364136223846793005u + 1442695040888963407u;
    return (pick_state >> 33) % below;
}

static uint64_t disk_state = 1;

void disk_seed(uint64_t seed)
{
    disk_state = seed * 0x9e3779b97f4a7c15u + 1;
}

uint64_t disk_random(uint64_t below)
{
    disk_state ^= disk_state << 13;
    disk_state ^= disk_state >> 7;
    disk_state ^= disk_state << 17;
    return (disk_state >> 11) % below;
}

bool pool_fine(const struct pool *pool, int status, const char *what)
{
    MUST(status == 0 || (pool->failing && disk_has_failed()), "%s: %s", what, strerror(-status));
    return status == 0;
}

void pool_open(struct pool *pool)
{
    const struct store_settings settings = {.directory = pool->root,
                                            .engine = pool->engine,
                                            .requests_max = 64,
                                            .may_wait = pool->may_wait,
                                            .rest_ns = 1,
                                            .bufs = &pool->bufs};
    struct error error;
    int rc = loop_init(&pool->loop);
    ASSERT(rc == 0);
    buf_pool_init(&pool->bufs, 16u << 20);
    pool->store = store_open(&settings, &pool->loop, &error);
    MUST(pool->store || pool->failing, "the pool does not open: %s", error.text);
    if (pool->store)
        pool->boot = *store_boot_id(pool->store);
}

void pool_close(struct pool *pool)
{
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        if (pool->open[i])
            pool_volume_close(pool, i);
    }
    if (pool->store)
        store_close(pool->store);
    pool->store = NULL;
    loop_release(&pool->loop);
    buf_pool_release(&pool->bufs);
}

void pool_job_done(void *arg, int status)
{
    struct pool *pool = arg;
    pool->status = status;
    loop_stop(&pool->loop);
}

struct opening {
    struct pool *pool;
    struct store_volume *volume;
};

static void on_opened(void *arg, struct store_volume *volume, const struct error *error)
{
    struct opening *opening = arg;
    MUST(volume || opening->pool->failing, "a volume does not open: %s", error->text);
    opening->volume = volume;
    loop_stop(&opening->pool->loop);
}

void pool_volume_open(struct pool *pool, uint32_t idx, bool settle)
{
    struct volume *volume = &pool->model->volumes[idx];
    const struct store_extent extent = {.size_bytes = (uint64_t)volume->blocks * BLOCK_BYTES,
                                        .drl_bytes = STORE_DRL_PAGE_BYTES,
                                        .plane_bytes = pool_plane_bytes(volume)};
    struct opening opening = {.pool = pool};
    store_volume_open(pool->store, &volume->uuid, &extent, on_opened, &opening);
    loop_run(&pool->loop);
    pool->open[idx] = opening.volume;
    pool->sync_failed[idx] = false;
    if (!opening.volume)
        return;
    if (*store_volume_found(opening.volume)->failed) {
        disk_lock();
        volume->failed = true;
        disk_unlock();
        store_volume_close(opening.volume, pool_job_done, pool);
        pool->open[idx] = NULL;
        loop_run(&pool->loop);
        return;
    }
    for (uint32_t b = 0; b < MODEL_BLOCKS; b++) {
        bool doubtful =
            volume->doubtful[b] || (volume->rebuild.active && volume->rebuild.written[b]);
        if (doubtful && !store_volume_found(opening.volume)->clean)
            store_volume_doubt(opening.volume, (uint64_t)b * BLOCK_BYTES, BLOCK_BYTES);
    }
    if (settle)
        store_volume_settle(opening.volume);
    store_volume_stamp(opening.volume);
}

void pool_volume_close(struct pool *pool, uint32_t idx)
{
    struct volume *volume = &pool->model->volumes[idx];
    uint64_t asked = pool->model->now;
    store_volume_close(pool->open[idx], pool_job_done, pool);
    pool->open[idx] = NULL;
    loop_run(&pool->loop);
    if (!pool_fine(pool, pool->status, "closing a volume"))
        return;
    MUST(!pool->sync_failed[idx], "a failed sync is forgotten");
    disk_lock();
    model_flushed(pool->model, volume->family, asked);
    disk_unlock();
}

static void on_done(struct store_req *req)
{
    /* No volume waits for anything else meanwhile. */
    struct pool *pool = CONTAINER_OF(req, struct op, req)->pool;
    loop_stop(&pool->loop);
}

int pool_do(struct pool *pool, uint32_t idx, struct store_req *req)
{
    struct op op = {.req = *req, .pool = pool};
    op.req.volume = pool->open[idx];
    op.req.done = on_done;
    store_submit(pool->store, &op.req);
    loop_run(&pool->loop);
    *req = op.req;
    return req->status;
}
