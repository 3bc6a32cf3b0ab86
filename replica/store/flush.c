/* SPDX-License-Identifier: Apache-2.0 */
/* A family made durable by a thread. */
#include "replica/store/flush.h"

#include "replica/store/family.h"
#include "replica/store/state.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct flush {
    struct work work;
    struct store *store;
    struct worker *worker;
    struct family *family;
    struct segment *segment; /* under way; NULL: the journal */
    uint64_t next;           /* number of the segment to be looked at next */
    uint64_t mark;
    int fd;
    int status;
    flush_done_fn *done;
    void *arg;
};

static void flush_next(struct flush *flush);

static void flush_end(struct flush *flush, int status)
{
    flush_done_fn *done = flush->done;
    void *arg = flush->arg;
    family_put(flush->family);
    free(flush);
    done(arg, status);
}

static void run_sync(struct work *work)
{
    struct flush *flush = CONTAINER_OF(work, struct flush, work);
    flush->status = fdatasync(flush->fd) < 0 ? -errno : 0;
}

static void on_synced(struct work *work)
{
    struct flush *flush = CONTAINER_OF(work, struct flush, work);
    if (flush->segment)
        flush->segment->syncs--;
    else
        flush->store->journal_syncs--;
    if (flush->status) {
        store_sync_failed(flush->store, flush->segment ? flush->family : NULL);
        flush_end(flush, -EIO);
    } else if (flush->segment) {
        flush_next(flush);
    } else {
        flush_end(flush, 0);
    }
}

static void flush_sync(struct flush *flush, int fd)
{
    flush->fd = fd;
    flush->work = (struct work){.run = run_sync, .done = on_synced};
    worker_add(flush->worker, &flush->work);
}

static void on_nothing(struct work *work)
{
    struct flush *flush = CONTAINER_OF(work, struct flush, work);
    flush_end(flush, flush->status);
}

static void run_nothing(struct work *work)
{
    (void)work;
}

static void flush_answer(struct flush *flush, int status)
{
    flush->status = status;
    flush->work = (struct work){.run = run_nothing, .done = on_nothing};
    worker_add(flush->worker, &flush->work);
}

static void flush_next(struct flush *flush)
{
    struct store *store = flush->store;
    if (flush->family->sync_failed) {
        flush_answer(flush, -EIO);
        return;
    }
    flush->segment = family_unsynced(flush->family, flush->next);
    if (flush->segment) {
        flush->next = flush->segment->number + 1;
        flush->segment->dirty = false;
        flush->segment->syncs++;
        flush_sync(flush, flush->segment->fd);
        return;
    }
    int rc = map_flushed(store->map, flush->family->number, flush->mark);
    if (rc == 1 || (rc == 0 && store->journal_syncs > 0)) {
        store->journal_syncs++;
        flush_sync(flush, map_journal_fd(store->map));
        return;
    }
    flush_answer(flush, rc);
}

void flush_begin(struct store *store, struct worker *worker, uint32_t family, flush_done_fn *done,
                 void *arg)
{
    struct flush *flush = calloc(1, sizeof(*flush));
    ASSERT(flush);
    *flush = (struct flush){.store = store,
                            .worker = worker,
                            .family = family_get(store, family),
                            .mark = map_flush_mark(store->map),
                            .done = done,
                            .arg = arg};
    flush_next(flush);
}
