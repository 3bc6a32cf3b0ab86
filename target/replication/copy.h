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

enum {
    COPY_HASHES = REPL_COPY_BYTES / (16 << 10),
    COPY_TRIES = 3, /* of a range that its target does not hold though it was written there */
};

/* HASHING: the source's hashes are asked for; COMPARING: those of who is copied to, or the
 * checksums of what was just written there. */
enum copy_phase {
    COPY_IDLE,
    COPY_LOCKING,
    COPY_HASHING,
    COPY_COMPARING,
    COPY_READING,
    COPY_WRITING,
};
enum copy_purpose { COPY_RECOVER, COPY_RESYNC, COPY_REPAIR };

struct copy {
    struct repl_range range;
    enum copy_phase phase;
    enum copy_purpose purpose;
    bool blind; /* not compared */
    bool fresh; /* not before it is written */
    bool locked;
    uint8_t tries;
    uint8_t source;
    uint8_t failed_sources;
    uint8_t dest;
    uint8_t answered;
    uint64_t generation; /* 0: the head; of another no lock is taken */
    uint64_t serial;
    uint64_t sent_ns;
    uint64_t differ;      /* bit per 16 KiB of the range: to be copied */
    uint64_t wrote;       /* likewise: to be checked */
    uint64_t checking;    /* COMPARING: these; 0: all by hashes */
    uint64_t begin_bytes; /* what is read and written, of the range */
    uint64_t end_bytes;
    struct slice data;
    /* Of the source; of what was written, its checksums. */
    uint8_t hashes[COPY_HASHES * HASH_BYTES];
};
STATIC_ASSERT(COPY_HASHES == 64, "what differs is a mask");

struct copy_task {
    enum copy_purpose purpose;
    bool blind;   /* without comparing: what can be read there may not be on its disk */
    bool fresh;   /* there is nothing there to compare with before */
    uint8_t dest; /* RECOVER: all others */
    uint64_t generation;
    uint64_t offset_bytes;
    uint64_t length_bytes;
};

/* A walk over what may differ, window by window. */
enum sweep_phase {
    SWEEP_NONE,
    SWEEP_PAUSE, /* what is to be done changed: begins anew when no copy is under way */
    SWEEP_MAP,
    SWEEP_COPY,
    SWEEP_SETTLE,
    SWEEP_ASK_AWAY, /* what members that are away may lack, by one in sync */
    SWEEP_MARK,     /* and the target takes note of it */
    SWEEP_FLUSH,
    SWEEP_READY,
};

struct sweep {
    enum sweep_phase phase;
    enum copy_purpose purpose;
    uint8_t dest;        /* RESYNC: the target */
    bool by_planes;      /* the planes tell what may differ; else what changed since `base` does */
    bool again;          /* what was asked for is not there any more */
    bool settled;        /* the target has taken note that the stage is done */
    uint64_t generation; /* of this stage; 0: the head */
    uint64_t base;
    uint64_t head_generation; /* RESYNC: the number of the head when the stage began */
    bool failed;              /* something could not be read anywhere */
    uint8_t members;          /* RECOVER: I, when it began */
    uint8_t waiting;          /* for a map, or the flush */
    uint64_t serial;
    uint64_t sent_ns;
    uint64_t pos_bytes; /* of the window */
    uint64_t window_bytes;
    uint64_t grain; /* in the window: next to look at */
    uint64_t grain_count;
    struct slice map;    /* of the window */
    struct slice theirs; /* RESYNC, not by_planes: of these, what the target has */
    uint64_t next_ns;    /* not before: rate limit, or another try */
    /* Copied or compared: of the stages before, and of this one; the most that was ever shown. */
    uint64_t done_bytes;
    uint64_t stage_bytes;
    uint64_t shown_bytes;
    uint64_t mapped_bytes; /* what planes named so far */
};

/* What all of it will be, while it goes on. */
struct count {
    uint8_t asked; /* who is waited for, or 0 */
    bool at_head;  /* the last to be counted */
    bool known;    /* all is counted */
    uint64_t serial;
    uint64_t kept; /* of this generation the planes tell */
    uint64_t head;
    uint64_t head_base;
    struct slice chunk; /* of the book */
    uint32_t chunk_at;
    uint64_t cursor;     /* of the next chunk; 0: there is none */
    uint64_t generation; /* being counted; 0: the head */
    uint64_t base;
    uint64_t pos_bytes;
    uint64_t bytes;
};

struct repair {
    uint64_t generation;
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint8_t dest;
};

#endif
