/* SPDX-License-Identifier: Apache-2.0 */
/* From the journal into LMDB. */
#include "replica/map/fold.h"

#include "replica/map/slot.h"
#include "replica/map/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
    FOLD_RECORDS_MAX = 8192, /* in one transaction: LMDB bounds its dirty pages */
    FOLD_BYTES_MAX = 4 << 20,
    /* Kept allocated behind the end of LMDB's file, so that a full disk does not stop it at once.
     */
    FOLD_RESERVE_BYTES = 16 << 20,
    /* Sequences left out at opening: torn records behind the last whole one never count again. */
    SEQUENCE_GAP = 1 << 20,
};

/* A slot that was given out is not free, and the next new one is behind it. */
static int note_slot(struct stored *stored, uint32_t family, uint64_t slot)
{
    struct reader r;
    struct key key = key_family(family);
    uint8_t bytes[10];
    struct writer w = writer_of(bytes, sizeof(bytes));
    if (slot == SLOT_NONE || slot < SLOT_FIRST)
        return 0;
    int rc = stored_get(stored, TABLE_FAMILIES, &key, &r);
    if (rc <= 0)
        return rc < 0 ? rc : stored_error(stored, MDB_CORRUPTED);
    write_u32(&w, read_u32(&r));
    if (slot < row_u48_decode(&r)) {
        key = key_slot(family, slot);
        return stored_delete(stored, TABLE_FREE, &key);
    }
    row_u48_encode(&w, slot + 1);
    return stored_put(stored, TABLE_FAMILIES, &key, bytes, writer_length(&w));
}

static int apply_change(struct stored *stored, uint32_t family, const struct change *change)
{
    struct key key;
    switch (change->kind) {
    case CHANGE_PUT:
    case CHANGE_DELETE:
        key.length = (uint32_t)reader_left(&change->key);
        memcpy(key.bytes, change->key.next, key.length);
        if (change->kind == CHANGE_DELETE)
            return stored_delete(stored, change->table, &key);
        return stored_put(stored, change->table, &key, change->value.next,
                          reader_left(&change->value));
    case CHANGE_EXTENT: {
        if (change->gone)
            return stored_extent_delete(stored, change->branch, change->extent, change->step);
        int rc = note_slot(stored, family, change->row.own_slot);
        return rc ? rc
                  : stored_extent_put(stored, change->branch, change->extent, change->step,
                                      &change->row);
    }
    case CHANGE_STATS:
        return stored_stats_add(stored, change->branch, change->step, &change->stats);
    case CHANGE_FREE:
        key = key_slot(family, change->slot);
        return stored_put(stored, TABLE_FREE, &key, "", 0);
    case CHANGE_END:
        break;
    }
    return 0;
}

int fold_apply(struct stored *stored, const struct record *record)
{
    struct change change;
    struct reader r = record->payload;
    if (record->type != RECORD_CHANGES)
        return 0;
    while (change_decode(&r, &change)) {
        int rc = apply_change(stored, record->family, &change);
        if (rc)
            return rc;
    }
    return r.bad ? stored_error(stored, MDB_CORRUPTED) : 0;
}

int fold_mark(struct stored *stored, uint64_t position, uint64_t sequence)
{
    uint8_t bytes[16];
    struct writer w = writer_of(bytes, sizeof(bytes));
    struct key key = key_meta("folded");
    write_u64(&w, sequence);
    write_u64(&w, position);
    return stored_put(stored, TABLE_META, &key, bytes, sizeof(bytes));
}

/* At opening. */

struct flushed {
    uint32_t family;
    uint64_t mark;
    uint64_t last;
};

struct replay {
    struct flushed *families; /* owned */
    uint32_t count;
    uint64_t position; /* behind the last whole record */
    uint64_t sequence;
};

/* Of the record's family: how far it is flushed, and which record came last. */
static int note_record(struct replay *replay, const struct record *record)
{
    uint32_t i = 0;
    while (i < replay->count && replay->families[i].family != record->family)
        i++;
    if (i == replay->count) {
        struct flushed *more = realloc(replay->families, (i + 1) * sizeof(*more));
        if (!more)
            return -ENOMEM;
        replay->families = more;
        replay->families[replay->count++] = (struct flushed){.family = record->family};
    }
    struct reader r = record->payload;
    if (record->type != RECORD_FLUSHED) {
        replay->families[i].last = record->sequence;
        return 0;
    }
    uint64_t mark = read_u64(&r);
    if (mark > replay->families[i].mark)
        replay->families[i].mark = mark;
    return 0;
}

static int scan(const struct map *map, struct replay *replay)
{
    struct record record;
    replay->position = map->journal.tail;
    replay->sequence = map->journal.tail_sequence;
    while (journal_read(&map->journal, replay->position, replay->sequence, &record)) {
        int rc = note_record(replay, &record);
        if (rc)
            return rc;
        replay->position = record.next;
        replay->sequence = record.sequence + 1;
    }
    return 0;
}

/* After a power loss only what its family's last flush covered counts. */
static bool counts(const struct map *map, const struct replay *replay, const struct record *record)
{
    if (map->journal.same_boot)
        return true;
    for (uint32_t i = 0; i < replay->count; i++) {
        if (replay->families[i].family == record->family)
            return record->sequence <= replay->families[i].mark;
    }
    return false;
}

/* One transaction of records; true in `more` when there are more. */
static int replay_some(struct map *map, struct stored *stored, const struct replay *replay,
                       bool *more)
{
    struct record record;
    uint64_t position = map->journal.tail, sequence = map->journal.tail_sequence;
    uint32_t count = 0;
    int rc = 0;
    *more = false;
    while (rc == 0 && sequence < replay->sequence &&
           journal_read(&map->journal, position, sequence, &record)) {
        *more = count == FOLD_RECORDS_MAX || position - map->journal.tail > FOLD_BYTES_MAX;
        if (*more)
            break;
        if (counts(map, replay, &record))
            rc = fold_apply(stored, &record);
        position = record.next;
        sequence = record.sequence + 1;
        count++;
    }
    if (!*more)
        sequence = replay->sequence + SEQUENCE_GAP;
    if (rc == 0)
        rc = fold_mark(stored, position, sequence);
    if (rc == 0)
        rc = stored_commit(stored);
    if (rc == 0)
        journal_start(&map->journal, position, sequence);
    return rc;
}

/* What the page cache kept of changes that no flush covered becomes durable before they do. */
static int sync_families(const struct map *map, const struct replay *replay,
                         const struct map_settings *settings)
{
    int rc = 0;
    for (uint32_t i = 0; i < replay->count && rc == 0; i++) {
        const struct flushed *family = &replay->families[i];
        if (map->journal.same_boot && settings->sync && family->last > family->mark)
            rc = settings->sync(settings->arg, family->family);
    }
    return rc;
}

int fold_replay(struct map *map, const struct map_settings *settings, struct error *error)
{
    struct replay replay = {0};
    struct stored stored = {0};
    bool more = true;
    int rc = scan(map, &replay);
    if (rc == 0)
        rc = sync_families(map, &replay, settings);
    while (rc == 0 && more) {
        rc = stored_begin(&stored, map);
        if (rc == 0)
            rc = replay_some(map, &stored, &replay, &more);
        stored_abort(&stored);
    }
    free(replay.families);
    if (rc)
        return stored.lmdb_error ? error_set(error, "map: cannot take over the journal: %s",
                                             mdb_strerror(stored.lmdb_error))
                                 : error_set_errno(error, rc, "map: cannot take over the journal");
    return 0;
}

/* While serving. */

/* Before which sequence everything is flushed. */
static uint64_t flushed_until(const struct map *map)
{
    uint64_t until = map->journal.next_sequence;
    for (uint32_t i = 0; i < map->families.count; i++) {
        const struct family *family = map->families.items[i];
        if (family->first != 0 && family->first < until)
            until = family->first;
    }
    return until;
}

bool map_fold_pending(const struct map *map, uint64_t mark)
{
    return map->journal.tail_sequence < map->journal.next_sequence &&
           map->journal.tail_sequence <= mark;
}

bool map_fold_wanted(const struct map *map)
{
    return journal_used(&map->journal) >= map->journal.ring_bytes / 4 ||
           map->table.changed_count >= map->table.entries_max / 4 ||
           (map->left && map_fold_pending(map, UINT64_MAX));
}

uint32_t map_fold_family(const struct map *map, uint64_t mark)
{
    for (uint32_t i = 0; i < map->families.count; i++) {
        const struct family *family = map->families.items[i];
        if (family->first != 0 && family->first <= mark)
            return family->id;
    }
    return 0;
}

int map_fold_begin(struct map *map)
{
    ASSERT(map->job == JOB_NONE);
    if (map->failed)
        return -EIO;
    struct record record;
    if (!journal_read(&map->journal, map->journal.tail, map->journal.tail_sequence, &record) ||
        record.sequence >= flushed_until(map))
        return 0;
    map->job = JOB_FOLD;
    map->left = false;
    map->fold_until = flushed_until(map);
    map->fold_position = map->journal.tail;
    map->fold_sequence = map->journal.tail_sequence;
    return 1;
}

static void reserve_space(const struct map *map)
{
    MDB_envinfo info;
    MDB_stat stat;
    int fd;
    if (mdb_env_info(map->env, &info) || mdb_env_stat(map->env, &stat) ||
        mdb_env_get_fd(map->env, &fd))
        return;
    off_t end = (off_t)((uint64_t)(info.me_last_pgno + 1) * stat.ms_psize);
    (void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, end, FOLD_RESERVE_BYTES);
}

/* Reads nothing the loop changes: the ring between the tail and the mark, and LMDB. */
int map_fold_work(struct map *map)
{
    struct stored stored;
    struct record record;
    uint32_t count = 0;
    uint64_t begin = map->fold_position;
    int rc = stored_begin(&stored, map);
    while (rc == 0 && count < FOLD_RECORDS_MAX && map->fold_sequence < map->fold_until &&
           map->fold_position - begin < FOLD_BYTES_MAX) {
        if (!journal_read(&map->journal, map->fold_position, map->fold_sequence, &record)) {
            rc = stored_error(&stored, MDB_CORRUPTED);
            break;
        }
        if (record.sequence >= map->fold_until)
            break;
        rc = fold_apply(&stored, &record);
        map->fold_position = record.next;
        map->fold_sequence = record.sequence + 1;
        count++;
    }
    if (rc == 0)
        rc = fold_mark(&stored, map->fold_position, map->fold_sequence);
    if (rc == 0)
        rc = stored_commit(&stored);
    stored_abort(&stored);
    if (rc == 0)
        reserve_space(map);
    map->job_error = stored.lmdb_error;
    return rc;
}

void map_fold_end(struct map *map, int status)
{
    ASSERT(map->job == JOB_FOLD);
    map->job = JOB_NONE;
    if (status == 0)
        status = map_renew(map);
    else if (status != -ENOSPC)
        (void)map_fail(map, "cannot fold the journal", map->job_error);
    if (status)
        return;
    map->journal.tail = map->fold_position;
    map->journal.tail_sequence = map->fold_sequence;
    map->stuck = false;
    table_folded(&map->table, map->fold_sequence - 1);
    volume_folded(map, map->fold_sequence - 1);
    slot_folded(map);
}

uint64_t map_flush_mark(const struct map *map)
{
    return map->journal.next_sequence - 1;
}

int map_flushed(struct map *map, uint32_t id, uint64_t mark)
{
    struct family *family = map_family(map, id);
    if (map->failed)
        return -EIO;
    if (!family)
        return 0;
    uint64_t rest = family->last > mark ? mark + 1 : 0;
    if (family->first <= mark)
        family->first = rest;
    if (family->unsaid == 0 || family->unsaid > mark)
        return 0;
    bool folded = (family->last < mark ? family->last : mark) < map->journal.tail_sequence;
    if (!folded) {
        if (!journal_fits(&map->journal, 8, 0))
            return -EAGAIN;
        struct writer w = journal_begin(&map->journal, 8);
        write_u64(&w, mark);
        (void)journal_end(&map->journal, RECORD_FLUSHED, id, &w);
    }
    family->unsaid = rest;
    return !folded;
}

int map_journal_fd(const struct map *map)
{
    return map->journal.fd;
}
