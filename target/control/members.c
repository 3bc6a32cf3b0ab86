/* SPDX-License-Identifier: Apache-2.0 */
/* A volume's members as they are told: where each is, and why it is not in sync. */
#include "target/control/member.h"

static const struct repl_member_status *member_status(const struct repl_status *status,
                                                      const struct uuid *member)
{
    for (uint8_t i = 0; i < status->member_count; i++) {
        if (uuid_equal(&status->members[i].member, member))
            return &status->members[i];
    }
    return NULL;
}

static const char *member_why(const struct record *record, const struct member *member,
                              const struct repl_member_status *now)
{
    const struct placement *placement = record_placement(record, &member->uuid);
    if (!placement)
        return "no replica process that is up keeps it";
    if (!peer_is_up(placement->peer))
        return "its replica process is not reached";
    if (!placement->here)
        return "its replica process does not keep it any more";
    return now && now->why ? now->why : "";
}

static json_t *json_member(const struct record *record, const struct member *member,
                           const struct repl_status *status)
{
    const struct placement *placement = record_placement(record, &member->uuid);
    const struct repl_member_status *now = member_status(status, &member->uuid);
    struct peer_status peer = {.address = NULL};
    if (placement)
        peer_status(placement->peer, &peer);
    json_t *json = json_object();
    json_object_set_new(json, "id", json_uuid(&member->uuid));
    json_object_set_new(json, "kind",
                        json_string(member->kind == MEMBER_WITNESS ? "witness" : "data"));
    json_object_set_new(json, "replica", peer.address ? json_text(peer.address) : json_null());
    json_object_set_new(json, "attached", json_boolean(now && now->attached));
    json_object_set_new(json, "waited_for", json_boolean(now && now->waited_for));
    json_object_set_new(json, "in_sync", json_boolean(now ? now->in_sync : member->in_sync));
    json_object_set_new(json, "leaving", json_boolean(member->leaving));
    if (now && now->resyncing) {
        json_t *resync = json_object();
        json_object_set_new(resync, "done_bytes", json_u64(now->resync_done_bytes));
        json_object_set_new(resync, "total_bytes", json_u64(now->resync_total_bytes));
        json_object_set_new(json, "resync", resync);
    }
    json_object_set_new(json, "why", json_text(member_why(record, member, now)));
    return json;
}

json_t *json_members(const struct record *record)
{
    const struct config *config = record->volume ? volume_config(record->volume) : &record->config;
    struct repl_status status = {.state = REPL_OPENING};
    json_t *members = json_array();
    if (record->volume)
        volume_status(record->volume, &status);
    for (uint8_t i = 0; i < config->member_count && record->state != RECORD_DELETED; i++)
        json_array_append_new(members, json_member(record, &config->members[i], &status));
    return members;
}

void answer_members(struct http_request *request, unsigned status, const struct record *record)
{
    json_t *json = json_object();
    json_object_set_new(json, "volume", json_text(record->config.name));
    json_object_set_new(json, "min_in_sync", json_integer(record->config.min_in_sync));
    json_object_set_new(json, "members", json_members(record));
    json_object_set_new(json, "change", json_text(member_change(record)));
    answer_json(request, status, json);
}
