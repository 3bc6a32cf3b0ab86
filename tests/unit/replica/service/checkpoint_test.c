/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints. */
#include "tests/unit/replica/service/frames.h"

static void rig_checkpoint(struct rig *rig, uint64_t number, bool all)
{
    rig_frame(rig, 1, (struct frame){.type = FRAME_CHECKPOINT, .length_bytes = number});
    rig_done_all(rig);
    rig_frame(
        rig, 1,
        (struct frame){.type = FRAME_COMMIT, .flags = all ? FRAME_ALL : 0, .length_bytes = number});
    rig_done_all(rig);
}

START_TEST(out_of_sync_a_checkpoint_leaves_no_number)
{
    struct rig rig;
    uint8_t body[CONFIG_BYTES_MAX];
    rig_serve(&rig);
    struct config config = rig.create.config;
    config.epoch = 2;
    config.version = 2;
    config.controller = uuid_of(CONTROLLER);
    config.member_count = 2;
    config.members[0].in_sync = false;
    config.members[1] = (struct member){.uuid = uuid_of(5), .in_sync = true};
    struct writer w = writer_of(body, sizeof(body));
    config_encode(&w, &config);
    rig_frame(&rig, 1,
              (struct frame){
                  .type = FRAME_ACCEPT, .body = body, .body_bytes = (uint32_t)writer_length(&w)});
    rig_done_all(&rig);
    rig.reply_count = 0;
    rig_checkpoint(&rig, 10, false);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_OK);
    rig_open(&rig, 1, 3, CONTROLLER);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.opened.done_checkpoint, 0);
    rig_end(&rig);
}
END_TEST

START_TEST(a_checkpoint_waits_for_earlier_writes_then_syncs_then_is_durable)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done(&rig, SERVICE_DRL, 0);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_CHECKPOINT, .length_bytes = 10});
    ck_assert(!rig_waits(&rig, SERVICE_SYNC));
    rig_done(&rig, SERVICE_WRITE, 0);
    rig_done(&rig, SERVICE_SYNC, 0);
    rig.reply_count = 0;
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.reply_count, 0);
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    rig_end(&rig);
}
END_TEST

START_TEST(two_checkpoints_leave_the_log_clean)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    rig_checkpoint(&rig, 10, true);
    rig_checkpoint(&rig, 11, true);
    rig.reply_count = 0;
    rig_open(&rig, 2, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.opened.dirty_bytes, 0);
    ck_assert_uint_eq(rig.opened.base_checkpoint, 11);
    ck_assert_uint_eq(rig.drl[8], 0);
    rig_end(&rig);
}
END_TEST

START_TEST(while_a_member_is_away_its_share_is_remembered)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    rig_checkpoint(&rig, 10, false);
    rig_checkpoint(&rig, 11, false);
    rig_open(&rig, 2, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.planes[0], 0);
    ck_assert_uint_eq(rig.opened.dirty_bytes, PLANE_GRAIN_BYTES);
    rig_end(&rig);
}
END_TEST

/* Its commit would clear what the store still needs. */
START_TEST(no_checkpoint_while_the_store_puts_checksums_right)
{
    struct rig rig;
    uint64_t doubtful = 3;
    rig_begin(&rig);
    rig_done_all(&rig);
    service_free(rig.service);
    rig.doubtful = &doubtful;
    rig_start(&rig, true);
    rig_open(&rig, 1, 2, CONTROLLER);
    rig_done_all(&rig);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_CHECKPOINT, .length_bytes = 10});
    ck_assert_uint_eq(rig.replies[rig.reply_count - 1].status, FRAME_BUSY);
    doubtful = 0;
    rig_frame(&rig, 1, (struct frame){.type = FRAME_CHECKPOINT, .length_bytes = 11});
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.replies[rig.reply_count - 1].status, FRAME_OK);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("checkpoint");
    tcase_add_test(tcase, out_of_sync_a_checkpoint_leaves_no_number);
    tcase_add_test(tcase, a_checkpoint_waits_for_earlier_writes_then_syncs_then_is_durable);
    tcase_add_test(tcase, two_checkpoints_leave_the_log_clean);
    tcase_add_test(tcase, while_a_member_is_away_its_share_is_remembered);
    tcase_add_test(tcase, no_checkpoint_while_the_store_puts_checksums_right);
    Suite *suite = suite_create("checkpoint");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
