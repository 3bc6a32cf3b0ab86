/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over what may differ: maps of one window of the volume are asked for and united, what they
 * name is copied, then the next window. One walk at a time: recovery, or one target's.
 */
#include "target/replication/parts.h"

#include <string.h>

#define REPL_AGAIN_NS ((uint64_t)10 * 1000 * 1000)

static uint64_t sweep_left_bytes(const struct repl *repl)
{
    uint64_t left = repl->config.size_bytes - repl->sweep.pos_bytes;
    return left < REPL_WINDOW_BYTES ? left : REPL_WINDOW_BYTES;
}

static void sweep_ask(struct repl *repl, uint8_t peers, uint8_t type)
{
    struct sweep *sweep = &repl->sweep;
    struct control *control = control_push(repl, REPL_DO_SEND, peers);
    sweep->serial = ++repl->serial;
    sweep->sent_ns = repl->now_ns;
    sweep->waiting = peers;
    control->type = type;
    control->request = request_of(sweep->serial, SLOT_SWEEP);
    if (type == FRAME_FLUSH)
        return;
    control->generation = sweep->generation;
    if (type == FRAME_SETTLE)
        return;
    control->offset_bytes = sweep->pos_bytes;
    control->length_bytes = sweep->window_bytes;
    if (type == FRAME_GETMAP)
        control->flags = sweep->purpose == COPY_RESYNC ? FRAME_ALL : 0;
    if (type == FRAME_DIFF)
        control_ask_diff(repl, control, sweep->base);
    if (type == FRAME_GETMAP || type == FRAME_MARK)
        control->generation = 0;
}

/* What may differ in the window: recovery asks all members in sync, a target's sync the target and
 * one who holds everything. */
static void sweep_ask_maps(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    uint8_t whole = readable_in_sync(repl);
    sweep->phase = SWEEP_MAP;
    sweep->grain = 0;
    sweep->window_bytes = sweep_left_bytes(repl);
    sweep->grain_count = (sweep->window_bytes + REPL_GRAIN_BYTES - 1) / REPL_GRAIN_BYTES;
    memset(sweep->map.bytes, 0, REPL_MAP_BYTES);
    if (sweep->theirs.buf)
        memset(sweep->theirs.bytes, 0, REPL_MAP_BYTES);
    sweep->waiting = 0;
    if (sweep->purpose == COPY_RECOVER)
        sweep_ask(repl, sweep->members, FRAME_GETMAP);
    else if (whole)
        sweep_ask(repl, sweep->dest | bit_of(first_of(whole)),
                  sweep->by_planes ? FRAME_GETMAP : FRAME_DIFF);
}

/* The lowest generation that the target lacks parts of, else the head. */
static void sweep_stage(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    const struct peer_record *record = &repl->peers[first_of(sweep->dest)];
    const struct lineage *lineage = &record->opened.lineage;
    sweep->generation = lineage->incomplete_generation;
    sweep->base = sweep->generation ? lineage->incomplete_base : lineage->head_base;
    sweep->head_generation = lineage->head_generation;
    uint64_t number = sweep->generation ? sweep->generation : lineage->head_generation;
    sweep->by_planes = !record->full && lineage->kept_generation == number;
    sweep->pos_bytes = 0;
    sweep->stage_bytes = 0;
    sweep->again = sweep->settled = false;
    sweep_ask_maps(repl);
}

bool sweep_is_stale(const struct repl *repl)
{
    const struct sweep *sweep = &repl->sweep;
    if (sweep->phase == SWEEP_NONE || sweep->purpose != COPY_RESYNC)
        return false;
    const struct lineage *lineage = &repl->peers[first_of(sweep->dest)].opened.lineage;
    uint64_t base = sweep->generation ? lineage->incomplete_base : lineage->head_base;
    /* What is sealed does not change because another one was. */
    bool head_matters = sweep->generation == 0 || sweep->by_planes;
    return sweep->again || lineage->incomplete_generation != sweep->generation ||
           base != sweep->base ||
           (head_matters && lineage->head_generation != sweep->head_generation);
}

void sweep_pause(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    if (sweep->phase == SWEEP_PAUSE)
        return;
    sweep->phase = SWEEP_PAUSE;
    sweep->waiting = 0;
    sweep->serial = ++repl->serial;
    if (sweep->again)
        sweep->next_ns = repl->now_ns + REPL_AGAIN_NS;
    copies_cancel(repl, false);
    repl->unsettled = true;
}

void sweep_begin(struct repl *repl, enum copy_purpose purpose, uint8_t dest)
{
    ASSERT(repl->sweep.phase == SWEEP_NONE && copy_idle(repl));
    repl->sweep = (struct sweep){
        .purpose = purpose,
        .dest = dest,
        .by_planes = true,
        .members = repl->in_sync,
        .map = slice_get(repl->bufs, REPL_MAP_BYTES),
    };
    if (purpose == COPY_RESYNC) {
        repl->sweep.theirs = slice_get(repl->bufs, REPL_MAP_BYTES);
        sweep_stage(repl);
        count_begin(repl);
    } else {
        sweep_ask_maps(repl);
    }
}

void sweep_end(struct repl *repl)
{
    if (repl->sweep.phase == SWEEP_NONE)
        return;
    slice_release(&repl->sweep.map);
    slice_release(&repl->sweep.theirs);
    count_end(repl);
    repl->sweep.phase = SWEEP_NONE;
    repl->sweep.waiting = 0;
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

static void sweep_mark(uint8_t *map, uint64_t begin_bytes, uint64_t end_bytes)
{
    uint64_t end = (end_bytes - 1) / REPL_GRAIN_BYTES + 1;
    for (uint64_t grain = begin_bytes / REPL_GRAIN_BYTES; grain < end; grain++) {
        if (grain % 8 == 0 && end - grain >= 8) {
            map[grain / 8] = 0xff;
            grain += 7;
        } else {
            map[grain / 8] |= (uint8_t)(1u << (grain % 8));
        }
    }
}

static void sweep_mark_of(struct sweep *sweep, uint8_t peer, uint64_t begin_bytes,
                          uint64_t end_bytes)
{
    sweep_mark(sweep->map.bytes, begin_bytes, end_bytes);
    if (sweep->dest & bit_of(peer))
        sweep_mark(sweep->theirs.bytes, begin_bytes, end_bytes);
}

/* The window shrinks to what all have told about, in whole grains; false when it is malformed. */
static bool sweep_runs_add(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct sweep *sweep = &repl->sweep;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    uint64_t told = sweep_left_bytes(repl);
    uint64_t at = 0;
    while (reader_left(&r) > 0) {
        struct diff_run run;
        diff_run_decode(&r, &run);
        if (r.bad || run.length_bytes > told - at)
            return false;
        if (run.state != DIFF_ABSENT)
            sweep_mark_of(sweep, peer, at, at + run.length_bytes);
        at += run.length_bytes;
    }
    if (at < told) {
        at = at / REPL_GRAIN_BYTES * REPL_GRAIN_BYTES;
        if (at == 0) {
            at = told < REPL_GRAIN_BYTES ? told : REPL_GRAIN_BYTES;
            sweep_mark_of(sweep, peer, 0, at);
        }
    }
    if (sweep->window_bytes > at)
        sweep->window_bytes = at;
    sweep->grain_count = (sweep->window_bytes + REPL_GRAIN_BYTES - 1) / REPL_GRAIN_BYTES;
    return true;
}

/* Of every member that is away each one in sync knows what it may lack. So must the target (C15):
 * what was equal was not copied, so that its own planes do not tell. */
static void sweep_ask_away(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    uint8_t whole = readable_in_sync(repl);
    sweep->phase = SWEEP_ASK_AWAY;
    sweep->window_bytes = sweep_left_bytes(repl);
    sweep->waiting = 0;
    if (whole)
        sweep_ask(repl, bit_of(first_of(whole)), FRAME_GETMAP);
}

/* All windows are done: settled, then, if it was the head, flushed. */
static void sweep_end_stage(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    if (sweep->purpose == COPY_RECOVER) {
        sweep->phase = SWEEP_READY;
    } else if (!sweep->settled) {
        sweep->phase = SWEEP_SETTLE;
        sweep_ask(repl, sweep->dest, FRAME_SETTLE);
    } else {
        sweep->pos_bytes = 0;
        sweep_ask_away(repl);
    }
}

/* Goes on to the target as it is. */
static void sweep_mark_away(struct repl *repl, const struct frame *frame)
{
    struct sweep *sweep = &repl->sweep;
    sweep->phase = SWEEP_MARK;
    sweep_ask(repl, sweep->dest, FRAME_MARK);
    struct slice *body = &control_last(repl)->body;
    *body = slice_get(repl->bufs, frame->body_bytes);
    memcpy(body->bytes, frame->body, frame->body_bytes);
}

static void sweep_marked(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    sweep->pos_bytes += sweep->window_bytes;
    if (sweep->pos_bytes < repl->config.size_bytes) {
        sweep_ask_away(repl);
        return;
    }
    sweep->phase = SWEEP_FLUSH;
    sweep_ask(repl, sweep->dest, FRAME_FLUSH);
}

static uint64_t sweep_named_bytes(const struct sweep *sweep)
{
    uint64_t grains = 0;
    for (uint32_t i = 0; i < REPL_MAP_BYTES; i++)
        grains += (uint64_t)__builtin_popcount(sweep->map.bytes[i]);
    return grains * REPL_GRAIN_BYTES;
}

static void sweep_answered(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    switch (sweep->phase) {
    case SWEEP_MAP:
        sweep->phase = SWEEP_COPY;
        if (sweep->by_planes)
            sweep->mapped_bytes += sweep_named_bytes(sweep);
        break;
    case SWEEP_SETTLE:
        sweep->done_bytes += sweep->stage_bytes;
        sweep->stage_bytes = 0;
        if (sweep->generation == 0) {
            sweep->settled = true;
            sweep_end_stage(repl);
        } else {
            sweep_stage(repl);
        }
        break;
    case SWEEP_MARK:
        sweep_marked(repl);
        break;
    case SWEEP_FLUSH:
        sweep->phase = SWEEP_READY;
        break;
    case SWEEP_ASK_AWAY:
    case SWEEP_NONE:
    case SWEEP_PAUSE:
    case SWEEP_COPY:
    case SWEEP_READY:
        break;
    }
}

void sweep_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct sweep *sweep = &repl->sweep;
    uint8_t bit = bit_of(peer);
    if (!(sweep->waiting & bit) || frame->request != request_of(sweep->serial, SLOT_SWEEP))
        return;
    repl->unsettled = true;
    if (frame->status == FRAME_ABSENT || frame->status == FRAME_INVALID) {
        sweep->again = true;
        sweep->waiting = 0;
        return;
    }
    if (frame->status != FRAME_OK) {
        peer_lose(repl, peer, true, "it refused a map or a sync");
        return;
    }
    sweep->waiting = without(sweep->waiting, bit);
    if (sweep->phase == SWEEP_MAP && sweep->by_planes) {
        sweep_map_add(sweep, frame);
    } else if (sweep->phase == SWEEP_MAP && !sweep_runs_add(repl, peer, frame)) {
        sweep->waiting |= bit;
        peer_lose(repl, peer, true, "it tells of changes that cannot be");
        return;
    }
    if (sweep->phase == SWEEP_SETTLE)
        command_answer(repl, peer, frame);
    if (sweep->phase == SWEEP_ASK_AWAY)
        sweep_mark_away(repl, frame);
    if (sweep->waiting == 0)
        sweep_answered(repl);
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
    else if (sweep->phase == SWEEP_ASK_AWAY && (sweep->waiting & peers))
        sweep_ask_away(repl);
}

static bool sweep_bit(const struct slice *map, uint64_t grain)
{
    return map->bytes[grain / 8] >> (grain % 8) & 1;
}

/* The target has nothing of the run: to compare would be in vain. */
static bool sweep_is_fresh(const struct sweep *sweep, uint64_t run)
{
    bool fresh = sweep->purpose == COPY_RESYNC && !sweep->by_planes;
    for (uint64_t i = 0; fresh && i < run; i++)
        fresh = !sweep_bit(&sweep->theirs, sweep->grain + i);
    return fresh;
}

/* The next run of bits from `grain` on, at most one copy long; 0: none in this window. */
static uint64_t sweep_run(struct sweep *sweep)
{
    while (sweep->grain < sweep->grain_count && !sweep_bit(&sweep->map, sweep->grain)) {
        if (sweep->grain % 8 == 0 && sweep->map.bytes[sweep->grain / 8] == 0)
            sweep->grain += 8;
        else
            sweep->grain++;
    }
    uint64_t run = 0;
    while (sweep->grain + run < sweep->grain_count && run < REPL_COPY_BYTES / REPL_GRAIN_BYTES &&
           sweep_bit(&sweep->map, sweep->grain + run))
        run++;
    return run;
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
        /* After a failed sync the kernel shows what the disk does not hold. */
        struct copy_task task = {.purpose = sweep->purpose,
                                 .blind = sweep->purpose == COPY_RESYNC &&
                                          repl->peers[first_of(sweep->dest)].failed,
                                 .fresh = sweep_is_fresh(sweep, run),
                                 .dest = sweep->dest,
                                 .generation = sweep->generation,
                                 .offset_bytes = offset,
                                 .length_bytes = bytes};
        if (!copy_start(repl, &task))
            return false;
        sweep->grain += run;
        if (sweep->purpose == COPY_RESYNC)
            sweep->next_ns = budget_take(repl->settings.budget, repl->settings.resync_bytes_per_s,
                                         bytes, repl->now_ns);
    }
}

void sweep_settle(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    if (sweep->phase == SWEEP_PAUSE && copy_idle(repl) && sweep->next_ns <= repl->now_ns &&
        !repl->command_op)
        sweep_stage(repl);
    if (sweep->phase == SWEEP_MAP && sweep->waiting == 0 && !sweep->again)
        sweep_ask_maps(repl);
    if (sweep->phase == SWEEP_ASK_AWAY && sweep->waiting == 0 && !sweep->again)
        sweep_ask_away(repl);
    while (sweep->phase == SWEEP_COPY && sweep_copy(repl)) {
        sweep->pos_bytes += sweep->window_bytes;
        if (sweep->pos_bytes < repl->config.size_bytes)
            sweep_ask_maps(repl);
        else
            sweep_end_stage(repl);
    }
}

uint64_t sweep_deadline_ns(const struct repl *repl)
{
    const struct sweep *sweep = &repl->sweep;
    if ((sweep->phase == SWEEP_COPY || sweep->phase == SWEEP_PAUSE) &&
        sweep->next_ns > repl->now_ns)
        return sweep->next_ns;
    return REPL_NEVER_NS;
}
