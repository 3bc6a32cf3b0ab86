/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata contexts: what BLOCK_STATUS can tell of a range. One row of a table each; a set of them
 * is a mask of bits, and bit n is known to clients as the context's id n + 1.
 */
#ifndef STRAKE_FRONT_NBD_CONTEXT_H
#define STRAKE_FRONT_NBD_CONTEXT_H

#include "target/front/export/export.h"

enum {
    NBD_CONTEXT_COUNT = 1,
    NBD_STATE_ALLOCATED = 0, /* base:allocation: neither a hole nor known to be zero */
};

struct nbd_extent {
    uint64_t length_bytes;
    uint32_t state;
};

struct nbd_context {
    const char *name;
    /* What begins at the offset, at most `length_bytes` (not 0) long. */
    struct nbd_extent (*extent)(const struct export *export, uint64_t offset_bytes,
                                uint64_t length_bytes);
};

extern const struct nbd_context nbd_contexts[NBD_CONTEXT_COUNT];

/*
 * What a query asks for: a context by its name; a listing also by its namespace ("base:").
 * `text` is not ended by a zero.
 */
uint32_t nbd_contexts_match(const char *text, uint32_t length, bool listing);
/* All there are. */
uint32_t nbd_contexts_all(void);
/* The context's bit; 0 when no context has this id. */
uint32_t nbd_context_of_id(uint32_t id);

#endif
