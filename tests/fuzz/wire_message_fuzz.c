/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body that decodes encodes to the very bytes it came from, and fits the limit. The first byte
 * says which message it is.
 */
#include "common/wire/message.h"

enum { KIND_COUNT = 16, AGAIN_BYTES = 64u << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bodies about generations and the book. */
static void generation_turn(uint8_t kind, struct reader *r, struct writer *w)
{
    union {
        struct message_command command;
        struct lineage lineage;
        struct message_book book;
        struct book_entry entry;
        struct message_hash_ask hash;
        struct diff_run run;
        struct message_digest digest;
        struct message_space space;
    } m;
    switch (kind) {
    case 0:
        message_command_decode(r, &m.command);
        if (!r->bad)
            message_command_encode(w, &m.command);
        break;
    case 1:
        lineage_decode(r, &m.lineage);
        if (!r->bad)
            lineage_encode(w, &m.lineage);
        break;
    case 2:
        message_book_decode(r, &m.book);
        if (!r->bad)
            message_book_encode(w, &m.book);
        break;
    case 3:
        book_entry_decode(r, &m.entry);
        if (!r->bad)
            book_entry_encode(w, &m.entry);
        break;
    case 4:
        message_hash_ask_decode(r, &m.hash);
        if (!r->bad)
            message_hash_ask_encode(w, &m.hash);
        break;
    case 5:
        diff_run_decode(r, &m.run);
        if (!r->bad)
            diff_run_encode(w, &m.run);
        break;
    case 6:
        message_digest_decode(r, &m.digest);
        if (!r->bad)
            message_digest_encode(w, &m.digest);
        break;
    default:
        message_space_decode(r, &m.space);
        if (!r->bad)
            message_space_encode(w, &m.space);
        break;
    }
}

/* Decodes, and encodes unless it is malformed. */
static void message_turn(uint8_t kind, struct reader *r, struct writer *w)
{
    union {
        struct config config;
        struct message_greet greet;
        struct message_volume volume;
        struct message_create create;
        struct message_delete del;
        struct message_health health;
        struct message_open open;
        struct message_opened opened;
    } m;
    switch (kind) {
    case 0:
        config_decode(r, &m.config);
        if (!r->bad) {
            const char *why = config_invalid(&m.config);
            ASSERT(!why || why[0]);
            config_encode(w, &m.config);
        }
        break;
    case 1:
        message_greet_decode(r, &m.greet);
        if (!r->bad)
            message_greet_encode(w, &m.greet);
        break;
    case 2:
        message_volume_decode(r, &m.volume);
        if (!r->bad)
            message_volume_encode(w, &m.volume);
        break;
    case 3:
        message_create_decode(r, &m.create);
        if (!r->bad)
            message_create_encode(w, &m.create);
        break;
    case 4:
        message_delete_decode(r, &m.del);
        if (!r->bad)
            message_delete_encode(w, &m.del);
        break;
    case 5:
        message_health_decode(r, &m.health);
        if (!r->bad)
            message_health_encode(w, &m.health);
        break;
    case 6:
        message_open_decode(r, &m.open);
        if (!r->bad)
            message_open_encode(w, &m.open);
        break;
    default:
        message_opened_decode(r, &m.opened);
        if (!r->bad)
            message_opened_encode(w, &m.opened);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[AGAIN_BYTES];
    if (size == 0)
        return 0;
    struct reader r = reader_of(data + 1, size - 1);
    struct writer w = writer_of(again, sizeof(again));
    uint8_t kind = data[0] % KIND_COUNT;
    if (kind < 8)
        message_turn(kind, &r, &w);
    else
        generation_turn((uint8_t)(kind - 8), &r, &w);
    if (r.bad)
        return 0;
    ASSERT(!w.bad);
    ASSERT(writer_length(&w) == size - 1 - reader_left(&r));
    ASSERT(memcmp(again, data + 1, writer_length(&w)) == 0);
    return 0;
}
