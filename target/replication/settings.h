/* SPDX-License-Identifier: Apache-2.0 */
/* How patient a volume's replication is, and how fast it copies; a part of the room's door. */
#ifndef STRAKE_REPLICATION_SETTINGS_H
#define STRAKE_REPLICATION_SETTINGS_H

#include "common/base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

/* What resyncs and scrubs of all volumes of a process have moved; zeros at first. See budget.c. */
struct repl_budget {
    uint64_t even_ns;     /* then what was moved is within the limit */
    uint64_t client_ns;   /* when a client's operation came or ended last */
    uint64_t moved_ns;    /* when something was moved last */
    uint64_t alone_ns;    /* how long writes take while nothing is moved */
    uint64_t beside_ns;   /* and since something is */
    uint64_t bytes_per_s; /* what may be moved now */
    uint64_t look_ns;     /* when that is looked at again */
};

struct repl_settings {
    uint64_t slow_ns;        /* the longest an in-sync peer may take over an operation */
    uint64_t hiccup_ns;      /* how far it may lag behind the others, at least; 0: as far as that */
    uint64_t target_slow_ns; /* the same for a peer that is being brought in sync */
    uint64_t grace_ns;       /* how long a lost peer is waited for before it is evicted */
    uint64_t recover_ns;     /* opening: how long to wait for missing in-sync members */
    uint64_t lossy_ns; /* opening: how long to wait before a source that lost its memory is taken */
    uint64_t checkpoint_ns;
    uint32_t equal_writes; /* between two EQUALs */
    uint64_t lease_ns;     /* for how long a majority is asked to answer nobody else */
    /* An earlier target process that is known to be dead, or zero: its leases are in nobody's way.
     */
    struct uuid dead;
    /* While clients are at work, at most: of resyncs and scrubs of all that share the budget. 0: no
     * limit */
    uint64_t resync_bytes_per_s;
    uint64_t scrub_bytes_per_s; /* of one volume's scrub, always; 0: no limit */
    struct repl_budget *budget; /* outlives the volumes */
    uint64_t io_timeout_ns;     /* frozen longer than this: -EIO to the client; 0: wait for ever */
    bool fail_when_full; /* a write for which too few have space ends with -ENOSPC; else it waits */
};
struct repl_settings repl_settings_default(void);

#endif
