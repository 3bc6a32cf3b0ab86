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
    struct segment *segment;  /* under way; NULL: the journal */
    uint64_t next;            /* number of the segment to be looked at next */
    struct list node;         /* waits for the end of a sync */
    struct durable_need need; /* of the segment or the journal */
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
    flush->family->in_flight--;
    family_put(flush->family);
    free(flush);
    done(arg, status);
}

static void run_sync(struct work *work)
{
    struct flush *flush = CONTAINER_OF(work, struct flush, work);
    flush->status = fdatasync(flush->fd) < 0 ? -errno : 0;
}

static struct durable *flush_file(struct flush *flush)
{
    return flush->segment ? &flush->segment->durable : &flush->store->journal;
}

static void on_synced(struct work *work)
{
    struct flush *flush = CONTAINER_OF(work, struct flush, work);
    if (flush->status)
        store_sync_failed(flush->store, flush->segment ? flush->family : NULL);
    store_synced(flush->store, flush_file(flush));
    flush_next(flush);
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

/* True when the file's sync is under way, this one's or another one's. */
static bool flush_sync(struct flush *flush, int fd)
{
    struct durable *file = flush_file(flush);
    if (durable_met(file, &flush->need))
        return false;
    if (file->syncing) {
        list_append(&file->flushes, &flush->node);
        return true;
    }
    durable_begin(file);
    flush->fd = fd;
    flush->work = (struct work){.run = run_sync, .done = on_synced};
    worker_add(flush->worker, &flush->work);
    return true;
}

static void flush_next(struct flush *flush)
{
    struct store *store = flush->store;
    if (flush->family->sync_failed) {
        flush_answer(flush, -EIO);
        return;
    }
    while ((flush->segment = family_unsynced(flush->family, flush->next))) {
        if (flush_sync(flush, flush->segment->fd))
            return;
        flush->next = flush->segment->number + 1;
    }
    int rc = map_flushed(store->map, flush->family->number, flush->mark);
    store->journal.dirty = store->journal.dirty || rc == 1;
    if (rc < 0 || !flush_sync(flush, map_journal_fd(store->map)))
        flush_answer(flush, rc < 0 ? rc : 0);
}

void flush_resume(struct list *flushes)
{
    struct list now;
    list_take_all(&now, flushes);
    for (struct list *node; (node = list_pop(&now));)
        flush_next(CONTAINER_OF(node, struct flush, node));
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
    flush->family->in_flight++;
    flush_next(flush);
}
