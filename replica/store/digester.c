/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, computed and verified in the background. */
#include "replica/store/digester.h"

#include "replica/store/state.h"
#include "replica/store/volume.h"

#include <errno.h>
#include <string.h>

enum {
    SCAN_ROUNDS = 16, /* of the map, in one turn */
    SCAN_RUNS = 64,
};

static void scan(struct digester *digester);

/* A task's end. */

static void task_end(struct digester *digester)
{
    struct store_volume *volume = digester->volume;
    struct digest_task *task = digester->task;
    if (task->verify_next && !volume->closing) {
        task->verify = true;
        task->state = DIGEST_COMPUTING;
        task->order = ++digester->order;
    }
    task->verify_next = false;
    slice_release(&digester->read.data);
    digest_free(digester->digest);
    digester->digest = NULL;
    digester->volume = NULL;
    digester->task = NULL;
    loop_defer(digester->store->loop, &digester->go_on);
    volume_go_on_closing(volume);
}

static void task_failed(struct digester *digester, int status)
{
    digester->task->state = DIGEST_NONE;
    digester->task->status = status;
    task_end(digester);
}

static void task_bad(struct digester *digester, uint64_t offset_bytes)
{
    digester->task->state = DIGEST_BAD;
    digester->task->done_bytes = offset_bytes;
    task_end(digester);
}

/* Work on the thread, then `then` on the loop, unless the volume is being closed or it failed. */

#define WORK_OF(work) CONTAINER_OF(work, struct digester, work)

static void work_start(struct digester *digester, void (*run)(struct work *),
                       void (*then)(struct work *))
{
    digester->work = (struct work){.run = run, .done = then};
    worker_add(&digester->store->chores.worker, &digester->work);
}

static bool over(struct digester *digester)
{
    if (digester->status == 0 && !digester->volume->closing)
        return false;
    task_failed(digester, digester->status ? digester->status : -EBUSY);
    return true;
}

/* The beginning: what the map has. */

static bool is_there(const struct digester *digester, uint64_t generation,
                     const struct uuid *identity)
{
    struct uuid found;
    uint8_t sha256[DIGEST_BYTES];
    return map_digest(digester->volume->map_volume, generation, &found, sha256) >= 0 &&
           uuid_equal(&found, identity);
}

static void run_clear(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    digester->status = map_hashes_clear_work(
        digester->store->map, map_volume_number(digester->volume->map_volume), &digester->cleared);
}

static void on_cleared(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    if (over(digester))
        return;
    if (!digester->cleared) {
        work_start(digester, run_clear, on_cleared);
        return;
    }
    digester->state = (struct map_hashes){.to = digester->task->generation,
                                          .to_identity = digester->task->identity};
    digester->position_bytes = 0;
    scan(digester);
}

static void start_anew(struct digester *digester)
{
    digester->loaded = false;
    work_start(digester, run_clear, on_cleared);
}

static void begin_verify(struct digester *digester)
{
    const struct map_hashes *state = &digester->state;
    const struct digest_task *task = digester->task;
    digester->comparable = digester->known && state->to == 0 && state->from == task->generation &&
                           uuid_equal(&state->from_identity, &task->identity);
    digester->digest = digest_new();
    scan(digester);
}

static void begin_compute(struct digester *digester)
{
    struct map_hashes *state = &digester->state;
    const struct digest_task *task = digester->task;
    bool usable = digester->known &&
                  (state->from == 0 || is_there(digester, state->from, &state->from_identity));
    if (usable && state->to == 0) {
        state->to = task->generation;
        state->to_identity = task->identity;
        state->next_group = 0;
    }
    if (!usable || state->to != task->generation ||
        !uuid_equal(&state->to_identity, &task->identity)) {
        start_anew(digester);
        return;
    }
    digester->position_bytes = state->next_group * DIGEST_GROUP_BYTES;
    scan(digester);
}

static void run_state(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    digester->status =
        map_hashes_state_work(digester->store->map, map_volume_number(digester->volume->map_volume),
                              &digester->state, &digester->known);
}

static void on_state(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    if (over(digester))
        return;
    if (digester->task->verify)
        begin_verify(digester);
    else
        begin_compute(digester);
}

/* The next one that waits, of all volumes. */
static void start_next(struct digester *digester)
{
    LIST_FOR_EACH (node, &digester->store->volumes) {
        struct store_volume *volume = CONTAINER_OF(node, struct store_volume, node);
        for (uint32_t i = 0; i < DIGEST_TASKS && !volume->closing; i++) {
            struct digest_task *task = &volume->digests[i];
            if (task->generation && task->state == DIGEST_COMPUTING &&
                (!digester->task || task->order < digester->task->order)) {
                digester->volume = volume;
                digester->task = task;
            }
        }
    }
    if (!digester->task)
        return;
    digester->loaded = false;
    digester->position_bytes = 0;
    digester->read.data = slice_get(digester->store->bufs, DIGEST_PIECE_BYTES);
    work_start(digester, run_state, on_state);
}

/* Groups. */

static void run_load(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    struct map *map = digester->store->map;
    uint32_t number = map_volume_number(digester->volume->map_volume);
    digester->status = 0;
    if (!digester->task->verify) {
        digester->status = map_hashes_load_work(map, number, digester->group, &digester->hashes);
        return;
    }
    digest_group_clear(&digester->hashes);
    if (digester->comparable)
        digester->status = map_hashes_load_work(map, number, digester->group, &digester->expected);
}

static void on_loaded(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    if (over(digester))
        return;
    digester->loaded = true;
    scan(digester);
}

static void run_store(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    digester->status = 0;
    if (digester->task->verify) {
        digest_group_hash(&digester->hashes, digester->group_hash);
        return;
    }
    digester->state.next_group = digester->group + 1;
    digester->status =
        map_hashes_store_work(digester->store->map, map_volume_number(digester->volume->map_volume),
                              digester->group, &digester->hashes, &digester->state);
}

static void on_stored(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    if (over(digester))
        return;
    bool verify = digester->task->verify;
    for (uint32_t i = 0; verify && digester->comparable && i < DIGEST_GROUP_PIECES; i++) {
        if (!digest_group_same(&digester->hashes, &digester->expected, i)) {
            task_bad(digester,
                     digester->group * DIGEST_GROUP_BYTES + (uint64_t)i * DIGEST_PIECE_BYTES);
            return;
        }
    }
    if (verify && digester->hashes.count > 0)
        digest_add(digester->digest, digester->group, digester->group_hash);
    digester->loaded = false;
    scan(digester);
}

/* Pieces. */

static uint32_t piece_of(const struct digester *digester)
{
    return (uint32_t)(digester->position_bytes % DIGEST_GROUP_BYTES / DIGEST_PIECE_BYTES);
}

static void piece_is_done(struct digester *digester)
{
    uint64_t next = digester->position_bytes / DIGEST_PIECE_BYTES + 1;
    digester->position_bytes = next * DIGEST_PIECE_BYTES;
    digester->task->done_bytes = digester->position_bytes;
}

static void run_hash(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    const struct store_req *read = &digester->read;
    digester->status = 0;
    digest_group_set(&digester->hashes, piece_of(digester), read->data.bytes,
                     (uint32_t)read->length_bytes);
}

static void on_hashed(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    if (over(digester))
        return;
    piece_is_done(digester);
    scan(digester);
}

static void on_read(struct store_req *req)
{
    struct digester *digester = CONTAINER_OF(req, struct digester, read);
    digester->reading = false;
    bool bad = req->status == -EILSEQ || req->status == -EIO;
    digester->status = bad ? 0 : req->status;
    if (over(digester))
        return;
    if (bad)
        task_bad(digester, req->offset_bytes + req->progress_bytes);
    else
        work_start(digester, run_hash, on_hashed);
}

static void read_piece(struct digester *digester, uint64_t begin, uint64_t length_bytes)
{
    struct slice data = digester->read.data;
    digester->read = (struct store_req){.op = STORE_READ,
                                        .volume = digester->volume,
                                        .generation = digester->task->generation,
                                        .offset_bytes = begin,
                                        .length_bytes = length_bytes,
                                        .data = data,
                                        .done = on_read};
    digester->reading = true;
    store_submit(digester->store, &digester->read);
}

/* The piece at the position: what is not stored at all is not read. False: it is being read. */
static bool piece_take(struct digester *digester)
{
    const struct store_volume *volume = digester->volume;
    struct map_run run = {0};
    uint64_t begin = digester->position_bytes / DIGEST_PIECE_BYTES * DIGEST_PIECE_BYTES;
    uint64_t length = volume->size_bytes - begin;
    if (length > DIGEST_PIECE_BYTES)
        length = DIGEST_PIECE_BYTES;
    int rc = map_find(volume->map_volume, digester->task->generation, begin, length, &run, 1);
    if (rc == 1 && run.state == MAP_ABSENT && run.length_bytes == length) {
        digest_group_set_zero(&digester->hashes, piece_of(digester));
        piece_is_done(digester);
        return true;
    }
    read_piece(digester, begin, length);
    return false;
}

/* The end. */

static void verify_end(struct digester *digester)
{
    struct digest_task *task = digester->task;
    struct uuid identity;
    uint8_t known[DIGEST_BYTES];
    digest_end(digester->digest, task->sha256);
    int rc = map_digest(digester->volume->map_volume, task->generation, &identity, known);
    if (rc == 1 && memcmp(known, task->sha256, DIGEST_BYTES) != 0) {
        task_bad(digester, digester->volume->size_bytes);
        return;
    }
    task->state = DIGEST_KNOWN;
    task_end(digester);
}

static void run_end(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    const struct map_hashes state = {.from = digester->task->generation,
                                     .from_identity = digester->task->identity};
    digester->status =
        map_hashes_end_work(digester->store->map, map_volume_number(digester->volume->map_volume),
                            &state, digester->task->sha256);
}

static void on_ended(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    if (over(digester))
        return;
    digester->task->state = DIGEST_KNOWN;
    task_end(digester);
}

/* The next piece to be hashed is at the position: 1; there is none any more: 0; -EAGAIN: ask again
 * later; or another -errno. */
static int find_piece(struct digester *digester)
{
    const struct store_volume *volume = digester->volume;
    uint64_t from = digester->task->verify ? 0 : digester->state.from;
    for (uint32_t round = 0; round < SCAN_ROUNDS; round++) {
        struct map_run runs[SCAN_RUNS];
        if (digester->position_bytes >= volume->size_bytes)
            return 0;
        int count =
            map_diff(volume->map_volume, from, digester->task->generation, digester->position_bytes,
                     volume->size_bytes - digester->position_bytes, runs, SCAN_RUNS);
        if (count < 0)
            return count;
        for (int i = 0; i < count; i++) {
            if (runs[i].state != MAP_ABSENT)
                return 1;
            digester->position_bytes += runs[i].length_bytes;
        }
    }
    return -EAGAIN;
}

static void scan(struct digester *digester)
{
    struct digest_task *task = digester->task;
    const struct map_hashes *state = &digester->state;
    if (!is_there(digester, task->generation, &task->identity)) {
        task_failed(digester, -ENOENT);
        return;
    }
    if (!task->verify && state->from && !is_there(digester, state->from, &state->from_identity)) {
        start_anew(digester);
        return;
    }
    for (;;) {
        int rc = find_piece(digester);
        uint64_t group = digester->position_bytes / DIGEST_GROUP_BYTES;
        if (rc == -EAGAIN) {
            digester->resting = true;
            loop_defer(digester->store->loop, &digester->go_on);
        } else if (rc < 0) {
            task_failed(digester, rc);
        } else if (digester->loaded && (rc == 0 || digester->group != group)) {
            work_start(digester, run_store, on_stored);
        } else if (rc == 0 && task->verify) {
            verify_end(digester);
        } else if (rc == 0) {
            work_start(digester, run_end, on_ended);
        } else if (!digester->loaded) {
            digester->group = group;
            work_start(digester, run_load, on_loaded);
        } else if (piece_take(digester)) {
            continue;
        }
        return;
    }
}

static void on_go_on(struct loop_task *task)
{
    struct digester *digester = CONTAINER_OF(task, struct digester, go_on);
    if (!digester->task)
        start_next(digester);
    if (!digester->resting)
        return;
    digester->resting = false;
    digester->status = 0;
    if (!over(digester))
        scan(digester);
}

/* Asking. */

static struct digest_task *task_find(struct store_volume *volume, uint64_t generation,
                                     const struct uuid *identity)
{
    for (uint32_t i = 0; i < DIGEST_TASKS; i++) {
        struct digest_task *task = &volume->digests[i];
        if (task->generation == generation && uuid_equal(&task->identity, identity))
            return task;
    }
    return NULL;
}

/* A free one, or the oldest that is over. */
static struct digest_task *task_new(struct store_volume *volume)
{
    struct digest_task *oldest = NULL;
    for (uint32_t i = 0; i < DIGEST_TASKS; i++) {
        struct digest_task *task = &volume->digests[i];
        if (task->state != DIGEST_COMPUTING && (!oldest || task->order < oldest->order))
            oldest = task;
    }
    return oldest;
}

static int task_ask(struct store_req *req, const struct uuid *identity)
{
    struct store_volume *volume = req->volume;
    struct digester *digester = &volume->store->digester;
    struct digest_task *task = task_find(volume, req->generation, identity);
    bool under_way = task && task->state == DIGEST_COMPUTING;
    if (under_way && (digester->task != task || task->verify))
        task->verify = task->verify || req->verify;
    else if (under_way)
        task->verify_next = task->verify_next || req->verify;
    if (under_way)
        return 0;
    if (!task)
        task = task_new(volume);
    if (!task)
        return req->verify ? -EBUSY : 0;
    *task = (struct digest_task){.generation = req->generation,
                                 .identity = *identity,
                                 .order = ++digester->order,
                                 .state = DIGEST_COMPUTING,
                                 .verify = req->verify};
    loop_defer(volume->store->loop, &digester->go_on);
    return 0;
}

static int digester_find(struct store_req *req, struct message_digest *message)
{
    struct store_volume *volume = req->volume;
    struct uuid identity;
    int rc = map_digest(volume->map_volume, req->generation, &identity, message->sha256);
    if (rc < 0)
        return rc;
    struct digest_task *task = task_find(volume, req->generation, &identity);
    if (task && task->status) {
        int status = task->status;
        *task = (struct digest_task){0};
        return status;
    }
    if (task && task->state == DIGEST_KNOWN && rc == 0) {
        memcpy(message->sha256, task->sha256, DIGEST_BYTES);
        rc = map_digest_set(volume->map_volume, req->generation, &identity, task->sha256);
        if (rc)
            return rc;
        rc = 1;
    }
    message->state = rc == 1 ? DIGEST_KNOWN : DIGEST_NONE;
    if (task && (task->state == DIGEST_COMPUTING || task->state == DIGEST_BAD))
        message->state = task->state;
    if (req->verify || message->state == DIGEST_NONE) {
        message->state = DIGEST_COMPUTING;
        rc = task_ask(req, &identity);
        task = task_find(volume, req->generation, &identity);
    }
    message->done_bytes = task ? task->done_bytes : 0;
    return rc < 0 ? rc : 0;
}

int digester_ask(struct store_req *req)
{
    uint64_t size_bytes = req->volume->size_bytes;
    struct message_digest message = {.total_bytes = size_bytes};
    int rc = digester_find(req, &message);
    if (rc)
        return rc;
    if (message.state == DIGEST_KNOWN || message.done_bytes > size_bytes)
        message.done_bytes = size_bytes;
    if (message.state != DIGEST_KNOWN)
        memset(message.sha256, 0, sizeof(message.sha256));
    struct writer w = writer_of(req->reply.bytes, req->reply.length_bytes);
    message_digest_encode(&w, &message);
    ASSERT(!w.bad);
    req->reply.length_bytes = (uint32_t)writer_length(&w);
    return 0;
}

bool digester_is_busy_with(const struct digester *digester, const struct store_volume *volume)
{
    return digester->volume == volume;
}

void digester_init(struct digester *digester, struct store *store)
{
    digester->store = store;
    loop_task_init(&digester->go_on, on_go_on);
}

void digester_release(struct digester *digester)
{
    ASSERT(!digester->volume);
    loop_task_cancel(&digester->go_on);
}
