/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of control.h: what a request asks for, checked strictly, and who does it. */
#include "target/control/question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char volumes_path[] = "/v1/volumes";
static const char sessions_path[] = "/v1/sessions";

/* ?NAME=1 or ?NAME=0, and nothing else. False when the request was answered. */
static bool api_flag(struct http_request *request, const char *name, bool *flag)
{
    size_t length = strlen(name);
    const char *query = request->query;
    *flag = false;
    if (!query[0])
        return true;
    bool ours = strncmp(query, name, length) == 0 && query[length] == '=';
    const char *value = ours ? query + length + 1 : "";
    if (strcmp(value, "1") != 0 && strcmp(value, "0") != 0) {
        answer_error(request, 400, "query \"%.80s\": only %s=1 and %s=0 are known here", query,
                     name, name);
        return false;
    }
    *flag = value[0] == '1';
    return true;
}

/* An integer field that is there, within 0 and `max`. False when the request was answered. */
static bool api_integer(struct http_request *request, const char *key, const json_t *value,
                        uint64_t max, uint64_t *result)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max) {
        answer_error(request, 400, "%s: must be an integer between 0 and %llu", key,
                     (unsigned long long)max);
        return false;
    }
    *result = (uint64_t)json_integer_value(value);
    return true;
}

/* What is kept with the volume, or where it comes from. False when the request was answered. */
static bool wish_field(struct http_request *request, const char *key, json_t *value,
                       struct create_wish *wish)
{
    const char *why = body_field_invalid("owner message labels clone_of", key, value);
    if (why) {
        answer_error(request, 400, "%s \"%.80s\"", why, key);
        return false;
    }
    if (strcmp(key, "clone_of") == 0)
        wish->clone_of = json_string_value(value);
    else
        json_object_set(wish->fields, key, value);
    return true;
}

/* The fields of a volume to be made. False when the request was answered. */
static bool api_wish(struct http_request *request, json_t *body, json_t *fields,
                     struct create_wish *wish)
{
    const char *key;
    json_t *value;
    uint64_t number = 0;
    *wish = (struct create_wish){.block_bytes = BLOCK_BYTES_DEFAULT, .fields = fields};
    bool sized = false;
    bool blocks = false;
    json_object_foreach(body, key, value)
    {
        if (strcmp(key, "name") == 0 && json_is_string(value)) {
            wish->name = json_string_value(value);
        } else if (strcmp(key, "name") == 0) {
            answer_error(request, 400, "name: must be a string");
            return false;
        } else if (strcmp(key, "size_bytes") == 0) {
            sized = true;
            if (!api_integer(request, key, value, INT64_MAX, &wish->size_bytes))
                return false;
        } else if (strcmp(key, "replicas") == 0) {
            if (!api_integer(request, key, value, MEMBERS_MAX, &number))
                return false;
            wish->replicas = (uint32_t)number;
            if (number == 0) {
                answer_error(request, 400, "replicas: must be at least 1");
                return false;
            }
        } else if (strcmp(key, "witness") == 0 && json_is_boolean(value)) {
            wish->witness = json_is_true(value);
        } else if (strcmp(key, "block_bytes") == 0) {
            if (!api_integer(request, key, value, UINT32_MAX, &number))
                return false;
            wish->block_bytes = (uint32_t)number;
            blocks = true;
        } else if (!wish_field(request, key, value, wish)) {
            return false;
        }
    }
    if (wish->clone_of && (sized || blocks)) {
        answer_error(request, 400, "clone_of: a clone has the size and the blocks of its origin");
        return false;
    }
    bool whole = wish->name && (sized || wish->clone_of);
    if (!whole)
        answer_error(request, 400, "field \"%s\" is missing", wish->name ? "size_bytes" : "name");
    return whole;
}

static void api_create(struct control *control, struct http_request *request)
{
    json_error_t why;
    struct create_wish wish;
    json_t *body = json_loadb(request->body ? request->body : "", request->body_bytes,
                              JSON_REJECT_DUPLICATES, &why);
    json_t *fields = json_object();
    if (!body)
        answer_error(request, 400, "body: not JSON: %s (line %d)", why.text, why.line);
    else if (!json_is_object(body))
        answer_error(request, 400, "body: must be a JSON object");
    else if (control->stopping)
        answer_error(request, 503, "the target stops");
    else if (api_wish(request, body, fields, &wish))
        create_start(control, &wish, request);
    json_decref(fields);
    json_decref(body);
}

static void api_volumes(struct control *control, struct http_request *request)
{
    bool deleted;
    if (request->method == HTTP_POST) {
        api_create(control, request);
    } else if (request->method != HTTP_GET) {
        answer_error(request, 405, "%s: only GET and POST", request->path);
    } else if (api_flag(request, "deleted", &deleted)) {
        answer_json(request, 200, answer_records(control, deleted));
    }
}

static void api_volume(struct control *control, struct http_request *request, const char *name)
{
    bool force;
    struct record *record = catalogue_find(control, name);
    if (request->method == HTTP_POST || request->method == HTTP_OTHER) {
        answer_error(request, 405, "%s: only GET, PATCH and DELETE", request->path);
    } else if (!record) {
        answer_error(request, 404, "volume %.80s: there is none of this name", name);
    } else if (request->method == HTTP_PATCH) {
        api_volume_change(record, request);
    } else if (request->method == HTTP_GET) {
        space_show(record, request);
    } else if (api_flag(request, "force", &force)) {
        if (control->stopping)
            answer_error(request, 503, "the target stops");
        else
            remove_start(record, force, request);
    }
}

static void api_sessions(struct control *control, struct http_request *request)
{
    if (request->method == HTTP_GET)
        answer_json(request, 200, answer_sessions(control));
    else
        answer_error(request, 405, "%s: only GET", request->path);
}

static void api_session(struct control *control, struct http_request *request, const char *text)
{
    char *end;
    errno = 0;
    uint64_t id = strtoull(text, &end, 10);
    bool number = text[0] >= '0' && text[0] <= '9' && !*end && !errno;
    if (request->method != HTTP_DELETE)
        answer_error(request, 405, "%s: only DELETE", request->path);
    else if (!number || !front_session_drop(control->front, id))
        answer_error(request, 404, "session %.20s: there is none of this number", text);
    else
        answer_json(request, 200, json_pack("{s:I}", "id", (json_int_t)id));
}

/* /v1/volumes/NAME/REST. False: that is not what the path is. */
static bool api_below(struct control *control, struct http_request *request)
{
    char name[HTTP_PATH_BYTES];
    size_t prefix = strlen(volumes_path);
    if (strncmp(request->path, volumes_path, prefix) != 0 || request->path[prefix] != '/')
        return false;
    const char *begin = request->path + prefix + 1;
    size_t length = strcspn(begin, "/");
    if (length == 0 || !begin[length] || !begin[length + 1])
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)length, begin);
    struct record *record = catalogue_find(control, name);
    if (record)
        api_volume_rest(record, request, begin + length + 1);
    else
        answer_error(request, 404, "volume %.80s: there is none of this name", name);
    return true;
}

/* What follows "PREFIX/" in the path, if that is one more name; else NULL. */
static const char *path_name(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);
    if (strncmp(path, prefix, length) != 0 || path[length] != '/')
        return NULL;
    const char *name = path + length + 1;
    return name[0] && !strchr(name, '/') ? name : NULL;
}

void api_request(struct control *control, struct http_request *request)
{
    const char *path = request->path;
    const char *name;
    peers_refresh(control->peers);
    if (strcmp(path, "/v1/status") == 0) {
        if (request->method == HTTP_GET)
            answer_json(request, 200, answer_status(control));
        else
            answer_error(request, 405, "%s: only GET", path);
    } else if (strcmp(path, volumes_path) == 0) {
        api_volumes(control, request);
    } else if ((name = path_name(path, volumes_path)) != NULL) {
        api_volume(control, request, name);
    } else if (strcmp(path, sessions_path) == 0) {
        api_sessions(control, request);
    } else if ((name = path_name(path, sessions_path)) != NULL) {
        api_session(control, request, name);
    } else if (!api_below(control, request)) {
        answer_error(request, 404, "%.80s: there is nothing here", path);
    }
}
