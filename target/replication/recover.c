/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recovery after an unclean end: what the members in sync hold in doubt is made equal. Which of
 * them is copied does not matter: a write that is not on all of them was never acknowledged. Who is
 * copied to marks the copy as in doubt, so beginning anew after a loss forgets nothing (C6).
 */
#include "target/replication/parts.h"

static bool recover_is_needed(const struct repl *repl)
{
    if (count_of(repl->in_sync) == 1)
        return false;
    for (uint8_t set = repl->in_sync; set; set &= (uint8_t)(set - 1)) {
        if (repl->peers[first_of(set)].opened.doubt_bytes > 0)
            return true;
    }
    return repl->recover_again;
}

bool recover_settle(struct repl *repl)
{
    struct sweep *sweep = &repl->sweep;
    if (sweep->phase != SWEEP_NONE && sweep->members != repl->in_sync)
        sweep_end(repl);
    bool all_there =
        without(repl->in_sync, repl->attached) == 0 && repl->undecided == 0 && repl->doomed == 0;
    repl->why = all_there ? "makes its replicas equal" : "waits for a replica in sync";
    if (!all_there)
        return false;
    if (sweep->phase == SWEEP_NONE) {
        if (!relay_settle(repl))
            return false;
        if (!recover_is_needed(repl))
            return true;
        if (!copy_idle(repl))
            return false;
        if (repl->recover_ns > repl->now_ns)
            return false;
        repl->recover_again = true;
        sweep_begin(repl, COPY_RECOVER, 0);
    }
    sweep_settle(repl);
    if (sweep->phase != SWEEP_READY)
        return false;
    bool failed = sweep->failed;
    sweep_end(repl);
    repl->recover_ns = failed ? repl->now_ns + REPL_SECOND_NS : 0;
    return !failed;
}
