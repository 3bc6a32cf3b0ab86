/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool's directory: recognised by its marker, held by a lock, cleaned of what a killed process
 * left half made. The marker is the text
 *
 *   strake pool
 *   format 2
 *   uuid 00000000-0000-4000-8000-000000000000
 *   feature NAME          (any number: what a reader must know to use the pool; none exists yet)
 *
 * In volumes/ and deleted/ a name that begins with a dot is unfinished work: being made, or being
 * removed.
 */
#ifndef STRAKE_STORE_DIRECTORY_H
#define STRAKE_STORE_DIRECTORY_H

#include "common/base/error.h"
#include "common/base/uuid.h"

struct directory {
    struct uuid uuid;
    /* owned descriptors, -1 when closed */
    int fd;
    int lock_fd;
    int volumes_fd;
    int deleted_fd;
    int data_fd;
};

/* `expected`: the pool's identity, or NULL for any, and for one to be made. */
MUST_USE int directory_open(struct directory *directory, const char *path,
                            const struct uuid *expected, struct error *error);
/* Harmless after an open that failed. */
void directory_close(struct directory *directory);
/* Moves the volume out of sight, durably, then removes it. 0 also when there is none. */
MUST_USE int directory_volume_remove(const struct directory *directory, const struct uuid *volume);

#endif
