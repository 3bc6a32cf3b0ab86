/* SPDX-License-Identifier: Apache-2.0 */
/* The management room's door: its parts are put together, hear the news, and end. */
#include "target/control/limit.h"
#include "target/control/member.h"
#include "target/control/snapshot.h"

#include "common/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- news ---- */

static void control_peer_event(struct control *control, struct peer *peer, bool warn,
                               const char *text)
{
    struct peer_status status;
    char subject[ADDRESS_TEXT_BYTES + 16];
    peer_status(peer, &status);
    snprintf(subject, sizeof(subject), "replica %s", status.address);
    catalogue_event(control, warn, subject, text);
}

static void on_volume(void *owner, struct peer *peer, const struct message_volume *volume)
{
    catalogue_heard(owner, peer, volume);
}

static void on_up(void *owner, struct peer *peer)
{
    struct control *control = owner;
    control_peer_event(control, peer, false, "up");
    catalogue_peer_up(control, peer);
}

static void on_down(void *owner, struct peer *peer, const char *why)
{
    struct control *control = owner;
    control_peer_event(control, peer, true, why);
    catalogue_peer_down(control, peer);
}

static struct record *control_record_of(struct control *control, const struct volume *volume)
{
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        if (record->volume == volume)
            return record;
    }
    return NULL;
}

static void on_event(void *owner, struct volume *volume, bool warn, const char *text)
{
    catalogue_event(owner, warn, volume_config(volume)->name, text);
}

static void on_config(void *owner, struct volume *volume)
{
    struct record *record = control_record_of(owner, volume);
    if (!record)
        return;
    record->config = *volume_config(volume);
    record->known = true;
    record_look(record);
    if (record->export)
        front_export_resize(record->control->front, record->export, record->config.size_bytes);
    record_turn(record);
}

static void on_book(void *owner, struct volume *volume)
{
    struct record *record = control_record_of(owner, volume);
    if (!record)
        return;
    record->bookless = false;
    record_reserve(record);
    snapshots_load(record);
    scrub_known(record);
    limits_known(record);
    views_show(record);
    record_turn(record);
}

static void on_bookless(void *owner, struct volume *volume)
{
    struct record *record = control_record_of(owner, volume);
    if (!record)
        return;
    record->bookless = true;
    record_reserve(record);
}

static void on_row(void *owner, struct volume *volume, const char *key)
{
    struct record *record = control_record_of(owner, volume);
    if (!record)
        return;
    snapshot_row_changed(record, key);
    if (strcmp(key, "limits") == 0)
        limits_known(record);
    views_show(record);
}

/* Initiators are told by a unit attention. A client of NBD can only be told by an error: of the
 * next flush, which the core sees to. */
static void on_cache_lost(void *owner, struct volume *volume)
{
    struct record *record = control_record_of(owner, volume);
    if (record && record->export)
        front_export_news(record->export, FRONT_CACHE_LOST);
}

static void on_space_low(void *owner, struct volume *volume)
{
    struct record *record = control_record_of(owner, volume);
    if (record && record->export)
        front_export_news(record->export, FRONT_SPACE_LOW);
}

static void on_fenced(void *owner, struct volume *volume)
{
    struct control *control = owner;
    struct record *record = control_record_of(control, volume);
    if (!record)
        return;
    record->fenced = true;
    loop_defer(control->loop, &control->reap);
}

/* ---- ends ---- */

/* What came to its end in a callback, and could not be freed there. */
static void control_reap_record(struct record *record)
{
    if (record->look)
        members_look(record);
    if (record->fenced && record->volume && record->state == RECORD_LIVE) {
        record_conceal(record);
        if (record_concealed(record))
            record_end(record);
    } else if (record->state == RECORD_REMOVING && !record->control->stopping) {
        remove_step(record);
    } else if (record->state == RECORD_DELETED && record->volume) {
        record_conceal(record);
        if (record_concealed(record))
            record_stop(record);
        if (record->stopped)
            record_end(record);
    }
}

static void on_reap(struct loop_task *task)
{
    struct control *control = CONTAINER_OF(task, struct control, reap);
    bool all_stopped = true;
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        control_reap_record(record);
        if (control->stopping)
            record_stop(record);
        all_stopped = all_stopped && (!record->volume || record->stopped);
    }
    if (control->stopping && all_stopped && control->stopped) {
        void (*stopped)(void *) = control->stopped;
        control->stopped = NULL;
        stopped(control->stopped_arg);
    }
}

void control_stop(struct control *control, void (*done)(void *arg), void *arg)
{
    ASSERT(!control->stopping);
    control->stopping = true;
    control->stopped = done;
    control->stopped_arg = arg;
    loop_timer_stop(&control->view_tick);
    loop_timer_stop(&control->heal_tick);
    loop_timer_stop(&control->scrub_tick);
    loop_defer(control->loop, &control->reap);
}

void control_free(struct control *control)
{
    control->stopping = true;
    control->stopped = NULL;
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        record_end(record);
        remove_abort(record);
    }
    peers_free(control->peers);
    http_free(control->http);
    LIST_FOR_EACH_SAFE (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        record->export = NULL;
        catalogue_drop(record);
    }
    loop_task_cancel(&control->reap);
    pool_release(&control->ops);
    free(control);
}

/* ---- the room ---- */

static void on_request(void *owner, struct http_request *request)
{
    api_request(owner, request);
}

struct peers *control_peers(struct control *control)
{
    return control->peers;
}

struct control *control_new(const struct control_settings *settings, struct loop *loop,
                            struct stream_sender *sender, struct buf_pool *bufs,
                            struct front *front, const struct uuid *process, struct error *error)
{
    static const struct peers_events events = {
        .on_volume = on_volume, .on_up = on_up, .on_down = on_down};
    struct control *control = calloc(1, sizeof(*control));
    if (!control) {
        error_set_errno(error, ENOMEM, "control");
        return NULL;
    }
    control->loop = loop;
    control->front = front;
    control->share = settings->share;
    control->process = *process;
    control->started_ns = loop_now_ns(loop);
    list_init(&control->records);
    loop_task_init(&control->reap, on_reap);
    control->turn = changes_turn;
    control->told =
        (struct export_snapshots){.generation = snapshot_generation, .list = snapshot_names};
    control->list_snapshots = settings->list_snapshots;
    control->heal = !settings->no_heal;
    control->replace_after_ns = settings->replace_after_ns;
    loop_timer_init(&control->view_tick, loop, view_tick);
    loop_timer_init(&control->heal_tick, loop, heal_tick);
    control->scrub_every_s = settings->scrub_every_s;
    loop_timer_init(&control->scrub_tick, loop, scrub_tick);
    front_exports(front)->incomplete = true;
    front_exports(front)->wanted = view_wanted;
    front_exports(front)->wanted_owner = control;
    control->env = (struct volume_env){.loop = loop,
                                       .bufs = bufs,
                                       .ops = &control->ops,
                                       .process = *process,
                                       .settings = settings->repl,
                                       .on_event = on_event,
                                       .on_config = on_config,
                                       .on_cache_lost = on_cache_lost,
                                       .on_space_low = on_space_low,
                                       .on_fenced = on_fenced,
                                       .on_bookless = on_bookless,
                                       .on_book = on_book,
                                       .on_row = on_row,
                                       .owner = control};
    control->env.settings.budget = &control->budget;
    if (pool_init(&control->ops, volume_op_bytes(), settings->ops_max + CONTROL_QUESTIONS_MAX)) {
        error_set_errno(error, ENOMEM, "control: %u operations", settings->ops_max);
        goto fail;
    }
    control->http = http_new(loop, settings->socket_path, on_request, control, error);
    if (!control->http)
        goto fail_ops;
    control->peers = peers_new(loop, sender, bufs, process, &events, control);
    return control;
fail_ops:
    pool_release(&control->ops);
fail:
    free(control);
    return NULL;
}
