/* SPDX-License-Identifier: Apache-2.0 */
/* Each in a process of its own: what a confined one still can do, and what it no longer can. */
#include "common/confine/confine.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_HERE = 100 };

static char said[4096]; /* on standard error by the process */

/* What the process returns. */
static int confined(uint32_t needs, int (*act)(void))
{
    int pipes[2];
    int status;
    struct error error;
    ck_assert_int_eq(pipe(pipes), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDERR_FILENO);
        _exit(confine_calls(needs, &error) ? NOT_HERE : act());
    }
    close(pipes[1]);
    ssize_t length = 0;
    ssize_t got;
    while ((got = read(pipes[0], said + length, sizeof(said) - 1 - (size_t)length)) > 0)
        length += got;
    said[length] = '\0';
    close(pipes[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool here(void)
{
    return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

static int run_program(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    execve("/bin/true", argv, NULL);
    return errno == EPERM ? 7 : 8;
}

START_TEST(no_program_is_run_and_the_log_says_so)
{
    if (!here())
        return;
    ck_assert_int_eq(confined(CONFINE_CONNECT | CONFINE_POOL, run_program), 7);
    char line[64];
    snprintf(line, sizeof(line), "%d\n", SYS_execve);
    ck_assert_ptr_nonnull(strstr(said, "seccomp: refused the system call"));
    ck_assert_ptr_nonnull(strstr(said, line));
}
END_TEST

static int trace_somebody(void)
{
    return syscall(SYS_add_key, "user", "a", "b", 1, 0) < 0 && errno == EPERM &&
                   syscall(SYS_mount, "a", "b", "c", 0, NULL) < 0 && errno == EPERM &&
                   syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM
               ? 7
               : 8;
}

START_TEST(what_no_profile_lists_is_refused)
{
    if (here())
        ck_assert_int_eq(confined(CONFINE_CONNECT | CONFINE_POOL, trace_somebody), 7);
}
END_TEST

static int many_refused(void)
{
    for (int i = 0; i < 1000; i++)
        (void)syscall(SYS_bpf, 0, NULL, 0);
    return 7;
}

START_TEST(the_log_is_not_flooded)
{
    if (!here())
        return;
    ck_assert_int_eq(confined(0, many_refused), 7);
    ck_assert_uint_lt(strlen(said), 1000);
}
END_TEST

static void *thread(void *arg)
{
    return syscall(SYS_execve, "/bin/true", NULL, NULL) < 0 && errno == EPERM ? arg : NULL;
}

static int make_thread(void)
{
    pthread_t id;
    void *result = NULL;
    if (pthread_create(&id, NULL, thread, said) || pthread_join(id, &result))
        return 8;
    return result == said ? 7 : 9;
}

START_TEST(threads_are_made_and_confined_too)
{
    if (here())
        ck_assert_int_eq(confined(0, make_thread), 7);
}
END_TEST

static int connect_out(void)
{
    struct sockaddr address = {.sa_family = AF_UNSPEC};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, &address, sizeof(address)) < 0 && errno == EPERM ? 7 : 8;
}

START_TEST(only_who_needs_to_connects)
{
    if (!here())
        return;
    ck_assert_int_eq(confined(CONFINE_POOL, connect_out), 7);
    ck_assert_int_eq(confined(CONFINE_POOL | CONFINE_CONNECT, connect_out), 8);
}
END_TEST

static int make_folder(void)
{
    return mkdirat(-1, "a", 0700) < 0 && errno == EPERM ? 7 : 8;
}

START_TEST(only_a_pool_makes_folders)
{
    if (!here())
        return;
    ck_assert_int_eq(confined(CONFINE_CONNECT, make_folder), 7);
    ck_assert_int_eq(confined(CONFINE_POOL, make_folder), 8);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__
static int make_code(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 9;
    return mprotect(memory, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EPERM && fork() < 0 ? 7
                                                                                             : 8;
}

START_TEST(no_code_is_made_and_no_process)
{
    if (here())
        ck_assert_int_eq(confined(0, make_code), 7);
}
END_TEST
#endif

START_TEST(a_user_that_is_none_is_refused)
{
    struct error error;
    ck_assert_int_ne(confine_user("nobody-of-this-name", "", &error), 0);
    ck_assert_ptr_nonnull(strstr(error.text, "there is none of this name"));
}
END_TEST

START_TEST(root_is_given_up_for_good)
{
    struct error error;
    int status;
    if (geteuid() != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        if (confine_user("nobody", "", &error))
            _exit(9);
        _exit(geteuid() != 0 && getgroups(0, NULL) <= 1 && setuid(0) < 0 &&
                      open("/etc/shadow", O_RDONLY) < 0 &&
                      confine_user("nobody", "/etc", &error) != 0
                  ? 7
                  : 8);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("confine");
    TCase *tcase = tcase_create("confine");
    tcase_add_test(tcase, no_program_is_run_and_the_log_says_so);
    tcase_add_test(tcase, what_no_profile_lists_is_refused);
    tcase_add_test(tcase, the_log_is_not_flooded);
    tcase_add_test(tcase, threads_are_made_and_confined_too);
    tcase_add_test(tcase, only_who_needs_to_connects);
    tcase_add_test(tcase, only_a_pool_makes_folders);
#ifndef __SANITIZE_ADDRESS__
    tcase_add_test(tcase, no_code_is_made_and_no_process);
#endif
    tcase_add_test(tcase, a_user_that_is_none_is_refused);
    tcase_add_test(tcase, root_is_given_up_for_good);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
