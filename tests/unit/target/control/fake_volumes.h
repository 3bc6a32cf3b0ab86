/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes for the tests of the room: what they are told is looked at. */
#ifndef STRAKE_TESTS_CONTROL_FAKE_VOLUMES_H
#define STRAKE_TESTS_CONTROL_FAKE_VOLUMES_H

#include "target/control/member.h"
#include "target/control/snapshot.h"
#include "target/volume/book.h"
#include "tests/unit/target/control/fake_replicas.h"

#include <stdio.h>

struct volume {
    struct config config;
    struct uuid members[MEMBERS_MAX];
    uint32_t member_count;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct volume_env env;
    struct book book;
    bool book_known;
    struct volume_command *command; /* under way */
    struct block_req *req;          /* likewise */
    struct repl_scrub_status scrub;
    struct pace_limits limits;
};
static uint32_t volumes_open;
static struct volume *volume_last;
static enum repl_state volume_state;

uint32_t volume_op_bytes(void)
{
    return 64;
}

struct volume *volume_new(const struct volume_env *env, const struct config *config)
{
    struct volume *volume = calloc(1, sizeof(*volume));
    volume->env = *env;
    volume->book.head = 1;
    volume->config = *config;
    volumes_open++;
    volume_last = volume;
    return volume;
}

void volume_member_at(struct volume *volume, const struct uuid *member, struct peer *peer)
{
    ck_assert(peer->up);
    ck_assert_uint_lt(volume->member_count, MEMBERS_MAX);
    volume->members[volume->member_count++] = *member;
}

void volume_stop(struct volume *volume, void (*done)(void *arg), void *arg)
{
    volume->stopped = done;
    volume->stopped_arg = arg;
}

/* The last change that was asked for; `change_why` refuses all. */
static struct repl_change change_asked;
static uint32_t changes_asked;
static const char *change_why;

const char *volume_change(struct volume *volume, const struct repl_change *change)
{
    (void)volume;
    if (!change_why) {
        change_asked = *change;
        changes_asked++;
    }
    return change_why;
}

/* The size that was asked for; 0: none. */
static uint64_t grow_asked;
static bool grow_waits;

bool volume_grow(struct volume *volume, uint64_t size_bytes)
{
    (void)volume;
    grow_asked = size_bytes;
    grow_waits = volume_state == REPL_SERVING || volume_state == REPL_FROZEN;
    return grow_waits;
}

bool volume_growing(const struct volume *volume)
{
    (void)volume;
    return grow_waits;
}

/* A configuration is committed, as our own. */
static inline void config_comes(struct volume *volume, const struct config *config)
{
    volume->config = *config;
    volume->env.on_config(volume->env.owner, volume);
}

static int volumes_aborted;

void volume_abort(struct volume *volume)
{
    (void)volume;
    volumes_aborted++;
}

void volume_free(struct volume *volume)
{
    volumes_open--;
    book_release(&volume->book);
    free(volume);
}

const struct config *volume_config(const struct volume *volume)
{
    return &volume->config;
}

void volume_status(const struct volume *volume, struct repl_status *status)
{
    *status = (struct repl_status){
        .state = volume_state, .why = "so it is", .scrub = volume->scrub, .member_count = 1};
    status->members[0] = (struct repl_member_status){
        .member = volume->config.members[0].uuid, .attached = true, .in_sync = true, .why = ""};
}

void volume_limit(struct volume *volume, const struct pace_limits *limits)
{
    volume->limits = *limits;
}

void volume_scrub(struct volume *volume)
{
    volume->scrub = (struct repl_scrub_status){.running = true, .ended = volume->scrub.ended};
}

const struct volume_counters *volume_counters(const struct volume *volume)
{
    static const struct volume_counters counters = {.reads = 3};
    (void)volume;
    return &counters;
}

const char *repl_state_name(enum repl_state state)
{
    return state == REPL_SERVING ? "serving" : "opening";
}

#endif
