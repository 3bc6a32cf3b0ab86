/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of a range from a member in sync to others: for recovery, for targets, and to repair. */
#include "target/replication/parts.h"

#include <string.h>

/* CRC32C of 4096 zero bytes. */
#define COPY_ZERO_CRC 0x98f94189u

static uint32_t copy_length(const struct copy *copy)
{
    return (uint32_t)(copy->range.end_bytes - copy->range.begin_bytes);
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
    control->offset_bytes = copy->range.begin_bytes;
    control->length_bytes = copy_length(copy);
    return control;
}

/* False when nobody can be read from now. */
static bool copy_read(struct repl *repl, struct copy *copy)
{
    uint8_t sources = repl->in_sync & repl->attached & repl->readable;
    sources = without(sources, repl->doomed | copy->failed_sources);
    if (copy->purpose == COPY_REPAIR)
        sources = without(sources, copy->dest);
    if (!sources)
        return false;
    copy->phase = COPY_READING;
    copy->source = bit_of(first_of(sources));
    copy_send(repl, copy, copy->source, FRAME_READ);
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

bool copy_start(struct repl *repl, enum copy_purpose purpose, uint64_t offset_bytes,
                uint64_t length_bytes, uint8_t dest)
{
    struct copy *copy = repl->copies;
    while (copy < repl->copies + REPL_COPIES && copy->phase != COPY_IDLE)
        copy++;
    if (copy == repl->copies + REPL_COPIES)
        return false;
    *copy = (struct copy){
        .phase = COPY_LOCKING,
        .purpose = purpose,
        .dest = dest,
        .locked = purpose != COPY_RECOVER,
        .range = {.begin_bytes = offset_bytes,
                  .end_bytes = offset_bytes + length_bytes,
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
    return data->bytes[0] == 0 && memcmp(data->bytes, data->bytes + 1, data->length_bytes - 1) == 0;
}

static void copy_write(struct repl *repl, struct copy *copy, const struct slice *data)
{
    uint8_t dest = copy->dest;
    if (copy->purpose == COPY_RECOVER)
        dest = without(repl->in_sync, copy->source);
    copy->dest = dest & repl->attached;
    copy->phase = COPY_WRITING;
    copy->answered = 0;
    if (!copy->dest) {
        copy_end(repl, copy);
        return;
    }
    if (copy_is_zero(data)) {
        copy_send(repl, copy, copy->dest, FRAME_ZERO);
    } else {
        copy->data = slice_ref(data);
        copy_send(repl, copy, copy->dest, FRAME_COPY)->payload = slice_ref(data);
    }
    checkpoint_dirty(repl);
}

static void copy_refused(struct repl *repl, struct copy *copy, uint8_t peer)
{
    const char *why = "it refused a copy";
    if (copy->purpose == COPY_RESYNC) {
        if (repl->attached & bit_of(peer))
            peer_back_off(repl, peer, why);
        return;
    }
    repl->peers[peer].why = why;
    repl->doomed |= bit_of(peer) & required(repl);
    repl->unsettled = true;
}

static void copy_review(struct repl *repl, struct copy *copy)
{
    if (copy->phase == COPY_WRITING && without(copy->dest & repl->attached, copy->answered) == 0)
        copy_end(repl, copy);
}

void copy_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    uint32_t slot = (uint32_t)(frame->request & ((1u << SLOT_BITS) - 1)) - SLOT_COPY;
    uint8_t bit = bit_of(peer);
    if (slot >= REPL_COPIES)
        return;
    struct copy *copy = &repl->copies[slot];
    if (frame->request != request_of(copy->serial, slot + SLOT_COPY))
        return;
    if (copy->phase == COPY_READING && copy->source == bit) {
        if (frame->status == FRAME_OK && frame->payload.length_bytes == copy_length(copy)) {
            copy_write(repl, copy, &frame->payload);
            return;
        }
        copy->failed_sources |= bit;
        copy->phase = COPY_LOCKING;
        repl->unsettled = true;
    } else if (copy->phase == COPY_WRITING && (copy->dest & bit)) {
        copy->answered |= bit;
        if (frame->status != FRAME_OK)
            copy_refused(repl, copy, peer);
        copy_review(repl, copy);
    }
}

void copies_lost(struct repl *repl, uint8_t peers)
{
    for (struct copy *copy = repl->copies; copy < repl->copies + REPL_COPIES; copy++) {
        if (copy->phase == COPY_READING && (copy->source & peers))
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

void copy_repair(struct repl *repl, uint64_t offset_bytes, uint64_t length_bytes, uint8_t dest)
{
    if (repl->repair_count == REPL_REPAIRS_MAX)
        return;
    repl->repairs[repl->repair_count++] =
        (struct repair){.offset_bytes = offset_bytes, .length_bytes = length_bytes, .dest = dest};
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
    say(repl, true, "no replica can read %u bytes at %llu", copy_length(copy),
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
        if (dest &&
            !copy_start(repl, COPY_REPAIR, repair->offset_bytes, repair->length_bytes, dest))
            return;
        repl->repair_count--;
    }
}

uint8_t copies_slow(const struct repl *repl)
{
    uint8_t slow = 0;
    for (int i = 0; i < REPL_COPIES; i++) {
        const struct copy *copy = &repl->copies[i];
        if (copy->sent_ns + repl->settings.slow_ns > repl->now_ns)
            continue;
        if (copy->phase == COPY_READING)
            slow |= copy->source;
        else if (copy->phase == COPY_WRITING)
            slow |= without(copy->dest, copy->answered);
    }
    return slow & repl->attached;
}
