/* SPDX-License-Identifier: Apache-2.0 */
/* The model: volumes, writes, zeros, commands, jobs. */
#include "tests/unit/replica/map/model.h"

uint32_t model_random(struct model *m, uint32_t below)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 17;
    m->state ^= m->state << 5;
    return (m->state >> 3) % below;
}

struct model *model_new(uint32_t seed, bool power)
{
    struct model *m = calloc(1, sizeof(*m));
    ck_assert_ptr_nonnull(m);
    m->state = seed * 2654435761u + 1;
    m->power = power;
    fixture_sync = model_sync;
    fixture_arg = m;
    return m;
}

void model_job(struct model *m)
{
    int rc;
    switch (m->job) {
    case 0:
        fixture_punch();
        rc = map_fold_begin(fixture_map);
        ck_assert_int_ge(rc, 0);
        m->job = rc == 1 ? 1 : 0;
        if (m->job == 0 || (m->job == 1 && model_random(m, 2) == 0))
            break;
        return;
    case 1:
        m->job_status = map_fold_work(fixture_map);
        m->job = 2;
        return;
    case 2:
        map_fold_end(fixture_map, m->job_status);
        m->job = 0;
        return;
    case 3:
        m->job_status = map_reclaim_work(fixture_map);
        m->job = 4;
        return;
    default:
        map_reclaim_end(fixture_map, m->job_status);
        m->job = 0;
        return;
    }
    if (m->job == 0) {
        rc = map_reclaim_begin(fixture_map);
        ck_assert_int_ge(rc, 0);
        m->job = rc == 1 ? 3 : 0;
    }
}

void model_end_job(struct model *m)
{
    while (m->job)
        model_job(m);
    ck_assert_msg(!map_failed(fixture_map), "%s", map_failed(fixture_map));
}

/* The family's data goes to the disk, and its volumes are as they are now. */
void model_sync_family(struct model *m, uint32_t family)
{
    for (uint32_t i = 0; i < FIXTURE_CELLS; i++) {
        if (fixture_cells[i].place && fixture_cells[i].family == family)
            fixture_cells[i].durable = fixture_cells[i].id;
    }
    for (int i = 0; i < MODEL_VOLUMES; i++) {
        if (m->volumes[i].family == family)
            m->flushed[i] = m->volumes[i];
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->late_count; i++) {
        bool ours = false;
        for (int j = 0; j < MODEL_VOLUMES; j++)
            ours = ours || (m->volumes[j].family == family &&
                            uuid_equal(&m->volumes[j].uuid, &m->late[i].uuid));
        if (!ours)
            m->late[kept++] = m->late[i];
    }
    m->late_count = kept;
}

int model_sync(void *arg, uint32_t family)
{
    model_sync_family(arg, family);
    return 0;
}

void model_flush_family(struct model *m, uint32_t family)
{
    uint64_t mark = map_flush_mark(fixture_map);
    model_sync_family(m, family);
    int rc = map_flushed(fixture_map, family, mark);
    if (rc == -EAGAIN) {
        model_end_job(m);
        while (map_fold_begin(fixture_map) == 1)
            map_fold_end(fixture_map, map_fold_work(fixture_map));
        rc = map_flushed(fixture_map, family, mark);
    }
    ck_assert_int_ge(rc, 0);
    m->synced = fixture_map->journal.head;
}

/* After -EAGAIN: everything that can be done is done. */
void model_make_room(struct model *m)
{
    model_end_job(m);
    for (uint32_t family; (family = map_fold_family(fixture_map, UINT64_MAX));)
        model_flush_family(m, family);
    while (map_fold_begin(fixture_map) == 1)
        map_fold_end(fixture_map, map_fold_work(fixture_map));
}

/* An existing volume's index, opened; -1. */
int model_pick(struct model *m)
{
    for (int tries = 0; tries < 8; tries++) {
        int i = (int)model_random(m, MODEL_VOLUMES);
        if (!m->volumes[i].exists)
            continue;
        if (!m->open[i])
            ck_assert_int_eq(map_volume_open(fixture_map, &m->volumes[i].uuid, &m->open[i]), 0);
        return i;
    }
    return -1;
}

void model_close(struct model *m, int i)
{
    if (m->open[i])
        map_volume_close(m->open[i]);
    m->open[i] = NULL;
}

struct model_generation *model_head(struct model_volume *v)
{
    return &v->generations[v->count - 1];
}

int model_free_slot(struct model *m)
{
    for (int i = 0; i < MODEL_VOLUMES; i++) {
        if (!m->volumes[i].exists && !m->flushed[i].exists)
            return i;
    }
    return -1;
}

void model_create(struct model *m)
{
    int i = model_free_slot(m), rc;
    if (i < 0)
        return;
    struct model_volume *v = &m->volumes[i];
    *v = (struct model_volume){
        .exists = true, .uuid = fixture_uuid(++m->next_uuid), .head_complete = true, .count = 1};
    v->generations[0].number = 1;
    MODEL_RETRY(
        m, rc,
        map_volume_create(fixture_map, &v->uuid, MODEL_BLOCKS * BLOCK, NULL, 0, false, &v->family));
    ck_assert_int_eq(rc, 0);
}

void model_clone(struct model *m)
{
    int to = model_free_slot(m), from = model_pick(m), rc;
    if (to < 0 || from < 0 || m->volumes[from].count < 2)
        return;
    const struct model_volume *origin = &m->volumes[from];
    uint32_t g = model_random(m, origin->count - 1);
    struct model_volume v = {.uuid = fixture_uuid(++m->next_uuid), .head_complete = true};
    MODEL_RETRY(m, rc,
                map_volume_create(fixture_map, &v.uuid, MODEL_BLOCKS * BLOCK, &origin->uuid,
                                  origin->generations[g].number, false, &v.family));
    ck_assert_int_eq(rc, origin->generations[g].complete ? 0 : -ENOENT);
    if (rc)
        return;
    v.exists = true;
    v.count = 1;
    v.generations[0] = origin->generations[g];
    v.generations[0].number = 1;
    v.generations[0].base = 0;
    ck_assert_uint_eq(v.family, origin->family);
    m->volumes[to] = v;
}

void model_delete(struct model *m)
{
    int i = model_pick(m), rc;
    uint32_t family;
    if (i < 0)
        return;
    model_close(m, i);
    MODEL_RETRY(m, rc, map_volume_delete(fixture_map, &m->volumes[i].uuid, &family));
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_eq(family, m->volumes[i].family);
    m->volumes[i].exists = false;
}

void model_late(struct model *m, const struct model_volume *v, uint64_t number, uint32_t block,
                uint32_t id)
{
    if (m->late_count == m->late_capacity) {
        m->late_capacity = m->late_capacity ? 2 * m->late_capacity : 1024;
        m->late = realloc(m->late, m->late_capacity * sizeof(*m->late));
        ck_assert_ptr_nonnull(m->late);
    }
    m->late[m->late_count++] =
        (struct model_late){.uuid = v->uuid, .number = number, .block = block, .id = id};
}

/* Writes the ids at the runs' places. */
void model_data(uint32_t family, const struct map_run *runs, int count, const uint32_t *ids)
{
    uint64_t at = 0;
    for (int i = 0; i < count; i++) {
        for (uint64_t b = 0; b < runs[i].length_bytes / BLOCK; b++)
            fixture_cell(family, fixture_place(&runs[i], b))->id = ids ? ids[at++] : 0;
    }
}

/* A write of these ids, and sometimes of another one between its two calls. */
void model_put(struct model *m, int i, struct model_generation *g, bool head, uint32_t first,
               uint32_t count, const uint32_t *ids, int depth)
{
    struct model_volume *v = &m->volumes[i];
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    uint64_t number = head ? 0 : g->number;
    int n, rc;
    MODEL_RETRY(m, n,
                map_place(m->open[i], number, (uint64_t)first * BLOCK, (uint64_t)count * BLOCK,
                          runs, &write));
    ck_assert_int_gt(n, 0);
    if (write.fresh && depth == 0 && model_random(m, 16) == 0) {
        map_unplace(m->open[i], &write);
        return;
    }
    if (depth == 0 && model_random(m, 4) == 0) {
        uint32_t end = first + count;
        uint32_t id = ++m->next_id;
        if (model_random(m, 2))
            model_job(m);
        if (end < MODEL_BLOCKS && model_random(m, 2))
            model_put(m, i, g, head, end, 1, &id, 1);
        else if (first > 0)
            model_put(m, i, g, head, first - 1, 1, &id, 1);
    }
    model_data(v->family, runs, n, ids);
    if (write.fresh)
        MODEL_RETRY(m, rc, map_wrote(m->open[i], &write));
    else
        rc = 0;
    ck_assert_int_eq(rc, 0);
    for (uint32_t b = 0; b < count; b++) {
        g->ids[first + b] = ids[b];
        model_late(m, v, g->number, first + b, ids[b]);
    }
}

void model_write(struct model *m)
{
    uint32_t ids[MAP_PLACES_MAX];
    int i = model_pick(m);
    if (i < 0)
        return;
    uint32_t first = model_random(m, MODEL_BLOCKS);
    uint32_t count = 1 + model_random(m, model_random(m, 4) ? 6 : 64);
    count = count > MODEL_BLOCKS - first ? MODEL_BLOCKS - first : count;
    for (uint32_t b = 0; b < count; b++)
        ids[b] = ++m->next_id;
    model_put(m, i, model_head(&m->volumes[i]), true, first, count, ids, 0);
}

void model_clear(struct model *m, int i, struct model_generation *g, bool head, uint32_t first,
                 uint32_t count)
{
    struct model_volume *v = &m->volumes[i];
    struct map_run runs[MAP_PLACES_MAX];
    struct map_write write;
    uint64_t at = (uint64_t)first * BLOCK, end = at + (uint64_t)count * BLOCK;
    int n, rc;
    while (at < end) {
        MODEL_RETRY(m, n, map_zero(m->open[i], head ? 0 : g->number, at, end - at, runs, &write));
        ck_assert_int_ge(n, 0);
        ck_assert_uint_gt(write.length_bytes, 0);
        if (write.fresh && model_random(m, 16) == 0) {
            map_unplace(m->open[i], &write);
            return;
        }
        if (write.fresh && model_random(m, 4) == 0)
            model_job(m);
        model_data(v->family, runs, n, NULL);
        if (write.fresh) {
            MODEL_RETRY(m, rc, map_zeroed(m->open[i], &write));
            ck_assert_int_eq(rc, 0);
        }
        for (uint64_t b = at / BLOCK; b < (at + write.length_bytes) / BLOCK; b++) {
            g->ids[b] = 0;
            model_late(m, v, g->number, (uint32_t)b, 0);
        }
        at += write.length_bytes;
    }
}

void model_zero(struct model *m)
{
    int i = model_pick(m);
    if (i < 0)
        return;
    uint32_t first = model_random(m, MODEL_BLOCKS);
    uint32_t count = 1 + model_random(m, model_random(m, 3) ? 20 : MODEL_BLOCKS);
    count = count > MODEL_BLOCKS - first ? MODEL_BLOCKS - first : count;
    model_clear(m, i, model_head(&m->volumes[i]), true, first, count);
}

void model_flush(struct model *m)
{
    int i = model_pick(m);
    if (i >= 0)
        model_flush_family(m, m->volumes[i].family);
}

struct model_generation *model_find(struct model_volume *v, uint64_t number)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->generations[i].number == number)
            return &v->generations[i];
    }
    return NULL;
}

void model_drop(struct model_volume *v, uint32_t idx)
{
    uint64_t number = v->generations[idx].number, base = v->generations[idx].base;
    memmove(&v->generations[idx], &v->generations[idx + 1],
            (v->count - idx - 1) * sizeof(v->generations[0]));
    v->count--;
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->generations[i].base == number)
            v->generations[i].base = base;
    }
}

void model_seal(struct model_volume *v, const struct uuid *identity)
{
    struct model_generation *head = model_head(v);
    const struct model_generation *base = head->base ? model_find(v, head->base) : NULL;
    head->identity = *identity;
    head->complete = v->head_complete && (!base || base->complete);
    v->generations[v->count] = *head;
    v->generations[v->count].number = head->number + 1;
    v->generations[v->count].base = head->number;
    v->count++;
}

void model_set_row(struct model *m, struct model_volume *v, struct message_command *command,
                   uint8_t value[4])
{
    uint32_t key = model_random(m, MODEL_ROWS);
    v->rows[key] = model_random(m, 3) ? ++m->next_id : 0;
    struct writer w = writer_of(value, 4);
    write_u32(&w, v->rows[key]);
    snprintf(command->key, sizeof(command->key), "row/%u", key);
    command->value = value;
    command->value_bytes = v->rows[key] ? 4 : 0;
}

void model_command(struct model *m, enum command_kind kind)
{
    uint8_t body[512], value[4];
    int i = model_pick(m), rc;
    if (i < 0)
        return;
    struct model_volume *v = &m->volumes[i];
    uint32_t g = v->count > 1 ? model_random(m, v->count - 1) : 0;
    if ((kind == COMMAND_SEAL && v->count == MODEL_GENERATIONS) ||
        (kind != COMMAND_SEAL && kind != COMMAND_SET && v->count < 2))
        return;
    struct message_command command = {
        .number = v->command + 1, .kind = kind, .identity = fixture_uuid(++m->next_uuid)};
    if (kind == COMMAND_SET || model_random(m, 2))
        model_set_row(m, v, &command, value);
    if (kind != COMMAND_SET)
        command.generation =
            kind == COMMAND_SEAL ? model_head(v)->number : v->generations[g].number;
    struct writer w = writer_of(body, sizeof(body));
    message_command_encode(&w, &command);
    MODEL_RETRY(m, rc, map_command(m->open[i], body, (uint32_t)writer_length(&w)));
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(map_command(m->open[i], body, (uint32_t)writer_length(&w)), 0);
    v->command++;
    v->command_identity = command.identity;
    if (kind == COMMAND_SEAL) {
        model_seal(v, &command.identity);
    } else if (kind == COMMAND_DROP) {
        model_drop(v, g);
    } else if (kind == COMMAND_REVERT) {
        uint64_t number = model_head(v)->number + 1;
        *model_head(v) = v->generations[g];
        model_head(v)->base = v->generations[g].number;
        model_head(v)->number = number;
    }
}

void model_free(struct model *m)
{
    free(m->late);
    free(m);
}
