/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test's main ends with. */
#ifndef STRAKE_TESTS_SUITE_H
#define STRAKE_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Runs the suite and gives it back; returns the process's exit status. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
