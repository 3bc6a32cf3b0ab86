/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the fixture's volume, one at a time: the loop runs until they are answered. */
#ifndef STRAKE_TESTS_STORE_REQUESTS_H
#define STRAKE_TESTS_STORE_REQUESTS_H

#include "tests/unit/replica/store/fixture.h"

static inline void fixture_req_done(struct store_req *req)
{
    (void)req;
    loop_stop(&fixture_loop);
}

static inline int fixture_do(struct store_req *req)
{
    req->volume = fixture_volume;
    req->done = fixture_req_done;
    store_submit(fixture_store, req);
    loop_run(&fixture_loop);
    return req->status;
}

static inline int fixture_write(uint64_t offset_bytes, const void *bytes, uint32_t length_bytes,
                                bool fua)
{
    union {
        const void *in;
        uint8_t *out;
    } data = {.in = bytes};
    struct store_req req = {.op = STORE_WRITE,
                            .fua = fua,
                            .offset_bytes = offset_bytes,
                            .length_bytes = length_bytes,
                            .data = {.bytes = data.out, .length_bytes = length_bytes}};
    return fixture_do(&req);
}

static inline int fixture_read(uint64_t offset_bytes, void *bytes, uint32_t length_bytes)
{
    struct store_req req = {.op = STORE_READ,
                            .offset_bytes = offset_bytes,
                            .length_bytes = length_bytes,
                            .data = {.bytes = bytes, .length_bytes = length_bytes}};
    return fixture_do(&req);
}

static inline int fixture_zero(uint64_t offset_bytes, uint64_t length_bytes, bool no_hole, bool fua)
{
    struct store_req req = {.op = STORE_ZERO,
                            .fua = fua,
                            .no_hole = no_hole,
                            .offset_bytes = offset_bytes,
                            .length_bytes = length_bytes};
    return fixture_do(&req);
}

static inline int fixture_sync(void)
{
    struct store_req req = {.op = STORE_SYNC};
    return fixture_do(&req);
}

static inline int fixture_page(enum store_op op, uint32_t index, const uint8_t *bytes)
{
    struct store_req req = {.op = op, .index = index, .bytes = bytes};
    return fixture_do(&req);
}

#endif
