/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a volume's files; the shared mapping and its header. */
#include "replica/store/volume.h"

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/base/pages.h"
#include "replica/store/family.h"
#include "replica/store/files.h"
#include "replica/store/place.h"
#include "replica/store/rest.h"
#include "replica/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAP_CRC_BYTES = 40, /* what the header's checksum covers */
    MAP_HEADER_USED_BYTES = 44,
    MAP_SYNC_FAILED_AT = 44,
    MAP_SYNCING_AT = 45,
    /* Writes of a killed process may still be under way in the kernel for a while. */
    LOCK_WAIT_MS = 30000,
    SETTLE_BYTES = 256u << 10,
};

static const uint8_t map_magic[8] = "STRKMAP2";

static void header_encode(const struct store_volume *volume, uint8_t header[MAP_HEADER_USED_BYTES])
{
    struct writer w = writer_of(header, MAP_HEADER_USED_BYTES);
    write_bytes(&w, map_magic, sizeof(map_magic));
    write_bytes(&w, volume->store->boot.bytes, UUID_BYTES);
    write_bytes(&w, volume->uuid.bytes, UUID_BYTES);
    ASSERT(writer_length(&w) == MAP_CRC_BYTES);
    write_u32(&w, crc32c(0, header, MAP_CRC_BYTES));
    ASSERT(!w.bad && writer_left(&w) == 0);
}

static bool header_is_ours(const struct store_volume *volume)
{
    uint8_t header[MAP_HEADER_USED_BYTES];
    header_encode(volume, header);
    return memcmp(header, volume->maps[0], sizeof(header)) == 0;
}

void store_volume_stamp(struct store_volume *volume)
{
    uint8_t header[MAP_HEADER_USED_BYTES];
    header_encode(volume, header);
    /* The planes' stores come first, also for a process that is killed in between. */
    atomic_thread_fence(memory_order_seq_cst);
    memcpy(volume->maps[0], header, sizeof(header));
}

void volume_sync_failed(struct store_volume *volume)
{
    volume->sync_failed = true;
    volume->maps[0][MAP_SYNC_FAILED_AT] = 1;
}

void volume_sync_begins(struct store_volume *volume)
{
    if (volume->syncs++ == 0)
        volume->maps[0][MAP_SYNCING_AT] = 1;
}

void volume_sync_ended(struct store_volume *volume)
{
    ASSERT(volume->syncs > 0);
    if (--volume->syncs == 0)
        volume->maps[0][MAP_SYNCING_AT] = 0;
}

/* The predecessor was killed while it made something durable: how that ended. A failure it knew of
 * itself is asked for too, so that it is told now and not to somebody later. */
static void ask_former_sync(struct store_volume *volume)
{
    uint8_t *failed = volume->maps[0] + MAP_SYNC_FAILED_AT;
    if ((volume->maps[0][MAP_SYNCING_AT] || *failed) && syncfs(volume->drl_fd) < 0)
        *failed = 1;
    volume->maps[0][MAP_SYNCING_AT] = 0;
}

static int open_locked(int dir_fd, const char *name, int flags, int *fd, struct error *error)
{
    *fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | flags, 0600);
    if (*fd < 0)
        return error_set_errno(error, errno, "%s: cannot open", name);
    int rc = file_lock(*fd, LOCK_WAIT_MS);
    if (rc == -EWOULDBLOCK)
        return error_set(error, "%s: still locked: a former process's write has not ended", name);
    return rc ? error_set_errno(error, rc, "%s: cannot lock", name) : 0;
}

/* A copy that is missing or short counts as zeros: the other one is there to decide. */
static int open_meta(struct store_volume *volume, int dir_fd, int copy, struct error *error)
{
    const char *name = copy ? "meta.1" : "meta.0";
    if (open_locked(dir_fd, name, O_CREAT, &volume->meta_fd[copy], error))
        return -1;
    int rc =
        file_read(dir_fd, name, volume->images + (size_t)copy * STORE_META_BYTES, STORE_META_BYTES);
    if (rc && rc != -ENODATA && rc != -EIO)
        return error_set_errno(error, rc, "%s: cannot read", name);
    if (rc)
        memset(volume->images + (size_t)copy * STORE_META_BYTES, 0, STORE_META_BYTES);
    return 0;
}

static int open_drl(struct store_volume *volume, int dir_fd, struct error *error)
{
    if (open_locked(dir_fd, "drl", 0, &volume->drl_fd, error))
        return -1;
    int rc = file_read(dir_fd, "drl", volume->images + 2 * STORE_META_BYTES, volume->drl_bytes);
    return rc ? error_set_errno(error, rc, "drl: cannot read") : 0;
}

static uint64_t plane_offset(int plane)
{
    return MAP_HEADER_BYTES + (uint64_t)plane * MAP_SPAN_BYTES;
}

/* Space is reserved: a store into a mapped hole of a full file system would kill the process. */
int volume_map_reserve(int fd, uint64_t plane_bytes)
{
    struct stat stat;
    uint64_t length = plane_offset(STORE_PLANE_COUNT - 1) + plane_bytes;
    if (fstat(fd, &stat) < 0)
        return -errno;
    if ((uint64_t)stat.st_size < length && ftruncate(fd, (off_t)length) < 0)
        return -errno;
    for (int plane = 0; plane < STORE_PLANE_COUNT; plane++) {
        uint64_t header = plane == 0 ? MAP_HEADER_BYTES : 0;
        if (fallocate(fd, 0, (off_t)(plane_offset(plane) - header), (off_t)(plane_bytes + header)) <
                0 &&
            errno != EOPNOTSUPP)
            return -errno;
    }
    return 0;
}

/* The first mapping begins with the header. */
static uint64_t mapping_bytes(int plane, uint64_t plane_bytes)
{
    return plane_bytes + (plane == 0 ? MAP_HEADER_BYTES : 0);
}

static void planes_unmap(uint8_t *maps[STORE_PLANE_COUNT], uint64_t plane_bytes)
{
    for (int plane = 0; plane < STORE_PLANE_COUNT; plane++) {
        if (maps[plane])
            munmap(maps[plane], mapping_bytes(plane, plane_bytes));
        maps[plane] = NULL;
    }
}

/* The mappings keep the file, hence its lock, open. */
static int planes_map(int fd, uint8_t *maps[STORE_PLANE_COUNT], uint64_t plane_bytes)
{
    for (int plane = 0; plane < STORE_PLANE_COUNT; plane++) {
        off_t from = plane == 0 ? 0 : (off_t)plane_offset(plane);
        void *map = mmap(NULL, mapping_bytes(plane, plane_bytes), PROT_READ | PROT_WRITE,
                         MAP_SHARED, fd, from);
        if (map == MAP_FAILED) {
            int rc = -errno;
            planes_unmap(maps, plane_bytes);
            return rc;
        }
        maps[plane] = map;
    }
    return 0;
}

static void planes_found(struct store_volume *volume)
{
    struct store_found *found = &volume->found;
    for (int plane = 0; plane < STORE_PLANE_COUNT; plane++)
        found->planes[plane] = volume->maps[plane] + (plane == 0 ? MAP_HEADER_BYTES : 0);
    found->plane_bytes = volume->plane_bytes;
    found->failed = volume->maps[0] + MAP_SYNC_FAILED_AT;
    found->recent = volume->maps[0] + MAP_RECENT_AT;
}

/* Worthless planes are emptied, header first, without touching the pages that are empty anyway. */
static int clear_planes(struct store_volume *volume, int fd)
{
    int how[] = {FALLOC_FL_ZERO_RANGE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
    memset(volume->maps[0], 0, MAP_HEADER_BYTES);
    for (int plane = 0; plane < STORE_PLANE_COUNT; plane++) {
        off_t from = (off_t)plane_offset(plane);
        off_t length = (off_t)volume->plane_bytes;
        if (fallocate(fd, how[0], from, length) == 0 ||
            (errno == EOPNOTSUPP && fallocate(fd, how[1], from, length) == 0))
            continue;
        if (errno != EOPNOTSUPP)
            return -errno;
        memset(volume->maps[plane] + (plane == 0 ? MAP_HEADER_BYTES : 0), 0, volume->plane_bytes);
    }
    return volume_map_reserve(fd, volume->plane_bytes);
}

static int open_map(struct store_volume *volume, int dir_fd)
{
    struct store_found *found = &volume->found;
    int fd;
    int rc = open_locked(dir_fd, "map", O_CREAT, &fd, &volume->error);
    if (rc)
        goto out;
    rc = volume_map_reserve(fd, volume->plane_bytes);
    if (rc == 0)
        rc = planes_map(fd, volume->maps, volume->plane_bytes);
    found->same_boot = rc == 0 && header_is_ours(volume);
    if (rc == 0 && !found->same_boot)
        rc = clear_planes(volume, fd);
    if (rc)
        rc = error_set_errno(&volume->error, rc, "map");
    if (rc == 0 && found->same_boot)
        ask_former_sync(volume);
out:
    if (fd >= 0)
        close(fd);
    if (rc)
        return rc;
    found->clean = found->same_boot && volume->maps[0][STORE_MAP_CLEAN_AT];
    volume->maps[0][STORE_MAP_CLEAN_AT] = 0;
    return 0;
}

static int open_files(struct store_volume *volume, int dir_fd)
{
    struct store_found *found = &volume->found;
    for (int copy = 0; copy < 2; copy++) {
        if (open_meta(volume, dir_fd, copy, &volume->error))
            return -1;
    }
    if (open_drl(volume, dir_fd, &volume->error) || open_map(volume, dir_fd))
        return -1;
    found->meta[0] = volume->images;
    found->meta[1] = volume->images + STORE_META_BYTES;
    found->drl = volume->images + 2 * STORE_META_BYTES;
    found->drl_bytes = volume->drl_bytes;
    planes_found(volume);
    found->lineage.head_generation = 1;
    found->doubtful = &volume->doubt.blocks;
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void close_files(struct store_volume *volume)
{
    int *fds[] = {&volume->meta_fd[0], &volume->meta_fd[1], &volume->drl_fd};
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        close_fd(*fds[i]);
        *fds[i] = -1;
    }
}

static void volume_free(struct store_volume *volume)
{
    planes_unmap(volume->maps, volume->plane_bytes);
    close_files(volume);
    doubt_release(&volume->doubt);
    loop_task_cancel(&volume->tell);
    free(volume->images);
    free(volume);
}

/* With its files, which are opened by `each`. */
static int open_folder(struct store_volume *volume, int (*each)(struct store_volume *, int dir_fd))
{
    char name[UUID_TEXT_BYTES];
    uuid_format(&volume->uuid, name);
    int dir_fd =
        openat(volume->store->directory.volumes_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = dir_fd < 0 ? error_set_errno(&volume->error, errno, "cannot open its directory")
                        : each(volume, dir_fd);
    close_fd(dir_fd);
    return rc ? error_prefix(&volume->error, "volume %s", name) : 0;
}

static void run_open(struct work *work)
{
    struct store_volume *volume = CONTAINER_OF(work, struct store_volume, work);
    volume->rc = open_folder(volume, open_files);
}

static int open_again(struct store_volume *volume, int dir_fd)
{
    struct error *error = &volume->error;
    return open_locked(dir_fd, "meta.0", 0, &volume->meta_fd[0], error) ||
                   open_locked(dir_fd, "meta.1", 0, &volume->meta_fd[1], error) ||
                   open_locked(dir_fd, "drl", 0, &volume->drl_fd, error)
               ? -1
               : 0;
}

int volume_files_open(struct store_volume *volume)
{
    int rc = open_folder(volume, open_again);
    if (rc)
        close_files(volume);
    return rc;
}

/* The kernel keeps what was written to the mapping; only this process's view of it ends. */
void volume_files_rest(struct store_volume *volume)
{
    ASSERT(volume->in_flight == 0);
    close_files(volume);
    for (int plane = 0; plane < STORE_PLANE_COUNT; plane++)
        (void)madvise(volume->maps[plane], mapping_bytes(plane, volume->plane_bytes),
                      MADV_DONTNEED);
    pages_give_back(volume->images + 2 * STORE_META_BYTES, volume->drl_bytes);
}

static int open_in_map(struct store_volume *volume)
{
    struct map_info info;
    int rc = map_volume_open(volume->store->map, &volume->uuid, &volume->map_volume);
    if (rc == 0) {
        map_volume_info(volume->map_volume, &info);
        if (info.size_bytes < volume->size_bytes)
            rc = map_volume_grow(volume->map_volume, volume->size_bytes);
        if (rc)
            map_volume_close(volume->map_volume);
    }
    if (rc) {
        char name[UUID_TEXT_BYTES];
        uuid_format(&volume->uuid, name);
        return error_set_errno(&volume->error, rc, "volume %s: the map of the pool", name);
    }
    volume->family = family_get(volume->store, info.family);
    if (volume->family->sync_failed)
        volume_sync_failed(volume);
    place_lineage(volume->map_volume, &volume->found.lineage);
    return 0;
}

static void on_opened(struct work *work)
{
    struct store_volume *volume = CONTAINER_OF(work, struct store_volume, work);
    if (volume->rc == 0)
        volume->rc = open_in_map(volume);
    if (volume->rc == 0) {
        list_append(&volume->store->volumes, &volume->node);
        volume_used(volume);
        volume->opened(volume->arg, volume, NULL);
        return;
    }
    volume->opened(volume->arg, NULL, &volume->error);
    volume_free(volume);
}

static void on_closed(struct loop_task *task)
{
    struct store_volume *volume = CONTAINER_OF(task, struct store_volume, tell);
    store_job_fn *closed = volume->closed;
    void *arg = volume->arg;
    int status = volume->own.status;
    ASSERT(volume->in_flight == 0);
    if (status == 0 && volume->doubt.blocks == 0)
        volume->maps[0][STORE_MAP_CLEAN_AT] = 1;
    list_remove(&volume->node);
    volume_rest_end(volume);
    family_put(volume->family);
    map_volume_close(volume->map_volume);
    loop_defer(volume->store->loop, &volume->store->kick);
    volume_free(volume);
    closed(arg, status);
}

void store_volume_open(struct store *store, const struct uuid *uuid,
                       const struct store_extent *extent, store_open_fn *done, void *arg)
{
    ASSERT(extent->drl_bytes > 0 && extent->drl_bytes % STORE_DRL_PAGE_BYTES == 0);
    ASSERT(extent->plane_bytes > 0);
    struct store_volume *volume = calloc(1, sizeof(*volume));
    ASSERT(volume);
    *volume = (struct store_volume){.store = store,
                                    .uuid = *uuid,
                                    .meta_fd = {-1, -1},
                                    .drl_fd = -1,
                                    .size_bytes = extent->size_bytes,
                                    .drl_bytes = extent->drl_bytes,
                                    .plane_bytes = extent->plane_bytes,
                                    .work = {.run = run_open, .done = on_opened},
                                    .opened = done,
                                    .arg = arg};
    loop_task_init(&volume->tell, on_closed);
    list_init(&volume->seals);
    list_init(&volume->awake);
    list_init(&volume->wakes);
    volume->images = pages_new(2 * STORE_META_BYTES + extent->drl_bytes);
    worker_add(&store->worker, &volume->work);
}

const struct store_found *store_volume_found(const struct store_volume *volume)
{
    return &volume->found;
}

static void on_synced(struct store_req *req)
{
    loop_defer(req->volume->store->loop, &req->volume->tell);
}

static void close_begin(struct store_volume *volume)
{
    volume->own = (struct store_req){.op = STORE_SYNC, .volume = volume, .done = on_synced};
    store_submit(volume->store, &volume->own);
}

void volume_go_on_closing(struct store_volume *volume)
{
    if (volume->closing && !volume->settling &&
        !digester_is_busy_with(&volume->store->digester, volume))
        close_begin(volume);
}

void store_volume_close(struct store_volume *volume, store_job_fn *done, void *arg)
{
    const struct digester *digester = &volume->store->digester;
    uint32_t reading = digester_is_busy_with(digester, volume) ? digester->hasher.reading : 0;
    ASSERT(!volume->closing && volume->in_flight == volume->settling + reading);
    volume->closing = true;
    volume->closed = done;
    volume->arg = arg;
    volume_go_on_closing(volume);
}

void store_volume_doubt(struct store_volume *volume, uint64_t offset_bytes, uint64_t length_bytes)
{
    doubt_add(&volume->doubt, offset_bytes, length_bytes);
}

/* A write while a block is being settled may be overtaken by the checksum of its former content. */
void volume_undoubt(struct store_volume *volume, uint64_t offset_bytes, uint64_t length_bytes)
{
    if (volume->doubt.blocks == 0)
        return;
    const struct store_req *own = &volume->own;
    if (volume->settling && offset_bytes < own->offset_bytes + own->length_bytes &&
        own->offset_bytes < offset_bytes + length_bytes)
        volume->disturbed = true;
    else
        doubt_remove(&volume->doubt, offset_bytes, length_bytes);
}

static void run_grow(struct work *work)
{
    struct store_volume *volume = CONTAINER_OF(work, struct store_volume, work);
    char name[UUID_TEXT_BYTES], path[UUID_TEXT_BYTES + 8];
    uuid_format(&volume->uuid, name);
    snprintf(path, sizeof(path), "%s/map", name);
    int fd = openat(volume->store->directory.volumes_fd, path, O_RDWR | O_CLOEXEC);
    volume->rc = fd < 0 ? -errno : volume_map_reserve(fd, volume->growing->plane_bytes);
    if (volume->rc == 0)
        volume->rc = planes_map(fd, volume->grown, volume->growing->plane_bytes);
    close_fd(fd);
}

static void on_grow_ready(struct work *work)
{
    struct store_volume *volume = CONTAINER_OF(work, struct store_volume, work);
    volume->growing->progress_bytes = volume->growing->length_bytes;
    store_resume(volume->store, volume->growing, volume->rc);
}

void volume_grow_begin(struct store_req *req)
{
    struct store_volume *volume = req->volume;
    ASSERT(!volume->growing && req->length_bytes > volume->size_bytes &&
           req->plane_bytes >= volume->plane_bytes);
    volume->growing = req;
    volume->work = (struct work){.run = run_grow, .done = on_grow_ready};
    worker_add(&volume->store->worker, &volume->work);
}

void volume_grow_end(struct store_req *req, int status)
{
    struct store_volume *volume = req->volume;
    ASSERT(volume->growing == req);
    volume->growing = NULL;
    if (status) {
        planes_unmap(volume->grown, req->plane_bytes);
        return;
    }
    planes_unmap(volume->maps, volume->plane_bytes);
    memcpy(volume->maps, volume->grown, sizeof(volume->maps));
    memset(volume->grown, 0, sizeof(volume->grown));
    volume->plane_bytes = req->plane_bytes;
    volume->size_bytes = req->length_bytes;
    planes_found(volume);
}

static void on_settled(struct store_req *req);

static void settle_next(struct store_volume *volume)
{
    uint64_t offset_bytes, length_bytes;
    if (!doubt_next(&volume->doubt, volume->settle_from, SETTLE_BYTES, &offset_bytes,
                    &length_bytes)) {
        volume->settle_from = 0;
        store_resume_later(volume->store, &volume->seals, volume->settle_status);
        volume->settle_status = 0;
        return;
    }
    volume->settling = true;
    volume->disturbed = false;
    volume->own = (struct store_req){.op = STORE_READ,
                                     .volume = volume,
                                     .settling = true,
                                     .offset_bytes = offset_bytes,
                                     .length_bytes = length_bytes,
                                     .data = slice_get(volume->store->bufs, (uint32_t)length_bytes),
                                     .done = on_settled};
    store_submit(volume->store, &volume->own);
}

/* What cannot be read stays in doubt, and is tried again at the next sync. */
static void on_settled(struct store_req *req)
{
    struct store_volume *volume = req->volume;
    slice_release(&req->data);
    volume->settling = false;
    if (req->status == 0 && !volume->disturbed)
        doubt_remove(&volume->doubt, req->offset_bytes, req->length_bytes);
    else
        volume->settle_from = req->offset_bytes + req->length_bytes;
    if (req->status == -ENOSPC)
        volume->settle_status = -ENOSPC;
    if (volume->closing)
        volume_go_on_closing(volume);
    else
        settle_next(volume);
}

void store_volume_settle(struct store_volume *volume)
{
    if (!volume->settling && !volume->closing)
        settle_next(volume);
}

/*
 * What was written to meanwhile is settled by a second pass; what still is not cannot be read. But
 * where there is no space for a checksum the head is not sealed: its block would be lost in there.
 */
bool volume_settles_first(struct store_volume *volume, struct store_req *req)
{
    enum { PASSES = 2 };
    if (volume->doubt.blocks == 0 || req->rounds++ == PASSES)
        return false;
    list_append(&volume->seals, &req->node);
    store_volume_settle(volume);
    return true;
}

bool volume_is_unclean(const struct store *store, const struct uuid *uuid, int dir_fd)
{
    uint8_t header[STORE_MAP_CLEAN_AT + 1];
    if (file_read(dir_fd, "map", header, sizeof(header)) != 0)
        return false;
    struct reader r = reader_of(header + sizeof(map_magic), 2 * (size_t)UUID_BYTES);
    struct uuid boot, volume;
    memcpy(boot.bytes, read_bytes(&r, UUID_BYTES), UUID_BYTES);
    memcpy(volume.bytes, read_bytes(&r, UUID_BYTES), UUID_BYTES);
    return uuid_equal(&boot, &store->boot) && uuid_equal(&volume, uuid) &&
           !header[STORE_MAP_CLEAN_AT];
}
