/* SPDX-License-Identifier: Apache-2.0 */
/* While a lease runs nobody else is answered. */
#include "replica/service/state.h"
#include "tests/unit/replica/service/frames.h"

enum { LEASE = 1000, HEIR = 77 };

static struct rig rig;

/* A session of CONTROLLER at 100, with a lease until then and LEASE. */
static void setup(void)
{
    rig_serve(&rig);
    rig.service->lease_ns = LEASE;
    rig.now_ns = 100;
    rig_frame(&rig, 1, (struct frame){.type = FRAME_LEASE, .length_bytes = 5 * LEASE});
    ck_assert_uint_eq(rig.replies[0].length_bytes, LEASE);
    rig.reply_count = 0;
}

static void teardown(void)
{
    rig_end(&rig);
}

static void tick(uint64_t now_ns)
{
    rig.now_ns = now_ns;
    rig_step(&rig, (struct service_event){.kind = SERVICE_EV_TICK});
    rig_done_all(&rig);
}

static bool heir_is_answered(void)
{
    for (uint32_t i = 0; i < rig.reply_count; i++) {
        if (rig.reply_links[i] == 2 && rig.replies[i].status == FRAME_OK)
            return true;
    }
    return false;
}

START_TEST(an_heir_waits_for_the_end_of_the_lease)
{
    rig_open(&rig, 2, 3, HEIR);
    ck_assert_uint_eq(service_deadline_ns(rig.service), 100 + LEASE);
    tick(99 + LEASE);
    ck_assert(!heir_is_answered());
    tick(100 + LEASE);
    ck_assert(heir_is_answered());
    ck_assert_uint_eq(rig.opened.promised_epoch, 3);
    ck_assert_uint_eq(service_deadline_ns(rig.service), UINT64_MAX);
}
END_TEST

START_TEST(the_holder_is_told_of_the_heir_at_once)
{
    rig_open(&rig, 2, 3, HEIR);
    ck_assert_uint_eq(rig.reply_links[0], 1);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_STALE);
    rig_open(&rig, 1, 2, CONTROLLER);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_STALE);
}
END_TEST

START_TEST(the_promise_is_made_when_the_lease_has_ended)
{
    rig_open(&rig, 2, 3, HEIR);
    ck_assert_uint_eq(rig.service->meta.promised_epoch, 2);
    rig_step(&rig, (struct service_event){.kind = SERVICE_EV_DISCONNECT, .link = 2});
    rig_open(&rig, 1, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.replies[rig.reply_count - 1].status, FRAME_OK);
}
END_TEST

START_TEST(who_knows_the_holder_to_be_dead_does_not_wait)
{
    rig.dead = CONTROLLER;
    rig_open(&rig, 2, 3, HEIR);
    rig_done_all(&rig);
    ck_assert(heir_is_answered());
}
END_TEST

START_TEST(another_one_being_dead_changes_nothing)
{
    rig.dead = CONTROLLER + 1;
    rig_open(&rig, 2, 3, HEIR);
    rig_done_all(&rig);
    ck_assert(!heir_is_answered());
}
END_TEST

START_TEST(a_clean_end_gives_the_lease_back)
{
    rig_frame(&rig, 1, (struct frame){.type = FRAME_CLOSE});
    rig_open(&rig, 2, 3, HEIR);
    rig_done_all(&rig);
    ck_assert(heir_is_answered());
}
END_TEST

START_TEST(a_broken_connection_does_not)
{
    rig_step(&rig, (struct service_event){.kind = SERVICE_EV_DISCONNECT, .link = 1});
    rig_open(&rig, 2, 3, HEIR);
    rig_done_all(&rig);
    ck_assert(!heir_is_answered());
}
END_TEST

START_TEST(the_holder_opens_anew_without_waiting_and_keeps_it)
{
    rig_open(&rig, 2, 3, CONTROLLER);
    rig_done_all(&rig);
    ck_assert(heir_is_answered());
    rig.reply_count = 0;
    rig_open(&rig, 2, 4, HEIR);
    rig_done_all(&rig);
    ck_assert(!heir_is_answered());
}
END_TEST

START_TEST(a_start_is_as_if_a_lease_had_just_been_granted)
{
    rig_done_all(&rig);
    service_free(rig.service);
    rig.lease_ns = LEASE;
    rig.now_ns = 5000;
    rig_start(&rig, true);
    rig_open(&rig, 2, 3, HEIR);
    tick(4999 + LEASE);
    ck_assert(!heir_is_answered());
    tick(5000 + LEASE);
    ck_assert(heir_is_answered());
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("lease");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_heir_waits_for_the_end_of_the_lease);
    tcase_add_test(tcase, the_holder_is_told_of_the_heir_at_once);
    tcase_add_test(tcase, the_promise_is_made_when_the_lease_has_ended);
    tcase_add_test(tcase, who_knows_the_holder_to_be_dead_does_not_wait);
    tcase_add_test(tcase, another_one_being_dead_changes_nothing);
    tcase_add_test(tcase, a_clean_end_gives_the_lease_back);
    tcase_add_test(tcase, a_broken_connection_does_not);
    tcase_add_test(tcase, the_holder_opens_anew_without_waiting_and_keeps_it);
    tcase_add_test(tcase, a_start_is_as_if_a_lease_had_just_been_granted);
    Suite *suite = suite_create("lease");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
