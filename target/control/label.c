/* SPDX-License-Identifier: Apache-2.0 */
/* What may be said about a volume or a snapshot: labels and texts, within bounds. */
#include "target/control/snapshot.h"

static bool key_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/';
}

static const char *label_invalid(const char *key, const json_t *value)
{
    size_t length = strlen(key);
    if (length == 0 || length > LABEL_KEY_BYTES_MAX)
        return "a label's key has 1 to 63 characters";
    for (size_t i = 0; i < length; i++) {
        if (!key_character(key[i]))
            return "a label's key has letters, digits, '-', '_', '.' and '/'";
    }
    if (json_is_null(value))
        return NULL;
    if (!json_is_string(value) || json_string_length(value) > LABEL_VALUE_BYTES_MAX)
        return "a label's value is a text of at most 255 bytes";
    return NULL;
}

bool labels_change(json_t *labels, json_t *changes, const char **why)
{
    const char *key;
    json_t *value;
    *why = json_is_object(changes) ? NULL : "must be an object of texts";
    if (*why)
        return false;
    json_object_foreach(changes, key, value)
    {
        *why = label_invalid(key, value);
        if (*why)
            return false;
        if (json_is_null(value))
            json_object_del(labels, key);
        else
            json_object_set(labels, key, value);
    }
    if (json_object_size(labels) > LABELS_MAX)
        *why = "more than 32 labels";
    return !*why;
}

const char *text_invalid(const json_t *text, size_t bytes_max)
{
    if (!json_is_string(text))
        return "must be a text";
    if (json_string_length(text) > bytes_max)
        return "too long";
    return strlen(json_string_value(text)) < json_string_length(text) ? "has a zero byte" : NULL;
}
