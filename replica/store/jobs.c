/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and removing volumes. A volume is made under a name of its own and renamed into place
 * when all of it is on stable storage, so that it is there whole or not at all.
 */
#include "replica/store/jobs.h"

#include "replica/store/files.h"
#include "replica/store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of holes: its size is all there is to make durable. */
static int make_sparse(int dir_fd, const char *name, uint64_t size_bytes, bool reserve)
{
    if (size_bytes > INT64_MAX)
        return -EFBIG;
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = ftruncate(fd, (off_t)size_bytes) < 0 ? -errno : 0;
    if (rc == 0 && reserve && fallocate(fd, 0, 0, (off_t)size_bytes) < 0 && errno != EOPNOTSUPP)
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
        rc = make_sparse(dir_fd, "map", volume_map_bytes(job->plane_bytes), true);
    if (rc == 0)
        rc = make_sparse(dir_fd, "data", job->size_bytes, false);
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

static int perform(const struct directory *directory, const struct job *job)
{
    if (job->kind == JOB_CREATE)
        return create(directory, job);
    int rc = keep_record(directory, job);
    return rc ? rc : directory_volume_remove(directory, &job->volume);
}

static void *jobs_main(void *arg)
{
    struct jobs *jobs = arg;
    pthread_mutex_lock(&jobs->lock);
    for (;;) {
        while (list_empty(&jobs->todo) && !jobs->stopping)
            pthread_cond_wait(&jobs->wake, &jobs->lock);
        if (list_empty(&jobs->todo))
            break;
        struct job *job = CONTAINER_OF(list_pop(&jobs->todo), struct job, node);
        pthread_mutex_unlock(&jobs->lock);
        job->status = perform(jobs->directory, job);
        pthread_mutex_lock(&jobs->lock);
        list_append(&jobs->finished, &job->node);
        ev_async_send(jobs->loop->ev, &jobs->ended);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

static struct job *take_finished(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    struct list *node = list_pop(&jobs->finished);
    pthread_mutex_unlock(&jobs->lock);
    return node ? CONTAINER_OF(node, struct job, node) : NULL;
}

static void on_ended(struct ev_loop *ev, struct ev_async *watcher, int events)
{
    (void)ev;
    (void)events;
    struct jobs *jobs = watcher->data;
    for (struct job *job; (job = take_finished(jobs));) {
        jobs->unanswered--;
        job->done(job->arg, job->status);
        free(job);
    }
}

int jobs_open(struct jobs *jobs, const struct directory *directory, struct loop *loop)
{
    *jobs = (struct jobs){.directory = directory, .loop = loop};
    list_init(&jobs->todo);
    list_init(&jobs->finished);
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->wake, NULL);
    ev_async_init(&jobs->ended, on_ended);
    jobs->ended.data = jobs;
    ev_async_start(loop->ev, &jobs->ended);
    /* Signals are the loop's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&jobs->thread, NULL, jobs_main, jobs);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        ev_async_stop(loop->ev, &jobs->ended);
        pthread_cond_destroy(&jobs->wake);
        pthread_mutex_destroy(&jobs->lock);
    }
    return -rc;
}

void jobs_close(struct jobs *jobs)
{
    ASSERT(jobs->unanswered == 0);
    pthread_mutex_lock(&jobs->lock);
    jobs->stopping = true;
    pthread_cond_signal(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
    pthread_join(jobs->thread, NULL);
    ev_async_stop(jobs->loop->ev, &jobs->ended);
    pthread_cond_destroy(&jobs->wake);
    pthread_mutex_destroy(&jobs->lock);
}

void jobs_add(struct jobs *jobs, const struct job *job)
{
    struct job *copy = malloc(sizeof(*copy));
    ASSERT(copy);
    *copy = *job;
    jobs->unanswered++;
    pthread_mutex_lock(&jobs->lock);
    list_append(&jobs->todo, &copy->node);
    pthread_cond_signal(&jobs->wake);
    pthread_mutex_unlock(&jobs->lock);
}
