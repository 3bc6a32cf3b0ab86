/* SPDX-License-Identifier: Apache-2.0 */
/* What travels over a peer's link: the channels of volumes, and single requests with one reply. */
#include "target/peers/peers.h"
#include "target/peers/state.h"

#include <stdlib.h>

enum { CHANNELS_MIN = 8, CHANNELS_MAX = 1 << 16 };

/* A link that was silent for this long while a reply is overdue is taken for dead, not for slow. */
#define PEER_SILENT_NS ((uint64_t)200 * 1000 * 1000)

static uint32_t peer_session_number(uint32_t idx, uint16_t uses)
{
    return (uint32_t)uses << 16 | idx;
}

/* The index of a free place for a channel, or CHANNELS_MAX. */
static uint32_t peer_session_free(struct peer *peer)
{
    uint32_t idx = 0;
    while (idx < peer->channel_count && peer->channels[idx].channel)
        idx++;
    if (idx < peer->channel_count || idx == CHANNELS_MAX)
        return idx;
    uint32_t count = peer->channel_count ? peer->channel_count * 2 : CHANNELS_MIN;
    peer->channels = realloc(peer->channels, count * sizeof(*peer->channels));
    ASSERT(peer->channels);
    for (uint32_t i = peer->channel_count; i < count; i++)
        peer->channels[i] = (struct peer_session){0};
    peer->channel_count = count;
    return idx;
}

bool channel_open(struct channel *channel, struct peer *peer)
{
    ASSERT(channel->session == 0);
    if (peer->state != PEER_UP && peer->state != PEER_LISTING)
        return false;
    uint32_t idx = peer_session_free(peer);
    if (idx == CHANNELS_MAX)
        return false;
    struct peer_session *session = &peer->channels[idx];
    /* Never zero, so that a session's number never is. */
    if (++session->uses == 0)
        session->uses = 1;
    session->channel = channel;
    channel->peer = peer;
    channel->session = peer_session_number(idx, session->uses);
    return true;
}

void channel_send(struct channel *channel, struct frame *frame)
{
    if (channel->session == 0)
        return;
    frame->session = channel->session;
    link_send(&channel->peer->link, frame);
}

static void channel_forget(struct channel *channel)
{
    struct peer_session *session = &channel->peer->channels[channel->session & 0xffff];
    ASSERT(session->channel == channel);
    session->channel = NULL;
    channel->session = 0;
}

void channel_close(struct channel *channel, bool stuck)
{
    if (channel->session == 0)
        return;
    struct peer *peer = channel->peer;
    channel_send(channel, &(struct frame){.type = FRAME_CLOSE});
    channel_forget(channel);
    uint64_t silent_ns = loop_now_ns(peer->peers->loop) - peer->link.last_received_ns;
    if (stuck && !peer->embedded && silent_ns > PEER_SILENT_NS)
        loop_defer(peer->peers->loop, &peer->give_up);
}

void peer_channel_frame(struct peer *peer, const struct frame *frame)
{
    uint32_t idx = frame->session & 0xffff;
    struct channel *channel = idx < peer->channel_count ? peer->channels[idx].channel : NULL;
    /* A reply to a session that was closed meanwhile has nobody to go to. */
    if (channel && channel->session == frame->session)
        channel->on_frame(channel, frame);
}

void peer_channels_down(struct peer *peer)
{
    for (uint32_t i = 0; i < peer->channel_count; i++) {
        struct channel *channel = peer->channels[i].channel;
        if (!channel)
            continue;
        channel_forget(channel);
        channel->on_down(channel);
    }
}

/* ---- single requests ---- */

struct peer_call {
    uint64_t request;
    peer_reply_fn *done;
    void *arg;
    struct list node;
};

void peer_call(struct peer *peer, struct frame *frame, peer_reply_fn *done, void *arg)
{
    struct peer_call *call = calloc(1, sizeof(*call));
    ASSERT(call);
    *call = (struct peer_call){.request = ++peer->next_request, .done = done, .arg = arg};
    list_append(&peer->calls, &call->node);
    frame->session = 0;
    frame->request = call->request;
    link_send(&peer->link, frame);
    /* A dead link drops what is sent; its calls fail when the owner's turn is over. */
    if (peer->state == PEER_DOWN)
        loop_defer(peer->peers->loop, &peer->give_up);
}

static void peer_call_finish(struct peer_call *call, const struct frame *reply)
{
    list_remove(&call->node);
    call->done(call->arg, reply);
    free(call);
}

bool peer_call_reply(struct peer *peer, const struct frame *reply)
{
    LIST_FOR_EACH (node, &peer->calls) {
        struct peer_call *call = CONTAINER_OF(node, struct peer_call, node);
        if (call->request != reply->request)
            continue;
        peer_call_finish(call, reply);
        return true;
    }
    return false;
}

void peer_calls_fail(struct peer *peer)
{
    while (!list_empty(&peer->calls))
        peer_call_finish(CONTAINER_OF(peer->calls.next, struct peer_call, node), NULL);
}
