/* SPDX-License-Identifier: Apache-2.0 */
/* Small durable files and directories: what the store makes, reads, locks and removes whole. */
#ifndef STRAKE_STORE_FILES_H
#define STRAKE_STORE_FILES_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the file `name` (which must not exist) of `length` bytes, on stable storage but for its
 * directory entry. `bytes` NULL: zeros that are written, so that overwriting them needs no space.
 */
MUST_USE int file_make(int dir_fd, const char *name, const void *bytes, size_t length);
/* Reads the first `length` bytes. -ENODATA when there are fewer. */
MUST_USE int file_read(int dir_fd, const char *name, void *bytes, size_t length);
/* The whole file as text with its final zero, at most size - 1 bytes. */
MUST_USE int file_read_text(int dir_fd, const char *name, char *text, size_t size);
/* Locks the open file against other processes, waiting at most so long: 0, -EWOULDBLOCK... */
MUST_USE int file_lock(int fd, uint64_t wait_ms);
/* Removes a directory of files, made durable. 0 also when there is none. */
MUST_USE int folder_remove(int dir_fd, const char *name);
MUST_USE int folder_sync(int dir_fd);
/* Whether a file there can be written to, into the page cache, on condition that nothing is waited
 * for: XFS and Btrfs take such a write, or say that it would have to wait, ext4 refuses to try. */
bool folder_takes_writes_at_once(int dir_fd);
/* Calls `each` for every entry but "." and ".." until it answers something else than 0. */
typedef int folder_each_fn(void *arg, int dir_fd, const char *name);
MUST_USE int folder_each(int dir_fd, folder_each_fn *each, void *arg);

#endif
