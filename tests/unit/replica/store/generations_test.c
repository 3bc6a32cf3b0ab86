/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S4, S5, S9: random writes, zeros, snapshots, deletions of them, reverts, differences and reopens
 * on real files, against arrays in memory. STRAKE_SEED chooses another run.
 */
#include "common/wire/generation.h"
#include "tests/unit/replica/store/requests.h"

enum {
    BLOCKS = FIXTURE_SIZE_BYTES / 4096,
    GENERATIONS = 400,
    ROUNDS = 600,
};

/* What a block holds: a number repeated, 0 for zeros. */
typedef uint32_t content[BLOCKS];

static content *model; /* of each generation */
static bool kept[GENERATIONS];
static uint64_t head;
static uint64_t command;
static uint64_t random_state;
static uint8_t bytes[64 * 4096];

static uint64_t pick(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static void setup_with(enum store_engine engine)
{
    const char *text = getenv("STRAKE_SEED");
    random_state = text ? strtoull(text, NULL, 10) : 4711;
    printf("STRAKE_SEED=%llu\n", (unsigned long long)random_state);
    fixture_engine = engine;
    fixture_setup_volume();
    model = calloc(GENERATIONS, sizeof(*model));
    ck_assert_ptr_nonnull(model);
    memset(kept, 0, sizeof(kept));
    head = 1;
    command = 0;
}

static void setup_uring(void)
{
    setup_with(STORE_ENGINE_URING);
}

static void setup_uring_writes(void)
{
    setup_with(STORE_ENGINE_URING_WRITES);
}

static void setup_threads(void)
{
    setup_with(STORE_ENGINE_THREADS);
}

static void teardown(void)
{
    free(model);
    fixture_teardown_volume();
}

static void fill(uint32_t number, uint32_t blocks)
{
    for (size_t i = 0; i < (size_t)blocks * 4096; i += sizeof(number))
        memcpy(bytes + i, &number, sizeof(number));
}

static void write_blocks(uint32_t first, uint32_t count)
{
    uint32_t number = (uint32_t)(1 + pick(UINT32_MAX - 1));
    fill(number, count);
    ck_assert_int_eq(fixture_write((uint64_t)first * 4096, bytes, count * 4096, pick(20) == 0), 0);
    for (uint32_t i = first; i < first + count; i++)
        model[head][i] = number;
}

static void zero_blocks(uint32_t first, uint32_t count)
{
    ck_assert_int_eq(fixture_zero((uint64_t)first * 4096, (uint64_t)count * 4096, false), 0);
    memset(&model[head][first], 0, count * sizeof(model[head][0]));
}

static int give_command(enum command_kind kind, uint64_t generation)
{
    struct message_command message = {
        .number = command + 1, .kind = kind, .generation = generation};
    message.identity.bytes[0] = 9;
    memcpy(message.identity.bytes + 8, &message.number, sizeof(message.number));
    struct slice body = slice_get(&fixture_bufs, COMMAND_BYTES_MAX);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    message_command_encode(&w, &message);
    ck_assert(!w.bad);
    body.length_bytes = (uint32_t)writer_length(&w);
    struct store_req req = {.op = STORE_COMMAND, .data = body};
    int status = fixture_do(&req);
    slice_release(&body);
    if (status)
        return status;
    command++;
    ck_assert_uint_eq(req.lineage.command, command);
    head = req.lineage.head_generation;
    ck_assert_uint_lt(head, GENERATIONS);
    return 0;
}

static void seal(void)
{
    uint64_t former = head;
    ck_assert_int_eq(give_command(COMMAND_SEAL, head), 0);
    ck_assert_uint_eq(head, former + 1);
    kept[former] = true;
    memcpy(model[head], model[former], sizeof(content));
}

/* A sealed generation that is kept, or 0. */
static uint64_t any_kept(void)
{
    for (int tries = 0; tries < 50; tries++) {
        uint64_t generation = 1 + pick(head);
        if (kept[generation])
            return generation;
    }
    return 0;
}

static void revert(uint64_t generation)
{
    ck_assert_int_eq(give_command(COMMAND_REVERT, generation), 0);
    memcpy(model[head], model[generation], sizeof(content));
}

static void check_blocks(uint64_t generation, uint32_t first, uint32_t count)
{
    struct store_req req = {.op = STORE_READ,
                            .generation = generation == head ? 0 : generation,
                            .offset_bytes = (uint64_t)first * 4096,
                            .length_bytes = (uint64_t)count * 4096,
                            .data = slice_get(&fixture_bufs, count * 4096)};
    ck_assert_int_eq(fixture_do(&req), 0);
    ck_assert(slice_crc_ok(&req.data));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t found[2];
        memcpy(found, req.data.bytes + (size_t)i * 4096, sizeof(found));
        ck_assert_msg(found[0] == model[generation][first + i] && found[1] == found[0],
                      "generation %llu block %u", (unsigned long long)generation, first + i);
    }
    slice_release(&req.data);
}

static void check_diff(uint64_t from, uint64_t to)
{
    uint64_t at = 0;
    while (at < BLOCKS) {
        struct store_req req = {.op = STORE_DIFF,
                                .generation = to == head ? 0 : to,
                                .from_generation = from,
                                .offset_bytes = at * 4096,
                                .length_bytes = (BLOCKS - at) * 4096,
                                .reply = slice_get(&fixture_bufs, 64u << 10)};
        ck_assert_int_eq(fixture_do(&req), 0);
        struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
        ck_assert_uint_gt(req.length_bytes, 0);
        while (reader_left(&r) > 0) {
            struct diff_run run;
            diff_run_decode(&r, &run);
            ck_assert(!r.bad);
            for (uint64_t i = 0; i < run.length_bytes / 4096; i++, at++) {
                uint32_t before = from ? model[from][at] : 0;
                if (run.state == DIFF_ABSENT)
                    ck_assert_uint_eq(model[to][at], before);
                if (run.state == DIFF_ZERO)
                    ck_assert_uint_eq(model[to][at], 0);
            }
        }
        slice_release(&req.reply);
    }
}

static void check_all(void)
{
    for (uint64_t generation = 1; generation <= head; generation++) {
        if (generation != head && !kept[generation])
            continue;
        for (uint32_t at = 0; at < BLOCKS; at += 64)
            check_blocks(generation, at, 64);
    }
}

static void act(void)
{
    uint32_t count = (uint32_t)(1 + pick(pick(4) == 0 ? 64 : 4));
    uint32_t first = (uint32_t)pick(BLOCKS - count);
    uint64_t old = any_kept();
    switch (pick(16)) {
    case 0:
        seal();
        break;
    case 1:
        if (old && pick(2)) {
            kept[old] = false;
            ck_assert_int_eq(give_command(COMMAND_DROP, old), 0);
        }
        break;
    case 2:
        if (old && pick(8) == 0)
            revert(old);
        break;
    case 3:
    case 4:
        zero_blocks(first, count);
        break;
    case 5:
        check_blocks(head, first, count);
        break;
    case 6:
        if (old)
            check_blocks(old, first, count);
        break;
    case 7:
        if (old && pick(4) == 0)
            check_diff(pick(2) ? old : 0, head);
        break;
    case 8:
        ck_assert_int_eq(fixture_sync(), 0);
        break;
    case 9:
        if (pick(8) == 0)
            fixture_reopen();
        break;
    default:
        write_blocks(first, count);
    }
}

START_TEST(s4_s5_s9_generations_agree_with_the_model)
{
    for (int round = 0; round < ROUNDS; round++)
        act();
    check_all();
    fixture_reopen();
    check_all();
}
END_TEST

START_TEST(s4_snapshot_keeps_what_the_head_loses)
{
    write_blocks(0, 32);
    seal();
    zero_blocks(0, 16);
    write_blocks(16, 16);
    check_all();
    ck_assert_int_eq(give_command(COMMAND_DROP, 1), 0);
    kept[1] = false;
    check_all();
}
END_TEST

START_TEST(sealed_generation_takes_no_write)
{
    write_blocks(0, 1);
    seal();
    struct store_req req = {.op = STORE_WRITE,
                            .generation = 1,
                            .length_bytes = 4096,
                            .data = fixture_slice(bytes, 4096)};
    ck_assert_int_ne(fixture_do(&req), 0);
    slice_release(&req.data);
    check_all();
}
END_TEST

START_TEST(unknown_generation_is_not_found)
{
    struct store_req req = {.op = STORE_READ,
                            .generation = 77,
                            .length_bytes = 4096,
                            .data = slice_get(&fixture_bufs, 4096)};
    ck_assert_int_eq(fixture_do(&req), -ENOENT);
    slice_release(&req.data);
}
END_TEST

START_TEST(command_given_twice_counts_once)
{
    seal();
    command--;
    ck_assert_int_eq(give_command(COMMAND_SEAL, 1), 0);
    ck_assert_uint_eq(head, 2);
}
END_TEST

static struct message_space space(void)
{
    struct store_req req = {.op = STORE_SPACE, .reply = slice_get(&fixture_bufs, 64u << 10)};
    ck_assert_int_eq(fixture_do(&req), 0);
    struct message_space message;
    struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
    message_space_decode(&r, &message);
    ck_assert(!r.bad);
    slice_release(&req.reply);
    return message;
}

START_TEST(s7_space_is_told)
{
    write_blocks(0, 32);
    ck_assert_uint_eq(space().logical_bytes, 32 * 4096);
    seal();
    write_blocks(0, 8);
    ck_assert_uint_eq(space().logical_bytes, 32 * 4096);
    ck_assert_uint_eq(space().unique_bytes, 40 * 4096);
}
END_TEST

/* Runs the loop until the background has given everything back. */
static void reclaim_all(void)
{
    ck_assert_int_eq(fixture_sync(), 0);
    for (int i = 0; i < 2000 && space().reclaimable_bytes > 0; i++)
        usleep(2000);
}

START_TEST(s4_space_of_a_deleted_snapshot_comes_back)
{
    write_blocks(0, 64);
    seal();
    write_blocks(0, 64);
    ck_assert_int_eq(give_command(COMMAND_DROP, 1), 0);
    kept[1] = false;
    reclaim_all();
    ck_assert_uint_eq(space().unique_bytes, 64 * 4096);
    check_all();
}
END_TEST

/* Writes and zeros without a pause, in one run of the loop, until the space is back. */
static struct {
    struct store_req req;
    struct slice data;
    struct slice reply;
    uint64_t count;
    uint64_t reclaimable_bytes;
} busy;

static void busy_next(struct store_req *req)
{
    ck_assert_int_eq(req->status, 0);
    if (req->op == STORE_SPACE) {
        struct message_space message;
        struct reader r = reader_of(req->reply.bytes, req->reply.length_bytes);
        message_space_decode(&r, &message);
        busy.reclaimable_bytes = message.reclaimable_bytes;
        if (message.reclaimable_bytes == 0 || busy.count > 100000) {
            loop_stop(&fixture_loop);
            return;
        }
    }
    uint64_t number = busy.count++;
    enum store_op op = number % 64 == 0 ? STORE_SPACE : number % 2 ? STORE_WRITE : STORE_ZERO;
    *req = (struct store_req){.op = op,
                              .volume = fixture_volume,
                              .offset_bytes = (512 + number / 2 % 256) * 4096,
                              .length_bytes = op == STORE_SPACE ? 0 : 4096,
                              .done = busy_next};
    if (op == STORE_SPACE)
        req->reply = busy.reply;
    if (op == STORE_WRITE)
        req->data = busy.data;
    store_submit(fixture_store, req);
}

START_TEST(s4_space_comes_back_while_writes_go_on)
{
    write_blocks(0, 64);
    seal();
    write_blocks(0, 64);
    ck_assert_int_eq(give_command(COMMAND_DROP, 1), 0);
    memset(&busy, 0, sizeof(busy));
    busy.data = fixture_slice(bytes, 4096);
    busy.reply = slice_get(&fixture_bufs, 64u << 10);
    busy_next(&busy.req);
    loop_run(&fixture_loop);
    ck_assert_uint_eq(busy.reclaimable_bytes, 0);
    slice_release(&busy.data);
    slice_release(&busy.reply);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, s4_s5_s9_generations_agree_with_the_model);
    tcase_add_test(tcase, s4_snapshot_keeps_what_the_head_loses);
    tcase_add_test(tcase, sealed_generation_takes_no_write);
    tcase_add_test(tcase, unknown_generation_is_not_found);
    tcase_add_test(tcase, command_given_twice_counts_once);
    tcase_add_test(tcase, s7_space_is_told);
    tcase_add_test(tcase, s4_space_of_a_deleted_snapshot_comes_back);
    tcase_add_test(tcase, s4_space_comes_back_while_writes_go_on);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("generations");
    add_tests(suite, "io_uring", setup_uring);
    add_tests(suite, "io_uring, writes too", setup_uring_writes);
    add_tests(suite, "threads", setup_threads);
    return fixture_suite_run(suite);
}
