/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles' lists. What a sanitizer does beside is known when it is built in. */
#include "common/confine/calls.h"

#include "common/base/assert.h"
#include "common/confine/confine.h"

#include <sys/syscall.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define CONFINE_SANITIZED 1
#endif

#define ALWAYS(name)                                                                               \
    {                                                                                              \
        SYS_##name, CALL_ALWAYS, 0                                                                 \
    }
#define NEEDS(name, need)                                                                          \
    {                                                                                              \
        SYS_##name, CALL_ALWAYS, (need)                                                            \
    }

const struct call confine_list[] = {
    /* bytes, from and to what is open */
    ALWAYS(read),
    ALWAYS(write),
    ALWAYS(readv),
    ALWAYS(writev),
    ALWAYS(recvfrom),
    ALWAYS(recvmsg),
    ALWAYS(recvmmsg),
    ALWAYS(sendto),
    ALWAYS(sendmsg),
    ALWAYS(sendmmsg),
    ALWAYS(close),
    ALWAYS(lseek),
    /* sockets */
    ALWAYS(accept),
    ALWAYS(accept4),
    ALWAYS(shutdown),
    ALWAYS(getsockname),
    ALWAYS(getpeername),
    ALWAYS(getsockopt),
    ALWAYS(setsockopt),
    ALWAYS(socket), /* the service manager's */
    ALWAYS(ioctl),
    NEEDS(connect, CONFINE_CONNECT),
    NEEDS(bind, CONFINE_CONNECT), /* netlink, when a name is resolved */
    /* waiting */
    ALWAYS(epoll_create1),
    ALWAYS(epoll_ctl),
    ALWAYS(epoll_pwait),
    ALWAYS(ppoll),
    ALWAYS(pselect6),
    ALWAYS(eventfd2),
    ALWAYS(pipe2),
    ALWAYS(timerfd_create),
    ALWAYS(timerfd_settime),
    ALWAYS(nanosleep),
    ALWAYS(clock_nanosleep),
    ALWAYS(clock_gettime),
    ALWAYS(clock_getres),
    ALWAYS(gettimeofday),
    ALWAYS(restart_syscall),
    ALWAYS(io_uring_enter),
    ALWAYS(io_uring_register),
    /* files: to read settings again, and a socket's path goes with it */
    ALWAYS(openat),
    ALWAYS(fstat),
    ALWAYS(newfstatat),
    ALWAYS(statx),
    ALWAYS(faccessat),
    ALWAYS(faccessat2),
    ALWAYS(readlinkat),
    ALWAYS(fcntl),
    ALWAYS(getdents64),
    ALWAYS(getcwd),
    ALWAYS(unlinkat),
    ALWAYS(umask),
    ALWAYS(dup),
    ALWAYS(dup3),
    ALWAYS(fadvise64),
    /* a pool */
    NEEDS(pread64, CONFINE_POOL),
    NEEDS(pwrite64, CONFINE_POOL),
    NEEDS(preadv, CONFINE_POOL),
    NEEDS(pwritev, CONFINE_POOL),
    NEEDS(preadv2, CONFINE_POOL),
    NEEDS(pwritev2, CONFINE_POOL),
    NEEDS(ftruncate, CONFINE_POOL),
    NEEDS(fallocate, CONFINE_POOL),
    NEEDS(fsync, CONFINE_POOL),
    NEEDS(fdatasync, CONFINE_POOL),
    NEEDS(sync_file_range, CONFINE_POOL),
    NEEDS(syncfs, CONFINE_POOL),
    NEEDS(msync, CONFINE_POOL),
    NEEDS(flock, CONFINE_POOL),
    NEEDS(mkdirat, CONFINE_POOL),
    NEEDS(linkat, CONFINE_POOL),
    NEEDS(renameat, CONFINE_POOL),
    NEEDS(renameat2, CONFINE_POOL),
    NEEDS(fchmod, CONFINE_POOL),
    NEEDS(fchmodat, CONFINE_POOL),
    NEEDS(statfs, CONFINE_POOL),
    NEEDS(fstatfs, CONFINE_POOL),
    NEEDS(copy_file_range, CONFINE_POOL),
    /* memory */
    ALWAYS(brk),
    ALWAYS(munmap),
    ALWAYS(mremap),
    ALWAYS(madvise),
    {SYS_mmap, CALL_NO_EXEC, 0},
    {SYS_mprotect, CALL_NO_EXEC, 0},
    /* threads, and the process itself */
    {SYS_clone, CALL_OF_THREADS, 0},
    {SYS_clone3, CALL_UNKNOWN, 0}, /* its flags are out of a filter's sight */
    ALWAYS(futex),
    ALWAYS(set_robust_list),
    ALWAYS(rseq),
    ALWAYS(membarrier),
    ALWAYS(sched_yield),
    ALWAYS(sched_getaffinity),
    ALWAYS(sched_setaffinity),
    ALWAYS(prctl),
    ALWAYS(rt_sigaction),
    ALWAYS(rt_sigprocmask),
    ALWAYS(rt_sigreturn),
    ALWAYS(sigaltstack),
    ALWAYS(tgkill),
    ALWAYS(getpid),
    ALWAYS(gettid),
    ALWAYS(getuid),
    ALWAYS(geteuid),
    ALWAYS(getgid),
    ALWAYS(getegid),
    ALWAYS(getrandom),
    ALWAYS(getrusage),
    ALWAYS(sched_yield),
    ALWAYS(getcpu),
    ALWAYS(prlimit64),
    ALWAYS(sysinfo),
    ALWAYS(uname),
    ALWAYS(exit),
    ALWAYS(exit_group),
#ifdef __x86_64__ /* older forms of the same, which the C library still makes there */
    ALWAYS(poll),
    ALWAYS(select),
    ALWAYS(epoll_wait),
    ALWAYS(open),
    ALWAYS(stat),
    ALWAYS(lstat),
    ALWAYS(access),
    ALWAYS(readlink),
    ALWAYS(unlink),
    ALWAYS(pipe),
    ALWAYS(dup2),
    ALWAYS(time),
    NEEDS(mkdir, CONFINE_POOL),
    NEEDS(rmdir, CONFINE_POOL),
    NEEDS(rename, CONFINE_POOL),
    NEEDS(link, CONFINE_POOL),
#endif
#ifdef CONFINE_SANITIZED /* at the end a process of its own looks for leaks */
    ALWAYS(clone),
    ALWAYS(ptrace),
    ALWAYS(wait4),
    ALWAYS(kill),
    ALWAYS(getppid),
    ALWAYS(tkill),
    ALWAYS(pread64),
    ALWAYS(process_vm_readv),
    ALWAYS(personality),
    ALWAYS(mmap),
    ALWAYS(mprotect),
#ifdef __x86_64__
    ALWAYS(getdents),
    ALWAYS(getrlimit),
    ALWAYS(setrlimit),
#endif
#endif
};
const uint32_t confine_list_count = ARRAY_COUNT(confine_list);
