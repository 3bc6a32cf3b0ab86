/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: opened, listed, and every request taken through its steps. */
#include "replica/store/store.h"

#include "common/base/log.h"
#include "replica/store/family.h"
#include "replica/store/files.h"
#include "replica/store/flush.h"
#include "replica/store/start.h"
#include "replica/store/state.h"
#include "replica/store/step.h"
#include "replica/store/sums.h"
#include "replica/store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Longer ones take longer to copy than a thread to wake, and the loop goes on meanwhile. */
enum { RING_PUT_BYTES_MAX = 32u << 10 };

#define RESERVE_BYTES_MAX ((uint64_t)1 << 30)
#define SPACE_FRESH_NS    ((uint64_t)1000000000)

/* Tests bring a boot id of their own to stand for a machine that lost its power. */
static int read_boot_id(struct uuid *boot, struct error *error)
{
    const char *path = getenv("STRAKE_BOOT_ID_FILE");
    if (!path)
        path = "/proc/sys/kernel/random/boot_id";
    char text[64];
    int rc = file_read_text(AT_FDCWD, path, text, sizeof(text));
    if (rc)
        return error_set_errno(error, rc, "boot id: %s", path);
    text[strcspn(text, "\n")] = '\0';
    if (!uuid_parse(text, boot))
        return error_set(error, "boot id: %s: '%s' is not a UUID", path, text);
    return 0;
}

static struct engine *open_engine(struct store *store, const struct store_settings *settings,
                                  struct error *error)
{
    struct error why = {.text = "chosen"};
    struct engine *engine = NULL;
    if (settings->engine != STORE_ENGINE_THREADS) {
        engine = uring_new(store->loop, settings->requests_max, &why);
        if (engine || settings->engine != STORE_ENGINE_AUTO) {
            *error = why;
            store->ring_puts = settings->engine == STORE_ENGINE_URING_WRITES ||
                               folder_takes_writes_at_once(store->directory.fd);
            snprintf(store->engine_name, sizeof(store->engine_name), "io_uring%s",
                     store->ring_puts ? ", writes too" : "");
            return engine;
        }
    }
    snprintf(store->engine_name, sizeof(store->engine_name), "threads (%.*s)", 128, why.text);
    return threads_new(store->loop, error);
}

static void req_begin(struct store *store, struct store_req *req)
{
    store->in_flight++;
    req->volume->in_flight++;
    req->volume->family->in_flight++;
    volume_used(req->volume);
}

static void req_end(struct store *store, struct store_req *req)
{
    store->in_flight--;
    req->volume->in_flight--;
    req->volume->family->in_flight--;
    req->volume->used = true;
    req->done(req);
}

static void answer_all(struct loop_task *task)
{
    struct store *store = CONTAINER_OF(task, struct store, answer);
    struct list answered;
    list_init(&answered);
    for (struct list *node; (node = list_pop(&store->answered));)
        list_append(&answered, node);
    for (struct list *node; (node = list_pop(&answered));) {
        req_end(store, CONTAINER_OF(node, struct store_req, node));
    }
}

/* Puts could have to wait for it. */
static bool is_slow(const struct store_step *step)
{
    return step->kind != STEP_READ && step->kind != STEP_PUT;
}

static bool is_for_writer(const struct store *store, const struct store_step *step)
{
    return step->kind == STEP_PUT &&
           (!store->ring_puts || !step->sums_mapped || step->length_bytes > RING_PUT_BYTES_MAX);
}

static void go_on(struct store *store, struct store_req *req, enum step_next next)
{
    if (next == STEP_WAIT)
        return;
    if (next == STEP_DONE) {
        req_end(store, req);
        return;
    }
    store->slow_steps += is_slow(&req->step);
    struct engine *engine = is_for_writer(store, &req->step) ? store->writer : store->engine;
    engine->start(engine, req);
}

static void on_go_on(struct loop_task *task)
{
    struct store *store = CONTAINER_OF(task, struct store, go_on);
    struct list now;
    list_init(&now);
    for (struct list *node; (node = list_pop(&store->later));)
        list_append(&now, node);
    for (struct list *node; (node = list_pop(&now));) {
        struct store_req *req = CONTAINER_OF(node, struct store_req, node);
        store_resume(store, req, req->resume_status);
    }
}

static void on_kick(struct loop_task *task)
{
    struct store *store = CONTAINER_OF(task, struct store, kick);
    chores_kick(&store->chores, !list_empty(&store->map_waits));
}

void store_resume_later(struct store *store, struct list *waiting, int status)
{
    for (struct list *node; (node = list_pop(waiting));) {
        CONTAINER_OF(node, struct store_req, node)->resume_status = status;
        list_append(&store->later, node);
    }
    if (!list_empty(&store->later))
        loop_defer(store->loop, &store->go_on);
}

void store_sync_failed(struct store *store, struct family *family)
{
    store->journal_failed = store->journal_failed || !family;
    LIST_FOR_EACH (node, &store->volumes) {
        struct store_volume *volume = CONTAINER_OF(node, struct store_volume, node);
        if (!family || volume->family == family)
            volume_sync_failed(volume);
    }
    LIST_FOR_EACH (node, &store->families) {
        struct family *each = CONTAINER_OF(node, struct family, node);
        each->sync_failed = each->sync_failed || !family || each == family;
    }
}

void store_synced(struct store *store, struct durable *durable)
{
    ASSERT(durable->syncing);
    durable->syncing = false;
    store_resume_later(store, &durable->reqs, 0);
    flush_resume(&durable->flushes);
}

bool store_zeroing_get(struct store *store, struct store_req *req)
{
    for (uint32_t i = 0; i < STORE_ZEROINGS; i++) {
        if (!store->zeroings[i].busy) {
            store->zeroings[i].busy = true;
            req->zeroing = &store->zeroings[i];
            return true;
        }
    }
    list_append(&store->zeroing_waits, &req->node);
    return false;
}

void store_zeroing_put(struct store *store, struct store_req *req)
{
    req->zeroing->busy = false;
    req->zeroing = NULL;
    struct list *node = list_pop(&store->zeroing_waits);
    if (!node)
        return;
    CONTAINER_OF(node, struct store_req, node)->resume_status = 0;
    list_append(&store->later, node);
    loop_defer(store->loop, &store->go_on);
}

void store_resume(struct store *store, struct store_req *req, int status)
{
    go_on(store, req, step_resume(req, status));
}

static void on_step_done(struct store_req *req)
{
    struct store *store = req->volume->store;
    store->slow_steps -= is_slow(&req->step);
    go_on(store, req, step_end(req));
}

/* The engine, the writer and the threads. */
static int open_workers(struct store *store, const struct store_settings *settings,
                        struct error *error)
{
    store->engine = open_engine(store, settings, error);
    if (!store->engine)
        return -1;
    store->engine->done = on_step_done;
    store->writer = writer_new(store->loop, settings->may_wait, &store->slow_steps, error);
    if (!store->writer)
        goto fail_engine;
    store->writer->done = on_step_done;
    int rc = worker_open(&store->worker, store->loop, false);
    if (rc)
        goto fail_writer;
    rc = chores_open(&store->chores, store);
    if (rc)
        goto fail_worker;
    return 0;
fail_worker:
    worker_close(&store->worker);
fail_writer:
    (void)error_set_errno(error, rc, "pool %s: cannot start its threads", settings->directory);
    store->writer->free(store->writer);
fail_engine:
    store->engine->free(store->engine);
    return -1;
}

struct store *store_open(const struct store_settings *settings, struct loop *loop,
                         struct error *error)
{
    ASSERT(settings->directory && settings->requests_max > 0);
    struct store *store = calloc(1, sizeof(*store));
    ASSERT(store);
    store->loop = loop;
    store->bufs = settings->bufs;
    digester_init(&store->digester, store);
    rest_init(store, settings->rest_ns);
    store->rested = settings->rested;
    sums_prepare();
    list_init(&store->answered);
    list_init(&store->volumes);
    list_init(&store->families);
    list_init(&store->map_waits);
    list_init(&store->later);
    list_init(&store->zeroing_waits);
    durable_init(&store->journal);
    loop_task_init(&store->kick, on_kick);
    loop_task_init(&store->go_on, on_go_on);
    loop_task_init(&store->answer, answer_all);
    if (read_boot_id(&store->boot, error))
        goto fail;
    if (directory_open(&store->directory, settings->directory, settings->expected, error))
        goto fail;
    if (start_map(store, settings->directory, error))
        goto fail_directory;
    if (open_workers(store, settings, error))
        goto fail_map;
    return store;
fail_map:
    map_close(store->map);
fail_directory:
    directory_close(&store->directory);
fail:
    free(store);
    return NULL;
}

void store_close(struct store *store)
{
    ASSERT(list_empty(&store->volumes));
    ASSERT(store->in_flight == 0 && store->slow_steps == 0);
    digester_release(&store->digester);
    rest_release(store);
    chores_close(&store->chores);
    ASSERT(list_empty(&store->families));
    worker_close(&store->worker);
    store->writer->free(store->writer);
    store->engine->free(store->engine);
    loop_task_cancel(&store->answer);
    loop_task_cancel(&store->kick);
    loop_task_cancel(&store->go_on);
    map_close(store->map);
    directory_close(&store->directory);
    free(store);
}

const struct uuid *store_pool_uuid(const struct store *store)
{
    return &store->directory.uuid;
}

const struct uuid *store_boot_id(const struct store *store)
{
    return &store->boot;
}

const char *store_engine_name(const struct store *store)
{
    return store->engine_name;
}

/*
 * S7. The last min(1 GiB, 5 %) are for metadata, what is written in place, discards and deletions.
 * The space is asked for once a second; what was admitted since is taken off.
 */
static uint64_t reserve_bytes(const struct store_space *space)
{
    uint64_t part = space->total_bytes / 20;
    return part < RESERVE_BYTES_MAX ? part : RESERVE_BYTES_MAX;
}

struct store_space store_space(struct store *store)
{
    uint64_t now_ns = loop_now_ns(store->loop);
    struct statvfs stat;
    if (now_ns >= store->space_until_ns && fstatvfs(store->directory.fd, &stat) == 0) {
        store->space = (struct store_space){
            .total_bytes = (uint64_t)stat.f_blocks * stat.f_frsize,
            .free_bytes = (uint64_t)stat.f_bavail * stat.f_frsize,
        };
        uint64_t reserve = reserve_bytes(&store->space);
        if (store->space.free_bytes > reserve)
            store->space.usable_bytes = store->space.free_bytes - reserve;
        store->space_until_ns = now_ns + SPACE_FRESH_NS;
    }
    return store->space;
}

bool store_space_low(const struct store *store)
{
    return store->space_low;
}

bool store_admit(struct store *store, uint64_t length_bytes)
{
    struct store_space space = store_space(store);
    uint64_t reserve = reserve_bytes(&space);
    /* Said once it is below, and taken back only well above: nobody is told again and again. */
    uint64_t enough = store->space_low ? reserve + reserve / 4 : reserve;
    bool low = space.usable_bytes < enough;
    if (low && !store->space_low)
        log_warn("the pool is nearly full: %llu MiB left, and %llu MiB that are kept for what is "
                 "there",
                 (unsigned long long)(space.usable_bytes >> 20),
                 (unsigned long long)(reserve >> 20));
    store->space_low = low;
    if (space.usable_bytes < length_bytes)
        return false;
    store->space.usable_bytes -= length_bytes;
    return true;
}

struct listing {
    struct store *store;
    store_each_fn *each;
    void *arg;
    bool deleted;
    struct error *error;
};

/* A copy that cannot be read is given as zeros, like one that is missing. */
static void read_meta(int dir_fd, const char *name, uint8_t meta[STORE_META_BYTES])
{
    if (file_read(dir_fd, name, meta, STORE_META_BYTES) != 0)
        memset(meta, 0, STORE_META_BYTES);
}

static int list_one(void *arg, int dir_fd, const char *name)
{
    const struct listing *listing = arg;
    uint8_t copies[2][STORE_META_BYTES] = {{0}};
    const uint8_t *const meta[2] = {copies[0], copies[1]};
    struct uuid volume;
    if (!uuid_parse(name, &volume))
        return 0; /* nothing of ours */
    enum store_kept kept = listing->deleted ? STORE_DELETED : STORE_KEPT;
    if (listing->deleted) {
        read_meta(dir_fd, name, copies[0]);
    } else {
        int volume_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (volume_fd < 0)
            return error_set_errno(listing->error, errno, "volume %s", name);
        read_meta(volume_fd, "meta.0", copies[0]);
        read_meta(volume_fd, "meta.1", copies[1]);
        if (volume_is_unclean(listing->store, &volume, volume_fd))
            kept = STORE_UNCLEAN;
        close(volume_fd);
    }
    listing->each(listing->arg, &volume, kept, meta);
    return 0;
}

int store_list(struct store *store, store_each_fn *each, void *arg, struct error *error)
{
    struct listing listing = {.store = store, .each = each, .arg = arg, .error = error};
    error->text[0] = '\0';
    int rc = folder_each(store->directory.volumes_fd, list_one, &listing);
    listing.deleted = true;
    if (rc == 0)
        rc = folder_each(store->directory.deleted_fd, list_one, &listing);
    if (rc && error->text[0] == '\0')
        return error_set_errno(error, rc, "cannot list the pool");
    return rc ? -1 : 0;
}

void store_submit(struct store *store, struct store_req *req)
{
    ASSERT(req->volume->store == store && req->done);
    req_begin(store, req);
    store->asked += req->op <= STORE_SYNC && !req->background;
    if (req->op == STORE_SYNC)
        store_volume_settle(req->volume);
    enum step_next next = step_begin(req);
    if (next != STEP_DONE) {
        go_on(store, req, next);
        return;
    }
    list_append(&store->answered, &req->node);
    loop_defer(store->loop, &store->answer);
}
