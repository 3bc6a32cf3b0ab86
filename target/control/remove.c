/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deleting a volume: it is taken from the clients, stopped, and each replica that is up is told to
 * keep only the record. One that hears it is enough for the deletion to stand: whoever comes back
 * with data later is told as well. A majority must be up all the same, so that the members that are
 * away can never serve the volume by themselves.
 */
#include "target/control/epitaph.h"
#include "target/control/snapshot.h"

#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { REMOVE_ANSWER_S = 30 }; /* then the request is answered, while the deletion goes on */

struct remove {
    struct record *record;
    struct http_request *request; /* NULL: answered */
    struct loop_timer timer;
    struct config tombstone;
    char who[HTTP_WHO_BYTES]; /* asked; "": unknown */
    struct remove_call {
        struct remove *remove;
        struct uuid member;
        struct peer *peer;
    } calls[MEMBERS_MAX];
    bool sent;
    uint32_t waiting;
    uint32_t deleted;
    char why[CONTROL_TEXT_BYTES]; /* the first refusal */
};

static void remove_free(struct remove *job)
{
    loop_timer_stop(&job->timer);
    job->record->remove = NULL;
    free(job);
}

static void remove_finish(struct remove *job)
{
    struct record *record = job->record;
    struct http_request *request = job->request;
    const char *name = record->config.name;
    if (record->control->stopping) {
        if (request)
            answer_error(request, 503, "volume %s: the target stops", name);
        remove_free(job);
        return;
    }
    if (job->deleted == 0) {
        log_warn("volume %s: not deleted (%s)", name, job->why);
        record->state = RECORD_LIVE;
        record_open(record, NULL);
        if (request)
            answer_error(request, 503, "volume %s: not deleted: %s", name, job->why);
        remove_free(job);
        return;
    }
    record->state = RECORD_DELETED;
    record->config = job->tombstone;
    log_info("volume %s: deleted", name);
    char text[CONTROL_TEXT_BYTES];
    snprintf(text, sizeof(text), "deleted%s%s", job->who[0] ? " by " : "", job->who);
    catalogue_event(record->control, false, name, text);
    record_delete_stragglers(record);
    if (request)
        answer_record(request, 200, record);
    remove_free(job);
}

static void on_deleted(void *arg, const struct frame *reply)
{
    struct remove_call *call = arg;
    struct remove *job = call->remove;
    struct record *record = job->record;
    if (reply && (reply->status == FRAME_OK || reply->status == FRAME_NO_VOLUME)) {
        job->deleted++;
        record_place(record, &call->member, call->peer, true);
    } else if (!job->why[0] && !record->control->stopping) {
        struct peer_status status;
        peer_status(call->peer, &status);
        snprintf(job->why, sizeof(job->why), "replica %s: %s", status.address,
                 reply ? frame_status_text(reply->status) : "connection lost");
    }
    if (--job->waiting == 0)
        remove_finish(job);
}

static void remove_send(struct remove *job)
{
    struct record *record = job->record;
    job->sent = true;
    job->tombstone = record_tombstone(record);
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        const struct placement *placement = &record->placements[i];
        if (!placement->peer || !placement->here || !peer_is_up(placement->peer))
            continue;
        struct remove_call *call = &job->calls[job->waiting++];
        *call = (struct remove_call){
            .remove = job, .member = placement->member, .peer = placement->peer};
    }
    uint32_t count = job->waiting;
    if (count == 0) {
        snprintf(job->why, sizeof(job->why), "no replica of it is up any more");
        remove_finish(job);
    }
    for (uint32_t i = 0; i < count; i++)
        record_send_delete(&job->tombstone, record->epitaph, job->calls[i].peer, on_deleted,
                           &job->calls[i]);
}

void remove_step(struct record *record)
{
    struct remove *job = record->remove;
    ASSERT(record->state == RECORD_REMOVING && job);
    if (job->sent || !record_concealed(record))
        return;
    if (record->volume && !record->stopped && !record->fenced) {
        record_stop(record);
        return;
    }
    record_end(record);
    remove_send(job);
}

void remove_abort(struct record *record)
{
    struct remove *job = record->remove;
    ASSERT(record->control->stopping);
    if (job && job->waiting == 0)
        remove_finish(job);
}

static void on_late(struct loop_timer *timer)
{
    struct remove *job = CONTAINER_OF(timer, struct remove, timer);
    struct record *record = job->record;
    const char *what = !record_concealed(record) ? "its clients have requests in flight"
                       : record->volume          ? "it still stops"
                                                 : "its replicas have not answered yet";
    answer_error(job->request, 503, "volume %s: deletion goes on, but %s", record->config.name,
                 what);
    job->request = NULL;
}

/* True when the request was answered: it may not be deleted now. */
static bool remove_refused(struct record *record, bool force, struct http_request *request)
{
    const char *name = record->config.name;
    uint32_t up = record_members_up(record);
    uint32_t count = record->config.member_count;
    uint32_t sessions = views_sessions(record);
    sessions += record->export ? record->export->session_count : 0;
    const char *unusable = record_unusable(record);
    if (unusable)
        answer_error(request, 409, "volume %s: %s", name, unusable);
    else if (sessions > 0 && !force)
        answer_error(request, 409, "volume %s: in use by %u client session%s", name, sessions,
                     sessions == 1 ? "" : "s");
    else if (up == 0 || (2 * up <= count && !force))
        answer_error(request, 503, "volume %s: %u of its %u replicas are up, a majority must be",
                     name, up, count);
    else
        return false;
    return true;
}

void remove_start(struct record *record, bool force, struct http_request *request)
{
    struct control *control = record->control;
    if (remove_refused(record, force, request))
        return;
    struct remove *job = calloc(1, sizeof(*job));
    if (!job) {
        answer_error(request, 503, "volume %s: out of memory", record->config.name);
        return;
    }
    job->record = record;
    job->request = request;
    memcpy(job->who, request->who, sizeof(job->who));
    record->remove = job;
    record->state = RECORD_REMOVING;
    if (record->volume) {
        json_decref(record->epitaph);
        record->epitaph = epitaph_write(record);
    }
    loop_timer_init(&job->timer, control->loop, on_late);
    loop_timer_start(&job->timer, REMOVE_ANSWER_S * (uint64_t)1000000000);
    /* Forced, nobody waits for requests that a volume without a majority may never answer. */
    if (force && record->volume && !record->fenced)
        volume_abort(record->volume);
    record_conceal(record);
    loop_defer(control->loop, &control->reap);
}
