/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the replication room: which handler an event goes to, and what follows from it. */
#include "target/replication/replication.h"

#include "common/base/pages.h"
#include "target/replication/parts.h"

#include <errno.h>
#include <stdlib.h>

enum { SETTLE_ROUNDS_MAX = 100 };

struct repl_settings repl_settings_default(void)
{
    return (struct repl_settings){
        .slow_ns = 5 * REPL_SECOND_NS,
        .hiccup_ns = REPL_SECOND_NS / 4,
        .target_slow_ns = REPL_SECOND_NS,
        .grace_ns = REPL_SECOND_NS,
        .recover_ns = 5 * REPL_SECOND_NS,
        .lossy_ns = 30 * REPL_SECOND_NS,
        .lease_ns = REPL_SECOND_NS,
        .checkpoint_ns = 2 * REPL_SECOND_NS,
        .equal_writes = 256,
        .resync_bytes_per_s = (uint64_t)256 << 20,
        .scrub_bytes_per_s = (uint64_t)64 << 20,
    };
}

struct repl *repl_new(const struct config *config, const struct uuid *controller,
                      const struct repl_settings *settings, struct buf_pool *bufs,
                      uint64_t random_seed)
{
    struct repl *repl = pages_new(sizeof(*repl));
    struct list *lists[] = {&repl->reads,   &repl->writes,  &repl->inflight, &repl->merges,
                            &repl->leasing, &repl->retries, &repl->done};
    ASSERT(!config_invalid(config) && settings->budget);
    repl->settings = *settings;
    repl->controller = *controller;
    repl->bufs = bufs;
    repl->random = random_seed | 1;
    command_key(repl);
    for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
        list_init(lists[i]);
    range_lock_init(&repl->lock,
                    &(struct range_news){.granted = op_granted, .waits = op_waits, .arg = repl});
    for (uint16_t slot = 0; slot < REPL_OPS_MAX; slot++)
        repl->free_slots[repl->free_count++] = (uint16_t)(REPL_OPS_MAX - 1 - slot);
    repl->retry_ns = repl->scan_ns = repl->stop_ns = repl->wanted_ns = REPL_NEVER_NS;
    repl->checkpoint.due_ns = REPL_NEVER_NS;
    repl->epoch = config->epoch;
    register_adopt(repl, config);
    open_begin(repl);
    pages_give_back(repl, sizeof(*repl)); /* tables that most volumes never fill */
    return repl;
}

void repl_free(struct repl *repl)
{
    control_release(repl);
    copies_cancel(repl, true);
    sweep_end(repl);
    scrub_end(repl);
    relay_end(repl);
    control_release(repl);
    for (uint32_t slot = 0; slot < REPL_OPS_MAX; slot++) {
        if (repl->slots[slot])
            slice_release(&repl->slots[slot]->before);
    }
    free(repl);
}

uint8_t repl_peer_add(struct repl *repl, const struct uuid *member)
{
    int peer = peer_find(repl, member);
    bool known = repl->phase == PHASE_GATHER && !uuid_is_zero(member);
    if (peer < 0 && known)
        peer = peer_place(repl, member);
    return peer < 0 ? REPL_NO_PEER : (uint8_t)peer;
}

/* C9 */
static void repl_fence(struct repl *repl)
{
    say(repl, true, "another target took over");
    repl->phase = PHASE_FENCED;
    repl->proposal.active = false;
    repl->undecided = repl->doomed = 0;
    copies_cancel(repl, true);
    sweep_end(repl);
    scrub_end(repl);
    checkpoint_void(repl);
    install_end(repl);
    relay_end(repl);
    for (uint8_t peer = 0; peer < repl->peer_count; peer++)
        peer_lose(repl, peer, true, "another target took over");
    ops_abandon(repl, true, -ESHUTDOWN);
    control_push(repl, REPL_DO_FENCED, 0);
}

static void on_stale(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    uint64_t promised = peer_promise(repl, frame);
    if (promised == 0) {
        peer_lose(repl, peer, true, "its session was replaced");
    } else if (repl->claimed) {
        repl_fence(repl);
    } else {
        repl->peers[peer].state = PEER_REFUSED;
        repl->peers[peer].why = frame_status_text(frame->status);
        repl->up = without(repl->up, bit_of(peer));
        repl->readable = without(repl->readable, bit_of(peer));
        open_outbid(repl, promised);
    }
}

static void on_accepted(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    bool was_gathering = repl->phase == PHASE_GATHER;
    if (!register_accepted(repl, peer, frame))
        return;
    if (!was_gathering) {
        checkpoint_dirty(repl);
        return;
    }
    repl->phase = PHASE_RECOVER;
    repl->recover_again = false;
    repl->recover_ns = 0;
    for (uint8_t i = 0; i < repl->peer_count; i++) {
        repl->peers[i].lost_ns = repl->now_ns;
        if ((repl->up & bit_of(i)) && repl->peers[i].opened.dirty_bytes > 0)
            checkpoint_dirty(repl);
    }
}

static void on_reply(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    switch ((enum frame_type)frame->type) {
    case FRAME_ACCEPT:
        on_accepted(repl, peer, frame);
        break;
    case FRAME_CHECKPOINT:
        checkpoint_answer(repl, peer, frame);
        break;
    case FRAME_GETMAP:
    case FRAME_MARK:
        sweep_answer(repl, peer, frame);
        break;
    case FRAME_LAST_COMMAND:
        relay_answer(repl, peer, frame);
        break;
    case FRAME_BOOK:
    case FRAME_INSTALL:
        op_answer(repl, peer, frame);
        install_answer(repl, peer, frame);
        count_answer(repl, peer, frame);
        break;
    case FRAME_COMMAND:
        op_answer(repl, peer, frame);
        relay_answer(repl, peer, frame);
        break;
    case FRAME_SETTLE:
        sweep_answer(repl, peer, frame);
        relay_answer(repl, peer, frame);
        break;
    case FRAME_WRITE:
        peer_space(repl, peer, frame);
        op_answer(repl, peer, frame);
        break;
    case FRAME_FLUSH:
    case FRAME_HASH:
    case FRAME_DIFF:
    case FRAME_DIGEST:
    case FRAME_SPACE:
    case FRAME_ZERO:
    case FRAME_READ:
    case FRAME_COPY:
        op_answer(repl, peer, frame);
        copy_answer(repl, peer, frame);
        sweep_answer(repl, peer, frame);
        scrub_answer(repl, peer, frame);
        count_answer(repl, peer, frame);
        break;
    case FRAME_LEASE:
        lease_answer(repl, peer, frame);
        break;
    case FRAME_OPEN:
    case FRAME_COMMIT:
    case FRAME_EQUAL:
    case FRAME_CLOSE:
    case FRAME_GREET:
    case FRAME_LIST:
    case FRAME_CREATE:
    case FRAME_DELETE:
    case FRAME_PING:
        break;
    }
}

static void on_frame(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    uint8_t bit = bit_of(peer);
    repl->tardy = without(repl->tardy, bit);
    bool is_open = frame->type == FRAME_OPEN;
    repl->peers[peer].probed_ns = 0;
    if (!(frame->flags & FRAME_REPLY) || (is_open && frame->request != repl->epoch) ||
        (is_open ? repl->peers[peer].state != PEER_OPENING : !(repl->up & bit)))
        return;
    if (frame->status == FRAME_STALE) {
        on_stale(repl, peer, frame);
        return;
    }
    if (is_open) {
        peer_opened(repl, peer, frame);
        return;
    }
    on_reply(repl, peer, frame);
    if (frame->status == FRAME_FAILED && (repl->up & bit)) {
        repl->doomed |= bit & required(repl);
        peer_lose(repl, peer, true, "a sync failed there");
    }
}

static void lose_all(struct repl *repl, uint8_t peers, const char *why)
{
    for (; peers; peers &= (uint8_t)(peers - 1)) {
        uint8_t peer = first_of(peers);
        if (repl->attached & bit_of(peer) & ~required(repl))
            peer_back_off(repl, peer, why);
        else
            peer_lose(repl, peer, true, why);
    }
}

/* Who was asked something and takes too long. */
static void on_scan(struct repl *repl)
{
    uint64_t slow_ns = repl->settings.slow_ns;
    uint8_t slow =
        ops_slow(repl) | copies_wait_for(repl, slow_ns) | install_slow(repl) | scrub_slow(repl);
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        const struct peer_record *record = &repl->peers[peer];
        if (record->state == PEER_OPENING && record->since_ns + slow_ns <= repl->now_ns)
            slow |= bit_of(peer);
        if (record->accept_ns && record->accept_ns + slow_ns <= repl->now_ns)
            slow |= bit_of(peer);
    }
    /* Syncs of much data take their time. */
    if (repl->relay.waiting && repl->relay.sent_ns + slow_ns <= repl->now_ns)
        slow |= repl->relay.waiting;
    if (repl->sweep.waiting && repl->sweep.sent_ns + 4 * slow_ns <= repl->now_ns)
        slow |= repl->sweep.waiting;
    if (repl->checkpoint.active && repl->checkpoint.sent_ns + 4 * slow_ns <= repl->now_ns)
        slow |= without(repl->checkpoint.sent, repl->checkpoint.answered);
    lose_all(repl, slow | pace_silent(repl), "it does not answer in time");
    for (uint8_t late = pace_hiccups(repl); late; late &= (uint8_t)(late - 1))
        pace_demote(repl, first_of(late));
    pace_reads_elsewhere(repl);
    repl->scan_ns = pace_scan_ns(repl);
}

static void on_tick(struct repl *repl)
{
    repl->unsettled = true;
    if (repl->scan_ns <= repl->now_ns)
        on_scan(repl);
    ops_retry(repl);
    if (!list_empty(&repl->leasing))
        leases_want(repl);
    if (repl->frozen_ns != REPL_NEVER_NS && repl->settings.io_timeout_ns &&
        repl->frozen_ns + repl->settings.io_timeout_ns <= repl->now_ns) {
        ops_abandon(repl, false, -EIO);
        repl->frozen_ns = repl->now_ns;
    }
}

static void stop_settle(struct repl *repl)
{
    bool late = repl->stop_ns <= repl->now_ns;
    if (late)
        ops_abandon(repl, true, -ESHUTDOWN);
    if (ops_outstanding(repl) > 0)
        return;
    /* Members may have accepted it already: whoever ends us is to know what they have. */
    if (repl->proposal.active && !late)
        return;
    bool can_clean = checkpoint_possible(repl) && !checkpoint_clean(repl);
    if (can_clean && !late)
        return;
    control_send(repl, repl->up, FRAME_CLOSE);
    copies_cancel(repl, true);
    sweep_end(repl);
    scrub_end(repl);
    repl->phase = PHASE_STOPPED;
    repl->proposal.active = false;
    repl->checkpoint.active = false;
    repl->undecided = repl->doomed = 0;
    control_push(repl, REPL_DO_STOPPED, 0);
}

static void settle_lost(struct repl *repl)
{
    uint8_t lost = repl->lost;
    repl->lost = 0;
    if (!lost)
        return;
    ops_lost(repl, lost);
    questions_lost(repl, lost);
    copies_lost(repl, lost);
    sweep_lost(repl, lost);
    count_lost(repl, lost);
    scrub_lost(repl, lost);
    install_lost(repl, lost);
    relay_lost(repl, lost);
    checkpoint_void(repl);
}

static void settle_phase(struct repl *repl)
{
    switch (repl->phase) {
    case PHASE_GATHER:
        open_settle(repl);
        break;
    case PHASE_RECOVER:
        peers_join(repl);
        register_settle(repl);
        copies_settle(repl);
        if (recover_settle(repl)) {
            say(repl, false, "serves");
            repl->phase = PHASE_SERVE;
            repl->unsettled = true;
        }
        break;
    case PHASE_SERVE:
        install_settle(repl);
        peers_join(repl);
        ops_review(repl);
        register_settle(repl);
        (void)relay_strays(repl);
        copies_settle(repl);
        resync_settle(repl);
        scrub_settle(repl);
        checkpoint_settle(repl);
        break;
    case PHASE_FENCED:
    case PHASE_STOPPED:
        return;
    }
    if ((repl->phase == PHASE_SERVE || repl->phase == PHASE_RECOVER) && register_stuck(repl)) {
        say(repl, true, "too few replicas hold everything: opens anew");
        open_begin(repl);
    }
}

/* What follows from an event, until nothing more does. */
static void settle(struct repl *repl)
{
    int rounds = 0;
    while (repl->unsettled) {
        ASSERT(++rounds < SETTLE_ROUNDS_MAX);
        repl->unsettled = false;
        settle_lost(repl);
        settle_phase(repl);
        if (repl->stopping && repl->phase < PHASE_FENCED)
            stop_settle(repl);
    }
    bool frozen = repl->phase < PHASE_FENCED && !ops_can_write(repl);
    if (!frozen)
        repl->frozen_ns = REPL_NEVER_NS;
    else if (repl->frozen_ns == REPL_NEVER_NS)
        repl->frozen_ns = repl->now_ns;
}

/* Who only asks, or manages, is no client at work. */
static void client_at_work(struct repl *repl, const struct repl_op *op)
{
    if (op->kind <= REPL_FLUSH)
        budget_client(repl->settings.budget, repl->now_ns);
}

static void client_served(struct repl *repl, const struct repl_op *op)
{
    client_at_work(repl, op);
    if (op->kind == REPL_WRITE && op->status == 0)
        budget_wrote(repl->settings.budget, repl->now_ns - op->sent_ns, repl->now_ns);
}

static void on_submit(struct repl *repl, struct repl_op *op)
{
    client_at_work(repl, op);
    op_submit(repl, op);
    if (repl->phase >= PHASE_FENCED || repl->stopping)
        ops_abandon(repl, false, -ESHUTDOWN);
}

static void on_grow(struct repl *repl, uint64_t size_bytes)
{
    ASSERT(size_bytes > repl->config.size_bytes && size_bytes % BLOCK_BYTES == 0);
    if (repl->phase != PHASE_SERVE || repl->stopping)
        return;
    repl->grow_bytes = size_bytes;
    repl->unsettled = true;
}

static void on_stop(struct repl *repl)
{
    if (repl->stopping)
        return;
    repl->stopping = true;
    repl->stop_ns = repl->now_ns + repl->settings.slow_ns;
    repl->unsettled = true;
    if (!ops_can_write(repl))
        ops_abandon(repl, false, -ESHUTDOWN);
    if (repl->phase >= PHASE_FENCED)
        control_push(repl, REPL_DO_STOPPED, 0);
}

void repl_step(struct repl *repl, const struct repl_event *event)
{
    /* Once the time has passed, what waited for it does not ask for a tick again. */
    if (repl->wanted_ns <= event->now_ns)
        repl->unsettled = true;
    repl->now_ns = event->now_ns;
    switch (event->kind) {
    case REPL_EV_UP:
        if (repl->phase < PHASE_FENCED && !uuid_is_zero(&repl->peers[event->peer].member))
            peer_up(repl, event->peer);
        break;
    case REPL_EV_DOWN:
        peer_lose(repl, event->peer, false, "its connection broke");
        break;
    case REPL_EV_FRAME:
        if (repl->phase < PHASE_FENCED)
            on_frame(repl, event->peer, event->frame);
        break;
    case REPL_EV_SUBMIT:
        on_submit(repl, event->op);
        break;
    case REPL_EV_MERGED:
        op_merged(repl, event->op, event->write);
        break;
    case REPL_EV_TICK:
        on_tick(repl);
        break;
    case REPL_EV_GROW:
        on_grow(repl, event->size_bytes);
        break;
    case REPL_EV_SCRUB:
        scrub_start(repl);
        break;
    case REPL_EV_STOP:
        on_stop(repl);
        break;
    case REPL_EV_CHANGE:
        membership_change(repl, event->change);
        break;
    }
    settle(repl);
    if (!repl_busy(repl))
        repl->scan_ns = REPL_NEVER_NS;
    else if (repl->scan_ns == REPL_NEVER_NS)
        repl->scan_ns = pace_scan_ns(repl);
}

bool repl_next(struct repl *repl, struct repl_effect *effect)
{
    if (!op_next(repl, effect))
        return false;
    if (effect->kind == REPL_DO_COMPLETE)
        client_served(repl, effect->op);
    return true;
}
