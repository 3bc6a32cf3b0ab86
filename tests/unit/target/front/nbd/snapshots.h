/* SPDX-License-Identifier: Apache-2.0 */
/* An export's snapshots: "monday", generation 3, and "tuesday", generation 5. */
#ifndef STRAKE_TESTS_NBD_SNAPSHOTS_H
#define STRAKE_TESTS_NBD_SNAPSHOTS_H

#include "target/front/export/export.h"

#include <string.h>

static inline uint64_t snapshots_generation(void *owner, const char *name, size_t length)
{
    (void)owner;
    if (length == 6 && memcmp(name, "monday", length) == 0)
        return 3;
    return length == 7 && memcmp(name, "tuesday", length) == 0 ? 5 : 0;
}

static inline void snapshots_list(void *owner, void (*each)(void *arg, const char *name), void *arg)
{
    (void)owner;
    each(arg, "monday");
    each(arg, "tuesday");
}

static const struct export_snapshots snapshots = {.generation = snapshots_generation,
                                                  .list = snapshots_list};

#endif
