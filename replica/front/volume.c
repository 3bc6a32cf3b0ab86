/* SPDX-License-Identifier: Apache-2.0 */
/* A volume kept here: its files opened, its service fed, what the service wants performed. */
#include "replica/front/state.h"

#include "common/base/log.h"

#include <stdlib.h>

const char *replica_volume_name(const struct volume *volume)
{
    return volume->known ? volume->entry.config.name : "?";
}

struct volume *replica_volume_new(struct replica *replica, const struct uuid *uuid,
                                  enum volume_state state)
{
    struct volume *volume = calloc(1, sizeof(*volume));
    ASSERT(volume);
    *volume = (struct volume){.replica = replica, .uuid = *uuid, .state = state};
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

void replica_volume_free(struct volume *volume)
{
    replica_volume_stop(volume);
    list_remove(&volume->node);
    volume->replica->volume_count -= volume->state != VOLUME_DELETED;
    free(volume);
}

void replica_volume_stop(struct volume *volume)
{
    ASSERT(volume->io_count == 0);
    if (volume->service)
        service_free(volume->service);
    if (volume->store)
        store_volume_close(volume->store);
    volume->service = NULL;
    volume->store = NULL;
}

static void perform_failed(struct volume *volume, const char *why)
{
    char uuid[UUID_TEXT_BYTES];
    uuid_format(&volume->uuid, uuid);
    volume->entry.failed = true;
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
    ASSERT(volume->service);
    service_step(volume->service, event);
    perform_all(volume);
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

static struct service_found service_found_of(const struct store_found *found)
{
    return (struct service_found){
        .meta = {found->meta[0], found->meta[1]},
        .drl = found->drl,
        .drl_bytes = found->drl_bytes,
        .planes = {.current = found->planes,
                   .old = found->planes + found->plane_bytes,
                   .away = found->planes + 2 * found->plane_bytes,
                   .bytes = found->plane_bytes,
                   .failed = found->failed},
        .lineage = found->lineage,
        .same_boot = found->same_boot,
    };
}

static int open_and_serve(struct volume *volume, struct error *error)
{
    struct replica *replica = volume->replica;
    uint64_t size_bytes = volume->entry.config.size_bytes;
    struct store_found found;
    const char *why = NULL;
    volume->store = store_volume_open(replica->store, &volume->uuid, service_drl_bytes(size_bytes),
                                      service_plane_bytes(size_bytes), &found, error);
    if (!volume->store)
        return -1;
    if (found.data_bytes != size_bytes) {
        (void)error_set(error, "its data file is %llu bytes long instead of %llu",
                        (unsigned long long)found.data_bytes, (unsigned long long)size_bytes);
        goto fail;
    }
    const struct service_found service_found = service_found_of(&found);
    volume->service = service_new(&service_found, store_boot_id(replica->store), &replica->ios,
                                  replica->bufs, &why);
    if (!volume->service) {
        (void)error_set(error, "%s", why);
        goto fail;
    }
    /*
     * The planes are rebuilt. The service knows by its own record, too, under which boot it last
     * ran: a process killed before that record is durable finds it out at the next start.
     */
    store_volume_stamp(volume->store);
    return 0;
fail:
    store_volume_close(volume->store);
    volume->store = NULL;
    return -1;
}

void replica_volume_start(struct volume *volume)
{
    struct error error;
    ASSERT(volume->known && !volume->store && !volume->service);
    if (open_and_serve(volume, &error)) {
        char uuid[UUID_TEXT_BYTES];
        uuid_format(&volume->uuid, uuid);
        volume->state = VOLUME_REFUSED;
        volume->entry.failed = true;
        log_warn("volume %s (%s): cannot be served: %s", replica_volume_name(volume), uuid,
                 error.text);
        return;
    }
    volume->state = VOLUME_SERVING;
    perform_all(volume);
}
