/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a turn: events, then tasks, then hooks, until nothing is left. */
#include "common/net/loop.h"
#include "tests/lib/suite.h"

#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { TRACE_MAX = 256 };

static struct loop loop;
static char trace[TRACE_MAX]; /* one letter for each thing that ran */

static void setup(void)
{
    ck_assert_int_eq(loop_init(&loop), 0);
}

static void teardown(void)
{
    loop_release(&loop);
}

static void note(char what)
{
    size_t length = strlen(trace);
    ck_assert_uint_lt(length, TRACE_MAX - 1);
    trace[length] = what;
}

static void task_a(struct loop_task *task)
{
    (void)task;
    note('a');
}

static void task_b(struct loop_task *task)
{
    (void)task;
    note('b');
}

static void task_stop(struct loop_task *task)
{
    (void)task;
    loop_stop(&loop);
}

static void timer_stop(struct loop_timer *timer)
{
    note('t');
    loop_stop(timer->loop);
}

START_TEST(tasks_run_in_the_order_they_were_deferred)
{
    struct loop_task a, b, stop;
    loop_task_init(&a, task_a);
    loop_task_init(&b, task_b);
    loop_task_init(&stop, task_stop);
    loop_defer(&loop, &b);
    loop_defer(&loop, &a);
    loop_defer(&loop, &stop);
    ck_assert_str_eq(trace, "");
    loop_run(&loop);
    ck_assert_str_eq(trace, "ba");
}
END_TEST

START_TEST(a_task_deferred_twice_runs_once)
{
    struct loop_task a, stop;
    loop_task_init(&a, task_a);
    loop_task_init(&stop, task_stop);
    loop_defer(&loop, &a);
    loop_defer(&loop, &a);
    loop_defer(&loop, &stop);
    loop_run(&loop);
    ck_assert_str_eq(trace, "a");
}
END_TEST

START_TEST(a_cancelled_task_does_not_run)
{
    struct loop_task a, stop;
    loop_task_init(&a, task_a);
    loop_task_init(&stop, task_stop);
    loop_defer(&loop, &a);
    loop_defer(&loop, &stop);
    loop_task_cancel(&a);
    loop_task_cancel(&a);
    loop_run(&loop);
    ck_assert_str_eq(trace, "");
}
END_TEST

static struct loop_task task_chain_next;

static void task_chain(struct loop_task *task)
{
    (void)task;
    note('c');
    loop_defer(&loop, &task_chain_next);
    note('d');
}

static bool hook_h(struct loop_hook *hook)
{
    (void)hook;
    note('h');
    return false;
}

START_TEST(a_task_deferred_by_a_task_runs_after_it_and_before_the_hooks)
{
    struct loop_task chain;
    struct loop_timer end;
    struct loop_hook hook = {.run = hook_h};
    loop_task_init(&chain, task_chain);
    loop_task_init(&task_chain_next, task_a);
    loop_hook_add(&loop, &hook);
    loop_timer_init(&end, &loop, timer_stop);
    loop_timer_start(&end, 1000000);
    loop_defer(&loop, &chain);
    loop_run(&loop);
    ck_assert_int_eq(strncmp(trace, "cdah", 4), 0);
    loop_hook_remove(&hook);
}
END_TEST

static int hook_work_left;

static bool hook_w(struct loop_hook *hook)
{
    (void)hook;
    note('w');
    return hook_work_left-- > 0;
}

static bool hook_stop(struct loop_hook *hook)
{
    (void)hook;
    note('s');
    if (hook_work_left < 0)
        loop_stop(&loop);
    return false;
}

START_TEST(hooks_run_again_in_order_until_none_did_something)
{
    struct loop_hook work = {.run = hook_w};
    struct loop_hook stop = {.run = hook_stop};
    hook_work_left = 2;
    loop_hook_add(&loop, &work);
    loop_hook_add(&loop, &stop);
    loop_run(&loop);
    ck_assert_str_eq(trace, "wswsws");
    loop_hook_remove(&work);
    loop_hook_remove(&stop);
}
END_TEST

static struct loop_task hook_task;
static bool hook_deferred;

static bool hook_defers(struct loop_hook *hook)
{
    (void)hook;
    note('h');
    if (hook_deferred) {
        loop_stop(&loop);
        return false;
    }
    hook_deferred = true;
    loop_defer(&loop, &hook_task);
    return true;
}

START_TEST(what_a_hook_defers_runs_before_the_loop_sleeps)
{
    struct loop_hook hook = {.run = hook_defers};
    loop_task_init(&hook_task, task_a);
    loop_hook_add(&loop, &hook);
    loop_run(&loop);
    ck_assert_str_eq(trace, "hah");
    loop_hook_remove(&hook);
}
END_TEST

static int forever_count;

static void task_forever(struct loop_task *task)
{
    forever_count++;
    loop_defer(&loop, task);
}

static bool hook_count_is_seen;

static bool hook_sees(struct loop_hook *hook)
{
    (void)hook;
    hook_count_is_seen = forever_count > 0;
    return false;
}

START_TEST(tasks_without_end_starve_neither_timers_nor_hooks)
{
    struct loop_task forever;
    struct loop_timer end;
    struct loop_hook hook = {.run = hook_sees};
    loop_task_init(&forever, task_forever);
    loop_timer_init(&end, &loop, timer_stop);
    loop_timer_start(&end, 1000000);
    loop_hook_add(&loop, &hook);
    loop_defer(&loop, &forever);
    loop_run(&loop);
    ck_assert_str_eq(trace, "t");
    ck_assert_int_gt(forever_count, 1);
    ck_assert(hook_count_is_seen);
    loop_task_cancel(&forever);
    loop_hook_remove(&hook);
}
END_TEST

static struct loop_task io_task;

static void io_readable(struct ev_loop *ev, struct ev_io *io, int events)
{
    (void)events;
    note('i');
    ev_io_stop(ev, io);
    loop_defer(&loop, &io_task);
}

START_TEST(tasks_of_a_callback_run_in_its_turn)
{
    int ends[2];
    struct ev_io io;
    struct loop_hook hook = {.run = hook_h};
    struct loop_timer end;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    loop_task_init(&io_task, task_a);
    loop_hook_add(&loop, &hook);
    loop_timer_init(&end, &loop, timer_stop);
    loop_timer_start(&end, 100000000);
    ev_io_init(&io, io_readable, ends[0], EV_READ);
    ev_io_start(loop.ev, &io);
    loop_run(&loop);
    ck_assert_int_eq(strncmp(trace, "hiah", 4), 0);
    loop_hook_remove(&hook);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(stop_before_run_is_not_lost)
{
    loop_stop(&loop);
    loop_run(&loop);
    ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(a_loop_that_was_stopped_runs_again)
{
    struct loop_task a, stop;
    loop_task_init(&a, task_a);
    loop_task_init(&stop, task_stop);
    for (int i = 0; i < 2; i++) {
        loop_defer(&loop, &a);
        loop_defer(&loop, &stop);
        loop_run(&loop);
    }
    ck_assert_str_eq(trace, "aa");
}
END_TEST

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

START_TEST(timer_fires_once_and_not_before_its_time)
{
    struct loop_timer timer;
    uint64_t began_ns = monotonic_ns();
    loop_timer_init(&timer, &loop, timer_stop);
    loop_timer_start(&timer, 30000000);
    loop_run(&loop);
    /* libev's clock may be a tick behind the real one. */
    ck_assert_uint_ge(monotonic_ns() - began_ns, 29000000);
    ck_assert_str_eq(trace, "t");
}
END_TEST

START_TEST(timer_counts_from_now_after_a_long_start)
{
    struct loop_timer timer;
    usleep(40000);
    uint64_t began_ns = monotonic_ns();
    loop_timer_init(&timer, &loop, timer_stop);
    loop_timer_start(&timer, 20000000);
    loop_run(&loop);
    ck_assert_uint_ge(monotonic_ns() - began_ns, 19000000);
}
END_TEST

static void timer_note(struct loop_timer *timer)
{
    (void)timer;
    note('n');
}

START_TEST(a_running_timer_is_moved_and_a_stopped_one_is_silent)
{
    struct loop_timer moved, stopped, end;
    loop_timer_init(&moved, &loop, timer_note);
    loop_timer_init(&stopped, &loop, timer_note);
    loop_timer_init(&end, &loop, timer_stop);
    loop_timer_start(&moved, 1000000);
    loop_timer_start(&moved, 60000000000);
    loop_timer_start(&stopped, 1000000);
    loop_timer_stop(&stopped);
    loop_timer_start(&end, 20000000);
    loop_run(&loop);
    ck_assert_str_eq(trace, "t");
    loop_timer_stop(&moved);
}
END_TEST

static void task_time(struct loop_task *task)
{
    (void)task;
    uint64_t now_ns = loop_now_ns(&loop);
    usleep(2000);
    ck_assert_uint_eq(loop_now_ns(&loop), now_ns);
    note('a');
}

START_TEST(time_stands_still_within_a_turn)
{
    struct loop_task task;
    struct loop_timer end;
    uint64_t began_ns = monotonic_ns();
    loop_task_init(&task, task_time);
    loop_timer_init(&end, &loop, timer_stop);
    loop_timer_start(&end, 10000000);
    loop_defer(&loop, &task);
    loop_run(&loop);
    ck_assert_str_eq(trace, "at");
    ck_assert_uint_ge(loop_now_ns(&loop) - began_ns, 9000000);
}
END_TEST

static long switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

START_TEST(idle_loop_sleeps)
{
    struct loop_hook hook = {.run = hook_h};
    struct loop_timer end;
    long before = switches();
    loop_hook_add(&loop, &hook);
    loop_timer_init(&end, &loop, timer_stop);
    loop_timer_start(&end, 300000000);
    loop_run(&loop);
    ck_assert_int_le(switches() - before, 4);
    ck_assert_uint_le(strlen(trace), 4);
    loop_hook_remove(&hook);
}
END_TEST

static uint32_t turn_count;

static bool hook_counts(struct loop_hook *hook)
{
    (void)hook;
    turn_count++;
    return false;
}

/* Of 300 ms it may look for a tenth of one: some hundred turns. */
START_TEST(a_loop_that_looks_for_events_sleeps_when_none_come)
{
    struct loop_hook hook = {.run = hook_counts};
    struct loop_timer end;
    loop.looks = true;
    loop_hook_add(&loop, &hook);
    loop_timer_init(&end, &loop, timer_stop);
    loop_timer_start(&end, 300000000);
    loop_run(&loop);
    ck_assert_str_eq(trace, "t");
    ck_assert_uint_gt(turn_count, 2);
    ck_assert_uint_lt(turn_count, 10000);
    loop_hook_remove(&hook);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net/loop");
    TCase *tests = tcase_create("loop");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, tasks_run_in_the_order_they_were_deferred);
    tcase_add_test(tests, a_task_deferred_twice_runs_once);
    tcase_add_test(tests, a_cancelled_task_does_not_run);
    tcase_add_test(tests, a_task_deferred_by_a_task_runs_after_it_and_before_the_hooks);
    tcase_add_test(tests, hooks_run_again_in_order_until_none_did_something);
    tcase_add_test(tests, what_a_hook_defers_runs_before_the_loop_sleeps);
    tcase_add_test(tests, tasks_without_end_starve_neither_timers_nor_hooks);
    tcase_add_test(tests, tasks_of_a_callback_run_in_its_turn);
    tcase_add_test(tests, stop_before_run_is_not_lost);
    tcase_add_test(tests, a_loop_that_was_stopped_runs_again);
    tcase_add_test(tests, timer_fires_once_and_not_before_its_time);
    tcase_add_test(tests, timer_counts_from_now_after_a_long_start);
    tcase_add_test(tests, a_running_timer_is_moved_and_a_stopped_one_is_silent);
    tcase_add_test(tests, time_stands_still_within_a_turn);
    tcase_add_test(tests, idle_loop_sleeps);
    tcase_add_test(tests, a_loop_that_looks_for_events_sleeps_when_none_come);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
