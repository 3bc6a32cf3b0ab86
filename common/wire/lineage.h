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
    /* After INSTALL: the generation, sealed or head, that still holds what the head held before, on
     * a base of the same identity; 0: none does. */
    uint64_t kept_generation;
};

#endif
