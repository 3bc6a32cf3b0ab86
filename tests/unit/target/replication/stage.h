/* SPDX-License-Identifier: Apache-2.0 */
/* The stage of a story: a replication core with three made-up members, and what it does. */
#ifndef STRAKE_TESTS_REPLICATION_STAGE_H
#define STRAKE_TESTS_REPLICATION_STAGE_H

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
    uint64_t generation;
    uint8_t first_byte; /* of the payload */
    struct message_command command;
};

struct story {
    struct repl *repl;
    struct config config;
    struct uuid controller;
    struct buf_pool bufs;
    struct repl_budget budget;
    uint64_t now_ns;
    struct story_sent sent[STORY_SENT_MAX]; /* what is not answered yet */
    uint32_t sent_count;
    struct repl_op *completed;
    uint32_t completions;
    uint32_t space_low; /* how often it was told */
    bool fenced;
    bool stopped;
    uint8_t closed;
    uint8_t released;
    uint16_t reply_flags;   /* of what members answer */
    uint64_t changed_bytes; /* what DIFF shows as data, from its beginning; 0: all */
    uint64_t sealed;        /* BOOK shows generations 1 to this, none of them complete */
    uint8_t absent;         /* who answers to DIFF that nothing changed */
    uint8_t map;            /* what members answer to GETMAP: bits of the first 128 KiB */
    bool zeros;             /* what members answer to READ */
    bool equal;             /* what HASH shows of them */
    struct lineage lineage; /* what they answer to COMMAND, INSTALL and SETTLE */
    uint64_t next_cursor;   /* of the chunks they answer to BOOK */
};

static inline struct uuid story_uuid(uint8_t n)
{
    return (struct uuid){{n, 1}};
}

static inline void story_command(struct story_sent *sent, const struct frame *frame)
{
    struct reader r = reader_of(frame->body, frame->body_bytes);
    if (frame->type != FRAME_COMMAND)
        return;
    message_command_decode(&r, &sent->command);
    ck_assert(!r.bad);
    sent->command.value = NULL;
}

static inline void story_drain(struct story *story)
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
                                    .length_bytes = effect.frame.length_bytes,
                                    .generation = effect.frame.generation};
            if (effect.frame.payload.length_bytes > 0)
                story->sent[story->sent_count - 1].first_byte = effect.frame.payload.bytes[0];
            story_command(&story->sent[story->sent_count - 1], &effect.frame);
            break;
        case REPL_DO_COMPLETE:
            story->completed = effect.op;
            story->completions++;
            break;
        case REPL_DO_FENCED:
            story->fenced = true;
            break;
        case REPL_DO_SPACE_LOW:
            story->space_low++;
            break;
        case REPL_DO_STOPPED:
            story->stopped = true;
            break;
        case REPL_DO_CLOSE:
            story->closed |= effect.peers;
            break;
        case REPL_DO_RELEASE:
            story->released |= effect.peers;
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

static inline void story_step(struct story *story, struct repl_event event)
{
    event.now_ns = story->now_ns;
    repl_step(story->repl, &event);
    story_drain(story);
    (void)repl_deadline_ns(story->repl);
}

/* A volume of three members, nothing heard of them yet. */
static inline void story_begin(struct story *story)
{
    *story = (struct story){
        .controller = story_uuid(99), .now_ns = 1000 * STORY_MS, .lineage = {.head_generation = 1}};
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
    settings.equal_writes = 4;
    settings.budget = &story->budget;
    story->repl = repl_new(&story->config, &story->controller, &settings, &story->bufs, 1);
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        ck_assert_uint_eq(repl_peer_add(story->repl, &story->config.members[i].uuid), i);
    story_drain(story);
}

static inline void story_end(struct story *story)
{
    repl_free(story->repl);
    buf_pool_release(&story->bufs);
}

static inline void story_submit(struct story *story, struct repl_op *op, enum repl_op_kind kind,
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

static inline enum repl_state story_state(const struct story *story)
{
    struct repl_status status;
    repl_status(story->repl, &status);
    return status.state;
}

#endif
