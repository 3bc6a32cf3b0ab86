/* SPDX-License-Identifier: Apache-2.0 */
/* A replication core with three made-up members, for tests that read as a story. */
#ifndef STRAKE_TESTS_REPLICATION_STORY_H
#define STRAKE_TESTS_REPLICATION_STORY_H

#include "target/replication/replication.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { STORY_MEMBERS = 3, STORY_SENT_MAX = 64 };
#define STORY_MS ((uint64_t)1000 * 1000)

struct story_sent {
    uint8_t type;
    uint8_t peers;
    uint16_t flags;
    uint64_t request;
    uint64_t offset_bytes;
    uint64_t length_bytes;
};

struct story {
    struct repl *repl;
    struct config config;
    struct uuid controller;
    struct buf_pool bufs;
    uint64_t now_ns;
    struct story_sent sent[STORY_SENT_MAX]; /* what is not answered yet */
    uint32_t sent_count;
    struct repl_op *completed;
    uint32_t completions;
    bool fenced;
    bool stopped;
    uint8_t closed;
};

static struct uuid story_uuid(uint8_t n)
{
    return (struct uuid){{n, 1}};
}

static void story_drain(struct story *story)
{
    struct repl_effect effect;
    while (repl_next(story->repl, &effect)) {
        switch (effect.kind) {
        case REPL_DO_SEND:
            ck_assert_uint_lt(story->sent_count, STORY_SENT_MAX);
            story->sent[story->sent_count++] =
                (struct story_sent){.type = effect.frame.type,
                                    .peers = effect.peers,
                                    .flags = effect.frame.flags,
                                    .request = effect.frame.request,
                                    .offset_bytes = effect.frame.offset_bytes,
                                    .length_bytes = effect.frame.length_bytes};
            break;
        case REPL_DO_COMPLETE:
            story->completed = effect.op;
            story->completions++;
            break;
        case REPL_DO_FENCED:
            story->fenced = true;
            break;
        case REPL_DO_STOPPED:
            story->stopped = true;
            break;
        case REPL_DO_CLOSE:
            story->closed |= effect.peers;
            break;
        case REPL_DO_MERGE:
        case REPL_DO_SAY:
        case REPL_DO_CONFIG:
        case REPL_DO_CACHE_LOST:
            break;
        }
    }
    repl_check(story->repl);
}

static void story_step(struct story *story, struct repl_event event)
{
    event.now_ns = story->now_ns;
    repl_step(story->repl, &event);
    story_drain(story);
}

/* The oldest unanswered frame of this type to this member; NULL: there is none. */
static struct story_sent *story_find(struct story *story, uint8_t type, uint8_t peer)
{
    for (uint32_t i = 0; i < story->sent_count; i++) {
        if (story->sent[i].type == type && (story->sent[i].peers >> peer & 1))
            return &story->sent[i];
    }
    return NULL;
}

/* Answers the oldest such frame. */
static void story_answer(struct story *story, uint8_t type, uint8_t peer, uint32_t status)
{
    struct story_sent *found = story_find(story, type, peer);
    uint8_t body[2048] = {0};
    ck_assert_ptr_nonnull(found);
    struct frame frame = {.type = type,
                          .flags = FRAME_REPLY,
                          .session = 1,
                          .status = status,
                          .request = found->request,
                          .offset_bytes = found->offset_bytes,
                          .length_bytes = found->length_bytes};
    if (type == FRAME_GETMAP) {
        frame.body = body;
        frame.body_bytes = 1;
    } else if (type == FRAME_READ && status == FRAME_OK) {
        frame.payload = slice_get(&story->bufs, (uint32_t)found->length_bytes);
        memset(frame.payload.bytes, 0x5a, frame.payload.length_bytes);
        slice_crc_fill(&frame.payload);
    }
    found->peers = (uint8_t)(found->peers & ~(1u << peer));
    story_step(story, (struct repl_event){.kind = REPL_EV_FRAME, .peer = peer, .frame = &frame});
    slice_release(&frame.payload);
}

/* What a member says of itself when a session is opened. */
static void story_opened(struct story *story, uint8_t peer, struct message_opened opened,
                         uint32_t status)
{
    uint8_t body[2048];
    struct story_sent *found = story_find(story, FRAME_OPEN, peer);
    ck_assert_ptr_nonnull(found);
    if (status == FRAME_OK) {
        opened.promised_epoch = found->request;
        opened.promised_controller = story->controller;
    }
    if (opened.config.member_count == 0)
        opened.config = story->config;
    struct writer w = writer_of(body, sizeof(body));
    message_opened_encode(&w, &opened);
    struct frame frame = {.type = FRAME_OPEN,
                          .flags = FRAME_REPLY,
                          .session = 1,
                          .status = status,
                          .request = found->request,
                          .body = body,
                          .body_bytes = (uint32_t)writer_length(&w)};
    found->peers = 0;
    story_step(story, (struct repl_event){.kind = REPL_EV_FRAME, .peer = peer, .frame = &frame});
}

static void story_up(struct story *story, uint8_t peer)
{
    story_step(story, (struct repl_event){.kind = REPL_EV_UP, .peer = peer});
}

static void story_down(struct story *story, uint8_t peer)
{
    for (uint32_t i = 0; i < story->sent_count; i++)
        story->sent[i].peers = (uint8_t)(story->sent[i].peers & ~(1u << peer));
    story_step(story, (struct repl_event){.kind = REPL_EV_DOWN, .peer = peer});
}

static void story_elapse(struct story *story, uint64_t ms)
{
    uint64_t end_ns = story->now_ns + ms * STORY_MS;
    while (repl_deadline_ns(story->repl) <= end_ns) {
        uint64_t deadline_ns = repl_deadline_ns(story->repl);
        if (story->now_ns < deadline_ns)
            story->now_ns = deadline_ns;
        story_step(story, (struct repl_event){.kind = REPL_EV_TICK});
        if (repl_deadline_ns(story->repl) <= story->now_ns)
            story->now_ns++;
    }
    story->now_ns = end_ns;
}

static void story_submit(struct story *story, struct repl_op *op, enum repl_op_kind kind,
                         uint64_t offset_bytes)
{
    *op = (struct repl_op){.kind = kind, .offset_bytes = offset_bytes, .length_bytes = 4096};
    if (kind == REPL_WRITE) {
        op->data = slice_get(&story->bufs, 4096);
        memset(op->data.bytes, 1, 4096);
        slice_crc_fill(&op->data);
    }
    story_step(story, (struct repl_event){.kind = REPL_EV_SUBMIT, .op = op});
}

static enum repl_state story_state(const struct story *story)
{
    struct repl_status status;
    repl_status(story->repl, &status);
    return status.state;
}

/* A volume of three members, nothing heard of them yet. */
static void story_begin(struct story *story)
{
    *story = (struct story){.controller = story_uuid(99), .now_ns = 1000 * STORY_MS};
    buf_pool_init(&story->bufs, 1 << 24);
    story->config = (struct config){.volume = story_uuid(50),
                                    .name = "story",
                                    .size_bytes = 64 << 20,
                                    .block_bytes = 4096,
                                    .epoch = 1,
                                    .version = 1,
                                    .controller = story_uuid(98),
                                    .min_in_sync = 2,
                                    .member_count = STORY_MEMBERS};
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story->config.members[i] = (struct member){.uuid = story_uuid(i), .in_sync = true};
    struct repl_settings settings = repl_settings_default();
    story->repl = repl_new(&story->config, &story->controller, &settings, &story->bufs, 1);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        ck_assert_uint_eq(repl_peer_add(story->repl, &story->config.members[i].uuid), i);
    story_drain(story);
}

/* All three there, clean, in sync: the volume serves. */
static void story_serve(struct story *story)
{
    story_begin(story);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++) {
        story_up(story, i);
        story_opened(story, i, (struct message_opened){0}, FRAME_OK);
    }
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(story, FRAME_ACCEPT, i, FRAME_OK);
    ck_assert_int_eq(story_state(story), REPL_SERVING);
}

static void story_end(struct story *story)
{
    repl_free(story->repl);
    buf_pool_release(&story->bufs);
}

#endif
