/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a deleted volume was, kept with its record at the replicas: JSON,
 *
 *   {"owner"?, "message"?, "origin"?, "labels", "snapshots": how many,
 *    "newest": [{"name", "message", "labels", "created_s", "uuid", "size_bytes", "digest"?}...]}
 *
 * the newest snapshots first, as many as there is room for.
 */
#include "target/control/epitaph.h"

#include "target/control/snapshot.h"

/* Its length as text. */
static size_t json_length(const json_t *json)
{
    return json_dumpb(json, NULL, 0, JSON_COMPACT);
}

json_t *epitaph_write(const struct record *record)
{
    static const char *const last[] = {"labels", "message"}; /* what is left out, if it must */
    json_t *epitaph = json_object();
    json_t *newest = json_array();
    answer_description(epitaph, record);
    for (size_t i = 0; i < ARRAY_COUNT(last) && json_length(epitaph) > EPITAPH_BYTES_MAX / 2; i++)
        json_object_del(epitaph, last[i]);
    size_t length = json_length(epitaph);
    for (struct list *node = record->snapshots.prev; node != &record->snapshots;
         node = node->prev) {
        const struct snapshot *snapshot = CONTAINER_OF(node, struct snapshot, node);
        length += json_length(snapshot->row) + 1;
        if (length + 64 > EPITAPH_BYTES_MAX)
            break;
        if (!snapshot->gone)
            json_array_append(newest, snapshot->row);
    }
    json_object_set_new(epitaph, "newest", newest);
    return epitaph;
}

json_t *epitaph_read(const struct epitaph *epitaph)
{
    json_t *json = epitaph->length_bytes
                       ? json_loadb((const char *)epitaph->bytes, epitaph->length_bytes, 0, NULL)
                       : NULL;
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}
