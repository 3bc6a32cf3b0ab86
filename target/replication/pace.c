/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who holds the others up. A write waits for all members in sync, so one that falls silent costs
 * everybody; it may lag behind the others by a bound only, then it is demoted by one committed
 * change and comes back by what it missed. Compared is with who has answered already: where all are
 * slow nobody lags. The bound is `hiccup_ns`. It is longer for who answers something all the same,
 * be it the question for a lease that is put to whoever lags: eight times what is usual for it, and
 * at least four times `hiccup_ns` for what waits for a disk to sync, also by being sent after such.
 * Each time doubles the wait before coming back, until it went well for a while: the bound stays,
 * whoever falls silent however often. Who is being brought in sync holds writes up too, those that
 * reach it and those to what is being copied: it may take longer, but it may not fall silent.
 */
#include "target/replication/parts.h"

enum {
    PACE_FACTOR = 8,
    PACE_SYNC_FACTOR = 4, /* the least bound where a sync is waited for, in hiccups */
    PACE_HICCUPS_MAX = 6,
};
#define PACE_FORGIVEN_NS (600 * REPL_SECOND_NS)

static bool pace_syncs(const struct repl_op *op)
{
    return op->kind == REPL_FLUSH || op->kind == REPL_COMMAND || op->fua;
}

static bool pace_reads(const struct repl_op *op)
{
    return op->kind == REPL_READ || (op->kind == REPL_UPDATE && !op->merged);
}

/* Rises at once with what is seldom, falls slowly. */
void pace_learn(struct repl *repl, uint8_t peer, struct repl_op *op)
{
    uint64_t *usual_ns = &repl->peers[peer].lag_ns[pace_syncs(op)];
    uint64_t lag_ns = op->answered & required(repl) ? repl->now_ns - op->answered_ns : 0;
    if (lag_ns > *usual_ns)
        *usual_ns += (lag_ns - *usual_ns + 7) / 8;
    else
        *usual_ns -= *usual_ns / 1024;
    op->answered_ns = repl->now_ns;
}

static uint64_t pace_bound_ns(const struct repl *repl, uint8_t peer, bool syncs)
{
    const struct peer_record *record = &repl->peers[peer];
    uint64_t bound_ns = repl->settings.hiccup_ns * (syncs ? PACE_SYNC_FACTOR : 1);
    if (bound_ns < PACE_FACTOR * record->lag_ns[syncs])
        bound_ns = PACE_FACTOR * record->lag_ns[syncs];
    return bound_ns < repl->settings.slow_ns ? bound_ns : repl->settings.slow_ns;
}

/* Half of the least bound: then it is asked. */
static uint64_t pace_probe_ns(const struct repl *repl)
{
    return repl->settings.hiccup_ns / 2;
}

/* It was to answer by the end of the bound, less what a scan may be late. */
static bool pace_stopped(const struct repl *repl, uint8_t peer)
{
    uint64_t probed_ns = repl->peers[peer].probed_ns;
    return probed_ns && probed_ns + pace_probe_ns(repl) * 3 / 4 <= repl->now_ns;
}

uint8_t pace_silent(const struct repl *repl)
{
    uint8_t silent = 0;
    for (uint8_t peers = without(repl->attached, required(repl)); peers;
         peers &= (uint8_t)(peers - 1)) {
        if (pace_stopped(repl, first_of(peers)))
            silent |= bit_of(first_of(peers));
    }
    return silent;
}

static void pace_probe(struct repl *repl, uint8_t peers)
{
    uint8_t asked = 0;
    for (; peers; peers &= (uint8_t)(peers - 1)) {
        uint64_t *probed_ns = &repl->peers[first_of(peers)].probed_ns;
        if (*probed_ns)
            continue;
        *probed_ns = repl->now_ns;
        asked |= bit_of(first_of(peers));
    }
    leases_ask(repl, asked);
}

/* Those that keep this write waiting, though others have done it; and all that are to be asked. */
static uint8_t pace_laggards(const struct repl *repl, const struct repl_op *op, uint8_t syncing,
                             uint8_t *doubted)
{
    uint8_t counting = required(repl) & repl->attached;
    uint8_t late = 0;
    if (!(op->answered & ~op->failed & counting))
        return 0;
    for (uint8_t peers = without(op->sent & counting, op->answered); peers;
         peers &= (uint8_t)(peers - 1)) {
        uint8_t peer = first_of(peers);
        uint64_t since_ns = op->answered_ns;
        if (since_ns < repl->peers[peer].joined_ns)
            since_ns = repl->peers[peer].joined_ns;
        bool syncs = pace_syncs(op) || (syncing & bit_of(peer));
        uint64_t bound_ns =
            pace_stopped(repl, peer) ? repl->settings.hiccup_ns : pace_bound_ns(repl, peer, syncs);
        *doubted |= bit_of(peer);
        if (since_ns + bound_ns <= repl->now_ns)
            late |= bit_of(peer);
    }
    return late;
}

uint8_t pace_hiccups(struct repl *repl)
{
    uint8_t late = 0;
    uint8_t syncing = 0;
    if (!repl->settings.hiccup_ns || repl->phase != PHASE_SERVE || repl->undecided)
        return 0;
    uint8_t doubted = copies_wait_for(repl, pace_probe_ns(repl)) & (uint8_t)~required(repl);
    LIST_FOR_EACH (node, &repl->inflight) {
        const struct repl_op *op = op_of(node);
        const struct checkpoint *checkpoint = &repl->checkpoint;
        if (op->sent_ns + pace_probe_ns(repl) > repl->now_ns)
            break;
        if (pace_reads(op))
            continue;
        if (checkpoint->active && checkpoint->sent_ns <= op->sent_ns)
            syncing |= without(checkpoint->sent, checkpoint->answered);
        doubted |= without(op->sent & repl->attached, op->answered | required(repl));
        late |= pace_laggards(repl, op, syncing, &doubted);
        if (pace_syncs(op))
            syncing |= without(op->sent, op->answered);
    }
    pace_probe(repl, doubted);
    uint8_t staying = without(required(repl) & repl->attached, late);
    bool can_go_on =
        count_of(staying) >= repl->config.min_in_sync && majority(repl, without(repl->up, late));
    return can_go_on ? late : 0;
}

void pace_demote(struct repl *repl, uint8_t peer)
{
    struct peer_record *record = &repl->peers[peer];
    uint64_t wait_ns = 0;
    if (record->hiccup_ns + PACE_FORGIVEN_NS <= repl->now_ns)
        record->hiccups = 0;
    if (record->hiccups > 0)
        wait_ns = REPL_SECOND_NS << (record->hiccups - 1);
    if (record->hiccups < PACE_HICCUPS_MAX)
        record->hiccups++;
    record->hiccup_ns = repl->now_ns;
    record->retry_ns = repl->now_ns + wait_ns;
    peer_lose(repl, peer, true, "it lagged behind the others");
    /* Nobody waits for it to come back first. */
    record->lost_ns = 0;
}

/* A read that is not answered goes to another member, and so do others until it is heard of. */
void pace_reads_elsewhere(struct repl *repl)
{
    if (!repl->settings.hiccup_ns)
        return;
    LIST_FOR_EACH_SAFE (node, &repl->inflight) {
        struct repl_op *op = op_of(node);
        if (op->sent_ns + repl->settings.hiccup_ns > repl->now_ns)
            break;
        if (!pace_reads(op) || !op->sent)
            continue;
        uint8_t peer = first_of(op->sent);
        if (op->sent_ns + pace_bound_ns(repl, peer, false) > repl->now_ns)
            continue;
        repl->tardy |= bit_of(peer);
        op_read_elsewhere(repl, op);
    }
}

/* What was sent first is late first: looked at when it could be, and often once it is. */
uint64_t pace_scan_ns(const struct repl *repl)
{
    uint64_t period_ns = repl->settings.target_slow_ns;
    if (repl->settings.hiccup_ns && repl->settings.hiccup_ns < period_ns)
        period_ns = repl->settings.hiccup_ns;
    if (list_empty(&repl->inflight))
        return repl->now_ns + period_ns / (copies_none(repl) ? 2 : 8);
    /* Others have answered by a little later than it was sent. */
    uint64_t sent_ns = op_of(repl->inflight.next)->sent_ns + period_ns / 16;
    if (repl->now_ns < sent_ns + period_ns / 2)
        return sent_ns + period_ns / 2;
    if (repl->now_ns < sent_ns + period_ns)
        return sent_ns + period_ns;
    return repl->now_ns + period_ns / 8;
}
