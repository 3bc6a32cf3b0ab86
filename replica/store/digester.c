/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, computed and verified in the background. */
#include "replica/store/digester.h"

#include "replica/store/state.h"
#include "replica/store/volume.h"

#include <errno.h>
#include <string.h>

enum { SCAN_RUNS = 64 }; /* of the map, in one turn */

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
    digester->some = false;
    digester->position_bytes = 0;
    digester->hasher.done_bytes = 0;
    work_start(digester, run_state, on_state);
}

/* A group: its hashes loaded, the wanted ones computed, all stored. */

static void run_store(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    const struct hasher *hasher = &digester->hasher;
    digester->status = 0;
    if (digester->task->verify) {
        digest_group_hash(&hasher->hashes, digester->group_hash);
        return;
    }
    digester->state.next_group = hasher->group + 1;
    digester->status =
        map_hashes_store_work(digester->store->map, map_volume_number(digester->volume->map_volume),
                              hasher->group, &hasher->hashes, &digester->state);
}

static void on_stored(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    const struct hasher *hasher = &digester->hasher;
    if (over(digester))
        return;
    bool verify = digester->task->verify;
    for (uint32_t i = 0; verify && digester->comparable && i < DIGEST_GROUP_PIECES; i++) {
        if (!digest_group_same(&hasher->hashes, &digester->expected, i)) {
            task_bad(digester,
                     hasher->group * DIGEST_GROUP_BYTES + (uint64_t)i * DIGEST_PIECE_BYTES);
            return;
        }
    }
    if (verify && hasher->hashes.count > 0)
        digest_add(digester->digest, hasher->group, digester->group_hash);
    digester->some = false;
    scan(digester);
}

static void on_hashed(struct hasher *hasher)
{
    struct digester *digester = CONTAINER_OF(hasher, struct digester, hasher);
    digester->status = hasher->status;
    if (over(digester))
        return;
    if (hasher->bad)
        task_bad(digester, hasher->bad_bytes);
    else
        work_start(digester, run_store, on_stored);
}

static void run_load(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    struct map *map = digester->store->map;
    uint32_t number = map_volume_number(digester->volume->map_volume);
    struct hasher *hasher = &digester->hasher;
    digester->status = 0;
    if (!digester->task->verify) {
        digester->status = map_hashes_load_work(map, number, hasher->group, &hasher->hashes);
        return;
    }
    digest_group_clear(&hasher->hashes);
    if (digester->comparable)
        digester->status = map_hashes_load_work(map, number, hasher->group, &digester->expected);
}

static void on_loaded(struct work *work)
{
    struct digester *digester = WORK_OF(work);
    if (!over(digester))
        hasher_begin(&digester->hasher);
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

/* What is at the position, up to the end of a group where there is something. */
static void want(struct digester *digester, uint64_t length_bytes)
{
    struct hasher *hasher = &digester->hasher;
    uint64_t group = digester->position_bytes / DIGEST_GROUP_BYTES;
    uint64_t end_bytes = (group + 1) * DIGEST_GROUP_BYTES;
    if (!digester->some) {
        hasher->group = group;
        memset(hasher->wanted, 0, sizeof(hasher->wanted));
    }
    digester->some = true;
    if (length_bytes < end_bytes - digester->position_bytes)
        end_bytes = digester->position_bytes + length_bytes;
    for (uint64_t at = digester->position_bytes; at < end_bytes;
         at = (at / DIGEST_PIECE_BYTES + 1) * DIGEST_PIECE_BYTES)
        hasher->wanted[at % DIGEST_GROUP_BYTES / DIGEST_PIECE_BYTES] = true;
    digester->position_bytes = end_bytes;
}

/* Looks for pieces to be hashed. 1: those of a group are known, or there are no more; -EAGAIN: it
 * is to be asked again; or another -errno. */
static int find_pieces(struct digester *digester)
{
    const struct store_volume *volume = digester->volume;
    uint64_t from = digester->task->verify ? 0 : digester->state.from;
    uint64_t end_bytes = volume->size_bytes;
    struct map_run runs[SCAN_RUNS];
    if (digester->some && end_bytes > (digester->hasher.group + 1) * DIGEST_GROUP_BYTES)
        end_bytes = (digester->hasher.group + 1) * DIGEST_GROUP_BYTES;
    if (digester->position_bytes >= end_bytes)
        return 1;
    int count =
        map_diff(volume->map_volume, from, digester->task->generation, digester->position_bytes,
                 end_bytes - digester->position_bytes, runs, SCAN_RUNS);
    bool was = digester->some;
    for (int i = 0; i < count; i++) {
        if (runs[i].state == MAP_ABSENT)
            digester->position_bytes += runs[i].length_bytes;
        else
            want(digester, runs[i].length_bytes);
        /* The first of a group: from now on the group's end is the end. */
        if (digester->some && !was)
            break;
    }
    if (!digester->some)
        digester->hasher.done_bytes = digester->position_bytes;
    return count < 0 ? count : -EAGAIN;
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
    int rc = find_pieces(digester);
    digester->hasher.volume = digester->volume;
    digester->hasher.generation = task->generation;
    if (rc == -EAGAIN)
        loop_timer_start(&digester->next_turn, 0);
    else if (rc < 0)
        task_failed(digester, rc);
    else if (digester->some)
        work_start(digester, run_load, on_loaded);
    else if (task->verify)
        verify_end(digester);
    else
        work_start(digester, run_end, on_ended);
}

static void on_next_turn(struct loop_timer *timer)
{
    struct digester *digester = CONTAINER_OF(timer, struct digester, next_turn);
    digester->status = 0;
    if (!over(digester))
        scan(digester);
}

static void on_go_on(struct loop_task *task)
{
    struct digester *digester = CONTAINER_OF(task, struct digester, go_on);
    if (!digester->task)
        start_next(digester);
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
    const struct digester *digester = &volume->store->digester;
    message->done_bytes = task ? task->done_bytes : 0;
    if (task && task == digester->task)
        message->done_bytes = digester->hasher.done_bytes;
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
    digester->hasher.done = on_hashed;
    hasher_init(&digester->hasher, store);
    loop_task_init(&digester->go_on, on_go_on);
    loop_timer_init(&digester->next_turn, store->loop, on_next_turn);
}

void digester_release(struct digester *digester)
{
    ASSERT(!digester->volume);
    loop_task_cancel(&digester->go_on);
}
