/* SPDX-License-Identifier: Apache-2.0 */
/* What the volume's state is, said for people; and when it wants to be looked at again. */
#include "target/replication/parts.h"

const char *repl_state_name(enum repl_state state)
{
    static const char *const names[] = {
        [REPL_OPENING] = "opening", [REPL_RECOVERING] = "recovering", [REPL_SERVING] = "serving",
        [REPL_FROZEN] = "frozen",   [REPL_STOPPING] = "stopping",     [REPL_FENCED] = "fenced",
    };
    return names[state];
}

static enum repl_state status_state(const struct repl *repl)
{
    if (repl->phase != PHASE_FENCED && repl->stopping)
        return REPL_STOPPING;
    switch (repl->phase) {
    case PHASE_GATHER:
        return REPL_OPENING;
    case PHASE_RECOVER:
        return REPL_RECOVERING;
    case PHASE_SERVE:
        return ops_can_write(repl) ? REPL_SERVING : REPL_FROZEN;
    case PHASE_FENCED:
        return REPL_FENCED;
    case PHASE_STOPPED:
        return REPL_STOPPING;
    }
    UNREACHABLE();
}

static const char *status_why(const struct repl *repl, enum repl_state state)
{
    if (state == REPL_FENCED)
        return "another target took over";
    if (state == REPL_OPENING || state == REPL_RECOVERING)
        return repl->why;
    if (state == REPL_SERVING && !list_empty(&repl->retries))
        return "every replica in sync refuses writes";
    if (state != REPL_FROZEN)
        return "";
    if (repl->proposal.active)
        return "a change of its members waits for a majority";
    if (count_of(repl->in_sync) < repl->config.min_in_sync)
        return "too few replicas are in sync";
    return "a replica in sync is away";
}

/* Who is in sync, and stays so: not who is being dropped. */
static uint8_t status_in_sync(const struct repl *repl)
{
    bool known = repl->phase != PHASE_GATHER;
    return known ? without(repl->in_sync & in_sync_next(repl), repl->doomed) : 0;
}

static void status_member(const struct repl *repl, uint8_t peer, struct repl_member_status *member)
{
    const struct peer_record *record = &repl->peers[peer];
    uint8_t bit = bit_of(peer);
    member->attached = repl->up & bit;
    member->in_sync = status_in_sync(repl) & bit;
    member->resyncing = repl->sweep.phase != SWEEP_NONE && (repl->sweep.dest & bit);
    if (member->resyncing)
        count_progress(repl, &member->resync_done_bytes, &member->resync_total_bytes);
    bool behind = repl->phase == PHASE_SERVE && !(required(repl) & bit);
    member->waited_for = (repl->phase == PHASE_SERVE || repl->phase == PHASE_RECOVER) &&
                         (required(repl) & bit) && !(repl->attached & bit);
    member->why = member->in_sync && member->attached ? "" : record->why;
    if (behind && (repl->attached & bit) && !member->resyncing)
        member->why = "it waits for its turn to be brought in sync";
}

void repl_status(const struct repl *repl, struct repl_status *status)
{
    *status = (struct repl_status){
        .state = status_state(repl),
        .since_ns = repl->frozen_ns,
        .epoch = repl->epoch,
        .outstanding_ops = ops_outstanding(repl),
        .scrub = repl->scrub.result,
        .member_count = repl->config.member_count,
    };
    status->why = status_why(repl, status->state);
    for (uint8_t i = 0; i < repl->config.member_count; i++) {
        struct repl_member_status *member = &status->members[i];
        member->member = repl->config.members[i].uuid;
        member->kind = repl->config.members[i].kind;
        member->leaving = repl->config.members[i].leaving;
        member->why = "";
        int peer = peer_find(repl, &member->member);
        if (peer >= 0)
            status_member(repl, (uint8_t)peer, member);
    }
}

const struct config *repl_config(const struct repl *repl)
{
    return &repl->config;
}

bool repl_growing(const struct repl *repl)
{
    return repl->grow_bytes != 0;
}

bool repl_busy(const struct repl *repl)
{
    bool busy = !list_empty(&repl->inflight) || !list_empty(&repl->leasing) ||
                repl->sweep.waiting || repl->checkpoint.active || repl->relay.waiting ||
                repl->install.phase != INSTALL_NONE || repl->scrub.phase > SCRUB_REST ||
                !copies_none(repl);
    for (uint32_t i = 0; i < repl->peer_count; i++)
        busy = busy || repl->peers[i].state == PEER_OPENING || repl->peers[i].accept_ns != 0;
    return busy;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline_of(const struct repl *repl)
{
    if (repl->phase >= PHASE_FENCED)
        return REPL_NEVER_NS;
    uint64_t deadline_ns = earlier(repl->scan_ns, repl->retry_ns);
    deadline_ns = earlier(deadline_ns, open_deadline_ns(repl));
    deadline_ns = earlier(deadline_ns, register_deadline_ns(repl));
    deadline_ns = earlier(deadline_ns, sweep_deadline_ns(repl));
    deadline_ns = earlier(deadline_ns, checkpoint_deadline_ns(repl));
    deadline_ns = earlier(deadline_ns, scrub_deadline_ns(repl));
    deadline_ns = earlier(deadline_ns, repl->stop_ns);
    if (repl->frozen_ns != REPL_NEVER_NS && repl->settings.io_timeout_ns &&
        ops_outstanding(repl) > 0)
        deadline_ns = earlier(deadline_ns, repl->frozen_ns + repl->settings.io_timeout_ns);
    if (repl->phase == PHASE_RECOVER && repl->recover_ns > repl->now_ns)
        deadline_ns = earlier(deadline_ns, repl->recover_ns);
    uint8_t waiting = outsiders(repl);
    for (; repl->phase == PHASE_SERVE && waiting; waiting &= (uint8_t)(waiting - 1)) {
        uint64_t retry_ns = repl->peers[first_of(waiting)].retry_ns;
        if (retry_ns > repl->now_ns)
            deadline_ns = earlier(deadline_ns, retry_ns);
    }
    return deadline_ns;
}

uint64_t repl_deadline_ns(struct repl *repl)
{
    repl->wanted_ns = deadline_of(repl);
    return repl->wanted_ns;
}
