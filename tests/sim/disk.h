/* SPDX-License-Identifier: Apache-2.0 */
/* What a replica host of the simulated cluster stores. */
#ifndef STRAKE_TESTS_SIM_DISK_H
#define STRAKE_TESTS_SIM_DISK_H

#include "replica/service/service.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SIM_REPLICAS_MAX = 10,
    SIM_TARGETS = 2,
    SIM_BLOCKS = 2304,   /* 9 MiB: three regions of the dirty log */
    SIM_CLIENT_OPS = 4,  /* outstanding a target */
    SIM_READER_OPS = 32, /* besides, only reads */
    SIM_OP_BLOCKS = 8,
    SIM_FIRST_BLOCKS = 2048, /* of a volume that grows */
    SIM_SPOTS = 3,
    SIM_SPOT_BLOCKS = 32,
    SIM_GENERATIONS_MAX = 12,
    SIM_GENERATIONS = 6, /* as many are kept */
    SIM_ROWS = 3,
    SIM_NUMBERS_MAX = 4096,
};
#define SIM_BYTES ((uint64_t)SIM_BLOCKS * BLOCK_BYTES)
#define SIM_US    ((uint64_t)1000)
#define SIM_MS    ((uint64_t)1000 * 1000)
#define SIM_NEVER UINT64_MAX

struct sim_image {
    uint32_t refs;
    bool unsynced;                   /* something may not be durable */
    uint64_t cached[SIM_BLOCKS];     /* what a read sees */
    uint64_t durable[SIM_BLOCKS];    /* what survives power loss for certain */
    uint64_t cached_seq[SIM_BLOCKS]; /* which store it was */
    uint64_t durable_seq[SIM_BLOCKS];
    bool own[SIM_BLOCKS]; /* stored in this generation, not shown from its base */
    bool bad[SIM_BLOCKS]; /* stored data does not match its checksum until it is rewritten */
};

struct sim_row { /* of the table of sealed generations */
    uint64_t generation;
    struct uuid identity;
    uint64_t base;
    struct uuid born;
    bool complete;
    struct sim_image *image;
};

struct sim_table {
    struct lineage lineage; /* `incomplete` is made by disk_lineage */
    struct sim_row rows[SIM_GENERATIONS_MAX];
    uint32_t count;
    struct sim_image *head;
    struct uuid head_born;
    uint64_t book[SIM_ROWS]; /* values of the rows "r0", "r1"...; 0: not there */
    uint8_t last_command[256];
    uint32_t last_command_bytes;
};

/* What was there when a sync began. */
struct sim_snap {
    struct sim_image *image;
    uint64_t ids[SIM_BLOCKS];
    uint64_t seqs[SIM_BLOCKS];
};
struct sim_point {
    struct sim_table table;
    uint64_t serial;
    uint32_t count;
    struct sim_snap snaps[SIM_GENERATIONS_MAX + 1];
};

struct sim_diff {
    uint64_t from;
    uint64_t generation;
    uint32_t block;
    uint32_t count;
};

struct sim_disk {
    struct sim_table table;
    struct sim_table durable;    /* what a power loss falls back to */
    struct sim_table installing; /* chunks that came so far */
    uint64_t changes;            /* of the table */
    uint64_t durable_changes;
    uint64_t seq;
    uint8_t meta[META_COPIES][META_BYTES];
    uint8_t *drl;    /* durable pages */
    uint8_t *planes; /* the mapping: recent writes, three planes and the failed byte */
    uint64_t plane_bytes;
    bool syncing;    /* the mapping's byte: something was being made durable */
    bool sync_error; /* the file system's own record of a failed sync, told once (syncfs) */
};

#endif
