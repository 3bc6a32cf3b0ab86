/* SPDX-License-Identifier: Apache-2.0 */
/* Range locks against a trivial model, and the rules for copies. */
#include "target/replication/range_lock.h"

#include "tests/lib/suite.h"

enum { CLAIMS = 64, STEPS = 1500 };

static uint32_t granted_count;
static uint32_t waits_count;

static void on_granted(void *arg, struct repl_range *range)
{
    (void)arg;
    (void)range;
    granted_count++;
}

static void on_waits(void *arg, struct repl_range *range)
{
    (void)arg;
    (void)range;
    waits_count++;
}

static void begin(struct range_lock *lock)
{
    granted_count = waits_count = 0;
    range_lock_init(lock, &(struct range_news){.granted = on_granted, .waits = on_waits});
}

static struct repl_range claim_of(uint64_t begin_bytes, uint64_t end_bytes, bool exclusive)
{
    return (struct repl_range){
        .begin_bytes = begin_bytes, .end_bytes = end_bytes, .exclusive = exclusive};
}

static bool overlap(const struct repl_range *a, const struct repl_range *b)
{
    return (a->exclusive || b->exclusive) && a->begin_bytes < b->end_bytes &&
           b->begin_bytes < a->end_bytes;
}

static uint32_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

START_TEST(a_claim_waits_for_exactly_the_earlier_ones_that_overlap)
{
    static const uint64_t lengths[] = {4096, 65536, 1 << 20, 40 << 20};
    struct range_lock lock;
    struct repl_range claims[CLAIMS];
    bool used[CLAIMS] = {false};
    begin(&lock);
    uint64_t random = 7;
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = draw(&random) % CLAIMS;
        if (used[i]) {
            used[i] = false;
            range_lock_release(&lock, &claims[i]);
        } else {
            uint64_t at = (uint64_t)(draw(&random) % 20000) * 4096;
            used[i] = true;
            claims[i] = claim_of(at, at + lengths[draw(&random) % 4], draw(&random) % 2);
            range_lock_claim(&lock, &claims[i]);
        }
        for (int a = 0; a < CLAIMS; a++) {
            uint32_t blockers = 0;
            for (int b = 0; used[a] && b < CLAIMS; b++)
                blockers +=
                    used[b] && claims[b].turn < claims[a].turn && overlap(&claims[a], &claims[b]);
            ck_assert(!used[a] || claims[a].blockers == blockers);
        }
    }
}
END_TEST

START_TEST(readers_share)
{
    struct range_lock lock;
    struct repl_range a = claim_of(0, 4096, false);
    struct repl_range b = claim_of(0, 4096, false);
    begin(&lock);
    range_lock_claim(&lock, &a);
    range_lock_claim(&lock, &b);
    ck_assert(range_lock_granted(&a) && range_lock_granted(&b));
}
END_TEST

START_TEST(a_copy_passes_what_is_not_under_way)
{
    struct range_lock lock;
    struct repl_range write = claim_of(0, 8192, true);
    struct repl_range copy = claim_of(0, 1 << 20, true);
    copy.internal = true;
    begin(&lock);
    range_lock_claim(&lock, &write);
    range_lock_claim(&lock, &copy);
    ck_assert(range_lock_granted(&copy) && !range_lock_granted(&write));
    ck_assert_uint_eq(waits_count, 1);
    range_lock_hold(&copy);
    range_lock_release(&lock, &copy);
    ck_assert(range_lock_granted(&write));
    ck_assert_uint_eq(granted_count, 1);
}
END_TEST

START_TEST(a_copy_waits_for_what_is_under_way)
{
    struct range_lock lock;
    struct repl_range write = claim_of(0, 8192, true);
    struct repl_range copy = claim_of(4096, 1 << 20, true);
    copy.internal = true;
    begin(&lock);
    range_lock_claim(&lock, &write);
    range_lock_hold(&write);
    range_lock_claim(&lock, &copy);
    ck_assert(!range_lock_granted(&copy));
    range_lock_unhold(&lock, &write);
    ck_assert(range_lock_granted(&copy) && !range_lock_granted(&write));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("range_lock");
    tcase_add_test(tcase, a_claim_waits_for_exactly_the_earlier_ones_that_overlap);
    tcase_add_test(tcase, readers_share);
    tcase_add_test(tcase, a_copy_passes_what_is_not_under_way);
    tcase_add_test(tcase, a_copy_waits_for_what_is_under_way);
    Suite *suite = suite_create("range_lock");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
