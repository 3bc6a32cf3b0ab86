/* SPDX-License-Identifier: Apache-2.0 */
/* What is held against the model; crashes. */
#include "tests/unit/replica/map/model.h"

static bool *model_used;

/* Blocks as they read. */
void model_read(uint32_t family, struct map_volume *open, uint64_t number,
                uint32_t ids[MODEL_BLOCKS])
{
    struct map_run runs[7];
    uint64_t at = 0;
    while (at < MODEL_BLOCKS) {
        int n = map_find(open, number, at * BLOCK, (MODEL_BLOCKS - at) * BLOCK, runs, 7);
        ck_assert_int_gt(n, 0);
        for (int i = 0; i < n; i++) {
            for (uint64_t b = 0; b < runs[i].length_bytes / BLOCK; b++)
                ids[at++] = runs[i].state == MAP_DATA
                                ? fixture_cell(family, fixture_place(&runs[i], b))->id
                                : 0;
        }
    }
    ck_assert_uint_eq(at, MODEL_BLOCKS);
}

bool model_is_known(const struct model_volume *v, uint32_t g)
{
    return g == v->count - 1 ? v->head_complete : v->generations[g].complete;
}

void model_verify_book(const struct model_volume *v, struct map_volume *open)
{
    static uint8_t body[BOOK_VALUE_BYTES_MAX + 1024];
    struct message_book book = {0};
    uint32_t g = 0, rows[MODEL_ROWS] = {0};
    do {
        int n = map_book_read(open, book.next_cursor, body, sizeof(body));
        ck_assert_int_gt(n, 0);
        struct reader r = reader_of(body, (size_t)n);
        message_book_decode(&r, &book);
        while (reader_left(&r) > 0) {
            struct book_entry entry;
            book_entry_decode(&r, &entry);
            ck_assert(!r.bad);
            if (entry.type == BOOK_ROW) {
                struct reader value = reader_of(entry.value, entry.value_bytes);
                rows[entry.key[4] - '0'] = read_u32(&value);
                continue;
            }
            ck_assert_uint_lt(g, v->count - 1);
            ck_assert_uint_eq(entry.generation, v->generations[g].number);
            ck_assert_uint_eq(entry.base_generation, v->generations[g].base);
            ck_assert(uuid_equal(&entry.identity, &v->generations[g].identity));
            ck_assert_int_eq(entry.complete, v->generations[g].complete);
            g++;
        }
    } while (book.next_cursor);
    ck_assert_uint_eq(g, v->count - 1);
    ck_assert_mem_eq(rows, v->rows, sizeof(rows));
}

void model_verify_volume(struct model *m, int i)
{
    struct model_volume *v = &m->volumes[i];
    uint32_t ids[MODEL_BLOCKS];
    struct map_info info;
    if (!m->open[i])
        ck_assert_int_eq(map_volume_open(fixture_map, &v->uuid, &m->open[i]), 0);
    map_volume_info(m->open[i], &info);
    ck_assert_uint_eq(info.lineage.command, v->command);
    ck_assert_uint_eq(info.lineage.head_generation, model_head(v)->number);
    ck_assert_uint_eq(info.lineage.head_base, model_head(v)->base);
    for (uint32_t g = 0; g < v->count; g++) {
        if (!model_is_known(v, g))
            continue;
        model_read(v->family, m->open[i], v->generations[g].number, ids);
        for (uint32_t b = 0; b < MODEL_BLOCKS; b++)
            ck_assert_msg(ids[b] == v->generations[g].ids[b],
                          "volume %d generation %llu block %u: %u, not %u", i,
                          (unsigned long long)v->generations[g].number, b, ids[b],
                          v->generations[g].ids[b]);
    }
    model_verify_book(v, m->open[i]);
    if (model_random(m, 3) == 0)
        model_close(m, i);
}

void model_verify(struct model *m)
{
    for (int i = 0; i < MODEL_VOLUMES; i++) {
        if (m->volumes[i].exists)
            model_verify_volume(m, i);
    }
}

void model_note_used(void *arg, const struct map_slot *slot)
{
    (void)arg;
    for (uint32_t b = 0; b < 16; b++) {
        if (slot->blocks >> b & 1)
            model_used[fixture_cell(slot->family, slot->slot * 16 + b) - fixture_cells] = true;
    }
}

void model_check(struct model *m, bool all_reclaimed)
{
    model_used = calloc(FIXTURE_CELLS, sizeof(bool));
    model_make_room(m);
    ck_assert_int_eq(map_check(fixture_map, fixture_finding, model_note_used, NULL), 0);
    for (uint32_t i = 0; i < FIXTURE_CELLS && all_reclaimed && !m->lost; i++) {
        const struct cell *cell = &fixture_cells[i];
        ck_assert_msg(cell->id == 0 || model_used[i], "nobody shows %u at %llu of family %u",
                      cell->id, (unsigned long long)(cell->place - 1), cell->family);
    }
    free(model_used);
}

void model_close_all(struct model *m)
{
    for (int i = 0; i < MODEL_VOLUMES; i++)
        model_close(m, i);
}

void model_reopen(struct model *m)
{
    model_end_job(m);
    model_close_all(m);
    map_close(fixture_map);
    fixture_open();
    model_verify(m);
    model_check(m, false);
}

void model_garble_journal(struct model *m, uint64_t head)
{
    char path[128];
    uint8_t junk[8] = {0x5a};
    snprintf(path, sizeof(path), "%s/journal", fixture_path);
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    for (uint64_t at = m->synced; at < head; at += 8) {
        if (model_random(m, 8) == 0)
            ck_assert_int_eq(pwrite(fd, junk, 8, (off_t)(4096 + at % fixture_journal)), 8);
    }
    close(fd);
}

bool model_is_late(const struct model *m, const struct uuid *uuid, uint32_t block, uint32_t id)
{
    for (uint32_t i = 0; i < m->late_count; i++) {
        if (m->late[i].block == block && m->late[i].id == id && uuid_equal(&m->late[i].uuid, uuid))
            return true;
    }
    return false;
}

/* What is there now is taken as the truth, if it is old or new. */
void model_adopt(struct model *m, int i)
{
    struct model_volume *v = &m->volumes[i];
    uint32_t ids[MODEL_BLOCKS];
    ck_assert_int_eq(map_volume_open(fixture_map, &v->uuid, &m->open[i]), 0);
    for (uint32_t g = 0; g < v->count; g++) {
        if (!model_is_known(v, g))
            continue;
        model_read(v->family, m->open[i], v->generations[g].number, ids);
        for (uint32_t b = 0; b < MODEL_BLOCKS; b++) {
            ck_assert_msg(
                ids[b] == v->generations[g].ids[b] || model_is_late(m, &v->uuid, b, ids[b]),
                "volume %d generation %llu block %u: %u, neither %u nor later", i,
                (unsigned long long)v->generations[g].number, b, ids[b], v->generations[g].ids[b]);
            v->generations[g].ids[b] = ids[b];
        }
    }
}

void model_power_loss(struct model *m)
{
    model_end_job(m);
    uint64_t head = fixture_map->journal.head;
    model_close_all(m);
    map_close(fixture_map);
    uint32_t kept = model_random(m, 3);
    for (uint32_t i = 0; i < FIXTURE_CELLS; i++) {
        struct cell *cell = &fixture_cells[i];
        if (kept == 0 || (kept == 1 && model_random(m, 2)))
            cell->id = cell->durable;
        cell->durable = cell->id;
    }
    if (model_random(m, 2))
        model_garble_journal(m, head);
    fixture_boot.bytes[0]++;
    m->lost = m->loose = true;
    fixture_open();
    memcpy(m->volumes, m->flushed, sizeof(m->volumes));
    for (int i = 0; i < MODEL_VOLUMES; i++) {
        if (m->volumes[i].exists)
            model_adopt(m, i);
    }
    memcpy(m->flushed, m->volumes, sizeof(m->volumes));
    m->late_count = 0;
    m->synced = fixture_map->journal.head;
    model_verify(m);
    model_check(m, false);
}

void model_diff(struct model *m)
{
    struct map_run runs[5];
    int i = model_pick(m);
    if (i < 0)
        return;
    struct model_volume *v = &m->volumes[i];
    uint32_t to = model_random(m, v->count), from = model_random(m, v->count);
    bool nothing = model_random(m, 4) == 0;
    if (!model_is_known(v, to) || (!nothing && !model_is_known(v, from)))
        return;
    const uint32_t *new = v->generations[to].ids, *old = v->generations[from].ids;
    for (uint64_t at = 0; at < MODEL_BLOCKS;) {
        int n =
            map_diff(m->open[i], nothing ? 0 : v->generations[from].number,
                     v->generations[to].number, at * BLOCK, (MODEL_BLOCKS - at) * BLOCK, runs, 5);
        ck_assert_int_gt(n, 0);
        for (int j = 0; j < n; j++) {
            for (uint64_t b = 0; b < runs[j].length_bytes / BLOCK; b++, at++) {
                bool differs = new[at] != (nothing ? 0 : old[at]);
                enum map_state state = runs[j].state;
                /* After a power loss places may differ whose data is lost alike. */
                if (differs)
                    ck_assert(state == (new[at] ? MAP_DATA : MAP_ZERO) ||
                              (m->lost && state == MAP_DATA));
                else
                    ck_assert(state == MAP_ABSENT || m->loose);
            }
        }
    }
}

void model_space(struct model *m)
{
    int i = model_pick(m);
    struct message_space space;
    uint64_t blocks = 0;
    if (i < 0 || m->lost || !m->volumes[i].head_complete)
        return;
    for (uint32_t b = 0; b < MODEL_BLOCKS; b++)
        blocks += model_head(&m->volumes[i])->ids[b] != 0;
    map_volume_space(m->open[i], &space);
    ck_assert_uint_eq(space.logical_bytes, blocks * BLOCK);
    ck_assert_uint_ge(space.unique_bytes + space.reclaimable_bytes + space.shared_bytes,
                      space.logical_bytes);
}

/* Everything is deleted: nothing is left. */
void model_finish(struct model *m)
{
    model_make_room(m);
    fixture_reclaim();
    model_check(m, true);
    model_verify(m);
    model_close_all(m);
    for (int i = 0; i < MODEL_VOLUMES; i++) {
        uint32_t family;
        int rc = 0;
        if (m->volumes[i].exists)
            MODEL_RETRY(m, rc, map_volume_delete(fixture_map, &m->volumes[i].uuid, &family));
        ck_assert_int_eq(rc, 0);
        m->volumes[i].exists = false;
    }
    model_make_room(m);
    fixture_reclaim();
    model_check(m, true);
    ck_assert_uint_eq(fixture_map->families.count, 0);
    ck_assert_uint_eq(fixture_map->branches.count, 0);
    ck_assert_int_eq(map_reclaim_pending(fixture_map), false);
}
