/* SPDX-License-Identifier: Apache-2.0 */
/* Writes, reads and flushes. */
#include "tests/unit/replica/service/frames.h"

START_TEST(the_log_is_durable_before_data_is_submitted)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    ck_assert(rig_waits(&rig, SERVICE_DRL) && !rig_waits(&rig, SERVICE_WRITE));
    rig_done(&rig, SERVICE_DRL, 0);
    ck_assert(rig_waits(&rig, SERVICE_WRITE));
    ck_assert_uint_eq(rig.planes[0], 1);
    rig_done(&rig, SERVICE_WRITE, 0);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_OK);
    rig_end(&rig);
}
END_TEST

START_TEST(a_second_write_to_a_logged_region_needs_no_log)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    rig_write(&rig, 1, 1 << 20);
    ck_assert(!rig_waits(&rig, SERVICE_DRL) && rig_waits(&rig, SERVICE_WRITE));
    rig_end(&rig);
}
END_TEST

START_TEST(flushes_share_a_sync_that_begins_after_them)
{
    struct rig rig;
    rig_serve(&rig);
    for (int i = 0; i < 3; i++)
        rig_frame(&rig, 1, (struct frame){.type = FRAME_FLUSH});
    ck_assert_uint_eq(rig.waiting_count, 1);
    rig_done(&rig, SERVICE_SYNC, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    rig_done(&rig, SERVICE_SYNC, 0);
    ck_assert_uint_eq(rig.reply_count, 3);
    rig_end(&rig);
}
END_TEST

START_TEST(what_is_outside_or_crooked_is_refused)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, SIZE_BYTES);
    rig_write(&rig, 1, 512);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_INVALID);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_INVALID);
    rig_end(&rig);
}
END_TEST

START_TEST(a_read_is_served_with_its_data)
{
    struct rig rig;
    rig_serve(&rig);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_READ, .length_bytes = BLOCK_BYTES});
    rig_done(&rig, SERVICE_READ, 0);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_OK);
    ck_assert_uint_eq(rig.replies[0].payload.length_bytes, BLOCK_BYTES);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_READ, .length_bytes = BLOCK_BYTES});
    rig_done(&rig, SERVICE_READ, -EILSEQ);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_CHECKSUM);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("data");
    tcase_add_test(tcase, the_log_is_durable_before_data_is_submitted);
    tcase_add_test(tcase, a_second_write_to_a_logged_region_needs_no_log);
    tcase_add_test(tcase, flushes_share_a_sync_that_begins_after_them);
    tcase_add_test(tcase, what_is_outside_or_crooked_is_refused);
    tcase_add_test(tcase, a_read_is_served_with_its_data);
    Suite *suite = suite_create("data");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
