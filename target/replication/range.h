/* SPDX-License-Identifier: Apache-2.0 */
/* One claim on a range of the volume, embedded in an operation: private to the room, see
 * range_lock.h. */
#ifndef STRAKE_REPLICATION_RANGE_H
#define STRAKE_REPLICATION_RANGE_H

#include "common/base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct repl_zone {
    struct list node;
    struct repl_range *range;
    uint64_t zone;
};
struct repl_range {
    uint64_t begin_bytes;
    uint64_t end_bytes;
    uint64_t turn; /* FIFO among those that overlap */
    bool exclusive;
    bool internal; /* a copy's, not an operation's */
    bool held;     /* something of it is under way */
    uint8_t level;
    uint32_t blockers; /* earlier claims that must end first */
    struct repl_zone zones[2];
};

#endif
