/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of the map's rows. */
#include "replica/map/rows.h"

enum {
    ROW_HAS_OWN_SLOT = 1,
    GENERATION_SEALED = 1,
    GENERATION_COMPLETE = 2,
    GENERATION_DROPPED = 4,
    GENERATION_DIGESTED = 8, /* the digest follows */
    GENERATION_FLAGS = 15,
};

const char *const table_names[TABLE_COUNT] = {
    [TABLE_META] = "meta",         [TABLE_FAMILIES] = "families",
    [TABLE_VOLUMES] = "volumes",   [TABLE_COMMANDS] = "commands",
    [TABLE_BRANCHES] = "branches", [TABLE_GENERATIONS] = "generations",
    [TABLE_STATS] = "stats",       [TABLE_EXTENTS] = "extents",
    [TABLE_CHANGES] = "changes",   [TABLE_FREE] = "free",
    [TABLE_PUNCHES] = "punches",   [TABLE_BOOK] = "book",
    [TABLE_DIGESTS] = "digests",
};

uint16_t extent_row_data(const struct extent_row *row)
{
    uint32_t data = 0;
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++)
        data |= (uint32_t)(row->slots[i] != SLOT_NONE) << i;
    return (uint16_t)data;
}

void extent_row_clear(struct extent_row *row)
{
    *row = (struct extent_row){.own_slot = SLOT_NONE};
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++)
        row->slots[i] = SLOT_NONE;
}

void row_u48_encode(struct writer *w, uint64_t value)
{
    ASSERT(value <= NUMBER_48MAX);
    write_u16(w, (uint16_t)(value >> 32));
    write_u32(w, (uint32_t)value);
}

uint64_t row_u48_decode(struct reader *r)
{
    uint64_t high = read_u16(r);
    return high << 32 | read_u32(r);
}

static struct writer key_writer(struct key *key)
{
    return writer_of(key->bytes, sizeof(key->bytes));
}

static void key_end(struct key *key, const struct writer *w)
{
    ASSERT(!w->bad);
    key->length = (uint32_t)writer_length(w);
}

struct key key_family(uint32_t family)
{
    struct key key;
    struct writer w = key_writer(&key);
    write_u32(&w, family);
    key_end(&key, &w);
    return key;
}

struct key key_branch(uint32_t branch)
{
    return key_family(branch);
}

struct key key_volume(const struct uuid *uuid)
{
    struct key key;
    struct writer w = key_writer(&key);
    write_bytes(&w, uuid->bytes, UUID_BYTES);
    key_end(&key, &w);
    return key;
}

struct key key_step(uint32_t branch, uint64_t step)
{
    struct key key;
    struct writer w = key_writer(&key);
    write_u32(&w, branch);
    row_u48_encode(&w, step);
    key_end(&key, &w);
    return key;
}

struct key key_triple(uint32_t first, uint64_t second, uint64_t third)
{
    struct key key;
    struct writer w = key_writer(&key);
    write_u32(&w, first);
    row_u48_encode(&w, second);
    row_u48_encode(&w, third);
    key_end(&key, &w);
    return key;
}

struct key key_slot(uint32_t family, uint64_t slot)
{
    return key_step(family, slot);
}

struct key key_book(uint32_t volume, uint32_t version, const char *name)
{
    struct key key;
    struct writer w = key_writer(&key);
    write_u32(&w, volume);
    write_u32(&w, version);
    write_bytes(&w, name, strlen(name));
    key_end(&key, &w);
    return key;
}

struct key key_meta(const char *name)
{
    struct key key;
    struct writer w = key_writer(&key);
    write_bytes(&w, name, strlen(name));
    key_end(&key, &w);
    return key;
}

void volume_row_encode(struct writer *w, const struct volume_row *row)
{
    write_u32(w, row->id);
    write_u32(w, row->family);
    write_u64(w, row->size_bytes);
    write_u32(w, row->branch);
    write_u64(w, row->command);
    write_bytes(w, row->command_identity.bytes, UUID_BYTES);
    write_u32(w, row->book);
    write_u32(w, row->staged);
    write_u8(w, row->head_complete);
}

void volume_row_decode(struct reader *r, struct volume_row *row)
{
    row->id = read_u32(r);
    row->family = read_u32(r);
    row->size_bytes = read_u64(r);
    row->branch = read_u32(r);
    row->command = read_u64(r);
    read_copy(r, row->command_identity.bytes, UUID_BYTES);
    row->book = read_u32(r);
    row->staged = read_u32(r);
    uint8_t complete = read_u8(r);
    row->head_complete = complete;
    r->bad = r->bad || complete > 1 || reader_left(r) > 0;
}

void branch_row_encode(struct writer *w, const struct branch_row *row)
{
    write_u32(w, row->family);
    write_u32(w, row->volume);
    write_u32(w, row->parent);
    row_u48_encode(w, row->parent_step);
    write_u64(w, row->shown);
}

void branch_row_decode(struct reader *r, struct branch_row *row)
{
    row->family = read_u32(r);
    row->volume = read_u32(r);
    row->parent = read_u32(r);
    row->parent_step = row_u48_decode(r);
    row->shown = read_u64(r);
    r->bad = r->bad || reader_left(r) > 0;
}

void generation_row_encode(struct writer *w, const struct generation_row *row)
{
    write_u64(w, row->generation);
    write_bytes(w, row->identity.bytes, UUID_BYTES);
    write_u8(w, (uint8_t)((row->sealed ? GENERATION_SEALED : 0) |
                          (row->complete ? GENERATION_COMPLETE : 0) |
                          (row->dropped ? GENERATION_DROPPED : 0) |
                          (row->digested ? GENERATION_DIGESTED : 0)));
    if (row->digested)
        write_bytes(w, row->digest, DIGEST_BYTES);
}

void generation_row_decode(struct reader *r, struct generation_row *row)
{
    row->generation = read_u64(r);
    read_copy(r, row->identity.bytes, UUID_BYTES);
    uint8_t flags = read_u8(r);
    row->sealed = flags & GENERATION_SEALED;
    row->complete = flags & GENERATION_COMPLETE;
    row->dropped = flags & GENERATION_DROPPED;
    row->digested = flags & GENERATION_DIGESTED;
    if (row->digested)
        read_copy(r, row->digest, DIGEST_BYTES);
    r->bad = r->bad || flags > GENERATION_FLAGS || reader_left(r) > 0;
}

void stats_row_encode(struct writer *w, const struct stats_row *row)
{
    write_u64(w, (uint64_t)row->visible);
    write_u64(w, (uint64_t)row->owned);
    write_u64(w, (uint64_t)row->foreign);
}

void stats_row_decode(struct reader *r, struct stats_row *row)
{
    row->visible = (int64_t)read_u64(r);
    row->owned = (int64_t)read_u64(r);
    row->foreign = (int64_t)read_u64(r);
    r->bad = r->bad || reader_left(r) > 0;
}

void extent_row_encode(struct writer *w, const struct extent_row *row)
{
    write_u16(w, row->own_data);
    write_u16(w, row->own_zero);
    write_u16(w, row->foreign);
    write_u8(w, row->own_slot != SLOT_NONE ? ROW_HAS_OWN_SLOT : 0);
    if (row->own_slot != SLOT_NONE)
        row_u48_encode(w, row->own_slot);
    uint32_t left = extent_row_data(row);
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        if (!(left >> i & 1))
            continue;
        uint32_t mask = 0;
        for (uint32_t j = i; j < EXTENT_BLOCKS; j++)
            mask |= (uint32_t)(row->slots[j] == row->slots[i]) << j;
        row_u48_encode(w, row->slots[i]);
        write_u16(w, (uint16_t)mask);
        left &= ~mask;
    }
}

void extent_row_decode(struct reader *r, struct extent_row *row)
{
    extent_row_clear(row);
    row->own_data = read_u16(r);
    row->own_zero = read_u16(r);
    row->foreign = read_u16(r);
    uint8_t flags = read_u8(r);
    if (flags & ROW_HAS_OWN_SLOT)
        row->own_slot = row_u48_decode(r);
    uint32_t data = 0;
    while (!r->bad && reader_left(r) > 0) {
        uint64_t slot = row_u48_decode(r);
        uint32_t mask = read_u16(r);
        r->bad = r->bad || slot == SLOT_NONE || mask == 0 || mask & data;
        data |= mask;
        for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
            if (mask >> i & 1)
                row->slots[i] = slot;
        }
    }
    r->bad = r->bad || flags > ROW_HAS_OWN_SLOT || row->own_data & ~data || row->own_zero & data ||
             row->foreign & ~data || row->foreign & row->own_data;
}

void hashes_row_encode(struct writer *w, const struct hashes_row *row,
                       const struct digest_group *group)
{
    write_bytes(w, row->hash, DIGEST_BYTES);
    for (uint32_t i = 0; i < DIGEST_GROUP_PIECES; i += 8) {
        uint32_t bits = 0;
        for (uint32_t j = 0; j < 8; j++)
            bits |= (uint32_t)group->some[i + j] << j;
        write_u8(w, (uint8_t)bits);
    }
    for (uint32_t i = 0; i < DIGEST_GROUP_PIECES; i++) {
        if (group->some[i])
            write_bytes(w, group->hashes[i], DIGEST_BYTES);
    }
}

void hashes_row_decode(struct reader *r, struct hashes_row *row, struct digest_group *group)
{
    digest_group_clear(group);
    read_copy(r, row->hash, DIGEST_BYTES);
    for (uint32_t i = 0; i < DIGEST_GROUP_PIECES; i += 8) {
        uint8_t bits = read_u8(r);
        for (uint32_t j = 0; j < 8; j++)
            group->some[i + j] = bits >> j & 1;
    }
    for (uint32_t i = 0; i < DIGEST_GROUP_PIECES; i++) {
        if (group->some[i])
            read_copy(r, group->hashes[i], DIGEST_BYTES);
        group->count = (uint16_t)(group->count + group->some[i]);
    }
    r->bad = r->bad || reader_left(r) > 0;
}
