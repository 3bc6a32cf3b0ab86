/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people say of a volume: its owner, labels, a message and limits, each a row of its book.
 */
#include "target/control/limit.h"
#include "target/control/snapshot.h"

#include "common/base/log.h"

static json_t *labels_now(const struct record *record)
{
    struct volume_row row;
    json_t *labels = NULL;
    if (volume_row(record->volume, "labels", &row))
        labels = json_loadb((const char *)row.value, row.value_bytes, 0, NULL);
    return json_is_object(labels) ? labels : json_object();
}

static enum change_next labels_row(struct change *change, json_t *changes)
{
    const char *why;
    json_t *labels = labels_now(change->record);
    enum change_next next;
    if (labels_change(labels, changes, &why))
        next = change_command(change, COMMAND_SET, "labels", labels);
    else
        next = change_refuse(change, 400, "labels: %s", why);
    json_decref(labels);
    return next;
}

static enum change_next limits_row(struct change *change, json_t *changes)
{
    const char *why;
    json_t *limits = limits_now(change->record);
    enum change_next next;
    if (limits_change(limits, changes, &why))
        next = change_command(change, COMMAND_SET, "limits", limits);
    else
        next = change_refuse(change, 400, "limits: %s", why);
    json_decref(limits);
    return next;
}

/* One row after the other; what is done leaves `fields`. */
static enum change_next describe_step(struct change *change)
{
    static const char *const texts[] = {"owner", "message", "origin"};
    enum change_next next = CHANGE_OVER;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        const char *text = json_string_value(json_object_get(change->fields, texts[i]));
        if (!text)
            continue;
        next = change_text(change, texts[i], text);
        json_object_del(change->fields, texts[i]);
        return next;
    }
    json_t *labels = json_object_get(change->fields, "labels");
    if (labels) {
        next = labels_row(change, labels);
        json_object_del(change->fields, "labels");
        return next;
    }
    json_t *limits = json_object_get(change->fields, "limits");
    if (limits) {
        next = limits_row(change, limits);
        json_object_del(change->fields, "limits");
        return next;
    }
    if (change->request)
        answer_record(change->request, 200, change->record);
    change->request = NULL;
    return CHANGE_OVER;
}

void volume_describe(struct record *record, struct http_request *request, json_t *fields)
{
    change_add(record, request, "", fields, describe_step, NULL);
}
