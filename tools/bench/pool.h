/* SPDX-License-Identifier: Apache-2.0 */
/* A pool to be measured: its store, one open volume, and requests to it one at a time. */
#ifndef STRAKE_BENCH_POOL_H
#define STRAKE_BENCH_POOL_H

#include "common/wire/generation.h"
#include "replica/store/store.h"

#define GIB ((uint64_t)1 << 30)

struct bench {
    struct loop loop;
    struct buf_pool bufs;
    struct store *store;
    struct store_volume *volume; /* the open one */
    uint64_t command;
    uint64_t head;
    int result;         /* of the last one */
    double answered_us; /* when it was */
};

extern struct bench bench;

bool bench_begin(const char *directory);
void bench_end(void);
/* Ends the process unless it is fine. */
void must(bool fine, const char *what);
double now_us(void);
double cpu_us(void); /* of this process */
double rss_mib(void);
void say(const char *what, double value, const char *unit);

struct uuid uuid_of(uint32_t number);
void volume_create(uint32_t number, uint64_t size_bytes);
/* Begins as the generation of another one. */
void volume_clone(uint32_t number, uint64_t size_bytes, uint32_t origin, uint64_t generation);
void volume_open(uint32_t number, uint64_t size_bytes);
void volume_close(void);

/* Submits it and waits for it. */
void perform(struct store_req *req, const char *what);
void give_command(enum command_kind kind, uint64_t generation);
void sync_all(void);
/* How long one takes. */
double write_us(uint64_t block, struct slice *data);
void sleep_ms(uint64_t ms);

#endif
