/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of LMDB within a transaction. */
#include "replica/map/stored.h"

#include <errno.h>

int stored_error(struct stored *stored, int lmdb_error)
{
    stored->lmdb_error = lmdb_error;
    return lmdb_error == ENOSPC || lmdb_error == EDQUOT || lmdb_error == MDB_MAP_FULL ? -ENOSPC
                                                                                      : -EIO;
}

int stored_begin(struct stored *stored, const struct map *map)
{
    *stored = (struct stored){.map = map};
    int rc = mdb_txn_begin(map->env, NULL, 0, &stored->txn);
    return rc ? stored_error(stored, rc) : 0;
}

int stored_commit(struct stored *stored)
{
    int rc = mdb_txn_commit(stored->txn);
    stored->txn = NULL;
    return rc ? stored_error(stored, rc) : 0;
}

void stored_abort(struct stored *stored)
{
    if (stored->txn)
        mdb_txn_abort(stored->txn);
    stored->txn = NULL;
}

static MDB_val val(const void *bytes, size_t length)
{
    union {
        const void *from;
        void *to;
    } lent = {.from = bytes};
    return (MDB_val){.mv_size = length, .mv_data = lent.to};
}

int stored_get(struct stored *stored, enum table table, const struct key *key, struct reader *value)
{
    MDB_val k = map_key(key), v;
    int rc = mdb_get(stored->txn, stored->map->db[table], &k, &v);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc)
        return stored_error(stored, rc);
    *value = reader_of(v.mv_data, v.mv_size);
    return 1;
}

int stored_put(struct stored *stored, enum table table, const struct key *key, const void *value,
               size_t value_bytes)
{
    MDB_val k = map_key(key), v = val(value, value_bytes);
    int rc = mdb_put(stored->txn, stored->map->db[table], &k, &v, 0);
    return rc ? stored_error(stored, rc) : 0;
}

int stored_delete(struct stored *stored, enum table table, const struct key *key)
{
    MDB_val k = map_key(key);
    int rc = mdb_del(stored->txn, stored->map->db[table], &k, NULL);
    return rc && rc != MDB_NOTFOUND ? stored_error(stored, rc) : 0;
}

int stored_seek(struct stored *stored, enum table table, const struct key *key,
                struct reader *found_key, struct reader *value)
{
    MDB_cursor *cursor;
    MDB_val k = map_key(key), v;
    int rc = mdb_cursor_open(stored->txn, stored->map->db[table], &cursor);
    if (rc)
        return stored_error(stored, rc);
    rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc)
        return stored_error(stored, rc);
    *found_key = reader_of(k.mv_data, k.mv_size);
    *value = reader_of(v.mv_data, v.mv_size);
    return 1;
}

int stored_delete_some(struct stored *stored, enum table table, uint32_t number, uint32_t keep,
                       bool *ended)
{
    struct key from = key_family(number);
    *ended = false;
    for (uint32_t count = 0; count < ROWS_OF_BATCH;) {
        struct reader k, v;
        int rc = stored_seek(stored, table, &from, &k, &v);
        if (rc < 0)
            return rc;
        struct key key = {.length = (uint32_t)reader_left(&k)};
        *ended = rc == 0 || key.length > sizeof(key.bytes);
        if (*ended)
            return 0;
        memcpy(key.bytes, k.next, key.length);
        *ended = read_u32(&k) != number;
        if (*ended)
            return 0;
        if (keep && read_u32(&k) == keep) {
            from = key_book(number, keep + 1, "");
            continue;
        }
        rc = stored_delete(stored, table, &key);
        if (rc)
            return rc;
        count++;
    }
    return 0;
}

int stored_change(struct stored *stored, uint32_t branch, uint64_t step, uint64_t extent,
                  bool present)
{
    uint8_t group[GROUP_BYTES] = {0};
    struct key key = key_triple(branch, step, extent / GROUP_EXTENTS);
    struct reader r;
    int rc = stored_get(stored, TABLE_CHANGES, &key, &r);
    if (rc < 0)
        return rc;
    if (rc == 1)
        read_copy(&r, group, sizeof(group));
    uint32_t bit = extent % GROUP_EXTENTS;
    if ((group[bit / 8] >> bit % 8 & 1) == present)
        return 0;
    group[bit / 8] ^= (uint8_t)(1u << bit % 8);
    static const uint8_t empty[GROUP_BYTES];
    if (memcmp(group, empty, sizeof(group)) == 0)
        return stored_delete(stored, TABLE_CHANGES, &key);
    return stored_put(stored, TABLE_CHANGES, &key, group, sizeof(group));
}

int stored_extent_put(struct stored *stored, uint32_t branch, uint64_t extent, uint64_t step,
                      const struct extent_row *row)
{
    uint8_t bytes[EXTENT_ROW_BYTES_MAX];
    struct writer w = writer_of(bytes, sizeof(bytes));
    struct key key = key_triple(branch, extent, step);
    extent_row_encode(&w, row);
    ASSERT(!w.bad);
    int rc = stored_put(stored, TABLE_EXTENTS, &key, bytes, writer_length(&w));
    return rc ? rc : stored_change(stored, branch, step, extent, true);
}

int stored_extent_delete(struct stored *stored, uint32_t branch, uint64_t extent, uint64_t step)
{
    struct key key = key_triple(branch, extent, step);
    int rc = stored_delete(stored, TABLE_EXTENTS, &key);
    return rc ? rc : stored_change(stored, branch, step, extent, false);
}

int stored_stats_add(struct stored *stored, uint32_t branch, uint64_t step,
                     const struct stats_row *more)
{
    uint8_t bytes[VALUE_BYTES_MAX];
    struct writer w = writer_of(bytes, sizeof(bytes));
    struct key key = key_step(branch, step);
    struct stats_row stats = {0};
    struct reader r;
    int rc = stored_get(stored, TABLE_STATS, &key, &r);
    if (rc < 0)
        return rc;
    if (rc == 1)
        stats_row_decode(&r, &stats);
    stats.visible += more->visible;
    stats.owned += more->owned;
    stats.foreign += more->foreign;
    stats_row_encode(&w, &stats);
    return stored_put(stored, TABLE_STATS, &key, bytes, writer_length(&w));
}

/* The branch's newest row at or before a step. */
static int newest(struct stored *stored, uint32_t branch, uint64_t extent, uint64_t step,
                  struct extent_row *row)
{
    MDB_cursor *cursor;
    struct key key = key_triple(branch, extent, step);
    MDB_val k = map_key(&key), v;
    int rc = mdb_cursor_open(stored->txn, stored->map->db[TABLE_EXTENTS], &cursor);
    if (rc)
        return stored_error(stored, rc);
    rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (rc == 0 && (k.mv_size != key.length || memcmp(k.mv_data, key.bytes, key.length) != 0))
        rc = mdb_cursor_get(cursor, &k, &v, MDB_PREV);
    else if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_LAST);
    mdb_cursor_close(cursor);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc)
        return stored_error(stored, rc);
    struct reader r = reader_of(k.mv_data, k.mv_size);
    if (read_u32(&r) != branch || row_u48_decode(&r) != extent)
        return 0;
    r = reader_of(v.mv_data, v.mv_size);
    extent_row_decode(&r, row);
    return r.bad ? stored_error(stored, MDB_CORRUPTED) : 1;
}

int stored_shown(struct stored *stored, uint32_t branch, uint64_t extent, uint64_t step,
                 struct extent_row *row)
{
    for (uint32_t depth = 0; depth <= MAP_DEPTH_MAX; depth++) {
        struct branch_row parent;
        struct reader r;
        int rc = newest(stored, branch, extent, step, row);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        struct key key = key_branch(branch);
        rc = stored_get(stored, TABLE_BRANCHES, &key, &r);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return stored_error(stored, MDB_CORRUPTED);
        branch_row_decode(&r, &parent);
        if (parent.parent == 0) {
            extent_row_clear(row);
            return 0;
        }
        branch = parent.parent;
        step = parent.parent_step;
    }
    return stored_error(stored, MDB_CORRUPTED);
}
