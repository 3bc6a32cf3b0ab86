/* SPDX-License-Identifier: Apache-2.0 */
/* The conductor: what it asks of the replication core and the channels, which are fakes here. */
#include "tests/unit/target/volume/fixture.h"

START_TEST(member_that_is_found_gets_a_session)
{
    member(1);
    ck_assert_int_eq(open_count, 1);
    ck_assert_int_eq(events[0].kind, REPL_EV_UP);
    ck_assert_int_eq(events[0].peer, 0);
}
END_TEST

START_TEST(member_found_again_keeps_its_session_and_index)
{
    member(1);
    member(1);
    ck_assert_int_eq(open_count, 1);
    ck_assert_int_eq(peer_count, 1);
}
END_TEST

START_TEST(member_the_core_does_not_know_gets_a_session_after_a_change)
{
    struct repl_change change = {.add = true};
    peers_refused = true;
    member(1);
    ck_assert_int_eq(open_count, 0);
    peers_refused = false;
    ck_assert_ptr_null(volume_change(volume, &change));
    ck_assert_int_eq(events[0].kind, REPL_EV_CHANGE);
    ck_assert_int_eq(open_count, 1);
    ck_assert_int_eq(events[1].kind, REPL_EV_UP);
}
END_TEST

START_TEST(change_that_cannot_be_never_reaches_the_core)
{
    struct repl_change change = {0};
    change_why = "no";
    ck_assert_str_eq(volume_change(volume, &change), "no");
    ck_assert_int_eq(event_count, 0);
}
END_TEST

START_TEST(released_member_loses_its_session)
{
    member(1);
    peers_refused = true;
    tell((struct repl_effect){.kind = REPL_DO_RELEASE, .peers = 1});
    submit(BLOCK_FLUSH, 0, 0);
    ck_assert_int_eq(close_count, 1);
    member(1);
    ck_assert_int_eq(open_count, 1);
    peers_refused = false;
    complete_last(0);
    turn();
}
END_TEST

START_TEST(members_that_came_and_went_make_room_for_others)
{
    peers_refused = true;
    for (uint8_t id = 1; id <= 100; id++)
        member(id);
    peers_refused = false;
    member(101);
    ck_assert_int_eq(open_count, 1);
}
END_TEST

START_TEST(ended_session_is_told_to_the_core)
{
    member(1);
    opened[0]->session = 0;
    opened[0]->on_down(opened[0]);
    ck_assert_int_eq(events[1].kind, REPL_EV_DOWN);
}
END_TEST

START_TEST(request_goes_to_the_core_and_is_answered_in_a_later_turn)
{
    member(1);
    submit(BLOCK_WRITE, 0, 4096);
    ck_assert_int_eq(events[1].kind, REPL_EV_SUBMIT);
    complete_last(0);
    ck_assert_int_eq(done_count, 0);
    turn();
    ck_assert_int_eq(done_count, 1);
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(error_of_the_core_is_the_requests)
{
    member(1);
    submit(BLOCK_WRITE, 0, 4096);
    complete_last(-EIO);
    turn();
    ck_assert_int_eq(req.status, -EIO);
}
END_TEST

START_TEST(long_request_goes_on_with_its_next_part)
{
    member(1);
    submit(BLOCK_WRITE, 0, 2 << 20);
    complete_last(0);
    turn();
    ck_assert_int_eq(done_count, 0);
    ck_assert_int_eq(events[event_count - 1].kind, REPL_EV_SUBMIT);
    ck_assert_uint_eq(events[event_count - 1].op->offset_bytes, 1 << 20);
    complete_last(0);
    turn();
    ck_assert_int_eq(done_count, 1);
}
END_TEST

START_TEST(request_out_of_range_never_reaches_the_core)
{
    submit(BLOCK_READ, VOLUME_BYTES, 4096);
    ck_assert_int_eq(event_count, 0);
    turn();
    ck_assert_int_eq(done_count, 1);
    ck_assert_int_eq(req.status, -EINVAL);
}
END_TEST

START_TEST(empty_request_is_done_without_the_core)
{
    submit(BLOCK_READ, 4096, 0);
    turn();
    ck_assert_int_eq(event_count, 0);
    ck_assert_int_eq(done_count, 1);
    ck_assert_int_eq(req.status, 0);
}
END_TEST

START_TEST(more_than_the_core_takes_waits_its_turn)
{
    static struct block_req many[REPL_OPS_MAX + 1];
    static struct repl_op *with_core[REPL_OPS_MAX];
    member(1);
    event_count = 0;
    for (int i = 0; i <= REPL_OPS_MAX; i++) {
        ck_assert(!volume_full(volume));
        many[i] = (struct block_req){.op = BLOCK_FLUSH, .done = on_done};
        volume_submit(volume, &many[i]);
    }
    ck_assert(volume_full(volume));
    ck_assert_int_eq(event_count, REPL_OPS_MAX);
    for (int i = 0; i < REPL_OPS_MAX; i++)
        with_core[i] = events[i].op;
    event_count = 0;
    for (int i = 0; i < REPL_OPS_MAX; i++) {
        effect_head = effect_tail = 0;
        tell((struct repl_effect){.kind = REPL_DO_COMPLETE, .op = with_core[i]});
        opened[0]->on_down(opened[0]);
    }
    event_count = 0;
    turn();
    ck_assert(!volume_full(volume));
    ck_assert_int_eq(done_count, REPL_OPS_MAX);
    effect_head = effect_tail = 0;
    complete_last(0);
    turn();
    ck_assert_int_eq(done_count, REPL_OPS_MAX + 1);
}
END_TEST

START_TEST(frame_is_sent_to_the_members_of_the_mask)
{
    member(1);
    member(2);
    member(3);
    tell((struct repl_effect){.kind = REPL_DO_SEND, .peers = 1 << 0 | 1 << 2});
    submit(BLOCK_FLUSH, 0, 0);
    ck_assert_int_eq(sent_count, 2);
    complete_last(0);
    turn();
}
END_TEST

START_TEST(merge_is_answered_in_a_step_of_its_own)
{
    member(1);
    submit(BLOCK_WRITE, 512, 512);
    struct repl_op *op = events[1].op;
    ck_assert_int_eq(op->kind, REPL_UPDATE);
    op->data = slice_get(&bufs, 4096);
    memset(op->data.bytes, 0, 4096);
    tell((struct repl_effect){.kind = REPL_DO_MERGE, .op = op});
    opened[0]->on_down(opened[0]);
    ck_assert_int_eq(events[event_count - 1].kind, REPL_EV_MERGED);
    ck_assert(events[event_count - 1].write);
    complete_last(0);
    turn();
    ck_assert_int_eq(done_count, 1);
}
END_TEST

START_TEST(closed_member_is_tried_again_later)
{
    member(1);
    tell((struct repl_effect){.kind = REPL_DO_CLOSE, .peers = 1});
    submit(BLOCK_FLUSH, 0, 0);
    ck_assert_int_eq(close_count, 1);
    ck_assert_int_eq(open_count, 1);
    ev_run(loop.ev, EVRUN_ONCE);
    while (open_count == 1)
        ev_run(loop.ev, EVRUN_ONCE);
    ck_assert_int_eq(events[event_count - 1].kind, REPL_EV_UP);
    for (int i = 0; i < event_count; i++) {
        if (events[i].kind == REPL_EV_SUBMIT)
            tell((struct repl_effect){.kind = REPL_DO_COMPLETE, .op = events[i].op});
    }
    opened[1]->on_down(opened[1]);
    turn();
}
END_TEST

START_TEST(deadline_of_the_core_brings_a_tick)
{
    deadline_ns = loop_now_ns(&loop) + 1000000;
    member(1);
    while (event_count == 1)
        ev_run(loop.ev, EVRUN_ONCE);
    ck_assert_int_eq(events[1].kind, REPL_EV_TICK);
    deadline_ns = UINT64_MAX;
}
END_TEST

START_TEST(stop_is_done_when_the_core_is)
{
    member(1);
    volume_stop(volume, on_stopped, NULL);
    ck_assert_int_eq(events[1].kind, REPL_EV_STOP);
    turn();
    ck_assert_int_eq(stopped_count, 0);
    tell((struct repl_effect){.kind = REPL_DO_STOPPED});
    opened[0]->on_down(opened[0]);
    turn();
    ck_assert_int_eq(stopped_count, 1);
}
END_TEST

START_TEST(request_after_stop_is_refused)
{
    member(1);
    volume_stop(volume, on_stopped, NULL);
    submit(BLOCK_FLUSH, 0, 0);
    turn();
    ck_assert_int_eq(req.status, -ESHUTDOWN);
}
END_TEST

START_TEST(abort_answers_what_the_core_holds_and_what_comes_later)
{
    member(1);
    submit(BLOCK_WRITE, 0, 4096);
    volume_abort(volume);
    ck_assert_int_eq(done_count, 0);
    turn();
    ck_assert_int_eq(done_count, 1);
    ck_assert_int_eq(req.status, -ESHUTDOWN);
    slice_release(&req.data);
    submit(BLOCK_FLUSH, 0, 0);
    turn();
    ck_assert_int_eq(req.status, -ESHUTDOWN);
    int events_before = event_count;
    opened[0]->on_down(opened[0]);
    ck_assert_int_eq(event_count, events_before);
}
END_TEST

START_TEST(stop_after_abort_is_done_at_once)
{
    member(1);
    volume_abort(volume);
    volume_stop(volume, on_stopped, NULL);
    turn();
    ck_assert_int_eq(stopped_count, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("volume");
    TCase *tcase = tcase_create("volume");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, member_that_is_found_gets_a_session);
    tcase_add_test(tcase, member_found_again_keeps_its_session_and_index);
    tcase_add_test(tcase, member_the_core_does_not_know_gets_a_session_after_a_change);
    tcase_add_test(tcase, change_that_cannot_be_never_reaches_the_core);
    tcase_add_test(tcase, released_member_loses_its_session);
    tcase_add_test(tcase, members_that_came_and_went_make_room_for_others);
    tcase_add_test(tcase, ended_session_is_told_to_the_core);
    tcase_add_test(tcase, request_goes_to_the_core_and_is_answered_in_a_later_turn);
    tcase_add_test(tcase, error_of_the_core_is_the_requests);
    tcase_add_test(tcase, long_request_goes_on_with_its_next_part);
    tcase_add_test(tcase, request_out_of_range_never_reaches_the_core);
    tcase_add_test(tcase, empty_request_is_done_without_the_core);
    tcase_add_test(tcase, more_than_the_core_takes_waits_its_turn);
    tcase_add_test(tcase, frame_is_sent_to_the_members_of_the_mask);
    tcase_add_test(tcase, merge_is_answered_in_a_step_of_its_own);
    tcase_add_test(tcase, closed_member_is_tried_again_later);
    tcase_add_test(tcase, deadline_of_the_core_brings_a_tick);
    tcase_add_test(tcase, stop_is_done_when_the_core_is);
    tcase_add_test(tcase, request_after_stop_is_refused);
    tcase_add_test(tcase, abort_answers_what_the_core_holds_and_what_comes_later);
    tcase_add_test(tcase, stop_after_abort_is_done_at_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
