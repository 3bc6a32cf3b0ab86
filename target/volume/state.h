/* SPDX-License-Identifier: Apache-2.0 */
/* The private structs of the volume room, and what its files ask of each other. */
#ifndef STRAKE_VOLUME_STATE_H
#define STRAKE_VOLUME_STATE_H

#include "target/volume/book.h"
#include "target/volume/volume.h"

/*
 * A block request on its way. It is done part by part: a part is what one replicated operation can
 * do, and nearly every request is one part.
 */
struct volume_op {
    struct repl_op op;
    struct list node; /* in volume.ops, from submit until it is answered */
    struct volume *volume;
    struct block_req *req;            /* NULL: it is volume.own, or a question */
    struct volume_question *question; /* NULL: it is not one */
    uint64_t done_bytes;              /* of the request, by the parts that are finished */
    uint64_t part_bytes;              /* of the request, in the part that is out */
    uint32_t skip_bytes;              /* of the operation's range, before the part begins */
};

/* As many as there can be, and as many that are not members any more, or not yet. */
enum { VOLUME_MEMBERS_MAX = 2 * MEMBERS_MAX };

struct volume_member {
    struct volume *volume;
    struct peer *peer; /* who keeps it, as last heard; NULL when not found yet */
    struct uuid uuid;
    uint8_t idx; /* the replication core's index, or REPL_NO_PEER */
    struct channel channel;
    struct loop_timer retry;
};

struct volume {
    struct volume_env env;
    struct repl *repl; /* owned */
    struct volume_member members[VOLUME_MEMBERS_MAX];
    uint32_t member_count;
    bool placing;         /* who has no index may get one now */
    struct list ops;      /* volume_op.node: every request that is not answered */
    struct list waiting;  /* volume_op.op.node: the core has REPL_OPS_MAX already */
    struct list merging;  /* volume_op.op.node: read, to be merged */
    struct list finished; /* volume_op.op.node: to be answered */
    struct loop_task answer;
    struct loop_timer timer;
    uint64_t timer_ns; /* when it is set for; UINT64_MAX: not set */
    uint32_t ops_out;  /* with the core */
    bool stopping;
    bool core_stopped;
    bool aborted; /* the core is not asked any more */
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct volume_counters counters;
    bool limited;
    struct pace pace;               /* when limited */
    struct book book;               /* when book_known */
    struct book loading;            /* what was read so far */
    struct volume_op own;           /* a command, or a piece of the book is read */
    struct volume_command *command; /* own is this one; NULL: it reads the book, or is not out */
    struct loop_timer load;         /* reads the book, at once or once more */
    bool own_out;
    bool book_known;
};

/* volume.c */
/* Hands an operation to the core, or lets it wait for its turn. */
void volume_begin(struct volume *volume, struct volume_op *vop);

/* command.c */
void volume_own_init(struct volume *volume);
void volume_own_release(struct volume *volume);
/* volume.own, or a question, is done. */
void volume_own_answer(struct volume *volume, struct volume_op *vop);
/* A command, the volume's own or a request's, is done: the book follows. */
void volume_commanded(struct volume *volume, const struct volume_op *vop);

/* part.c */
/* 0 when the request may be carried out, else -E... for it. */
MUST_USE int volume_request_check(const struct volume *volume, const struct block_req *req);
/* Makes vop->op the request's next part. */
void part_next(struct volume_op *vop, struct buf_pool *bufs);
/* The part's range was read: puts the request's bytes into it. True when it is to be written. */
MUST_USE bool part_merge(struct volume_op *vop, struct buf_pool *bufs);
/* The part is done: takes its result over. True when the request is done with it. */
MUST_USE bool part_finish(struct volume_op *vop);

#endif
