/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open volume: its descriptors and its shared mapping (private to the room). The mapped file is
 *
 *   offset bytes
 *        0     8  magic "STRKMAP1"
 *        8    16  boot id of the kernel under which the planes were stamped as true
 *       24    16  the volume
 *       40     8  bytes of one plane, big-endian
 *       48     4  CRC32C of bytes 0 to 47, big-endian
 *       52     1  1: a sync has failed under this boot id, and nobody has repaired that
 *     4096        the planes
 *
 * A header that is not whole, or of another boot or volume, makes the planes worthless.
 */
#ifndef STRAKE_STORE_VOLUME_H
#define STRAKE_STORE_VOLUME_H

#include "replica/store/store.h"

struct store_volume {
    struct store *store; /* of the caller */
    struct uuid uuid;
    /* owned, each locked; -1 when closed */
    int meta_fd[2];
    int drl_fd;
    int data_fd;
    uint64_t data_bytes;
    uint64_t drl_bytes;
    uint64_t plane_bytes;
    uint8_t *images;    /* owned: the metadata copies and the log as they were found */
    uint8_t *map;       /* owned mapping: header page, then the planes */
    bool no_punch;      /* the file system cannot make holes */
    bool no_zero_range; /* nor zeros that keep their space */
    bool sync_failed;
    uint32_t in_flight;
};

enum { MAP_HEADER_BYTES = 4096 };

static inline uint64_t volume_map_bytes(uint64_t plane_bytes)
{
    return MAP_HEADER_BYTES + STORE_PLANE_COUNT * plane_bytes;
}

/* Remembers, also in the mapping, that what is on disk is no longer known. */
void volume_sync_failed(struct store_volume *volume);

#endif
