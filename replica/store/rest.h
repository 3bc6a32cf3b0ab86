/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open volume that nobody uses gives back what can be had again (private to the room): its
 * descriptors, those of its family's files if all is durable there, the pages of its mapping, and
 * what of its tables is zeros. It is still open: what it has in memory is true, and the first
 * request that needs a file waits until that is open again. Nothing is in flight meanwhile, so no
 * lock is needed for a successor's sake; the mapping keeps that of `map`.
 *
 * One timer for all volumes: it runs while there are any that have not come to rest.
 */
#ifndef STRAKE_STORE_REST_H
#define STRAKE_STORE_REST_H

#include "replica/store/step.h"

struct store;

struct rest {
    struct loop_timer timer;
    uint64_t after_ns;
    struct list awake; /* struct store_volume.awake, in the order of look_ns */
};

void rest_init(struct store *store, uint64_t after_ns);
void rest_release(struct store *store);
/* A request begins, or the volume was just opened. */
void volume_used(struct store_volume *volume);
/* It is being closed. */
void volume_rest_end(struct store_volume *volume);
/* The request goes on when the volume's own files are open again, or fails. */
MUST_USE enum step_next volume_wake(struct store_req *req);

#endif
