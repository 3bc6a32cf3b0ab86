/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and texts as they stand on a command line, as fields of a request. */
#include "tools/ctl/ctl.h"

#include <string.h>

int text_put(json_t *body, const char *key, const char *text)
{
    if (!text)
        return CTL_OK;
    json_t *json = json_string(text);
    if (!json)
        return ctl_say(CTL_USAGE, "%s: not UTF-8", key);
    json_object_set_new(body, key, json);
    return CTL_OK;
}

int labels_put(json_t *body, const struct ctl_many *many)
{
    json_t *labels = json_object();
    int status = CTL_OK;
    for (uint32_t i = 0; i < many->count && !status; i++) {
        const char *text = many->list[i];
        size_t length = strcspn(text, "=");
        bool removed = !text[length] && length > 1 && text[length - 1] == '-';
        json_t *key = json_stringn(text, removed ? length - 1 : length);
        json_t *value = removed ? json_null() : json_string(text[length] ? text + length + 1 : "");
        if (!text[length] && !removed)
            status = ctl_say(CTL_USAGE, "label \"%s\": KEY=VALUE is wanted, or KEY-", text);
        else if (!key || !value)
            status = ctl_say(CTL_USAGE, "label: not UTF-8");
        else
            json_object_set(labels, json_string_value(key), value);
        json_decref(key);
        json_decref(value);
    }
    if (!status && many->count > 0)
        json_object_set(body, "labels", labels);
    json_decref(labels);
    return status;
}
