/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool in a folder of its own, opened with the engine under test. Jobs are done one at a time by
 * running the loop until they are answered.
 */
#ifndef STRAKE_TESTS_STORE_FIXTURE_H
#define STRAKE_TESTS_STORE_FIXTURE_H

#include "replica/store/store.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    FIXTURE_SIZE_BYTES = 4u << 20,
    FIXTURE_DRL_BYTES = 2 * STORE_DRL_PAGE_BYTES,
    FIXTURE_PLANE_BYTES = 1000, /* not a whole page */
};

static char fixture_root[64]; /* of this program: removed at the end, also after aborted tests */
static char fixture_path[80];
static enum store_engine fixture_engine;
static bool fixture_may_wait;
static const struct uuid *fixture_expected;
static struct loop fixture_loop;
static struct buf_pool fixture_bufs;
static struct store *fixture_store;
static struct store_volume *fixture_volume;
static struct store_found fixture_found;
static const struct uuid fixture_uuid = {{0x11, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14}};
static int fixture_status;
static struct epitaph fixture_epitaph; /* of what is deleted */

static inline int fixture_remove_one(const char *path, const struct stat *stat, int type,
                                     struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* In place of suite_run. */
static inline int fixture_suite_run(Suite *suite)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(fixture_root, sizeof(fixture_root), "%s/strake-store.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(fixture_root))
        return EXIT_FAILURE;
    int status = suite_run(suite);
    (void)nftw(fixture_root, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return status;
}

/* NULL with the reason. */
static inline struct store *fixture_try_open(struct error *error)
{
    const struct store_settings settings = {.directory = fixture_path,
                                            .expected = fixture_expected,
                                            .engine = fixture_engine,
                                            .requests_max = 64,
                                            .may_wait = fixture_may_wait,
                                            .bufs = &fixture_bufs};
    return store_open(&settings, &fixture_loop, error);
}

static inline void fixture_open(void)
{
    struct error error;
    fixture_store = fixture_try_open(&error);
    ck_assert_msg(fixture_store != NULL, "%s", error.text);
}

static inline void fixture_job_done(void *arg, int status)
{
    (void)arg;
    fixture_status = status;
    loop_stop(&fixture_loop);
}

static inline int fixture_create(const struct uuid *volume)
{
    struct store_create create = {.volume = *volume,
                                  .size_bytes = FIXTURE_SIZE_BYTES,
                                  .drl_bytes = FIXTURE_DRL_BYTES,
                                  .plane_bytes = FIXTURE_PLANE_BYTES};
    memset(create.meta, 'm', sizeof(create.meta));
    store_volume_create(fixture_store, &create, fixture_job_done, NULL);
    loop_run(&fixture_loop);
    return fixture_status;
}

static inline int fixture_delete(const struct uuid *volume)
{
    uint8_t meta[STORE_META_BYTES];
    memset(meta, 'd', sizeof(meta));
    store_volume_delete(fixture_store, volume, meta, &fixture_epitaph, fixture_job_done, NULL);
    loop_run(&fixture_loop);
    return fixture_status;
}

static inline void fixture_opened(void *arg, struct store_volume *volume, const struct error *error)
{
    if (!volume)
        *(struct error *)arg = *error;
    else
        fixture_found = *store_volume_found(volume);
    fixture_volume = volume;
    loop_stop(&fixture_loop);
}

static inline struct store_volume *fixture_try_volume(struct error *error)
{
    const struct store_extent extent = {.size_bytes = FIXTURE_SIZE_BYTES,
                                        .drl_bytes = FIXTURE_DRL_BYTES,
                                        .plane_bytes = FIXTURE_PLANE_BYTES};
    store_volume_open(fixture_store, &fixture_uuid, &extent, fixture_opened, error);
    loop_run(&fixture_loop);
    return fixture_volume;
}

static inline int fixture_volume_close(void)
{
    store_volume_close(fixture_volume, fixture_job_done, NULL);
    loop_run(&fixture_loop);
    fixture_volume = NULL;
    return fixture_status;
}

static inline void fixture_volume_open(void)
{
    struct error error;
    ck_assert_msg(fixture_try_volume(&error) != NULL, "%s", error.text);
}

static inline void fixture_reopen(void)
{
    bool opened = fixture_volume != NULL;
    if (opened)
        (void)fixture_volume_close();
    store_close(fixture_store);
    fixture_open();
    if (opened)
        fixture_volume_open();
}

/* `name` inside the pool. */
static inline const char *fixture_name(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", fixture_path, name);
    return path;
}

/* A file of the volume. */
static inline const char *fixture_file(const char *name)
{
    static char path[256];
    char uuid[UUID_TEXT_BYTES];
    uuid_format(&fixture_uuid, uuid);
    snprintf(path, sizeof(path), "%s/volumes/%s/%s", fixture_path, uuid, name);
    return path;
}

/* Checked fixtures: an empty folder and a loop; an open pool; a pool with an open volume. */
static inline void fixture_setup_folder(void)
{
    snprintf(fixture_path, sizeof(fixture_path), "%s/XXXXXX", fixture_root);
    ck_assert_ptr_nonnull(mkdtemp(fixture_path));
    ck_assert_int_eq(loop_init(&fixture_loop), 0);
    buf_pool_init(&fixture_bufs, 64u << 20);
}

static inline void fixture_teardown_folder(void)
{
    loop_release(&fixture_loop);
    buf_pool_release(&fixture_bufs);
}

static inline void fixture_setup_volume(void)
{
    fixture_setup_folder();
    fixture_open();
    ck_assert_int_eq(fixture_create(&fixture_uuid), 0);
    fixture_volume_open();
}

static inline void fixture_teardown_volume(void)
{
    if (fixture_volume)
        (void)fixture_volume_close();
    store_close(fixture_store);
    fixture_teardown_folder();
}

#endif
