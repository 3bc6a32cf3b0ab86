/* SPDX-License-Identifier: Apache-2.0 */
/* A volume between fakes. */
#ifndef STRAKE_TESTS_VOLUME_FIXTURE_H
#define STRAKE_TESTS_VOLUME_FIXTURE_H

#include "tests/unit/target/volume/fake_core.h"

static struct loop loop;
static struct pool ops;
static struct volume *volume;
static struct block_req req;
static int done_count, stopped_count;
static struct peer *const some_peer = (struct peer *)(void *)&peer_count;

static inline void on_done(struct block_req *request)
{
    (void)request;
    done_count++;
}

static inline void on_stopped(void *arg)
{
    (void)arg;
    stopped_count++;
}

static inline void turn(void)
{
    for (int i = 0; i < 4; i++)
        ev_run(loop.ev, EVRUN_NOWAIT);
}

static inline void setup(void)
{
    ck_assert_int_eq(loop_init(&loop), 0);
    buf_pool_init(&bufs, 1 << 24);
    ck_assert_int_eq(pool_init(&ops, volume_op_bytes(), OPS_COUNT), 0);
    struct volume_env env = {.loop = &loop, .bufs = &bufs, .ops = &ops};
    volume = volume_new(&env, &config);
}

static inline void teardown(void)
{
    slice_release(&req.data);
    volume_free(volume);
    pool_release(&ops);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

static inline void submit(enum block_op op, uint64_t offset_bytes, uint64_t length_bytes)
{
    req = (struct block_req){
        .op = op, .offset_bytes = offset_bytes, .length_bytes = length_bytes, .done = on_done};
    if (op == BLOCK_WRITE)
        req.data = slice_get(&bufs, (uint32_t)length_bytes);
    volume_submit(volume, &req);
}

/* The core completes the last operation it was given, at its next step. */
static inline void complete_last(int status)
{
    struct repl_op *op = events[event_count - 1].op;
    op->status = status;
    tell((struct repl_effect){.kind = REPL_DO_COMPLETE, .op = op});
    opened[0]->on_down(opened[0]); /* any event drains the effects */
}

static inline void member(uint8_t id)
{
    peer_is_up = true;
    volume_member_at(volume, &(struct uuid){.bytes = {id}}, some_peer);
}

#endif
