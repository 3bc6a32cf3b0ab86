/* SPDX-License-Identifier: Apache-2.0 */
/* The target's end of the fixture's link: sends frames, waits for the replies and keeps the last.
 */
#ifndef STRAKE_TESTS_REPLICA_TARGET_H
#define STRAKE_TESTS_REPLICA_TARGET_H

#include "common/link/link.h"
#include "common/wire/message.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <unistd.h>

enum {
    SIZE_BYTES = 8u << 20,
    LENGTH = 64u << 10,
    WAIT_S = 30, /* for an answer, before a test is given up */
};

static const struct uuid controller = {{0xc, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct link target;
static struct loop_timer impatience;

/* The last reply, copied. */
static struct {
    uint32_t count;
    uint32_t ok_count;
    uint32_t wanted;
    struct frame frame;
    uint8_t body[FRAME_BODY_BYTES_MAX];
    uint8_t payload[LENGTH];
    bool payload_ok;
    bool down;
    char why[128];
} got;
static uint64_t request;

static struct listed {
    uint32_t count;
    uint32_t deleted;
    struct message_volume last;
} listed;

static inline void take_list(const struct frame *frame)
{
    struct reader r = reader_of(frame->body, frame->body_bytes);
    while (reader_left(&r) > 0) {
        message_volume_decode(&r, &listed.last);
        ck_assert(!r.bad && !config_invalid(&listed.last.config));
        listed.count++;
        listed.deleted += listed.last.config.deleted;
    }
}

static inline void on_frame(struct link *link, const struct frame *frame)
{
    (void)link;
    if (frame->type == FRAME_LIST)
        take_list(frame);
    got.count++;
    got.ok_count += frame->status == FRAME_OK;
    got.frame = *frame;
    if (frame->body_bytes)
        memcpy(got.body, frame->body, frame->body_bytes);
    if (frame->payload.length_bytes) {
        got.payload_ok = slice_crc_ok(&frame->payload);
        memcpy(got.payload, frame->payload.bytes, LENGTH);
    }
    if (got.count == got.wanted)
        loop_stop(&loop);
}

static inline void on_down(struct link *link, const char *why)
{
    (void)link;
    got.down = true;
    snprintf(got.why, sizeof(got.why), "%s", why);
    loop_stop(&loop);
}

static inline void on_impatience(struct loop_timer *timer)
{
    (void)timer;
    ck_abort_msg("no answer within %d s", WAIT_S);
}

static inline void wait_for(uint32_t replies)
{
    got.wanted = got.count + replies;
    loop_timer_start(&impatience, WAIT_S * (uint64_t)1000000000);
    loop_run(&loop);
    loop_timer_stop(&impatience);
}

static inline void send_frame(struct frame frame)
{
    frame.request = ++request;
    link_send(&target, &frame);
}

/* The reply's status. */
static inline uint32_t call(struct frame frame)
{
    send_frame(frame);
    wait_for(1);
    ck_assert_msg(!got.down, "%s", got.why);
    ck_assert_uint_eq(got.frame.request, request);
    ck_assert_uint_eq(got.frame.type, frame.type);
    ck_assert_uint_eq(got.frame.session, frame.session);
    ck_assert(got.frame.flags & FRAME_REPLY);
    return got.frame.status;
}

static inline uint32_t call_body(struct frame frame, const struct writer *w)
{
    ck_assert(!w->bad);
    frame.body = w->begin;
    frame.body_bytes = (uint32_t)writer_length(w);
    return call(frame);
}

static uint8_t out[MESSAGE_BYTES_MAX];

static inline struct frame greeting(void)
{
    const struct message_greet greet = {.version_min = FRAME_VERSION,
                                        .version_max = FRAME_VERSION,
                                        .process = controller,
                                        .software = "test"};
    struct writer w = writer_of(out, sizeof(out));
    message_greet_encode(&w, &greet);
    return (struct frame){
        .type = FRAME_GREET, .body = out, .body_bytes = (uint32_t)writer_length(&w)};
}

#endif
