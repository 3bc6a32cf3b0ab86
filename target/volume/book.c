/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a book. They mostly come in the order of their keys, so an array is enough. */
#include "target/volume/book.h"

#include <stdlib.h>

enum { BOOK_ROWS_MIN = 16 };

void book_release(struct book *book)
{
    for (uint32_t i = 0; i < book->count; i++)
        free(book->rows[i]);
    free(book->rows);
    *book = (struct book){0};
}

uint32_t book_lower(const struct book *book, const char *key)
{
    uint32_t begin = 0;
    uint32_t end = book->count;
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        if (strcmp(book->rows[middle]->key, key) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

const struct book_row *book_find(const struct book *book, const char *key)
{
    uint32_t idx = book_lower(book, key);
    if (idx == book->count || strcmp(book->rows[idx]->key, key) != 0)
        return NULL;
    return book->rows[idx];
}

static void book_insert(struct book *book, uint32_t idx, struct book_row *row)
{
    if (book->count == book->capacity) {
        book->capacity = book->capacity ? 2 * book->capacity : BOOK_ROWS_MIN;
        book->rows = realloc(book->rows, book->capacity * sizeof(*book->rows));
        ASSERT(book->rows);
    }
    memmove(book->rows + idx + 1, book->rows + idx, (book->count - idx) * sizeof(*book->rows));
    book->rows[idx] = row;
    book->count++;
}

static void book_remove(struct book *book, uint32_t idx)
{
    free(book->rows[idx]);
    book->count--;
    memmove(book->rows + idx, book->rows + idx + 1, (book->count - idx) * sizeof(*book->rows));
}

void book_set(struct book *book, const char *key, const uint8_t *value, uint32_t value_bytes)
{
    uint32_t idx = book_lower(book, key);
    ASSERT(strlen(key) < BOOK_KEY_BYTES && value_bytes <= BOOK_VALUE_BYTES_MAX);
    if (idx < book->count && strcmp(book->rows[idx]->key, key) == 0)
        book_remove(book, idx);
    if (value_bytes == 0)
        return;
    struct book_row *row = calloc(1, sizeof(*row) + value_bytes);
    ASSERT(row);
    memcpy(row->key, key, strlen(key));
    row->value_bytes = value_bytes;
    memcpy(row->value, value, value_bytes);
    book_insert(book, idx, row);
}

void book_apply(struct book *book, const struct message_command *command)
{
    if (command->key[0])
        book_set(book, command->key, command->value, command->value_bytes);
    if (command->kind == COMMAND_SEAL || command->kind == COMMAND_REVERT)
        book->head++;
}

bool book_chunk_take(struct book *book, const uint8_t *bytes, uint32_t length_bytes,
                     struct book_chunk *chunk)
{
    struct reader r = reader_of(bytes, length_bytes);
    struct message_book head;
    message_book_decode(&r, &head);
    book->head = head.head_generation;
    *chunk = (struct book_chunk){.command = head.command, .next_cursor = head.next_cursor};
    while (!r.bad && reader_left(&r) > 0) {
        struct book_entry entry;
        book_entry_decode(&r, &entry);
        if (!r.bad && entry.type == BOOK_ROW)
            book_set(book, entry.key, entry.value, entry.value_bytes);
    }
    return !r.bad;
}
