/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of one volume's snapshots, and of changes of the volume: who does what is asked for.
 */
#include "target/control/member.h"
#include "target/control/question.h"

#include <stdio.h>

/* The book is known now: the request is looked at once more. */
static enum change_next later_step(struct change *change)
{
    const char *rest = json_string_value(json_object_get(change->fields, "rest"));
    struct http_request *request = change->request;
    change->request = NULL;
    if (!request)
        return CHANGE_OVER;
    loop_timer_stop(&change->timer);
    if (rest)
        api_volume_rest(change->record, request, rest);
    else
        api_volume_change(change->record, request);
    return CHANGE_OVER;
}

/*
 * The volume serves, as far as its book is known. False when the request was answered, or waits
 * until the book was read. `rest` is as in api_volume_rest; NULL: api_volume_change.
 */
static bool record_ready(struct record *record, struct http_request *request, const char *rest)
{
    const char *name = record->config.name;
    const char *unusable = record_unusable(record);
    if (unusable) {
        answer_error(request, 409, "volume %s: %s", name, unusable);
    } else if (!record->volume) {
        answer_error(request, 503, "volume %s: its snapshots are not known yet (%s)", name,
                     record->why ? record->why : "no replica of it is up");
    } else if (record->bookless) {
        answer_error(request, 503, "volume %s: its replicas do not know snapshots", name);
    } else if (!volume_book_known(record->volume)) {
        change_add(record, request, "", json_pack("{s:s*}", "rest", rest), later_step, NULL);
    } else {
        return true;
    }
    return false;
}

static void snapshots_list(struct record *record, struct http_request *request)
{
    if (!query_only(request, "label"))
        return;
    json_t *labels = query_values(request, "label");
    json_t *list = json_array();
    LIST_FOR_EACH (node, &record->snapshots) {
        const struct snapshot *snapshot = CONTAINER_OF(node, struct snapshot, node);
        if (!snapshot->gone && snapshot_labelled(snapshot, labels))
            json_array_append_new(list, snapshot_json(snapshot, false));
    }
    json_decref(labels);
    answer_json(request, 200, json_pack("{s:o}", "snapshots", list));
}

static void api_snapshots(struct record *record, struct http_request *request)
{
    json_t *fields;
    if (request->method == HTTP_GET) {
        snapshots_list(record, request);
    } else if (request->method != HTTP_POST) {
        answer_error(request, 405, "%s: only GET and POST", request->path);
    } else if ((fields = body_take(request, "name message labels")) != NULL) {
        snapshot_create(record, request, fields);
    }
}

static void api_snapshot(struct record *record, struct http_request *request, const char *name)
{
    const struct snapshot *snapshot = snapshot_find(record, name, strlen(name));
    json_t *fields;
    if (!snapshot)
        answer_error(request, 404, "snapshot %s@%.80s: there is none of this name",
                     record->config.name, name);
    else if (request->method == HTTP_GET)
        answer_json(request, 200, snapshot_json(snapshot, true));
    else if (request->method == HTTP_DELETE)
        snapshot_delete(record, request, snapshot->name);
    else if (request->method != HTTP_PATCH)
        answer_error(request, 405, "%s: only GET, PATCH and DELETE", request->path);
    else if ((fields = body_take(request, "message labels")) != NULL)
        snapshot_label(record, request, snapshot->name, fields);
}

static void api_digest(struct record *record, struct http_request *request,
                       const struct snapshot *snapshot)
{
    json_t *fields = NULL;
    if (request->method == HTTP_GET)
        digest_ask(record, request, snapshot, false);
    else if (request->method != HTTP_POST)
        answer_error(request, 405, "%s: only GET and POST", request->path);
    else if ((fields = body_take(request, "verify")) != NULL)
        digest_ask(record, request, snapshot, json_is_true(json_object_get(fields, "verify")));
    json_decref(fields);
}

static void api_snapshot_verb(struct record *record, struct http_request *request, const char *name,
                              const char *verb)
{
    const struct snapshot *snapshot = snapshot_find(record, name, strlen(name));
    json_t *fields;
    if (!snapshot)
        answer_error(request, 404, "snapshot %s@%.80s: there is none of this name",
                     record->config.name, name);
    else if (strcmp(verb, "digest") == 0)
        api_digest(record, request, snapshot);
    else if (strcmp(verb, "revert") != 0)
        answer_error(request, 404, "%.80s: there is nothing here", request->path);
    else if (request->method != HTTP_POST)
        answer_error(request, 405, "%s: only POST", request->path);
    else if ((fields = body_take(request, "keep")) != NULL)
        snapshot_revert(record, request, snapshot->name, fields);
}

/* PATCH of a volume. */
void api_volume_change(struct record *record, struct http_request *request)
{
    json_t *fields;
    if (!record_ready(record, request, NULL) ||
        (fields = body_take(request, "owner message labels limits size_bytes")) == NULL)
        return;
    if (!json_object_get(fields, "size_bytes")) {
        volume_describe(record, request, fields);
    } else if (json_object_size(fields) == 1) {
        volume_enlarge(record, request, fields);
    } else {
        answer_error(request, 400, "size_bytes: is changed by itself, without other fields");
        json_decref(fields);
    }
}

void api_volume_rest(struct record *record, struct http_request *request, const char *rest)
{
    char words[3][HTTP_PATH_BYTES] = {"", "", ""};
    int count = sscanf(rest, "%255[^/]/%255[^/]/%255[^/]", words[0], words[1], words[2]);
    bool snapshots = strcmp(words[0], "snapshots") == 0;
    bool diff = strcmp(words[0], "diff") == 0 && count == 1;
    if (strcmp(words[0], "members") == 0) {
        api_members(record, request, rest[7] ? rest + 8 : "");
        return;
    }
    if (strcmp(rest, "scrub") == 0) {
        api_scrub(record, request);
        return;
    }
    if ((!snapshots && !diff) || rest[strlen(rest) - 1] == '/')
        answer_error(request, 404, "%.80s: there is nothing here", request->path);
    else if (!record_ready(record, request, rest))
        return;
    else if (diff && request->method != HTTP_GET)
        answer_error(request, 405, "%s: only GET", request->path);
    else if (diff)
        diff_ask(record, request);
    else if (count == 1)
        api_snapshots(record, request);
    else if (count == 2)
        api_snapshot(record, request, words[1]);
    else
        api_snapshot_verb(record, request, words[1], words[2]);
}
