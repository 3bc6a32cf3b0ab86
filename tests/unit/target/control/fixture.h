/* SPDX-License-Identifier: Apache-2.0 */
/* The room between fakes of replicas, volumes, front and HTTP. */
#ifndef STRAKE_TESTS_CONTROL_FIXTURE_H
#define STRAKE_TESTS_CONTROL_FIXTURE_H

#include "tests/unit/target/control/fake_book.h"
#include "tests/unit/target/control/fake_front.h"
#include "tests/unit/target/control/fake_replicas.h"

static struct loop loop;
static struct buf_pool bufs;
static struct control *control;

/* ---- the fake HTTP: one request at a time ---- */

static struct http_request request;
static unsigned answer_code;
static json_t *answer;

struct http *http_new(struct loop *l, const char *path,
                      void (*on_request)(void *owner, struct http_request *request), void *owner,
                      struct error *error)
{
    (void)l, (void)path, (void)on_request, (void)owner, (void)error;
    return (struct http *)(void *)&request;
}

void http_free(struct http *http)
{
    (void)http;
}

void http_answer(struct http_request *r, unsigned status, char *json)
{
    ck_assert_ptr_eq(r, &request);
    json_decref(answer);
    answer_code = status;
    answer = json_loads(json, 0, NULL);
    ck_assert_ptr_nonnull(answer);
    free(json);
}

static inline void ask(enum http_method method, const char *path, const char *query,
                       const char *body)
{
    static char bytes[4096];
    request = (struct http_request){.method = method};
    snprintf(request.path, sizeof(request.path), "%s", path);
    snprintf(request.query, sizeof(request.query), "%s", query);
    snprintf(bytes, sizeof(bytes), "%s", body);
    request.body = bytes;
    request.body_bytes = strlen(body);
    answer_code = 0;
    api_request(control, &request);
}

/* The answer is an error with that status, and says these words. */
static inline void refused(unsigned status, const char *words)
{
    const char *text = json_string_value(json_object_get(answer, "error"));
    ck_assert_uint_eq(answer_code, status);
    ck_assert_msg(text && strstr(text, words), "\"%s\" does not say \"%s\"", text, words);
}

static inline const char *answer_text(const char *key)
{
    return json_string_value(json_object_get(answer, key));
}

/* ---- fixture ---- */

static inline void turns(int count)
{
    for (int i = 0; i < count; i++)
        ev_run(loop.ev, EVRUN_NOWAIT);
}

static inline void peer_comes(uint32_t idx)
{
    peer_list[idx].up = true;
    events.on_up(control, &peer_list[idx]);
    turns(2);
}

static inline void peer_goes(uint32_t idx)
{
    peer_list[idx].up = false;
    events.on_down(control, &peer_list[idx], "connection lost");
    turns(2);
}

static inline void setup(void)
{
    struct error error;
    struct uuid process = {{9}};
    struct control_settings settings = {.socket_path = "/nowhere", .ops_max = 16};
    peer_count = PEERS;
    for (uint32_t i = 0; i < PEERS; i++) {
        peer_list[i] = (struct peer){.idx = i, .up = i < 3, .free_bytes = 100 - i};
        snprintf(peer_list[i].address, sizeof(peer_list[i].address), "10.0.0.%u:10900", i + 1);
    }
    volume_state = REPL_SERVING;
    exports_init(&exports, EXPORT_IQN_PREFIX_DEFAULT);
    ck_assert_int_eq(loop_init(&loop), 0);
    buf_pool_init(&bufs, 1 << 20);
    control = control_new(&settings, &loop, NULL, &bufs, NULL, &process, &error);
    ck_assert_ptr_nonnull(control);
}

static inline void stopped(void *arg)
{
    *(bool *)arg = true;
}

static inline void teardown(void)
{
    bool done = false;
    control_stop(control, stopped, &done);
    turns(2);
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        if (record->volume && record->volume->stopped)
            record->volume->stopped(record->volume->stopped_arg);
    }
    turns(2);
    ck_assert(done);
    control_free(control);
    ck_assert_uint_eq(volumes_open, 0);
    LIST_FOR_EACH_SAFE (node, &exports.list) {
        list_remove(node);
        free(CONTAINER_OF(node, struct export, node));
    }
    json_decref(answer);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

/* A configuration with `count` members, as some target made it. */
static inline struct config config_of(const char *name, uint8_t count, uint64_t epoch)
{
    struct config config = {.size_bytes = 1 << 20,
                            .block_bytes = 4096,
                            .epoch = epoch,
                            .version = 1,
                            .created_s = 1,
                            .min_in_sync = 1,
                            .member_count = count};
    snprintf(config.name, sizeof(config.name), "%s", name);
    config.volume.bytes[0] = 0x40;
    memcpy(config.volume.bytes + 1, name, strlen(name) < 15 ? strlen(name) : 15);
    for (uint8_t i = 0; i < count; i++) {
        config.members[i].in_sync = true;
        config.members[i].uuid.bytes[0] = (uint8_t)(0x80 + i);
    }
    return config;
}

static inline void peer_tells(uint32_t idx, const struct config *config, uint8_t member)
{
    struct message_volume told = {.member = config->members[member].uuid, .config = *config};
    events.on_volume(control, &peer_list[idx], &told);
}

static inline void create_v1(void)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 3);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(answer_code, 201);
}

/* A program of these tests: each with the room built anew. */
static inline int tests_run(const char *name, const TTest *const *tests, size_t count)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}

#endif
