/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and the map. */
#include "replica/store/place.h"

#include "common/wire/generation.h"
#include "replica/store/digester.h"
#include "replica/store/state.h"
#include "replica/store/volume.h"

#include <errno.h>
#include <string.h>

static struct map_run place_scratch[DIFF_RUNS_MAX];

static struct map_run *place_runs(struct store_req *req)
{
    return req->zeroing ? req->zeroing->runs : req->runs;
}

/* From here on the request's runs are these, of the scratch. */
static void place_take(struct store_req *req, uint32_t count)
{
    ASSERT(count <= STORE_RUNS_MAX);
    memcpy(req->runs, place_scratch, count * sizeof(*req->runs));
    req->run_count = count;
    req->run_at = 0;
}

void place_consume(struct store_req *req, uint64_t length_bytes)
{
    struct map_run *run = &place_runs(req)[req->run_at];
    ASSERT(req->run_at < req->run_count && length_bytes <= run->length_bytes);
    run->offset_bytes += length_bytes;
    run->length_bytes -= length_bytes;
    req->run_at += run->length_bytes == 0;
}

/* What is not complete here is not what the others show. */
static bool place_may_read(const struct store_req *req)
{
    if (req->generation == 0 || req->partial)
        return true;
    struct map_info info;
    map_volume_info(req->volume->map_volume, &info);
    uint64_t incomplete = info.lineage.incomplete_generation;
    return incomplete == 0 || req->generation < incomplete;
}

int place_read(struct store_req *req)
{
    if (req->run_at < req->run_count)
        return 0;
    if (!place_may_read(req))
        return -ENOENT;
    int rc =
        map_find(req->volume->map_volume, req->generation, req->offset_bytes + req->progress_bytes,
                 req->length_bytes - req->progress_bytes, req->runs, STORE_RUNS_MAX);
    if (rc < 0)
        return rc;
    ASSERT(rc > 0);
    req->run_count = (uint32_t)rc;
    req->run_at = 0;
    return 0;
}

int place_write(struct store_req *req)
{
    if (req->placed)
        return 0;
    int rc = map_place(req->volume->map_volume, req->generation, req->offset_bytes,
                       req->length_bytes, place_scratch, &req->write);
    if (rc < 0)
        return rc;
    if (req->write.fresh && !store_admit(req->volume->store, req->length_bytes)) {
        map_unplace(req->volume->map_volume, &req->write);
        return -ENOSPC;
    }
    place_take(req, (uint32_t)rc);
    req->placed = true;
    return 0;
}

int place_wrote(struct store_req *req)
{
    if (!req->write.fresh) {
        req->placed = false;
        return 0;
    }
    struct store *store = req->volume->store;
    int rc = map_wrote(req->volume->map_volume, &req->write);
    if (rc != -EAGAIN)
        req->placed = false;
    if (map_fold_wanted(store->map))
        loop_defer(store->loop, &store->kick);
    return rc;
}

int place_zero(struct store_req *req)
{
    if (req->placed)
        return 0;
    int rc =
        map_zero(req->volume->map_volume, req->generation, req->offset_bytes + req->progress_bytes,
                 req->length_bytes - req->progress_bytes, place_scratch, &req->write);
    if (rc < 0)
        return rc;
    memcpy(req->zeroing->runs, place_scratch, (size_t)rc * sizeof(*place_scratch));
    req->run_count = (uint32_t)rc;
    req->run_at = 0;
    req->placed = true;
    return 0;
}

int place_zeroed(struct store_req *req)
{
    int rc = req->write.fresh ? map_zeroed(req->volume->map_volume, &req->write) : 0;
    if (rc == -EAGAIN)
        return rc;
    req->placed = false;
    req->progress_bytes += req->write.length_bytes;
    return rc;
}

void place_cancel(struct store_req *req)
{
    if (req->placed && req->write.fresh)
        map_unplace(req->volume->map_volume, &req->write);
    req->placed = false;
}

/* Where the map cannot tell, what is believed needlessly is no more than a block not checked. */
void place_doubt(struct store_req *req)
{
    uint64_t at_bytes = req->offset_bytes + req->progress_bytes;
    uint64_t end_bytes = at_bytes + req->run_bytes;
    uint64_t position = req->position;
    while (at_bytes < end_bytes) {
        struct map_run run;
        int rc = map_find(req->volume->map_volume, 0, at_bytes, end_bytes - at_bytes, &run, 1);
        uint64_t length_bytes = rc < 0 ? end_bytes - at_bytes : run.length_bytes;
        if (rc < 0 || (run.state == MAP_DATA && place_position(&run) == position))
            doubt_add(&req->volume->doubt, at_bytes, length_bytes);
        at_bytes += length_bytes;
        position += length_bytes;
    }
}

void place_lineage(struct map_volume *volume, struct lineage *lineage)
{
    struct map_info info;
    map_volume_info(volume, &info);
    *lineage = info.lineage;
}

static int place_diff(struct store_req *req)
{
    int count = map_diff(req->volume->map_volume, req->from_generation, req->generation,
                         req->offset_bytes, req->length_bytes, place_scratch, DIFF_RUNS_MAX);
    if (count < 0)
        return count;
    struct writer w = writer_of(req->reply.bytes, req->reply.length_bytes);
    uint64_t covered_bytes = 0;
    for (int i = 0; i < count; i++) {
        const struct diff_run run = {.length_bytes = place_scratch[i].length_bytes,
                                     .state = (enum diff_state)place_scratch[i].state};
        diff_run_encode(&w, &run);
        covered_bytes += run.length_bytes;
    }
    ASSERT(!w.bad);
    req->reply.length_bytes = (uint32_t)writer_length(&w);
    req->length_bytes = covered_bytes;
    return 0;
}

static int place_space(struct store_req *req)
{
    struct message_space message;
    map_volume_space(req->volume->map_volume, &message);
    struct writer w = writer_of(req->reply.bytes, req->reply.length_bytes);
    message_space_encode(&w, &message);
    ASSERT(!w.bad);
    req->reply.length_bytes = (uint32_t)writer_length(&w);
    return 0;
}

/* The length of a reply, or -errno. */
static int place_reply(struct store_req *req, int length)
{
    if (length < 0)
        return length;
    req->reply.length_bytes = (uint32_t)length;
    return 0;
}

bool place_seals(const struct store_req *req)
{
    struct message_command command;
    struct reader r = reader_of(req->data.bytes, req->data.length_bytes);
    message_command_decode(&r, &command);
    return !r.bad && command.kind == COMMAND_SEAL;
}

/* What is sealed is complete if the head is. */
static int place_order(struct store_req *req)
{
    struct map_volume *volume = req->volume->map_volume;
    struct map_info info;
    map_volume_info(volume, &info);
    int status = 0;
    if (req->all_incomplete)
        status = map_unsettle(volume);
    else if (!info.head_complete)
        status = map_settle(volume, 0);
    return status ? status : map_command(volume, req->data.bytes, req->data.length_bytes);
}

static int place_perform(struct store_req *req)
{
    struct map_volume *volume = req->volume->map_volume;
    switch (req->op) {
    case STORE_COMMAND:
        return place_order(req);
    case STORE_LAST_COMMAND:
        return place_reply(req,
                           map_last_command(volume, req->reply.bytes, req->reply.length_bytes));
    case STORE_BOOK:
        return place_reply(req, map_book_read(volume, req->length_bytes, req->reply.bytes,
                                              req->reply.length_bytes));
    case STORE_INSTALL:
        return map_install(volume, req->data.bytes, req->data.length_bytes, req->more,
                           req->all_incomplete);
    case STORE_SETTLE:
        return map_settle(volume, req->generation);
    case STORE_DIFF:
        return place_diff(req);
    case STORE_SPACE:
        return place_space(req);
    case STORE_DIGEST:
        return digester_ask(req);
    case STORE_READ:
    case STORE_WRITE:
    case STORE_ZERO:
    case STORE_SYNC:
    case STORE_META:
    case STORE_DRL:
    case STORE_GROW:
        break;
    }
    UNREACHABLE();
}

int place_command(struct store_req *req)
{
    int rc = place_perform(req);
    if (rc > 0)
        rc = 0;
    if (rc == 0)
        place_lineage(req->volume->map_volume, &req->lineage);
    return rc;
}
