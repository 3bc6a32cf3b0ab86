/* SPDX-License-Identifier: Apache-2.0 */
/* The book's rows, and reading the book in chunks. */
#include "replica/map/book.h"

#include "replica/map/stored.h"
#include "replica/map/volume.h"

#include <errno.h>
#include <stdlib.h>

/* A cursor is the number of a generation, or, with this bit, how many rows come before. */
#define CURSOR_ROWS ((uint64_t)1 << 63)

static void note_free(struct note *note)
{
    list_remove(&note->node);
    free(note);
}

void notes_release(struct map_volume *volume, uint64_t sequence)
{
    LIST_FOR_EACH_SAFE (node, &volume->notes) {
        struct note *note = CONTAINER_OF(node, struct note, node);
        if (note->sequence <= sequence)
            note_free(note);
    }
}

static struct note *note_find(struct map_volume *volume, uint32_t version, const char *key)
{
    LIST_FOR_EACH (node, &volume->notes) {
        struct note *note = CONTAINER_OF(node, struct note, node);
        if (note->version == version && strcmp(note->key, key) == 0)
            return note;
    }
    return NULL;
}

int book_put(struct writer *w, struct map_volume *volume, uint32_t version, const char *key,
             const uint8_t *value, uint32_t value_bytes)
{
    struct note *note = note_find(volume, version, key);
    struct key row = key_book(volume->row.id, version, key);
    if (!note) {
        note = calloc(1, sizeof(*note));
        if (!note)
            return -ENOMEM;
        list_append(&volume->notes, &note->node);
    }
    if (value_bytes)
        change_put(w, TABLE_BOOK, &row, value, value_bytes);
    else
        change_delete(w, TABLE_BOOK, &row);
    ASSERT(!w->bad && strlen(key) < BOOK_KEY_BYTES);
    note->sequence = volume->map->journal.next_sequence;
    note->version = version;
    note->value_bytes = value_bytes;
    note->value = w->next - value_bytes;
    memcpy(note->key, key, strlen(key) + 1);
    return 0;
}

/* A walk over the rows of a version in the order of their keys. */
struct walk {
    struct map_volume *volume;
    char key[BOOK_KEY_BYTES];
    struct reader value;
};

static int next_stored(struct walk *walk, char key[BOOK_KEY_BYTES], struct reader *value)
{
    struct map_volume *volume = walk->volume;
    struct stored stored = {.map = volume->map, .txn = volume->map->read};
    struct key row = key_book(volume->row.id, volume->row.book, walk->key);
    struct reader k;
    /* The first key behind the one before: that with a zero byte more. */
    if (walk->key[0])
        row.bytes[row.length++] = 0;
    int rc = stored_seek(&stored, TABLE_BOOK, &row, &k, value);
    if (rc < 0)
        return map_fail(volume->map, "cannot read 'book'", stored.lmdb_error);
    if (rc == 0 || read_u32(&k) != volume->row.id || read_u32(&k) != volume->row.book)
        return 0;
    size_t length = reader_left(&k);
    if (k.bad || length == 0 || length >= BOOK_KEY_BYTES)
        return map_fail(volume->map, "damaged key in 'book'", 0);
    read_copy(&k, key, length);
    key[length] = '\0';
    return 1;
}

static const struct note *next_note(const struct walk *walk)
{
    const struct note *found = NULL;
    LIST_FOR_EACH (node, &walk->volume->notes) {
        const struct note *note = CONTAINER_OF(node, struct note, node);
        if (note->version == walk->volume->row.book && strcmp(note->key, walk->key) > 0 &&
            (!found || strcmp(note->key, found->key) < 0))
            found = note;
    }
    return found;
}

static int walk_next(struct walk *walk)
{
    for (;;) {
        char key[BOOK_KEY_BYTES];
        int rc = next_stored(walk, key, &walk->value);
        if (rc < 0)
            return rc;
        const struct note *note = next_note(walk);
        if (rc == 0 && !note)
            return 0;
        if (!note || (rc == 1 && strcmp(key, note->key) < 0)) {
            memcpy(walk->key, key, sizeof(key));
            return 1;
        }
        memcpy(walk->key, note->key, sizeof(note->key));
        walk->value = reader_of(note->value, note->value_bytes);
        if (note->value_bytes)
            return 1;
    }
}

static void header_encode(struct writer *w, struct map_volume *volume, uint64_t next_cursor)
{
    struct map_info info;
    map_volume_info(volume, &info);
    const struct message_book header = {
        .command = info.lineage.command,
        .command_identity = info.lineage.command_identity,
        .head_generation = info.lineage.head_generation,
        .head_base = info.lineage.head_base,
        .next_cursor = next_cursor,
    };
    message_book_encode(w, &header);
}

/* Writes an entry; false when it does not fit any more. */
static bool entry_fits(struct writer *w, const struct book_entry *entry)
{
    struct writer before = *w;
    book_entry_encode(w, entry);
    if (!w->bad)
        return true;
    *w = before;
    return false;
}

/* The cursor of the next chunk; 0 at the end of the generations. */
static uint64_t read_generations(struct map_volume *volume, uint64_t cursor, struct writer *w)
{
    struct branch *branch, *of;
    for (struct generation *g; (g = volume_next(volume, cursor, false, &branch));) {
        const struct generation *base = lookup_base(branch, g->step, &of);
        const struct book_entry entry = {
            .type = BOOK_GENERATION,
            .generation = g->row.generation,
            .identity = g->row.identity,
            .base_generation = base ? base->row.generation : 0,
            .complete = g->row.complete,
        };
        if (!entry_fits(w, &entry))
            return g->row.generation;
        cursor = g->row.generation + 1;
    }
    return 0;
}

static int read_rows(struct map_volume *volume, uint64_t skip, struct writer *w, uint64_t *next)
{
    struct walk walk = {.volume = volume};
    uint64_t count = 0;
    int rc;
    *next = 0;
    while ((rc = walk_next(&walk)) == 1) {
        struct book_entry entry = {
            .type = BOOK_ROW,
            .value = walk.value.next,
            .value_bytes = (uint32_t)reader_left(&walk.value),
        };
        memcpy(entry.key, walk.key, sizeof(entry.key));
        if (count++ < skip || entry_fits(w, &entry))
            continue;
        *next = CURSOR_ROWS | (count - 1);
        return 0;
    }
    return rc;
}

int map_book_read(struct map_volume *volume, uint64_t cursor, uint8_t *body, uint32_t body_max)
{
    ASSERT(volume->open && body_max >= BOOK_VALUE_BYTES_MAX + 512);
    struct writer w = writer_of(body, body_max);
    uint64_t next = 0;
    int rc = 0;
    if (volume->map->failed)
        return -EIO;
    header_encode(&w, volume, 0);
    if (!(cursor & CURSOR_ROWS))
        next = read_generations(volume, cursor, &w);
    if (next == 0)
        rc = read_rows(volume, cursor & CURSOR_ROWS ? cursor & ~CURSOR_ROWS : 0, &w, &next);
    if (rc)
        return rc;
    struct writer header = writer_of(body, body_max);
    header_encode(&header, volume, next);
    ASSERT(!w.bad);
    return (int)writer_length(&w);
}

int map_last_command(struct map_volume *volume, uint8_t *body, uint32_t body_max)
{
    ASSERT(volume->open);
    if (volume->command_bytes > body_max)
        return -EINVAL;
    if (volume->command_bytes)
        memcpy(body, volume->command, volume->command_bytes);
    return (int)volume->command_bytes;
}
