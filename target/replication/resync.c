/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing a target in sync. It gets every write since it was attached; what it missed before is
 * named by its own planes and those of a member in sync, asked for after the attach. When all that
 * is copied and flushed, it may be proposed (C3). Losing it drops everything: it starts over.
 */
#include "target/replication/parts.h"

static uint8_t resync_targets(const struct repl *repl)
{
    return without(repl->attached, required(repl) | repl->leaving);
}

bool resync_is_full(const struct repl *repl, uint8_t peer)
{
    const struct peer_record *record = &repl->peers[peer];
    return record->failed || record->opened.done_checkpoint < repl->base_checkpoint ||
           config_member_idx(&record->opened.config, &record->member) < 0;
}

void resync_settle(struct repl *repl)
{
    uint8_t targets = resync_targets(repl);
    struct sweep *sweep = &repl->sweep;
    if (sweep->phase != SWEEP_NONE && (sweep->dest & required(repl))) {
        /* It counts from now on. */
        for (uint8_t set = sweep->dest & repl->in_sync; set; set &= (uint8_t)(set - 1))
            repl->peers[first_of(set)].failures = 0;
        if (sweep->dest & repl->in_sync)
            sweep_end(repl);
        return;
    }
    if (sweep->phase == SWEEP_NONE && targets && copy_idle(repl) && !repl->stopping) {
        uint8_t peer = first_of(targets);
        bool full = repl->peers[peer].full;
        say(repl, false, "replica %s is brought in sync, %s", repl->peers[peer].name,
            full ? "all of it" : "what it missed");
        repl->peers[peer].why = "it is being brought in sync";
        sweep_begin(repl, COPY_RESYNC, bit_of(peer));
    }
    if (sweep_is_stale(repl))
        sweep_pause(repl);
    sweep_settle(repl);
}

uint8_t resync_ready(const struct repl *repl)
{
    const struct sweep *sweep = &repl->sweep;
    /* C14 */
    bool ready = sweep->phase == SWEEP_READY && sweep->purpose == COPY_RESYNC &&
                 !sweep_is_stale(repl) && !command_is_moving(repl);
    return ready ? without(sweep->dest & repl->attached, repl->leaving) : 0;
}
