/* SPDX-License-Identifier: Apache-2.0 */
/* The books of another member, and what follows them. */
#include "tests/unit/replica/map/model.h"

/* What another member has become while this one was away. */
void model_go_on(struct model *m, struct model_volume *v)
{
    if (v->count > 1 && model_random(m, 3) == 0)
        v->generations[v->count - 2].identity = fixture_uuid(++m->next_uuid);
    for (uint32_t n = model_random(m, 4); n > 0; n--) {
        if (v->count == MODEL_GENERATIONS || (v->count > 1 && model_random(m, 2)))
            model_drop(v, model_random(m, v->count - 1));
        else {
            const struct uuid identity = fixture_uuid(++m->next_uuid);
            model_seal(v, &identity);
        }
        for (uint32_t i = 0; i < 30; i++)
            model_head(v)->ids[model_random(m, MODEL_BLOCKS)] =
                model_random(m, 3) ? ++m->next_id : 0;
    }
    v->command += model_random(m, 3);
    v->command_identity = fixture_uuid(++m->next_uuid);
    for (uint32_t i = 0; i < MODEL_ROWS; i++)
        v->rows[i] = model_random(m, 2) ? ++m->next_id : 0;
}

/* Sends one chunk of the book; the header again for the next one. */
void model_send(struct model *m, int i, struct writer *w, uint8_t *body, bool more)
{
    int rc;
    const struct model_volume *v = &m->volumes[i];
    MODEL_RETRY(m, rc, map_install(m->open[i], body, (uint32_t)writer_length(w), more, false));
    ck_assert_int_eq(rc, 0);
    const struct message_book header = {
        .command = v->command,
        .command_identity = v->command_identity,
        .head_generation = v->generations[v->count - 1].number,
        .head_base = v->generations[v->count - 1].base,
        .next_cursor = 1,
    };
    *w = writer_of(body, 300);
    message_book_encode(w, &header);
}

void model_send_entry(struct model *m, int i, struct writer *w, uint8_t *body,
                      const struct book_entry *entry)
{
    if (writer_left(w) < 120)
        model_send(m, i, w, body, true);
    book_entry_encode(w, entry);
    ck_assert(!w->bad);
}

void model_install(struct model *m)
{
    uint8_t body[300], value[4];
    int i = model_pick(m);
    if (i < 0)
        return;
    struct model_volume *v = &m->volumes[i], before = *v;
    model_go_on(m, v);
    m->loose = true;
    const struct message_book header = {
        .command = v->command,
        .command_identity = v->command_identity,
        .head_generation = model_head(v)->number,
        .head_base = model_head(v)->base,
    };
    struct writer w = writer_of(body, sizeof(body));
    message_book_encode(&w, &header);
    for (uint32_t g = 0; g + 1 < v->count; g++) {
        struct model_generation *mg = &v->generations[g];
        const struct model_generation *had = model_find(&before, mg->number);
        const struct model_generation *base = mg->base ? model_find(v, mg->base) : NULL;
        mg->complete = had && had != model_head(&before) && had->complete &&
                       uuid_equal(&had->identity, &mg->identity) && (!base || base->complete);
        const struct book_entry entry = {.type = BOOK_GENERATION,
                                         .generation = mg->number,
                                         .identity = mg->identity,
                                         .base_generation = mg->base,
                                         .complete = true};
        model_send_entry(m, i, &w, body, &entry);
    }
    for (uint32_t r = 0; r < MODEL_ROWS; r++) {
        struct book_entry entry = {.type = BOOK_ROW, .value = value, .value_bytes = 4};
        struct writer vw = writer_of(value, 4);
        write_u32(&vw, v->rows[r]);
        snprintf(entry.key, sizeof(entry.key), "row/%u", r);
        if (v->rows[r])
            model_send_entry(m, i, &w, body, &entry);
    }
    model_send(m, i, &w, body, false);
    v->head_complete = false;
}

/* Makes one generation what it is elsewhere, and says so. */
void model_resync(struct model *m)
{
    int i = model_pick(m), rc;
    struct map_info info;
    uint32_t ids[MODEL_BLOCKS];
    if (i < 0 || m->volumes[i].head_complete)
        return;
    struct model_volume *v = &m->volumes[i];
    struct model_generation *g = NULL;
    for (uint32_t j = 0; j + 1 < v->count && !g; j++)
        g = v->generations[j].complete ? NULL : &v->generations[j];
    map_volume_info(m->open[i], &info);
    ck_assert_uint_eq(info.lineage.incomplete_generation, g ? g->number : 0);
    ck_assert_uint_eq(info.lineage.incomplete_base, g ? g->base : 0);
    bool head = !g;
    g = g ? g : model_head(v);
    model_read(v->family, m->open[i], g->number, ids);
    for (uint32_t b = 0; b < MODEL_BLOCKS; b++) {
        uint32_t id = g->ids[b];
        if (ids[b] != id && id == 0)
            model_clear(m, i, g, head, b, 1);
        else if (ids[b] != id)
            model_put(m, i, g, head, b, 1, &id, 1);
    }
    model_read(v->family, m->open[i], g->number, ids);
    if (memcmp(ids, g->ids, sizeof(ids)) != 0)
        return; /* a write that was given up */
    MODEL_RETRY(m, rc, map_settle(m->open[i], head ? 0 : g->number));
    ck_assert_int_eq(rc, 0);
    *(head ? &v->head_complete : &g->complete) = true;
}
