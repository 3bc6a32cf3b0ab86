/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of a volume's members. One to be added is made at its replica first, then the volume is
 * asked; what a failure leaves at a replica is deleted as a stranger. Private to the control room.
 */
#ifndef STRAKE_CONTROL_MEMBER_H
#define STRAKE_CONTROL_MEMBER_H

#include "target/control/answer.h"

struct member_wish {
    const char *replica;  /* address of who shall keep it; NULL: who has the most space */
    const char *replaces; /* a member by record_member_find; NULL: it is one more */
    bool witness;
};
void member_add(struct record *record, const struct member_wish *wish,
                struct http_request *request);
void member_remove(struct record *record, const char *name, struct http_request *request);
/* By the target itself, at this peer; `why` is said. */
void member_replace(struct record *record, const struct member *old, struct peer *peer,
                    const char *why);
/* By identity, or the first 8 characters of it or more, or its replica's address. NULL: none. */
const struct member *record_member_find(const struct record *record, const char *name);
/* What is under way, for people; "": nothing. */
const char *member_change(const struct record *record);
/* The configuration is a new one: ends the change that it fulfils. */
void member_settle(struct record *record);
/* The volume goes away. */
void member_abort(struct record *record);
/*
 * Asks the peer to make the member; when it is there, it is placed and the volume told. The
 * configuration is what it begins with.
 */
void member_make(struct record *record, const struct config *config, const struct uuid *member,
                 struct peer *peer);

/* members.c: as they are told */
json_t *json_members(const struct record *record);
void answer_members(struct http_request *request, unsigned status, const struct record *record);

/* heal.c: strangers are deleted, members whose data is lost are replaced. */
void members_look(struct record *record);
void heal_tick(struct loop_timer *timer);

/* api_member.c: /v1/volumes/NAME/members and below; `name`: what follows, or "". */
void api_members(struct record *record, struct http_request *request, const char *name);

#endif
