/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of random operations against a trivial model: no stale place, no premature punch. */
#include "tests/unit/replica/map/model.h"

static void one_of(struct model *m)
{
    switch (model_random(m, 40)) {
    case 0:
        model_create(m);
        break;
    case 1:
        model_clone(m);
        break;
    case 2:
        if (model_random(m, 6) == 0)
            model_delete(m);
        break;
    case 3:
    case 4:
        model_command(m, COMMAND_SEAL);
        break;
    case 5:
    case 6:
        model_command(m, COMMAND_DROP);
        break;
    case 7:
        if (model_random(m, 3) == 0)
            model_command(m, COMMAND_REVERT);
        break;
    case 8:
        model_command(m, COMMAND_SET);
        break;
    case 9:
    case 10:
    case 11:
        model_zero(m);
        break;
    case 12:
        model_flush(m);
        break;
    case 13:
    case 14:
    case 15:
    case 16:
        model_job(m);
        break;
    case 17:
        model_diff(m);
        break;
    case 18:
        if (model_random(m, 8) == 0)
            model_reopen(m);
        break;
    case 19:
        if (m->power && model_random(m, 8) == 0)
            model_power_loss(m);
        break;
    case 20:
        if (model_random(m, 4) == 0)
            model_install(m);
        break;
    case 21:
        model_resync(m);
        break;
    case 22:
        model_space(m);
        break;
    default:
        model_write(m);
    }
}

static void run(uint32_t seed, bool power, uint32_t count)
{
    struct model *m = model_new(seed, power);
    for (uint32_t i = 0; i < count; i++) {
        one_of(m);
        if (i % 64 == 0)
            model_verify(m);
    }
    model_verify(m);
    model_finish(m);
    model_free(m);
}

static uint32_t seeds(uint32_t usual)
{
    const char *text = getenv("MAP_SEEDS");
    return text ? (uint32_t)strtoul(text, NULL, 10) : usual;
}

static uint32_t first_seed(void)
{
    const char *text = getenv("MAP_SEED");
    return text ? (uint32_t)strtoul(text, NULL, 10) : 1;
}

START_TEST(random_operations_agree_with_the_model)
{
    for (uint32_t i = 0; i < seeds(2); i++) {
        fixture_setup();
        run(first_seed() + i, false, 1500);
        fixture_teardown();
    }
}
END_TEST

START_TEST(power_loss_keeps_what_was_flushed_and_nothing_of_others)
{
    for (uint32_t i = 0; i < seeds(2); i++) {
        fixture_setup();
        run(first_seed() + i, true, 1500);
        fixture_teardown();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map model");
    TCase *tc = tcase_create("model");
    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, random_operations_agree_with_the_model);
    tcase_add_test(tc, power_loss_keeps_what_was_flushed_and_nothing_of_others);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
