/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole replica on real files, spoken to as a target does: over a link in memory and over a
 * socket, by either disk engine.
 */
#include "replica/front/replica.h"
#include "replica/service/service.h"
#include "tests/lib/suite.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SIZE_BYTES = 8u << 20,
    LENGTH = 64u << 10,
    WAIT_S = 30, /* for an answer, before a test is given up */
    BURST = 5000,
};

static char root[64];
static char pool_path[96];
static enum store_engine engine;
static bool over_socket;

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct replica *replica;
static struct link target;
static struct loop_timer impatience;

/* The last reply, copied. */
static struct {
    uint32_t count;
    uint32_t ok_count;
    uint32_t wanted;
    struct frame frame;
    uint8_t body[FRAME_BODY_BYTES_MAX];
    uint8_t payload[LENGTH];
    bool payload_ok;
    bool down;
    char why[128];
} got;
static uint64_t request;

static const struct uuid volume_a = {{0xa, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};
static const struct uuid volume_b = {{0xb, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};
static const struct uuid member_1 = {{0x1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};
static const struct uuid member_2 = {{0x2, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};
static const struct uuid controller = {{0xc, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10}};

static struct listed {
    uint32_t count;
    uint32_t deleted;
    struct message_volume last;
} listed;

static void take_list(const struct frame *frame)
{
    struct reader r = reader_of(frame->body, frame->body_bytes);
    while (reader_left(&r) > 0) {
        message_volume_decode(&r, &listed.last);
        ck_assert(!r.bad && !config_invalid(&listed.last.config));
        listed.count++;
        listed.deleted += listed.last.config.deleted;
    }
}

static void on_frame(struct link *link, const struct frame *frame)
{
    (void)link;
    if (frame->type == FRAME_LIST)
        take_list(frame);
    got.count++;
    got.ok_count += frame->status == FRAME_OK;
    got.frame = *frame;
    if (frame->body_bytes)
        memcpy(got.body, frame->body, frame->body_bytes);
    if (frame->payload.length_bytes) {
        got.payload_ok = slice_crc_ok(&frame->payload);
        memcpy(got.payload, frame->payload.bytes, LENGTH);
    }
    if (got.count == got.wanted)
        loop_stop(&loop);
}

static void on_down(struct link *link, const char *why)
{
    (void)link;
    got.down = true;
    snprintf(got.why, sizeof(got.why), "%s", why);
    loop_stop(&loop);
}

static void on_impatience(struct loop_timer *timer)
{
    (void)timer;
    ck_abort_msg("no answer within %d s", WAIT_S);
}

static void wait_for(uint32_t replies)
{
    got.wanted = got.count + replies;
    loop_timer_start(&impatience, WAIT_S * (uint64_t)1000000000);
    loop_run(&loop);
    loop_timer_stop(&impatience);
}

static void connect_target(void)
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

static void start(void)
{
    const struct replica_settings settings = {
        .store = {.directory = pool_path, .engine = engine, .requests_max = 64}};
    struct error error;
    replica = replica_new(&settings, &loop, &sender, &bufs, &error);
    ck_assert_msg(replica != NULL, "%s", error.text);
    connect_target();
}

static bool stopped;

static void on_stopped(void *arg)
{
    (void)arg;
    stopped = true;
    loop_stop(&loop);
}

static void stop(void)
{
    link_close(&target);
    replica_stop(replica, on_stopped, NULL);
    loop_timer_start(&impatience, WAIT_S * (uint64_t)1000000000);
    loop_run(&loop);
    loop_timer_stop(&impatience);
    replica_free(replica);
}

static void send_frame(struct frame frame)
{
    frame.request = ++request;
    link_send(&target, &frame);
}

/* The reply's status. */
static uint32_t call(struct frame frame)
{
    send_frame(frame);
    wait_for(1);
    ck_assert_msg(!got.down, "%s", got.why);
    ck_assert_uint_eq(got.frame.request, request);
    ck_assert_uint_eq(got.frame.type, frame.type);
    ck_assert_uint_eq(got.frame.session, frame.session);
    ck_assert(got.frame.flags & FRAME_REPLY);
    return got.frame.status;
}

static uint32_t call_body(struct frame frame, const struct writer *w)
{
    ck_assert(!w->bad);
    frame.body = w->begin;
    frame.body_bytes = (uint32_t)writer_length(w);
    return call(frame);
}

static uint8_t out[MESSAGE_BYTES_MAX];

static struct frame greeting(void)
{
    const struct message_greet greet = {
        .version_min = 1, .version_max = 1, .process = controller, .software = "test"};
    struct writer w = writer_of(out, sizeof(out));
    message_greet_encode(&w, &greet);
    return (struct frame){
        .type = FRAME_GREET, .body = out, .body_bytes = (uint32_t)writer_length(&w)};
}

static struct config config_of(const struct uuid *volume)
{
    struct config config = {.volume = *volume,
                            .size_bytes = SIZE_BYTES,
                            .block_bytes = 512,
                            .version = 1,
                            .min_in_sync = 1,
                            .member_count = 1};
    snprintf(config.name, sizeof(config.name), "v%x", volume->bytes[0]);
    config.members[0] = (struct member){.uuid = member_1, .kind = MEMBER_DATA, .in_sync = true};
    return config;
}

static uint32_t create(const struct config *config, const struct uuid *member)
{
    const struct message_create create = {.member = *member, .config = *config};
    struct writer w = writer_of(out, sizeof(out));
    message_create_encode(&w, &create);
    return call_body((struct frame){.type = FRAME_CREATE}, &w);
}

static uint32_t create_volume(const struct uuid *volume)
{
    struct config config = config_of(volume);
    return create(&config, &member_1);
}

static uint32_t delete_volume(const struct uuid *volume, uint64_t version)
{
    struct message_delete del = {.config = config_of(volume)};
    del.config.deleted = true;
    del.config.version = version;
    struct writer w = writer_of(out, sizeof(out));
    message_delete_encode(&w, &del);
    return call_body((struct frame){.type = FRAME_DELETE}, &w);
}

static uint32_t open_volume(uint32_t session, const struct uuid *volume, const struct uuid *member,
                            uint64_t epoch)
{
    const struct message_open open = {
        .volume = *volume, .member = *member, .epoch = epoch, .controller = controller};
    struct writer w = writer_of(out, sizeof(out));
    message_open_encode(&w, &open);
    return call_body((struct frame){.type = FRAME_OPEN, .session = session}, &w);
}

static uint32_t write_block(uint32_t session, uint64_t offset_bytes, uint8_t value)
{
    struct slice data = slice_get(&bufs, LENGTH);
    memset(data.bytes, value, LENGTH);
    slice_crc_fill(&data);
    uint32_t status = call((struct frame){.type = FRAME_WRITE,
                                          .session = session,
                                          .offset_bytes = offset_bytes,
                                          .length_bytes = LENGTH,
                                          .payload = data});
    slice_release(&data);
    return status;
}

static uint32_t range(uint8_t type, uint32_t session, uint64_t offset_bytes)
{
    return call((struct frame){
        .type = type, .session = session, .offset_bytes = offset_bytes, .length_bytes = LENGTH});
}

/* What is there is `value` all over, and its checksums came with it. */
static bool reads_as(uint32_t session, uint64_t offset_bytes, uint8_t value)
{
    ck_assert_uint_eq(range(FRAME_READ, session, offset_bytes), FRAME_OK);
    ck_assert(got.payload_ok);
    for (size_t i = 0; i < LENGTH; i++) {
        if (got.payload[i] != value)
            return false;
    }
    return true;
}

static struct listed list_volumes(void)
{
    listed = (struct listed){0};
    ck_assert_uint_eq(call((struct frame){.type = FRAME_LIST}), FRAME_OK);
    while (got.frame.flags & FRAME_MORE)
        wait_for(1);
    return listed;
}

static void setup(void)
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

static void teardown(void)
{
    stop();
    stream_sender_release(&sender);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

static void setup_memory_uring(void)
{
    engine = STORE_ENGINE_URING;
    over_socket = false;
    setup();
}

static void setup_socket_threads(void)
{
    engine = STORE_ENGINE_THREADS;
    over_socket = true;
    setup();
}

static void restart(void)
{
    stop();
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
}

START_TEST(greets_with_the_pool_identity)
{
    struct message_greet greet;
    struct reader r = reader_of(got.body, got.frame.body_bytes);
    message_greet_decode(&r, &greet);
    ck_assert(!r.bad);
    ck_assert(uuid_equal(&greet.process, replica_pool_uuid(replica)));
    ck_assert_uint_eq(greet.version_min, FRAME_VERSION);
}
END_TEST

START_TEST(unknown_version_is_refused)
{
    link_close(&target);
    connect_target();
    const struct message_greet greet = {.version_min = 7, .version_max = 9, .software = "later"};
    struct writer w = writer_of(out, sizeof(out));
    message_greet_encode(&w, &greet);
    ck_assert_uint_eq(call_body((struct frame){.type = FRAME_GREET}, &w), FRAME_INVALID);
    send_frame((struct frame){.type = FRAME_PING});
    wait_for(1);
    ck_assert(got.down);
}
END_TEST

START_TEST(frame_before_the_greeting_ends_the_connection)
{
    link_close(&target);
    connect_target();
    send_frame((struct frame){.type = FRAME_LIST});
    wait_for(1);
    ck_assert(got.down);
}
END_TEST

START_TEST(second_greeting_ends_the_connection)
{
    send_frame(greeting());
    wait_for(1);
    ck_assert(got.down);
}
END_TEST

START_TEST(reply_to_nothing_ends_the_connection)
{
    send_frame((struct frame){.type = FRAME_FLUSH, .flags = FRAME_REPLY, .session = 1});
    wait_for(1);
    ck_assert(got.down);
}
END_TEST

START_TEST(ping_tells_the_space)
{
    struct message_health health;
    ck_assert_uint_eq(call((struct frame){.type = FRAME_PING}), FRAME_OK);
    struct reader r = reader_of(got.body, got.frame.body_bytes);
    message_health_decode(&r, &health);
    ck_assert(!r.bad && health.free_bytes > 0 && health.total_bytes >= health.free_bytes);
}
END_TEST

START_TEST(fresh_pool_lists_nothing)
{
    ck_assert_uint_eq(list_volumes().count, 0);
}
END_TEST

START_TEST(created_volume_is_listed)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    struct listed found = list_volumes();
    ck_assert_uint_eq(found.count, 1);
    ck_assert(uuid_equal(&found.last.member, &member_1));
    ck_assert(uuid_equal(&found.last.config.volume, &volume_a));
    ck_assert(!found.last.failed && !found.last.config.deleted);
    ck_assert_uint_eq(replica_volume_count(replica), 1);
}
END_TEST

START_TEST(create_is_idempotent_by_identity)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    struct config config = config_of(&volume_a);
    config.members[config.member_count++] =
        (struct member){.uuid = member_2, .kind = MEMBER_DATA, .in_sync = true};
    ck_assert_uint_eq(create(&config, &member_2), FRAME_EXISTS);
    ck_assert_uint_eq(list_volumes().count, 1);
}
END_TEST

START_TEST(create_that_breaks_a_rule_leaves_nothing)
{
    struct config config = config_of(&volume_a);
    ck_assert_uint_eq(create(&config, &member_2), FRAME_INVALID);
    config.size_bytes = 1000;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_INVALID);
    config.size_bytes = (uint64_t)1 << 60;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_INVALID);
    config.size_bytes = SIZE_BYTES;
    config.deleted = true;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_INVALID);
    struct writer w = writer_of(out, 100);
    write_zeros(&w, 100);
    ck_assert_uint_eq(call_body((struct frame){.type = FRAME_CREATE}, &w), FRAME_INVALID);
    ck_assert_uint_eq(list_volumes().count, 0);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
}
END_TEST

/* More entries than one frame holds. */
START_TEST(long_list_comes_in_several_frames)
{
    enum { COUNT = 400 };
    for (uint32_t i = 0; i < COUNT; i++) {
        struct uuid uuid = volume_a;
        uuid.bytes[14] = (uint8_t)(i >> 8);
        uuid.bytes[15] = (uint8_t)i;
        ck_assert_uint_eq(create_volume(&uuid), FRAME_OK);
    }
    uint32_t replies = got.count;
    ck_assert_uint_eq(list_volumes().count, COUNT);
    ck_assert_uint_gt(got.count, replies + 1);
}
END_TEST

START_TEST(open_of_an_unknown_volume_or_member_is_refused)
{
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_NO_VOLUME);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_2, 1), FRAME_NO_VOLUME);
    ck_assert_uint_eq(open_volume(2, &volume_b, &member_1, 1), FRAME_NO_VOLUME);
}
END_TEST

START_TEST(session_stays_with_its_volume)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(create_volume(&volume_b), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_b, &member_1, 1), FRAME_INVALID);
    ck_assert_uint_eq(open_volume(2, &volume_b, &member_1, 1), FRAME_OK);
}
END_TEST

START_TEST(frame_without_a_session_is_refused)
{
    ck_assert_uint_eq(range(FRAME_READ, 9, 0), FRAME_NO_VOLUME);
}
END_TEST

START_TEST(closed_session_is_gone)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(call((struct frame){.type = FRAME_CLOSE, .session = 1}), FRAME_OK);
    ck_assert_uint_eq(range(FRAME_READ, 1, 0), FRAME_NO_VOLUME);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
}
END_TEST

START_TEST(reads_back_what_was_written)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert(reads_as(1, 0, 0));
    ck_assert_uint_eq(write_block(1, LENGTH, 7), FRAME_OK);
    ck_assert(reads_as(1, LENGTH, 7));
    ck_assert(reads_as(1, 0, 0));
    ck_assert_uint_eq(call((struct frame){.type = FRAME_FLUSH, .session = 1}), FRAME_OK);
    ck_assert_uint_eq(range(FRAME_ZERO, 1, LENGTH), FRAME_OK);
    ck_assert(reads_as(1, LENGTH, 0));
}
END_TEST

START_TEST(range_beyond_the_volume_is_refused)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(range(FRAME_READ, 1, SIZE_BYTES), FRAME_INVALID);
    ck_assert_uint_eq(write_block(1, SIZE_BYTES - LENGTH / 2, 1), FRAME_INVALID);
}
END_TEST

START_TEST(volume_survives_a_restart)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 9), FRAME_OK);
    restart();
    ck_assert_uint_eq(list_volumes().count, 1);
    ck_assert_uint_eq(open_volume(5, &volume_a, &member_1, 2), FRAME_OK);
    struct message_opened opened;
    struct reader r = reader_of(got.body, got.frame.body_bytes);
    message_opened_decode(&r, &opened);
    ck_assert(!r.bad && !opened.lossy && !opened.failed);
    ck_assert_uint_ge(opened.dirty_bytes, LENGTH);
    ck_assert(reads_as(5, 0, 9));
}
END_TEST

START_TEST(older_epoch_is_fenced_after_a_restart)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 5), FRAME_OK);
    restart();
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 4), FRAME_STALE);
}
END_TEST

START_TEST(deleted_volume_leaves_its_record)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 9), FRAME_OK);
    ck_assert_uint_eq(delete_volume(&volume_a, 2), FRAME_OK);
    for (int round = 0; round < 2; round++) {
        struct listed found = list_volumes();
        ck_assert_uint_eq(found.count, 1);
        ck_assert_uint_eq(found.deleted, 1);
        ck_assert_uint_eq(replica_volume_count(replica), 0);
        ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_NO_VOLUME);
        ck_assert_uint_eq(create_volume(&volume_a), FRAME_EXISTS);
        ck_assert_uint_eq(delete_volume(&volume_a, 2), FRAME_OK);
        restart();
    }
}
END_TEST

START_TEST(session_of_a_deleted_volume_is_gone)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(delete_volume(&volume_a, 2), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 1), FRAME_NO_VOLUME);
}
END_TEST

START_TEST(delete_by_who_missed_something_is_refused)
{
    struct config config = config_of(&volume_a);
    config.version = 5;
    ck_assert_uint_eq(create(&config, &member_1), FRAME_OK);
    ck_assert_uint_eq(delete_volume(&volume_a, 4), FRAME_STALE);
    ck_assert_uint_eq(delete_volume(&volume_b, 4), FRAME_NO_VOLUME);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
}
END_TEST

START_TEST(delete_without_a_tombstone_is_refused)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    const struct message_delete del = {.config = config_of(&volume_a)};
    struct writer w = writer_of(out, sizeof(out));
    message_delete_encode(&w, &del);
    ck_assert_uint_eq(call_body((struct frame){.type = FRAME_DELETE}, &w), FRAME_INVALID);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
}
END_TEST

static void spoil(const struct uuid *volume, const char *name)
{
    char uuid[UUID_TEXT_BYTES], path[256];
    uuid_format(volume, uuid);
    snprintf(path, sizeof(path), "%s/volumes/%s/%s", pool_path, uuid, name);
    FILE *file = fopen(path, "r+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fputc('x', file), 'x');
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(one_bad_metadata_copy_is_no_harm)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    stop();
    spoil(&volume_a, "meta.0");
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    stop();
    spoil(&volume_a, "meta.1");
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
}
END_TEST

START_TEST(volume_without_metadata_is_refused_and_others_go_on)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(create_volume(&volume_b), FRAME_OK);
    stop();
    spoil(&volume_a, "meta.0");
    spoil(&volume_a, "meta.1");
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_FAILED);
    ck_assert_uint_eq(open_volume(2, &volume_b, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(list_volumes().count, 1);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_EXISTS);
}
END_TEST

/* Sent without waiting for any answer: more than there are objects for. */
START_TEST(burst_is_all_answered)
{
    struct slice data = slice_get(&bufs, LENGTH);
    memset(data.bytes, 5, LENGTH);
    slice_crc_fill(&data);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    got.ok_count = 0;
    for (uint32_t i = 0; i < BURST; i++) {
        struct frame frame = {.type = i % 2 ? FRAME_READ : FRAME_WRITE,
                              .session = 1,
                              .offset_bytes = (uint64_t)(i % 64) * LENGTH,
                              .length_bytes = LENGTH};
        if (frame.type == FRAME_WRITE)
            frame.payload = data;
        send_frame(frame);
    }
    slice_release(&data);
    wait_for(BURST);
    ck_assert_msg(!got.down, "%s", got.why);
    ck_assert_uint_eq(got.ok_count, BURST);
}
END_TEST

START_TEST(stop_finishes_what_is_under_way)
{
    struct slice data = slice_get(&bufs, LENGTH);
    memset(data.bytes, 5, LENGTH);
    slice_crc_fill(&data);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 1), FRAME_OK);
    for (uint32_t i = 0; i < 100; i++)
        send_frame((struct frame){
            .type = FRAME_WRITE, .session = 1, .length_bytes = LENGTH, .payload = data});
    slice_release(&data);
    wait_for(1); /* the others are on their way */
    replica_stop(replica, on_stopped, NULL);
    got.wanted = 0;
    stopped = false;
    while (!got.down || !stopped)
        loop_run(&loop);
    replica_free(replica);
    link_close(&target);
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
    ck_assert(reads_as(1, 0, 5));
}
END_TEST

START_TEST(connection_lost_in_the_middle_leaves_the_volume_usable)
{
    struct slice data = slice_get(&bufs, LENGTH);
    memset(data.bytes, 5, LENGTH);
    slice_crc_fill(&data);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    for (uint32_t i = 0; i < 100; i++)
        send_frame((struct frame){.type = FRAME_WRITE,
                                  .session = 1,
                                  .offset_bytes = (uint64_t)(i % 64) * LENGTH,
                                  .length_bytes = LENGTH,
                                  .payload = data});
    slice_release(&data);
    wait_for(1);
    link_close(&target);
    connect_target();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 6), FRAME_OK);
    ck_assert(reads_as(1, 0, 6));
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup_as)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup_as, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, greets_with_the_pool_identity);
    tcase_add_test(tcase, unknown_version_is_refused);
    tcase_add_test(tcase, frame_before_the_greeting_ends_the_connection);
    tcase_add_test(tcase, second_greeting_ends_the_connection);
    tcase_add_test(tcase, reply_to_nothing_ends_the_connection);
    tcase_add_test(tcase, ping_tells_the_space);
    tcase_add_test(tcase, fresh_pool_lists_nothing);
    tcase_add_test(tcase, created_volume_is_listed);
    tcase_add_test(tcase, create_is_idempotent_by_identity);
    tcase_add_test(tcase, create_that_breaks_a_rule_leaves_nothing);
    tcase_add_test(tcase, long_list_comes_in_several_frames);
    tcase_add_test(tcase, open_of_an_unknown_volume_or_member_is_refused);
    tcase_add_test(tcase, session_stays_with_its_volume);
    tcase_add_test(tcase, frame_without_a_session_is_refused);
    tcase_add_test(tcase, closed_session_is_gone);
    tcase_add_test(tcase, reads_back_what_was_written);
    tcase_add_test(tcase, range_beyond_the_volume_is_refused);
    tcase_add_test(tcase, volume_survives_a_restart);
    tcase_add_test(tcase, older_epoch_is_fenced_after_a_restart);
    tcase_add_test(tcase, deleted_volume_leaves_its_record);
    tcase_add_test(tcase, session_of_a_deleted_volume_is_gone);
    tcase_add_test(tcase, delete_by_who_missed_something_is_refused);
    tcase_add_test(tcase, delete_without_a_tombstone_is_refused);
    tcase_add_test(tcase, one_bad_metadata_copy_is_no_harm);
    tcase_add_test(tcase, volume_without_metadata_is_refused_and_others_go_on);
    tcase_add_test(tcase, burst_is_all_answered);
    tcase_add_test(tcase, stop_finishes_what_is_under_way);
    tcase_add_test(tcase, connection_lost_in_the_middle_leaves_the_volume_usable);
    suite_add_tcase(suite, tcase);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof(root), "%s/strake-replica.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(root))
        return EXIT_FAILURE;
    Suite *suite = suite_create("replica");
    add_tests(suite, "memory, io_uring", setup_memory_uring);
    add_tests(suite, "socket, threads", setup_socket_threads);
    int status = suite_run(suite);
    (void)nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return status;
}
