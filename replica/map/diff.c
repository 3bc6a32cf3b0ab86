/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two generations: the extents changed on the way from one to the other. */
#include "replica/map/lookup.h"
#include "replica/map/runs.h"
#include "replica/map/stored.h"

#include <errno.h>
#include <stdlib.h>

enum {
    WINDOW_GROUPS = 64, /* 1 GiB at a time */
    EXTENTS_MAX = 1024, /* looked at in one call: then what they gave is told */
    SPANS_MAX = 2 * MAP_DEPTH_MAX,
};

/* Steps of a branch, the first one not included. */
struct span {
    struct branch *branch;
    uint64_t after;
    uint64_t until;
};

struct window {
    uint64_t first; /* group */
    uint64_t next;  /* first group behind the window with changes */
    uint8_t bits[WINDOW_GROUPS][GROUP_BYTES];
};

/* The way between two steps, over the last step they have in common; 0: none in common. */
static uint32_t spans_between(struct branch *a, uint64_t a_step, struct branch *b, uint64_t b_step,
                              struct span *spans)
{
    uint32_t count = 0;
    while (a != b) {
        /* A parent has a lower number: the later branch cannot be on the other's way. */
        struct branch **later = a->id > b->id ? &a : &b;
        uint64_t *step = later == &a ? &a_step : &b_step;
        if (!(*later)->parent)
            return 0;
        spans[count++] = (struct span){.branch = *later, .until = *step};
        *step = (*later)->row.parent_step;
        *later = (*later)->parent;
    }
    uint64_t low = a_step < b_step ? a_step : b_step;
    uint64_t high = a_step < b_step ? b_step : a_step;
    spans[count++] = (struct span){.branch = a, .after = low, .until = high};
    return count;
}

static int add_stored(struct map *map, const struct span *span, uint64_t step,
                      struct window *window)
{
    struct stored stored = {.map = map, .txn = map->read};
    uint64_t group = window->first;
    for (;;) {
        struct reader k, v;
        struct key key = key_triple(span->branch->id, step, group);
        int rc = stored_seek(&stored, TABLE_CHANGES, &key, &k, &v);
        if (rc < 0)
            return map_fail(map, "cannot read 'changes'", stored.lmdb_error);
        if (rc == 0 || read_u32(&k) != span->branch->id || row_u48_decode(&k) != step)
            return 0;
        group = row_u48_decode(&k);
        if (reader_left(&v) != GROUP_BYTES || k.bad)
            return map_fail(map, "damaged row in 'changes'", 0);
        if (group >= window->first + WINDOW_GROUPS) {
            window->next = group < window->next ? group : window->next;
            return 0;
        }
        for (uint32_t i = 0; i < GROUP_BYTES; i++)
            window->bits[group - window->first][i] |= v.next[i];
        group++;
    }
}

static void add_changed(struct map *map, const struct span *span, struct window *window)
{
    uint64_t extent = window->first * GROUP_EXTENTS, step = 0;
    for (;;) {
        const struct entry *e = table_changed_after(&map->table, span->branch->id, extent, step);
        if (!e)
            return;
        extent = e->extent;
        step = e->step + 1;
        if (e->step <= span->after || e->step > span->until)
            continue;
        uint64_t group = extent / GROUP_EXTENTS, bit = extent % GROUP_EXTENTS;
        if (group >= window->first + WINDOW_GROUPS) {
            window->next = group < window->next ? group : window->next;
            return;
        }
        window->bits[group - window->first][bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

static int window_fill(struct map *map, const struct span *spans, uint32_t count, uint64_t first,
                       struct window *window)
{
    *window = (struct window){.first = first, .next = NUMBER_48MAX};
    for (uint32_t i = 0; i < count; i++) {
        const struct span *span = &spans[i];
        for (uint32_t j = 0; j < span->branch->count; j++) {
            uint64_t step = span->branch->generations[j].step;
            if (step <= span->after || step > span->until)
                continue;
            int rc = add_stored(map, span, step, window);
            if (rc)
                return rc;
        }
        add_changed(map, span, window);
    }
    return 0;
}

/* The next extent of the window with changes, at or after one; NUMBER_48MAX: none. */
static uint64_t window_next(const struct window *window, uint64_t extent)
{
    uint64_t end = (window->first + WINDOW_GROUPS) * GROUP_EXTENTS;
    for (; extent < end; extent++) {
        const uint8_t *bits = window->bits[extent / GROUP_EXTENTS - window->first];
        uint32_t bit = extent % GROUP_EXTENTS;
        if (bits[bit / 8] >> bit % 8 & 1)
            return extent;
    }
    return NUMBER_48MAX;
}

struct side {
    struct branch *branch;
    uint64_t step;
};

static int add_extent(struct map *map, const struct side *from, const struct side *to,
                      const struct pieces *pieces, struct runs *runs)
{
    struct shown old, new;
    int rc = lookup(map, to->branch, pieces->extent, to->step, &new);
    if (rc == 0 && from)
        rc = lookup(map, from->branch, pieces->extent, from->step, &old);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < EXTENT_BLOCKS; i++) {
        if (!(pieces->mask >> i & 1))
            continue;
        enum map_state state = new.row.slots[i] != SLOT_NONE ? MAP_DATA : MAP_ABSENT;
        if (from && old.row.slots[i] == new.row.slots[i])
            state = MAP_ABSENT;
        else if (from && state == MAP_ABSENT)
            state = MAP_ZERO;
        runs_add(runs, state, 0, (uint64_t)1 << BLOCK_BYTES_LOG);
    }
    return 0;
}

static int diff_changed(struct map *map, const struct side *from, const struct side *to,
                        const struct span *spans, uint32_t count, struct pieces *pieces,
                        struct runs *runs)
{
    static const uint64_t none = NUMBER_48MAX;
    struct window window;
    uint64_t extent = pieces->next_bytes >> EXTENT_BYTES_LOG;
    int rc = window_fill(map, spans, count, extent / GROUP_EXTENTS, &window);
    if (rc)
        return rc;
    uint64_t first = window_next(&window, extent);
    if (first == none && window.next != none)
        first = window.next * GROUP_EXTENTS;
    runs_add(runs, MAP_ABSENT, 0, pieces_skip_to(pieces, first));
    uint64_t end = (window.first + WINDOW_GROUPS) * GROUP_EXTENTS;
    /* Up to the end of the window: the caller asks again behind it. */
    for (uint32_t left = EXTENTS_MAX; !runs->full && left > 0; left--) {
        if (pieces->next_bytes >> EXTENT_BYTES_LOG >= end || !pieces_next(pieces))
            return 0;
        rc = add_extent(map, from, to, pieces, runs);
        if (rc || runs->full)
            return rc;
        uint64_t next = window_next(&window, pieces->extent + 1);
        if (next == none)
            next = window.next == none ? none : window.next * GROUP_EXTENTS;
        runs_add(runs, MAP_ABSENT, 0, pieces_skip_to(pieces, next));
    }
    return 0;
}

static int diff_all(struct map *map, const struct side *to, struct pieces *pieces,
                    struct runs *runs)
{
    for (uint32_t left = EXTENTS_MAX; !runs->full && left > 0; left--) {
        uint64_t extent = pieces->next_bytes >> EXTENT_BYTES_LOG;
        int rc = lookup_mapped(map, to->branch, to->step, extent, &extent);
        if (rc < 0)
            return rc;
        runs_add(runs, MAP_ABSENT, 0, pieces_skip_to(pieces, rc ? extent : NUMBER_48MAX));
        if (runs->full || !pieces_next(pieces))
            return 0;
        rc = add_extent(map, NULL, to, pieces, runs);
        if (rc)
            return rc;
    }
    return 0;
}

/* Nothing in common: whatever either shows may differ. */
static int diff_apart(struct map *map, const struct side *from, const struct side *to,
                      struct pieces *pieces, struct runs *runs)
{
    for (uint32_t left = EXTENTS_MAX; !runs->full && left > 0; left--) {
        uint64_t extent = pieces->next_bytes >> EXTENT_BYTES_LOG, a, b;
        int one = lookup_mapped(map, to->branch, to->step, extent, &a);
        int other = one < 0 ? one : lookup_mapped(map, from->branch, from->step, extent, &b);
        if (other < 0)
            return other;
        runs_add(runs, MAP_ABSENT, 0, pieces_skip_to(pieces, a < b ? a : b));
        if (runs->full || !pieces_next(pieces))
            return 0;
        int rc = add_extent(map, from, to, pieces, runs);
        if (rc)
            return rc;
    }
    return 0;
}

int map_diff(struct map_volume *volume, uint64_t from_number, uint64_t to_number,
             uint64_t offset_bytes, uint64_t length_bytes, struct map_run *runs, uint32_t runs_max)
{
    ASSERT(volume->open && length_bytes > 0 && runs_max > 0);
    struct map *map = volume->map;
    struct span *spans = NULL;
    struct side to, from;
    struct runs list = runs_of(runs, runs_max);
    struct pieces pieces = pieces_of(offset_bytes, length_bytes);
    list.placeless = true;
    if (map->failed)
        return -EIO;
    const struct generation *g = lookup_generation(volume, to_number, &to.branch);
    if (!g)
        return -ENOENT;
    to.step = g->step;
    if (from_number == 0) {
        int rc = diff_all(map, &to, &pieces, &list);
        return rc ? rc : (int)list.count;
    }
    g = lookup_generation(volume, from_number, &from.branch);
    if (!g)
        return -ENOENT;
    from.step = g->step;
    spans = malloc(SPANS_MAX * sizeof(*spans));
    if (!spans)
        return -ENOMEM;
    uint32_t count = spans_between(from.branch, from.step, to.branch, to.step, spans);
    int rc = count ? diff_changed(map, &from, &to, spans, count, &pieces, &list)
                   : diff_apart(map, &from, &to, &pieces, &list);
    free(spans);
    return rc ? rc : (int)list.count;
}
