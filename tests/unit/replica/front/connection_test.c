/* SPDX-License-Identifier: Apache-2.0 */
/* Greeting, sessions, and the breaches of protocol that end a connection. */
#include "tests/unit/replica/front/volumes.h"

enum { BURST = 5000, CROWD = 300 };

START_TEST(greets_with_the_pool_identity)
{
    struct message_greet greet;
    struct reader r = reader_of(got.body, got.frame.body_bytes);
    message_greet_decode(&r, &greet);
    ck_assert(!r.bad);
    ck_assert(uuid_equal(&greet.process, replica_pool_uuid(replica)));
    ck_assert_uint_eq(greet.version_min, FRAME_VERSION);
}
END_TEST

START_TEST(unknown_version_is_refused)
{
    link_close(&target);
    connect_target();
    const struct message_greet greet = {.version_min = 7, .version_max = 9, .software = "later"};
    struct writer w = writer_of(out, sizeof(out));
    message_greet_encode(&w, &greet);
    ck_assert_uint_eq(call_body((struct frame){.type = FRAME_GREET}, &w), FRAME_INVALID);
    send_frame((struct frame){.type = FRAME_PING});
    wait_for(1);
    ck_assert(got.down);
}
END_TEST

START_TEST(frame_before_the_greeting_ends_the_connection)
{
    link_close(&target);
    connect_target();
    send_frame((struct frame){.type = FRAME_LIST});
    wait_for(1);
    ck_assert(got.down);
}
END_TEST

START_TEST(second_greeting_ends_the_connection)
{
    send_frame(greeting());
    wait_for(1);
    ck_assert(got.down);
}
END_TEST

START_TEST(reply_to_nothing_ends_the_connection)
{
    send_frame((struct frame){.type = FRAME_FLUSH, .flags = FRAME_REPLY, .session = 1});
    wait_for(1);
    ck_assert(got.down);
}
END_TEST

START_TEST(crowd_that_does_not_greet_keeps_nobody_out)
{
    int ends[CROWD][2];
    for (int i = 0; i < CROWD; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
        replica_accept(replica, ends[i][0]);
    }
    ck_assert_uint_eq(call((struct frame){.type = FRAME_PING}), FRAME_OK);
    link_close(&target);
    connect_target();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    for (int i = 0; i < CROWD; i++)
        close(ends[i][1]);
}
END_TEST

START_TEST(open_of_an_unknown_volume_or_member_is_refused)
{
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_NO_VOLUME);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_2, 1), FRAME_NO_VOLUME);
    ck_assert_uint_eq(open_volume(2, &volume_b, &member_1, 1), FRAME_NO_VOLUME);
}
END_TEST

START_TEST(session_stays_with_its_volume)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(create_volume(&volume_b), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_b, &member_1, 1), FRAME_INVALID);
    ck_assert_uint_eq(open_volume(2, &volume_b, &member_1, 1), FRAME_OK);
}
END_TEST

START_TEST(frame_without_a_session_is_refused)
{
    ck_assert_uint_eq(range(FRAME_READ, 9, 0), FRAME_NO_VOLUME);
}
END_TEST

START_TEST(closed_session_is_gone)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(call((struct frame){.type = FRAME_CLOSE, .session = 1}), FRAME_OK);
    ck_assert_uint_eq(range(FRAME_READ, 1, 0), FRAME_NO_VOLUME);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
}
END_TEST

/* Sent without waiting for any answer: more than there are objects for. */
START_TEST(burst_is_all_answered)
{
    struct slice data = slice_get(&bufs, LENGTH);
    memset(data.bytes, 5, LENGTH);
    slice_crc_fill(&data);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    got.ok_count = 0;
    for (uint32_t i = 0; i < BURST; i++) {
        struct frame frame = {.type = i % 2 ? FRAME_READ : FRAME_WRITE,
                              .session = 1,
                              .offset_bytes = (uint64_t)(i % 64) * LENGTH,
                              .length_bytes = LENGTH};
        if (frame.type == FRAME_WRITE)
            frame.payload = data;
        send_frame(frame);
    }
    slice_release(&data);
    wait_for(BURST);
    ck_assert_msg(!got.down, "%s", got.why);
    ck_assert_uint_eq(got.ok_count, BURST);
}
END_TEST

START_TEST(connection_lost_in_the_middle_leaves_the_volume_usable)
{
    struct slice data = slice_get(&bufs, LENGTH);
    memset(data.bytes, 5, LENGTH);
    slice_crc_fill(&data);
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    for (uint32_t i = 0; i < 100; i++)
        send_frame((struct frame){.type = FRAME_WRITE,
                                  .session = 1,
                                  .offset_bytes = (uint64_t)(i % 64) * LENGTH,
                                  .length_bytes = LENGTH,
                                  .payload = data});
    slice_release(&data);
    wait_for(1);
    link_close(&target);
    connect_target();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 6), FRAME_OK);
    ck_assert(reads_as(1, 0, 6));
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, greets_with_the_pool_identity);
    tcase_add_test(tcase, unknown_version_is_refused);
    tcase_add_test(tcase, frame_before_the_greeting_ends_the_connection);
    tcase_add_test(tcase, second_greeting_ends_the_connection);
    tcase_add_test(tcase, reply_to_nothing_ends_the_connection);
    tcase_add_test(tcase, crowd_that_does_not_greet_keeps_nobody_out);
    tcase_add_test(tcase, open_of_an_unknown_volume_or_member_is_refused);
    tcase_add_test(tcase, session_stays_with_its_volume);
    tcase_add_test(tcase, frame_without_a_session_is_refused);
    tcase_add_test(tcase, closed_session_is_gone);
    tcase_add_test(tcase, burst_is_all_answered);
    tcase_add_test(tcase, connection_lost_in_the_middle_leaves_the_volume_usable);
}

int main(void)
{
    return fixture_run("connection", add);
}
