/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over socket pairs, and how they connect. */
#include "common/net/listener.h"
#include "common/net/stream.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LARGE_BYTES = 8u << 20 };

/* A stream and what happened to it. */
struct end {
    struct stream stream;
    uint64_t received_bytes;
    uint8_t next; /* the byte that must come next, or is sent next */
    int bytes_calls;
    int sent_calls;
    int connected_calls;
    char why[128]; /* of on_closed; empty: not called */
    bool greedy;   /* consumes in on_bytes */
    bool close_in_bytes;
    bool close_in_sent;
    bool free_when_closed;
};

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static int fds[2];
static struct end a, b;
static bool in_call; /* the test calls the room: no callback may come */

static void setup(void)
{
    ck_assert_int_eq(loop_init(&loop), 0);
    stream_sender_init(&sender, &loop);
    buf_pool_init(&bufs, UINT64_MAX);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

static void teardown(void)
{
    stream_close(&a.stream);
    stream_close(&b.stream);
    stream_sender_release(&sender);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

static void on_bytes(struct stream *stream)
{
    struct end *end = CONTAINER_OF(stream, struct end, stream);
    ck_assert(!in_call);
    end->bytes_calls++;
    if (end->close_in_bytes) {
        stream_close(stream);
        free(end);
        return;
    }
    if (!end->greedy)
        return;
    const uint8_t *bytes = rx_bytes(&stream->rx);
    bool in_order = true;
    for (uint32_t i = 0; i < rx_length(&stream->rx); i++)
        in_order = in_order && bytes[i] == end->next++;
    ck_assert(in_order);
    end->received_bytes += rx_length(&stream->rx);
    rx_skip(&stream->rx, rx_length(&stream->rx));
}

static void on_sent(struct stream *stream)
{
    struct end *end = CONTAINER_OF(stream, struct end, stream);
    ck_assert(!in_call);
    end->sent_calls++;
    if (end->close_in_sent) {
        stream_close(stream);
        free(end);
    }
}

static void on_closed(struct stream *stream, const char *why)
{
    struct end *end = CONTAINER_OF(stream, struct end, stream);
    ck_assert(!in_call);
    ck_assert_int_eq(stream->fd, -1);
    snprintf(end->why, sizeof(end->why), "%s", why);
    if (end->free_when_closed)
        free(end);
}

static void on_connected(struct stream *stream)
{
    struct end *end = CONTAINER_OF(stream, struct end, stream);
    ck_assert(!in_call);
    end->connected_calls++;
}

static void events_set(struct end *end)
{
    end->stream.on_bytes = on_bytes;
    end->stream.on_sent = on_sent;
    end->stream.on_closed = on_closed;
    end->stream.on_connected = on_connected;
    end->greedy = true;
}

static void end_open(struct end *end, int fd)
{
    stream_open(&end->stream, &loop, &sender, &bufs, fd);
    events_set(end);
}

static void timer_stop(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

static void run_for_ms(uint64_t ms)
{
    struct loop_timer timer;
    loop_timer_init(&timer, &loop, timer_stop);
    loop_timer_start(&timer, ms * 1000000);
    loop_run(&loop);
}

/* Lets the loop run until `*count` is at least `wanted`: at most a few seconds. */
static void run_until(const uint64_t *count, uint64_t wanted)
{
    for (int i = 0; i < 500 && *count < wanted; i++)
        run_for_ms(10);
    ck_assert_uint_ge(*count, wanted);
}

static void run_until_closed(const struct end *end)
{
    for (int i = 0; i < 500 && !end->why[0]; i++)
        run_for_ms(10);
    ck_assert_str_ne(end->why, "");
}

/* Queues bytes that count up, as small pieces. */
static void queue(struct end *end, uint64_t length)
{
    in_call = true;
    while (length > 0) {
        uint32_t step = length < 50000 ? (uint32_t)length : 50000;
        uint8_t *space = tx_space(&end->stream.tx, step);
        for (uint32_t i = 0; i < step; i++)
            space[i] = end->next++;
        length -= step;
    }
    stream_send(&end->stream);
    in_call = false;
}

START_TEST(what_is_sent_arrives)
{
    end_open(&a, fds[0]);
    end_open(&b, fds[1]);
    queue(&a, 5);
    run_until(&b.received_bytes, 5);
    ck_assert_uint_eq(b.received_bytes, 5);
}
END_TEST

START_TEST(more_than_the_kernel_takes_arrives_both_ways)
{
    end_open(&a, fds[0]);
    end_open(&b, fds[1]);
    for (uint32_t i = 0; i < LARGE_BYTES / 4096; i++) {
        uint8_t *to_b = tx_space(&a.stream.tx, 4096);
        uint8_t *to_a = tx_space(&b.stream.tx, 4096);
        for (uint32_t j = 0; j < 4096; j++)
            to_b[j] = to_a[j] = (uint8_t)j;
    }
    stream_send(&a.stream);
    stream_send(&b.stream);
    run_until(&a.received_bytes, LARGE_BYTES);
    run_until(&b.received_bytes, LARGE_BYTES);
    ck_assert(tx_empty(&a.stream.tx) && tx_empty(&b.stream.tx));
}
END_TEST

START_TEST(one_turn_is_one_send)
{
    int packets[2];
    uint8_t got[256];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets), 0);
    end_open(&a, packets[0]);
    end_open(&b, fds[1]);
    struct slice slice = slice_get(&bufs, 100);
    memset(slice.bytes, 7, 100);
    for (int i = 0; i < 2; i++) {
        queue(&a, 3);
        tx_slice(&a.stream.tx, &slice);
    }
    slice_release(&slice);
    run_for_ms(1);
    ck_assert_int_eq(recv(packets[1], got, sizeof(got), MSG_DONTWAIT), 206);
    close(packets[1]);
    close(fds[0]);
}
END_TEST

START_TEST(sent_is_told_when_the_kernel_took_all)
{
    end_open(&a, fds[0]);
    end_open(&b, fds[1]);
    stream_pause(&b.stream);
    queue(&a, LARGE_BYTES);
    run_for_ms(20);
    ck_assert_int_eq(a.sent_calls, 0);
    stream_resume(&b.stream);
    run_until(&b.received_bytes, LARGE_BYTES);
    run_for_ms(1);
    ck_assert_int_eq(a.sent_calls, 1);
}
END_TEST

START_TEST(end_of_the_peer_comes_after_its_bytes)
{
    end_open(&b, fds[1]);
    ck_assert_int_eq(write(fds[0], "\0\1\2", 3), 3);
    close(fds[0]);
    run_until_closed(&b);
    ck_assert_uint_eq(b.received_bytes, 3);
    ck_assert_str_eq(b.why, "closed by the other end");
}
END_TEST

START_TEST(half_closed_peer_is_a_closed_one)
{
    end_open(&b, fds[1]);
    shutdown(fds[0], SHUT_WR);
    run_until_closed(&b);
    ck_assert_str_eq(b.why, "closed by the other end");
    close(fds[0]);
}
END_TEST

START_TEST(finish_sends_everything_first)
{
    end_open(&a, fds[0]);
    end_open(&b, fds[1]);
    queue(&a, LARGE_BYTES);
    in_call = true;
    stream_finish(&a.stream);
    in_call = false;
    run_until_closed(&b);
    ck_assert_uint_eq(b.received_bytes, LARGE_BYTES);
    ck_assert_str_eq(a.why, "finished");
}
END_TEST

START_TEST(finish_with_nothing_to_send_closes_from_the_loop)
{
    end_open(&a, fds[0]);
    in_call = true;
    stream_finish(&a.stream);
    in_call = false;
    run_until_closed(&a);
    ck_assert_str_eq(a.why, "finished");
    close(fds[1]);
}
END_TEST

START_TEST(finished_stream_reads_no_more)
{
    end_open(&a, fds[0]);
    queue(&a, LARGE_BYTES);
    stream_finish(&a.stream);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    run_for_ms(10);
    ck_assert_int_eq(a.bytes_calls, 0);
    ck_assert_str_eq(a.why, "");
    close(fds[1]);
}
END_TEST

START_TEST(failed_send_is_told_by_the_loop)
{
    end_open(&a, fds[0]);
    stream_pause(&a.stream);
    close(fds[1]);
    queue(&a, 1);
    run_until_closed(&a);
    ck_assert_str_eq(a.why, strerror(EPIPE));
}
END_TEST

START_TEST(paused_stream_takes_nothing_until_resumed)
{
    end_open(&b, fds[1]);
    stream_pause(&b.stream);
    ck_assert_int_eq(write(fds[0], "\0\1", 2), 2);
    run_for_ms(10);
    ck_assert_int_eq(b.bytes_calls, 0);
    stream_resume(&b.stream);
    run_until(&b.received_bytes, 2);
    close(fds[0]);
}
END_TEST

START_TEST(resume_offers_what_is_there_already)
{
    end_open(&b, fds[1]);
    b.greedy = false;
    ck_assert_int_eq(write(fds[0], "\0\1", 2), 2);
    run_for_ms(10);
    ck_assert_int_eq(b.bytes_calls, 1);
    stream_pause(&b.stream);
    b.greedy = true;
    in_call = true;
    stream_resume(&b.stream);
    in_call = false;
    run_for_ms(10);
    ck_assert_int_eq(b.bytes_calls, 2);
    ck_assert_uint_eq(b.received_bytes, 2);
    close(fds[0]);
}
END_TEST

START_TEST(resume_taken_back_offers_nothing)
{
    end_open(&b, fds[1]);
    stream_pause(&b.stream);
    stream_resume(&b.stream);
    stream_pause(&b.stream);
    run_for_ms(5);
    ck_assert_int_eq(b.bytes_calls, 0);
    close(fds[0]);
}
END_TEST

START_TEST(flooded_streams_take_turns)
{
    static uint8_t flood[150000];
    int others[2];
    for (size_t i = 0; i < sizeof(flood); i++)
        flood[i] = (uint8_t)i;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
    ck_assert_int_eq(write(fds[0], flood, sizeof(flood)), sizeof(flood));
    ck_assert_int_eq(write(others[0], flood, sizeof(flood)), sizeof(flood));
    end_open(&a, fds[1]);
    end_open(&b, others[1]);
    while (a.bytes_calls + b.bytes_calls < 4) {
        ev_run(loop.ev, EVRUN_ONCE);
        ck_assert_int_eq(a.bytes_calls, b.bytes_calls);
    }
    close(fds[0]);
    close(others[0]);
}
END_TEST

START_TEST(idle_stream_holds_no_buffer)
{
    end_open(&a, fds[0]);
    end_open(&b, fds[1]);
    queue(&a, 100);
    run_until(&b.received_bytes, 100);
    ck_assert_uint_eq(bufs.used_bytes, 0);
}
END_TEST

START_TEST(memory_may_go_in_on_bytes)
{
    struct end *end = calloc(1, sizeof(*end));
    end_open(end, fds[1]);
    end->close_in_bytes = true;
    ck_assert_int_eq(write(fds[0], "x", 1), 1);
    run_for_ms(10);
    ck_assert_int_eq((int)read(fds[0], &(char){0}, 1), 0);
    close(fds[0]);
}
END_TEST

START_TEST(memory_may_go_in_on_sent)
{
    struct end *end = calloc(1, sizeof(*end));
    char got;
    end_open(end, fds[1]);
    end->close_in_sent = true;
    queue(end, 1);
    run_for_ms(10);
    ck_assert_int_eq((int)read(fds[0], &got, 1), 1);
    ck_assert_int_eq((int)read(fds[0], &got, 1), 0);
    close(fds[0]);
}
END_TEST

START_TEST(memory_may_go_in_on_closed)
{
    struct end *end = calloc(1, sizeof(*end));
    end_open(end, fds[1]);
    end->free_when_closed = true;
    close(fds[0]);
    run_for_ms(10);
    ck_assert_uint_eq(bufs.used_bytes, 0);
}
END_TEST

START_TEST(close_drops_what_is_queued_and_is_silent)
{
    end_open(&a, fds[0]);
    queue(&a, 1000);
    stream_close(&a.stream);
    stream_close(&a.stream);
    run_for_ms(5);
    ck_assert_str_eq(a.why, "");
    ck_assert_int_eq((int)read(fds[1], &(char){0}, 1), 0);
    close(fds[1]);
}
END_TEST

START_TEST(closed_stream_drops_what_is_written)
{
    end_open(&a, fds[0]);
    stream_close(&a.stream);
    queue(&a, 1000);
    ck_assert_uint_eq(bufs.used_bytes, 0);
    close(fds[1]);
}
END_TEST

/* Connecting. */

static struct listener listener;
static int accepted_fd;

static void on_accept(struct listener *from, int fd)
{
    (void)from;
    accepted_fd = fd;
}

static void listen_at(const char *text, struct address *address)
{
    struct error error;
    ck_assert_int_eq(address_parse(address, text, 0, &error), 0);
    ck_assert_msg(listener_open(&listener, &loop, address, on_accept, &error) == 0, "%s",
                  error.text);
    *address = listener.address;
    accepted_fd = -1;
}

static void end_connect(struct end *end, const struct address *address)
{
    in_call = true;
    ck_assert_int_eq(stream_connect(&end->stream, &loop, &sender, &bufs, address), 0);
    in_call = false;
    events_set(end);
}

START_TEST(connected_is_told_and_what_was_written_before_is_sent)
{
    struct address address;
    char path[64];
    char got[8];
    snprintf(path, sizeof(path), "unix:/tmp/strake-stream-%d.sock", (int)getpid());
    listen_at(_i ? path : "127.0.0.1:0", &address);
    end_connect(&a, &address);
    queue(&a, 3);
    ck_assert_int_eq(a.connected_calls, 0);
    run_for_ms(20);
    ck_assert_int_eq(a.connected_calls, 1);
    ck_assert_int_eq((int)recv(accepted_fd, got, sizeof(got), 0), 3);
    close(accepted_fd);
    close(fds[0]);
    close(fds[1]);
    listener_close(&listener);
}
END_TEST

START_TEST(refused_connection_is_told)
{
    struct address address;
    listen_at("127.0.0.1:0", &address);
    listener_close(&listener);
    int status = stream_connect(&a.stream, &loop, &sender, &bufs, &address);
    events_set(&a);
    if (status == 0) {
        run_until_closed(&a);
        ck_assert_str_eq(a.why, strerror(ECONNREFUSED));
    } else {
        ck_assert_int_eq(status, -ECONNREFUSED);
    }
    ck_assert_int_eq(a.stream.fd, -1);
}
END_TEST

START_TEST(missing_path_is_refused_at_once)
{
    struct address address;
    struct error error;
    ck_assert_int_eq(address_parse(&address, "unix:/tmp/strake-no-such.sock", 0, &error), 0);
    ck_assert_int_eq(stream_connect(&a.stream, &loop, &sender, &bufs, &address), -ENOENT);
    ck_assert_int_eq(a.stream.fd, -1);
}
END_TEST

START_TEST(finish_while_connecting_still_sends)
{
    struct address address;
    char got[8];
    listen_at("127.0.0.1:0", &address);
    end_connect(&a, &address);
    queue(&a, 3);
    stream_finish(&a.stream);
    run_until_closed(&a);
    ck_assert_str_eq(a.why, "finished");
    ck_assert_int_eq((int)recv(accepted_fd, got, sizeof(got), 0), 3);
    close(accepted_fd);
    listener_close(&listener);
}
END_TEST

START_TEST(sockets_do_not_block_are_not_inherited_and_do_not_wait)
{
    struct address address;
    int no_delay = 0;
    socklen_t length = sizeof(no_delay);
    listen_at("127.0.0.1:0", &address);
    end_connect(&a, &address);
    run_for_ms(20);
    fcntl(accepted_fd, F_SETFL, 0);
    fcntl(accepted_fd, F_SETFD, 0);
    end_open(&b, accepted_fd);
    for (int i = 0; i < 2; i++) {
        int fd = i ? a.stream.fd : b.stream.fd;
        ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &length), 0);
        ck_assert_int_ne(no_delay, 0);
    }
    listener_close(&listener);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net/stream");
    TCase *tests = tcase_create("stream");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_is_sent_arrives);
    tcase_add_test(tests, more_than_the_kernel_takes_arrives_both_ways);
    tcase_add_test(tests, one_turn_is_one_send);
    tcase_add_test(tests, sent_is_told_when_the_kernel_took_all);
    tcase_add_test(tests, end_of_the_peer_comes_after_its_bytes);
    tcase_add_test(tests, half_closed_peer_is_a_closed_one);
    tcase_add_test(tests, finish_sends_everything_first);
    tcase_add_test(tests, finish_with_nothing_to_send_closes_from_the_loop);
    tcase_add_test(tests, finished_stream_reads_no_more);
    tcase_add_test(tests, failed_send_is_told_by_the_loop);
    tcase_add_test(tests, paused_stream_takes_nothing_until_resumed);
    tcase_add_test(tests, resume_offers_what_is_there_already);
    tcase_add_test(tests, resume_taken_back_offers_nothing);
    tcase_add_test(tests, flooded_streams_take_turns);
    tcase_add_test(tests, idle_stream_holds_no_buffer);
    tcase_add_test(tests, memory_may_go_in_on_bytes);
    tcase_add_test(tests, memory_may_go_in_on_sent);
    tcase_add_test(tests, memory_may_go_in_on_closed);
    tcase_add_test(tests, close_drops_what_is_queued_and_is_silent);
    tcase_add_test(tests, closed_stream_drops_what_is_written);
    tcase_add_loop_test(tests, connected_is_told_and_what_was_written_before_is_sent, 0, 2);
    tcase_add_test(tests, refused_connection_is_told);
    tcase_add_test(tests, missing_path_is_refused_at_once);
    tcase_add_test(tests, finish_while_connecting_still_sends);
    tcase_add_test(tests, sockets_do_not_block_are_not_inherited_and_do_not_wait);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
