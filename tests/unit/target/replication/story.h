/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the replication core that read as a story: members come, answer, and go. */
#ifndef STRAKE_TESTS_REPLICATION_STORY_H
#define STRAKE_TESTS_REPLICATION_STORY_H

#include "tests/unit/target/replication/stage.h"

/* The oldest unanswered frame of this type to this member; NULL: there is none. */
static inline struct story_sent *story_find(struct story *story, uint8_t type, uint8_t peer)
{
    for (uint32_t i = 0; i < story->sent_count; i++) {
        if (story->sent[i].type == type && (story->sent[i].peers >> peer & 1))
            return &story->sent[i];
    }
    return NULL;
}

/* What members answer to READ, with its checksums. */
static inline struct slice story_content(struct story *story, uint64_t length_bytes)
{
    struct slice data = slice_get(&story->bufs, (uint32_t)length_bytes);
    memset(data.bytes, story->zeros ? 0 : 0x5a, data.length_bytes);
    slice_crc_fill(&data);
    return data;
}

static inline void story_runs(const struct story *story, uint8_t peer, uint64_t length_bytes,
                              struct writer *w)
{
    bool some = story->changed_bytes && story->changed_bytes < length_bytes;
    uint64_t data_bytes = some ? story->changed_bytes : length_bytes;
    if (story->absent >> peer & 1)
        data_bytes = 0;
    if (data_bytes)
        diff_run_encode(w, &(struct diff_run){data_bytes, DIFF_DATA});
    if (data_bytes < length_bytes)
        diff_run_encode(w, &(struct diff_run){length_bytes - data_bytes, DIFF_ABSENT});
}

/* The bodies of replies about generations. */
static inline void story_body(struct story *story, uint8_t peer, bool sums, struct frame *frame,
                              uint8_t *body, size_t body_max)
{
    struct writer w = writer_of(body, body_max);
    if (sums && story->equal) {
        struct slice content = story_content(story, frame->length_bytes);
        hash_sums(&content, body);
        (void)write_space(&w, ((frame->length_bytes - 1) / 16384 + 1) * HASH_BYTES);
        slice_release(&content);
    } else if (frame->type == FRAME_HASH) {
        for (uint64_t at = 0; at < frame->length_bytes; at += 16384) {
            struct uuid hash = story_uuid(story->equal ? 0 : peer);
            write_bytes(&w, hash.bytes, HASH_BYTES);
        }
    } else if (frame->type == FRAME_DIFF) {
        story_runs(story, peer, frame->length_bytes, &w);
    } else if (frame->type == FRAME_BOOK) {
        message_book_encode(&w, &(struct message_book){.command = story->lineage.command,
                                                       .head_generation = 5,
                                                       .next_cursor = story->next_cursor});
        for (uint64_t i = 1; i <= story->sealed; i++)
            book_entry_encode(&w, &(struct book_entry){.type = BOOK_GENERATION,
                                                       .generation = i,
                                                       .identity = story_uuid((uint8_t)i),
                                                       .base_generation = i - 1});
    } else if (frame->type == FRAME_COMMAND || frame->type == FRAME_INSTALL ||
               frame->type == FRAME_SETTLE) {
        lineage_encode(&w, &story->lineage);
    } else {
        return;
    }
    frame->body = body;
    frame->body_bytes = (uint32_t)writer_length(&w);
}

/* Answers the oldest such frame. */
static inline void story_answer(struct story *story, uint8_t type, uint8_t peer, uint32_t status)
{
    struct story_sent *found = story_find(story, type, peer);
    uint8_t body[2048] = {0};
    ck_assert_ptr_nonnull(found);
    struct frame frame = {.type = type,
                          .flags = FRAME_REPLY | story->reply_flags,
                          .session = 1,
                          .status = status,
                          .request = found->request,
                          .offset_bytes = found->offset_bytes,
                          .length_bytes = found->length_bytes};
    if (type == FRAME_GETMAP) {
        body[0] = story->map;
        frame.body = body;
        frame.body_bytes = 1;
    } else if (type == FRAME_READ && status == FRAME_OK) {
        frame.payload = story_content(story, found->length_bytes);
    }
    if (status == FRAME_OK)
        story_body(story, peer, found->flags & FRAME_SUMS, &frame, body, sizeof(body));
    found->peers = (uint8_t)(found->peers & ~(1u << peer));
    story_step(story, (struct repl_event){.kind = REPL_EV_FRAME, .peer = peer, .frame = &frame});
    slice_release(&frame.payload);
}

/* All three do. */
static inline void story_answer_all(struct story *story, uint8_t type, uint32_t status)
{
    for (uint8_t i = 0; i < STORY_MEMBERS; i++)
        story_answer(story, type, i, status);
}

/* A copy's comparison: the source's hashes, then those of the others. */
static inline void story_compare(struct story *story, uint8_t source, uint8_t dests)
{
    story_answer(story, FRAME_HASH, source, FRAME_OK);
    for (uint8_t peer = 0; peer < STORY_MEMBERS; peer++) {
        if (dests >> peer & 1)
            story_answer(story, FRAME_HASH, peer, FRAME_OK);
    }
}

/* What a member says of itself when a session is opened. */
static inline void story_opened(struct story *story, uint8_t peer, struct message_opened opened,
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
    if (opened.lineage.head_generation == 0)
        opened.lineage.head_generation = opened.lineage.kept_generation = 1;
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

static inline void story_up(struct story *story, uint8_t peer)
{
    story_step(story, (struct repl_event){.kind = REPL_EV_UP, .peer = peer});
}

static inline void story_down(struct story *story, uint8_t peer)
{
    for (uint32_t i = 0; i < story->sent_count; i++)
        story->sent[i].peers = (uint8_t)(story->sent[i].peers & ~(1u << peer));
    story_step(story, (struct repl_event){.kind = REPL_EV_DOWN, .peer = peer});
}

static inline void story_elapse(struct story *story, uint64_t ms)
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

/* All three there, clean, in sync: the volume serves. */
static inline void story_serve(struct story *story)
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

#endif
