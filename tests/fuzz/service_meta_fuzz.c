/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata record and the pair of copies of it. The input is one record from its version on;
 * its magic and checksum are made right, and the other copy is the same with a sequence number of
 * the input's. The first byte says which of the copies is torn. What decodes encodes to a record
 * that says the same, and the newest whole copy is the one that counts.
 */
#include "common/base/crc32c.h"
#include "replica/service/meta.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TORN_FIRST = 1, TORN_SECOND = 2, SEQ_OFFSET = 16, HEAD_BYTES = 1 + 8, VERSION_OFFSET = 12 };

static void seal(uint8_t record[META_BYTES], bool torn)
{
    struct writer w = writer_of(record, VERSION_OFFSET);
    write_bytes(&w, "STRKMETA", 8);
    write_u32(&w, crc32c(0, record + VERSION_OFFSET, META_BYTES - VERSION_OFFSET) ^ torn);
}

static void decode_again(const uint8_t record[META_BYTES])
{
    uint8_t again[META_BYTES];
    uint8_t third[META_BYTES];
    struct meta meta;
    struct meta second;
    if (meta_decode(record, &meta))
        return;
    meta_encode(again, &meta);
    ASSERT(!meta_decode(again, &second));
    meta_encode(third, &second);
    ASSERT(memcmp(again, third, META_BYTES) == 0);
    /* All but what lies behind the configuration, which nobody reads. */
    uint32_t config_end = 104 + ((uint32_t)again[102] << 8) + again[103];
    ASSERT(memcmp(again + VERSION_OFFSET, record + VERSION_OFFSET, config_end - VERSION_OFFSET) ==
           0);
}

static void pick(uint8_t pair[META_COPIES][META_BYTES])
{
    const uint8_t *const copies[META_COPIES] = {pair[0], pair[1]};
    struct meta each[META_COPIES];
    struct meta meta;
    uint32_t write_first;
    bool equal;
    bool bad[META_COPIES];
    for (int i = 0; i < META_COPIES; i++)
        bad[i] = meta_decode(copies[i], &each[i]) != NULL;
    const char *why = meta_pick(copies, &meta, &write_first, &equal);
    ASSERT((why != NULL) == (bad[0] && bad[1]));
    if (why)
        return;
    uint32_t kept = 1 - write_first;
    ASSERT(write_first < META_COPIES && !bad[kept] && meta.seq == each[kept].seq);
    ASSERT(bad[write_first] || each[write_first].seq <= meta.seq);
    ASSERT(equal == (!bad[0] && !bad[1] && each[0].seq == each[1].seq));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t pair[META_COPIES][META_BYTES] = {{0}};
    if (size < HEAD_BYTES)
        return 0;
    size_t length = size - HEAD_BYTES;
    if (length > META_BYTES - VERSION_OFFSET)
        length = META_BYTES - VERSION_OFFSET;
    memcpy(pair[0] + VERSION_OFFSET, data + HEAD_BYTES, length);
    memcpy(pair[1], pair[0], META_BYTES);
    memcpy(pair[1] + SEQ_OFFSET, data + 1, 8);
    seal(pair[0], data[0] & TORN_FIRST);
    seal(pair[1], data[0] & TORN_SECOND);
    decode_again(pair[0]);
    pick(pair);
    return 0;
}
