/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes and the front for the tests of the room: what they are told is looked at. */
#ifndef STRAKE_TESTS_CONTROL_FAKE_VOLUMES_H
#define STRAKE_TESTS_CONTROL_FAKE_VOLUMES_H

#include "target/control/state.h"
#include "tests/lib/suite.h"

#include <stdio.h>

struct volume {
    struct config config;
    struct uuid members[MEMBERS_MAX];
    uint32_t member_count;
    void (*stopped)(void *arg);
    void *stopped_arg;
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
    (void)env;
    struct volume *volume = calloc(1, sizeof(*volume));
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

static int volumes_aborted;

void volume_abort(struct volume *volume)
{
    (void)volume;
    volumes_aborted++;
}

void volume_free(struct volume *volume)
{
    volumes_open--;
    free(volume);
}

const struct config *volume_config(const struct volume *volume)
{
    return &volume->config;
}

void volume_status(const struct volume *volume, struct repl_status *status)
{
    *status = (struct repl_status){.state = volume_state, .why = "so it is", .member_count = 1};
    status->members[0] = (struct repl_member_status){
        .member = volume->config.members[0].uuid, .attached = true, .in_sync = true, .why = ""};
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

/* ---- the fake front ---- */

static struct exports exports;
static void (*removed)(void *arg);
static void *removed_arg;
static struct export *removing;

struct export *front_export_add(struct front *front, struct volume *volume)
{
    (void)front;
    struct export *export = calloc(1, sizeof(*export));
    snprintf(export->name, sizeof(export->name), "%s", volume->config.name);
    export->volume = volume;
    list_append(&exports.list, &export->node);
    return export;
}

void front_export_remove(struct front *front, struct export *export, void (*done)(void *arg),
                         void *arg)
{
    (void)front;
    ck_assert_ptr_null(removing);
    export->gone = true;
    removing = export;
    removed = done;
    removed_arg = arg;
}

static inline void export_goes(void)
{
    ck_assert_ptr_nonnull(removing);
    list_remove(&removing->node);
    free(removing);
    removing = NULL;
    removed(removed_arg);
}

struct exports *front_exports(struct front *front)
{
    (void)front;
    return &exports;
}

struct front_counters front_counters(const struct front *front)
{
    (void)front;
    return (struct front_counters){.nbd_connections = 2};
}

const char *front_address(const struct front *front, bool iscsi, uint32_t idx)
{
    (void)front;
    static const char *const nbd[] = {"127.0.0.1:10809", "unix:/run/n.sock", NULL};
    static const char *const portals[] = {"127.0.0.1:3260", NULL};
    return iscsi ? portals[idx] : nbd[idx];
}

const char *front_portal(const struct front *front, uint32_t idx)
{
    return front_address(front, true, idx);
}

/* One session, number 7, until it is dropped. */
static bool session_dropped;

void front_sessions(const struct front *front,
                    void (*each)(void *arg, const struct front_session *session), void *arg)
{
    static const struct front_session session = {.id = 7,
                                                 .protocol = "iscsi",
                                                 .peer = "10.0.0.9:40000",
                                                 .who = "iqn.h",
                                                 .export = "v1",
                                                 .in_flight = 3};
    (void)front;
    if (!session_dropped)
        each(arg, &session);
}

bool front_session_drop(struct front *front, uint64_t id)
{
    (void)front;
    bool there = id == 7 && !session_dropped;
    session_dropped |= there;
    return there;
}

#endif
