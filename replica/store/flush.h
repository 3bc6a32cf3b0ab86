/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A family made durable by a thread, for who has no request of a volume: before a fold, and for a
 * volume that is made. Data and checksums first, then what the map's journal says of them (private
 * to the room).
 */
#ifndef STRAKE_STORE_FLUSH_H
#define STRAKE_STORE_FLUSH_H

#include "replica/store/worker.h"

#include <stdint.h>

struct store;

typedef void flush_done_fn(void *arg, int status);
/* They waited for the end of a sync. */
void flush_resume(struct list *flushes);
/* `done` in a later turn. */
void flush_begin(struct store *store, struct worker *worker, uint32_t family, flush_done_fn *done,
                 void *arg);

#endif
