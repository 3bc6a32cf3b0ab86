/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and removing volumes. A volume is made under a name of its own and renamed into place
 * when all of it is on stable storage, so that it is there whole or not at all.
 */
#include "replica/store/jobs.h"

#include "replica/store/family.h"
#include "replica/store/files.h"
#include "replica/store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of zeros whose space is reserved. */
static int make_reserved(int dir_fd, const char *name, uint64_t size_bytes)
{
    if (size_bytes > INT64_MAX)
        return -EFBIG;
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = ftruncate(fd, (off_t)size_bytes) < 0 ? -errno : 0;
    if (rc == 0 && fallocate(fd, 0, 0, (off_t)size_bytes) < 0 && errno != EOPNOTSUPP)
        rc = -errno;
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

static int make_files(int dir_fd, const struct job *job)
{
    int rc = file_make(dir_fd, "meta.0", job->meta, STORE_META_BYTES);
    if (rc == 0)
        rc = file_make(dir_fd, "meta.1", job->meta, STORE_META_BYTES);
    if (rc == 0)
        rc = file_make(dir_fd, "drl", NULL, job->drl_bytes);
    if (rc == 0)
        rc = make_reserved(dir_fd, "map", volume_map_bytes(job->plane_bytes));
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
    return rc ? rc : folder_sync(volumes_fd);
}

static int create(const struct directory *directory, const struct job *job)
{
    char name[UUID_TEXT_BYTES], fresh[UUID_TEXT_BYTES + 8];
    uuid_format(&job->volume, name);
    snprintf(fresh, sizeof(fresh), ".%s.new", name);
    if (faccessat(directory->volumes_fd, name, F_OK, 0) == 0 ||
        faccessat(directory->deleted_fd, name, F_OK, 0) == 0)
        return -EEXIST;
    int rc = folder_remove(directory->volumes_fd, fresh);
    if (rc == 0)
        rc = family_make(directory->data_fd, &job->volume);
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
    uuid_format(&job->volume, name);
    snprintf(fresh, sizeof(fresh), ".%s.new", name);
    if (unlinkat(directory->deleted_fd, fresh, 0) < 0 && errno != ENOENT)
        return -errno;
    int rc = file_make(directory->deleted_fd, fresh, job->meta, STORE_META_BYTES);
    if (rc == 0 && renameat(directory->deleted_fd, fresh, directory->deleted_fd, name) < 0)
        rc = -errno;
    return rc ? rc : folder_sync(directory->deleted_fd);
}

static void run_create(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    job->status = create(job->directory, job);
}

static void run_delete(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    job->status = keep_record(job->directory, job);
    if (job->status == 0)
        job->status = directory_volume_remove(job->directory, &job->volume);
    if (job->status == 0)
        job->status = family_remove(job->directory->data_fd, &job->volume);
}

static void job_done(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    job->done(job->arg, job->status);
    free(job);
}

static void add(struct worker *worker, const struct job *job, void (*run)(struct work *))
{
    struct job *copy = malloc(sizeof(*copy));
    ASSERT(copy);
    *copy = *job;
    copy->work = (struct work){.run = run, .done = job_done};
    worker_add(worker, &copy->work);
}

void jobs_create(struct worker *worker, const struct job *job)
{
    add(worker, job, run_create);
}

void jobs_delete(struct worker *worker, const struct job *job)
{
    add(worker, job, run_delete);
}
