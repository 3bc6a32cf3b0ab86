/* SPDX-License-Identifier: Apache-2.0 */
/* Data through the whole replica, over restarts and a stop. */
#include "tests/unit/replica/front/volumes.h"

START_TEST(reads_back_what_was_written)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert(reads_as(1, 0, 0));
    ck_assert_uint_eq(write_block(1, LENGTH, 7), FRAME_OK);
    ck_assert(reads_as(1, LENGTH, 7));
    ck_assert(reads_as(1, 0, 0));
    ck_assert_uint_eq(call((struct frame){.type = FRAME_FLUSH, .session = 1}), FRAME_OK);
    ck_assert_uint_eq(range(FRAME_ZERO, 1, LENGTH), FRAME_OK);
    ck_assert(reads_as(1, LENGTH, 0));
}
END_TEST

START_TEST(range_beyond_the_volume_is_refused)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(range(FRAME_READ, 1, SIZE_BYTES), FRAME_INVALID);
    ck_assert_uint_eq(write_block(1, SIZE_BYTES - LENGTH / 2, 1), FRAME_INVALID);
}
END_TEST

START_TEST(volume_survives_a_restart)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 9), FRAME_OK);
    restart();
    ck_assert_uint_eq(list_volumes().count, 1);
    ck_assert_uint_eq(open_volume(5, &volume_a, &member_1, 2), FRAME_OK);
    struct message_opened opened;
    struct reader r = reader_of(got.body, got.frame.body_bytes);
    message_opened_decode(&r, &opened);
    ck_assert(!r.bad && !opened.lossy && !opened.failed);
    ck_assert_uint_ge(opened.dirty_bytes, LENGTH);
    ck_assert(reads_as(5, 0, 9));
}
END_TEST

START_TEST(older_epoch_is_fenced_after_a_restart)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 5), FRAME_OK);
    restart();
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 4), FRAME_STALE);
}
END_TEST

static void spoil(const struct uuid *volume, const char *name)
{
    char uuid[UUID_TEXT_BYTES], path[256];
    uuid_format(volume, uuid);
    snprintf(path, sizeof(path), "%s/volumes/%s/%s", pool_path, uuid, name);
    FILE *file = fopen(path, "r+");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fputc('x', file), 'x');
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(one_bad_metadata_copy_is_no_harm)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    stop();
    spoil(&volume_a, "meta.0");
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    stop();
    spoil(&volume_a, "meta.1");
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
}
END_TEST

START_TEST(volume_without_metadata_is_refused_and_others_go_on)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(create_volume(&volume_b), FRAME_OK);
    stop();
    spoil(&volume_a, "meta.0");
    spoil(&volume_a, "meta.1");
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_FAILED);
    ck_assert_uint_eq(open_volume(2, &volume_b, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(list_volumes().count, 1);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_EXISTS);
}
END_TEST

START_TEST(stop_finishes_what_is_under_way)
{
    struct slice data = slice_get(&bufs, LENGTH);
    memset(data.bytes, 5, LENGTH);
    slice_crc_fill(&data);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 1), FRAME_OK);
    for (uint32_t i = 0; i < 100; i++)
        send_frame((struct frame){
            .type = FRAME_WRITE, .session = 1, .length_bytes = LENGTH, .payload = data});
    slice_release(&data);
    wait_for(1); /* the others are on their way */
    replica_stop(replica, on_stopped, NULL);
    got.wanted = 0;
    stopped = false;
    while (!got.down || !stopped)
        loop_run(&loop);
    replica_free(replica);
    link_close(&target);
    start();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
    ck_assert(reads_as(1, 0, 5));
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, reads_back_what_was_written);
    tcase_add_test(tcase, range_beyond_the_volume_is_refused);
    tcase_add_test(tcase, volume_survives_a_restart);
    tcase_add_test(tcase, older_epoch_is_fenced_after_a_restart);
    tcase_add_test(tcase, one_bad_metadata_copy_is_no_harm);
    tcase_add_test(tcase, volume_without_metadata_is_refused_and_others_go_on);
    tcase_add_test(tcase, stop_finishes_what_is_under_way);
}

int main(void)
{
    return fixture_run("replica", add);
}
