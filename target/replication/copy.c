/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of a range from a member in sync to others: for recovery, for targets, and to repair. What
 * a target was given is compared once more, by what it reads from its own disk then.
 */
#include "target/replication/parts.h"

#include <string.h>

/* CRC32C of 4096 zero bytes. */
#define COPY_ZERO_CRC 0x98f94189u

static uint32_t copy_length(const struct copy *copy)
{
    return (uint32_t)(copy->end_bytes - copy->begin_bytes);
}

bool copies_head_quiet(const struct repl *repl)
{
    for (int i = 0; i < REPL_COPIES; i++) {
        if (repl->copies[i].phase > COPY_LOCKING && repl->copies[i].generation == 0)
            return false;
    }
    return true;
}

static uint32_t copy_slot(const struct repl *repl, const struct copy *copy)
{
    return SLOT_COPY + (uint32_t)(copy - repl->copies);
}

bool copy_idle(const struct repl *repl)
{
    for (int i = 0; i < REPL_COPIES; i++) {
        if (repl->copies[i].phase != COPY_IDLE && repl->copies[i].purpose != COPY_REPAIR)
            return false;
    }
    return true;
}

bool copies_none(const struct repl *repl)
{
    for (int i = 0; i < REPL_COPIES; i++) {
        if (repl->copies[i].phase != COPY_IDLE)
            return false;
    }
    return true;
}

static void copy_end(struct repl *repl, struct copy *copy)
{
    ASSERT(copy->phase != COPY_IDLE);
    copy->phase = COPY_IDLE;
    slice_release(&copy->data);
    if (copy->locked)
        range_lock_release(&repl->lock, &copy->range);
    copy->locked = false;
    repl->unsettled = true;
}

static struct control *copy_send(struct repl *repl, struct copy *copy, uint8_t peers, uint8_t type)
{
    struct control *control = control_push(repl, REPL_DO_SEND, peers);
    copy->serial = ++repl->serial;
    copy->sent_ns = repl->now_ns;
    control->type = type;
    control->request = request_of(copy->serial, copy_slot(repl, copy));
    control->offset_bytes = copy->begin_bytes;
    control->length_bytes = copy_length(copy);
    control->generation = copy->generation;
    if (type == FRAME_HASH)
        control_ask_hashes(repl, control);
    return control;
}

/* False when nobody can be read from now.  */
static bool copy_read(struct repl *repl, struct copy *copy)
{
    if (copy->generation == 0 && command_bars(repl))
        return false;
    uint8_t sources = without(readable_in_sync(repl), copy->failed_sources);
    if (copy->purpose == COPY_REPAIR)
        sources = without(sources, copy->dest);
    if (!sources)
        return false;
    copy->source = bit_of(first_of(sources));
    copy->begin_bytes = copy->range.begin_bytes;
    copy->end_bytes = copy->range.end_bytes;
    copy->differ = copy->wrote = 0;
    copy->phase = copy->blind || copy->fresh ? COPY_READING : COPY_HASHING;
    copy_send(repl, copy, copy->source, copy->phase == COPY_READING ? FRAME_READ : FRAME_HASH);
    return true;
}

void copy_granted(struct repl *repl, struct copy *copy)
{
    ASSERT(copy->phase == COPY_LOCKING);
    if (copy->locked)
        range_lock_hold(&copy->range);
    /* Failing that, it is tried again by copies_settle. */
    (void)copy_read(repl, copy);
}

bool copy_start(struct repl *repl, const struct copy_task *task)
{
    struct copy *copy = repl->copies;
    if (task->generation == 0 && command_bars(repl))
        return false;
    while (copy < repl->copies + REPL_COPIES && copy->phase != COPY_IDLE)
        copy++;
    if (copy == repl->copies + REPL_COPIES)
        return false;
    *copy = (struct copy){
        .phase = COPY_LOCKING,
        .purpose = task->purpose,
        .blind = task->blind,
        .fresh = task->fresh,
        .dest = task->dest,
        .generation = task->generation,
        .locked = task->purpose != COPY_RECOVER && task->generation == 0,
        .range = {.begin_bytes = task->offset_bytes,
                  .end_bytes = task->offset_bytes + task->length_bytes,
                  .exclusive = true,
                  .internal = true},
    };
    if (copy->locked)
        range_lock_claim(&repl->lock, &copy->range);
    if (range_lock_granted(&copy->range))
        copy_granted(repl, copy);
    return true;
}

static bool copy_is_zero(const struct slice *data)
{
    const uint32_t *crc = slice_crc(data);
    for (uint32_t i = 0; i < data->length_bytes / BLOCK_BYTES; i++) {
        if (crc[i] != COPY_ZERO_CRC)
            return false;
    }
    return bytes_are_zero(data->bytes, data->length_bytes);
}

/* What is to be found there once it is written. */
static void copy_note(struct copy *copy, const struct slice *data)
{
    uint64_t first = (copy->begin_bytes - copy->range.begin_bytes) / REPL_GRAIN_BYTES;
    uint64_t count = (data->length_bytes - 1) / REPL_GRAIN_BYTES + 1;
    for (uint64_t i = first; i < first + count; i++)
        copy->wrote |= (uint64_t)1 << i;
    hash_sums(data, copy->hashes + first * HASH_BYTES);
}

static void copy_write(struct repl *repl, struct copy *copy, const struct slice *data)
{
    copy->dest &= repl->attached;
    copy->phase = COPY_WRITING;
    copy->answered = 0;
    copy_note(copy, data);
    if (!copy->dest) {
        copy_end(repl, copy);
        return;
    }
    bool mends = copy->purpose == COPY_REPAIR && copy->generation;
    if (copy_is_zero(data) && !mends) {
        copy_send(repl, copy, copy->dest, FRAME_ZERO);
    } else {
        copy->data = slice_ref(data);
        struct control *control = copy_send(repl, copy, copy->dest, FRAME_COPY);
        control->payload = slice_ref(data);
        control->flags = mends ? FRAME_MEND : 0;
    }
    if (copy->generation == 0)
        checkpoint_dirty(repl);
}

static void copy_refused(struct repl *repl, struct copy *copy, uint8_t peer, uint32_t status)
{
    const char *why = peer_refusal(status);
    if (copy->purpose == COPY_RESYNC) {
        if (repl->attached & bit_of(peer))
            peer_back_off(repl, peer, why);
        return;
    }
    repl->peers[peer].why = why;
    repl->doomed |= bit_of(peer) & required(repl);
    repl->unsettled = true;
}

static void copy_ask_dest(struct repl *repl, struct copy *copy)
{
    copy->phase = COPY_COMPARING;
    copy->differ = 0;
    copy->answered = 0;
    copy->checking = copy->wrote;
    copy->wrote = 0;
    copy->begin_bytes = copy->range.begin_bytes;
    copy->end_bytes = copy->range.end_bytes;
    copy_send(repl, copy, copy->dest, FRAME_HASH)->flags = copy->checking ? FRAME_SUMS : 0;
}

/* Nothing differs that is not copied. */
static void copy_all_written(struct repl *repl, struct copy *copy)
{
    bool verify = copy->wrote && !copy->blind && copy->purpose == COPY_RESYNC;
    copy->dest &= repl->attached;
    if (!verify || !copy->dest) {
        if (copy->dest)
            count_copied(repl, copy);
        copy_end(repl, copy);
    } else if (++copy->tries > COPY_TRIES) {
        peer_back_off(repl, first_of(copy->dest), "it does not hold what was copied to it");
        copy_end(repl, copy);
    } else {
        slice_release(&copy->data);
        copy_ask_dest(repl, copy);
    }
}

/* All have told their hashes: the next run of what differs, and is not copied yet, is read. */
static void copy_compared(struct repl *repl, struct copy *copy)
{
    if (copy->differ == 0) {
        copy_all_written(repl, copy);
        return;
    }
    if (!(copy->source & repl->in_sync & repl->attached & repl->readable)) {
        copy->phase = COPY_LOCKING;
        repl->unsettled = true;
        return;
    }
    uint64_t first = (uint64_t)__builtin_ctzll(copy->differ);
    uint64_t end = first;
    for (; end < 64 && copy->differ >> end & 1; end++)
        copy->differ &= ~((uint64_t)1 << end);
    copy->begin_bytes = copy->range.begin_bytes + first * REPL_GRAIN_BYTES;
    copy->end_bytes = copy->range.begin_bytes + end * REPL_GRAIN_BYTES;
    if (copy->end_bytes > copy->range.end_bytes)
        copy->end_bytes = copy->range.end_bytes;
    slice_release(&copy->data);
    copy->phase = COPY_READING;
    copy_send(repl, copy, copy->source, FRAME_READ);
}

static void copy_review(struct repl *repl, struct copy *copy)
{
    bool answered = without(copy->dest & repl->attached, copy->answered) == 0;
    if ((copy->phase == COPY_WRITING || copy->phase == COPY_COMPARING) && answered)
        copy_compared(repl, copy);
}

static uint32_t copy_hash_count(const struct copy *copy)
{
    return (uint32_t)((copy_length(copy) + REPL_GRAIN_BYTES - 1) / REPL_GRAIN_BYTES);
}

/* What cannot be compared differs. */
static void copy_compare(struct copy *copy, const struct frame *frame)
{
    uint32_t count = copy_hash_count(copy);
    bool whole = frame->status == FRAME_OK && frame->body_bytes == count * HASH_BYTES;
    uint64_t asked = copy->checking ? copy->checking : UINT64_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i * HASH_BYTES;
        if (!(asked >> i & 1))
            continue;
        if (!whole || memcmp(copy->hashes + at, frame->body + at, HASH_BYTES) != 0)
            copy->differ |= (uint64_t)1 << i;
    }
}

static void copy_hashed(struct repl *repl, struct copy *copy, const struct frame *frame)
{
    if (copy->purpose == COPY_RECOVER)
        copy->dest = without(repl->in_sync, copy->source);
    copy->dest &= repl->attached;
    if (!copy->dest) {
        copy_end(repl, copy);
        return;
    }
    memcpy(copy->hashes, frame->body, frame->body_bytes);
    copy_ask_dest(repl, copy);
}

/* The generation was dropped meanwhile. */
static void copy_absent(struct repl *repl, const struct copy *copy)
{
    if (copy->purpose != COPY_REPAIR)
        repl->sweep.again = true;
}

static void copy_answer_source(struct repl *repl, struct copy *copy, const struct frame *frame)
{
    bool ok = frame->status == FRAME_OK;
    if (ok && copy->phase == COPY_READING && frame->payload.length_bytes == copy_length(copy)) {
        copy_write(repl, copy, &frame->payload);
    } else if (ok && copy->phase == COPY_HASHING &&
               frame->body_bytes == copy_hash_count(copy) * HASH_BYTES) {
        copy_hashed(repl, copy, frame);
    } else if (frame->status == FRAME_ABSENT && copy->generation) {
        copy_absent(repl, copy);
        copy_end(repl, copy);
    } else {
        copy->failed_sources |= copy->source;
        copy->phase = COPY_LOCKING;
        repl->unsettled = true;
    }
}

static void copy_answer_dest(struct repl *repl, uint8_t peer, struct copy *copy,
                             const struct frame *frame)
{
    copy->answered |= bit_of(peer);
    if (frame->status == FRAME_ABSENT && copy->generation)
        copy_absent(repl, copy);
    else if (copy->phase == COPY_COMPARING)
        copy_compare(copy, frame);
    else if (frame->status != FRAME_OK)
        copy_refused(repl, copy, peer, frame->status);
    copy_review(repl, copy);
}

void copy_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    uint32_t slot = (uint32_t)(frame->request & ((1u << SLOT_BITS) - 1)) - SLOT_COPY;
    uint8_t bit = bit_of(peer);
    if (slot >= REPL_COPIES)
        return;
    struct copy *copy = &repl->copies[slot];
    bool of_source = copy->phase == COPY_READING || copy->phase == COPY_HASHING;
    bool of_dest = copy->phase == COPY_WRITING || copy->phase == COPY_COMPARING;
    if (frame->request != request_of(copy->serial, slot + SLOT_COPY))
        return;
    if (of_source && copy->source == bit)
        copy_answer_source(repl, copy, frame);
    else if (of_dest && (copy->dest & bit) && !(copy->answered & bit))
        copy_answer_dest(repl, peer, copy, frame);
}

void copies_lost(struct repl *repl, uint8_t peers)
{
    for (struct copy *copy = repl->copies; copy < repl->copies + REPL_COPIES; copy++) {
        if (copy->phase > COPY_LOCKING && copy->phase < COPY_WRITING && (copy->source & peers))
            copy->phase = COPY_LOCKING;
        copy_review(repl, copy);
    }
}

void copies_cancel(struct repl *repl, bool sessions_over)
{
    for (struct copy *copy = repl->copies; copy < repl->copies + REPL_COPIES; copy++) {
        bool under_way = copy->phase == COPY_WRITING && !sessions_over;
        bool spared = copy->purpose == COPY_REPAIR && !sessions_over;
        if (copy->phase != COPY_IDLE && !under_way && !spared)
            copy_end(repl, copy);
    }
    if (sessions_over)
        repl->repair_count = 0;
}

void copy_repair(struct repl *repl, const struct repair *repair)
{
    if (repl->repair_count == REPL_REPAIRS_MAX)
        return;
    repl->repairs[repl->repair_count++] = *repair;
    repl->unsettled = true;
}

/* A copy that lost its source takes another; one that finds none ends if all have failed it. */
static void copy_settle(struct repl *repl, struct copy *copy)
{
    bool granted = range_lock_granted(&copy->range);
    if (copy->phase != COPY_LOCKING || !granted || copy_read(repl, copy))
        return;
    if (without(repl->in_sync, copy->failed_sources | copy->dest))
        return;
    say(repl, true, "no replica can read %llu bytes at %llu",
        (unsigned long long)(copy->range.end_bytes - copy->range.begin_bytes),
        (unsigned long long)copy->range.begin_bytes);
    if (copy->purpose == COPY_RESYNC && (copy->dest & repl->attached))
        peer_back_off(repl, first_of(copy->dest), "what it needs cannot be read");
    else if (copy->purpose == COPY_RECOVER)
        repl->sweep.failed = true;
    copy_end(repl, copy);
}

void copies_settle(struct repl *repl)
{
    if (repl->phase != PHASE_SERVE && repl->phase != PHASE_RECOVER)
        return;
    for (struct copy *copy = repl->copies; copy < repl->copies + REPL_COPIES; copy++)
        copy_settle(repl, copy);
    while (repl->phase == PHASE_SERVE && repl->repair_count > 0) {
        struct repair *repair = &repl->repairs[repl->repair_count - 1];
        uint8_t dest = repair->dest & repl->in_sync & repl->attached;
        struct copy_task task = {.purpose = COPY_REPAIR,
                                 .blind = true,
                                 .dest = dest,
                                 .generation = repair->generation,
                                 .offset_bytes = repair->offset_bytes,
                                 .length_bytes = repair->length_bytes};
        if (dest && !copy_start(repl, &task))
            return;
        repl->repair_count--;
    }
}

uint8_t copies_wait_for(const struct repl *repl, uint64_t since_ns)
{
    uint8_t peers = 0;
    for (int i = 0; i < REPL_COPIES; i++) {
        const struct copy *copy = &repl->copies[i];
        if (copy->sent_ns + since_ns > repl->now_ns)
            continue;
        if (copy->phase == COPY_READING || copy->phase == COPY_HASHING)
            peers |= copy->source;
        else if (copy->phase == COPY_WRITING || copy->phase == COPY_COMPARING)
            peers |= without(copy->dest, copy->answered);
    }
    return peers & repl->attached;
}
