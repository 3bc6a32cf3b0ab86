/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked about members: sessions, promises, configurations, leases. A part of parts.h. */
#ifndef STRAKE_REPLICATION_REGISTER_H
#define STRAKE_REPLICATION_REGISTER_H

#include "target/replication/state.h"

/* peers.c */
/* Its index, or -1. */
int peer_find(const struct repl *repl, const struct uuid *member);
/* Gives it an index; -1: all are taken. */
int peer_place(struct repl *repl, const struct uuid *member);
/* The members of a list, as peers; those that have no index get one. */
void peers_place(struct repl *repl, const struct config *config);
/* Those that the list marks so, all of whom have an index. */
uint8_t peers_voting(const struct repl *repl, const struct config *config);
uint8_t peers_in_sync(const struct repl *repl, const struct config *config);
/* It is not a member: its index is free. */
void peer_release(struct repl *repl, uint8_t peer);
void peer_up(struct repl *repl, uint8_t peer);
void peer_opened(struct repl *repl, uint8_t peer, const struct frame *frame);
/* The session is over; `close`: by our decision. */
void peer_lose(struct repl *repl, uint8_t peer, bool close, const char *why);
/* Why it did not do what it was asked: by the status of its answer. */
const char *peer_refusal(uint32_t status);
/* What a reply to WRITE says of the space there. */
void peer_space(struct repl *repl, uint8_t peer, const struct frame *frame);
/* A target failed: it may try again later. */
void peer_back_off(struct repl *repl, uint8_t peer, const char *why);
void peers_open(struct repl *repl);
void peers_join(struct repl *repl);
/* Why a member in sync by the register does not hold what it should; NULL: it does. */
const char *peer_unfit(const struct repl *repl, uint8_t peer);
/* What a reply that fences says: 0 nothing, else the promised epoch that is above us. */
uint64_t peer_promise(const struct repl *repl, const struct frame *frame);

/* register.c */
void register_adopt(struct repl *repl, const struct config *config);
/* A configuration like `next`, with these in sync. Any field of it may be another one (C17). */
void register_propose(struct repl *repl, const struct config *next, uint8_t in_sync);
/* True when a proposal was committed by this. */
MUST_USE bool register_accepted(struct repl *repl, uint8_t peer, const struct frame *frame);
/* Drops and adds members as far as the rules allow. */
void register_settle(struct repl *repl);
/* Nobody who is there holds everything, or writes that wait for who is away keep a target from
 * being brought in sync: only opening the volume anew can help. */
bool register_stuck(const struct repl *repl);
uint64_t register_deadline_ns(const struct repl *repl);

/* membership.c */
void membership_change(struct repl *repl, const struct repl_change *change);
/* Removes a member that is to go, if the others can do without it. */
void membership_settle(struct repl *repl);

/* open.c */
void open_begin(struct repl *repl);
void open_settle(struct repl *repl);
/* A higher promise is in the way; the epoch is raised after a moment. */
void open_outbid(struct repl *repl, uint64_t promised_epoch);
uint64_t open_deadline_ns(const struct repl *repl);

/* lease.c */
/* Whether no other target can have served up to now. */
bool leases_hold(const struct repl *repl);
/* A read needs them: asks, or renews in time. */
void leases_want(struct repl *repl);
/* Asks these peers, whoever was asked before. */
void leases_ask(struct repl *repl, uint8_t peers);
void lease_answer(struct repl *repl, uint8_t peer, const struct frame *frame);

#endif
