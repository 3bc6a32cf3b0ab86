/* SPDX-License-Identifier: Apache-2.0 */
/* strake-replica: built bottom-up, run, and taken down in reverse. */
#include "common/base/log.h"
#include "common/confine/confine.h"
#include "common/net/listener.h"
#include "common/net/notify.h"
#include "replica/config.h"
#include "replica/front/replica.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    STOP_S = 10, /* for a clean end, then an unclean one */
    STORE_REQUESTS = 512,
};

static struct process {
    struct replica_config config;
    struct loop loop;
    struct stream_sender sender;
    struct buf_pool bufs;
    struct listener listener;
    struct tls_context *tls; /* NULL: plain */
    struct replica *replica;
    ev_signal terminate, interrupt, hangup;
    struct loop_timer deadline;
    bool stopping;
    bool clean; /* everything stopped as it should */
} process;

static int complain(int status, const char *text, const char *hint)
{
    fprintf(stderr, "strake-replica: %s%s\n", text, hint);
    return status;
}

static void on_replica_stopped(void *arg)
{
    (void)arg;
    process.clean = true;
    loop_stop(&process.loop);
}

static void on_deadline(struct loop_timer *timer)
{
    (void)timer;
    log_warn("stopping: not everything ended within %d s; the next start recovers", STOP_S);
    loop_stop(&process.loop);
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
    (void)ev;
    (void)events;
    if (process.stopping)
        _exit(EXIT_FAILURE); /* asked twice */
    log_info("stopping (%s)", strsignal(watcher->signum));
    notify_manager("STOPPING=1");
    process.stopping = true;
    listener_close(&process.listener);
    loop_timer_start(&process.deadline, STOP_S * (uint64_t)1000000000);
    replica_stop(process.replica, on_replica_stopped, NULL);
}

static void on_hangup(struct ev_loop *ev, ev_signal *watcher, int events)
{
    struct error error;
    (void)ev;
    (void)watcher;
    (void)events;
    if (process.tls && tls_context_reload(process.tls, &error))
        log_warn("--tls-dir: what was read before stays (%s)", error.text);
    else
        log_info("--tls-dir: %s", process.tls ? "read again" : "there is none");
}

static void on_accept(struct listener *listener, int fd)
{
    (void)listener;
    replica_accept(process.replica, fd);
}

/* Each volume needs a few descriptors. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Whole or not at all: who waits for the file reads an address. */
static int write_address_file(const char *path, const char *address, struct error *error)
{
    char fresh[4096], text[ADDRESS_TEXT_BYTES + 1];
    int length = snprintf(fresh, sizeof(fresh), "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof(fresh))
        return error_set(error, "--address-file: the path is too long");
    length = snprintf(text, sizeof(text), "%s\n", address);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set_errno(error, errno, "--address-file: %s", fresh);
    bool written = write(fd, text, (size_t)length) == length;
    int rc = written ? 0 : errno ? errno : EIO;
    if (close(fd) < 0 && rc == 0)
        rc = errno;
    if (rc == 0 && rename(fresh, path) < 0)
        rc = errno;
    return rc ? error_set_errno(error, rc, "--address-file: %s", path) : 0;
}

static int start_replica(struct error *error)
{
    const struct uuid *expected = &process.config.expected;
    const struct replica_settings settings = {
        .store = {.directory = process.config.pool,
                  .expected = uuid_is_zero(expected) ? NULL : expected,
                  .engine = process.config.engine,
                  .requests_max = STORE_REQUESTS,
                  .may_wait = true},
        .tls = process.tls,
        .targets = process.config.targets,
        .target_count = process.config.target_count};
    process.replica = replica_new(&settings, &process.loop, &process.sender, &process.bufs, error);
    return process.replica ? 0 : -1;
}

static void start_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    loop_timer_init(&process.deadline, &process.loop, on_deadline);
    ev_signal_init(&process.terminate, on_signal, SIGTERM);
    ev_signal_init(&process.interrupt, on_signal, SIGINT);
    ev_signal_init(&process.hangup, on_hangup, SIGHUP);
    ev_signal_start(process.loop.ev, &process.hangup);
    ev_signal_start(process.loop.ev, &process.terminate);
    ev_signal_start(process.loop.ev, &process.interrupt);
}

static void tell_ready(void)
{
    const char *address = process.listener.address.text;
    char uuid[UUID_TEXT_BYTES];
    uuid_format(replica_pool_uuid(process.replica), uuid);
    log_info("ready: listening on %s, pool %s, disk by %s, %u volumes", address, uuid,
             replica_engine_name(process.replica), replica_volume_count(process.replica));
    notify_manager("READY=1");
}

/* All is open: what is not needed any more is given up. */
static void confine(void)
{
    struct error why;
    confine_rights();
    if (!process.config.no_seccomp && confine_calls(CONFINE_POOL, &why))
        log_warn("not confined (%s)", why.text);
}

static int run(const struct address *address, struct error *error)
{
    if (loop_init(&process.loop))
        return error_set(error, "out of memory");
    stream_sender_init(&process.sender, &process.loop);
    buf_pool_init(&process.bufs, process.config.memory_bytes);
    if (process.config.tls_dir) {
        process.tls = tls_context_new(process.config.tls_dir, true, error);
        if (!process.tls)
            return error_prefix(error, "--tls-dir");
    }
    /* The address first: who cannot have it must not touch the pool. Nobody is accepted yet. */
    if (listener_open(&process.listener, &process.loop, address, on_accept, error))
        return -1;
    /* The pool's files are to be the user's. */
    const char *user = process.config.user;
    if (user && confine_user(user, process.config.pool, error))
        return error_prefix(error, "--user");
    if (start_replica(error))
        return -1;
    if (process.config.address_file &&
        write_address_file(process.config.address_file, process.listener.address.text, error))
        return -1;
    start_signals();
    confine();
    tell_ready();
    loop_run(&process.loop);
    return 0;
}

static void tear_down(void)
{
    ev_signal_stop(process.loop.ev, &process.hangup);
    ev_signal_stop(process.loop.ev, &process.interrupt);
    ev_signal_stop(process.loop.ev, &process.terminate);
    loop_timer_stop(&process.deadline);
    replica_free(process.replica);
    stream_sender_release(&process.sender);
    loop_release(&process.loop);
    buf_pool_release(&process.bufs);
    tls_context_free(process.tls);
}

int main(int argc, char *argv[])
{
    struct error error;
    if (replica_config_parse(&process.config, argc, argv, &error))
        return complain(EXIT_USAGE, error.text, " (see --help)");
    if (process.config.help || process.config.version) {
        fputs(process.config.help ? replica_config_help : "strake-replica " STRAKE_VERSION "\n",
              stdout);
        return EXIT_SUCCESS;
    }
    struct address address;
    if (address_parse(&address, process.config.listen, 0, &error)) {
        (void)error_prefix(&error, "--listen");
        return complain(EXIT_USAGE, error.text, " (see --help)");
    }
    log_init("strake-replica", process.config.log_level);
    umask(077);
    raise_descriptor_limit();
    if (run(&address, &error)) {
        /* The kernel takes the rest back; a unix socket's path must not stay. */
        listener_close(&process.listener);
        return complain(EXIT_FAILURE, error.text, "");
    }
    if (!process.clean)
        return EXIT_FAILURE;
    tear_down();
    log_info("stopped");
    return EXIT_SUCCESS;
}
