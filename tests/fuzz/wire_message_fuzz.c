/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body that decodes encodes to the very bytes it came from, and fits the limit. The first byte
 * says which message it is.
 */
#include "common/wire/message.h"

enum { KIND_COUNT = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    switch (kind % KIND_COUNT) {
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
    uint8_t again[MESSAGE_BYTES_MAX];
    if (size == 0)
        return 0;
    struct reader r = reader_of(data + 1, size - 1);
    struct writer w = writer_of(again, sizeof(again));
    message_turn(data[0], &r, &w);
    if (r.bad)
        return 0;
    ASSERT(!w.bad);
    ASSERT(writer_length(&w) == size - 1 - reader_left(&r));
    ASSERT(memcmp(again, data + 1, writer_length(&w)) == 0);
    return 0;
}
