/* SPDX-License-Identifier: Apache-2.0 */
/* S4: a clone begins as a snapshot is, and goes its own way; either can be deleted first. */
#include "common/digest/digest.h"
#include "tests/unit/replica/store/requests.h"

enum { BLOCK = 4096 };

static const struct uuid clone_uuid = {{0x22, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14}};
static const struct uuid third_uuid = {{0x33, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14}};
static struct store_volume *origin;
static struct store_volume *clone;
static uint64_t commands[2]; /* of the origin, of the clone */

static void setup_with(enum store_engine engine)
{
    fixture_engine = engine;
    fixture_setup_volume();
    origin = fixture_volume;
    clone = NULL;
    memset(commands, 0, sizeof(commands));
}

static void setup_uring(void)
{
    setup_with(STORE_ENGINE_URING);
}

static void setup_threads(void)
{
    setup_with(STORE_ENGINE_THREADS);
}

static void close_one(struct store_volume **volume)
{
    if (!*volume)
        return;
    fixture_volume = *volume;
    ck_assert_int_eq(fixture_volume_close(), 0);
    *volume = NULL;
}

static void teardown(void)
{
    close_one(&clone);
    close_one(&origin);
    store_close(fixture_store);
    fixture_teardown_folder();
}

static struct store_volume *open_one(const struct uuid *uuid)
{
    const struct store_extent extent = {.size_bytes = FIXTURE_SIZE_BYTES,
                                        .drl_bytes = FIXTURE_DRL_BYTES,
                                        .plane_bytes = FIXTURE_PLANE_BYTES};
    struct error error;
    store_volume_open(fixture_store, uuid, &extent, fixture_opened, &error);
    loop_run(&fixture_loop);
    ck_assert_msg(fixture_volume != NULL, "%s", error.text);
    return fixture_volume;
}

static int make_clone(const struct uuid *uuid, const struct uuid *of, uint64_t generation)
{
    struct store_create create = {.volume = *uuid,
                                  .size_bytes = FIXTURE_SIZE_BYTES,
                                  .drl_bytes = FIXTURE_DRL_BYTES,
                                  .plane_bytes = FIXTURE_PLANE_BYTES,
                                  .origin = *of,
                                  .origin_generation = generation};
    store_volume_create(fixture_store, &create, fixture_job_done, NULL);
    loop_run(&fixture_loop);
    return fixture_status;
}

static void put(struct store_volume *volume, uint64_t block, char letter)
{
    char bytes[BLOCK];
    memset(bytes, letter, sizeof(bytes));
    fixture_volume = volume;
    ck_assert_int_eq(fixture_write(block * BLOCK, bytes, sizeof(bytes), false), 0);
}

static void shows(struct store_volume *volume, uint64_t block, char letter)
{
    char bytes[BLOCK];
    fixture_volume = volume;
    ck_assert_int_eq(fixture_read(block * BLOCK, bytes, sizeof(bytes)), 0);
    ck_assert_int_eq(bytes[0], letter);
    ck_assert_int_eq(bytes[BLOCK - 1], letter);
}

static void give_command(struct store_volume *volume, enum command_kind kind, uint64_t generation)
{
    struct message_command message = {
        .number = ++commands[volume == clone], .kind = kind, .generation = generation};
    message.identity.bytes[0] = 9;
    memcpy(message.identity.bytes + 8, &message.number, sizeof(message.number));
    struct slice body = slice_get(&fixture_bufs, COMMAND_BYTES_MAX);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    message_command_encode(&w, &message);
    body.length_bytes = (uint32_t)writer_length(&w);
    struct store_req req = {.op = STORE_COMMAND, .data = body};
    fixture_volume = volume;
    ck_assert_int_eq(fixture_do(&req), 0);
    slice_release(&body);
}

/* The origin's blocks 0 to 3 are "aaaa", sealed as generation 1; the clone begins with that. */
static void begin(void)
{
    for (uint64_t block = 0; block < 4; block++)
        put(origin, block, 'a');
    give_command(origin, COMMAND_SEAL, 1);
    ck_assert_int_eq(make_clone(&clone_uuid, &fixture_uuid, 1), 0);
    clone = open_one(&clone_uuid);
}

static void reopen(void)
{
    bool with_origin = origin != NULL;
    close_one(&clone);
    close_one(&origin);
    store_close(fixture_store);
    fixture_open();
    if (with_origin)
        origin = open_one(&fixture_uuid);
    clone = open_one(&clone_uuid);
}

static struct message_space space_of(struct store_volume *volume)
{
    struct store_req req = {.op = STORE_SPACE, .reply = slice_get(&fixture_bufs, 64u << 10)};
    fixture_volume = volume;
    ck_assert_int_eq(fixture_do(&req), 0);
    struct message_space message;
    struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
    message_space_decode(&r, &message);
    slice_release(&req.reply);
    return message;
}

START_TEST(s4_clone_begins_as_the_snapshot_is)
{
    begin();
    shows(clone, 0, 'a');
    shows(clone, 3, 'a');
    shows(clone, 4, 0);
}
END_TEST

START_TEST(s4_clone_costs_nothing)
{
    begin();
    struct message_space space = space_of(clone);
    ck_assert_uint_eq(space.logical_bytes, 4 * BLOCK);
    ck_assert_uint_eq(space.shared_bytes, 4 * BLOCK);
    ck_assert_uint_eq(space.unique_bytes, 0);
    put(clone, 0, 'c');
    space = space_of(clone);
    ck_assert_uint_eq(space.shared_bytes, 3 * BLOCK);
    ck_assert_uint_eq(space.unique_bytes, BLOCK);
}
END_TEST

START_TEST(s4_what_one_writes_the_other_does_not_show)
{
    begin();
    put(clone, 0, 'c');
    put(origin, 1, 'o');
    shows(origin, 0, 'a');
    shows(clone, 1, 'a');
    reopen();
    shows(clone, 0, 'c');
    shows(clone, 1, 'a');
    shows(origin, 0, 'a');
    shows(origin, 1, 'o');
}
END_TEST

START_TEST(s5_zeros_of_the_clone_are_its_own)
{
    begin();
    fixture_volume = clone;
    ck_assert_int_eq(fixture_zero(0, FIXTURE_SIZE_BYTES, false), 0);
    shows(clone, 0, 0);
    shows(origin, 0, 'a');
    reopen();
    shows(clone, 0, 0);
    shows(origin, 0, 'a');
}
END_TEST

START_TEST(s4_snapshot_may_go_before_the_clone)
{
    begin();
    put(origin, 0, 'o');
    give_command(origin, COMMAND_DROP, 1);
    reopen();
    shows(clone, 0, 'a');
    shows(clone, 3, 'a');
}
END_TEST

START_TEST(s4_origin_may_go_before_the_clone)
{
    begin();
    put(clone, 1, 'c');
    fixture_volume = clone;
    ck_assert_int_eq(fixture_sync(), 0);
    close_one(&origin);
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    shows(clone, 0, 'a');
    shows(clone, 1, 'c');
    reopen();
    shows(clone, 0, 'a');
    shows(clone, 1, 'c');
    shows(clone, 3, 'a');
}
END_TEST

START_TEST(s4_clone_may_go_before_the_origin)
{
    begin();
    put(clone, 0, 'c');
    close_one(&clone);
    ck_assert_int_eq(fixture_delete(&clone_uuid), 0);
    shows(origin, 0, 'a');
    close_one(&origin);
    store_close(fixture_store);
    fixture_open();
    origin = open_one(&fixture_uuid);
    shows(origin, 0, 'a');
    shows(origin, 3, 'a');
}
END_TEST

START_TEST(s4_clone_of_a_clone)
{
    begin();
    put(clone, 1, 'c');
    give_command(clone, COMMAND_SEAL, 1);
    ck_assert_int_eq(make_clone(&third_uuid, &clone_uuid, 1), 0);
    put(clone, 2, 'd');
    struct store_volume *third = open_one(&third_uuid);
    shows(third, 0, 'a');
    shows(third, 1, 'c');
    shows(third, 2, 'a');
    close_one(&third);
}
END_TEST

START_TEST(clone_of_what_is_not_sealed_or_not_there_is_refused)
{
    put(origin, 0, 'a');
    ck_assert_int_eq(make_clone(&clone_uuid, &fixture_uuid, 1), -ENOENT);
    ck_assert_int_eq(make_clone(&clone_uuid, &fixture_uuid, 7), -ENOENT);
    ck_assert_int_eq(make_clone(&clone_uuid, &third_uuid, 1), -ENOENT);
    give_command(origin, COMMAND_SEAL, 1);
    ck_assert_int_eq(make_clone(&clone_uuid, &fixture_uuid, 1), 0);
}
END_TEST

START_TEST(clone_is_made_once)
{
    begin();
    ck_assert_int_eq(make_clone(&clone_uuid, &fixture_uuid, 1), -EEXIST);
    shows(clone, 0, 'a');
}
END_TEST

static void on_pause(struct loop_timer *timer)
{
    (void)timer;
    loop_stop(&fixture_loop);
}

static struct message_digest digest_of(struct store_volume *volume, uint64_t generation)
{
    struct message_digest message = {.state = DIGEST_COMPUTING};
    struct loop_timer timer;
    loop_timer_init(&timer, &fixture_loop, on_pause);
    while (message.state == DIGEST_COMPUTING) {
        struct store_req req = {
            .op = STORE_DIGEST, .generation = generation, .reply = slice_get(&fixture_bufs, 4096)};
        fixture_volume = volume;
        ck_assert_int_eq(fixture_do(&req), 0);
        struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
        message_digest_decode(&r, &message);
        slice_release(&req.reply);
        loop_timer_start(&timer, 1000000);
        loop_run(&fixture_loop);
    }
    return message;
}

START_TEST(s10_clone_and_origin_have_one_digest)
{
    begin();
    give_command(clone, COMMAND_SEAL, 1);
    struct message_digest one = digest_of(origin, 1);
    struct message_digest other = digest_of(clone, 1);
    ck_assert_int_eq(one.state, DIGEST_KNOWN);
    ck_assert_int_eq(other.state, DIGEST_KNOWN);
    ck_assert_mem_eq(one.sha256, other.sha256, SHA256_BYTES);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, s4_clone_begins_as_the_snapshot_is);
    tcase_add_test(tcase, s4_clone_costs_nothing);
    tcase_add_test(tcase, s4_what_one_writes_the_other_does_not_show);
    tcase_add_test(tcase, s5_zeros_of_the_clone_are_its_own);
    tcase_add_test(tcase, s4_snapshot_may_go_before_the_clone);
    tcase_add_test(tcase, s4_origin_may_go_before_the_clone);
    tcase_add_test(tcase, s4_clone_may_go_before_the_origin);
    tcase_add_test(tcase, s4_clone_of_a_clone);
    tcase_add_test(tcase, clone_of_what_is_not_sealed_or_not_there_is_refused);
    tcase_add_test(tcase, clone_is_made_once);
    tcase_add_test(tcase, s10_clone_and_origin_have_one_digest);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("clone");
    add_tests(suite, "io_uring", setup_uring);
    add_tests(suite, "threads", setup_threads);
    return fixture_suite_run(suite);
}
