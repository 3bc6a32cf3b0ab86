/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links. A TCP end is a stream of encoded frames; an end in memory has a queue of the frames that
 * were sent to it, emptied by a deferred task. An end in memory has no stream and vice versa.
 */
#include "common/link/link.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINK_WHY_BYTES = 512 };

#define LINK_NS_PER_S ((uint64_t)1000 * 1000 * 1000)

/* A frame on its way in memory; its body is a copy, its payload a reference. */
struct link_entry {
    struct link_entry *next;
    struct frame frame;
    struct slice body;
};

static uint64_t link_frame_bytes(const struct frame *frame)
{
    return (uint64_t)FRAME_HEADER_BYTES + frame->body_bytes + frame->payload.length_bytes;
}

/* Hands a frame over; false when the owner closed the link, whose memory may be gone then. */
static bool link_tell(struct link *link, const struct frame *frame)
{
    bool gone = false;
    ASSERT(!link->gone);
    link->gone = &gone;
    link->on_frame(link, frame);
    if (!gone)
        link->gone = NULL;
    return !gone;
}

static void link_fell(struct link *link, const char *why)
{
    link_close(link);
    link->on_down(link, why);
}

/* The TCP end. */

/* What a bad frame really is when it is the first: the other end begins, or ends, TLS. */
static bool link_hears_tls(const struct link *link)
{
    enum { ALERT = 21, HANDSHAKE = 22, VERSION_MAJOR = 3 };
    const struct rx *rx = &link->stream.rx;
    if (link->tls || link->heard || rx_length(rx) < 2)
        return false;
    const uint8_t *bytes = rx_bytes(rx);
    return (bytes[0] == ALERT || bytes[0] == HANDSHAKE) && bytes[1] == VERSION_MAJOR;
}

static void link_stream_bytes(struct stream *stream)
{
    struct link *link = CONTAINER_OF(stream, struct link, stream);
    link->last_received_ns = loop_now_ns(link->loop);
    while (!stream->paused) {
        struct frame frame;
        const char *why = NULL;
        bool tls = link_hears_tls(link);
        enum frame_decode found = tls ? FRAME_DECODE_BAD : frame_decode(&stream->rx, &frame, &why);
        if (found == FRAME_DECODE_MORE)
            return;
        if (found == FRAME_DECODE_BAD) {
            link_fell(link, tls ? "the other end speaks TLS, this one was not told to" : why);
            return;
        }
        link->heard = true;
        bool stays = link_tell(link, &frame);
        frame_done(&frame);
        if (!stays)
            return;
    }
}

static void link_stream_sent(struct stream *stream)
{
    struct link *link = CONTAINER_OF(stream, struct link, stream);
    if (link->on_sent)
        link->on_sent(link);
}

static void link_stream_closed(struct stream *stream, const char *why)
{
    link_fell(CONTAINER_OF(stream, struct link, stream), why);
}

static void link_rose(struct link *link)
{
    link->up = true;
    link->last_received_ns = loop_now_ns(link->loop);
    if (link->on_up)
        link->on_up(link);
}

static void link_secure_late(struct loop_timer *timer)
{
    link_fell(CONTAINER_OF(timer, struct link, secure_by), "TLS: the handshake took too long");
}

/* The authority issued its certificate; is it the one that was meant? */
static bool link_is_expected(const struct link *link)
{
    for (uint32_t i = 0; i < link->name_count; i++) {
        if (stream_peer_is(&link->stream, link->names[i]))
            return true;
    }
    return link->name_count == 0;
}

static void link_stream_secured(struct stream *stream)
{
    struct link *link = CONTAINER_OF(stream, struct link, stream);
    char why[LINK_WHY_BYTES];
    loop_timer_stop(&link->secure_by);
    if (link_is_expected(link)) {
        link_rose(link);
        return;
    }
    snprintf(why, sizeof(why), "TLS: the other end is %s, not %s%s", stream_peer(stream),
             link->names[0], link->name_count > 1 ? " or another that may be there" : "");
    link_fell(link, why);
}

static void link_secure(struct link *link, bool server)
{
    loop_timer_start(&link->secure_by, LINK_TLS_S * LINK_NS_PER_S);
    stream_secure(&link->stream, link->tls, server);
}

static void link_stream_connected(struct stream *stream)
{
    struct link *link = CONTAINER_OF(stream, struct link, stream);
    if (link->tls)
        link_secure(link, false);
    else
        link_rose(link);
}

static void link_stream_init(struct link *link, struct loop *loop)
{
    link->loop = loop;
    link->heard = false;
    loop_timer_init(&link->secure_by, loop, link_secure_late);
    link->stream.on_secured = link_stream_secured;
    link->stream.on_bytes = link_stream_bytes;
    link->stream.on_sent = link_stream_sent;
    link->stream.on_closed = link_stream_closed;
    link->stream.on_connected = link_stream_connected;
}

/* True from the start of connecting on. */
static bool link_is_open(const struct link *link)
{
    return link->loop != NULL;
}

int link_connect(struct link *link, struct loop *loop, struct stream_sender *sender,
                 struct buf_pool *bufs, const struct address *address)
{
    ASSERT(!link_is_open(link));
    int status = stream_connect(&link->stream, loop, sender, bufs, address);
    if (status)
        return status;
    link_stream_init(link, loop);
    return 0;
}

void link_accept(struct link *link, struct loop *loop, struct stream_sender *sender,
                 struct buf_pool *bufs, int fd)
{
    ASSERT(!link_is_open(link));
    stream_open(&link->stream, loop, sender, bufs, fd);
    link_stream_init(link, loop);
    link->up = !link->tls;
    link->last_received_ns = loop_now_ns(loop);
    if (link->tls)
        link_secure(link, true);
}

/* The end in memory. */

static void link_entry_recycle(struct link_memory *memory, struct link_entry *entry)
{
    slice_release(&entry->body);
    slice_release(&entry->frame.payload);
    entry->next = memory->free;
    memory->free = entry;
}

/* Takes the next frame that arrived out of the queue; NULL when there is none. */
static struct link_entry *link_entry_next(struct link_memory *memory)
{
    struct link_entry *entry = memory->first;
    if (!entry)
        return NULL;
    memory->first = entry->next;
    memory->arrived_bytes -= link_frame_bytes(&entry->frame);
    return entry;
}

static struct link_entry *link_entry_get(struct link_memory *memory)
{
    struct link_entry *entry = memory->free;
    if (entry) {
        memory->free = entry->next;
        return entry;
    }
    entry = calloc(1, sizeof(*entry));
    ASSERT(entry);
    return entry;
}

static void link_memory_release(struct link_memory *memory)
{
    struct link_entry *entry;
    while ((entry = link_entry_next(memory)))
        link_entry_recycle(memory, entry);
    ASSERT(memory->arrived_bytes == 0);
    while (memory->free) {
        entry = memory->free;
        memory->free = entry->next;
        free(entry);
    }
    loop_task_cancel(&memory->deliver);
}

/* The entry is off the link while the owner looks at it: the owner may close the link. */
static bool link_entry_deliver(struct link *link, struct link_entry *entry)
{
    bool stays = link_tell(link, &entry->frame);
    if (stays) {
        link_entry_recycle(&link->memory, entry);
        return true;
    }
    slice_release(&entry->body);
    slice_release(&entry->frame.payload);
    free(entry);
    return false;
}

/* Hands over what arrived before this began, the other end's fall last. */
static void link_deliver(struct loop_task *task)
{
    struct link *link = CONTAINER_OF(task, struct link, memory.deliver);
    uint64_t left_bytes = link->memory.arrived_bytes;
    if (left_bytes)
        link->last_received_ns = loop_now_ns(link->loop);
    while (left_bytes && !link->paused) {
        struct link_entry *entry = link_entry_next(&link->memory);
        left_bytes -= link_frame_bytes(&entry->frame);
        if (!link_entry_deliver(link, entry))
            return;
    }
    if (link->paused)
        return;
    struct link *other = link->memory.other;
    if (link->memory.first)
        loop_defer(link->loop, task);
    else if (!other)
        link_fell(link, "closed by the other end");
    else if (other->on_sent)
        other->on_sent(other);
}

static void link_memory_init(struct link *link, struct link *other, struct loop *loop,
                             struct buf_pool *bufs)
{
    ASSERT(!link_is_open(link));
    link->loop = loop;
    link->up = true;
    link->last_received_ns = loop_now_ns(loop);
    link->memory = (struct link_memory){.other = other, .bufs = bufs, .in_use = true};
    loop_task_init(&link->memory.deliver, link_deliver);
}

void link_pair(struct link *a, struct link *b, struct loop *loop, struct buf_pool *bufs)
{
    link_memory_init(a, b, loop, bufs);
    link_memory_init(b, a, loop, bufs);
}

static void link_memory_send(struct link_memory *to, struct loop *loop, const struct frame *frame)
{
    struct link_entry *entry = link_entry_get(to);
    entry->frame = *frame;
    entry->frame.payload = slice_ref(&frame->payload);
    entry->frame.body = NULL;
    if (frame->body_bytes) {
        entry->body = slice_get(to->bufs, frame->body_bytes);
        memcpy(entry->body.bytes, frame->body, frame->body_bytes);
        entry->frame.body = entry->body.bytes;
    }
    to->arrived_bytes += link_frame_bytes(frame);
    entry->next = NULL;
    if (to->first)
        to->last->next = entry;
    else
        to->first = entry;
    to->last = entry;
    loop_defer(loop, &to->deliver);
}

/* Both. */

void link_send(struct link *link, const struct frame *frame)
{
    ASSERT(!frame_invalid(frame, frame->payload.length_bytes));
    if (!link_is_open(link))
        return;
    if (!link->memory.in_use) {
        frame_encode(&link->stream.tx, frame);
        stream_send(&link->stream);
    } else if (link->memory.other) {
        link_memory_send(&link->memory.other->memory, link->loop, frame);
    }
}

const char *link_peer(const struct link *link)
{
    return link_is_open(link) && !link->memory.in_use ? stream_peer(&link->stream) : "";
}

uint64_t link_pending_bytes(const struct link *link)
{
    if (!link_is_open(link))
        return 0;
    if (!link->memory.in_use)
        return stream_pending_bytes(&link->stream);
    return link->memory.other ? link->memory.other->memory.arrived_bytes : 0;
}

void link_pause(struct link *link)
{
    if (!link_is_open(link))
        return;
    link->paused = true;
    if (!link->memory.in_use)
        stream_pause(&link->stream);
}

void link_resume(struct link *link)
{
    if (!link_is_open(link) || !link->paused)
        return;
    link->paused = false;
    if (link->memory.in_use)
        loop_defer(link->loop, &link->memory.deliver);
    else
        stream_resume(&link->stream);
}

void link_close(struct link *link)
{
    if (!link_is_open(link))
        return;
    if (link->gone)
        *link->gone = true;
    link->gone = NULL;
    if (link->memory.in_use) {
        struct link *other = link->memory.other;
        link_memory_release(&link->memory);
        link->memory = (struct link_memory){0};
        if (other) {
            other->memory.other = NULL;
            loop_defer(other->loop, &other->memory.deliver);
        }
    } else {
        loop_timer_stop(&link->secure_by);
        stream_close(&link->stream);
    }
    link->loop = NULL;
    link->up = false;
    link->paused = false;
}
