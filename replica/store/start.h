/* SPDX-License-Identifier: Apache-2.0 */
/* The map of a pool that is being opened, and what unfinished work left beside it (private). */
#ifndef STRAKE_STORE_START_H
#define STRAKE_STORE_START_H

#include "common/base/error.h"

struct store;

/* store->map, or the reason. The directory is open and locked. */
MUST_USE int start_map(struct store *store, const char *directory, struct error *error);

#endif
