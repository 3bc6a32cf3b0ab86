/* SPDX-License-Identifier: Apache-2.0 */
/* Replicas for the tests of the room: calls wait here until the test answers them. */
#ifndef STRAKE_TESTS_CONTROL_FAKE_REPLICAS_H
#define STRAKE_TESTS_CONTROL_FAKE_REPLICAS_H

#include "target/control/state.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

enum { PEERS = 4, CALLS_MAX = 64 };

struct peer {
    uint32_t idx;
    char address[32];
    bool up;
    uint64_t free_bytes;
};
struct call {
    struct peer *peer;
    uint8_t type;
    struct message_create create; /* CREATE */
    struct message_delete del;    /* DELETE */
    peer_reply_fn *done;
    void *arg;
};
static struct peer peer_list[PEERS];
static uint32_t peer_count;
static struct peers_events events;
static struct call calls[CALLS_MAX];
static uint32_t call_count;

struct peers *peers_new(struct loop *l, struct stream_sender *sender, struct buf_pool *b,
                        const struct uuid *process, const struct peers_events *e, void *owner)
{
    (void)l, (void)sender, (void)b, (void)process, (void)owner;
    events = *e;
    return (struct peers *)(void *)peer_list;
}

static inline void calls_answer(const struct frame *reply)
{
    for (uint32_t i = 0; i < call_count; i++) {
        struct call call = calls[i];
        calls[i].done = NULL;
        if (call.done)
            call.done(call.arg, reply);
    }
    call_count = 0;
}

void peers_free(struct peers *peers)
{
    (void)peers;
    calls_answer(NULL);
}

uint32_t peers_count(const struct peers *peers)
{
    (void)peers;
    return peer_count;
}

struct peer *peers_at(struct peers *peers, uint32_t idx)
{
    (void)peers;
    return &peer_list[idx];
}

void peers_refresh(struct peers *peers)
{
    (void)peers;
}

void peer_pin(const struct peer *peer, struct uuid *member)
{
    (void)peer;
    (void)member;
}

void peer_status(const struct peer *peer, struct peer_status *status)
{
    *status = (struct peer_status){.address = peer->address,
                                   .up = peer->up,
                                   .why = peer->up ? "" : "connection refused",
                                   .free_bytes = peer->free_bytes,
                                   .total_bytes = 100};
    status->pool.bytes[0] = (uint8_t)(peer->idx + 1);
}

void peer_call(struct peer *peer, struct frame *frame, peer_reply_fn *done, void *arg)
{
    ck_assert_uint_lt(call_count, CALLS_MAX);
    struct call *call = &calls[call_count++];
    struct reader r = reader_of(frame->body, frame->body_bytes);
    *call = (struct call){.peer = peer, .type = frame->type, .done = done, .arg = arg};
    if (frame->type == FRAME_CREATE)
        message_create_decode(&r, &call->create);
    else
        message_delete_decode(&r, &call->del);
    ck_assert(!r.bad);
}

static inline uint32_t calls_of(uint8_t type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < call_count; i++)
        count += calls[i].type == type && calls[i].done;
    return count;
}

static inline void call_answer(uint32_t idx, uint32_t status)
{
    struct call call = calls[idx];
    struct frame reply = {.status = status};
    calls[idx].done = NULL;
    ck_assert_ptr_nonnull(call.done);
    call.done(call.arg, &reply);
}

static inline void all_answer(uint32_t status)
{
    calls_answer(&(struct frame){.status = status});
}

#endif
