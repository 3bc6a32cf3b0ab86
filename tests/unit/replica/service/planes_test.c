/* SPDX-License-Identifier: Apache-2.0 */
/* Dirty planes and the dirty-region log. */
#include "replica/service/planes.h"
#include "tests/unit/replica/service/frames.h"

enum { LOG_BYTES = DRL_BYTES };
#define PLANES_SIZE ((uint64_t)1 << 30)

struct ground {
    struct dirty dirty;
    uint8_t drl[LOG_BYTES];
    uint8_t *planes;
    void *recent;
};

static void ground_begin(struct ground *ground, bool same_boot)
{
    uint64_t bytes = service_plane_bytes(PLANES_SIZE);
    struct service_found found = {
        .drl = ground->drl, .planes = {.bytes = bytes}, .same_boot = same_boot};
    ground->planes = calloc(3, bytes);
    found.planes.recent = ground->recent = calloc(1, SERVICE_RECENT_BYTES);
    found.planes.current = ground->planes;
    found.planes.old = ground->planes + bytes;
    found.planes.away = ground->planes + 2 * bytes;
    ck_assert_int_eq(dirty_init(&ground->dirty, &found, PLANES_SIZE), 0);
}

static void ground_end(struct ground *ground)
{
    dirty_release(&ground->dirty);
    free(ground->planes);
    free(ground->recent);
}

/* Writes every changed page of the log. */
static void ground_write(struct ground *ground)
{
    uint32_t page;
    while (dirty_page_begin(&ground->dirty, &page))
        dirty_page_done(&ground->dirty);
}

START_TEST(a_region_is_entered_when_its_page_is_written)
{
    struct ground ground = {0};
    ground_begin(&ground, true);
    ck_assert(!dirty_enter(&ground.dirty, 0, 4096));
    ground_write(&ground);
    ck_assert(dirty_enter(&ground.dirty, 0, 4096));
    ground_end(&ground);
}
END_TEST

START_TEST(what_a_write_under_way_clears_is_not_durable)
{
    struct ground ground = {0};
    uint32_t page;
    ground_begin(&ground, true);
    (void)!dirty_enter(&ground.dirty, 0, 4096);
    ground_write(&ground);
    dirty_commit(&ground.dirty, true);
    dirty_commit(&ground.dirty, true);
    ck_assert(dirty_page_begin(&ground.dirty, &page));
    ck_assert(!dirty_enter(&ground.dirty, 0, 4096));
    dirty_page_done(&ground.dirty);
    ck_assert(!dirty_enter(&ground.dirty, 0, 4096));
    ground_write(&ground);
    ck_assert(dirty_enter(&ground.dirty, 0, 4096));
    ground_end(&ground);
}
END_TEST

START_TEST(a_bad_page_reads_as_all_ones)
{
    struct ground ground = {.drl = {1}};
    ground_begin(&ground, false);
    ck_assert_uint_eq(dirty_count_bytes(&ground.dirty, false), PLANES_SIZE);
    dirty_check(&ground.dirty);
    ground_end(&ground);
}
END_TEST

START_TEST(a_map_ends_with_its_last_bit)
{
    static uint8_t map[FRAME_BODY_BYTES_MAX];
    struct ground ground = {0};
    ground_begin(&ground, true);
    (void)!dirty_enter(&ground.dirty, 1 << 20, 32768);
    dirty_stamp(&ground.dirty, 1 << 20, 32768);
    ck_assert_uint_eq(dirty_map(&ground.dirty, 0, PLANES_SIZE, false, map), 9);
    ck_assert_uint_eq(map[8], 3);
    ck_assert_uint_eq(dirty_count_bytes(&ground.dirty, false), 32768);
    ground_end(&ground);
}
END_TEST

START_TEST(a_commit_forgets_only_what_came_before_the_marker)
{
    struct ground ground = {0};
    ground_begin(&ground, true);
    (void)!dirty_enter(&ground.dirty, 0, 1 << 20);
    dirty_stamp(&ground.dirty, 0, 16384);
    dirty_rotate(&ground.dirty);
    dirty_stamp(&ground.dirty, 16384, 16384);
    dirty_commit(&ground.dirty, true);
    ck_assert_uint_eq(ground.planes[0], 2);
    ck_assert_uint_eq(dirty_count_bytes(&ground.dirty, true), 16384);
    ground_end(&ground);
}
END_TEST

#define SMALL_BYTES ((uint64_t)200 << 30)
#define LARGE_BYTES ((uint64_t)4 << 40)

static const uint64_t touched[] = {(uint64_t)1 << 30, (uint64_t)150 << 30, SMALL_BYTES - 4096};

/* Aligned for anything. */
static uint64_t recent[SERVICE_RECENT_BYTES / sizeof(uint64_t)];

/* What the machine would find after losing its power now. */
static void check_found(const uint8_t *disk, uint64_t size_bytes)
{
    struct dirty dirty;
    uint8_t drl[DRL_BYTES];
    uint64_t bytes = service_plane_bytes(size_bytes);
    uint8_t *memory = calloc(3, bytes);
    const struct service_found found = {.drl = drl,
                                        .planes = {.current = memory,
                                                   .old = memory + bytes,
                                                   .away = memory + 2 * bytes,
                                                   .recent = recent,
                                                   .bytes = bytes}};
    memcpy(drl, disk, sizeof(drl));
    ck_assert_int_eq(dirty_init(&dirty, &found, size_bytes), 0);
    for (size_t i = 0; i < ARRAY_COUNT(touched); i++) {
        uint64_t grain = touched[i] / PLANE_GRAIN_BYTES;
        ck_assert_msg(memory[grain / 8] >> grain % 8 & 1, "%zu is forgotten", i);
    }
    dirty_check(&dirty);
    dirty_release(&dirty);
    free(memory);
}

START_TEST(whatever_a_crash_leaves_of_larger_regions_covers_what_was_dirty)
{
    struct dirty dirty;
    static uint8_t drl[DRL_BYTES], disk[DRL_BYTES];
    uint8_t *memory = calloc(3, service_plane_bytes(LARGE_BYTES));
    struct service_planes planes = {.recent = recent, .bytes = service_plane_bytes(SMALL_BYTES)};
    planes.current = memory;
    planes.old = memory + service_plane_bytes(LARGE_BYTES);
    planes.away = planes.old + service_plane_bytes(LARGE_BYTES);
    const struct service_found found = {.drl = drl, .planes = planes, .same_boot = true};
    ck_assert_int_eq(dirty_init(&dirty, &found, SMALL_BYTES), 0);
    for (size_t i = 0; i < ARRAY_COUNT(touched); i++) {
        (void)!dirty_enter(&dirty, touched[i], 4096);
        dirty_stamp(&dirty, touched[i], 4096);
    }
    bool grown = false;
    uint32_t page;
    while (dirty_page_begin(&dirty, &page) || !grown) {
        if (dirty.staging_busy) {
            memcpy(disk + (size_t)page * DRL_PAGE_BYTES, dirty.staging, DRL_PAGE_BYTES);
            dirty_page_done(&dirty);
        } else {
            planes.bytes = service_plane_bytes(LARGE_BYTES);
            dirty_grow(&dirty, &planes, LARGE_BYTES);
            grown = true;
            dirty_check(&dirty);
        }
        if (!grown)
            continue;
        check_found(disk, SMALL_BYTES);
        check_found(disk, LARGE_BYTES);
    }
    for (size_t i = 0; i < ARRAY_COUNT(touched); i++)
        ck_assert(dirty_enter(&dirty, touched[i], 4096));
    dirty_release(&dirty);
    free(memory);
}
END_TEST

/* Of the volume's tables: pages that are not all zeros. */
static uint32_t pages_used(const struct dirty *dirty)
{
    uint32_t count = 0;
    for (uint64_t at = 0; at < DRL_BYTES + DRL_PLANE_PAGES * DRL_PAGE_BYTES; at += DRL_PAGE_BYTES)
        count += !bytes_are_zero(dirty->durable + at, DRL_PAGE_BYTES);
    return count;
}

START_TEST(s6_a_log_that_became_clean_leaves_tables_of_zeros)
{
    struct ground ground = {0};
    ground_begin(&ground, true);
    (void)!dirty_enter(&ground.dirty, 0, 4096);
    ground_write(&ground);
    dirty_stamp(&ground.dirty, 0, 4096);
    dirty_rest(&ground.dirty);
    ck_assert_uint_eq(pages_used(&ground.dirty), 1);
    ck_assert(dirty_enter(&ground.dirty, 0, 4096));
    for (int round = 0; round < 2; round++) {
        dirty_rotate(&ground.dirty);
        dirty_commit(&ground.dirty, true);
        ground_write(&ground);
    }
    dirty_rest(&ground.dirty);
    ck_assert_uint_eq(pages_used(&ground.dirty), 0);
    ck_assert(!dirty_enter(&ground.dirty, 0, 4096));
    ground_end(&ground);
}
END_TEST

START_TEST(a_page_of_smaller_regions_that_ends_late_is_not_durable)
{
    struct ground ground = {0};
    uint32_t page;
    ground_begin(&ground, true);
    (void)!dirty_enter(&ground.dirty, 0, 4096);
    ck_assert(dirty_page_begin(&ground.dirty, &page));
    struct service_planes planes = {.recent = ground.recent,
                                    .bytes = service_plane_bytes(LARGE_BYTES)};
    planes.current = planes.old = planes.away = calloc(1, planes.bytes);
    dirty_grow(&ground.dirty, &planes, LARGE_BYTES);
    dirty_page_done(&ground.dirty);
    ck_assert(!dirty_enter(&ground.dirty, 0, 4096));
    ground_write(&ground);
    ck_assert(dirty_enter(&ground.dirty, 0, 4096));
    free(planes.current);
    ground_end(&ground);
}
END_TEST

START_TEST(after_a_restart_only_regions_that_the_log_names_are_written)
{
    struct ground ground = {0};
    ground_begin(&ground, true);
    (void)!dirty_enter(&ground.dirty, 8 << 20, 4096);
    struct writer w = writer_of(ground.drl, sizeof(ground.drl));
    uint32_t page;
    ck_assert(dirty_page_begin(&ground.dirty, &page));
    write_bytes(&w, ground.dirty.staging, DRL_PAGE_BYTES);
    dirty_page_done(&ground.dirty);
    struct service_planes planes = ground.dirty.planes;
    dirty_release(&ground.dirty);
    memset(ground.planes, 0x55, 3 * planes.bytes);
    const struct service_found found = {.drl = ground.drl, .planes = planes};
    ck_assert_int_eq(dirty_init(&ground.dirty, &found, PLANES_SIZE), 0);
    uint64_t region = ((uint64_t)4 << 20) / PLANE_GRAIN_BYTES / 8;
    ck_assert_uint_eq(planes.current[2 * region - 1], 0x55);
    ck_assert_uint_eq(planes.current[2 * region], 0xff);
    ck_assert_uint_eq(planes.old[2 * region], 0);
    ck_assert_uint_eq(planes.current[3 * region], 0x55);
    ground_end(&ground);
}
END_TEST

START_TEST(sizes_fit_every_volume)
{
    for (uint64_t size = 4096; size <= (uint64_t)1 << 50; size *= 2) {
        ck_assert_uint_ge(service_plane_bytes(size) * 8 * PLANE_GRAIN_BYTES, size);
        ck_assert_uint_eq(service_plane_bytes(size) % 4096, 0);
    }
}
END_TEST

START_TEST(dirty_ranges_are_found_one_after_the_other)
{
    struct ground ground = {0};
    uint64_t offset, length;
    uint64_t far_away = PLANES_SIZE - PLANE_GRAIN_BYTES;
    ground_begin(&ground, true);
    ck_assert(!dirty_next(&ground.dirty, 0, &offset, &length));
    (void)!dirty_enter(&ground.dirty, 2 * PLANE_GRAIN_BYTES, 4096);
    dirty_stamp(&ground.dirty, 2 * PLANE_GRAIN_BYTES, 4096);
    dirty_stamp(&ground.dirty, 3 * PLANE_GRAIN_BYTES, 4096);
    (void)!dirty_enter(&ground.dirty, far_away, 4096);
    dirty_stamp(&ground.dirty, far_away, 4096);
    ck_assert(dirty_next(&ground.dirty, 0, &offset, &length));
    ck_assert_uint_eq(offset, 2 * PLANE_GRAIN_BYTES);
    ck_assert_uint_eq(length, 2 * PLANE_GRAIN_BYTES);
    ck_assert(dirty_next(&ground.dirty, offset + length, &offset, &length));
    ck_assert_uint_eq(offset, far_away);
    ck_assert(!dirty_next(&ground.dirty, offset + length, &offset, &length));
    ground_end(&ground);
}
END_TEST

START_TEST(what_is_marked_is_away_once_the_log_says_so)
{
    struct rig rig;
    const uint8_t map[] = {5};
    rig_serve(&rig);
    rig_frame(&rig, 1,
              (struct frame){.type = FRAME_MARK,
                             .length_bytes = SIZE_BYTES,
                             .body = map,
                             .body_bytes = sizeof(map)});
    uint8_t *away = rig.planes + 2 * service_plane_bytes(SIZE_BYTES);
    ck_assert_uint_eq(rig.reply_count, 0);
    ck_assert_uint_eq(away[0], 0);
    rig_done(&rig, SERVICE_DRL, 0);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_OK);
    ck_assert_uint_eq(away[0], 5);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("planes");
    tcase_add_test(tcase, what_is_marked_is_away_once_the_log_says_so);
    tcase_add_test(tcase, dirty_ranges_are_found_one_after_the_other);
    tcase_add_test(tcase, a_region_is_entered_when_its_page_is_written);
    tcase_add_test(tcase, what_a_write_under_way_clears_is_not_durable);
    tcase_add_test(tcase, a_bad_page_reads_as_all_ones);
    tcase_add_test(tcase, a_map_ends_with_its_last_bit);
    tcase_add_test(tcase, a_commit_forgets_only_what_came_before_the_marker);
    tcase_add_test(tcase, sizes_fit_every_volume);
    tcase_add_test(tcase, whatever_a_crash_leaves_of_larger_regions_covers_what_was_dirty);
    tcase_add_test(tcase, a_page_of_smaller_regions_that_ends_late_is_not_durable);
    tcase_add_test(tcase, s6_a_log_that_became_clean_leaves_tables_of_zeros);
    tcase_add_test(tcase, after_a_restart_only_regions_that_the_log_names_are_written);
    Suite *suite = suite_create("planes");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
