/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on a unix socket, with a client in the same thread. */
#include "target/control/http.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_BYTES = 512 << 10 };

static struct loop loop;
static struct http *http;
static char directory[] = "/tmp/strake-http-test.XXXXXX";
static char path[64];
static struct http_request *pending; /* not answered by on_request */
static bool hold;
static char last[HTTP_PATH_BYTES + HTTP_QUERY_BYTES + 32];
static char last_who[HTTP_WHO_BYTES];
static size_t last_body_bytes;
static char answer[ANSWER_BYTES];
static size_t json_bytes = 2;

static char *json_new(void)
{
    char *json = malloc(json_bytes + 1);
    memset(json, ' ', json_bytes);
    json[0] = '{';
    json[json_bytes - 1] = '}';
    json[json_bytes] = '\0';
    return json;
}

static void on_request(void *owner, struct http_request *request)
{
    ck_assert_ptr_eq(owner, &loop);
    snprintf(last_who, sizeof(last_who), "%s", request->who);
    snprintf(last, sizeof(last), "%d %s %s", (int)request->method, request->path, request->query);
    last_body_bytes = request->body_bytes;
    if (hold)
        pending = request;
    else
        http_answer(request, 200, json_new());
}

static int client_new(void)
{
    struct error error;
    struct address address;
    char text[80];
    snprintf(text, sizeof(text), "unix:%s", path);
    ck_assert_int_eq(address_parse(&address, text, 0, &error), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address.sockaddr, address.length), 0);
    return fd;
}

static void client_send(int fd, const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        } else if (errno != EAGAIN) {
            return;
        }
        ev_run(loop.ev, EVRUN_NOWAIT);
    }
}

static void turns(int count)
{
    for (int i = 0; i < count; i++) {
        ev_run(loop.ev, EVRUN_NOWAIT);
        usleep(500);
    }
}

/* Collects until `end` stands in what came (NULL: until the other end closes). */
static void client_read(int fd, const char *end)
{
    size_t got = 0;
    answer[0] = '\0';
    for (int i = 0; i < 4000; i++) {
        ev_run(loop.ev, EVRUN_NOWAIT);
        ssize_t n = recv(fd, answer + got, sizeof(answer) - got - 1, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return;
        if (n < 0) {
            usleep(500);
            continue;
        }
        got += (size_t)n;
        answer[got] = '\0';
        if (end && strstr(answer, end))
            return;
    }
    ck_abort_msg("no answer: %s", answer);
}

static void setup(void)
{
    struct error error;
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/s", directory);
    ck_assert_int_eq(loop_init(&loop), 0);
    http = http_new(&loop, path, on_request, &loop, &error);
    ck_assert_msg(http, "%s", error.text);
}

static void teardown(void)
{
    http_free(http);
    loop_release(&loop);
    unlink(path);
    rmdir(directory);
}

START_TEST(get_is_given_and_answered)
{
    int fd = client_new();
    client_send(fd, "GET /v1/volumes/a%2eb?deleted=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read(fd, "{}");
    ck_assert_str_eq(last, "0 /v1/volumes/a.b deleted=1");
    ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 200"));
    ck_assert_ptr_nonnull(strstr(answer, "application/json"));
    close(fd);
}
END_TEST

START_TEST(post_brings_its_body)
{
    int fd = client_new();
    client_send(fd, "POST /v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"a\": ");
    turns(5);
    client_send(fd, "17}");
    client_read(fd, "{}");
    ck_assert_str_eq(last, "1 /v1/volumes ");
    ck_assert_uint_eq(last_body_bytes, 9);
    close(fd);
}
END_TEST

START_TEST(post_without_a_body_is_given)
{
    int fd = client_new();
    client_send(fd, "POST /v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    client_read(fd, "{}");
    ck_assert_uint_eq(last_body_bytes, 0);
    close(fd);
}
END_TEST

START_TEST(delete_is_given)
{
    int fd = client_new();
    client_send(fd, "DELETE /v1/volumes/x HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read(fd, "{}");
    ck_assert_str_eq(last, "2 /v1/volumes/x ");
    close(fd);
}
END_TEST

START_TEST(who_asks_is_known)
{
    char expected[HTTP_WHO_BYTES];
    int fd = client_new();
    client_send(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read(fd, "{}");
    snprintf(expected, sizeof(expected), "uid %u", getuid());
    ck_assert_str_eq(last_who, expected);
    close(fd);
}
END_TEST

START_TEST(patch_is_given)
{
    int fd = client_new();
    client_send(fd, "PATCH /v1/volumes/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    client_read(fd, "{}");
    ck_assert_str_eq(last, "3 /v1/volumes/x ");
    close(fd);
}
END_TEST

START_TEST(a_connection_is_for_one_request)
{
    int fd = client_new();
    client_send(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read(fd, NULL);
    ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 200"));
    ck_assert_ptr_nonnull(strstr(answer, "connection: close"));
    close(fd);
}
END_TEST

START_TEST(what_comes_with_the_first_request_is_not_looked_at)
{
    int fd = client_new();
    client_send(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
                    "POST /v1/volumes HTTP/1.1\r\nContent-Length: 6\r\n\r\n{short");
    client_read(fd, NULL);
    ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 200"));
    ck_assert_ptr_null(strstr(answer + 1, "HTTP/1.1"));
    ck_assert_str_eq(last, "0 /v1/status ");
    close(fd);
}
END_TEST

START_TEST(long_answer_arrives_whole)
{
    json_bytes = 300 << 10;
    int fd = client_new();
    client_send(fd, "GET /v1/volumes HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read(fd, " }");
    const char *body = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    ck_assert_uint_eq(strlen(body + 4), json_bytes);
    close(fd);
}
END_TEST

START_TEST(answer_may_come_later)
{
    hold = true;
    int fd = client_new();
    client_send(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    turns(20);
    ck_assert_ptr_nonnull(pending);
    http_answer(pending, 409, strdup("{\"error\": \"x\"}"));
    client_read(fd, "\"x\"}");
    ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 409"));
    close(fd);
}
END_TEST

START_TEST(client_may_leave_before_the_answer)
{
    hold = true;
    int fd = client_new();
    client_send(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    turns(20);
    ck_assert_ptr_nonnull(pending);
    close(fd);
    turns(20);
    http_answer(pending, 200, json_new());
    turns(5);
}
END_TEST

START_TEST(body_that_is_too_long_is_refused)
{
    int fd = client_new();
    client_send(fd, "POST /v1/volumes HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n{");
    client_read(fd, "64 KiB");
    ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 413"));
    ck_assert_str_eq(last, "");
    close(fd);
}
END_TEST

START_TEST(path_that_is_too_long_is_refused)
{
    char text[1024];
    char name[600];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    int fd = client_new();
    snprintf(text, sizeof(text), "GET /v1/volumes/%s HTTP/1.1\r\nHost: x\r\n\r\n", name);
    client_send(fd, text);
    client_read(fd, "malformed");
    ck_assert_ptr_nonnull(strstr(answer, "HTTP/1.1 400"));
    ck_assert_str_eq(last, "");
    close(fd);
}
END_TEST

START_TEST(garbage_does_no_harm)
{
    int fd = client_new();
    client_send(fd, "\x16\x03\x01 what is this\r\n\r\n\r\n");
    turns(10);
    close(fd);
    turns(10);
    fd = client_new();
    client_send(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    client_read(fd, "{}");
    close(fd);
}
END_TEST

START_TEST(clients_that_do_not_ask_make_room_at_the_limit)
{
    int fds[HTTP_CONNECTIONS_MAX];
    char byte;
    for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
        fds[i] = client_new();
        client_send(fds[i], i % 2 ? "GET" : "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{");
        turns(1);
    }
    for (int i = 0; i < 3; i++) {
        int fd = client_new();
        client_send(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
        client_read(fd, "{}");
        close(fd);
    }
    ck_assert_int_eq(recv(fds[0], &byte, 1, MSG_DONTWAIT), 0);
    for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        close(fds[i]);
    turns(50);
}
END_TEST

START_TEST(only_our_user_may_connect)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(socket_that_answers_is_not_taken_over)
{
    struct error error;
    ck_assert_ptr_null(http_new(&loop, path, on_request, &loop, &error));
    ck_assert_ptr_nonnull(strstr(error.text, path));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("http");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, get_is_given_and_answered);
    tcase_add_test(tcase, post_brings_its_body);
    tcase_add_test(tcase, post_without_a_body_is_given);
    tcase_add_test(tcase, delete_is_given);
    tcase_add_test(tcase, who_asks_is_known);
    tcase_add_test(tcase, patch_is_given);
    tcase_add_test(tcase, a_connection_is_for_one_request);
    tcase_add_test(tcase, what_comes_with_the_first_request_is_not_looked_at);
    tcase_add_test(tcase, long_answer_arrives_whole);
    tcase_add_test(tcase, answer_may_come_later);
    tcase_add_test(tcase, client_may_leave_before_the_answer);
    tcase_add_test(tcase, body_that_is_too_long_is_refused);
    tcase_add_test(tcase, path_that_is_too_long_is_refused);
    tcase_add_test(tcase, garbage_does_no_harm);
    tcase_add_test(tcase, clients_that_do_not_ask_make_room_at_the_limit);
    tcase_add_test(tcase, only_our_user_may_connect);
    tcase_add_test(tcase, socket_that_answers_is_not_taken_over);
    Suite *suite = suite_create("http");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
