/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper of a device by NBD: hears from the kernel that a connection died, and hands it new
 * ones until none is dead. The kernel takes a connection only in the place of a dead one and drops
 * it silently otherwise, so that offering too many does no harm, and each death that the kernel
 * notices is followed by an offer.
 */
#include "common/base/log.h"
#include "common/net/notify.h"
#include "tools/attach/nbd.h"
#include "tools/attach/state.h"
#include "tools/attach/ways.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RETRY_MS = 100,
    LOOK_MS = 5000, /* is the device still attached? Others may have detached it */
    END_S = 30,
};

static volatile sig_atomic_t told_to_end;

/* ---- the lock ---- */

int keeper_lock(const struct attachment *a, int *fd, struct error *error)
{
    char path[ATTACH_PATH_BYTES];
    state_path(a->name, "keeper", path);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        return error_set_errno(error, errno, "%s", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int why = errno;
    close(*fd);
    *fd = -1;
    return why == EWOULDBLOCK ? 0 : error_set_errno(error, why, "%s", path);
}

static void pid_write(int fd)
{
    char text[16];
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)length, 0) != length)
        log_warn("keeper: its number is not written down (%s)", strerror(errno));
}

static pid_t pid_read(const struct attachment *a)
{
    char path[ATTACH_PATH_BYTES];
    char text[16] = "";
    state_path(a->name, "keeper", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        text[0] = '\0';
    if (fd >= 0)
        close(fd);
    return (pid_t)strtol(text, NULL, 10);
}

static bool keeper_lives(const struct attachment *a)
{
    struct error ignored;
    int fd;
    if (keeper_lock(a, &fd, &ignored))
        return false;
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

bool keeper_end(const struct attachment *a)
{
    const struct timespec step = {.tv_nsec = RETRY_MS * 1000 * 1000};
    if (!keeper_lives(a))
        return false;
    pid_t pid = pid_read(a);
    if (pid <= 0 || kill(pid, SIGTERM))
        return false;
    for (int i = 0; i < END_S * 1000 / RETRY_MS && keeper_lives(a); i++)
        nanosleep(&step, NULL);
    return true;
}

/* ---- keeping ---- */

static void on_signal(int number)
{
    (void)number;
    told_to_end = 1;
}

/* Waits for news, a signal (which comes only here) or the time. */
static void wait_for_news(int fd, int timeout_ms)
{
    sigset_t none;
    struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000 * 1000};
    struct pollfd news = {.fd = fd, .events = POLLIN};
    sigemptyset(&none);
    if (!told_to_end)
        (void)ppoll(&news, 1, &limit, &none);
}

/* As many connections as there could be dead ones. False: not all of them, the target is away. */
static bool offer(struct nbd *nbd, const struct attachment *a, struct error *error)
{
    uint64_t size_bytes = nbd->device.size_bytes;
    for (uint32_t i = 0; i < nbd->connections; i++) {
        int fd = nbd_connect(nbd, a->read_only, error);
        if (fd < 0)
            return false;
        bool shrunk = nbd->device.size_bytes < size_bytes;
        int status = shrunk ? error_set(error, "the volume has become smaller, it is another one")
                            : netlink_replace(&nbd->netlink, &nbd->device, fd, error);
        close(fd);
        if (shrunk)
            nbd->device.size_bytes = size_bytes;
        if (status)
            return false;
    }
    return true;
}

static void keep(struct nbd *nbd, const struct attachment *a, int news)
{
    struct error error;
    bool dead = false; /* nothing is known to be dead, but it might be */
    bool whole = false;
    char why[ERROR_TEXT_BYTES] = "";
    while (!told_to_end && nbd_is_attached(nbd->device.idx)) {
        bool heard = netlink_heard(news, nbd->device.idx);
        if (heard && !dead)
            log_info("%s: connection lost", a->device);
        dead = dead || heard;
        whole = whole && !heard;
        if (!whole && offer(nbd, a, &error)) {
            if (dead)
                log_info("%s: connected again", a->device);
            whole = true;
            dead = false;
            why[0] = '\0';
        } else if (!whole && strcmp(why, error.text) != 0) {
            memcpy(why, error.text, sizeof(why));
            log_info("%s: waiting (%s)", a->device, why);
        }
        wait_for_news(news, whole ? LOOK_MS : RETRY_MS);
    }
}

static void end(struct nbd *nbd, const struct attachment *a)
{
    struct error error;
    if (!nbd_is_attached(nbd->device.idx)) {
        log_info("%s: was detached", a->device);
        state_forget(a->name);
    } else if (device_let_go(a->device, &error)) {
        log_warn("%s: stays attached, without a keeper (%s)", a->device, error.text);
    } else if (netlink_detach(&nbd->netlink, nbd->device.idx, &error)) {
        log_warn("%s: %s", a->device, error.text);
    } else {
        log_info("%s: detached", a->device);
        state_forget(a->name);
    }
}

/* What is on the device may be all that is left of memory to come by: never wait for it. */
static void hold_memory(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "-1000", 5);
        close(fd);
    }
    (void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

static void signals_take(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigprocmask(SIG_BLOCK, &ours, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

int attach_keep(struct attachment *a, struct error *error)
{
    struct nbd nbd;
    ASSERT(a->keeper_fd >= 0);
    signals_take();
    if (nbd_open(&nbd, a, error))
        return -1;
    int news = netlink_listen(&nbd.netlink, error);
    if (news < 0 || !nbd_idx_of(a->device, &nbd.device.idx)) {
        nbd_close(&nbd);
        return -1;
    }
    nbd.device.dead_timeout_s = a->timeout_s;
    pid_write(a->keeper_fd);
    hold_memory();
    notify_manager("READY=1");
    keep(&nbd, a, news);
    notify_manager("STOPPING=1");
    end(&nbd, a);
    close(news);
    nbd_close(&nbd);
    close(a->keeper_fd);
    a->keeper_fd = -1;
    return 0;
}

/* ---- a process of its own ---- */

static void output_move(const struct attachment *a)
{
    char path[ATTACH_PATH_BYTES];
    state_path(a->name, "log", path);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(log >= 0 ? log : null, STDERR_FILENO);
}

/* Nothing of the command's but its lock of the keeper: above all not the one of all commands. */
static void descriptors_close(struct attachment *a)
{
    enum { KEPT = 3 };
    if (a->keeper_fd != KEPT)
        a->keeper_fd = dup2(a->keeper_fd, KEPT);
    (void)close_range(KEPT + 1, ~0u, 0);
}

/* The lock is shared with the child, which lives on with it. */
int keeper_start(struct attachment *a, struct error *error)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return error_set_errno(error, errno, "keeper");
    if (pid == 0) {
        pid_t child = setsid() < 0 ? -1 : fork();
        if (child)
            _exit(child < 0);
        descriptors_close(a);
        output_move(a);
        log_init("strake-attach", LOG_LEVEL_INFO);
        int status = chdir("/") || attach_keep(a, error);
        if (status)
            log_warn("%s: no keeper (%s)", a->device, error->text);
        _exit(status);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(a->keeper_fd);
    a->keeper_fd = -1;
    return status ? error_set(error, "keeper: no process for it") : 0;
}
