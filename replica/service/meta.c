/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata record on disk: 4096 bytes, big-endian, two copies, written one after the other.
 *
 *   offset bytes
 *        0     8  magic "STRKMETA"
 *        8     4  CRC32C of bytes 12 to 4095
 *       12     4  format version (2)
 *       16     8  sequence number
 *       24    16  identity of this member
 *       40     8  promised epoch
 *       48    16  promised controller
 *       64     8  last checkpoint that is durable here
 *       72     8  last checkpoint known to be durable at every data member
 *       80    16  boot identity of the kernel under which the planes were kept
 *       96     4  flags: 1 lossy, 2 failed, 4 witness; no other
 *      100     4  length of the configuration
 *      104        the accepted configuration (common/wire/message.h), then zeros
 *
 * A crash tears at most one copy. The newer whole one counts; when neither is whole the replica
 * must not vote or serve, for it may have forgotten a promise.
 */
#include "replica/service/meta.h"

#include "common/base/crc32c.h"

#include <string.h>

enum {
    META_VERSION = 2,
    META_CRC_OFFSET = 8,
    META_SUMMED_OFFSET = 12,
    META_CONFIG_OFFSET = 104,
    META_FLAG_LOSSY = 1,
    META_FLAG_FAILED = 2,
    META_FLAG_WITNESS = 4,
};

static const char meta_magic[8] = {'S', 'T', 'R', 'K', 'M', 'E', 'T', 'A'};

STATIC_ASSERT(META_CONFIG_OFFSET + CONFIG_BYTES_MAX <= META_BYTES, "the record holds a config");

void meta_encode(uint8_t record[META_BYTES], const struct meta *meta)
{
    memset(record, 0, META_BYTES);
    struct writer c = writer_of(record + META_CONFIG_OFFSET, CONFIG_BYTES_MAX);
    config_encode(&c, &meta->config);
    ASSERT(!c.bad);
    struct writer w = writer_of(record, META_CONFIG_OFFSET);
    write_bytes(&w, meta_magic, sizeof(meta_magic));
    write_u32(&w, 0);
    write_u32(&w, META_VERSION);
    write_u64(&w, meta->seq);
    write_bytes(&w, meta->member.bytes, UUID_BYTES);
    write_u64(&w, meta->promised_epoch);
    write_bytes(&w, meta->promised_controller.bytes, UUID_BYTES);
    write_u64(&w, meta->done_checkpoint);
    write_u64(&w, meta->base_checkpoint);
    write_bytes(&w, meta->boot.bytes, UUID_BYTES);
    write_u32(&w, (meta->lossy ? META_FLAG_LOSSY : 0u) | (meta->failed ? META_FLAG_FAILED : 0u) |
                      (meta->witness ? META_FLAG_WITNESS : 0u));
    write_u32(&w, (uint32_t)writer_length(&c));
    ASSERT(!w.bad && writer_left(&w) == 0);
    w = writer_of(record + META_CRC_OFFSET, sizeof(uint32_t));
    write_u32(&w, crc32c(0, record + META_SUMMED_OFFSET, META_BYTES - META_SUMMED_OFFSET));
}

const char *meta_decode(const uint8_t record[META_BYTES], struct meta *meta)
{
    struct reader r = reader_of(record, META_BYTES);
    *meta = (struct meta){0};
    const uint8_t *magic = read_bytes(&r, sizeof(meta_magic));
    if (memcmp(magic, meta_magic, sizeof(meta_magic)) != 0)
        return "the metadata record is missing";
    if (read_u32(&r) != crc32c(0, record + META_SUMMED_OFFSET, META_BYTES - META_SUMMED_OFFSET))
        return "the metadata record does not match its checksum";
    if (read_u32(&r) != META_VERSION)
        return "the metadata record has an unknown format version";
    meta->seq = read_u64(&r);
    read_copy(&r, meta->member.bytes, UUID_BYTES);
    meta->promised_epoch = read_u64(&r);
    read_copy(&r, meta->promised_controller.bytes, UUID_BYTES);
    meta->done_checkpoint = read_u64(&r);
    meta->base_checkpoint = read_u64(&r);
    read_copy(&r, meta->boot.bytes, UUID_BYTES);
    uint32_t flags = read_u32(&r);
    if (flags & ~(uint32_t)(META_FLAG_LOSSY | META_FLAG_FAILED | META_FLAG_WITNESS))
        return "the metadata record has an unknown flag";
    meta->lossy = flags & META_FLAG_LOSSY;
    meta->failed = flags & META_FLAG_FAILED;
    meta->witness = flags & META_FLAG_WITNESS;
    struct reader c = read_sub(&r, read_u32(&r));
    config_decode(&c, &meta->config);
    if (c.bad || reader_left(&c) != 0)
        return "the metadata record's configuration is malformed";
    return config_invalid(&meta->config);
}

const char *meta_pick(const uint8_t *const copies[META_COPIES], struct meta *meta,
                      uint32_t *write_first, bool *equal)
{
    struct meta other;
    const char *why = meta_decode(copies[0], meta);
    const char *other_why = meta_decode(copies[1], &other);
    *write_first = 1;
    *equal = !why && !other_why && meta->seq == other.seq;
    if (why && other_why)
        return why;
    if (why || (!other_why && other.seq > meta->seq)) {
        *meta = other;
        *write_first = 0;
    }
    return NULL;
}
