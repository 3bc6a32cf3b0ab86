/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue: which volumes there are, as the replicas tell it, and where their members are. A
 * volume is opened as soon as one of its members is heard of; the volume itself waits for enough of
 * them. A record of a deleted volume wins over any living one: who comes back with data of it is
 * told to delete it.
 */
#include "target/control/epitaph.h"
#include "target/control/member.h"

#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void catalogue_event(struct control *control, bool warn, const char *subject, const char *text)
{
    struct event *event = &control->events[control->event_count++ % CONTROL_EVENTS_MAX];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event->time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    event->warn = warn;
    snprintf(event->subject, sizeof(event->subject), "%s", subject);
    snprintf(event->text, sizeof(event->text), "%s", text);
}

struct record *catalogue_find_name(struct control *control, const char *name)
{
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        if (record->state != RECORD_DELETED && strcmp(record->config.name, name) == 0)
            return record;
    }
    return NULL;
}

struct record *catalogue_find_id(struct control *control, const struct uuid *id)
{
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        if (uuid_equal(&record->config.volume, id))
            return record;
    }
    return NULL;
}

struct record *catalogue_find(struct control *control, const char *name)
{
    struct record *record = catalogue_find_name(control, name);
    struct uuid id;
    if (!record && uuid_parse(name, &id))
        record = catalogue_find_id(control, &id);
    return record;
}

struct record *catalogue_add(struct control *control, const struct config *config,
                             enum record_state state)
{
    if (control->record_count == CONTROL_RECORDS_MAX)
        return NULL;
    struct record *record = calloc(1, sizeof(*record));
    if (!record)
        return NULL;
    record->control = control;
    record->state = state;
    record->config = *config;
    record->unopened = config->epoch == 0;
    record->born = *config;
    list_init(&record->snapshots);
    list_init(&record->changes);
    loop_task_init(&record->turn, control->turn);
    record->told = control->told;
    record->told.owner = record;
    list_append(&control->records, &record->node);
    control->record_count++;
    return record;
}

void catalogue_drop(struct record *record)
{
    ASSERT(!record->volume && !record->export && !record->remove && !record->change);
    ASSERT(list_empty(&record->changes) && list_empty(&record->snapshots));
    loop_task_cancel(&record->turn);
    list_remove(&record->node);
    json_decref(record->epitaph);
    record->control->record_count--;
    free(record);
}

/* ---- what replicas tell ---- */

/* Deleted elsewhere, or by us while this replica's peer was away. */
static void record_learn_deleted(struct record *record, const struct config *tombstone)
{
    if (record->state != RECORD_LIVE)
        return;
    if (record->volume)
        log_warn("volume %s: deleted elsewhere", record->config.name);
    record->state = RECORD_DELETED;
    record->config = *tombstone;
    loop_defer(record->control->loop, &record->control->reap);
}

/* A replica refuses a deletion that is older than what it accepted, so the deletion is made newer.
 */
static void record_learn_newer(struct record *record, const struct config *config)
{
    if (record->state == RECORD_LIVE && !record->known) {
        record->config = *config;
    } else if (record->state == RECORD_DELETED) {
        record->config.epoch = config->epoch;
        record->config.version = config->version + 1;
    }
}

void catalogue_heard(struct control *control, struct peer *peer, const struct message_volume *heard)
{
    const struct config *config = &heard->config;
    struct record *record = catalogue_find_id(control, &config->volume);
    if (!record)
        record = catalogue_add(control, config, config->deleted ? RECORD_DELETED : RECORD_LIVE);
    if (!record) {
        log_warn("volume %s: not taken up (more than %d volumes)", config->name,
                 CONTROL_RECORDS_MAX);
        return;
    }
    const struct placement *before = record_placement(record, &heard->member);
    if (before && before->here && before->peer != peer) {
        struct peer_status status, other;
        peer_status(peer, &status);
        peer_status(before->peer, &other);
        log_warn("replica %s: keeps the same data as %s: is it the same one?", status.address,
                 other.address);
        return;
    }
    record_place(record, &heard->member, peer, config->deleted);
    if (!record->epitaph)
        record->epitaph = epitaph_read(&heard->epitaph);
    /* Who is no member cannot tell what became of the volume. */
    bool stranger = record->state == RECORD_LIVE && record_is_stranger(record, &heard->member);
    if (config->deleted && !stranger)
        record_learn_deleted(record, config);
    else if (!config->deleted && config_compare(config, &record->config) > 0)
        record_learn_newer(record, config);
    if (config->epoch > 0 && !uuid_equal(&config->controller, &control->process))
        record->unopened = false;
}

static void on_straggler_deleted(void *arg, const struct frame *reply)
{
    if (reply && reply->status != FRAME_OK && reply->status != FRAME_NO_VOLUME)
        peer_refused(arg, reply, "a deleted volume is not deleted there");
}

void record_delete_stragglers(struct record *record)
{
    ASSERT(record->state == RECORD_DELETED && record->config.deleted);
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        struct placement *placement = &record->placements[i];
        if (!placement->peer || !placement->here || placement->deleted)
            continue;
        placement->deleted = true;
        record_send_delete(&record->config, record->epitaph, placement->peer, on_straggler_deleted,
                           placement->peer);
    }
}

static bool peers_all_up(const struct control *control)
{
    for (uint32_t i = 0; i < peers_count(control->peers); i++) {
        if (!peer_is_up(peers_at(control->peers, i)))
            return false;
    }
    return true;
}

/*
 * A target may die after some replicas made a new volume and before the others did. What is missing
 * is made now, if that is certain: every replica process that we know of is up, and a majority of
 * the members says that no configuration was ever committed, so nothing was ever stored in it. Not
 * of a clone, which is never blank: what is missing of it stays away, as if it were lost.
 */
static void record_complete(struct record *record)
{
    struct control *control = record->control;
    struct peer *taken[MEMBERS_MAX];
    uint32_t taken_count = 0;
    uint32_t count = record->born.member_count;
    uint32_t found = record_members_up(record);
    bool clone = record->born.version > BORN_BLANK;
    if (!record->unopened || record->completed || clone || found == count || 2 * found <= count)
        return;
    if (!peers_all_up(control))
        return;
    record->completed = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct uuid *member = &record->born.members[i].uuid;
        if (record_placement(record, member))
            continue;
        struct peer *peer = catalogue_choose(control, record, taken, taken_count);
        if (!peer)
            return;
        taken[taken_count++] = peer;
        member_make(record, &record->born, member, peer);
    }
}

void catalogue_peer_up(struct control *control, struct peer *peer)
{
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        if (record->state == RECORD_DELETED) {
            record_delete_stragglers(record);
        } else if (record->state == RECORD_LIVE && record_members_up(record) > 0) {
            if (!record_lacks(record))
                record_complete(record);
            record_open(record, peer);
            record_look(record);
        }
    }
    if (peers_all_up(control))
        front_exports(control->front)->incomplete = false;
}

void catalogue_peer_down(struct control *control, struct peer *peer)
{
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
            if (record->placements[i].peer != peer || !record->placements[i].here)
                continue;
            record->placements[i].here = false;
            record->placements[i].lost_ns = loop_now_ns(control->loop);
        }
        record_look(record);
    }
}
