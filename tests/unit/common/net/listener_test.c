/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: what is in use, what was left behind, and running out of descriptors. */
#include "common/base/log.h"
#include "common/net/listener.h"
#include "tests/lib/suite.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct loop loop;
static struct listener listener;
static struct address address;
static struct error error;
static int accepted;
static bool close_in_accept;
static char path[64];

static void setup(void)
{
    log_init("test", LOG_LEVEL_WARN);
    ck_assert_int_eq(loop_init(&loop), 0);
    snprintf(path, sizeof(path), "unix:/tmp/strake-listener-%d.sock", (int)getpid());
}

static void teardown(void)
{
    listener_close(&listener);
    loop_release(&loop);
}

static void on_accept(struct listener *from, int fd)
{
    accepted++;
    close(fd);
    if (close_in_accept)
        listener_close(from);
}

static int listen_at(struct listener *at, const char *text)
{
    ck_assert_int_eq(address_parse(&address, text, 0, &error), 0);
    return listener_open(at, &loop, &address, on_accept, &error);
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

static int client(void)
{
    const struct address *to = &listener.address;
    int fd = socket(to->sockaddr.ss_family, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to->sockaddr, to->length), 0);
    return fd;
}

START_TEST(tells_the_port_that_the_kernel_chose)
{
    ck_assert_int_eq(listen_at(&listener, "127.0.0.1:0"), 0);
    ck_assert_int_eq(strncmp(listener.address.text, "127.0.0.1:", 10), 0);
    ck_assert_str_ne(listener.address.text, "127.0.0.1:0");
}
END_TEST

START_TEST(more_connections_than_a_turn_takes_are_all_accepted)
{
    int fds[40];
    ck_assert_int_eq(listen_at(&listener, "127.0.0.1:0"), 0);
    for (int i = 0; i < 40; i++)
        fds[i] = client();
    run_for_ms(50);
    ck_assert_int_eq(accepted, 40);
    for (int i = 0; i < 40; i++)
        close(fds[i]);
}
END_TEST

START_TEST(may_be_closed_while_it_accepts)
{
    ck_assert_int_eq(listen_at(&listener, "127.0.0.1:0"), 0);
    int first = client();
    int second = client();
    close_in_accept = true;
    run_for_ms(20);
    ck_assert_int_eq(accepted, 1);
    close(first);
    close(second);
}
END_TEST

START_TEST(port_in_use_is_named)
{
    struct listener other = {0};
    char text[ADDRESS_TEXT_BYTES];
    char why[ERROR_TEXT_BYTES];
    ck_assert_int_eq(listen_at(&listener, "127.0.0.1:0"), 0);
    snprintf(text, sizeof(text), "%s", listener.address.text);
    ck_assert_int_eq(listen_at(&other, text), -1);
    snprintf(why, sizeof(why), "%s: Address already in use", text);
    ck_assert_str_eq(error.text, why);
    listener_close(&other);
}
END_TEST

START_TEST(path_of_a_living_process_is_in_use)
{
    struct listener other = {0};
    ck_assert_int_eq(listen_at(&listener, path), 0);
    ck_assert_int_eq(listen_at(&other, path), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "Address already in use"));
    close(client());
    run_for_ms(10);
    /* The other one's look whether anybody answers is a connection too. */
    ck_assert_int_eq(accepted, 2);
}
END_TEST

START_TEST(path_left_by_a_dead_process_is_replaced)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path + 5);
    ck_assert_int_eq(bind(dead, (struct sockaddr *)&un, sizeof(un)), 0);
    close(dead);
    ck_assert_int_eq(listen_at(&listener, path), 0);
    close(client());
    run_for_ms(10);
    ck_assert_int_eq(accepted, 1);
}
END_TEST

START_TEST(path_of_a_file_is_left_alone)
{
    struct stat stat;
    int fd = open(path + 5, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(listen_at(&listener, path), -1);
    ck_assert_int_eq(lstat(path + 5, &stat), 0);
    ck_assert(S_ISREG(stat.st_mode));
    unlink(path + 5);
}
END_TEST

START_TEST(path_goes_with_the_listener)
{
    struct stat stat;
    ck_assert_int_eq(listen_at(&listener, path), 0);
    ck_assert_int_eq(lstat(path + 5, &stat), 0);
    listener_close(&listener);
    ck_assert_int_ne(lstat(path + 5, &stat), 0);
}
END_TEST

START_TEST(missing_directory_is_named)
{
    ck_assert_int_eq(listen_at(&listener, "unix:/no/such/directory.sock"), -1);
    ck_assert_str_eq(error.text, "unix:/no/such/directory.sock: No such file or directory");
}
END_TEST

START_TEST(out_of_descriptors_it_rests_and_tries_again)
{
    struct rlimit limit, none;
    struct rusage before, after;
    ck_assert_int_eq(listen_at(&listener, "127.0.0.1:0"), 0);
    int fd = client();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    getrusage(RUSAGE_SELF, &before);
    run_for_ms(300);
    getrusage(RUSAGE_SELF, &after);
    ck_assert_int_eq(accepted, 0);
    ck_assert_int_le(after.ru_nvcsw - before.ru_nvcsw, 20);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    run_for_ms(300);
    ck_assert_int_eq(accepted, 1);
    close(fd);
}
END_TEST

START_TEST(close_is_harmless_when_closed)
{
    ck_assert_int_eq(listen_at(&listener, "127.0.0.1:0"), 0);
    listener_close(&listener);
    listener_close(&listener);
    ck_assert_int_eq(listener.fd, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net/listener");
    TCase *tests = tcase_create("listener");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, tells_the_port_that_the_kernel_chose);
    tcase_add_test(tests, more_connections_than_a_turn_takes_are_all_accepted);
    tcase_add_test(tests, may_be_closed_while_it_accepts);
    tcase_add_test(tests, port_in_use_is_named);
    tcase_add_test(tests, path_of_a_living_process_is_in_use);
    tcase_add_test(tests, path_left_by_a_dead_process_is_replaced);
    tcase_add_test(tests, path_of_a_file_is_left_alone);
    tcase_add_test(tests, path_goes_with_the_listener);
    tcase_add_test(tests, missing_directory_is_named);
    tcase_add_test(tests, out_of_descriptors_it_rests_and_tries_again);
    tcase_add_test(tests, close_is_harmless_when_closed);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
