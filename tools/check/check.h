/* SPDX-License-Identifier: Apache-2.0 */
/* What strake-check is made of (private to the program). */
#ifndef STRAKE_CHECK_CHECK_H
#define STRAKE_CHECK_CHECK_H

#include "common/base/error.h"
#include "replica/map/map.h"
#include "replica/store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct pool {
    int fd;
    int data_fd;
    int volumes_fd;
    struct map *map;
    bool data;   /* every block is read, too */
    bool repair; /* what follows from the rest is put right */
    uint32_t findings;
    uint32_t repairs;
    uint32_t doubts; /* blocks that a process was writing when it was killed, perhaps */
    uint64_t slots;
    uint64_t blocks;
    /* The file that was read last. */
    int segment_fd;
    uint32_t family;
    uint64_t segment;
    int error; /* of what should have worked */
};

void pool_found(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pool_repaired(struct pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* data.c: the blocks of a slot against their checksums. */
void data_check_slot(struct pool *pool, const struct map_slot *slot);
/* A run's bytes as they lie there. 0 or -errno. */
MUST_USE int data_read(struct pool *pool, uint32_t family, uint64_t segment, uint64_t offset_bytes,
                       uint8_t *bytes, uint64_t length_bytes);
/* digests.c: the content of every generation whose digest is known. */
void digests_check(struct pool *pool);
/* files.c: the folders of the pool against the map. */
void files_check(struct pool *pool);
/* The volume's files were left by a process that did not close it. */
bool files_unclean(struct pool *pool, const struct uuid *volume);

#endif
