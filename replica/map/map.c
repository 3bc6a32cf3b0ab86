/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing the map of a pool. */
#include "replica/map/map.h"

#include "replica/map/fold.h"
#include "replica/map/reclaim.h"
#include "replica/map/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAP_BYTES_MAX       ((size_t)1 << 40) /* of addresses for LMDB's file */
#define SMALL_POOL_BYTES    ((uint64_t)1 << 30)
#define JOURNAL_BYTES       ((uint64_t)32 << 20)
#define JOURNAL_BYTES_SMALL ((uint64_t)4 << 20)

enum { ENTRIES_DEFAULT = 128 << 10, PATH_BYTES_MAX = 4096 };

int map_fail(struct map *map, const char *what, int lmdb_error)
{
    if (map->failed)
        return -EIO;
    map->failed = true;
    if (lmdb_error)
        (void)error_set(&map->failure, "map: %s: %s", what, mdb_strerror(lmdb_error));
    else
        (void)error_set(&map->failure, "map: %s", what);
    return -EIO;
}

const char *map_failed(const struct map *map)
{
    return map->failed ? map->failure.text : NULL;
}

MDB_val map_key(const struct key *key)
{
    union {
        const uint8_t *from;
        void *to;
    } lent = {.from = key->bytes};
    return (MDB_val){.mv_size = key->length, .mv_data = lent.to};
}

/* Every item begins with its number; they are added in the order of these. */
static uint32_t number_of(const void *item)
{
    return *(const uint32_t *)item;
}

void *pointers_find(const struct pointers *pointers, uint32_t id)
{
    uint32_t low = 0, high = pointers->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (number_of(pointers->items[middle]) < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < pointers->count && number_of(pointers->items[low]) == id;
    return found ? pointers->items[low] : NULL;
}

int pointers_add(struct pointers *pointers, void *item)
{
    if (pointers->count == pointers->capacity) {
        uint32_t capacity = pointers->capacity ? 2 * pointers->capacity : 16;
        void **items = realloc(pointers->items, capacity * sizeof(*items));
        if (!items)
            return -ENOMEM;
        pointers->items = items;
        pointers->capacity = capacity;
    }
    ASSERT(pointers->count == 0 ||
           number_of(pointers->items[pointers->count - 1]) < number_of(item));
    pointers->items[pointers->count++] = item;
    return 0;
}

void pointers_remove(struct pointers *pointers, const void *item)
{
    uint32_t i = 0;
    while (pointers->items[i] != item)
        ASSERT(++i < pointers->count);
    pointers->count--;
    memmove(&pointers->items[i], &pointers->items[i + 1],
            (pointers->count - i) * sizeof(*pointers->items));
}

struct branch *map_branch(const struct map *map, uint32_t id)
{
    return pointers_find(&map->branches, id);
}

struct family *map_family(const struct map *map, uint32_t id)
{
    return pointers_find(&map->families, id);
}

bool map_family_exists(const struct map *map, uint32_t family)
{
    return map_family(map, family) != NULL;
}

bool map_fits(const struct map *map, uint64_t payload_bytes)
{
    /* The rest is for the records of flushes, without which nothing could be folded. */
    return journal_fits(&map->journal, payload_bytes, map->journal.ring_bytes / 16);
}

void map_recorded(struct map *map, struct family *family, uint64_t sequence)
{
    (void)map;
    family->last = sequence;
    if (family->first == 0)
        family->first = sequence;
    if (family->unsaid == 0)
        family->unsaid = sequence;
}

int map_renew(struct map *map)
{
    if (map->extents)
        mdb_cursor_close(map->extents);
    map->extents = NULL;
    if (map->read)
        mdb_txn_reset(map->read);
    int rc = map->read ? mdb_txn_renew(map->read)
                       : mdb_txn_begin(map->env, NULL, MDB_RDONLY, &map->read);
    if (rc == 0)
        rc = mdb_cursor_open(map->read, map->db[TABLE_EXTENTS], &map->extents);
    return rc ? map_fail(map, "cannot begin to read", rc) : 0;
}

static int check_format(struct map *map, struct stored *stored, struct error *error)
{
    struct reader r;
    struct key key = key_meta("format");
    int rc = stored_get(stored, TABLE_META, &key, &r);
    if (rc == 0) {
        uint8_t bytes[4];
        struct writer w = writer_of(bytes, sizeof(bytes));
        write_u32(&w, ROWS_FORMAT);
        rc = stored_put(stored, TABLE_META, &key, bytes, sizeof(bytes));
    } else if (rc == 1) {
        uint32_t format = read_u32(&r);
        rc = 0;
        if (r.bad || format != ROWS_FORMAT)
            return error_set(error, "map: format %u is not known to this version", format);
    }
    key = key_meta("folded");
    uint64_t sequence = 1, position = 0;
    if (rc == 0)
        rc = stored_get(stored, TABLE_META, &key, &r);
    if (rc == 1) {
        sequence = read_u64(&r);
        position = read_u64(&r);
        rc = r.bad ? stored_error(stored, MDB_CORRUPTED) : 0;
    }
    journal_start(&map->journal, position, sequence);
    return rc ? error_set(error, "map: %s", mdb_strerror(stored->lmdb_error)) : 0;
}

static int open_tables(struct map *map, struct error *error)
{
    struct stored stored;
    int rc = stored_begin(&stored, map);
    for (int i = 0; i < TABLE_COUNT && rc == 0; i++)
        rc = mdb_dbi_open(stored.txn, table_names[i], MDB_CREATE, &map->db[i]);
    if (rc)
        (void)error_set(error, "map: %s", mdb_strerror(stored.lmdb_error ? stored.lmdb_error : rc));
    else
        rc = check_format(map, &stored, error);
    if (rc == 0 && stored_commit(&stored))
        rc = error_set(error, "map: %s", mdb_strerror(stored.lmdb_error));
    stored_abort(&stored);
    return rc ? -1 : 0;
}

static int open_environment(struct map *map, const char *directory, struct error *error)
{
    char path[PATH_BYTES_MAX];
    int length = snprintf(path, sizeof(path), "%s/map", directory);
    if (length < 0 || (size_t)length >= sizeof(path))
        return error_set(error, "map: the directory's name is too long");
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set_errno(error, errno, "map: cannot make its directory");
    int rc = mdb_env_create(&map->env);
    if (rc == 0)
        rc = mdb_env_set_mapsize(map->env, MAP_BYTES_MAX);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(map->env, TABLE_COUNT);
    if (rc == 0)
        rc = mdb_env_open(map->env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
    int dead;
    if (rc == 0)
        rc = mdb_reader_check(map->env, &dead);
    return rc ? error_set(error, "map: cannot open: %s", mdb_strerror(rc)) : 0;
}

static int open_journal(struct map *map, const struct map_settings *settings, struct error *error)
{
    struct statvfs fs;
    uint64_t bytes = settings->journal_bytes;
    int dir_fd = open(settings->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return error_set_errno(error, errno, "map: cannot open '%s'", settings->directory);
    if (bytes == 0) {
        bytes = JOURNAL_BYTES;
        if (fstatvfs(dir_fd, &fs) == 0 && (uint64_t)fs.f_blocks * fs.f_frsize < SMALL_POOL_BYTES)
            bytes = JOURNAL_BYTES_SMALL;
    }
    int rc = journal_open(&map->journal, dir_fd, bytes, &settings->boot, error);
    close(dir_fd);
    return rc;
}

static int open_parts(struct map *map, const struct map_settings *settings, struct error *error)
{
    uint32_t entries = settings->entries_max ? settings->entries_max : ENTRIES_DEFAULT;
    if (table_init(&map->table, entries))
        return error_set_errno(error, ENOMEM, "map");
    if (open_environment(map, settings->directory, error) || open_journal(map, settings, error) ||
        open_tables(map, error) || fold_replay(map, settings, error))
        return -1;
    if (journal_stamp(&map->journal, &settings->boot))
        return error_set_errno(error, errno, "journal: cannot sync");
    if (map_renew(map) || volume_load_all(map) || reclaim_load(map))
        return error_set(error, "%s", map->failed ? map->failure.text : "map: no memory");
    return 0;
}

struct map *map_open(const struct map_settings *settings, struct error *error)
{
    struct map *map = calloc(1, sizeof(*map));
    if (!map) {
        (void)error_set_errno(error, ENOMEM, "map");
        return NULL;
    }
    map->journal.fd = -1;
    list_init(&map->volumes);
    if (open_parts(map, settings, error) == 0)
        return map;
    map_close(map);
    return NULL;
}

void map_close(struct map *map)
{
    ASSERT(map->job == JOB_NONE);
    volume_free_all(map);
    if (map->extents)
        mdb_cursor_close(map->extents);
    if (map->read)
        mdb_txn_abort(map->read);
    if (map->env)
        mdb_env_close(map->env);
    journal_close(&map->journal);
    table_release(&map->table);
    free(map);
}
