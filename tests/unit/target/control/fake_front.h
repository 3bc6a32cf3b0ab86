/* SPDX-License-Identifier: Apache-2.0 */
/* The front for the tests of the room: exports that no client uses unless the test says so. */
#ifndef STRAKE_TESTS_CONTROL_FAKE_FRONT_H
#define STRAKE_TESTS_CONTROL_FAKE_FRONT_H

#include "tests/unit/target/control/fake_volumes.h"

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

struct export *front_view_add(struct front *front, struct volume *volume,
                              const struct front_view *view)
{
    (void)front;
    struct export *export = calloc(1, sizeof(*export));
    memcpy(export->name, view->name, sizeof(export->name));
    export->volume = volume;
    export->generation = view->generation;
    export->size_bytes = view->size_bytes;
    export->hidden = !view->listed;
    list_append(&exports.list, &export->node);
    return export;
}

/* Exports whose reservations are awaited; of those told, how many bytes the row had. */
static uint32_t exports_held;
static size_t reservations_bytes;

void front_export_hold(struct export *export)
{
    (void)export;
    exports_held++;
}

void front_export_reservations(struct front *front, struct export *export, const uint8_t *bytes,
                               size_t length)
{
    (void)front;
    (void)export;
    (void)bytes;
    if (exports_held > 0)
        exports_held--;
    reservations_bytes = length;
}

void front_export_resize(struct front *front, struct export *export, uint64_t size_bytes)
{
    (void)front;
    export->size_bytes = size_bytes;
}

void front_export_news(struct export *export, enum front_news news)
{
    (void)export;
    (void)news;
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
