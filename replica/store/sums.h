/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checksums in a shared mapping of a file: a store costs no system call, and the page cache keeps
 * it when the process is killed. A page that the disk does not give, or a file that was shortened,
 * raises SIGBUS: here that is a result, elsewhere still the end of the process (private to the
 * room).
 */
#ifndef STRAKE_STORE_SUMS_H
#define STRAKE_STORE_SUMS_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stdint.h>

/* Once in a process, before the first of the others. */
void sums_prepare(void);
/* From the mapping; false when it cannot be read. On any thread, as the next one. */
MUST_USE bool sums_get(const uint32_t *mapped, uint32_t *sums, uint64_t count);
/* Into it; false when not all are there. */
MUST_USE bool sums_put(uint32_t *mapped, const uint32_t *sums, uint64_t count);

#endif
