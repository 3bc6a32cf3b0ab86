/* SPDX-License-Identifier: Apache-2.0 */
/* TLS between two streams, and between a stream and something else. */
#include "common/net/stream.h"
#include "common/net/tls.h"
#include "tests/lib/certificates.h"
#include "tests/lib/suite.h"

#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

enum { LARGE_BYTES = 5u << 20 };

/* A stream and what happened to it. */
struct end {
    struct stream stream;
    struct loop_task write;
    uint64_t received_bytes;
    uint64_t to_write;
    uint8_t next_in;
    uint8_t next_out;
    int secured_calls;
    int sent_calls;
    bool pause_at_first;
    bool close_when_secured;
    char why[TLS_WHY_BYTES];
};

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct authority ca, other_ca;
static char here[64], there[64];
static struct tls_context *server_tls, *client_tls;
static struct end server, client;
static int fds[2];

static void on_bytes(struct stream *stream)
{
    struct end *end = CONTAINER_OF(stream, struct end, stream);
    const uint8_t *bytes = rx_bytes(&stream->rx);
    uint32_t length = rx_length(&stream->rx);
    if (end->pause_at_first && end->received_bytes == 0 && !stream->paused) {
        stream_pause(stream);
        return;
    }
    bool in_order = true;
    for (uint32_t i = 0; i < length; i++)
        in_order = in_order && bytes[i] == end->next_in++;
    ck_assert(in_order);
    ck_assert_int_gt(end->secured_calls, 0);
    end->received_bytes += length;
    rx_skip(&stream->rx, length);
}

static void write_some(struct end *end)
{
    while (end->to_write > 0 && end->stream.tx.pending_bytes < 512u << 10) {
        /* Small pieces, ones of several records, and what lies between. */
        static const uint32_t lengths[] = {3, 56, 4096, 16384, 40000, 65536};
        uint32_t length = lengths[end->to_write % ARRAY_COUNT(lengths)];
        if (length > end->to_write)
            length = (uint32_t)end->to_write;
        uint8_t *space = tx_space(&end->stream.tx, length);
        for (uint32_t i = 0; i < length; i++)
            space[i] = end->next_out++;
        end->to_write -= length;
    }
    stream_send(&end->stream);
}

static void on_write(struct loop_task *task)
{
    write_some(CONTAINER_OF(task, struct end, write));
}

static void on_sent(struct stream *stream)
{
    struct end *end = CONTAINER_OF(stream, struct end, stream);
    end->sent_calls++;
    ck_assert_uint_eq(stream_pending_bytes(stream), 0);
    if (end->to_write > 0)
        loop_defer(&loop, &end->write);
}

static void on_closed(struct stream *stream, const char *why)
{
    struct end *end = CONTAINER_OF(stream, struct end, stream);
    ck_assert_str_eq(end->why, "");
    snprintf(end->why, sizeof(end->why), "%s", why);
}

static void on_secured(struct stream *stream)
{
    struct end *end = CONTAINER_OF(stream, struct end, stream);
    end->secured_calls++;
    if (end->close_when_secured)
        stream_close(stream);
}

static void end_open(struct end *end, int fd)
{
    *end = (struct end){0};
    stream_open(&end->stream, &loop, &sender, &bufs, fd);
    end->stream.on_bytes = on_bytes;
    end->stream.on_sent = on_sent;
    end->stream.on_closed = on_closed;
    end->stream.on_secured = on_secured;
    loop_task_init(&end->write, on_write);
}

static void setup(void)
{
    ck_assert_int_eq(loop_init(&loop), 0);
    stream_sender_init(&sender, &loop);
    buf_pool_init(&bufs, UINT64_MAX);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    certificate_directory(here);
    certificate_directory(there);
    authority_init(&ca, "Test CA");
    authority_init(&other_ca, "Other CA");
    authority_write(&ca, here);
    authority_write(&ca, there);
    certificate_write(here, "replica1", &ca, 1);
    certificate_write(there, "target1", &ca, 1);
    end_open(&server, fds[0]);
    end_open(&client, fds[1]);
}

static void teardown(void)
{
    loop_task_cancel(&server.write);
    loop_task_cancel(&client.write);
    stream_close(&server.stream);
    stream_close(&client.stream);
    tls_context_free(server_tls);
    tls_context_free(client_tls);
    authority_release(&ca);
    authority_release(&other_ca);
    certificate_directory_remove(here);
    certificate_directory_remove(there);
    stream_sender_release(&sender);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

static struct tls_context *context_of(const char *directory, bool mutual)
{
    struct error error;
    struct tls_context *context = tls_context_new(directory, mutual, &error);
    ck_assert_msg(context != NULL, "%s", error.text);
    return context;
}

static void secure_server(bool mutual)
{
    server_tls = context_of(here, mutual);
    stream_secure(&server.stream, server_tls, true);
}

static void secure_client(void)
{
    client_tls = context_of(there, true);
    stream_secure(&client.stream, client_tls, false);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        ev_run(loop.ev, EVRUN_NOWAIT);
}

START_TEST(both_ends_know_each_other)
{
    secure_server(true);
    secure_client();
    turns(20);
    ck_assert_int_eq(server.secured_calls, 1);
    ck_assert_int_eq(client.secured_calls, 1);
    ck_assert_str_eq(stream_peer(&server.stream), "certificate target1");
    ck_assert_str_eq(stream_peer(&client.stream), "certificate replica1");
    ck_assert_str_eq(server.why, "");
    ck_assert_str_eq(client.why, "");
}
END_TEST

START_TEST(bytes_pass_both_ways_in_order)
{
    secure_server(true);
    secure_client();
    server.to_write = LARGE_BYTES;
    client.to_write = LARGE_BYTES;
    write_some(&server);
    write_some(&client);
    for (int i = 0;
         i < 20000 && (server.received_bytes < LARGE_BYTES || client.received_bytes < LARGE_BYTES);
         i++)
        turns(1);
    ck_assert_uint_eq(server.received_bytes, LARGE_BYTES);
    ck_assert_uint_eq(client.received_bytes, LARGE_BYTES);
    ck_assert_str_eq(server.why, "");
}
END_TEST

START_TEST(nothing_travels_in_the_clear)
{
    static const char secret[] = "attack at dawn";
    char seen[64 << 10];
    secure_client();
    memcpy(tx_space(&client.stream.tx, sizeof(secret)), secret, sizeof(secret));
    stream_send(&client.stream);
    stream_pause(&server.stream);
    turns(5);
    ssize_t got = read(fds[0], seen, sizeof(seen));
    ck_assert_int_gt(got, 100);
    ck_assert_ptr_null(memmem(seen, (size_t)got, secret, 6));
    ck_assert_int_eq(client.sent_calls, 0);
    ck_assert_uint_eq(client.stream.tx.pending_bytes, sizeof(secret));
}
END_TEST

START_TEST(a_slow_reader_bounds_what_is_encrypted)
{
    secure_server(true);
    secure_client();
    turns(20);
    stream_pause(&server.stream);
    for (int i = 0; i < 64; i++)
        memset(tx_space(&client.stream.tx, 65536), 0, 65536);
    stream_send(&client.stream);
    turns(20);
    struct tx *out = tls_out(client.stream.tls);
    ck_assert_uint_gt(client.stream.tx.pending_bytes, 1u << 20);
    ck_assert_uint_gt(out->pending_bytes, 0);
    ck_assert_uint_lt(out->pending_bytes, TLS_OUT_BYTES + (32u << 10));
    ck_assert_uint_eq(stream_pending_bytes(&client.stream),
                      client.stream.tx.pending_bytes + out->pending_bytes);
}
END_TEST

START_TEST(a_paused_stream_goes_on_with_what_was_received)
{
    secure_server(true);
    secure_client();
    server.pause_at_first = true;
    client.to_write = 200000;
    write_some(&client);
    turns(50);
    ck_assert_uint_eq(server.received_bytes, 0);
    stream_resume(&server.stream);
    server.pause_at_first = false;
    turns(50);
    ck_assert_uint_eq(server.received_bytes, 200000);
}
END_TEST

START_TEST(finishing_says_everything_first)
{
    secure_server(true);
    secure_client();
    turns(20);
    client.to_write = 300000;
    write_some(&client);
    stream_finish(&client.stream);
    turns(200);
    ck_assert_str_eq(client.why, "finished");
    ck_assert_uint_eq(server.received_bytes, 300000);
    ck_assert_str_eq(server.why, "closed by the other end");
}
END_TEST

START_TEST(the_owner_may_refuse_whom_it_does_not_like)
{
    server.close_when_secured = true;
    secure_server(true);
    secure_client();
    client.to_write = 100;
    write_some(&client);
    turns(20);
    ck_assert_int_eq(server.secured_calls, 1);
    ck_assert_uint_eq(server.received_bytes, 0);
    ck_assert_str_eq(client.why, "closed by the other end");
}
END_TEST

START_TEST(keys_are_renewed_on_the_way)
{
    secure_server(true);
    secure_client();
    tls_context_renew_after(client_tls, 3);
    tls_context_renew_after(server_tls, 5);
    client.to_write = LARGE_BYTES;
    server.to_write = LARGE_BYTES;
    write_some(&client);
    write_some(&server);
    for (int i = 0; i < 20000 && server.received_bytes + client.received_bytes < 2 * LARGE_BYTES;
         i++)
        turns(1);
    ck_assert_uint_eq(server.received_bytes, LARGE_BYTES);
    ck_assert_uint_eq(client.received_bytes, LARGE_BYTES);
}
END_TEST

START_TEST(a_certificate_of_another_authority_is_refused)
{
    certificate_write(there, "stranger", &other_ca, 1);
    secure_server(true);
    secure_client();
    client.to_write = 100;
    write_some(&client);
    turns(20);
    ck_assert_int_eq(server.secured_calls, 0);
    ck_assert_str_eq(server.why, "TLS: the other end's certificate: unable to get local issuer "
                                 "certificate");
    ck_assert_str_eq(client.why, "TLS: refused by the other end: unknown CA");
}
END_TEST

START_TEST(a_server_of_another_authority_is_refused)
{
    certificate_write(here, "stranger", &other_ca, 1);
    secure_server(true);
    secure_client();
    turns(20);
    ck_assert_int_eq(client.secured_calls, 0);
    ck_assert_str_eq(client.why, "TLS: the other end's certificate: unable to get local issuer "
                                 "certificate");
    ck_assert_str_eq(server.why, "TLS: refused by the other end: unknown CA");
}
END_TEST

START_TEST(who_an_end_is_can_be_asked)
{
    secure_server(true);
    secure_client();
    ck_assert(!stream_peer_is(&client.stream, "replica1"));
    turns(20);
    ck_assert(stream_peer_is(&client.stream, "replica1"));
    ck_assert(!stream_peer_is(&client.stream, "replica2"));
    ck_assert(!stream_peer_is(&client.stream, "replica"));
    ck_assert(!stream_peer_is(&client.stream, ""));
    ck_assert(stream_peer_is(&server.stream, "target1"));
}
END_TEST

static void connect_again(void)
{
    stream_close(&client.stream);
    turns(5);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    end_open(&server, fds[0]);
    end_open(&client, fds[1]);
    stream_secure(&server.stream, server_tls, true);
    stream_secure(&client.stream, client_tls, false);
    turns(20);
}

/* The client after the first one gets what is in the directory by then. */
START_TEST(a_new_certificate_is_shown_to_the_next)
{
    secure_server(true);
    secure_client();
    turns(20);
    certificate_write(here, "renewed", &ca, 1);
    connect_again();
    ck_assert_str_eq(stream_peer(&client.stream), "certificate renewed");
}
END_TEST

START_TEST(what_cannot_be_read_again_leaves_all_as_it_was)
{
    struct error error;
    secure_server(true);
    secure_client();
    certificate_text(here, "cert.pem", "nonsense");
    ck_assert_int_ne(tls_context_reload(server_tls, &error), 0);
    ck_assert_ptr_nonnull(strstr(error.text, "cert.pem"));
    turns(20);
    ck_assert_str_eq(stream_peer(&client.stream), "certificate replica1");
    connect_again();
    ck_assert_str_eq(stream_peer(&client.stream), "certificate replica1");
}
END_TEST

START_TEST(an_expired_certificate_is_refused)
{
    certificate_write(there, "target1", &ca, -1);
    secure_server(true);
    secure_client();
    turns(20);
    ck_assert_str_eq(server.why, "TLS: the other end's certificate: certificate has expired");
    ck_assert_str_eq(client.why, "TLS: refused by the other end: certificate expired");
}
END_TEST

/* A fatal alert, unexpected_message, in a record of its own. */
static void on_alert(struct stream *stream)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 10};
    ck_assert_uint_eq(rx_length(&stream->rx), sizeof(alert));
    ck_assert_mem_eq(rx_bytes(&stream->rx), alert, sizeof(alert));
    rx_skip(&stream->rx, sizeof(alert));
    client.received_bytes += sizeof(alert);
}

START_TEST(a_plain_client_is_told_apart_and_answered)
{
    secure_server(true);
    client.stream.on_bytes = on_alert;
    memcpy(tx_space(&client.stream.tx, 16), "STRK hello world", 16);
    stream_send(&client.stream);
    turns(10);
    ck_assert_str_eq(server.why, "TLS: the other end does not speak it");
    ck_assert_uint_gt(client.received_bytes, 0);
}
END_TEST

START_TEST(an_end_within_the_handshake_is_told)
{
    secure_server(true);
    stream_close(&client.stream);
    turns(10);
    ck_assert_str_eq(server.why, "closed by the other end in the TLS handshake");
}
END_TEST

START_TEST(a_cut_connection_is_told)
{
    secure_server(true);
    secure_client();
    turns(20);
    shutdown(fds[1], SHUT_RDWR);
    turns(10);
    ck_assert_str_eq(server.why, "closed by the other end");
}
END_TEST

/* A client of OpenSSL alone, for what our own streams cannot be made to say. */
struct foreign {
    SSL_CTX *context;
    SSL *ssl;
};

static const char foreign_key[] = "0123456789abcdef";
static const char *foreign_identity;

static unsigned int foreign_psk(SSL *ssl, const char *hint, char *identity, unsigned int room,
                                unsigned char *key, unsigned int key_room)
{
    (void)ssl;
    (void)hint;
    ck_assert_uint_ge(key_room, 16);
    snprintf(identity, room, "%s", foreign_identity);
    memcpy(key, foreign_key, 16);
    return 16;
}

static void foreign_init(struct foreign *foreign, int version, const char *identity)
{
    foreign->context = SSL_CTX_new(TLS_client_method());
    ck_assert_ptr_nonnull(foreign->context);
    SSL_CTX_set_max_proto_version(foreign->context, version);
    foreign_identity = identity;
    if (identity)
        SSL_CTX_set_psk_client_callback(foreign->context, foreign_psk);
    foreign->ssl = SSL_new(foreign->context);
    ck_assert_ptr_nonnull(foreign->ssl);
    /* The stream of this end is let go: the socket is OpenSSL's. */
    ck_assert_int_eq(SSL_set_fd(foreign->ssl, dup(fds[1])), 1);
    stream_close(&client.stream);
    SSL_set_connect_state(foreign->ssl);
}

static void foreign_release(struct foreign *foreign)
{
    close(SSL_get_fd(foreign->ssl));
    SSL_free(foreign->ssl);
    SSL_CTX_free(foreign->context);
}

static int foreign_handshake(struct foreign *foreign)
{
    int result = 0;
    for (int i = 0; i < 20 && result != 1; i++) {
        result = SSL_do_handshake(foreign->ssl);
        turns(2);
    }
    return result;
}

/* dup'ed descriptors share O_NONBLOCK, which the stream has set. */
START_TEST(a_shared_key_lets_in)
{
    struct foreign foreign;
    certificate_text(here, "keys.psk",
                     "bob:00112233445566778899aabbccddeeff\n"
                     "alice:30313233343536373839616263646566\n");
    secure_server(false);
    foreign_init(&foreign, TLS1_3_VERSION, "alice");
    ck_assert_int_eq(foreign_handshake(&foreign), 1);
    turns(5);
    ck_assert_int_eq(server.secured_calls, 1);
    ck_assert_str_eq(stream_peer(&server.stream), "key alice");
    foreign_release(&foreign);
}
END_TEST

START_TEST(an_unknown_identity_is_refused)
{
    struct foreign foreign;
    certificate_directory_remove(here);
    certificate_directory(here);
    certificate_text(here, "keys.psk", "alice:30313233343536373839616263646566\n");
    secure_server(false);
    foreign_init(&foreign, TLS1_3_VERSION, "mallory\n");
    ck_assert_int_ne(foreign_handshake(&foreign), 1);
    ck_assert_str_eq(server.why, "TLS: the other end's key identity is not known here");
    foreign_release(&foreign);
}
END_TEST

START_TEST(a_wrong_key_is_refused)
{
    struct foreign foreign;
    certificate_text(here, "keys.psk", "alice:ffffffffffffffffffffffffffffffff\n");
    secure_server(false);
    foreign_init(&foreign, TLS1_3_VERSION, "alice");
    ck_assert_int_ne(foreign_handshake(&foreign), 1);
    ck_assert_int_eq(server.secured_calls, 0);
    ck_assert_str_eq(server.why, "TLS: binder does not verify");
    foreign_release(&foreign);
}
END_TEST

START_TEST(no_certificate_is_refused)
{
    struct foreign foreign;
    secure_server(true);
    foreign_init(&foreign, TLS1_3_VERSION, NULL);
    (void)foreign_handshake(&foreign);
    ck_assert_int_eq(server.secured_calls, 0);
    ck_assert_str_eq(server.why, "TLS: the other end shows no certificate");
    foreign_release(&foreign);
}
END_TEST

START_TEST(older_versions_are_refused)
{
    struct foreign foreign;
    secure_server(true);
    foreign_init(&foreign, TLS1_2_VERSION, NULL);
    ck_assert_int_ne(foreign_handshake(&foreign), 1);
    ck_assert_str_eq(server.why, "TLS: unsupported protocol");
    foreign_release(&foreign);
}
END_TEST

START_TEST(an_idle_stream_holds_no_buffer)
{
    secure_server(true);
    secure_client();
    client.to_write = 100000;
    write_some(&client);
    turns(50);
    ck_assert_uint_eq(server.received_bytes, 100000);
    ck_assert_uint_eq(bufs.used_bytes, 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("tls");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, both_ends_know_each_other);
    tcase_add_test(tests, bytes_pass_both_ways_in_order);
    tcase_add_test(tests, nothing_travels_in_the_clear);
    tcase_add_test(tests, a_slow_reader_bounds_what_is_encrypted);
    tcase_add_test(tests, a_paused_stream_goes_on_with_what_was_received);
    tcase_add_test(tests, finishing_says_everything_first);
    tcase_add_test(tests, the_owner_may_refuse_whom_it_does_not_like);
    tcase_add_test(tests, keys_are_renewed_on_the_way);
    tcase_add_test(tests, a_certificate_of_another_authority_is_refused);
    tcase_add_test(tests, a_server_of_another_authority_is_refused);
    tcase_add_test(tests, an_expired_certificate_is_refused);
    tcase_add_test(tests, who_an_end_is_can_be_asked);
    tcase_add_test(tests, a_new_certificate_is_shown_to_the_next);
    tcase_add_test(tests, what_cannot_be_read_again_leaves_all_as_it_was);
    tcase_add_test(tests, a_plain_client_is_told_apart_and_answered);
    tcase_add_test(tests, an_end_within_the_handshake_is_told);
    tcase_add_test(tests, a_cut_connection_is_told);
    tcase_add_test(tests, a_shared_key_lets_in);
    tcase_add_test(tests, an_unknown_identity_is_refused);
    tcase_add_test(tests, a_wrong_key_is_refused);
    tcase_add_test(tests, no_certificate_is_refused);
    tcase_add_test(tests, older_versions_are_refused);
    tcase_add_test(tests, an_idle_stream_holds_no_buffer);
    Suite *suite = suite_create("tls");
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
