/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks, hooks and timers over libev: everything at a turn's end hangs on one prepare watcher. */
#include "common/net/loop.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>

/* Tasks that keep deferring others must not keep the sockets waiting: the turn ends after these. */
enum { LOOP_ROUNDS_MAX = 64 };

#define NS_PER_S 1000000000u

/* Runs the tasks that wait now, not those they defer. True when there was one. */
static bool loop_run_tasks(struct loop *loop)
{
    if (list_empty(&loop->tasks))
        return false;
    struct list last;
    list_append(&loop->tasks, &last);
    for (;;) {
        struct list *node = list_pop(&loop->tasks);
        ASSERT(node);
        if (node == &last)
            return true;
        struct loop_task *task = CONTAINER_OF(node, struct loop_task, node);
        task->run(task);
    }
}

static bool loop_run_hooks(struct loop *loop)
{
    bool did_something = false;
    LIST_FOR_EACH_SAFE (node, &loop->hooks) {
        struct loop_hook *hook = CONTAINER_OF(node, struct loop_hook, node);
        if (hook->run(hook))
            did_something = true;
    }
    return did_something;
}

/* How often another thread got the processor though this one had not done with it. */
static long loop_preemptions(void)
{
    struct rusage usage;
    int failed = getrusage(RUSAGE_THREAD, &usage);
    ASSERT(!failed);
    return usage.ru_nivcsw;
}

static bool loop_begins_to_look(struct loop *loop)
{
    loop->now_ns = 0;
    loop->preemptions = -1;
    return busy_poll_begin(&loop->poll, loop_now_ns(loop));
}

/* Who else wants the processor has it by the time this returns. */
static void loop_give_way(struct loop *loop)
{
    if (loop->preemptions < 0)
        loop->preemptions = loop_preemptions();
    (void)sched_yield();
}

/* The turn has nothing left to do: true when the loop should not sleep all the same. */
static bool loop_looks_on(struct loop *loop)
{
    struct busy_poll *poll = &loop->poll;
    bool came = !loop->nothing_came;
    loop->nothing_came = false;
    if (!loop->looks)
        return false;
    if (!poll->began_ns)
        return loop_begins_to_look(loop);
    uint64_t now_ns = loop_now_ns(loop);
    if (!came && busy_poll_goes_on(poll, now_ns)) {
        loop_give_way(loop);
        return true;
    }
    bool wanted = loop->preemptions >= 0 && loop_preemptions() != loop->preemptions;
    busy_poll_end(poll, now_ns, came, wanted);
    return came && loop_begins_to_look(loop);
}

static void loop_turn_ends(struct ev_loop *ev, struct ev_prepare *prepare, int events)
{
    struct loop *loop = CONTAINER_OF(prepare, struct loop, prepare);
    (void)events;
    int rounds = 0;
    while (rounds < LOOP_ROUNDS_MAX && !loop->stopping) {
        if (!loop_run_tasks(loop) && !loop_run_hooks(loop))
            break;
        rounds++;
    }
    if (rounds == LOOP_ROUNDS_MAX)
        (void)loop_run_hooks(loop);
    if (rounds == LOOP_ROUNDS_MAX || loop_looks_on(loop))
        ev_idle_start(ev, &loop->idle);
    else
        ev_idle_stop(ev, &loop->idle);
    loop->now_ns = 0;
}

static void loop_idle(struct ev_loop *ev, struct ev_idle *idle, int events)
{
    (void)ev;
    (void)events;
    CONTAINER_OF(idle, struct loop, idle)->nothing_came = true;
}

int loop_init(struct loop *loop)
{
    *loop = (struct loop){.ev = ev_loop_new(EVFLAG_NOENV)};
    if (!loop->ev)
        return -ENOMEM;
    list_init(&loop->tasks);
    list_init(&loop->hooks);
    ev_idle_init(&loop->idle, loop_idle);
    ev_prepare_init(&loop->prepare, loop_turn_ends);
    ev_prepare_start(loop->ev, &loop->prepare);
    return 0;
}

void loop_release(struct loop *loop)
{
    ASSERT(list_empty(&loop->hooks));
    while (list_pop(&loop->tasks))
        ;
    ev_idle_stop(loop->ev, &loop->idle);
    ev_prepare_stop(loop->ev, &loop->prepare);
    ev_loop_destroy(loop->ev);
    loop->ev = NULL;
}

void loop_run(struct loop *loop)
{
    if (!loop->stopping)
        ev_run(loop->ev, 0);
    loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
    ev_break(loop->ev, EVBREAK_ALL);
}

uint64_t loop_now_ns(struct loop *loop)
{
    if (loop->now_ns == 0) {
        struct timespec now;
        int failed = clock_gettime(CLOCK_MONOTONIC, &now);
        ASSERT(!failed);
        loop->now_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
    }
    return loop->now_ns;
}

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *))
{
    task->run = run;
    list_init(&task->node);
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    if (list_empty(&task->node))
        list_append(&loop->tasks, &task->node);
}

void loop_task_cancel(struct loop_task *task)
{
    list_remove(&task->node);
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
    ASSERT(hook->run);
    list_append(&loop->hooks, &hook->node);
}

void loop_hook_remove(struct loop_hook *hook)
{
    list_remove(&hook->node);
}

static void loop_timer_fired(struct ev_loop *ev, struct ev_timer *ev_timer, int events)
{
    struct loop_timer *timer = CONTAINER_OF(ev_timer, struct loop_timer, ev);
    (void)ev;
    (void)events;
    timer->run(timer);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*run)(struct loop_timer *))
{
    timer->run = run;
    timer->loop = loop;
    ev_timer_init(&timer->ev, loop_timer_fired, 0., 0.);
}

void loop_timer_start(struct loop_timer *timer, uint64_t after_ns)
{
    struct ev_loop *ev = timer->loop->ev;
    /* Outside of a turn libev's time stands still since the last one. */
    if (ev_depth(ev) == 0)
        ev_now_update(ev);
    ev_timer_stop(ev, &timer->ev);
    ev_timer_set(&timer->ev, (double)after_ns / NS_PER_S, 0.);
    ev_timer_start(ev, &timer->ev);
}

void loop_timer_stop(struct loop_timer *timer)
{
    ev_timer_stop(timer->loop->ev, &timer->ev);
}
