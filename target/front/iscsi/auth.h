/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the initiator is and whether it may: access rules and the security stage (RFC 7143 sections
 * 6.3.2 and 12.1). The exchange, one answer after another: AuthMethod; CHAP_A, answered by CHAP_A,
 * CHAP_I and CHAP_C; CHAP_N and CHAP_R, answered by ours if the initiator has a challenge too.
 */
#ifndef STRAKE_FRONT_ISCSI_AUTH_H
#define STRAKE_FRONT_ISCSI_AUTH_H

#include "target/front/iscsi/chap.h"
#include "target/front/iscsi/iscsi.h"

/* Where each use of a connection's random bytes begins; what was sent is secret no more. */
enum {
    ISCSI_RANDOM_STAT_SN = 0,
    ISCSI_RANDOM_TTT = 4,
    ISCSI_RANDOM_IDENTIFIER = 8, /* CHAP_I */
    ISCSI_RANDOM_CHALLENGE = 9,  /* CHAP_C */
};
STATIC_ASSERT(ISCSI_RANDOM_CHALLENGE + CHAP_CHALLENGE_BYTES <= ISCSI_RANDOM_BYTES,
              "random bytes for everything");

enum auth_state {
    AUTH_START,      /* no AuthMethod yet */
    AUTH_NONE,       /* the initiator need not prove anything */
    AUTH_CHAP,       /* CHAP_A is awaited */
    AUTH_CHALLENGED, /* the response is awaited */
    AUTH_PROVED,
};

struct auth {
    enum auth_state state;
    enum chap_algorithm algorithm;
    char why[384]; /* of a refusal */
};

/* class << 8 | detail (RFC 7143 section 11.13.5) */
enum login_status {
    LOGIN_ACCEPTED = 0x0000,
    LOGIN_MOVED = 0x0101, /* temporarily: TargetAddress says where */
    LOGIN_INITIATOR_ERROR = 0x0200,
    LOGIN_AUTHENTICATION_FAILED = 0x0201,
    LOGIN_NOT_AUTHORIZED = 0x0202,
    LOGIN_NOT_FOUND = 0x0203,
    LOGIN_VERSION = 0x0205,
    LOGIN_TOO_MANY_CONNECTIONS = 0x0206,
    LOGIN_MISSING_PARAMETER = 0x0207,
    LOGIN_SESSION_TYPE = 0x0209,
    LOGIN_NO_SESSION = 0x020a,
    LOGIN_INVALID_REQUEST = 0x020b,
    LOGIN_UNAVAILABLE = 0x0301, /* try again */
    LOGIN_OUT_OF_RESOURCES = 0x0302,
};

/* What is wrong, and how the initiator is told; `why` NULL: nothing. */
struct login_refusal {
    enum login_status status;
    const char *why;
};

static const struct login_refusal login_fine = {LOGIN_ACCEPTED, NULL};

/*
 * Whether the initiator of this name and address may log in at all, once both and the target are
 * known. An address to be told instead is in *redirect.
 */
struct login_refusal iscsi_auth_admit(struct iscsi_conn *conn, const char **redirect);
/* The keys of a text of the security stage, which the conn's negotiation has just taken. */
struct login_refusal iscsi_auth_take(struct iscsi_conn *conn, struct writer *answer);
/* True when the security stage may be left. */
bool iscsi_auth_done(const struct iscsi_conn *conn);
/* Whether full feature phase may begin, also without any security stage. */
struct login_refusal iscsi_auth_check(struct iscsi_conn *conn);

#endif
