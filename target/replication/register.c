/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration register, kept by the members themselves: a change counts when a majority of
 * the voters has it durably. Who is dropped, and who is added, is decided here.
 */
#include "target/replication/parts.h"

/* Takes a configuration as the one that stands, its members as peers. */
void register_adopt(struct repl *repl, const struct config *config)
{
    repl->config = *config;
    peers_place(repl, config);
    repl->voters = peers_voting(repl, config);
    repl->data = repl->leaving = 0;
    for (uint8_t i = 0; i < config->member_count; i++) {
        const struct member *member = &config->members[i];
        uint8_t bit = bit_of((uint8_t)peer_find(repl, &member->uuid));
        if (member->kind == MEMBER_DATA)
            repl->data |= bit;
        if (member->leaving)
            repl->leaving |= bit;
    }
}

/* Of the next proposal. */
static uint64_t register_size(const struct repl *repl)
{
    return repl->grow_bytes ? repl->grow_bytes : repl->config.size_bytes;
}

void register_propose(struct repl *repl, const struct config *next, uint8_t in_sync)
{
    struct proposal *proposal = &repl->proposal;
    struct config *config = &proposal->config;
    /* To accept that it is in sync makes a member forget that it lost its memory, or a sync. */
    ASSERT(in_sync && !(in_sync & repl->doomed));
    if (repl->version < repl->config.version)
        repl->version = repl->config.version;
    peers_place(repl, next);
    proposal->active = true;
    repl->claimed = true;
    proposal->voters = peers_voting(repl, next);
    proposal->in_sync = in_sync;
    proposal->accepted = proposal->lossy = 0;
    *config = *next;
    config->epoch = repl->epoch;
    config->version = ++repl->version;
    config->controller = repl->controller;
    config->base_checkpoint = repl->base_checkpoint;
    config->size_bytes = register_size(repl);
    for (uint8_t i = 0; i < config->member_count; i++) {
        struct member *member = &config->members[i];
        member->in_sync = in_sync & bit_of((uint8_t)peer_find(repl, &member->uuid));
    }
    ASSERT(!config_invalid(config) && peers_in_sync(repl, config) == in_sync);
    repl->undecided |= in_sync; /* C2 */
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (repl->up & electors(repl) & bit_of(peer))
            repl->peers[peer].accept_ns = repl->now_ns;
    }
    control_send(repl, repl->up & electors(repl), FRAME_ACCEPT);
    checkpoint_void(repl);
    repl->unsettled = true;
}

static void register_commit(struct repl *repl)
{
    struct proposal *proposal = &repl->proposal;
    uint8_t before = required(repl);
    uint8_t voters = repl->voters;
    if (repl->grow_bytes <= proposal->config.size_bytes)
        repl->grow_bytes = 0;
    repl->in_sync = proposal->in_sync;
    repl->undecided = 0;
    proposal->active = false;
    register_adopt(repl, &proposal->config);
    uint8_t dropped = without(before, repl->in_sync);
    repl->doomed = without(repl->doomed, dropped);
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        const char *why = repl->peers[peer].why;
        if (dropped & repl->attached & bit_of(peer))
            peer_back_off(repl, peer, *why ? why : "it came back while it was dropped");
    }
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (!(repl->voters & bit_of(peer)) && !uuid_is_zero(&repl->peers[peer].member))
            peer_release(repl, peer);
    }
    /* What members that are away may lack is kept for fewer, or none. */
    if (voters != repl->voters)
        checkpoint_dirty(repl);
    control_push(repl, REPL_DO_CONFIG, 0);
    say(repl, false, "%d of %d replicas in sync (epoch %llu, version %llu)",
        count_of(repl->in_sync), count_of(repl->data), (unsigned long long)repl->config.epoch,
        (unsigned long long)repl->config.version);
    repl->unsettled = true;
}

/* C19 */
static bool register_ready(const struct repl *repl)
{
    const struct proposal *proposal = &repl->proposal;
    bool grows = proposal->config.size_bytes > repl->config.size_bytes;
    return proposal->active && majority(repl, proposal->accepted) &&
           !(grows && without(repl->attached, proposal->accepted));
}

/* Somebody has no room: then nobody grows. */
static void register_refused(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    const struct proposal *proposal = &repl->proposal;
    bool grows = proposal->active && proposal->config.size_bytes > repl->config.size_bytes;
    bool full = frame->status == FRAME_NO_SPACE;
    if (full && grows && repl->phase == PHASE_SERVE) {
        say(repl, true, "does not grow: replica %s has no room for it", repl->peers[peer].name);
        repl->grow_bytes = 0;
        repl->unsettled = true;
    } else {
        peer_lose(repl, peer, true, full ? "its disk is full" : "it refused a configuration");
    }
}

bool register_accepted(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct peer_record *record = &repl->peers[peer];
    struct proposal *proposal = &repl->proposal;
    bool newest =
        frame->request == (proposal->active ? proposal->config.version : repl->config.version);
    uint8_t bit = bit_of(peer);
    if (!newest || !(repl->up & bit))
        return false;
    record->accept_ns = 0;
    if (frame->status != FRAME_OK) {
        register_refused(repl, peer, frame);
        return false;
    }
    record->opened.config.size_bytes =
        proposal->active ? proposal->config.size_bytes : repl->config.size_bytes;
    repl->unsettled = true;
    if (in_sync_next(repl) & bit) {
        repl->readable |= bit;
        record->lossy = record->failed = false;
        if (record->opened.done_checkpoint < repl->config.base_checkpoint)
            record->opened.done_checkpoint = repl->config.base_checkpoint;
    } else {
        repl->readable = without(repl->readable, bit);
    }
    if (!proposal->active)
        return false;
    proposal->accepted |= bit;
    if (!register_ready(repl))
        return false;
    register_commit(repl);
    return true;
}

/* Members that were away too long. */
static uint8_t register_gone(const struct repl *repl)
{
    uint64_t grace_ns =
        repl->phase == PHASE_RECOVER ? repl->settings.recover_ns : repl->settings.grace_ns;
    uint8_t missing = without(required(repl), repl->attached);
    uint8_t gone = 0;
    for (; missing; missing &= (uint8_t)(missing - 1)) {
        uint8_t peer = first_of(missing);
        bool waited = repl->peers[peer].lost_ns + grace_ns <= repl->now_ns;
        bool counts = repl->in_sync & bit_of(peer);
        if (!(repl->up & bit_of(peer)) && (waited || !counts))
            gone |= bit_of(peer);
    }
    return gone;
}

void register_settle(struct repl *repl)
{
    if (repl->phase != PHASE_SERVE && repl->phase != PHASE_RECOVER)
        return;
    /* Who was waited for is gone. */
    if (register_ready(repl)) {
        register_commit(repl);
        checkpoint_dirty(repl);
    }
    uint8_t base = in_sync_next(repl);
    uint8_t gone = register_gone(repl);
    uint8_t wanted = without(base, repl->doomed | without(gone, repl->in_sync));
    wanted |= resync_ready(repl);
    uint8_t staying = without(wanted, gone);
    int least = repl->phase == PHASE_RECOVER ? 1 : repl->config.min_in_sync;
    if (count_of(staying & repl->attached) >= least)
        wanted = staying;
    const struct config *next = repl->proposal.active ? &repl->proposal.config : &repl->config;
    /* Who was to be dropped, or removed, may turn out to be the one that still holds everything. */
    if ((wanted & repl->attached) == 0) {
        wanted = without(repl->in_sync & repl->attached, repl->doomed);
        next = without(wanted, voters_next(repl)) ? &repl->config : next;
    }
    /* The last one that does is never dropped. */
    if ((wanted & repl->attached) == 0)
        return;
    bool resized = repl->phase == PHASE_SERVE && next->size_bytes != register_size(repl);
    if (wanted == base && !resized) {
        membership_settle(repl);
        return;
    }
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (without(base, wanted) & bit_of(peer))
            say(repl, true, "replica %s is dropped from those in sync: %s", repl->peers[peer].name,
                repl->peers[peer].why);
    }
    struct config copy = *next;
    register_propose(repl, &copy, wanted);
}

bool register_stuck(const struct repl *repl)
{
    uint8_t missing = without(required(repl), repl->attached | repl->doomed);
    uint8_t whole = without(required(repl) & repl->attached, repl->doomed);
    if (without(missing, register_gone(repl)))
        return false;
    if (!whole)
        return repl->doomed & repl->up;
    uint8_t targets = without(repl->attached, required(repl));
    if (repl->proposal.active || repl->phase != PHASE_SERVE || !missing || !targets ||
        list_empty(&repl->inflight))
        return false;
    for (; missing; missing &= (uint8_t)(missing - 1)) {
        uint64_t lost_ns = repl->peers[first_of(missing)].lost_ns;
        if (lost_ns + repl->settings.recover_ns > repl->now_ns)
            return false;
    }
    return true;
}

uint64_t register_deadline_ns(const struct repl *repl)
{
    uint8_t missing = without(required(repl), repl->attached);
    uint64_t deadline_ns = REPL_NEVER_NS;
    const uint64_t waits_ns[] = {repl->settings.grace_ns, repl->settings.recover_ns};
    if (repl->phase != PHASE_SERVE && repl->phase != PHASE_RECOVER)
        return deadline_ns;
    for (; missing; missing &= (uint8_t)(missing - 1)) {
        for (size_t i = 0; i < ARRAY_COUNT(waits_ns); i++) {
            uint64_t end_ns = repl->peers[first_of(missing)].lost_ns + waits_ns[i];
            if (end_ns > repl->now_ns && end_ns < deadline_ns)
                deadline_ns = end_ns;
        }
    }
    return deadline_ns;
}
