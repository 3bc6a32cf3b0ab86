/* SPDX-License-Identifier: Apache-2.0 */
/* What is written in a row, and what a failure ends. */
#include "tests/unit/replica/service/frames.h"

START_TEST(after_a_failed_sync_nothing_is_answered_well)
{
    struct rig rig;
    rig_serve(&rig);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_FLUSH});
    rig_done(&rig, SERVICE_SYNC, -EIO);
    ck_assert(rig.failed);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_FAILED);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_FLUSH});
    rig_open(&rig, 2, 5, 77);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_FAILED);
    ck_assert_uint_eq(rig.replies[2].status, FRAME_FAILED);
    rig_done_all(&rig);
    struct message_volume volume;
    bool witness;
    const char *why;
    const uint8_t *copies[] = {rig.meta[0], rig.meta[1]};
    ck_assert(service_meta_read(copies, &volume, &witness, &why));
    ck_assert(volume.failed);
    rig_end(&rig);
}
END_TEST

START_TEST(a_torn_copy_is_written_first)
{
    struct rig rig;
    rig_begin(&rig);
    service_free(rig.service);
    rig.meta[0][200] ^= 1;
    rig_start(&rig, true);
    ck_assert_uint_eq(rig.waiting[0]->index, 0);
    rig_done_all(&rig);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("io");
    tcase_add_test(tcase, after_a_failed_sync_nothing_is_answered_well);
    tcase_add_test(tcase, a_torn_copy_is_written_first);
    Suite *suite = suite_create("io");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
