/* SPDX-License-Identifier: Apache-2.0 */
/* Links within TLS that do not come about: each end has a reason. */
#include "common/link/link.h"
#include "tests/lib/certificates.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct link a, b;
static char why_a[128], why_b[128];
static int ups;
static int fds[2];
static struct tls_context *tls, *other;

static struct tls_context *context_new(void)
{
    char directory[64];
    struct error error;
    certificate_directory_of_one(directory);
    struct tls_context *context = tls_context_new(directory, true, &error);
    ck_assert_msg(context != NULL, "%s", error.text);
    certificate_directory_remove(directory);
    return context;
}

static void on_frame(struct link *link, const struct frame *frame)
{
    (void)link;
    (void)frame;
    ck_abort_msg("a frame came");
}

static void on_up(struct link *link)
{
    ck_assert(link->up);
    ups++;
}

static void on_down(struct link *link, const char *why)
{
    snprintf(link == &a ? why_a : why_b, sizeof(why_a), "%s", why);
}

static void setup(void)
{
    const struct link fresh = {.on_frame = on_frame, .on_down = on_down, .on_up = on_up};
    ck_assert_int_eq(loop_init(&loop), 0);
    stream_sender_init(&sender, &loop);
    buf_pool_init(&bufs, UINT64_MAX);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    a = b = fresh;
    tls = context_new();
    other = context_new();
}

static void teardown(void)
{
    link_close(&a);
    link_close(&b);
    tls_context_free(tls);
    tls_context_free(other);
    stream_sender_release(&sender);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        ev_run(loop.ev, EVRUN_NOWAIT);
}

static void timer_stop(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

/* Both ends take a socket that stands: a's stream is put within TLS as a client's. */
static void join(struct tls_context *of_a, struct tls_context *of_b)
{
    const struct frame ping = {.type = FRAME_PING};
    link_accept(&a, &loop, &sender, &bufs, fds[0]);
    if (of_a) {
        a.tls = of_a;
        stream_secure(&a.stream, of_a, false);
    }
    b.tls = of_b;
    link_accept(&b, &loop, &sender, &bufs, fds[1]);
    link_send(&a, &ping);
}

START_TEST(it_is_not_up_before_the_handshake)
{
    join(tls, tls);
    ck_assert(!b.up);
    ck_assert_str_eq(link_peer(&b), "");
    link_close(&a);
    turns(10);
    ck_assert_str_eq(why_b, "closed by the other end in the TLS handshake");
}
END_TEST

static void on_ping(struct link *link, const struct frame *frame)
{
    ck_assert_uint_eq(frame->type, FRAME_PING);
    ck_assert_str_eq(link_peer(link), "certificate member");
    ck_assert(link->up);
    ups += 10;
}

START_TEST(it_is_up_before_its_first_frame)
{
    join(tls, tls);
    b.on_frame = on_ping;
    turns(20);
    ck_assert_int_eq(ups, 12); /* each end once, and the frame */
    ck_assert_str_eq(link_peer(&a), "certificate member");
}
END_TEST

START_TEST(strangers_are_refused_at_both_ends)
{
    join(other, tls);
    turns(20);
    ck_assert_int_eq(ups, 0);
    /* a finds its peer's certificate wrong first, and says so. */
    ck_assert_str_eq(why_a, "TLS: the other end's certificate: certificate signature failure");
    ck_assert_str_eq(why_b, "TLS: refused by the other end: decrypt error");
}
END_TEST

START_TEST(a_plain_end_is_refused)
{
    join(NULL, tls);
    turns(20);
    ck_assert_str_eq(why_b, "TLS: the other end does not speak it");
    ck_assert_str_eq(why_a, "the other end speaks TLS, this one was not told to");
}
END_TEST

START_TEST(tls_is_heard_by_a_plain_end)
{
    join(tls, NULL);
    turns(20);
    ck_assert_str_eq(why_b, "the other end speaks TLS, this one was not told to");
    ck_assert_str_eq(why_a, "closed by the other end in the TLS handshake");
}
END_TEST

START_TEST(a_handshake_has_a_time_limit)
{
    struct loop_timer timer;
    b.tls = tls;
    link_accept(&b, &loop, &sender, &bufs, fds[1]);
    ck_assert(ev_is_active(&b.secure_by.ev));
    loop_timer_start(&b.secure_by, 1000000);
    loop_timer_init(&timer, &loop, timer_stop);
    loop_timer_start(&timer, 30000000);
    loop_run(&loop);
    ck_assert_str_eq(why_b, "TLS: the handshake took too long");
    close(fds[0]);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("link_tls");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, it_is_not_up_before_the_handshake);
    tcase_add_test(tests, it_is_up_before_its_first_frame);
    tcase_add_test(tests, strangers_are_refused_at_both_ends);
    tcase_add_test(tests, a_plain_end_is_refused);
    tcase_add_test(tests, tls_is_heard_by_a_plain_end);
    tcase_add_test(tests, a_handshake_has_a_time_limit);
    Suite *suite = suite_create("link_tls");
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
