/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole cluster in one thread and in virtual time: the real replication core on targets, the real
 * service on replicas, and between and below them a simulated network and simulated disks that
 * misbehave as a seed says. The oracle watches what clients are told.
 *
 * Faults, drawn per seed: connections cut at any frame, half-open ones, one-way silence; replica
 * processes killed (memory of the kernel survives), hosts losing power (each 4 KiB block that was
 * not synced is independently kept or lost; log pages and metadata under way are kept, lost or
 * torn); EIO, ENOSPC, failed syncs, stored blocks going bad; targets killed, and others taking over
 * while the first one lives. In every third seed the volume begins smaller and is made larger.
 */
#ifndef STRAKE_TESTS_SIM_SIM_H
#define STRAKE_TESTS_SIM_SIM_H

#include "tests/sim/parts.h"

struct sim;
struct sim_event;
typedef void sim_fn(struct sim *sim, struct sim_event *event);

struct sim_event {
    uint64_t at_ns;
    uint64_t order;
    sim_fn *fn;
    void *a;
    uint64_t x;
    uint64_t y;
};

struct sim {
    uint64_t seed;
    uint64_t random;
    uint64_t now_ns;
    uint64_t order;
    uint64_t events;
    bool trace;
    bool quiet;    /* faults are over */
    bool ending;   /* nothing starts again */
    bool commands; /* clients give commands */
    bool reverts;  /* REVERT too */
    bool members;  /* come and go */
    struct sim_event *heap;
    uint32_t heap_count;
    uint32_t heap_capacity;
    struct buf_pool bufs;
    uint32_t replica_count;
    struct config config;    /* as the volume was made */
    struct config committed; /* the newest any target knows of */
    struct repl_settings settings;
    struct sim_replica replicas[SIM_REPLICAS_MAX];
    struct sim_target targets[SIM_TARGETS];
    uint64_t silent[SIM_TARGETS][SIM_REPLICAS_MAX][2]; /* until; [0] to the replica */
    uint64_t conn_ids;
    uint64_t uuids;
    enum sim_mix mix;
    struct sim_faults faults;
    struct sim_oracle oracle;
    uint64_t done_ops;
    uint64_t cache_losses;
    uint64_t fault_count;
    uint64_t change_count; /* of members */
    uint64_t served_epoch; /* the highest in which anybody served */
};

/* sim.c */
bool sim_grows(const struct sim *sim);
uint64_t sim_random(struct sim *sim);
/* Uniform in [0, n). */
uint64_t sim_below(struct sim *sim, uint64_t n);
bool sim_chance(struct sim *sim, uint32_t per_10000);
void sim_at(struct sim *sim, uint64_t at_ns, sim_fn *fn, void *a, uint64_t x, uint64_t y);
void sim_after(struct sim *sim, uint64_t delay_ns, sim_fn *fn, void *a, uint64_t x, uint64_t y);
/* Runs the next event; false when there is none. */
bool sim_turn(struct sim *sim);
struct uuid sim_uuid(struct sim *sim);
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A breach: says what, and the command that replays it, and stops. */
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct slice sim_payload(struct sim *sim, const uint64_t *ids, uint32_t count);
uint64_t sim_payload_id(const struct slice *data, uint32_t block);

/* net.c */
void net_connect(struct sim *sim, uint8_t target, uint8_t replica);
void net_to_replica(struct sim *sim, struct sim_conn *conn, const struct frame *frame);
void net_to_target(struct sim *sim, uint64_t conn_id, uint8_t replica, const struct frame *frame);
void net_close_by_target(struct sim *sim, struct sim_conn *conn);
void net_cut(struct sim *sim, uint8_t target, uint8_t replica);
/* The host or process is gone, and with it its end of every connection. */
void net_replica_gone(struct sim *sim, uint8_t replica);
void net_target_gone(struct sim *sim, uint8_t target);

/* replica.c */
/* Not the true time: each runs at a rate of its own. */
uint64_t replica_clock(const struct sim *sim, const struct sim_replica *replica);
/* A replica process makes a member. */
void replica_make(struct sim *sim, uint8_t idx, const struct message_create *create);
void replica_start(struct sim *sim, struct sim_replica *replica);
void replica_kill(struct sim *sim, struct sim_replica *replica);
void replica_power(struct sim *sim, struct sim_replica *replica);
void replica_restart_later(struct sim *sim, struct sim_replica *replica, uint64_t delay_ns);
void replica_frame(struct sim *sim, struct sim_replica *replica, uint64_t conn_id,
                   const struct frame *frame);
void replica_disconnected(struct sim *sim, struct sim_replica *replica, uint64_t conn_id);
void replica_release(struct sim *sim, struct sim_replica *replica);

/* disk.c */
void disk_init(struct sim_disk *disk);
void disk_release(struct sim_disk *disk);
const struct sim_row *disk_row(const struct sim_table *table, uint64_t generation);
struct lineage disk_lineage(const struct sim_table *table);
/* 0: blocks of it may be stored. */
int disk_writable(struct sim_disk *disk, uint64_t generation);
/* The block with this content goes bad where it lies, for all that show it; or is mended there. */
void disk_rot(struct sim_disk *disk, uint32_t block, uint64_t id, bool bad);
void disk_store(struct sim_disk *disk, uint64_t generation, uint32_t block, uint64_t id);
/* NULL: it is not there, or not complete. */
const struct sim_image *disk_readable(const struct sim_disk *disk, uint64_t generation,
                                      bool partial);
struct sim_point *disk_point(struct sim_disk *disk);
void disk_point_free(struct sim_point *point);
void disk_point_reached(struct sim *sim, struct sim_disk *disk, struct sim_point *point,
                        bool fails);
/* All that is there is durable: nothing survives without what was before it. */
void disk_fua(struct sim *sim, struct sim_disk *disk);
void disk_power(struct sim *sim, struct sim_disk *disk);
int disk_command(struct sim_disk *disk, const uint8_t *body, uint32_t body_bytes, bool incomplete);
int disk_settle(struct sim_disk *disk, uint64_t generation);
uint32_t disk_book(const struct sim_disk *disk, uint64_t cursor, uint8_t *body, uint32_t body_max);
int disk_install(struct sim_disk *disk, const uint8_t *body, uint32_t body_bytes, uint64_t cursor,
                 bool more, bool all);
/* The process that took chunks is gone. */
void disk_install_forget(struct sim_disk *disk);
/* 0: what is asked about is not there. */
uint32_t disk_diff(struct sim *sim, const struct sim_disk *disk, const struct sim_diff *ask,
                   uint8_t *body, uint32_t *covered);

/* history.c: generations and the book */
void history_begin(struct sim *sim, struct sim_op *op);
void history_end(struct sim *sim, struct sim_op *op, bool ok);
void history_read(struct sim *sim, const struct sim_op *op);
/* White box: every complete generation is what it was, and what was told to clients is there. */
void history_check(struct sim *sim);
void history_release(struct sim *sim);
/* A sealed generation that the volume has, or 0. */
uint64_t history_pick(struct sim *sim);
uint32_t history_count(const struct sim *sim);

/* target.c */
void target_start(struct sim *sim, uint8_t idx);
void target_kill(struct sim *sim, uint8_t idx);
void target_unlimit(struct sim *sim, uint8_t idx); /* copies and scrubs as fast as it can */
void target_stop(struct sim *sim, uint8_t idx);
/* The set that stands for this host; empty: the core knows nothing of it. */
uint8_t target_bit(const struct sim_target *target, uint32_t replica);
void target_event(struct sim *sim, uint8_t idx, const struct repl_event *event);
void target_issue(struct sim *sim, uint8_t idx, enum repl_op_kind kind, uint32_t block,
                  uint32_t count);
void target_work(struct sim *sim, uint8_t idx);
/* The target that serves in the highest epoch, or -1. */
int target_serving(const struct sim *sim);

/* oracle.c */
uint32_t oracle_write(struct sim *sim, uint32_t block, uint32_t count, bool zero, bool fua);
void oracle_written(struct sim *sim, uint32_t write_idx, int status);
void oracle_read(struct sim *sim, uint32_t block, uint64_t id, uint64_t start_ns);
void oracle_flushed(struct sim *sim, uint64_t start_ns);
void oracle_cache_lost(struct sim *sim);
/* The head may be what it once was: of the writes so far no order is known any more. */
void oracle_revert(struct sim *sim);
bool oracle_is_usable(const struct sim_replica *replica);
void oracle_check(struct sim *sim);
void oracle_release(struct sim *sim);
/* White box: members differ only where one of them says so. */
void oracle_check_planes(struct sim *sim);
/* White box: what was flushed is durable at every member in sync. */
void oracle_check_durable(struct sim *sim);
/* All members hold the same. */
void oracle_check_equal(struct sim *sim);

/* members.c */
void members_begin(struct sim *sim);
/* Who keeps this member; NULL: nobody. */
struct sim_replica *members_host(struct sim *sim, const struct uuid *member);

/* faults.c */
void faults_draw(struct sim *sim);
/* Instead of what was drawn, if a mix was asked for. */
void faults_mix(struct sim *sim);
void faults_begin(struct sim *sim, uint64_t until_ns);
void faults_end(struct sim *sim);
/* This target has proposed a configuration; asks for leases; sends a command, to whom it gets. */
void faults_proposed(struct sim *sim, uint8_t target);
void faults_asked(struct sim *sim, uint8_t target);
uint8_t faults_commanded(struct sim *sim, uint8_t target, uint8_t peers);
/* If every target found out that it was taken over, there is one more. */
void faults_replace_fenced(struct sim *sim);

#endif
