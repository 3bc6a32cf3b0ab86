/* SPDX-License-Identifier: Apache-2.0 */
/* Dirty planes and the dirty-region log. */
#include "replica/service/planes.h"
#include "tests/unit/replica/service/frames.h"

enum { LOG_BYTES = 2 * DRL_PAGE_BYTES };
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
    struct service_found found = {.drl = ground->drl,
                                  .drl_bytes = LOG_BYTES,
                                  .planes = {.bytes = bytes},
                                  .same_boot = same_boot};
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

START_TEST(sizes_fit_every_volume)
{
    for (uint64_t size = 4096; size <= (uint64_t)1 << 50; size *= 2) {
        ck_assert_uint_le(service_drl_bytes(size), DRL_PAGES_MAX * DRL_PAGE_BYTES);
        ck_assert_uint_ge(service_plane_bytes(size) * 8 * PLANE_GRAIN_BYTES, size);
        ck_assert_uint_ge(dirty_region_bytes(size), 4 << 20);
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
    Suite *suite = suite_create("planes");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
