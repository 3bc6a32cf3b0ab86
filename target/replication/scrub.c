/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scrubbing. The generations from the oldest to the head, of each what came since the one before:
 * every piece is hashed at all members in sync at once, which reads it and holds it against its
 * checksums. A piece that is unreadable at some, or other than at most of them, is copied from the
 * others and compared again. Where no more than half agree nothing is guessed.
 */
#include "target/replication/parts.h"

#include <string.h>

#define SCRUB_REST_NS ((uint64_t)100 * 1000 * 1000)

static bool scrub_may(const struct repl *repl)
{
    return repl->phase == PHASE_SERVE && !repl->stopping && !repl->proposal.active &&
           repl->doomed == 0 && without(repl->in_sync, repl->attached & repl->readable) == 0 &&
           repl->sweep.phase == SWEEP_NONE && without(repl->attached, repl->in_sync) == 0 &&
           repl->repair_count == 0 && copies_none(repl) && !command_bars(repl);
}

bool scrub_head_quiet(const struct repl *repl)
{
    return repl->scrub.phase != SCRUB_HASH || repl->scrub.generation != 0;
}

void scrub_pause(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    if (scrub->phase == SCRUB_NONE)
        return;
    scrub->phase = SCRUB_REST;
    scrub->waiting = 0;
    scrub->serial = ++repl->serial;
    scrub->next_ns = repl->now_ns + SCRUB_REST_NS;
    if (scrub->locked)
        range_lock_release(&repl->lock, &scrub->range);
    scrub->locked = false;
    repl->unsettled = true;
}

void scrub_lost(struct repl *repl, uint8_t peers)
{
    if (repl->scrub.phase > SCRUB_REST && (repl->scrub.members & peers))
        scrub_pause(repl);
}

void scrub_end(struct repl *repl)
{
    scrub_pause(repl);
    repl->scrub.phase = SCRUB_NONE;
    repl->scrub.result.running = false;
}

void scrub_start(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    if (scrub->phase != SCRUB_NONE)
        return;
    uint32_t ended = scrub->result.ended;
    *scrub = (struct scrub){
        .phase = SCRUB_REST, .generation = 1, .result = {.running = true, .ended = ended}};
    repl->unsettled = true;
}

static struct control *scrub_ask(struct repl *repl, uint8_t type)
{
    struct scrub *scrub = &repl->scrub;
    struct control *control = control_push(repl, REPL_DO_SEND, scrub->members);
    scrub->serial = ++repl->serial;
    scrub->sent_ns = repl->now_ns;
    scrub->waiting = scrub->members;
    scrub->again = false;
    control->type = type;
    control->request = request_of(scrub->serial, SLOT_SCRUB);
    control->generation = scrub->generation;
    control->offset_bytes = scrub->pos_bytes;
    return control;
}

static void scrub_ask_runs(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    struct control *control = scrub_ask(repl, FRAME_DIFF);
    scrub->phase = SCRUB_RUNS;
    scrub->length_bytes = UINT64_MAX;
    control->length_bytes = repl->config.size_bytes - scrub->pos_bytes;
    control_ask_diff(repl, control, scrub->base);
}

static void scrub_ask_hashes(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    struct control *control = scrub_ask(repl, FRAME_HASH);
    scrub->phase = SCRUB_HASH;
    scrub->unread = 0;
    control->length_bytes = scrub->length_bytes;
    control_ask_hashes(repl, control);
}

static void scrub_lock(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    uint64_t left = repl->config.size_bytes - scrub->pos_bytes;
    scrub->length_bytes = left < REPL_COPY_BYTES ? left : REPL_COPY_BYTES;
    scrub->phase = SCRUB_LOCK;
    if (scrub->generation) {
        scrub_ask_hashes(repl);
        return;
    }
    scrub->range = (struct repl_range){.begin_bytes = scrub->pos_bytes,
                                       .end_bytes = scrub->pos_bytes + scrub->length_bytes,
                                       .exclusive = true,
                                       .internal = true};
    scrub->locked = true;
    scrub->next_ns = repl->now_ns;
    range_lock_claim(&repl->lock, &scrub->range);
    if (range_lock_granted(&scrub->range))
        scrub_granted(repl);
}

void scrub_granted(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    ASSERT(scrub->phase == SCRUB_LOCK);
    if (command_bars(repl))
        return; /* scrub_settle tries again */
    range_lock_hold(&scrub->range);
    scrub_ask_hashes(repl);
}

/* To the next generation that there may be; the head is the last one. */
static void scrub_next_generation(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    scrub->pos_bytes = 0;
    scrub->located = false;
    scrub->tries = 0;
    if (scrub->generation != 0) {
        scrub->generation++;
        return;
    }
    scrub->result.ended++;
    scrub_end(repl);
}

static void scrub_next_piece(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    scrub->result.done_bytes += scrub->length_bytes;
    scrub->pos_bytes += scrub->length_bytes;
    scrub->located = false;
    scrub->tries = 0;
    scrub->phase = SCRUB_REST;
    repl->unsettled = true;
    const struct repl_settings *settings = &repl->settings;
    uint64_t rate = settings->scrub_bytes_per_s;
    uint64_t own_ns = repl->now_ns + (rate ? scrub->length_bytes * REPL_SECOND_NS / rate : 0);
    scrub->next_ns = budget_take(settings->budget, settings->resync_bytes_per_s,
                                 scrub->length_bytes, repl->now_ns);
    if (scrub->next_ns < own_ns)
        scrub->next_ns = own_ns;
}

/* Where the first data is, and how far it reaches. False: it cannot be. */
static bool scrub_take_runs(struct repl *repl, const struct frame *frame)
{
    struct scrub *scrub = &repl->scrub;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    uint64_t left = repl->config.size_bytes - scrub->pos_bytes;
    uint64_t at = 0;
    while (reader_left(&r) > 0) {
        struct diff_run run;
        diff_run_decode(&r, &run);
        if (r.bad || run.length_bytes > left - at)
            return false;
        if (run.state != DIFF_ABSENT)
            break;
        at += run.length_bytes;
    }
    if (at < scrub->length_bytes)
        scrub->length_bytes = at;
    return true;
}

static void scrub_have_runs(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    scrub->phase = SCRUB_REST;
    repl->unsettled = true;
    if (!scrub->again) {
        scrub->pos_bytes += scrub->length_bytes;
        scrub->located = true;
    } else if (scrub->base) {
        scrub->base = 0; /* if that was dropped */
        scrub->pos_bytes = 0;
    } else {
        scrub->base = scrub->last_base;
        scrub_next_generation(repl);
    }
}

/* ---- judgement ---- */

static bool scrub_same(const struct scrub *scrub, uint8_t a, uint8_t b, uint32_t grain)
{
    uint32_t at = grain * HASH_BYTES;
    return memcmp(scrub->hashes[a] + at, scrub->hashes[b] + at, HASH_BYTES) == 0;
}

/* Who differs from most others; all, when no more than half of all agree. */
static uint8_t scrub_wrong(const struct scrub *scrub, uint32_t grain)
{
    uint8_t good = without(scrub->members, scrub->unread);
    for (uint8_t set = good; set; set &= (uint8_t)(set - 1)) {
        uint8_t alike = 0;
        for (uint8_t others = good; others; others &= (uint8_t)(others - 1)) {
            if (scrub_same(scrub, first_of(set), first_of(others), grain))
                alike |= bit_of(first_of(others));
        }
        if (alike == good || 2 * count_of(alike) > count_of(good))
            return without(good, alike);
    }
    return good;
}

static void scrub_mend(struct repl *repl, uint64_t offset_bytes, uint64_t length_bytes,
                       uint8_t wrong)
{
    struct scrub *scrub = &repl->scrub;
    uint64_t left = scrub->pos_bytes + scrub->length_bytes - offset_bytes;
    if (wrong != scrub->members)
        copy_repair(repl, &(struct repair){scrub->generation, offset_bytes,
                                           length_bytes < left ? length_bytes : left, wrong});
}

/* How many grains are wrong, and at whom; asks for their repair. `open`: nobody knows what is
 * right.
 */
static uint64_t scrub_judge(struct repl *repl, uint8_t *who, bool *open)
{
    struct scrub *scrub = &repl->scrub;
    uint32_t count = (uint32_t)((scrub->length_bytes - 1) / REPL_GRAIN_BYTES + 1);
    uint8_t good = without(scrub->members, scrub->unread);
    uint64_t found = 0;
    uint32_t run = 0; /* grains before this one that are wrong at the same */
    uint8_t before = 0;
    *who = 0;
    *open = good == 0;
    for (uint32_t i = 0; i <= count && good; i++) {
        uint8_t wrong = i < count ? scrub_wrong(scrub, i) : 0;
        if (run > 0 && wrong != before) {
            scrub_mend(repl, scrub->pos_bytes + (i - run) * REPL_GRAIN_BYTES,
                       run * REPL_GRAIN_BYTES, before);
            run = 0;
        }
        before = wrong;
        run += wrong && wrong != good;
        found += wrong != 0;
        *who |= wrong;
        *open = *open || wrong == good;
    }
    if (scrub->unread && !*open)
        scrub_mend(repl, scrub->pos_bytes, scrub->length_bytes, scrub->unread);
    *who |= scrub->unread;
    return found + (scrub->unread != 0);
}

static void scrub_tell(struct repl *repl, uint8_t who, bool open)
{
    const struct scrub *scrub = &repl->scrub;
    unsigned long long at = scrub->pos_bytes;
    unsigned long long generation =
        scrub->generation ? scrub->generation : repl->lineage.head_generation;
    if (scrub->unread == scrub->members)
        say(repl, true, "damaged at %llu at every replica in sync", at);
    else if (open)
        say(repl, true, "its replicas differ at %llu, and nobody can tell who is right", at);
    else
        say(repl, true, "damaged at %llu in generation %llu, replica %s: copied from others", at,
            generation, repl->peers[first_of(who)].name);
}

static void scrub_have_hashes(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    uint8_t who;
    bool open;
    if (scrub->locked)
        range_lock_release(&repl->lock, &scrub->range);
    scrub->locked = false;
    if (scrub->again) {
        scrub->located = false;
        scrub_pause(repl);
        return;
    }
    uint64_t wrong = scrub_judge(repl, &who, &open);
    if (wrong && scrub->tries == 0) {
        scrub->found = wrong;
        scrub->result.found += wrong;
        scrub_tell(repl, who, open);
    }
    bool may_mend = !open && ++scrub->tries < SCRUB_TRIES;
    if (wrong && !may_mend)
        scrub->result.unrepaired += scrub->found;
    if (!wrong || !may_mend) {
        scrub_next_piece(repl);
        return;
    }
    scrub->phase = SCRUB_REST;
    repl->unsettled = true;
}

static bool scrub_take(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct scrub *scrub = &repl->scrub;
    if (frame->status != FRAME_OK)
        return false;
    if (scrub->phase == SCRUB_RUNS)
        return scrub_take_runs(repl, frame);
    uint32_t count = (uint32_t)((scrub->length_bytes - 1) / REPL_GRAIN_BYTES + 1);
    if (frame->body_bytes != count * HASH_BYTES)
        return false;
    memcpy(scrub->hashes[peer], frame->body, frame->body_bytes);
    return true;
}

void scrub_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct scrub *scrub = &repl->scrub;
    uint8_t bit = bit_of(peer);
    if (!(scrub->waiting & bit) || frame->request != request_of(scrub->serial, SLOT_SCRUB))
        return;
    bool damaged = frame->status == FRAME_CHECKSUM || frame->status == FRAME_IO;
    scrub->waiting = without(scrub->waiting, bit);
    if (scrub->phase == SCRUB_HASH && damaged)
        scrub->unread |= bit;
    else if (frame->status == FRAME_ABSENT || frame->status == FRAME_INVALID)
        scrub->again = true;
    else if (!scrub_take(repl, peer, frame))
        scrub_pause(repl);
    if (scrub->waiting || scrub->phase == SCRUB_REST)
        return;
    if (scrub->phase == SCRUB_RUNS)
        scrub_have_runs(repl);
    else
        scrub_have_hashes(repl);
}

void scrub_settle(struct repl *repl)
{
    struct scrub *scrub = &repl->scrub;
    if (scrub->phase == SCRUB_NONE)
        return;
    if (scrub->phase > SCRUB_REST) {
        bool stands = scrub->members == repl->in_sync && repl->sweep.phase == SWEEP_NONE;
        bool barred = scrub->phase == SCRUB_LOCK && command_bars(repl);
        if (!stands || barred || repl->proposal.active || repl->stopping)
            scrub_pause(repl);
        else if (scrub->phase == SCRUB_LOCK && range_lock_granted(&scrub->range))
            scrub_granted(repl);
        else if (scrub->phase == SCRUB_LOCK)
            scrub->next_ns = repl->now_ns;
        return;
    }
    if (scrub->next_ns > repl->now_ns)
        return;
    if (!scrub_may(repl)) {
        scrub->next_ns = repl->now_ns + SCRUB_REST_NS;
        return;
    }
    scrub->members = repl->in_sync;
    if (scrub->generation >= repl->lineage.head_generation)
        scrub->generation = 0;
    if (scrub->pos_bytes >= repl->config.size_bytes) {
        scrub->base = scrub->last_base = scrub->generation;
        scrub_next_generation(repl);
        repl->unsettled = true;
    } else if (scrub->located) {
        scrub_lock(repl);
    } else {
        scrub_ask_runs(repl);
    }
}

uint8_t scrub_slow(const struct repl *repl)
{
    const struct scrub *scrub = &repl->scrub;
    bool late = scrub->sent_ns + 4 * repl->settings.slow_ns <= repl->now_ns;
    return late ? scrub->waiting & repl->attached : 0;
}

uint64_t scrub_deadline_ns(const struct repl *repl)
{
    const struct scrub *scrub = &repl->scrub;
    if (scrub->phase == SCRUB_LOCK)
        return scrub->next_ns + SCRUB_REST_NS;
    bool waits = scrub->phase == SCRUB_REST && scrub->next_ns > repl->now_ns;
    return waits ? scrub->next_ns : REPL_NEVER_NS;
}
