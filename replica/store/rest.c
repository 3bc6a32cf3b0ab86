/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes come to rest, and their files are opened again. */
#include "replica/store/rest.h"

#include "common/base/log.h"
#include "replica/store/family.h"
#include "replica/store/state.h"
#include "replica/store/volume.h"

#include <errno.h>

#define REST_AFTER_NS ((uint64_t)5000000000)

enum {
    /* At a time; when there are more the loop goes on with something else first. */
    REST_VOLUMES = 64,
    REST_STEPS = 256, /* in the time after which a volume rests */
};

static struct store_volume *awake_first(const struct rest *rest)
{
    return CONTAINER_OF(rest->awake.next, struct store_volume, awake);
}

static void rest_schedule(struct store *store)
{
    struct rest *rest = &store->rest;
    if (list_empty(&rest->awake))
        return;
    uint64_t now_ns = loop_now_ns(store->loop);
    uint64_t look_ns = awake_first(rest)->look_ns;
    uint64_t step_ns = rest->after_ns / REST_STEPS;
    uint64_t wait_ns = look_ns > now_ns ? look_ns - now_ns : 0;
    loop_timer_start(&rest->timer, wait_ns > step_ns ? wait_ns : step_ns);
}

static void look_later(struct store_volume *volume)
{
    struct rest *rest = &volume->store->rest;
    volume->used = false;
    volume->look_ns = loop_now_ns(volume->store->loop) + rest->after_ns;
    list_remove(&volume->awake);
    list_append(&rest->awake, &volume->awake);
}

static void on_timer(struct loop_timer *timer)
{
    struct store *store = CONTAINER_OF(timer, struct store, rest.timer);
    uint64_t now_ns = loop_now_ns(store->loop);
    for (int i = 0; i < REST_VOLUMES && !list_empty(&store->rest.awake); i++) {
        struct store_volume *volume = awake_first(&store->rest);
        if (volume->look_ns > now_ns)
            break;
        if (volume->used || volume->in_flight > 0) {
            look_later(volume);
            continue;
        }
        list_remove(&volume->awake);
        volume_files_rest(volume);
        family_rest(volume->family);
        if (store->rested && !volume->closing)
            store->rested(volume->arg);
    }
    rest_schedule(store);
}

void rest_init(struct store *store, uint64_t after_ns)
{
    list_init(&store->rest.awake);
    store->rest.after_ns = after_ns ? after_ns : REST_AFTER_NS;
    loop_timer_init(&store->rest.timer, store->loop, on_timer);
}

void rest_release(struct store *store)
{
    ASSERT(list_empty(&store->rest.awake));
    loop_timer_stop(&store->rest.timer);
}

void volume_used(struct store_volume *volume)
{
    volume->used = true;
    if (!list_empty(&volume->awake))
        return;
    bool first = list_empty(&volume->store->rest.awake);
    look_later(volume);
    if (first)
        rest_schedule(volume->store);
}

void volume_rest_end(struct store_volume *volume)
{
    struct rest *rest = &volume->store->rest;
    list_remove(&volume->awake);
    if (list_empty(&rest->awake))
        loop_timer_stop(&rest->timer);
}

static void run_wake(struct work *work)
{
    struct store_volume *volume = CONTAINER_OF(work, struct store_volume, wake);
    volume->wake_rc = volume_files_open(volume);
}

static void on_woken(struct work *work)
{
    struct store_volume *volume = CONTAINER_OF(work, struct store_volume, wake);
    struct list waiting;
    list_take_all(&waiting, &volume->wakes);
    if (volume->wake_rc)
        log_warn("%s", volume->error.text);
    for (struct list *node; (node = list_pop(&waiting));)
        store_resume(volume->store, CONTAINER_OF(node, struct store_req, node),
                     volume->wake_rc ? -EIO : 0);
}

enum step_next volume_wake(struct store_req *req)
{
    struct store_volume *volume = req->volume;
    bool waking = !list_empty(&volume->wakes);
    list_append(&volume->wakes, &req->node);
    if (!waking) {
        volume->wake = (struct work){.run = run_wake, .done = on_woken};
        worker_add(&volume->store->worker, &volume->wake);
    }
    return STEP_WAIT;
}
