/* SPDX-License-Identifier: Apache-2.0 */
/* The book's rows: those of LMDB and the notes of those it does not have yet (private). */
#ifndef STRAKE_MAP_BOOK_H
#define STRAKE_MAP_BOOK_H

#include "replica/map/state.h"

enum { BOOK_PUT_BYTES = CHANGE_PUT_BYTES + 8 + BOOK_KEY_BYTES };

/* Writes a row of this version (no value: its removal) and notes it. 0 or -ENOMEM. */
MUST_USE int book_put(struct writer *w, struct map_volume *volume, uint32_t version,
                      const char *key, const uint8_t *value, uint32_t value_bytes);
/* Notes of records up to this sequence are in LMDB. */
void notes_release(struct map_volume *volume, uint64_t sequence);
/* Forgets a book that was not received to its end. */
void install_abort(struct map_volume *volume);

#endif
