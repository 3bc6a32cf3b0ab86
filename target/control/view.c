/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots as exports: "VOLUME@NAME", read-only, for as many readers as come. An export is made
 * when a client asks for it by its name (or by "VOLUME@sha256:..." of its content), and goes some
 * time after the last one left, so that 10,000 snapshots cost nothing. Discovery shows those that
 * somebody may ask for only when the target is told to list snapshots.
 */
#include "target/control/snapshot.h"

#include "common/base/log.h"

#include <stdio.h>

enum { VIEW_TICK_S = 30 };

static void view_ticks(struct control *control)
{
    if (!control->stopping)
        loop_timer_start(&control->view_tick, VIEW_TICK_S * (uint64_t)1000000000);
}

static bool view_show(struct snapshot *snapshot)
{
    struct record *record = snapshot->record;
    struct control *control = record->control;
    struct front_view view = {.uuid = snapshot->uuid,
                              .generation = snapshot->generation,
                              .size_bytes = snapshot->size_bytes,
                              .listed = control->list_snapshots};
    if (!record->export || record->export->gone || record->state != RECORD_LIVE || record->fenced ||
        control->stopping)
        return false;
    snprintf(view.name, sizeof(view.name), "%s@%s", record->config.name, snapshot->name);
    snapshot->export = front_view_add(control->front, record->volume, &view);
    if (snapshot->export)
        snapshot->export->snapshots = &record->told;
    return snapshot->export;
}

struct export *view_wanted(void *owner, const char *name, size_t length)
{
    struct control *control = owner;
    char volume[VOLUME_NAME_BYTES];
    const char *at = memchr(name, '@', length);
    size_t volume_length = at ? (size_t)(at - name) : 0;
    if (volume_length == 0 || volume_length >= sizeof(volume))
        return NULL;
    memcpy(volume, name, volume_length);
    volume[volume_length] = '\0';
    struct record *record = catalogue_find_name(control, volume);
    struct snapshot *snapshot =
        record ? snapshot_find(record, at + 1, length - volume_length - 1) : NULL;
    if (!snapshot || snapshot->leaving || snapshot->hiding)
        return NULL;
    if (!snapshot->export && !view_show(snapshot))
        return NULL;
    snapshot->idle = false;
    view_ticks(control);
    return snapshot->export;
}

/* Those that are gone go, once their export has. */
static void view_settle(struct snapshot *snapshot)
{
    if (!snapshot->gone)
        return;
    if (snapshot->export)
        view_hide(snapshot);
    else
        snapshot_drop(snapshot);
}

void views_show(struct record *record)
{
    LIST_FOR_EACH_SAFE (node, &record->snapshots) {
        struct snapshot *snapshot = CONTAINER_OF(node, struct snapshot, node);
        if (record->control->list_snapshots && !snapshot->gone && !snapshot->export)
            view_show(snapshot);
        view_settle(snapshot);
    }
}

static void view_on_hidden(void *arg)
{
    struct snapshot *snapshot = arg;
    struct record *record = snapshot->record;
    snapshot->export = NULL;
    snapshot->hiding = false;
    view_settle(snapshot);
    record_turn(record);
    loop_defer(record->control->loop, &record->control->reap);
}

void view_hide(struct snapshot *snapshot)
{
    if (!snapshot->export || snapshot->hiding)
        return;
    snapshot->hiding = true;
    front_export_remove(snapshot->record->control->front, snapshot->export, view_on_hidden,
                        snapshot);
}

void record_conceal(struct record *record)
{
    record_hide(record);
    LIST_FOR_EACH (node, &record->snapshots)
        view_hide(CONTAINER_OF(node, struct snapshot, node));
}

bool record_concealed(const struct record *record)
{
    LIST_FOR_EACH (node, &record->snapshots) {
        if (CONTAINER_OF(node, struct snapshot, node)->export)
            return false;
    }
    return !record->export && record->questions == 0;
}

uint32_t views_sessions(const struct record *record)
{
    uint32_t count = 0;
    LIST_FOR_EACH (node, &record->snapshots) {
        const struct snapshot *snapshot = CONTAINER_OF(node, struct snapshot, node);
        count += snapshot->export ? snapshot->export->session_count : 0;
    }
    return count;
}

/* ---- who uses it ---- */

struct users {
    const char *export_name;
    char *text;
    size_t size;
    uint32_t count;
};

static void user_append(void *arg, const struct front_session *session)
{
    struct users *users = arg;
    if (strcmp(session->export, users->export_name) != 0 || users->count++ > 0)
        return;
    bool named = session->who[0];
    snprintf(users->text, users->size, "%s %s%s%s%s", session->protocol, session->peer,
             named ? " (" : "", named ? session->who : "", named ? ")" : "");
}

void view_users(const struct control *control, const char *export_name, char *text, size_t size)
{
    struct users users = {.export_name = export_name, .text = text, .size = size};
    snprintf(text, size, "a client");
    front_sessions(control->front, user_append, &users);
    size_t used = strlen(text);
    if (users.count > 1)
        snprintf(text + used, size - used, " and %u more", users.count - 1);
}

/* ---- those that nobody uses ---- */

/* Returns true when there is something to be looked at again. */
static bool view_look(struct snapshot *snapshot)
{
    struct export *export = snapshot->export;
    if (!export || snapshot->hiding || snapshot->record->control->list_snapshots)
        return false;
    if (export->session_count == 0 && snapshot->idle)
        view_hide(snapshot);
    snapshot->idle = export->session_count == 0;
    return true;
}

void view_tick(struct loop_timer *timer)
{
    struct control *control = CONTAINER_OF(timer, struct control, view_tick);
    bool again = false;
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        LIST_FOR_EACH (at, &record->snapshots)
            again |= view_look(CONTAINER_OF(at, struct snapshot, node));
    }
    if (again)
        view_ticks(control);
}
