/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of a thread: libev, plus what the house needs from it. A turn is: wait for events,
 * run their callbacks, run what was deferred, then let each hook finish the turn (submit the disk's
 * requests in one call, send each stream's bytes in one call). An idle loop sleeps without a timer;
 * one that is at work may look for events for a while before that (busy_poll.h).
 */
#ifndef STRAKE_NET_LOOP_H
#define STRAKE_NET_LOOP_H

#include "common/base/list.h"
#include "common/net/busy_poll.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

/* Work for later in this turn: never run from inside the call that deferred it. */
struct loop_task {
    void (*run)(struct loop_task *task);
    struct list node; /* list_init'ed when idle */
};

/*
 * Called when nothing else is left to do in a turn, before the loop sleeps, in the order they were
 * added; true when it did something, and then all are called again after what that set off. A hook
 * may remove itself while it runs, and no other.
 */
struct loop_hook {
    bool (*run)(struct loop_hook *hook);
    struct list node;
};

struct loop_timer {
    void (*run)(struct loop_timer *timer);
    struct loop *loop;
    struct ev_timer ev;
};

struct loop {
    struct ev_loop *ev; /* owned */
    struct list tasks;
    struct list hooks;
    bool stopping;
    bool looks; /* set by who made it: may look for events before it sleeps */
    /* private */
    struct ev_prepare prepare; /* the end of a turn */
    struct ev_idle idle;       /* runs while the loop must not sleep and no event comes */
    bool nothing_came;         /* in this turn */
    struct busy_poll poll;
    long preemptions; /* when it had to look for longer than once; before, -1 */
    uint64_t now_ns;  /* of this turn; 0: not asked for yet */
};

/* 0 or -ENOMEM. */
MUST_USE int loop_init(struct loop *loop);
void loop_release(struct loop *loop);
/* Runs until loop_stop; at once done if that was called before. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Monotonic time of this turn. */
uint64_t loop_now_ns(struct loop *loop);

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *));
/* Once per turn at most: harmless when it is waiting already. */
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop_task *task);

void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop_hook *hook);

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*run)(struct loop_timer *));
/* One shot, `after_ns` from now; a running one is moved. */
void loop_timer_start(struct loop_timer *timer, uint64_t after_ns);
void loop_timer_stop(struct loop_timer *timer);

#endif
