/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of a volume's members. */
#include "target/control/body.h"
#include "target/control/member.h"

static const char *text_of(const json_t *fields, const char *key)
{
    return json_string_value(json_object_get(fields, key));
}

static void members_post(struct record *record, struct http_request *request)
{
    json_t *fields = body_take(request, "replica witness replaces");
    if (!fields)
        return;
    const struct member_wish wish = {.replica = text_of(fields, "replica"),
                                     .replaces = text_of(fields, "replaces"),
                                     .witness = json_is_true(json_object_get(fields, "witness"))};
    if (wish.replaces && wish.witness)
        answer_error(request, 400, "replaces: what replaces a witness is one, and nothing else is");
    else
        member_add(record, &wish, request);
    json_decref(fields);
}

void api_members(struct record *record, struct http_request *request, const char *name)
{
    if (record->control->stopping)
        answer_error(request, 503, "the target stops");
    else if (!name[0] && request->method == HTTP_GET)
        answer_members(request, 200, record);
    else if (!name[0] && request->method == HTTP_POST)
        members_post(record, request);
    else if (name[0] && request->method == HTTP_DELETE)
        member_remove(record, name, request);
    else
        answer_error(request, 405, "%s: only %s", request->path,
                     name[0] ? "DELETE" : "GET and POST");
}
