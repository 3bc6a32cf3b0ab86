/* SPDX-License-Identifier: Apache-2.0 */
/* The last writes, until they are known to be equal everywhere. */
#include "replica/service/recent.h"
#include "tests/unit/replica/service/frames.h"

static uint64_t memory[SERVICE_RECENT_BYTES / sizeof(uint64_t)];

static void begin(struct recent *recent)
{
    memset(memory, 0, sizeof(memory));
    recent_init(recent, memory, true, false);
}

START_TEST(a_write_is_recent_until_the_second_mark)
{
    struct recent recent;
    begin(&recent);
    recent_add(&recent, 0, 4096);
    recent_mark(&recent);
    recent_add(&recent, 65536, 8192);
    ck_assert_uint_eq(recent_count_bytes(&recent), 12288);
    recent_mark(&recent);
    ck_assert_uint_eq(recent_count_bytes(&recent), 8192);
    recent_mark(&recent);
    ck_assert_uint_eq(recent_count_bytes(&recent), 0);
}
END_TEST

START_TEST(a_mark_of_an_earlier_session_is_none)
{
    struct recent recent;
    begin(&recent);
    recent_add(&recent, 0, 4096);
    recent_mark(&recent);
    recent_unmark(&recent);
    recent_mark(&recent);
    ck_assert_uint_eq(recent_count_bytes(&recent), 4096);
}
END_TEST

START_TEST(a_later_process_finds_them)
{
    struct recent recent;
    begin(&recent);
    recent_add(&recent, 0, 4096);
    recent_mark(&recent);
    recent_init(&recent, memory, true, true);
    recent_mark(&recent);
    ck_assert_uint_eq(recent_count_bytes(&recent), 4096);
    ck_assert(!recent_overflowed(&recent));
}
END_TEST

START_TEST(after_lost_power_the_planes_stand_in)
{
    struct recent recent;
    begin(&recent);
    recent_add(&recent, 0, 4096);
    recent_init(&recent, memory, false, true);
    ck_assert(recent_overflowed(&recent));
    recent_init(&recent, memory, false, false);
    ck_assert(!recent_overflowed(&recent));
}
END_TEST

START_TEST(too_many_are_forgotten_until_two_marks_later)
{
    struct recent recent;
    begin(&recent);
    recent_mark(&recent);
    for (int i = 0; i < 3000; i++)
        recent_add(&recent, 4096 * (uint64_t)i, 4096);
    ck_assert(recent_overflowed(&recent));
    recent_mark(&recent);
    ck_assert(recent_overflowed(&recent));
    recent_mark(&recent);
    ck_assert(!recent_overflowed(&recent));
    ck_assert_uint_eq(recent_count_bytes(&recent), 0);
}
END_TEST

START_TEST(the_map_tells_their_grains)
{
    struct recent recent;
    uint8_t map[2] = {0};
    begin(&recent);
    recent_add(&recent, 8 * PLANE_GRAIN_BYTES - 4096, 8192);
    recent_add(&recent, 100 * PLANE_GRAIN_BYTES, 4096);
    recent_map(&recent, 0, map, 2);
    ck_assert_uint_eq(map[0], 0x80);
    ck_assert_uint_eq(map[1], 1);
    memset(map, 0, sizeof(map));
    recent_map(&recent, 96 * PLANE_GRAIN_BYTES, map, 1);
    ck_assert_uint_eq(map[0], 1 << 4);
    recent_map(&recent, 8 * PLANE_GRAIN_BYTES, map + 1, 1);
    ck_assert_uint_eq(map[1], 1);
}
END_TEST

static void equal(struct rig *rig)
{
    rig_frame(rig, 1, (struct frame){.type = FRAME_EQUAL});
}

START_TEST(what_is_equal_is_not_told_to_the_next_target)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    equal(&rig);
    rig_write(&rig, 1, 65536);
    rig_done_all(&rig);
    equal(&rig);
    rig_open(&rig, 2, 3, CONTROLLER + 1);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.opened.doubt_bytes, BLOCK_BYTES);
    ck_assert_uint_eq(rig.opened.dirty_bytes, 2 * PLANE_GRAIN_BYTES);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("recent");
    tcase_add_test(tcase, a_write_is_recent_until_the_second_mark);
    tcase_add_test(tcase, a_mark_of_an_earlier_session_is_none);
    tcase_add_test(tcase, a_later_process_finds_them);
    tcase_add_test(tcase, after_lost_power_the_planes_stand_in);
    tcase_add_test(tcase, too_many_are_forgotten_until_two_marks_later);
    tcase_add_test(tcase, the_map_tells_their_grains);
    tcase_add_test(tcase, what_is_equal_is_not_told_to_the_next_target);
    Suite *suite = suite_create("recent");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
