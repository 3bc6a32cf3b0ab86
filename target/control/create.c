/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a volume: identities are drawn, every replica that shall keep it is asked to make its
 * member, and the volume exists once all have. If one does not, those that did are told to delete.
 */
#include "target/control/snapshot.h"

#include "common/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct create {
    struct record *record;
    struct http_request *request;
    struct create_call {
        struct create *create;
        struct peer *peer;
        bool accepted;
        bool unknown; /* the connection broke: it may or may not have been made */
    } calls[MEMBERS_MAX];
    uint32_t count;
    uint32_t waiting;
    char why[CONTROL_TEXT_BYTES]; /* the first refusal */
    char who[HTTP_WHO_BYTES];     /* asked; "": unknown */
    json_t *fields;               /* owned: for its book */
};

/* Who shall keep it, and what it begins with. */
struct choice {
    struct peer *peers[MEMBERS_MAX];
    uint32_t count;
    uint32_t data;    /* the first so many hold data; one after them is a witness */
    uint32_t sources; /* the first so many have the origin; all, where it begins blank */
    struct origin origin;
};

/* Everything that can be wrong with the wish itself; true when it was refused. */
static bool create_refused(struct control *control, const struct create_wish *wish,
                           struct http_request *request)
{
    const char *name = wish->name;
    const char *bad = export_name_invalid(name);
    const struct record *other = catalogue_find_name(control, name);
    if (bad)
        answer_error(request, 400, "volume name \"%.80s\": %s", name, bad);
    else if (strlen(name) >= VOLUME_NAME_BYTES)
        answer_error(request, 400, "volume name \"%.80s\": longer than %d characters", name,
                     VOLUME_NAME_BYTES - 1);
    else if (wish->size_bytes % BLOCK_BYTES != 0)
        answer_error(request, 400, "volume %s: size_bytes %llu is not a multiple of %d", name,
                     (unsigned long long)wish->size_bytes, BLOCK_BYTES);
    else if (wish->size_bytes < VOLUME_BYTES_MIN || wish->size_bytes > VOLUME_BYTES_MAX)
        answer_error(request, 400, "volume %s: size_bytes %llu is not within 1 MiB and 1 PiB", name,
                     (unsigned long long)wish->size_bytes);
    else if (wish->block_bytes != 512 && wish->block_bytes != 4096)
        answer_error(request, 400, "volume %s: block_bytes %u is neither 512 nor 4096", name,
                     wish->block_bytes);
    else if (wish->replicas + wish->witness > MEMBERS_MAX)
        answer_error(request, 400, "volume %s: replicas %u is more than %d", name, wish->replicas,
                     MEMBERS_MAX - wish->witness);
    else if (!share_has_name(&control->share, name))
        answer_error(request, 409, "volume %s: this target serves only %s (--volumes)", name,
                     control->share.names);
    else if (other)
        answer_error(request, 409, "volume %s: there is one of this name already", name);
    else
        return false;
    return true;
}

/* The snapshot to begin with. False when the request was answered: there is none. */
static bool create_origin(struct control *control, const char *clone_of,
                          struct http_request *request, struct record **record,
                          const struct snapshot **snapshot)
{
    char volume[VOLUME_NAME_BYTES];
    const char *at = strchr(clone_of, '@');
    size_t length = at ? (size_t)(at - clone_of) : 0;
    if (length == 0 || length >= sizeof(volume)) {
        answer_error(request, 400, "clone_of \"%.80s\": VOLUME@SNAPSHOT is wanted", clone_of);
        return false;
    }
    snprintf(volume, sizeof(volume), "%.*s", (int)length, clone_of);
    *record = catalogue_find_name(control, volume);
    *snapshot = *record ? snapshot_find(*record, at + 1, strlen(at + 1)) : NULL;
    if (*snapshot && (*record)->volume && !(*snapshot)->leaving)
        return true;
    if (*record && ((*record)->state != RECORD_LIVE || !(*record)->volume ||
                    !volume_book_known((*record)->volume)))
        answer_error(request, 503, "volume %s: does not serve, its snapshots are not known",
                     volume);
    else
        answer_error(request, 404, "snapshot %.160s: there is none of this name", clone_of);
    return false;
}

/* The replicas that have all of the origin: those of its members in sync that are there. */
static void choose_sources(struct choice *choice, const struct record *origin, uint32_t count)
{
    struct repl_status status;
    volume_status(origin->volume, &status);
    for (uint8_t i = 0; i < status.member_count && choice->count < count; i++) {
        const struct repl_member_status *member = &status.members[i];
        const struct placement *placement = record_present(origin, &member->member);
        if (!member->in_sync || !member->attached || member->kind != MEMBER_DATA || !placement)
            continue;
        choice->peers[choice->count++] = placement->peer;
    }
    choice->sources = choice->count;
}

/* How many replicas hold data; with a witness two are as safe as three from a single loss. */
static uint32_t create_replicas(struct control *control, const struct create_wish *wish,
                                const struct record *origin)
{
    uint32_t known = peers_count(control->peers);
    if (wish->replicas)
        return wish->replicas;
    if (wish->witness)
        return REPLICAS_BESIDE_WITNESS;
    if (origin)
        return config_data_count(&origin->config, NULL);
    return known < REPLICAS_DEFAULT ? known : REPLICAS_DEFAULT;
}

/* False when the request was answered: too few are up. */
static bool create_choose(struct control *control, const struct create_wish *wish,
                          const struct record *origin, struct choice *choice,
                          struct http_request *request)
{
    choice->data = create_replicas(control, wish, origin);
    uint32_t count = choice->data + wish->witness;
    if (origin)
        choose_sources(choice, origin, choice->data);
    if (origin && choice->sources == 0) {
        answer_error(request, 503, "volume %s: no replica that has all of %s is up", wish->name,
                     wish->clone_of);
        return false;
    }
    for (; choice->count < count; choice->count++) {
        struct peer *peer = catalogue_choose(control, NULL, choice->peers, choice->count);
        if (!peer) {
            answer_error(request, 503,
                         "volume %s: %u replicas are wanted%s, only %u replica processes are up",
                         wish->name, choice->data, wish->witness ? " and a witness" : "",
                         choice->count);
            return false;
        }
        choice->peers[choice->count] = peer;
    }
    if (!origin)
        choice->sources = choice->data;
    if (count == 0)
        answer_error(request, 503, "volume %s: the target knows no replica process", wish->name);
    return count > 0;
}

static bool config_new(struct config *config, const struct control_share *share,
                       const struct create_wish *wish, const struct choice *choice)
{
    uint32_t count = choice->count;
    *config = (struct config){.size_bytes = wish->size_bytes,
                              .block_bytes = wish->block_bytes,
                              .version = wish->clone_of ? BORN_CLONE : BORN_BLANK,
                              .created_s = (uint64_t)time(NULL),
                              .min_in_sync = min_in_sync_of(choice->data),
                              .member_count = (uint8_t)count};
    snprintf(config->name, sizeof(config->name), "%s", wish->name);
    bool ok = share_new_id(share, &config->volume);
    for (uint32_t i = 0; ok && i < count; i++) {
        config->members[i].kind = i < choice->data ? MEMBER_DATA : MEMBER_WITNESS;
        config->members[i].in_sync = i < choice->sources;
        ok = id_new_member(choice->peers[i], &config->members[i].uuid);
    }
    return ok;
}

static void on_undone(void *arg, const struct frame *reply)
{
    struct peer *peer = arg;
    struct peer_status status;
    if (reply && (reply->status == FRAME_OK || reply->status == FRAME_NO_VOLUME))
        return;
    peer_status(peer, &status);
    log_warn("replica %s: keeps a volume whose creation failed, until it comes back (%s)",
             status.address, reply ? frame_status_text(reply->status) : "connection lost");
}

/* Not all made it: nobody shall have it. The record stays while a replica may still keep it. */
static void create_undo(struct create *create)
{
    struct record *record = create->record;
    struct control *control = record->control;
    bool leftover = false;
    record->config = record_tombstone(record);
    record->state = RECORD_DELETED;
    for (uint32_t i = 0; i < create->count && !control->stopping; i++) {
        struct create_call *call = &create->calls[i];
        const struct uuid *member = &record->config.members[i].uuid;
        if (!call->accepted && !call->unknown)
            continue;
        leftover = true;
        record_place(record, member, call->peer, call->accepted);
        if (call->accepted)
            record_send_delete(&record->config, NULL, call->peer, on_undone, call->peer);
    }
    log_warn("volume %s: not created (%s)", record->config.name, create->why);
    if (!leftover)
        catalogue_drop(record);
}

static void create_finish(struct create *create)
{
    struct record *record = create->record;
    bool all = true;
    for (uint32_t i = 0; i < create->count; i++)
        all = all && create->calls[i].accepted;
    if (!all) {
        answer_error(create->request, 503, "volume %s: %s", record->config.name, create->why);
        create_undo(create);
        json_decref(create->fields);
        free(create);
        return;
    }
    char text[CONTROL_TEXT_BYTES];
    record->state = RECORD_LIVE;
    for (uint32_t i = 0; i < create->count; i++)
        record_place(record, &record->config.members[i].uuid, create->calls[i].peer, false);
    const char *origin = json_string_value(json_object_get(create->fields, "origin"));
    snprintf(text, sizeof(text), "created%s%s%s%s, %llu bytes on %u replicas",
             create->who[0] ? " by " : "", create->who, origin ? " as a clone of " : "",
             origin ? origin : "", (unsigned long long)record->config.size_bytes, create->count);
    log_info("volume %s: %s", record->config.name, text);
    catalogue_event(record->control, false, record->config.name, text);
    record_open(record, NULL);
    answer_record(create->request, 201, record);
    if (json_object_size(create->fields) > 0)
        volume_describe(record, NULL, json_incref(create->fields));
    json_decref(create->fields);
    free(create);
}

static void on_created(void *arg, const struct frame *reply)
{
    struct create_call *call = arg;
    struct create *create = call->create;
    call->accepted = reply && reply->status == FRAME_OK;
    call->unknown = !reply;
    if (!call->accepted && !create->why[0]) {
        const char *why = reply ? frame_status_text(reply->status) : "connection lost";
        struct peer_status status = {.address = "?"};
        if (!create->record->control->stopping)
            peer_status(call->peer, &status);
        snprintf(create->why, sizeof(create->why), "replica %s: %s", status.address, why);
    }
    if (--create->waiting == 0)
        create_finish(create);
}

/* Asks every replica to make its member. */
static void create_send(struct create *create, const struct config *config,
                        const struct choice *choice)
{
    static const struct origin blank;
    create->count = choice->count;
    create->waiting = choice->count;
    for (uint32_t i = 0; i < choice->count; i++) {
        create->calls[i].create = create;
        create->calls[i].peer = choice->peers[i];
    }
    for (uint32_t i = 0; i < choice->count; i++)
        record_send_create(config, &config->members[i].uuid,
                           i < choice->sources ? &choice->origin : &blank, choice->peers[i],
                           on_created, &create->calls[i]);
}

/* The wish as it is meant, and who shall fulfil it. False when the request was answered. */
static bool create_settle(struct control *control, struct create_wish *wish, struct choice *choice,
                          struct http_request *request)
{
    struct record *origin = NULL;
    const struct snapshot *snapshot = NULL;
    if (wish->clone_of) {
        if (!create_origin(control, wish->clone_of, request, &origin, &snapshot))
            return false;
        wish->size_bytes = snapshot->size_bytes;
        wish->block_bytes = origin->config.block_bytes;
        choice->origin =
            (struct origin){.volume = origin->config.volume, .generation = snapshot->generation};
        json_object_set_new(wish->fields, "origin",
                            json_sprintf("%s@%s", origin->config.name, snapshot->name));
    }
    return !create_refused(control, wish, request) &&
           create_choose(control, wish, origin, choice, request);
}

void create_start(struct control *control, struct create_wish *wish, struct http_request *request)
{
    struct config config;
    struct choice choice = {.count = 0};
    if (!create_settle(control, wish, &choice, request))
        return;
    struct create *create = calloc(1, sizeof(*create));
    struct record *record = NULL;
    if (create && config_new(&config, &control->share, wish, &choice))
        record = catalogue_add(control, &config, RECORD_CREATING);
    if (!record) {
        free(create);
        answer_error(request, 503, "volume %s: the catalogue takes no more (%u of %d records)",
                     wish->name, control->record_count, CONTROL_RECORDS_MAX);
        return;
    }
    ASSERT(!config_invalid(&config));
    create->record = record;
    create->request = request;
    memcpy(create->who, request->who, sizeof(create->who));
    create->fields = json_incref(wish->fields);
    create_send(create, &config, &choice);
}
