/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshots of a record, as the rows of its volume's book tell them. */
#include "target/control/snapshot.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void snapshot_key(uint64_t generation, char key[BOOK_KEY_BYTES])
{
    snprintf(key, BOOK_KEY_BYTES, SNAPSHOT_PREFIX "%016" PRIx64, generation);
}

static bool key_generation(const char *key, uint64_t *generation)
{
    char again[BOOK_KEY_BYTES];
    if (strncmp(key, SNAPSHOT_PREFIX, strlen(SNAPSHOT_PREFIX)) != 0)
        return false;
    *generation = strtoull(key + strlen(SNAPSHOT_PREFIX), NULL, 16);
    snapshot_key(*generation, again);
    return *generation > 0 && strcmp(key, again) == 0;
}

static struct snapshot *snapshot_at(struct record *record, uint64_t generation)
{
    LIST_FOR_EACH (node, &record->snapshots) {
        struct snapshot *snapshot = CONTAINER_OF(node, struct snapshot, node);
        if (snapshot->generation == generation)
            return snapshot;
    }
    return NULL;
}

static bool digest_equal(const struct snapshot *snapshot, const char *text, size_t length)
{
    const char *digest = json_string_value(json_object_get(snapshot->row, "digest"));
    return digest && strlen(digest) == length && memcmp(digest, text, length) == 0;
}

struct snapshot *snapshot_find(struct record *record, const char *name, size_t length)
{
    bool by_digest = memchr(name, ':', length);
    LIST_FOR_EACH (node, &record->snapshots) {
        struct snapshot *snapshot = CONTAINER_OF(node, struct snapshot, node);
        bool named = strlen(snapshot->name) == length && memcmp(snapshot->name, name, length) == 0;
        if (!snapshot->gone && (by_digest ? digest_equal(snapshot, name, length) : named))
            return snapshot;
    }
    return NULL;
}

/* In the order of the generations; new ones come last. */
static void snapshot_insert(struct record *record, struct snapshot *snapshot)
{
    struct list *after = record->snapshots.prev;
    while (after != &record->snapshots &&
           CONTAINER_OF(after, struct snapshot, node)->generation > snapshot->generation)
        after = after->prev;
    list_append(after->next, &snapshot->node);
    record->snapshot_count++;
}

void snapshot_drop(struct snapshot *snapshot)
{
    ASSERT(!snapshot->export);
    list_remove(&snapshot->node);
    snapshot->record->snapshot_count--;
    json_decref(snapshot->row);
    free(snapshot);
}

/* What a row says. False: no snapshot can be made of it. */
static bool snapshot_read(struct snapshot *snapshot, json_t *json)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *uuid = json_string_value(json_object_get(json, "uuid"));
    json_int_t size_bytes = json_integer_value(json_object_get(json, "size_bytes"));
    if (!name || export_name_invalid(name) || strlen(name) >= sizeof(snapshot->name) ||
        size_bytes <= 0 || size_bytes % BLOCK_BYTES != 0)
        return false;
    if (!uuid || !uuid_parse(uuid, &snapshot->uuid))
        return false;
    snprintf(snapshot->name, sizeof(snapshot->name), "%s", name);
    snapshot->size_bytes = (uint64_t)size_bytes;
    json_decref(snapshot->row);
    snapshot->row = json_incref(json);
    return true;
}

static void snapshot_take(struct record *record, const struct volume_row *row)
{
    uint64_t generation;
    if (!key_generation(row->key, &generation))
        return;
    json_t *json = json_loadb((const char *)row->value, row->value_bytes, 0, NULL);
    struct snapshot *known = snapshot_at(record, generation);
    struct snapshot *snapshot = known ? known : calloc(1, sizeof(*snapshot));
    ASSERT(snapshot);
    if (!snapshot_read(snapshot, json)) {
        log_warn("volume %s: its book has a row \"%s\" that is no snapshot's", record->config.name,
                 row->key);
        if (!known)
            free(snapshot);
    } else if (known) {
        known->gone = false;
    } else {
        snapshot->record = record;
        snapshot->generation = generation;
        snapshot_insert(record, snapshot);
    }
    json_decref(json);
}

static void each_row(void *arg, const struct volume_row *row)
{
    snapshot_take(arg, row);
}

void snapshots_load(struct record *record)
{
    LIST_FOR_EACH (node, &record->snapshots)
        CONTAINER_OF(node, struct snapshot, node)->gone = true;
    volume_rows(record->volume, SNAPSHOT_PREFIX, each_row, record);
}

void snapshot_row_changed(struct record *record, const char *key)
{
    uint64_t generation;
    struct volume_row row;
    if (!key_generation(key, &generation))
        return;
    if (volume_row(record->volume, key, &row)) {
        snapshot_take(record, &row);
        return;
    }
    struct snapshot *snapshot = snapshot_at(record, generation);
    if (snapshot)
        snapshot->gone = true;
}

void snapshots_drop(struct record *record)
{
    LIST_FOR_EACH_SAFE (node, &record->snapshots)
        snapshot_drop(CONTAINER_OF(node, struct snapshot, node));
}

uint64_t snapshot_generation(void *record, const char *name, size_t length)
{
    const struct snapshot *snapshot = snapshot_find(record, name, length);
    return snapshot && !snapshot->leaving ? snapshot->generation : 0;
}

void snapshot_names(void *owner, void (*each)(void *arg, const char *name), void *arg)
{
    struct record *record = owner;
    LIST_FOR_EACH (node, &record->snapshots) {
        const struct snapshot *snapshot = CONTAINER_OF(node, struct snapshot, node);
        if (!snapshot->gone && !snapshot->leaving)
            each(arg, snapshot->name);
    }
}

/* "KEY=VALUE" is one of the labels. */
static bool has_label(const json_t *labels, const char *text)
{
    size_t length = strcspn(text, "=");
    json_t *key = json_stringn(text, length);
    const char *value =
        key ? json_string_value(json_object_get(labels, json_string_value(key))) : NULL;
    json_decref(key);
    return value && text[length] && strcmp(value, text + length + 1) == 0;
}

bool snapshot_labelled(const struct snapshot *snapshot, const json_t *labels)
{
    size_t i;
    const json_t *label;
    json_array_foreach(labels, i, label)
    {
        if (!has_label(json_object_get(snapshot->row, "labels"), json_string_value(label)))
            return false;
    }
    return true;
}

json_t *snapshot_json(const struct snapshot *snapshot, bool attach)
{
    json_t *json = json_object();
    const struct record *record = snapshot->record;
    json_object_set_new(json, "volume", json_string(record->config.name));
    json_object_update(json, snapshot->row);
    json_object_set_new(json, "id", json_incref(json_object_get(json, "uuid")));
    json_object_del(json, "uuid");
    json_object_set_new(json, "generation", json_integer((json_int_t)snapshot->generation));
    json_object_set_new(json, "sessions",
                        json_integer(snapshot->export ? snapshot->export->session_count : 0));
    if (attach) {
        char name[SNAPSHOT_EXPORT_BYTES];
        snprintf(name, sizeof(name), "%s@%s", record->config.name, snapshot->name);
        answer_attach(json, record->control, name);
    }
    return json;
}
