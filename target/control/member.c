/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of a volume's members, one at a time. A member to be added gets an identity and is made
 * at its replica with a configuration that is older than any of our epoch and newer than any before
 * it: no other target takes it for what the members agreed on, and no older one may delete it.
 *
 * The state of a change is the volume's own register. What is kept here is only who waits for it.
 */
#include "target/control/member.h"

#include "common/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MEMBER_ANSWER_S = 30,
    MEMBER_NAME_MIN = 8, /* characters of an identity that are enough */
    HEAL_AGAIN_S = 30,   /* after a change of our own that failed; then twice as long, and so on */
    HEAL_DOUBLES_MAX = 7,
};

struct member_job {
    struct record *record;
    struct http_request *request; /* NULL: answered, or nobody asked */
    struct repl_change change;
    bool made;       /* who is to be added is there, or nobody is */
    bool asked;      /* the volume was: the change is done when it is committed */
    const char *why; /* made, not asked: what is waited for */
    struct loop_timer timer;
    char who[HTTP_WHO_BYTES]; /* asked; "": the target itself */
    char text[CONTROL_TEXT_BYTES];
};

/* ---- who is meant ---- */

const struct member *record_member_find(const struct record *record, const char *name)
{
    const struct config *config = &record->config;
    size_t length = strlen(name);
    for (uint8_t i = 0; i < config->member_count; i++) {
        const struct member *member = &config->members[i];
        const struct placement *placement = record_placement(record, &member->uuid);
        struct peer_status peer = {.address = ""};
        char id[UUID_TEXT_BYTES];
        uuid_format(&member->uuid, id);
        if (placement)
            peer_status(placement->peer, &peer);
        if (strcmp(peer.address, name) == 0 ||
            (length >= MEMBER_NAME_MIN && strncmp(id, name, length) == 0))
            return member;
    }
    return NULL;
}

static const char *member_address(const struct record *record, const struct uuid *member,
                                  struct peer_status *peer)
{
    const struct placement *placement = record_placement(record, member);
    if (!placement)
        return "a replica that is not reached";
    peer_status(placement->peer, peer);
    return peer->address;
}

static struct peer *peer_named(struct control *control, const char *address)
{
    for (uint32_t i = 0; i < peers_count(control->peers); i++) {
        struct peer_status status;
        peer_status(peers_at(control->peers, i), &status);
        if (strcmp(status.address, address) == 0)
            return peers_at(control->peers, i);
    }
    return NULL;
}

/* ---- ends ---- */

const char *member_change(const struct record *record)
{
    return record->job ? record->job->text : "";
}

static void job_free(struct member_job *job)
{
    struct record *record = job->record;
    loop_timer_stop(&job->timer);
    record->job = NULL;
    record->coming = (struct uuid){{0}};
    free(job);
}

static void heal_failed(struct record *record, const char *text)
{
    const uint64_t wait_s = (uint64_t)HEAL_AGAIN_S << record->heal_failures;
    catalogue_event(record->control, true, record->config.name, text);
    record->heal_ns = loop_now_ns(record->control->loop) + wait_s * 1000000000;
    if (record->heal_failures < HEAL_DOUBLES_MAX)
        record->heal_failures++;
}

static void job_fail(struct member_job *job, unsigned status, const char *why)
{
    struct record *record = job->record;
    char text[2 * CONTROL_TEXT_BYTES];
    snprintf(text, sizeof(text), "%s failed: %s", job->text, why);
    log_warn("volume %s: %s", record->config.name, text);
    if (job->request)
        answer_error(job->request, status, "volume %s: %s", record->config.name, why);
    else if (!record->control->stopping)
        heal_failed(record, text);
    job_free(job);
}

void member_abort(struct record *record)
{
    if (record->job)
        job_fail(record->job, 503,
                 "it goes away; the change of its members may or may not have been made");
}

/*
 * The volume is asked once the new member is there. What it refuses now (another change of its
 * configuration is under way) is tried again until the time to answer has come.
 */
static void job_ask(struct member_job *job)
{
    if (!job->made || job->asked)
        return;
    job->why = volume_change(job->record->volume, &job->change);
    job->asked = !job->why;
}

void member_settle(struct record *record)
{
    struct member_job *job = record->job;
    if (!job || !record->known)
        return;
    if (!job->asked) {
        job_ask(job);
        return;
    }
    int idx = config_member_idx(&record->config, &job->change.member.uuid);
    bool leaves = idx < 0 || record->config.members[idx].leaving;
    if (job->change.add ? idx < 0 : !leaves)
        return;
    char text[2 * CONTROL_TEXT_BYTES];
    snprintf(text, sizeof(text), "%s%s%s", job->text, job->who[0] ? ", asked by " : "", job->who);
    log_info("volume %s: %s", record->config.name, text);
    catalogue_event(record->control, false, record->config.name, text);
    struct http_request *request = job->request;
    record->heal_failures = 0;
    job_free(job);
    if (request)
        answer_members(request, 200, record);
}

static void on_late(struct loop_timer *timer)
{
    struct member_job *job = CONTAINER_OF(timer, struct member_job, timer);
    struct record *record = job->record;
    struct repl_status status;
    if (job->why) {
        job_fail(job, 503, job->why);
        record_look(record);
        return;
    }
    volume_status(record->volume, &status);
    const char *why = !job->made                    ? "the new replica is still being made"
                      : status.why && status.why[0] ? status.why
                                                    : "its replicas do not answer";
    if (job->request)
        answer_error(job->request, 503, "volume %s: the change goes on, but it waits: %s",
                     record->config.name, why);
    job->request = NULL;
}

/* ---- making a member ---- */

struct making {
    struct control *control;
    struct uuid volume;
    struct uuid member;
    struct peer *peer;
};

static void made(struct record *record, const struct making *making, const struct frame *reply)
{
    struct member_job *job = uuid_equal(&record->coming, &making->member) ? record->job : NULL;
    bool done = reply && reply->status == FRAME_OK;
    record->making--;
    if (done)
        record_place(record, &making->member, making->peer, false);
    else if (job)
        job_fail(job, 503, reply ? frame_status_text(reply->status) : "connection lost");
    else if (reply)
        peer_refused(making->peer, reply, "a replica of a volume cannot be made there");
    if (done && job) {
        job->made = true;
        job_ask(job);
    }
    if (done)
        record_open(record, making->peer);
    if (done && record->state == RECORD_DELETED)
        record_delete_stragglers(record);
    record_look(record);
}

static void on_made(void *arg, const struct frame *reply)
{
    struct making *making = arg;
    struct control *control = making->control;
    struct record *record = catalogue_find_id(control, &making->volume);
    if (record && !control->stopping)
        made(record, making, reply);
    free(making);
}

void member_make(struct record *record, const struct config *config, const struct uuid *member,
                 struct peer *peer)
{
    static const struct origin blank;
    struct making *making = malloc(sizeof(*making));
    ASSERT(making);
    *making = (struct making){.control = record->control,
                              .volume = record->config.volume,
                              .member = *member,
                              .peer = peer};
    struct peer_status status;
    peer_status(peer, &status);
    log_info("volume %s: a replica of it is made at %s", record->config.name, status.address);
    record->making++;
    record_send_create(config, member, &blank, peer, on_made, making);
}

/* ---- what is asked for ---- */

/* NULL, or why its members cannot be changed now. */
static const char *record_fixed(const struct record *record)
{
    const char *unusable = record_unusable(record);
    if (unusable)
        return unusable;
    if (!record->volume || record->stopping || !record->known)
        return "does not serve yet";
    if (record->job || record->making > 0)
        return "another change of its members is under way";
    return NULL;
}

static uint32_t data_in_sync(const struct config *config)
{
    uint32_t count = 0;
    for (uint8_t i = 0; i < config->member_count; i++)
        count += config->members[i].in_sync;
    return count;
}

/* What min_in_sync of the change is to be, so many members holding data then. */
static uint8_t least_in_sync(const struct config *config, uint32_t data_count)
{
    uint8_t least = min_in_sync_of(data_count);
    return least == config->min_in_sync ? 0 : least;
}

static struct member_job *job_new(struct record *record, struct http_request *request)
{
    struct member_job *job = calloc(1, sizeof(*job));
    ASSERT(job);
    job->record = record;
    job->request = request;
    loop_timer_init(&job->timer, record->control->loop, on_late);
    loop_timer_start(&job->timer, MEMBER_ANSWER_S * (uint64_t)1000000000);
    if (request)
        memcpy(job->who, request->who, sizeof(job->who));
    record->job = job;
    return job;
}

static void refuse(struct http_request *request, const struct record *record, unsigned status,
                   const char *why)
{
    answer_error(request, status, "volume %s: %s", record->config.name, why);
}

/* The old one goes in the same step, unless it is NULL. */
static void job_add(struct member_job *job, const struct member *old, enum member_kind kind,
                    struct peer *peer)
{
    struct record *record = job->record;
    struct config config = record->config;
    struct repl_change *change = &job->change;
    struct peer_status to, from;
    peer_status(peer, &to);
    *change = (struct repl_change){.add = true, .member = {.kind = kind}};
    if (!id_new_member(peer, &change->member.uuid)) {
        job_fail(job, 503, "there are no random numbers");
        return;
    }
    if (old)
        change->leaves = old->uuid;
    uint32_t count = config_data_count(&config, &change->leaves) + (kind == MEMBER_DATA);
    change->min_in_sync = least_in_sync(&config, count);
    snprintf(job->text, sizeof(job->text), "adding a %s at %s%s%s",
             kind == MEMBER_WITNESS ? "witness" : "replica", to.address,
             old ? " in place of the one at " : "",
             old ? member_address(record, &old->uuid, &from) : "");
    config.members[config.member_count++] = change->member;
    config.version = 0;
    record->coming = change->member.uuid;
    member_make(record, &config, &change->member.uuid, peer);
}

/* The replica that is named, or the best. NULL when the request was answered. */
static struct peer *wish_peer(struct record *record, const char *replica,
                              struct http_request *request)
{
    struct peer_status status;
    struct peer *peer;
    if (!replica) {
        peer = catalogue_choose(record->control, record, NULL, 0);
        if (!peer)
            refuse(request, record, 503,
                   "no replica process is up that does not keep a replica of it already");
        return peer;
    }
    peer = peer_named(record->control, replica);
    if (!peer) {
        answer_error(request, 404, "replica %.80s: the target knows none of this address", replica);
        return NULL;
    }
    peer_status(peer, &status);
    if (!status.up)
        answer_error(request, 503, "replica %s: is not reached (%s)", status.address, status.why);
    else if (peer_keeps(record, peer))
        answer_error(request, 409, "replica %s: keeps a replica of volume %s already",
                     status.address, record->config.name);
    else
        return peer;
    return NULL;
}

/* The member that is named. NULL when the request was answered: there is none that may go. */
static const struct member *wish_leaver(struct record *record, const char *name,
                                        struct http_request *request)
{
    const struct member *member = record_member_find(record, name);
    if (!member)
        answer_error(request, 404, "volume %s: has no replica \"%.80s\" (an address, or an id)",
                     record->config.name, name);
    else if (member->leaving)
        refuse(request, record, 409, "that replica is to go already");
    else
        return member;
    return NULL;
}

void member_add(struct record *record, const struct member_wish *wish, struct http_request *request)
{
    const struct config *config = &record->config;
    const char *fixed = record_fixed(record);
    const struct member *old = NULL;
    if (fixed) {
        refuse(request, record, 409, fixed);
        return;
    }
    if (wish->replaces && !(old = wish_leaver(record, wish->replaces, request)))
        return;
    enum member_kind kind = old ? old->kind : wish->witness ? MEMBER_WITNESS : MEMBER_DATA;
    uint32_t count = config_data_count(config, old ? &old->uuid : NULL) + (kind == MEMBER_DATA);
    if (config->member_count == MEMBERS_MAX)
        refuse(request, record, 409, "has 8 replicas, which is the most there can be");
    else if (min_in_sync_of(count) > data_in_sync(config))
        refuse(request, record, 409, "has a single replica in sync: wait until there is another");
    else {
        struct peer *peer = wish_peer(record, wish->replica, request);
        if (peer)
            job_add(job_new(record, request), old, kind, peer);
    }
}

void member_remove(struct record *record, const char *name, struct http_request *request)
{
    const struct config *config = &record->config;
    const char *fixed = record_fixed(record);
    struct peer_status peer;
    const struct member *member;
    if (fixed) {
        refuse(request, record, 409, fixed);
        return;
    }
    if (!(member = wish_leaver(record, name, request)))
        return;
    uint32_t count = config_data_count(config, &member->uuid);
    if (count == 0) {
        refuse(request, record, 409, "that is its only replica (strake volume delete?)");
        return;
    }
    if (member->in_sync && data_in_sync(config) == 1) {
        refuse(request, record, 409,
               "that replica is the only complete one: wait until another one is in sync");
        return;
    }
    struct member_job *job = job_new(record, request);
    job->change =
        (struct repl_change){.member = *member, .min_in_sync = least_in_sync(config, count)};
    snprintf(job->text, sizeof(job->text), "removing the %s at %s",
             member->kind == MEMBER_WITNESS ? "witness" : "replica",
             member_address(record, &member->uuid, &peer));
    job->made = true;
    record_look(record);
}

void member_replace(struct record *record, const struct member *old, struct peer *peer,
                    const char *why)
{
    struct peer_status status;
    char text[CONTROL_TEXT_BYTES];
    peer_status(peer, &status);
    snprintf(text, sizeof(text), "%s: it is made anew at %s", why, status.address);
    log_warn("volume %s: %s", record->config.name, text);
    catalogue_event(record->control, true, record->config.name, text);
    job_add(job_new(record, NULL), old, old->kind, peer);
}
