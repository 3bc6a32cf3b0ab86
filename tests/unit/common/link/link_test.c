/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links. What all kinds promise is tested by the same body over TCP, within TLS and in memory
 * (`_i`); what is one kind's own comes after.
 */
#include "common/link/link.h"
#include "common/net/listener.h"
#include "tests/lib/certificates.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KIND_TCP, KIND_TLS, KIND_MEMORY, KIND_COUNT };

/* An end and what happened to it. */
struct end {
    struct link *link;
    uint64_t frames;
    struct frame last; /* without its lent parts */
    char body[64];
    struct slice payload; /* a reference of its own */
    bool crc_ok;
    int ups;
    int sents;
    char why[128];
    bool echo; /* answers each frame with the same */
    bool close_in_frame;
    bool close_in_down;
};

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct listener listener;
static struct tls_context *tls; /* of both ends, once asked for */
static struct end a, b;         /* a connects to b */
static bool in_call;            /* the test calls the room: no callback may come */

static void end_free(struct end *end)
{
    link_close(end->link);
    free(end->link);
    end->link = NULL;
}

static void on_frame(struct link *link, const struct frame *frame)
{
    struct end *end = link->owner;
    ck_assert(!in_call);
    ck_assert_uint_lt(frame->body_bytes, sizeof(end->body));
    end->frames++;
    end->last = *frame;
    if (frame->body_bytes)
        memcpy(end->body, frame->body, frame->body_bytes);
    slice_release(&end->payload);
    if (frame->payload.length_bytes) {
        end->payload = slice_ref(&frame->payload);
        end->crc_ok = slice_crc_ok(&frame->payload);
    }
    if (end->echo)
        link_send(link, frame);
    if (end->close_in_frame) {
        end_free(end);
        /* What is lent outlives the link. */
        if (frame->body_bytes)
            ck_assert_mem_eq(frame->body, end->body, frame->body_bytes);
    }
}

static void on_down(struct link *link, const char *why)
{
    struct end *end = link->owner;
    ck_assert(!in_call && !link->up);
    ck_assert_str_eq(end->why, "");
    snprintf(end->why, sizeof(end->why), "%s", why);
    if (end->close_in_down)
        end_free(end);
}

static void on_up(struct link *link)
{
    struct end *end = link->owner;
    ck_assert(!in_call && link->up);
    end->ups++;
}

static void on_sent(struct link *link)
{
    struct end *end = link->owner;
    ck_assert(!in_call);
    end->sents++;
}

static void end_init(struct end *end)
{
    *end = (struct end){.link = calloc(1, sizeof(*end->link))};
    ck_assert_ptr_nonnull(end->link);
    end->link->on_frame = on_frame;
    end->link->on_down = on_down;
    end->link->on_up = on_up;
    end->link->on_sent = on_sent;
    end->link->owner = end;
}

static void on_accept(struct listener *from, int fd)
{
    (void)from;
    link_accept(b.link, &loop, &sender, &bufs, fd);
}

static void setup(void)
{
    struct address address;
    struct error error;
    ck_assert_int_eq(loop_init(&loop), 0);
    stream_sender_init(&sender, &loop);
    buf_pool_init(&bufs, UINT64_MAX);
    ck_assert_int_eq(address_parse(&address, "127.0.0.1:0", 0, &error), 0);
    ck_assert_int_eq(listener_open(&listener, &loop, &address, on_accept, &error), 0);
    end_init(&a);
    end_init(&b);
}

static void teardown(void)
{
    slice_release(&a.payload);
    slice_release(&b.payload);
    if (a.link)
        end_free(&a);
    if (b.link)
        end_free(&b);
    listener_close(&listener);
    tls_context_free(tls);
    stream_sender_release(&sender);
    loop_release(&loop);
    buf_pool_release(&bufs);
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

/* Lets the loop run until `end` has `wanted` frames: at most a few seconds. */
static void run_until(const struct end *end, uint64_t wanted)
{
    for (int i = 0; i < 500 && end->frames < wanted; i++)
        run_for_ms(10);
    ck_assert_uint_eq(end->frames, wanted);
}

static void secure_both(void)
{
    char directory[64];
    struct error error;
    certificate_directory_of_one(directory);
    tls = tls ? tls : tls_context_new(directory, true, &error);
    certificate_directory_remove(directory);
    a.link->tls = b.link->tls = tls;
}

static void join(int kind)
{
    if (kind == KIND_TLS)
        secure_both();
    if (kind == KIND_MEMORY) {
        link_pair(a.link, b.link, &loop, &bufs);
    } else {
        ck_assert_int_eq(link_connect(a.link, &loop, &sender, &bufs, &listener.address), 0);
        for (int i = 0; i < 500 && !(a.link->up && b.link->up); i++)
            run_for_ms(5);
    }
    ck_assert(a.link->up && b.link->up);
}

static void send_frame(struct end *end, const struct frame *frame)
{
    in_call = true;
    link_send(end->link, frame);
    in_call = false;
}

static struct frame flush_frame(uint64_t request)
{
    return (struct frame){.type = FRAME_FLUSH, .session = 1, .request = request};
}

static struct slice payload_of(uint32_t length, uint8_t byte)
{
    struct slice slice = slice_get(&bufs, length);
    memset(slice.bytes, byte, length);
    slice_crc_fill(&slice);
    return slice;
}

static struct frame write_frame(const struct slice *payload, uint64_t request)
{
    return (struct frame){.type = FRAME_WRITE,
                          .session = 1,
                          .request = request,
                          .length_bytes = payload->length_bytes,
                          .payload = *payload};
}

START_TEST(frame_with_a_body_arrives)
{
    uint8_t body[] = "hello";
    struct frame frame = {
        .type = FRAME_ACCEPT, .session = 7, .request = 8, .body = body, .body_bytes = sizeof(body)};
    join(_i);
    send_frame(&a, &frame);
    memset(body, 0, sizeof(body)); /* lent for the call alone */
    run_until(&b, 1);
    ck_assert_uint_eq(b.last.type, FRAME_ACCEPT);
    ck_assert_uint_eq(b.last.session, 7);
    ck_assert_uint_eq(b.last.request, 8);
    ck_assert_uint_eq(b.last.body_bytes, sizeof(body));
    ck_assert_str_eq(b.body, "hello");
}
END_TEST

START_TEST(payload_arrives_with_its_checksums)
{
    struct slice payload = payload_of(PAYLOAD_BYTES_MAX, 0x5a);
    struct frame frame = write_frame(&payload, 1);
    join(_i);
    send_frame(&a, &frame);
    slice_release(&payload);
    run_until(&b, 1);
    ck_assert_uint_eq(b.payload.length_bytes, PAYLOAD_BYTES_MAX);
    ck_assert_uint_eq(b.payload.bytes[PAYLOAD_BYTES_MAX - 1], 0x5a);
    ck_assert(b.crc_ok);
}
END_TEST

static void on_frame_ordered(struct link *link, const struct frame *frame)
{
    struct end *end = link->owner;
    ck_assert_uint_eq(frame->request, end->frames);
    end->frames++;
}

START_TEST(frames_arrive_in_order)
{
    struct slice payload = payload_of(3 * BLOCK_BYTES, 1);
    join(_i);
    b.link->on_frame = on_frame_ordered;
    for (uint64_t i = 0; i < 1000; i++) {
        struct frame frame = i % 3 ? write_frame(&payload, i) : flush_frame(i);
        send_frame(&a, &frame);
    }
    slice_release(&payload);
    run_until(&b, 1000);
}
END_TEST

START_TEST(answer_comes_back)
{
    struct frame frame = flush_frame(5);
    join(_i);
    b.echo = true;
    send_frame(&a, &frame);
    run_until(&a, 1);
    ck_assert_uint_eq(a.last.request, 5);
}
END_TEST

START_TEST(receipt_is_stamped)
{
    struct frame frame = flush_frame(5);
    join(_i);
    run_for_ms(20);
    uint64_t before_ns = b.link->last_received_ns;
    send_frame(&a, &frame);
    run_until(&b, 1);
    ck_assert_uint_gt(b.link->last_received_ns, before_ns);
}
END_TEST

START_TEST(close_is_told_to_the_other_end_after_what_was_sent)
{
    struct frame frame = flush_frame(5);
    join(_i);
    send_frame(&a, &frame);
    run_until(&b, 1);
    in_call = true;
    link_close(a.link);
    in_call = false;
    run_for_ms(20);
    ck_assert_str_eq(b.why, "closed by the other end");
    ck_assert_str_eq(a.why, "");
    ck_assert(!a.link->up && !b.link->up);
}
END_TEST

START_TEST(dead_link_drops_what_is_sent)
{
    struct slice payload = payload_of(BLOCK_BYTES, 1);
    struct frame frame = write_frame(&payload, 1);
    join(_i);
    link_close(b.link);
    run_for_ms(20);
    send_frame(&a, &frame);
    send_frame(&b, &frame);
    ck_assert_uint_eq(link_pending_bytes(a.link), 0);
    slice_release(&payload);
    ck_assert_uint_eq(bufs.used_bytes, 0);
}
END_TEST

START_TEST(close_gives_back_what_is_under_way)
{
    struct slice payload = payload_of(BLOCK_BYTES, 1);
    join(_i);
    for (uint64_t i = 0; i < 10; i++) {
        struct frame frame = write_frame(&payload, i);
        send_frame(&a, &frame);
        send_frame(&b, &frame);
    }
    slice_release(&payload);
    link_close(a.link);
    link_close(b.link);
    link_close(b.link);
    ck_assert_uint_eq(bufs.used_bytes, 0);
    run_for_ms(10);
    ck_assert_uint_eq(a.frames + b.frames, 0);
    ck_assert_str_eq(a.why, "");
    ck_assert_str_eq(b.why, "");
}
END_TEST

START_TEST(memory_may_go_in_on_frame)
{
    struct frame frame = {
        .type = FRAME_ACCEPT, .session = 7, .body = (const uint8_t *)"hello", .body_bytes = 6};
    join(_i);
    b.close_in_frame = true;
    for (int i = 0; i < 3; i++)
        send_frame(&a, &frame);
    run_for_ms(20);
    ck_assert_uint_eq(b.frames, 1);
    ck_assert_ptr_null(b.link);
    ck_assert_str_ne(a.why, "");
    ck_assert_uint_eq(bufs.used_bytes, 0);
}
END_TEST

START_TEST(memory_may_go_in_on_down)
{
    join(_i);
    b.close_in_down = true;
    link_close(a.link);
    run_for_ms(20);
    ck_assert_str_ne(b.why, "");
    ck_assert_ptr_null(b.link);
}
END_TEST

START_TEST(paused_link_takes_nothing_until_resumed)
{
    struct frame frame = flush_frame(1);
    join(_i);
    link_pause(b.link);
    for (int i = 0; i < 3; i++)
        send_frame(&a, &frame);
    run_for_ms(10);
    ck_assert_uint_eq(b.frames, 0);
    in_call = true;
    link_resume(b.link);
    in_call = false;
    run_until(&b, 3);
}
END_TEST

static void on_frame_pauses(struct link *link, const struct frame *frame)
{
    (void)frame;
    struct end *end = link->owner;
    end->frames++;
    link_pause(link);
}

START_TEST(pause_in_a_callback_holds_the_next_frame)
{
    struct frame frame = flush_frame(1);
    join(_i);
    b.link->on_frame = on_frame_pauses;
    for (int i = 0; i < 3; i++)
        send_frame(&a, &frame);
    for (uint64_t i = 1; i <= 3; i++) {
        run_for_ms(10);
        ck_assert_uint_eq(b.frames, i);
        link_resume(b.link);
    }
}
END_TEST

/* Enough to fill a kernel's buffers on the way. */
START_TEST(pending_bytes_grow_and_drain)
{
    struct slice payload = payload_of(PAYLOAD_BYTES_MAX, 3);
    join(_i);
    link_pause(b.link);
    for (uint64_t i = 0; i < 32; i++) {
        struct frame frame = write_frame(&payload, i);
        send_frame(&a, &frame);
    }
    slice_release(&payload);
    ck_assert_uint_gt(link_pending_bytes(a.link), 32u << 20);
    run_for_ms(20);
    ck_assert_uint_gt(link_pending_bytes(a.link), 0);
    ck_assert_int_eq(a.sents, 0);
    link_resume(b.link);
    run_until(&b, 32);
    run_for_ms(1);
    ck_assert_uint_eq(link_pending_bytes(a.link), 0);
    ck_assert_int_ge(a.sents, 1);
}
END_TEST

START_TEST(idle_link_holds_no_buffer)
{
    struct slice payload = payload_of(BLOCK_BYTES, 3);
    struct frame frame = write_frame(&payload, 1);
    join(_i);
    send_frame(&a, &frame);
    slice_release(&payload);
    run_until(&b, 1);
    slice_release(&b.payload);
    run_for_ms(5);
    ck_assert_uint_eq(bufs.used_bytes, 0);
}
END_TEST

START_TEST(closed_link_joins_again)
{
    struct frame frame = flush_frame(1);
    join(_i);
    link_pause(b.link);
    link_close(a.link);
    link_close(b.link);
    join(_i);
    send_frame(&a, &frame);
    run_until(&b, 1);
    ck_assert_str_eq(a.why, "");
}
END_TEST

/* TCP alone. */

START_TEST(connected_end_is_told_once_and_the_accepting_one_never)
{
    join(KIND_TCP);
    run_for_ms(5);
    ck_assert_int_eq(a.ups, 1);
    ck_assert_int_eq(b.ups, 0);
}
END_TEST

START_TEST(frames_sent_while_connecting_follow)
{
    struct frame frame = flush_frame(1);
    ck_assert_int_eq(link_connect(a.link, &loop, &sender, &bufs, &listener.address), 0);
    send_frame(&a, &frame);
    run_until(&b, 1);
}
END_TEST

START_TEST(refused_connection_is_told)
{
    struct address address = listener.address;
    listener_close(&listener);
    int status = link_connect(a.link, &loop, &sender, &bufs, &address);
    run_for_ms(20);
    if (status == 0)
        ck_assert_str_eq(a.why, "Connection refused");
    ck_assert(!a.link->up);
    ck_assert_int_eq(a.ups, 0);
}
END_TEST

START_TEST(stranger_costs_its_connection)
{
    int fds[2];
    char rest;
    static const char hello[] =
        "GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a\r\nAccept: */*;q=0.8\r\n\r\n";
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    link_accept(b.link, &loop, &sender, &bufs, fds[1]);
    ck_assert_int_eq((int)write(fds[0], hello, sizeof(hello)), (int)sizeof(hello));
    run_for_ms(10);
    ck_assert_str_eq(b.why, "this is not the replication protocol");
    ck_assert_int_le((int)read(fds[0], &rest, 1), 0);
    close(fds[0]);
}
END_TEST

START_TEST(payload_that_changed_on_the_way_costs_the_connection)
{
    struct slice payload = payload_of(BLOCK_BYTES, 3);
    struct frame frame = write_frame(&payload, 1);
    join(KIND_TCP);
    payload.bytes[100] ^= 1;
    send_frame(&a, &frame);
    slice_release(&payload);
    run_for_ms(20);
    ck_assert_uint_eq(b.frames, 0);
    ck_assert_str_eq(b.why, "the payload's checksum does not match");
}
END_TEST

/* In memory alone. */

START_TEST(payload_passes_by_reference)
{
    struct slice payload = payload_of(BLOCK_BYTES, 3);
    struct frame frame = write_frame(&payload, 1);
    join(KIND_MEMORY);
    send_frame(&a, &frame);
    run_until(&b, 1);
    ck_assert_ptr_eq(b.payload.bytes, payload.bytes);
    ck_assert_ptr_eq(b.payload.buf, payload.buf);
    slice_release(&payload);
}
END_TEST

START_TEST(what_was_sent_before_the_close_arrives)
{
    struct frame frame = flush_frame(1);
    join(KIND_MEMORY);
    send_frame(&a, &frame);
    link_close(a.link);
    run_for_ms(5);
    ck_assert_uint_eq(b.frames, 1);
    ck_assert_str_eq(b.why, "closed by the other end");
}
END_TEST

START_TEST(ping_pong_without_end_does_not_starve_the_loop)
{
    struct frame frame = flush_frame(1);
    join(KIND_MEMORY);
    a.echo = true;
    b.echo = true;
    send_frame(&a, &frame);
    run_for_ms(10);
    ck_assert_uint_gt(b.frames, 1);
}
END_TEST

int main(void)
{
    const TTest *const of_both[] = {
        frame_with_a_body_arrives,
        payload_arrives_with_its_checksums,
        frames_arrive_in_order,
        answer_comes_back,
        receipt_is_stamped,
        close_is_told_to_the_other_end_after_what_was_sent,
        dead_link_drops_what_is_sent,
        close_gives_back_what_is_under_way,
        memory_may_go_in_on_frame,
        memory_may_go_in_on_down,
        paused_link_takes_nothing_until_resumed,
        pause_in_a_callback_holds_the_next_frame,
        pending_bytes_grow_and_drain,
        idle_link_holds_no_buffer,
        closed_link_joins_again,
    };
    Suite *suite = suite_create("link");
    TCase *tests = tcase_create("link");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, setup, teardown);
    for (size_t i = 0; i < ARRAY_COUNT(of_both); i++)
        tcase_add_loop_test(tests, of_both[i], 0, KIND_COUNT);
    tcase_add_test(tests, connected_end_is_told_once_and_the_accepting_one_never);
    tcase_add_test(tests, frames_sent_while_connecting_follow);
    tcase_add_test(tests, refused_connection_is_told);
    tcase_add_test(tests, stranger_costs_its_connection);
    tcase_add_test(tests, payload_that_changed_on_the_way_costs_the_connection);
    tcase_add_test(tests, payload_passes_by_reference);
    tcase_add_test(tests, what_was_sent_before_the_close_arrives);
    tcase_add_test(tests, ping_pong_without_end_does_not_starve_the_loop);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
