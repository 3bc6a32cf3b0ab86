/* SPDX-License-Identifier: Apache-2.0 */
/* strake-target: the rooms are built bottom-up, run, and are taken down in reverse. */
#include "common/base/log.h"
#include "common/confine/confine.h"
#include "common/net/notify.h"
#include "replica/front/replica.h"
#include "target/config.h"
#include "target/control/control.h"
#include "target/front/front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    STOP_S = 8,           /* for a clean end, then an unclean one */
    STORE_REQUESTS = 512, /* of an embedded replica, in flight */
};

static struct target {
    struct target_config config;
    int lock_fd;
    struct uuid process; /* of this process */
    struct uuid former;  /* of the last one that had the lock: it is dead; or zero */
    struct loop loop;
    struct stream_sender sender;
    struct buf_pool bufs;
    struct front *front;
    struct control *control;
    struct tls_context *tls;     /* of the links to replicas; NULL: plain */
    struct tls_context *nbd_tls; /* of NBD clients; NULL: none */
    struct replica *replica;     /* NULL: volumes are kept by other processes only */
    ev_signal terminate, interrupt, hangup;
    struct loop_timer deadline;
    bool stopping;
    bool clean; /* everything stopped as it should */
} target;

/* ---- the end ---- */

static void on_replica_stopped(void *arg)
{
    (void)arg;
    target.clean = true;
    loop_stop(&target.loop);
}

static void on_control_stopped(void *arg)
{
    if (target.replica)
        replica_stop(target.replica, on_replica_stopped, arg);
    else
        on_replica_stopped(arg);
}

static void on_front_stopped(void *arg)
{
    control_stop(target.control, on_control_stopped, arg);
}

static void on_deadline(struct loop_timer *timer)
{
    (void)timer;
    log_warn("stopping: not everything ended within %d s; the next start recovers", STOP_S);
    loop_stop(&target.loop);
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
    (void)ev;
    (void)events;
    if (target.stopping)
        _exit(EXIT_FAILURE);
    log_info("stopping (%s)", strsignal(watcher->signum));
    notify_manager("STOPPING=1");
    target.stopping = true;
    loop_timer_start(&target.deadline, STOP_S * (uint64_t)1000000000);
    front_stop(target.front, on_front_stopped, NULL);
}

static void tls_reload(struct tls_context *tls, const char *name)
{
    struct error error;
    if (tls && tls_context_reload(tls, &error))
        log_warn("%s: what was read before stays (%s)", name, error.text);
    else if (tls)
        log_info("%s: read again", name);
}

static void on_hangup(struct ev_loop *ev, ev_signal *watcher, int events)
{
    struct error error;
    (void)ev;
    (void)watcher;
    (void)events;
    if (front_access_reload(target.front, &error))
        log_warn("access: the rules stay as they were (%s)", error.text);
    else
        log_info("access: %s", target.config.access[0] ? "read again" : "there is no file");
    tls_reload(target.tls, "tls-dir");
    tls_reload(target.nbd_tls, "nbd-tls-dir");
}

/* ---- the start ---- */

/* Who had the lock before is dead, so nobody needs to wait for the leases it holds. */
static int lock_sign(const char *path, struct error *error)
{
    char text[UUID_TEXT_BYTES] = "";
    uint8_t random[UUID_BYTES];
    if (pread(target.lock_fd, text, UUID_TEXT_BYTES - 1, 0) < 0 ||
        !uuid_parse(text, &target.former))
        target.former = (struct uuid){{0}};
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_set_errno(error, errno, "random numbers");
    target.process = uuid_from_random(random);
    uuid_format(&target.process, text);
    if (pwrite(target.lock_fd, text, UUID_TEXT_BYTES - 1, 0) != UUID_TEXT_BYTES - 1)
        return error_set_errno(error, errno, "lock %s: cannot write", path);
    return 0;
}

/* One target to a control socket: the lock lives as long as the process. */
static int lock_take(const char *control, struct error *error)
{
    char path[CONFIG_TEXT_BYTES + 8];
    snprintf(path, sizeof(path), "%s", control);
    char *slash = strrchr(path, '/');
    if (slash && slash != path) {
        *slash = '\0';
        if (mkdir(path, 0700) && errno != EEXIST)
            return error_set_errno(error, errno, "directory %s", path);
    }
    snprintf(path, sizeof(path), "%s.lock", control);
    target.lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (target.lock_fd < 0)
        return error_set_errno(error, errno, "lock %s", path);
    if (flock(target.lock_fd, LOCK_EX | LOCK_NB))
        return error_set(error, "control socket %s: in use by another target", control);
    return lock_sign(path, error);
}

static int listen_iscsi(const struct target_config *config, struct error *error)
{
    for (uint32_t i = 0; i < config->iscsi.count; i++) {
        struct address address;
        const char *portal = i < config->portals.count ? config->portals.items[i] : NULL;
        if (address_parse(&address, config->iscsi.items[i], 3260, error) ||
            front_listen_iscsi(target.front, &address, portal, error))
            return error_prefix(error, "iscsi");
    }
    return 0;
}

static int listen_nbd(const struct target_config *config, struct error *error)
{
    for (uint32_t i = 0; i < config->nbd.count; i++) {
        struct address address;
        if (address_parse(&address, config->nbd.items[i], 10809, error) ||
            front_listen_nbd(target.front, &address, error))
            return error_prefix(error, "nbd");
    }
    return 0;
}

static int tls_build(struct error *error)
{
    const struct target_config *config = &target.config;
    if (config->tls_dir[0]) {
        target.tls = tls_context_new(config->tls_dir, true, error);
        if (!target.tls)
            return error_prefix(error, "tls-dir");
    }
    if (strcmp(config->nbd_tls, "off") != 0) {
        target.nbd_tls = tls_context_new(config->nbd_tls_dir, false, error);
        if (!target.nbd_tls)
            return error_prefix(error, "nbd-tls");
    }
    return 0;
}

static enum nbd_tls nbd_tls_mode(const char *mode)
{
    if (strcmp(mode, "require") == 0)
        return NBD_TLS_REQUIRED;
    return strcmp(mode, "on") == 0 ? NBD_TLS_ALLOWED : NBD_TLS_OFF;
}

static int front_build(struct error *error)
{
    const struct target_config *config = &target.config;
    struct front_settings settings = {.iqn_prefix = config->iqn_prefix,
                                      .access = config->access[0] ? config->access : NULL,
                                      .requests_max = (uint32_t)config->requests,
                                      .connections_max = (uint32_t)config->connections,
                                      .nbd_tls = nbd_tls_mode(config->nbd_tls),
                                      .tls = target.nbd_tls};
    target.front = front_new(&settings, &target.loop, &target.sender, &target.bufs, error);
    if (!target.front)
        return -1;
    return listen_iscsi(config, error) || listen_nbd(config, error) ? -1 : 0;
}

static int control_build(struct error *error)
{
    static const uint64_t ns_per_ms = 1000000;
    const struct target_config *config = &target.config;
    struct control_settings settings = {
        .socket_path = config->control,
        .repl = repl_settings_default(),
        .list_snapshots = config->list_snapshots,
        .no_heal = config->no_heal,
        .replace_after_ns = config->replace_after_s * 1000 * ns_per_ms,
        .scrub_every_s = config->scrub_every_s,
        .ops_max = 2 * (uint32_t)config->requests, /* of both protocols */
        .share = {.names = config->volumes,
                  .number = config->share_number,
                  .count = config->share_count},
    };
    settings.repl.dead = target.former;
    if (config->slow_ms)
        settings.repl.slow_ns = config->slow_ms * ns_per_ms;
    if (config->grace_ms)
        settings.repl.grace_ns = config->grace_ms * ns_per_ms;
    if (config->io_timeout_ms)
        settings.repl.io_timeout_ns = config->io_timeout_ms * ns_per_ms;
    settings.repl.fail_when_full = config->fail_when_full;
    if (config->resync_mib_s)
        settings.repl.resync_bytes_per_s = config->resync_mib_s << 20;
    target.control = control_new(&settings, &target.loop, &target.sender, &target.bufs,
                                 target.front, &target.process, error);
    return target.control ? 0 : -1;
}

static int replicas_build(struct error *error)
{
    const struct target_config *config = &target.config;
    struct peers *peers = control_peers(target.control);
    peers_secure(peers, target.tls);
    for (uint32_t i = 0; i < config->replicas.count; i++) {
        if (peers_add(peers, config->replicas.items[i], error))
            return -1;
    }
    if (!config->pool[0])
        return 0;
    enum store_engine engine = STORE_ENGINE_AUTO;
    if (strcmp(config->engine, "io_uring") == 0)
        engine = STORE_ENGINE_URING;
    else if (strcmp(config->engine, "threads") == 0)
        engine = STORE_ENGINE_THREADS;
    struct replica_settings settings = {.store = {.directory = config->pool,
                                                  .engine = engine,
                                                  .requests_max = STORE_REQUESTS,
                                                  .may_wait = config->replicas.count == 0}};
    target.replica = replica_new(&settings, &target.loop, &target.sender, &target.bufs, error);
    if (!target.replica)
        return -1;
    replica_join(target.replica, peers_add_embedded(peers));
    peers_embedded_joined(peers);
    return 0;
}

/* Sockets, keys and rules are open; the pool's files are to be the user's. */
static int become_user(struct error *error)
{
    const struct target_config *config = &target.config;
    return config->user[0] ? confine_user(config->user, config->pool, error) : 0;
}

/* All is open: what is not needed any more is given up. */
static void confine(void)
{
    const struct target_config *config = &target.config;
    struct error why;
    confine_rights();
    uint32_t needs = CONFINE_CONNECT | (config->pool[0] ? CONFINE_POOL : 0u);
    if (!config->no_seccomp && confine_calls(needs, &why))
        log_warn("not confined (%s)", why.text);
}

static int target_build(struct error *error)
{
    if (lock_take(target.config.control, error))
        return -1;
    if (loop_init(&target.loop))
        return error_set_errno(error, ENOMEM, "event loop");
    target.loop.looks = !target.config.no_busy_poll;
    stream_sender_init(&target.sender, &target.loop);
    buf_pool_init(&target.bufs, target.config.memory_mib << 20);
    loop_timer_init(&target.deadline, &target.loop, on_deadline);
    if (tls_build(error) || front_build(error) || control_build(error) || become_user(error) ||
        replicas_build(error))
        return -1;
    ev_signal_init(&target.terminate, on_signal, SIGTERM);
    ev_signal_init(&target.interrupt, on_signal, SIGINT);
    ev_signal_init(&target.hangup, on_hangup, SIGHUP);
    ev_signal_start(target.loop.ev, &target.hangup);
    ev_signal_start(target.loop.ev, &target.terminate);
    ev_signal_start(target.loop.ev, &target.interrupt);
    return 0;
}

static void ready(void)
{
    const char *address;
    for (int iscsi = 0; iscsi <= 1; iscsi++) {
        for (uint32_t i = 0; (address = front_address(target.front, iscsi, i)); i++)
            log_info("%s: listens at %s", iscsi ? "iscsi" : "nbd", address);
    }
    log_info("ready, version %s, control socket %s", STRAKE_VERSION, target.config.control);
    notify_manager("READY=1");
}

/* Only after a clean stop: otherwise things may still hold on to each other, and the end is near.
 */
static void target_release(void)
{
    loop_timer_stop(&target.deadline);
    ev_signal_stop(target.loop.ev, &target.hangup);
    ev_signal_stop(target.loop.ev, &target.terminate);
    ev_signal_stop(target.loop.ev, &target.interrupt);
    control_free(target.control);
    if (target.replica)
        replica_free(target.replica);
    front_free(target.front);
    stream_sender_release(&target.sender);
    loop_release(&target.loop);
    buf_pool_release(&target.bufs);
    tls_context_free(target.tls);
    tls_context_free(target.nbd_tls);
    close(target.lock_fd);
}

int main(int argc, char *argv[])
{
    struct error error;
    signal(SIGPIPE, SIG_IGN);
    log_init("strake-target", LOG_LEVEL_INFO);
    if (config_parse(&target.config, argc, argv, &error)) {
        fprintf(stderr, "strake-target: %s\n", error.text);
        return EXIT_USAGE;
    }
    if (target.config.help) {
        config_help();
        return 0;
    }
    if (target.config.version) {
        printf("strake-target %s\n", STRAKE_VERSION);
        return 0;
    }
    if (target.config.debug)
        log_init("strake-target", LOG_LEVEL_DEBUG);
    if (config_exposure(&target.config, &error) || target_build(&error)) {
        fprintf(stderr, "strake-target: %s\n", error.text);
        return EXIT_FAILURE;
    }
    confine();
    ready();
    loop_run(&target.loop);
    if (target.clean)
        target_release();
    log_info("stopped");
    return 0;
}
