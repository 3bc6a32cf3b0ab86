/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulated cluster is made of: disks, hosts, connections, the oracle's memory, what goes
 * wrong. */
#ifndef STRAKE_TESTS_SIM_PARTS_H
#define STRAKE_TESTS_SIM_PARTS_H

#include "replica/service/service.h"
#include "target/replication/replication.h"
#include "tests/sim/disk.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- replica host ---- */
struct sim_replica {
    uint8_t idx;
    struct uuid member;
    struct uuid boot;
    struct sim_disk disk;
    struct service *service; /* NULL: process down */
    uint8_t *drl_image;      /* the process's own */
    struct pool ios;
    struct sim_kio *kios; /* I/O that the kernel runs */
    uint32_t orphans;     /* of them, of dead processes */
    uint32_t syncs;       /* of them, what makes something durable, of the process */
    uint64_t clock_rate;  /* per mille of true time */
    uint64_t deadline_ns; /* for which there is an event */
    bool restarting;
    bool gone;          /* deleted, for good */
    bool stopping;      /* a sync failed: it ends soon */
    bool full;          /* ENOSPC */
    uint32_t write_eio; /* per 10000 */
    uint32_t sync_fail; /* per 10000 */
    uint32_t slow_factor;
};

/* ---- connections ---- */
struct sim_conn {
    uint64_t id;
    uint8_t target;
    uint8_t replica;
    uint64_t target_life; /* which incarnation */
    bool target_closed;   /* the end knows that it is over */
    bool replica_closed;
    uint64_t dead_ns[2]; /* frames that would arrive later are lost; [0] to the replica */
    uint64_t last_ns[2];
    uint32_t refs;
};

/* ---- targets and what clients ask of them ---- */
struct sim_op {
    struct repl_op op;
    uint8_t target;
    uint32_t write_idx; /* in the oracle, of a write; else UINT32_MAX */
    uint64_t start_ns;
    uint32_t block;
    uint32_t count;
    uint64_t value; /* of the row a command sets */
    struct sim_op *next;
};

struct sim_target {
    struct repl *repl; /* NULL: down */
    uint64_t life;
    struct repl_budget budget;
    struct uuid uuid;
    struct config committed; /* by this target, last; epoch 0: none */
    uint64_t proposed;       /* the version last seen */
    struct sim_conn *conns[SIM_REPLICAS_MAX];
    uint8_t peer_of[SIM_REPLICAS_MAX]; /* or REPL_NO_PEER */
    struct sim_op *ops;                /* outstanding */
    uint32_t op_count;
    uint64_t timer_ns;
    uint64_t timer_serial;
    bool serving_seen;
    uint64_t serving_since_ns;
    bool fenced;
    bool stopped;
    bool issue; /* clients are at work */
};

/* ---- the oracle's view of a write to at most SIM_OP_BLOCKS blocks ---- */
struct sim_write {
    uint32_t block;
    uint32_t count;
    uint64_t start_ns;
    uint64_t finish_ns; /* SIM_NEVER: not answered */
    bool fua;
    bool zero;  /* wrote zeros */
    bool void_; /* failed, or its target is gone: it may never happen */
    /* For want of space: what was there was put back by then. A snapshot taken before may show it.
     */
    uint64_t undone_ns;
    struct sim_zone {
        uint64_t min_finish_ns; /* of it and of all reads that saw it */
        uint64_t max_start_ns;
        bool read;
        bool old;     /* written before the last loss of memory */
        bool refused; /* a later write was flushed before it: must not be seen */
        bool lax;     /* may have been taken back, or come back, by a revert */
    } zones[SIM_OP_BLOCKS];
};

struct sim_flush {
    uint64_t start_ns;
    uint64_t finish_ns;
};

/* A sealed generation: what it holds, once and for all. */
struct sim_seal {
    uint64_t generation;
    struct uuid identity;
    bool acked;
    uint64_t content[SIM_BLOCKS];
};

/* A value that a row of the book was given. */
struct sim_value {
    uint32_t row;
    uint64_t start_ns;
    uint64_t finish_ns; /* SIM_NEVER: not answered */
};

struct sim_oracle {
    struct sim_seal **seals;
    uint32_t seal_count;
    struct sim_value *values; /* [value - 1] */
    uint32_t value_count;
    uint32_t reverts_open; /* asked for, and their end is not known */
    uint64_t revert_epoch;
    bool dropping[SIM_NUMBERS_MAX]; /* a DROP of that generation was asked for */

    struct sim_write *writes; /* [id - 1] */
    uint32_t write_count;
    uint32_t write_capacity;
    struct sim_flush *flushes;
    uint32_t flush_count;
    uint32_t flush_capacity;
    uint64_t era_ns;
    uint64_t flushed_ns[SIM_BLOCKS]; /* start of the latest write that must be durable */
};

struct sim_faults {
    uint32_t cut, silence, kill_replica, power, power_all, kill_target, take_over, eio, enospc,
        sync, rot, slow, partition, usurp, grow; /* weight of each; 0: off */
    uint32_t undecided; /* per 10000 proposals, or commands, one during it */
    uint32_t held;      /* per 10000 requests for leases, the answers come late */
    uint64_t mean_ns;
};

/* A mix of faults that come often, for what is seldom seen otherwise. */
enum sim_mix {
    SIM_MIX_DRAWN,
    SIM_MIX_SPLIT,
    SIM_MIX_DISK,
    SIM_MIX_CRASH,
    SIM_MIX_LEASE,
    SIM_MIX_MEMBERS
};

#endif
