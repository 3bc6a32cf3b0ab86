/* SPDX-License-Identifier: Apache-2.0 */
/* Where a volume's generations stand at one member: a part of several messages (generation.h). */
#ifndef STRAKE_WIRE_LINEAGE_H
#define STRAKE_WIRE_LINEAGE_H

#include "common/base/uuid.h"

#include <stdint.h>

/* What commands have made of a volume at one member. Command, identity and heads are the same at
 * all that took part in it. */
struct lineage {
    uint64_t command; /* the number of the last one applied; 0: none */
    struct uuid command_identity;
    uint64_t head_generation;
    uint64_t head_base; /* whose content the head began with; 0: nothing */
    /* The lowest sealed one that is not complete here, and what it began with; 0: none. */
    uint64_t incomplete_generation;
    uint64_t incomplete_base;
    /*
     * The generation of which the dirty planes tell what it may lack: the head of a member in sync,
     * and of one that was since it last settled its head. INSTALL keeps it if the new table has
     * that number, born by the same command, and leaves its content as it was; else 0, none.
     */
    uint64_t kept_generation;
};

#endif
