/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and removing volumes. A volume is made under a name of its own and renamed into place
 * when all of it is on stable storage, so that it is there whole or not at all.
 */
#include "replica/store/jobs.h"

#include "replica/store/family.h"
#include "replica/store/files.h"
#include "replica/store/flush.h"
#include "replica/store/state.h"
#include "replica/store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_map(int dir_fd, uint64_t plane_bytes)
{
    int fd = openat(dir_fd, "map", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = volume_map_reserve(fd, plane_bytes);
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

static int make_files(int dir_fd, const struct job *job)
{
    int rc = file_make(dir_fd, "meta.0", job->create.meta, STORE_META_BYTES);
    if (rc == 0)
        rc = file_make(dir_fd, "meta.1", job->create.meta, STORE_META_BYTES);
    if (rc == 0)
        rc = file_make(dir_fd, "drl", NULL, job->create.drl_bytes);
    if (rc == 0)
        rc = make_map(dir_fd, job->create.plane_bytes);
    return rc ? rc : folder_sync(dir_fd);
}

static int create_in(int volumes_fd, const struct job *job, const char *name, const char *fresh)
{
    if (mkdirat(volumes_fd, fresh, 0700) < 0)
        return -errno;
    int dir_fd = openat(volumes_fd, fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return -errno;
    int rc = make_files(dir_fd, job);
    close(dir_fd);
    if (rc == 0 && renameat(volumes_fd, fresh, volumes_fd, name) < 0)
        rc = errno == ENOTEMPTY ? -EEXIST : -errno;
    if (rc)
        return rc;
    rc = folder_sync(volumes_fd);
    /* What is told to have failed is not there. */
    if (rc)
        (void)renameat(volumes_fd, name, volumes_fd, fresh);
    return rc;
}

static int create(const struct directory *directory, const struct job *job)
{
    char name[UUID_TEXT_BYTES], fresh[UUID_TEXT_BYTES + 8];
    uuid_format(&job->create.volume, name);
    snprintf(fresh, sizeof(fresh), ".%s.new", name);
    if (faccessat(directory->volumes_fd, name, F_OK, 0) == 0 ||
        faccessat(directory->deleted_fd, name, F_OK, 0) == 0)
        return -EEXIST;
    int rc = folder_remove(directory->volumes_fd, fresh);
    if (rc == 0)
        rc = family_make(directory->data_fd, job->family);
    if (rc == 0)
        rc = create_in(directory->volumes_fd, job, name, fresh);
    if (rc && folder_remove(directory->volumes_fd, fresh) != 0)
        return rc; /* the next start clears it */
    return rc;
}

/* An earlier record of the same volume is replaced. */
static int keep_record(const struct directory *directory, const struct job *job)
{
    char name[UUID_TEXT_BYTES], fresh[UUID_TEXT_BYTES + 8];
    uuid_format(&job->create.volume, name);
    snprintf(fresh, sizeof(fresh), ".%s.new", name);
    if (unlinkat(directory->deleted_fd, fresh, 0) < 0 && errno != ENOENT)
        return -errno;
    int rc = file_make(directory->deleted_fd, fresh, job->record, job->record_bytes);
    if (rc == 0 && renameat(directory->deleted_fd, fresh, directory->deleted_fd, name) < 0)
        rc = -errno;
    return rc ? rc : folder_sync(directory->deleted_fd);
}

static void answer(struct job *job, int status)
{
    job->done(job->arg, status);
    free(job->record);
    free(job);
}

/* What the map knows of a volume without files is forgotten, now or when the pool is opened. */
static void forget(struct job *job)
{
    uint32_t family;
    if (map_volume_delete(job->store->map, &job->create.volume, &family) == 0)
        chores_kick(&job->store->chores, false);
}

static void run_create(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    if (job->status == 0)
        job->status = create(&job->store->directory, job);
}

static void on_created(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    if (job->status && job->made)
        forget(job);
    answer(job, job->status);
}

static void make(struct job *job, int status)
{
    job->status = status;
    job->work = (struct work){.run = run_create, .done = on_created};
    worker_add(&job->store->worker, &job->work);
}

static void on_flushed(void *arg, int status)
{
    make(arg, status);
}

/* The map first, durably: a volume that has files is in the map. */
void store_volume_create(struct store *store, const struct store_create *create_what,
                         store_job_fn *done, void *arg)
{
    ASSERT(create_what->drl_bytes > 0 && create_what->drl_bytes % STORE_DRL_PAGE_BYTES == 0);
    ASSERT(create_what->plane_bytes > 0);
    struct job *job = malloc(sizeof(*job));
    ASSERT(job);
    *job = (struct job){.store = store, .create = *create_what, .done = done, .arg = arg};
    const struct uuid *origin = create_what->origin_generation ? &create_what->origin : NULL;
    int rc = map_volume_create(store->map, &create_what->volume, create_what->size_bytes, origin,
                               create_what->origin_generation, create_what->blank, &job->family);
    if (rc) {
        make(job, rc == -EAGAIN ? -EBUSY : rc);
        return;
    }
    job->made = true;
    flush_begin(store, &store->worker, job->family, on_flushed, job);
}

static void run_delete(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    job->status = job->record ? keep_record(&job->store->directory, job) : 0;
    if (job->status == 0)
        job->status = directory_volume_remove(&job->store->directory, &job->create.volume);
}

static void on_deleted(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    if (job->status == 0)
        forget(job);
    answer(job, job->status);
}

void store_volume_delete(struct store *store, const struct uuid *volume, const uint8_t *meta,
                         const struct epitaph *epitaph, store_job_fn *done, void *arg)
{
    struct job *job = malloc(sizeof(*job));
    ASSERT(job);
    *job = (struct job){.store = store, .create = {.volume = *volume}, .done = done, .arg = arg};
    if (meta) {
        job->record_bytes = STORE_META_BYTES + epitaph->length_bytes;
        job->record = malloc(job->record_bytes);
        ASSERT(job->record);
        memcpy(job->record, meta, STORE_META_BYTES);
        if (epitaph->length_bytes)
            memcpy(job->record + STORE_META_BYTES, epitaph->bytes, epitaph->length_bytes);
    }
    job->work = (struct work){.run = run_delete, .done = on_deleted};
    worker_add(&store->worker, &job->work);
}

uint8_t *store_epitaph_read(struct store *store, const struct uuid *volume, struct epitaph *epitaph)
{
    char name[UUID_TEXT_BYTES];
    uint8_t *bytes = malloc(EPITAPH_BYTES_MAX);
    ASSERT(bytes);
    *epitaph = (struct epitaph){0};
    uuid_format(volume, name);
    int fd = openat(store->directory.deleted_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : pread(fd, bytes, EPITAPH_BYTES_MAX, STORE_META_BYTES);
    if (fd >= 0)
        close(fd);
    if (got > 0)
        *epitaph = (struct epitaph){.length_bytes = (uint32_t)got, .bytes = bytes};
    return bytes;
}
