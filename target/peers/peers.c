/* SPDX-License-Identifier: Apache-2.0 */
/* The set of replica processes a target reaches: links kept up or retried, and the greeting. */
#include "target/peers/peers.h"

#include "common/base/log.h"
#include "target/peers/pin.h"
#include "target/peers/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_RETRY_NS_MIN ((uint64_t)50 * 1000 * 1000)
#define PEER_RETRY_NS_MAX ((uint64_t)2000 * 1000 * 1000)
/* A peer that accepts a connection and then does not say who it is. */
#define PEER_GREET_NS ((uint64_t)3000 * 1000 * 1000)

static void peer_connect(struct peer *peer);

struct peers *peers_new(struct loop *loop, struct stream_sender *sender, struct buf_pool *bufs,
                        const struct uuid *process, const struct peers_events *events, void *owner)
{
    struct peers *peers = calloc(1, sizeof(*peers));
    ASSERT(peers);
    *peers = (struct peers){.loop = loop,
                            .sender = sender,
                            .bufs = bufs,
                            .process = *process,
                            .events = *events,
                            .owner = owner};
    return peers;
}

void peers_secure(struct peers *peers, struct tls_context *tls)
{
    ASSERT(peers->count == 0);
    peers->tls = tls;
}

void peers_free(struct peers *peers)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = peers->list[i];
        loop_timer_stop(&peer->timer);
        loop_task_cancel(&peer->give_up);
        link_close(&peer->link);
        peer_calls_fail(peer);
        free(peer->channels);
        free(peer);
    }
    free(peers);
}

uint32_t peers_count(const struct peers *peers)
{
    return peers->count;
}

struct peer *peers_at(struct peers *peers, uint32_t idx)
{
    ASSERT(idx < peers->count);
    return peers->list[idx];
}

void peer_status(const struct peer *peer, struct peer_status *status)
{
    *status = (struct peer_status){.address = peer->address.text,
                                   .up = peer->state == PEER_UP,
                                   .why = peer->why,
                                   .pool = peer->pool,
                                   .free_bytes = peer->health.free_bytes,
                                   .total_bytes = peer->health.total_bytes};
}

void peer_pin(const struct peer *peer, struct uuid *member)
{
    pin_member(member, link_peer(&peer->link));
}

/* ---- coming up: greeting, then the list of volumes ---- */

static void peer_lost(struct peer *peer, const char *why)
{
    bool was_up = peer->state == PEER_UP;
    bool news = was_up || strcmp(peer->why, why) != 0;
    snprintf(peer->why, sizeof(peer->why), "%s", why);
    peer->state = PEER_DOWN;
    link_close(&peer->link);
    peer_calls_fail(peer);
    peer_channels_down(peer);
    if (news)
        log_warn("replica %s: not reached (%s)", peer->address.text, peer->why);
    if (was_up)
        peer->peers->events.on_down(peer->peers->owner, peer, peer->why);
    if (peer->embedded)
        return;
    loop_timer_start(&peer->timer, peer->retry_ns);
    peer->retry_ns =
        peer->retry_ns * 2 < PEER_RETRY_NS_MAX ? peer->retry_ns * 2 : PEER_RETRY_NS_MAX;
}

static void peer_on_health(void *arg, const struct frame *reply)
{
    struct peer *peer = arg;
    if (!reply || reply->status != FRAME_OK)
        return;
    struct reader r = reader_of(reply->body, reply->body_bytes);
    struct message_health health;
    message_health_decode(&r, &health);
    if (!r.bad)
        peer->health = health;
}

void peers_refresh(struct peers *peers)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->list[i]->state == PEER_UP)
            peer_call(peers->list[i], &(struct frame){.type = FRAME_PING}, peer_on_health,
                      peers->list[i]);
    }
}

static void peer_is_up(struct peer *peer)
{
    peer->state = PEER_UP;
    peer->retry_ns = PEER_RETRY_NS_MIN;
    peer->why[0] = '\0';
    loop_timer_stop(&peer->timer);
    log_info("replica %s: up", peer->address.text);
    peer_call(peer, &(struct frame){.type = FRAME_PING}, peer_on_health, peer);
    peer->peers->events.on_up(peer->peers->owner, peer);
}

/* Without TLS nobody proves anything, and whoever set it so believes all. */
static bool peer_may_keep(const struct peer *peer, const struct uuid *member)
{
    return !peer->peers->tls || peer->embedded || pin_proved(member, link_peer(&peer->link));
}

static int peer_take_list(struct peer *peer, const struct frame *reply, struct error *error)
{
    struct reader r = reader_of(reply->body, reply->body_bytes);
    bool readable = reply->status == FRAME_OK;
    while (readable && reader_left(&r) > 0) {
        struct message_volume volume;
        message_volume_decode(&r, &volume);
        readable = !r.bad && !config_invalid(&volume.config);
        if (readable && !peer_may_keep(peer, &volume.member))
            return error_set(error, "%.40s is not what its replica of volume %.32s was made under",
                             link_peer(&peer->link), volume.config.name);
        if (readable)
            peer->peers->events.on_volume(peer->peers->owner, peer, &volume);
    }
    return readable ? 0 : error_set(error, "its list of volumes cannot be read");
}

static void peer_on_list(struct peer *peer, const struct frame *reply)
{
    struct error error;
    if (peer_take_list(peer, reply, &error))
        peer_lost(peer, error.text);
    else if (!(reply->flags & FRAME_MORE))
        peer_is_up(peer);
}

static void peer_on_greet(struct peer *peer, const struct frame *reply)
{
    struct reader r = reader_of(reply->body, reply->body_bytes);
    struct message_greet greet;
    message_greet_decode(&r, &greet);
    if (reply->status != FRAME_OK || r.bad) {
        peer_lost(peer, "not a replica: it does not greet as one");
        return;
    }
    if (greet.version_min > FRAME_VERSION || greet.version_max < FRAME_VERSION) {
        peer_lost(peer, "it speaks another version of the protocol");
        return;
    }
    peer->pool = greet.process;
    peer->state = PEER_LISTING;
    link_send(&peer->link, &(struct frame){.type = FRAME_LIST});
}

static void peer_greet(struct peer *peer)
{
    uint8_t body[128];
    struct writer w = writer_of(body, sizeof(body));
    struct message_greet greet = {.version_min = FRAME_VERSION,
                                  .version_max = FRAME_VERSION,
                                  .process = peer->peers->process};
    snprintf(greet.software, sizeof(greet.software), "strake-target " STRAKE_VERSION);
    message_greet_encode(&w, &greet);
    ASSERT(!w.bad);
    peer->state = PEER_GREETING;
    link_send(&peer->link, &(struct frame){.type = FRAME_GREET,
                                           .body = body,
                                           .body_bytes = (uint32_t)writer_length(&w)});
    loop_timer_start(&peer->timer, PEER_GREET_NS);
}

/* ---- the link's news ---- */

static void peer_on_frame(struct link *link, const struct frame *frame)
{
    struct peer *peer = link->owner;
    if (!(frame->flags & FRAME_REPLY)) {
        peer_lost(peer, "it sent a request");
        return;
    }
    if (frame->session != 0) {
        peer_channel_frame(peer, frame);
        return;
    }
    if (peer->state == PEER_GREETING && frame->type == FRAME_GREET)
        peer_on_greet(peer, frame);
    else if (peer->state == PEER_LISTING && frame->type == FRAME_LIST)
        peer_on_list(peer, frame);
    else if (!peer_call_reply(peer, frame))
        peer_lost(peer, "it answered what was not asked");
}

static void peer_on_down(struct link *link, const char *why)
{
    peer_lost(link->owner, why);
}

static void peer_on_up(struct link *link)
{
    peer_greet(link->owner);
}

/* Time to connect again; or the time for connecting and greeting is over. */
static void peer_on_timer(struct loop_timer *timer)
{
    struct peer *peer = CONTAINER_OF(timer, struct peer, timer);
    if (peer->state == PEER_DOWN)
        peer_connect(peer);
    else
        peer_lost(peer, "it does not answer");
}

/* The channels of a link that was given up are told in a turn of their own. */
static void peer_on_give_up(struct loop_task *task)
{
    struct peer *peer = CONTAINER_OF(task, struct peer, give_up);
    if (peer->state == PEER_DOWN)
        peer_calls_fail(peer);
    else
        peer_lost(peer, "it does not answer");
}

static void peer_connect(struct peer *peer)
{
    struct peers *peers = peer->peers;
    peer->state = PEER_CONNECTING;
    loop_timer_start(&peer->timer, PEER_GREET_NS);
    int status = link_connect(&peer->link, peers->loop, peers->sender, peers->bufs, &peer->address);
    if (status < 0)
        peer_lost(peer, strerror(-status));
}

static struct peer *peer_new(struct peers *peers)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    ASSERT(peer);
    peer->peers = peers;
    peer->retry_ns = PEER_RETRY_NS_MIN;
    list_init(&peer->calls);
    loop_timer_init(&peer->timer, peers->loop, peer_on_timer);
    loop_task_init(&peer->give_up, peer_on_give_up);
    peer->link = (struct link){
        .on_frame = peer_on_frame, .on_down = peer_on_down, .on_up = peer_on_up, .owner = peer};
    peers->list[peers->count++] = peer;
    return peer;
}

/* Takes "NAME@" off. */
static int name_take(const struct peers *peers, const char **address, char name[PEER_NAME_BYTES],
                     struct error *error)
{
    const char *at = strncmp(*address, "unix:", 5) != 0 ? strchr(*address, '@') : NULL;
    size_t length = at ? (size_t)(at - *address) : 0;
    name[0] = '\0';
    if (!at)
        return 0;
    if (length == 0 || length >= PEER_NAME_BYTES)
        return error_set(error, "replica %s: no name before the @, or a longer one than %d",
                         *address, PEER_NAME_BYTES - 1);
    if (!peers->tls)
        return error_set(error, "replica %s: a name needs tls-dir, by which it is proved",
                         *address);
    memcpy(name, *address, length);
    name[length] = '\0';
    *address = at + 1;
    return 0;
}

int peers_add(struct peers *peers, const char *address, struct error *error)
{
    struct address parsed;
    char name[PEER_NAME_BYTES];
    if (name_take(peers, &address, name, error))
        return -1;
    if (peers->count == PEERS_MAX)
        return error_set(error, "replica %s: more than %d replicas", address, PEERS_MAX);
    if (address_parse(&parsed, address, 0, error) < 0)
        return error_prefix(error, "replica");
    for (uint32_t i = 0; i < peers->count; i++) {
        if (strcmp(peers->list[i]->address.text, parsed.text) == 0)
            return error_set(error, "replica %s: named twice", address);
    }
    struct peer *peer = peer_new(peers);
    peer->address = parsed;
    peer->link.tls = peers->tls;
    memcpy(peer->name, name, sizeof(peer->name));
    peer->names[0] = peer->name;
    peer->link.names = peer->names;
    peer->link.name_count = name[0] ? 1 : 0;
    peer_connect(peer);
    return 0;
}

struct link *peers_add_embedded(struct peers *peers)
{
    ASSERT(peers->count < PEERS_MAX);
    struct peer *peer = peer_new(peers);
    peer->embedded = true;
    snprintf(peer->address.text, sizeof(peer->address.text), "embedded");
    return &peer->link;
}

void peers_embedded_joined(struct peers *peers)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->list[i]->embedded && peers->list[i]->state == PEER_DOWN)
            peer_greet(peers->list[i]);
    }
}
