/* SPDX-License-Identifier: Apache-2.0 */
/* The replication core and the channels, for tests of the volume between them. */
#ifndef STRAKE_TESTS_VOLUME_FAKE_CORE_H
#define STRAKE_TESTS_VOLUME_FAKE_CORE_H

#include "common/base/pool.h"
#include "target/volume/book.h"
#include "target/volume/volume.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { VOLUME_BYTES = 64 << 20, EFFECTS_MAX = 64, OPS_COUNT = REPL_OPS_MAX + 8 };

static struct buf_pool bufs;

/* ---- the fake core: remembers events, gives back the effects it was told to ---- */

static struct config config = {.name = "v1", .size_bytes = VOLUME_BYTES};
static struct repl_event events[OPS_COUNT];
static int event_count;
static struct repl_effect effects[EFFECTS_MAX];
static int effect_head, effect_tail;
static uint64_t deadline_ns = UINT64_MAX;
static uint8_t peer_count;
static bool peers_refused;
static const char *change_why;

struct repl *repl_new(const struct config *c, const struct uuid *controller,
                      const struct repl_settings *settings, struct buf_pool *pool, uint64_t seed)
{
    (void)c, (void)controller, (void)settings, (void)pool, (void)seed;
    static char core;
    return (struct repl *)(void *)&core;
}

const char *repl_change_invalid(const struct repl *repl, const struct repl_change *change)
{
    (void)repl, (void)change;
    return change_why;
}

bool repl_growing(const struct repl *repl)
{
    (void)repl;
    return false;
}

void repl_free(struct repl *repl)
{
    (void)repl;
}

uint8_t repl_peer_add(struct repl *repl, const struct uuid *member)
{
    (void)repl, (void)member;
    return peers_refused ? REPL_NO_PEER : peer_count++;
}

static inline void tell(struct repl_effect effect)
{
    ck_assert_int_lt(effect_tail, EFFECTS_MAX);
    effects[effect_tail++] = effect;
}

/* The book is told in one chunk: a head and, if there is one, a row. */
static uint64_t book_head = 1;
static const char *book_key;
static int book_status;
static uint32_t book_reads;

static void book_told(struct repl_op *op)
{
    book_reads++;
    op->status = book_status;
    if (book_status == 0) {
        op->data = slice_get(&bufs, 4096);
        struct writer w = writer_of(op->data.bytes, op->data.length_bytes);
        message_book_encode(&w, &(struct message_book){.head_generation = book_head});
        struct book_entry entry = {
            .type = BOOK_ROW, .value = (const uint8_t *)"value", .value_bytes = 5};
        snprintf(entry.key, sizeof(entry.key), "%s", book_key ? book_key : "");
        if (book_key)
            book_entry_encode(&w, &entry);
        op->data.length_bytes = (uint32_t)writer_length(&w);
    }
    tell((struct repl_effect){.kind = REPL_DO_COMPLETE, .op = op});
}

void repl_step(struct repl *repl, const struct repl_event *event)
{
    (void)repl;
    ck_assert_int_lt(event_count, OPS_COUNT);
    if (event->kind == REPL_EV_SUBMIT && event->op->kind == REPL_BOOK)
        book_told(event->op);
    else
        events[event_count++] = *event;
}

bool repl_next(struct repl *repl, struct repl_effect *effect)
{
    (void)repl;
    if (effect_head == effect_tail)
        return false;
    *effect = effects[effect_head++];
    return true;
}

uint64_t repl_deadline_ns(struct repl *repl)
{
    (void)repl;
    return deadline_ns;
}

const struct config *repl_config(const struct repl *repl)
{
    (void)repl;
    return &config;
}

void repl_status(const struct repl *repl, struct repl_status *status)
{
    (void)repl;
    *status = (struct repl_status){.state = REPL_SERVING};
}

/* ---- the fake channels ---- */

static bool peer_is_up;
static struct channel *opened[MEMBERS_MAX];
static int open_count, close_count, sent_count;

bool channel_open(struct channel *channel, struct peer *peer)
{
    (void)peer;
    if (!peer_is_up)
        return false;
    channel->session = 1;
    opened[open_count++ % MEMBERS_MAX] = channel;
    return true;
}

void channel_send(struct channel *channel, struct frame *frame)
{
    (void)frame;
    if (channel->session)
        sent_count++;
}

void channel_close(struct channel *channel, bool stuck)
{
    (void)stuck;
    close_count += channel->session != 0;
    channel->session = 0;
}

#endif
