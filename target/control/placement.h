/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a volume's members are, and what their replicas are told about them. Private to the control
 * room.
 */
#ifndef STRAKE_CONTROL_PLACEMENT_H
#define STRAKE_CONTROL_PLACEMENT_H

#include "target/peers/peers.h"

#include <jansson.h>

struct control;
struct record;

/* Where a member was seen. */
struct placement {
    struct uuid member;
    struct peer *peer; /* of peers; NULL: the slot is free */
    bool here;         /* seen since the peer last came up */
    bool deleted;      /* the peer keeps only the record, or was told to keep nothing */
    uint64_t lost_ns;  /* not here: since when */
};

/* What a clone begins with. */
struct origin {
    struct uuid volume; /* zero: nothing */
    uint64_t generation;
};

/* This peer keeps that member now, or (`deleted`) the record of it. */
void record_place(struct record *record, const struct uuid *member, struct peer *peer,
                  bool deleted);
/* The peer does not keep that member. */
void record_displace(struct record *record, const struct uuid *member);
/* Where it was seen last; NULL: nowhere. */
const struct placement *record_placement(const struct record *record, const struct uuid *member);
/* The same, NULL unless its replica process is up and has it. */
const struct placement *record_present(const struct record *record, const struct uuid *member);
/* It is no member of the volume for certain, nor is it being added. */
bool record_is_stranger(const struct record *record, const struct uuid *member);
/* Members that hold data and do not leave, nor are this one (NULL: nobody). */
uint32_t config_data_count(const struct config *config, const struct uuid *but);
/* How many of the record's members are present. */
uint32_t record_members_up(const struct record *record);
bool peer_is_up(const struct peer *peer);
/* The peer has, or may have, a member of the volume. */
bool peer_keeps(const struct record *record, const struct peer *peer);
/*
 * The up peer with the most free space that keeps no member of the record and is not among
 * `taken`, by pool. NULL: none.
 */
struct peer *catalogue_choose(struct control *control, const struct record *record,
                              struct peer *const *taken, uint32_t taken_count);

/* The configuration that says "deleted" and wins over the record's. */
struct config record_tombstone(const struct record *record);
/* Tells the peer to delete the volume and keep the tombstone; `done` as in peer_call. */
void record_send_delete(const struct config *tombstone, const json_t *epitaph, struct peer *peer,
                        peer_reply_fn *done, void *arg);
/* Tells the peer to delete a member that is not in the configuration, and keep nothing. */
void record_send_forget(const struct config *config, const struct uuid *member, struct peer *peer,
                        peer_reply_fn *done, void *arg);
/* `origin`: what the member begins with. */
void record_send_create(const struct config *config, const struct uuid *member,
                        const struct origin *origin, struct peer *peer, peer_reply_fn *done,
                        void *arg);
void peer_refused(struct peer *peer, const struct frame *reply, const char *what);

#endif
