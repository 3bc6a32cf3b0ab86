/* SPDX-License-Identifier: Apache-2.0 */
/* The pump with real NBD sessions on socket pairs; the volume is a fake that the tests answer. */
#include "tests/unit/target/front/clients.h"

static uint64_t volume_waits_ns;
uint64_t volume_wait_ns(const struct volume *v)
{
    ck_assert_ptr_eq(v, &volume);
    return volume_waits_ns;
}

static void on_done(void *arg)
{
    *(bool *)arg = true;
}

START_TEST(write_reaches_the_volume_and_is_answered)
{
    int fd = client_open();
    client_request(fd, NBD_WRITE, 7, BLOCK);
    turns(2);
    ck_assert_uint_eq(submitted_count, 1);
    volume_answers(0);
    client_expect(fd, 7, 0);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(read_brings_its_bytes)
{
    uint8_t bytes[BLOCK];
    int fd = client_open();
    client_request(fd, NBD_READ, 9, BLOCK);
    turns(2);
    volume_answers(0);
    client_expect(fd, 9, 0);
    client_take(fd, bytes, sizeof(bytes));
    ck_assert_int_eq(bytes[0], 'r');
    ck_assert_int_eq(bytes[BLOCK - 1], 'r');
    close(fd);
    turns(4);
}
END_TEST

static struct export *view;

static struct export *view_wanted(void *owner, const char *name, size_t length)
{
    (void)owner;
    (void)name;
    ck_assert_uint_eq(length, strlen(view->name));
    return view;
}

START_TEST(read_of_a_snapshot_carries_its_generation)
{
    static const struct front_view wish = {
        .name = "v1@s1", .generation = 7, .size_bytes = VOLUME_BYTES};
    view = front_view_add(front, &volume, &wish);
    front_exports(front)->wanted = view_wanted;
    ck_assert(view->read_only && view->hidden);
    int fd = client_open_named("v1@s1");
    client_request(fd, NBD_READ, 1, BLOCK);
    turns(4);
    ck_assert_uint_eq(submitted_count, 1);
    struct block_req *req = CONTAINER_OF(submitted.next, struct block_req, node);
    ck_assert_uint_eq(req->generation, 7);
    close(fd);
    front_exports(front)->wanted = NULL;
    volume_answers(-EIO);
    turns(4);
}
END_TEST

START_TEST(error_of_the_volume_is_told)
{
    int fd = client_open();
    client_request(fd, NBD_WRITE, 1, BLOCK);
    turns(2);
    volume_answers(-EIO);
    client_expect(fd, 1, 5);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(requests_are_in_flight_together)
{
    int fd = client_open();
    client_request(fd, NBD_WRITE, 1, BLOCK);
    client_request(fd, NBD_WRITE, 2, BLOCK);
    turns(2);
    ck_assert_uint_eq(submitted_count, 2);
    volume_answers(0);
    volume_answers(0);
    client_expect(fd, 1, 0);
    client_expect(fd, 2, 0);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(full_volume_holds_the_client_back_until_something_ends)
{
    int fd = client_open();
    full = true;
    for (uint64_t i = 0; i < 4; i++)
        client_request(fd, NBD_WRITE, i, BLOCK);
    turns(4);
    ck_assert_uint_eq(submitted_count, 1);
    full = false;
    volume_answers(0);
    turns(4);
    ck_assert_uint_eq(submitted_count, 3);
    while (submitted_count > 0)
        volume_answers(0);
    for (uint64_t i = 0; i < 4; i++)
        client_expect(fd, i, 0);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(limits_hold_the_client_back_until_it_may_go_on)
{
    int fd = client_open();
    volume_waits_ns = 1000000;
    client_request(fd, NBD_WRITE, 1, BLOCK);
    turns(20);
    ck_assert_uint_eq(submitted_count, 0);
    volume_waits_ns = 0;
    while (submitted_count == 0)
        turns(1);
    volume_answers(0);
    client_expect(fd, 1, 0);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(one_request_at_a_time_when_memory_is_short)
{
    int fd = client_open();
    bufs.limit_bytes = 1;
    client_request(fd, NBD_READ, 1, BLOCK);
    client_request(fd, NBD_READ, 2, BLOCK);
    turns(4);
    ck_assert_uint_eq(submitted_count, 1);
    volume_answers(-EIO);
    client_expect(fd, 1, 5);
    turns(4);
    ck_assert_uint_eq(submitted_count, 1);
    volume_answers(-EIO);
    client_expect(fd, 2, 5);
    close(fd);
    turns(4);
}
END_TEST

/* The begin of a write, number 1, without its payload. */
static void write_header(int fd, uint32_t length)
{
    uint8_t bytes[28];
    struct writer w = writer_of(bytes, sizeof(bytes));
    write_u32(&w, 0x25609513);
    write_u16(&w, 0);
    write_u16(&w, NBD_WRITE);
    write_u64(&w, 1);
    write_u64(&w, 0);
    write_u32(&w, length);
    client_send(fd, bytes, sizeof(bytes));
}

START_TEST(long_write_gets_no_buffer_while_memory_is_short)
{
    enum { LONG = CONN_LONG_BYTES + (1 << 20) };
    static uint8_t bytes[LONG];
    int fd = client_open();
    uint64_t limit_bytes = bufs.limit_bytes;
    bufs.limit_bytes = 0;
    write_header(fd, LONG);
    turns(4);
    ck_assert_uint_le(bufs.used_bytes, BUF_BYTES_MIN);
    bufs.limit_bytes = limit_bytes;
    for (int i = 0; i < 100 && !list_empty(&front->blocked); i++)
        ev_run(loop.ev, EVRUN_ONCE);
    for (size_t at = 0; at < LONG; at += LONG / 64) {
        client_send(fd, bytes, LONG / 64);
        turns(2);
    }
    turns(4);
    ck_assert_uint_eq(submitted_count, 1);
    volume_answers(0);
    client_expect(fd, 1, 0);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(half_a_long_write_does_not_hold_memory_that_is_short)
{
    int stalled = client_open();
    write_header(stalled, CONN_LONG_BYTES + 1);
    turns(4);
    conn_drop_hoarders(front);
    ck_assert(!client_closed(stalled));
    struct conn *conn = CONTAINER_OF(front->conns.next, struct conn, node);
    ck_assert_uint_gt(conn->half_since_ns, 0);
    conn->half_since_ns -= CONN_HALF_S * (uint64_t)1000000000;
    conn_drop_hoarders(front);
    ck_assert(!client_closed(stalled));
    bufs.limit_bytes = 0;
    conn_drop_hoarders(front);
    ck_assert(client_closed(stalled));
    close(stalled);
    turns(4);
}
END_TEST

START_TEST(answers_not_read_do_not_hold_memory_that_is_short)
{
    enum { LENGTH = VOLUME_BYTES };
    int fd = client_open();
    bufs.limit_bytes = BUF_BYTES_MIN;
    client_request(fd, NBD_READ, 1, LENGTH);
    turns(4);
    volume_answers(0);
    turns(4);
    struct conn *conn = CONTAINER_OF(front->conns.next, struct conn, node);
    conn_drop_hoarders(front);
    conn->unread_since_ns -= CONN_HALF_S * (uint64_t)1000000000;
    static uint8_t bytes[LENGTH / 8];
    client_take(fd, bytes, sizeof(bytes));
    turns(4);
    conn_drop_hoarders(front);
    ck_assert(!conn->gone);
    conn->unread_since_ns -= CONN_HALF_S * (uint64_t)1000000000;
    conn_drop_hoarders(front);
    ck_assert(conn->gone);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(one_at_a_time_goes_on_when_memory_is_spent)
{
    int first = client_open();
    int second = client_open();
    bufs.limit_bytes = 1;
    client_request(first, NBD_READ, 1, BLOCK);
    turns(4);
    client_request(second, NBD_READ, 2, BLOCK);
    turns(4);
    ck_assert_uint_eq(submitted_count, 1);
    volume_answers(-EIO);
    turns(4);
    ck_assert_uint_eq(submitted_count, 1);
    volume_answers(-EIO);
    client_expect(first, 1, 5);
    client_expect(second, 2, 5);
    close(first);
    close(second);
    turns(4);
}
END_TEST

START_TEST(lost_connection_is_kept_until_its_requests_are_back)
{
    int fd = client_open();
    client_request(fd, NBD_WRITE, 1, BLOCK);
    turns(2);
    close(fd);
    turns(4);
    ck_assert_uint_eq(front_counters(front).nbd_connections, 0);
    ck_assert_uint_eq(front->conn_count, 1);
    volume_answers(0);
    turns(4);
    ck_assert_uint_eq(front->conn_count, 0);
    ck_assert_uint_eq(export->session_count, 0);
}
END_TEST

START_TEST(disconnect_waits_for_answers)
{
    int fd = client_open();
    client_request(fd, NBD_WRITE, 1, BLOCK);
    client_request(fd, NBD_DISC, 2, 0);
    ck_assert(!client_closed(fd));
    volume_answers(0);
    client_expect(fd, 1, 0);
    ck_assert(client_closed(fd));
    close(fd);
}
END_TEST

START_TEST(breach_of_the_protocol_costs_the_connection)
{
    int fd = client_open();
    client_send(fd, "this is no request at all, truly not", 36);
    ck_assert(client_closed(fd));
    close(fd);
}
END_TEST

START_TEST(removed_export_loses_its_sessions)
{
    bool done = false;
    int fd = client_open();
    ck_assert_uint_eq(export->session_count, 1);
    front_export_remove(front, export, on_done, &done);
    ck_assert(!done);
    ck_assert(client_closed(fd));
    ck_assert(done);
    ck_assert_ptr_null(exports_find(front_exports(front), "v1", 2));
    close(fd);
}
END_TEST

START_TEST(removal_waits_for_requests_in_flight)
{
    bool done = false;
    int fd = client_open();
    client_request(fd, NBD_WRITE, 1, BLOCK);
    turns(2);
    front_export_remove(front, export, on_done, &done);
    turns(4);
    ck_assert(!done);
    volume_answers(0);
    client_expect(fd, 1, 0);
    turns(4);
    ck_assert(done);
    close(fd);
}
END_TEST

START_TEST(removal_of_an_unused_export_is_done_in_a_later_turn)
{
    bool done = false;
    front_export_remove(front, export, on_done, &done);
    ck_assert(!done);
    turns(2);
    ck_assert(done);
}
END_TEST

START_TEST(stop_answers_what_is_in_flight_then_closes)
{
    bool done = false;
    int fd = client_open();
    client_request(fd, NBD_WRITE, 1, BLOCK);
    turns(2);
    front_stop(front, on_done, &done);
    turns(4);
    ck_assert(!done);
    volume_answers(0);
    client_expect(fd, 1, 0);
    ck_assert(client_closed(fd));
    ck_assert(done);
    close(fd);
}
END_TEST

START_TEST(connections_beyond_the_limit_are_turned_away)
{
    int first = client_open();
    int second = client_open();
    int third = client_new();
    ck_assert(client_closed(third));
    close(first);
    turns(4);
    int fourth = client_open();
    close(second);
    close(third);
    close(fourth);
    turns(4);
}
END_TEST

START_TEST(connection_without_an_export_makes_room_at_the_limit)
{
    int first = client_open();
    int idle = client_new();
    int third = client_open();
    ck_assert(client_closed(idle));
    ck_assert(!client_closed(first));
    close(first);
    close(idle);
    close(third);
    turns(4);
}
END_TEST

START_TEST(idle_nbd_connection_runs_no_timer)
{
    int fd = client_new();
    struct conn *conn = CONTAINER_OF(front->conns.next, struct conn, node);
    ck_assert(ev_is_active(&conn->deadline.ev));
    close(fd);
    turns(4);
    fd = client_open();
    turns(2);
    conn = CONTAINER_OF(front->conns.next, struct conn, node);
    ck_assert(!ev_is_active(&conn->deadline.ev));
    ck_assert(!ev_is_active(&front->tick.ev));
    ck_assert(!ev_is_active(&front->retry.ev));
    close(fd);
    turns(4);
}
END_TEST

START_TEST(keepalive_runs_only_while_there_are_iscsi_connections)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    conn_accept(front, PROTOCOL_ISCSI, 0, fds[1]);
    ck_assert_uint_eq(front_counters(front).iscsi_connections, 1);
    ck_assert(ev_is_active(&front->tick.ev));
    close(fds[0]);
    turns(4);
    ck_assert_uint_eq(front_counters(front).iscsi_connections, 0);
    loop_timer_stop(&front->tick);
    front->tick.run(&front->tick);
    ck_assert(!ev_is_active(&front->tick.ev));
}
END_TEST

START_TEST(garbage_instead_of_login_closes)
{
    int fds[2];
    char garbage[1024];
    memset(garbage, 0x5a, sizeof(garbage));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    conn_accept(front, PROTOCOL_ISCSI, 0, fds[1]);
    client_send(fds[0], garbage, sizeof(garbage));
    ck_assert(client_closed(fds[0]));
    close(fds[0]);
}
END_TEST

START_TEST(client_that_does_not_read_is_read_no_further)
{
    int fd = client_open();
    uint32_t answered = 0;
    for (uint64_t i = 0; i < 64; i++) {
        client_request(fd, NBD_READ, i, 256 << 10);
        turns(2);
        while (submitted_count > 0) {
            volume_answers(0);
            answered++;
        }
    }
    ck_assert_uint_lt(answered, 64);
    static uint8_t bytes[256 << 10];
    for (uint64_t i = 0; i < 64; i++) {
        uint8_t head[REPLY_BYTES];
        for (int k = 0; k < 4; k++) {
            turns(1);
            while (submitted_count > 0)
                volume_answers(0);
        }
        client_take(fd, head, sizeof(head));
        client_take(fd, bytes, sizeof(bytes));
    }
    close(fd);
    turns(4);
}
END_TEST

/* The ids of the sessions there are, and how many. */
struct listed {
    struct front_session last;
    uint32_t count;
};

static void list_session(void *arg, const struct front_session *session)
{
    struct listed *listed = arg;
    listed->last = *session;
    listed->count++;
}

START_TEST(sessions_are_listed_with_what_they_use)
{
    struct listed listed = {.count = 0};
    int fd = client_open();
    front_sessions(front, list_session, &listed);
    ck_assert_uint_eq(listed.count, 1);
    ck_assert_uint_ne(listed.last.id, 0);
    ck_assert_str_eq(listed.last.protocol, "nbd");
    ck_assert_str_eq(listed.last.export, "v1");
    close(fd);
}
END_TEST

START_TEST(dropped_session_is_closed_at_once)
{
    struct listed listed = {.count = 0};
    int fd = client_open();
    front_sessions(front, list_session, &listed);
    ck_assert(!front_session_drop(front, listed.last.id + 1));
    ck_assert(front_session_drop(front, listed.last.id));
    ck_assert(client_closed(fd));
    ck_assert(!front_session_drop(front, listed.last.id));
    close(fd);
}
END_TEST

START_TEST(portals_are_told_as_configured)
{
    struct address address;
    struct error error;
    ck_assert_int_eq(address_parse(&address, "127.0.0.1:0", 0, &error), 0);
    ck_assert_int_eq(front_listen_iscsi(front, &address, NULL, &error), 0);
    ck_assert_int_eq(front_listen_iscsi(front, &address, "[2001:db8::7]:3260", &error), 0);
    ck_assert_int_eq(address_parse(&address, "0.0.0.0:0", 0, &error), 0);
    ck_assert_int_eq(front_listen_iscsi(front, &address, NULL, &error), 0);
    ck_assert_str_eq(front_portal(front, 0), front_address(front, true, 0));
    ck_assert_str_eq(front->node.portals[0], front_address(front, true, 0));
    ck_assert_str_eq(front_portal(front, 1), "[2001:db8::7]:3260");
    ck_assert_str_eq(front->node.portals[2], "");
    ck_assert_ptr_null(front_portal(front, 3));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("front");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, write_reaches_the_volume_and_is_answered);
    tcase_add_test(tcase, read_brings_its_bytes);
    tcase_add_test(tcase, read_of_a_snapshot_carries_its_generation);
    tcase_add_test(tcase, error_of_the_volume_is_told);
    tcase_add_test(tcase, requests_are_in_flight_together);
    tcase_add_test(tcase, full_volume_holds_the_client_back_until_something_ends);
    tcase_add_test(tcase, limits_hold_the_client_back_until_it_may_go_on);
    tcase_add_test(tcase, one_request_at_a_time_when_memory_is_short);
    tcase_add_test(tcase, long_write_gets_no_buffer_while_memory_is_short);
    tcase_add_test(tcase, half_a_long_write_does_not_hold_memory_that_is_short);
    tcase_add_test(tcase, answers_not_read_do_not_hold_memory_that_is_short);
    tcase_add_test(tcase, one_at_a_time_goes_on_when_memory_is_spent);
    tcase_add_test(tcase, lost_connection_is_kept_until_its_requests_are_back);
    tcase_add_test(tcase, disconnect_waits_for_answers);
    tcase_add_test(tcase, breach_of_the_protocol_costs_the_connection);
    tcase_add_test(tcase, removed_export_loses_its_sessions);
    tcase_add_test(tcase, removal_waits_for_requests_in_flight);
    tcase_add_test(tcase, removal_of_an_unused_export_is_done_in_a_later_turn);
    tcase_add_test(tcase, stop_answers_what_is_in_flight_then_closes);
    tcase_add_test(tcase, connections_beyond_the_limit_are_turned_away);
    tcase_add_test(tcase, connection_without_an_export_makes_room_at_the_limit);
    tcase_add_test(tcase, idle_nbd_connection_runs_no_timer);
    tcase_add_test(tcase, keepalive_runs_only_while_there_are_iscsi_connections);
    tcase_add_test(tcase, garbage_instead_of_login_closes);
    tcase_add_test(tcase, sessions_are_listed_with_what_they_use);
    tcase_add_test(tcase, dropped_session_is_closed_at_once);
    tcase_add_test(tcase, portals_are_told_as_configured);
    tcase_add_test(tcase, client_that_does_not_read_is_read_no_further);
    Suite *suite = suite_create("front");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
