/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of targets: greeting, sessions, and holding back what there is no room for. */
#include "replica/front/state.h"

#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>

static struct list *bucket_of(struct connection *connection, uint32_t number)
{
    return &connection->sessions[(number ^ number >> 16) % SESSION_BUCKETS];
}

static struct session *session_find(struct connection *connection, uint32_t number)
{
    struct list *bucket = bucket_of(connection, number);
    LIST_FOR_EACH (node, bucket) {
        struct session *session = CONTAINER_OF(node, struct session, node);
        if (session->number == number)
            return session;
    }
    return NULL;
}

static struct session *session_new(struct connection *connection, uint32_t number,
                                   struct volume *volume)
{
    struct session *session = calloc(1, sizeof(*session));
    ASSERT(session);
    session->number = number;
    session->volume = volume;
    list_append(bucket_of(connection, number), &session->node);
    connection->session_count++;
    volume->session_count++;
    return session;
}

static void session_free(struct connection *connection, struct session *session)
{
    ASSERT(connection->session_count > 0);
    connection->session_count--;
    session->volume->session_count--;
    list_remove(&session->node);
    free(session);
}

struct connection *connection_by_id(struct replica *replica, uint64_t id)
{
    struct connection *connection = replica->connections[id % CONNECTIONS_MAX];
    return connection && connection->id == id ? connection : NULL;
}

void connection_hold(struct connection *connection)
{
    if (connection->held)
        return;
    connection->held = true;
    connection->replica->held_count++;
    link_pause(&connection->link);
}

void connection_release(struct connection *connection)
{
    if (!connection->held)
        return;
    connection->held = false;
    connection->replica->held_count--;
    link_resume(&connection->link);
}

bool connection_has_room(const struct connection *connection)
{
    return link_pending_bytes(&connection->link) < REPLY_BYTES_MAX;
}

void connections_forget_volume(struct replica *replica, struct volume *volume)
{
    for (uint32_t slot = 0; slot < CONNECTIONS_MAX; slot++) {
        struct connection *connection = replica->connections[slot];
        bool found = false;
        for (uint32_t b = 0; connection && b < SESSION_BUCKETS; b++) {
            LIST_FOR_EACH_SAFE (node, &connection->sessions[b]) {
                struct session *session = CONTAINER_OF(node, struct session, node);
                if (session->volume == volume) {
                    session_free(connection, session);
                    found = true;
                }
            }
        }
        if (found && volume->service)
            replica_volume_disconnect(volume, connection->id);
        if (found)
            replica_volume_forget(volume, connection->id);
    }
}

void connection_end(struct connection *connection, const char *why)
{
    struct replica *replica = connection->replica;
    if (why)
        log_info("target %s: connection ended (%s)", connection->name, why);
    link_close(&connection->link);
    replica->connections[connection->id % CONNECTIONS_MAX] = NULL;
    replica->held_count -= connection->held;
    for (uint32_t b = 0; b < SESSION_BUCKETS; b++) {
        struct list *node;
        while ((node = list_pop(&connection->sessions[b]))) {
            struct session *session = CONTAINER_OF(node, struct session, node);
            struct volume *volume = session->volume;
            session_free(connection, session);
            replica_volume_forget(volume, connection->id);
            if (volume->service)
                replica_volume_disconnect(volume, connection->id);
        }
    }
    ASSERT(connection->session_count == 0);
    free(connection);
    replica_settle(replica);
}

static void refuse(struct connection *connection, const struct frame *frame, uint32_t status)
{
    if (!frame_has_reply(frame->type))
        return;
    const struct frame reply = {.type = frame->type,
                                .flags = FRAME_REPLY,
                                .session = frame->session,
                                .request = frame->request,
                                .status = status};
    link_send(&connection->link, &reply);
}

/* The session that the OPEN asks for; NULL when it was refused. */
static struct session *session_bind(struct connection *connection, const struct frame *frame)
{
    struct message_open open;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_open_decode(&r, &open);
    struct volume *volume = replica_volume_find(connection->replica, &open.volume);
    struct session *session = session_find(connection, frame->session);
    uint32_t status = FRAME_OK;
    if (r.bad || reader_left(&r) > 0 || (session && session->volume != volume))
        status = FRAME_INVALID;
    else if (volume && volume->state == VOLUME_REFUSED)
        status = FRAME_FAILED;
    else if (!volume || volume->deleting || volume->state == VOLUME_CREATING ||
             volume->state == VOLUME_DELETING || volume->state == VOLUME_DELETED)
        status = FRAME_NO_VOLUME;
    else if (!session && connection->session_count == SESSIONS_MAX)
        status = FRAME_BUSY;
    if (status != FRAME_OK) {
        refuse(connection, frame, status);
        return NULL;
    }
    return session ? session : session_new(connection, frame->session, volume);
}

static void session_frame(struct connection *connection, const struct frame *frame)
{
    struct session *session = frame->type == FRAME_OPEN ? session_bind(connection, frame)
                                                        : session_find(connection, frame->session);
    if (!session) {
        if (frame->type != FRAME_OPEN)
            refuse(connection, frame, FRAME_NO_VOLUME);
        return;
    }
    struct volume *volume = session->volume;
    if (frame->type == FRAME_OPEN && volume->state != VOLUME_SERVING) {
        replica_volume_wait(volume, connection->id, frame);
        return;
    }
    bool ends = frame->type == FRAME_CLOSE;
    if (ends)
        session_free(connection, session);
    if (volume->service)
        replica_volume_frame(volume, connection->id, frame);
    else
        refuse(connection, frame, ends ? FRAME_OK : FRAME_FAILED);
}

static void greet(struct connection *connection, const struct frame *frame)
{
    struct message_greet theirs;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_greet_decode(&r, &theirs);
    bool known = theirs.version_min <= FRAME_VERSION && theirs.version_max >= FRAME_VERSION;
    struct message_greet ours = {.version_min = FRAME_VERSION,
                                 .version_max = FRAME_VERSION,
                                 .process = *replica_pool_uuid(connection->replica),
                                 .software = "strake-replica " STRAKE_VERSION};
    uint8_t body[MESSAGE_BYTES_MAX];
    struct writer w = writer_of(body, sizeof(body));
    message_greet_encode(&w, &ours);
    connection->greeted = !r.bad && known;
    const struct frame reply = {.type = FRAME_GREET,
                                .flags = FRAME_REPLY,
                                .request = frame->request,
                                .status = connection->greeted ? FRAME_OK : FRAME_INVALID,
                                .body = body,
                                .body_bytes = (uint32_t)writer_length(&w)};
    link_send(&connection->link, &reply);
    const char *who = link_peer(&connection->link);
    log_info("target %s: %s (%s%s%s)", connection->name,
             connection->greeted ? "connected" : "refused",
             r.bad   ? "its greeting is malformed"
             : known ? theirs.software
                     : "it speaks another version of the protocol",
             who[0] ? ", " : "", who);
}

/* NULL, or the breach of the protocol that ends the connection. */
static const char *take(struct connection *connection, const struct frame *frame)
{
    if (frame->flags & FRAME_REPLY)
        return "it answered what was not asked";
    if (connection->greeted == (frame->type == FRAME_GREET))
        return connection->greeted ? "it greeted twice" : "it did not greet";
    if (frame->type == FRAME_GREET)
        greet(connection, frame);
    else if (frame->session == 0)
        catalogue_frame(connection, frame);
    else
        session_frame(connection, frame);
    return NULL;
}

static void on_frame(struct link *link, const struct frame *frame)
{
    struct connection *connection = link->owner;
    const char *why = take(connection, frame);
    if (why)
        connection_end(connection, why);
    else if (!replica_has_room(connection->replica) || !connection_has_room(connection))
        connection_hold(connection);
}

static void on_down(struct link *link, const char *why)
{
    connection_end(link->owner, why);
}

static void on_sent(struct link *link)
{
    struct connection *connection = link->owner;
    replica_settle(connection->replica);
}

/* The one that has been here longest without a greeting; NULL: all have greeted. */
static struct connection *connection_silent(struct replica *replica)
{
    struct connection *found = NULL;
    for (uint32_t slot = 0; slot < CONNECTIONS_MAX; slot++) {
        struct connection *connection = replica->connections[slot];
        if (connection && !connection->greeted && (!found || connection->id < found->id))
            found = connection;
    }
    return found;
}

/* An id whose slot is free; 0: there is none. A crowd that only connects keeps nobody out. */
static uint64_t connection_place(struct replica *replica)
{
    for (uint32_t tries = 0; tries < CONNECTIONS_MAX; tries++) {
        uint64_t id = ++replica->connection_serial;
        if (!replica->connections[id % CONNECTIONS_MAX])
            return id;
    }
    struct connection *silent = connection_silent(replica);
    if (!silent)
        return 0;
    uint32_t slot = (uint32_t)(silent->id % CONNECTIONS_MAX);
    connection_end(silent, "it did not greet, and others need its place");
    while (replica->connection_serial % CONNECTIONS_MAX != slot)
        replica->connection_serial++;
    return replica->connection_serial;
}

struct connection *connection_new(struct replica *replica, const char *name)
{
    uint64_t id = connection_place(replica);
    if (!id)
        return NULL;
    struct connection *connection = calloc(1, sizeof(*connection));
    ASSERT(connection);
    connection->replica = replica;
    connection->id = id;
    for (uint32_t b = 0; b < SESSION_BUCKETS; b++)
        list_init(&connection->sessions[b]);
    snprintf(connection->name, sizeof(connection->name), "%s", name);
    connection->link.on_frame = on_frame;
    connection->link.on_down = on_down;
    connection->link.on_sent = on_sent;
    connection->link.owner = connection;
    replica->connections[id % CONNECTIONS_MAX] = connection;
    return connection;
}
