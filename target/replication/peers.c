/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions with the members: begun, lost, and when one takes part in I/O. */
#include "target/replication/parts.h"

int peer_find(const struct repl *repl, const struct uuid *member)
{
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (uuid_equal(&repl->peers[peer].member, member))
            return peer;
    }
    return -1;
}

int peer_place(struct repl *repl, const struct uuid *member)
{
    uint8_t peer = 0;
    while (peer < repl->peer_count && !uuid_is_zero(&repl->peers[peer].member))
        peer++;
    if (peer == MEMBERS_MAX)
        return -1;
    if (peer == repl->peer_count)
        repl->peer_count++;
    struct peer_record *record = &repl->peers[peer];
    *record = (struct peer_record){.member = *member, .why = "it was not found yet"};
    uuid_format(member, record->name);
    record->name[8] = 0;
    return peer;
}

/* One that is no member makes room; rather one that is away than one that promised. */
static uint8_t peer_stranger(const struct repl *repl, const struct config *config)
{
    int found = -1;
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (config_member_idx(config, &repl->peers[peer].member) >= 0)
            continue;
        if (found < 0 || !(repl->up & bit_of(peer)))
            found = peer;
    }
    ASSERT(found >= 0);
    return (uint8_t)found;
}

void peers_place(struct repl *repl, const struct config *config)
{
    for (uint8_t i = 0; i < config->member_count; i++) {
        const struct uuid *member = &config->members[i].uuid;
        if (peer_find(repl, member) >= 0 || peer_place(repl, member) >= 0)
            continue;
        peer_release(repl, peer_stranger(repl, config));
        (void)peer_place(repl, member);
    }
}

uint8_t peers_voting(const struct repl *repl, const struct config *config)
{
    uint8_t voters = 0;
    for (uint8_t i = 0; i < config->member_count; i++)
        voters |= bit_of((uint8_t)peer_find(repl, &config->members[i].uuid));
    return voters;
}

uint8_t peers_in_sync(const struct repl *repl, const struct config *config)
{
    uint8_t in_sync = 0;
    for (uint8_t i = 0; i < config->member_count; i++) {
        if (config->members[i].in_sync)
            in_sync |= bit_of((uint8_t)peer_find(repl, &config->members[i].uuid));
    }
    return in_sync;
}

void peer_release(struct repl *repl, uint8_t peer)
{
    uint8_t bit = bit_of(peer);
    ASSERT(!(required(repl) & bit));
    peer_lose(repl, peer, true, "it is not a member any more");
    repl->lost |= bit;
    repl->unsettled = true;
    ops_forget(repl, peer);
    repl->peers[peer].member = (struct uuid){{0}};
    control_push(repl, REPL_DO_RELEASE, bit);
}

static void peer_state_set(struct repl *repl, uint8_t peer, enum peer_state state)
{
    repl->peers[peer].state = state;
    repl->peers[peer].since_ns = repl->now_ns;
}

static void peer_open(struct repl *repl, uint8_t peer)
{
    peer_state_set(repl, peer, PEER_OPENING);
    repl->peers[peer].accept_ns = 0;
    control_send(repl, bit_of(peer), FRAME_OPEN);
}

/* Every session begins anew, in the present epoch. */
void peers_open(struct repl *repl)
{
    repl->up = repl->attached = repl->readable = repl->lost = 0;
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (repl->peers[peer].state != PEER_ABSENT)
            peer_open(repl, peer);
    }
}

void peer_lose(struct repl *repl, uint8_t peer, bool close, const char *why)
{
    struct peer_record *record = &repl->peers[peer];
    uint8_t bit = bit_of(peer);
    if (record->state == PEER_ABSENT)
        return;
    if (close) {
        control_push(repl, REPL_DO_CLOSE, bit);
        record->lease_ns = 0; /* a clean end gives it back */
    }
    if (repl->up & bit)
        say(repl, true, "replica %s is away: %s", record->name, why);
    if (repl->attached & bit)
        record->lost_ns = repl->now_ns;
    record->why = why;
    record->accept_ns = 0;
    peer_state_set(repl, peer, PEER_ABSENT);
    repl->up = without(repl->up, bit);
    repl->attached = without(repl->attached, bit);
    repl->readable = without(repl->readable, bit);
    repl->lost |= bit;
    repl->tardy = without(repl->tardy, bit);
    repl->unsettled = true;
}

const char *peer_refusal(uint32_t status)
{
    if (status == FRAME_NO_SPACE || status == FRAME_NO_MORE_SPACE)
        return "no space is left there";
    return status == FRAME_IO ? "its disk refuses" : frame_status_text(status);
}

void peer_space(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct peer_record *record = &repl->peers[peer];
    bool low = frame->flags & FRAME_SPACE_LOW;
    /* What failed does not tell that there is space. */
    if (low == record->space_low || (!low && frame->status != FRAME_OK))
        return;
    record->space_low = low;
    if (low) {
        say(repl, true, "replica %s: its disk is nearly full", record->name);
        control_push(repl, REPL_DO_SPACE_LOW, 0);
    } else {
        say(repl, false, "replica %s: its disk has space again", record->name);
    }
}

void peer_back_off(struct repl *repl, uint8_t peer, const char *why)
{
    struct peer_record *record = &repl->peers[peer];
    uint32_t shift = record->failures < 6 ? record->failures : 6;
    uint64_t wait_ns = record->failures == 0 ? 0 : REPL_SECOND_NS << (shift - 1);
    record->failures++;
    record->retry_ns = repl->now_ns + wait_ns;
    peer_lose(repl, peer, true, why);
}

void peer_up(struct repl *repl, uint8_t peer)
{
    peer_lose(repl, peer, false, "its connection was replaced");
    peer_open(repl, peer);
}

uint64_t peer_promise(const struct repl *repl, const struct frame *frame)
{
    struct message_opened opened;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_opened_decode(&r, &opened);
    if (r.bad || opened.promised_epoch < repl->epoch)
        return 0;
    bool ours = opened.promised_epoch == repl->epoch &&
                uuid_equal(&opened.promised_controller, &repl->controller);
    return ours ? 0 : opened.promised_epoch;
}

/* What it says of itself is trusted only if it is about this volume and promised to us. */
static bool peer_opened_ok(const struct repl *repl, const struct message_opened *opened)
{
    return !config_invalid(&opened->config) &&
           uuid_equal(&opened->config.volume, &repl->config.volume) &&
           opened->promised_epoch == repl->epoch &&
           uuid_equal(&opened->promised_controller, &repl->controller);
}

const char *peer_unfit(const struct repl *repl, uint8_t peer)
{
    const struct peer_record *record = &repl->peers[peer];
    if (record->failed)
        return "a sync failed there";
    if (record->lossy && !(repl->proposal.active && (repl->proposal.lossy & bit_of(peer))))
        return "it lost its memory";
    if (record->opened.done_checkpoint < repl->base_checkpoint)
        return "its data is older than it should be";
    if (repl->phase == PHASE_SERVE && !command_known(repl, &record->opened.lineage))
        return "its book is another one";
    return NULL;
}

/*
 * The newest configuration, for one that missed it. To accept one that has it in sync makes a
 * member forget that it lost its memory, so that is sent only to those who hold what they should.
 */
static void peer_catch_up(struct repl *repl, uint8_t peer)
{
    struct peer_record *record = &repl->peers[peer];
    const struct proposal *proposal = &repl->proposal;
    uint8_t bit = bit_of(peer);
    bool knows_all = config_compare(&record->opened.config, &repl->config) >= 0;
    bool wrong = (in_sync_next(repl) & bit) && peer_unfit(repl, peer);
    if (!(electors(repl) & bit) || wrong ||
        (!proposal->active && (repl->phase == PHASE_GATHER || knows_all)))
        return;
    record->accept_ns = repl->now_ns;
    control_send(repl, bit, FRAME_ACCEPT);
}

void peer_opened(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct peer_record *record = &repl->peers[peer];
    struct reader r = reader_of(frame->body, frame->body_bytes);
    if (record->state != PEER_OPENING || frame->request != repl->epoch)
        return;
    repl->unsettled = true;
    if (frame->status != FRAME_OK) {
        record->why = frame_status_text(frame->status);
        peer_state_set(repl, peer, PEER_REFUSED);
        return;
    }
    message_opened_decode(&r, &record->opened);
    if (r.bad || !peer_opened_ok(repl, &record->opened)) {
        record->why = "it answers for something else";
        peer_state_set(repl, peer, PEER_REFUSED);
        return;
    }
    int idx = config_member_idx(&record->opened.config, &record->member);
    record->lossy = record->opened.lossy;
    record->failed = record->opened.failed;
    record->installed = false;
    /* Who failed as a target waits for its next try. */
    if (record->failures == 0)
        record->why = "";
    peer_state_set(repl, peer, PEER_OPEN);
    repl->up |= bit_of(peer);
    if (idx >= 0 && record->opened.config.members[idx].in_sync)
        repl->readable |= bit_of(peer);
    if (repl->base_checkpoint < record->opened.base_checkpoint)
        repl->base_checkpoint = record->opened.base_checkpoint;
    record->full = resync_is_full(repl, peer);
    peer_catch_up(repl, peer);
    if (!list_empty(&repl->leasing))
        leases_ask(repl, bit_of(peer) & repl->voters);
}

static void peer_join(struct repl *repl, uint8_t peer)
{
    repl->attached |= bit_of(peer);
    repl->peers[peer].joined_ns = repl->now_ns;
    ops_resend(repl, peer);
    checkpoint_void(repl);
    repl->unsettled = true;
}

/* C19: its growth is under way. */
static bool peer_is_small(const struct repl *repl, uint8_t peer)
{
    return repl->peers[peer].opened.config.size_bytes < repl->config.size_bytes;
}

static void peer_join_in_sync(struct repl *repl, uint8_t peer)
{
    struct peer_record *record = &repl->peers[peer];
    const char *why = peer_unfit(repl, peer);
    if (why) {
        record->why = why;
        if (!(repl->doomed & bit_of(peer)))
            say(repl, true, "replica %s must be brought in sync: %s", record->name, why);
        repl->unsettled = repl->unsettled || !(repl->doomed & bit_of(peer));
        repl->doomed |= bit_of(peer);
        return;
    }
    /* Also one that is being dropped: it counts until that is committed, and nothing was
     * acknowledged without it. */
    if (!(repl->doomed & bit_of(peer)) && !peer_is_small(repl, peer))
        peer_join(repl, peer);
}

void peers_join(struct repl *repl)
{
    uint8_t waiting = without(repl->up & repl->data, repl->attached);
    if (repl->phase != PHASE_RECOVER && repl->phase != PHASE_SERVE)
        return;
    for (; waiting; waiting &= (uint8_t)(waiting - 1)) {
        uint8_t peer = first_of(waiting);
        if (required(repl) & bit_of(peer))
            peer_join_in_sync(repl, peer);
        else if (repl->phase == PHASE_SERVE && !repl->stopping && !(repl->leaving & bit_of(peer)) &&
                 !peer_is_small(repl, peer) && repl->peers[peer].retry_ns <= repl->now_ns &&
                 !install_is_needed(repl, peer))
            peer_join(repl, peer);
    }
}
