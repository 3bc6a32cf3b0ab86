/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of a pool, as targets see and change it: LIST, CREATE, DELETE, PING. */
#include "replica/front/state.h"

#include "common/base/log.h"

#include <errno.h>
#include <string.h>

/* Beyond this the planes alone would fill a disk; the file system's own limit is lower still. */
#define VOLUME_BYTES_MAX ((uint64_t)1 << 50)
/* Left to what is there already: a new volume must not take the last bytes. */
#define FREE_BYTES_MIN ((uint64_t)16 << 20)

static void reply(struct connection *connection, const struct answer *to, uint32_t status,
                  const struct frame *with)
{
    struct frame frame = with ? *with : (struct frame){0};
    frame.type = to->type;
    frame.flags |= FRAME_REPLY;
    frame.request = to->request;
    frame.status = status;
    link_send(&connection->link, &frame);
}

/* Whoever asked may be gone by now. */
static void reply_later(struct replica *replica, const struct answer *to, uint32_t status)
{
    struct connection *connection = connection_by_id(replica, to->connection);
    if (connection)
        reply(connection, to, status, NULL);
}

static struct answer answer_of(const struct connection *connection, const struct frame *frame)
{
    return (struct answer){
        .connection = connection->id, .type = frame->type, .request = frame->request};
}

static uint32_t status_of(int error)
{
    switch (error) {
    case 0:
        return FRAME_OK;
    case -ENOSPC:
    case -EDQUOT:
        return FRAME_NO_SPACE;
    case -EEXIST:
        return FRAME_EXISTS;
    case -ENOENT: /* what it should begin as */
        return FRAME_NO_VOLUME;
    case -EBUSY:
        return FRAME_BUSY;
    case -EFBIG:
        return FRAME_INVALID;
    default:
        return FRAME_IO;
    }
}

static void ping(struct connection *connection, const struct answer *to)
{
    struct store_space space = store_space(connection->replica->store);
    struct message_health health = {.free_bytes = space.usable_bytes,
                                    .total_bytes = space.total_bytes};
    uint8_t body[MESSAGE_BYTES_MAX];
    struct writer w = writer_of(body, sizeof(body));
    message_health_encode(&w, &health);
    const struct frame with = {.body = body, .body_bytes = (uint32_t)writer_length(&w)};
    reply(connection, to, FRAME_OK, &with);
}

/* What is there is told; what is being made is not there yet. */
static bool is_listed(const struct volume *volume)
{
    return volume->known && volume->state != VOLUME_CREATING;
}

static void list_send(struct connection *connection, const struct answer *to, struct writer *w,
                      bool more)
{
    const struct frame with = {
        .flags = more ? FRAME_MORE : 0, .body = w->begin, .body_bytes = (uint32_t)writer_length(w)};
    reply(connection, to, FRAME_OK, &with);
    w->next = w->begin;
}

static void list_all(struct connection *connection, const struct answer *to)
{
    struct replica *replica = connection->replica;
    struct slice body = slice_get(replica->bufs, FRAME_BODY_BYTES_MAX);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    LIST_FOR_EACH (node, &replica->volumes) {
        const struct volume *volume = CONTAINER_OF(node, struct volume, node);
        struct message_volume entry = volume->entry;
        if (!is_listed(volume))
            continue;
        if (volume->state == VOLUME_SERVING)
            entry.config = *service_config(volume->service);
        if (writer_left(&w) < MESSAGE_BYTES_MAX + entry.epitaph.length_bytes)
            list_send(connection, to, &w, true);
        message_volume_encode(&w, &entry);
        ASSERT(!w.bad);
    }
    list_send(connection, to, &w, false);
    slice_release(&body);
}

/* NULL, or which rule the wish breaks. */
static const char *create_invalid(const struct message_create *create)
{
    const char *why = config_invalid(&create->config);
    if (why)
        return why;
    if (create->config.deleted)
        return "the volume is deleted";
    if (config_member_idx(&create->config, &create->member) < 0)
        return "the new replica is not one of its members";
    if (create->config.size_bytes > VOLUME_BYTES_MAX)
        return "the size is beyond 1 PiB";
    return NULL;
}

/* Who is to be made. */
static const struct member *member_of(const struct message_create *create)
{
    int idx = config_member_idx(&create->config, &create->member);
    ASSERT(idx >= 0);
    return &create->config.members[idx];
}

static uint64_t files_bytes(const struct message_create *create)
{
    uint64_t size_bytes =
        service_kept_bytes(create->config.size_bytes, member_of(create)->kind == MEMBER_WITNESS);
    return DRL_BYTES + STORE_PLANE_COUNT * service_plane_bytes(size_bytes) +
           4 * (uint64_t)STORE_META_BYTES;
}

static void on_created(void *arg, int status)
{
    struct volume *volume = arg;
    struct replica *replica = volume->replica;
    replica->job_count--;
    if (status == 0) {
        char uuid[UUID_TEXT_BYTES];
        uuid_format(&volume->uuid, uuid);
        volume->state = VOLUME_CLOSED;
        log_info("volume %s (%s): made, %llu bytes", replica_volume_name(volume), uuid,
                 (unsigned long long)volume->entry.config.size_bytes);
        reply_later(replica, &volume->answer, FRAME_OK);
    } else {
        log_warn("volume %s: cannot be made (%s)", replica_volume_name(volume), strerror(-status));
        reply_later(replica, &volume->answer, status_of(status));
        replica_volume_free(volume);
    }
    replica_settle(replica);
}

static void create_begin(struct connection *connection, const struct answer *to,
                         const struct message_create *create)
{
    struct replica *replica = connection->replica;
    const struct member *member = member_of(create);
    bool witness = member->kind == MEMBER_WITNESS;
    uint64_t size_bytes = service_kept_bytes(create->config.size_bytes, witness);
    struct volume *volume = replica_volume_new(replica, &create->config.volume, VOLUME_CREATING);
    volume->entry.member = create->member;
    volume->entry.config = create->config;
    volume->witness = witness;
    volume->known = true;
    volume->answer = *to;
    replica->job_count++;
    struct store_create what = {.volume = volume->uuid,
                                .size_bytes = size_bytes,
                                .drl_bytes = DRL_BYTES,
                                .plane_bytes = service_plane_bytes(size_bytes),
                                .blank = !witness && !member->in_sync,
                                .origin = create->origin,
                                .origin_generation = create->origin_generation};
    service_meta_format(what.meta, create, store_boot_id(replica->store));
    store_volume_create(replica->store, &what, on_created, volume);
}

static void create(struct connection *connection, const struct answer *to,
                   const struct frame *frame)
{
    struct message_create wish;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_create_decode(&r, &wish);
    const char *why =
        r.bad || reader_left(&r) > 0 ? "the request is malformed" : create_invalid(&wish);
    if (why) {
        log_warn("target %s: volume not made (%s)", connection->name, why);
        reply(connection, to, FRAME_INVALID, NULL);
        return;
    }
    struct replica *replica = connection->replica;
    const struct volume *volume = replica_volume_find(replica, &wish.config.volume);
    if (volume) {
        bool same = volume->known && uuid_equal(&volume->entry.member, &wish.member);
        bool busy = volume->state == VOLUME_CREATING;
        bool served = volume->state != VOLUME_REFUSED && volume->state != VOLUME_DELETED &&
                      volume->state != VOLUME_DELETING && !volume->deleting;
        reply(connection, to,
              same && busy     ? FRAME_BUSY
              : same && served ? FRAME_OK
                               : FRAME_EXISTS,
              NULL);
        return;
    }
    struct store_space space = store_space(replica->store);
    if (space.free_bytes < FREE_BYTES_MIN + files_bytes(&wish)) {
        log_warn("volume %s: not made (%llu bytes free)", wish.config.name,
                 (unsigned long long)space.free_bytes);
        reply(connection, to, FRAME_NO_SPACE, NULL);
        return;
    }
    create_begin(connection, to, &wish);
}

void catalogue_deleted(struct volume *volume, int status)
{
    struct replica *replica = volume->replica;
    char uuid[UUID_TEXT_BYTES];
    uuid_format(&volume->uuid, uuid);
    volume->deleting = false;
    reply_later(replica, &volume->answer, status_of(status));
    if (status == 0) {
        log_info("volume %s (%s): %s", replica_volume_name(volume), uuid,
                 volume->forgetting ? "this replica of it is deleted" : "deleted");
        replica->volume_count--;
        volume->state = VOLUME_DELETED;
        if (volume->forgetting)
            replica_volume_free(volume);
    } else {
        /* Asked for again, it is tried again. */
        volume->state = VOLUME_REFUSED;
        volume->entry.failed = true;
        log_warn("volume %s (%s): cannot be deleted (%s)", replica_volume_name(volume), uuid,
                 strerror(-status));
    }
}

/* FRAME_OK: go on with deleting it. */
static uint32_t delete_status(const struct volume *volume, const struct message_delete *wish)
{
    bool whole = uuid_is_zero(&wish->member);
    if (!volume || (!whole && !uuid_equal(&volume->entry.member, &wish->member)))
        return FRAME_NO_VOLUME;
    if (volume->deleting)
        return FRAME_BUSY;
    const struct config *config = &volume->entry.config;
    switch (volume->state) {
    case VOLUME_CREATING:
    case VOLUME_DELETING:
        return FRAME_BUSY;
    case VOLUME_SERVING:
        config = service_config(volume->service);
        break;
    case VOLUME_CLOSED:
    case VOLUME_OPENING:
    case VOLUME_OPENED:
    case VOLUME_ENDING:
        break;
    case VOLUME_REFUSED:
    case VOLUME_DELETED:
        if (whole)
            return FRAME_OK;
        break;
    }
    /* A target that missed what happened since must not take the data away. */
    return config_compare(&wish->config, config) < 0 ? FRAME_STALE : FRAME_OK;
}

static void delete (struct connection *connection, const struct answer *to,
                    const struct frame *frame)
{
    struct replica *replica = connection->replica;
    struct message_delete wish;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_delete_decode(&r, &wish);
    if (r.bad || reader_left(&r) > 0 || config_invalid(&wish.config)) {
        reply(connection, to, FRAME_INVALID, NULL);
        return;
    }
    struct volume *volume = replica_volume_find(replica, &wish.config.volume);
    uint32_t status = delete_status(volume, &wish);
    if (status != FRAME_OK || volume->state == VOLUME_DELETED) {
        reply(connection, to, status, NULL);
        return;
    }
    connections_forget_volume(replica, volume);
    volume->forgetting = !uuid_is_zero(&wish.member);
    if (!volume->forgetting) {
        volume->entry.config = wish.config;
        replica_volume_keep_epitaph(volume, &wish.epitaph);
    }
    volume->known = true;
    volume->answer = *to;
    volume->deleting = true;
    replica_volume_settle(volume);
}

void catalogue_frame(struct connection *connection, const struct frame *frame)
{
    const struct answer to = answer_of(connection, frame);
    switch (frame->type) {
    case FRAME_LIST:
        list_all(connection, &to);
        break;
    case FRAME_CREATE:
        create(connection, &to, frame);
        break;
    case FRAME_DELETE:
        delete (connection, &to, frame);
        break;
    case FRAME_PING:
        ping(connection, &to);
        break;
    default:
        UNREACHABLE(); /* no other type is without a session: frame_invalid */
    }
}
