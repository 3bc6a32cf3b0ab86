/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of how fast a volume is used: checked, kept in its book, told to the volume. */
#include "target/control/limit.h"

/*
 * Clients keep up to 128 requests of up to 1 MiB under way, and most give up after 30 s: slower
 * volumes would fail, not wait.
 */
static const struct {
    const char *key;
    json_int_t min;
    json_int_t max;
    const char *why;
} limits_known_keys[] = {
    {"iops", 10, 1000000000, "iops: 0 (none), or from 10 to 1000000000"},
    {"bytes_per_s", 4 << 20, (json_int_t)1 << 50,
     "bytes_per_s: 0 (none), or from 4194304 (4 MiB) on"},
    {"burst_s", 1, 3600, "burst_s: from 0 to 3600"},
};

/* NULL, or why it is no limit. */
static const char *limit_invalid(const char *key, const json_t *value)
{
    for (size_t i = 0; i < ARRAY_COUNT(limits_known_keys); i++) {
        if (strcmp(limits_known_keys[i].key, key) != 0)
            continue;
        json_int_t number = json_integer_value(value);
        bool fine = json_is_integer(value) && (number == 0 || (number >= limits_known_keys[i].min &&
                                                               number <= limits_known_keys[i].max));
        return fine ? NULL : limits_known_keys[i].why;
    }
    return "there are only iops, bytes_per_s and burst_s";
}

bool limits_change(json_t *limits, json_t *changes, const char **why)
{
    const char *key;
    json_t *value;
    *why = json_is_object(changes) ? NULL : "must be an object of numbers";
    if (*why)
        return false;
    json_object_foreach(changes, key, value)
    {
        *why = limit_invalid(key, value);
        if (*why)
            return false;
        if (json_integer_value(value) == 0)
            json_object_del(limits, key);
        else
            json_object_set(limits, key, value);
    }
    if (!json_object_get(limits, "iops") && !json_object_get(limits, "bytes_per_s"))
        json_object_clear(limits);
    return true;
}

json_t *limits_now(const struct record *record)
{
    struct volume_row row;
    json_t *limits = NULL;
    if (volume_row(record->volume, "limits", &row))
        limits = json_loadb((const char *)row.value, row.value_bytes, 0, NULL);
    return json_is_object(limits) ? limits : json_object();
}

static uint64_t number_of(const json_t *limits, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(limits, key));
    return number > 0 ? (uint64_t)number : 0;
}

void limits_known(struct record *record)
{
    json_t *limits = limits_now(record);
    const struct pace_limits pace = {.ops_per_s = number_of(limits, "iops"),
                                     .bytes_per_s = number_of(limits, "bytes_per_s"),
                                     .burst_ns = number_of(limits, "burst_s") * 1000000000u};
    json_decref(limits);
    volume_limit(record->volume, &pace);
}
