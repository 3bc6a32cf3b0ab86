/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue: which volumes there are, as the replicas tell it, and where their members are. A
 * volume is opened as soon as one of its members is heard of; the volume itself waits for enough of
 * them. A record of a deleted volume wins over any living one: who comes back with data of it is
 * told to delete it.
 */
#include "target/control/state.h"

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

static struct record *catalogue_find_id(struct control *control, const struct uuid *id)
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
    record->control->record_count--;
    free(record);
}

/* ---- where the members are ---- */

bool peer_is_up(const struct peer *peer)
{
    struct peer_status status;
    peer_status(peer, &status);
    return status.up;
}

const struct placement *record_placement(const struct record *record, const struct uuid *member)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        if (record->placements[i].peer && uuid_equal(&record->placements[i].member, member))
            return &record->placements[i];
    }
    return NULL;
}

/* The slot of the member, else one that is free or holds what is no member any more. */
static struct placement *record_slot(struct record *record, const struct uuid *member)
{
    struct placement *unused = NULL;
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        struct placement *placement = &record->placements[i];
        if (placement->peer && uuid_equal(&placement->member, member))
            return placement;
        if (!placement->peer || config_member_idx(&record->config, &placement->member) < 0)
            unused = placement;
    }
    return unused;
}

void record_place(struct record *record, const struct uuid *member, struct peer *peer, bool deleted)
{
    struct placement *placement = record_slot(record, member);
    if (placement)
        *placement =
            (struct placement){.member = *member, .peer = peer, .here = true, .deleted = deleted};
}

uint32_t record_members_up(const struct record *record)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->config.member_count; i++) {
        const struct placement *placement =
            record_placement(record, &record->config.members[i].uuid);
        count += placement && placement->here && peer_is_up(placement->peer);
    }
    return count;
}

static bool peer_taken(const struct peer_status *status, struct peer *const *taken,
                       uint32_t taken_count)
{
    for (uint32_t i = 0; i < taken_count; i++) {
        struct peer_status other;
        peer_status(taken[i], &other);
        if (uuid_equal(&other.pool, &status->pool))
            return true;
    }
    return false;
}

struct peer *catalogue_choose(struct control *control, const struct record *record,
                              struct peer *const *taken, uint32_t taken_count)
{
    struct peer *best = NULL;
    uint64_t best_bytes = 0;
    for (uint32_t i = 0; i < peers_count(control->peers); i++) {
        struct peer *peer = peers_at(control->peers, i);
        struct peer_status status;
        peer_status(peer, &status);
        bool keeps = false;
        for (uint32_t k = 0; record && k < MEMBERS_MAX; k++)
            keeps = keeps || record->placements[k].peer == peer;
        if (!status.up || keeps || peer_taken(&status, taken, taken_count))
            continue;
        if (!best || status.free_bytes > best_bytes) {
            best = peer;
            best_bytes = status.free_bytes;
        }
    }
    return best;
}

/* ---- frames to one replica ---- */

struct config record_tombstone(const struct record *record)
{
    struct config config = record->volume ? *volume_config(record->volume) : record->config;
    config.deleted = true;
    config.version++;
    return config;
}

void record_send_delete(const struct config *tombstone, struct peer *peer, peer_reply_fn *done,
                        void *arg)
{
    uint8_t body[CONFIG_BYTES_MAX];
    struct writer w = writer_of(body, sizeof(body));
    message_delete_encode(&w, &(struct message_delete){.config = *tombstone});
    ASSERT(!w.bad && tombstone->deleted);
    peer_call(peer,
              &(struct frame){
                  .type = FRAME_DELETE, .body = body, .body_bytes = (uint32_t)writer_length(&w)},
              done, arg);
}

void record_send_create(const struct config *config, const struct uuid *member,
                        const struct origin *origin, struct peer *peer, peer_reply_fn *done,
                        void *arg)
{
    uint8_t body[MESSAGE_BYTES_MAX];
    struct writer w = writer_of(body, sizeof(body));
    message_create_encode(&w, &(struct message_create){.member = *member,
                                                       .config = *config,
                                                       .origin = origin->volume,
                                                       .origin_generation = origin->generation});
    ASSERT(!w.bad && config_member_idx(config, member) >= 0);
    peer_call(peer,
              &(struct frame){
                  .type = FRAME_CREATE, .body = body, .body_bytes = (uint32_t)writer_length(&w)},
              done, arg);
}

/* ---- open and close ---- */

static void record_on_hidden(void *arg)
{
    struct record *record = arg;
    record->export = NULL;
    record->hiding = false;
    loop_defer(record->control->loop, &record->control->reap);
}

void record_turn(struct record *record)
{
    if (!record->control->stopping)
        loop_defer(record->control->loop, &record->turn);
}

void record_hide(struct record *record)
{
    if (!record->export || record->hiding)
        return;
    record->hiding = true;
    front_export_remove(record->control->front, record->export, record_on_hidden, record);
}

static void record_on_stopped(void *arg)
{
    struct record *record = arg;
    record->stopped = true;
    loop_defer(record->control->loop, &record->control->reap);
}

void record_stop(struct record *record)
{
    if (!record->volume || record->stopping)
        return;
    record->stopping = true;
    if (record->fenced)
        record_on_stopped(record);
    else
        volume_stop(record->volume, record_on_stopped, record);
}

void record_close(struct record *record)
{
    ASSERT(record->volume && (record->stopped || record->fenced));
    record->config = *volume_config(record->volume);
    volume_free(record->volume);
    record->volume = NULL;
    record->stopping = false;
    record->stopped = false;
}

static void record_show(struct record *record)
{
    struct control *control = record->control;
    const char *name = record->config.name;
    if (record->export)
        return;
    record->why = export_name_invalid(name);
    if (record->why)
        return;
    if (exports_find(front_exports(control->front), name, strlen(name))) {
        record->why = "another volume has its name: clients cannot reach this one";
        log_warn("volume %s: %s", name, record->why);
        return;
    }
    record->export = front_export_add(control->front, record->volume);
    if (!record->export) {
        record->why = "out of memory";
        return;
    }
    record->export->snapshots = &record->told;
    front_export_hold(record->export);
    if (volume_book_known(record->volume))
        record_reserve(record);
}

void record_reserve(struct record *record)
{
    struct volume_row row = {0};
    if (!record->export || record->hiding)
        return;
    (void)volume_row(record->volume, FRONT_RESERVATIONS_ROW, &row);
    front_export_reservations(record->control->front, record->export, row.value, row.value_bytes);
}

/* Tells the volume of its members at this peer; NULL: at every peer that is up. */
static void record_attach(struct record *record, const struct peer *peer)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        const struct placement *placement = &record->placements[i];
        if (!placement->peer || !placement->here || placement->deleted)
            continue;
        if ((!peer || placement->peer == peer) && peer_is_up(placement->peer))
            volume_member_at(record->volume, &placement->member, placement->peer);
    }
}

const char *record_lacks(const struct record *record)
{
    return share_lacks(&record->control->share, record->config.name, &record->config.volume);
}

void record_open(struct record *record, const struct peer *peer)
{
    struct control *control = record->control;
    if (record->state != RECORD_LIVE || record->fenced || control->stopping)
        return;
    bool is_new = !record->volume;
    record->why = record_lacks(record);
    if (record->why)
        return;
    if (is_new)
        record->volume = volume_new(&control->env, &record->config);
    record_attach(record, is_new ? NULL : peer);
    record_show(record);
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
    if (record->state == RECORD_LIVE) {
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
    if (config->deleted)
        record_learn_deleted(record, config);
    else if (config_compare(config, &record->config) > 0)
        record_learn_newer(record, config);
    if (config->epoch > 0 && !uuid_equal(&config->controller, &control->process))
        record->unopened = false;
}

static void peer_refused(struct peer *peer, const struct frame *reply, const char *what)
{
    struct peer_status status;
    peer_status(peer, &status);
    log_warn("replica %s: %s (%s)", status.address, what, frame_status_text(reply->status));
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
        record_send_delete(&record->config, placement->peer, on_straggler_deleted, placement->peer);
    }
}

/* A member that is being made after all. */
struct late {
    struct control *control;
    struct uuid volume;
    struct uuid member;
    struct peer *peer;
};

static void on_late_created(void *arg, const struct frame *reply)
{
    struct late *late = arg;
    struct record *record = NULL;
    if (reply && reply->status != FRAME_OK)
        peer_refused(late->peer, reply, "a missing replica of a volume cannot be made there");
    else if (reply)
        record = catalogue_find_id(late->control, &late->volume);
    if (record) {
        record_place(record, &late->member, late->peer, false);
        record_open(record, late->peer);
        if (record->state == RECORD_DELETED)
            record_delete_stragglers(record);
    }
    free(late);
}

static void record_make_late(struct record *record, const struct uuid *member, struct peer *peer)
{
    static const struct origin blank;
    struct late *late = calloc(1, sizeof(*late));
    if (!late)
        return;
    *late = (struct late){.control = record->control,
                          .volume = record->config.volume,
                          .member = *member,
                          .peer = peer};
    struct peer_status status;
    peer_status(peer, &status);
    log_info("volume %s: makes at %s the replica that its creation left out", record->config.name,
             status.address);
    record_send_create(&record->born, member, &blank, peer, on_late_created, late);
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
    for (uint32_t i = 0; i < peers_count(control->peers); i++) {
        if (!peer_is_up(peers_at(control->peers, i)))
            return;
    }
    record->completed = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct uuid *member = &record->born.members[i].uuid;
        if (record_placement(record, member))
            continue;
        struct peer *peer = catalogue_choose(control, record, taken, taken_count);
        if (!peer)
            return;
        taken[taken_count++] = peer;
        record_make_late(record, member, peer);
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
        }
    }
}

void catalogue_peer_down(struct control *control, struct peer *peer)
{
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
            if (record->placements[i].peer == peer)
                record->placements[i].here = false;
        }
    }
}
