/* SPDX-License-Identifier: Apache-2.0 */
/* What moves data from member to member: copies of a range, and the walk that says which ranges. */
#ifndef STRAKE_REPLICATION_COPY_H
#define STRAKE_REPLICATION_COPY_H

#include "target/replication/replication.h"

enum {
    REPL_COPIES = 4, /* under way at once */
    REPL_COPY_BYTES = PAYLOAD_BYTES_MAX,
    REPL_MAP_BYTES = FRAME_BODY_BYTES_MAX,
    REPL_REPAIRS_MAX = 8,
};
#define REPL_GRAIN_BYTES  ((uint64_t)16 << 10) /* what one bit of a map covers */
#define REPL_WINDOW_BYTES (REPL_MAP_BYTES * 8 * REPL_GRAIN_BYTES)

enum copy_phase { COPY_IDLE, COPY_LOCKING, COPY_READING, COPY_WRITING };
enum copy_purpose { COPY_RECOVER, COPY_RESYNC, COPY_REPAIR };

struct copy {
    struct repl_range range;
    enum copy_phase phase;
    enum copy_purpose purpose;
    bool locked;
    uint8_t source;
    uint8_t failed_sources;
    uint8_t dest;
    uint8_t answered;
    uint64_t serial;
    uint64_t sent_ns;
    struct slice data;
};

/* A walk over what may differ, window by window. */
enum sweep_phase { SWEEP_NONE, SWEEP_MAP, SWEEP_COPY, SWEEP_FLUSH, SWEEP_READY };

struct sweep {
    enum sweep_phase phase;
    enum copy_purpose purpose;
    uint8_t dest;    /* RESYNC: the target */
    bool full;       /* all of it, whatever the maps say */
    bool failed;     /* something could not be read anywhere */
    uint8_t members; /* RECOVER: I, when it began */
    uint8_t waiting; /* for a map, or the flush */
    uint64_t serial;
    uint64_t sent_ns;
    uint64_t pos_bytes; /* of the window */
    uint64_t grain;     /* in the window: next to look at */
    uint64_t grain_count;
    struct slice map; /* of the window */
    uint64_t next_ns; /* not before: rate limit, or another try */
    uint64_t done_bytes;
};

struct repair {
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint8_t dest;
};

#endif
