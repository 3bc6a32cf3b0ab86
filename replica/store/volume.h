/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open volume: its descriptors and its shared mapping (private to the room). The mapped file is
 *
 *   offset bytes
 *        0     8  magic "STRKMAP2"
 *        8    16  boot id of the kernel under which the planes were stamped as true
 *       24    16  the volume
 *       40     4  CRC32C of bytes 0 to 39, big-endian
 *       44     1  1: a sync has failed under this boot id, and nobody has repaired that
 *       45     1  1: something is being made durable
 *       46     1  1: closed in order: synced, and every checksum agrees with its block
 *     4096 32768  the service's own, of recent writes
 *    36864        the first plane; the others 8 GiB and 16 GiB behind it
 *
 * A header that is not whole, or of another boot or volume, makes the planes worthless. Where a
 * plane lies does not depend on the volume's size, so it grows in place; the file is sparse.
 *
 * Byte 45 is for the successor of a killed process. Linux tells an error of writing back to each
 * open file description once. One that came before the successor opened the file it is told too,
 * but only if nobody was told before; and a sync that outlived its process was told, and found
 * nobody listening: the pages are clean since, and the successor's own sync ends well. The file
 * system's own record of such errors, which syncfs() gives out likewise once, is not touched by
 * syncs of files. So where the byte is set syncfs() is asked, and an error is a sync that failed,
 * for this volume; its absence shows that the last sync ended well, and a killed process costs
 * nothing. (Errors of other files of the file system count too: better once too often. Not found
 * is a device that refused a flush to the dead process and obeyed the next.)
 */
#ifndef STRAKE_STORE_VOLUME_H
#define STRAKE_STORE_VOLUME_H

#include "replica/store/digester.h"
#include "replica/store/doubt.h"
#include "replica/store/store.h"
#include "replica/store/worker.h"

struct store_volume {
    struct list node;    /* store.volumes */
    struct store *store; /* of the caller */
    struct family *family;
    struct map_volume *map_volume;
    struct uuid uuid;
    /* owned, each locked; -1 when closed, as they are while it rests: rest.h */
    int meta_fd[2];
    int drl_fd; /* the last to be opened */
    uint64_t size_bytes;
    uint64_t drl_bytes;
    uint64_t plane_bytes;
    uint8_t *images; /* owned: the metadata copies and the log as they were found */
    /* owned mappings: header page and first plane, then one plane each */
    uint8_t *maps[STORE_PLANE_COUNT];
    uint8_t *grown[STORE_PLANE_COUNT]; /* GROW: what takes their place */
    struct store_req *growing;         /* under way, or NULL */
    bool sync_failed;
    uint32_t syncs; /* under way: what is durable at its end */
    uint32_t in_flight;
    struct doubt doubt;
    struct digest_task digests[DIGEST_TASKS];
    /* The background's own request: settling, and the sync before the end. */
    struct store_req own;
    uint64_t settle_from;
    bool settling;
    int settle_status; /* -ENOSPC: some of this pass found no space */
    bool disturbed;    /* what is being settled was written to meanwhile */
    struct list seals; /* struct store_req: they wait until all is settled */
    bool closing;
    struct list awake; /* rest.awake, until it comes to rest */
    uint64_t look_ns;  /* when to see whether it was used since the last time */
    bool used;         /* it was */
    struct list wakes; /* struct store_req: wait for the files */
    struct work wake;  /* opens them again */
    int wake_rc;
    struct store_found found;
    struct work work; /* opens the files, makes them larger */
    struct error error;
    int rc;
    store_open_fn *opened;
    store_job_fn *closed;
    void *arg;
    struct loop_task tell;
};

enum { MAP_RECENT_AT = 4096, MAP_HEADER_BYTES = MAP_RECENT_AT + STORE_RECENT_BYTES };

/* Room in the mapped file for each plane: of a volume of 1 PiB. */
#define MAP_SPAN_BYTES ((uint64_t)8 << 30)

/* Makes the mapped file large enough, its space reserved. */
MUST_USE int volume_map_reserve(int fd, uint64_t plane_bytes);
/* GROW: the request is resumed when the files are ready; then it ends. */
void volume_grow_begin(struct store_req *req);
void volume_grow_end(struct store_req *req, int status);

/* Closes its own files, and gives back the memory that says nothing or can be read again. */
void volume_files_rest(struct store_volume *volume);
/* Opens them again, on any thread; the reason is in volume->error. */
MUST_USE int volume_files_open(struct store_volume *volume);

/* Something is being made durable, or no longer. */
void volume_sync_begins(struct store_volume *volume);
void volume_sync_ended(struct store_volume *volume);
/* Whether a process of this boot left the volume without closing it. */
bool volume_is_unclean(const struct store *store, const struct uuid *uuid, int dir_fd);
/* Doubt is about the head: before it is sealed it is settled. True: the request waits for that. */
MUST_USE bool volume_settles_first(struct store_volume *volume, struct store_req *req);
/* A write is about to begin: what was in doubt there is not any more. */
void volume_undoubt(struct store_volume *volume, uint64_t offset_bytes, uint64_t length_bytes);
/* What is closing and waited for the background goes on. */
void volume_go_on_closing(struct store_volume *volume);
/* Remembers, also in the mapping, that what is on disk is no longer known. */
void volume_sync_failed(struct store_volume *volume);

#endif
