/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole replica on real files, spoken to as a target does: over a link in memory and over a
 * socket, by either disk engine.
 */
#ifndef STRAKE_TESTS_REPLICA_FIXTURE_H
#define STRAKE_TESTS_REPLICA_FIXTURE_H

#include "replica/front/replica.h"
#include "tests/unit/replica/front/target.h"

#include <ftw.h>
#include <sys/socket.h>

static char root[64];
static char pool_path[96];
static enum store_engine engine;
static bool over_socket;
static struct replica *replica;

static const struct uuid volume_a = {{0xa, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};
static const struct uuid volume_b = {{0xb, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};
static const struct uuid member_1 = {{0x1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};
static const struct uuid member_2 = {{0x2, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};

static inline void connect_target(void)
{
    target = (struct link){.on_frame = on_frame, .on_down = on_down};
    got.down = false;
    if (!over_socket) {
        replica_join(replica, &target);
        return;
    }
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    replica_accept(replica, fds[0]);
    link_accept(&target, &loop, &sender, &bufs, fds[1]);
}

static inline void start(void)
{
    const struct replica_settings settings = {
        .store = {.directory = pool_path, .engine = engine, .requests_max = 64}};
    struct error error;
    replica = replica_new(&settings, &loop, &sender, &bufs, &error);
    ck_assert_msg(replica != NULL, "%s", error.text);
    connect_target();
}

static bool stopped;

static inline void on_stopped(void *arg)
{
    (void)arg;
    stopped = true;
    loop_stop(&loop);
}

static inline void stop(void)
{
    link_close(&target);
    replica_stop(replica, on_stopped, NULL);
    loop_timer_start(&impatience, WAIT_S * (uint64_t)1000000000);
    loop_run(&loop);
    loop_timer_stop(&impatience);
    replica_free(replica);
}

static inline void setup(void)
{
    snprintf(pool_path, sizeof(pool_path), "%s/XXXXXX", root);
    ck_assert_ptr_nonnull(mkdtemp(pool_path));
    ck_assert_int_eq(loop_init(&loop), 0);
    stream_sender_init(&sender, &loop);
    buf_pool_init(&bufs, 64u << 20);
    loop_timer_init(&impatience, &loop, on_impatience);
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
}

static inline void teardown(void)
{
    stop();
    stream_sender_release(&sender);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

static inline void setup_memory_uring(void)
{
    engine = STORE_ENGINE_URING;
    over_socket = false;
    setup();
}

static inline void setup_socket_threads(void)
{
    engine = STORE_ENGINE_THREADS;
    over_socket = true;
    setup();
}

static inline void restart(void)
{
    stop();
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
}

static inline int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* In place of suite_run: `add` adds the file's tests to a case of each kind. */
static inline int fixture_run(const char *name, void (*add)(TCase *tcase))
{
    static const struct {
        const char *name;
        void (*setup)(void);
    } kinds[] = {{"memory, io_uring", setup_memory_uring},
                 {"socket, threads", setup_socket_threads}};
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof(root), "%s/strake-replica.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(root))
        return EXIT_FAILURE;
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        TCase *tcase = tcase_create(kinds[i].name);
        tcase_add_checked_fixture(tcase, kinds[i].setup, teardown);
        tcase_set_timeout(tcase, 120);
        add(tcase);
        suite_add_tcase(suite, tcase);
    }
    int status = suite_run(suite);
    (void)nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return status;
}

#endif
