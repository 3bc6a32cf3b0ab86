/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of changes of rows. */
#include "replica/map/change.h"

void change_put(struct writer *w, enum table table, const struct key *key, const void *value,
                uint32_t value_bytes)
{
    write_u8(w, CHANGE_PUT);
    write_u8(w, (uint8_t)table);
    write_u8(w, (uint8_t)key->length);
    write_u32(w, value_bytes);
    write_bytes(w, key->bytes, key->length);
    write_bytes(w, value, value_bytes);
}

static void put_decode(struct reader *r, struct change *change)
{
    change->table = read_u8(r);
    uint32_t key_bytes = read_u8(r);
    uint32_t value_bytes = read_u32(r);
    change->key = read_sub(r, key_bytes);
    change->value = read_sub(r, value_bytes);
    r->bad = r->bad || change->table >= TABLE_COUNT || key_bytes == 0 || key_bytes > KEY_BYTES_MAX;
}

void change_delete(struct writer *w, enum table table, const struct key *key)
{
    write_u8(w, CHANGE_DELETE);
    write_u8(w, (uint8_t)table);
    write_u8(w, (uint8_t)key->length);
    write_bytes(w, key->bytes, key->length);
}

static void delete_decode(struct reader *r, struct change *change)
{
    change->table = read_u8(r);
    uint32_t key_bytes = read_u8(r);
    change->key = read_sub(r, key_bytes);
    r->bad = r->bad || change->table >= TABLE_COUNT || key_bytes == 0 || key_bytes > KEY_BYTES_MAX;
}

void change_extent(struct writer *w, uint32_t branch, uint64_t extent, uint64_t step,
                   const struct extent_row *row)
{
    uint8_t bytes[EXTENT_ROW_BYTES_MAX];
    struct writer value = writer_of(bytes, sizeof(bytes));
    if (row)
        extent_row_encode(&value, row);
    ASSERT(!value.bad);
    write_u8(w, CHANGE_EXTENT);
    write_u32(w, branch);
    row_u48_encode(w, extent);
    row_u48_encode(w, step);
    write_u8(w, (uint8_t)writer_length(&value));
    write_bytes(w, bytes, writer_length(&value));
}

static void extent_decode(struct reader *r, struct change *change)
{
    change->branch = read_u32(r);
    change->extent = row_u48_decode(r);
    change->step = row_u48_decode(r);
    uint32_t row_bytes = read_u8(r);
    change->gone = row_bytes == 0;
    struct reader row = read_sub(r, row_bytes);
    if (!change->gone)
        extent_row_decode(&row, &change->row);
    r->bad = r->bad || row.bad;
}

void change_stats(struct writer *w, uint32_t branch, uint64_t step, const struct stats_row *stats)
{
    write_u8(w, CHANGE_STATS);
    write_u32(w, branch);
    row_u48_encode(w, step);
    write_u16(w, (uint16_t)stats->visible);
    write_u16(w, (uint16_t)stats->owned);
    write_u16(w, (uint16_t)stats->foreign);
}

static void stats_decode(struct reader *r, struct change *change)
{
    change->branch = read_u32(r);
    change->step = row_u48_decode(r);
    change->stats.visible = (int16_t)read_u16(r);
    change->stats.owned = (int16_t)read_u16(r);
    change->stats.foreign = (int16_t)read_u16(r);
}

void change_free(struct writer *w, uint64_t slot)
{
    write_u8(w, CHANGE_FREE);
    row_u48_encode(w, slot);
}

bool change_decode(struct reader *r, struct change *change)
{
    if (reader_left(r) == 0)
        return false;
    uint8_t kind = read_u8(r);
    change->kind = kind;
    switch (kind) {
    case CHANGE_END:
        return false;
    case CHANGE_PUT:
        put_decode(r, change);
        break;
    case CHANGE_DELETE:
        delete_decode(r, change);
        break;
    case CHANGE_EXTENT:
        extent_decode(r, change);
        break;
    case CHANGE_STATS:
        stats_decode(r, change);
        break;
    case CHANGE_FREE:
        change->slot = row_u48_decode(r);
        break;
    default:
        r->bad = true;
    }
    return !r->bad;
}
