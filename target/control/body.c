/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies and queries of requests. */
#include "target/control/body.h"

#include "target/control/limit.h"
#include "target/control/snapshot.h"

/* The word is one of "a b c". */
static bool word_in(const char *words, const char *word, size_t length)
{
    for (const char *at = words; *at;) {
        size_t here = strcspn(at, " ");
        if (here == length && memcmp(at, word, length) == 0)
            return true;
        at += here;
        at += *at == ' ';
    }
    return false;
}

/* NULL, or why the field may not have this value. */
static const char *field_invalid(const char *key, json_t *value)
{
    const char *why = NULL;
    if (strcmp(key, "name") == 0 || strcmp(key, "keep") == 0) {
        why = text_invalid(value, VOLUME_NAME_BYTES - 1);
        return why ? why : export_name_invalid(json_string_value(value));
    }
    if (strcmp(key, "message") == 0)
        return text_invalid(value, MESSAGE_TEXT_BYTES_MAX);
    if (strcmp(key, "owner") == 0)
        return text_invalid(value, OWNER_BYTES_MAX);
    if (strcmp(key, "clone_of") == 0)
        return text_invalid(value, SNAPSHOT_EXPORT_BYTES);
    if (strcmp(key, "replica") == 0 || strcmp(key, "replaces") == 0)
        return text_invalid(value, ADDRESS_TEXT_BYTES);
    if (strcmp(key, "verify") == 0 || strcmp(key, "witness") == 0)
        return json_is_boolean(value) ? NULL : "must be true or false";
    if (strcmp(key, "labels") == 0) {
        json_t *labels = json_object();
        bool fine = labels_change(labels, value, &why);
        json_decref(labels);
        return fine ? NULL : why;
    }
    if (strcmp(key, "limits") == 0) {
        json_t *limits = json_object();
        bool fine = limits_change(limits, value, &why);
        json_decref(limits);
        return fine ? NULL : why;
    }
    return json_is_integer(value) && json_integer_value(value) >= 0
               ? NULL
               : "must be an integer from 0 on";
}

static bool fields_refused(struct http_request *request, json_t *body, const char *allowed)
{
    const char *key;
    json_t *value;
    json_object_foreach(body, key, value)
    {
        const char *why;
        if (!word_in(allowed, key, strlen(key))) {
            answer_error(request, 400, "unknown field \"%.80s\"", key);
            return true;
        }
        why = field_invalid(key, value);
        if (why && json_is_string(value)) {
            answer_error(request, 400, "%s \"%.80s\": %s", key, json_string_value(value), why);
            return true;
        }
        if (why) {
            answer_error(request, 400, "%s: %s", key, why);
            return true;
        }
    }
    return false;
}

json_t *body_take(struct http_request *request, const char *allowed)
{
    json_error_t why;
    json_t *body = request->body_bytes == 0 ? json_object()
                                            : json_loadb(request->body, request->body_bytes,
                                                         JSON_REJECT_DUPLICATES, &why);
    if (!body)
        answer_error(request, 400, "body: not JSON: %s (line %d)", why.text, why.line);
    else if (!json_is_object(body))
        answer_error(request, 400, "body: must be a JSON object");
    else if (!fields_refused(request, body, allowed))
        return body;
    json_decref(body);
    return NULL;
}

/* The next "KEY=VALUE" of the query; NULL: there are no more. */
static const char *query_next(const char **at, size_t *length)
{
    const char *part = *at;
    if (!*part)
        return NULL;
    *length = strcspn(part, "&");
    *at = part + *length;
    *at += **at == '&';
    return part;
}

json_t *query_values(const struct http_request *request, const char *key)
{
    json_t *values = json_array();
    const char *at = request->query;
    const char *part;
    size_t length;
    size_t key_length = strlen(key);
    while ((part = query_next(&at, &length)) != NULL) {
        if (length > key_length && part[key_length] == '=' && memcmp(part, key, key_length) == 0)
            json_array_append_new(values,
                                  json_stringn(part + key_length + 1, length - key_length - 1));
    }
    return values;
}

bool query_only(struct http_request *request, const char *allowed)
{
    const char *at = request->query;
    const char *part;
    size_t length;
    while ((part = query_next(&at, &length)) != NULL) {
        const char *equals = memchr(part, '=', length);
        if (equals && word_in(allowed, part, (size_t)(equals - part)))
            continue;
        answer_error(request, 400, "query \"%.80s\": only %s are known here", request->query,
                     allowed);
        return false;
    }
    return true;
}
