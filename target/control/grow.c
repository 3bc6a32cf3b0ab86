/* SPDX-License-Identifier: Apache-2.0 */
/* A volume is made larger, while clients use it. */
#include "target/control/snapshot.h"

static uint64_t size_of(const struct record *record)
{
    return volume_config(record->volume)->size_bytes;
}

static enum change_next grow_begin(struct change *change, uint64_t size_bytes)
{
    struct record *record = change->record;
    const char *name = record->config.name;
    struct repl_status status;
    if (size_bytes % BLOCK_BYTES != 0)
        return change_refuse(change, 400, "volume %s: size_bytes %llu is not a multiple of %d",
                             name, (unsigned long long)size_bytes, BLOCK_BYTES);
    if (size_bytes > VOLUME_BYTES_MAX)
        return change_refuse(change, 400, "volume %s: a volume has at most 1 PiB", name);
    if (size_bytes < size_of(record))
        return change_refuse(change, 409, "volume %s: it has %llu bytes, and volumes do not shrink",
                             name, (unsigned long long)size_of(record));
    change->steps = 1;
    if (size_bytes == size_of(record) || volume_grow(record->volume, size_bytes))
        return CHANGE_WAIT;
    volume_status(record->volume, &status);
    return change_refuse(change, 503, "volume %s: does not serve now (%s)", name, status.why);
}

static enum change_next grow_step(struct change *change)
{
    struct record *record = change->record;
    const json_t *wanted = json_object_get(change->fields, "size_bytes");
    uint64_t size_bytes = (uint64_t)json_integer_value(wanted);
    char text[CONTROL_TEXT_BYTES];
    enum change_next next = CHANGE_WAIT;
    if (change->steps == 0)
        next = grow_begin(change, size_bytes);
    if (next == CHANGE_OVER || (size_of(record) < size_bytes && volume_growing(record->volume)))
        return next;
    if (size_of(record) < size_bytes)
        return change_refuse(change, 507, "volume %s: a replica has no room for that",
                             record->config.name);
    snprintf(text, sizeof(text), "has %llu bytes now%s%s", (unsigned long long)size_of(record),
             change->who[0] ? ", by " : "", change->who);
    catalogue_event(record->control, false, record->config.name, text);
    if (change->request)
        answer_record(change->request, 200, record);
    change->request = NULL;
    return CHANGE_OVER;
}

void volume_enlarge(struct record *record, struct http_request *request, json_t *fields)
{
    change_add(record, request, "", fields, grow_step, NULL);
}
