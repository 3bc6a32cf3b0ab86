/* SPDX-License-Identifier: Apache-2.0 */
/* A volume kept here: its files opened, its service fed, what the service wants performed. */
#include "replica/front/state.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

const char *replica_volume_name(const struct volume *volume)
{
    return volume->known ? volume->entry.config.name : "?";
}

static void on_timer(struct loop_timer *timer);

struct volume *replica_volume_new(struct replica *replica, const struct uuid *uuid,
                                  enum volume_state state)
{
    struct volume *volume = calloc(1, sizeof(*volume));
    ASSERT(volume);
    *volume = (struct volume){.replica = replica, .uuid = *uuid, .state = state};
    loop_timer_init(&volume->timer, replica->loop, on_timer);
    /* A process before this one may just have granted one. */
    volume->lease_until_ns = loop_now_ns(replica->loop) + SERVICE_LEASE_NS;
    list_init(&volume->opens);
    list_append(&replica->volumes, &volume->node);
    replica->volume_count += state != VOLUME_DELETED;
    return volume;
}

struct volume *replica_volume_find(struct replica *replica, const struct uuid *uuid)
{
    LIST_FOR_EACH (node, &replica->volumes) {
        struct volume *volume = CONTAINER_OF(node, struct volume, node);
        if (uuid_equal(&volume->uuid, uuid))
            return volume;
    }
    return NULL;
}

static void drop_opens(struct volume *volume)
{
    for (struct list *node; (node = list_pop(&volume->opens));)
        free(CONTAINER_OF(node, struct open_wait, node));
}

void replica_volume_free(struct volume *volume)
{
    ASSERT(!volume->service && !volume->store && volume->io_count == 0);
    drop_opens(volume);
    list_remove(&volume->node);
    volume->replica->volume_count -= volume->state != VOLUME_DELETED;
    free(volume->epitaph);
    free(volume);
}

void replica_volume_keep_epitaph(struct volume *volume, const struct epitaph *epitaph)
{
    if (epitaph->length_bytes == 0)
        return;
    uint8_t *copy = malloc(epitaph->length_bytes);
    ASSERT(copy);
    memcpy(copy, epitaph->bytes, epitaph->length_bytes);
    free(volume->epitaph);
    volume->epitaph = copy;
    volume->entry.epitaph = (struct epitaph){.length_bytes = epitaph->length_bytes, .bytes = copy};
}

void replica_volume_rested(void *arg)
{
    struct volume *volume = arg;
    if (volume->service)
        service_rest(volume->service);
}

static void perform_failed(struct volume *volume, const char *why)
{
    char uuid[UUID_TEXT_BYTES];
    uuid_format(&volume->uuid, uuid);
    volume->entry.failed = volume->refused = true;
    log_warn("volume %s (%s): out of service (%s)", replica_volume_name(volume), uuid, why);
}

static void perform_reply(struct volume *volume, const struct service_effect *effect)
{
    struct connection *connection = connection_by_id(volume->replica, effect->link);
    if (connection)
        link_send(&connection->link, &effect->frame);
}

static void perform_all(struct volume *volume)
{
    struct service_effect effect;
    while (service_next(volume->service, &effect)) {
        switch (effect.kind) {
        case SERVICE_DO_REPLY:
            perform_reply(volume, &effect);
            break;
        case SERVICE_DO_IO:
            disk_start(volume, effect.io);
            break;
        case SERVICE_DO_SAY:
            if (effect.warn)
                log_warn("volume %s: %s", replica_volume_name(volume), effect.text);
            else
                log_info("volume %s: %s", replica_volume_name(volume), effect.text);
            break;
        case SERVICE_DO_FAILED:
            perform_failed(volume, effect.text);
            break;
        }
    }
}

static void step(struct volume *volume, const struct service_event *event)
{
    struct service_event timed = *event;
    ASSERT(volume->service);
    timed.now_ns = loop_now_ns(volume->replica->loop);
    service_step(volume->service, &timed);
    perform_all(volume);
    uint64_t deadline_ns = service_deadline_ns(volume->service);
    if (deadline_ns != UINT64_MAX)
        loop_timer_start(&volume->timer,
                         deadline_ns > timed.now_ns ? deadline_ns - timed.now_ns : 0);
    replica_volume_settle(volume);
}

static void on_timer(struct loop_timer *timer)
{
    struct volume *volume = CONTAINER_OF(timer, struct volume, timer);
    if (volume->service)
        step(volume, &(struct service_event){.kind = SERVICE_EV_TICK});
}

void replica_volume_frame(struct volume *volume, uint64_t connection, const struct frame *frame)
{
    step(volume,
         &(struct service_event){.kind = SERVICE_EV_FRAME, .link = connection, .frame = frame});
}

void replica_volume_disconnect(struct volume *volume, uint64_t connection)
{
    step(volume, &(struct service_event){.kind = SERVICE_EV_DISCONNECT, .link = connection});
}

void replica_volume_io_done(struct volume *volume, struct service_io *io)
{
    step(volume, &(struct service_event){.kind = SERVICE_EV_IO_DONE, .io = io});
}

struct service_planes replica_planes_of(const struct store_found *found)
{
    return (struct service_planes){.current = found->planes[0],
                                   .old = found->planes[1],
                                   .away = found->planes[2],
                                   .bytes = found->plane_bytes,
                                   .failed = found->failed,
                                   .recent = found->recent};
}

static struct service_found service_found_of(const struct store_found *found,
                                             uint64_t lease_until_ns)
{
    return (struct service_found){
        .meta = {found->meta[0], found->meta[1]},
        .drl = found->drl,
        .lease_until_ns = lease_until_ns,
        .lease_ns = SERVICE_LEASE_NS,
        .planes = replica_planes_of(found),
        .lineage = found->lineage,
        .doubtful = found->doubtful,
        .same_boot = found->same_boot,
    };
}

/* What was written since the last checkpoint may not agree with its checksums. */
static void doubt(struct volume *volume)
{
    uint64_t from = 0;
    uint64_t offset_bytes, length_bytes;
    while (service_dirty_next(volume->service, from, &offset_bytes, &length_bytes)) {
        store_volume_doubt(volume->store, offset_bytes, length_bytes);
        from = offset_bytes + length_bytes;
    }
    store_volume_settle(volume->store);
}

static int serve(struct volume *volume, struct error *error)
{
    struct replica *replica = volume->replica;
    const struct store_found *found = store_volume_found(volume->store);
    const struct service_found service_found = service_found_of(found, volume->lease_until_ns);
    const char *why = NULL;
    volume->service = service_new(&service_found, store_boot_id(replica->store), &replica->ios,
                                  replica->bufs, &why);
    if (!volume->service)
        return error_set(error, "%s", why);
    /*
     * The planes are rebuilt. The service knows by its own record, too, under which boot it last
     * ran: a process killed before that record is durable finds it out at the next start.
     */
    store_volume_stamp(volume->store);
    if (!found->clean)
        doubt(volume);
    return 0;
}

/* Each OPEN goes to who is there now, in the order they came. */
static void answer_opens(struct volume *volume)
{
    struct list waiting;
    list_take_all(&waiting, &volume->opens);
    for (struct list *node; (node = list_pop(&waiting));) {
        struct open_wait *wait = CONTAINER_OF(node, struct open_wait, node);
        struct connection *connection = connection_by_id(volume->replica, wait->connection);
        if (volume->state == VOLUME_SERVING) {
            replica_volume_frame(volume, wait->connection, &wait->frame);
        } else if (connection) {
            const struct frame reply = {.type = FRAME_OPEN,
                                        .flags = FRAME_REPLY,
                                        .session = wait->frame.session,
                                        .request = wait->frame.request,
                                        .status = FRAME_FAILED};
            link_send(&connection->link, &reply);
        }
        free(wait);
    }
}

static void refuse(struct volume *volume, const char *why)
{
    char uuid[UUID_TEXT_BYTES];
    uuid_format(&volume->uuid, uuid);
    volume->entry.failed = true;
    log_warn("volume %s (%s): cannot be served: %s", replica_volume_name(volume), uuid, why);
}

static void on_closed(void *arg, int status)
{
    struct volume *volume = arg;
    struct replica *replica = volume->replica;
    replica->job_count--;
    replica->open_count--;
    if (status != 0)
        volume->entry.failed = volume->refused = true;
    volume->state = volume->refused ? VOLUME_REFUSED : VOLUME_CLOSED;
    if (!list_empty(&volume->opens) && volume->state == VOLUME_CLOSED && !replica->stopping)
        replica_volume_open(volume);
    else
        answer_opens(volume);
    replica_volume_settle(volume);
    replica_settle(replica);
}

static void end(struct volume *volume)
{
    struct replica *replica = volume->replica;
    volume->state = VOLUME_ENDING;
    if (volume->service) {
        if (!volume->deleting)
            volume->entry.config = *service_config(volume->service);
        volume->lease_until_ns = service_lease_until_ns(volume->service);
        service_free(volume->service);
    }
    loop_timer_stop(&volume->timer);
    volume->service = NULL;
    struct store_volume *store = volume->store;
    volume->store = NULL;
    replica->job_count++;
    store_volume_close(store, on_closed, volume);
}

static void start(struct volume *volume)
{
    struct error error;
    volume->replica->opened_count--;
    volume->refused = serve(volume, &error) != 0;
    if (volume->refused) {
        refuse(volume, error.text);
        end(volume);
        return;
    }
    volume->state = VOLUME_SERVING;
    perform_all(volume);
    answer_opens(volume);
    replica_volume_settle(volume);
}

void replica_volumes_start(struct replica *replica)
{
    if (replica->opened_count == 0)
        return;
    LIST_FOR_EACH (node, &replica->volumes) {
        struct volume *volume = CONTAINER_OF(node, struct volume, node);
        if (pool_free_count(&replica->ios) < IOS_PER_VOLUME)
            return;
        if (volume->state == VOLUME_OPENED)
            start(volume);
    }
}

static void on_opened(void *arg, struct store_volume *store, const struct error *error)
{
    struct volume *volume = arg;
    struct replica *replica = volume->replica;
    replica->job_count--;
    if (store) {
        volume->store = store;
        volume->state = VOLUME_OPENED;
        replica->opened_count++;
        replica_volumes_start(replica);
    } else {
        replica->open_count--;
        volume->state = VOLUME_REFUSED;
        refuse(volume, error->text);
        answer_opens(volume);
        replica_volume_settle(volume);
    }
    replica_settle(replica);
}

void replica_volume_open(struct volume *volume)
{
    struct replica *replica = volume->replica;
    uint64_t size_bytes = service_kept_bytes(volume->entry.config.size_bytes, volume->witness);
    ASSERT(volume->known && volume->state == VOLUME_CLOSED);
    const struct store_extent extent = {.size_bytes = size_bytes,
                                        .drl_bytes = DRL_BYTES,
                                        .plane_bytes = service_plane_bytes(size_bytes)};
    volume->state = VOLUME_OPENING;
    replica->open_count++;
    replica->job_count++;
    store_volume_open(replica->store, &volume->uuid, &extent, on_opened, volume);
}

void replica_volume_wait(struct volume *volume, uint64_t connection, const struct frame *frame)
{
    struct open_wait *wait = calloc(1, sizeof(*wait));
    ASSERT(wait && frame->body_bytes <= sizeof(wait->body));
    wait->connection = connection;
    wait->frame = *frame;
    memcpy(wait->body, frame->body, frame->body_bytes);
    wait->frame.body = wait->body;
    list_append(&volume->opens, &wait->node);
    if (volume->state == VOLUME_CLOSED)
        replica_volume_open(volume);
}

void replica_volume_forget(struct volume *volume, uint64_t connection)
{
    LIST_FOR_EACH_SAFE (node, &volume->opens) {
        struct open_wait *wait = CONTAINER_OF(node, struct open_wait, node);
        if (wait->connection == connection) {
            list_remove(&wait->node);
            free(wait);
        }
    }
}

static void on_deleted(void *arg, int status)
{
    struct volume *volume = arg;
    struct replica *replica = volume->replica;
    replica->job_count--;
    catalogue_deleted(volume, status);
    replica_settle(replica);
}

static void delete_files(struct volume *volume)
{
    struct replica *replica = volume->replica;
    const struct message_create record_of = {.member = volume->entry.member,
                                             .config = volume->entry.config};
    uint8_t record[META_BYTES];
    service_meta_format(record, &record_of, store_boot_id(replica->store));
    volume->state = VOLUME_DELETING;
    replica->job_count++;
    store_volume_delete(replica->store, &volume->uuid, volume->forgetting ? NULL : record,
                        &volume->entry.epitaph, on_deleted, volume);
}

void replica_volume_settle(struct volume *volume)
{
    bool unused = volume->session_count == 0 && volume->io_count == 0;
    if (volume->state == VOLUME_SERVING && unused && service_idle(volume->service))
        end(volume);
    else if (volume->deleting &&
             (volume->state == VOLUME_CLOSED || volume->state == VOLUME_REFUSED))
        delete_files(volume);
}
