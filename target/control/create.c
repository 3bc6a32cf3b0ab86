/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a volume: identities are drawn, every replica that shall keep it is asked to make its
 * member, and the volume exists once all have. If one does not, those that did are told to delete.
 *
 * min_in_sync, the number of members in sync below which writes wait: 2 of three and more, so that
 * no write is acknowledged by a single disk while others are to be had. Of one or two it is 1; two
 * members need each other anyway, because every change of who is in sync takes a majority of them,
 * and a majority of two is both.
 */
#include "target/control/state.h"

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
    else if (wish->replicas > MEMBERS_MAX)
        answer_error(request, 400, "volume %s: replicas %u is more than %d", name, wish->replicas,
                     MEMBERS_MAX);
    else if (!share_has_name(&control->share, name))
        answer_error(request, 409, "volume %s: this target serves only %s (--volumes)", name,
                     control->share.names);
    else if (other)
        answer_error(request, 409, "volume %s: there is one of this name already", name);
    else
        return false;
    return true;
}

static uint32_t create_replicas(struct control *control, const struct create_wish *wish)
{
    uint32_t known = peers_count(control->peers);
    if (wish->replicas)
        return wish->replicas;
    return known < REPLICAS_DEFAULT ? known : REPLICAS_DEFAULT;
}

/* Who shall keep it. False when the request was answered: too few are up. */
static bool create_choose(struct control *control, const struct create_wish *wish, uint32_t count,
                          struct peer *peers[MEMBERS_MAX], struct http_request *request)
{
    for (uint32_t i = 0; i < count; i++) {
        peers[i] = catalogue_choose(control, NULL, peers, i);
        if (!peers[i]) {
            answer_error(request, 503,
                         "volume %s: %u replicas are wanted, only %u replica processes are up",
                         wish->name, count, i);
            return false;
        }
    }
    if (count == 0)
        answer_error(request, 503, "volume %s: the target knows no replica process", wish->name);
    return count > 0;
}

static bool config_new(struct config *config, const struct control_share *share,
                       const struct create_wish *wish, uint32_t count)
{
    *config = (struct config){.size_bytes = wish->size_bytes,
                              .block_bytes = wish->block_bytes,
                              .version = 1,
                              .created_s = (uint64_t)time(NULL),
                              .min_in_sync = count >= 3 ? 2 : 1,
                              .member_count = (uint8_t)count};
    snprintf(config->name, sizeof(config->name), "%s", wish->name);
    bool ok = share_new_id(share, &config->volume);
    for (uint32_t i = 0; ok && i < count; i++) {
        config->members[i].kind = MEMBER_DATA;
        config->members[i].in_sync = true;
        ok = id_new(&config->members[i].uuid);
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
            record_send_delete(&record->config, call->peer, on_undone, call->peer);
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
        free(create);
        return;
    }
    char text[CONTROL_TEXT_BYTES];
    record->state = RECORD_LIVE;
    for (uint32_t i = 0; i < create->count; i++)
        record_place(record, &record->config.members[i].uuid, create->calls[i].peer, false);
    snprintf(text, sizeof(text), "created, %llu bytes on %u replicas",
             (unsigned long long)record->config.size_bytes, create->count);
    log_info("volume %s: %s", record->config.name, text);
    catalogue_event(record->control, false, record->config.name, text);
    record_open(record, NULL);
    answer_record(create->request, 201, record);
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

void create_start(struct control *control, const struct create_wish *wish,
                  struct http_request *request)
{
    struct config config;
    struct peer *peers[MEMBERS_MAX];
    if (create_refused(control, wish, request))
        return;
    uint32_t count = create_replicas(control, wish);
    if (!create_choose(control, wish, count, peers, request))
        return;
    struct create *create = calloc(1, sizeof(*create));
    struct record *record = NULL;
    if (create && config_new(&config, &control->share, wish, count))
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
    create->count = count;
    create->waiting = count;
    for (uint32_t i = 0; i < count; i++) {
        create->calls[i].create = create;
        create->calls[i].peer = peers[i];
    }
    for (uint32_t i = 0; i < count; i++)
        record_send_create(&config, &config.members[i].uuid, peers[i], on_created,
                           &create->calls[i]);
}
