/* SPDX-License-Identifier: Apache-2.0 */
/* One volume: requests in, the replication core's effects performed, answers out. */
#include "target/volume/volume.h"

#include "common/base/log.h"
#include "common/base/pool.h"
#include "target/volume/state.h"

#include <errno.h>
#include <stdlib.h>

/* A member whose session the core ended is tried again after this. */
#define MEMBER_RETRY_NS ((uint64_t)500 * 1000 * 1000)

static void volume_run(struct volume *volume, const struct repl_event *event);

uint32_t volume_op_bytes(void)
{
    return sizeof(struct volume_op);
}

const struct config *volume_config(const struct volume *volume)
{
    return repl_config(volume->repl);
}

void volume_status(const struct volume *volume, struct repl_status *status)
{
    repl_status(volume->repl, status);
}

const struct volume_counters *volume_counters(const struct volume *volume)
{
    return &volume->counters;
}

/* ---- members: a session with each, as long as it can be had ---- */

static void member_up(struct volume_member *member)
{
    if (!member->peer || member->channel.session != 0)
        return;
    if (member->idx == REPL_NO_PEER)
        member->idx = repl_peer_add(member->volume->repl, &member->uuid);
    if (member->idx == REPL_NO_PEER)
        return;
    if (!channel_open(&member->channel, member->peer))
        return;
    loop_timer_stop(&member->retry);
    volume_run(member->volume, &(struct repl_event){.kind = REPL_EV_UP, .peer = member->idx});
}

static void member_on_frame(struct channel *channel, const struct frame *frame)
{
    struct volume_member *member = channel->owner;
    volume_run(member->volume,
               &(struct repl_event){.kind = REPL_EV_FRAME, .peer = member->idx, .frame = frame});
}

static void member_on_down(struct channel *channel)
{
    struct volume_member *member = channel->owner;
    volume_run(member->volume, &(struct repl_event){.kind = REPL_EV_DOWN, .peer = member->idx});
}

static void member_on_retry(struct loop_timer *timer)
{
    member_up(CONTAINER_OF(timer, struct volume_member, retry));
}

static bool member_is_of(const struct volume_member *member, uint8_t peers)
{
    return member->idx != REPL_NO_PEER && (peers & 1u << member->idx);
}

/* A place for one more, of one that the core has nothing to say to if need be; or NULL. */
static struct volume_member *member_place(struct volume *volume)
{
    if (volume->member_count < VOLUME_MEMBERS_MAX)
        return &volume->members[volume->member_count++];
    for (uint32_t i = 0; i < VOLUME_MEMBERS_MAX; i++) {
        if (volume->members[i].idx == REPL_NO_PEER)
            return &volume->members[i];
    }
    return NULL;
}

static struct volume_member *member_find(struct volume *volume, const struct uuid *uuid)
{
    for (uint32_t i = 0; i < volume->member_count; i++) {
        if (uuid_equal(&volume->members[i].uuid, uuid))
            return &volume->members[i];
    }
    struct volume_member *member = member_place(volume);
    ASSERT(member);
    *member = (struct volume_member){.volume = volume, .uuid = *uuid, .idx = REPL_NO_PEER};
    member->channel.on_frame = member_on_frame;
    member->channel.on_down = member_on_down;
    member->channel.owner = member;
    loop_timer_init(&member->retry, volume->env.loop, member_on_retry);
    return member;
}

void volume_member_at(struct volume *volume, const struct uuid *uuid, struct peer *peer)
{
    struct volume_member *member = member_find(volume, uuid);
    member->peer = peer;
    member_up(member);
}

/* It is not a member any more. */
static void volume_release(struct volume *volume, uint8_t peers)
{
    for (uint32_t i = 0; i < volume->member_count; i++) {
        struct volume_member *member = &volume->members[i];
        if (!member_is_of(member, peers))
            continue;
        loop_timer_stop(&member->retry);
        channel_close(&member->channel, false);
        member->idx = REPL_NO_PEER;
    }
    volume->placing = true;
}

/* After a change of the members. */
static void volume_place(struct volume *volume)
{
    while (volume->placing) {
        volume->placing = false;
        for (uint32_t i = 0; i < volume->member_count; i++) {
            if (volume->members[i].idx == REPL_NO_PEER)
                member_up(&volume->members[i]);
        }
    }
}

/* ---- effects ---- */

static void volume_send(struct volume *volume, struct repl_effect *effect)
{
    for (uint32_t i = 0; i < volume->member_count; i++) {
        if (member_is_of(&volume->members[i], effect->peers))
            channel_send(&volume->members[i].channel, &effect->frame);
    }
}

static void volume_close(struct volume *volume, uint8_t peers)
{
    for (uint32_t i = 0; i < volume->member_count; i++) {
        struct volume_member *member = &volume->members[i];
        if (!member_is_of(member, peers))
            continue;
        channel_close(&member->channel, true);
        loop_timer_start(&member->retry, MEMBER_RETRY_NS);
    }
}

static void volume_say(struct volume *volume, const struct repl_effect *effect)
{
    const char *name = volume_config(volume)->name;
    if (effect->warn)
        log_warn("volume %s: %s", name, effect->text);
    else
        log_info("volume %s: %s", name, effect->text);
    if (volume->env.on_event)
        volume->env.on_event(volume->env.owner, volume, effect->warn, effect->text);
}

static void volume_completed(struct volume *volume, struct repl_op *op)
{
    ASSERT(volume->ops_out > 0);
    volume->ops_out--;
    list_append(&volume->finished, &op->node);
    loop_defer(volume->env.loop, &volume->answer);
}

static void volume_perform(struct volume *volume, struct repl_effect *effect)
{
    switch (effect->kind) {
    case REPL_DO_SEND:
        volume_send(volume, effect);
        break;
    case REPL_DO_CLOSE:
        volume_close(volume, effect->peers);
        break;
    case REPL_DO_MERGE:
        list_append(&volume->merging, &effect->op->node);
        break;
    case REPL_DO_COMPLETE:
        volume_completed(volume, effect->op);
        break;
    case REPL_DO_SAY:
        volume_say(volume, effect);
        break;
    case REPL_DO_RELEASE:
        volume_release(volume, effect->peers);
        break;
    case REPL_DO_CONFIG:
        volume->placing = true;
        if (volume->env.on_config)
            volume->env.on_config(volume->env.owner, volume);
        break;
    case REPL_DO_FENCED:
        if (volume->env.on_fenced)
            volume->env.on_fenced(volume->env.owner, volume);
        break;
    case REPL_DO_CACHE_LOST:
        if (volume->env.on_cache_lost)
            volume->env.on_cache_lost(volume->env.owner, volume);
        break;
    case REPL_DO_SPACE_LOW:
        if (volume->env.on_space_low)
            volume->env.on_space_low(volume->env.owner, volume);
        break;
    case REPL_DO_STOPPED:
        volume->core_stopped = true;
        loop_defer(volume->env.loop, &volume->answer);
        break;
    }
}

/* The timer is moved only forward: one that fires early just looks again. */
static void volume_set_timer(struct volume *volume)
{
    uint64_t deadline_ns = repl_deadline_ns(volume->repl);
    if (deadline_ns >= volume->timer_ns || volume->aborted)
        return;
    uint64_t now_ns = loop_now_ns(volume->env.loop);
    volume->timer_ns = deadline_ns;
    loop_timer_start(&volume->timer, deadline_ns > now_ns ? deadline_ns - now_ns : 0);
}

static void volume_step(struct volume *volume, const struct repl_event *event)
{
    struct repl_event timed = *event;
    if (volume->aborted)
        return;
    timed.now_ns = loop_now_ns(volume->env.loop);
    repl_step(volume->repl, &timed);
    struct repl_effect effect;
    while (repl_next(volume->repl, &effect))
        volume_perform(volume, &effect);
}

/* One event, and the merges it brought. */
static void volume_run(struct volume *volume, const struct repl_event *event)
{
    volume_step(volume, event);
    struct list *node;
    while ((node = list_pop(&volume->merging)) != NULL) {
        struct volume_op *vop = CONTAINER_OF(node, struct volume_op, op.node);
        bool write = part_merge(vop, volume->env.bufs);
        volume_step(volume,
                    &(struct repl_event){.kind = REPL_EV_MERGED, .op = &vop->op, .write = write});
    }
    volume_set_timer(volume);
    if (volume->placing)
        volume_place(volume);
}

static void volume_on_timer(struct loop_timer *timer)
{
    struct volume *volume = CONTAINER_OF(timer, struct volume, timer);
    volume->timer_ns = UINT64_MAX;
    if (repl_deadline_ns(volume->repl) <= loop_now_ns(volume->env.loop))
        volume_run(volume, &(struct repl_event){.kind = REPL_EV_TICK});
    else
        volume_set_timer(volume);
}

const char *volume_change(struct volume *volume, const struct repl_change *change)
{
    const char *why = repl_change_invalid(volume->repl, change);
    if (why)
        return why;
    volume->placing = true;
    volume_run(volume, &(struct repl_event){.kind = REPL_EV_CHANGE, .change = change});
    return NULL;
}

bool volume_grow(struct volume *volume, uint64_t size_bytes)
{
    struct repl_status status;
    repl_status(volume->repl, &status);
    bool serves = status.state == REPL_SERVING || status.state == REPL_FROZEN;
    if (!serves || volume->aborted)
        return false;
    volume_run(volume, &(struct repl_event){.kind = REPL_EV_GROW, .size_bytes = size_bytes});
    return true;
}

bool volume_growing(const struct volume *volume)
{
    return repl_growing(volume->repl);
}

/* ---- requests ---- */

static void volume_submit_part(struct volume *volume, struct volume_op *vop)
{
    ASSERT(volume->ops_out < REPL_OPS_MAX);
    if (vop->req)
        part_next(vop, volume->env.bufs);
    volume->ops_out++;
    volume_run(volume, &(struct repl_event){.kind = REPL_EV_SUBMIT, .op = &vop->op});
}

static void volume_count(struct volume *volume, const struct block_req *req)
{
    struct volume_counters *counters = &volume->counters;
    if (req->status < 0 && req->status != -EILSEQ) {
        counters->errors++;
        return;
    }
    switch (req->op) {
    case BLOCK_READ:
        counters->reads++;
        counters->read_bytes += req->length_bytes;
        break;
    case BLOCK_WRITE:
    case BLOCK_COMPARE_WRITE:
    case BLOCK_OR_WRITE:
        counters->writes++;
        counters->written_bytes += req->length_bytes;
        break;
    case BLOCK_ZERO:
        counters->zeroes++;
        break;
    case BLOCK_FLUSH:
        counters->flushes++;
        break;
    case BLOCK_STATUS:
    case BLOCK_SET_ROW:
        break;
    }
}

static void volume_answer(struct volume *volume, struct volume_op *vop)
{
    struct block_req *req = vop->req;
    if (vop->op.kind == REPL_COMMAND)
        volume_commanded(volume, vop);
    list_remove(&vop->node);
    pool_put(volume->env.ops, vop);
    volume_count(volume, req);
    req->done(req);
}

/* Answers what is finished, goes on with what has further parts, then starts what waited. */
static void volume_on_answer(struct loop_task *task)
{
    struct volume *volume = CONTAINER_OF(task, struct volume, answer);
    struct list *node;
    while ((node = list_pop(&volume->finished)) != NULL) {
        struct volume_op *vop = CONTAINER_OF(node, struct volume_op, op.node);
        if (!vop->req)
            volume_own_answer(volume, vop);
        else if (part_finish(vop))
            volume_answer(volume, vop);
        else
            volume_submit_part(volume, vop);
    }
    while (!list_empty(&volume->waiting) && volume->ops_out < REPL_OPS_MAX) {
        node = list_pop(&volume->waiting);
        volume_submit_part(volume, CONTAINER_OF(node, struct volume_op, op.node));
    }
    if (volume->stopped && volume->core_stopped && volume->ops_out == 0) {
        void (*stopped)(void *) = volume->stopped;
        volume->stopped = NULL;
        stopped(volume->stopped_arg);
    }
}

void volume_begin(struct volume *volume, struct volume_op *vop)
{
    if (volume->ops_out == REPL_OPS_MAX || !list_empty(&volume->waiting))
        list_append(&volume->waiting, &vop->op.node);
    else
        volume_submit_part(volume, vop);
}

void volume_limit(struct volume *volume, const struct pace_limits *limits)
{
    if (memcmp(&volume->pace.limits, limits, sizeof(*limits)) == 0)
        return;
    volume->limited = limits->ops_per_s || limits->bytes_per_s;
    pace_set(&volume->pace, limits, loop_now_ns(volume->env.loop));
}

uint64_t volume_wait_ns(const struct volume *volume)
{
    return volume->limited ? pace_wait_ns(&volume->pace, loop_now_ns(volume->env.loop)) : 0;
}

static void volume_charge(struct volume *volume, const struct block_req *req)
{
    uint64_t now_ns = loop_now_ns(volume->env.loop);
    switch (req->op) {
    case BLOCK_READ:
    case BLOCK_WRITE:
    case BLOCK_COMPARE_WRITE:
    case BLOCK_OR_WRITE:
        pace_charge(&volume->pace, req->length_bytes, now_ns);
        break;
    case BLOCK_ZERO:
        pace_charge(&volume->pace, 0, now_ns);
        break;
    case BLOCK_FLUSH:
    case BLOCK_STATUS:
    case BLOCK_SET_ROW:
        break;
    }
}

void volume_submit(struct volume *volume, struct block_req *req)
{
    struct volume_op *vop = pool_get(volume->env.ops);
    ASSERT(vop);
    vop->volume = volume;
    vop->req = req;
    list_append(&volume->ops, &vop->node);
    req->status = volume->stopping ? -ESHUTDOWN : volume_request_check(volume, req);
    bool empty = req->length_bytes == 0 && req->op != BLOCK_FLUSH && req->op != BLOCK_SET_ROW;
    if (req->status < 0 || empty) {
        vop->op.status = req->status;
        vop->op.kind = REPL_FLUSH;
        list_append(&volume->finished, &vop->op.node);
        loop_defer(volume->env.loop, &volume->answer);
    } else {
        if (volume->limited)
            volume_charge(volume, req);
        volume_begin(volume, vop);
    }
}

bool volume_full(const struct volume *volume)
{
    return !list_empty(&volume->waiting);
}

void volume_scrub(struct volume *volume)
{
    volume_run(volume, &(struct repl_event){.kind = REPL_EV_SCRUB});
}

/* ---- life ---- */

struct volume *volume_new(const struct volume_env *env, const struct config *config)
{
    struct volume *volume = calloc(1, sizeof(*volume));
    ASSERT(volume);
    volume->env = *env;
    uint64_t seed;
    memcpy(&seed, env->process.bytes, sizeof(seed));
    volume->repl = repl_new(config, &env->process, &env->settings, env->bufs, seed);
    list_init(&volume->ops);
    list_init(&volume->waiting);
    list_init(&volume->merging);
    list_init(&volume->finished);
    loop_task_init(&volume->answer, volume_on_answer);
    loop_timer_init(&volume->timer, env->loop, volume_on_timer);
    volume->timer_ns = UINT64_MAX;
    volume_own_init(volume);
    return volume;
}

void volume_stop(struct volume *volume, void (*done)(void *arg), void *arg)
{
    ASSERT(!volume->stopped);
    volume->stopping = true;
    volume->stopped = done;
    volume->stopped_arg = arg;
    loop_timer_stop(&volume->load);
    volume_run(volume, &(struct repl_event){.kind = REPL_EV_STOP});
    loop_defer(volume->env.loop, &volume->answer);
}

/* What the core still holds of these requests it never looks at again. */
void volume_abort(struct volume *volume)
{
    volume->stopping = true;
    volume->aborted = true;
    volume->core_stopped = true;
    volume->ops_out = 0;
    list_init(&volume->waiting);
    list_init(&volume->merging);
    list_init(&volume->finished);
    LIST_FOR_EACH (node, &volume->ops) {
        struct volume_op *vop = CONTAINER_OF(node, struct volume_op, node);
        vop->op.status = -ESHUTDOWN;
        list_append(&volume->finished, &vop->op.node);
    }
    loop_timer_stop(&volume->timer);
    loop_timer_stop(&volume->load);
    loop_defer(volume->env.loop, &volume->answer);
}

void volume_free(struct volume *volume)
{
    volume_own_release(volume);
    ASSERT(list_empty(&volume->ops));
    loop_task_cancel(&volume->answer);
    loop_timer_stop(&volume->timer);
    for (uint32_t i = 0; i < volume->member_count; i++) {
        loop_timer_stop(&volume->members[i].retry);
        channel_close(&volume->members[i].channel, false);
    }
    repl_free(volume->repl);
    free(volume);
}
