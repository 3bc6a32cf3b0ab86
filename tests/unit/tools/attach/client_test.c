/* SPDX-License-Identifier: Apache-2.0 */
/* The client's handshake: where a URI leads, and servers that answer right and wrong. */
#include "tests/lib/suite.h"
#include "tools/attach/client.h"

#include "common/base/bytes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct client_source source;
static struct client_export export;
static struct error error;
static pid_t server;

static void parse(const char *uri)
{
    ck_assert_msg(client_source_parse(uri, &source, &error) == 0, "%s", error.text);
}

START_TEST(a_uri_names_host_port_and_export)
{
    parse("nbd://127.0.0.1:10999/scratch");
    ck_assert_str_eq(source.address.text, "127.0.0.1:10999");
    ck_assert_str_eq(source.export, "scratch");
}
END_TEST

START_TEST(a_uri_without_a_port_means_nbds_own)
{
    parse("nbd://127.0.0.1/scratch");
    const struct sockaddr_in *in =
        (const struct sockaddr_in *)(const void *)&source.address.sockaddr;
    ck_assert_uint_eq(ntohs(in->sin_port), 10809);
}
END_TEST

START_TEST(a_uri_may_name_a_socket)
{
    parse("nbd+unix:///scratch?socket=/run/nbd.sock");
    ck_assert_int_eq(source.address.sockaddr.ss_family, AF_UNIX);
    ck_assert_str_eq(source.export, "scratch");
}
END_TEST

START_TEST(a_uri_that_is_none_is_refused)
{
    ck_assert_int_ne(client_source_parse("nbd+unix:///scratch", &source, &error), 0);
    ck_assert_int_ne(client_source_parse("nbd://127.0.0.1:1/a%20b", &source, &error), 0);
    ck_assert_int_ne(client_source_parse("", &source, &error), 0);
}
END_TEST

/* A server that says these bytes to whoever comes. */
static void serve(const void *bytes, size_t length)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(in);
    char uri[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    server = fork();
    if (server == 0) {
        uint8_t heard[256];
        int client = accept(fd, NULL, NULL);
        ssize_t sent = write(client, bytes, length);
        shutdown(client, SHUT_WR);
        while (read(client, heard, sizeof(heard)) > 0)
            continue;
        _exit(sent != (ssize_t)length);
    }
    close(fd);
    snprintf(uri, sizeof(uri), "nbd://127.0.0.1:%u/v1", ntohs(in.sin_port));
    parse(uri);
}

static int try(void)
{
    int fd = client_connect(&source, &export, &error);
    if (fd >= 0)
        close(fd);
    ck_assert_int_eq(waitpid(server, NULL, 0), server);
    return fd < 0 ? -1 : 0;
}

static void greet(struct writer *w)
{
    write_bytes(w, "NBDMAGICIHAVEOPT", 16);
    write_u16(w, 3);
}

static void reply(struct writer *w, uint32_t type, uint32_t length)
{
    write_u64(w, UINT64_C(0x0003e889045565a9));
    write_u32(w, 7);
    write_u32(w, type);
    write_u32(w, length);
}

START_TEST(an_export_is_what_the_server_says)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof(bytes));
    greet(&w);
    reply(&w, 3, 12);
    write_u16(&w, 0);
    write_u64(&w, 1 << 20);
    write_u16(&w, 0x103);
    reply(&w, 3, 14);
    write_u16(&w, 3);
    write_u32(&w, 4096);
    write_u32(&w, 4096);
    write_u32(&w, 1 << 25);
    reply(&w, 1, 0);
    serve(bytes, writer_length(&w));
    ck_assert_msg(try() == 0, "%s", error.text);
    ck_assert_uint_eq(export.size_bytes, 1 << 20);
    ck_assert_uint_eq(export.block_bytes, 4096);
    ck_assert_uint_eq(export.flags, 0x103);
}
END_TEST

START_TEST(a_server_that_knows_no_such_export_is_quoted)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof(bytes));
    greet(&w);
    reply(&w, UINT32_C(0x80000006), 5);
    write_bytes(&w, "gone!", 5);
    serve(bytes, writer_length(&w));
    ck_assert_int_ne(try(), 0);
    ck_assert_ptr_nonnull(strstr(error.text, "no such export: gone!"));
}
END_TEST

START_TEST(a_server_that_demands_tls_is_told_apart)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof(bytes));
    greet(&w);
    reply(&w, UINT32_C(0x80000005), 0);
    serve(bytes, writer_length(&w));
    ck_assert_int_ne(try(), 0);
    ck_assert_ptr_nonnull(strstr(error.text, "demands TLS"));
}
END_TEST

START_TEST(a_reply_that_is_too_long_is_refused)
{
    uint8_t bytes[256];
    struct writer w = writer_of(bytes, sizeof(bytes));
    greet(&w);
    reply(&w, 3, UINT32_MAX);
    serve(bytes, writer_length(&w));
    ck_assert_int_ne(try(), 0);
    ck_assert_ptr_nonnull(strstr(error.text, "does not speak NBD"));
}
END_TEST

START_TEST(a_server_that_ends_or_says_nonsense_is_refused)
{
    serve("NBDMAGIC", 8);
    ck_assert_int_ne(try(), 0);
    ck_assert_ptr_nonnull(strstr(error.text, "closed by the other end"));
    serve("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    ck_assert_int_ne(try(), 0);
    ck_assert_ptr_nonnull(strstr(error.text, "does not speak NBD"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tcase = tcase_create("client");
    tcase_add_test(tcase, a_uri_names_host_port_and_export);
    tcase_add_test(tcase, a_uri_without_a_port_means_nbds_own);
    tcase_add_test(tcase, a_uri_may_name_a_socket);
    tcase_add_test(tcase, a_uri_that_is_none_is_refused);
    tcase_add_test(tcase, an_export_is_what_the_server_says);
    tcase_add_test(tcase, a_server_that_knows_no_such_export_is_quoted);
    tcase_add_test(tcase, a_server_that_demands_tls_is_told_apart);
    tcase_add_test(tcase, a_reply_that_is_too_long_is_refused);
    tcase_add_test(tcase, a_server_that_ends_or_says_nonsense_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
