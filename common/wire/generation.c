/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of frames about generations and the book. Every value has one encoding alone. */
#include "common/wire/generation.h"

STATIC_ASSERT(BOOK_VALUE_BYTES_MAX == 32u << 10, "the longest command has the longest value");

static void generation_uuid_encode(struct writer *w, const struct uuid *uuid)
{
    write_bytes(w, uuid->bytes, UUID_BYTES);
}

static void generation_uuid_decode(struct reader *r, struct uuid *uuid)
{
    read_copy(r, uuid->bytes, UUID_BYTES);
}

const char *book_key_invalid(const char key[BOOK_KEY_BYTES])
{
    size_t length = strnlen(key, BOOK_KEY_BYTES);
    if (length == 0)
        return "the key is empty";
    if (length == BOOK_KEY_BYTES)
        return "the key is too long";
    for (size_t i = 0; i < length; i++) {
        if (key[i] <= ' ' || key[i] > '~')
            return "the key has other than visible ASCII";
    }
    return NULL;
}

static void key_encode(struct writer *w, const char key[BOOK_KEY_BYTES])
{
    size_t length = strnlen(key, BOOK_KEY_BYTES);
    ASSERT(length < BOOK_KEY_BYTES);
    write_bytes(w, key, length);
    write_zeros(w, BOOK_KEY_BYTES - length);
}

static void key_decode(struct reader *r, char key[BOOK_KEY_BYTES], bool may_be_empty)
{
    read_copy(r, key, BOOK_KEY_BYTES);
    size_t length = strnlen(key, BOOK_KEY_BYTES);
    for (size_t i = length; i < BOOK_KEY_BYTES; i++)
        r->bad = r->bad || key[i] != 0;
    if (may_be_empty && length == 0)
        return;
    if (book_key_invalid(key)) {
        r->bad = true;
        key[0] = 0;
    }
}

static void value_encode(struct writer *w, const uint8_t *value, uint32_t value_bytes)
{
    ASSERT(value_bytes <= BOOK_VALUE_BYTES_MAX);
    write_u32(w, value_bytes);
    if (value_bytes)
        write_bytes(w, value, value_bytes);
}

static void value_decode(struct reader *r, const uint8_t **value, uint32_t *value_bytes)
{
    uint32_t bytes = read_u32(r);
    *value = NULL;
    *value_bytes = 0;
    if (bytes > BOOK_VALUE_BYTES_MAX || bytes > reader_left(r)) {
        r->bad = true;
        return;
    }
    *value_bytes = bytes;
    if (bytes)
        *value = read_bytes(r, bytes);
}

static bool command_kind_ok(uint8_t kind)
{
    return kind >= COMMAND_SET && kind <= COMMAND_REVERT;
}

void message_command_encode(struct writer *w, const struct message_command *command)
{
    write_u64(w, command->number);
    write_u8(w, (uint8_t)command->kind);
    write_u64(w, command->generation);
    generation_uuid_encode(w, &command->identity);
    key_encode(w, command->key);
    value_encode(w, command->value, command->value_bytes);
}

void message_command_decode(struct reader *r, struct message_command *command)
{
    *command = (struct message_command){.number = read_u64(r)};
    uint8_t kind = read_u8(r);
    command->kind = command_kind_ok(kind) ? (enum command_kind)kind : COMMAND_SET;
    command->generation = read_u64(r);
    generation_uuid_decode(r, &command->identity);
    key_decode(r, command->key, true);
    value_decode(r, &command->value, &command->value_bytes);
    bool has_row = command->key[0] != 0;
    if (!command_kind_ok(kind) || command->number == 0 || uuid_is_zero(&command->identity) ||
        (command->kind == COMMAND_SET) != (command->generation == 0) ||
        (command->kind == COMMAND_SET && !has_row) || (!has_row && command->value_bytes > 0))
        r->bad = true;
}

void lineage_encode(struct writer *w, const struct lineage *lineage)
{
    write_u64(w, lineage->command);
    generation_uuid_encode(w, &lineage->command_identity);
    write_u64(w, lineage->head_generation);
    write_u64(w, lineage->head_base);
    write_u64(w, lineage->incomplete_generation);
    write_u64(w, lineage->incomplete_base);
    write_u64(w, lineage->kept_generation);
}

void lineage_decode(struct reader *r, struct lineage *lineage)
{
    lineage->command = read_u64(r);
    generation_uuid_decode(r, &lineage->command_identity);
    lineage->head_generation = read_u64(r);
    lineage->head_base = read_u64(r);
    lineage->incomplete_generation = read_u64(r);
    lineage->incomplete_base = read_u64(r);
    lineage->kept_generation = read_u64(r);
}

bool lineage_same(const struct lineage *a, const struct lineage *b)
{
    return a->command == b->command && uuid_equal(&a->command_identity, &b->command_identity);
}

void message_book_encode(struct writer *w, const struct message_book *book)
{
    write_u64(w, book->command);
    generation_uuid_encode(w, &book->command_identity);
    write_u64(w, book->head_generation);
    write_u64(w, book->head_base);
    generation_uuid_encode(w, &book->head_born);
    write_u64(w, book->next_cursor);
}

void message_book_decode(struct reader *r, struct message_book *book)
{
    book->command = read_u64(r);
    generation_uuid_decode(r, &book->command_identity);
    book->head_generation = read_u64(r);
    book->head_base = read_u64(r);
    generation_uuid_decode(r, &book->head_born);
    book->next_cursor = read_u64(r);
    if (book->head_generation == 0 || book->head_base >= book->head_generation)
        r->bad = true;
}

void book_entry_encode(struct writer *w, const struct book_entry *entry)
{
    write_u8(w, (uint8_t)entry->type);
    if (entry->type == BOOK_ROW) {
        key_encode(w, entry->key);
        value_encode(w, entry->value, entry->value_bytes);
        return;
    }
    ASSERT(entry->type == BOOK_GENERATION);
    write_u64(w, entry->generation);
    generation_uuid_encode(w, &entry->identity);
    write_u64(w, entry->base_generation);
    generation_uuid_encode(w, &entry->born);
    write_u8(w, entry->complete ? 1 : 0);
}

void book_entry_decode(struct reader *r, struct book_entry *entry)
{
    *entry = (struct book_entry){.type = BOOK_ROW};
    uint8_t type = read_u8(r);
    if (type == BOOK_ROW) {
        key_decode(r, entry->key, false);
        value_decode(r, &entry->value, &entry->value_bytes);
        r->bad = r->bad || entry->value_bytes == 0;
        return;
    }
    entry->type = BOOK_GENERATION;
    entry->generation = read_u64(r);
    generation_uuid_decode(r, &entry->identity);
    entry->base_generation = read_u64(r);
    generation_uuid_decode(r, &entry->born);
    uint8_t complete = read_u8(r);
    entry->complete = complete == 1;
    if (type != BOOK_GENERATION || complete > 1 || uuid_is_zero(&entry->identity) ||
        entry->base_generation >= entry->generation)
        r->bad = true;
}

void message_hash_ask_encode(struct writer *w, const struct message_hash_ask *ask)
{
    write_bytes(w, ask->key, sizeof(ask->key));
}

void message_hash_ask_decode(struct reader *r, struct message_hash_ask *ask)
{
    read_copy(r, ask->key, sizeof(ask->key));
}

void hash_sums(const struct slice *data, uint8_t *hashes)
{
    uint32_t count = data->length_bytes / BLOCK_BYTES;
    const uint32_t *sums = count ? slice_crc(data) : NULL;
    uint32_t whole = (count + HASH_SUMS - 1) / HASH_SUMS * HASH_SUMS;
    struct writer w = writer_of(hashes, (size_t)whole * sizeof(*sums));
    for (uint32_t i = 0; i < whole; i++)
        write_u32(&w, i < count ? sums[i] : 0);
}

void message_diff_ask_encode(struct writer *w, const struct message_diff_ask *ask)
{
    write_u64(w, ask->from_generation);
}

void message_diff_ask_decode(struct reader *r, struct message_diff_ask *ask)
{
    ask->from_generation = read_u64(r);
}

/* The length has room for a state in its lowest bits: it is in whole blocks. */
void diff_run_encode(struct writer *w, const struct diff_run *run)
{
    ASSERT(run->length_bytes > 0 && run->length_bytes % 4096 == 0 && run->length_bytes >> 62 == 0);
    write_u64(w, run->length_bytes << 2 | (uint64_t)run->state);
}

void diff_run_decode(struct reader *r, struct diff_run *run)
{
    uint64_t value = read_u64(r);
    run->length_bytes = value >> 2;
    run->state = (value & 3) <= DIFF_DATA ? (enum diff_state)(value & 3) : DIFF_DATA;
    if ((value & 3) > DIFF_DATA || run->length_bytes == 0 || run->length_bytes % 4096 != 0)
        r->bad = true;
}

void message_digest_encode(struct writer *w, const struct message_digest *digest)
{
    write_u8(w, (uint8_t)digest->state);
    write_u64(w, digest->done_bytes);
    write_u64(w, digest->total_bytes);
    write_bytes(w, digest->sha256, sizeof(digest->sha256));
}

void message_digest_decode(struct reader *r, struct message_digest *digest)
{
    uint8_t state = read_u8(r);
    digest->state = state <= DIGEST_BAD ? (enum digest_state)state : DIGEST_NONE;
    digest->done_bytes = read_u64(r);
    digest->total_bytes = read_u64(r);
    read_copy(r, digest->sha256, sizeof(digest->sha256));
    if (state > DIGEST_BAD || digest->done_bytes > digest->total_bytes)
        r->bad = true;
}

void message_space_encode(struct writer *w, const struct message_space *space)
{
    write_u64(w, space->logical_bytes);
    write_u64(w, space->unique_bytes);
    write_u64(w, space->shared_bytes);
    write_u64(w, space->reclaimable_bytes);
}

void message_space_decode(struct reader *r, struct message_space *space)
{
    space->logical_bytes = read_u64(r);
    space->unique_bytes = read_u64(r);
    space->shared_bytes = read_u64(r);
    space->reclaimable_bytes = read_u64(r);
}
