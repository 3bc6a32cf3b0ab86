/* SPDX-License-Identifier: Apache-2.0 */
/* How patient a volume's replication is, and how fast it copies; a part of the room's door. */
#ifndef STRAKE_REPLICATION_SETTINGS_H
#define STRAKE_REPLICATION_SETTINGS_H

#include "common/base/uuid.h"

#include <stdint.h>

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
    uint64_t resync_bytes_per_s; /* 0: no limit */
    uint64_t scrub_bytes_per_s;  /* likewise */
    uint64_t io_timeout_ns;      /* frozen longer than this: -EIO to the client; 0: wait for ever */
};
struct repl_settings repl_settings_default(void);

#endif
