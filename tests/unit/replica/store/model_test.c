/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random requests, several at a time, against an array in memory; and a process that is killed
 * while it writes. STRAKE_SEED chooses another run.
 */
#include "tests/unit/replica/store/requests.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    BATCH_MAX = 16,
    /* The volume in as many strips as a batch has requests: what is in flight never overlaps. */
    STRIP_BYTES = FIXTURE_SIZE_BYTES / BATCH_MAX,
    ROUNDS = 150,
    BLOCKS = 256,
};

static uint64_t random_state;

static uint64_t pick(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static void seed(uint64_t fallback)
{
    const char *text = getenv("STRAKE_SEED");
    random_state = text ? strtoull(text, NULL, 10) : fallback;
    printf("STRAKE_SEED=%llu\n", (unsigned long long)random_state);
}

static void setup_with(enum store_engine engine, bool may_wait)
{
    fixture_engine = engine;
    fixture_may_wait = may_wait;
    fixture_setup_volume();
}

static void setup_uring(void)
{
    setup_with(STORE_ENGINE_URING, false);
}

static void setup_patient(void)
{
    setup_with(STORE_ENGINE_URING, true);
}

static void setup_uring_writes(void)
{
    setup_with(STORE_ENGINE_URING_WRITES, false);
}

static void setup_threads(void)
{
    setup_with(STORE_ENGINE_THREADS, false);
}

static uint8_t model[FIXTURE_SIZE_BYTES];
static struct store_req batch[BATCH_MAX];
static uint32_t left;

static void batch_done(struct store_req *req)
{
    ck_assert_int_eq(req->status, 0);
    if (--left == 0)
        loop_stop(&fixture_loop);
}

static void make_request(int i)
{
    static const enum store_op ops[] = {STORE_READ,  STORE_READ, STORE_WRITE,
                                        STORE_WRITE, STORE_ZERO, STORE_SYNC};
    struct store_req *req = &batch[i];
    uint64_t begin = pick(STRIP_BYTES / 4096) * 4096;
    uint64_t length = (1 + pick((STRIP_BYTES - begin) / 4096)) * 4096;
    *req = (struct store_req){.op = ops[pick(ARRAY_COUNT(ops))],
                              .volume = fixture_volume,
                              .offset_bytes = (uint64_t)i * STRIP_BYTES + begin,
                              .length_bytes = length,
                              .data = slice_get(&fixture_bufs, STRIP_BYTES),
                              .done = batch_done};
    req->fua = (req->op == STORE_WRITE || req->op == STORE_ZERO) && pick(8) == 0;
    memset(req->data.bytes, (int)pick(256), STRIP_BYTES);
    slice_crc_fill(&req->data);
    if (req->op == STORE_WRITE)
        memcpy(model + req->offset_bytes, req->data.bytes, length);
    if (req->op == STORE_ZERO)
        memset(model + req->offset_bytes, 0, length);
}

START_TEST(random_requests_agree_with_the_model)
{
    seed(20240917);
    memset(model, 0, sizeof(model));
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t count = (uint32_t)(1 + pick(BATCH_MAX));
        left = count;
        for (uint32_t i = 0; i < count; i++) {
            make_request((int)i);
            store_submit(fixture_store, &batch[i]);
        }
        loop_run(&fixture_loop);
        for (uint32_t i = 0; i < count; i++) {
            if (batch[i].op == STORE_READ)
                ck_assert_mem_eq(batch[i].data.bytes, model + batch[i].offset_bytes,
                                 batch[i].length_bytes);
            slice_release(&batch[i].data);
        }
        if (pick(20) == 0)
            fixture_reopen();
    }
    static uint8_t strip[STRIP_BYTES];
    for (uint32_t i = 0; i < BATCH_MAX; i++) {
        ck_assert_int_eq(fixture_read((uint64_t)i * STRIP_BYTES, strip, STRIP_BYTES), 0);
        ck_assert_mem_eq(strip, model + (uint64_t)i * STRIP_BYTES, STRIP_BYTES);
    }
}
END_TEST

/* What the writer that will be killed tells those who come after it. */
struct ledger {
    _Atomic uint64_t begun[BLOCKS]; /* the last number that was submitted to this block */
    _Atomic uint64_t acked[BLOCKS];
    _Atomic uint64_t total;
};

struct writing {
    struct store_req req;
    uint64_t number;
};

static struct ledger *ledger;
static struct writing writings[BATCH_MAX];

static void write_next(struct writing *writing, uint64_t block)
{
    uint64_t number = ledger->begun[block] + 1;
    uint64_t *words = (uint64_t *)(void *)writing->req.data.bytes;
    for (size_t i = 0; i < 4096 / sizeof(*words); i++)
        words[i] = number;
    slice_crc_fill(&writing->req.data);
    writing->number = number;
    ledger->begun[block] = number;
    fixture_found.planes[0][block % FIXTURE_PLANE_BYTES] = (uint8_t)number;
    writing->req.offset_bytes = block * 4096;
    store_submit(fixture_store, &writing->req);
}

static void written(struct store_req *req)
{
    struct writing *writing = CONTAINER_OF(req, struct writing, req);
    uint64_t block = req->offset_bytes / 4096;
    if (req->status != 0)
        _exit(3);
    ledger->acked[block] = writing->number;
    ledger->total++;
    /* Each slot has blocks of its own: two writes to one block never race. */
    uint64_t slot = (uint64_t)(writing - writings);
    write_next(writing, pick(BLOCKS / BATCH_MAX) * BATCH_MAX + slot);
}

static void write_until_killed(void)
{
    ck_assert_int_eq(loop_init(&fixture_loop), 0);
    fixture_open();
    fixture_volume_open();
    store_volume_stamp(fixture_volume);
    for (uint64_t i = 0; i < BATCH_MAX; i++) {
        writings[i].req = (struct store_req){.op = STORE_WRITE,
                                             .volume = fixture_volume,
                                             .length_bytes = 4096,
                                             .data = slice_get(&fixture_bufs, 4096),
                                             .done = written};
        write_next(&writings[i], i);
    }
    loop_run(&fixture_loop);
}

/* What was in flight when the process was killed may not agree with its checksum. */
static void doubt_all(void)
{
    ck_assert(!fixture_found.clean);
    store_volume_doubt(fixture_volume, 0, FIXTURE_SIZE_BYTES);
    store_volume_settle(fixture_volume);
}

static void check_survivors(void)
{
    uint64_t words[4096 / sizeof(uint64_t)];
    ck_assert(fixture_found.same_boot);
    for (uint64_t block = 0; block < BLOCKS; block++) {
        ck_assert_int_eq(fixture_read(block * 4096, words, sizeof(words)), 0);
        ck_assert_uint_ge(words[0], ledger->acked[block]);
        ck_assert_uint_le(words[0], ledger->begun[block]);
        ck_assert(memcmp(words, words + 1, sizeof(words) - sizeof(words[0])) == 0);
        /* Killed between the two, the plane is one behind, and then the write was not begun. */
        uint8_t behind = (uint8_t)((uint8_t)ledger->begun[block] - fixture_found.planes[0][block]);
        ck_assert(behind == 0 || (behind == 1 && words[0] < ledger->begun[block]));
        ledger->begun[block] = words[0];
        fixture_found.planes[0][block] = (uint8_t)words[0];
    }
}

START_TEST(acknowledged_writes_survive_kill)
{
    seed(77);
    ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(ledger, MAP_FAILED);
    for (int round = 0; round < 5; round++) {
        (void)fixture_volume_close();
        store_close(fixture_store);
        uint64_t enough = ledger->total + 300 + pick(1000);
        pid_t child = fork();
        if (child == 0) {
            write_until_killed();
            _exit(4);
        }
        while (ledger->total < enough)
            ck_assert_int_eq(waitpid(child, NULL, WNOHANG), 0);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        fixture_open();
        fixture_volume_open();
        doubt_all();
        check_survivors();
    }
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, fixture_teardown_volume);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, random_requests_agree_with_the_model);
    tcase_add_test(tcase, acknowledged_writes_survive_kill);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("model");
    add_tests(suite, "io_uring", setup_uring);
    add_tests(suite, "io_uring, patient", setup_patient);
    add_tests(suite, "io_uring, writes too", setup_uring_writes);
    add_tests(suite, "threads", setup_threads);
    return fixture_suite_run(suite);
}
