/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over what may differ: maps of one window of the volume are asked for and united, what they
 * name is copied, then the next window. One walk at a time: recovery, or one target's.
 */
#include "target/replication/parts.h"

#include <string.h>

static uint64_t sweep_window_bytes(const struct repl *repl)
{
    uint64_t left = repl->config.size_bytes - repl->sweep.pos_bytes;
    return left < REPL_WINDOW_BYTES ? left : REPL_WINDOW_BYTES;
}

static uint64_t sweep_ask(struct repl *repl, uint8_t peers, uint8_t type)
{
    struct sweep *sweep = &repl->sweep;
    struct control *control = control_push(repl, REPL_DO_SEND, peers);
    sweep->serial = ++repl->serial;
    sweep->sent_ns = repl->now_ns;
    sweep->waiting = peers;
    control->type = type;
    control->request = request_of(sweep->serial, SLOT_SWEEP);
    if (type == FRAME_GETMAP) {
        control->flags = sweep->purpose == COPY_RESYNC ? FRAME_ALL : 0;
        control->offset_bytes = sweep->pos_bytes;
        control->length_bytes = sweep_window_bytes(repl);
    }
    return control->length_bytes;
}

/* The maps of the window: recovery needs those of all members in sync, a target's sync its own and
 * that of one who holds everything. */
static void sweep_ask_maps(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    uint8_t whole = without(repl->in_sync & repl->attached, repl->doomed);
    sweep->phase = SWEEP_MAP;
    sweep->grain = 0;
    sweep->grain_count = (sweep_window_bytes(repl) + REPL_GRAIN_BYTES - 1) / REPL_GRAIN_BYTES;
    memset(sweep->map.bytes, sweep->full ? 0xff : 0, REPL_MAP_BYTES);
    sweep->waiting = 0;
    if (sweep->full) {
        sweep->phase = SWEEP_COPY;
        return;
    }
    if (!whole)
        return;
    if (sweep->purpose == COPY_RESYNC)
        (void)sweep_ask(repl, sweep->dest | bit_of(first_of(whole)), FRAME_GETMAP);
    else
        (void)sweep_ask(repl, sweep->members, FRAME_GETMAP);
}

void sweep_begin(struct repl *repl, enum copy_purpose purpose, uint8_t dest, bool full)
{
    ASSERT(repl->sweep.phase == SWEEP_NONE && copy_idle(repl));
    repl->sweep = (struct sweep){
        .purpose = purpose,
        .dest = dest,
        .full = full,
        .members = repl->in_sync,
        .map = slice_get(repl->bufs, REPL_MAP_BYTES),
    };
    sweep_ask_maps(repl);
}

void sweep_end(struct repl *repl)
{
    if (repl->sweep.phase == SWEEP_NONE)
        return;
    slice_release(&repl->sweep.map);
    repl->sweep.phase = SWEEP_NONE;
    copies_cancel(repl, false);
    repl->unsettled = true;
}

static void sweep_map_add(struct sweep *sweep, const struct frame *frame)
{
    uint32_t bytes = (uint32_t)((sweep->grain_count + 7) / 8);
    if (bytes > frame->body_bytes)
        bytes = frame->body_bytes;
    for (uint32_t i = 0; i < bytes; i++)
        sweep->map.bytes[i] |= frame->body[i];
}

void sweep_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct sweep *sweep = &repl->sweep;
    uint8_t bit = bit_of(peer);
    if ((sweep->phase != SWEEP_MAP && sweep->phase != SWEEP_FLUSH) || !(sweep->waiting & bit) ||
        frame->request != request_of(sweep->serial, SLOT_SWEEP))
        return;
    if (frame->status != FRAME_OK) {
        peer_lose(repl, peer, true, "it refused a map or a sync");
        return;
    }
    sweep->waiting = without(sweep->waiting, bit);
    repl->unsettled = true;
    if (sweep->phase == SWEEP_MAP)
        sweep_map_add(sweep, frame);
    if (sweep->waiting == 0)
        sweep->phase = sweep->phase == SWEEP_MAP ? SWEEP_COPY : SWEEP_READY;
}

/* Who is lost matters to recovery always, to a target's sync if it is the target, or the one whose
 * map is being waited for: then another's is as good. */
void sweep_lost(struct repl *repl, uint8_t peers)
{
    struct sweep *sweep = &repl->sweep;
    if (sweep->phase == SWEEP_NONE)
        return;
    if ((sweep->purpose == COPY_RECOVER ? sweep->members : sweep->dest) & peers)
        sweep_end(repl);
    else if (sweep->phase == SWEEP_MAP && (sweep->waiting & peers))
        sweep_ask_maps(repl);
}

static bool sweep_bit(const struct sweep *sweep, uint64_t grain)
{
    return sweep->map.bytes[grain / 8] >> (grain % 8) & 1;
}

/* The next run of bits from `grain` on, at most one copy long; 0: none in this window. */
static uint64_t sweep_run(struct sweep *sweep)
{
    while (sweep->grain < sweep->grain_count && !sweep_bit(sweep, sweep->grain)) {
        if (sweep->grain % 8 == 0 && sweep->map.bytes[sweep->grain / 8] == 0)
            sweep->grain += 8;
        else
            sweep->grain++;
    }
    uint64_t run = 0;
    while (sweep->grain + run < sweep->grain_count && run < REPL_COPY_BYTES / REPL_GRAIN_BYTES &&
           sweep_bit(sweep, sweep->grain + run))
        run++;
    return run;
}

static uint64_t sweep_copy_ns(const struct repl *repl, uint64_t bytes)
{
    uint64_t rate = repl->settings.resync_bytes_per_s;
    return repl->sweep.purpose == COPY_RESYNC && rate ? bytes * REPL_SECOND_NS / rate : 0;
}

/* True when the window is used up. */
static bool sweep_copy(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    for (;;) {
        uint64_t run = sweep_run(sweep);
        if (run == 0)
            return copy_idle(repl);
        if (sweep->next_ns > repl->now_ns)
            return false;
        uint64_t offset = sweep->pos_bytes + sweep->grain * REPL_GRAIN_BYTES;
        uint64_t bytes = run * REPL_GRAIN_BYTES;
        if (bytes > repl->config.size_bytes - offset)
            bytes = repl->config.size_bytes - offset;
        if (!copy_start(repl, sweep->purpose, offset, bytes, sweep->dest))
            return false;
        sweep->grain += run;
        sweep->done_bytes += bytes;
        sweep->next_ns = repl->now_ns + sweep_copy_ns(repl, bytes);
    }
}

void sweep_settle(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    if (sweep->phase == SWEEP_MAP && sweep->waiting == 0)
        sweep_ask_maps(repl);
    while (sweep->phase == SWEEP_COPY && sweep_copy(repl)) {
        sweep->pos_bytes += sweep_window_bytes(repl);
        if (sweep->pos_bytes < repl->config.size_bytes)
            sweep_ask_maps(repl);
        else if (sweep->purpose == COPY_RECOVER)
            sweep->phase = SWEEP_READY;
        else
            sweep->phase = SWEEP_FLUSH, (void)sweep_ask(repl, sweep->dest, FRAME_FLUSH);
    }
}

uint64_t sweep_deadline_ns(const struct repl *repl)
{
    const struct sweep *sweep = &repl->sweep;
    if (sweep->phase == SWEEP_COPY && sweep->next_ns > repl->now_ns)
        return sweep->next_ns;
    return REPL_NEVER_NS;
}
