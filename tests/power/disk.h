/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that loses its power, under the shipped code. The files are real ones; beside each of them
 * is kept what of it is on the disk for certain: its content and size at its last sync, a folder's
 * names likewise. The calls that matter are caught in this process, whoever makes them, also LMDB
 * and io_uring (calls.c). Whatever differs between a file and what is certain, written through
 * which call or mapping ever, a crash keeps, loses or tears, block by block.
 *
 * The rules: a sync makes durable what the file held when it was asked for; a written 4 KiB of a
 * segment's data is kept or lost as a whole, anything else is torn at 512 bytes; sizes and a
 * folder's names are the old or the new ones; what is not synced may be written at any time.
 */
#ifndef STRAKE_TESTS_POWER_DISK_H
#define STRAKE_TESTS_POWER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;

enum crash {
    CRASH_POWER, /* what was not synced is kept, lost or torn */
    CRASH_KILL,  /* the page cache stays; so does what is not certain of it */
};

enum { DISK_PATH_BYTES = 128 };

/* All that is below the folder is durable now. */
struct disk *disk_new(const char *root);
void disk_free(struct disk *disk);
const char *disk_root(const struct disk *disk);
/* What a crash may leave: files below a new folder, and the disk they are on. */
struct disk *disk_crash(struct disk *disk, const char *root, enum crash crash);

/* The files of this disk are watched from now on; NULL: none. */
void disk_watch(struct disk *disk);
/* Calls wait while this is held: for who changes what `strike` looks at. */
void disk_lock(void);
void disk_unlock(void);
/* `strike` is called once, before the call number `calls` from now on, on whatever thread; locked.
 */
void disk_strike_after(uint32_t calls, void (*strike)(struct disk *disk));
/* Now, unless it was called meanwhile. */
void disk_strike_now(void);

/* The call number `calls` from now on fails, once; of a full disk also those after it. */
enum fault {
    FAULT_IO,    /* EIO */
    FAULT_SYNC,  /* EIO, to a sync; then the page cache takes for written what is not */
    FAULT_FULL,  /* ENOSPC, to what may need space */
    FAULT_SHORT, /* half of it is read or written */
};
void disk_fault_after(uint32_t calls, enum fault fault);
/* No call fails any more. False: none did. */
bool disk_fault_end(void);
bool disk_has_failed(void);

/* What calls.c caught. */
enum call { CALL_READ, CALL_WRITE, CALL_CHANGE, CALL_SYNC };
/*
 * The call begins: -1: it is none of the disk's, 0, or the error it ends with. Of a write or read
 * `length` bytes are to be done.
 */
int disk_begins(int fd, enum call call, size_t *length);
void disk_synced(int fd);
/* Of what a failed sync left clean this is dirty again. */
void disk_wrote(int fd, uint64_t offset_bytes, uint64_t length_bytes);
void disk_wrote_durably(int fd, const void *bytes, uint64_t offset_bytes, uint64_t length_bytes);

/* A generator of its own, so that the threads' use of it does not change the operations. */
uint64_t disk_random(uint64_t below);
void disk_seed(uint64_t seed);

#endif
