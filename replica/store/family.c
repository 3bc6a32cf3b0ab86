/* SPDX-License-Identifier: Apache-2.0 */
/* A family's files: made when they are first needed, opened when used, closed with the family. */
#include "replica/store/family.h"

#include "common/base/log.h"
#include "replica/store/files.h"
#include "replica/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Writes of a killed process may still be under way in the kernel for a while. */
    SEGMENT_LOCK_WAIT_MS = 30000,
};

static void family_name(char name[16], uint32_t family)
{
    snprintf(name, 16, "%08x", family);
}

void segment_path(char *path, size_t size, uint32_t family, uint64_t segment)
{
    snprintf(path, size, "%08x/%08llx", family, (unsigned long long)segment);
}

int family_make(int data_fd, uint32_t family)
{
    char name[16];
    family_name(name, family);
    if (mkdirat(data_fd, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    return folder_sync(data_fd);
}

int family_remove(int data_fd, uint32_t family)
{
    char name[16];
    family_name(name, family);
    int rc = folder_remove(data_fd, name);
    return rc ? rc : folder_sync(data_fd);
}

struct family *family_get(struct store *store, uint32_t number)
{
    LIST_FOR_EACH (node, &store->families) {
        struct family *family = CONTAINER_OF(node, struct family, node);
        if (family->number == number) {
            family->users++;
            return family;
        }
    }
    struct family *family = calloc(1, sizeof(*family));
    ASSERT(family);
    *family = (struct family){
        .store = store, .number = number, .users = 1, .sync_failed = store->journal_failed};
    list_init(&family->segments);
    list_append(&store->families, &family->node);
    return family;
}

static void segment_free(struct segment *segment)
{
    ASSERT(list_empty(&segment->waiting));
    list_remove(&segment->node);
    if (segment->family->last == segment)
        segment->family->last = NULL;
    if (segment->sums)
        munmap(segment->sums, SEGMENT_SUMS_BYTES);
    if (segment->fd >= 0)
        close(segment->fd);
    free(segment);
}

void family_put(struct family *family)
{
    ASSERT(family->users > 0);
    if (--family->users > 0)
        return;
    LIST_FOR_EACH_SAFE (node, &family->segments) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        ASSERT(segment->ready);
        segment_free(segment);
    }
    list_remove(&family->node);
    free(family);
}

/* An open file may know of an error that its next sync tells; one that was synced knows of none. */
void family_rest(struct family *family)
{
    if (family->in_flight > 0 || family->sync_failed)
        return;
    LIST_FOR_EACH_SAFE (node, &family->segments) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        if (segment->ready && !segment->durable.dirty && !segment->durable.syncing)
            segment_free(segment);
    }
}

/*
 * A file that is shorter was being made by a process that was killed, or in vain. Its size is set
 * once its name is durable: who finds it whole need not ask.
 */
static int segment_size(struct segment *segment, int dir_fd)
{
    struct stat stat;
    if (fstat(segment->fd, &stat) < 0)
        return -errno;
    if ((uint64_t)stat.st_size == SEGMENT_BYTES + SEGMENT_SUMS_BYTES)
        return 0;
    int rc = folder_sync(dir_fd);
    if (rc)
        return rc;
    if (ftruncate(segment->fd, (off_t)(SEGMENT_BYTES + SEGMENT_SUMS_BYTES)) < 0 ||
        fsync(segment->fd) < 0)
        return -errno;
    return 0;
}

static int segment_open(struct segment *segment, int dir_fd, const char *name)
{
    segment->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (segment->fd < 0)
        return error_set_errno(&segment->error, errno, "cannot open");
    int rc = file_lock(segment->fd, SEGMENT_LOCK_WAIT_MS);
    if (rc == -EWOULDBLOCK)
        return error_set(&segment->error, "still locked: a former process's write has not ended");
    if (rc == 0)
        rc = segment_size(segment, dir_fd);
    if (rc)
        return error_set_errno(&segment->error, rc, "cannot lock or make");
    void *sums = mmap(NULL, SEGMENT_SUMS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd,
                      (off_t)SEGMENT_BYTES);
    if (sums == MAP_FAILED)
        return error_set_errno(&segment->error, errno, "cannot map");
    segment->sums = sums;
    /* Checksums are read here and there: what a fault reads beside them is of no use. */
    (void)madvise(sums, SEGMENT_SUMS_BYTES, MADV_RANDOM);
    return 0;
}

static void segment_run(struct work *work)
{
    struct segment *segment = CONTAINER_OF(work, struct segment, work);
    char folder[16], path[64];
    family_name(folder, segment->family->number);
    segment_path(path, sizeof(path), segment->family->number, segment->number);
    int dir_fd = openat(segment->family->store->directory.data_fd, folder,
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        segment->rc = error_set_errno(&segment->error, errno, "cannot open its folder");
    else
        segment->rc = segment_open(segment, dir_fd, strchr(path, '/') + 1);
    if (segment->rc)
        (void)error_prefix(&segment->error, "data/%s", path);
    if (dir_fd >= 0)
        close(dir_fd);
}

static void segment_opened(struct work *work)
{
    struct segment *segment = CONTAINER_OF(work, struct segment, work);
    struct store *store = segment->family->store;
    struct list waiting;
    list_init(&waiting);
    for (struct list *node; (node = list_pop(&segment->waiting));)
        list_append(&waiting, node);
    int status = segment->rc ? -EIO : 0;
    segment->ready = true;
    if (status) {
        log_warn("%s", segment->error.text);
        segment_free(segment);
    }
    for (struct list *node; (node = list_pop(&waiting));)
        store_resume(store, CONTAINER_OF(node, struct store_req, node), status);
}

static struct segment *segment_begin(struct family *family, uint64_t number)
{
    struct segment *segment = calloc(1, sizeof(*segment));
    ASSERT(segment);
    segment->family = family;
    segment->number = number;
    segment->fd = -1;
    list_init(&segment->waiting);
    durable_init(&segment->durable);
    list_append(&family->segments, &segment->node);
    segment->work = (struct work){.run = segment_run, .done = segment_opened};
    worker_add(&family->store->worker, &segment->work);
    return segment;
}

struct segment *family_segment(struct family *family, uint64_t position)
{
    uint64_t number = position >> STORE_SEGMENT_SHIFT;
    if (family->last && family->last->number == number)
        return family->last;
    struct segment *found = NULL;
    LIST_FOR_EACH (node, &family->segments) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        if (segment->number == number)
            found = segment;
    }
    family->last = found ? found : segment_begin(family, number);
    return family->last;
}

struct segment *family_unsynced(const struct family *family, uint64_t from)
{
    struct segment *first = NULL;
    LIST_FOR_EACH (node, &family->segments) {
        struct segment *segment = CONTAINER_OF(node, struct segment, node);
        if (segment->number >= from && (segment->durable.dirty || segment->durable.syncing) &&
            (!first || segment->number < first->number))
            first = segment;
    }
    return first;
}
