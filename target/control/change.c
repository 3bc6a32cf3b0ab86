/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of a volume's book and generations: one at a time, so that each begins with what the one
 * before it left. They wait until the book is known; who asked is answered after a while all the
 * same, and the change goes on.
 */
#include "target/control/member.h"
#include "target/control/snapshot.h"

#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHANGE_ANSWER_S = 30 };

static void change_free(struct change *change)
{
    loop_timer_stop(&change->timer);
    json_decref(change->fields);
    free(change->value);
    free(change);
}

enum change_next change_refuse(struct change *change, unsigned status, const char *format, ...)
{
    char text[2 * CONTROL_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (change->request)
        answer_error(change->request, status, "%s", text);
    else
        log_warn("%s", text);
    change->request = NULL;
    return CHANGE_OVER;
}

static enum change_next change_value(struct change *change, enum command_kind kind, const char *key,
                                     char *value, uint32_t value_bytes)
{
    struct message_command *command = &change->command.command;
    free(change->value);
    change->value = value;
    *command = (struct message_command){.kind = kind,
                                        .generation = change->generation,
                                        .value = (const uint8_t *)value,
                                        .value_bytes = value_bytes};
    snprintf(command->key, sizeof(command->key), "%s", key ? key : "");
    if (value_bytes > BOOK_VALUE_BYTES_MAX)
        return change_refuse(change, 400, "volume %s: what is to be kept is over 32 KiB",
                             change->record->config.name);
    return CHANGE_COMMAND;
}

enum change_next change_command(struct change *change, enum command_kind kind, const char *key,
                                const json_t *row)
{
    bool some = row && json_object_size(row) > 0;
    char *value = some ? json_dumps(row, JSON_COMPACT) : NULL;
    if (some && !value)
        return change_refuse(change, 503, "out of memory");
    return change_value(change, kind, key, value, value ? (uint32_t)strlen(value) : 0);
}

enum change_next change_text(struct change *change, const char *key, const char *text)
{
    char *value = strdup(text);
    if (!value)
        return change_refuse(change, 503, "out of memory");
    return change_value(change, COMMAND_SET, key, value, (uint32_t)strlen(value));
}

/* Over, with an answer to who still waits for one. */
static void change_fail(struct change *change, int status)
{
    struct record *record = change->record;
    const char *name = record->config.name;
    if (change->failed)
        change->failed(change);
    if (!change->request)
        log_warn("volume %s: a change was not made (%s)", name, strerror(-status));
    else if (status == -ENOSPC)
        answer_error(change->request, 507, "volume %s: a replica's file system is full", name);
    else if (status == -ESHUTDOWN)
        answer_error(change->request, 503,
                     "volume %s: goes away; the change may or may not have been made", name);
    else
        answer_error(
            change->request, 503,
            "volume %s: its replicas failed (%s); the change may or may not have been made", name,
            strerror(-status));
    change_free(change);
}

static void change_step(struct record *record)
{
    struct change *change = record->change;
    enum change_next next = change->step(change);
    if (next == CHANGE_COMMAND && (record->stopping || record->control->stopping)) {
        record->change = NULL;
        change_fail(change, -ESHUTDOWN);
        return;
    }
    if (next == CHANGE_COMMAND) {
        change->commanded = true;
        volume_command(record->volume, &change->command);
    }
    if (next != CHANGE_OVER)
        return;
    ASSERT(!change->request);
    record->change = NULL;
    change_free(change);
    record_turn(record);
}

static void on_commanded(struct volume_command *command)
{
    struct change *change = command->owner;
    struct record *record = change->record;
    change->commanded = false;
    if (command->status < 0) {
        record->change = NULL;
        change_fail(change, command->status);
        record_turn(record);
        return;
    }
    change->steps++;
    change_step(record);
}

void changes_turn(struct loop_task *turn)
{
    struct record *record = CONTAINER_OF(turn, struct record, turn);
    bool ready = record->state == RECORD_LIVE && record->volume && !record->stopping &&
                 volume_book_known(record->volume);
    if (!ready || (record->change && record->change->commanded))
        return;
    if (!record->change && !list_empty(&record->changes))
        record->change = CONTAINER_OF(list_pop(&record->changes), struct change, node);
    if (record->change)
        change_step(record);
}

static void change_on_late(struct loop_timer *timer)
{
    struct change *change = CONTAINER_OF(timer, struct change, timer);
    struct record *record = change->record;
    struct repl_status status = {.why = "no replica of it is up"};
    if (record->volume)
        volume_status(record->volume, &status);
    const char *why = status.why && status.why[0] ? status.why : "its replicas do not answer";
    answer_error(change->request, 503, "volume %s: the change goes on, but it waits: %s",
                 record->config.name, why);
    change->request = NULL;
}

void change_add(struct record *record, struct http_request *request, const char *name,
                json_t *fields, enum change_next (*step)(struct change *change),
                void (*failed)(struct change *change))
{
    struct change *change = calloc(1, sizeof(*change));
    if (!change) {
        json_decref(fields);
        if (request)
            answer_error(request, 503, "out of memory");
        return;
    }
    change->record = record;
    change->request = request;
    change->step = step;
    change->failed = failed;
    change->fields = fields;
    snprintf(change->name, sizeof(change->name), "%s", name);
    if (request)
        memcpy(change->who, request->who, sizeof(change->who));
    change->command.done = on_commanded;
    change->command.owner = change;
    loop_timer_init(&change->timer, record->control->loop, change_on_late);
    if (request)
        loop_timer_start(&change->timer, CHANGE_ANSWER_S * (uint64_t)1000000000);
    list_append(&record->changes, &change->node);
    record_turn(record);
}

void changes_abort(struct record *record)
{
    struct list *node;
    loop_task_cancel(&record->turn);
    if (record->change)
        list_prepend(&record->changes, &record->change->node);
    record->change = NULL;
    while ((node = list_pop(&record->changes)) != NULL)
        change_fail(CONTAINER_OF(node, struct change, node), -ESHUTDOWN);
}

void record_end(struct record *record)
{
    changes_abort(record);
    member_abort(record);
    LIST_FOR_EACH (node, &record->snapshots) {
        struct snapshot *snapshot = CONTAINER_OF(node, struct snapshot, node);
        /* The front ends as well, and takes its exports with it. */
        if (record->control->stopping)
            snapshot->export = NULL;
    }
    snapshots_drop(record);
    if (record->volume)
        record_close(record);
}
