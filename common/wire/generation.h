/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of frames about generations and the book.
 *
 * A volume's life is cut into generations, numbered 1, 2, 3 and so on. The newest is the head, the
 * only one that changes; to seal it makes it immutable and begins the next. The book is the
 * volume's small named rows. Both change by commands alone, numbered 1, 2, 3 and so on, one at a
 * time, the same at every member in sync. In every field a generation of 0 is the head, unless it
 * says otherwise. All big-endian, fields in the order of the structs. Pure.
 */
#ifndef STRAKE_WIRE_GENERATION_H
#define STRAKE_WIRE_GENERATION_H

#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/uuid.h"
#include "common/wire/lineage.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BOOK_KEY_BYTES = 64, /* with the final zero; visible ASCII */
    BOOK_VALUE_BYTES_MAX = 32u << 10,
    LINEAGE_BYTES = UUID_BYTES + 6 * 8,
    COMMAND_BYTES_MAX = 8 + 1 + 8 + UUID_BYTES + BOOK_KEY_BYTES + 4 + (32u << 10),
    HASH_KEY_BYTES = 16,
    HASH_BYTES = 16, /* of 16 KiB of content */
    HASH_SUMS = HASH_BYTES / 4,
    DIFF_RUNS_MAX = 4096,
    SHA256_BYTES = 32,
};

enum command_kind {
    COMMAND_SET = 1,    /* the row alone */
    COMMAND_SEAL = 2,   /* generation: the head's number, which is sealed by this */
    COMMAND_DROP = 3,   /* generation: a sealed one */
    COMMAND_REVERT = 4, /* generation: a sealed one, from whose content a new head begins */
};

/* Any kind may set a row, or remove it, in the same step. */
struct message_command {
    uint64_t number;
    enum command_kind kind;
    uint64_t generation;
    struct uuid identity; /* of this command, never zero; SEAL: also of what is sealed */
    char key[BOOK_KEY_BYTES];
    uint32_t value_bytes; /* 0: the row is removed; "" as the key: no row */
    const uint8_t *value; /* lent by whoever holds the body */
};

/* A chunk of the book begins with this; then come entries to its end: generations first, in order,
 * then rows in the order of their keys. The head has no entry. */
struct message_book {
    uint64_t command;
    struct uuid command_identity;
    uint64_t head_generation;
    uint64_t head_base;
    struct uuid head_born; /* the command that began it; zero: it is the first */
    uint64_t next_cursor;  /* 0: this is the last chunk */
};

enum book_entry_type { BOOK_ROW = 1, BOOK_GENERATION = 2 };

struct book_entry {
    enum book_entry_type type;
    char key[BOOK_KEY_BYTES]; /* ROW */
    uint32_t value_bytes;
    const uint8_t *value;     /* lent by the chunk */
    uint64_t generation;      /* GENERATION */
    struct uuid identity;     /* given when it was sealed */
    uint64_t base_generation; /* 0: none */
    struct uuid born;         /* the command that began it; zero: the first */
    bool complete;
};

struct message_hash_ask {
    uint8_t key[HASH_KEY_BYTES]; /* random: contents cannot be made to collide */
};

struct message_diff_ask {
    uint64_t from_generation; /* 0: nothing, all blocks absent */
};

enum diff_state {
    DIFF_ABSENT = 0, /* not written since; from nothing: never */
    DIFF_ZERO = 1,   /* zeroed or discarded since */
    DIFF_DATA = 2,
};

/* A reply to DIFF is at most DIFF_RUNS_MAX of these. */
struct diff_run {
    uint64_t length_bytes; /* whole blocks, not 0 */
    enum diff_state state;
};

enum digest_state {
    DIGEST_NONE = 0,
    DIGEST_COMPUTING = 1,
    DIGEST_KNOWN = 2,
    DIGEST_BAD = 3, /* it could not be read, or is not what it was */
};

struct message_digest {
    enum digest_state state;
    uint64_t done_bytes;
    uint64_t total_bytes;
    uint8_t sha256[SHA256_BYTES];
};

struct message_space {
    uint64_t logical_bytes;
    uint64_t unique_bytes;
    uint64_t shared_bytes;
    uint64_t reclaimable_bytes;
};

/* Each encode writes exactly what decode reads; decode leaves r->bad set on anything malformed. */
void message_command_encode(struct writer *w, const struct message_command *command);
void message_command_decode(struct reader *r, struct message_command *command);
void lineage_encode(struct writer *w, const struct lineage *lineage);
void lineage_decode(struct reader *r, struct lineage *lineage);
void message_book_encode(struct writer *w, const struct message_book *book);
void message_book_decode(struct reader *r, struct message_book *book);
void book_entry_encode(struct writer *w, const struct book_entry *entry);
void book_entry_decode(struct reader *r, struct book_entry *entry);
void message_hash_ask_encode(struct writer *w, const struct message_hash_ask *ask);
void message_hash_ask_decode(struct reader *r, struct message_hash_ask *ask);
void message_diff_ask_encode(struct writer *w, const struct message_diff_ask *ask);
void message_diff_ask_decode(struct reader *r, struct message_diff_ask *ask);
void diff_run_encode(struct writer *w, const struct diff_run *run);
void diff_run_decode(struct reader *r, struct diff_run *run);
void message_digest_encode(struct writer *w, const struct message_digest *digest);
void message_digest_decode(struct reader *r, struct message_digest *digest);
void message_space_encode(struct writer *w, const struct message_space *space);
void message_space_decode(struct reader *r, struct message_space *space);

/* The checksums of its blocks in the place of hashes: HASH_BYTES for each 16 KiB, zeros after the
 * last. */
void hash_sums(const struct slice *data, uint8_t *hashes);

/* NULL when it may stand in the book; else why not. */
const char *book_key_invalid(const char key[BOOK_KEY_BYTES]);
/* The same command was the last one applied at both. */
bool lineage_same(const struct lineage *a, const struct lineage *b);

#endif
