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

/* A field that is checked to be an integer from 0 on, if it is there. */
static uint64_t integer_of(const json_t *fields, const char *key, uint64_t otherwise)
{
    const json_t *value = json_object_get(fields, key);
    return value ? (uint64_t)json_integer_value(value) : otherwise;
}

static uint32_t small_of(const json_t *fields, const char *key, uint32_t otherwise)
{
    uint64_t value = integer_of(fields, key, otherwise);
    return value > INT32_MAX ? INT32_MAX : (uint32_t)value;
}

/* What of it goes into the volume's book; the caller's. */
static json_t *book_fields(const json_t *fields)
{
    static const char *const keys[] = {"owner", "message", "labels", "limits"};
    json_t *book = json_object();
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        json_t *value = json_object_get(fields, keys[i]);
        if (value)
            json_object_set(book, keys[i], value);
    }
    return book;
}

static void api_create(struct control *control, struct http_request *request)
{
    json_t *fields = body_take(request, "name size_bytes replicas witness block_bytes owner "
                                        "message labels limits clone_of");
    if (!fields)
        return;
    const bool sized = json_object_get(fields, "size_bytes");
    const bool blocks = json_object_get(fields, "block_bytes");
    struct create_wish wish = {
        .name = json_string_value(json_object_get(fields, "name")),
        .size_bytes = integer_of(fields, "size_bytes", 0),
        .block_bytes = small_of(fields, "block_bytes", BLOCK_BYTES_DEFAULT),
        .replicas = small_of(fields, "replicas", 0),
        .witness = json_is_true(json_object_get(fields, "witness")),
        .clone_of = json_string_value(json_object_get(fields, "clone_of")),
        .fields = book_fields(fields),
    };
    if (wish.clone_of && (sized || blocks))
        answer_error(request, 400, "clone_of: a clone has the size and the blocks of its origin");
    else if (!wish.name || (!sized && !wish.clone_of))
        answer_error(request, 400, "field \"%s\" is missing", wish.name ? "size_bytes" : "name");
    else if (json_object_get(fields, "replicas") && wish.replicas == 0)
        answer_error(request, 400, "replicas: must be at least 1");
    else if (control->stopping)
        answer_error(request, 503, "the target stops");
    else
        create_start(control, &wish, request);
    json_decref(wish.fields);
    json_decref(fields);
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
