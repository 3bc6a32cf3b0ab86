/* SPDX-License-Identifier: Apache-2.0 */
/* The replica as a whole: its start, its room for work, its end. */
#include "replica/front/replica.h"

#include "common/base/log.h"
#include "replica/front/state.h"

#include <stdlib.h>
#include <unistd.h>

/* What the other ends do not take of their last replies within this time is dropped. */
#define STOP_GRACE_NS ((uint64_t)1000000000)

bool replica_has_room(const struct replica *replica)
{
    if (pool_free_count(&replica->ios) < IOS_RESERVE)
        return false;
    /* Only our own I/O is waited for: whoever else fills the buffers may be waiting for us. */
    return replica->io_count == 0 || !buf_pool_full(replica->bufs);
}

static void release_held(struct replica *replica)
{
    for (uint32_t slot = 0; slot < CONNECTIONS_MAX && replica->held_count > 0; slot++) {
        struct connection *connection = replica->connections[slot];
        if (!replica_has_room(replica))
            return;
        if (connection && connection_has_room(connection))
            connection_release(connection);
    }
}

static bool is_reply_pending(const struct replica *replica)
{
    for (uint32_t slot = 0; slot < CONNECTIONS_MAX; slot++) {
        const struct connection *connection = replica->connections[slot];
        if (connection && link_pending_bytes(&connection->link) > 0)
            return true;
    }
    return false;
}

static void stop_advance(struct replica *replica, bool in_time)
{
    if (replica->stopped || replica->ending || replica->io_count > 0 || replica->job_count > 0)
        return;
    if (in_time && is_reply_pending(replica))
        return;
    /* From here on a connection that ends comes back here and finds nothing to do. */
    replica->ending = true;
    for (uint32_t slot = 0; slot < CONNECTIONS_MAX; slot++) {
        if (replica->connections[slot])
            connection_end(replica->connections[slot], NULL);
    }
    replica->ending = false;
    /* Sessions that ended may have had a last word for the disk, and volumes are being closed. */
    replica->stopped =
        replica->io_count == 0 && replica->job_count == 0 && replica->open_count == 0;
    if (replica->stopped) {
        loop_timer_stop(&replica->grace);
        loop_defer(replica->loop, &replica->tell_stopped);
    }
}

void replica_settle(struct replica *replica)
{
    replica_volumes_start(replica);
    if (replica->stopping)
        stop_advance(replica, true);
    else if (replica->held_count > 0)
        release_held(replica);
}

static void on_grace_over(struct loop_timer *timer)
{
    struct replica *replica = CONTAINER_OF(timer, struct replica, grace);
    stop_advance(replica, false);
    /* The disk is slower than that: looked at again. */
    if (!replica->stopped)
        loop_timer_start(&replica->grace, STOP_GRACE_NS);
}

static void on_stopped(struct loop_task *task)
{
    struct replica *replica = CONTAINER_OF(task, struct replica, tell_stopped);
    replica->on_stopped(replica->on_stopped_arg);
}

void replica_stop(struct replica *replica, void (*done)(void *arg), void *arg)
{
    ASSERT(!replica->stopping);
    replica->stopping = true;
    replica->on_stopped = done;
    replica->on_stopped_arg = arg;
    for (uint32_t slot = 0; slot < CONNECTIONS_MAX; slot++) {
        if (replica->connections[slot])
            connection_hold(replica->connections[slot]);
    }
    loop_timer_start(&replica->grace, STOP_GRACE_NS);
    stop_advance(replica, true);
}

/* One entry of the pool. What is known of it is in its metadata, unless both copies are bad. */
static void on_each(void *arg, const struct uuid *uuid, enum store_kept kept,
                    const uint8_t *const meta[2])
{
    struct replica *replica = arg;
    bool deleted = kept == STORE_DELETED;
    struct volume *volume =
        replica_volume_new(replica, uuid, deleted ? VOLUME_DELETED : VOLUME_REFUSED);
    const char *why;
    volume->known = service_meta_read(meta, &volume->entry, &volume->witness, &why);
    if (volume->known && !uuid_equal(&volume->entry.config.volume, uuid)) {
        volume->known = false;
        why = "its metadata is another volume's";
    }
    if (volume->known && !deleted)
        volume->state = VOLUME_CLOSED;
    volume->unclean = kept == STORE_UNCLEAN;
    struct epitaph epitaph = {0};
    uint8_t *bytes = deleted ? store_epitaph_read(replica->store, uuid, &epitaph) : NULL;
    if (volume->known)
        replica_volume_keep_epitaph(volume, &epitaph);
    free(bytes);
    if (volume->known)
        return;
    char text[UUID_TEXT_BYTES];
    uuid_format(uuid, text);
    log_warn("volume %s: %s: %s", text,
             deleted ? "the record of its deletion cannot be read" : "cannot be served", why);
}

/* What a killed process left is looked after now: how its writes ended, and their checksums. */
static void open_unclean(struct replica *replica)
{
    LIST_FOR_EACH (node, &replica->volumes) {
        struct volume *volume = CONTAINER_OF(node, struct volume, node);
        if (volume->state == VOLUME_CLOSED && volume->unclean)
            replica_volume_open(volume);
    }
}

static void release_all(struct replica *replica)
{
    struct list *node;
    while ((node = list_pop(&replica->volumes)))
        replica_volume_free(CONTAINER_OF(node, struct volume, node));
    pool_release(&replica->ios);
    store_close(replica->store);
    loop_task_cancel(&replica->tell_stopped);
    loop_timer_stop(&replica->grace);
    free(replica);
}

struct replica *replica_new(const struct replica_settings *settings, struct loop *loop,
                            struct stream_sender *sender, struct buf_pool *bufs,
                            struct error *error)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    ASSERT(replica);
    *replica = (struct replica){.loop = loop,
                                .sender = sender,
                                .bufs = bufs,
                                .tls = settings->tls,
                                .targets = settings->targets,
                                .target_count = settings->target_count};
    list_init(&replica->volumes);
    loop_timer_init(&replica->grace, loop, on_grace_over);
    loop_task_init(&replica->tell_stopped, on_stopped);
    struct store_settings store = settings->store;
    store.bufs = bufs;
    store.rested = replica_volume_rested;
    replica->store = store_open(&store, loop, error);
    if (!replica->store) {
        free(replica);
        return NULL;
    }
    int rc = store_list(replica->store, on_each, replica, error);
    if (rc == 0) {
        rc = pool_init(&replica->ios, sizeof(struct disk_io),
                       IOS_BASE + IOS_PER_VOLUME * replica->volume_count);
        if (rc)
            (void)error_set_errno(error, rc, "disk requests");
    }
    if (rc) {
        (void)error_prefix(error, "pool %s", settings->store.directory);
        release_all(replica);
        return NULL;
    }
    open_unclean(replica);
    char uuid[UUID_TEXT_BYTES];
    uuid_format(replica_pool_uuid(replica), uuid);
    log_info("pool %s (%s): %u volumes, disk by %s", settings->store.directory, uuid,
             replica->volume_count, store_engine_name(replica->store));
    return replica;
}

void replica_free(struct replica *replica)
{
    ASSERT(replica->stopped && replica->io_count == 0 && replica->job_count == 0);
    ASSERT(replica->open_count == 0);
    release_all(replica);
}

void replica_accept(struct replica *replica, int fd)
{
    char name[ADDRESS_TEXT_BYTES];
    address_of_socket(fd, false, name);
    struct connection *connection = replica->stopping ? NULL : connection_new(replica, name);
    if (!connection) {
        if (!replica->stopping)
            log_warn("target %s: refused (%d connections already)", name, CONNECTIONS_MAX);
        close(fd);
        return;
    }
    connection->link.tls = replica->tls;
    connection->link.names = replica->targets;
    connection->link.name_count = replica->target_count;
    link_accept(&connection->link, replica->loop, replica->sender, replica->bufs, fd);
}

void replica_join(struct replica *replica, struct link *target_end)
{
    struct connection *connection = connection_new(replica, "in this process");
    ASSERT(connection && !replica->stopping);
    link_pair(&connection->link, target_end, replica->loop, replica->bufs);
}

const struct uuid *replica_pool_uuid(const struct replica *replica)
{
    return store_pool_uuid(replica->store);
}

const char *replica_engine_name(const struct replica *replica)
{
    return store_engine_name(replica->store);
}

uint32_t replica_volume_count(const struct replica *replica)
{
    return replica->volume_count;
}
