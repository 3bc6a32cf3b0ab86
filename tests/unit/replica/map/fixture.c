/* SPDX-License-Identifier: Apache-2.0 */
/* A map in a directory of its own. */
#include "tests/unit/replica/map/fixture.h"

enum { FIXTURE_ENTRIES = 256 };

struct map *fixture_map;
char fixture_path[64];
struct uuid fixture_boot = {{1}};
uint64_t fixture_journal = 64 << 10;
struct cell *fixture_cells;
int (*fixture_sync)(void *arg, uint32_t family);
void *fixture_arg;

struct cell *fixture_cell(uint32_t family, uint64_t place)
{
    uint64_t at = (place * 0x9e3779b97f4a7c15u ^ family) >> 9;
    for (;; at++) {
        struct cell *cell = &fixture_cells[at % FIXTURE_CELLS];
        if (cell->place == 0)
            *cell = (struct cell){.family = family, .place = place + 1};
        if (cell->place == place + 1 && cell->family == family)
            return cell;
    }
}

uint64_t fixture_place(const struct map_run *run, uint64_t block)
{
    return ((uint64_t)run->segment << 28) + run->offset_bytes / BLOCK + block;
}

void fixture_open(void)
{
    struct error error;
    const struct map_settings settings = {
        .directory = fixture_path,
        .boot = fixture_boot,
        .entries_max = FIXTURE_ENTRIES,
        .journal_bytes = fixture_journal,
        .sync = fixture_sync,
        .arg = fixture_arg,
    };
    fixture_map = map_open(&settings, &error);
    ck_assert_msg(fixture_map != NULL, "%s", error.text);
}

struct map_volume *fixture_reopen(struct map_volume *volume, const struct uuid *uuid)
{
    map_volume_close(volume);
    map_close(fixture_map);
    fixture_open();
    return map_volume_open(fixture_map, uuid, &volume) == 0 ? volume : NULL;
}

void fixture_setup(void)
{
    snprintf(fixture_path, sizeof(fixture_path), "/tmp/strake-map-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture_path));
    fixture_cells = calloc(FIXTURE_CELLS, sizeof(*fixture_cells));
    fixture_boot = (struct uuid){{1}};
    fixture_open();
}

void fixture_remove(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture_path, name);
    (void)remove(path);
}

void fixture_teardown(void)
{
    if (fixture_map)
        map_close(fixture_map);
    fixture_map = NULL;
    free(fixture_cells);
    static const char *const names[] = {"journal", "map/data.mdb", "map/lock.mdb", "map", ""};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        fixture_remove(names[i]);
}

struct uuid fixture_uuid(uint32_t number)
{
    struct uuid uuid = {{0x80}};
    for (int i = 0; i < 4; i++)
        uuid.bytes[12 + i] = (uint8_t)(number >> (24 - 8 * i));
    return uuid;
}

/* The punches that are due are made. */
void fixture_punch(void)
{
    const struct map_punch *punches;
    uint32_t count = map_punches(fixture_map, &punches);
    for (uint32_t i = 0; i < count; i++) {
        const struct map_run run = {.segment = punches[i].segment,
                                    .offset_bytes = punches[i].offset_bytes};
        for (uint64_t b = 0; b < punches[i].length_bytes / BLOCK; b++)
            fixture_cell(punches[i].family, fixture_place(&run, b))->id = 0;
    }
    if (count)
        map_punched(fixture_map);
}

void fixture_flush_family(uint32_t family)
{
    int rc = map_flushed(fixture_map, family, map_flush_mark(fixture_map));
    ck_assert_int_ge(rc, 0);
}

/* Everything is folded; families are flushed for it. */
void fixture_fold(void)
{
    for (uint32_t family; (family = map_fold_family(fixture_map, UINT64_MAX));)
        fixture_flush_family(family);
    while (map_fold_begin(fixture_map) == 1)
        map_fold_end(fixture_map, map_fold_work(fixture_map));
    ck_assert_msg(!map_failed(fixture_map), "%s", map_failed(fixture_map));
}

void fixture_reclaim(void)
{
    do {
        fixture_punch();
    } while (map_reclaim_begin(fixture_map) == 1 &&
             (map_reclaim_end(fixture_map, map_reclaim_work(fixture_map)), true));
    ck_assert_msg(!map_failed(fixture_map), "%s", map_failed(fixture_map));
}

void fixture_finding(void *arg, const char *words)
{
    (void)arg;
    fprintf(stderr, "check: %s\n", words);
}

void fixture_check(map_slot_fn *used)
{
    fixture_fold();
    ck_assert_int_eq(map_check(fixture_map, fixture_finding, used, NULL), 0);
}
