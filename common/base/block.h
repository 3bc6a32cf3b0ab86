/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block request: the one noun that travels from a client's socket to the volume. The front end
 * owns it and embeds it in its own request; the volume answers by calling `done` exactly once,
 * never from inside the call that submitted it.
 */
#ifndef STRAKE_BASE_BLOCK_H
#define STRAKE_BASE_BLOCK_H

#include "common/base/buf.h"
#include "common/base/list.h"

enum block_op {
    BLOCK_READ,          /* done: data holds length_bytes, one reference for the owner */
    BLOCK_WRITE,         /* data holds length_bytes; the owner's reference stays the owner's */
    BLOCK_COMPARE_WRITE, /* data holds 2 x length_bytes: what must be there, then what to write */
    BLOCK_OR_WRITE,      /* as WRITE, but each bit that is set already stays so */
    BLOCK_ZERO,          /* the range reads as zeros afterwards; space is given back */
    BLOCK_FLUSH,         /* what was answered before this was submitted survives power loss */
    BLOCK_STATUS,        /* where the range has data: `runs` are filled from its begin on */
    BLOCK_SET_ROW,       /* the row `key` of the volume's book is `data`, durably; empty: removed */
};

enum block_flag {
    BLOCK_FUA = 1u << 0,     /* answered only when it survives power loss */
    BLOCK_NO_HOLE = 1u << 1, /* ZERO: keep the space allocated where the store can */
};

/* What a range holds. Compared with an older generation: HOLE is what did not change since. */
enum block_state {
    BLOCK_HOLE,   /* never written: reads as zeros, takes no space */
    BLOCK_ZEROED, /* was zeroed: reads as zeros */
    BLOCK_DATA,
};
struct block_run {
    uint64_t length_bytes;
    uint8_t state; /* enum block_state */
};

struct block_req {
    enum block_op op;
    uint32_t flags;        /* enum block_flag */
    uint64_t offset_bytes; /* any alignment */
    uint64_t length_bytes; /* at most BUF_BYTES_MAX; ZERO, STATUS: anything */
    struct slice data;
    uint64_t generation;      /* READ, STATUS: of the content; 0: what is written to */
    uint64_t from_generation; /* STATUS: what changed since this one; 0: what is there at all */
    struct block_run *runs;   /* STATUS: of the owner */
    uint32_t runs_max;
    uint32_t runs_count; /* at least one; together they may cover less than was asked for */
    const char *key;     /* SET_ROW; at most 64 characters */
    /*
     * 0, or -EIO, -ENOSPC, -EROFS, -EINVAL (out of range), -ESHUTDOWN (volume goes away),
     * -ENOENT (no such generation), -EOPNOTSUPP (STATUS: the replicas cannot tell), -EILSEQ
     * (COMPARE_WRITE: different; mismatch_bytes says where).
     */
    int status;
    uint64_t mismatch_bytes; /* offset, from offset_bytes, of the first byte that differed */
    void (*done)(struct block_req *req);
    void *owner;      /* of the front end: the session it answers to */
    struct list node; /* of whoever holds the request at the moment */
};

#endif
