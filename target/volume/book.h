/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume's book as this target knows it: its rows, in the order of their keys, and the number of
 * its head. Read from the replicas once the volume is open, then changed by what is commanded.
 * Private to the volume room.
 */
#ifndef STRAKE_VOLUME_BOOK_H
#define STRAKE_VOLUME_BOOK_H

#include "common/wire/message.h"

struct book_row {
    char key[BOOK_KEY_BYTES];
    uint32_t value_bytes;
    uint8_t value[];
};

struct book {
    struct book_row **rows; /* owned; by key */
    uint32_t count;
    uint32_t capacity;
    uint64_t command; /* the last one that is in it */
    uint64_t head;    /* number of the mutable generation */
};

/* What one chunk says of where it belongs. */
struct book_chunk {
    uint64_t command;
    uint64_t next_cursor; /* 0: it was the last one */
};

void book_release(struct book *book);
/* Sets a row; removes it when there are no bytes. */
void book_set(struct book *book, const char *key, const uint8_t *value, uint32_t value_bytes);
/* NULL: there is none. */
const struct book_row *book_find(const struct book *book, const char *key);
/* Index of the first row whose key is not before this one. */
uint32_t book_lower(const struct book *book, const char *key);
/* What a command that was carried out does to the book. */
void book_apply(struct book *book, const struct message_command *command);
/* Adds what a chunk holds. False when it is malformed. */
MUST_USE bool book_chunk_take(struct book *book, const uint8_t *bytes, uint32_t length_bytes,
                              struct book_chunk *chunk);

#endif
