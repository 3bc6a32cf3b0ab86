/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a volume: promises of a majority for an epoch of our own, the newest configuration any of
 * them accepted, and of its members in sync those that hold everything. A living target begins anew
 * here when nobody in sync that it can reach holds everything any more.
 */
#include "target/replication/parts.h"

#define OPEN_RAISE_MIN_NS ((uint64_t)20 * 1000 * 1000)
#define OPEN_RAISE_MAX_NS ((uint64_t)250 * 1000 * 1000)

static uint64_t open_random(struct repl *repl)
{
    repl->random ^= repl->random << 13;
    repl->random ^= repl->random >> 7;
    repl->random ^= repl->random << 17;
    return repl->random;
}

void open_begin(struct repl *repl)
{
    repl->phase = PHASE_GATHER;
    repl->why = "waits for a majority of its replicas";
    repl->proposal.active = false;
    repl->grow_bytes = 0;
    repl->in_sync = repl->undecided = repl->doomed = 0;
    repl->majority_ns = repl->raise_ns = REPL_NEVER_NS;
    repl->frozen_ns = REPL_NEVER_NS;
    ops_restart(repl);
    copies_cancel(repl, true);
    sweep_end(repl);
    scrub_pause(repl);
    install_end(repl);
    relay_end(repl);
    checkpoint_void(repl);
    repl->epoch++;
    peers_open(repl);
    repl->unsettled = true;
}

void open_outbid(struct repl *repl, uint64_t promised_epoch)
{
    if (repl->seen_epoch < promised_epoch)
        repl->seen_epoch = promised_epoch;
    if (repl->raise_ns == REPL_NEVER_NS)
        repl->raise_ns = repl->now_ns + OPEN_RAISE_MIN_NS +
                         open_random(repl) % (OPEN_RAISE_MAX_NS - OPEN_RAISE_MIN_NS);
}

static void open_raise(struct repl *repl)
{
    if (repl->epoch < repl->seen_epoch)
        repl->epoch = repl->seen_epoch;
    repl->epoch++;
    repl->raise_ns = repl->majority_ns = REPL_NEVER_NS;
    peers_open(repl);
}

/* The newest configuration accepted by any who promised. */
static void open_newest(struct repl *repl)
{
    const struct config *newest = NULL;
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        const struct config *config = &repl->peers[peer].opened.config;
        if ((repl->up & bit_of(peer)) && (!newest || config_compare(config, newest) > 0))
            newest = config;
    }
    if (newest) {
        struct config copy = *newest;
        register_adopt(repl, &copy);
    }
}

/* Of the members in sync by the register, those that hold everything; else, `lossy`, those that
 * hold at least everything that was flushed. */
static uint8_t open_sources(const struct repl *repl, uint8_t in_sync, bool lossy)
{
    uint8_t sources = 0;
    uint64_t base = repl->base_checkpoint > repl->config.base_checkpoint
                        ? repl->base_checkpoint
                        : repl->config.base_checkpoint;
    for (uint8_t candidates = in_sync & repl->up; candidates;
         candidates &= (uint8_t)(candidates - 1)) {
        uint8_t peer = first_of(candidates);
        const struct peer_record *record = &repl->peers[peer];
        if (!record->failed && record->lossy == lossy && record->opened.done_checkpoint >= base)
            sources |= bit_of(peer);
    }
    return sources;
}

static uint8_t open_newest_source(const struct repl *repl, uint8_t sources)
{
    uint8_t best = first_of(sources);
    for (; sources; sources &= (uint8_t)(sources - 1)) {
        uint8_t peer = first_of(sources);
        if (repl->peers[peer].opened.done_checkpoint > repl->peers[best].opened.done_checkpoint)
            best = peer;
    }
    return best;
}

static void open_propose(struct repl *repl, uint8_t sources)
{
    if (repl->base_checkpoint < repl->config.base_checkpoint)
        repl->base_checkpoint = repl->config.base_checkpoint;
    repl->why = "waits for its configuration to be accepted";
    struct config next = repl->config;
    register_propose(repl, &next, sources);
}

static void open_cache_lost(struct repl *repl, uint8_t lossy)
{
    uint8_t source = open_newest_source(repl, lossy);
    say(repl, true,
        "every replica in sync lost its memory: goes on with %s; what was flushed is there, "
        "acknowledged writes since may be gone",
        repl->peers[source].name);
    control_push(repl, REPL_DO_CACHE_LOST, 0);
    ops_flush_fail(repl);
    open_propose(repl, bit_of(source));
    repl->proposal.lossy = bit_of(source);
}

/* Somebody chosen came back without its memory, or a sync failed there: it may not accept what was
 * proposed. */
static bool open_lost_source(const struct repl *repl)
{
    uint8_t chosen = repl->proposal.in_sync & repl->up;
    for (; chosen; chosen &= (uint8_t)(chosen - 1)) {
        if (peer_unfit(repl, first_of(chosen)))
            return true;
    }
    return false;
}

void open_settle(struct repl *repl)
{
    if (repl->phase != PHASE_GATHER)
        return;
    if (repl->proposal.active) {
        if (open_lost_source(repl))
            open_begin(repl);
        return;
    }
    if (repl->raise_ns <= repl->now_ns)
        open_raise(repl);
    open_newest(repl);
    /* Who promised a higher epoch is asked again in ours; a proposal before that would leave it
     * unasked for good. */
    if (repl->raise_ns != REPL_NEVER_NS) {
        repl->why = "another target's epoch is in the way";
        return;
    }
    if (!majority(repl, repl->up)) {
        repl->majority_ns = REPL_NEVER_NS;
        repl->why = "waits for a majority of its replicas";
        return;
    }
    if (repl->majority_ns == REPL_NEVER_NS)
        repl->majority_ns = repl->now_ns;
    uint64_t waited_ns = repl->now_ns - repl->majority_ns;
    uint8_t in_sync = peers_in_sync(repl, &repl->config);
    uint8_t sources = open_sources(repl, in_sync, false);
    uint8_t lossy = open_sources(repl, in_sync, true);
    bool all_there = without(in_sync, repl->up) == 0;
    if (sources && (all_there || waited_ns >= repl->settings.recover_ns)) {
        open_propose(repl, sources);
    } else if (!sources && lossy && (all_there || waited_ns >= repl->settings.lossy_ns)) {
        open_cache_lost(repl, lossy);
    } else if (sources || lossy) {
        repl->why = "waits for replicas in sync that are away";
    } else {
        repl->why = "no replica that holds everything is there";
    }
}

uint64_t open_deadline_ns(const struct repl *repl)
{
    uint64_t deadline_ns = repl->raise_ns;
    if (repl->phase != PHASE_GATHER || repl->proposal.active)
        return REPL_NEVER_NS;
    if (repl->majority_ns == REPL_NEVER_NS)
        return deadline_ns;
    const uint64_t waits_ns[] = {repl->settings.recover_ns, repl->settings.lossy_ns};
    for (size_t i = 0; i < ARRAY_COUNT(waits_ns); i++) {
        uint64_t end_ns = repl->majority_ns + waits_ns[i];
        if (end_ns > repl->now_ns && end_ns < deadline_ns)
            deadline_ns = end_ns;
    }
    return deadline_ns;
}
