/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read leases. A replica that granted one answers no other target's OPEN until it ends on its own
 * clock; this side counts nine tenths of it from the moment it asked. While a majority has granted
 * one nobody else can have been answered by a majority, so nobody else has served, and what was
 * read is not stale. A read may be sent before, and ends when there are leases: those granted after
 * it was read prove as much. Only who reads asks, so an idle volume wakes nobody; only rates of
 * clocks matter. Writes need no lease: every member in sync has to take them.
 */
#include "target/replication/parts.h"

bool leases_hold(const struct repl *repl)
{
    uint8_t held = 0;
    for (uint8_t peer = 0; peer < repl->peer_count; peer++) {
        if (repl->peers[peer].lease_ns > repl->now_ns)
            held |= bit_of(peer);
    }
    return majority(repl, held);
}

void leases_ask(struct repl *repl, uint8_t peers)
{
    if (!peers)
        return;
    struct control *control = control_push(repl, REPL_DO_SEND, peers);
    control->type = FRAME_LEASE;
    /* Told back: the moment from which it counts. */
    control->request = repl->now_ns;
    control->length_bytes = repl->settings.lease_ns;
}

void leases_want(struct repl *repl)
{
    if (repl->leased_ns && repl->leased_ns + repl->settings.lease_ns / 2 > repl->now_ns)
        return;
    repl->leased_ns = repl->now_ns;
    leases_ask(repl, repl->up & electors(repl));
}

void lease_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct peer_record *record = &repl->peers[peer];
    uint64_t granted_ns = frame->length_bytes;
    if (frame->status != FRAME_OK || frame->request > repl->now_ns ||
        granted_ns > repl->settings.lease_ns)
        return;
    uint64_t end_ns = frame->request + granted_ns / 10 * 9;
    if (record->lease_ns < end_ns)
        record->lease_ns = end_ns;
    if (leases_hold(repl))
        ops_leased(repl);
}
