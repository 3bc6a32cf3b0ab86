/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network: connections that keep the order, delay, fall silent, and break anywhere.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { TO_REPLICA, TO_TARGET };

struct sim_msg {
    struct sim_conn *conn;
    struct frame frame;
    uint8_t *body; /* owned */
    int way;
};

static void conn_unref(struct sim_conn *conn)
{
    ASSERT(conn->refs > 0);
    if (--conn->refs == 0)
        free(conn);
}

static void msg_free(struct sim_msg *msg)
{
    slice_release(&msg->frame.payload);
    conn_unref(msg->conn);
    free(msg->body);
    free(msg);
}

static uint64_t net_delay(struct sim *sim)
{
    uint64_t us = 30 + sim_below(sim, 200);
    if (!sim->quiet && sim_chance(sim, 20))
        us += sim_below(sim, 50000);
    return us * SIM_US;
}

static void net_deliver(struct sim *sim, struct sim_event *event)
{
    struct sim_msg *msg = event->a;
    struct sim_conn *conn = msg->conn;
    uint64_t *silent = &sim->silent[conn->target][conn->replica][msg->way];
    bool closed = msg->way == TO_REPLICA ? conn->replica_closed : conn->target_closed;
    if (closed || sim->now_ns > conn->dead_ns[msg->way]) {
        msg_free(msg);
        return;
    }
    if (*silent > sim->now_ns) {
        /* Held, all of them alike, so that the order stays. */
        sim_at(sim, *silent, net_deliver, msg, 0, 0);
        if (conn->last_ns[msg->way] < *silent)
            conn->last_ns[msg->way] = *silent;
        return;
    }
    if (msg->way == TO_REPLICA)
        replica_frame(sim, &sim->replicas[conn->replica], conn->id, &msg->frame);
    else
        target_event(sim, conn->target,
                     &(struct repl_event){.kind = REPL_EV_FRAME,
                                          .peer = sim->targets[conn->target].peer_of[conn->replica],
                                          .frame = &msg->frame});
    msg_free(msg);
}

static void net_send(struct sim *sim, struct sim_conn *conn, int way, const struct frame *frame)
{
    struct sim_msg *msg = calloc(1, sizeof(*msg));
    ASSERT(msg);
    ASSERT(!frame_invalid(frame, frame->payload.length_bytes));
    msg->conn = conn;
    conn->refs++;
    msg->way = way;
    msg->frame = *frame;
    msg->frame.payload = slice_ref(&frame->payload);
    if (frame->body_bytes) {
        msg->body = malloc(frame->body_bytes);
        ASSERT(msg->body);
        memcpy(msg->body, frame->body, frame->body_bytes);
        msg->frame.body = msg->body;
    }
    uint64_t at = sim->now_ns + net_delay(sim);
    if (at <= conn->last_ns[way])
        at = conn->last_ns[way] + 1;
    conn->last_ns[way] = at;
    sim_at(sim, at, net_deliver, msg, 0, 0);
}

void net_to_replica(struct sim *sim, struct sim_conn *conn, const struct frame *frame)
{
    struct frame sent = *frame;
    sent.session = 1;
    if (!conn->target_closed)
        net_send(sim, conn, TO_REPLICA, &sent);
}

static struct sim_conn *conn_find(struct sim *sim, uint64_t id);

void net_to_target(struct sim *sim, uint64_t conn_id, uint8_t replica, const struct frame *frame)
{
    struct sim_conn *conn = conn_find(sim, conn_id);
    (void)replica;
    if (conn && !conn->replica_closed)
        net_send(sim, conn, TO_TARGET, frame);
}

/* ---- connections that stand, for replies to find ---- */

static struct sim_conn *conns[4096];
static uint32_t conn_count;

static struct sim_conn *conn_find(struct sim *sim, uint64_t id)
{
    (void)sim;
    for (uint32_t i = 0; i < conn_count; i++) {
        if (conns[i]->id == id)
            return conns[i];
    }
    return NULL;
}

static void conn_forget(struct sim_conn *conn)
{
    for (uint32_t i = 0; i < conn_count; i++) {
        if (conns[i] != conn)
            continue;
        conns[i] = conns[--conn_count];
        conn_unref(conn);
        return;
    }
}

static void conn_settle(struct sim_conn *conn)
{
    if (conn->target_closed && conn->replica_closed)
        conn_forget(conn);
}

static void net_replica_hears(struct sim *sim, struct sim_event *event)
{
    struct sim_conn *conn = event->a;
    if (!conn->replica_closed) {
        conn->replica_closed = true;
        replica_disconnected(sim, &sim->replicas[conn->replica], conn->id);
        conn_settle(conn);
    }
    conn_unref(conn);
}

static void net_retry(struct sim *sim, struct sim_event *event)
{
    uint8_t target = (uint8_t)event->x;
    if (sim->targets[target].repl && sim->targets[target].life == (uint64_t)(uintptr_t)event->a)
        net_connect(sim, target, (uint8_t)event->y);
}

static void net_retry_later(struct sim *sim, uint8_t target, uint8_t replica)
{
    sim_after(sim, (10 + sim_below(sim, 60)) * SIM_MS, net_retry,
              (void *)(uintptr_t)sim->targets[target].life, target, replica);
}

static void net_target_hears(struct sim *sim, struct sim_event *event)
{
    struct sim_conn *conn = event->a;
    struct sim_target *target = &sim->targets[conn->target];
    if (!conn->target_closed) {
        conn->target_closed = true;
        if (target->life == conn->target_life && target->conns[conn->replica] == conn) {
            target->conns[conn->replica] = NULL;
            sim_trace(sim, "target %u: replica %u down", conn->target, conn->replica);
            net_retry_later(sim, conn->target, conn->replica);
            target_event(
                sim, conn->target,
                &(struct repl_event){.kind = REPL_EV_DOWN, .peer = target->peer_of[conn->replica]});
        }
        conn_settle(conn);
    }
    conn_unref(conn);
}

void net_connect(struct sim *sim, uint8_t target, uint8_t replica)
{
    struct sim_target *host = &sim->targets[target];
    uint64_t *silent = sim->silent[target][replica];
    if (!host->repl || host->conns[replica] || host->fenced || host->stopped ||
        sim->replicas[replica].gone)
        return;
    if (!sim->replicas[replica].service || silent[0] > sim->now_ns || silent[1] > sim->now_ns) {
        net_retry_later(sim, target, replica);
        return;
    }
    uint8_t *peer = &host->peer_of[replica];
    if (*peer == REPL_NO_PEER)
        *peer = repl_peer_add(host->repl, &sim->replicas[replica].member);
    if (*peer == REPL_NO_PEER) {
        net_retry_later(sim, target, replica);
        return;
    }
    struct sim_conn *conn = calloc(1, sizeof(*conn));
    ASSERT(conn && conn_count < ARRAY_COUNT(conns));
    *conn = (struct sim_conn){.id = ++sim->conn_ids,
                              .target = target,
                              .replica = replica,
                              .target_life = host->life,
                              .dead_ns = {SIM_NEVER, SIM_NEVER},
                              .refs = 1};
    conns[conn_count++] = conn;
    host->conns[replica] = conn;
    sim_trace(sim, "target %u: replica %u up", target, replica);
    target_event(sim, target,
                 &(struct repl_event){.kind = REPL_EV_UP, .peer = host->peer_of[replica]});
}

void net_close_by_target(struct sim *sim, struct sim_conn *conn)
{
    struct sim_target *host = &sim->targets[conn->target];
    conn->target_closed = true;
    if (host->conns[conn->replica] == conn)
        host->conns[conn->replica] = NULL;
    conn->refs++;
    /* What was sent still arrives, but for a suffix. */
    conn->dead_ns[TO_REPLICA] = sim->now_ns + sim_below(sim, 2000) * SIM_US;
    sim_after(sim, sim_below(sim, sim->quiet ? 20 : 400) * SIM_MS, net_replica_hears, conn, 0, 0);
    if (host->repl)
        net_retry_later(sim, conn->target, conn->replica);
    conn_settle(conn);
}

void net_cut(struct sim *sim, uint8_t target, uint8_t replica)
{
    struct sim_conn *conn = sim->targets[target].conns[replica];
    if (!conn || conn->dead_ns[0] != SIM_NEVER)
        return;
    sim_trace(sim, "cut: target %u, replica %u", target, replica);
    for (int way = 0; way < 2; way++) {
        uint64_t notice_ms = sim_chance(sim, 7000) ? sim_below(sim, 20) : sim_below(sim, 900);
        conn->dead_ns[way] = sim->now_ns + sim_below(sim, 800) * SIM_US;
        conn->refs++;
        sim_at(sim, conn->dead_ns[way] + notice_ms * SIM_MS,
               way == TO_REPLICA ? net_replica_hears : net_target_hears, conn, 0, 0);
    }
}

void net_replica_gone(struct sim *sim, uint8_t replica)
{
    for (uint32_t i = 0; i < conn_count; i++) {
        struct sim_conn *conn = conns[i];
        if (conn->replica != replica || conn->replica_closed)
            continue;
        conn->replica_closed = true;
        if (conn->dead_ns[TO_TARGET] == SIM_NEVER)
            conn->dead_ns[TO_TARGET] = sim->now_ns + sim_below(sim, 500) * SIM_US;
        if (conn->target_closed) {
            conn_settle(conn);
            i--;
            continue;
        }
        conn->refs++;
        uint64_t notice_ms = sim_chance(sim, 8000) ? sim_below(sim, 5) : sim_below(sim, 900);
        sim_after(sim, notice_ms * SIM_MS + SIM_MS, net_target_hears, conn, 0, 0);
    }
}

void net_target_gone(struct sim *sim, uint8_t target)
{
    for (uint32_t replica = 0; replica < sim->replica_count; replica++) {
        struct sim_conn *conn = sim->targets[target].conns[replica];
        if (conn)
            net_close_by_target(sim, conn);
    }
}
