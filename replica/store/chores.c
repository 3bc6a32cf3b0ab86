/* SPDX-License-Identifier: Apache-2.0 */
/* Folding and reclaiming, piece by piece. */
#include "replica/store/chores.h"

#include "common/base/log.h"
#include "replica/store/family.h"
#include "replica/store/flush.h"
#include "replica/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A disk that was full may have space again, and nobody tells. */
#define AGAIN_NS ((uint64_t)1000 * 1000 * 1000)

static void chores_next(struct chores *chores);

/* Nothing more can be done now: whoever waits for it tries once more, or is told. */
static void chores_rest(struct chores *chores, int status)
{
    chores->busy = false;
    chores->fold_asked = false;
    chores->fold_until = 0;
    if (status)
        log_warn("background work: %s", strerror(-status));
    if (status == -ENOSPC)
        loop_timer_start(&chores->again, AGAIN_NS);
    /* Nothing has changed: asking again would change nothing. */
    if (status == 0 && !chores->progress)
        status = -ENOSPC;
    store_resume_later(chores->store, &chores->store->map_waits, status);
}

/* Its blocks have been punched; what cannot be removed now is removed when the pool is opened. */
static void run_remove(struct work *work)
{
    struct chores *chores = CONTAINER_OF(work, struct chores, work);
    chores->status = family_remove(chores->store->directory.data_fd, chores->removed);
}

static void on_removed(struct work *work)
{
    struct chores *chores = CONTAINER_OF(work, struct chores, work);
    if (chores->status)
        log_warn("data/%08x cannot be removed: %s", chores->removed, strerror(-chores->status));
    chores_next(chores);
}

static void piece_end(struct chores *chores)
{
    chores->piece_done = false;
    chores->progress = true;
    chores->end(chores->store->map, chores->status);
    if (chores->status) {
        chores_rest(chores, chores->status);
        return;
    }
    store_resume_later(chores->store, &chores->store->map_waits, 0);
    chores->removed = map_take_reclaimed(chores->store->map);
    if (chores->removed == 0) {
        chores_next(chores);
        return;
    }
    chores->work = (struct work){.run = run_remove, .done = on_removed};
    worker_add(&chores->worker, &chores->work);
}

static void on_piece(struct work *work)
{
    struct chores *chores = CONTAINER_OF(work, struct chores, work);
    chores->piece_done = true;
    if (chores->reads[1 - chores->side] == 0)
        piece_end(chores);
}

static void run_fold(struct work *work)
{
    struct chores *chores = CONTAINER_OF(work, struct chores, work);
    chores->status = map_fold_work(chores->store->map);
}

static void run_reclaim(struct work *work)
{
    struct chores *chores = CONTAINER_OF(work, struct chores, work);
    chores->status = map_reclaim_work(chores->store->map);
}

static void piece_begin(struct chores *chores, void (*run)(struct work *),
                        void (*end)(struct map *, int))
{
    ASSERT(chores->reads[1 - chores->side] == 0);
    chores->side = 1 - chores->side;
    chores->end = end;
    chores->work = (struct work){.run = run, .done = on_piece};
    worker_add(&chores->worker, &chores->work);
}

static int punch_one(const struct store *store, const struct map_punch *punch)
{
    char path[64];
    segment_path(path, sizeof(path), punch->family, punch->segment);
    int fd = openat(store->directory.data_fd, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)punch->offset_bytes,
                       (off_t)punch->length_bytes);
    rc = rc < 0 && errno != EOPNOTSUPP ? -errno : 0;
    close(fd);
    return rc;
}

static void run_punches(struct work *work)
{
    struct chores *chores = CONTAINER_OF(work, struct chores, work);
    chores->status = 0;
    for (uint32_t i = 0; i < chores->punch_count && chores->status == 0; i++)
        chores->status = punch_one(chores->store, &chores->punches[i]);
}

static void on_punched(struct work *work)
{
    struct chores *chores = CONTAINER_OF(work, struct chores, work);
    if (chores->status) {
        chores_rest(chores, chores->status);
        return;
    }
    map_punched(chores->store->map);
    store_resume_later(chores->store, &chores->store->map_waits, 0);
    chores_next(chores);
}

/* True when a piece is under way. */
static bool punch(struct chores *chores)
{
    chores->punch_count = map_punches(chores->store->map, &chores->punches);
    if (chores->punch_count == 0)
        return false;
    chores->work = (struct work){.run = run_punches, .done = on_punched};
    worker_add(&chores->worker, &chores->work);
    return true;
}

static void on_flushed(void *arg, int status)
{
    struct chores *chores = arg;
    if (status)
        chores_rest(chores, status);
    else
        chores_next(chores);
}

/*
 * 1: something is under way; 0: there is nothing to fold; or -errno. What is recorded meanwhile is
 * another fold's: one that waited until all is flushed would never end while writes go on.
 */
static int fold(struct chores *chores)
{
    struct map *map = chores->store->map;
    if (chores->fold_until == 0 && (chores->fold_asked || map_fold_wanted(map))) {
        chores->fold_asked = false;
        chores->fold_until = map_flush_mark(map);
    }
    uint32_t family = map_fold_family(map, chores->fold_until);
    if (family) {
        flush_begin(chores->store, &chores->worker, family, on_flushed, chores);
        return 1;
    }
    int rc = 0;
    if (map_fold_pending(map, chores->fold_until))
        rc = map_fold_begin(map);
    if (rc == 1)
        piece_begin(chores, run_fold, map_fold_end);
    else
        chores->fold_until = 0;
    return rc;
}

static int reclaim(struct chores *chores)
{
    struct map *map = chores->store->map;
    if (punch(chores))
        return 1;
    if (!map_reclaim_pending(map))
        return 0;
    int rc = map_reclaim_begin(map);
    if (rc == 1) {
        piece_begin(chores, run_reclaim, map_reclaim_end);
        return 1;
    }
    /* What is to be reclaimed may still be in the journal. */
    if (rc == 0 && map_fold_pending(map, UINT64_MAX)) {
        chores->fold_asked = true;
        return fold(chores);
    }
    return rc;
}

static void chores_next(struct chores *chores)
{
    if (chores->stopping) {
        chores->busy = false;
        return;
    }
    int rc = fold(chores);
    if (rc == 0)
        rc = reclaim(chores);
    if (rc != 1)
        chores_rest(chores, rc);
}

void chores_kick(struct chores *chores, bool fold_asked)
{
    chores->fold_asked = chores->fold_asked || fold_asked;
    if (chores->busy || chores->stopping)
        return;
    struct map *map = chores->store->map;
    const struct map_punch *punches;
    if (!chores->fold_asked && !map_fold_wanted(map) && !map_reclaim_pending(map) &&
        map_punches(map, &punches) == 0)
        return;
    chores->busy = true;
    chores->progress = false;
    chores_next(chores);
}

static void on_again(struct loop_timer *timer)
{
    chores_kick(CONTAINER_OF(timer, struct chores, again), false);
}

uint8_t chores_read_begins(struct chores *chores)
{
    chores->reads[chores->side]++;
    return chores->side;
}

void chores_read_ends(struct chores *chores, uint8_t side)
{
    ASSERT(chores->reads[side] > 0);
    chores->reads[side]--;
    if (chores->piece_done && side != chores->side && chores->reads[side] == 0)
        piece_end(chores);
}

int chores_open(struct chores *chores, struct store *store)
{
    *chores = (struct chores){.store = store};
    loop_timer_init(&chores->again, store->loop, on_again);
    return worker_open(&chores->worker, store->loop, true);
}

void chores_close(struct chores *chores)
{
    chores->stopping = true;
    worker_drain(&chores->worker);
    ASSERT(!chores->busy);
    loop_timer_stop(&chores->again);
    worker_close(&chores->worker);
}
