/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces, read and hashed. */
#include "replica/store/hasher.h"

#include "replica/store/state.h"
#include "replica/store/volume.h"

#include <errno.h>

enum { HASHER_REST_FACTOR = 3 };
#define HASHER_REST_NS_MAX ((uint64_t)100 * 1000 * 1000)

static void go_on(struct hasher *hasher);

static void failed(struct hasher *hasher, int status)
{
    if (hasher->status == 0)
        hasher->status = status;
}

static uint64_t begin_of(const struct hasher_piece *piece)
{
    return piece->hasher->group * DIGEST_GROUP_BYTES + (uint64_t)piece->number * DIGEST_PIECE_BYTES;
}

static void piece_end(struct hasher_piece *piece)
{
    slice_release(&piece->read.data);
    piece->busy = false;
    go_on(piece->hasher);
}

static void run_hash(struct work *work)
{
    struct hasher_piece *piece = CONTAINER_OF(work, struct hasher_piece, work);
    struct digest_group *hashes = &piece->hasher->hashes;
    const struct store_req *read = &piece->read;
    if (read->length_bytes == 0)
        digest_group_set_zero(hashes, piece->number);
    else
        digest_group_set(hashes, piece->number, read->data.bytes, (uint32_t)read->length_bytes);
}

static void on_rested(struct loop_timer *timer)
{
    struct hasher *hasher = CONTAINER_OF(timer, struct hasher, rest);
    hasher->resting = false;
    hasher->asked = hasher->store->asked;
    go_on(hasher);
}

static void on_hashed(struct work *work)
{
    struct hasher_piece *piece = CONTAINER_OF(work, struct hasher_piece, work);
    struct hasher *hasher = piece->hasher;
    uint64_t end_bytes = begin_of(piece) + DIGEST_PIECE_BYTES;
    if (hasher->done_bytes < end_bytes)
        hasher->done_bytes = end_bytes;
    piece_end(piece);
}

static void hash(struct hasher_piece *piece)
{
    piece->work = (struct work){.run = run_hash, .done = on_hashed};
    worker_add(&piece->hasher->store->chores.worker, &piece->work);
}

/* Who asked something of the store since the last one may ask more. */
static void rest_if_others_work(struct hasher_piece *piece)
{
    struct hasher *hasher = piece->hasher;
    struct store *store = hasher->store;
    uint64_t rest_ns = (loop_now_ns(store->loop) - piece->began_ns) * HASHER_REST_FACTOR;
    if (store->asked != hasher->asked && !hasher->resting) {
        hasher->resting = true;
        loop_timer_start(&hasher->rest,
                         rest_ns < HASHER_REST_NS_MAX ? rest_ns : HASHER_REST_NS_MAX);
    }
    hasher->asked = store->asked;
}

static void on_read(struct store_req *req)
{
    struct hasher_piece *piece = CONTAINER_OF(req, struct hasher_piece, read);
    struct hasher *hasher = piece->hasher;
    uint64_t at_bytes = req->offset_bytes + req->progress_bytes;
    hasher->reading--;
    rest_if_others_work(piece);
    if (req->status == 0) {
        hash(piece);
        return;
    }
    if (req->status != -EILSEQ && req->status != -EIO) {
        failed(hasher, req->status);
    } else if (!hasher->bad || at_bytes < hasher->bad_bytes) {
        hasher->bad = true;
        hasher->bad_bytes = at_bytes;
    }
    piece_end(piece);
}

/* What is not stored at all is not read. */
static void piece_begin(struct hasher_piece *piece)
{
    struct hasher *hasher = piece->hasher;
    const struct store_volume *volume = hasher->volume;
    struct map_run run = {0};
    uint64_t begin = begin_of(piece);
    uint64_t length = volume->size_bytes - begin;
    if (length > DIGEST_PIECE_BYTES)
        length = DIGEST_PIECE_BYTES;
    piece->busy = true;
    int rc = map_find(volume->map_volume, hasher->generation, begin, length, &run, 1);
    bool hole = rc == 1 && run.state == MAP_ABSENT && run.length_bytes == length;
    piece->read = (struct store_req){.op = STORE_READ,
                                     .volume = hasher->volume,
                                     .background = true,
                                     .generation = hasher->generation,
                                     .offset_bytes = begin,
                                     .length_bytes = hole ? 0 : length,
                                     .done = on_read};
    if (hole) {
        hash(piece);
        return;
    }
    piece->read.data = slice_get(hasher->store->bufs, DIGEST_PIECE_BYTES);
    hasher->reading++;
    piece->began_ns = loop_now_ns(hasher->store->loop);
    store_submit(hasher->store, &piece->read);
}

static struct hasher_piece *piece_free(struct hasher *hasher)
{
    for (uint32_t i = 0; i < HASHER_PIECES; i++) {
        if (!hasher->pieces[i].busy)
            return &hasher->pieces[i];
    }
    return NULL;
}

static void go_on(struct hasher *hasher)
{
    if (hasher->volume->closing)
        failed(hasher, -EBUSY);
    bool stop = hasher->status || hasher->bad;
    struct hasher_piece *piece;
    while (!stop && !hasher->resting && (piece = piece_free(hasher))) {
        while (hasher->next < DIGEST_GROUP_PIECES && !hasher->wanted[hasher->next])
            hasher->next++;
        if (hasher->next == DIGEST_GROUP_PIECES)
            break;
        piece->number = hasher->next++;
        piece_begin(piece);
    }
    for (uint32_t i = 0; i < HASHER_PIECES; i++) {
        if (hasher->pieces[i].busy)
            return;
    }
    if (!stop && hasher->resting && hasher->next < DIGEST_GROUP_PIECES)
        return;
    hasher->resting = false;
    loop_timer_stop(&hasher->rest);
    hasher->done(hasher);
}

void hasher_begin(struct hasher *hasher)
{
    hasher->status = 0;
    hasher->bad = false;
    hasher->next = 0;
    hasher->asked = hasher->store->asked;
    go_on(hasher);
}

void hasher_init(struct hasher *hasher, struct store *store)
{
    hasher->store = store;
    loop_timer_init(&hasher->rest, store->loop, on_rested);
    for (uint32_t i = 0; i < HASHER_PIECES; i++)
        hasher->pieces[i].hasher = hasher;
}
