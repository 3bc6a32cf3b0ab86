/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: every form, and what is said of those that are none. */
#include "common/net/address.h"
#include "tests/lib/suite.h"

#include <string.h>
#include <unistd.h>

static struct address address;
static struct error error;
static char text[ADDRESS_TEXT_BYTES];

static const struct {
    const char *given;
    uint16_t default_port;
    const char *meant;
    bool local;
} good[] = {
    {"127.0.0.1:3260", 0, "127.0.0.1:3260", true},
    {"127.8.8.8:1", 0, "127.8.8.8:1", true},
    {"0.0.0.0:65535", 0, "0.0.0.0:65535", false},
    {"192.0.2.1", 10809, "192.0.2.1:10809", false},
    {"192.0.2.1:5", 10809, "192.0.2.1:5", false},
    {":3260", 0, "127.0.0.1:3260", true},
    {":0", 7, "127.0.0.1:0", true},
    {"[::1]:3260", 0, "[::1]:3260", true},
    {"[2001:db8::1]", 3260, "[2001:db8::1]:3260", false},
    {"unix:/run/s.sock", 0, "unix:/run/s.sock", true},
    {"unix:relative", 9, "unix:relative", true},
};

START_TEST(address_means)
{
    ck_assert_int_eq(address_parse(&address, good[_i].given, good[_i].default_port, &error), 0);
    ck_assert_str_eq(address.text, good[_i].given);
    address_format(&address.sockaddr, address.length, text);
    ck_assert_str_eq(text, good[_i].meant);
    ck_assert_int_eq(address_is_local(&address), good[_i].local);
}
END_TEST

static const struct {
    const char *given;
    const char *why;
} bad[] = {
    {"", "the address is empty"},
    {"127.0.0.1", "127.0.0.1: the port is missing"},
    {"127.0.0.1:", "127.0.0.1:: the port is not a number from 0 to 65535"},
    {"127.0.0.1:65536", "127.0.0.1:65536: the port is not a number from 0 to 65535"},
    {"127.0.0.1:123456", "127.0.0.1:123456: the port is not a number from 0 to 65535"},
    {"127.0.0.1:+1", "127.0.0.1:+1: the port is not a number from 0 to 65535"},
    {"127.0.0.1:1x", "127.0.0.1:1x: the port is not a number from 0 to 65535"},
    {"::1", "::1: an IPv6 address goes in brackets: [::1]:3260"},
    {"[::1", "[::1: the bracket is not closed before the port"},
    {"[::1]3260", "[::1]3260: the bracket is not closed before the port"},
    {"[::1]", "[::1]: the port is missing"},
    {"unix:", "unix:: the path is missing"},
};

START_TEST(address_is_none)
{
    ck_assert_int_eq(address_parse(&address, bad[_i].given, 0, &error), -1);
    ck_assert_str_eq(error.text, bad[_i].why);
}
END_TEST

START_TEST(name_that_nobody_has_is_named)
{
    ck_assert_int_eq(address_parse(&address, "[no-such-host.invalid]:1", 0, &error), -1);
    ck_assert_int_eq(strncmp(error.text, "[no-such-host.invalid]:1: ", 26), 0);
    ck_assert_uint_gt(strlen(error.text), 26);
}
END_TEST

START_TEST(name_of_this_machine_resolves)
{
    ck_assert_int_eq(address_parse(&address, "localhost:80", 0, &error), 0);
    ck_assert(address_is_local(&address));
}
END_TEST

START_TEST(too_long_a_text_is_refused)
{
    char given[ADDRESS_TEXT_BYTES + 1];
    memset(given, 'a', sizeof(given) - 1);
    given[sizeof(given) - 1] = 0;
    ck_assert_int_eq(address_parse(&address, given, 1, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "too long"));
}
END_TEST

START_TEST(path_may_be_as_long_as_the_kernel_takes)
{
    char given[ADDRESS_TEXT_BYTES] = "unix:";
    memset(given + 5, 'p', 107);
    ck_assert_int_eq(address_parse(&address, given, 0, &error), 0);
    address_format(&address.sockaddr, address.length, text);
    ck_assert_str_eq(text, given);
    given[5 + 107] = 'p';
    ck_assert_int_eq(address_parse(&address, given, 0, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "the path is longer than 107 characters"));
}
END_TEST

START_TEST(ipv4_client_of_an_ipv6_socket_is_told_as_ipv4)
{
    ck_assert_int_eq(address_parse(&address, "[::ffff:10.1.2.3]:80", 0, &error), 0);
    address_format(&address.sockaddr, address.length, text);
    ck_assert_str_eq(text, "10.1.2.3:80");
}
END_TEST

START_TEST(nameless_socket_has_a_text)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    address_of_socket(fds[0], true, text);
    ck_assert_str_eq(text, "unix:");
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(what_is_no_socket_is_unknown)
{
    address_of_socket(-1, false, text);
    ck_assert_str_eq(text, "unknown");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net/address");
    TCase *tests = tcase_create("address");
    tcase_add_loop_test(tests, address_means, 0, (int)ARRAY_COUNT(good));
    tcase_add_loop_test(tests, address_is_none, 0, (int)ARRAY_COUNT(bad));
    tcase_add_test(tests, name_that_nobody_has_is_named);
    tcase_add_test(tests, name_of_this_machine_resolves);
    tcase_add_test(tests, too_long_a_text_is_refused);
    tcase_add_test(tests, path_may_be_as_long_as_the_kernel_takes);
    tcase_add_test(tests, ipv4_client_of_an_ipv6_socket_is_told_as_ipv4);
    tcase_add_test(tests, nameless_socket_has_a_text);
    tcase_add_test(tests, what_is_no_socket_is_unknown);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
