/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with snapshots: made, labelled, deleted, and the volume reverted to one. */
#include "target/control/snapshot.h"

#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void snapshot_event(const struct change *change, const char *before, const char *name,
                           const char *after)
{
    struct record *record = change->record;
    char text[CONTROL_TEXT_BYTES];
    snprintf(text, sizeof(text), "%s%s%s%s%s", before, name, after, change->who[0] ? " by " : "",
             change->who);
    log_info("volume %s: %s", record->config.name, text);
    catalogue_event(record->control, false, record->config.name, text);
}

static struct snapshot *change_snapshot(const struct change *change)
{
    return snapshot_find(change->record, change->name, strlen(change->name));
}

static enum change_next refuse_unknown(struct change *change)
{
    return change_refuse(change, 404, "snapshot %s@%s: there is none of this name",
                         change->record->config.name, change->name);
}

/* A name by the time, that no snapshot has: "2026-11-22-160000", then "2026-11-22-160000-2". */
static void name_by_time(struct record *record, const char *prefix, char name[VOLUME_NAME_BYTES])
{
    char text[32];
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(text, sizeof(text), "%Y-%m-%d-%H%M%S", &utc);
    snprintf(name, VOLUME_NAME_BYTES, "%s%s", prefix, text);
    for (unsigned i = 2; snapshot_find(record, name, strlen(name)); i++)
        snprintf(name, VOLUME_NAME_BYTES, "%s%s-%u", prefix, text, i);
}

/* The command that seals the head, under the change's name. */
static enum change_next seal_command(struct change *change, const char *message, json_t *labels)
{
    struct record *record = change->record;
    struct uuid identity;
    char key[BOOK_KEY_BYTES];
    char uuid[UUID_TEXT_BYTES];
    if (!id_new(&identity))
        return change_refuse(change, 503, "no random bytes");
    uuid_format(&identity, uuid);
    change->generation = volume_head(record->volume);
    snapshot_key(change->generation, key);
    json_t *row =
        json_pack("{s:s, s:s, s:O, s:I, s:s, s:I}", "name", change->name, "message", message,
                  "labels", labels, "created_s", (json_int_t)time(NULL), "uuid", uuid, "size_bytes",
                  (json_int_t)volume_config(record->volume)->size_bytes);
    enum change_next next = change_command(change, COMMAND_SEAL, key, row);
    json_decref(row);
    return next;
}

/* ---- create ---- */

static enum change_next create_step(struct change *change)
{
    struct record *record = change->record;
    const char *message = json_string_value(json_object_get(change->fields, "message"));
    struct snapshot *snapshot = change->name[0] ? change_snapshot(change) : NULL;
    if (change->steps > 0) {
        snapshot_event(change, "snapshot ", change->name, " made");
        if (change->request && snapshot)
            answer_json(change->request, 201, snapshot_json(snapshot, true));
        else if (change->request)
            return change_refuse(change, 500, "snapshot %s@%s: not in the book",
                                 record->config.name, change->name);
        change->request = NULL;
        return CHANGE_OVER;
    }
    if (!change->name[0])
        name_by_time(record, "", change->name);
    if (snapshot)
        return change_refuse(change, 409, "snapshot %s@%s: there is one of this name already",
                             record->config.name, change->name);
    json_t *labels = json_object();
    json_t *given = json_object_get(change->fields, "labels");
    const char *why;
    enum change_next next;
    if (given && !labels_change(labels, given, &why))
        next = change_refuse(change, 400, "labels: %s", why);
    else
        next = seal_command(change, message ? message : "", labels);
    json_decref(labels);
    return next;
}

void snapshot_create(struct record *record, struct http_request *request, json_t *fields)
{
    const char *name = json_string_value(json_object_get(fields, "name"));
    change_add(record, request, name ? name : "", fields, create_step, NULL);
}

/* ---- label ---- */

static enum change_next label_row(struct change *change, const struct snapshot *snapshot)
{
    const char *why;
    char key[BOOK_KEY_BYTES];
    json_t *row = json_deep_copy(snapshot->row);
    json_t *labels = json_object_get(change->fields, "labels");
    json_t *message = json_object_get(change->fields, "message");
    json_t *digest = json_object_get(change->fields, "digest");
    enum change_next next;
    snapshot_key(snapshot->generation, key);
    if (message)
        json_object_set(row, "message", message);
    if (digest)
        json_object_set(row, "digest", digest);
    if (labels && !labels_change(json_object_get(row, "labels"), labels, &why))
        next = change_refuse(change, 400, "labels: %s", why);
    else
        next = change_command(change, COMMAND_SET, key, row);
    json_decref(row);
    return next;
}

static enum change_next label_step(struct change *change)
{
    struct snapshot *snapshot = change_snapshot(change);
    if (!snapshot)
        return refuse_unknown(change);
    if (change->steps == 0)
        return label_row(change, snapshot);
    if (change->request)
        answer_json(change->request, 200, snapshot_json(snapshot, true));
    change->request = NULL;
    return CHANGE_OVER;
}

void snapshot_label(struct record *record, struct http_request *request, const char *name,
                    json_t *fields)
{
    change_add(record, request, name, fields, label_step, NULL);
}

/* ---- delete ---- */

static void delete_failed(struct change *change)
{
    struct snapshot *snapshot = change_snapshot(change);
    if (snapshot)
        snapshot->leaving = false;
}

static enum change_next delete_step(struct change *change)
{
    struct record *record = change->record;
    struct snapshot *snapshot = change_snapshot(change);
    char key[BOOK_KEY_BYTES];
    if (change->steps > 0) {
        snapshot_event(change, "snapshot ", change->name, " deleted");
        if (change->request)
            answer_json(
                change->request, 200,
                json_pack("{s:s, s:s}", "volume", record->config.name, "name", change->name));
        change->request = NULL;
        return CHANGE_OVER;
    }
    if (!snapshot)
        return refuse_unknown(change);
    if (!snapshot->leaving && snapshot->export && snapshot->export->session_count > 0) {
        char users[CONTROL_TEXT_BYTES];
        view_users(record->control, snapshot->export->name, users, sizeof(users));
        return change_refuse(change, 409, "snapshot %s@%s: in use by %s", record->config.name,
                             change->name, users);
    }
    snapshot->leaving = true;
    view_hide(snapshot);
    if (snapshot->export)
        return CHANGE_WAIT;
    change->generation = snapshot->generation;
    snapshot_key(change->generation, key);
    return change_command(change, COMMAND_DROP, key, NULL);
}

void snapshot_delete(struct record *record, struct http_request *request, const char *name)
{
    change_add(record, request, name, NULL, delete_step, delete_failed);
}

/* ---- revert ---- */

static void revert_end(struct change *change)
{
    if (change->record->export && !change->record->hiding)
        change->record->export->gone = false;
}

/* First the head is sealed, so that nothing is lost; then it begins anew. */
static enum change_next revert_begin(struct change *change, const struct snapshot *snapshot)
{
    struct record *record = change->record;
    struct export *export = record->export;
    char message[VOLUME_NAME_BYTES + 64];
    const char *keep = json_string_value(json_object_get(change->fields, "keep"));
    if (export && export->session_count > 0) {
        char users[CONTROL_TEXT_BYTES];
        view_users(record->control, export->name, users, sizeof(users));
        return change_refuse(change, 409, "volume %s: in use by %s", record->config.name, users);
    }
    snprintf(message, sizeof(message), "before the volume was reverted to %s", snapshot->name);
    json_object_set_new(change->fields, "to", json_integer((json_int_t)snapshot->generation));
    json_object_set_new(change->fields, "to_name", json_string(snapshot->name));
    if (keep)
        snprintf(change->name, sizeof(change->name), "%s", keep);
    else
        name_by_time(record, "before-revert-", change->name);
    if (keep && change_snapshot(change))
        return change_refuse(change, 409, "snapshot %s@%s: there is one of this name already",
                             record->config.name, change->name);
    json_t *labels = json_object();
    enum change_next next = seal_command(change, message, labels);
    json_decref(labels);
    /* Until it is done no client opens the volume. */
    if (export && next == CHANGE_COMMAND)
        export->gone = true;
    return next;
}

static enum change_next revert_step(struct change *change)
{
    struct snapshot *snapshot = change_snapshot(change);
    if (!snapshot)
        return refuse_unknown(change);
    if (change->steps == 0)
        return revert_begin(change, snapshot);
    if (change->steps == 1) {
        change->generation = (uint64_t)json_integer_value(json_object_get(change->fields, "to"));
        return change_command(change, COMMAND_REVERT, NULL, NULL);
    }
    revert_end(change);
    snapshot_event(change, "reverted to snapshot ",
                   json_string_value(json_object_get(change->fields, "to_name")), "");
    if (change->request)
        answer_json(change->request, 200, snapshot_json(snapshot, false));
    change->request = NULL;
    return CHANGE_OVER;
}

void snapshot_revert(struct record *record, struct http_request *request, const char *name,
                     json_t *fields)
{
    change_add(record, request, name, fields, revert_step, revert_end);
}
