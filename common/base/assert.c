/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a process that broke its own rules. */
#include "common/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *file, int line, const char *function, const char *text)
{
    fprintf(stderr, "assertion failed: %s:%d: %s: %s\n", file, line, function, text);
    abort();
}
