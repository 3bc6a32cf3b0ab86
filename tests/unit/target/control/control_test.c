/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue and the API, with fakes of the replicas, the volumes, the front and HTTP. */
#include "target/control/state.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <string.h>

enum { PEERS = 4, CALLS_MAX = 64 };

static struct loop loop;
static struct buf_pool bufs;
static struct control *control;

/* ---- the fake replicas: calls wait here until the test answers them ---- */

struct peer {
    uint32_t idx;
    char address[32];
    bool up;
    uint64_t free_bytes;
};
struct call {
    struct peer *peer;
    uint8_t type;
    struct message_create create; /* CREATE */
    struct message_delete del;    /* DELETE */
    peer_reply_fn *done;
    void *arg;
};
static struct peer peer_list[PEERS];
static uint32_t peer_count;
static struct peers_events events;
static struct call calls[CALLS_MAX];
static uint32_t call_count;

struct peers *peers_new(struct loop *l, struct stream_sender *sender, struct buf_pool *b,
                        const struct uuid *process, const struct peers_events *e, void *owner)
{
    (void)l, (void)sender, (void)b, (void)process, (void)owner;
    events = *e;
    return (struct peers *)(void *)peer_list;
}

static void calls_answer(const struct frame *reply)
{
    for (uint32_t i = 0; i < call_count; i++) {
        struct call call = calls[i];
        calls[i].done = NULL;
        if (call.done)
            call.done(call.arg, reply);
    }
    call_count = 0;
}

void peers_free(struct peers *peers)
{
    (void)peers;
    calls_answer(NULL);
}

uint32_t peers_count(const struct peers *peers)
{
    (void)peers;
    return peer_count;
}

struct peer *peers_at(struct peers *peers, uint32_t idx)
{
    (void)peers;
    return &peer_list[idx];
}

void peers_refresh(struct peers *peers)
{
    (void)peers;
}

void peer_status(const struct peer *peer, struct peer_status *status)
{
    *status = (struct peer_status){.address = peer->address,
                                   .up = peer->up,
                                   .why = peer->up ? "" : "connection refused",
                                   .free_bytes = peer->free_bytes,
                                   .total_bytes = 100};
    status->pool.bytes[0] = (uint8_t)(peer->idx + 1);
}

void peer_call(struct peer *peer, struct frame *frame, peer_reply_fn *done, void *arg)
{
    ck_assert_uint_lt(call_count, CALLS_MAX);
    struct call *call = &calls[call_count++];
    struct reader r = reader_of(frame->body, frame->body_bytes);
    *call = (struct call){.peer = peer, .type = frame->type, .done = done, .arg = arg};
    if (frame->type == FRAME_CREATE)
        message_create_decode(&r, &call->create);
    else
        message_delete_decode(&r, &call->del);
    ck_assert(!r.bad);
}

static uint32_t calls_of(uint8_t type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < call_count; i++)
        count += calls[i].type == type && calls[i].done;
    return count;
}

static void call_answer(uint32_t idx, uint32_t status)
{
    struct call call = calls[idx];
    struct frame reply = {.status = status};
    calls[idx].done = NULL;
    ck_assert_ptr_nonnull(call.done);
    call.done(call.arg, &reply);
}

static void all_answer(uint32_t status)
{
    calls_answer(&(struct frame){.status = status});
}

/* ---- the fake volumes ---- */

struct volume {
    struct config config;
    struct uuid members[MEMBERS_MAX];
    uint32_t member_count;
    void (*stopped)(void *arg);
    void *stopped_arg;
};
static uint32_t volumes_open;
static struct volume *volume_last;
static enum repl_state volume_state;

uint32_t volume_op_bytes(void)
{
    return 64;
}

struct volume *volume_new(const struct volume_env *env, const struct config *config)
{
    (void)env;
    struct volume *volume = calloc(1, sizeof(*volume));
    volume->config = *config;
    volumes_open++;
    volume_last = volume;
    return volume;
}

void volume_member_at(struct volume *volume, const struct uuid *member, struct peer *peer)
{
    ck_assert(peer->up);
    ck_assert_uint_lt(volume->member_count, MEMBERS_MAX);
    volume->members[volume->member_count++] = *member;
}

void volume_stop(struct volume *volume, void (*done)(void *arg), void *arg)
{
    volume->stopped = done;
    volume->stopped_arg = arg;
}

void volume_free(struct volume *volume)
{
    volumes_open--;
    free(volume);
}

const struct config *volume_config(const struct volume *volume)
{
    return &volume->config;
}

void volume_status(const struct volume *volume, struct repl_status *status)
{
    *status = (struct repl_status){.state = volume_state, .why = "so it is", .member_count = 1};
    status->members[0] = (struct repl_member_status){
        .member = volume->config.members[0].uuid, .attached = true, .in_sync = true, .why = ""};
}

const struct volume_counters *volume_counters(const struct volume *volume)
{
    static const struct volume_counters counters = {.reads = 3};
    (void)volume;
    return &counters;
}

const char *repl_state_name(enum repl_state state)
{
    return state == REPL_SERVING ? "serving" : "opening";
}

/* ---- the fake front ---- */

static struct exports exports;
static void (*removed)(void *arg);
static void *removed_arg;
static struct export *removing;

struct export *front_export_add(struct front *front, struct volume *volume)
{
    (void)front;
    struct export *export = calloc(1, sizeof(*export));
    snprintf(export->name, sizeof(export->name), "%s", volume->config.name);
    export->volume = volume;
    list_append(&exports.list, &export->node);
    return export;
}

void front_export_remove(struct front *front, struct export *export, void (*done)(void *arg),
                         void *arg)
{
    (void)front;
    ck_assert_ptr_null(removing);
    export->gone = true;
    removing = export;
    removed = done;
    removed_arg = arg;
}

static void export_goes(void)
{
    ck_assert_ptr_nonnull(removing);
    list_remove(&removing->node);
    free(removing);
    removing = NULL;
    removed(removed_arg);
}

struct exports *front_exports(struct front *front)
{
    (void)front;
    return &exports;
}

struct front_counters front_counters(const struct front *front)
{
    (void)front;
    return (struct front_counters){.nbd_connections = 2};
}

const char *front_address(const struct front *front, bool iscsi, uint32_t idx)
{
    (void)front;
    static const char *const nbd[] = {"127.0.0.1:10809", "unix:/run/n.sock", NULL};
    static const char *const portals[] = {"127.0.0.1:3260", NULL};
    return iscsi ? portals[idx] : nbd[idx];
}

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

static void ask(enum http_method method, const char *path, const char *query, const char *body)
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
static void refused(unsigned status, const char *words)
{
    const char *text = json_string_value(json_object_get(answer, "error"));
    ck_assert_uint_eq(answer_code, status);
    ck_assert_msg(text && strstr(text, words), "\"%s\" does not say \"%s\"", text, words);
}

static const char *answer_text(const char *key)
{
    return json_string_value(json_object_get(answer, key));
}

/* ---- fixture ---- */

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        ev_run(loop.ev, EVRUN_NOWAIT);
}

static void peer_comes(uint32_t idx)
{
    peer_list[idx].up = true;
    events.on_up(control, &peer_list[idx]);
    turns(2);
}

static void peer_goes(uint32_t idx)
{
    peer_list[idx].up = false;
    events.on_down(control, &peer_list[idx], "connection lost");
    turns(2);
}

static void setup(void)
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

static void stopped(void *arg)
{
    *(bool *)arg = true;
}

static void teardown(void)
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
static struct config config_of(const char *name, uint8_t count, uint64_t epoch)
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

static void peer_tells(uint32_t idx, const struct config *config, uint8_t member)
{
    struct message_volume told = {.member = config->members[member].uuid, .config = *config};
    events.on_volume(control, &peer_list[idx], &told);
}

static void create_v1(void)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 3);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(answer_code, 201);
}

/* ---- creation ---- */

START_TEST(create_asks_every_replica_then_answers)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    ck_assert_uint_eq(answer_code, 0);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 3);
    const struct config *config = &calls[0].create.config;
    ck_assert_uint_eq(config->min_in_sync, 2);
    ck_assert_uint_eq(config->epoch, 0);
    ck_assert_ptr_null(config_invalid(config));
    call_answer(0, FRAME_OK);
    call_answer(1, FRAME_OK);
    ck_assert_uint_eq(answer_code, 0);
    call_answer(2, FRAME_OK);
    ck_assert_uint_eq(answer_code, 201);
    ck_assert_str_eq(answer_text("state"), "serving");
    ck_assert_uint_eq(volume_last->member_count, 3);
}
END_TEST

START_TEST(create_tells_how_to_attach)
{
    create_v1();
    json_t *uris = json_object_get(json_object_get(answer, "nbd"), "uris");
    ck_assert_str_eq(json_string_value(json_array_get(uris, 0)), "nbd://127.0.0.1:10809/v1");
    ck_assert_str_eq(json_string_value(json_array_get(uris, 1)),
                     "nbd+unix:///v1?socket=/run/n.sock");
    const char *iqn = json_string_value(json_object_get(json_object_get(answer, "iscsi"), "iqn"));
    ck_assert_str_eq(iqn, EXPORT_IQN_PREFIX_DEFAULT ":v1");
}
END_TEST

START_TEST(create_takes_the_peers_with_most_space)
{
    peer_list[3].up = true;
    peer_list[3].free_bytes = 1000;
    ask(HTTP_POST, "/v1/volumes", "",
        "{\"name\": \"v1\", \"size_bytes\": 1048576, \"replicas\": 2}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 2);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[3]);
    ck_assert_ptr_eq(calls[1].peer, &peer_list[0]);
    ck_assert_uint_eq(calls[0].create.config.min_in_sync, 1);
    all_answer(FRAME_OK);
}
END_TEST

START_TEST(create_that_one_replica_refuses_is_undone)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    call_answer(0, FRAME_OK);
    call_answer(1, FRAME_NO_SPACE);
    call_answer(2, FRAME_OK);
    refused(503, "10.0.0.2");
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 2);
    ck_assert(calls[3].del.config.deleted);
    ck_assert_uint_eq(volumes_open, 0);
    all_answer(FRAME_OK);
    ask(HTTP_GET, "/v1/volumes/v1", "", "");
    refused(404, "v1");
    call_count = 0;
    create_v1();
}
END_TEST

START_TEST(create_that_no_replica_accepts_leaves_nothing)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    all_answer(FRAME_NO_SPACE);
    ck_assert_uint_eq(control->record_count, 0);
}
END_TEST

START_TEST(create_with_a_lost_reply_is_undone_when_the_peer_is_back)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    struct config config = calls[0].create.config;
    call_answer(1, FRAME_OK);
    call_answer(2, FRAME_OK);
    struct call lost = calls[0];
    calls[0].done = NULL;
    peer_goes(0);
    lost.done(lost.arg, NULL);
    refused(503, "connection lost");
    all_answer(FRAME_OK);
    peer_tells(0, &config, 0);
    peer_comes(0);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[0]);
    ck_assert_uint_eq(volumes_open, 0);
}
END_TEST

START_TEST(create_needs_as_many_peers_as_replicas)
{
    ask(HTTP_POST, "/v1/volumes", "",
        "{\"name\": \"v1\", \"size_bytes\": 1048576, \"replicas\": 4}");
    refused(503, "only 3");
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(create_refuses_what_makes_no_sense)
{
    static const struct {
        const char *body, *words;
    } bad[] = {
        {"", "JSON"},
        {"[]", "object"},
        {"{\"name\": \"v1\"}", "size_bytes"},
        {"{\"size_bytes\": 1048576}", "name"},
        {"{\"name\": 5, \"size_bytes\": 1048576}", "string"},
        {"{\"name\": \"V1\", \"size_bytes\": 1048576}", "V1"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048577}", "multiple"},
        {"{\"name\": \"v1\", \"size_bytes\": 4096}", "1 MiB"},
        {"{\"name\": \"v1\", \"size_bytes\": -4096}", "size_bytes"},
        {"{\"name\": \"v1\", \"size_bytes\": 1e9}", "integer"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048576, \"block_bytes\": 1000}", "block"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048576, \"replicas\": 0}", "replicas"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048576, \"replicas\": 9}", "replicas"},
        {"{\"name\": \"v1\", \"size_bytes\": 1048576, \"colour\": 1}", "colour"},
        {"{\"name\": \"v1\", \"name\": \"v2\", \"size_bytes\": 1048576}", "JSON"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        ask(HTTP_POST, "/v1/volumes", "", bad[i].body);
        refused(400, bad[i].words);
    }
    ck_assert_uint_eq(control->record_count, 0);
}
END_TEST

START_TEST(name_is_given_once)
{
    create_v1();
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    refused(409, "v1");
}
END_TEST

/* ---- what replicas tell ---- */

START_TEST(told_volume_is_opened_when_its_peer_is_up)
{
    struct config config = config_of("v1", 3, 5);
    peer_list[0].up = false;
    peer_tells(0, &config, 0);
    ck_assert_uint_eq(volumes_open, 0);
    peer_comes(0);
    ck_assert_uint_eq(volumes_open, 1);
    ck_assert_uint_eq(volume_last->member_count, 1);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(volumes_open, 1);
    ck_assert_uint_eq(volume_last->member_count, 2);
    ck_assert_ptr_nonnull(exports_find(&exports, "v1", 2));
}
END_TEST

START_TEST(newest_configuration_is_the_hint)
{
    struct config old = config_of("v1", 3, 5);
    struct config newer = config_of("v1", 3, 6);
    newer.size_bytes = 2 << 20;
    peer_tells(0, &old, 0);
    peer_tells(1, &newer, 1);
    peer_tells(2, &old, 2);
    peer_comes(0);
    ck_assert_uint_eq(volume_last->config.epoch, 6);
}
END_TEST

START_TEST(peer_that_comes_back_is_told_to_the_volume_again)
{
    create_v1();
    struct config config = volume_last->config;
    peer_goes(1);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(volume_last->member_count, 4);
    ck_assert(uuid_equal(&volume_last->members[3], &config.members[1].uuid));
}
END_TEST

START_TEST(second_volume_of_a_name_is_not_shown)
{
    struct config one = config_of("v1", 1, 5);
    struct config two = config_of("v1", 1, 5);
    two.volume.bytes[0] = 0x41;
    peer_tells(0, &one, 0);
    peer_tells(0, &two, 0);
    peer_comes(0);
    ck_assert_uint_eq(volumes_open, 2);
    ask(HTTP_GET, "/v1/volumes", "", "");
    json_t *second = json_array_get(json_object_get(answer, "volumes"), 1);
    ck_assert_ptr_null(json_object_get(second, "nbd"));
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(second, "why")), "name"));
}
END_TEST

START_TEST(straggler_of_a_deleted_volume_is_told)
{
    struct config config = config_of("v1", 3, 5);
    struct config tombstone = config;
    tombstone.deleted = true;
    tombstone.version = 9;
    peer_tells(0, &tombstone, 0);
    peer_comes(0);
    ck_assert_uint_eq(call_count, 0);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(volumes_open, 0);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[1]);
    ck_assert_uint_eq(calls[0].del.config.version, 9);
}
END_TEST

START_TEST(tombstone_ends_an_open_volume)
{
    struct config config = config_of("v1", 3, 5);
    struct config tombstone = config;
    peer_tells(0, &config, 0);
    peer_comes(0);
    ck_assert_uint_eq(volumes_open, 1);
    tombstone.deleted = true;
    tombstone.version = 9;
    peer_tells(1, &tombstone, 1);
    peer_comes(1);
    export_goes();
    turns(2);
    ck_assert_ptr_nonnull(volume_last->stopped);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    ck_assert_uint_eq(volumes_open, 0);
}
END_TEST

START_TEST(member_left_out_at_creation_is_made)
{
    struct config config = config_of("v1", 3, 0);
    peer_count = 3;
    peer_list[2].up = false;
    peer_tells(0, &config, 0);
    peer_comes(0);
    peer_tells(1, &config, 1);
    peer_comes(1);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 0);
    peer_comes(2);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 1);
    ck_assert_ptr_eq(calls[0].peer, &peer_list[2]);
    ck_assert(uuid_equal(&calls[0].create.member, &config.members[2].uuid));
    uint32_t before = volume_last->member_count;
    all_answer(FRAME_OK);
    ck_assert_uint_eq(volume_last->member_count, before + 1);
}
END_TEST

START_TEST(missing_member_of_a_volume_once_opened_is_not_made)
{
    struct config config = config_of("v1", 3, 1);
    peer_count = 3;
    peer_tells(0, &config, 0);
    peer_tells(1, &config, 1);
    peer_comes(0);
    peer_comes(1);
    peer_comes(2);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 0);
}
END_TEST

START_TEST(missing_majority_of_a_new_volume_is_not_made)
{
    struct config config = config_of("v1", 3, 0);
    peer_count = 3;
    peer_tells(0, &config, 0);
    peer_comes(0);
    peer_comes(1);
    peer_comes(2);
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 0);
}
END_TEST

START_TEST(fenced_volume_is_taken_away)
{
    create_v1();
    control->env.on_fenced(control, volume_last);
    turns(2);
    export_goes();
    turns(2);
    ck_assert_uint_eq(volumes_open, 0);
    ask(HTTP_GET, "/v1/volumes/v1", "", "");
    ck_assert_str_eq(answer_text("state"), "fenced");
}
END_TEST

/* ---- deletion ---- */

START_TEST(delete_stops_the_volume_then_tells_the_replicas)
{
    create_v1();
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    turns(2);
    export_goes();
    turns(2);
    ck_assert_uint_eq(call_count, 0);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    ck_assert_uint_eq(volumes_open, 0);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 3);
    ck_assert_uint_eq(answer_code, 0);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_str_eq(answer_text("state"), "deleted");
    ask(HTTP_GET, "/v1/volumes", "", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "volumes")), 0);
    ask(HTTP_GET, "/v1/volumes", "deleted=1", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "volumes")), 1);
}
END_TEST

START_TEST(volume_in_use_is_deleted_only_by_force)
{
    create_v1();
    exports_find(&exports, "v1", 2)->session_count = 1;
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    refused(409, "in use");
    ask(HTTP_DELETE, "/v1/volumes/v1", "force=1", "");
    ck_assert_uint_eq(answer_code, 0);
    turns(2);
    export_goes();
    turns(2);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    all_answer(FRAME_OK);
    ck_assert_uint_eq(answer_code, 200);
}
END_TEST

START_TEST(delete_needs_a_majority)
{
    create_v1();
    peer_goes(0);
    peer_goes(1);
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    refused(503, "1 of its 3");
}
END_TEST

START_TEST(delete_that_no_replica_hears_brings_the_volume_back)
{
    create_v1();
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    turns(2);
    export_goes();
    turns(2);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    calls_answer(NULL);
    refused(503, "connection lost");
    ck_assert_uint_eq(volumes_open, 1);
}
END_TEST

START_TEST(deletion_under_way_when_the_target_stops_is_answered)
{
    create_v1();
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    turns(2);
    export_goes();
    turns(2);
    volume_last->stopped(volume_last->stopped_arg);
    turns(2);
    ck_assert_uint_eq(calls_of(FRAME_DELETE), 3);
}
END_TEST

START_TEST(creation_under_way_when_the_target_stops_is_answered)
{
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v1\", \"size_bytes\": 1048576}");
    ck_assert_uint_eq(calls_of(FRAME_CREATE), 3);
}
END_TEST

/* ---- the rest of the API ---- */

START_TEST(status_tells_of_replicas_and_volumes)
{
    create_v1();
    ask(HTTP_GET, "/v1/status", "", "");
    ck_assert_uint_eq(answer_code, 200);
    json_t *replicas = json_object_get(answer, "replicas");
    ck_assert_uint_eq(json_array_size(replicas), PEERS);
    ck_assert(json_is_false(json_object_get(json_array_get(replicas, 3), "up")));
    json_t *volumes = json_object_get(answer, "volumes");
    ck_assert_int_eq(json_integer_value(json_object_get(volumes, "serving")), 1);
    ck_assert_uint_ge(json_array_size(json_object_get(answer, "events")), 1);
}
END_TEST

START_TEST(events_are_remembered_up_to_their_bound)
{
    for (int i = 0; i < 2 * CONTROL_EVENTS_MAX; i++)
        catalogue_event(control, false, "x", i ? "later" : "first");
    ask(HTTP_GET, "/v1/status", "", "");
    json_t *list = json_object_get(answer, "events");
    ck_assert_uint_eq(json_array_size(list), CONTROL_EVENTS_MAX);
    const char *text = json_string_value(json_object_get(json_array_get(list, 0), "text"));
    ck_assert_str_eq(text, "later");
}
END_TEST

START_TEST(unknown_things_are_refused)
{
    ask(HTTP_GET, "/v2/status", "", "");
    refused(404, "/v2/status");
    ask(HTTP_GET, "/v1/volumes/", "", "");
    refused(404, "nothing");
    ask(HTTP_GET, "/v1/volumes/a/b", "", "");
    refused(404, "nothing");
    ask(HTTP_POST, "/v1/status", "", "");
    refused(405, "GET");
    ask(HTTP_OTHER, "/v1/volumes", "", "");
    refused(405, "GET");
    ask(HTTP_GET, "/v1/volumes", "deleted=maybe", "");
    refused(400, "deleted");
    ask(HTTP_GET, "/v1/volumes", "color=1", "");
    refused(400, "color");
}
END_TEST

START_TEST(volume_is_found_by_its_id)
{
    create_v1();
    char path[128];
    snprintf(path, sizeof(path), "/v1/volumes/%s", answer_text("id"));
    ask(HTTP_GET, path, "", "");
    ck_assert_str_eq(answer_text("name"), "v1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tcase = tcase_create("control");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, create_asks_every_replica_then_answers);
    tcase_add_test(tcase, create_tells_how_to_attach);
    tcase_add_test(tcase, create_takes_the_peers_with_most_space);
    tcase_add_test(tcase, create_that_one_replica_refuses_is_undone);
    tcase_add_test(tcase, create_that_no_replica_accepts_leaves_nothing);
    tcase_add_test(tcase, create_with_a_lost_reply_is_undone_when_the_peer_is_back);
    tcase_add_test(tcase, create_needs_as_many_peers_as_replicas);
    tcase_add_test(tcase, create_refuses_what_makes_no_sense);
    tcase_add_test(tcase, name_is_given_once);
    tcase_add_test(tcase, told_volume_is_opened_when_its_peer_is_up);
    tcase_add_test(tcase, newest_configuration_is_the_hint);
    tcase_add_test(tcase, peer_that_comes_back_is_told_to_the_volume_again);
    tcase_add_test(tcase, second_volume_of_a_name_is_not_shown);
    tcase_add_test(tcase, straggler_of_a_deleted_volume_is_told);
    tcase_add_test(tcase, tombstone_ends_an_open_volume);
    tcase_add_test(tcase, member_left_out_at_creation_is_made);
    tcase_add_test(tcase, missing_member_of_a_volume_once_opened_is_not_made);
    tcase_add_test(tcase, missing_majority_of_a_new_volume_is_not_made);
    tcase_add_test(tcase, fenced_volume_is_taken_away);
    tcase_add_test(tcase, delete_stops_the_volume_then_tells_the_replicas);
    tcase_add_test(tcase, volume_in_use_is_deleted_only_by_force);
    tcase_add_test(tcase, delete_needs_a_majority);
    tcase_add_test(tcase, delete_that_no_replica_hears_brings_the_volume_back);
    tcase_add_test(tcase, deletion_under_way_when_the_target_stops_is_answered);
    tcase_add_test(tcase, creation_under_way_when_the_target_stops_is_answered);
    tcase_add_test(tcase, status_tells_of_replicas_and_volumes);
    tcase_add_test(tcase, events_are_remembered_up_to_their_bound);
    tcase_add_test(tcase, unknown_things_are_refused);
    tcase_add_test(tcase, volume_is_found_by_its_id);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
