/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the fixture's volume, one at a time: the loop runs until they are answered. */
#ifndef STRAKE_TESTS_STORE_REQUESTS_H
#define STRAKE_TESTS_STORE_REQUESTS_H

#include "tests/unit/replica/store/fixture.h"

/* The first file of the volume's blocks; the pool has one family. */
static inline const char *fixture_data(void)
{
    static char path[256];
    for (unsigned family = 0; family < 16; family++) {
        snprintf(path, sizeof(path), "%s/data/%08x/00000000", fixture_path, family);
        if (access(path, F_OK) == 0)
            break;
    }
    return path;
}

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

/* A buffer with these bytes and their checksums. */
static inline struct slice fixture_slice(const void *bytes, uint32_t length_bytes)
{
    struct slice slice = slice_get(&fixture_bufs, length_bytes);
    memcpy(slice.bytes, bytes, length_bytes);
    slice_crc_fill(&slice);
    return slice;
}

static inline int fixture_write(uint64_t offset_bytes, const void *bytes, uint32_t length_bytes,
                                bool fua)
{
    struct store_req req = {.op = STORE_WRITE,
                            .fua = fua,
                            .offset_bytes = offset_bytes,
                            .length_bytes = length_bytes,
                            .data = fixture_slice(bytes, length_bytes)};
    int status = fixture_do(&req);
    slice_release(&req.data);
    return status;
}

/* The bytes are given also when their checksums are wrong; the right ones are checked here. */
static inline int fixture_read(uint64_t offset_bytes, void *bytes, uint32_t length_bytes)
{
    struct store_req req = {.op = STORE_READ,
                            .offset_bytes = offset_bytes,
                            .length_bytes = length_bytes,
                            .data = slice_get(&fixture_bufs, length_bytes)};
    int status = fixture_do(&req);
    memcpy(bytes, req.data.bytes, length_bytes);
    if (status == 0)
        ck_assert(slice_crc_ok(&req.data));
    slice_release(&req.data);
    return status;
}

static inline int fixture_zero(uint64_t offset_bytes, uint64_t length_bytes, bool fua)
{
    struct store_req req = {
        .op = STORE_ZERO, .fua = fua, .offset_bytes = offset_bytes, .length_bytes = length_bytes};
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
