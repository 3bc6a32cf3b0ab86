/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection and a command remember, and what the parts of the room share. Calls go down:
 * iscsi.c > login, text, command, data_out, tmf, control > reply > conn > pdu.
 *
 * Invariants:
 * 1. A task is in conn->tasks and findable by its ITT from receipt of the command until its answer
 *    is sent; `wait` is in conn->queue, conn->r2t_wait or conn->waiting, or in none.
 * 2. A task that the front holds (TASK_SUBMITTED) is freed by iscsi_reply or iscsi_drop alone.
 * 3. An aborted task is submitted; it gets no answer.
 * 4. exp_cmd_sn - 1 <= max_cmd_sn in serial arithmetic, and max_cmd_sn never goes back.
 * 5. A session with an export is in node->sessions from the end of its login until it is freed;
 *    a superseded one counts no more, but for the commands it still has in flight.
 */
#ifndef STRAKE_FRONT_ISCSI_STATE_H
#define STRAKE_FRONT_ISCSI_STATE_H

#include "target/front/iscsi/auth.h"
#include "target/front/iscsi/iscsi.h"
#include "target/front/iscsi/negotiate.h"
#include "target/front/iscsi/request.h"
#include "target/front/iscsi/response.h"
#include "target/front/scsi/scsi.h"

enum {
    ISCSI_PORTAL_GROUP = 1,              /* the tag of the one there is */
    ISCSI_HASH = 256,                    /* of ITTs; power of two */
    ISCSI_IMMEDIATE_MAX = 16,            /* immediate commands at once, beside the window */
    ISCSI_TMFS_MAX = 8,                  /* task management functions unanswered at once */
    ISCSI_LOGIN_PDUS_MAX = 64,           /* login requests of one login */
    ISCSI_TEXT_BYTES_MAX = 16u << 10,    /* one text, however many PDUs it is continued over */
    ISCSI_SOLICIT_BYTES_MAX = 16u << 20, /* data-out awaited at once, unless one takes more */
    ISCSI_COPY_BYTES_MAX = 1024,         /* data-in so short is copied, to let its buffer go */
};

/* RFC 7143 section 8.1.1, target side; ERL 0 knows no S8. */
enum conn_state {
    CONN_S1_FREE,
    CONN_S3_XPT_UP,
    CONN_S4_IN_LOGIN,
    CONN_S5_LOGGED_IN,
    CONN_S6_IN_LOGOUT,
    CONN_S7_LOGOUT_REQUESTED,
};

enum conn_event {
    CONN_EV_LOGIN,          /* the first login request */
    CONN_EV_LOGIN_DONE,     /* the last login response, accepting */
    CONN_EV_LOGIN_FAILED,   /* a login response that refuses, or a breach during login */
    CONN_EV_LOGOUT,         /* a logout request */
    CONN_EV_LOGOUT_DONE,    /* the logout response, success */
    CONN_EV_LOGOUT_REFUSED, /* the logout response, failure */
    CONN_EV_LOGOUT_ASKED,   /* our asynchronous message */
    CONN_EV_LOST,           /* a breach in full feature phase, or superseded */
};

enum task_state {
    TASK_RECEIVING, /* data-out is awaited */
    TASK_QUEUED,    /* its block request waits to be handed out */
    TASK_SUBMITTED, /* the front has its block request */
    TASK_HELD,      /* it is not known yet whether reservations forbid it */
    TASK_PREEMPTS,  /* what it is to abort is not aborted */
    TASK_PREEMPTED, /* that is, but not all of it is over */
};

struct iscsi_task {
    struct scsi_command scsi; /* scsi.data_out owned */
    struct iscsi_conn *conn;
    struct iscsi_task *hash_next;
    struct list node; /* in conn->tasks */
    struct list wait; /* in conn->queue, conn->r2t_wait or conn->waiting */
    enum task_state state;
    bool immediate;
    bool aborted;
    uint8_t flags; /* of the command PDU */
    uint32_t itt;
    uint64_t lun;
    uint32_t expected_bytes; /* Expected Data Transfer Length */

    /* Data-out. */
    bool moves_out;      /* the CDB is of a command that takes some */
    uint32_t want_bytes; /* what is kept of it */
    uint32_t got_bytes;  /* where in it the initiator is */
    uint32_t data_sn;    /* expected next */
    bool gathered;       /* in a buffer of its own, not where it was received */
    bool unsolicited;    /* more of it is to come without being asked for */
    bool soliciting;     /* it was asked for */
    uint32_t solicit_begin;
    uint32_t promised_bytes; /* of memory, to what was asked for or may come unasked */
    uint32_t ttt;            /* of the first R2T; the following ones count up */
    uint32_t r2t_sent;
    uint32_t r2t_done;
};

/* A task management function that waits until the fate of what it aborted is known. */
struct tmf {
    bool used;
    uint8_t function;
    uint32_t itt;
    uint32_t ref_itt;
};

struct login {
    bool named;    /* the first complete text was judged */
    bool declared; /* our MaxRecvDataSegmentLength was told */
    uint8_t stage; /* CSG */
    uint32_t pdus;
    uint16_t tsih;
    uint16_t cid;
};

struct iscsi_conn {
    struct iscsi_node *node;
    void *user; /* of the front */
    enum conn_state state;
    const char *why; /* once set: close */
    uint8_t random[ISCSI_RANDOM_BYTES];
    char local[ISCSI_PORTAL_BYTES];
    uint32_t portal; /* index in node->portals of the one it came through */

    struct login login;
    struct auth auth;
    struct scsi_port port;       /* who it is */
    struct access_client client; /* names port.initiator */
    struct negotiation keys;
    struct slice text_in; /* owned: a text continued over several PDUs, or empty */
    bool discovery;
    bool header_digest;
    bool data_digest;
    struct export *export; /* NULL in a discovery session */
    struct scsi_nexus nexus;
    bool superseded;
    struct list session_node;    /* in node->sessions */
    struct list superseded_node; /* in node->superseded */
    struct list ready_node;      /* in node->ready */
    struct list thirsty_node;    /* in node->thirsty */

    uint32_t stat_sn; /* of the next response */
    uint32_t exp_stat_sn;
    uint32_t exp_cmd_sn;
    uint32_t max_cmd_sn;
    uint32_t next_ttt;

    struct iscsi_task *hash[ISCSI_HASH];
    struct list tasks;
    struct list queue;    /* TASK_QUEUED */
    struct list r2t_wait; /* TASK_RECEIVING, not yet asked for */
    struct list waiting;  /* TASK_HELD, _PREEMPTS or _PREEMPTED */
    uint32_t task_count;  /* not immediate */
    uint32_t immediate_count;
    uint32_t submitted_count;
    uint64_t promised_bytes; /* to its tasks */
    struct tmf tmfs[ISCSI_TMFS_MAX];
    uint32_t tmf_count;

    uint32_t logout_itt; /* state S6 */
    uint8_t logout_response;

    uint32_t text_itt;     /* of the text exchange under way, or PDU_TAG_NONE */
    uint32_t text_ttt;     /* under which the initiator goes on */
    struct slice text_out; /* owned: an answer given in pieces */
    uint32_t text_out_at;

    bool heard; /* a PDU came since the last tick */
    bool pinged;
    uint64_t heard_ns; /* 0: no tick yet */
};

/* A received PDU. */
struct frame {
    const uint8_t *bhs;
    struct slice data; /* lent; without padding */
};

static inline bool seq_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* LUN 0 in peripheral and flat addressing (SAM-5 4.7.7): the one that exists. */
static inline bool lun_is_zero(uint64_t lun)
{
    return lun == 0 || lun == (uint64_t)0x4000 << 48;
}

static inline struct iscsi_task *task_of(struct block_req *request)
{
    return CONTAINER_OF(request, struct iscsi_task, scsi.block);
}

#endif
