/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into the user-mode Linux kernel, lets it run on processors whose register state is
 * larger than the 2696 bytes it knows (Intel AMX: 11008 bytes).
 *
 * Reading a part of the state (PTRACE_GETREGSET, NT_X86_XSTATE) is allowed, writing a part is
 * refused with EFAULT, and the guest panics before its first instruction. So what it writes is
 * passed on at full length. The zero tail is the initial state of the registers that the guest
 * does not know; the header among the bytes it does know says that they are unused.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

typedef long ptrace_fn(enum __ptrace_request request, int pid, void *addr, void *data);

static ptrace_fn *libc_ptrace;

/* Not on the stack: the guest kernel calls from its own stacks of a few pages. */
static char full_state[64 * 1024];
static size_t full_bytes; /* of the host's state, 0 until known */

__attribute__((constructor)) static void ptrace_find(void)
{
    libc_ptrace = (ptrace_fn *)dlsym(RTLD_NEXT, "ptrace");
}

static long xstate_size_find(int pid)
{
    struct iovec full = {full_state, sizeof(full_state)};
    long result =
        libc_ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &full); /* NOLINT: a number */
    full_bytes = full.iov_len;
    memset(full_state, 0, sizeof(full_state));
    return result;
}

static long xstate_write(int pid, const struct iovec *known)
{
    if (full_bytes == 0 && xstate_size_find(pid) < 0) {
        full_bytes = 0;
        return -1;
    }
    if (known->iov_len > sizeof(full_state)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(full_state, known->iov_base, known->iov_len);
    struct iovec full = {full_state, full_bytes};
    return libc_ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &full); /* NOLINT: a number */
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list args;
    va_start(args, request);
    int pid = va_arg(args, int);
    void *addr = va_arg(args, void *);
    void *data = va_arg(args, void *);
    va_end(args);
    if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE) /* NOLINT: a number */
        return xstate_write(pid, data);
    return libc_ptrace(request, pid, addr, data);
}
