/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of calls as a program for the kernel (seccomp(2)): one comparison after another. The
 * kernel keeps a table of what is always allowed, so that the length costs nothing per call.
 */
#include "common/confine/calls.h"
#include "common/confine/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#else
#define FILTER_ARCH 0u
#endif

enum {
    FILTER_LENGTH_MAX = 1024,
    LINES_MAX = 16, /* that a process logs of refused calls */
};

struct program {
    struct sock_filter steps[FILTER_LENGTH_MAX];
    unsigned short length;
};

static void step(struct program *p, struct sock_filter what)
{
    ASSERT(p->length < FILTER_LENGTH_MAX);
    p->steps[p->length++] = what;
}

static void load(struct program *p, size_t offset)
{
    step(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void answer(struct program *p, uint32_t action)
{
    step(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The low half of an argument; flags have nothing in the other one. */
static size_t argument(uint32_t idx)
{
    return offsetof(struct seccomp_data, args) + idx * sizeof(uint64_t);
}

static void call_add(struct program *p, const struct call *call)
{
    /* Not this one: over what follows. */
    uint8_t length = call->rule == CALL_NO_EXEC || call->rule == CALL_OF_THREADS ? 4 : 1;
    step(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, length));
    switch ((enum call_rule)call->rule) {
    case CALL_ALWAYS:
        answer(p, SECCOMP_RET_ALLOW);
        return;
    case CALL_UNKNOWN:
        answer(p, SECCOMP_RET_ERRNO | ENOSYS);
        return;
    case CALL_NO_EXEC:
        load(p, argument(2));
        step(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0));
        answer(p, SECCOMP_RET_ALLOW);
        answer(p, SECCOMP_RET_TRAP);
        return;
    case CALL_OF_THREADS:
        load(p, argument(0));
        step(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
        answer(p, SECCOMP_RET_ALLOW);
        answer(p, SECCOMP_RET_TRAP);
        return;
    }
    UNREACHABLE();
}

/* A sanitizer's calls without a condition are at the end of the list, and must win. */
static void program_make(struct program *p, uint32_t needs)
{
    load(p, offsetof(struct seccomp_data, arch));
    step(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0));
    answer(p, SECCOMP_RET_KILL_PROCESS);
    load(p, offsetof(struct seccomp_data, nr));
    for (uint32_t i = confine_list_count; i-- > 0;) {
        const struct call *call = &confine_list[i];
        if (call->needs == 0 || (call->needs & needs))
            call_add(p, call);
    }
    answer(p, SECCOMP_RET_TRAP);
}

/* ---- what is refused ---- */

static void refuse(ucontext_t *context)
{
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
    context->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
    (void)context;
#endif
}

/* The call was not made; it fails. Only what may be called in a signal handler is called here. */
static void on_refused(int number, siginfo_t *info, void *context)
{
    static atomic_uint lines;
    char text[] = "seccomp: refused the system call        \n";
    char *digit = text + sizeof(text) - 3;
    (void)number;
    for (int call = info->si_syscall; call > 0 && *digit == ' '; call /= 10)
        *digit-- = (char)('0' + call % 10);
    if (atomic_fetch_add(&lines, 1) < LINES_MAX)
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    refuse(context);
}

int confine_calls(uint32_t needs, struct error *error)
{
    struct program program = {.length = 0};
    struct sigaction action = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (FILTER_ARCH == 0u)
        return error_set(error, "seccomp: no profile for this kind of machine");
    program_make(&program, needs);
    struct sock_fprog filter = {.len = program.length, .filter = program.steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sigaction(SIGSYS, &action, NULL))
        return error_set_errno(error, errno, "seccomp");
    long status = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
    if (status > 0)
        return error_set(error, "seccomp: thread %ld cannot follow", status);
    return status ? error_set_errno(error, errno, "seccomp") : 0;
}
